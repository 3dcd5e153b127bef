//! Numbers that were good once, or are good elsewhere: batches and columns of earlier calls and of other instances.

use std::cell::RefCell;

use forcepump_plugin_sdk::bindings::imports::forcepump::plugin::data;
use forcepump_plugin_sdk::{DataType, Field, PluginError, Schema, Selection};

/// Attacks of `process` with numbers that are no longer, or not yet, the guest's.
pub const MODES: &[&str] = &[
    "stale-column",
    "stale-batch",
    "stale-retained-column",
    "released-batch",
    "released-twice",
    "guessed-batch",
    "retained-is-unchanged",
    "retained-outlives-the-call",
    "chain-of-retained",
];

thread_local! {
    /// What an earlier call left behind.
    static LEFT: RefCell<Option<u32>> = const { RefCell::new(None) };
}

/// Makes the attack, if it is one of [`MODES`]; the error is what the host said.
pub fn attack(mode: &str, rows: u32) -> Result<(), PluginError> {
    if !MODES.contains(&mode) {
        return Ok(());
    }
    let said = match mode {
        "stale-column" | "stale-batch" | "stale-retained-column" | "retained-outlives-the-call" => later(mode),
        _ => at_once(mode, rows),
    };
    Err(PluginError::Data(said.unwrap_or_else(|error| error)))
}

/// The first call leaves a number behind, the second uses it.
fn later(mode: &str) -> Result<String, String> {
    let Some(number) = LEFT.take() else {
        LEFT.set(Some(prepare(mode)?));
        return Ok("armed".to_owned());
    };
    match mode {
        "stale-column" | "stale-retained-column" => data::read(number, None).map(drop)?,
        "stale-batch" => data::columns(number).map(drop)?,
        _ => {
            let column = data::columns(number)?[0];
            return Ok(format!("{:?}", &data::read(column, None)?.values[..8]));
        }
    }
    Ok("the host took it".to_owned())
}

fn prepare(mode: &str) -> Result<u32, String> {
    match mode {
        "stale-column" => data::select(0, &Selection::All),
        "stale-batch" => {
            let fields = vec![Field::new("id", DataType::Int32, false)];
            data::assemble(&Schema { fields, metadata: Vec::new() }, &[0])
        }
        "stale-retained-column" => Ok(data::columns(data::retain(0)?)?[0]),
        _ => data::retain(0),
    }
}

fn at_once(mode: &str, rows: u32) -> Result<String, String> {
    let taken = || "the host took it".to_owned();
    match mode {
        "released-batch" => {
            let batch = data::retain(0)?;
            data::release(batch);
            data::columns(batch).map(|_| taken())
        }
        "released-twice" => {
            let batch = data::retain(0)?;
            let other = data::retain(0)?;
            data::release(batch);
            data::release(batch);
            data::release(0);
            // The other one and the call's own batch are still there.
            let columns = data::columns(other)?.len() + data::columns(0)?.len();
            Ok(format!("{columns} columns"))
        }
        // The first number that any instance is given for a retained batch.
        "guessed-batch" => data::columns(1 << 31).map(|_| taken()),
        "retained-is-unchanged" => {
            let before = data::read(0, None)?;
            let batch = data::retain(0)?;
            let column = data::columns(batch)?[0];
            data::release(batch);
            let parts = forcepump_plugin_sdk::Buffers {
                validity: None,
                offsets: Vec::new(),
                values: vec![9; rows as usize * 4],
            };
            data::write(&DataType::Int32, rows, &parts)?;
            let after = data::read(column, None)?;
            Ok(if before == after { "unchanged".to_owned() } else { "changed".to_owned() })
        }
        "chain-of-retained" => {
            let mut batch = data::retain(0)?;
            for _ in 0..100_000 {
                let next = data::retain(batch)?;
                data::release(batch);
                batch = next;
            }
            Ok("one at a time".to_owned())
        }
        _ => Ok(taken()),
    }
}
