//! Every kind of column, read and written by a transform through the stand-in host.

use forcepump_plugin_sdk::testing::{Table, TransformRun};
use forcepump_plugin_sdk::{
    Batch, BooleanBuilder, DataType, Derived, Description, OpenRequest, Opened, Outcome, OutputField, PluginError,
    PrimitiveBuilder, Reject, Selection, Source, Transform, Utf8Builder,
};
use serde_json::json;

/// Reads every column and writes it anew.
#[derive(Debug)]
struct Copy;

impl Transform for Copy {
    fn describe() -> Description {
        Description::new("copy", "1.0.0", "writes every column anew")
    }

    fn open(request: OpenRequest) -> Result<(Self, Opened), PluginError> {
        let output = request.input.fields.iter().cloned().map(OutputField::computed).collect();
        Ok((Copy, Opened::new(output).reads(0..request.input.fields.len() as u32)))
    }

    fn process(&mut self, batch: &Batch<'_>) -> Result<Outcome, PluginError> {
        let columns = (0u32..).zip(&batch.schema().fields).map(|(column, field)| match &field.data_type {
            DataType::Utf8 => {
                let texts = batch.utf8(column)?;
                let mut copy = Utf8Builder::with_capacity(texts.len(), texts.values().len());
                texts.iter().for_each(|text| copy.push(text));
                copy.finish()
            }
            DataType::Boolean => {
                let mut copy = BooleanBuilder::default();
                batch.boolean(column)?.iter().for_each(|bit| copy.push(bit));
                copy.finish()
            }
            DataType::Decimal128(_) => {
                let mut copy = PrimitiveBuilder::<i128>::with_capacity(batch.rows());
                copy.extend(batch.decimal128(column)?.iter());
                copy.finish(&field.data_type)
            }
            DataType::Date32 | DataType::Int32 => batch.int32(column)?.map_to(&field.data_type, |value| value),
            DataType::Float64 => batch.float64(column)?.map_to(&field.data_type, |value| value),
            _ => batch.int64(column)?.map_to(&field.data_type, |value| value),
        });
        let columns: Vec<u32> = columns.collect::<Result<_, _>>()?;
        Ok(Derived::all(columns).into())
    }
}

fn every_type(rows: usize) -> Table {
    let some = |row: usize| !row.is_multiple_of(3);
    let text: Vec<String> = (0..rows).map(|row| "ü".repeat(row % 5)).collect();
    let decimal: Vec<String> = (0..rows).map(|row| format!("-{row}.{:02}", row % 100)).collect();
    Table::new()
        .text("text", (0..rows).map(|row| some(row).then(|| text[row].as_str())))
        .boolean("boolean", (0..rows).map(|row| some(row).then_some(row % 2 == 0)))
        .int32("int32", (0..rows).map(|row| some(row).then_some(-(row as i32))))
        .int64("int64", (0..rows).map(|row| row as i64 * i64::from(u32::MAX)))
        .float64("float64", (0..rows).map(|row| some(row).then_some(row as f64 / 7.0)))
        .decimal("decimal", (38, 2), (0..rows).map(|row| some(row).then(|| decimal[row].as_str())))
        .date("date", (0..rows).map(|row| some(row).then_some("1969-07-20")))
        .timestamp("timestamp", (0..rows).map(|row| some(row).then_some("1969-07-20T20:17:40.000001Z")))
}

#[test]
fn every_type_comes_back_as_it_went() -> Result<(), PluginError> {
    for rows in [0, 1, 7, 8, 9, 1_000] {
        let table = every_type(rows);
        let mut run = TransformRun::<Copy>::open(&json!({}), &table.schema)?;
        assert_eq!(run.process(&table)?.table, table, "{rows} rows");
    }
    Ok(())
}

/// Does in `process` what the configuration says.
#[derive(Debug)]
struct Wrong {
    what: String,
}

impl Transform for Wrong {
    fn describe() -> Description {
        Description::new("wrong", "1.0.0", "breaks a rule")
    }

    fn open(request: OpenRequest) -> Result<(Self, Opened), PluginError> {
        let what: String = request.config()?;
        Ok((Wrong { what }, Opened::new(OutputField::keep_all(&request.input)).reads([0])))
    }

    fn process(&mut self, batch: &Batch<'_>) -> Result<Outcome, PluginError> {
        match self.what.as_str() {
            "withheld" => batch.int32(1).map(drop)?,
            "mistyped" => batch.int32(0).map(drop)?,
            "missing" => batch.int32(9).map(drop)?,
            "misfit" => PrimitiveBuilder::<i32>::with_capacity(0).finish(&DataType::Int64).map(drop)?,
            _ => {}
        }
        let refused = Reject::new(0, "no", "it is refused").at(0);
        Ok(Derived::selected(Selection::Take(vec![1, 1]), []).rejects(vec![refused]).into())
    }
}

fn outcome(what: &str) -> Result<forcepump_plugin_sdk::testing::Processed, PluginError> {
    let table = Table::new().text("a", ["x", "y"]).int32("b", [1, 2]);
    TransformRun::<Wrong>::open(&json!(what), &table.schema)?.process(&table)
}

#[test]
fn broken_rules_are_named() {
    let fatal = |what| match outcome(what) {
        Err(PluginError::Fatal(message)) => message,
        other => panic!("expected a fatal error, got {other:?}"),
    };
    assert!(fatal("withheld").contains("not among the columns that open said it reads"));
    assert_eq!(fatal("mistyped"), "column \"a\" is text and cannot be read as i32");
    assert_eq!(fatal("missing"), "there is no column 9; the input has 2");
    assert_eq!(fatal("misfit"), "i32 values are no int64 column");
}

#[test]
fn rows_may_repeat_and_rejects_stand_apart() -> Result<(), PluginError> {
    let processed = outcome("fine")?;
    assert_eq!(processed.table.texts("a"), [Some("y".to_owned()), Some("y".to_owned())]);
    assert_eq!(processed.rejects[0].code, "no");
    Ok(())
}

#[test]
fn kept_columns_need_no_reading() -> Result<(), PluginError> {
    let table = every_type(3);
    let fields = OutputField::keep_all(&table.schema);
    assert!(fields.iter().all(|field| matches!(field.source, Source::Keep(_))));
    assert_eq!(fields.len(), table.schema.fields.len());
    Ok(())
}
