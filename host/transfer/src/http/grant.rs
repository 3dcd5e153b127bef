//! What the operator grants, checked when the client is made.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::Method;
use super::address::Reach;
use super::headers::is_framing;
use super::origin::Origin;

/// Shorter values could not be told from ordinary text in a response that is searched for them.
const SECRET_MIN_BYTES: usize = 6;

/// One origin that a guest may send requests to.
#[derive(Debug, Clone)]
pub struct OriginGrant {
    /// By which the guest names the credential, and errors name the grant.
    pub name: String,
    /// `https://HOST` or `https://HOST:PORT`; `http://…` for loopback only.
    pub origin: String,
    /// At least one.
    pub methods: Vec<Method>,
    /// Beginnings of paths, whole segments: `/v1` allows `/v1` and `/v1/x`, `/v1/` only what is below; `/` is every path.
    pub paths: Vec<String>,
    /// What is added to requests that name this grant as their credential.
    pub credential: Option<Credential>,
    /// Allows addresses of private networks, of this machine and of its link.
    pub private_addresses: bool,
}

impl OriginGrant {
    /// Whether the grant can be kept; [`super::Client::new`] asks the same.
    ///
    /// # Errors
    /// [`HttpSetupError::Grant`] with what is wrong and what is expected.
    pub fn check(&self) -> Result<(), HttpSetupError> {
        let checked = Entry::try_check(self).map(drop);
        checked.map_err(|reason| HttpSetupError::Grant { name: self.name.clone(), reason })
    }
}

/// What the host adds to a request; no guest sees it.
#[derive(Clone)]
pub enum Credential {
    /// `Authorization: Bearer VALUE` (RFC 6750).
    Bearer(SecretString),
    /// `Authorization: Basic …` (RFC 7617).
    Basic {
        /// Without a colon.
        user: String,
        /// The secret part.
        password: SecretString,
    },
    /// A header of another name.
    Header {
        /// For example `x-api-key`.
        name: String,
        /// The secret value.
        value: SecretString,
    },
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bearer(_) => f.write_str("Bearer([REDACTED])"),
            Self::Basic { user, .. } => write!(f, "Basic {{ user: {user:?}, password: [REDACTED] }}"),
            Self::Header { name, .. } => write!(f, "Header {{ name: {name:?}, value: [REDACTED] }}"),
        }
    }
}

/// A grant that cannot be kept. Texts show no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpSetupError {
    /// One grant is wrong.
    #[error("{reason}")]
    Grant {
        /// Name of the grant.
        name: String,
        /// What is wrong and what is expected.
        reason: String,
    },
    /// There are two grants of one name.
    #[error("two grants are named \"{0}\"; names tell credentials apart")]
    TwiceNamed(String),
    /// The HTTP client cannot be built.
    #[error("no HTTP client can be built: {0}")]
    Client(String),
}

/// A grant in checked form.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) origin: Origin,
    pub(crate) methods: Vec<Method>,
    pub(crate) paths: Vec<String>,
    pub(crate) credential: Option<Credential>,
    pub(crate) reach: Reach,
}

impl Entry {
    pub(crate) fn check(grant: OriginGrant) -> Result<Self, HttpSetupError> {
        Self::try_check(&grant)
            .map_err(|reason| HttpSetupError::Grant { name: grant.name.clone(), reason: reason.clone() })
            .map(|(origin, reach)| Self {
                name: grant.name,
                origin,
                methods: grant.methods,
                paths: grant.paths,
                credential: grant.credential,
                reach,
            })
    }

    fn try_check(grant: &OriginGrant) -> Result<(Origin, Reach), String> {
        let url = checked_url(&grant.origin)?;
        let origin = Origin::of(&url).ok_or_else(|| bad_origin(&grant.origin))?;
        let reach = reach_of(grant, &origin)?;
        if grant.methods.is_empty() {
            return Err("`methods` is empty, so nothing could be sent; write for example [\"get\"]".to_owned());
        }
        if grant.paths.is_empty() {
            return Err("`paths` is empty, so nothing could be asked for; write [\"/\"] for every path".to_owned());
        }
        grant.paths.iter().try_for_each(|path| check_prefix(&url, path))?;
        grant.credential.as_ref().map_or(Ok(()), Credential::check)?;
        Ok((origin, reach))
    }
}

fn bad_origin(text: &str) -> String {
    let text = super::shown(text);
    format!("`origin` is \"{text}\"; expected scheme, host and port only, such as \"https://api.example.com\"")
}

fn checked_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|_| bad_origin(text))?;
    let only_origin = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    let odd = |c: char| c.is_control() || matches!(c, '@' | '\\' | '*' | ' ' | '%');
    if !only_origin || text.contains(odd) || url.cannot_be_a_base() { Err(bad_origin(text)) } else { Ok(url) }
}

fn reach_of(grant: &OriginGrant, origin: &Origin) -> Result<Reach, String> {
    let reach = match (origin.is_https, grant.private_addresses) {
        (false, _) if !origin.is_loopback() => {
            return Err(format!("`origin` is {origin}; http is allowed for loopback only, write https"));
        }
        (false, true) => Reach::Loopback,
        (true, true) => Reach::Private,
        (_, false) => Reach::Public,
    };
    let refused = origin.literal().is_some_and(|address| !reach.admits(address));
    if refused || (!origin.is_https && reach == Reach::Public) {
        return Err(format!(
            "`origin` is {origin}, which is not a public address\nhint: add `private_addresses = true` to allow it"
        ));
    }
    Ok(reach)
}

/// A prefix that the url crate would write in another way would never match.
fn check_prefix(origin: &Url, path: &str) -> Result<(), String> {
    let normal = origin.join(path).ok().filter(|_| path.starts_with('/') && !path.starts_with("//"));
    match normal {
        Some(url) if url.path() == path && url.query().is_none() && url.fragment().is_none() => Ok(()),
        Some(url) if url.origin() == origin.origin() => {
            Err(format!("`paths` has \"{}\"; write it as \"{}\"", super::shown(path), super::shown(url.path())))
        }
        _ => Err(format!("`paths` has \"{}\"; expected an absolute path such as \"/v1\"", super::shown(path))),
    }
}

impl Credential {
    /// The header's name.
    pub(crate) fn header_name(&self) -> &str {
        match self {
            Self::Header { name, .. } => name,
            Self::Bearer(_) | Self::Basic { .. } => "authorization",
        }
    }

    /// The header as it is sent, marked as sensitive; `None` for bytes that no header may have.
    pub(crate) fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        let name = HeaderName::from_bytes(self.header_name().as_bytes()).ok()?;
        let value = SecretString::from(match self {
            Self::Bearer(token) => format!("Bearer {}", token.expose_secret()),
            Self::Basic { .. } => format!("Basic {}", self.basic_token()?.expose_secret()),
            Self::Header { value, .. } => value.expose_secret().to_owned(),
        });
        let mut value = HeaderValue::from_str(value.expose_secret()).ok()?;
        value.set_sensitive(true);
        Some((name, value))
    }

    /// The value that must not come back.
    pub(crate) fn secret(&self) -> &SecretString {
        match self {
            Self::Bearer(value) | Self::Basic { password: value, .. } | Self::Header { value, .. } => value,
        }
    }

    /// User and password as RFC 7617 joins them.
    pub(crate) fn basic_token(&self) -> Option<SecretString> {
        match self {
            Self::Basic { user, password } => {
                let pair = SecretString::from(format!("{user}:{}", password.expose_secret()));
                Some(SecretString::from(STANDARD.encode(pair.expose_secret())))
            }
            Self::Bearer(_) | Self::Header { .. } => None,
        }
    }

    fn check(&self) -> Result<(), String> {
        if let Self::Basic { user, .. } = self
            && user.contains(':')
        {
            return Err("`user` has a colon in it, which basic authentication cannot carry".to_owned());
        }
        let name = self.header_name();
        if HeaderName::from_bytes(name.as_bytes()).is_err() || is_framing(&name.to_ascii_lowercase()) {
            return Err(format!("a credential cannot be sent as the header \"{}\"", super::shown(name)));
        }
        if self.secret().expose_secret().len() < SECRET_MIN_BYTES {
            return Err(format!(
                "the credential's value is shorter than {SECRET_MIN_BYTES} bytes; responses are searched for it, and so short a \
                 text would be found everywhere"
            ));
        }
        if self.header().is_none() {
            return Err("the credential's value has characters that no header can carry (a line break?)".to_owned());
        }
        Ok(())
    }
}
