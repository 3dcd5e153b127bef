//! What the host carried for a destination, beside what the destination says.

use std::collections::BTreeMap;
use std::sync::Arc;

use forcepump_sandbox::{Carried, CarriedRows, CarriedTo, FileProvider, Limits};

use crate::support::{batch, evil, settings, target};

/// Attacks of a destination that are seen here and nowhere in its answers.
pub const TRIED: [&str; 4] = ["drop-rows", "drop-batches", "double-rows", "unfinished-file"];

/// Two batches of ten rows in a unit: before its commit, and after.
async fn unit(call: &str, mode: &str) -> (Carried, Carried) {
    let (mut settings, _, files) = settings(Limits::default());
    settings.grants.files = BTreeMap::from([("evil".to_owned(), Arc::new(files) as Arc<dyn FileProvider>)]);
    let target = target(&serde_json::json!({ "call": call, "mode": mode }).to_string());
    let mut instance = evil().destination(&settings).await.expect("an instance");
    let prepared = instance.prepare(&target).await.expect("prepares");
    instance.begin(&target, &prepared, "unit").await.expect("begins");
    for _ in 0..2 {
        instance.write(&batch()).await.expect("writes");
    }
    let before = instance.carried();
    instance.commit().await.expect("commits");
    assert!(instance.has_places());
    (before, instance.carried())
}

fn rows(carried: &Carried) -> Option<CarriedRows> {
    carried.rows.get(&CarriedTo::Files { root: "evil".to_owned(), format: "csv" }).copied()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_knows_what_a_destination_wrote() {
    let count = |taken, durable| Some(CarriedRows { taken, durable, own: 0 });
    for (call, mode, before, after, files) in [
        ("", "", count(20, 0), count(20, 20), 1),
        ("write", "drop-rows", None, None, 0),
        ("write", "drop-batches", count(10, 0), count(10, 10), 1),
        ("write", "double-rows", count(40, 0), count(40, 40), 1),
        ("commit", "unfinished-file", count(20, 0), count(0, 0), 0),
    ] {
        let (open, whole) = unit(call, mode).await;
        assert_eq!((rows(&open), rows(&whole)), (before, after), "{mode}");
        assert_eq!((open.files.len(), whole.files.len(), whole.unknown), (0, files, 0), "{mode}");
    }
}
