//! How the token endpoint words its answer: JSON, a form, or XML.

use http::StatusCode;
use http::header::{ACCEPT, CACHE_CONTROL};
use serde::Serialize;
use serde_json::Value;

use super::form::Fields;
use super::soap_xml::escape;
use crate::server::{Call, NO_CACHE, Reply};

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Urlencoded,
    Xml,
}

impl Format {
    /// The `format` parameter wins over `Accept`; JSON is the default.
    pub(super) fn of(fields: &Fields, call: &Call) -> Format {
        match fields.get("format") {
            Some("urlencoded") => Format::Urlencoded,
            Some("xml") => Format::Xml,
            Some(_) => Format::Json,
            None => call.header(ACCEPT).map_or(Format::Json, Format::accepted),
        }
    }

    /// The first media type of the header that is one of ours.
    fn accepted(header: &str) -> Format {
        let mut types =
            header.split(',').map(|part| part.split(';').next().unwrap_or(part).trim().to_ascii_lowercase());
        let known = types.find_map(|name| match name.as_str() {
            "application/json" | "*/*" | "text/json" => Some(Format::Json),
            "application/x-www-form-urlencoded" => Some(Format::Urlencoded),
            "application/xml" | "text/xml" => Some(Format::Xml),
            _ => None,
        });
        known.unwrap_or(Format::Json)
    }

    pub(super) fn reply(self, status: StatusCode, value: &impl Serialize) -> Reply {
        let reply = match (self, serde_json::to_value(value)) {
            (Format::Json, _) => Reply::json(status, value),
            (Format::Urlencoded, Ok(Value::Object(fields))) => {
                let texts = fields.iter().map(|(key, value)| (key, text(value)));
                let text = form_urlencoded::Serializer::new(String::new()).extend_pairs(texts).finish();
                Reply::text(status, "application/x-www-form-urlencoded;charset=UTF-8", text)
            }
            (Format::Xml, Ok(Value::Object(fields))) => {
                let fields: String =
                    fields.iter().map(|(key, value)| format!("<{key}>{}</{key}>", escape(&text(value)))).collect();
                let text = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><OAuth>{fields}</OAuth>");
                Reply::text(status, "application/xml;charset=UTF-8", text)
            }
            _ => Reply::empty(StatusCode::INTERNAL_SERVER_ERROR),
        };
        reply.uncompressed().with(CACHE_CONTROL, NO_CACHE)
    }
}

/// A value as text; numbers and truths without quotes.
pub(super) fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_known_media_type_counts() {
        for (header, format) in [
            ("application/json", Format::Json),
            ("text/html, application/xml;q=0.9, */*", Format::Xml),
            ("application/x-www-form-urlencoded", Format::Urlencoded),
            ("*/*", Format::Json),
            ("image/png", Format::Json),
        ] {
            assert_eq!(Format::accepted(header), format, "{header}");
        }
    }
}
