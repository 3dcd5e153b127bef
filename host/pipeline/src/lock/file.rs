//! The lock file as text: read whole, written whole or not at all.

use std::io::{ErrorKind, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::entry::Entry;
use crate::error::Error;
use crate::file::{FileError, Problem, parse_toml};

/// The form that this program writes and reads.
const VERSION: u32 = 1;
/// What stands above the entries.
const HEADER: &str = "# Made by `forcepump lock`: what each plugin is, asks for and is granted. Keep it with the pipelines, and review\n# its changes like theirs. It holds no secrets.\n\n";

/// All of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LockFile {
    version: u32,
    #[serde(default, rename = "plugin")]
    pub plugins: Vec<Entry>,
}

impl Default for LockFile {
    fn default() -> Self {
        Self { version: VERSION, plugins: Vec::new() }
    }
}

/// The version alone: another one may have other keys.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

impl LockFile {
    /// Reads the file; none when there is none.
    ///
    /// # Errors
    /// [`Error::File`] when it is malformed, of another version, or pins a step twice.
    pub(super) fn load(path: &Path) -> Result<Option<Self>, Error> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(FileError::Read { path: path.to_owned(), error }.into()),
        };
        let Versioned { version } = parse_toml(&text, path)?;
        let unfit = |message| FileError::Invalid { path: path.to_owned(), problems: vec![message] };
        if version != VERSION {
            let text = format!("is {version}, this program knows {VERSION}; update the program, or lock anew");
            return Err(unfit(Problem::new("version", text)).into());
        }
        let lock: Self = parse_toml(&text, path)?;
        for (index, entry) in lock.plugins.iter().enumerate() {
            let same = |other: &&Entry| other.pipeline == entry.pipeline && other.step == entry.step;
            if lock.plugins[..index].iter().find(same).is_some() {
                let text = format!("pins {} of {} twice; keep one of the two", entry.step, entry.pipeline);
                return Err(unfit(Problem::new(format!("plugin[{index}]"), text)).into());
            }
        }
        Ok(Some(lock))
    }

    /// Puts the entries of one pipeline in place of its former ones, which it gives back.
    pub(super) fn replace(&mut self, pipeline: &str, entries: Vec<Entry>) -> Vec<Entry> {
        let (former, mut rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.plugins).into_iter().partition(|entry| entry.pipeline == pipeline);
        rest.extend(entries);
        // Stable: the steps of a pipeline stay in their order.
        rest.sort_by(|a, b| a.pipeline.cmp(&b.pipeline));
        self.plugins = rest;
        former
    }

    /// Writes the file anew, whole or not at all; one that says the same already is left alone.
    ///
    /// # Errors
    /// [`Error::Host`] with the path.
    pub(super) fn write(&self, path: &Path) -> Result<(), Error> {
        let failed = |error| Error::Host { what: format!("cannot write {}", path.display()), error };
        let text = toml::to_string(self).map_err(|error| failed(std::io::Error::other(error)))?;
        let text = format!("{HEADER}{text}");
        if std::fs::read_to_string(path).is_ok_and(|old| old == text) {
            return Ok(());
        }
        replace_file(path, &text).map_err(failed)
    }
}

fn replace_file(path: &Path, text: &str) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    let mut aside = tempfile::Builder::new().prefix(".forcepump-lock").permissions(mode()).tempfile_in(folder)?;
    aside.write_all(text.as_bytes())?;
    aside.as_file().sync_all()?;
    aside.persist(path)?;
    Ok(())
}

/// To be shared with the pipelines: as an editor would make it, before the umask.
fn mode() -> std::fs::Permissions {
    use std::os::unix::fs::PermissionsExt;
    std::fs::Permissions::from_mode(0o644)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loaded(text: &str) -> Result<Option<LockFile>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("forcepump.lock");
        std::fs::write(&path, text).unwrap();
        LockFile::load(&path).map_err(|error| error.to_string())
    }

    const ENTRY: &str = "[[plugin]]\npipeline = 'p.toml'\nstep = 'destination'\nplugin = 'csv'\nname = 'csv'\nversion = '1'\nsha256 = 'aa'\nsize = 1\n[plugin.grant]\nfiles = { out = 'results' }\n";

    #[test]
    fn what_is_written_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("forcepump.lock");
        assert!(LockFile::load(&path).unwrap().is_none());
        let lock = loaded(&format!("version = 1\n{ENTRY}")).unwrap().unwrap();
        lock.write(&path).unwrap();
        let again = LockFile::load(&path).unwrap().unwrap();
        assert_eq!(again.plugins, lock.plugins);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing lies beside it");
    }

    #[test]
    fn every_grant_is_written_whole() {
        let credentials = [
            "{ bearer = 'env:T' }",
            "{ basic = { user = 'u', password = 'file:p' } }",
            "{ header = { name = 'x-key', value = 'env:K' } }",
        ];
        for credential in credentials {
            let http = format!(
                "http.api = {{ origin = 'https://a.example', methods = ['get'], paths = ['/v1'], private_addresses = true, credential = {credential} }}"
            );
            let entry = ENTRY.replace(
                "files = {",
                &format!("clock = true\nrandom = true\nsql = {{ db = 'sqlite:x' }}\n{http}\nfiles = {{"),
            );
            let lock = loaded(&format!("version = 1\n{entry}{}", ENTRY.replace("p.toml", "q.toml"))).unwrap().unwrap();
            let again = loaded(&toml::to_string(&lock).unwrap()).unwrap().unwrap();
            assert_eq!((again.plugins.len(), &again.plugins), (2, &lock.plugins));
            assert!(again.plugins[0].grant.http["api"].credential.is_some(), "{credential}");
        }
    }

    #[test]
    fn what_is_malformed_is_told_with_its_place() {
        for (text, says) in [
            ("", "missing key `version`"),
            ("<<<<<<< ours\nversion = 1\n", "forcepump.lock:1:"),
            ("version = 2\nnew = 'key'\n", "version: is 2, this program knows 1"),
            ("version = 1\n[[plugin]]\nsha = 'x'\n", "unknown key `sha`"),
            (&format!("version = 1\n{ENTRY}{ENTRY}"), "plugin[1]: pins destination of p.toml twice"),
        ] {
            let error = loaded(text).unwrap_err();
            assert!(error.contains(says), "{says} is not in: {error}");
        }
    }
}
