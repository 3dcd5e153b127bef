//! A pipeline file that was read from its place.

use std::path::{Path, PathBuf};

use super::{DEFAULT_BATCH_ROWS, FileError, PipelineFile, parse_pipeline, validate};

/// A parsed and checked pipeline file together with the folder its paths are relative to.
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// What the file says.
    pub file: PipelineFile,
    /// The file's path, as given.
    pub path: PathBuf,
}

impl Pipeline {
    /// Reads, parses and checks the file.
    ///
    /// # Errors
    /// [`FileError`] names the file and the place, the expected form and the way out.
    pub fn load(path: &Path) -> Result<Self, FileError> {
        let text = std::fs::read_to_string(path).map_err(|error| FileError::Read { path: path.to_owned(), error })?;
        let file = parse_pipeline(&text, path)?;
        let problems = validate(&file);
        if !problems.is_empty() {
            return Err(FileError::Invalid { path: path.to_owned(), problems });
        }
        Ok(Self { file, path: path.to_owned() })
    }

    /// The folder that relative paths in the file start from.
    #[must_use]
    pub fn folder(&self) -> &Path {
        match self.path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        }
    }

    /// Rows per batch, as the file says or the default.
    #[must_use]
    pub fn batch_rows(&self) -> usize {
        self.file.source.batch_rows.unwrap_or(DEFAULT_BATCH_ROWS)
    }
}
