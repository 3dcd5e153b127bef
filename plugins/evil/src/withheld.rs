//! Ways to a column that the pipeline withholds: the second one of the input.

use forcepump_plugin_sdk::bindings::imports::forcepump::plugin::types::RowRange;
use forcepump_plugin_sdk::bindings::imports::forcepump::plugin::{data, files, sql};
use forcepump_plugin_sdk::{DataType, Derived, Emitted, Field, OnCastError, Outcome, PluginError, Schema, Selection};

use crate::results::numbers;

/// Attacks of `process` on a withheld column, which `open` does not list under `reads`.
pub const MODES: &[&str] = &[
    "withheld-read",
    "withheld-read-nothing",
    "withheld-null-count",
    "withheld-cast",
    "withheld-cast-to-null",
    "withheld-select",
    "withheld-select-none",
    "withheld-assemble",
    "withheld-retain-read",
    "withheld-retain-null-count",
    "withheld-retain-select",
    "withheld-columns-cast",
    "withheld-bulk-insert",
    "withheld-file",
    "withheld-deliver",
    "withheld-replace",
    "withheld-take",
    "withheld-room",
];

/// The number of the withheld column.
const CLOSED: u32 = 1;

/// Whether the orders are for a column that must not be declared.
pub fn is_blind(mode: &str) -> bool {
    mode.starts_with("withheld-")
}

/// Makes the attack; the error is what the host said.
pub fn attack(mode: &str, rows: u32) -> Result<Option<Outcome>, PluginError> {
    let said = match mode {
        "withheld-deliver" => return Ok(Some(derived(Selection::All, CLOSED))),
        "withheld-replace" => {
            let emitted = Emitted { rows, columns: vec![0, CLOSED, numbers(rows)] };
            return Ok(Some(Outcome::Replaced(vec![emitted])));
        }
        // As many rows as the fan-out allows, all of them the same one.
        "withheld-take" => {
            let taken = Selection::Take(vec![0; rows as usize * 10]);
            return Ok(Some(derived(taken, numbers(rows * 10))));
        }
        mode if MODES.contains(&mode) => call(mode),
        _ => return Ok(None),
    };
    Err(PluginError::Data(said.err().unwrap_or_else(|| "the host took it".to_owned())))
}

fn derived(rows: Selection, made: u32) -> Outcome {
    Outcome::Derived(Derived { rows, columns: vec![made], rejects: Vec::new() })
}

fn call(mode: &str) -> Result<(), String> {
    match mode {
        "withheld-read" => data::read(CLOSED, None).map(drop),
        "withheld-read-nothing" => data::read(CLOSED, Some(RowRange { offset: 0, len: 0 })).map(drop),
        "withheld-null-count" => data::null_count(CLOSED).map(drop),
        "withheld-cast" => data::cast(CLOSED, &DataType::Binary, OnCastError::Fail).map(drop),
        "withheld-cast-to-null" => data::cast(CLOSED, &DataType::Int32, OnCastError::Null).map(drop),
        "withheld-select" => data::select(CLOSED, &Selection::Take(vec![0])).map(drop),
        "withheld-select-none" => data::select(CLOSED, &Selection::None).map(drop),
        "withheld-assemble" => {
            let fields = vec![Field::new("name", DataType::Utf8, true)];
            data::assemble(&Schema { fields, metadata: Vec::new() }, &[CLOSED]).map(drop)
        }
        "withheld-retain-read" => data::read(retained()?, None).map(drop),
        "withheld-retain-null-count" => data::null_count(retained()?).map(drop),
        "withheld-retain-select" => data::select(retained()?, &Selection::All).map(drop),
        "withheld-columns-cast" => {
            let number = data::columns(0)?[CLOSED as usize];
            data::cast(number, &DataType::Binary, OnCastError::Null).map(drop)
        }
        "withheld-bulk-insert" => bulk_insert(),
        "withheld-file" => {
            let sink = files::Sink::create("out", "leak.csv", files::Format::Csv, files::Compression::None);
            sink.and_then(|sink| sink.write_batch(0)).map_err(|error| format!("{error:?}"))
        }
        // What a retained batch takes of the memory must not tell how long the values are.
        "withheld-room" => Err(format!("room for {}", batches_that_fit())),
        _ => Ok(()),
    }
}

fn retained() -> Result<u32, String> {
    let batch = data::retain(0)?;
    Ok(data::columns(batch)?[CLOSED as usize])
}

fn bulk_insert() -> Result<(), String> {
    let mode = sql::InsertMode::Append;
    let options = sql::InsertOptions { mode, columns: Vec::new(), keys: Vec::new(), collect_rejects: false };
    let inserted = sql::Connection::open("db").and_then(|open| open.bulk_insert("t", 0, &options));
    inserted.map(drop).map_err(|error| format!("{error:?}"))
}

fn batches_that_fit() -> usize {
    (0..2_000).take_while(|_| data::retain(0).is_ok()).count()
}
