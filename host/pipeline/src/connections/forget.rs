//! Tokens revoked and forgotten, and connections removed.

use std::path::{Path, PathBuf};

use forcepump_salesforce::{ConnectionConfig, Revoked, TokenStore, revoke};
use serde::Serialize;

use crate::error::Error;
use crate::file::{Connections, ConnectionsEdit, find_connections_file};

/// What the org did with the tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RevokedTokens {
    /// they are revoked
    Yes,
    /// the org did not know them any more
    AlreadyDead,
    /// there were none
    Nothing,
    /// the org could not be asked, or refused: they may still be valid
    Failed,
}

/// What was forgotten of a connection.
#[derive(Debug, Clone, Serialize)]
pub struct ConnectionForgotten {
    /// its name
    pub name: String,
    /// the connections file
    pub file: PathBuf,
    /// what the org did with its tokens
    pub revoked: RevokedTokens,
    /// why they could not be revoked
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// something was deleted from the token store
    pub deleted: bool,
    /// the connection is no longer in the file
    pub removed: bool,
    /// a reference of the connection that still holds the revoked token
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<String>,
}

/// Revokes a connection's tokens at the org and deletes them here; they are deleted also when the org cannot be asked.
///
/// # Errors
/// [`Error::File`] when the connection is missing, [`Error::Source`] when the tokens cannot be deleted.
pub async fn reset_connection(connections: Option<&Path>, name: Option<&str>) -> Result<ConnectionForgotten, Error> {
    let file = find_connections_file(connections, Path::new("."))?;
    let known = Connections::load(&file)?;
    let name = known.choose(name)?;
    let config = known.get(name)?;
    let store = TokenStore::beside(known.folder());
    let (revoked, problem) = revoked(config, name, known.folder(), &store).await;
    let deleted = match store.forget_tokens(name).await {
        Ok(deleted) => deleted,
        // tokens that cannot be read are of no use to anybody here
        Err(_) => store.remove(name).await?,
    };
    let own = [("refresh_token", &config.refresh_token), ("access_token", &config.access_token)];
    let elsewhere = own.iter().filter_map(|(key, secret)| Some((key, secret.as_ref()?)));
    let mut elsewhere = elsewhere.filter(|(_, secret)| secret.store_key().is_none());
    let left = elsewhere.next().map(|(key, secret)| format!("{key} = \"{secret}\""));
    let left = left.filter(|_| revoked == RevokedTokens::Yes);
    Ok(ConnectionForgotten { name: name.to_owned(), file, revoked, problem, deleted, removed: false, left })
}

/// Removes a connection from the file, and all that the token store keeps of it; its tokens are revoked if the org can
/// be asked. Tokens that the user keeps elsewhere stay as they are.
///
/// # Errors
/// [`Error::File`] when the connection is missing or the file cannot be written.
pub async fn remove_connection(connections: Option<&Path>, name: &str) -> Result<ConnectionForgotten, Error> {
    let file = find_connections_file(connections, Path::new("."))?;
    let mut edit = ConnectionsEdit::open(&file)?;
    let config = edit.config(name)?;
    let store = TokenStore::beside(edit.folder());
    let interactive = config.auth.is_some_and(forcepump_salesforce::AuthMethod::is_interactive);
    let (revoked, problem) = match interactive {
        true => revoked(&config, name, edit.folder(), &store).await,
        false => (RevokedTokens::Nothing, None),
    };
    edit.remove(name);
    edit.ready().await?.write()?;
    let deleted = store.remove(name).await?;
    Ok(ConnectionForgotten { name: name.to_owned(), file, revoked, problem, deleted, removed: true, left: None })
}

/// What the org did with the tokens, and why it did not.
pub(super) async fn revoked(
    config: &ConnectionConfig,
    name: &str,
    folder: &Path,
    store: &TokenStore,
) -> (RevokedTokens, Option<String>) {
    if config.is_demo() {
        return (RevokedTokens::Nothing, None);
    }
    match revoke(config, name, folder, store).await {
        Ok(Revoked::Yes) => (RevokedTokens::Yes, None),
        Ok(Revoked::AlreadyDead) => (RevokedTokens::AlreadyDead, None),
        Ok(Revoked::Nothing) => (RevokedTokens::Nothing, None),
        Err(error) => (RevokedTokens::Failed, Some(error.to_string())),
    }
}
