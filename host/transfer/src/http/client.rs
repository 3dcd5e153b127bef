//! The client: one exchange after the other, or side by side, all under the same rules.

use std::collections::btree_map::{self, BTreeMap};
use std::fmt;
use std::sync::{Arc, Once};
use std::time::Duration;

use reqwest::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap, HeaderValue};

use super::address::Reach;
use super::body::Collector;
use super::dial::{Checked, Resolver, SystemResolver};
use super::echo::Secrets;
use super::grant::{Entry, HttpSetupError, OriginGrant};
use super::policy::{self, Admitted};
use super::{HttpError, Request, Response, failure};

/// Headers of a response; more is an attack or a mistake.
const RESPONSE_HEADERS_MAX_BYTES: usize = 64 * 1024;
/// As many headers as common servers allow.
const RESPONSE_HEADERS_MAX_COUNT: usize = 200;
/// Idle connections that are kept for an origin.
const IDLE_MAX_COUNT: usize = 8;
/// How long they are kept; then the name is looked up again.
const IDLE_MAX: Duration = Duration::from_secs(30);

/// Sends requests to granted origins. Cheap to share by reference, safe to use from many tasks.
pub struct Client {
    entries: Vec<Entry>,
    lines: BTreeMap<Reach, reqwest::Client>,
    secrets: Secrets,
}

impl Client {
    /// Checks the grants. Names are looked up as the operating system does it.
    ///
    /// # Errors
    /// [`HttpSetupError`] names the grant that cannot be kept.
    pub fn new(grants: Vec<OriginGrant>) -> Result<Self, HttpSetupError> {
        Self::with_resolver(grants, Arc::new(SystemResolver))
    }

    /// The same with another way to look names up; its answers are checked as those of the system are.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn with_resolver(grants: Vec<OriginGrant>, resolver: Arc<dyn Resolver>) -> Result<Self, HttpSetupError> {
        let entries: Vec<Entry> = grants.into_iter().map(Entry::check).collect::<Result<_, _>>()?;
        let mut lines = BTreeMap::new();
        for (at, entry) in entries.iter().enumerate() {
            if entries.iter().take(at).any(|earlier| earlier.name == entry.name) {
                return Err(HttpSetupError::TwiceNamed(entry.name.clone()));
            }
            if let btree_map::Entry::Vacant(free) = lines.entry(entry.reach) {
                free.insert(line(entry.reach, Arc::clone(&resolver))?);
            }
        }
        let secrets = Secrets::of(&entries);
        Ok(Self { entries, lines, secrets })
    }

    /// Names of the grants.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| entry.name.as_str())
    }

    /// One exchange. Dropping the future ends it.
    ///
    /// # Errors
    /// [`HttpError::Denied`] for what is not granted and for a response that repeats a credential; see [`HttpError`].
    pub async fn send(&self, request: Request) -> Result<Response, HttpError> {
        let admitted = policy::admit(&self.entries, &request)?;
        let exchange = self.exchange(&admitted, &request);
        let response = tokio::time::timeout(request.timeout, exchange).await.map_err(|_| HttpError::Timeout)??;
        self.secrets.check(&response)?;
        Ok(response)
    }

    async fn exchange(&self, admitted: &Admitted, request: &Request) -> Result<Response, HttpError> {
        let Some(line) = self.lines.get(&admitted.reach) else {
            return Err(HttpError::Denied("no connection of that kind is granted".to_owned()));
        };
        let mut message = reqwest::Request::new(request.method.on_the_wire(), admitted.url.clone());
        *message.headers_mut() = admitted.headers.clone();
        if !request.body.is_empty() {
            *message.body_mut() = Some(request.body.clone().into());
        } else if request.method.has_body() {
            message.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        let failed = |error: reqwest::Error| failure::of(&error, admitted);
        let mut response = line.execute(message).await.map_err(failed)?;
        let mut collector = Collector::new(response.headers(), request.max_response_bytes)?;
        let headers = headers(response.headers(), collector.decodes())?;
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            collector.push(&chunk)?;
        }
        Ok(Response { status: response.status().as_u16(), headers, body: collector.finish()? })
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("grants", &self.entries).finish_non_exhaustive()
    }
}

fn headers(given: &HeaderMap, is_decoded: bool) -> Result<Vec<(String, String)>, HttpError> {
    let bytes: usize = given.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if bytes > RESPONSE_HEADERS_MAX_BYTES {
        return Err(HttpError::TooLarge(RESPONSE_HEADERS_MAX_BYTES as u64));
    }
    let kept = given.iter().filter(|(name, _)| !is_decoded || (*name != CONTENT_ENCODING && *name != CONTENT_LENGTH));
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    Ok(kept.map(|(name, value)| (name.as_str().to_owned(), text(value.as_bytes()))).collect())
}

static CRYPTO: Once = Once::new();

/// The library's client for one reach. The resolver sees every name; addresses in URLs were checked by the policy.
fn line(reach: Reach, resolver: Arc<dyn Resolver>) -> Result<reqwest::Client, HttpSetupError> {
    CRYPTO.call_once(|| {
        // someone else may have installed a provider already, which is as good
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("forcepump/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .referer(false)
        .tcp_nodelay(true)
        .http1_max_headers(RESPONSE_HEADERS_MAX_COUNT)
        .pool_max_idle_per_host(IDLE_MAX_COUNT)
        .pool_idle_timeout(IDLE_MAX)
        .https_only(reach != Reach::Loopback)
        .dns_resolver(Checked { resolver, reach });
    if reach == Reach::Loopback {
        // speaks http only, and so needs no root certificates
        builder = builder.tls_certs_only([]);
    }
    builder.build().map_err(|error| HttpSetupError::Client(error.to_string()))
}
