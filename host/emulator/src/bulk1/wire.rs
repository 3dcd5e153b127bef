//! The two forms of every answer, and errors in them.

use std::borrow::Cow;
use std::io::Read;

use flate2::read::MultiGzDecoder;
use http::StatusCode;
use http::header::CONTENT_ENCODING;
use serde::Serialize;

use crate::faults::{Action, Limit, StatusBody};
use crate::server::{Call, Reply, State, lock};

/// Namespace of every XML answer.
pub(super) const NAMESPACE: &str = "http://www.force.com/2009/06/asyncapi/dataload";
const JSON: &str = "application/json";
const XML: &str = "application/xml";
/// Most bytes that a compressed request body may unfold to; the guide's limit of a batch.
const BODY_BYTES: u64 = 10_000_000;

/// XML or JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Xml,
    Json,
}

impl Form {
    /// What the request's `Content-Type` asks for, if it says anything.
    pub(super) fn asked(call: &Call) -> Option<Form> {
        match call.media_type()?.as_str() {
            "application/json" => Some(Form::Json),
            "application/xml" | "text/xml" => Some(Form::Xml),
            _ => None,
        }
    }
}

/// An error as the wire has it.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl Failure {
    /// Nearly everything is 400, an expired session too.
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Failure {
        Failure { status: StatusCode::BAD_REQUEST, code, message: message.into() }
    }

    pub(super) fn reply(&self, form: Form) -> Reply {
        error(self.status, self.code, &self.message, form)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ErrorJson<'a> {
    exception_code: &'a str,
    exception_message: &'a str,
}

fn error(status: StatusCode, code: &str, message: &str, form: Form) -> Reply {
    match form {
        Form::Json => json(status, &ErrorJson { exception_code: code, exception_message: message }),
        Form::Xml => {
            let fields = [("exceptionCode", code.to_owned()), ("exceptionMessage", message.to_owned())];
            xml(status, element("error", &fields))
        }
    }
}

/// A JSON answer; `Content-Type` comes without a charset here.
pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Reply {
    match serde_json::to_vec(value) {
        Ok(bytes) => Reply::bytes(status, JSON, bytes),
        Err(error) => Reply::text(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", error.to_string()),
    }
}

pub(super) fn xml(status: StatusCode, text: String) -> Reply {
    Reply::text(status, XML, text)
}

/// A document with the whitespace that was recorded: a line break after the root's name, one blank before each field.
pub(super) fn element(root: &str, fields: &[(&str, String)]) -> String {
    format!("{}{}</{root}>", open(root), lines(fields, 1))
}

/// The declaration and the root's start tag.
pub(super) fn open(root: &str) -> String {
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><{root}\n   xmlns=\"{NAMESPACE}\">\n")
}

/// The declaration and a root without anything in it.
pub(super) fn empty(root: &str) -> String {
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><{root}\n   xmlns=\"{NAMESPACE}\" />")
}

pub(super) fn lines(fields: &[(&str, String)], indent: usize) -> String {
    let line = |(name, value): &(&str, String)| format!("{:indent$}<{name}>{}</{name}>\n", "", escape(value));
    fields.iter().map(line).collect()
}

/// Text between tags. A carriage return would be read as a line feed, and most control characters cannot be at all.
pub(super) fn escape(text: &str) -> Cow<'_, str> {
    let plain = |c: char| !matches!(c, '<' | '>' | '&' | '"' | '\r') && is_xml(c);
    if text.chars().all(plain) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars().filter(|c| is_xml(*c)) {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#xD;"),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// Characters that XML 1.0 knows (section 2.2).
fn is_xml(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// The answer to a session that is dead or was never there: 400, not 401.
pub(super) fn expired(call: &Call) -> Reply {
    Failure::new("InvalidSessionId", "Invalid session id").reply(Form::asked(call).unwrap_or(Form::Xml))
}

/// What a fault puts in place of an answer, in the shape of this API; `None` leaves it to the others.
pub(crate) fn instead(state: &State, call: &Call, action: &Action) -> Option<Reply> {
    let form = Form::asked(call).unwrap_or(Form::Xml);
    let refuse = |code: &'static str, message: &str| Some(Failure::new(code, message).reply(form));
    match action {
        Action::SessionExpired {} => {
            if let Some(token) = call.async_token() {
                lock(&state.sessions).revoke(token);
            }
            Some(expired(call))
        }
        Action::SessionUnfit {} => refuse("FeatureNotEnabled", "Async API not enabled"),
        Action::Limit { which } => match which {
            Limit::Total => refuse("ExceededQuota", "TotalRequests Limit exceeded."),
            Limit::Concurrent => {
                refuse("ExceededQuota", "ConcurrentRequests (Concurrent API Requests) Limit exceeded.")
            }
            Limit::Jobs | Limit::Storage => refuse("ExceededQuota", "ApiBatchItems Limit exceeded."),
        },
        Action::Status { code, body: None | Some(StatusBody::Json), error_code, message } => {
            let status = StatusCode::from_u16(*code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let (known, text) = match code {
                401 => ("InvalidSessionId", "Invalid session id"),
                406 | 420 => return None,
                400..=499 => ("ClientInputError", "The request was refused"),
                _ => ("Unknown", "An unexpected error occurred"),
            };
            let (known, text) = (error_code.as_deref().unwrap_or(known), message.as_deref().unwrap_or(text));
            Some(error(status, known, text, form))
        }
        _ => None,
    }
}

/// The request's body, unzipped where it says that it is zipped.
pub(super) fn body(call: &Call) -> Result<Cow<'_, [u8]>, Failure> {
    let zipped = call.header(CONTENT_ENCODING).is_some_and(|coding| coding.trim().eq_ignore_ascii_case("gzip"));
    if !zipped {
        return Ok(Cow::Borrowed(&call.body));
    }
    let mut out = Vec::new();
    let read = MultiGzDecoder::new(call.body.as_ref()).take(BODY_BYTES + 1).read_to_end(&mut out);
    match read {
        Ok(bytes) if bytes as u64 <= BODY_BYTES => Ok(Cow::Owned(out)),
        Ok(_) => {
            let message = format!("Failed to read request. Exceeded max size limit of {BODY_BYTES}");
            Err(Failure::new("ClientInputError", message))
        }
        Err(error) => Err(Failure::new("ClientInputError", format!("Failed to read request. {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xml_has_the_recorded_whitespace() {
        let text = element("jobInfo", &[("id", "750".to_owned()), ("object", "A<\r\u{0}B".to_owned())]);
        assert_eq!(
            text,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><jobInfo\n   xmlns=\"http://www.force.com/2009/06/asyncapi/dataload\">\n \
             <id>750</id>\n <object>A&lt;&#xD;B</object>\n</jobInfo>"
        );
    }
}
