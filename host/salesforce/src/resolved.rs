//! A connection as the client takes it: its place known, its secrets read.

use reqwest::Url;
use secrecy::SecretString;

use crate::connection::DEFAULT_API_VERSION;
use crate::credentials::Credentials;
use crate::error::{Error, Result};
use crate::place::parse_url;

/// Result columns come in the order of the SELECT list from this version on (Bulk API 2.0 guide).
const OLDEST_API_VERSION: u32 = 50;

/// A connection with its secrets read: what [`crate::Client::new`] takes.
#[derive(Debug, Clone)]
pub struct ResolvedConnection {
    pub(crate) name: String,
    pub(crate) login_url: Url,
    pub(crate) credentials: Credentials,
    pub(crate) api_version: String,
}

impl ResolvedConnection {
    /// A connection by OAuth client credentials, for hosts known at run time (the embedded emulator).
    pub fn client_credentials(url: &str, client_id: &str, client_secret: SecretString) -> Result<Self> {
        let credentials = Credentials::ClientPair { client_id: client_id.to_owned(), client_secret };
        Self::at(url, credentials)
    }

    /// A connection by an access token that exists already.
    pub fn access_token(url: &str, token: SecretString) -> Result<Self> {
        Self::at(url, Credentials::AccessToken { token })
    }

    fn at(url: &str, credentials: Credentials) -> Result<Self> {
        let login_url = parse_url("url", url)?;
        Ok(Self { name: "inline".into(), login_url, credentials, api_version: DEFAULT_API_VERSION.into() })
    }

    /// The same connection under another name and API version (as `62.0` or `v62.0`).
    pub fn named(mut self, name: &str, api_version: Option<&str>) -> Result<Self> {
        self.name = name.to_owned();
        if let Some(version) = api_version {
            self.api_version = check_api_version(version)?;
        }
        Ok(self)
    }

    /// The connection's name in its file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the login is sent, for words to the user.
    pub fn host(&self) -> &str {
        self.login_url.host_str().unwrap_or_default()
    }

    /// API version, for example `62.0`.
    pub fn api_version(&self) -> &str {
        &self.api_version
    }
}

/// Normalises `v62.0`, `62` and `62.0` to `62.0` and refuses versions that this crate cannot read.
pub(crate) fn check_api_version(text: &str) -> Result<String> {
    let bad = |why: &str| Error::config(format!("api_version = \"{text}\": {why}"));
    let digits = text.trim().trim_start_matches(['v', 'V']);
    let major = digits.strip_suffix(".0").unwrap_or(digits);
    let number: u32 = major.parse().map_err(|_| bad("expected a form like \"62.0\""))?;
    if number < OLDEST_API_VERSION {
        return Err(bad("too old, 50.0 or newer is needed (columns come in SELECT order from there on)"));
    }
    Ok(format!("{number}.0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn api_versions() {
        assert_eq!(check_api_version("v62.0").unwrap(), "62.0");
        assert_eq!(check_api_version("66").unwrap(), "66.0");
        assert!(check_api_version("47.0").is_err() && check_api_version("latest").is_err());
    }
}
