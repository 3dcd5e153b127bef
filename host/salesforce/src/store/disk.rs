//! The folder of the token files: who may enter it, how a file is replaced whole, and who may do so at a time.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long one process waits for another that holds a lock: longer than a token request may take.
const LOCK_WAIT: Duration = Duration::from_secs(150);
const LOCK_LOOK: Duration = Duration::from_millis(20);
/// A token file has about 2 kB; what is much longer is something else.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// Makes the folder, for its owner only, and keeps it out of git.
pub(crate) fn make_private(folder: &Path) -> io::Result<()> {
    if !folder.is_dir() {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder)?;
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if std::fs::metadata(folder)?.permissions().mode() & 0o077 != 0 {
            std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))?;
        }
    }
    let ignore = folder.join(".gitignore");
    if ignore.exists() { Ok(()) } else { std::fs::write(ignore, "*\n") }
}

/// Held until dropped; other processes and other clients of this one wait.
pub(crate) struct Lock(#[expect(dead_code, reason = "the lock ends when the file is closed")] File);

/// Takes the lock that this file stands for; the file is made, and stays.
pub(crate) async fn lock(path: &Path) -> io::Result<Lock> {
    let file = private(OpenOptions::new().read(true).write(true).create(true).truncate(false)).open(path)?;
    let started = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Lock(file)),
            Err(TryLockError::WouldBlock) if started.elapsed() < LOCK_WAIT => tokio::time::sleep(LOCK_LOOK).await,
            Err(TryLockError::WouldBlock) => {
                let text = format!("another forcepump has held it for {} s", LOCK_WAIT.as_secs());
                return Err(io::Error::new(io::ErrorKind::TimedOut, text));
            }
            // a file system without locks: one process at a time is the operator's part there
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => return Ok(Lock(file)),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// A file being written beside the one that it will replace. A crash leaves the old or the new one, never half of one.
pub(crate) struct Aside {
    file: File,
    aside: PathBuf,
    target: PathBuf,
    /// Somebody opened one before and never came to its end.
    pub(crate) after_a_crash: bool,
}

impl Aside {
    /// Opens the new file before anything is at stake: a folder that cannot be written is found here.
    pub(crate) fn open(target: &Path) -> io::Result<Self> {
        let mut name = target.file_name().unwrap_or_default().to_owned();
        name.push(".new");
        let aside = target.with_file_name(name);
        // what an earlier crash left would keep its own permissions
        let after_a_crash = remove(&aside)?;
        let file = private(OpenOptions::new().write(true).create_new(true)).open(&aside)?;
        Ok(Self { file, aside, target: target.to_owned(), after_a_crash })
    }

    /// Writes and takes the old file's place; when this returns, the new one survives a power cut.
    pub(crate) fn replace(mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.file.sync_all()?;
        std::fs::rename(&self.aside, &self.target)?;
        #[cfg(unix)]
        if let Some(folder) = self.target.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        // after `replace` it is gone already; else nobody misses it
        let _ = std::fs::remove_file(&self.aside);
    }
}

/// Removes a file; says whether there was one.
pub(crate) fn remove(path: &Path) -> io::Result<bool> {
    match std::fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// The bytes of a file; none when there is none.
pub(crate) fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match std::fs::metadata(path) {
        Ok(meta) if meta.len() > MAX_FILE_BYTES => {
            Err(io::Error::other(format!("{} bytes, at most {MAX_FILE_BYTES} are read", meta.len())))
        }
        Ok(_) => std::fs::read(path).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("prod");
        std::fs::write(&path, "old").unwrap();
        std::fs::write(folder.path().join("prod.new"), "of a crash").unwrap();
        let aside = Aside::open(&path).unwrap();
        assert!(aside.after_a_crash && std::fs::read(&path).unwrap() == b"old");
        aside.replace(b"new").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        let aside = Aside::open(&path).unwrap();
        assert!(!aside.after_a_crash);
        drop(aside);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn folder_and_files_are_the_owners_alone() {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let base = tempfile::tempdir().unwrap();
        let folder = base.path().join("a/tokens");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).unwrap();
        make_private(&folder).unwrap();
        Aside::open(&folder.join("prod")).unwrap().replace(b"x").unwrap();
        assert_eq!((mode(&folder), mode(&folder.join("prod"))), (0o700, 0o600));
    }

    #[tokio::test]
    async fn a_lock_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("prod.lock");
        let first = lock(&path).await.unwrap();
        let (told, mut asked) = tokio::sync::oneshot::channel();
        let second = tokio::spawn(async move {
            let lock = lock(&path).await.unwrap();
            told.send(()).unwrap();
            lock
        });
        tokio::task::yield_now().await;
        assert!(asked.try_recv().is_err());
        drop(first);
        second.await.unwrap();
    }
}
