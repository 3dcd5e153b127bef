//! Lists and texts that are not where, or not as long, or not what they say.

use std::mem::ManuallyDrop;

use forcepump_plugin_sdk::bindings::imports::forcepump::plugin::{data, logging};
use forcepump_plugin_sdk::{Buffers, DataType, Derived, Outcome, PluginError, Reject, Selection};

use crate::results::numbers;

/// Attacks of `process` below the level of types.
pub const MODES: &[&str] = &[
    "lie-mask-4gib",
    "lie-take-4gib",
    "lie-take-pointer",
    "lie-mask-pointer",
    "lie-reason-not-utf8",
    "lie-reason-4gib",
    "lie-log-4gib",
    "lie-log-not-utf8",
    "lie-write-4gib",
    "lie-write-pointer",
];

/// One byte less than 4 GiB, which no guest has.
const FOUR_GIB: usize = u32::MAX as usize;

/// A list that says to be somewhere, of some length.
///
/// Nothing is read here: the host alone looks where it points to. The list is forgotten, never freed: the guest is
/// ended for it, or the borrower gives it back to `ManuallyDrop`.
fn list<T>(address: usize, length: usize) -> Vec<T> {
    // The largest capacity that there is: a larger one would be the mark of another case of an enum.
    let capacity = isize::MAX as usize;
    // SAFETY: there is none. That is the attack; it works on the wasm target only, where the host checks.
    unsafe { Vec::from_raw_parts(std::ptr::without_provenance_mut(address), length, capacity) }
}

fn text(bytes: Vec<u8>) -> String {
    // SAFETY: there is none, as above.
    unsafe { String::from_utf8_unchecked(bytes) }
}

/// Makes the attack, if it is one of [`MODES`].
pub fn attack(mode: &str, rows: u32) -> Result<Option<Outcome>, PluginError> {
    let derived = |rows: Selection, made| Derived { rows, columns: vec![numbers(made)], rejects: Vec::new() };
    let rejecting = |reason: String| {
        let reject = Reject { row: 0, code: "evil".to_owned(), reason, column: None };
        Derived { rejects: vec![reject], ..derived(Selection::None, 0) }
    };
    let answer = match mode {
        "lie-mask-4gib" => derived(Selection::Mask(list(8, FOUR_GIB)), rows),
        "lie-take-4gib" => derived(Selection::Take(list(8, FOUR_GIB)), rows),
        "lie-take-pointer" => derived(Selection::Take(list(FOUR_GIB - 3, 2)), rows),
        "lie-mask-pointer" => derived(Selection::Mask(list(FOUR_GIB - 1, 2)), rows),
        "lie-reason-not-utf8" => rejecting(text(vec![b'a', 0xff, 0xfe])),
        "lie-reason-4gib" => rejecting(text(list(8, FOUR_GIB))),
        mode if MODES.contains(&mode) => return call(mode).map(|()| None),
        _ => return Ok(None),
    };
    Ok(Some(Outcome::Derived(answer)))
}

fn call(mode: &str) -> Result<(), PluginError> {
    match mode {
        "lie-log-4gib" => logging::log(logging::Level::Error, &ManuallyDrop::new(text(list(8, FOUR_GIB))), &[]),
        "lie-log-not-utf8" => logging::log(logging::Level::Error, &ManuallyDrop::new(text(vec![0xc3, 0x28])), &[]),
        "lie-write-4gib" | "lie-write-pointer" => {
            let (address, length) = if mode.ends_with("gib") { (8, FOUR_GIB) } else { (FOUR_GIB - 1, 4) };
            let parts =
                ManuallyDrop::new(Buffers { validity: None, offsets: Vec::new(), values: list(address, length) });
            let written = data::write(&DataType::Int32, 1, &parts);
            written.map_err(PluginError::Data)?;
        }
        _ => {}
    }
    Ok(())
}
