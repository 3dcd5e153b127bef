//! Changes to the connections file: comments and order stay, and it is replaced whole.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use forcepump_salesforce::ConnectionConfig;
use forcepump_transfer::folder;
use toml_edit::{DocumentMut, Item, Table, value};

use super::connections::folder_of;
use super::{FileError, parse_toml};

/// Longest name of a connection.
const MAX_NAME: usize = 64;

/// A key of a connection and what it becomes; none removes it.
pub(crate) type Setting = (String, Option<String>);

/// Longest wait for another process that is about to replace the file; it may wait for a refresh that is under way.
const LOCK_WAIT: Duration = Duration::from_secs(160);
const LOCK_LOOK: Duration = Duration::from_millis(20);

/// What is done to one connection; kept, so that it can be done again where somebody else changed another meanwhile.
enum Change {
    Add(String, Vec<Setting>),
    Set(String, Vec<Setting>),
    Remove(String),
}

/// A connections file being changed. Nothing is written before [`ConnectionsEdit::ready`].
pub(crate) struct ConnectionsEdit {
    path: PathBuf,
    /// As it was read, to notice that somebody else changed it meanwhile.
    before: Option<String>,
    document: DocumentMut,
    changes: Vec<Change>,
}

/// A file that only has to be written; other processes of ours wait until it is, or until this is dropped.
pub(crate) struct Ready {
    path: PathBuf,
    now: Option<String>,
    document: DocumentMut,
    _lock: Option<File>,
}

impl ConnectionsEdit {
    /// Reads the file; one that is not there is an empty one.
    pub(crate) fn open(path: &Path) -> Result<Self, FileError> {
        // a link stays a link: what it leads to is replaced
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let before = read(&path)?;
        Self::of(path, before)
    }

    fn of(path: PathBuf, before: Option<String>) -> Result<Self, FileError> {
        let text = before.clone().unwrap_or_default();
        parse_toml::<BTreeMap<String, ConnectionConfig>>(&text, &path)?;
        let document = text.parse::<DocumentMut>();
        let document = document.map_err(|error| FileError::Syntax {
            path: path.clone(),
            line: 1,
            column: 1,
            message: error.message().to_owned(),
        })?;
        Ok(Self { path, before, document, changes: Vec::new() })
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Its folder, where references and the token store start from.
    pub(crate) fn folder(&self) -> &Path {
        folder_of(&self.path)
    }

    /// The names that it has.
    pub(crate) fn names(&self) -> Vec<String> {
        self.document.iter().map(|(name, _)| name.to_owned()).collect()
    }

    /// Adds a connection at the end.
    pub(crate) fn add(&mut self, name: &str, settings: &[Setting]) -> Result<(), FileError> {
        check_name(name, &self.names())?;
        let mut table = Table::new();
        table.set_implicit(false);
        if !self.document.is_empty() {
            table.decor_mut().set_prefix("\n");
        }
        self.document.insert(name, Item::Table(table));
        self.changes.push(Change::Add(name.to_owned(), settings.to_vec()));
        self.put(name, settings)
    }

    /// Changes keys of a connection.
    pub(crate) fn set(&mut self, name: &str, settings: &[Setting]) -> Result<(), FileError> {
        self.changes.push(Change::Set(name.to_owned(), settings.to_vec()));
        self.put(name, settings)
    }

    /// Refuses keys to remove that the connection does not have.
    pub(crate) fn check_there(&self, name: &str, settings: &[Setting]) -> Result<(), FileError> {
        let Some(table) = self.document.get(name).and_then(Item::as_table_like) else { return Ok(()) };
        let missing = settings.iter().find(|(key, given)| given.is_none() && !table.contains_key(key));
        let known = || table.iter().map(|(key, _)| key).collect::<Vec<_>>().join(", ");
        missing.map_or(Ok(()), |(key, _)| {
            let message = format!("has no key `{key}` to remove; it has: {}", known());
            Err(FileError::Connection { name: name.to_owned(), message })
        })
    }

    fn put(&mut self, name: &str, settings: &[Setting]) -> Result<(), FileError> {
        let wrong = || FileError::Connection { name: name.to_owned(), message: "is not a table".to_owned() };
        let table = self.document.get_mut(name).and_then(Item::as_table_like_mut).ok_or_else(wrong)?;
        for (key, given) in settings {
            let item = match (key.as_str(), given) {
                (_, None) => {
                    table.remove(key);
                    continue;
                }
                ("pkce", Some(text)) => value(text == "true"),
                (_, Some(text)) => value(text.as_str()),
            };
            match table.get_mut(key).and_then(Item::as_value_mut) {
                // the comment behind a value stays
                Some(old) => {
                    let decor = old.decor().clone();
                    if let Item::Value(mut new) = item {
                        *new.decor_mut() = decor;
                        *old = new;
                    }
                }
                None => {
                    table.insert(key, item);
                }
            }
        }
        Ok(())
    }

    /// Removes a connection; says whether it was there.
    pub(crate) fn remove(&mut self, name: &str) -> bool {
        self.changes.push(Change::Remove(name.to_owned()));
        self.document.remove(name).is_some()
    }

    /// The connection as it would be read back.
    pub(crate) fn config(&self, name: &str) -> Result<ConnectionConfig, FileError> {
        let mut all: BTreeMap<String, ConnectionConfig> = parse_toml(&self.document.to_string(), &self.path)?;
        let known = || all.keys().cloned().collect::<Vec<_>>().join(", ");
        if !all.contains_key(name) {
            return Err(FileError::UnknownConnection {
                name: name.to_owned(),
                path: self.path.clone(),
                known: known(),
            });
        }
        all.remove(name).ok_or_else(|| FileError::Connection { name: name.to_owned(), message: "is gone".to_owned() })
    }

    /// Takes the file for itself and, when somebody else changed it meanwhile, makes the changes again in what it is now.
    ///
    /// # Errors
    /// When somebody else changed, added or removed the same connection, or the file cannot be used any more.
    pub(crate) async fn ready(&self) -> Result<Ready, FileError> {
        let wrong = |error| FileError::Write { path: self.path.clone(), error };
        folder::make(self.folder()).map_err(wrong)?;
        let lock = lock(self.folder()).await.map_err(wrong)?;
        let now = read(&self.path)?;
        let document = if now == self.before { self.document.clone() } else { self.again(now.clone())? };
        Ok(Ready { path: self.path.clone(), now, document, _lock: lock })
    }

    fn again(&self, now: Option<String>) -> Result<DocumentMut, FileError> {
        let before = Self::of(self.path.clone(), self.before.clone())?;
        let mut fresh = Self::of(self.path.clone(), now)?;
        let text = |edit: &Self, name: &str| edit.document.get(name).map(ToString::to_string);
        for change in &self.changes {
            if let Change::Set(name, _) | Change::Remove(name) = change
                && text(&before, name) != text(&fresh, name)
            {
                return Err(changed(name, &self.path));
            }
        }
        for change in &self.changes {
            match change {
                Change::Add(name, settings) => fresh.add(name, settings)?,
                Change::Set(name, settings) => fresh.put(name, settings)?,
                Change::Remove(name) => {
                    fresh.remove(name);
                }
            }
        }
        Ok(fresh.document)
    }
}

impl Ready {
    /// Replaces the file: beside, synced, renamed.
    pub(crate) fn write(self) -> Result<(), FileError> {
        // editors know no lock of ours
        if read(&self.path)? != self.now {
            let error = std::io::Error::other("somebody else changed it meanwhile; nothing was written, do it again");
            return Err(FileError::Write { path: self.path, error });
        }
        self.replace().map_err(|error| FileError::Write { path: self.path.clone(), error })
    }

    fn replace(&self) -> std::io::Result<()> {
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(".new");
        let aside = self.path.with_file_name(name);
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&aside)?;
        let written = (|| {
            if let Ok(meta) = std::fs::metadata(&self.path) {
                file.set_permissions(meta.permissions())?;
            }
            file.write_all(self.document.to_string().as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&aside, &self.path)
        })();
        if written.is_err() {
            // the error that counts is the one in hand
            let _ = std::fs::remove_file(&aside);
        }
        written.and_then(|()| folder::sync(folder_of(&self.path)))
    }
}

fn read(path: &Path) -> Result<Option<String>, FileError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(FileError::Read { path: path.to_owned(), error }),
    }
}

fn changed(name: &str, path: &Path) -> FileError {
    let message =
        format!("was changed by somebody else meanwhile in {}; nothing was written, do it again", path.display());
    FileError::Connection { name: name.to_owned(), message }
}

/// Waits for other processes that replace a file of this folder. The lock is the folder's own, so that nothing is left
/// beside the file; a system that locks no folders does without.
async fn lock(within: &Path) -> std::io::Result<Option<File>> {
    let Ok(held) = File::open(within) else { return Ok(None) };
    let started = Instant::now();
    loop {
        match held.try_lock() {
            Ok(()) => return Ok(Some(held)),
            Err(TryLockError::WouldBlock) if started.elapsed() < LOCK_WAIT => tokio::time::sleep(LOCK_LOOK).await,
            Err(TryLockError::WouldBlock) => {
                let text = format!("another forcepump has been at it for {} s", LOCK_WAIT.as_secs());
                return Err(std::io::Error::new(ErrorKind::TimedOut, text));
            }
            Err(TryLockError::Error(_)) => return Ok(None),
        }
    }
}

/// Names are typed on command lines and stand in file names.
fn check_name(name: &str, known: &[String]) -> Result<(), FileError> {
    let refuse = |message: String| Err(FileError::Connection { name: name.to_owned(), message });
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(plain) {
        return refuse(format!("a name has up to {MAX_NAME} letters, digits, `-` and `_`"));
    }
    match known.iter().find(|other| other.eq_ignore_ascii_case(name)) {
        Some(other) if other == name => refuse(format!(
            "is there already\nhint: change it with `forcepump connection edit {name}`, or log in again with `forcepump connection reconnect {name}`"
        )),
        Some(other) => refuse(format!("differs from `{other}` in case only; choose another name")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# ours\n[b] # second\nurl = \"https://b.example.com\" # host\nauth = 'client-credentials'\n\n[a]\nenvironment = \"demo\"\n";

    fn set(key: &str, value: &str) -> Setting {
        (key.to_owned(), Some(value.to_owned()))
    }

    async fn save(edit: &ConnectionsEdit) -> Result<(), String> {
        edit.ready().await.and_then(Ready::write).map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn comments_and_order_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("connections.toml");
        std::fs::write(&path, FILE).unwrap();
        let mut edit = ConnectionsEdit::open(&path).unwrap();
        edit.set("b", &[set("url", "https://c.example.com"), ("auth".to_owned(), None)]).unwrap();
        edit.add("new", &[set("environment", "sandbox"), set("pkce", "false")]).unwrap();
        assert!(edit.remove("a") && !edit.remove("a"));
        save(&edit).await.unwrap();
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            "# ours\n[b] # second\nurl = \"https://c.example.com\" # host\n\n[new]\nenvironment = \"sandbox\"\npkce = false\n"
        );
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn a_file_is_made_where_there_is_none_and_not_two_connections_of_a_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sub/connections.toml");
        let mut edit = ConnectionsEdit::open(&path).unwrap();
        edit.add("prod", &[set("my_domain", "acme")]).unwrap();
        save(&edit).await.unwrap();
        let again = save(&edit).await.unwrap_err();
        assert!(again.contains("`prod`: is there already"), "{again}");
    }

    #[tokio::test]
    async fn changes_to_different_connections_meet_and_to_the_same_one_do_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("connections.toml");
        std::fs::write(&path, FILE).unwrap();
        let edit = |change: &dyn Fn(&mut ConnectionsEdit)| {
            let mut edit = ConnectionsEdit::open(&path).unwrap();
            change(&mut edit);
            edit
        };
        let added = edit(&|edit| edit.add("new", &[set("environment", "sandbox")]).unwrap());
        let moved = edit(&|edit| edit.set("b", &[set("url", "https://c.example.com")]).unwrap());
        let moved_too = edit(&|edit| edit.set("b", &[set("url", "https://d.example.com")]).unwrap());
        let removed = edit(&|edit| assert!(edit.remove("b")));
        let other = edit(&|edit| assert!(edit.remove("a")));
        for edit in [&added, &moved, &other] {
            save(edit).await.unwrap();
        }
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("# host") && text.contains("https://c.example.com") && text.contains("[new]"), "{text}");
        assert!(!text.contains("[a]"), "{text}");
        for late in [&moved_too, &removed] {
            let refused = save(late).await.unwrap_err();
            assert!(refused.contains("`b`: was changed by somebody else"), "{refused}");
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }

    #[tokio::test]
    async fn an_editor_that_saves_at_the_last_moment_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("connections.toml");
        std::fs::write(&path, FILE).unwrap();
        let mut edit = ConnectionsEdit::open(&path).unwrap();
        assert!(edit.remove("a"));
        let ready = edit.ready().await.unwrap();
        std::fs::write(&path, format!("{FILE}# more\n")).unwrap();
        assert!(ready.write().is_err());
        assert!(std::fs::read_to_string(&path).unwrap().ends_with("# more\n"));
    }

    #[test]
    fn a_key_that_is_not_there_cannot_be_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("connections.toml");
        std::fs::write(&path, FILE).unwrap();
        let edit = ConnectionsEdit::open(&path).unwrap();
        assert!(edit.check_there("b", &[("auth".to_owned(), None), set("scope", "api")]).is_ok());
        let refused = edit.check_there("b", &[("scpoe".to_owned(), None)]).unwrap_err().to_string();
        assert!(refused.contains("`scpoe`") && refused.contains("it has: url, auth"), "{refused}");
    }

    #[test]
    fn names_that_lead_elsewhere_or_are_taken_are_refused() {
        let known = ["prod".to_owned()];
        for (name, expected) in
            [("", "letters"), ("a.b", "letters"), ("../x", "letters"), ("prod", "edit prod"), ("Prod", "case")]
        {
            let error = check_name(name, &known).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
