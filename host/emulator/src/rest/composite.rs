//! `POST /composite`: several requests in one body, answered in their order and counted as one call.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::server::{Call, Content, Reply, Route, State, resource};

/// Requests in one body at most (REST API Developer Guide, "Composite").
const MOST_PARTS: usize = 25;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Composite {
    composite_request: Vec<Part>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    method: String,
    url: String,
    reference_id: String,
    #[serde(default)]
    http_headers: std::collections::BTreeMap<String, String>,
}

/// Answers each part in its order; the whole counts as one call.
pub(crate) fn composite(state: &State, call: &Call) -> Reply {
    let wanted: Composite = match serde_json::from_slice(&call.body) {
        Ok(wanted) => wanted,
        Err(error) => return Reply::bad_request("JSON_PARSER_ERROR", &error.to_string()),
    };
    if wanted.composite_request.is_empty() {
        return Reply::bad_request("REQUIRED_FIELD_MISSING", "At least 1 subrequest is required");
    }
    if wanted.composite_request.len() > MOST_PARTS {
        let message = format!("Limit of {MOST_PARTS} subrequests in a composite request exceeded");
        return Reply::bad_request("LIMIT_EXCEEDED", &message);
    }
    let parts: Vec<Value> = wanted.composite_request.iter().map(|part| answered(state, part)).collect();
    Reply::ok(&json!({ "compositeResponse": parts }))
}

fn answered(state: &State, part: &Part) -> Value {
    let reply = reply(state, part);
    let body = match &reply.content {
        Content::Bytes(bytes) => serde_json::from_slice(bytes).unwrap_or(Value::Null),
        _ => Value::Null,
    };
    json!({
        "body": body,
        "httpHeaders": {},
        "httpStatusCode": reply.status.as_u16(),
        "referenceId": part.reference_id,
    })
}

/// Only what reads is served here so far; jobs, and composites in composites, cannot be put in one.
fn reply(state: &State, part: &Part) -> Reply {
    if !part.method.eq_ignore_ascii_case("GET") {
        let message = format!("HTTP Method '{}' not allowed. Allowed are GET", part.method);
        return Reply::error(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", &message);
    }
    if part.url.contains("@{") {
        let message = "the emulator does not follow references between subrequests";
        return Reply::bad_request("PROCESSING_HALTED", message);
    }
    let mut headers = HeaderMap::new();
    for (name, value) in &part.http_headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            headers.insert(name, value);
        }
    }
    // Not parsed as a URI: those have a limit of their own, below that of a statement.
    let (path, query) = part.url.split_once('?').unwrap_or((&part.url, ""));
    let route = Route::parse(path);
    if let (Route::Data { .. }, [first, ..]) = (&route, route.methods())
        && !route.methods().contains(&"GET")
    {
        let message = format!("HTTP Method 'GET' not allowed. Allowed are {first}");
        return Reply::error(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", &message);
    }
    match route {
        Route::Data { version, resource: wanted } if version.is_served() && wanted.is_plain_read() => {
            resource(state, &Call::inner(query, headers), version, &wanted)
        }
        _ => Reply::not_found(),
    }
}
