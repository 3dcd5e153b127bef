//! A refused row, from wherever it was refused, as a line of the rejects file.

use std::collections::BTreeMap;

use arrow_array::RecordBatch;
use arrow_schema::Schema;
use forcepump_batch::text::write_value;
use forcepump_batch::{DecodeReject, RowReject};

use super::rejects::{DECODE_STAGE, PluginIdentity, RejectLine};
use super::shared::Shared;
use crate::part::Part;

/// The column that holds a record's id.
pub(super) const ID: &str = "Id";

/// Makes lines for one unit.
pub(crate) struct Refuser<'a> {
    shared: &'a Shared,
    unit: &'a str,
}

impl<'a> Refuser<'a> {
    pub(crate) fn new(shared: &'a Shared, unit: &'a str) -> Self {
        Self { shared, unit }
    }

    /// A record that did not fit its columns' types.
    pub(crate) fn decoded(&self, reject: &DecodeReject, schema: &Schema) -> RejectLine {
        let names = schema.fields().iter().map(|field| field.name().clone());
        let values: BTreeMap<_, _> = names.zip(reject.values.iter().cloned()).collect();
        RejectLine {
            row: reject.row,
            stage: DECODE_STAGE.to_owned(),
            plugin: None,
            code: reject.code.clone(),
            reason: reject.reason.clone(),
            column: Some(reject.column.clone()),
            ..self.line(values)
        }
    }

    /// A row that a plugin refused; `first_row` is the number of the batch's first row at that stage.
    pub(crate) fn plugin(&self, part: &Part, batch: &RecordBatch, first_row: u64, reject: &RowReject) -> RejectLine {
        let schema = batch.schema();
        let column = reject.column.and_then(|number| schema.fields().get(number as usize));
        RejectLine {
            row: first_row + u64::from(reject.row),
            stage: part.name().to_owned(),
            plugin: Some(PluginIdentity {
                version: part.plugin.description().version.clone(),
                digest: part.plugin.digest().to_owned(),
            }),
            code: reject.code.clone(),
            reason: reject.reason.clone(),
            column: column.map(|field| field.name().clone()),
            ..self.line(cells(batch, reject.row as usize))
        }
    }

    fn line(&self, values: BTreeMap<String, Option<String>>) -> RejectLine {
        RejectLine {
            run: self.shared.opening.run_id.clone(),
            feed: self.shared.opening.feed.clone(),
            unit: self.unit.to_owned(),
            row: 0,
            stage: String::new(),
            plugin: None,
            id: values.get(ID).cloned().flatten(),
            code: String::new(),
            reason: String::new(),
            column: None,
            values,
        }
    }
}

fn cells(batch: &RecordBatch, row: usize) -> BTreeMap<String, Option<String>> {
    let schema = batch.schema();
    let names = schema.fields().iter().map(|field| field.name().clone());
    names.zip(batch.columns().iter().map(|column| cell(column, row))).collect()
}

/// A cell's text; null, and types that no text stands for, are absent.
pub(crate) fn cell(column: &dyn arrow_array::Array, row: usize) -> Option<String> {
    if row >= column.len() || column.is_null(row) {
        return None;
    }
    let mut text = Vec::new();
    write_value(column, row, &mut text).ok()?;
    Some(String::from_utf8_lossy(&text).into_owned())
}
