//! An answer before it is put on the wire: status, headers, content.

use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};
use serde::Serialize;

use super::body::Content;
use crate::soql::SoqlError;

pub(crate) const JSON: &str = "application/json;charset=UTF-8";

/// One answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: Box<HeaderMap>,
    pub(crate) content: Content,
    /// Compressed when the client asks; short answers were recorded without.
    pub(crate) compress: bool,
}

/// One entry of the error array.
#[derive(Serialize)]
struct ErrorEntry<'a> {
    message: &'a str,
    #[serde(rename = "errorCode")]
    error_code: &'a str,
}

impl Reply {
    pub(crate) fn empty(status: StatusCode) -> Reply {
        Reply { status, headers: Box::default(), content: Content::Empty, compress: false }
    }

    pub(crate) fn bytes(status: StatusCode, content_type: &'static str, bytes: Vec<u8>) -> Reply {
        let mut reply = Reply::empty(status);
        reply.headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        reply.content = Content::Bytes(bytes);
        reply.compress = true;
        reply
    }

    pub(crate) fn text(status: StatusCode, content_type: &'static str, text: impl Into<String>) -> Reply {
        Reply::bytes(status, content_type, text.into().into_bytes())
    }

    pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Reply {
        match serde_json::to_vec(value) {
            Ok(bytes) => Reply::bytes(status, JSON, bytes),
            Err(error) => Reply::text(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", error.to_string()),
        }
    }

    pub(crate) fn ok(value: &impl Serialize) -> Reply {
        Reply::json(StatusCode::OK, value)
    }

    /// The error array of REST and Bulk 2.0 with one entry.
    pub(crate) fn error(status: StatusCode, error_code: &str, message: &str) -> Reply {
        Reply::json(status, &[ErrorEntry { message, error_code }])
    }

    pub(crate) fn bad_request(error_code: &str, message: &str) -> Reply {
        Reply::error(StatusCode::BAD_REQUEST, error_code, message)
    }

    pub(crate) fn not_found() -> Reply {
        Reply::error(StatusCode::NOT_FOUND, "NOT_FOUND", "The requested resource does not exist")
    }

    pub(crate) fn with(mut self, name: HeaderName, value: &str) -> Reply {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }

    pub(crate) fn uncompressed(mut self) -> Reply {
        self.compress = false;
        self
    }
}

impl From<SoqlError> for Reply {
    fn from(error: SoqlError) -> Reply {
        Reply::bad_request(error.code, &error.message)
    }
}

/// The page that gateways put in place of an answer.
pub(crate) fn html_page(title: &str, text: &str) -> String {
    format!("<html>\n<head><title>{title}</title></head>\n<body>\n<h1>{title}</h1>\n<p>{text}</p>\n</body>\n</html>\n")
}
