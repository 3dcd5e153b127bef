//! The rows of a query as Arrow, their types taken from the values.

use std::sync::Arc;

use arrow_array::{ArrayRef, BinaryArray, Float64Array, Int64Array, RecordBatch, RecordBatchOptions, StringArray};
use arrow_schema::{DataType, Field, Schema};
use rusqlite::types::Value as Stored;

use super::SqlError;

/// Bytes of values that one query may give.
const RESULT_MAX_BYTES: u64 = 64 * 1024 * 1024;
/// Bytes that a value takes beside its text.
const CELL_BYTES: u64 = size_of::<Stored>() as u64;
/// Largest whole number up to which a double holds every whole number.
const DOUBLE_WHOLE_LIMIT: u64 = 1 << 53;

/// What a query gave.
///
/// SQLite types values, not columns, so a column becomes: `Int64` when every value is INTEGER; `Float64` when
/// all are numbers that a double holds; `Binary` when one is a BLOB; else `Utf8`, as is a column without values.
#[derive(Debug, Clone, PartialEq)]
pub struct Rows {
    /// The rows; every column is nullable.
    pub batch: RecordBatch,
    /// Whether there were more rows than were asked for.
    pub more: bool,
}

/// Rows as SQLite gave them, column by column.
pub(crate) struct Table {
    names: Vec<String>,
    columns: Vec<Vec<Stored>>,
    rows: usize,
    more: bool,
}

/// Steps through the statement. The outer error is SQLite's, the inner one ours.
pub(crate) fn collect(
    db: &rusqlite::Connection,
    sql: &str,
    params: Vec<Stored>,
    max_rows: u32,
) -> rusqlite::Result<Result<Table, SqlError>> {
    let mut statement = db.prepare_cached(sql)?;
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let columns = names.iter().map(|_| Vec::new()).collect();
    let mut table = Table { names, columns, rows: 0, more: false };
    if table.names.is_empty() {
        return Ok(Err(SqlError::database("0A000", "the statement gives no rows; use execute")));
    }
    let mut bytes = 0;
    let mut rows = statement.query(rusqlite::params_from_iter(params))?;
    while let Some(row) = rows.next()? {
        if table.rows as u64 == u64::from(max_rows) {
            table.more = true;
            break;
        }
        for (number, column) in table.columns.iter_mut().enumerate() {
            let value: Stored = row.get_ref(number)?.try_into().unwrap_or(Stored::Null);
            bytes += size_of_value(&value);
            column.push(value);
            // After each cell: one row may have thousands, each as large as a value may be.
            if bytes > RESULT_MAX_BYTES {
                return Ok(Err(SqlError::TooLarge(RESULT_MAX_BYTES)));
            }
        }
        table.rows += 1;
    }
    Ok(Ok(table))
}

impl Table {
    pub(crate) fn into_rows(self) -> Result<Rows, SqlError> {
        let arrays: Vec<ArrayRef> = self.columns.into_iter().map(array_of).collect();
        let fields: Vec<Field> = self
            .names
            .iter()
            .zip(&arrays)
            .map(|(name, array)| Field::new(name, array.data_type().clone(), true))
            .collect();
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        let batch = RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options);
        let batch = batch.map_err(|e| SqlError::database("HY000", e.to_string()))?;
        Ok(Rows { batch, more: self.more })
    }
}

fn size_of_value(value: &Stored) -> u64 {
    CELL_BYTES
        + match value {
            Stored::Text(text) => text.len() as u64,
            Stored::Blob(bytes) => bytes.len() as u64,
            _ => 0,
        }
}

fn array_of(values: Vec<Stored>) -> ArrayRef {
    match type_of(&values) {
        DataType::Int64 => Arc::new(values.iter().map(as_int).collect::<Int64Array>()),
        DataType::Float64 => Arc::new(values.iter().map(as_float).collect::<Float64Array>()),
        DataType::Binary => Arc::new(values.into_iter().map(into_bytes).collect::<BinaryArray>()),
        _ => Arc::new(values.into_iter().map(into_text).collect::<StringArray>()),
    }
}

fn type_of(values: &[Stored]) -> DataType {
    let (mut ints, mut floats, mut wide_ints) = (false, false, false);
    let mut texts = false;
    for value in values {
        match value {
            Stored::Null => {}
            Stored::Integer(value) => {
                ints = true;
                wide_ints |= value.unsigned_abs() > DOUBLE_WHOLE_LIMIT;
            }
            Stored::Real(_) => floats = true,
            Stored::Text(_) => texts = true,
            Stored::Blob(_) => return DataType::Binary,
        }
    }
    match (ints, floats, texts) {
        (true, false, false) => DataType::Int64,
        (_, true, false) if !wide_ints => DataType::Float64,
        _ => DataType::Utf8,
    }
}

fn as_int(value: &Stored) -> Option<i64> {
    if let Stored::Integer(value) = value { Some(*value) } else { None }
}

fn as_float(value: &Stored) -> Option<f64> {
    match value {
        Stored::Real(value) => Some(*value),
        Stored::Integer(value) => Some(*value as f64),
        _ => None,
    }
}

fn into_text(value: Stored) -> Option<String> {
    match value {
        Stored::Null => None,
        Stored::Integer(value) => Some(value.to_string()),
        Stored::Real(value) => Some(value.to_string()),
        Stored::Text(value) => Some(value),
        Stored::Blob(value) => Some(String::from_utf8_lossy(&value).into_owned()),
    }
}

fn into_bytes(value: Stored) -> Option<Vec<u8>> {
    match value {
        Stored::Blob(value) => Some(value),
        other => into_text(other).map(String::into_bytes),
    }
}
