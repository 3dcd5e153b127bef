//! Creating tables, letting them grow, and indexing their keys.

use forcepump_plugin_sdk::sql::{Connection, SqlError, query_texts, quote};
use forcepump_plugin_sdk::{DataType, Field, PluginError, Target, WriteMode};
use std::collections::BTreeSet;

/// SQLite's own limit on the columns of a table is 2,000 by default, and 32,767 at most.
const COLUMNS_MAX: u32 = 32_767;
/// Digits up to which a number keeps all of them as a double.
const DOUBLE_DIGITS: u8 = 15;

/// The type that SQLite declares for a column. Decimals with more digits than a double holds have
/// none, so that the host can store their exact text.
fn declared(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Boolean => " BOOLEAN",
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => " INTEGER",
        DataType::Uint8 | DataType::Uint16 | DataType::Uint32 => " INTEGER",
        DataType::Float32 | DataType::Float64 => " REAL",
        DataType::Utf8 | DataType::Date32 | DataType::Time64(_) | DataType::Timestamp(_) => " TEXT",
        DataType::Binary => " BLOB",
        DataType::Decimal128(shape) if shape.precision <= DOUBLE_DIGITS => " NUMERIC",
        _ => "",
    }
}

fn definition(field: &Field) -> String {
    format!("{}{}", quote(&field.name), declared(&field.data_type))
}

/// Creates the table, or adds the columns that it lacks.
pub(crate) fn create_or_widen(connection: &Connection, table: &str, fields: &[Field]) -> Result<(), PluginError> {
    let present = columns_of(connection, table)?;
    if present.is_empty() {
        return create(connection, table, fields);
    }
    for field in fields.iter().filter(|field| !present.contains(&field.name.to_lowercase())) {
        connection.execute(&format!("ALTER TABLE {} ADD COLUMN {}", quote(table), definition(field)), &[])?;
    }
    Ok(())
}

/// Creates the table.
pub(crate) fn create(connection: &Connection, table: &str, fields: &[Field]) -> Result<(), PluginError> {
    let columns: Vec<String> = fields.iter().map(definition).collect();
    connection.execute(&format!("CREATE TABLE {} ({})", quote(table), columns.join(", ")), &[])?;
    Ok(())
}

/// Drops the table if there is one.
pub(crate) fn drop(connection: &Connection, table: &str) -> Result<(), PluginError> {
    connection.execute(&format!("DROP TABLE IF EXISTS {}", quote(table)), &[])?;
    Ok(())
}

/// Names of the table's columns in lower case; none when there is no such table.
pub(crate) fn columns_of(connection: &Connection, table: &str) -> Result<BTreeSet<String>, PluginError> {
    let rows = query_texts(connection, &format!("PRAGMA table_info({})", quote(table)), &[], COLUMNS_MAX)?;
    // The second column of the answer is the name.
    Ok(rows.into_iter().filter_map(|row| row.into_iter().nth(1).flatten()).map(|name| name.to_lowercase()).collect())
}

/// The keys of a merge have to be unique; those of an update or a delete are searched for.
pub(crate) fn index_keys(connection: &Connection, target: &Target, table: &str) -> Result<(), PluginError> {
    let unique = match target.mode {
        WriteMode::Merge => "UNIQUE ",
        WriteMode::Update | WriteMode::Delete => "",
        WriteMode::Append | WriteMode::Overwrite => return Ok(()),
    };
    let names = target.key_names()?;
    let kind = if unique.is_empty() { "find" } else { "key" };
    let index = format!("{table}__{kind}_{}", names.join("_").to_lowercase());
    let columns: Vec<String> = names.iter().map(|name| quote(name)).collect();
    let statement =
        format!("CREATE {unique}INDEX IF NOT EXISTS {} ON {} ({})", quote(&index), quote(table), columns.join(", "));
    connection.execute(&statement, &[]).map(drop_count).map_err(|error| explain(error, table, &names))
}

fn drop_count(_rows: u64) {}

/// A unique index that cannot be made is the user's to mend.
fn explain(error: SqlError, table: &str, keys: &[&str]) -> PluginError {
    match error {
        SqlError::Database((code, message)) => PluginError::config(
            "",
            format!(
                "the table \"{table}\" cannot be merged into by {}: {message} ({code}); \
                 remove the rows that have the same keys, or choose other keys",
                keys.join(", ")
            ),
        ),
        other => other.into(),
    }
}
