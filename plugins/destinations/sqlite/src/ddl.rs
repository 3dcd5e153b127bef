//! Creating tables, letting them grow, and indexing their keys.

use forcepump_plugin_sdk::sql::{Connection, SqlError, query_texts, quote};
use forcepump_plugin_sdk::{DataType, Field, PluginError, Target, Value, WriteMode};
use std::collections::BTreeMap;

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
    for field in fields {
        match present.get(&field.name.to_lowercase()) {
            Some(declared) => check_type(table, field, declared)?,
            None => {
                connection.execute(&format!("ALTER TABLE {} ADD COLUMN {}", quote(table), definition(field)), &[])?;
            }
        }
    }
    Ok(())
}

/// A column that holds numbers would make numbers of texts that look like one, and lose `007` and `1.10`
/// (<https://sqlite.org/datatype3.html>, section 3.1). Numbers in a column of texts keep every digit.
fn check_type(table: &str, field: &Field, declared: &str) -> Result<(), PluginError> {
    let upper = declared.to_uppercase();
    let has = |words: &[&str]| words.iter().any(|word| upper.contains(word));
    let holds_numbers = has(&["INT"]) || !(upper.is_empty() || has(&["CHAR", "CLOB", "TEXT", "BLOB"]));
    if field.data_type != DataType::Utf8 || !holds_numbers {
        return Ok(());
    }
    let name = &field.name;
    Err(PluginError::schema(format!(
        "the column \"{name}\" of the table \"{table}\" is declared {declared} and the rows hold text in it now, of which \
         SQLite would make numbers; rename the column with the transform shape, withhold it, or make a column of type \
         TEXT of it"
    )))
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

/// Names of the table's columns in lower case with their declared types; none when there is no such table.
fn columns_of(connection: &Connection, table: &str) -> Result<BTreeMap<String, String>, PluginError> {
    let rows = query_texts(connection, &format!("PRAGMA table_info({})", quote(table)), &[], COLUMNS_MAX)?;
    // The second and the third column of the answer are name and type.
    let column = |row: Vec<Option<String>>| {
        let mut cells = row.into_iter().skip(1);
        Some((cells.next()??.to_lowercase(), cells.next()?.unwrap_or_default()))
    };
    Ok(rows.into_iter().filter_map(column).collect())
}

/// The keys of a merge have to be unique; those of an update or a delete are searched for.
pub(crate) fn index_keys(connection: &Connection, target: &Target, table: &str) -> Result<(), PluginError> {
    let unique = match target.mode {
        WriteMode::Merge => "UNIQUE ",
        WriteMode::Update | WriteMode::Delete => "",
        WriteMode::Append | WriteMode::Overwrite => return Ok(()),
    };
    let names = target.key_names()?;
    let index = |kind: &str| format!("{table}__{kind}_{}", names.join("_").to_lowercase());
    if unique.is_empty() && has_index(connection, table, &index("key"))? {
        return Ok(());
    }
    let index = if unique.is_empty() { index("find") } else { index("key") };
    let columns: Vec<String> = names.iter().map(|name| quote(name)).collect();
    let statement =
        format!("CREATE {unique}INDEX IF NOT EXISTS {} ON {} ({})", quote(&index), quote(table), columns.join(", "));
    connection.execute(&statement, &[]).map(drop_count).map_err(|error| explain(error, table, &names))
}

/// The index by which a merge finds its rows serves an update and a delete too.
fn has_index(connection: &Connection, table: &str, index: &str) -> Result<bool, PluginError> {
    let statement =
        "SELECT name FROM sqlite_master WHERE type = 'index' AND name = ?1 AND tbl_name = ?2 COLLATE NOCASE";
    let params = [Value::Text(index.to_owned()), Value::Text(table.to_owned())];
    Ok(!query_texts(connection, statement, &params, 1)?.is_empty())
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
