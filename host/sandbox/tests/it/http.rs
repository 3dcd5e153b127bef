//! Requests over HTTP of a guest that means harm, as far as the sandbox bounds them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use forcepump_sandbox::{CallError, HttpRequest, Limits, PluginError, Settings};

use crate::support::{Life, MemoryHttp, assert_host_still_works, batch, evil_http, open_request, settings};

/// What the host says for each attack on `https://api.example/PATH`: attack, path, answer.
const ATTACKS: &[(&str, &str, &str)] = &[
    ("http-get", "3", "200 [(\"x-answer\", \"yes\")] 3 bytes"),
    ("http-get", "elsewhere", "Denied(\"nope\")"),
    ("http-credential", "3", "UnknownCredential"),
    ("http-all-at-once", "3", "{\"answered\": 40}"),
    ("http-too-many", "3", "{\"HttpError::Denied(\\\"one call may make 256 requests\\\")\": 144, \"answered\": 256}"),
    ("http-order", "", "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19]"),
    ("http-long-url", "3", "Denied(\"a URL has at most 8192 bytes"),
    ("http-url-line-break", "3", "no blank or control character\")"),
    ("http-many-headers", "3", "Denied(\"a request has at most 128 headers"),
    ("http-huge-headers", "3", "and 32768 bytes of them\")"),
    ("http-header-line-break", "3", "Denied(\"the header `x` is no name, or its value has a control character\")"),
    ("http-header-name", "3", "Denied(\"the header `x: y  host` is no name"),
    ("http-never-answers", "never", "Timeout"),
    ("http-large-response", "9000000", "TooLarge(8388608)"),
    ("http-steering-response", "steer", "(\"x-answer\", \"a[2Jb\")"),
];

/// Attacks that have a test of their own.
const ELSEWHERE: [&str; 4] = ["http-flood", "http-huge-body", "http-waits-forever", "http-response-bomb"];

/// Every attack that is tried here.
pub fn tried() -> BTreeSet<&'static str> {
    ATTACKS.iter().map(|(mode, ..)| *mode).chain(ELSEWHERE).collect()
}

async fn life(mode: &str, path: &str, limits: Limits) -> (Life, Vec<HttpRequest>) {
    let (mut settings, ..) = settings(limits);
    let origin = MemoryHttp::default();
    settings.grants.http = Some(Arc::new(origin.clone()));
    let url = format!("https://api.example/{path}");
    let config = serde_json::json!({ "call": "process", "mode": mode, "text": url }).to_string();
    let mut instance = evil_http().transform(&settings).await.expect("an instance");
    instance.open(open_request(&config)).await.expect("opens");
    let error = instance.process(batch(), 0).await.err();
    let life = Life { error, counters: instance.counters().clone(), ..Life::default() };
    let seen = origin.0.lock().expect("no panic").clone();
    (life, seen)
}

fn quick() -> Limits {
    Limits { http_calls_per_second: 10_000, ..Limits::default() }
}

fn said(life: &Life) -> &str {
    match &life.error {
        Some(CallError::Plugin { error: PluginError::Data(said), .. }) => said,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_attack_has_its_answer() {
    for (mode, path, expected) in ATTACKS {
        let (life, seen) = life(mode, path, quick()).await;
        assert!(said(&life).contains(expected), "{mode}: {}", said(&life));
        for request in seen {
            assert!(request.max_response_bytes <= 8 << 20 && request.timeout <= Duration::from_secs(10), "{mode}");
            assert!(!request.url.contains(['\r', '\n']) && request.headers.is_empty(), "{mode}: {request:?}");
        }
        assert_host_still_works().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_grant_there_is_no_instance() {
    let (mut settings, ..) = settings(Limits::default());
    settings.grants.http = None;
    let denied = evil_http().transform(&settings).await.expect_err("denied");
    assert!(matches!(&denied, CallError::Denied { capability, .. } if capability == "http"), "{denied}");
    let text = denied.to_string();
    for part in ["plugin evil-http", "capability `http`", "add `grant.http.NAME = { origin = "] {
        assert!(text.contains(part), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_is_throttled_and_counted() {
    let limits = Limits { http_calls_per_second: 1, ..Limits::default() };
    let (life, seen) = life("http-flood", "3", limits.clone()).await;
    assert!(said(&life).starts_with("{\"answered\": "), "{}", said(&life));
    let counters = &life.counters;
    assert_eq!(counters.http_calls + counters.http_throttled, 300);
    assert_eq!(counters.http_calls, seen.len() as u64);
    assert!(counters.http_calls < 20, "{counters:?}");
    assert!(counters.losses(&limits)[0].ends_with("(limits.http_calls_per_second = 1)"));
}

/// `send-all` waits: 40 requests at 20 a second take one more second than the burst of 20.
#[tokio::test(flavor = "multi_thread")]
async fn requests_of_one_call_wait_for_their_turn_until_its_end() {
    let patient = Limits { http_calls_per_second: 20, ..Limits::default() };
    let (life, _) = self::life("http-all-at-once", "3", patient).await;
    assert_eq!(said(&life), "{\"answered\": 40}");
    let hurried = Limits { http_calls_per_second: 1, call: Duration::from_millis(2_900), ..Limits::default() };
    let (life, seen) = self::life("http-all-at-once", "3", hurried).await;
    assert_eq!(said(&life), "{\"answered\": 3, \"throttled\": 37}");
    assert_eq!(seen.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_count_as_output_and_responses_as_made() {
    let (huge, seen) = life("http-huge-body", "3", quick()).await;
    assert!(matches!(huge.error, Some(CallError::Output { .. })), "{:?}", huge.error);
    assert!(seen.is_empty());
    // 32 responses of 8 MiB each, of which the call may make 64 MiB with what it makes beside.
    let (bomb, seen) = life("http-response-bomb", "8388608", quick()).await;
    let said = said(&bomb);
    assert!(said.contains("\"answered\": 7"), "{said}");
    assert!(said.contains("TooLarge"), "{said}");
    assert_eq!(seen.len(), 32);
    assert_host_still_works().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_without_end_ends_with_the_call() {
    let limits = Limits { call: Duration::from_millis(200), ..quick() };
    let (life, seen) = life("http-waits-forever", "never", limits).await;
    match &life.error {
        // The host answers the guest at the deadline, and whoever comes first is told.
        Some(CallError::Timeout { call: "process", .. }) => {}
        Some(CallError::Plugin { error: PluginError::Data(said), .. }) => assert_eq!(said, "Timeout"),
        other => panic!("{other:?}"),
    }
    assert!(seen[0].timeout <= Duration::from_millis(200));
    let settings: Settings = settings(Limits::default()).0;
    assert!(evil_http().transform(&settings).await.is_ok());
}
