//! A file while it is written: under a temporary name, hashed, counted, held to the quota.

use std::collections::hash_map::RandomState;
use std::fs::File;
use std::hash::BuildHasher;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cap_std::fs::{Dir, MetadataExt, OpenOptions};
use sha2::{Digest, Sha256};

use super::FileError;
use super::path::GuestPath;
use super::root::{Quota, WritingMark};

/// Ending of the temporary names: `.NAME.<16 hex digits>.part`.
const TEMPORARY_ENDING: &str = ".part";
/// Hex digits that make a temporary name unique.
const TEMPORARY_DIGITS: usize = 16;
/// How often a fresh temporary name is tried before giving up.
const CREATE_TRIES: usize = 8;

/// The bytes under the temporary name; removed on drop unless [`Aside::keep`] came first.
pub(crate) struct Aside {
    file: File,
    folder: Arc<Dir>,
    temporary: String,
    path: GuestPath,
    hash: Sha256,
    bytes: u64,
    quota: Arc<Quota>,
    kept: bool,
    _mark: WritingMark,
}

impl Aside {
    /// Opens a temporary file beside the final name. It stays locked while this lives, which
    /// tells it from what a crash left over.
    pub(crate) fn create(
        folder: Arc<Dir>,
        path: GuestPath,
        quota: Arc<Quota>,
        mark: WritingMark,
    ) -> Result<Self, FileError> {
        let mut last = io::Error::from(io::ErrorKind::AlreadyExists);
        for _ in 0..CREATE_TRIES {
            let temporary = temporary_name(path.name());
            match create_locked(&folder, &temporary) {
                Ok(Some(file)) => {
                    let hash = Sha256::new();
                    return Ok(Self { file, folder, temporary, path, hash, bytes: 0, quota, kept: false, _mark: mark });
                }
                Ok(None) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => last = error,
                Err(error) => return Err(FileError::io(&path.text(), &error)),
            }
        }
        Err(FileError::io(&path.text(), &last))
    }

    /// Bytes written so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The final path.
    pub(crate) fn path(&self) -> &GuestPath {
        &self.path
    }

    /// The folder that holds the file.
    pub(crate) fn folder(&self) -> &Arc<Dir> {
        &self.folder
    }

    /// What was written, up to `max_bytes`; nothing when there is more.
    pub(crate) fn read_back(&self, max_bytes: u64) -> Result<Option<Vec<u8>>, FileError> {
        if self.bytes > max_bytes {
            return Ok(None);
        }
        let read = self.folder.read(&self.temporary);
        read.map(Some).map_err(|e| FileError::io(&self.path.text(), &e))
    }

    /// Makes the bytes durable and gives them their name, replacing what was there.
    /// Gives the file's SHA-256 in lower-case hex.
    pub(crate) fn keep(mut self) -> Result<String, FileError> {
        self.publish().map_err(|error| match error.kind() {
            io::ErrorKind::IsADirectory | io::ErrorKind::NotADirectory => FileError::Exists(self.path.text()),
            _ => FileError::io(&self.path.text(), &error),
        })?;
        self.kept = true;
        let digest = std::mem::take(&mut self.hash).finalize();
        Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    fn publish(&self) -> io::Result<()> {
        self.file.sync_all()?;
        self.folder.rename(&self.temporary, &self.folder, self.path.name())?;
        sync_folder(&self.folder)
    }
}

impl Write for Aside {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let count = bytes.len() as u64;
        self.quota.take(count).map_err(io::Error::other)?;
        self.bytes += count;
        self.file.write_all(bytes)?;
        self.hash.update(bytes);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        if !self.kept {
            // Nothing is left to tell when this fails: the next run sweeps what stays.
            let _ = self.folder.remove_file(&self.temporary);
            self.quota.give_back(self.bytes);
        }
    }
}

/// A new file under `name`, locked; none when a sweep took it in between.
fn create_locked(folder: &Dir, name: &str) -> io::Result<Option<File>> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    let file = folder.open_with(name, &options)?;
    let still_linked = || file.metadata().map(|m| m.nlink() > 0);
    let file_std = file.try_clone()?.into_std();
    match file_std.try_lock() {
        Ok(()) if still_linked()? => Ok(Some(file_std)),
        Ok(()) | Err(std::fs::TryLockError::WouldBlock) => Ok(None),
        // A file system without locks has no sweep either.
        Err(std::fs::TryLockError::Error(_)) => Ok(Some(file_std)),
    }
}

/// Removes the temporary files that no living process holds. Best effort: whatever cannot be
/// opened, locked or removed stays.
pub(crate) fn sweep(folder: &Dir) {
    let Ok(entries) = folder.entries() else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str().filter(|n| is_temporary(n)) else {
            continue;
        };
        if !entry.file_type().is_ok_and(|kind| kind.is_file()) {
            continue;
        }
        if let Ok(file) = folder.open(name)
            && file.into_std().try_lock().is_ok()
        {
            let _ = folder.remove_file(name);
        }
    }
}

/// Makes names in the folder durable; only POSIX systems can.
pub(crate) fn sync_folder(folder: &Dir) -> io::Result<()> {
    // A `Dir` is opened for look-ups only (O_PATH), and such a handle cannot be synced.
    if cfg!(unix) { folder.open(".")?.sync_all() } else { Ok(()) }
}

fn temporary_name(name: &str) -> String {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let salt = (std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed));
    let random = RandomState::new().hash_one(salt);
    format!(".{name}.{random:0width$x}{TEMPORARY_ENDING}", width = TEMPORARY_DIGITS)
}

fn is_temporary(name: &str) -> bool {
    let digits =
        name.strip_prefix('.').and_then(|n| n.strip_suffix(TEMPORARY_ENDING)).and_then(|n| n.rsplit('.').next());
    digits.is_some_and(|d| d.len() == TEMPORARY_DIGITS && d.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn temporary_names_are_known_and_unique() {
        let (one, two) = (temporary_name("a.csv"), temporary_name("a.csv"));
        assert_ne!(one, two);
        assert!(is_temporary(&one), "{one}");
        for other in ["a.csv", ".a.part", ".x.0123.part", "x.0123456789abcdef.part", ".x.0123456789abcdeg.part"] {
            assert!(!is_temporary(other), "{other}");
        }
    }
}
