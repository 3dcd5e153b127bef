//! Answers that faults put in place of the real ones, and what faults do to a connection.

use std::time::Duration;

use http::StatusCode;
use serde_json::json;

use super::body::{Break, Broken};
use super::call::Call;
use super::reply::{Reply, html_page};
use super::route::Route;
use super::socket::Ending;
use super::state::{State, lock};
use crate::auth::{session_expired, soap_fault};
use crate::bulk1;
use crate::faults::{Action, Fired, Limit, StatusBody, Via};

/// What the faults of a request do before anything is answered.
pub(super) enum Instead {
    /// Answer as usual.
    Nothing,
    /// Answer this.
    Reply(Reply),
    /// Never answer.
    Silence,
}

/// The first fault that takes the place of the answer.
pub(super) fn instead(state: &State, call: &Call, route: &Route) -> Instead {
    for action in &call.fired.actions {
        if let (Route::Async { .. }, Some(reply)) = (route, bulk1::instead(state, call, action)) {
            return Instead::Reply(reply);
        }
        let reply = match action {
            Action::Stall { after_bytes: None } => return Instead::Silence,
            Action::SessionExpired {} => {
                if let Some(token) = call.token() {
                    lock(&state.sessions).revoke(token);
                }
                session_expired()
            }
            Action::SessionUnfit {} => Reply::error(
                StatusCode::UNAUTHORIZED,
                "INVALID_SESSION_ID",
                "This session is not valid for use with the REST API",
            ),
            Action::Limit { which } => limit(state, *which),
            Action::Status { code, body, error_code, message } => {
                status(*code, *body, error_code.as_deref(), message.as_deref())
            }
            Action::Html503 {} => status(503, Some(StatusBody::Html), None, None),
            Action::SoapFault { code, message } => soap_fault(code, message),
            Action::OauthError { error, description, via: Via::Json } => {
                Reply::json(StatusCode::BAD_REQUEST, &json!({"error": error, "error_description": description}))
            }
            _ => continue,
        };
        return Instead::Reply(reply);
    }
    Instead::Nothing
}

fn limit(state: &State, which: Limit) -> Reply {
    let refused = |message: &str| Reply::error(StatusCode::FORBIDDEN, "REQUEST_LIMIT_EXCEEDED", message);
    match which {
        Limit::Total => refused("TotalRequests Limit exceeded."),
        Limit::Concurrent => refused("ConcurrentRequests (Concurrent API Requests) Limit exceeded."),
        Limit::Jobs => {
            let max = state.options.daily_query_jobs;
            let message = format!("Max bulk v2 query jobs ({max}) per 24 hrs has been reached");
            Reply::bad_request("LIMIT_EXCEEDED", &message)
        }
        Limit::Storage => {
            let max = state.options.daily_query_result_kb;
            let message = format!("Max bulk v2 query result size stored ({max}) kb per 24 hrs has been exceeded");
            Reply::bad_request("LIMIT_EXCEEDED", &message)
        }
    }
}

/// A bare status with the body it was seen with.
fn status(code: u16, body: Option<StatusBody>, error_code: Option<&str>, message: Option<&str>) -> Reply {
    let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = body.unwrap_or(match code {
        406 => StatusBody::Empty,
        420 => StatusBody::Html,
        _ => StatusBody::Json,
    });
    match body {
        StatusBody::Empty => Reply::empty(status),
        StatusBody::Html => {
            let (title, text) = match code {
                420 => ("We are setting things up", "Your org is starting. Try again in a moment."),
                503 => ("Service Unavailable", "We are down for maintenance. Sorry for the inconvenience."),
                _ => ("Error", "The request could not be completed."),
            };
            Reply::text(status, "text/html;charset=UTF-8", html_page(title, message.unwrap_or(text)))
        }
        StatusBody::Json => {
            let (known_code, known_message) = known_error(code);
            Reply::error(status, error_code.unwrap_or(known_code), message.unwrap_or(known_message))
        }
    }
}

/// Error code and text that go with a status.
fn known_error(code: u16) -> (&'static str, &'static str) {
    match code {
        401 => ("INVALID_SESSION_ID", "Session expired or invalid"),
        403 => ("API_DISABLED_FOR_ORG", "The REST API is not enabled for this Organization."),
        404 => ("NOT_FOUND", "The requested resource does not exist"),
        429 => ("REQUEST_LIMIT_EXCEEDED", "Too many requests"),
        502..=504 => ("SERVER_UNAVAILABLE", "Server Unavailable"),
        400..=499 => ("API_ERROR", "The request was refused"),
        _ => (
            "UNKNOWN_EXCEPTION",
            "An unexpected error occurred. Please include this ErrorId if you contact support: 1234567890-12345 (1234)",
        ),
    }
}

/// How long the answer waits, by its faults alone.
pub(super) fn delay(fired: &Fired) -> Duration {
    let ms = fired.actions.iter().map(|action| if let Action::Slow { ms } = action { *ms } else { 0 }).sum();
    Duration::from_millis(ms)
}

/// Where the body is broken off, if anywhere.
pub(super) fn break_off(fired: &Fired, ending: &Ending) -> Option<Break> {
    fired.actions.iter().find_map(|action| match action {
        Action::Cut { after_bytes, reset } => {
            Some(Break { after_bytes: *after_bytes, then: Broken::End { ending: ending.clone(), reset: *reset } })
        }
        Action::Stall { after_bytes: Some(after_bytes) } => {
            Some(Break { after_bytes: *after_bytes, then: Broken::Stall })
        }
        _ => None,
    })
}
