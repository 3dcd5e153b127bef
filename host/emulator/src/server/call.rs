//! A request that has arrived whole, with its path and parameters decoded.

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HeaderName};
use http::{HeaderMap, Method, Uri};
use percent_encoding::percent_decode_str;

use crate::faults::Fired;

/// One request.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) method: Method,
    /// Query parameters in their order, decoded.
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// The faults that this request meets.
    pub(crate) fired: Fired,
}

impl Call {
    pub(crate) fn new(method: Method, uri: &Uri, headers: HeaderMap, body: Bytes, fired: Fired) -> Call {
        Call { method, query: pairs(uri.query().unwrap_or_default().as_bytes()), headers, body, fired }
    }

    /// A read inside another request, which no fault meets.
    pub(crate) fn inner(query: &str, headers: HeaderMap) -> Call {
        let query = pairs(query.as_bytes());
        Call { method: Method::GET, query, headers, body: Bytes::new(), fired: Fired::default() }
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
    use super::segments;

    #[test]
    fn a_trailing_slash_is_fine_and_a_doubled_one_is_not() {
        assert_eq!(segments("/services/data/").unwrap(), ["services", "data"]);
        assert_eq!(segments("/a/b%20c").unwrap(), ["a", "b c"]);
        assert!(segments("/services//data").is_none());
        assert!(segments("/services/data//").is_none());
    }
}
