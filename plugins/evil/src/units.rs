//! Lies of a destination.

use forcepump_plugin_sdk::bindings::destination::exports::forcepump::plugin::destination::{
    Prepared, Target, WriteOutcome,
};
use forcepump_plugin_sdk::{Reject, RetryAdvice};

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
