//! One file being written: the door through which bytes and batches go in.

use arrow_array::RecordBatch;

use super::aside::Aside;
use super::encode::Encoder;
use super::manifest::{MANIFEST_NAME, Sweep};
use super::{Compression, FileError, Format, Root};

/// A file that appears on [`Sink::finish`], whole, or never.
pub struct Sink {
    root: Root,
    path: String,
    format: Format,
    compression: Compression,
    encoder: Encoder<Aside>,
    rows: u64,
    failed: Option<FileError>,
}

/// A finished file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Path below the root, with `/`.
    pub path: String,
    /// Size of the file in bytes, after compression.
    pub bytes: u64,
    /// Rows written by [`Sink::write_batch`]; 0 for raw files.
    pub rows: u64,
    /// SHA-256 of the file's bytes, 64 lower-case hex digits.
    pub sha256: String,
}

impl Sink {
    /// Whether the format can be compressed like that.
    pub(crate) fn check(format: Format, compression: Compression) -> Result<(), FileError> {
        if format == Format::Arrow && compression != Compression::None {
            let text = "an arrow file is not compressed by the host; take compression none, or the parquet format";
            return Err(FileError::WrongFormat(text.to_owned()));
        }
        Ok(())
    }

    pub(crate) fn start(root: Root, aside: Aside, format: Format, compression: Compression) -> Result<Self, FileError> {
        let path = aside.path().text();
        let encoder = Encoder::new(aside, format, compression).map_err(|e| e.into_file_error(&path))?;
        Ok(Self { root, path, format, compression, encoder, rows: 0, failed: None })
    }

    /// Adds bytes to a raw file.
    ///
    /// # Errors
    /// [`FileError::WrongFormat`] when the file is not raw, [`FileError::Quota`], [`FileError::Io`].
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        self.usable()?;
        let result = self.encoder.write(bytes);
        self.note(result)
    }

    /// Adds rows. The first batch, which may have no rows, sets the columns for the whole file.
    ///
    /// # Errors
    /// [`FileError::WrongFormat`] when the file is raw, the columns differ from the first batch's, or the
    /// format cannot hold a column's type or value, [`FileError::Quota`], [`FileError::Io`].
    /// After an error that comes while writing the file cannot be finished.
    pub fn write_batch(&mut self, batch: &RecordBatch) -> Result<(), FileError> {
        self.usable()?;
        let result = self.encoder.write_batch(batch);
        self.note(result)?;
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    /// Makes the file durable under its path, replacing what was there. Finishing
    /// [`MANIFEST_NAME`] also removes the files that only older manifests name.
    ///
    /// # Errors
    /// The error of an earlier write, [`FileError::WrongFormat`] for a Parquet or Arrow file that got no
    /// batch, [`FileError::Exists`], [`FileError::Quota`], [`FileError::Io`]. The file does not appear then.
    pub fn finish(self) -> Result<Written, FileError> {
        self.usable()?;
        let Self { root, path, format, compression, encoder, rows, .. } = self;
        let aside = encoder.finish().map_err(|e| e.into_file_error(&path))?;
        let bytes = aside.bytes();
        let plain = format == Format::Raw && compression == Compression::None;
        let sweep = if plain && aside.path().name() == MANIFEST_NAME { Sweep::prepare(&root, &aside)? } else { None };
        let sha256 = aside.keep()?;
        if let Some(sweep) = sweep {
            sweep.run(&root)?;
        }
        Ok(Written { path, bytes, rows, sha256 })
    }

    fn usable(&self) -> Result<(), FileError> {
        self.failed.clone().map_or(Ok(()), Err)
    }

    fn note(&mut self, result: Result<(), super::encode::EncodeFailure>) -> Result<(), FileError> {
        result.map_err(|failure| {
            let spoiled = failure.spoils_file();
            let error = failure.into_file_error(&self.path);
            if spoiled {
                self.failed = Some(error.clone());
            }
            error
        })
    }
}

impl std::fmt::Debug for Sink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sink").field("path", &self.path).field("format", &self.format).finish_non_exhaustive()
    }
}
