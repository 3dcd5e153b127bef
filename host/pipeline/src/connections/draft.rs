//! A connection being added, changed or logged in to again: nothing of it is kept before it works.

use std::path::{Path, PathBuf};

use forcepump_salesforce::{AuthMethod, BrowserLogin, ConnectionConfig, DeviceLogin, Listener, SecretRef, TokenStore};
use secrecy::SecretString;
use serde::Serialize;

use super::ConnectionTest;
use super::forget::{RevokedTokens, revoked};
use crate::error::Error;
use crate::file::{Connections, ConnectionsEdit, Setting, connections_file_to_write, find_connections_file};
use crate::org::Org;
use crate::session::DemoAccess;

/// What a login by a person depends on; when one of them changes, the tokens are of no use any more.
const LOGIN_KEYS: [&str; 6] = ["auth", "environment", "my_domain", "url", "client_id", "scope"];

/// A connection that is not saved yet, in its file and with secrets and tokens of its own.
pub struct ConnectionDraft {
    edit: ConnectionsEdit,
    name: String,
    config: ConnectionConfig,
    /// The store of the file.
    kept: TokenStore,
    /// What the draft works with.
    store: TokenStore,
    is_new: bool,
    needs_login: bool,
}

/// A connection that was saved.
#[derive(Debug, Clone, Serialize)]
pub struct ConnectionSaved {
    /// its name
    pub name: String,
    /// the connections file
    pub file: PathBuf,
    /// what the test found; none when it was not made, or failed and the connection was saved by force
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<ConnectionTest>,
    /// why the test failed, when the connection was saved all the same
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl ConnectionDraft {
    /// A new connection. Keys and values are those of the connections file.
    ///
    /// # Errors
    /// [`Error::File`] when the name is taken, or the file or a value cannot be used.
    pub fn add(connections: Option<&Path>, name: &str, settings: &[(String, String)]) -> Result<Self, Error> {
        let mut edit = ConnectionsEdit::open(&connections_file_to_write(connections))?;
        let settings: Vec<Setting> = settings.iter().map(|(key, value)| (key.clone(), Some(value.clone()))).collect();
        edit.add(name, &settings)?;
        let config = edit.config(name)?;
        let kept = TokenStore::beside(edit.folder());
        let needs_login = config.auth.is_some_and(AuthMethod::is_interactive);
        let store = TokenStore::in_memory();
        Ok(Self { edit, name: name.to_owned(), config, kept, store, is_new: true, needs_login })
    }

    /// A connection of the file with keys changed; none removes a key. Keys that a changed login or place has no use
    /// for go by themselves.
    ///
    /// # Errors
    /// As [`ConnectionDraft::add`], and for a name that the file does not have.
    pub async fn change(connections: Option<&Path>, name: &str, settings: &[Setting]) -> Result<Self, Error> {
        let mut edit = ConnectionsEdit::open(&find_connections_file(connections, Path::new("."))?)?;
        let before = edit.config(name)?;
        edit.check_there(name, settings)?;
        edit.set(name, &without_old_place(settings))?;
        edit.set(name, &useless(&edit.config(name)?, settings))?;
        let config = edit.config(name)?;
        let touched = settings.iter().any(|(key, _)| LOGIN_KEYS.contains(&key.as_str()));
        let kept = TokenStore::beside(edit.folder());
        let interactive = config.auth.is_some_and(AuthMethod::is_interactive);
        let needs_login = interactive && (touched || before.auth != config.auth);
        let store = if needs_login { fresh(&kept, name).await } else { kept.trying() };
        Ok(Self { edit, name: name.to_owned(), config, kept, store, is_new: false, needs_login })
    }

    /// A connection of the file whose tokens or typed secrets are made anew.
    ///
    /// # Errors
    /// [`Error::File`] when the file or the connection is missing or malformed.
    pub async fn reconnect(connections: Option<&Path>, name: Option<&str>) -> Result<Self, Error> {
        let path = find_connections_file(connections, Path::new("."))?;
        let known = Connections::load(&path)?;
        let name = known.choose(name)?.to_owned();
        let mut edit = ConnectionsEdit::open(&path)?;
        // nothing changes, and nobody else must have changed it
        edit.set(&name, &[])?;
        let config = edit.config(&name)?;
        let kept = TokenStore::beside(edit.folder());
        let store = fresh(&kept, &name).await;
        let needs_login = config.auth.is_some_and(AuthMethod::is_interactive);
        Ok(Self { edit, name, config, kept, store, is_new: false, needs_login })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The connections file.
    #[must_use]
    pub fn file(&self) -> &Path {
        self.edit.path()
    }

    /// How it logs in.
    #[must_use]
    pub fn auth(&self) -> Option<AuthMethod> {
        self.config.auth
    }

    /// It is served by the emulator inside the binary.
    #[must_use]
    pub fn is_demo(&self) -> bool {
        self.config.is_demo()
    }

    /// A person has to log in before it can be tried.
    #[must_use]
    pub fn needs_login(&self) -> bool {
        self.needs_login
    }

    /// Keys whose secrets are kept in the token store.
    #[must_use]
    pub fn typed_keys(&self) -> Vec<String> {
        self.config.store_keys()
    }

    /// Typed secrets that it refers to and does not have.
    #[must_use]
    pub fn missing_secrets(&self) -> Vec<String> {
        let found = |key: &String| {
            let reference = SecretRef::parse(&format!("store:{key}"));
            self.config.finds(key, &reference, &self.name, self.edit.folder(), &self.store)
        };
        self.config.store_keys().into_iter().filter(|key| !found(key)).collect()
    }

    /// Takes a secret that the user typed.
    ///
    /// # Errors
    /// [`Error::Source`] when it cannot be taken.
    pub async fn take_secret(&self, key: &str, secret: String) -> Result<(), Error> {
        Ok(self.store.keep_secret(&self.name, key, SecretString::from(secret)).await?)
    }

    /// Finds the key that tokens and typed secrets will be encrypted with, if there will be any, and makes it where it
    /// can be made: before a person takes the trouble of a login. Says where the key lies.
    ///
    /// # Errors
    /// [`Error::Source`] with the way to a key.
    pub fn prepare(&self) -> Result<Option<String>, Error> {
        if !self.needs_login && self.config.store_keys().is_empty() {
            return Ok(None);
        }
        Ok(Some(self.kept.ready()?))
    }

    /// Begins a login in the browser.
    ///
    /// # Errors
    /// [`Error::Source`].
    pub async fn browser(&self, listen: bool) -> Result<BrowserLogin, Error> {
        Ok(BrowserLogin::start(&self.config, &self.name, self.edit.folder(), &self.store, listen).await?)
    }

    /// Begins a login on another device.
    ///
    /// # Errors
    /// [`Error::Source`].
    pub async fn device(&self) -> Result<DeviceLogin, Error> {
        Ok(DeviceLogin::start(&self.config, &self.name, self.edit.folder(), &self.store).await?)
    }

    /// Logs in and looks around.
    ///
    /// # Errors
    /// As [`Org::test`].
    pub async fn test(&self, demo: Option<&DemoAccess>, listener: Listener) -> Result<ConnectionTest, Error> {
        let org = Org::of(&self.config, &self.name, self.edit.folder(), &self.store, demo)?;
        org.listen(listener);
        org.test().await
    }

    /// Revokes what the login of this draft was granted, which nobody will use. Tokens that were there before it, and
    /// those that the user gave, stay as they are. Says why it could not.
    pub async fn give_up(&self) -> (RevokedTokens, Option<String>) {
        if !self.needs_login {
            return (RevokedTokens::Nothing, None);
        }
        // a login makes a store of its own: nothing in it is of an earlier one
        revoked(&self.config, &self.name, self.edit.folder(), &self.store).await
    }

    /// Keeps tokens and secrets, then the connection. `outcome` is what the test found, or why it failed.
    ///
    /// # Errors
    /// [`Error::Source`] when the tokens cannot be kept, [`Error::File`] when the file cannot be written.
    pub async fn save(&self, outcome: Result<Option<ConnectionTest>, String>) -> Result<ConnectionSaved, Error> {
        // first, so that a name that somebody else took meanwhile keeps its tokens
        let ready = self.edit.ready().await?;
        if self.is_new {
            // of a connection of that name that was taken out by hand
            self.kept.remove(&self.name).await?;
        }
        self.kept.take_over(&self.name, &self.store).await?;
        if !self.is_new {
            self.kept.retain_secrets(&self.name, &self.config.store_keys()).await?;
        }
        ready.write()?;
        let (test, problem) = match outcome {
            Ok(test) => (test, None),
            Err(problem) => (None, Some(problem)),
        };
        Ok(ConnectionSaved { name: self.name.clone(), file: self.edit.path().to_owned(), test, problem })
    }
}

/// The typed secrets of a connection, without its tokens. What cannot be read is left behind: it will be typed again.
async fn fresh(kept: &TokenStore, name: &str) -> TokenStore {
    let store = TokenStore::in_memory();
    if store.take_secrets(name, kept).await.is_err() {
        return TokenStore::in_memory();
    }
    store
}

/// A new place takes the old one's: exactly one says where the org is.
fn without_old_place(settings: &[Setting]) -> Vec<Setting> {
    const PLACES: [&str; 4] = ["environment", "my_domain", "url", "instance_url"];
    let moves = settings.iter().any(|(key, value)| value.is_some() && PLACES.contains(&key.as_str()));
    let old = PLACES.iter().filter(|_| moves).map(|key| ((*key).to_owned(), None));
    old.chain(settings.iter().cloned()).collect()
}

/// Keys that the login has no use for, unless the user has just asked for them: those are told.
fn useless(config: &ConnectionConfig, settings: &[Setting]) -> Vec<Setting> {
    let Some(auth) = config.auth.filter(|_| settings.iter().any(|(key, _)| key == "auth")) else {
        return Vec::new();
    };
    let asked = |key: &str| settings.iter().any(|(given, value)| given == key && value.is_some());
    let keys = config.settings().into_iter().map(|(key, ..)| key);
    keys.filter(|key| !auth.settings().contains(key) && !asked(key)).map(|key| (key.to_owned(), None)).collect()
}
