//! `http`: requests to granted origins. The provider holds a request against the grant and dials; here is what bounds
//! a guest: form, count, rate, time and size.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream;
use tokio::time::{sleep_until, timeout};

use crate::bindings::forcepump::plugin::http;
use crate::limits::{
    MAX_ERROR_TEXT_BYTES, MAX_HEADERS, MAX_HEADERS_BYTES, MAX_HTTP_AT_ONCE, MAX_HTTP_CALLS, MAX_NAME_BYTES,
    MAX_URL_BYTES,
};
use crate::provider::{HttpError, HttpMethod, HttpProvider, HttpRequest, HttpResponse};
use crate::state::HostState;
use crate::text::{clean, has_control};

/// Longest time that a guest is told to wait, in milliseconds.
const MAX_WAIT_MS: u32 = 60_000;

/// When requests may go out: so many a second, with a burst of one second's worth.
#[derive(Debug)]
pub struct Bucket {
    per_second: u32,
    /// When the next request would be due if they came evenly; earlier ones live on the burst.
    due: Option<Instant>,
}

impl Bucket {
    /// A full bucket.
    pub fn new(per_second: u32) -> Self {
        Bucket { per_second, due: None }
    }

    /// Books the next request that may go out until `latest`; the error is how long it would have to wait.
    pub(crate) fn book(&mut self, now: Instant, latest: Instant) -> Result<Instant, Duration> {
        let Some(step) = Duration::from_secs(1).checked_div(self.per_second) else {
            return Err(Duration::from_millis(u64::from(MAX_WAIT_MS)));
        };
        let due = self.due.map_or(now, |due| due.max(now));
        let burst = step * (self.per_second - 1);
        let start = due.checked_sub(burst).map_or(now, |start| start.max(now));
        if start > latest {
            return Err(start - now);
        }
        self.due = Some(due + step);
        Ok(start)
    }
}

/// A request that may go out at its time.
type Planned = Result<(Instant, HttpRequest), HttpError>;

impl http::Host for HostState {
    async fn send(&mut self, request: http::Request) -> wasmtime::Result<Result<http::Response, http::HttpError>> {
        let mut answers = self.exchange(vec![request], false).await;
        Ok(answers.pop().unwrap_or(Err(http::HttpError::Timeout)))
    }

    async fn send_all(
        &mut self,
        requests: Vec<http::Request>,
    ) -> wasmtime::Result<Vec<Result<http::Response, http::HttpError>>> {
        Ok(self.exchange(requests, true).await)
    }
}

impl HostState {
    /// Sends requests side by side and gives the answers in their order. `patient` ones wait for their turn.
    async fn exchange(
        &mut self,
        requests: Vec<http::Request>,
        patient: bool,
    ) -> Vec<Result<http::Response, http::HttpError>> {
        let provider = self.grants.http.clone();
        let planned: Vec<Planned> = requests.into_iter().map(|request| self.plan(request, patient)).collect();
        let room = Arc::new(AtomicUsize::new(self.border.room()));
        let (cap, deadline) = (self.limits.http_response_bytes, self.deadline);
        let exchanges = planned.into_iter().map(|planned| {
            let (provider, room) = (provider.clone(), Arc::clone(&room));
            async move { one(provider, planned, &room, cap, deadline).await }
        });
        let mut exchanges = stream::iter(exchanges).buffered(MAX_HTTP_AT_ONCE);
        let mut answers = Vec::new();
        while let Some(answer) = exchanges.next().await {
            self.carried.unknown += u64::from(answer.is_ok());
            answers.push(answer.and_then(|response| self.take_in(response)).map_err(Into::into));
            room.store(self.border.room(), Ordering::Relaxed);
        }
        answers
    }

    /// Checks a request's form and count, and books its place.
    fn plan(&mut self, request: http::Request, patient: bool) -> Planned {
        if self.grants.http.is_none() {
            return Err(HttpError::Denied("the capability `http` is not granted".into()));
        }
        let output_bytes = self.limits.output_bytes;
        let request = checked(request, output_bytes)?;
        if self.http_calls >= MAX_HTTP_CALLS {
            return Err(HttpError::Denied(format!("one call may make {MAX_HTTP_CALLS} requests")));
        }
        let now = Instant::now();
        let latest = if patient { self.deadline } else { now };
        match self.rates.request(self.limits.http_calls_per_second, now, latest) {
            Ok(start) => {
                self.http_calls += 1;
                self.counters.http_calls += 1;
                Ok((start, request))
            }
            Err(wait) => {
                self.counters.http_throttled += 1;
                let wait = wait.as_micros().div_ceil(1_000);
                Err(HttpError::Throttled(u32::try_from(wait).unwrap_or(MAX_WAIT_MS).min(MAX_WAIT_MS)))
            }
        }
    }

    /// A response becomes the guest's: its bytes count as what the call makes.
    fn take_in(&mut self, response: HttpResponse) -> Result<http::Response, HttpError> {
        let HttpResponse { status, headers, body } = response;
        let bytes: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        if headers.len() > MAX_HEADERS || bytes > MAX_HEADERS_BYTES {
            return Err(HttpError::Protocol(format!("more than {MAX_HEADERS} headers or {MAX_HEADERS_BYTES} bytes")));
        }
        let charged = self.border.charge(bytes.saturating_add(body.len()));
        charged.map_err(|_| HttpError::TooLarge(self.limits.output_bytes as u64))?;
        let text = |text: String| clean(&text, MAX_HEADERS_BYTES);
        let headers = headers.into_iter().map(|(name, value)| (text(name), text(value))).collect();
        Ok(http::Response { status, headers, body })
    }
}

/// One exchange at its time, within what is left of the call and of its output.
async fn one(
    provider: Option<Arc<dyn HttpProvider>>,
    planned: Planned,
    room: &AtomicUsize,
    cap: usize,
    deadline: Instant,
) -> Result<HttpResponse, HttpError> {
    let (start, mut request) = planned?;
    let Some(provider) = provider else { return Err(HttpError::Timeout) };
    sleep_until(start.into()).await;
    let cap = cap.min(room.load(Ordering::Relaxed)) as u64;
    let limit = request.timeout.min(deadline.saturating_duration_since(Instant::now()));
    (request.timeout, request.max_response_bytes) = (limit, cap);
    let response = timeout(limit, provider.send(request)).await.unwrap_or(Err(HttpError::Timeout))?;
    if response.body.len() as u64 > cap {
        return Err(HttpError::TooLarge(cap));
    }
    Ok(response)
}

/// What can be said of a request without knowing the grant.
fn checked(request: http::Request, output_bytes: usize) -> Result<HttpRequest, HttpError> {
    let http::Request { method, url, headers, body, credential, timeout_ms } = request;
    let denied = |text: String| Err(HttpError::Denied(text));
    if url.len() > MAX_URL_BYTES || url.chars().any(|character| character.is_whitespace()) || has_control(&url) {
        return denied(format!("a URL has at most {MAX_URL_BYTES} bytes, and no blank or control character"));
    }
    if body.len() > output_bytes {
        return denied(format!("the body has {} bytes, a call may hand over {output_bytes}", body.len()));
    }
    let bytes: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    if headers.len() > MAX_HEADERS || bytes > MAX_HEADERS_BYTES {
        return denied(format!("a request has at most {MAX_HEADERS} headers and {MAX_HEADERS_BYTES} bytes of them"));
    }
    if let Some((name, _)) = headers.iter().find(|(name, value)| !is_token(name) || !is_field_value(value)) {
        return denied(format!("the header `{}` is no name, or its value has a control character", clean(name, 64)));
    }
    if credential.as_ref().is_some_and(|name| name.len() > MAX_NAME_BYTES) {
        return Err(HttpError::UnknownCredential);
    }
    let timeout = timeout_ms.map_or(Duration::MAX, |ms| Duration::from_millis(u64::from(ms)));
    Ok(HttpRequest { method: method.into(), url, headers, body, credential, timeout, max_response_bytes: 0 })
}

/// A header's name by RFC 9110, 5.6.2.
fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// A header's value by RFC 9110, 5.5: nothing that could end it.
fn is_field_value(value: &str) -> bool {
    value.bytes().all(|byte| byte == b'\t' || byte >= b' ' && byte != 0x7f)
}

impl From<http::Method> for HttpMethod {
    fn from(method: http::Method) -> Self {
        match method {
            http::Method::Get => HttpMethod::Get,
            http::Method::Head => HttpMethod::Head,
            http::Method::Post => HttpMethod::Post,
            http::Method::Put => HttpMethod::Put,
            http::Method::Patch => HttpMethod::Patch,
            http::Method::Delete => HttpMethod::Delete,
        }
    }
}

impl From<HttpError> for http::HttpError {
    fn from(error: HttpError) -> Self {
        let text = |text: String| clean(&text, MAX_ERROR_TEXT_BYTES);
        match error {
            HttpError::Denied(why) => http::HttpError::Denied(text(why)),
            HttpError::UnknownCredential => http::HttpError::UnknownCredential,
            HttpError::Timeout => http::HttpError::Timeout,
            HttpError::Connect(why) => http::HttpError::Connect(text(why)),
            HttpError::TooLarge(bytes) => http::HttpError::TooLarge(bytes),
            HttpError::Throttled(ms) => http::HttpError::Throttled(ms),
            HttpError::Protocol(why) => http::HttpError::Protocol(text(why)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bucket_gives_a_burst_and_then_one_a_step() {
        let now = Instant::now();
        let mut bucket = Bucket::new(4);
        for _ in 0..4 {
            assert_eq!(bucket.book(now, now), Ok(now));
        }
        assert_eq!(bucket.book(now, now), Err(Duration::from_millis(250)));
        let later = now + Duration::from_secs(1);
        assert_eq!(bucket.book(now, later), Ok(now + Duration::from_millis(250)));
        assert_eq!(bucket.book(now, later), Ok(now + Duration::from_millis(500)));
        // What was booked is paid back before the next burst.
        assert_eq!(bucket.book(later, later), Ok(later));
        assert_eq!(bucket.book(later, later), Ok(later));
        assert!(bucket.book(later, later).is_err());
        assert!(Bucket::new(0).book(now, later).is_err());
    }

    fn request(url: &str, header: (&str, &str)) -> http::Request {
        let headers = vec![(header.0.to_owned(), header.1.to_owned())];
        let (method, url) = (http::Method::Get, url.to_owned());
        http::Request { method, url, headers, body: vec![0; 10], credential: None, timeout_ms: None }
    }

    #[test]
    fn a_request_cannot_carry_another_in_its_head() {
        let fine = ("x-trace", "a b\tc é");
        assert!(checked(request("https://example.com/a?b=%0d", fine), 10).is_ok());
        for header in [("x\r\nhost", "a"), ("x y", "a"), ("", "a"), ("x", "a\r\nhost: b"), ("x", "a\0")] {
            let refused = checked(request("https://example.com", header), 10).expect_err("refused");
            assert!(matches!(refused, HttpError::Denied(_)), "{header:?}");
        }
        for url in ["https://example.com/a b", "https://example.com/\r\nx: y", "https://example.com/\u{202e}"] {
            assert!(checked(request(url, fine), 10).is_err(), "{url:?}");
        }
        assert!(checked(request("https://example.com", fine), 9).is_err(), "the body");
    }
}
