//! A granted folder: what may be created in it, and how much.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cap_std::ambient_authority;
use cap_std::fs::Dir;

use super::aside::{self, Aside};
use super::path::GuestPath;
use super::{Compression, FileError, Format, Sink};

/// One granted folder. Clones share the folder, the quota and the list of files being written.
#[derive(Clone)]
pub struct Root {
    folder: Arc<Dir>,
    quota: Arc<Quota>,
    names: Arc<Mutex<Names>>,
}

/// Paths that a root keeps in mind.
#[derive(Default)]
struct Names {
    writing: BTreeSet<String>,
    swept: BTreeSet<String>,
}

impl Root {
    /// Opens `folder` for writing, and creates it with its parents if it is missing.
    ///
    /// # Errors
    /// [`FileError::Io`] when the folder cannot be created or opened.
    pub fn open(folder: &Path) -> Result<Self, FileError> {
        let failed = |e: io::Error| FileError::Io(format!("cannot open the folder \"{}\": {e}", folder.display()));
        crate::folder::make(folder).map_err(failed)?;
        let dir = Dir::open_ambient_dir(folder, ambient_authority()).map_err(failed)?;
        Ok(Self { folder: Arc::new(dir), quota: Arc::new(Quota::unlimited()), names: Arc::default() })
    }

    /// The same folder, into which this root and its clones may write `bytes` in all.
    /// Files that are dropped unfinished give their bytes back; replacing a file does not.
    #[must_use]
    pub fn with_quota(mut self, bytes: u64) -> Self {
        self.quota = Arc::new(Quota { limit_bytes: bytes, used_bytes: AtomicU64::new(0) });
        self
    }

    /// Bytes written through this root and its clones, unfinished files included.
    #[must_use]
    pub fn used_bytes(&self) -> u64 {
        self.quota.used_bytes.load(Ordering::Relaxed)
    }

    /// Starts a file at `path` below the folder; missing sub-folders are created. Nothing stands at
    /// `path` before [`Sink::finish`], which replaces what was there.
    ///
    /// # Errors
    /// [`FileError::Denied`] for a path that breaks a rule or leads out of the folder,
    /// [`FileError::Exists`] when a folder stands at `path` or another sink writes it,
    /// [`FileError::WrongFormat`] for a compression that the format cannot have, [`FileError::Io`].
    pub fn create(&self, path: &str, format: Format, compression: Compression) -> Result<Sink, FileError> {
        let path = GuestPath::parse(path)?;
        Sink::check(format, compression)?;
        let aside = self.aside(path)?;
        Sink::start(self.clone(), aside, format, compression)
    }

    /// A temporary file for `path`.
    pub(crate) fn aside(&self, path: GuestPath) -> Result<Aside, FileError> {
        let mark = self.mark(&path)?;
        let folder = self.open_folder(&path)?;
        if folder.symlink_metadata(path.name()).is_ok_and(|m| m.is_dir()) {
            return Err(FileError::Exists(path.text()));
        }
        Aside::create(Arc::new(folder), path, Arc::clone(&self.quota), mark)
    }

    /// Removes the file at `path` below the folder; one that is not there is no error.
    ///
    /// # Errors
    /// As [`Root::create`] for the path; [`FileError::Io`].
    pub fn discard(&self, path: &str) -> Result<(), FileError> {
        self.remove(&GuestPath::parse(path)?)
    }

    /// Removes a file below the folder; one that is not there is no error.
    pub(crate) fn remove(&self, path: &GuestPath) -> Result<(), FileError> {
        match self.folder.remove_file(path.text()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(refusal(path, &error)),
            _ => Ok(()),
        }
    }

    fn mark(&self, path: &GuestPath) -> Result<WritingMark, FileError> {
        let text = path.text();
        if !lock(&self.names).writing.insert(text.clone()) {
            return Err(FileError::Exists(text));
        }
        Ok(WritingMark { names: Arc::clone(&self.names), path: text })
    }

    fn open_folder(&self, path: &GuestPath) -> Result<Dir, FileError> {
        let joined = path.folders().join("/");
        let opened = if joined.is_empty() { self.folder.try_clone() } else { self.open_or_create(&joined) };
        let folder = opened.map_err(|e| refusal(path, &e))?;
        if lock(&self.names).swept.insert(joined) {
            aside::sweep(&folder);
        }
        Ok(folder)
    }

    fn open_or_create(&self, joined: &str) -> io::Result<Dir> {
        match self.folder.open_dir(joined) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            opened => return opened,
        }
        self.folder.create_dir_all(joined)?;
        aside::sync_folder(&self.folder)?;
        for (end, _) in joined.match_indices('/') {
            aside::sync_folder(&self.folder.open_dir(&joined[..end])?)?;
        }
        self.folder.open_dir(joined)
    }
}

impl std::fmt::Debug for Root {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Root").field("quota", &self.quota).finish_non_exhaustive()
    }
}

/// An error about a folder of `path`: cap-std reports an escape as a permission error of its own.
fn refusal(path: &GuestPath, error: &io::Error) -> FileError {
    let of_cap_std = error.raw_os_error().is_none();
    if error.kind() == io::ErrorKind::PermissionDenied && of_cap_std {
        let text = path.text();
        return FileError::Denied(format!("path \"{text}\" leads out of the granted folder through a symbolic link"));
    }
    FileError::io(&path.text(), error)
}

fn lock(names: &Mutex<Names>) -> MutexGuard<'_, Names> {
    names.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps a second sink off the same path while it lives.
pub(crate) struct WritingMark {
    names: Arc<Mutex<Names>>,
    path: String,
}

impl Drop for WritingMark {
    fn drop(&mut self) {
        lock(&self.names).writing.remove(&self.path);
    }
}

/// Bytes that may be written, shared by the sinks of a root.
#[derive(Debug)]
pub(crate) struct Quota {
    limit_bytes: u64,
    used_bytes: AtomicU64,
}

impl Quota {
    fn unlimited() -> Self {
        Self { limit_bytes: u64::MAX, used_bytes: AtomicU64::new(0) }
    }

    /// Books `bytes`, or says that they are too many.
    pub(crate) fn take(&self, bytes: u64) -> Result<(), FileError> {
        let book = |used: u64| used.checked_add(bytes).filter(|sum| *sum <= self.limit_bytes);
        let booked = self.used_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, book);
        booked.map(drop).map_err(|_| FileError::Quota(self.limit_bytes))
    }

    /// Returns booked bytes of a file that never appeared.
    pub(crate) fn give_back(&self, bytes: u64) {
        self.used_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}
