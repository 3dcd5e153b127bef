//! Bulk CSV to typed Arrow batches, chunk by chunk, straight from the bytes.

use super::column::{Column, Misfit};
use super::error::{DecodeError, MAX_RECORD_BYTES};
use super::header::{match_header, without_mark};
use super::page::{DecodeOptions, DecodeReject, DecodedBatch, check_options};
use super::refuse::{Utf8Window, bad_utf8_cell, cell_text, shorten};
use super::scan::{Cell, End, RecordEnd, Stop, cell_at};
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::SchemaRef;

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
                return Err(DecodeError::Truncated { row: decoder.records });
            }
            decoder.flush(out)?;
            Ok(decoder.records)
        })
    }

    fn guarded<R>(&mut self, work: impl FnOnce(&mut Self) -> Result<R, DecodeError>) -> Result<R, DecodeError> {
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

    fn read_carried(&mut self, record: &[u8], out: &mut Vec<DecodedBatch>) -> Result<(), DecodeError> {
        if self.header.is_some() {
            let parsed = self.read_records(record, out)?;
            let whole = parsed == record.len();
            return if whole { Ok(()) } else { Err(DecodeError::Malformed { row: self.records }) };
        }
        let record = without_mark(record);
        if blank_line(record, 0).is_some() {
            return Ok(());
        }
        let header = match_header(record, self.options.delimiter, &self.schema)?;
        self.columns = new_columns(&self.schema)?;
        let mut by_field: Vec<_> = self.columns.drain(..).map(Some).collect();
        self.columns = header.iter().filter_map(|field| by_field[*field].take()).collect();
        self.header = Some(header);
        Ok(())
    }

    /// Reads all whole records of `buffer`; gives where the first one begins that is not whole.
    fn read_records(&mut self, buffer: &[u8], out: &mut Vec<DecodedBatch>) -> Result<usize, DecodeError> {
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

    fn read_record(&mut self, buffer: &[u8], start: usize, utf8: &mut Utf8Window) -> Result<Step, DecodeError> {
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
                return Err(DecodeError::CellCount { row: self.records, expected, found });
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
        let reason = format!("column `{column}`: the cell {} {}", shorten(shown), misfit.words());
        let code = misfit.code().to_owned();
        self.rejects.push(DecodeReject { row: self.records, code, reason, column, values });
    }

    /// Moves what was collected into a batch.
    fn flush(&mut self, out: &mut Vec<DecodedBatch>) -> Result<(), DecodeError> {
        let first_row = std::mem::replace(&mut self.batch_first, self.records);
        if first_row == self.records {
            return Ok(());
        }
        let build = |source| DecodeError::Build { row: first_row, source };
        let mut arrays: Vec<Option<ArrayRef>> = vec![None; self.columns.len()];
        for (column, field) in self.columns.iter_mut().zip(self.header.iter().flatten()) {
            arrays[*field] = Some(column.finish().map_err(build)?);
        }
        let arrays = arrays.into_iter().flatten().collect();
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options).map_err(build)?;
        self.rows = 0;
        self.batch_bytes = 0;
        out.push(DecodedBatch { batch, first_row, rejects: std::mem::take(&mut self.rejects) });
        Ok(())
    }
}

#[inline(always)]
fn push_cell(column: &mut Column, buffer: &[u8], cell: Cell) -> Result<(), Misfit> {
    if cell.doubled {
        return column.push_doubled(&buffer[cell.start..cell.end]);
    }
    column.push(buffer, cell.start, cell.end)
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

pub(crate) fn new_columns(schema: &SchemaRef) -> Result<Vec<Column>, DecodeError> {
    if schema.fields().is_empty() {
        return Err(DecodeError::Schema { reason: "it has no columns".to_owned() });
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
