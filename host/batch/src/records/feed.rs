//! Bytes that come in chunks cut anywhere, to records that are whole, to rows.

use std::borrow::Cow;
use std::ops::Range;

use arrow_schema::SchemaRef;

use super::cells::{Cell, Fault};
use super::rows::Rows;
use crate::csv::error::MAX_RECORD_BYTES;
use crate::{DecodeError, DecodeOptions, DecodedBatch};

/// Finds the records of one format.
pub(super) trait Scan: Default {
    /// The next record that is whole; `None`: more bytes are needed.
    fn next(&mut self, buffer: &[u8]) -> Result<Option<Range<usize>>, String>;

    /// How many bytes at the start of the buffer are not looked at again; they are dropped now.
    fn forget(&mut self) -> usize;

    /// Whether the text may end here.
    fn is_at_end(&self) -> bool;
}

/// Reads one record into the cells of its columns.
pub(super) type Read = for<'a> fn(&Rows, &'a str, &mut [Cell<'a>]) -> Result<(), Fault>;

/// What JSON and XML results have in common.
pub(super) struct Feed<S> {
    rows: Rows,
    scan: S,
    read: Read,
    buffer: Vec<u8>,
}

impl<S: Scan> Feed<S> {
    pub(super) fn new(
        schema: SchemaRef,
        options: DecodeOptions,
        format: &'static str,
        read: Read,
    ) -> Result<Self, DecodeError> {
        Ok(Self { rows: Rows::new(schema, options, format)?, scan: S::default(), read, buffer: Vec::new() })
    }

    pub(super) fn feed(&mut self, bytes: &[u8], out: &mut Vec<DecodedBatch>) -> Result<(), DecodeError> {
        self.rows.check_unspent()?;
        self.buffer.extend_from_slice(bytes);
        loop {
            let found = self.scan.next(&self.buffer);
            let Some(record) = found.map_err(|reason| self.rows.error(Fault::Syntax(reason)))? else { break };
            take(&mut self.rows, self.read, &self.buffer[record], out)?;
        }
        self.buffer.drain(..self.scan.forget());
        if self.buffer.len() > MAX_RECORD_BYTES {
            return Err(DecodeError::RecordTooLong { row: self.rows.records });
        }
        self.rows.went_well();
        Ok(())
    }

    pub(super) fn finish(&mut self, out: &mut Vec<DecodedBatch>) -> Result<u64, DecodeError> {
        self.rows.check_unspent()?;
        if !self.scan.is_at_end() || !self.buffer.is_empty() {
            return Err(self.rows.cut());
        }
        self.rows.flush(out)?;
        self.rows.went_well();
        Ok(self.rows.records)
    }
}

fn take(rows: &mut Rows, read: Read, record: &[u8], out: &mut Vec<DecodedBatch>) -> Result<(), DecodeError> {
    let text = match simdutf8::basic::from_utf8(record) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(record),
    };
    let lossy = matches!(text, Cow::Owned(_));
    let mut cells = rows.no_cells();
    read(rows, &text, &mut cells).map_err(|fault| rows.error(fault))?;
    rows.take(&cells, lossy, record.len(), out)
}
