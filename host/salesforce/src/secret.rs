//! References to secrets: where a secret lies, never what it is.

use std::fmt;
use std::path::{Path, PathBuf};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use secrecy::SecretString;
use serde::{Deserialize, Deserializer};

use crate::error::Error;
use crate::store::Vault;

/// A longer file is not a secret but a mistake in the path.
const MAX_SECRET_FILE_BYTES: u64 = 64 * 1024;

/// Where a secret lies: `env:NAME` (environment variable), `file:PATH` (relative to the connections file), or
/// `store:KEY` (typed by the user and kept in the connection's own part of the token store).
///
/// Plain text is not kept and not refused while parsing, because a parser's error message would show the line
/// with the secret in it; [`SecretRef::resolve`] refuses it without showing it.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretRef(Place);

#[derive(Clone, PartialEq, Eq)]
enum Place {
    Env(String),
    File(PathBuf),
    Store(String),
    PlainText,
}

impl SecretRef {
    /// Reads a reference; anything that is not a reference counts as plain text and is dropped.
    pub fn parse(text: &str) -> Self {
        let place = match text.trim().split_once(':') {
            Some(("env", name)) if !name.is_empty() => Place::Env(name.to_owned()),
            Some(("file", path)) if !path.is_empty() => Place::File(PathBuf::from(path)),
            Some(("store", key)) if !key.is_empty() => Place::Store(key.to_owned()),
            _ => Place::PlainText,
        };
        Self(place)
    }

    /// Refuses plain text. `setting` names the key in the connections file.
    pub fn check(&self, setting: &str) -> Result<(), Error> {
        match self.0 {
            Place::PlainText => Err(Error::config(format!(
                "{setting} holds plain text; secrets are given by reference only: \
                 write {setting} = \"env:NAME\" (environment variable) or {setting} = \"file:PATH\" \
                 (a file beside the connections file), and change the secret if this file was shared"
            ))),
            _ => Ok(()),
        }
    }

    /// Reads the secret. Relative files are looked up in `folder`, the connections file's own.
    pub fn resolve(&self, setting: &str, folder: &Path) -> Result<SecretString, Error> {
        self.resolve_with(setting, folder, None)
    }

    /// As [`SecretRef::resolve`]; with the connection's part of the token store, where `store:` leads to.
    pub(crate) fn resolve_with(
        &self,
        setting: &str,
        folder: &Path,
        vault: Option<&Vault>,
    ) -> Result<SecretString, Error> {
        self.check(setting)?;
        let text = match &self.0 {
            Place::Store(key) => return from_store(setting, key, vault),
            Place::Env(name) => std::env::var(name).map_err(|_| {
                Error::config(format!(
                    "{setting} refers to the environment variable {name}, which is not set (or is not UTF-8): \
                     export {name} before the run"
                ))
            })?,
            Place::File(path) => read_secret_file(setting, &folder.join(path))?,
            Place::PlainText => String::new(),
        };
        let trimmed = text.trim_end_matches(['\r', '\n']);
        if trimmed.trim().is_empty() {
            return Err(Error::config(format!("{setting} ({self}) is empty")));
        }
        Ok(SecretString::from(trimmed.to_owned()))
    }

    /// The key in the token store, if it lies there.
    pub fn store_key(&self) -> Option<&str> {
        match &self.0 {
            Place::Store(key) => Some(key),
            _ => None,
        }
    }

    /// The file that holds the secret, if it is one: a rotated refresh token is written back there.
    pub fn file(&self, folder: &Path) -> Option<PathBuf> {
        match &self.0 {
            Place::File(path) => Some(folder.join(path)),
            _ => None,
        }
    }
}

fn from_store(setting: &str, key: &str, vault: Option<&Vault>) -> Result<SecretString, Error> {
    let vault = vault.ok_or_else(|| {
        Error::config(format!(
            "{setting} = \"store:{key}\": store: is for connections only, write env:NAME or file:PATH"
        ))
    })?;
    vault.store.secret(&vault.name, key)?.ok_or_else(|| {
        let name = &vault.name;
        Error::config(format!(
            "{setting} refers to {key} in the token store, which has none for this connection\n\
             hint: type it again with `forcepump connection reconnect {name}`"
        ))
    })
}

fn read_secret_file(setting: &str, path: &Path) -> Result<String, Error> {
    let refuse = |why: String| Error::config(format!("{setting} refers to the file {}: {why}", path.display()));
    let size = std::fs::metadata(path).map_err(|e| refuse(e.to_string()))?.len();
    if size > MAX_SECRET_FILE_BYTES {
        return Err(refuse(format!("{size} bytes, at most {MAX_SECRET_FILE_BYTES} are read")));
    }
    std::fs::read_to_string(path).map_err(|e| refuse(e.to_string()))
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Env(name) => write!(f, "env:{name}"),
            Place::File(path) => write!(f, "file:{}", path.display()),
            Place::Store(key) => write!(f, "store:{key}"),
            Place::PlainText => f.write_str("(plain text, refused)"),
        }
    }
}

impl fmt::Debug for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretRef({self})")
    }
}

impl<'de> Deserialize<'de> for SecretRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::parse(&String::deserialize(deserializer)?))
    }
}

impl JsonSchema for SecretRef {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "SecretRef".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^(env|file|store):.+$",
            "description": "a secret by reference: env:NAME, file:PATH, or store:KEY for one that was typed"
        })
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn plain_text_is_refused_without_being_shown() {
        let secret = SecretRef::parse("hunter2-super-secret");
        let error = secret.resolve("client_secret", Path::new(".")).unwrap_err();
        for text in [error.to_string(), format!("{error:?}"), format!("{secret:?}"), secret.to_string()] {
            assert!(!text.contains("hunter2"), "{text}");
        }
        assert!(error.to_string().contains("env:NAME"), "{error}");
    }

    #[test]
    fn file_is_relative_to_the_given_folder_and_loses_its_newline() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret.txt"), "abc\r\n").unwrap();
        let secret = SecretRef::parse("file:secret.txt").resolve("client_secret", folder.path()).unwrap();
        assert_eq!(secret.expose_secret(), "abc");
        let missing = SecretRef::parse("file:nope").resolve("client_secret", folder.path()).unwrap_err();
        assert!(missing.to_string().contains("nope"), "{missing}");
    }

    #[tokio::test]
    async fn what_was_typed_is_found_in_the_store_of_its_connection_only() {
        let store = crate::store::TokenStore::in_memory();
        store.keep_secret("prod", "password", SecretString::from("abc")).await.unwrap();
        let secret = SecretRef::parse("store:password");
        let resolve = |name: &str| {
            let vault = Vault { store: store.clone(), name: name.to_owned() };
            secret.resolve_with("password", Path::new("."), Some(&vault))
        };
        assert_eq!(resolve("prod").unwrap().expose_secret(), "abc");
        assert!(resolve("other").unwrap_err().to_string().contains("reconnect other"));
        let error = secret.resolve("token", Path::new(".")).unwrap_err().to_string();
        assert!(error.contains("connections only"), "{error}");
    }

    #[test]
    fn empty_and_unset_are_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("empty"), "\n").unwrap();
        let empty = SecretRef::parse("file:empty").resolve("client_secret", folder.path()).unwrap_err();
        assert!(empty.to_string().contains("is empty"), "{empty}");
        let unset = SecretRef::parse("env:FORCEPUMP_TEST_NEVER_SET").resolve("client_secret", folder.path());
        assert!(unset.unwrap_err().to_string().contains("FORCEPUMP_TEST_NEVER_SET"));
    }
}
