//! `POST /composite`: several requests in one body, answered in their order and counted as one call.

use std::collections::BTreeMap;

use http::StatusCode;
use http::header::LOCATION;
use serde::Deserialize;
use serde_json::{Value, json};

use super::subrequest::{Subrequest, json_of};
use crate::server::{Call, Reply, State};

/// Requests in one body at most (REST API Developer Guide, "Composite").
const MOST_PARTS: usize = 25;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Composite {
    #[serde(default)]
    all_or_none: bool,
    composite_request: Vec<Part>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    method: String,
    url: String,
    reference_id: String,
    #[serde(default)]
    http_headers: BTreeMap<String, String>,
    body: Option<Value>,
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
    let before = state.org.held();
    let mut parts: Vec<Value> = Vec::with_capacity(wanted.composite_request.len());
    for part in &wanted.composite_request {
        let answer = answered(state, part, &parts);
        parts.push(answer);
    }
    if wanted.all_or_none && parts.iter().any(|part| !succeeded(part)) {
        state.org.put_back(before);
        parts.iter_mut().filter(|part| succeeded(part)).for_each(roll_back);
    }
    Reply::ok(&json!({ "compositeResponse": parts }))
}

fn succeeded(part: &Value) -> bool {
    part["httpStatusCode"].as_u64().is_some_and(|status| status < u64::from(StatusCode::BAD_REQUEST.as_u16()))
}

/// The answer of a part that would have stood alone.
fn roll_back(part: &mut Value) {
    let message = "The transaction was rolled back since another operation in the same transaction failed.";
    part["body"] = json!([{"errorCode": "PROCESSING_HALTED", "message": message}]);
    part["httpHeaders"] = json!({});
    part["httpStatusCode"] = StatusCode::BAD_REQUEST.as_u16().into();
}

fn answered(state: &State, part: &Part, earlier: &[Value]) -> Value {
    let reply = match filled_in(part, earlier) {
        Ok((url, body)) => {
            let headers = part.http_headers.iter().collect();
            Subrequest { method: &part.method, url: &url, headers, body: body.as_ref() }.answer(state)
        }
        // The code is published, the text is ours.
        Err(path) => {
            let message = format!("Invalid reference specified. No value for {path} found");
            Reply::bad_request("PROCESSING_HALTED", &message)
        }
    };
    let location = reply.headers.get(LOCATION).and_then(|value| value.to_str().ok());
    json!({
        "body": json_of(&reply),
        "httpHeaders": location.map_or(json!({}), |location| json!({"Location": location})),
        "httpStatusCode": reply.status.as_u16(),
        "referenceId": part.reference_id,
    })
}

/// Address and body with values of earlier answers in them.
///
/// # Errors
/// The path that has no value.
fn filled_in(part: &Part, earlier: &[Value]) -> Result<(String, Option<Value>), String> {
    let mut body = part.body.clone();
    if let Some(body) = &mut body {
        fill_in(body, earlier)?;
    }
    Ok((resolved(&part.url, earlier)?, body))
}

fn fill_in(value: &mut Value, earlier: &[Value]) -> Result<(), String> {
    match value {
        Value::String(text) => *text = resolved(text, earlier)?,
        Value::Array(entries) => entries.iter_mut().try_for_each(|entry| fill_in(entry, earlier))?,
        Value::Object(fields) => fields.values_mut().try_for_each(|field| fill_in(field, earlier))?,
        _ => {}
    }
    Ok(())
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
