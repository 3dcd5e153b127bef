//! The first-party transforms with state, as components: their rows, their saved states, and the end of their memory.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use forcepump_sandbox::{CallError, Limits, OpenRequest, Plugin, PluginError, Settings, TransformInstance};

use crate::support::{engine, open_request};

const ROWS: i64 = 4_096;

fn plugin(name: &str) -> Plugin {
    engine().load(name, forcepump_plugin_bundle::get(name).expect("shipped")).expect("loads")
}

/// Rows `from` and on: a key of which there are `keys` different ones, and the row's number.
fn rows(from: i64, keys: i64) -> RecordBatch {
    let fields = vec![Field::new("key", DataType::Utf8, true), Field::new("n", DataType::Int64, true)];
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values((from..from + ROWS).map(|n| key(n % keys))));
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(from..from + ROWS));
    RecordBatch::try_new(Arc::new(Schema::new(fields)), vec![texts, numbers]).expect("fits")
}

fn key(number: i64) -> String {
    format!("{number:0>100}")
}

async fn opened(name: &str, config: &str, memory_mib: usize, saved: Option<Vec<u8>>) -> TransformInstance {
    let limits = Limits { memory_bytes: memory_mib << 20, ..Limits::default() };
    let plugin = plugin(name);
    plugin.check_config(&serde_json::from_str(config).expect("JSON")).expect("a good configuration");
    let mut instance = plugin.transform(&Settings { limits, ..Settings::default() }).await.expect("an instance");
    let request = OpenRequest { input: rows(0, 1).schema(), saved, ..open_request(config) };
    instance.open(request).await.expect("opens");
    instance
}

/// The numbers of the rows that go on, in their order.
async fn kept(instance: &mut TransformInstance, batches: &[RecordBatch]) -> Vec<i64> {
    let mut out = Vec::new();
    for batch in batches {
        let processed = instance.process(batch.clone(), 0).await.expect("processes");
        processed.batches.iter().for_each(|batch| numbers(batch, &mut out));
    }
    while let Some(batch) = instance.finish(100).await.expect("finishes") {
        assert!(batch.num_rows() <= 100);
        numbers(&batch, &mut out);
    }
    out
}

fn numbers(batch: &RecordBatch, out: &mut Vec<i64>) {
    out.extend(batch.column(batch.num_columns() - 1).as_primitive::<Int64Type>().values());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_and_the_last_row_of_each_key() {
    let batches = [rows(0, 1_000), rows(ROWS, 1_000), rows(2 * ROWS, 1_000)];
    let mut first = opened("dedupe", r#"{"keys": ["key"]}"#, 64, None).await;
    assert_eq!(kept(&mut first, &batches).await, (0..1_000).collect::<Vec<_>>());
    let mut last = opened("dedupe", r#"{"keys": ["key"], "keep": "last"}"#, 64, None).await;
    assert_eq!(kept(&mut last, &batches).await, (3 * ROWS - 1_000..3 * ROWS).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_replaced_give_their_memory_back() {
    let mut last = opened("dedupe", r#"{"keys": ["key"], "keep": "last"}"#, 16, None).await;
    // A hundred batches are some 45 MB; what is left of them is one row of each key.
    let batches: Vec<RecordBatch> = (0..100).map(|batch| rows(batch * ROWS, ROWS + 7)).collect();
    let end = 100 * ROWS;
    assert_eq!(kept(&mut last, &batches).await, (end - ROWS - 7..end).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_and_their_sums() {
    let config = r#"{"group_by": ["key"], "measures": [{"name": "sum", "function": "sum", "column": "n"}]}"#;
    let mut sums = opened("aggregate", config, 64, None).await;
    let batches = [rows(0, 10), rows(ROWS, 10)];
    let expected = (0..10).map(|key| (0..2 * ROWS).filter(|n| n % 10 == key).sum::<i64>());
    assert_eq!(kept(&mut sums, &batches).await, expected.collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saved_state_is_taken_by_another_instance() {
    let sum = r#"{"measures": [{"name": "sum", "function": "sum", "column": "n"}]}"#;
    for (name, config) in [("dedupe", r#"{"keys": ["key"]}"#), ("aggregate", sum)] {
        let mut whole = opened(name, config, 64, None).await;
        let mut before = opened(name, config, 64, None).await;
        let early = before.process(rows(0, 5_000), 0).await.expect("processes");
        let saved = before.save().await.expect("saves");
        let mut after = opened(name, config, 64, Some(saved)).await;
        let mut resumed = Vec::new();
        early.batches.iter().for_each(|batch| numbers(batch, &mut resumed));
        resumed.extend(kept(&mut after, &[rows(ROWS, 5_000)]).await);
        assert_eq!(resumed, kept(&mut whole, &[rows(0, 5_000), rows(ROWS, 5_000)]).await, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_the_memory_is_told_and_is_no_trap() {
    const MEMORY_MIB: usize = 24;
    let groups = r#"{"group_by": ["key"], "measures": [{"name": "sum", "function": "sum", "column": "n"}]}"#;
    let cases = [
        ("dedupe", r#"{"keys": ["key"]}"#, "different keys are all that its memory holds"),
        ("dedupe", r#"{"keys": ["key"], "keep": "last"}"#, "wait and no more can"),
        ("aggregate", groups, "groups are all that its memory holds"),
    ];
    for (name, config, says) in cases {
        let mut instance = opened(name, config, MEMORY_MIB, None).await;
        let mut error = None;
        for batch in 0..100 {
            error = instance.process(rows(batch * ROWS, i64::MAX), 0).await.err();
            if error.is_some() {
                break;
            }
        }
        let Some(CallError::Plugin { error: PluginError::Fatal(text), .. }) = &error else {
            panic!("{name} {config}: {error:?}");
        };
        let told = text.contains(says) || text.contains("all that its memory holds");
        assert!(told && text.contains("raise limits.memory_mib"), "{text}");
        assert!(instance.is_alive());
    }
}
