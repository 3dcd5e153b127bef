//! The `data` calls beside the typed columns: batches that outlive a call, and columns that never cross.
//!
//! Columns and batches are numbers, as in the contract. A column, and a batch that [`assemble`] made, ends with the
//! call; a batch that [`retain`] gave lives until [`release`], and its bytes count against the plugin's memory.

use crate::{Buffers, Column, DataType, PluginError, Schema, Selection, host};

/// Number of a batch: 0 is the batch of the current call.
pub type BatchNumber = u32;

/// What the host said instead of doing it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The rule that was broken, or the bound that was reached.
    pub reason: String,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Refused {}

/// Ends the run: a plugin that can go on handles the refusal itself.
impl From<Refused> for PluginError {
    fn from(refused: Refused) -> Self {
        PluginError::fatal(format!("the host refused: {}", refused.reason))
    }
}

fn told<T>(outcome: Result<T, String>) -> Result<T, Refused> {
    outcome.map_err(|reason| Refused { reason })
}

/// Keeps a batch beyond the call, under the number returned.
///
/// # Errors
/// [`Refused`] when there is no such batch, the plugin's memory has no room for it, or too many are retained.
pub fn retain(batch: BatchNumber) -> Result<BatchNumber, Refused> {
    told(host::retain(batch))
}

/// Gives a retained batch up; any other number does nothing.
pub fn release(retained: BatchNumber) {
    host::release(retained);
}

/// A batch of columns of equal length, for this call.
///
/// # Errors
/// [`Refused`] when the columns do not fit the shape.
pub fn assemble(shape: &Schema, columns: &[Column]) -> Result<BatchNumber, Refused> {
    told(host::assemble(shape, columns))
}

/// The columns of a batch, as columns of this call.
///
/// # Errors
/// [`Refused`] when there is no such batch.
pub fn columns(batch: BatchNumber) -> Result<Vec<Column>, Refused> {
    told(host::columns(batch))
}

/// Filters or takes rows of a column on the host; gives the new column.
///
/// # Errors
/// [`Refused`] when the selection does not suit the column, or the call makes more than it may.
pub fn select(column: Column, rows: &Selection) -> Result<Column, Refused> {
    told(host::select(column, rows))
}

/// The bytes of a column, for code that treats types alike; [`crate::Batch`] has the typed ways.
///
/// # Errors
/// [`Refused`] when the column is closed to the plugin.
pub fn read(column: Column) -> Result<Buffers, Refused> {
    told(host::read(column, None))
}

/// A new column of these bytes; the builders are the typed ways.
///
/// # Errors
/// [`Refused`] with the rule of `data.write` that they break.
pub fn write(data_type: &DataType, rows: u32, parts: &Buffers) -> Result<Column, Refused> {
    told(host::write(data_type, rows, parts))
}
