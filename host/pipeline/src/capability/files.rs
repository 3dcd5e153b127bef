//! File sinks of the transfer crate, offered to the sandbox.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use arrow_array::RecordBatch;
use forcepump_sandbox as sandbox;
use forcepump_transfer::files;

/// A granted folder.
pub struct Folder(pub files::Root);

impl sandbox::FileProvider for Folder {
    fn create(
        &self,
        path: &str,
        format: sandbox::FileFormat,
        compression: sandbox::FileCompression,
    ) -> Result<Box<dyn sandbox::FileSink>, sandbox::FileError> {
        let sink = self.0.create(path, format_of(format), compression_of(compression)).map_err(refusal)?;
        Ok(Box::new(OpenSink(sink)))
    }
}

/// Opens a folder under a quota of bytes, which all that is made of it shares.
pub fn root(path: &Path, quota_bytes: Option<u64>) -> Result<files::Root, files::FileError> {
    let root = files::Root::open(path)?;
    Ok(match quota_bytes {
        Some(bytes) => root.with_quota(bytes),
        None => root,
    })
}

/// Removes files below a granted folder; those that are not there are no error.
pub fn remove(folder: &Path, paths: &[&str]) -> Result<(), files::FileError> {
    if !folder.exists() {
        return Ok(());
    }
    let root = files::Root::open(folder)?;
    paths.iter().try_for_each(|path| root.discard(path))
}

/// A folder that is granted, but not opened: enough to plan with; creating anything in it opens it, once.
pub struct Unopened {
    path: PathBuf,
    quota_bytes: Option<u64>,
    opened: Mutex<Option<files::Root>>,
}

impl Unopened {
    /// Touches nothing.
    pub fn new(path: PathBuf, quota_bytes: Option<u64>) -> Self {
        Self { path, quota_bytes, opened: Mutex::new(None) }
    }

    fn root(&self) -> Result<files::Root, files::FileError> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        match &*opened {
            Some(root) => Ok(root.clone()),
            None => Ok(opened.insert(root(&self.path, self.quota_bytes)?).clone()),
        }
    }
}

impl sandbox::FileProvider for Unopened {
    fn create(
        &self,
        path: &str,
        format: sandbox::FileFormat,
        compression: sandbox::FileCompression,
    ) -> Result<Box<dyn sandbox::FileSink>, sandbox::FileError> {
        Folder(self.root().map_err(refusal)?).create(path, format, compression)
    }
}

struct OpenSink(files::Sink);

impl sandbox::FileSink for OpenSink {
    fn write(&mut self, bytes: &[u8]) -> Result<(), sandbox::FileError> {
        self.0.write(bytes).map_err(refusal)
    }

    fn write_batch(&mut self, data: &RecordBatch) -> Result<(), sandbox::FileError> {
        self.0.write_batch(data).map_err(refusal)
    }

    fn finish(self: Box<Self>) -> Result<sandbox::Written, sandbox::FileError> {
        let files::Written { path, bytes, rows, sha256 } = self.0.finish().map_err(refusal)?;
        Ok(sandbox::Written { path, bytes, rows, sha256 })
    }
}

fn format_of(format: sandbox::FileFormat) -> files::Format {
    match format {
        sandbox::FileFormat::Raw => files::Format::Raw,
        sandbox::FileFormat::Csv => files::Format::Csv,
        sandbox::FileFormat::JsonLines => files::Format::JsonLines,
        sandbox::FileFormat::Arrow => files::Format::Arrow,
        sandbox::FileFormat::Parquet => files::Format::Parquet,
    }
}

fn compression_of(compression: sandbox::FileCompression) -> files::Compression {
    match compression {
        sandbox::FileCompression::None => files::Compression::None,
        sandbox::FileCompression::Gzip => files::Compression::Gzip,
        sandbox::FileCompression::Zstd => files::Compression::Zstd,
    }
}

fn refusal(error: files::FileError) -> sandbox::FileError {
    match error {
        files::FileError::Denied(text) => sandbox::FileError::Denied(text),
        files::FileError::Exists(_) => sandbox::FileError::Exists,
        files::FileError::Quota(bytes) => sandbox::FileError::Quota(bytes),
        files::FileError::WrongFormat(text) => sandbox::FileError::WrongFormat(text),
        files::FileError::Io(text) => sandbox::FileError::Io(text),
    }
}
