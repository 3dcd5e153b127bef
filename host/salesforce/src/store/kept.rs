//! What is kept for one connection.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::Secrets;

/// Keys of a connection whose typed secrets are tokens.
const TOKEN_KEYS: [&str; 2] = ["refresh_token", "access_token"];

/// Tokens and typed secrets of one connection.
#[derive(Debug, Clone, Default)]
pub(crate) struct Kept {
    pub(crate) access_token: Option<SecretString>,
    /// Where the access token is valid.
    pub(crate) instance_url: Option<String>,
    pub(crate) refresh_token: Option<SecretString>,
    /// Seconds since 1970 when the access token came.
    pub(super) access_since: u64,
    /// Seconds since 1970 when the refresh token came.
    pub(super) refresh_since: u64,
    /// Secrets that the user typed, by the key of the connection that refers to them.
    pub(crate) secrets: Secrets,
}

/// What is kept for a connection, without what it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TokenStatus {
    /// an access token is kept
    pub access_token: bool,
    /// seconds since it came
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_age_seconds: Option<u64>,
    /// a refresh token is kept
    pub refresh_token: bool,
    /// seconds since it came; rotation makes it new
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_age_seconds: Option<u64>,
    /// keys of the connection whose secrets are kept here
    pub secrets: Vec<String>,
}

/// The content of a token file. Unknown keys are of a newer version and ignored.
#[derive(Serialize, Deserialize, Default)]
#[serde(default)]
struct Written {
    access_token: Option<String>,
    instance_url: Option<String>,
    refresh_token: Option<String>,
    access_since: u64,
    refresh_since: u64,
    secrets: BTreeMap<String, String>,
}

impl Kept {
    /// Takes a fresh grant; without a refresh token in it the old one stays.
    pub(crate) fn grant(&mut self, access: SecretString, instance_url: Option<String>, refresh: Option<SecretString>) {
        let now = now_seconds();
        (self.access_token, self.access_since) = (Some(access), now);
        if instance_url.is_some() {
            self.instance_url = instance_url;
        }
        if refresh.is_some() {
            (self.refresh_token, self.refresh_since) = (refresh, now);
        }
    }

    pub(crate) fn has_tokens(&self) -> bool {
        self.access_token.is_some() || self.refresh_token.is_some()
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.has_tokens() && self.secrets.is_empty()
    }

    /// What is left without tokens, whether a login gave them or the user typed them; none when there are none.
    pub(super) fn without_tokens(mut self) -> Option<Self> {
        let typed = TOKEN_KEYS.iter().filter(|key| self.secrets.remove(**key).is_some()).count();
        (typed > 0 || self.has_tokens()).then(|| Self { secrets: self.secrets, ..Self::default() })
    }

    /// The other's tokens, if it has any, and the secrets of both.
    pub(super) fn merged(mut self, other: Self) -> Self {
        self.secrets.extend(other.secrets.clone());
        if other.has_tokens() { Self { secrets: self.secrets, ..other } } else { self }
    }

    pub(super) fn status(&self) -> TokenStatus {
        let now = now_seconds();
        let age = |since: u64, token: &Option<SecretString>| token.as_ref().map(|_| now.saturating_sub(since));
        TokenStatus {
            access_token: self.access_token.is_some(),
            access_age_seconds: age(self.access_since, &self.access_token),
            refresh_token: self.refresh_token.is_some(),
            refresh_age_seconds: age(self.refresh_since, &self.refresh_token),
            secrets: self.secrets.keys().cloned().collect(),
        }
    }

    pub(super) fn parse(content: &[u8]) -> Option<Self> {
        let written: Written = serde_json::from_slice(content).ok()?;
        Some(Self {
            access_token: written.access_token.map(SecretString::from),
            instance_url: written.instance_url,
            refresh_token: written.refresh_token.map(SecretString::from),
            access_since: written.access_since,
            refresh_since: written.refresh_since,
            secrets: written.secrets.into_iter().map(|(key, secret)| (key, SecretString::from(secret))).collect(),
        })
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let shown = |token: &Option<SecretString>| token.as_ref().map(|token| token.expose_secret().to_owned());
        let written = Written {
            access_token: shown(&self.access_token),
            instance_url: self.instance_url.clone(),
            refresh_token: shown(&self.refresh_token),
            access_since: self.access_since,
            refresh_since: self.refresh_since,
            secrets: self
                .secrets
                .iter()
                .map(|(key, secret)| (key.clone(), secret.expose_secret().to_owned()))
                .collect(),
        };
        // a struct of strings and numbers always has a JSON form
        serde_json::to_vec(&written).unwrap_or_default()
    }
}

fn now_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
