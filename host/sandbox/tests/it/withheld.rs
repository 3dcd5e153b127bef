//! The ways to a withheld column, each closed; and the rows that go on with it all the same.

use std::collections::BTreeSet;

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch, StringArray};
use forcepump_sandbox::{CallError, Limits, PluginError, Settings};

use crate::support::{Life, assert_host_still_works, batch, evil, open_request, schema, settings, transform_life};

/// What the host says for each attack; `%` stands for a broken rule, which ends the instance.
pub const WAYS: &[(&str, &str)] = &[
    ("withheld-read", CLOSED),
    ("withheld-read-nothing", CLOSED),
    ("withheld-null-count", CLOSED),
    ("withheld-cast", CLOSED),
    ("withheld-cast-to-null", CLOSED),
    ("withheld-select", CLOSED),
    ("withheld-select-none", CLOSED),
    ("withheld-assemble", CLOSED),
    ("withheld-retain-read", CLOSED),
    ("withheld-retain-null-count", CLOSED),
    ("withheld-retain-select", CLOSED),
    ("withheld-columns-cast", CLOSED),
    ("withheld-bulk-insert", "the pipeline withholds this column from the plugin"),
    ("withheld-file", "the pipeline withholds this column from the plugin"),
    ("withheld-deliver", "% the column `made`: the pipeline withholds this column"),
    ("withheld-replace", "% the column `name`: the pipeline withholds this column"),
    ("withheld-take", "% a row is taken more than 64 times beside a withheld column (limits.fan_out = 64)"),
    ("withheld-room", "room for 1024"),
];

const CLOSED: &str = "the pipeline withholds this column from the plugin; it can only be kept";

fn withholding(column: &str) -> Settings {
    let (settings, ..) = settings(Limits::default());
    Settings { withheld: BTreeSet::from([column.to_owned()]), ..settings }
}

fn orders(mode: &str) -> String {
    serde_json::json!({ "call": "process", "mode": mode }).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_is_closed() {
    for (mode, expected) in WAYS {
        let life = transform_life(&withholding("name"), &orders(mode)).await;
        let context = format!("{mode}: {:?}", life.error);
        match (expected.strip_prefix("% "), &life.error) {
            (Some(rule), Some(CallError::Contract { rule: broken, .. })) => assert!(broken.contains(rule), "{context}"),
            (None, Some(CallError::Plugin { error: PluginError::Data(said), .. })) => {
                assert!(said.contains(expected), "{context}");
            }
            _ => panic!("{context}"),
        }
        assert_host_still_works().await;
    }
}

/// The same attacks over other values end the same, to the letter: nothing of the values shows.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_does_not_depend_on_the_values() {
    let empty: StringArray = (0..10).map(|_| None::<&str>).collect();
    let long: StringArray = (0..10).map(|_| Some("secret".repeat(100_000))).collect();
    for (mode, _) in WAYS {
        let mut said = Vec::new();
        for names in [empty.clone(), long.clone()] {
            let columns = vec![std::sync::Arc::clone(batch().column(0)), std::sync::Arc::new(names)];
            let batch = RecordBatch::try_new(schema(), columns).expect("fits");
            let mut instance = evil().transform(&withholding("name")).await.expect("an instance");
            instance.open(open_request(&orders(mode))).await.expect("opens");
            said.push(instance.process(batch, 0).await.expect_err("refused"));
        }
        assert_eq!(said[0], said[1], "{mode}");
        assert!(!said[1].to_string().contains("secret"), "{mode}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_declares_to_read_it_is_refused() {
    let Life { error, afterwards, .. } = transform_life(&withholding("name"), "{}").await;
    let error = error.expect("refused");
    assert_eq!(error, CallError::Withheld { plugin: "evil".to_owned(), columns: vec!["name".to_owned()] });
    assert!(matches!(afterwards, Some(CallError::Dead { .. })), "{afterwards:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_kept_whole_and_goes_on() {
    let mut instance = evil().transform(&withholding("name")).await.expect("an instance");
    // No such attack: the column is not declared, and then nothing comes of it.
    instance.open(open_request(&orders("withheld-keep"))).await.expect("opens");
    let processed = instance.process(batch(), 0).await.expect("processes");
    let (kept, given) = (processed.batches[0].column(1).as_string::<i32>(), batch());
    assert_eq!(kept, given.column(1).as_string::<i32>());
    assert_eq!(kept.null_count(), 4);
}
