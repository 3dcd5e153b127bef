//! The client: every request goes through here and gets a token, time-outs, retries, and a readable error.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};

use backon::Retryable;
use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, IF_MODIFIED_SINCE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;

use crate::answer::{MAX_ERROR_BODY_BYTES, Refusal, parse_api_usage};
use crate::body::{WireBody, read_whole};
use crate::connection::ResolvedConnection;
use crate::describe::DescribeCache;
use crate::error::{Error, Result};
use crate::options::ClientOptions;
use crate::place::is_loopback;
use crate::session::{Session, Sessions};

/// The largest JSON answer that is taken (a describe of 800 wide fields is about 5 MB).
const MAX_JSON_BYTES: usize = 64 * 1024 * 1024;
/// Bulk API 1.0, which wants the session in a header of its own (Bulk API guide, "Set a Session Header").
const ASYNC_ROOT: &str = "/services/async/";
const SESSION_HEADER: HeaderName = HeaderName::from_static("x-sfdc-session");

/// A Salesforce org, seen through one connection. Cheap to clone; clones share session, cache, budget, counters.
#[derive(Clone)]
pub struct Client {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    http: reqwest::Client,
    sessions: Sessions,
    pub(crate) api_version: String,
    pub(crate) options: ClientOptions,
    pub(crate) describes: DescribeCache,
    name: String,
    gzip: bool,
    budget: AtomicU32,
    calls: AtomicU64,
    retries: AtomicU64,
    /// How far the server's clock is before ours, in seconds, as the last answer told it.
    clock_offset: AtomicI64,
    /// Used and allowed API calls as last told, packed by two atomics; 0 allowed: not told yet.
    usage: [AtomicU64; 2],
}

/// One request, as often as it has to be sent.
pub(crate) struct Call {
    pub(crate) what: String,
    pub(crate) method: Method,
    /// Path below the instance, starting with one slash.
    pub(crate) path: String,
    pub(crate) query: Vec<(&'static str, String)>,
    pub(crate) json: Option<serde_json::Value>,
    /// A body that is not JSON, with its Content-Type.
    pub(crate) text: Option<(&'static str, String)>,
    /// Headers beside the usual ones.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    /// The largest answer that is taken whole.
    pub(crate) max_bytes: usize,
    pub(crate) accept: &'static str,
    pub(crate) if_modified_since: Option<HeaderValue>,
    /// Sending it twice does no harm.
    pub(crate) idempotent: bool,
}

impl Call {
    pub(crate) fn new(method: Method, what: impl Into<String>, path: String) -> Self {
        let idempotent = method != Method::POST;
        Self {
            what: what.into(),
            method,
            path,
            query: Vec::new(),
            json: None,
            text: None,
            headers: Vec::new(),
            max_bytes: MAX_JSON_BYTES,
            accept: "application/json",
            if_modified_since: None,
            idempotent,
        }
    }

    pub(crate) fn get(what: impl Into<String>, path: String) -> Self {
        Self::new(Method::GET, what, path)
    }
}

/// An answer read whole.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Client {
    /// A client; nothing is sent yet, the first request logs in.
    pub fn new(connection: ResolvedConnection, options: ClientOptions) -> Result<Self> {
        let http = crate::http::build(&connection.login_url, &options)?;
        let gzip = options.gzip.unwrap_or(!is_loopback(&connection.login_url));
        let inner = Inner {
            gzip,
            api_version: connection.api_version.clone(),
            name: connection.name.clone(),
            sessions: Sessions::new(connection, http.clone(), &options),
            http,
            describes: DescribeCache::default(),
            budget: AtomicU32::new(options.retry_budget),
            calls: AtomicU64::new(0),
            retries: AtomicU64::new(0),
            clock_offset: AtomicI64::new(0),
            usage: [AtomicU64::new(0), AtomicU64::new(0)],
            options,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Logs in, if that has not happened: a cheap test of the credentials that costs no API call.
    pub async fn login(&self) -> Result<()> {
        self.inner.sessions.current().await.map(|_| ())
    }

    /// Host of the org's instance, after a login.
    pub async fn instance_host(&self) -> Result<String> {
        let session = self.inner.sessions.current().await?;
        Ok(session.instance.host_str().unwrap_or_default().to_owned())
    }

    /// The org's id, 15 characters, which every opaque access token begins with; of a token of another kind the host of
    /// the instance. Logs in, if that has not happened.
    pub async fn organization(&self) -> Result<String> {
        let session = self.inner.sessions.current().await?;
        let org = session.token.expose_secret().split_once('!').map(|(org, _)| org).filter(|org| org.len() == 15);
        Ok(org.map_or_else(|| session.instance.host_str().unwrap_or_default().to_owned(), str::to_owned))
    }

    /// Name of the connection.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// API version of the connection, for example `62.0`.
    pub fn api_version(&self) -> &str {
        &self.inner.api_version
    }

    /// The options it was made with.
    pub fn options(&self) -> &ClientOptions {
        &self.inner.options
    }

    /// HTTP requests sent to the API, retries and polls included; each counts against the org's daily limit.
    /// Logins are not counted, by Salesforce neither.
    pub fn calls_used(&self) -> u64 {
        self.inner.calls.load(Ordering::Relaxed)
    }

    /// Requests that had to be sent again.
    pub fn retries(&self) -> u64 {
        self.inner.retries.load(Ordering::Relaxed)
    }

    /// API calls used and allowed in the org (`Sforce-Limit-Info`), as the last answer told them.
    pub fn api_usage(&self) -> Option<(u64, u64)> {
        let [used, allowed] = [0, 1].map(|i| self.inner.usage[i].load(Ordering::Relaxed));
        (allowed > 0).then_some((used, allowed))
    }

    /// Salesforce's clock in microseconds since the epoch, as the `Date` of the last answer told it, to a second; before
    /// the first answer this machine's.
    pub fn server_now_micros(&self) -> i64 {
        chrono::Utc::now().timestamp_micros() + self.inner.clock_offset.load(Ordering::Relaxed) * 1_000_000
    }

    /// Things the user should hear of, for example a rotated refresh token that could not be stored.
    pub async fn notices(&self) -> Vec<String> {
        self.inner.sessions.notices().await
    }

    /// `/services/data/vNN.N` + `rest`, in the connection's version.
    pub(crate) fn path(&self, rest: &str) -> String {
        format!("/services/data/v{}{rest}", self.inner.api_version)
    }

    /// Sends, reads the whole body, parses it as JSON.
    pub(crate) async fn json<T: DeserializeOwned>(&self, call: &Call) -> Result<T> {
        let reply = self.whole(call).await?;
        parse_json(&call.what, &reply)
    }

    /// Sends and reads the whole body; a truncated one is asked for again.
    pub(crate) async fn whole(&self, call: &Call) -> Result<Reply> {
        self.retrying(call, || async {
            let response = self.attempt(call).await?;
            let (status, headers) = (response.status(), response.headers().clone());
            let wire = WireBody::new(&call.what, response, self.inner.options.stall_timeout);
            let body = read_whole(wire, call.max_bytes).await?;
            Ok(Reply { status, headers, body })
        })
        .await
    }

    /// Sends; the body is left to the caller. Retries end with the head of the answer.
    pub(crate) async fn stream(&self, call: &Call) -> Result<reqwest::Response> {
        self.retrying(call, || self.attempt(call)).await
    }

    async fn retrying<T, F, Fut>(&self, call: &Call, attempt: F) -> Result<T>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T>>,
    {
        let may_repeat = |error: &Error| {
            let worth_it = if call.idempotent { error.is_retryable() } else { error.surely_not_executed() };
            // logins have their own retries
            worth_it && !matches!(error, Error::Auth { .. }) && self.take_retry()
        };
        let outcome = attempt
            .retry(self.inner.options.backoff())
            .when(may_repeat)
            // backon gives `None` once the attempts are used up: `Retry-After` must not add another
            .adjust(|error, delay| delay.map(|delay| error.retry_after().unwrap_or(delay)))
            .await;
        if outcome.is_ok() {
            self.give_back_retry();
        }
        outcome
    }

    fn take_retry(&self) -> bool {
        let taken = self.inner.budget.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        if taken.is_ok() {
            self.inner.retries.fetch_add(1, Ordering::Relaxed);
        }
        taken.is_ok()
    }

    fn give_back_retry(&self) {
        let most = self.inner.options.retry_budget;
        let give = |left: u32| (left < most).then_some(left + 1);
        // full already: nothing to give back
        let _ = self.inner.budget.fetch_update(Ordering::Relaxed, Ordering::Relaxed, give);
    }

    /// One attempt: with the session at hand, and once more with a new one if that was dead.
    async fn attempt(&self, call: &Call) -> Result<reqwest::Response> {
        let session = self.inner.sessions.current().await?;
        let refusal = match self.send(call, &session).await? {
            Ok(response) => return Ok(response),
            Err(refusal) if refusal.is_dead_session() => refusal,
            Err(refusal) => return Err(refusal.into_error(&call.what, self.api_usage())),
        };
        drop(refusal);
        let renewed = self.inner.sessions.renew(&session).await?;
        match self.send(call, &renewed).await? {
            Ok(response) => Ok(response),
            Err(refusal) => Err(refusal.into_error(&call.what, self.api_usage())),
        }
    }

    /// Outer error: no answer. Inner error: an answer that is a refusal.
    async fn send(&self, call: &Call, session: &Session) -> Result<Result<reqwest::Response, Refusal>> {
        let request = self.request(call, session)?;
        self.inner.calls.fetch_add(1, Ordering::Relaxed);
        let limit = self.inner.options.first_byte_timeout;
        let response = match tokio::time::timeout(limit, request.send()).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(transport_error(&call.what, error)),
            Err(_) => {
                return Err(Error::Stalled { what: call.what.clone(), waited: limit });
            }
        };
        self.note_usage(response.headers());
        let status = response.status();
        if status.is_success() || status == StatusCode::NOT_MODIFIED {
            return Ok(Ok(response));
        }
        let headers = response.headers().clone();
        let wire = WireBody::new(&call.what, response, self.inner.options.stall_timeout);
        // the status is known: a broken error body changes nothing
        let body = read_whole(wire, MAX_ERROR_BODY_BYTES).await.unwrap_or_default();
        Ok(Err(Refusal::read(status, &headers, &body)))
    }

    fn request(&self, call: &Call, session: &Session) -> Result<reqwest::RequestBuilder> {
        let mut url = session.instance.clone();
        url.set_path(&call.path);
        let (name, scheme) = match call.path.starts_with(ASYNC_ROOT) {
            true => (SESSION_HEADER, ""),
            false => (AUTHORIZATION, "Bearer "),
        };
        let mut token = HeaderValue::from_str(&format!("{scheme}{}", session.token.expose_secret()))
            .map_err(|_| Error::config("the access token holds characters that no token has (a newline?)"))?;
        token.set_sensitive(true);
        let mut request = self
            .inner
            .http
            .request(call.method.clone(), url)
            .header(name, token)
            .header(ACCEPT, call.accept)
            .header(ACCEPT_ENCODING, if self.inner.gzip { "gzip" } else { "identity" });
        if !call.query.is_empty() {
            request = request.query(&call.query);
        }
        if let Some(since) = &call.if_modified_since {
            request = request.header(IF_MODIFIED_SINCE, since.clone());
        }
        for (name, value) in &call.headers {
            request = request.header(name, value.clone());
        }
        Ok(match (&call.json, &call.text) {
            (Some(json), _) => request.json(json),
            (None, Some((kind, text))) => request.header(CONTENT_TYPE, *kind).body(text.clone()),
            (None, None) => request,
        })
    }

    fn note_usage(&self, headers: &HeaderMap) {
        let date = headers.get(http::header::DATE).and_then(|v| v.to_str().ok());
        if let Some(date) = date.and_then(|text| chrono::DateTime::parse_from_rfc2822(text).ok()) {
            let offset = date.timestamp() - chrono::Utc::now().timestamp();
            self.inner.clock_offset.store(offset, Ordering::Relaxed);
        }
        let told = headers.get("sforce-limit-info").and_then(|v| v.to_str().ok()).and_then(parse_api_usage);
        if let Some((used, allowed)) = told {
            self.inner.usage[0].store(used, Ordering::Relaxed);
            self.inner.usage[1].store(allowed, Ordering::Relaxed);
        }
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("name", &self.inner.name).finish_non_exhaustive()
    }
}

pub(crate) fn parse_json<T: DeserializeOwned>(what: &str, reply: &Reply) -> Result<T> {
    serde_json::from_slice(&reply.body).map_err(|e| {
        let start: String = String::from_utf8_lossy(&reply.body).chars().take(60).collect();
        Error::protocol(what, format!("the answer is not the expected JSON ({e}); it starts with {start:?}"))
    })
}

fn transport_error(what: &str, error: reqwest::Error) -> Error {
    let executed_for_sure_not = error.is_connect() || error.is_builder();
    // The query of the URL may hold data; the host says which machine to look for.
    let host = error.url().and_then(|url| url.host_str()).map_or_else(String::new, |host| format!("{host}: "));
    let detail = format!("{host}{}", crate::http::describe_error(error));
    Error::Transport { what: what.to_owned(), detail, executed_for_sure_not }
}
