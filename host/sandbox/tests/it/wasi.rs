//! What a guest of WASI finds: nothing, and a log.

use std::collections::BTreeSet;
use std::time::Duration;

use forcepump_sandbox::{CallError, Clock, Grants, Level, Limits, OpenRequest, PluginError, Seed, Settings};

use crate::support::{assert_host_still_works, batch, evil, evil_wasi, has_wasi_guest, open_request};

/// What the system says for each attack.
const ATTACKS: &[(&str, &str)] = &[
    ("wasi-env", "0 variables, HOME None"),
    ("wasi-args", "0 arguments"),
    ("wasi-folder", "\"/\""),
    ("wasi-stdin", "0 bytes"),
    ("wasi-read-file", "refused: No such file or directory (os error 44)"),
    ("wasi-write-file", "refused: No such file or directory (os error 44)"),
    ("wasi-list-files", "refused: No such file or directory (os error 44)"),
    ("wasi-connect", "refused: Permission denied (os error 2)"),
    ("wasi-listen", "refused: Permission denied (os error 2)"),
    ("wasi-udp", "refused: Permission denied (os error 2)"),
    ("wasi-resolve", "refused: failed to lookup address information: Non-recoverable error"),
    ("wasi-clock", "1700000000123456 micros"),
    ("wasi-monotonic", "0 nanos"),
    ("wasi-thread", "refused: Not supported (os error 58)"),
    ("wasi-process", "refused: operation not supported on this platform"),
];

/// Attacks that have a test of their own.
const ELSEWHERE: [&str; 7] = [
    "wasi-print-flood",
    "wasi-print-steer",
    "wasi-print-endless-line",
    "wasi-print-error",
    "wasi-random",
    "wasi-sleep",
    "wasi-exit",
];

/// Every attack that is tried here.
pub fn tried() -> BTreeSet<&'static str> {
    ATTACKS.iter().map(|(mode, _)| *mode).chain(ELSEWHERE).collect()
}

/// The run's point in time, in microseconds since the epoch.
const AS_OF: i64 = 1_700_000_000_123_456;

/// What the attack came to, and the lines of the log.
async fn attack(mode: &str, settings: Settings) -> (CallError, Vec<(Level, String)>, u64) {
    let lines = std::sync::Arc::new(crate::support::Lines::default());
    let settings = Settings { log: lines.clone(), ..settings };
    let mut instance = evil_wasi().transform(&settings).await.expect("an instance");
    let config = serde_json::json!({ "call": "process", "mode": mode }).to_string();
    instance.open(OpenRequest { as_of_micros: AS_OF, ..open_request(&config) }).await.expect("opens");
    let error = instance.process(batch(), 0).await.expect_err("says so");
    let dropped = instance.counters().log_dropped;
    let lines = lines.0.lock().expect("no panic").iter().map(|line| (line.level, line.message.clone())).collect();
    (error, lines, dropped)
}

fn ungranted() -> Settings {
    Settings::default()
}

fn said(error: &CallError) -> &str {
    match error {
        CallError::Plugin { error: PluginError::Data(said), .. } => said,
        other => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_attack_finds_nothing() {
    if !has_wasi_guest() {
        return;
    }
    let mut found = Vec::new();
    for (mode, _) in ATTACKS {
        let (error, lines, _) = attack(mode, ungranted()).await;
        assert!(lines.is_empty(), "{mode}: {lines:?}");
        found.push((*mode, said(&error).to_owned()));
        assert_host_still_works().await;
    }
    let expected: Vec<_> = ATTACKS.iter().map(|(mode, said)| (*mode, (*said).to_owned())).collect();
    assert_eq!(found, expected);
}

#[test]
fn what_it_imports_is_told() {
    if !has_wasi_guest() {
        return;
    }
    let wasi: Vec<&str> = evil_wasi().wasi_imports().iter().map(String::as_str).collect();
    for package in ["wasi:cli@0.2", "wasi:filesystem@0.2", "wasi:io@0.2", "wasi:sockets@0.2"] {
        assert!(wasi.iter().any(|import| import.starts_with(package)), "{package}: {wasi:?}");
    }
    assert!(evil().wasi_imports().is_empty());
    assert_eq!(evil_wasi().description().name, "evil");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_prints_is_logged_and_no_more_of_it_than_may_be() {
    if !has_wasi_guest() {
        return;
    }
    let limits = Limits { log_lines_per_second: 50, call: Duration::from_secs(60), ..Limits::default() };
    let (error, lines, dropped) = attack("wasi-print-flood", Settings { limits, ..ungranted() }).await;
    assert_eq!(said(&error), "printed");
    assert_eq!(lines[0], (Level::Info, "line 0".to_owned()));
    assert_eq!(lines.len() as u64 + dropped, 1_000_000);

    let (_, lines, _) = attack("wasi-print-steer", ungranted()).await;
    assert_eq!(lines, [(Level::Info, "a[2Jbc d".to_owned())]);

    let (_, lines, _) = attack("wasi-print-endless-line", ungranted()).await;
    assert_eq!(lines, [(Level::Info, "x".repeat(4 << 10))]);

    let (_, lines, _) = attack("wasi-print-error", ungranted()).await;
    assert_eq!(lines, [(Level::Warn, "no end of line".to_owned())]);

    // A panic says why before it traps.
    let (error, lines, _) = attack("panic", ungranted()).await;
    assert!(matches!(error, CallError::Trap { .. }), "{error}");
    assert!(lines.iter().any(|(level, line)| *level == Level::Warn && line.contains("evil panics")), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_sleep_ends_with_the_call() {
    if !has_wasi_guest() {
        return;
    }
    let limits = Limits { call: Duration::from_millis(150), ..Limits::default() };
    let (error, ..) = attack("wasi-sleep", Settings { limits, ..ungranted() }).await;
    assert!(matches!(error, CallError::Timeout { call: "process", .. }), "{error}");
    assert_host_still_works().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn exit_ends_the_instance_and_nothing_else() {
    if !has_wasi_guest() {
        return;
    }
    let (error, ..) = attack("wasi-exit", ungranted()).await;
    let text = error.to_string();
    assert!(
        text.starts_with("plugin evil-wasi trapped in `process`: it ended itself by `exit` with status 1"),
        "{text}"
    );
    assert_host_still_works().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clock_and_random_bytes_are_the_systems_when_they_are_granted() {
    if !has_wasi_guest() {
        return;
    }
    let granted = |clock, random| {
        let grants = Grants { clock, random, ..Grants::default() };
        Settings { grants, ..Settings::default() }
    };
    let bytes = async |seed| said(&attack("wasi-random", granted(None, seed)).await.0).to_owned();
    assert_eq!(bytes(None).await, bytes(None).await, "a stream of the plugin's own");
    assert_eq!(bytes(Some(Seed::Fixed(1))).await, bytes(Some(Seed::Fixed(1))).await);
    assert_ne!(bytes(Some(Seed::Fixed(1))).await, bytes(Some(Seed::Fixed(2))).await);
    assert_ne!(bytes(Some(Seed::System)).await, bytes(Some(Seed::System)).await);

    let time = async |mode, clock| said(&attack(mode, granted(Some(clock), None)).await.0).to_owned();
    assert_eq!(time("wasi-clock", Clock::Frozen(7)).await, "7 micros");
    assert_eq!(time("wasi-monotonic", Clock::Frozen(7)).await, "0 nanos");
    let now: u128 = time("wasi-clock", Clock::System).await.trim_end_matches(" micros").parse().expect("a number");
    assert!(now > AS_OF.unsigned_abs().into());
    let slept: u128 = time("wasi-monotonic", Clock::System).await.trim_end_matches(" nanos").parse().expect("a number");
    assert!(slept >= 2_000_000, "{slept}");
}
