//! The plugin as a whole, run natively against a server in memory.

use super::*;
use forcepump_plugin_sdk::http::{HttpError, Method, Request, Response};
use forcepump_plugin_sdk::testing::{DestinationRun, Table, http, take_metrics, target};
use forcepump_plugin_sdk::{DataType, Reject, RetryAdvice, Value, WriteMode};
use serde_json::{Value as Json, json};

type Run = DestinationRun<Http>;

const URL: &str = "https://api.example.com/v1/accounts";

fn people(ids: std::ops::Range<u32>) -> Table {
    let ids: Vec<String> = ids.map(|id| id.to_string()).collect();
    Table::new().text("Id", ids.iter().map(String::as_str))
}

fn run(config: &Json, table: &Table) -> Result<Run, PluginError> {
    Run::prepare(target(config, &table.schema, WriteMode::Append, &[]))
}

/// Sends a unit of batches; gives what was refused and what was sent.
fn send(config: &Json, tables: &[Table]) -> (Result<Vec<Reject>, PluginError>, Vec<Request>, Vec<String>) {
    let mut run = run(config, &tables[0]).expect("prepares");
    let rejects = run.unit("p0001", tables);
    (rejects, http::take_requests(), run.tokens)
}

fn header<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    request.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

fn body(request: &Request) -> &str {
    std::str::from_utf8(&request.body).expect("text")
}

#[test]
fn rows_become_lines_and_each_request_has_its_name() {
    http::serve(|_| Ok(Response::new(202, "")));
    let config = json!({"url": URL, "rows_per_request": 2, "credential": "api", "headers": {"X-Team": "crm"}});
    let (rejects, sent, tokens) = send(&config, &[people(0..3), people(3..4)]);
    assert_eq!((rejects, tokens), (Ok(Vec::new()), vec!["4 rows in 3 requests".to_owned()]));
    let bodies: Vec<&str> = sent.iter().map(body).collect();
    assert_eq!(bodies, ["{\"Id\":\"0\"}\n{\"Id\":\"1\"}\n", "{\"Id\":\"2\"}\n", "{\"Id\":\"3\"}\n"]);
    let keys: Vec<_> = sent.iter().filter_map(|request| header(request, "idempotency-key")).collect();
    assert_eq!(keys, ["test-run/Account/p0001/0", "test-run/Account/p0001/1", "test-run/Account/p0001/2"]);
    for request in &sent {
        assert_eq!(
            (request.method, request.url.as_str(), request.credential.as_deref()),
            (Method::Post, URL, Some("api"))
        );
        assert_eq!(
            (header(request, "x-team"), header(request, "content-type")),
            (Some("crm"), Some("application/x-ndjson"))
        );
    }
    assert_eq!(take_metrics().len(), 3);
}

#[test]
fn an_array_and_other_words_are_sent_as_configured() {
    http::serve(|_| Ok(Response::new(200, "")));
    let config = json!({"url": URL, "method": "put", "format": "json-array", "idempotency_header": "X-Key",
        "headers": {"Content-Type": "application/vnd.api+json"}});
    let (_, sent, _) = send(&config, &[people(0..2)]);
    assert_eq!(body(&sent[0]), "[{\"Id\":\"0\"},{\"Id\":\"1\"}]");
    assert_eq!((sent[0].method, sent[0].credential.as_deref()), (Method::Put, None));
    assert_eq!(header(&sent[0], "x-key"), Some("test-run/Account/p0001/0"));
    assert_eq!(sent[0].headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("content-type")).count(), 1);
}

#[test]
fn values_are_exact_and_typed() {
    http::serve(|_| Ok(Response::new(200, "")));
    let table = Table::new()
        .text("Name", [Some("a \"b\"\n\u{1}é"), None])
        .column("Active", DataType::Boolean, vec![Value::Boolean(true), Value::Null])
        .column("Count", DataType::Int64, vec![Value::Int(i64::MAX), Value::Null])
        .decimal("Amount", (18, 2), [Some("123456789012345.60"), None])
        .column("Share", DataType::Float64, vec![Value::Float(0.1), Value::Null])
        .date("Since", [Some("2024-04-16"), None])
        .timestamp("Seen", [Some("2024-04-16T19:00:00Z"), None]);
    let (_, sent, _) = send(&json!({"url": URL}), &[table]);
    let lines: Vec<&str> = body(&sent[0]).lines().collect();
    assert_eq!(
        lines,
        [
            "{\"Name\":\"a \\\"b\\\"\\n\\u0001é\",\"Active\":true,\"Count\":9223372036854775807,\
             \"Amount\":123456789012345.60,\"Share\":0.1,\"Since\":\"2024-04-16\",\"Seen\":\"2024-04-16T19:00:00.000Z\"}",
            "{\"Name\":null,\"Active\":null,\"Count\":null,\"Amount\":null,\"Share\":null,\"Since\":null,\"Seen\":null}",
        ]
    );
}

#[test]
fn a_float_without_a_json_number_rejects_its_row_only() {
    http::serve(|_| Ok(Response::new(200, "")));
    let cells = [1.5, f64::NAN, f64::INFINITY, -2.25].map(Value::Float).to_vec();
    let table = Table::new().column("Share", DataType::Float64, cells);
    let (rejects, sent, _) = send(&json!({"url": URL, "rows_per_request": 1}), &[table]);
    let rejects: Vec<_> = rejects.expect("sent").iter().map(|r| (r.row, r.code.clone(), r.column)).collect();
    assert_eq!(rejects, [(1, "not_json".to_owned(), Some(0)), (2, "not_json".to_owned(), Some(0))]);
    assert_eq!(sent.len(), 2);
}

#[test]
fn a_refusal_rejects_the_rows_of_its_request() {
    http::serve(|request| {
        let bad = String::from_utf8_lossy(&request.body).contains("\"2\"");
        Ok(if bad { Response::new(422, "the id is taken".repeat(50)) } else { Response::new(200, "") })
    });
    let (rejects, sent, tokens) = send(&json!({"url": URL, "rows_per_request": 2}), &[people(0..5)]);
    let rejects = rejects.expect("sent");
    assert_eq!(rejects.iter().map(|reject| reject.row).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(rejects[0].code, "http_422");
    assert!(rejects[0].reason.starts_with("the id is taken") && rejects[0].reason.len() == 200, "{rejects:?}");
    assert_eq!((sent.len(), tokens[0].as_str()), (3, "3 rows in 3 requests"));
}

#[test]
fn a_busy_server_is_asked_again_later_under_the_same_key() {
    let mut calls = 0;
    http::serve(move |_| {
        calls += 1;
        Ok(match calls {
            2 => Response::new(503, "busy").with("Retry-After", "3"),
            3 => Response::new(400, "no"),
            _ => Response::new(200, ""),
        })
    });
    let mut run = run(&json!({"url": URL, "rows_per_request": 1}), &people(0..1)).expect("prepares");
    let rejects = run.unit("p 1/é", &[people(0..3)]);
    assert_eq!(rejects, Ok(vec![Reject::new(1, "http_400", "no")]));
    let sent = http::take_requests();
    let keys: Vec<&str> = sent.iter().filter_map(|request| header(request, "idempotency-key")).collect();
    let key = |number: u32| format!("test-run/Account/p%201%2F%C3%A9/{number}");
    assert_eq!(keys, [key(0), key(1), key(1), key(2)]);
    assert_eq!(run.tokens, ["2 rows in 3 requests"]);
}

#[test]
fn a_row_is_refused_once_however_often_its_batch_comes() {
    let mut calls = 0;
    http::serve(move |_| {
        calls += 1;
        Ok(Response::new(if calls < 3 { 500 } else { 200 }, ""))
    });
    let table = Table::new().column("Share", DataType::Float64, vec![Value::Float(f64::NAN), Value::Float(1.5)]);
    let (rejects, sent, _) = send(&json!({"url": URL}), &[table]);
    assert_eq!((rejects.map(|rejects| rejects.len()), sent.len()), (Ok(1), 3));
}

#[test]
fn a_server_that_stays_busy_fails_the_unit_with_its_words() {
    http::serve(|_| Ok(Response::new(429, "slow down").with("Retry-After", "2")));
    let (rejects, _, tokens) = send(&json!({"url": URL}), &[people(0..1)]);
    let advice = RetryAdvice { after_ms: Some(2_000), reason: "the server answered 429: slow down".to_owned() };
    assert_eq!((rejects, tokens.len()), (Err(PluginError::Retryable(advice)), 0));
}

#[test]
fn what_may_pass_is_tried_again_and_what_may_not_ends_the_run() {
    let outcome = |error: HttpError| {
        http::serve(move |_| Err(error.clone()));
        send(&json!({"url": URL}), &[people(0..1)]).0
    };
    for error in [HttpError::Timeout, HttpError::Connect("refused".into()), HttpError::Throttled(70)] {
        assert!(matches!(outcome(error.clone()), Err(PluginError::Retryable(_))), "{error:?}");
    }
    for error in [HttpError::Denied("not granted".into()), HttpError::UnknownCredential, HttpError::TooLarge(8)] {
        assert!(matches!(outcome(error.clone()), Err(PluginError::Fatal(_))), "{error:?}");
    }
    http::serve(|_| Ok(Response::new(307, "").with("Location", "https://other.example/")));
    let moved = send(&json!({"url": URL}), &[people(0..1)]).0;
    assert!(matches!(&moved, Err(PluginError::Fatal(text)) if text.contains("https://other.example/")), "{moved:?}");
}

#[test]
fn only_what_can_be_kept_is_promised() {
    let table = people(0..1);
    for mode in [WriteMode::Overwrite, WriteMode::Merge, WriteMode::Update, WriteMode::Delete] {
        let refused = Run::prepare(target(&json!({"url": URL}), &table.schema, mode, &[0]));
        assert!(matches!(&refused, Err(PluginError::Config(problems)) if problems[0].message.contains("append")));
    }
    let refused = run(&json!({"url": "api.example.com"}), &table);
    assert!(matches!(&refused, Err(PluginError::Config(problems)) if problems[0].pointer == "/url"));
}

#[test]
fn a_unit_without_rows_sends_nothing() {
    http::serve(|_| Ok(Response::new(200, "")));
    let (rejects, sent, tokens) = send(&json!({"url": URL}), &[people(0..0)]);
    assert_eq!((rejects, sent.len(), tokens[0].as_str()), (Ok(Vec::new()), 0, "0 rows in 0 requests"));
}
