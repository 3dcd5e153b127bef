//! Attacks that any call can make, and those of `describe`.

use std::hint::black_box;

use forcepump_plugin_sdk::bindings::imports::forcepump::plugin::{clock, logging, metrics};
use forcepump_plugin_sdk::{ConfigProblem, Description, Metric, MetricKind, PluginError, RetryAdvice};

/// Attacks of any call.
pub const MODES: &[&str] = &[
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

/// Attacks of `describe`.
pub const DESCRIBE_MODES: &[&str] = &[
    "trap",
    "spin",
    "grow-memory",
    "recurse",
    "call-the-host",
    "huge-schema",
    "no-name",
    "steer-name",
    "bad-schema",
    "circle-schema",
    "remote-schema",
    "unknown-need",
    "many-metrics",
    "same-metric",
];

/// Makes the attack, if it is one of [`MODES`].
pub fn attack(mode: &str) -> Result<(), PluginError> {
    match mode {
        "trap" => trap(),
        "panic" => panic!("evil panics"),
        "spin" => spin(),
        "spin-in-host-calls" => loop {
            black_box(logging::enabled(logging::Level::Error));
        },
        "grow-memory" => grow(),
        "recurse" => drop(black_box(recurse(0))),
        "log-flood" => (0..100_000).for_each(|_| log("flood")),
        "log-steer" => log("a\u{1b}[2Jb\r\nc\u{202e}d"),
        "log-huge-line" => log(&"x".repeat(1 << 20)),
        "metric-flood" => (0..10_000).for_each(|number| metrics::add(&format!("undeclared-{number}"), 1)),
        "refuse-steer" => return Err(PluginError::Fatal("a\u{1b}]0;b\u{7}\u{9b}c".to_owned())),
        "refuse-huge" => return Err(PluginError::Fatal("x".repeat(1 << 20))),
        "refuse-many-problems" => {
            let problem = ConfigProblem { pointer: "/p".repeat(5_000), message: "m".repeat(5_000) };
            return Err(PluginError::Config(vec![problem; 1_000]));
        }
        "retry" => {
            return Err(PluginError::Retryable(RetryAdvice { after_ms: Some(7), reason: "later".to_owned() }));
        }
        _ => {}
    }
    Ok(())
}

fn log(message: &str) {
    logging::log(logging::Level::Error, message, &[("field".to_owned(), "v\u{1b}w".to_owned())]);
}

fn trap() {
    #[cfg(target_arch = "wasm32")]
    core::arch::wasm32::unreachable();
}

fn spin() {
    let mut count = 0u64;
    loop {
        count = black_box(count.wrapping_add(1));
    }
}

fn grow() {
    let mut hoard = Vec::new();
    loop {
        hoard.push(black_box(vec![1u8; 1 << 20]));
    }
}

#[expect(unconditional_recursion, reason = "that is the attack")]
fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 16]);
    recurse(depth + 1) + frame[3]
}

/// What `describe` answers in that mode.
pub fn describe(mode: &str) -> Description {
    let honest = Description::new("evil", env!("CARGO_PKG_VERSION"), "attacks the host").config_schema("{}");
    let honest = honest.metric("evil.rows", MetricKind::Counter, "rows", "rows seen");
    match mode {
        "trap" | "spin" | "grow-memory" | "recurse" => {
            let _ = attack(mode);
            honest
        }
        "call-the-host" => {
            if crate::CAPABLE {
                black_box(clock::now());
            }
            honest
        }
        "huge-schema" => honest.config_schema(" ".repeat(300 << 10)),
        "no-name" => Description { name: String::new(), ..honest },
        "steer-name" => Description { name: "evil\u{1b}[2J".to_owned(), ..honest },
        "bad-schema" => honest.config_schema(r#"{"type": 7}"#),
        "circle-schema" => honest.config_schema(r##"{"allOf": [{"$ref": "#"}]}"##),
        "remote-schema" => honest.config_schema(r#"{"$ref": "file:///etc/passwd"}"#),
        "unknown-need" => honest.needs("root", "x", "why not"),
        "many-metrics" => {
            Description { metrics: (0..300).map(|number| metric(&number.to_string())).collect(), ..honest }
        }
        "same-metric" => Description { metrics: vec![metric("same"), metric("same")], ..honest },
        _ => honest,
    }
}

fn metric(name: &str) -> Metric {
    Metric { name: name.to_owned(), kind: MetricKind::Counter, unit: String::new(), help: String::new() }
}
