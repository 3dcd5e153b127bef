//! `POST /composite`: several requests in one body, answered in their order and counted as one call.

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::faults::Fired;
use crate::server::{Call, Content, Reply, Resource, Route, State, resource};

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

pub(crate) fn composite(state: &State, call: &Call) -> Reply {
    let wanted: Composite = match serde_json::from_slice(&call.body) {
        Ok(wanted) => wanted,
        Err(error) => return Reply::bad_request("JSON_PARSER_ERROR", &error.to_string()),
    };
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

/// Only what reads is served here so far.
fn reply(state: &State, part: &Part) -> Reply {
    let Ok(uri) = part.url.parse::<Uri>() else {
        return Reply::bad_request("JSON_PARSER_ERROR", "the url of a subrequest cannot be read");
    };
    let mut headers = HeaderMap::new();
    for (name, value) in &part.http_headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            headers.insert(name, value);
        }
    }
    let call = Call::new(Method::GET, &uri, headers, bytes::Bytes::new(), Fired::default());
    match Route::parse(uri.path()) {
        Route::Data { version, resource: wanted } if part.method == "GET" && wanted != Resource::Composite => {
            resource(state, &call, version, &wanted)
        }
        Route::Data { .. } => Reply::error(
            StatusCode::METHOD_NOT_ALLOWED,
            "METHOD_NOT_ALLOWED",
            &format!("HTTP Method '{}' not allowed. Allowed are GET", part.method),
        ),
        _ => Reply::not_found(),
    }
}
