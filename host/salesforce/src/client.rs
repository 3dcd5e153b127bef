//! The client: every request goes through here and gets a token, time-outs, retries, and a readable error.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use crate::body::{WireBody, read_whole};
use crate::describe::DescribeCache;
use crate::error::{Error, Result};
use crate::notices::{Listener, Notices};
use crate::options::ClientOptions;
use crate::place::is_loopback;
use crate::resolved::ResolvedConnection;
use crate::retry::RetryBudget;
use crate::session::{Session, Sessions};
use crate::throttle::{DailyShare, Permit, Throttle};

/// The largest JSON answer that is taken (a describe of 800 wide fields is about 5 MB).
const MAX_JSON_BYTES: usize = 64 * 1024 * 1024;

/// A Salesforce org, seen through one connection. Cheap to clone; clones share session, cache, budget, counters.
#[derive(Clone)]
pub struct Client {
    pub(crate) inner: Arc<Inner>,
    /// The requests of this client and its clones, where they are counted apart from those of the others.
    apart: Option<Arc<AtomicU64>>,
}

pub(crate) struct Inner {
    pub(crate) http: reqwest::Client,
    pub(crate) sessions: Sessions,
    pub(crate) api_version: String,
    pub(crate) options: ClientOptions,
    pub(crate) describes: DescribeCache,
    pub(crate) name: String,
    pub(crate) gzip: bool,
    pub(crate) budget: RetryBudget,
    pub(crate) calls: AtomicU64,
    pub(crate) notices: Notices,
    /// Requests under way that make something in the org.
    pub(crate) making: watch::Sender<usize>,
    /// The org's, known after the login.
    throttle: Mutex<Option<Arc<Throttle>>>,
    /// The operator has heard that the daily share runs short.
    pub(crate) warned: AtomicBool,
    /// How far the server's clock is before ours, in seconds, as the last answer told it.
    pub(crate) clock_offset: AtomicI64,
    pub(crate) clock_known: AtomicBool,
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
    /// It leaves the org tidy, and is sent whatever the limits of the connection say.
    pub(crate) tidies: bool,
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
            tidies: false,
        }
    }

    /// The same as a call that tidies up.
    pub(crate) fn tidying(self) -> Self {
        Self { tidies: true, ..self }
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
        let notices = Notices::default();
        let inner = Inner {
            gzip,
            api_version: connection.api_version.clone(),
            name: connection.name.clone(),
            sessions: Sessions::new(connection, http.clone(), &options, notices.clone()),
            http,
            describes: DescribeCache::default(),
            budget: RetryBudget::new(options.retry_budget),
            calls: AtomicU64::new(0),
            notices,
            making: watch::Sender::new(0),
            throttle: Mutex::new(None),
            warned: AtomicBool::new(false),
            clock_offset: AtomicI64::new(0),
            clock_known: AtomicBool::new(false),
            options,
        };
        Ok(Self { inner: Arc::new(inner), apart: None })
    }

    /// The same client, whose requests are counted apart too: [`Client::calls_used`] of it and its clones are its own.
    #[must_use]
    pub fn counted_apart(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), apart: Some(Arc::default()) }
    }

    /// Logs in, if that has not happened: a cheap test of the credentials that costs no API call.
    pub async fn login(&self) -> Result<()> {
        self.inner.sessions.current().await.map(|_| ())
    }

    /// Logs in as [`Client::login`] does, and renews tokens that are kept, which shows that later logins will work.
    pub async fn prove_login(&self) -> Result<()> {
        self.inner.sessions.prove().await
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
        Ok(org_of(&session).map_or_else(|| session.instance.host_str().unwrap_or_default().to_owned(), str::to_owned))
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
    /// Logins are not counted, by Salesforce neither, and what never reached the org is not.
    pub fn calls_used(&self) -> u64 {
        self.apart.as_deref().unwrap_or(&self.inner.calls).load(Ordering::Relaxed)
    }

    /// A request is on its way.
    pub(crate) fn call_begins(&self) {
        for calls in self.counters() {
            calls.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// It did not reach the org.
    pub(crate) fn call_never_arrived(&self) {
        for calls in self.counters() {
            calls.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn counters(&self) -> impl Iterator<Item = &AtomicU64> {
        [&self.inner.calls].into_iter().chain(self.apart.as_deref())
    }

    /// Requests that had to be sent again.
    pub fn retries(&self) -> u64 {
        self.inner.budget.taken()
    }

    /// API calls used and allowed in the org (`Sforce-Limit-Info`, or `/limits`), as the last answer told them.
    pub fn api_usage(&self) -> Option<(u64, u64)> {
        self.known_throttle()?.told()
    }

    /// The org's API calls of 24 hours against the share that this connection may use; none before the org told.
    pub fn daily_share(&self) -> Option<DailyShare> {
        self.known_throttle()?.share(self.inner.options.daily_share)
    }

    /// The wait between two looks at a job: longer when the daily share runs short.
    pub(crate) fn between_polls(&self, delay: Duration) -> Duration {
        self.daily_share().map_or(delay, |share| share.between_polls(delay))
    }

    fn known_throttle(&self) -> Option<Arc<Throttle>> {
        self.inner.throttle.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// As `/limits` told it, for orgs whose answers do not.
    pub(crate) fn prefill_usage(&self, allowed: i64, left: i64) {
        let used = u64::try_from(allowed.saturating_sub(left)).ok();
        if let (Some(throttle), Ok(allowed), Some(used)) = (self.known_throttle(), u64::try_from(allowed), used) {
            throttle.prefill(used, allowed);
        }
    }

    /// The limits of the org that the session belongs to.
    pub(crate) fn throttle(&self, session: &Session) -> Arc<Throttle> {
        let key = org_key(session);
        let mut known = self.inner.throttle.lock().unwrap_or_else(PoisonError::into_inner);
        match known.as_ref().filter(|throttle| throttle.is_of(&key)) {
            Some(throttle) => Arc::clone(throttle),
            None => Arc::clone(known.insert(Throttle::of(&key, &self.inner.options))),
        }
    }

    /// Salesforce's clock in microseconds since the epoch, as the `Date` of the last answer told it, to a second; before
    /// the first answer this machine's.
    pub fn server_now_micros(&self) -> i64 {
        chrono::Utc::now().timestamp_micros() + self.inner.clock_offset.load(Ordering::Relaxed) * 1_000_000
    }

    /// How far Salesforce's clock is before this machine's, in seconds, as the `Date` of the last answer told it; none
    /// before the first answer.
    pub fn clock_offset_seconds(&self) -> Option<i64> {
        self.inner.clock_known.load(Ordering::Relaxed).then(|| self.inner.clock_offset.load(Ordering::Relaxed))
    }

    /// Things the user should hear of, for example a rotated refresh token that could not be stored.
    pub async fn notices(&self) -> Vec<String> {
        self.inner.notices.kept()
    }

    /// Whom to tell what happens while a call is under way: a login that is tried again, a share that runs short.
    pub fn listen(&self, listener: Listener) {
        self.inner.notices.listen(listener);
    }

    /// Returns as soon as no request is under way that makes something in the org: what waits for its turn, or to be sent
    /// again, may be dropped.
    pub async fn nothing_is_being_made(&self) {
        let mut count = self.inner.making.subscribe();
        // the sender lives in `self`
        let _ = count.wait_for(|count| *count == 0).await;
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
        let mut response = self.retrying(call, || self.attempt(call)).await?;
        // A body that is left to the caller may wait for the very worker that waits for another request's turn: its
        // place is free from now on. How many bodies flow side by side is the caller's to bound.
        response.extensions_mut().remove::<Arc<Permit>>();
        Ok(response)
    }
}

/// The org's id, which every opaque access token begins with.
fn org_of(session: &Session) -> Option<&str> {
    session.token.expose_secret().split_once('!').map(|(org, _)| org).filter(|org| org.len() == 15)
}

/// Sessions with the same key belong to one org. On loopback several emulators may give out the same id.
fn org_key(session: &Session) -> String {
    let origin = || session.instance.origin().ascii_serialization();
    match org_of(session) {
        Some(org) if is_loopback(&session.instance) => format!("{} {org}", origin()),
        Some(org) => org.to_owned(),
        None => origin(),
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
