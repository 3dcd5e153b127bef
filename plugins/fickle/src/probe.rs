//! Attempts at a column that the plugin is not to see, by every door of `data`.

use forcepump_plugin_sdk::bindings::imports::forcepump::plugin::data;
use forcepump_plugin_sdk::{Batch, DataType, OnCastError, Schema, Selection};

/// What the host answered to each, in one line; `took it` where it did not refuse.
pub fn attempts(column: u32, batch: &Batch<'_>) -> String {
    let answers = [
        ("read", data::read(column, None).map(drop)),
        ("null-count", data::null_count(column).map(drop)),
        ("cast", data::cast(column, &DataType::Utf8, OnCastError::Null).and_then(read)),
        ("select", data::select(column, &Selection::All).and_then(read)),
        ("assemble", assembled(column, batch)),
        ("retain", retained(column)),
    ];
    let said = |(door, answer): &(&str, Result<(), String>)| match answer {
        Ok(()) => format!("{door}: took it"),
        Err(reason) => format!("{door}: {reason}"),
    };
    answers.iter().map(said).collect::<Vec<_>>().join("; ")
}

fn read(column: u32) -> Result<(), String> {
    data::read(column, None).map(drop)
}

/// Into a batch of its own and out again.
fn assembled(column: u32, batch: &Batch<'_>) -> Result<(), String> {
    let field = batch.field(column).map_err(|error| format!("{error:?}"))?.clone();
    let made = data::assemble(&Schema { fields: vec![field], metadata: Vec::new() }, &[column])?;
    let columns = data::columns(made)?;
    columns.first().map_or(Ok(()), |column| read(*column))
}

/// The whole batch kept, and the column taken out of it.
fn retained(column: u32) -> Result<(), String> {
    let kept = data::retain(0)?;
    let columns = data::columns(kept);
    data::release(kept);
    columns?.get(column as usize).map_or(Ok(()), |column| read(*column))
}
