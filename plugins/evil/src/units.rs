//! Lies of a destination.

use forcepump_plugin_sdk::bindings::destination::exports::forcepump::plugin::destination::{
    Prepared, Target, WriteOutcome,
};
use forcepump_plugin_sdk::bindings::imports::forcepump::plugin::files;
use forcepump_plugin_sdk::{Reject, RetryAdvice};
use std::cell::RefCell;

/// The root that the rows go to, where it is granted.
const ROOT: &str = "evil";

/// The file of the unit under way.
#[derive(Default)]
struct Unit {
    id: String,
    sink: Option<files::Sink>,
    batches: u64,
}

thread_local! {
    static UNIT: RefCell<Unit> = RefCell::default();
}

/// Attacks of the destination's calls, by their results.
pub const MODES: &[&str] = &[
    "takes-unknown",
    "takes-twice",
    "no-lanes",
    "many-lanes",
    "reject-out-of-range",
    "reject-twice",
    "reject-last-column",
    "retry-steer",
    "token-steer",
    "token-huge",
    "token-not-utf8",
    "commit-stale-batch",
    "drop-rows",
    "drop-batches",
    "double-rows",
    "unfinished-file",
];

/// What `prepare` answers: the columns in reverse, so that a test sees the order.
pub fn prepare(mode: &str, of: &Target) -> Prepared {
    let mut takes: Vec<u32> = (0..of.input.fields.len() as u32).rev().collect();
    match mode {
        "takes-unknown" => takes.push(99),
        "takes-twice" => takes.push(0),
        _ => {}
    }
    let lanes = match mode {
        "no-lanes" => 0,
        "many-lanes" => u32::MAX,
        _ => 1,
    };
    Prepared { takes, preferred_rows: 0, lanes }
}

/// A unit starts: its file is opened by its first batch.
pub fn begin(id: &str) {
    UNIT.set(Unit { id: id.to_owned(), ..Unit::default() });
}

/// Writes the batch into the unit's file, as an honest destination does, or less, or more. Without the grant it goes
/// nowhere.
pub fn keep(mode: &str) {
    UNIT.with_borrow_mut(|unit| {
        unit.batches += 1;
        let times = match mode {
            "drop-rows" => 0,
            "drop-batches" if unit.batches.is_multiple_of(2) => 0,
            "double-rows" => 2,
            _ => 1,
        };
        for _ in 0..times {
            if unit.sink.is_none() {
                let path = format!("{}.csv", unit.id);
                unit.sink = files::Sink::create(ROOT, &path, files::Format::Csv, files::Compression::None).ok();
            }
            let _ = unit.sink.as_ref().map(|sink| sink.write_batch(0));
        }
    });
}

/// Finishes the unit's file, but for the one that makes off with it.
pub fn close(mode: &str) {
    let unit = UNIT.take();
    if let Some(sink) = unit.sink.filter(|_| mode != "unfinished-file") {
        let _ = files::Sink::finish(sink);
    }
}

/// What `write` answers.
pub fn write(mode: &str, rows: u32) -> WriteOutcome {
    let reject = |row, column| Reject { row, code: "evil".to_owned(), reason: String::new(), column };
    match mode {
        "reject-out-of-range" => WriteOutcome::Partial(vec![reject(rows, None)]),
        "reject-twice" => WriteOutcome::Partial(vec![reject(0, None), reject(0, None)]),
        "reject-last-column" => WriteOutcome::Partial(vec![reject(0, Some(0))]),
        "retry-steer" => WriteOutcome::Retry(RetryAdvice { after_ms: Some(5), reason: "a\u{1b}b".to_owned() }),
        _ => WriteOutcome::Accepted,
    }
}

/// What `commit` answers.
pub fn token(mode: &str) -> String {
    match mode {
        "token-steer" => "a\u{1b}[2J".to_owned(),
        // SAFETY: there is none; the host must not take it for text.
        "token-not-utf8" => unsafe { String::from_utf8_unchecked(vec![b't', 0xff]) },
        "token-huge" => "t".repeat(1 << 20),
        _ => "token".to_owned(),
    }
}
