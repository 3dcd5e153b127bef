//! Connections looked at, tried, made and changed, apart from any pipeline.

mod draft;
mod forget;
mod trial;

use std::path::{Path, PathBuf};

use forcepump_salesforce::{ConnectionConfig, TokenStatus, TokenStore};
use serde::Serialize;

pub use draft::{ConnectionDraft, ConnectionSaved};
pub use forget::{ConnectionForgotten, RevokedTokens, remove_connection, reset_connection};
pub use trial::ConnectionTest;

use crate::error::Error;
use crate::file::{Connections, find_connections_file};

/// One connection of the file, without any secret.
#[derive(Debug, Clone, Serialize)]
pub struct ConnectionSummary {
    /// its name
    pub name: String,
    /// where the org is
    pub place: String,
    /// how it logs in
    pub auth: String,
    /// API version
    pub api_version: String,
    /// settings that hold no secret, and for the others where the secret lies and whether it is there
    pub settings: Vec<ConnectionSetting>,
    /// of logins by a person: which tokens are kept, and how old they are
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<ConnectionTokens>,
}

/// The tokens of a connection, never what they are.
#[derive(Debug, Clone, Serialize)]
pub struct ConnectionTokens {
    /// which there are
    #[serde(flatten)]
    pub status: TokenStatus,
    /// why they cannot be read
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// One setting of a connection.
#[derive(Debug, Clone, Serialize)]
pub struct ConnectionSetting {
    /// its key in the file
    pub key: String,
    /// the value, or the reference of a secret
    pub value: String,
    /// for references: whether something can be read there
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<bool>,
}

/// The connections of the file, by name.
///
/// # Errors
/// [`Error::File`] when the file is missing or malformed.
pub fn list_connections(connections: Option<&Path>) -> Result<(PathBuf, Vec<ConnectionSummary>), Error> {
    let path = find_connections_file(connections, Path::new("."))?;
    let known = Connections::load(&path)?;
    let store = TokenStore::beside(known.folder());
    let summaries = known.iter().map(|(name, config)| summary(name, config, known.folder(), &store)).collect();
    Ok((path, summaries))
}

/// One connection of the file; without a name, the only one there is.
///
/// # Errors
/// As [`list_connections`], and for a name that the file does not have.
pub fn show_connection(connections: Option<&Path>, name: Option<&str>) -> Result<ConnectionSummary, Error> {
    let path = find_connections_file(connections, Path::new("."))?;
    let known = Connections::load(&path)?;
    let name = known.choose(name)?;
    Ok(summary(name, known.get(name)?, known.folder(), &TokenStore::beside(known.folder())))
}

fn summary(name: &str, config: &ConnectionConfig, folder: &Path, store: &TokenStore) -> ConnectionSummary {
    let settings = config.settings().into_iter().map(|(key, value, secret)| ConnectionSetting {
        key: key.to_owned(),
        value,
        found: secret.map(|secret| config.finds(key, secret, name, folder, store)),
    });
    let tokens = config.auth.filter(|auth| auth.is_interactive()).map(|_| tokens(name, store));
    ConnectionSummary {
        name: name.to_owned(),
        place: config.place(),
        auth: config.auth.map_or_else(|| "none".to_owned(), |auth| auth.as_str().to_owned()),
        api_version: config.api_version.clone().unwrap_or_else(|| forcepump_salesforce::DEFAULT_API_VERSION.to_owned()),
        settings: settings.collect(),
        tokens,
    }
}

fn tokens(name: &str, store: &TokenStore) -> ConnectionTokens {
    match store.status(name) {
        Ok(status) => ConnectionTokens { status, problem: None },
        Err(error) => ConnectionTokens { status: TokenStatus::default(), problem: Some(error.to_string()) },
    }
}
