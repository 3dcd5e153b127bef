//! Each limit at its breach: the error names its key in the pipeline file and its value.

use std::time::Duration;

use forcepump_sandbox::{CallError, Engine, EngineOptions, Limits, Settings};

use crate::support::{assert_host_still_works, batch, component, engine, open_request, settings, transform_life};

async fn breach(call: &str, mode: &str, limits: Limits) -> String {
    let (settings, ..) = settings(limits);
    let config = serde_json::json!({ "call": call, "mode": mode }).to_string();
    let life = transform_life(&settings, &config).await;
    life.error.expect("a breach").to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_breach_names_its_limit() {
    let least = Limits::default;
    let breaches = [
        (
            breach("process", "grow-memory", Limits { memory_bytes: 16 << 20, ..least() }).await,
            "plugin evil needed more than its 16777216 bytes of memory in `process` (limits.memory_mib = 16)",
        ),
        (
            breach("process", "spin", Limits { call: Duration::from_millis(100), ..least() }).await,
            "plugin evil took longer than its 100 ms in `process` (limits.call_ms = 100)",
        ),
        (
            breach("process", "write-huge", least()).await,
            "plugin evil handed over more than its 67108864 bytes in `process` (limits.output_mib = 64)",
        ),
        (
            breach("process", "explode", Limits { fan_out: 1, ..least() }).await,
            "`process`: 20 rows come out of 10, more than 1 for one (limits.fan_out = 1)",
        ),
        (
            breach("process", "explode", Limits { rows: 15, ..least() }).await,
            "`process`: 20 rows come out of one call, more than 15 (limits.rows = 15)",
        ),
        (
            breach("process", "replace", Limits { rows: 9, ..least() }).await,
            "`process`: 10 rows come out of one call, more than 9 (limits.rows = 9)",
        ),
        (
            breach("process", "", Limits { rows: 9, ..least() }).await,
            "`process`: 10 rows come out of one call, more than 9 (limits.rows = 9)",
        ),
        (
            breach("process", "retain-hoard", Limits { memory_bytes: 2 << 20, ..least() }).await,
            "the plugin's memory (limits.memory_mib) has room for",
        ),
    ];
    for (said, expected) in breaches {
        assert!(said.ends_with(expected) || said.contains("has room") && said.contains(expected), "{said}");
        assert_host_still_works().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn finish_is_asked_for_no_more_rows_than_the_limit() {
    for (rows, expected) in [(1_000, 50), (7, 7)] {
        let (settings, ..) = settings(Limits { rows, ..Limits::default() });
        let mut instance = crate::support::evil().transform(&settings).await.expect("an instance");
        let config = r#"{"call": "finish", "mode": "emit-rows"}"#;
        instance.open(open_request(config)).await.expect("opens");
        let emitted = instance.finish(50).await.expect("finishes").expect("rows");
        assert_eq!(emitted.num_rows(), expected);
    }
    let said = breach("finish", "emit-too-many", Limits { rows: 20, ..Limits::default() }).await;
    // The batch of `process` has ten rows: it is `finish` that makes one more than it was asked for.
    assert!(said.ends_with("21 rows come out, more than 20 (limits.rows = 20)"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_lines_are_counted_and_told() {
    let limits = Limits { log_lines_per_second: 1, ..Limits::default() };
    let (settings, ..) = settings(limits.clone());
    let life = transform_life(&settings, r#"{"call": "process", "mode": "log-flood"}"#).await;
    assert_eq!(life.error, None);
    assert_eq!(life.counters.log_lines + life.counters.log_dropped, 100_000);
    let losses = life.counters.losses(&limits);
    assert!(losses[0].ends_with("more than 1 a second (limits.log_lines_per_second = 1)"), "{losses:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn fuel_ends_a_call_at_the_same_place_every_time() {
    let counting = Engine::new(EngineOptions { fuel: true, ..EngineOptions::default() }).expect("an engine");
    let plugin = counting.load("evil", component("evil")).expect("loads, `describe` has fuel enough");
    let config = r#"{"call": "process", "mode": "spin"}"#;
    let limits = Limits { fuel: Some(50_000_000), call: Duration::from_secs(60), ..Limits::default() };
    let (settings, ..) = settings(limits);
    let mut instance = plugin.transform(&settings).await.expect("an instance");
    instance.open(open_request(config)).await.expect("opens");
    let error = instance.process(batch(), 0).await.expect_err("out of fuel");
    assert_eq!(error, CallError::Fuel { plugin: "evil".to_owned(), call: "process", limit: 50_000_000 });
    let text = error.to_string();
    assert_eq!(text, "plugin evil used up its 50000000 units of fuel in `process` (limits.fuel = 50000000)");
    assert!(matches!(instance.process(batch(), 0).await, Err(CallError::Dead { .. })));

    // An honest call has a tank of its own, and an engine that counts needs no limit.
    for fuel in [Some(50_000_000), None] {
        let honest = Settings { limits: Limits { fuel, ..Limits::default() }, ..settings.clone() };
        let mut instance = plugin.transform(&honest).await.expect("an instance");
        instance.open(open_request("{}")).await.expect("opens");
        for _ in 0..3 {
            assert_eq!(instance.process(batch(), 0).await.expect("processes").batches[0].num_rows(), 10);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_of_fuel_needs_an_engine_that_counts() {
    let plugin = engine().load("evil", component("evil")).expect("loads");
    let (settings, ..) = settings(Limits { fuel: Some(1), ..Limits::default() });
    let error = plugin.transform(&settings).await.expect_err("no fuel");
    let text = error.to_string();
    assert!(text.contains("limits.fuel is set, and this engine counts no fuel"), "{text}");
}
