//! `files`: sinks under granted roots; the encoding and the system calls are the pipeline's.

use std::sync::Arc;

use wasmtime::component::Resource;

use crate::bindings::forcepump::plugin::files;
use crate::carried::{CarriedFile, CarriedTo, format_word};
use crate::host::blocking;
use crate::limits::MAX_OPEN_SINKS;
use crate::provider::{FileCompression, FileError, FileFormat, FileSink, Written};
use crate::state::HostState;
use crate::text::clean;

/// Bytes of a root's name in an error.
const MAX_SHOWN_BYTES: usize = 200;

/// One sink that a guest has open.
pub struct OpenSink {
    sink: Box<dyn FileSink>,
    to: CarriedTo,
    format: FileFormat,
    compression: FileCompression,
    /// Rows that it took.
    rows: u64,
    /// Bytes that it took as they are.
    bytes: u64,
}

impl From<FileError> for files::FileError {
    fn from(error: FileError) -> Self {
        match error {
            FileError::Denied(why) => files::FileError::Denied(why),
            FileError::Exists => files::FileError::Exists,
            FileError::Quota(bytes) => files::FileError::Quota(bytes),
            FileError::WrongFormat(why) => files::FileError::WrongFormat(why),
            FileError::Io(why) => files::FileError::Io(why),
        }
    }
}

impl From<files::Format> for FileFormat {
    fn from(format: files::Format) -> Self {
        match format {
            files::Format::Raw => FileFormat::Raw,
            files::Format::Csv => FileFormat::Csv,
            files::Format::JsonLines => FileFormat::JsonLines,
            files::Format::Arrow => FileFormat::Arrow,
            files::Format::Parquet => FileFormat::Parquet,
        }
    }
}

impl From<files::Compression> for FileCompression {
    fn from(compression: files::Compression) -> Self {
        match compression {
            files::Compression::None => FileCompression::None,
            files::Compression::Gzip => FileCompression::Gzip,
            files::Compression::Zstd => FileCompression::Zstd,
        }
    }
}

type Answer<T> = wasmtime::Result<Result<T, files::FileError>>;

impl files::Host for HostState {}

impl files::HostSink for HostState {
    fn create(
        &mut self,
        root: String,
        path: String,
        format: files::Format,
        compression: files::Compression,
    ) -> Answer<Resource<OpenSink>> {
        let Some(provider) = self.grants.files.get(&root).map(Arc::clone) else {
            let root = clean(&root, MAX_SHOWN_BYTES);
            return Ok(Err(files::FileError::Denied(format!("no root `{root}` is granted"))));
        };
        if self.open_sinks >= MAX_OPEN_SINKS {
            let text = format!("more than {MAX_OPEN_SINKS} files are open at once; finish one first");
            return Ok(Err(files::FileError::Denied(text)));
        }
        let (format, compression) = (format.into(), compression.into());
        match blocking(|| provider.create(&path, format, compression)) {
            Ok(sink) => {
                let to = CarriedTo::Files { root, format: format_word(format) };
                let sink = self.table.push(OpenSink { sink, to, format, compression, rows: 0, bytes: 0 })?;
                self.open_sinks += 1;
                Ok(Ok(sink))
            }
            Err(error) => Ok(Err(error.into())),
        }
    }

    fn write(&mut self, sink: Resource<OpenSink>, bytes: Vec<u8>) -> Answer<()> {
        let sink = self.table.get_mut(&sink)?;
        let written = blocking(|| sink.sink.write(&bytes));
        if written.is_ok() {
            sink.bytes += bytes.len() as u64;
        }
        Ok(written.map_err(Into::into))
    }

    fn write_batch(&mut self, sink: Resource<OpenSink>, data: u32) -> Answer<()> {
        let batch = match self.border.sheet(data).and_then(|sheet| sheet.batch()) {
            Ok(batch) => batch,
            Err(error) => return Ok(Err(files::FileError::Denied(error))),
        };
        let whole = self.border.is_whole(data);
        let sink = self.table.get_mut(&sink)?;
        let written = blocking(|| sink.sink.write_batch(&batch));
        if written.is_ok() {
            let rows = batch.num_rows() as u64;
            sink.rows += rows;
            self.carried.take(&sink.to, rows, whole);
        }
        Ok(written.map_err(Into::into))
    }

    fn finish(&mut self, sink: Resource<OpenSink>) -> Answer<files::Written> {
        let OpenSink { sink, to, format, compression, rows, bytes } = self.table.delete(sink)?;
        self.open_sinks = self.open_sinks.saturating_sub(1);
        let written = match blocking(|| sink.finish()) {
            Ok(written) => written,
            Err(error) => {
                self.carried.lose(&to, rows);
                return Ok(Err(error.into()));
            }
        };
        self.carried.keep(&to, rows);
        self.carried.unknown += bytes;
        if let CarriedTo::Files { root, .. } = to {
            self.carried.files.push(CarriedFile { root, format, compression, written: written.clone() });
        }
        let Written { path, bytes, rows, sha256 } = written;
        Ok(Ok(files::Written { path, bytes, rows, sha256 }))
    }

    fn drop(&mut self, sink: Resource<OpenSink>) -> wasmtime::Result<()> {
        let sink = self.table.delete(sink)?;
        self.open_sinks = self.open_sinks.saturating_sub(1);
        self.carried.lose(&sink.to, sink.rows);
        blocking(|| drop(sink));
        Ok(())
    }
}
