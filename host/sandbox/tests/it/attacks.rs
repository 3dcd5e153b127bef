//! Every attack of the evil guest, with its exact outcome; afterwards the host still works.

use std::collections::BTreeSet;
use std::time::Duration;

use forcepump_plugin_evil::MODES;
use forcepump_sandbox::{CallError, Limits, PluginError};

use crate::support::{Life, assert_host_still_works, destination_life, evil, settings, transform_life};

const TRANSFORM_CALLS: [&str; 4] = ["open", "process", "finish", "save"];
const DESTINATION_CALLS: [&str; 6] = ["prepare", "begin", "write", "commit", "abandon", "conclude"];

fn config(call: &str, mode: &str) -> String {
    serde_json::json!({ "call": call, "mode": mode }).to_string()
}

fn modes(group: &str) -> Vec<&'static str> {
    MODES.iter().filter(|(call, _)| *call == group).flat_map(|(_, modes)| modes.iter().copied()).collect()
}

async fn life(call: &str, mode: &str, limits: Limits) -> (Life, Vec<String>) {
    let (settings, lines, files) = settings(limits);
    let life = match TRANSFORM_CALLS.contains(&call) {
        true => transform_life(&settings, &config(call, mode)).await,
        false => destination_life(&settings, &config(call, mode)).await,
    };
    assert!(files.0.lock().expect("no panic").is_empty(), "a file appeared without `finish`");
    let lines = lines.0.lock().expect("no panic");
    let text = |line: &forcepump_sandbox::LogLine| {
        let fields = line.fields.iter().map(|(name, value)| format!(" {name}={value}"));
        format!("{}{}", line.message, fields.collect::<String>())
    };
    (life, lines.iter().map(text).collect())
}

fn limits_for(mode: &str) -> Limits {
    match mode {
        "spin" | "spin-in-host-calls" | "handles-without-end" => {
            Limits { call: Duration::from_millis(150), ..Limits::default() }
        }
        "grow-memory" => Limits { memory_bytes: 16 << 20, ..Limits::default() },
        "log-flood" => Limits { log_lines_per_second: 50, ..Limits::default() },
        _ => Limits::default(),
    }
}

/// The attacks that any call can make, made in each of the ten calls.
#[tokio::test(flavor = "multi_thread")]
async fn attacks_of_any_call() {
    for mode in modes("*") {
        for call in TRANSFORM_CALLS.into_iter().chain(DESTINATION_CALLS) {
            let (life, lines) = life(call, mode, limits_for(mode)).await;
            check_any(mode, call, &life, &lines);
        }
        assert_host_still_works().await;
    }
}

/// Each has its outcome in [`check_any`], which panics at one that it does not know.
const ANYWHERE: [&str; 14] = [
    "trap",
    "panic",
    "spin",
    "spin-in-host-calls",
    "grow-memory",
    "recurse",
    "log-flood",
    "log-steer",
    "log-huge-line",
    "metric-flood",
    "refuse-steer",
    "refuse-huge",
    "refuse-many-problems",
    "retry",
];

fn check_any(mode: &str, at: &str, life: &Life, lines: &[String]) {
    let error = life.error.as_ref();
    let context = format!("{mode} in {at}: {error:?}");
    match mode {
        "trap" | "panic" => assert_trap(error, at, "unreachable", &context),
        "recurse" => assert_trap(error, at, "stack", &context),
        "spin" | "spin-in-host-calls" => {
            assert!(matches!(error, Some(CallError::Timeout { call, .. }) if *call == at), "{context}");
        }
        "grow-memory" => {
            assert!(matches!(error, Some(CallError::Memory { call, .. }) if *call == at), "{context}");
        }
        "log-flood" => {
            assert_eq!(error, None, "{context}");
            // One attack can last longer than a second, so it can have more than one second's lines.
            assert!(life.counters.log_dropped > 0 && !lines.is_empty(), "{context}");
            assert!(life.counters.log_lines + life.counters.log_dropped >= 100_000, "{context}");
        }
        "log-steer" => assert_eq!(lines[0], "a[2Jb  cd field=vw", "{context}"),
        "log-huge-line" => assert_eq!(lines[0].len(), Limits::default().log_line_bytes, "{context}"),
        "metric-flood" => assert_eq!(life.counters.metrics_dropped % 10_000, 0, "{context}"),
        "refuse-steer" => assert_refusal(error, &PluginError::Fatal("a]0;bc".to_owned()), &context),
        "refuse-huge" => assert_refusal(error, &PluginError::Fatal("x".repeat(4 << 10)), &context),
        "retry" => {
            let refusal = PluginError::Retryable { after_ms: Some(7), reason: "later".to_owned() };
            assert_refusal(error, &refusal, &context);
        }
        "refuse-many-problems" => match error {
            Some(CallError::Plugin { error: PluginError::Config(problems), .. }) => {
                assert!(problems.len() <= 100 && problems[0].pointer.len() <= 4 << 10, "{context}");
            }
            _ => panic!("{context}"),
        },
        _ => panic!("the attack {mode} has no expected outcome"),
    }
    if error.is_some_and(|error| !error.leaves_instance_alive()) {
        assert!(matches!(life.afterwards, Some(CallError::Dead { .. })), "{context}: {:?}", life.afterwards);
    }
}

fn assert_trap(error: Option<&CallError>, at: &str, text: &str, context: &str) {
    let trapped = matches!(error, Some(CallError::Trap { call, reason, .. }) if *call == at && reason.contains(text));
    assert!(trapped, "{context}");
    assert!(error.is_some_and(|error| !error.to_string().contains('\n')), "{context}");
}

fn assert_refusal(error: Option<&CallError>, expected: &PluginError, context: &str) {
    assert!(matches!(error, Some(CallError::Plugin { error, .. }) if error == expected), "{context}");
}

/// What becomes of an attack: the rule that the host names, or what goes through, made harmless.
enum Expected {
    /// A broken rule of the contract ends the instance.
    Rule(&'static str),
    /// The host answers the guest with this error; the instance lives.
    Said(&'static str),
    /// The guest traps.
    Trap(&'static str),
    /// The guest hands over too much.
    Output,
    /// The guest does not come to an end.
    Late,
    /// The rows that go on, are filtered, are rejected.
    Rows(usize, u64, usize),
}
use Expected::{Late, Output, Rows, Rule, Said, Trap};

const OPEN: &[(&str, Expected)] = &[
    ("keep-unknown", Rule("keeps column 4294967295, the input has 2")),
    ("keep-retyped", Rule("keeps a column of type Int32 as Binary")),
    ("same-name", Rule("the column name `id` comes twice")),
    ("steer-name", Rule("no control character")),
    ("long-name", Rule("must have 1 to 255 bytes")),
    ("no-name", Rule("must have 1 to 255 bytes")),
    ("no-columns", Rule("the output has no column")),
    ("many-columns", Rule("5003 fields are more than 4096")),
    ("huge-metadata", Rule("the metadata has more than 1048576 bytes")),
    ("read-unknown", Rule("`reads` names column 99, the input has 2")),
    ("constant-misfit", Rule("the column `made`")),
    ("constant-null", Rule("a null constant in a column declared without nulls")),
    ("decimal-shape", Rule("decimal128(77, 99) is no decimal")),
    ("zone", Rule("the zone `Mars/Phobos` is neither")),
    ("opaque-unknown", Rule("`List` is no opaque type of the input")),
    ("answer-by-lane", Rows(10, 0, 0)),
];

const PROCESS: &[(&str, Expected)] = &[
    ("mask-short", Rule("the mask has 1 bytes, 10 rows need 2")),
    ("mask-long", Rule("the mask has 3 bytes, 10 rows need 2")),
    ("mask-padding", Rule("the mask has unused bits that are not zero")),
    ("take-out-of-range", Rule("row 10 is taken, the batch has 10 rows")),
    ("take-bomb", Rule("1000 rows come out of 10, more than 64 for one (limits.fan_out = 64)")),
    ("too-few-columns", Rule("0 computed columns are given, 1 were settled")),
    ("too-many-columns", Rule("2 computed columns are given, 1 were settled")),
    ("unknown-column", Rule("column 4000000000 is not known")),
    ("wrong-type", Rule("the column `made` has the type Utf8, Int32 was settled")),
    ("wrong-length", Rule("the column `made` has 11 rows, 10 are needed")),
    ("old-column", Rule("is not known")),
    ("reject-out-of-range", Rule("row 10 is rejected, the batch has 10 rows")),
    ("reject-selected", Rule("row 0 is both selected and rejected")),
    ("reject-twice", Rule("row 0 is rejected twice")),
    ("reject-flood", Rule("11 rejects are given for 10 rows")),
    ("reject-code", Rule("the reject code `Bad Code` does not match")),
    ("reject-long-code", Rule("does not match [a-z0-9_]{1,48}")),
    ("reject-steer", Rows(0, 9, 1)),
    ("reject-column", Rule("a reject names column 99, the batch has 2")),
    ("replace-too-few-columns", Rule("1 columns are given, the output has 3")),
    ("replace-wrong-length", Rule("the column `id` has 10 rows, 11 are needed")),
    ("replace-bomb", Rule("1000 rows come out of 10, more than 64 for one (limits.fan_out = 64)")),
    ("replace-many", Rule("2000 batches are more than 1024")),
    ("filter-half", Rows(5, 4, 1)),
    ("explode", Rows(20, 0, 0)),
    ("replace", Rows(10, 0, 0)),
    ("write-validity-length", Said("validity has 1 bytes, 9 rows need 2")),
    ("write-validity-padding", Said("validity has unused bits that are not zero")),
    ("write-width", Said("values has 15 bytes, the rows need 16")),
    ("write-offsets-count", Said("offsets has 8 bytes, 2 rows need 12")),
    ("write-offsets-first", Said("the first offset is 1, it must be 0")),
    ("write-offsets-shrink", Said("the offsets shrink at row 1")),
    ("write-offsets-last", Said("the last offset is 2147483647, values has 2 bytes")),
    ("write-offsets-negative", Said("the offsets shrink at row 0")),
    ("write-not-utf8", Said("values is not UTF-8 at byte 1")),
    ("write-split-character", Said("the offset of row 1 lies within a character")),
    ("write-decimal-range", Said("the value of row 0 is out of range for Decimal128(5, 2)")),
    ("write-date-range", Said("the value of row 0 is out of range for Date32")),
    ("write-time-range", Said("the value of row 0 is out of range for Time64")),
    ("write-timestamp-range", Said("the value of row 0 is out of range for Timestamp")),
    ("write-opaque", Said("a column of an opaque type cannot be written")),
    ("write-many-rows", Said("4294967295 rows are more than the 16777216 of one column")),
    ("write-null-with-values", Said("values has 1 bytes, the rows need 0")),
    ("write-huge", Output),
    ("write-much", Said("the call makes more than its 67108864 bytes (limits.output_mib = 64)")),
    ("write-many-columns", Said("the call makes more than 4096 columns")),
    ("read-unknown", Said("column 3000000000 is not known, there are 2")),
    ("read-out-of-range", Said("rows 10 to 4294967305 are asked for, there are 10")),
    ("null-count-unknown", Said("column 3000000000 is not known")),
    ("cast-unknown", Said("column 3000000000 is not known")),
    ("cast-to-opaque", Said("`List` is no opaque type of the input")),
    ("select-unknown", Said("column 3000000000 is not known")),
    ("select-bomb", Said("the call makes more than 4096 columns")),
    ("assemble-unknown", Said("column 3000000000 is not known")),
    ("assemble-misfit", Said("the column `a` has the type Int32, Utf8 was settled")),
    ("retain-unknown", Said("batch 3000000000 is not known")),
    ("retain-hoard", Said("more than 1024 batches are retained")),
    ("columns-unknown", Said("batch 3000000000 is not known")),
    ("sql-unknown", Said("UnknownConnection")),
    ("sql-hoard", Said("more than 8 connections are open")),
    ("sql-foreign-batch", Said("batch 77 is not known")),
    ("sql-bad-decimal", Said("is no decimal such as 12.50")),
    ("files-unknown", Said("no root `etc` is granted")),
    ("files-hoard", Said("more than 16 files are open")),
    ("files-leave-open", Rows(10, 0, 0)),
    ("random-huge", Trap("4294967295 random bytes are more than 65536 at once")),
    ("sql-statement", Said("the host took it")),
    ("files-path", Said("Denied(\"outside\")")),
    ("handles-without-end", Late),
    ("scan-memory", Said("0 places")),
    ("clock", Said("42")),
    ("random", Said("[")),
];

/// Texts of the engine, which is at home in the memory that it is told of.
const LIES: &[(&str, Expected)] = &[
    ("lie-mask-4gib", Trap("out of bounds")),
    ("lie-take-4gib", Trap("out of bounds")),
    ("lie-take-pointer", Trap("out of bounds")),
    ("lie-mask-pointer", Trap("out of bounds")),
    ("lie-reason-not-utf8", Trap("utf-8")),
    ("lie-reason-4gib", Trap("out of bounds")),
    ("lie-log-4gib", Trap("out of bounds")),
    ("lie-log-not-utf8", Trap("utf-8")),
    ("lie-write-4gib", Trap("out of bounds")),
    ("lie-write-pointer", Trap("out of bounds")),
];

/// What two calls of one instance say, one after the other.
const STALE: &[(&str, &str, &str)] = &[
    ("stale-column", "armed", "column 2 is not known, there are 2"),
    ("stale-batch", "armed", "batch 1 is not known"),
    ("stale-retained-column", "armed", "column 2 is not known, there are 2"),
    ("released-batch", "batch 2147483648 is not known", "batch 2147483649 is not known"),
    ("released-twice", "4 columns", "4 columns"),
    ("guessed-batch", "batch 2147483648 is not known", "batch 2147483648 is not known"),
    ("retained-is-unchanged", "unchanged", "unchanged"),
    ("retained-outlives-the-call", "armed", "[0, 0, 0, 0, 1, 0, 0, 0]"),
    ("chain-of-retained", "one at a time", "one at a time"),
];

const FINISH: &[(&str, Expected)] = &[
    ("emit-rows", Rows(10, 0, 0)),
    ("emit-stale-batch", Said("batch 0 is not known")),
    ("emit-too-many", Rule("101 rows come out, 100 were asked for at most")),
    ("emit-wrong-type", Rule("the column `name` has the type Int32, Utf8 was settled")),
];

const SAVE: &[(&str, Expected)] = &[
    ("huge-checkpoint", Rule("17825792 bytes are more than the 16777216 of a checkpoint")),
    ("save-stale-batch", Said("batch 0 is not known")),
];

#[tokio::test(flavor = "multi_thread")]
async fn attacks_of_a_transform() {
    let tables = [("open", OPEN), ("process", PROCESS), ("process", LIES), ("finish", FINISH), ("save", SAVE)];
    for (call, table) in tables {
        for (mode, expected) in table {
            let (life, _) = life(call, mode, limits_for(mode)).await;
            check(mode, &life, expected);
            assert_host_still_works().await;
        }
    }
}

fn check(mode: &str, life: &Life, expected: &Expected) {
    let context = format!("{mode}: {:?}", life.error);
    match (expected, &life.error) {
        (Rule(text), Some(CallError::Contract { rule, .. })) => assert!(rule.contains(text), "{context}"),
        (Said(text), Some(CallError::Plugin { error: PluginError::Data(said), .. })) => {
            assert!(said.contains(text), "{context}");
        }
        (Trap(text), Some(CallError::Trap { reason, .. })) => assert!(reason.contains(text), "{context}"),
        (Output, Some(CallError::Output { .. })) | (Late, Some(CallError::Timeout { .. })) => {}
        (Rows(rows, filtered, rejects), None) => {
            let processed = life.processed.as_ref().expect("processed");
            let going_on: usize = processed.batches.iter().map(|batch| batch.num_rows()).sum();
            assert_eq!((going_on, processed.filtered, processed.rejects.len()), (*rows, *filtered, *rejects), "{mode}");
            assert!(processed.replaced || processed.selected + filtered + *rejects as u64 == 10, "{mode}");
            for reject in &processed.rejects {
                assert!(reject.reason.len() <= 512 && !reject.reason.contains(char::is_control), "{mode}");
            }
        }
        _ => panic!("{context}"),
    }
}

const DESTINATION: &[(&str, &str, Expected)] = &[
    ("prepare", "takes-unknown", Rule("`takes` names column 99, the input has 2")),
    ("prepare", "takes-twice", Rule("`takes` names column 0 twice")),
    ("prepare", "no-lanes", Rule("`lanes` is 0, it must be 1 to 64")),
    ("prepare", "many-lanes", Rule("`lanes` is 4294967295")),
    ("write", "reject-out-of-range", Rule("row 10 is rejected, the batch has 10 rows")),
    ("write", "reject-twice", Rule("row 0 is rejected twice")),
    ("commit", "token-steer", Rule("no control character")),
    ("commit", "token-huge", Rule("a token has at most 4096 bytes")),
    ("commit", "token-not-utf8", Trap("utf-8")),
    ("commit", "commit-stale-batch", Said("batch 0 is not known")),
];

/// What `honest.rs` looks at: a destination's advice, and the numbering of its columns.
const DESTINATION_ELSEWHERE: [&str; 2] = ["reject-last-column", "retry-steer"];

#[tokio::test(flavor = "multi_thread")]
async fn attacks_of_a_destination() {
    for (call, mode, expected) in DESTINATION {
        let (life, _) = life(call, mode, Limits::default()).await;
        check(mode, &life, expected);
        let dead = matches!(life.afterwards, Some(CallError::Dead { .. }));
        assert_eq!(dead, !matches!(expected, Said(_)), "{mode}");
        assert_host_still_works().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_that_are_no_longer_good() {
    for (mode, first, second) in STALE {
        let (life, _) = life("process", mode, Limits::default()).await;
        check(mode, &life, &Said(first));
        let again = Life { error: life.afterwards, ..Life::default() };
        check(mode, &again, &Said(second));
        assert_host_still_works().await;
    }
}

/// The gate of issue after issue: an attack that nobody expects anything of is no test.
#[test]
fn every_attack_has_its_test() {
    let named = |table: &[(&'static str, Expected)]| table.iter().map(|(mode, _)| *mode).collect::<BTreeSet<_>>();
    let process = PROCESS.iter().chain(LIES).map(|(mode, _)| *mode).collect();
    let groups: [(&str, BTreeSet<&str>); 10] = [
        ("describe", crate::loading::DESCRIBE.iter().map(|(mode, _)| *mode).collect()),
        ("*", ANYWHERE.iter().copied().collect()),
        ("open", named(OPEN)),
        ("process", process),
        ("stale", STALE.iter().map(|(mode, ..)| *mode).collect()),
        ("withheld", crate::withheld::WAYS.iter().map(|(mode, _)| *mode).collect()),
        ("http", crate::http::tried()),
        ("wasi", crate::wasi::tried()),
        ("finish", named(FINISH)),
        ("save", named(SAVE)),
    ];
    let known: BTreeSet<&str> = MODES.iter().map(|(group, _)| *group).collect();
    let tested = groups.iter().map(|(group, _)| *group).chain(["destination"]).collect();
    assert_eq!(known, tested, "a group of attacks without a test");
    for (group, tried) in groups {
        assert_eq!(modes(group).into_iter().collect::<BTreeSet<_>>(), tried, "the attacks of {group}");
    }
    let elsewhere = DESTINATION_ELSEWHERE.into_iter().chain(crate::carried::TRIED);
    let tried: BTreeSet<&str> = DESTINATION.iter().map(|(_, mode, _)| *mode).chain(elsewhere).collect();
    assert_eq!(modes("destination").into_iter().collect::<BTreeSet<_>>(), tried, "the attacks of a destination");
    let count: usize = MODES.iter().map(|(_, modes)| modes.len()).sum();
    assert!(count >= 150, "{count} attacks");
    assert!(evil().is_transform() && evil().is_destination() && evil().has_checkpoint());
}
