//! Bulk CSV to typed Arrow batches, chunk by chunk, straight from the bytes.

use super::column::{Column, Misfit};
use super::header::{match_header, without_mark};
use super::scan::{Cell, End, RecordEnd, Stop, cell_at, undouble};
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{ArrowError, SchemaRef};

/// Bytes of one record; more means that a quote was never closed. A Salesforce record has at most about
/// 1.6 million characters of long text, an object and its parents a few times that.
const MAX_RECORD_BYTES: usize = 64 << 20;
/// Bytes of records in one batch, so that every 32-bit text offset fits.
const MAX_BATCH_BYTES: usize = 1 << 30;
/// Bytes checked for UTF-8 at a time: few enough to stay in the nearest cache until they are parsed.
const UTF8_WINDOW_BYTES: usize = 16 << 10;
/// Characters of a bad cell that its reject's reason shows; the whole cell is among the values.
const SHOWN_CHARS: usize = 60;

/// How to read a page, and how large its batches become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeOptions {
    /// The job's column delimiter, one ASCII byte.
    pub delimiter: u8,
    /// Records after which a batch is complete, rejected ones counted.
    pub batch_rows: usize,
    /// Bytes of CSV after which a batch is complete, whichever comes first; at most 1 GiB.
    pub batch_bytes: usize,
}

impl Default for DecodeOptions {
    fn default() -> Self {
        Self {
            delimiter: b',',
            batch_rows: 8_192,
            batch_bytes: 16 << 20,
        }
    }
}

/// A run of records: those that fit as a batch, the others as rejects.
#[derive(Debug, Clone, PartialEq)]
pub struct DecodedBatch {
    /// The rows that fit, in the columns of the schema.
    pub batch: RecordBatch,
    /// Number within the page, from 0, of the first record of this run, fitting or not.
    pub first_row: u64,
    /// The records that do not fit, ascending by row.
    pub rejects: Vec<DecodeReject>,
}

impl DecodedBatch {
    /// Number within the page of the batch's row `row`.
    pub fn page_row(&self, row: usize) -> u64 {
        let mut page_row = self.first_row + row as u64;
        for reject in &self.rejects {
            if reject.row > page_row {
                break;
            }
            page_row += 1;
        }
        page_row
    }
}

/// A record of the page that does not fit the schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeReject {
    /// Row number within the page, from 0, the header not counted.
    pub row: u64,
    /// Stable machine word, one of [`crate::reject`].
    pub code: String,
    /// One sentence for people.
    pub reason: String,
    /// The column at fault.
    pub column: String,
    /// The record's cells in the order of the schema; empty ones are `None`, bytes that are not UTF-8 are replaced.
    pub values: Vec<Option<String>>,
}

/// A page that cannot be read on. Rows count from 0, the header not counted.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The schema has a column that no Salesforce type becomes, or none, or one twice.
    #[error("cannot decode into this schema: {reason}")]
    Schema {
        /// What is wrong.
        reason: String,
    },
    /// An option is out of its range.
    #[error("cannot decode with these options: {reason}")]
    Options {
        /// What is wrong.
        reason: String,
    },
    /// The header names a column that was not asked for.
    #[error("the csv header has the column `{column}`, which the schema does not have")]
    UnknownColumn {
        /// The name in the header.
        column: String,
    },
    /// The header lacks a column.
    #[error("the csv header lacks the column `{column}`")]
    MissingColumn {
        /// The name in the schema.
        column: String,
    },
    /// The header names a column twice.
    #[error("the csv header has the column `{column}` twice")]
    DuplicateColumn {
        /// The name in the header.
        column: String,
    },
    /// A row has more or fewer cells than the header.
    #[error("row {row} has {found} cells instead of {expected}")]
    CellCount {
        /// Row within the page.
        row: u64,
        /// Cells of the header.
        expected: usize,
        /// Cells of the row.
        found: usize,
    },
    /// Text follows a closing quote.
    #[error("row {row} has text behind a closing quote; expected a delimiter or a line end")]
    Malformed {
        /// Row within the page.
        row: u64,
    },
    /// The page ends within a quoted cell.
    #[error(
        "the csv ends inside a quoted cell of row {row}: the result was truncated; fetch the page again"
    )]
    Truncated {
        /// Row within the page.
        row: u64,
    },
    /// A record never ends.
    #[error("row {row} is longer than {MAX_RECORD_BYTES} bytes: a quote was probably never closed")]
    RecordTooLong {
        /// Row within the page.
        row: u64,
    },
    /// The decoder was used after it had failed.
    #[error("this decoder has failed before; start the page again with a new one")]
    Spent,
    /// Arrow refused the buffers.
    #[error("cannot build the batch that starts at row {row}")]
    Build {
        /// Row within the page.
        row: u64,
        /// What Arrow says.
        source: ArrowError,
    },
}

/// Decodes one result page: [`feed`](Self::feed) it chunks cut anywhere, then [`finish`](Self::finish).
///
/// An empty cell is null; one in a column that is not nullable rejects its row. A page of zero bytes or of a
/// header alone has no rows. Blank lines are skipped. After an error the decoder is spent.
pub struct CsvDecoder {
    schema: SchemaRef,
    options: DecodeOptions,
    /// One a CSV column, in the order of the header once it was read.
    columns: Vec<Column>,
    /// For each CSV column the number of its field; `None` before the header.
    header: Option<Vec<usize>>,
    /// The start of a record whose end has not come yet.
    carry: Vec<u8>,
    carry_end: RecordEnd,
    /// Records of the page that were parsed, rejected ones too.
    records: u64,
    /// Rows that are complete in all columns.
    rows: usize,
    batch_first: u64,
    batch_bytes: usize,
    rejects: Vec<DecodeReject>,
    spent: bool,
}

/// What became of a try to read a record.
enum Step {
    /// Read; the next one begins there.
    Next(usize),
    /// Its end is not in the buffer.
    Incomplete,
}

impl CsvDecoder {
    /// A decoder for a page with the columns of `schema`.
    ///
    /// # Errors
    /// When the schema has no columns, two with the same name, or one of a type outside of [`crate::types`];
    /// when an option is out of its range.
    pub fn new(schema: SchemaRef, options: DecodeOptions) -> Result<Self, DecodeError> {
        check_options(&options)?;
        let columns = new_columns(&schema)?;
        Ok(Self {
            schema,
            options,
            columns,
            header: None,
            carry: Vec::new(),
            carry_end: RecordEnd::default(),
            records: 0,
            rows: 0,
            batch_first: 0,
            batch_bytes: 0,
            rejects: Vec::new(),
            spent: false,
        })
    }

    /// Decodes the next chunk; batches that became complete are appended to `out`.
    ///
    /// # Errors
    /// When the page cannot be read on; rows that do not fit are rejects instead.
    pub fn feed(&mut self, bytes: &[u8], out: &mut Vec<DecodedBatch>) -> Result<(), DecodeError> {
        self.guarded(|decoder| decoder.feed_chunk(bytes, out))
    }

    /// Ends the page; the last batch is appended to `out`. Gives the number of records parsed, rejected ones too.
    ///
    /// # Errors
    /// When the page ends inside a quoted cell, or its last record is wrong.
    pub fn finish(&mut self, out: &mut Vec<DecodedBatch>) -> Result<u64, DecodeError> {
        self.guarded(|decoder| {
            if !without_mark(&decoder.carry).is_empty() {
                decoder.feed_chunk(b"\n", out)?;
            }
            if !without_mark(&decoder.carry).is_empty() {
                return Err(DecodeError::Truncated {
                    row: decoder.records,
                });
            }
            decoder.flush(out)?;
            Ok(decoder.records)
        })
    }

    fn guarded<R>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<R, DecodeError>,
    ) -> Result<R, DecodeError> {
        if self.spent {
            return Err(DecodeError::Spent);
        }
        let result = work(self);
        self.spent = result.is_err();
        result
    }

    fn feed_chunk(&mut self, bytes: &[u8], out: &mut Vec<DecodedBatch>) -> Result<(), DecodeError> {
        let mut rest = bytes;
        while self.header.is_none() || !self.carry.is_empty() {
            let Some(length) = self.carry_end.advance(rest, self.options.delimiter) else {
                return self.carry_on(rest);
            };
            self.carry_on(&rest[..length])?;
            rest = &rest[length..];
            let record = std::mem::take(&mut self.carry);
            self.read_carried(&record, out)?;
            self.carry = record;
            self.carry.clear();
        }
        let parsed = self.read_records(rest, out)?;
        let tail = &rest[parsed..];
        self.carry_end = RecordEnd::default();
        self.carry_end.advance(tail, self.options.delimiter);
        self.carry_on(tail)
    }

    fn carry_on(&mut self, bytes: &[u8]) -> Result<(), DecodeError> {
        if self.carry.len() + bytes.len() > MAX_RECORD_BYTES {
            return Err(DecodeError::RecordTooLong { row: self.records });
        }
        self.carry.extend_from_slice(bytes);
        Ok(())
    }

    fn read_carried(
        &mut self,
        record: &[u8],
        out: &mut Vec<DecodedBatch>,
    ) -> Result<(), DecodeError> {
        if self.header.is_some() {
            let parsed = self.read_records(record, out)?;
            let whole = parsed == record.len();
            return if whole {
                Ok(())
            } else {
                Err(DecodeError::Malformed { row: self.records })
            };
        }
        let record = without_mark(record);
        if blank_line(record, 0).is_some() {
            return Ok(());
        }
        let header = match_header(record, self.options.delimiter, &self.schema)?;
        self.columns = new_columns(&self.schema)?;
        let mut by_field: Vec<_> = self.columns.drain(..).map(Some).collect();
        self.columns = header
            .iter()
            .filter_map(|field| by_field[*field].take())
            .collect();
        self.header = Some(header);
        Ok(())
    }

    /// Reads all whole records of `buffer`; gives where the first one begins that is not whole.
    fn read_records(
        &mut self,
        buffer: &[u8],
        out: &mut Vec<DecodedBatch>,
    ) -> Result<usize, DecodeError> {
        let mut utf8 = Utf8Window::default();
        let mut at = 0;
        while at < buffer.len() {
            if let Some(next) = blank_line(buffer, at) {
                at = next;
                continue;
            }
            match self.read_record(buffer, at, &mut utf8)? {
                Step::Next(next) => {
                    self.batch_bytes += next - at;
                    at = next;
                }
                Step::Incomplete => break,
            }
            let records = self.rows + self.rejects.len();
            if records >= self.options.batch_rows || self.batch_bytes >= self.options.batch_bytes {
                self.flush(out)?;
            }
        }
        Ok(at)
    }

    fn read_record(
        &mut self,
        buffer: &[u8],
        start: usize,
        utf8: &mut Utf8Window,
    ) -> Result<Step, DecodeError> {
        let delimiter = self.options.delimiter;
        let last = self.columns.len() - 1;
        let mut at = start;
        let mut misfit = None;
        for (number, column) in self.columns.iter_mut().enumerate() {
            let cell = match cell_at(buffer, at, delimiter) {
                Ok(cell) => cell,
                Err(stop) => return self.stopped(stop),
            };
            if (cell.ended_by == End::Newline) != (number == last) {
                return self.wrong_cell_count(buffer, start);
            }
            at = cell.next;
            if misfit.is_none()
                && let Err(error) = push_cell(column, buffer, cell)
            {
                misfit = Some((number, error));
            }
        }
        if misfit.is_none() && !utf8.covers(buffer, start, at) {
            misfit = Some((bad_utf8_cell(buffer, start, delimiter), Misfit::Utf8));
        }
        match misfit {
            None => self.rows += 1,
            Some((number, error)) => self.reject(&buffer[start..at], number, error),
        }
        self.records += 1;
        Ok(Step::Next(at))
    }

    /// Takes back the record that cannot be read to its end.
    #[cold]
    fn stopped(&mut self, stop: Stop) -> Result<Step, DecodeError> {
        match stop {
            Stop::Malformed => Err(DecodeError::Malformed { row: self.records }),
            Stop::Incomplete => {
                self.take_back();
                Ok(Step::Incomplete)
            }
        }
    }

    fn take_back(&mut self) {
        for column in &mut self.columns {
            column.truncate(self.rows);
        }
    }

    #[cold]
    fn wrong_cell_count(&mut self, buffer: &[u8], start: usize) -> Result<Step, DecodeError> {
        let mut at = start;
        let mut found = 0;
        loop {
            let cell = match cell_at(buffer, at, self.options.delimiter) {
                Ok(cell) => cell,
                Err(stop) => return self.stopped(stop),
            };
            found += 1;
            at = cell.next;
            if cell.ended_by == End::Newline {
                let expected = self.columns.len();
                return Err(DecodeError::CellCount {
                    row: self.records,
                    expected,
                    found,
                });
            }
        }
    }

    #[cold]
    fn reject(&mut self, record: &[u8], csv_column: usize, misfit: Misfit) {
        self.take_back();
        let header = self.header.as_deref().unwrap_or_default();
        let mut values = vec![None; header.len()];
        let mut at = 0;
        for field in header {
            let Ok(cell) = cell_at(record, at, self.options.delimiter) else {
                break;
            };
            values[*field] = cell_text(record, cell);
            at = cell.next;
        }
        let field = header.get(csv_column).copied().unwrap_or_default();
        let column = self.schema.field(field).name().clone();
        let shown = values[field].as_deref().unwrap_or_default();
        let reason = format!(
            "column `{column}`: the cell {} {}",
            shorten(shown),
            misfit.words()
        );
        let code = misfit.code().to_owned();
        self.rejects.push(DecodeReject {
            row: self.records,
            code,
            reason,
            column,
            values,
        });
    }

    /// Moves what was collected into a batch.
    fn flush(&mut self, out: &mut Vec<DecodedBatch>) -> Result<(), DecodeError> {
        let first_row = std::mem::replace(&mut self.batch_first, self.records);
        if first_row == self.records {
            return Ok(());
        }
        let build = |source| DecodeError::Build {
            row: first_row,
            source,
        };
        let mut arrays: Vec<Option<ArrayRef>> = vec![None; self.columns.len()];
        for (column, field) in self.columns.iter_mut().zip(self.header.iter().flatten()) {
            arrays[*field] = Some(column.finish().map_err(build)?);
        }
        let arrays = arrays.into_iter().flatten().collect();
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options)
            .map_err(build)?;
        self.rows = 0;
        self.batch_bytes = 0;
        out.push(DecodedBatch {
            batch,
            first_row,
            rejects: std::mem::take(&mut self.rejects),
        });
        Ok(())
    }
}

#[inline(always)]
fn push_cell(column: &mut Column, buffer: &[u8], cell: Cell) -> Result<(), Misfit> {
    let value = &buffer[cell.start..cell.end];
    if cell.doubled {
        column.push_doubled(value)
    } else {
        column.push(value)
    }
}

/// Where the next record begins when an empty line stands at `at`.
#[inline(always)]
fn blank_line(buffer: &[u8], at: usize) -> Option<usize> {
    match buffer.get(at..)? {
        [b'\n', ..] => Some(at + 1),
        [b'\r', b'\n', ..] => Some(at + 2),
        _ => None,
    }
}

/// How far a buffer is known to be UTF-8; windows are checked while they are about to be parsed.
#[derive(Default)]
struct Utf8Window {
    valid_to: usize,
}

impl Utf8Window {
    /// Whether the record from `start` to `end` is UTF-8. Records are asked for in order.
    #[inline(always)]
    fn covers(&mut self, buffer: &[u8], start: usize, end: usize) -> bool {
        end <= self.valid_to || self.check(buffer, start, end)
    }

    #[inline(never)]
    fn check(&mut self, buffer: &[u8], start: usize, end: usize) -> bool {
        let window_end = (start + UTF8_WINDOW_BYTES).max(end).min(buffer.len());
        let valid = match simdutf8::compat::from_utf8(&buffer[start..window_end]) {
            Ok(text) => text.len(),
            Err(error) => error.valid_up_to(),
        };
        self.valid_to = start + valid;
        end <= self.valid_to
    }
}

/// The first cell of a record that is not UTF-8.
fn bad_utf8_cell(buffer: &[u8], start: usize, delimiter: u8) -> usize {
    let mut at = start;
    let mut number = 0;
    while let Ok(cell) = cell_at(buffer, at, delimiter) {
        if std::str::from_utf8(&buffer[cell.start..cell.end]).is_err() {
            return number;
        }
        if cell.ended_by == End::Newline {
            break;
        }
        (at, number) = (cell.next, number + 1);
    }
    0
}

fn cell_text(record: &[u8], cell: Cell) -> Option<String> {
    let value = &record[cell.start..cell.end];
    if value.is_empty() {
        return None;
    }
    let mut single = Vec::new();
    if cell.doubled {
        undouble(value, &mut single);
    } else {
        single.extend_from_slice(value);
    }
    Some(String::from_utf8_lossy(&single).into_owned())
}

/// A cell as a reject shows it: in quotes, without control characters, cut.
fn shorten(cell: &str) -> String {
    let mut shown: String = cell.chars().take(SHOWN_CHARS).collect();
    if shown.len() < cell.len() {
        shown.push('…');
    }
    format!("{shown:?}")
}

fn check_options(options: &DecodeOptions) -> Result<(), DecodeError> {
    let delimiter = options.delimiter;
    let reason = if !delimiter.is_ascii() || matches!(delimiter, b'"' | b'\r' | b'\n') {
        format!(
            "the delimiter must be an ascii character and no quote or line end, not byte {delimiter}"
        )
    } else if options.batch_rows == 0 || u32::try_from(options.batch_rows).is_err() {
        format!(
            "batch_rows must be between 1 and {}, not {}",
            u32::MAX,
            options.batch_rows
        )
    } else if options.batch_bytes == 0 || options.batch_bytes > MAX_BATCH_BYTES {
        format!(
            "batch_bytes must be between 1 and {MAX_BATCH_BYTES}, not {}",
            options.batch_bytes
        )
    } else {
        return Ok(());
    };
    Err(DecodeError::Options { reason })
}

fn new_columns(schema: &SchemaRef) -> Result<Vec<Column>, DecodeError> {
    if schema.fields().is_empty() {
        return Err(DecodeError::Schema {
            reason: "it has no columns".to_owned(),
        });
    }
    let mut columns = Vec::with_capacity(schema.fields().len());
    for (number, field) in schema.fields().iter().enumerate() {
        let mut earlier = schema.fields().iter().take(number);
        if earlier.any(|other| other.name().eq_ignore_ascii_case(field.name())) {
            let reason = format!("it has the column `{}` twice", field.name());
            return Err(DecodeError::Schema { reason });
        }
        let column = Column::new(field.data_type(), field.is_nullable()).ok_or_else(|| {
            let reason = format!(
                "column `{}` has the type {}, which no salesforce field becomes",
                field.name(),
                field.data_type()
            );
            DecodeError::Schema { reason }
        })?;
        columns.push(column);
    }
    Ok(columns)
}
