//! From rows to the bytes of each format, through the compression.

use std::error::Error;
use std::io::{self, BufWriter, Write};

use arrow_array::RecordBatch;
use arrow_ipc::writer::FileWriter;
use arrow_schema::{FieldRef, Schema, SchemaRef};
use flate2::write::GzEncoder;
use forcepump_batch::{EncodeOptions, encode_batch};

use super::parquet::{self, ArrowWriter};
use super::{Compression, FileError, Format, json};

/// Bytes gathered before they go to the file.
const FILE_BUFFER_BYTES: usize = 128 * 1024;
/// Rows that are turned to text at once, so that the text stays in the processor's cache.
const TEXT_STEP_ROWS: usize = 512;
/// Capacity beyond which the text buffer is given back after a step of unusually long rows.
const TEXT_BUFFER_KEPT_BYTES: usize = 4 * 1024 * 1024;
/// Effort of Zstandard: its own default.
const ZSTD_LEVEL: i32 = 3;

/// Why a write failed.
#[derive(Debug)]
pub(crate) enum EncodeFailure {
    /// The call does not fit the file; nothing was written.
    Misuse(String),
    /// A value or type that the format cannot hold; part of the batch may be written.
    Value(String),
    /// The file below, or the encoder, failed.
    Write(Box<dyn Error + Send + Sync>),
}

impl EncodeFailure {
    /// Whether the file can no longer be finished.
    pub(crate) fn spoils_file(&self) -> bool {
        !matches!(self, Self::Misuse(_))
    }

    /// The contract's word for it; `path` is for the text.
    pub(crate) fn into_file_error(self, path: &str) -> FileError {
        match self {
            Self::Misuse(text) | Self::Value(text) => FileError::WrongFormat(format!("\"{path}\": {text}")),
            Self::Write(error) => find_file_error(error.as_ref())
                .unwrap_or_else(|| FileError::Io(format!("cannot write \"{path}\": {error}"))),
        }
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for EncodeFailure {
    fn from(error: E) -> Self {
        Self::Write(Box::new(error))
    }
}

/// The quota's refusal travels inside the errors of the writers above it.
fn find_file_error(outer: &(dyn Error + 'static)) -> Option<FileError> {
    let mut next = Some(outer);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<FileError>() {
            return Some(found.clone());
        }
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = inner.map(|e| e as &(dyn Error + 'static)).or_else(|| error.source());
    }
    None
}

type Result<T> = std::result::Result<T, EncodeFailure>;

/// The bytes on their way to the file, compressed as a whole or not.
pub(crate) enum Body<W: Write> {
    Plain(BufWriter<W>),
    Gzip(GzEncoder<BufWriter<W>>),
    Zstd(zstd::stream::write::Encoder<'static, BufWriter<W>>),
}

impl<W: Write> Body<W> {
    fn new(file: W, compression: Compression) -> Result<Self> {
        let file = BufWriter::with_capacity(FILE_BUFFER_BYTES, file);
        Ok(match compression {
            Compression::None => Self::Plain(file),
            Compression::Gzip => Self::Gzip(GzEncoder::new(file, flate2::Compression::default())),
            Compression::Zstd => Self::Zstd(zstd::stream::write::Encoder::new(file, ZSTD_LEVEL)?),
        })
    }

    fn write_all(&mut self, bytes: &[u8]) -> Result<()> {
        match self {
            Self::Plain(file) => file.write_all(bytes)?,
            Self::Gzip(file) => file.write_all(bytes)?,
            Self::Zstd(file) => file.write_all(bytes)?,
        }
        Ok(())
    }

    fn finish(self) -> Result<W> {
        let file = match self {
            Self::Plain(file) => file,
            Self::Gzip(file) => file.finish()?,
            Self::Zstd(file) => file.finish()?,
        };
        unbuffer(file)
    }
}

fn unbuffer<W: Write>(file: BufWriter<W>) -> Result<W> {
    file.into_inner().map_err(|e| e.into_error().into())
}

/// How far a file has come.
enum State<W: Write + Send> {
    Raw(Body<W>),
    Csv(Body<W>),
    JsonLines(Body<W>),
    /// Arrow and Parquet cannot begin before their columns are known.
    Waiting(W, Compression, Format),
    Arrow(Box<FileWriter<BufWriter<W>>>),
    Parquet(Box<ArrowWriter<BufWriter<W>>>),
    Broken,
}

/// One file's encoder.
pub(crate) struct Encoder<W: Write + Send> {
    state: State<W>,
    columns: Option<SchemaRef>,
    text: Vec<u8>,
}

impl<W: Write + Send> Encoder<W> {
    pub(crate) fn new(file: W, format: Format, compression: Compression) -> Result<Self> {
        let state = match format {
            Format::Raw => State::Raw(Body::new(file, compression)?),
            Format::Csv => State::Csv(Body::new(file, compression)?),
            Format::JsonLines => State::JsonLines(Body::new(file, compression)?),
            Format::Arrow | Format::Parquet => State::Waiting(file, compression, format),
        };
        Ok(Self { state, columns: None, text: Vec::new() })
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        match &mut self.state {
            State::Raw(body) => body.write_all(bytes),
            _ => Err(misuse("bytes can be written to a raw file only; write batches")),
        }
    }

    pub(crate) fn write_batch(&mut self, batch: &RecordBatch) -> Result<()> {
        if matches!(self.state, State::Raw(_)) {
            return Err(misuse("a raw file takes bytes, not batches; create it as csv, json-lines, arrow or parquet"));
        }
        let mut header = self.columns.is_none();
        match &self.columns {
            Some(columns) => check_same_columns(columns, &batch.schema())?,
            None => self.begin(&batch.schema())?,
        }
        match &mut self.state {
            State::Csv(body) => write_text(body, &mut self.text, batch, |rows, out| {
                let with_header = std::mem::take(&mut header);
                encode_batch(rows, &EncodeOptions::default(), with_header, out)
                    .map_err(|e| EncodeFailure::Value(with_cause(&e)))
            }),
            State::JsonLines(body) => write_text(body, &mut self.text, batch, json::encode),
            State::Arrow(writer) => Ok(writer.write(batch)?),
            State::Parquet(writer) => Ok(parquet::write(writer, batch)?),
            State::Raw(_) | State::Waiting(..) | State::Broken => Err(misuse("the file could not be begun")),
        }
    }

    /// Takes the first batch's columns for the whole file.
    fn begin(&mut self, columns: &SchemaRef) -> Result<()> {
        if let State::Waiting(..) = self.state
            && let State::Waiting(file, compression, format) = std::mem::replace(&mut self.state, State::Broken)
        {
            let file = BufWriter::with_capacity(FILE_BUFFER_BYTES, file);
            self.state = match format {
                Format::Parquet => State::Parquet(Box::new(parquet::open(file, columns, compression)?)),
                _ => State::Arrow(Box::new(FileWriter::try_new(file, columns)?)),
            };
        }
        self.columns = Some(SchemaRef::clone(columns));
        Ok(())
    }

    /// Completes the file's bytes.
    pub(crate) fn finish(self) -> Result<W> {
        match self.state {
            State::Raw(body) | State::Csv(body) | State::JsonLines(body) => body.finish(),
            // Writes the footer as well.
            State::Arrow(writer) => unbuffer(writer.into_inner()?),
            State::Parquet(writer) => unbuffer(writer.into_inner()?),
            State::Waiting(..) => {
                Err(misuse("no batch came, so the columns of the file are not known; write an empty batch first"))
            }
            State::Broken => Err(misuse("the file could not be begun")),
        }
    }
}

fn misuse(text: &str) -> EncodeFailure {
    EncodeFailure::Misuse(text.to_owned())
}

fn check_same_columns(first: &Schema, now: &Schema) -> Result<()> {
    let same = |(a, b): (&FieldRef, &FieldRef)| {
        a.name() == b.name() && a.data_type() == b.data_type() && a.is_nullable() == b.is_nullable()
    };
    if first.fields().len() == now.fields().len() && first.fields().iter().zip(now.fields()).all(same) {
        return Ok(());
    }
    Err(misuse("the columns of this batch differ from the first batch's in number, name, type or nullability"))
}

/// Turns the batch to text in steps that stay in the processor's cache.
fn write_text<W: Write>(
    body: &mut Body<W>,
    text: &mut Vec<u8>,
    batch: &RecordBatch,
    mut encode: impl FnMut(&RecordBatch, &mut Vec<u8>) -> Result<()>,
) -> Result<()> {
    let mut start = 0;
    loop {
        let rows = TEXT_STEP_ROWS.min(batch.num_rows() - start);
        text.clear();
        encode(&batch.slice(start, rows), text)?;
        body.write_all(text)?;
        text.shrink_to(TEXT_BUFFER_KEPT_BYTES);
        start += rows;
        if start >= batch.num_rows() {
            return Ok(());
        }
    }
}

/// An error's words with those of its cause.
fn with_cause(error: &dyn Error) -> String {
    error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}
