//! Folders that outlive a power cut: a file that was made durable is lost all the same when its name in the folder was not.

use std::fs;
use std::io;
use std::path::Path;

/// What is heard of a folder that cannot be synced: it may be written and not read, or its file system has no such thing,
/// as some that come over a network.
const CANNOT: [io::ErrorKind; 3] =
    [io::ErrorKind::PermissionDenied, io::ErrorKind::InvalidInput, io::ErrorKind::Unsupported];

/// Makes the folder where it is missing, with its parents, and the names of those that it made durable.
///
/// # Errors
/// What the operating system says.
pub fn make(folder: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = folder.ancestors().take_while(|path| !path.exists()).collect();
    fs::create_dir_all(folder)?;
    missing.into_iter().filter_map(Path::parent).try_for_each(sync)
}

/// Makes the names in the folder durable; only POSIX systems can.
///
/// # Errors
/// What the operating system says.
pub fn sync(folder: &Path) -> io::Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    if !cfg!(unix) {
        return Ok(());
    }
    match fs::File::open(folder).and_then(|folder| folder.sync_all()) {
        Err(error) if CANNOT.contains(&error.kind()) => Ok(()),
        synced => synced,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_made_once_with_its_parents() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a").join("b");
        for _ in 0..2 {
            make(&inner).unwrap();
            assert!(inner.is_dir());
        }
        sync(Path::new("")).unwrap();
        assert!(sync(&folder.path().join("c")).is_err());
        fs::write(folder.path().join("file"), "").unwrap();
        assert!(make(&folder.path().join("file").join("d")).is_err());
    }
}
