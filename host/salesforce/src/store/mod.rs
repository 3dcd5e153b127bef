//! The token store: access and refresh tokens, and secrets that were typed, one sealed file for each connection.
//!
//! `.forcepump/tokens/NAME` beside the connections file. The folder is its owner's alone, the files are encrypted, and
//! each is replaced whole under a lock: two processes that renew a rotating token at once do it one after the other,
//! and the second finds what the first was given.

pub(crate) mod disk;
mod kept;
mod key;
mod locked;
mod seal;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use secrecy::SecretString;

use crate::error::{Error, Result};
pub(crate) use kept::Kept;
pub use kept::TokenStatus;
use key::Origin;
use locked::Locked;
use seal::{Damage, Key};

/// The store's folder, beside the connections file.
const FOLDER: &str = ".forcepump/tokens";

/// The tokens of all connections of one connections file. Clones share it.
#[derive(Clone)]
pub struct TokenStore {
    place: Arc<Place>,
    /// Secrets that are tried instead of those that are kept.
    typed: Option<Arc<Mutex<Secrets>>>,
}

/// Secrets that the user typed, by the key of the connection that refers to them.
pub(crate) type Secrets = BTreeMap<String, SecretString>;

enum Place {
    Folder {
        folder: PathBuf,
        /// Found when it is first needed, then kept.
        key: OnceLock<(Key, Origin)>,
    },
    /// Of a connection that is being tried and not yet saved.
    Memory(Mutex<HashMap<String, Kept>>),
}

impl TokenStore {
    /// The store beside a connections file, of which this is the folder. Nothing is made or read yet.
    #[must_use]
    pub fn beside(connections_folder: &Path) -> Self {
        Self::at(Place::Folder { folder: connections_folder.join(FOLDER), key: OnceLock::new() })
    }

    /// A store that is gone with the process, for connections that are tried before they are saved.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::at(Place::Memory(Mutex::default()))
    }

    fn at(place: Place) -> Self {
        Self { place: Arc::new(place), typed: None }
    }

    /// This store, but with secrets that are not written to it; tokens are, as logins change them.
    #[must_use]
    pub fn trying(&self) -> Self {
        Self { place: self.place.clone(), typed: Some(Arc::default()) }
    }

    /// Finds the key, or makes it: says where it lies, before anything depends on it.
    ///
    /// # Errors
    /// [`Error::Config`] when there is none, with the way to one.
    pub fn ready(&self) -> Result<String> {
        match &*self.place {
            Place::Folder { folder, .. } => {
                disk::make_private(folder).map_err(|error| cannot("make", folder, &error))?;
                self.key().map(|(_, origin)| origin.to_string())
            }
            Place::Memory(_) => Ok("memory".to_owned()),
        }
    }

    /// What is kept for a connection, without what it is.
    ///
    /// # Errors
    /// [`Error::Config`] when the file is damaged, or the key is another one or missing.
    pub fn status(&self, name: &str) -> Result<TokenStatus> {
        Ok(self.read(name)?.status())
    }

    /// The secret of that key, as typed by the user; none when none is kept.
    pub(crate) fn secret(&self, name: &str, key: &str) -> Result<Option<SecretString>> {
        Ok(self.read(name)?.secrets.remove(key))
    }

    /// Keeps a secret that the user typed.
    ///
    /// # Errors
    /// [`Error::Config`] when it cannot be written, or what is there cannot be read.
    pub async fn keep_secret(&self, name: &str, key: &str, secret: SecretString) -> Result<()> {
        if let Some(typed) = &self.typed {
            entry(typed).insert(key.to_owned(), secret);
            return Ok(());
        }
        let mut locked = self.lock(name).await?;
        let mut kept = locked.kept()?;
        kept.secrets.insert(key.to_owned(), secret);
        locked.save(&kept)
    }

    /// Takes over all that another store keeps for a connection: tokens replace tokens, secrets are added. Of a store
    /// that is [`TokenStore::trying`] only what is tried.
    ///
    /// # Errors
    /// As [`TokenStore::keep_secret`].
    pub async fn take_over(&self, name: &str, from: &TokenStore) -> Result<()> {
        let new = match &from.typed {
            Some(typed) => Kept { secrets: entry(typed).clone(), ..Kept::default() },
            None => from.read(name)?,
        };
        if new.is_empty() {
            return Ok(());
        }
        let mut locked = self.lock(name).await?;
        // what cannot be read any more is replaced: this is the way out of a lost key
        let old = locked.kept().unwrap_or_default();
        locked.save(&old.merged(new))
    }

    /// Forgets the tokens, typed ones too; other secrets stay. Says whether there were any.
    ///
    /// # Errors
    /// As [`TokenStore::keep_secret`].
    pub async fn forget_tokens(&self, name: &str) -> Result<bool> {
        let mut locked = self.lock(name).await?;
        let Some(left) = locked.kept()?.without_tokens() else { return Ok(false) };
        if left.is_empty() { locked.remove() } else { locked.save(&left).map(|()| true) }
    }

    /// Takes over the secrets that another store keeps for a connection, and no tokens.
    ///
    /// # Errors
    /// As [`TokenStore::keep_secret`].
    pub async fn take_secrets(&self, name: &str, from: &TokenStore) -> Result<()> {
        for (key, secret) in from.read(name)?.secrets {
            self.keep_secret(name, &key, secret).await?;
        }
        Ok(())
    }

    /// Forgets all but the secrets of these keys.
    ///
    /// # Errors
    /// As [`TokenStore::keep_secret`].
    pub async fn retain_secrets(&self, name: &str, keys: &[String]) -> Result<()> {
        let mut locked = self.lock(name).await?;
        let mut kept = locked.kept()?;
        let before = kept.secrets.len();
        kept.secrets.retain(|key, _| keys.contains(key));
        match (kept.secrets.len() == before, kept.is_empty()) {
            (true, _) => Ok(()),
            (false, true) => locked.remove().map(|_| ()),
            (false, false) => locked.save(&kept),
        }
    }

    /// Forgets everything of a connection, readable or not. Says whether there was something.
    ///
    /// # Errors
    /// [`Error::Config`] when the file cannot be removed.
    pub async fn remove(&self, name: &str) -> Result<bool> {
        match &*self.place {
            Place::Folder { folder, .. } if !folder.join(file_name(name)).exists() => Ok(false),
            _ => self.lock(name).await?.remove(),
        }
    }

    /// What is kept for a connection; empty when nothing is.
    pub(crate) fn read(&self, name: &str) -> Result<Kept> {
        let mut kept = self.read_kept(name)?;
        if let Some(typed) = &self.typed {
            kept.secrets.extend(entry(typed).clone());
        }
        Ok(kept)
    }

    /// Without what is only tried.
    fn read_kept(&self, name: &str) -> Result<Kept> {
        match &*self.place {
            Place::Memory(kept) => Ok(entry(kept).get(name).cloned().unwrap_or_default()),
            Place::Folder { folder, .. } => {
                let path = folder.join(file_name(name));
                let file = disk::read(&path).map_err(|error| cannot("read", &path, &error))?;
                file.map_or_else(|| Ok(Kept::default()), |file| self.open(name, &path, &file))
            }
        }
    }

    fn open(&self, name: &str, path: &Path, file: &[u8]) -> Result<Kept> {
        let (key, origin) = self.key()?;
        let content = seal::unseal(key, name, file).map_err(|damage| damaged(name, path, damage, origin))?;
        Kept::parse(&content).ok_or_else(|| damaged(name, path, Damage::Broken, origin))
    }

    fn key(&self) -> Result<&(Key, Origin)> {
        let Place::Folder { key, .. } = &*self.place else {
            return Err(Error::config("a store in memory has no key"));
        };
        match key.get() {
            Some(found) => Ok(found),
            None => {
                let found = key::find()?;
                Ok(key.get_or_init(|| found))
            }
        }
    }

    /// Waits until nobody else changes what is kept for this connection.
    pub(crate) async fn lock(&self, name: &str) -> Result<Locked> {
        let lock = match &*self.place {
            Place::Memory(_) => None,
            Place::Folder { folder, .. } => {
                disk::make_private(folder).map_err(|error| cannot("make", folder, &error))?;
                let path = folder.join(format!("{}.lock", file_name(name)));
                Some(disk::lock(&path).await.map_err(|error| cannot("lock", &path, &error))?)
            }
        };
        Ok(Locked::new(self.clone(), name, lock))
    }
}

impl fmt::Debug for TokenStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.place {
            Place::Folder { folder, .. } => write!(f, "TokenStore({})", folder.display()),
            Place::Memory(_) => f.write_str("TokenStore(memory)"),
        }
    }
}

/// One connection in the store.
#[derive(Debug, Clone)]
pub(crate) struct Vault {
    pub(crate) store: TokenStore,
    pub(crate) name: String,
}

/// A panic elsewhere leaves a map of secrets as good as it was.
fn entry<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Letters, digits, `_` and `-` as they are, everything else as `%XX`: no name leads out of the folder.
fn file_name(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    name.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

fn cannot(verb: &str, path: &Path, error: &std::io::Error) -> Error {
    Error::config(format!("cannot {verb} {} of the token store: {error}", path.display()))
}

fn damaged(name: &str, path: &Path, damage: Damage, origin: &Origin) -> Error {
    let what = match damage {
        Damage::Foreign => "is not a token file".to_owned(),
        Damage::Newer(version) => {
            format!("has version {version} of the layout; use the newer forcepump that wrote it")
        }
        Damage::OtherKey => format!("was sealed with another key than that of {origin}"),
        Damage::Broken => "is damaged, or belongs to another connection".to_owned(),
    };
    let way = match damage {
        Damage::OtherKey => {
            format!("use the key that it was made with, or log in again with `forcepump connection reconnect {name}`")
        }
        _ => format!("log in again with `forcepump connection reconnect {name}`, which replaces it"),
    };
    Error::config(format!("the token file {} {what}\nhint: {way}", path.display()))
}

#[cfg(test)]
impl TokenStore {
    /// A store with a key of the test's own.
    pub(crate) fn with_key(connections_folder: &Path, byte: u8) -> Self {
        let key = OnceLock::from((Key::new([byte; seal::KEY_BYTES]), Origin::Variable));
        Self::at(Place::Folder { folder: connections_folder.join(FOLDER), key })
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn tokens(access: &str, refresh: &str) -> Kept {
        let mut kept = Kept::default();
        kept.grant(SecretString::from(access), Some("https://a".to_owned()), Some(SecretString::from(refresh)));
        kept
    }

    async fn keep(store: &TokenStore, name: &str, kept: &Kept) {
        store.lock(name).await.unwrap().save(kept).unwrap();
    }

    #[tokio::test]
    async fn tokens_come_back_and_are_not_on_the_disk_in_clear() {
        let folder = tempfile::tempdir().unwrap();
        let store = TokenStore::with_key(folder.path(), 1);
        assert!(!store.status("prod").unwrap().refresh_token);
        keep(&store, "prod", &tokens("acc3ss", "r3fresh")).await;
        let again = TokenStore::with_key(folder.path(), 1).read("prod").unwrap();
        assert_eq!(again.refresh_token.as_ref().unwrap().expose_secret(), "r3fresh");
        let status = store.status("prod").unwrap();
        assert!(status.access_token && status.refresh_token && status.refresh_age_seconds.is_some());
        let file = std::fs::read(folder.path().join(FOLDER).join("prod")).unwrap();
        let text = String::from_utf8_lossy(&file);
        assert!(!text.contains("acc3ss") && !text.contains("r3fresh"));
        assert!(!format!("{store:?} {again:?}").contains("r3fresh"));
    }

    #[tokio::test]
    async fn damage_and_other_keys_are_told_with_the_way_out() {
        let folder = tempfile::tempdir().unwrap();
        keep(&TokenStore::with_key(folder.path(), 1), "prod", &tokens("a", "r")).await;
        let error = TokenStore::with_key(folder.path(), 2).status("prod").unwrap_err().to_string();
        assert!(error.contains("another key") && error.contains("reconnect prod"), "{error}");
        let path = folder.path().join(FOLDER).join("prod");
        for content in [&b""[..], b"FPTK", b"{\"access_token\":\"x\"}", &[0xff; 4000]] {
            std::fs::write(&path, content).unwrap();
            let error = TokenStore::with_key(folder.path(), 1).status("prod").unwrap_err().to_string();
            assert!(error.contains("not a token file") && error.contains("reconnect prod"), "{error}");
        }
        // the way out works: a new login replaces it
        let fresh = TokenStore::in_memory();
        keep(&fresh, "prod", &tokens("a2", "r2")).await;
        let store = TokenStore::with_key(folder.path(), 1);
        store.take_over("prod", &fresh).await.unwrap();
        assert!(store.status("prod").unwrap().refresh_token);
    }

    #[tokio::test]
    async fn tokens_are_forgotten_and_typed_secrets_stay() {
        let folder = tempfile::tempdir().unwrap();
        let store = TokenStore::with_key(folder.path(), 1);
        keep(&store, "prod", &tokens("a", "r")).await;
        store.keep_secret("prod", "client_secret", SecretString::from("s")).await.unwrap();
        assert!(store.forget_tokens("prod").await.unwrap() && !store.forget_tokens("prod").await.unwrap());
        assert!(!store.status("prod").unwrap().refresh_token);
        assert_eq!(store.secret("prod", "client_secret").unwrap().unwrap().expose_secret(), "s");
        store.retain_secrets("prod", &[]).await.unwrap();
        assert!(!folder.path().join(FOLDER).join("prod").exists());
        keep(&store, "prod", &tokens("a", "r")).await;
        assert!(store.remove("prod").await.unwrap() && !store.remove("prod").await.unwrap());
    }

    #[tokio::test]
    async fn what_is_tried_is_not_written_and_tokens_are() {
        let folder = tempfile::tempdir().unwrap();
        let store = TokenStore::with_key(folder.path(), 1);
        keep(&store, "prod", &tokens("a", "r")).await;
        store.keep_secret("prod", "client_secret", SecretString::from("old")).await.unwrap();
        let trying = store.trying();
        trying.keep_secret("prod", "client_secret", SecretString::from("new")).await.unwrap();
        let read = |store: &TokenStore| {
            let kept = store.read("prod").unwrap();
            [&kept.secrets["client_secret"], kept.refresh_token.as_ref().unwrap()].map(|s| s.expose_secret().to_owned())
        };
        assert_eq!(read(&trying), ["new", "r"]);
        let mut locked = trying.lock("prod").await.unwrap();
        let mut kept = locked.kept().unwrap();
        kept.grant(SecretString::from("a2"), None, Some(SecretString::from("r2")));
        locked.save(&kept).unwrap();
        drop(locked);
        assert_eq!(read(&store), ["old", "r2"]);
        store.take_over("prod", &trying).await.unwrap();
        assert_eq!(read(&store), ["new", "r2"]);
    }

    #[test]
    fn no_name_leads_out_of_the_folder() {
        assert_eq!(file_name("Prod_1-a"), "Prod_1-a");
        assert_eq!(file_name("../a b"), "%2E%2E%2Fa%20b");
        assert_eq!(file_name("ü"), "%C3%BC");
    }
}
