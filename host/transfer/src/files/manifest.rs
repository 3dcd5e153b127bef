//! What a finished `manifest.json` sets off: files that only older manifests name are removed.

use std::collections::BTreeSet;
use std::io::{Read, Write};

use cap_std::fs::Dir;

use super::aside::Aside;
use super::path::GuestPath;
use super::{FileError, Root};

/// The manifest that replaces all older ones of its folder.
pub const MANIFEST_NAME: &str = "manifest.json";
/// Where the manifest that is being replaced is kept until its files are swept.
pub const REPLACED_MANIFEST_NAME: &str = "manifest-replaced.json";
/// How the manifests that add to a folder begin.
const ADDING_PREFIX: &str = "manifest-";
/// Largest manifest that is read: about 200,000 files.
const MANIFEST_MAX_BYTES: u64 = 16 * 1024 * 1024;

/// What is to be removed once a new manifest stands.
pub(crate) struct Sweep {
    stale: Vec<GuestPath>,
    older: Vec<GuestPath>,
}

impl Sweep {
    /// Reads the new manifest, still aside, and the older ones; keeps a copy of the one it replaces.
    /// None when the new file is no manifest (no `files` list): then it is a file like any other.
    pub(crate) fn prepare(root: &Root, new: &Aside) -> Result<Option<Self>, FileError> {
        let path = new.path();
        let Some(manifest) = new.read_back(MANIFEST_MAX_BYTES)?.and_then(|text| Manifest::parse(path, &text)) else {
            return Ok(None);
        };
        if let Some(old) = read(new.folder(), MANIFEST_NAME).filter(|text| Manifest::parse(path, text).is_some()) {
            let mut copy = root.aside(path.beside(REPLACED_MANIFEST_NAME)?)?;
            copy.write_all(&old).map_err(|e| FileError::io(&path.text(), &e))?;
            copy.keep()?;
        }
        let mut stale = BTreeSet::new();
        let mut older = Vec::new();
        for name in adding_manifests(new.folder()) {
            let found = read(new.folder(), &name).and_then(|text| Manifest::parse(path, &text));
            if let Some(found) = found.filter(|found| found.feed == manifest.feed) {
                stale.extend(found.files);
                older.push(path.beside(&name)?);
            }
        }
        let own = path.text();
        let stale = stale.into_iter().filter(|file| !manifest.files.contains(file) && *file != own);
        let stale = stale.filter_map(|file| GuestPath::parse(&file).ok()).collect();
        Ok(Some(Self { stale, older }))
    }

    /// Removes the stale files, then the manifests that named them.
    pub(crate) fn run(self, root: &Root) -> Result<(), FileError> {
        self.stale.iter().chain(&self.older).try_for_each(|path| root.remove(path))
    }
}

/// What counts in a manifest.
struct Manifest {
    /// Whose files they are.
    feed: Option<String>,
    /// Paths from the root down.
    files: BTreeSet<String>,
}

impl Manifest {
    /// Reads the manifest `text` that stands, or is to stand, at `at`; none when it has no list of files.
    fn parse(at: &GuestPath, text: &[u8]) -> Option<Self> {
        let parsed: serde_json::Value = serde_json::from_slice(text).ok()?;
        let files = parsed.get("files")?.as_array()?;
        let paths = files.iter().filter_map(|file| file.get("path")?.as_str());
        let files = paths.filter_map(|path| Some(at.beside(path).ok()?.text())).collect();
        let feed = parsed.get("feed").and_then(serde_json::Value::as_str).map(str::to_owned);
        Some(Self { feed, files })
    }
}

fn adding_manifests(folder: &Dir) -> Vec<String> {
    let Ok(entries) = folder.entries() else {
        return Vec::new();
    };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| name.starts_with(ADDING_PREFIX) && name.ends_with(".json")).collect()
}

/// A manifest's bytes; none when it is missing, too large or unreadable.
fn read(folder: &Dir, name: &str) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    let file = folder.open(name).ok()?;
    file.take(MANIFEST_MAX_BYTES + 1).read_to_end(&mut text).ok()?;
    (text.len() as u64 <= MANIFEST_MAX_BYTES).then_some(text)
}
