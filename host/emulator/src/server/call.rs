//! A request that has arrived whole, with its path and parameters decoded.

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, COOKIE, HeaderName};
use http::{HeaderMap, Method, Uri};
use percent_encoding::percent_decode_str;

use crate::faults::Fired;

/// The two forms of REST's answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Json,
    Xml,
}

/// One request.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) method: Method,
    /// Query parameters in their order, decoded.
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    /// The form that the end of the path asks for: `.xml` or `.json`.
    pub(crate) suffix: Option<Form>,
    pub(crate) body: Bytes,
    /// The faults that this request meets.
    pub(crate) fired: Fired,
}

impl Call {
    pub(crate) fn new(method: Method, uri: &Uri, headers: HeaderMap, body: Bytes, fired: Fired) -> Call {
        let suffix = split_form(uri.path()).1;
        Call { method, query: pairs(uri.query().unwrap_or_default().as_bytes()), headers, suffix, body, fired }
    }

    /// A request inside another one, which no fault meets.
    pub(crate) fn inner(method: Method, query: &str, headers: HeaderMap, body: Bytes) -> Call {
        let query = pairs(query.as_bytes());
        Call { method, query, headers, suffix: None, body, fired: Fired::default() }
    }

    /// The form of the answer: the path's end says it, else the first of the two that `Accept` names, else JSON.
    pub(crate) fn form(&self) -> Form {
        let accepted = || {
            let accept = self.header(ACCEPT)?;
            accept.split(',').find_map(|kind| match kind.split(';').next()?.trim().to_ascii_lowercase().as_str() {
                "application/xml" | "text/xml" => Some(Form::Xml),
                "application/json" | "*/*" | "application/*" => Some(Form::Json),
                _ => None,
            })
        };
        self.suffix.or_else(accepted).unwrap_or(Form::Json)
    }

    /// The first query parameter of that name.
    pub(crate) fn param(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A header as text; `None` when absent or not text.
    pub(crate) fn header(&self, name: impl Into<HeaderName>) -> Option<&str> {
        self.headers.get(name.into())?.to_str().ok()
    }

    /// The media type of the body in lower case, without parameters.
    pub(crate) fn media_type(&self) -> Option<String> {
        let text = self.header(CONTENT_TYPE)?;
        Some(text.split(';').next().unwrap_or(text).trim().to_ascii_lowercase())
    }

    /// The value of a cookie.
    pub(crate) fn cookie(&self, name: &str) -> Option<&str> {
        let pairs = self.header(COOKIE)?.split(';').filter_map(|pair| pair.trim().split_once('='));
        pairs.into_iter().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// The session token: `Bearer` or `OAuth` header, else the `oauth_token` or `access_token` parameter.
    pub(crate) fn token(&self) -> Option<&str> {
        if let Some((scheme, token)) = self.header(AUTHORIZATION).and_then(|value| value.split_once(' '))
            && (scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("oauth"))
        {
            return Some(token.trim());
        }
        self.param("oauth_token").or_else(|| self.param("access_token"))
    }
}

impl Call {
    /// The session token of Bulk 1.0: `X-SFDC-Session`, else as for REST.
    pub(crate) fn async_token(&self) -> Option<&str> {
        let own = self.header(HeaderName::from_static("x-sfdc-session")).map(str::trim);
        own.filter(|token| !token.is_empty()).or_else(|| self.token())
    }
}

/// Decodes `a=b&c=d`.
pub(crate) fn pairs(text: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(text).into_owned().collect()
}

/// A path without `.xml` or `.json` at its end, and which of them it was.
pub(crate) fn split_form(path: &str) -> (&str, Option<Form>) {
    let whole = path.strip_suffix('/').unwrap_or(path);
    match (whole.strip_suffix(".xml"), whole.strip_suffix(".json")) {
        (Some(plain), _) => (plain, Some(Form::Xml)),
        (_, Some(plain)) => (plain, Some(Form::Json)),
        _ => (path, None),
    }
}

/// The decoded segments of a path, without one trailing slash; `None` when it has a doubled slash.
pub(crate) fn segments(path: &str) -> Option<Vec<String>> {
    let path = path.strip_prefix('/')?;
    let path = path.strip_suffix('/').unwrap_or(path);
    let parts: Vec<String> =
        path.split('/').map(|part| percent_decode_str(part).decode_utf8_lossy().into_owned()).collect();
    (!parts.iter().any(String::is_empty)).then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::{Form, segments, split_form};

    #[test]
    fn the_end_of_a_path_may_name_a_form() {
        assert_eq!(split_form("/a/query.xml"), ("/a/query", Some(Form::Xml)));
        assert_eq!(split_form("/a/query.json/"), ("/a/query", Some(Form::Json)));
        assert_eq!(split_form("/services/data/v62.0/"), ("/services/data/v62.0/", None));
    }

    #[test]
    fn a_trailing_slash_is_fine_and_a_doubled_one_is_not() {
        assert_eq!(segments("/services/data/").unwrap(), ["services", "data"]);
        assert_eq!(segments("/a/b%20c").unwrap(), ["a", "b c"]);
        assert!(segments("/services//data").is_none());
        assert!(segments("/services/data//").is_none());
    }
}
