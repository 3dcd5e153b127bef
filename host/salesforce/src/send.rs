//! One request on its way: admitted by the org's limits, sent with the session at hand, counted once however it ends.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, IF_MODIFIED_SINCE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use secrecy::ExposeSecret;
use tokio::sync::watch;

use crate::answer::{MAX_ERROR_BODY_BYTES, Refusal, parse_api_usage};
use crate::body::{WireBody, read_whole};
use crate::client::{Call, Client};
use crate::error::{Error, Result};
use crate::retry::Failed;
use crate::session::Session;
use crate::throttle::{Asking, DailyShare, Permit, Throttle};
use crate::words::network::NoAnswer;

/// Bulk API 1.0, which wants the session in a header of its own (Bulk API guide, "Set a Session Header").
const ASYNC_ROOT: &str = "/services/async/";
const SESSION_HEADER: HeaderName = HeaderName::from_static("x-sfdc-session");

impl Client {
    /// One attempt: with the session at hand, and once more with a new one if that was dead.
    pub(crate) async fn attempt(&self, call: &Call) -> Result<reqwest::Response, Failed> {
        let session = self.inner.sessions.current().await.map_err(Failed::Login)?;
        match self.admitted(call, &session).await? {
            Ok(response) => return Ok(response),
            Err(refused) if refused.refusal.is_dead_session() => drop(refused),
            Err(refused) => return Err(self.failed(call, refused)),
        }
        let renewed = self.inner.sessions.renew(&session).await.map_err(Failed::Login)?;
        match self.admitted(call, &renewed).await? {
            Ok(response) => Ok(response),
            Err(refused) => Err(self.failed(call, refused)),
        }
    }

    /// Sends when the limits let it. The response carries the permit: a body that is read at once is part of the request.
    async fn admitted(
        &self,
        call: &Call,
        session: &Session,
    ) -> Result<std::result::Result<reqwest::Response, Refused>> {
        let inner = &self.inner;
        let throttle = self.throttle(session);
        let asking = Asking { what: &call.what, connection: &inner.name, options: &inner.options, tidies: call.tidies };
        let permit = throttle.admit(&asking).await?;
        let answer = self.send(call, session, &throttle).await?;
        self.warn_of_share(&throttle);
        Ok(match answer {
            Ok(mut response) => {
                response.extensions_mut().insert(Arc::new(permit));
                Ok(response)
            }
            Err(refusal) => Err(Refused { refusal, throttle, permit }),
        })
    }

    fn failed(&self, call: &Call, refused: Refused) -> Failed {
        let Refused { refusal, throttle, permit } = refused;
        let retry_after = refusal.retry_after;
        let error = refusal.into_error(&call.what, throttle.told());
        if error.is_too_many_at_once() {
            throttle.too_many_at_once(&permit, retry_after);
        }
        let error = if error.is_day_used_up() { throttle.used_up(error) } else { error };
        Failed::Call { error, retry_after }
    }

    fn warn_of_share(&self, throttle: &Throttle) {
        let share = throttle.share(self.inner.options.daily_share).filter(DailyShare::is_short);
        if let Some(share) = share
            && !self.inner.warned.swap(true, Ordering::Relaxed)
        {
            self.inner.notices.keep(share.warning());
        }
    }

    /// Outer error: no answer. Inner error: an answer that is a refusal.
    async fn send(
        &self,
        call: &Call,
        session: &Session,
        throttle: &Throttle,
    ) -> Result<std::result::Result<reqwest::Response, Refusal>> {
        let sent = Sent::now(self, throttle);
        let making = (!call.idempotent).then(|| Making::begin(self));
        let request = match self.request(call, session) {
            Ok(request) => request,
            Err(error) => {
                sent.never_arrived();
                return Err(error);
            }
        };
        let limit = self.inner.options.first_byte_timeout;
        let mut response = match tokio::time::timeout(limit, request.send()).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => {
                let error = NoAnswer::of(error).into_error(&call.what);
                if error.surely_not_executed() {
                    sent.never_arrived();
                }
                return Err(error);
            }
            Err(_) => {
                return Err(Error::Stalled { what: call.what.clone(), waited: limit });
            }
        };
        sent.answered(response.headers());
        let status = response.status();
        if status.is_success() || status == StatusCode::NOT_MODIFIED {
            // made is what is answered to the end
            response.extensions_mut().insert(Arc::new(making));
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

    fn note_clock(&self, headers: &HeaderMap) {
        let date = headers.get(http::header::DATE).and_then(|v| v.to_str().ok());
        if let Some(date) = date.and_then(|text| chrono::DateTime::parse_from_rfc2822(text).ok()) {
            let offset = date.timestamp() - chrono::Utc::now().timestamp();
            self.inner.clock_offset.store(offset, Ordering::Relaxed);
            self.inner.clock_known.store(true, Ordering::Relaxed);
        }
    }
}

/// A refusal, with what it was sent under.
struct Refused {
    refusal: Refusal,
    throttle: Arc<Throttle>,
    permit: Permit,
}

/// Something is being made in the org; until this is dropped, what comes of it must be waited for.
pub(crate) struct Making(watch::Sender<usize>);

impl Making {
    pub(crate) fn begin(client: &Client) -> Self {
        client.inner.making.send_modify(|count| *count += 1);
        Self(client.inner.making.clone())
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count = count.saturating_sub(1));
    }
}

/// A request on its way, counted once however it ends; also when its future is dropped.
struct Sent<'a> {
    client: &'a Client,
    throttle: &'a Throttle,
    is_counted: bool,
}

impl<'a> Sent<'a> {
    fn now(client: &'a Client, throttle: &'a Throttle) -> Self {
        client.call_begins();
        Self { client, throttle, is_counted: false }
    }

    fn answered(mut self, headers: &HeaderMap) {
        self.client.note_clock(headers);
        let told = headers.get("sforce-limit-info").and_then(|v| v.to_str().ok()).and_then(parse_api_usage);
        self.throttle.answered(told);
        self.is_counted = true;
    }

    fn never_arrived(mut self) {
        self.client.call_never_arrived();
        self.throttle.not_sent();
        self.is_counted = true;
    }
}

impl Drop for Sent<'_> {
    fn drop(&mut self) {
        if !self.is_counted {
            // it may have been executed: then the org has counted it
            self.throttle.answered(None);
        }
    }
}
