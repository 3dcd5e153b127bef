//! Database connections by granted name.

pub use crate::bindings::imports::forcepump::plugin::sql::{InsertMode, InsertOptions, Inserted, Rows, SqlError};

#[cfg(target_arch = "wasm32")]
pub use crate::bindings::imports::forcepump::plugin::sql::Connection;
#[cfg(not(target_arch = "wasm32"))]
pub use crate::testing::sql::Connection;

use crate::column::read;
use crate::{DataType, OnCastError, PluginError, Utf8Column, Value, host};

impl From<SqlError> for PluginError {
    fn from(error: SqlError) -> Self {
        match error {
            SqlError::Denied(reason) => PluginError::fatal(format!("database refused: {reason}")),
            SqlError::UnknownConnection => PluginError::fatal("no connection of that name is granted"),
            SqlError::Database((code, message)) => PluginError::fatal(format!("database error {code}: {message}")),
            SqlError::Retryable(reason) => PluginError::retryable(format!("database: {reason}")),
            SqlError::TooLarge(bytes) => PluginError::fatal(format!("the database's answer is over {bytes} bytes")),
            // The transaction is gone with it: the same call a second time would leave out what came before.
            SqlError::Lost => PluginError::fatal("the database connection was lost"),
        }
    }
}

/// A name as SQL takes it, whatever is in it.
pub fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The answer to a query as text, row by row; null is none.
///
/// # Errors
/// What the database says, or [`PluginError::Fatal`] when there are more than `max_rows` rows.
pub fn query_texts(
    connection: &Connection,
    statement: &str,
    params: &[Value],
    max_rows: u32,
) -> Result<Vec<Vec<Option<String>>>, PluginError> {
    let answer = connection.query(statement, params, max_rows)?;
    if answer.more {
        return Err(PluginError::fatal(format!("a query answered with more than {max_rows} rows")));
    }
    let numbers = host::columns(answer.data).map_err(PluginError::Fatal)?;
    let columns = numbers.into_iter().map(text_column).collect::<Result<Vec<_>, _>>()?;
    let rows = columns.first().map_or(0, Utf8Column::len);
    Ok((0..rows).map(|row| columns.iter().map(|column| column.get(row).map(str::to_owned)).collect()).collect())
}

fn text_column(of: u32) -> Result<Utf8Column, PluginError> {
    let text = host::cast(of, &DataType::Utf8, OnCastError::Fail).map_err(PluginError::Fatal)?;
    let buffers = read(text)?;
    let rows = (buffers.offsets.len() / crate::column::OFFSET_WIDTH).saturating_sub(1);
    Utf8Column::from_buffers(buffers, rows)
}
