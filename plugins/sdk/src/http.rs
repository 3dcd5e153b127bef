//! Requests to granted origins: the host checks, sends and caps them, and adds the credential itself.
//!
//! ```
//! use forcepump_plugin_sdk::http::{Request, Response};
//! use forcepump_plugin_sdk::{PluginError, testing};
//!
//! fn city_of(code: &str) -> Result<Option<String>, PluginError> {
//!     // "geo" is the name of a grant in the pipeline that has a credential
//!     let request = Request::get(format!("https://geo.example/v1/{code}")).credential("geo").timeout_ms(2_000);
//!     let answer = request.send()?;
//!     if answer.status == 404 {
//!         return Ok(None);
//!     }
//!     let value: serde_json::Value = answer.success()?.json()?;
//!     Ok(value["city"].as_str().map(str::to_owned))
//! }
//!
//! testing::http::serve(|request| {
//!     assert!(request.url.ends_with("/v1/75001"));
//!     Ok(Response::new(200, r#"{"city": "Paris"}"#))
//! });
//! assert_eq!(city_of("75001").unwrap().as_deref(), Some("Paris"));
//! ```

pub use crate::bindings::imports::forcepump::plugin::http::{HttpError, Method, Request, Response};

use crate::{PluginError, RetryAdvice, calendar};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What of a body goes into a message.
const SHOWN_BYTES: usize = 200;
/// Microseconds in a millisecond.
const MICROS_PER_MILLI: i64 = 1_000;

impl Request {
    /// A request without headers and body. The URL is absolute, and its origin, path and this method are granted.
    pub fn new(method: Method, url: impl Into<String>) -> Self {
        Request { method, url: url.into(), headers: Vec::new(), body: Vec::new(), credential: None, timeout_ms: None }
    }

    /// Asks for what is there.
    pub fn get(url: impl Into<String>) -> Self {
        Request::new(Method::Get, url)
    }

    /// Sends something new.
    pub fn post(url: impl Into<String>) -> Self {
        Request::new(Method::Post, url)
    }

    /// Replaces what is there.
    pub fn put(url: impl Into<String>) -> Self {
        Request::new(Method::Put, url)
    }

    /// Changes what is there.
    pub fn patch(url: impl Into<String>) -> Self {
        Request::new(Method::Patch, url)
    }

    /// Removes what is there.
    pub fn delete(url: impl Into<String>) -> Self {
        Request::new(Method::Delete, url)
    }

    /// One more header. Those that are the host's are refused when the request is sent: `authorization`, `cookie`,
    /// `host`, `connection`, `content-length`, `proxy-*` and the like.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The bytes to send.
    #[must_use]
    pub fn body(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.body = bytes.into();
        self
    }

    /// The value as JSON, with its content type.
    ///
    /// # Errors
    /// [`PluginError::Fatal`] for a value that JSON has no form for.
    pub fn json(self, value: &impl Serialize) -> Result<Self, PluginError> {
        let bytes =
            serde_json::to_vec(value).map_err(|fault| PluginError::fatal(format!("request as JSON: {fault}")))?;
        Ok(self.header("content-type", "application/json").body(bytes))
    }

    /// Has the host add the credential of the grant of that name.
    #[must_use]
    pub fn credential(mut self, name: impl Into<String>) -> Self {
        self.credential = Some(name.into());
        self
    }

    /// Milliseconds for the whole exchange; the host's own limit stays above it.
    #[must_use]
    pub fn timeout_ms(mut self, milliseconds: u32) -> Self {
        self.timeout_ms = Some(milliseconds);
        self
    }

    /// One exchange.
    ///
    /// # Errors
    /// [`HttpError`]; a status that says no is a response, see [`Response::success`].
    pub fn send(&self) -> Result<Response, HttpError> {
        #[cfg(target_arch = "wasm32")]
        return crate::bindings::imports::forcepump::plugin::http::send(self);
        #[cfg(not(target_arch = "wasm32"))]
        return crate::testing::http::answer(self);
    }
}

/// Sends all, side by side under the host's limit; answers in the order of the requests.
///
/// ```
/// use forcepump_plugin_sdk::http::{Request, Response, send_all};
///
/// forcepump_plugin_sdk::testing::http::serve(|request| Ok(Response::new(200, request.url.as_bytes())));
/// let answers = send_all(&[Request::get("https://geo.example/a"), Request::get("https://geo.example/b")]);
/// assert_eq!(answers[1].as_ref().unwrap().text(), "https://geo.example/b");
/// ```
pub fn send_all(requests: &[Request]) -> Vec<Result<Response, HttpError>> {
    #[cfg(target_arch = "wasm32")]
    return crate::bindings::imports::forcepump::plugin::http::send_all(requests);
    #[cfg(not(target_arch = "wasm32"))]
    return requests.iter().map(crate::testing::http::answer).collect();
}

impl Response {
    /// A response as a test's server gives it.
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Response { status, headers: Vec::new(), body: body.into() }
    }

    /// The same with one more header.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_ascii_lowercase(), value.to_owned()));
        self
    }

    /// The first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The body as text; what is no UTF-8 is shown as such.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body's first bytes as text, for messages.
    pub fn excerpt(&self) -> String {
        let cut = self.body.get(..SHOWN_BYTES).unwrap_or(&self.body);
        // a letter that was cut in two is left out
        let whole = match std::str::from_utf8(cut) {
            Err(fault) if fault.error_len().is_none() => &cut[..fault.valid_up_to()],
            _ => cut,
        };
        String::from_utf8_lossy(whole).into_owned()
    }

    /// The body as the author's own type.
    ///
    /// # Errors
    /// [`PluginError::Data`] when it is no JSON of that form.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, PluginError> {
        serde_json::from_slice(&self.body).map_err(|fault| PluginError::data(format!("the server's answer: {fault}")))
    }

    /// Whether the status is 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether the same request may be answered otherwise later: 408, 429 and 5xx.
    pub fn is_transient(&self) -> bool {
        matches!(self.status, 408 | 429 | 500..=599)
    }

    /// The response, when its status is 2xx.
    ///
    /// # Errors
    /// [`PluginError::Retryable`] for 408, 429 and 5xx, with the time that the server asks for; else
    /// [`PluginError::Fatal`].
    pub fn success(self) -> Result<Self, PluginError> {
        if self.is_success() {
            return Ok(self);
        }
        let reason = format!("the server answered {}: {}", self.status, self.excerpt());
        if self.is_transient() {
            return Err(PluginError::Retryable(RetryAdvice { after_ms: self.retry_after_ms(), reason }));
        }
        Err(PluginError::fatal(reason))
    }

    /// Milliseconds of the header `retry-after` (RFC 9110, 10.2.3). A date is held against the response's own `date`, so
    /// that no clock is needed.
    pub fn retry_after_ms(&self) -> Option<u32> {
        let text = self.header("retry-after")?.trim();
        let millis = match text.parse::<u64>() {
            Ok(seconds) => seconds.saturating_mul(1_000),
            Err(_) => {
                let wait = http_date(text)?.checked_sub(http_date(self.header("date")?)?)?;
                u64::try_from(wait / MICROS_PER_MILLI).unwrap_or(0)
            }
        };
        Some(u32::try_from(millis).unwrap_or(u32::MAX))
    }
}

/// Microseconds of an IMF-fixdate (RFC 9110, 5.6.7), `Sun, 06 Nov 1994 08:49:37 GMT`.
fn http_date(text: &str) -> Option<i64> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut words = text.split(", ").nth(1)?.split(' ');
    let (day, month, year, time) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let month = MONTHS.iter().position(|known| *known == month)? + 1;
    calendar::parse_datetime(&format!("{year}-{month:02}-{day}T{time}Z"))
}

impl From<HttpError> for PluginError {
    fn from(error: HttpError) -> Self {
        match error {
            HttpError::Denied(reason) => PluginError::fatal(format!("request refused: {reason}")),
            HttpError::UnknownCredential => PluginError::fatal("no credential of that name is granted"),
            HttpError::Timeout => PluginError::retryable("no response in time"),
            HttpError::Connect(reason) => PluginError::retryable(format!("no connection: {reason}")),
            HttpError::TooLarge(bytes) => PluginError::fatal(format!("the response is over {bytes} bytes")),
            HttpError::Throttled(after_ms) => {
                let reason = "the host's limit of requests is used up".to_owned();
                PluginError::Retryable(RetryAdvice { after_ms: Some(after_ms), reason })
            }
            HttpError::Protocol(reason) => PluginError::retryable(format!("response: {reason}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_read_in_both_forms() {
        let busy = Response::new(503, "");
        for (retry_after, date, expected) in [
            ("7", None, Some(7_000)),
            (" 0 ", None, Some(0)),
            ("99999999999", None, Some(u32::MAX)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some("Sun, 06 Nov 1994 08:49:07 GMT"), Some(30_000)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some("Sun, 06 Nov 1994 08:50:37 GMT"), Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", None, None),
            ("soon", Some("Sun, 06 Nov 1994 08:49:07 GMT"), None),
            ("-1", None, None),
        ] {
            let answer = busy.clone().with("Retry-After", retry_after);
            let answer = date.map_or(answer.clone(), |date| answer.with("Date", date));
            assert_eq!(answer.retry_after_ms(), expected, "{retry_after} {date:?}");
        }
        assert_eq!(busy.retry_after_ms(), None);
    }

    #[test]
    fn a_status_becomes_the_error_that_suits_it() {
        assert!(Response::new(204, "").success().is_ok());
        let busy = Response::new(429, "slow down").with("retry-after", "2").success();
        let advice = RetryAdvice { after_ms: Some(2_000), reason: "the server answered 429: slow down".into() };
        assert_eq!(busy.map(drop), Err(PluginError::Retryable(advice)));
        assert!(matches!(Response::new(302, "").success(), Err(PluginError::Fatal(_))));
        assert!(matches!(PluginError::from(HttpError::Timeout), PluginError::Retryable(_)));
    }

    #[test]
    fn an_excerpt_is_cut_between_letters() {
        let body = format!("x{}", "é".repeat(200));
        assert_eq!(Response::new(400, body).excerpt(), format!("x{}", "é".repeat(99)));
        assert_eq!(Response::new(400, vec![0xff, b'a']).excerpt(), "\u{fffd}a");
    }

    #[test]
    fn without_a_server_nothing_is_granted() {
        assert!(matches!(Request::get("https://a.example/").send(), Err(HttpError::Denied(_))));
    }
}
