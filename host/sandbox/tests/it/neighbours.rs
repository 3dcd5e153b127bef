//! Two plugins in one engine: neither finds the other's configuration, batches or log.

use std::sync::Arc;

use forcepump_sandbox::{CallError, Limits, PluginError, Settings, TransformInstance};

use crate::support::{Lines, batch, evil, open_request, settings};

const SECRET: &str = "s3cret-of-the-victim";

async fn instance(config: serde_json::Value) -> (TransformInstance, Arc<Lines>) {
    let (settings, lines, _): (Settings, _, _) = settings(Limits::default());
    let mut instance = evil().transform(&settings).await.expect("an instance");
    instance.open(open_request(&config.to_string())).await.expect("opens");
    (instance, lines)
}

fn said(error: CallError) -> String {
    match error {
        CallError::Plugin { error: PluginError::Data(said), .. } => said,
        other => panic!("{other}"),
    }
}

fn backwards(text: &str) -> String {
    text.chars().rev().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_neighbours_memory_and_batches_are_out_of_reach() {
    let victim = serde_json::json!({ "call": "process", "mode": "retained-outlives-the-call", "text": SECRET });
    let (mut victim, victims_lines) = instance(victim).await;
    assert_eq!(said(victim.process(batch(), 0).await.expect_err("says so")), "armed");

    let scan = serde_json::json!({ "call": "process", "mode": "scan-memory", "text": backwards(SECRET) });
    let (mut thief, thiefs_lines) = instance(scan).await;
    assert_eq!(said(thief.process(batch(), 0).await.expect_err("says so")), "0 places");

    // The number that the victim's batch has.
    let guess = serde_json::json!({ "call": "process", "mode": "guessed-batch" });
    let (mut thief, _) = instance(guess).await;
    assert_eq!(said(thief.process(batch(), 0).await.expect_err("says so")), "batch 2147483648 is not known");

    assert_eq!(said(victim.process(batch(), 0).await.expect_err("says so")), "[0, 0, 0, 0, 1, 0, 0, 0]");
    assert!(victims_lines.0.lock().expect("no panic").is_empty());
    assert!(thiefs_lines.0.lock().expect("no panic").is_empty());
}

/// The scan finds what is there: a text of the guest's own.
#[tokio::test(flavor = "multi_thread")]
async fn the_scan_is_no_blind_one() {
    let scan = serde_json::json!({ "call": "process", "mode": "scan-memory", "text": backwards("attacks the host") });
    let (mut instance, _) = instance(scan).await;
    let said = said(instance.process(batch(), 0).await.expect_err("says so"));
    assert_ne!(said, "0 places");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_has_the_lines_of_its_own_instance() {
    let (mut loud, loud_lines) = instance(serde_json::json!({ "call": "process", "mode": "log-steer" })).await;
    let (mut quiet, quiet_lines) = instance(serde_json::json!({})).await;
    loud.process(batch(), 0).await.expect("processes");
    quiet.process(batch(), 0).await.expect("processes");
    assert_eq!(loud_lines.0.lock().expect("no panic").len(), 1);
    assert!(quiet_lines.0.lock().expect("no panic").is_empty());
    assert_eq!((loud.counters().log_lines, quiet.counters().log_lines), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_open_is_not_asked_and_another_instance_answers_for_itself() {
    let config = r#"{"call": "open", "mode": "answer-by-lane"}"#;
    let (settings, ..) = settings(Limits::default());
    let mut first = evil().transform(&settings).await.expect("an instance");
    let settled = first.open(open_request(config)).await.expect("opens");
    let again = first.open(open_request(config)).await.expect_err("once");
    assert!(matches!(again, CallError::Misuse { .. }), "{again}");
    // What another lane answers is its own: whoever runs lanes side by side compares them.
    let mut second = evil().transform(&settings).await.expect("an instance");
    let request = forcepump_sandbox::OpenRequest { lane: 1, ..open_request(config) };
    let other = second.open(request).await.expect("opens");
    assert_ne!(settled.output, other.output);
    let kept = first.process(batch(), 0).await.expect("processes");
    assert_eq!(kept.batches[0].schema(), settled.output);
}
