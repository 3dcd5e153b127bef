//! Reading answers that are not 2xx: Salesforce's error array, OAuth-like objects, HTML pages, nothing.

use std::time::Duration;

use chrono::{DateTime, Utc};
use http::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;

use crate::error::{Error, same_code};
use crate::words::api;
use crate::xml_json::xml_to_json;

/// Error bodies are short; of a longer one the start is enough.
pub(crate) const MAX_ERROR_BODY_BYTES: usize = 64 * 1024;
/// Of a body that is not Salesforce's, this much is told.
const MAX_TOLD_CHARS: usize = 160;
/// A server may ask for any wait; longer than this a run is better told to come back.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(120);

#[derive(Debug, Default, Deserialize)]
struct ErrorItem {
    #[serde(default, alias = "exceptionCode", alias = "error")]
    #[serde(rename = "errorCode")]
    code: String,
    #[serde(default, alias = "exceptionMessage", alias = "error_description")]
    message: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ErrorBody {
    Many(Vec<ErrorItem>),
    One(ErrorItem),
}

/// What a refusal says.
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) retry_after: Option<Duration>,
}

impl Refusal {
    pub(crate) fn read(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let item = match serde_json::from_slice::<ErrorBody>(body) {
            Ok(ErrorBody::Many(items)) => items.into_iter().next(),
            Ok(ErrorBody::One(item)) => Some(item),
            Err(_) => xml_item(body),
        };
        let item = item.filter(|i| !(i.code.is_empty() && i.message.is_empty()));
        let retry_after = headers.get(RETRY_AFTER).and_then(|v| v.to_str().ok()).and_then(parse_retry_after);
        match item {
            Some(item) => Self { status, code: item.code, message: item.message.trim().to_owned(), retry_after },
            None => Self { status, code: String::new(), message: foreign_body(status, headers, body), retry_after },
        }
    }

    /// The session is dead and a new login may cure it.
    pub(crate) fn is_dead_session(&self) -> bool {
        let named = same_code(&self.code, "INVALID_SESSION_ID");
        let dead = named || (self.status == StatusCode::UNAUTHORIZED && self.code.is_empty());
        dead && !self.is_unusable_session()
    }

    /// The session is alive but not allowed here; logging in again would change nothing.
    pub(crate) fn is_unusable_session(&self) -> bool {
        let text = self.message.to_ascii_lowercase();
        text.contains("not valid for use with the") || text.contains("connected app is not attached")
    }

    pub(crate) fn into_error(self, what: &str, usage: Option<(u64, u64)>) -> Error {
        let what = what.to_owned();
        let status = self.status.as_u16();
        let Self { code, message, retry_after, .. } = self;
        if status == 401 || same_code(&code, "INVALID_SESSION_ID") {
            return Error::Auth { message: session_words(&what, &code, &message), code, retryable: false };
        }
        if let Some(hint) = limit_hint(&code, &message, usage) {
            return Error::Limit { what, status, code, message, hint };
        }
        let hint = api::of_answer(status, &code, &message).map(|words| words.lines("")).unwrap_or_default();
        Error::Api { what, status, code, message, hint, retry_after }
    }
}

/// Bulk API 1.0's `<error><exceptionCode>…</exceptionCode><exceptionMessage>…</exceptionMessage></error>`, and REST's
/// `<Errors><Error><errorCode>…`.
fn xml_item(body: &[u8]) -> Option<ErrorItem> {
    let document = xml_to_json(std::str::from_utf8(body).ok()?).ok()?;
    let item = document.get("Error").unwrap_or(&document);
    serde_json::from_value(item.get(0).unwrap_or(item).clone()).ok()
}

fn session_words(what: &str, code: &str, message: &str) -> String {
    format!("{what}: the session was refused ({code}: {message}){}", api::of_session(code, message).lines(""))
}

fn limit_hint(code: &str, message: &str, usage: Option<(u64, u64)>) -> Option<String> {
    let words = api::of_limit(code, message)?;
    let used = usage.map(|(used, of)| format!(" ({used} of {of} API calls used)")).unwrap_or_default();
    let cause = if words.cause.is_empty() { String::new() } else { format!("; {}", words.cause) };
    Some(format!("{}{used}{cause}: {}", words.what, words.way_out))
}

fn foreign_body(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> String {
    if status.is_redirection() {
        let to = headers.get(LOCATION).and_then(|v| v.to_str().ok()).unwrap_or("nowhere");
        let to = to.split(['?', '#']).next().unwrap_or_default();
        return format!(
            "redirected to {to}; API calls follow no redirect, set the connection to the org's My Domain host"
        );
    }
    let text = String::from_utf8_lossy(&body[..body.len().min(MAX_ERROR_BODY_BYTES)]);
    let text = text.trim();
    let is_html =
        headers.get(CONTENT_TYPE).is_some_and(|v| v.as_bytes().starts_with(b"text/html")) || text.starts_with('<');
    match (text.is_empty(), is_html) {
        (true, _) => "no reason given (empty body)".to_owned(),
        (_, true) => format!("an HTML page instead of an API answer{}", html_title(text)),
        _ => format!("not an API answer: {:?}", text.chars().take(MAX_TOLD_CHARS).collect::<String>()),
    }
}

fn html_title(page: &str) -> String {
    let lower = page.to_ascii_lowercase();
    let title = lower.find("<title>").and_then(|start| {
        let from = start + "<title>".len();
        lower[from..].find("</title>").and_then(|length| page.get(from..from + length))
    });
    let title = title.map(|t| t.trim().chars().take(MAX_TOLD_CHARS).collect::<String>()).unwrap_or_default();
    if title.is_empty() { String::new() } else { format!(": {title:?}") }
}

/// Seconds or an HTTP date (RFC 9110 section 10.2.3), capped.
fn parse_retry_after(text: &str) -> Option<Duration> {
    let wait = match text.trim().parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let when = DateTime::parse_from_rfc2822(text.trim()).ok()?;
            (when.with_timezone(&Utc) - Utc::now()).to_std().unwrap_or(Duration::ZERO)
        }
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

/// Reads `Sforce-Limit-Info`, e.g. `api-usage=25/5000; per-app-api-usage=17/250(appName=x)`: used and allowed.
pub(crate) fn parse_api_usage(text: &str) -> Option<(u64, u64)> {
    let mut parts = text.split([';', ',']).map(str::trim);
    let (used, allowed) = parts.find_map(|part| part.strip_prefix("api-usage="))?.split_once('/')?;
    let digits = |text: &str| text.trim().chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok();
    Some((digits(used)?, digits(allowed)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refusal(status: u16, body: &str) -> Refusal {
        Refusal::read(StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), body.as_bytes())
    }

    #[test]
    fn array_object_html_and_nothing() {
        let table = [
            (400, r#"[{"message":"\nfoo","errorCode":"INVALID_TYPE"}]"#, "INVALID_TYPE", "foo"),
            (404, r#"{"errorCode":"NOT_FOUND","message":"gone"}"#, "NOT_FOUND", "gone"),
            (
                503,
                "<html><head><title>Down for Maintenance</title>",
                "",
                "an HTML page instead of an API answer: \"Down for Maintenance\"",
            ),
            (
                400,
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?><error\n   xmlns=\"http://www.force.com/2009/06/asyncapi/dataload\">\n <exceptionCode>InvalidJob</exceptionCode>\n <exceptionMessage>no &amp; no</exceptionMessage>\n</error>",
                "InvalidJob",
                "no & no",
            ),
            (
                400,
                r#"{"exceptionCode":"InvalidBatch","exceptionMessage":"Records not processed"}"#,
                "InvalidBatch",
                "Records not processed",
            ),
            (
                401,
                "<Errors><Error><errorCode>INVALID_SESSION_ID</errorCode><message>dead</message></Error></Errors>",
                "INVALID_SESSION_ID",
                "dead",
            ),
            (406, "", "", "no reason given (empty body)"),
            (403, "Bad_OAuth_Token", "", "not an API answer: \"Bad_OAuth_Token\""),
        ];
        for (status, body, code, message) in table {
            let read = refusal(status, body);
            assert_eq!((read.code.as_str(), read.message.as_str()), (code, message));
        }
    }

    #[test]
    fn sessions() {
        let dead = r#"[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]"#;
        assert!(refusal(401, dead).is_dead_session());
        let async_dead = r#"{"exceptionCode":"InvalidSessionId","exceptionMessage":"Invalid session id"}"#;
        assert!(refusal(400, async_dead).is_dead_session());
        let unusable =
            r#"[{"message":"This session is not valid for use with the REST API","errorCode":"INVALID_SESSION_ID"}]"#;
        assert!(!refusal(401, unusable).is_dead_session());
        assert!(refusal(401, unusable).into_error("x", None).to_string().contains("API Enabled"));
    }

    #[test]
    fn limits_are_not_retried_and_tell_the_usage() {
        let body = r#"[{"message":"TotalRequests Limit exceeded.","errorCode":"REQUEST_LIMIT_EXCEEDED"}]"#;
        let error = refusal(403, body).into_error("job", Some((15000, 15000)));
        assert!(!error.is_retryable());
        assert!(error.to_string().contains("15000 of 15000"), "{error}");
    }

    #[test]
    fn recorded_unknown_object() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../../shared/oracles/recordings/amp-labs/providers/salesforce/test/unknown-object.json"
        );
        let Ok(body) = std::fs::read_to_string(path) else {
            return;
        };
        let read = refusal(400, &body);
        assert_eq!(read.code, "INVALID_TYPE");
        assert!(read.message.contains("sObject type 'Accout' is not supported"));
    }

    #[test]
    fn usage_header_is_read_leniently() {
        assert_eq!(parse_api_usage("api-usage=29/15000"), Some((29, 15000)));
        assert_eq!(parse_api_usage("per-app-api-usage=1/2(appName=x), api-usage=25/5000"), Some((25, 5000)));
        assert_eq!(parse_api_usage("per-app-api-usage=1/2"), None);
        assert_eq!(parse_api_usage("api-usage=x"), None);
    }

    #[test]
    fn retry_after_forms() {
        assert_eq!(parse_retry_after("3"), Some(Duration::from_secs(3)));
        assert_eq!(parse_retry_after("99999"), Some(MAX_RETRY_AFTER));
        assert_eq!(parse_retry_after("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        assert_eq!(parse_retry_after("soon"), None);
    }

    proptest! {
        #[test]
        fn any_body_has_words(status in 100u16..600, body in prop::collection::vec(any::<u8>(), 0..200), text in ".{0,60}") {
            let status = StatusCode::from_u16(status).unwrap();
            let read = Refusal::read(status, &HeaderMap::new(), &body);
            prop_assert!(!read.into_error("x", None).to_string().is_empty());
            let read = Refusal::read(status, &HeaderMap::new(), format!("<TITLE>{text}</title>{text}").as_bytes());
            prop_assert!(!read.message.is_empty());
            let _ = (parse_api_usage(&text), parse_retry_after(&text));
        }
    }
}
