//! Changes to the connections file: comments and order stay, and it is replaced whole.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use forcepump_salesforce::ConnectionConfig;
use forcepump_transfer::folder;
use toml_edit::{DocumentMut, Item, Table, value};

use super::connections::folder_of;
use super::{FileError, parse_toml};

/// Longest name of a connection.
const MAX_NAME: usize = 64;

/// A key of a connection and what it becomes; none removes it.
pub(crate) type Setting = (String, Option<String>);

/// A connections file being changed. Nothing is written before [`ConnectionsEdit::save`].
pub(crate) struct ConnectionsEdit {
    path: PathBuf,
    /// As it was read, to notice that somebody else changed it meanwhile.
    before: Option<String>,
    document: DocumentMut,
}

impl ConnectionsEdit {
    /// Reads the file; one that is not there is an empty one.
    pub(crate) fn open(path: &Path) -> Result<Self, FileError> {
        // a link stays a link: what it leads to is replaced
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let before = match std::fs::read_to_string(&path) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(FileError::Read { path, error }),
        };
        let text = before.clone().unwrap_or_default();
        parse_toml::<BTreeMap<String, ConnectionConfig>>(&text, &path)?;
        let document = text.parse::<DocumentMut>();
        let document = document.map_err(|error| FileError::Syntax {
            path: path.clone(),
            line: 1,
            column: 1,
            message: error.message().to_owned(),
        })?;
        Ok(Self { path, before, document })
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
        self.set(name, settings)
    }

    /// Changes keys of a connection.
    pub(crate) fn set(&mut self, name: &str, settings: &[Setting]) -> Result<(), FileError> {
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

    /// Replaces the file: beside, synced, renamed.
    pub(crate) fn save(&self) -> Result<(), FileError> {
        let now = std::fs::read_to_string(&self.path).ok();
        if now != self.before {
            let message = format!(
                "{} was changed by somebody else meanwhile; nothing was written, do it again",
                self.path.display()
            );
            return Err(FileError::Connection { name: self.names().join(", "), message });
        }
        self.write().map_err(|error| FileError::Write { path: self.path.clone(), error })
    }

    fn write(&self) -> std::io::Result<()> {
        let within = self.folder();
        folder::make(within)?;
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
        written.and_then(|()| folder::sync(within))
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

    #[test]
    fn comments_and_order_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("connections.toml");
        std::fs::write(&path, FILE).unwrap();
        let mut edit = ConnectionsEdit::open(&path).unwrap();
        edit.set("b", &[set("url", "https://c.example.com"), ("auth".to_owned(), None)]).unwrap();
        edit.add("new", &[set("environment", "sandbox"), set("pkce", "false")]).unwrap();
        assert!(edit.remove("a") && !edit.remove("a"));
        edit.save().unwrap();
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            "# ours\n[b] # second\nurl = \"https://c.example.com\" # host\n\n[new]\nenvironment = \"sandbox\"\npkce = false\n"
        );
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_is_made_where_there_is_none_and_a_change_by_others_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sub/connections.toml");
        let mut edit = ConnectionsEdit::open(&path).unwrap();
        edit.add("prod", &[set("my_domain", "acme")]).unwrap();
        edit.save().unwrap();
        let other = edit.save().unwrap_err().to_string();
        assert!(other.contains("changed by somebody else"), "{other}");
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
