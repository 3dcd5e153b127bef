//! Lies in what `process` and `finish` answer.

use forcepump_plugin_sdk::bindings::imports::forcepump::plugin::data;
use forcepump_plugin_sdk::{Buffers, Column, DataType, Derived, Emitted, Outcome, PluginError, Reject, Selection};

/// Attacks of `process` by its result.
pub const MODES: &[&str] = &[
    "mask-short",
    "mask-long",
    "mask-padding",
    "take-out-of-range",
    "take-bomb",
    "too-few-columns",
    "too-many-columns",
    "unknown-column",
    "wrong-type",
    "wrong-length",
    "old-column",
    "reject-out-of-range",
    "reject-selected",
    "reject-twice",
    "reject-flood",
    "reject-code",
    "reject-long-code",
    "reject-steer",
    "reject-column",
    "replace-too-few-columns",
    "replace-wrong-length",
    "replace-bomb",
    "replace-many",
    "filter-half",
    "explode",
    "replace",
];

/// Attacks of `finish`.
pub const FINISH_MODES: &[&str] = &["emit-too-many", "emit-wrong-type", "emit-rows", "emit-stale-batch"];

/// Reaches for the batch of an earlier call.
pub fn old_batch() -> Result<(), PluginError> {
    data::columns(0).map(drop).map_err(PluginError::Data)
}

/// Hands over a column of numbers.
pub fn numbers(rows: u32) -> Column {
    let parts = Buffers { validity: None, offsets: Vec::new(), values: vec![7; rows as usize * 4] };
    data::write(&DataType::Int32, rows, &parts).unwrap_or(u32::MAX)
}

fn reject(row: u32) -> Reject {
    Reject { row, code: "evil".to_owned(), reason: "no reason".to_owned(), column: None }
}

fn derived(rows: Selection, made: u32) -> Derived {
    Derived { rows, columns: vec![numbers(made)], rejects: Vec::new() }
}

/// What `process` answers in that mode.
pub fn process(mode: &str, rows: u32) -> Result<Outcome, PluginError> {
    let bytes = rows.div_ceil(8) as usize;
    let mut answer = derived(Selection::All, rows);
    match mode {
        "mask-short" => answer.rows = Selection::Mask(vec![0; bytes - 1]),
        "mask-long" => answer.rows = Selection::Mask(vec![0; bytes + 1]),
        "mask-padding" => answer.rows = Selection::Mask(vec![0xff; bytes]),
        "take-out-of-range" => answer.rows = Selection::Take(vec![rows]),
        "take-bomb" => answer.rows = Selection::Take(vec![0; rows as usize * 100]),
        "too-few-columns" => answer.columns.clear(),
        "too-many-columns" => answer.columns.push(0),
        "unknown-column" => answer.columns = vec![4_000_000_000],
        "wrong-type" => answer.columns = vec![1],
        "wrong-length" => answer.columns = vec![numbers(rows + 1)],
        // A number that an earlier call of this instance was given.
        "old-column" => answer.columns = vec![data_columns() + 1],
        "reject-out-of-range" => answer = rejecting(vec![reject(rows)]),
        "reject-selected" => answer.rejects = vec![reject(0)],
        "reject-twice" => answer = rejecting(vec![reject(0), reject(0)]),
        "reject-flood" => answer = rejecting((0..rows + 1).map(reject).collect()),
        "reject-code" => answer = rejecting(vec![Reject { code: "Bad Code".to_owned(), ..reject(0) }]),
        "reject-long-code" => answer = rejecting(vec![Reject { code: "c".repeat(49), ..reject(0) }]),
        "reject-steer" => {
            let reason = format!("a\u{1b}[2Jb\n{}", "r".repeat(1_000));
            answer = rejecting(vec![Reject { reason, ..reject(0) }]);
        }
        "reject-column" => answer = rejecting(vec![Reject { column: Some(99), ..reject(0) }]),
        "filter-half" => answer = half(rows),
        "explode" => {
            let twice: Vec<u32> = (0..rows).flat_map(|row| [row, row]).collect();
            answer = derived(Selection::Take(twice), rows * 2);
        }
        mode if mode.starts_with("replace") => return Ok(Outcome::Replaced(replaced(mode, rows))),
        _ => {}
    }
    Ok(Outcome::Derived(answer))
}

/// The number after the last column that this call knows.
fn data_columns() -> Column {
    numbers(1)
}

fn rejecting(rejects: Vec<Reject>) -> Derived {
    Derived { rejects, ..derived(Selection::None, 0) }
}

/// Even rows go on, the first odd one is refused, the other odd ones are filtered.
fn half(rows: u32) -> Derived {
    let mut mask = vec![0x55; rows.div_ceil(8) as usize];
    if let Some(last) = mask.last_mut().filter(|_| !rows.is_multiple_of(8)) {
        *last &= (1 << (rows % 8)) - 1;
    }
    Derived { rejects: vec![reject(1)], ..derived(Selection::Mask(mask), rows.div_ceil(2)) }
}

fn replaced(mode: &str, rows: u32) -> Vec<Emitted> {
    let all = |rows| Emitted { rows, columns: vec![0, 1, numbers(rows)] };
    match mode {
        "replace-too-few-columns" => vec![Emitted { rows, columns: vec![0] }],
        "replace-wrong-length" => vec![Emitted { rows: rows + 1, columns: vec![0, 1, numbers(rows + 1)] }],
        "replace-bomb" => (0..100).map(|_| all(rows)).collect(),
        "replace-many" => (0..2_000).map(|_| Emitted { rows: 0, columns: Vec::new() }).collect(),
        _ => vec![all(rows)],
    }
}

/// What `finish` answers in that mode.
pub fn finish(mode: &str, max_rows: u32) -> Result<Option<Emitted>, PluginError> {
    let texts = |rows: u32| {
        let parts = Buffers { validity: None, offsets: vec![0; (rows as usize + 1) * 4], values: Vec::new() };
        data::write(&DataType::Utf8, rows, &parts).unwrap_or(u32::MAX)
    };
    match mode {
        "emit-stale-batch" => old_batch().map(|()| None),
        // As many rows as were asked for, and right in every way.
        "emit-rows" => {
            Ok(Some(Emitted { rows: max_rows, columns: vec![numbers(max_rows), texts(max_rows), numbers(max_rows)] }))
        }
        "emit-too-many" => Ok(Some(Emitted { rows: max_rows + 1, columns: vec![numbers(max_rows + 1); 3] })),
        "emit-wrong-type" => Ok(Some(Emitted { rows: 1, columns: vec![numbers(1); 3] })),
        _ => Ok(None),
    }
}
