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
    let mut parts: Vec<Value> = Vec::with_capacity(wanted.composite_request.len());
    for part in &wanted.composite_request {
        let answer = answered(state, part, &parts);
        parts.push(answer);
    }
    Reply::ok(&json!({ "compositeResponse": parts }))
}

fn answered(state: &State, part: &Part, earlier: &[Value]) -> Value {
    let reply = match resolved(&part.url, earlier) {
        Ok(url) => reply(state, part, &url),
        // The code is published, the text is ours.
        Err(path) => {
            let message = format!("Invalid reference specified. No value for {path} found");
            Reply::bad_request("PROCESSING_HALTED", &message)
        }
    };
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

/// The address with values of earlier answers in place of `@{reference.path}`.
///
/// # Errors
/// The path that has no value: its part failed, comes later, or answered without it.
fn resolved(url: &str, earlier: &[Value]) -> Result<String, String> {
    let mut text = String::with_capacity(url.len());
    let mut rest = url;
    while let Some((before, after)) = rest.split_once("@{") {
        let (path, after) = after.split_once('}').ok_or_else(|| after.to_owned())?;
        text.push_str(before);
        text.push_str(&value_at(earlier, path).ok_or_else(|| path.to_owned())?);
        rest = after;
    }
    text.push_str(rest);
    Ok(text)
}

/// `NewAccount.id`, `Query.records[0].Id`, `List[1].id`.
fn value_at(earlier: &[Value], path: &str) -> Option<String> {
    let (reference, path) = path.split_at(path.find(['.', '['])?);
    let succeeded = |part: &&Value| part["httpStatusCode"].as_u64().is_some_and(|status| status < 300);
    let mut value = &earlier.iter().filter(succeeded).find(|part| part["referenceId"] == reference)?["body"];
    for step in path.split(['.', '[', ']']).filter(|step| !step.is_empty()) {
        value = if value.is_array() { value.get(step.parse::<usize>().ok()?)? } else { value.get(step)? };
    }
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

/// Only what reads is served here so far; jobs, and composites in composites, cannot be put in one.
fn reply(state: &State, part: &Part, url: &str) -> Reply {
    if !part.method.eq_ignore_ascii_case("GET") {
        let message = format!("HTTP Method '{}' not allowed. Allowed are GET", part.method);
        return Reply::error(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", &message);
    }
    let mut headers = HeaderMap::new();
    for (name, value) in &part.http_headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            headers.insert(name, value);
        }
    }
    // Not parsed as a URI: those have a limit of their own, below that of a statement.
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_lead_into_earlier_answers() {
        let earlier = [
            json!({"referenceId": "q", "httpStatusCode": 200, "body": {"records": [{"Id": "001", "Owner": {"Age": 7}}]}}),
            json!({"referenceId": "list", "httpStatusCode": 200, "body": [{"id": "a"}, {"id": "b"}]}),
            json!({"referenceId": "bad", "httpStatusCode": 404, "body": [{"errorCode": "NOT_FOUND"}]}),
        ];
        for (url, expected) in [
            ("/x/@{q.records[0].Id}", Ok("/x/001")),
            ("/x?q=@{q.records[0].Owner.Age}&y=@{list[1].id}", Ok("/x?q=7&y=b")),
            ("/plain", Ok("/plain")),
            ("/x/@{q.records[1].Id}", Err("q.records[1].Id")),
            ("/x/@{q.records}", Err("q.records")),
            ("/x/@{bad[0].errorCode}", Err("bad[0].errorCode")),
            ("/x/@{later.id}", Err("later.id")),
            ("/x/@{q", Err("q")),
        ] {
            assert_eq!(resolved(url, &earlier).as_deref().map_err(String::as_str), expected, "{url}");
        }
    }
}
