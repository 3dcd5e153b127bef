//! Rows before and after each transform, as tables and as JSON.

use arrow_array::RecordBatch;
use console::style;
use forcepump_batch::{ColumnText, TextError};
use forcepump_pipeline::{Preview, PreviewStage};
use serde_json::{Value, json};

use super::numbers::rows as rows_text;
use super::table;
use crate::output::clean;

/// What stands in a cell that is null; an empty text is an empty cell.
pub const NULL_TEXT: &str = "null";

/// The previews of feeds, one after the other.
pub fn previews(shown: &[(String, Preview)], width: usize) -> Result<String, String> {
    let texts: Result<Vec<String>, String> = shown.iter().map(|(_, shown)| preview(shown, width)).collect();
    Ok(texts?.join("\n\n"))
}

/// The same as a document: of several feeds each under its name.
pub fn documents(shown: &[(String, Preview)], several: bool) -> Result<Value, String> {
    if let (false, [(_, only)]) = (several, shown) {
        return document(only);
    }
    let one = |(feed, shown): &(String, Preview)| {
        let stages = document(shown)?["stages"].take();
        Ok(json!({ "object": feed, "stages": stages }))
    };
    let feeds: Result<Vec<Value>, String> = shown.iter().map(one).collect();
    Ok(json!({ "feeds": feeds? }))
}

/// One table a stage.
fn preview(preview: &Preview, width: usize) -> Result<String, String> {
    let stages: Result<Vec<String>, String> =
        preview.stages.iter().enumerate().map(|(index, stage)| words(index, stage, width)).collect();
    Ok(stages?.join("\n\n"))
}

fn words(index: usize, stage: &PreviewStage, width: usize) -> Result<String, String> {
    let (columns, rows) = cells(&stage.batches)?;
    let label = if index == 0 { clean(&stage.label) } else { format!("after {}", clean(&stage.label)) };
    let mut text = format!("{}, {}", style(label).bold(), rows_text(rows.len() as u64));
    if stage.filtered > 0 {
        text.push_str(&format!(", {} filtered", stage.filtered));
    }
    if !stage.rejected.is_empty() {
        text.push_str(&format!(", {} rejected", stage.rejected.len()));
    }
    text.push('\n');
    text.push_str(&table::cut(&columns, &rows, width));
    for reject in &stage.rejected {
        let (code, reason) = (clean(&reject.code), clean(&reject.reason));
        text.push_str(&format!("\n  rejected row {}: {code}: {reason}", reject.row));
    }
    Ok(text)
}

fn cells(batches: &[RecordBatch]) -> Result<(Vec<String>, Vec<Vec<String>>), String> {
    let schema = batches.first().map(RecordBatch::schema);
    let columns = schema.iter().flat_map(|schema| schema.fields()).map(|field| field.name().clone()).collect();
    let rows = texts(batches)?
        .into_iter()
        .map(|row| row.into_iter().map(|cell| cell.unwrap_or_else(|| NULL_TEXT.to_owned())).collect())
        .collect();
    Ok((columns, rows))
}

/// Every cell as text, row by row; `None` is null.
fn texts(batches: &[RecordBatch]) -> Result<Vec<Vec<Option<String>>>, String> {
    let mut rows = Vec::new();
    for batch in batches {
        let columns: Result<Vec<ColumnText<'_>>, TextError> =
            batch.columns().iter().map(|column| ColumnText::new(column.as_ref())).collect();
        let columns = columns.map_err(|error| error.to_string())?;
        rows.extend((0..batch.num_rows()).map(|row| columns.iter().map(|column| text(column, row)).collect()));
    }
    Ok(rows)
}

fn text(column: &ColumnText<'_>, row: usize) -> Option<String> {
    if column.is_null(row) {
        return None;
    }
    let mut text = Vec::new();
    column.write(row, &mut text);
    Some(String::from_utf8_lossy(&text).into_owned())
}

/// The same as a document: values as texts, nulls as null.
fn document(preview: &Preview) -> Result<Value, String> {
    let stages: Result<Vec<Value>, String> = preview.stages.iter().map(stage_document).collect();
    Ok(json!({ "stages": stages? }))
}

fn stage_document(stage: &PreviewStage) -> Result<Value, String> {
    let schema = stage.batches.first().map(RecordBatch::schema);
    let columns: Vec<Value> = schema
        .iter()
        .flat_map(|schema| schema.fields())
        .map(|field| json!({ "name": field.name(), "arrow_type": field.data_type().to_string() }))
        .collect();
    Ok(json!({
        "label": stage.label,
        "columns": columns,
        "rows": texts(&stage.batches)?,
        "filtered": stage.filtered,
        "rejected": stage.rejected,
    }))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Decimal128Array, StringArray, TimestampMicrosecondArray};

    use forcepump_pipeline::PreviewReject;

    use super::*;

    fn stage_of(columns: Vec<(&str, ArrayRef)>) -> Preview {
        let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, a)| (n, a, true)));
        let batch = batch.expect("the columns have one length");
        let rejected = vec![PreviewReject { row: 3, code: "BAD\u{1b}".to_owned(), reason: "no number".to_owned() }];
        Preview {
            stages: vec![PreviewStage { label: "Account".to_owned(), batches: vec![batch], rejected, filtered: 2 }],
        }
    }

    #[test]
    fn nulls_decimals_and_times_are_shown_whole() {
        console::set_colors_enabled(false);
        let amounts = Decimal128Array::from(vec![Some(123_456), None]).with_precision_and_scale(18, 2);
        let times = TimestampMicrosecondArray::from(vec![Some(0), None]).with_timezone("UTC");
        let shown = stage_of(vec![
            ("Name", Arc::new(StringArray::from(vec![Some(""), None]))),
            ("Amount", Arc::new(amounts.expect("fits"))),
            ("At", Arc::new(times)),
        ]);
        let text = preview(&shown, 100).expect("shown");
        assert!(text.starts_with("Account, 2 rows, 2 filtered, 1 rejected\n"), "{text}");
        assert!(text.contains("1234.56") && text.contains("1970-01-01T00:00:00.000Z"), "{text}");
        assert!(text.contains("null") && text.ends_with("rejected row 3: BAD\\u{1b}: no number"), "{text}");
        let json = document(&shown).expect("a document");
        assert_eq!(
            json["stages"][0]["rows"],
            serde_json::json!([["", "1234.56", "1970-01-01T00:00:00.000Z"], [null, null, null]])
        );
    }

    #[test]
    fn a_time_out_of_range_is_no_panic() {
        let times = TimestampMicrosecondArray::from(vec![i64::MAX]).with_timezone("UTC");
        let shown = stage_of(vec![("At", Arc::new(times))]);
        assert!(preview(&shown, 100).is_ok_and(|text| text.starts_with("Account, 1 row,")));
    }
}
