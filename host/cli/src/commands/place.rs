//! Where a pipeline's state and reports lie, as `--pipeline-folder` says.

use std::path::{Path, PathBuf};

/// The folder that was named, or that of the pipeline file that was; else the current one.
pub fn state_folder(given: Option<&Path>) -> PathBuf {
    let folder = match given {
        Some(path) if path.is_file() => path.parent().unwrap_or(Path::new("")),
        Some(path) => path,
        None => Path::new(""),
    };
    if folder == Path::new("") { PathBuf::from(".") } else { folder.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_stands_for_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("p.toml");
        std::fs::write(&file, "").unwrap();
        assert_eq!(state_folder(Some(&file)), folder.path());
        assert_eq!(state_folder(Some(folder.path())), folder.path());
        assert_eq!(state_folder(None), Path::new("."));
        assert_eq!(state_folder(Some(Path::new("Cargo.toml"))), Path::new("."));
    }
}
