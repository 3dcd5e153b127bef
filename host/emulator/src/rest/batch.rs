//! `POST /composite/batch`: independent requests in one body; each counts as a call of its own.

use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::subrequest::{Subrequest, json_of};
use crate::server::{Call, Reply, State};

/// Requests in one body at most (REST API Developer Guide, "Batch").
const MOST_PARTS: usize = 25;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Batch {
    batch_requests: Vec<Part>,
    #[serde(default)]
    halt_on_error: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    method: String,
    url: String,
    rich_input: Option<Value>,
}

/// Answers each part in its order; after a failure only as far as the caller wants it.
pub(crate) fn batch(state: &State, call: &Call) -> Reply {
    let wanted: Batch = match serde_json::from_slice(&call.body) {
        Ok(wanted) => wanted,
        Err(error) => return Reply::bad_request("JSON_PARSER_ERROR", &error.to_string()),
    };
    if wanted.batch_requests.is_empty() {
        return Reply::bad_request("REQUIRED_FIELD_MISSING", "At least 1 subrequest is required");
    }
    if wanted.batch_requests.len() > MOST_PARTS {
        let message = format!("Limit of {MOST_PARTS} subrequests in a batch request exceeded");
        return Reply::bad_request("LIMIT_EXCEEDED", &message);
    }
    let (mut results, mut failed) = (Vec::with_capacity(wanted.batch_requests.len()), false);
    for (place, part) in wanted.batch_requests.iter().enumerate() {
        let reply = if failed && wanted.halt_on_error { halted() } else { answered(state, part, place) };
        failed |= reply.status.as_u16() >= StatusCode::BAD_REQUEST.as_u16();
        results.push(json!({"statusCode": reply.status.as_u16(), "result": json_of(&reply)}));
    }
    Reply::ok(&json!({"hasErrors": failed, "results": results}))
}

fn answered(state: &State, part: &Part, place: usize) -> Reply {
    // The call that brought them all stands for the first.
    if place > 0 && state.count_call() > state.options.daily_api_requests {
        return Reply::error(StatusCode::FORBIDDEN, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.");
    }
    let (method, url) = (part.method.as_str(), part.url.as_str());
    Subrequest { method, url, headers: Vec::new(), body: part.rich_input.as_ref() }.answer(state)
}

fn halted() -> Reply {
    let message = "Batch processing halted per request";
    Reply::error(StatusCode::PRECONDITION_FAILED, "BATCH_PROCESSING_HALTED", message)
}
