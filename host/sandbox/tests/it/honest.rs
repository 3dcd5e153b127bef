//! What honest plugins get: their rows, their columns in their order, and nothing that is withheld.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, ArrayRef, Float64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use forcepump_plugin_bench::kernel;
use forcepump_sandbox::{
    CallError, DestinationInstance, Limits, PluginError, Settings, Source, TransformInstance, WriteOutcome,
};

use crate::support::{batch, component, engine, evil, open_request, settings, target, transform_life};

const ROWS: usize = 1_000;

/// Three columns, of which the plugin reads the first two.
fn three_columns() -> RecordBatch {
    let metadata = HashMap::from([("sf.type".to_owned(), "string".to_owned())]);
    let text = Field::new("text", DataType::Utf8, true).with_metadata(metadata);
    let fields = vec![text.clone(), Field::new("number", DataType::Float64, true), text.with_name("kept")];
    let texts = (0..ROWS).map(|row| (row % 7 != 0).then(|| format!("straße {row}")));
    let texts: ArrayRef = Arc::new(StringArray::from_iter(texts));
    let numbers: ArrayRef = Arc::new(Float64Array::from_iter_values((0..ROWS).map(|row| row as f64)));
    let columns = vec![Arc::clone(&texts), numbers, texts];
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).expect("fits")
}

async fn bench(settings: &Settings, batch: &RecordBatch) -> Result<TransformInstance, CallError> {
    let plugin = engine().load("bench", component("bench")).expect("loads");
    let config = serde_json::json!({ "mode": "two-columns", "text": 0, "number": 1 });
    assert_eq!(plugin.check_config(&config), Ok(()));
    let mut instance = plugin.transform(settings).await?;
    let request = forcepump_sandbox::OpenRequest { input: batch.schema(), ..open_request(&config.to_string()) };
    let opened = instance.open(request).await?;
    assert_eq!(opened.reads, [0, 1]);
    assert_eq!(opened.sources, [Source::Computed, Source::Computed, Source::Keep(2)]);
    assert_eq!(opened.output.field(2).metadata()["sf.type"], "string");
    Ok(instance)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_columns_are_computed_and_all_are_filtered() {
    let whole = three_columns();
    let mut instance = bench(&Settings::default(), &whole).await.expect("opens");
    // A slice whose bits and offsets do not begin at a byte.
    let batch = whole.slice(3, ROWS - 5);
    let processed = instance.process(batch.clone(), 3).await.expect("processes");
    let keeps = |number: f64| kernel::scale(number) >= kernel::THRESHOLD;
    let expected: Vec<usize> = (3..ROWS - 2).filter(|row| keeps(*row as f64)).collect();
    let out = &processed.batches[0];
    assert_eq!(out.num_rows(), expected.len());
    assert_eq!(processed.filtered as usize, batch.num_rows() - expected.len());
    let (upper, kept) = (out.column(0).as_string::<i32>(), out.column(2).as_string::<i32>());
    let scaled = out.column(1).as_primitive::<Float64Type>();
    for (place, row) in expected.into_iter().enumerate() {
        assert_eq!(scaled.value(place), kernel::scale(row as f64));
        assert_eq!(upper.is_null(place), row % 7 == 0);
        if row % 7 != 0 {
            assert_eq!(kept.value(place), format!("straße {row}"));
            assert_eq!(upper.value(place), format!("STRAßE {row}"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withheld_column_cannot_be_read() {
    let withheld = BTreeSet::from(["text".to_owned()]);
    let settings = Settings { withheld, ..Settings::default() };
    let batch = three_columns();
    let error = bench(&settings, &batch).await.expect_err("withheld");
    let columns = vec!["text".to_owned()];
    assert_eq!(error, CallError::Withheld { plugin: "bench".to_owned(), columns });
    let text = error.to_string();
    for part in ["plugin bench reads the column `text`", "withholds", "hint: add what it may read", "`withhold`"] {
        assert!(text.contains(part), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_without_rows_and_batches_after_a_refusal() {
    let whole = three_columns();
    let mut instance = bench(&Settings::default(), &whole).await.expect("opens");
    let processed = instance.process(whole.slice(0, 0), 0).await.expect("processes");
    assert!(processed.batches.is_empty());
    let other = batch();
    let misuse = instance.process(other, 0).await.expect_err("another schema");
    assert!(matches!(misuse, CallError::Misuse { .. }), "{misuse}");
    assert!(instance.process(whole, 0).await.is_ok());
    assert!(instance.finish(10).await.expect("finishes").is_none());
    let no_checkpoint = instance.save().await.expect_err("no checkpoint");
    assert_eq!(no_checkpoint.to_string(), "plugin bench is no checkpoint: it does not export `checkpoint`");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_grant_is_named() {
    let (mut settings, ..) = settings(Limits::default());
    settings.grants.sql.clear();
    let denied = evil().transform(&settings).await.expect_err("denied");
    let text = denied.to_string();
    for part in ["plugin evil", "capability `sql`", "grant.sql = { NAME = "] {
        assert!(text.contains(part), "{text}");
    }
    assert!(matches!(denied, CallError::Denied { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_gets_what_it_takes_in_its_order() {
    let (settings, ..) = settings(Limits::default());
    let target = target(r#"{"call": "write", "mode": "reject-last-column"}"#);
    let mut instance: DestinationInstance = evil().destination(&settings).await.expect("an instance");
    let early = instance.write(&batch()).await.expect_err("no unit");
    assert!(matches!(early, CallError::Misuse { .. }), "{early}");
    let prepared = instance.prepare(&target).await.expect("prepares");
    assert_eq!(prepared.takes, [1, 0]);
    instance.begin(&target, &prepared, "unit").await.expect("begins");
    let outcome = instance.write(&batch()).await.expect("writes");
    let WriteOutcome::Partial(rejects) = outcome else { panic!("{outcome:?}") };
    assert_eq!(rejects[0].column, Some(1), "column 0 of the batch is column 1 of the input");
}

#[tokio::test(flavor = "multi_thread")]
async fn advice_to_retry_is_cut_and_the_unit_goes_on() {
    let (settings, ..) = settings(Limits::default());
    let target = target(r#"{"call": "write", "mode": "retry-steer"}"#);
    let mut instance = evil().destination(&settings).await.expect("an instance");
    let prepared = instance.prepare(&target).await.expect("prepares");
    instance.begin(&target, &prepared, "unit").await.expect("begins");
    let outcome = instance.write(&batch()).await.expect("writes");
    assert_eq!(outcome, WriteOutcome::Retry { after_ms: Some(5), reason: "ab".to_owned() });
    assert_eq!(instance.commit().await.expect("commits"), "token");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_the_host_gives_up_on_ends_the_instance() {
    let (settings, ..) = settings(Limits::default());
    let mut instance = evil().transform(&settings).await.expect("an instance");
    let config = r#"{"call": "process", "mode": "spin"}"#;
    instance.open(open_request(config)).await.expect("opens");
    let given_up = tokio::time::timeout(std::time::Duration::from_millis(50), instance.process(batch(), 0)).await;
    assert!(given_up.is_err());
    let dead = instance.process(batch(), 0).await.expect_err("dead");
    assert_eq!(dead.to_string(), "plugin evil: this instance ended earlier: the host gave up on it in `process`");
}

#[tokio::test(flavor = "multi_thread")]
async fn random_bytes_repeat_with_the_seed() {
    let config = r#"{"call": "process", "mode": "random"}"#;
    let mut said = Vec::new();
    for _ in 0..2 {
        let (settings, ..) = settings(Limits::default());
        said.push(transform_life(&settings, config).await.error);
    }
    assert!(matches!(&said[0], Some(CallError::Plugin { error: PluginError::Data(_), .. })));
    assert_eq!(said[0], said[1]);
}

/// The pipeline moves instances between threads.
#[test]
fn instances_and_their_calls_can_be_sent() {
    fn sent<T: Send>(_: &T) {}
    fn never_run(mut transform: TransformInstance, mut destination: DestinationInstance) {
        sent(&transform.process(batch(), 0));
        sent(&transform.open(open_request("")));
        sent(&destination.write(&batch()));
        sent(&destination.commit());
    }
    let _ = never_run;
}
