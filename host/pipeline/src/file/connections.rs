//! The connections file: named ways into Salesforce orgs, apart from the pipelines that use them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use forcepump_salesforce::ConnectionConfig;

use super::FileError;
use super::parse::parse_toml;

/// File name looked for beside the pipeline file.
const FILE_NAME: &str = "connections.toml";

/// A parsed connections file.
#[derive(Debug, Clone)]
pub struct Connections {
    path: PathBuf,
    entries: BTreeMap<String, ConnectionConfig>,
}

impl Connections {
    /// Reads and parses the file.
    ///
    /// # Errors
    /// [`FileError`] with the place.
    pub fn load(path: &Path) -> Result<Self, FileError> {
        let text = std::fs::read_to_string(path).map_err(|error| FileError::Read { path: path.to_owned(), error })?;
        Ok(Self { path: path.to_owned(), entries: parse_toml(&text, path)? })
    }

    /// The connection of that name.
    ///
    /// # Errors
    /// [`FileError::UnknownConnection`] with the names there are.
    pub fn get(&self, name: &str) -> Result<&ConnectionConfig, FileError> {
        self.entries.get(name).ok_or_else(|| FileError::UnknownConnection {
            name: name.to_owned(),
            path: self.path.clone(),
            known: self.entries.keys().cloned().collect::<Vec<_>>().join(", "),
        })
    }

    /// The connections by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &ConnectionConfig)> {
        self.entries.iter().map(|(name, config)| (name.as_str(), config))
    }

    /// The name given, or that of the only connection.
    ///
    /// # Errors
    /// [`FileError::WhichConnection`] when none is given and there is not exactly one.
    pub fn choose<'a>(&'a self, name: Option<&'a str>) -> Result<&'a str, FileError> {
        let mut names = self.entries.keys();
        match (name, names.next(), names.next()) {
            (Some(name), ..) => Ok(name),
            (None, Some(only), None) => Ok(only),
            _ => Err(FileError::WhichConnection {
                path: self.path.clone(),
                known: self.entries.keys().cloned().collect::<Vec<_>>().join(", "),
            }),
        }
    }

    /// The folder that `file:` references start from.
    #[must_use]
    pub fn folder(&self) -> &Path {
        folder_of(&self.path)
    }
}

/// The folder of a connections file.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// The connections file to add to: the one that would be read, else a new one in the current folder.
#[must_use]
pub fn connections_file_to_write(given: Option<&Path>) -> PathBuf {
    find_connections_file(given, Path::new(".")).unwrap_or_else(|_| PathBuf::from(FILE_NAME))
}

/// The connections file to use: the one given, else `connections.toml` beside the pipeline, else the user's.
///
/// # Errors
/// [`FileError::NoConnections`] with the places looked at.
pub fn find_connections_file(given: Option<&Path>, pipeline_folder: &Path) -> Result<PathBuf, FileError> {
    if let Some(path) = given {
        return Ok(path.to_owned());
    }
    let mut looked_for = vec![pipeline_folder.join(FILE_NAME)];
    looked_for.extend(user_file());
    // a folder in its place is an error of its own, not a reason to take another file
    match looked_for.iter().find(|path| path.exists()) {
        Some(found) => Ok(found.clone()),
        None => Err(FileError::NoConnections { looked_for }),
    }
}

/// The JSON Schema (2020-12) of the connections file, for editors.
#[must_use]
pub fn connections_schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(BTreeMap<String, ConnectionConfig>).to_value();
    if let Some(object) = schema.as_object_mut() {
        object.insert("title".to_owned(), "Forcepump connections".into());
    }
    schema
}

fn user_file() -> Option<PathBuf> {
    let base = std::env::var_os("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".config")))?;
    Some(base.join("forcepump").join(FILE_NAME))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_beside_the_pipeline_comes_first_and_a_missing_one_is_listed() {
        let folder = tempfile::tempdir().unwrap();
        let missing = find_connections_file(None, &folder.path().join("none")).map_err(|e| e.to_string());
        if let Err(text) = missing {
            assert!(text.contains("connections.toml") && text.contains("--connections"), "{text}");
        }
        let path = folder.path().join(FILE_NAME);
        std::fs::create_dir(&path).unwrap();
        let found = find_connections_file(None, folder.path()).unwrap();
        let refused = Connections::load(&found).map(drop).unwrap_err().to_string();
        assert!(refused.contains("expected a file"), "{refused}");
        std::fs::remove_dir(&path).unwrap();
        std::fs::write(&path, "").unwrap();
        assert_eq!(find_connections_file(None, folder.path()).unwrap(), path);
    }

    #[test]
    fn an_unknown_connection_lists_the_known_ones() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        std::fs::write(&path, "[demo]\nenvironment = \"demo\"\n").unwrap();
        let error = Connections::load(&path).unwrap().get("prod").unwrap_err().to_string();
        assert!(error.contains("`prod`") && error.contains("demo"), "{error}");
    }

    #[test]
    fn an_empty_file_leads_to_the_first_connection_and_several_to_a_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        std::fs::write(&path, "").unwrap();
        let empty = Connections::load(&path).unwrap();
        for error in [empty.choose(None).map(drop).unwrap_err(), empty.get("prod").map(drop).unwrap_err()] {
            let error = error.to_string();
            assert!(error.contains("connection add NAME") && !error.contains("--connection "), "{error}");
        }
        std::fs::write(&path, "[a]\nenvironment = \"demo\"\n[b]\nenvironment = \"demo\"\n").unwrap();
        let error = Connections::load(&path).unwrap().choose(None).map(drop).unwrap_err().to_string();
        assert!(error.contains("a, b") && error.contains("connection test a") && error.contains("doctor a"), "{error}");
    }
}
