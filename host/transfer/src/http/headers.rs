//! Headers of a request: which a guest may set.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::grant::Entry;
use super::{HttpError, shown};

/// More headers than any API asks for.
const HEADERS_MAX_COUNT: usize = 100;
/// What common servers take at most.
const HEADERS_MAX_BYTES: usize = 32 * 1024;

/// Headers that say where a message ends, who is asked or what the connection does: they belong to the host.
const FRAMING: [&str; 14] = [
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Headers by which a guest would take another's identity, or which servers take for the method or the path and
/// so lead around the grant.
const OF_THE_HOST: [&str; 10] = [
    "authorization",
    "cookie",
    "cookie2",
    "forwarded",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-url",
    "x-rewrite-url",
    "x-original-uri",
];

/// Beginnings of names that proxies and browsers set.
const OF_THE_HOST_BEGINNINGS: [&str; 3] = ["x-forwarded-", "proxy-", "sec-"];

/// Whether a header (in lower case) frames the message.
pub(crate) fn is_framing(name: &str) -> bool {
    FRAMING.contains(&name)
}

/// The guest's headers, all of them allowed.
pub(crate) fn checked<'a>(
    given: &[(String, String)],
    entries: impl Iterator<Item = &'a Entry> + Clone,
) -> Result<HeaderMap, HttpError> {
    let bytes: usize = given.iter().map(|(name, value)| name.len() + value.len()).sum();
    if given.len() > HEADERS_MAX_COUNT || bytes > HEADERS_MAX_BYTES {
        let text = format!("more than {HEADERS_MAX_COUNT} headers or {HEADERS_MAX_BYTES} bytes of headers");
        return Err(HttpError::Denied(text));
    }
    let mut headers = HeaderMap::new();
    for (name, value) in given {
        let denied = |why: &str| HttpError::Denied(format!("header \"{}\" {why}", shown(name)));
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| denied("is no header name"))?;
        if is_of_the_host(name.as_str()) {
            return Err(denied("is set by the host only"));
        }
        if carries_credential(name.as_str(), entries.clone()) {
            return Err(denied("carries the credential of this origin\nhint: name it as the request's credential"));
        }
        let value = HeaderValue::from_bytes(value.as_bytes())
            .map_err(|_| denied("has a value with bytes that no header may have (a line break?)"))?;
        headers.append(name, value);
    }
    Ok(headers)
}

fn is_of_the_host(name: &str) -> bool {
    is_framing(name)
        || OF_THE_HOST.contains(&name)
        || OF_THE_HOST_BEGINNINGS.iter().any(|beginning| name.starts_with(beginning))
}

fn carries_credential<'a>(name: &str, mut entries: impl Iterator<Item = &'a Entry>) -> bool {
    entries.any(|entry| entry.credential.as_ref().is_some_and(|c| c.header_name().eq_ignore_ascii_case(name)))
}
