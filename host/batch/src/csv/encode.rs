//! Record batches to CSV.

use crate::text::{ColumnText, TextError, TextKind};
use arrow_array::RecordBatch;

/// Which cells are put in quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum QuoteStyle {
    /// Every cell, header and nulls too: Salesforce's own dialect.
    Always,
    /// Cells that would be misread without: those with a delimiter, a quote, a line end, blanks at their ends,
    /// and texts that are empty or equal to the null text, so that null stays apart from text.
    #[default]
    Necessary,
    /// As [`QuoteStyle::Necessary`], and every text, so that readers take digits in it for text.
    Text,
}

/// How to write CSV.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodeOptions {
    /// One ASCII byte between cells.
    pub delimiter: u8,
    /// Which cells are quoted.
    pub quote: QuoteStyle,
    /// What a null is written as.
    pub null: String,
    /// Records end with CRLF instead of LF.
    pub crlf: bool,
    /// Whether a file has a header line.
    pub header: bool,
}

impl Default for EncodeOptions {
    fn default() -> Self {
        Self { delimiter: b',', quote: QuoteStyle::default(), null: String::new(), crlf: false, header: true }
    }
}

/// A batch that cannot be written as CSV.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The delimiter is no single ASCII character, or would be read as something else.
    #[error("the csv delimiter must be an ascii character and no quote or line end, not byte {delimiter}")]
    Delimiter {
        /// What was given.
        delimiter: u8,
    },
    /// A column's type has no text.
    #[error("cannot write the column `{column}` as csv")]
    Column {
        /// The column.
        column: String,
        /// Why.
        source: TextError,
    },
}

/// Appends the rows of `batch`, before them the header when both `with_header` and the options ask for it.
///
/// # Errors
/// When the delimiter is impossible or a column's type has no text; `out` is untouched then.
pub fn encode_batch(
    batch: &RecordBatch,
    options: &EncodeOptions,
    with_header: bool,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    let writer = CellWriter::new(options, batch.num_columns())?;
    let columns = columns_of(batch)?;
    if with_header && options.header {
        let schema = batch.schema_ref();
        writer.record(out, schema.fields(), |field, out| writer.text(field.name().as_bytes(), out));
    }
    let mut scratch = Vec::new();
    for row in 0..batch.num_rows() {
        writer.record(out, &columns, |column, out| writer.value(column, row, &mut scratch, out));
    }
    Ok(())
}

fn columns_of(batch: &RecordBatch) -> Result<Vec<ColumnText<'_>>, EncodeError> {
    let fields = batch.schema_ref().fields();
    let columns = batch.columns().iter().zip(fields);
    columns
        .map(|(array, field)| {
            ColumnText::new(array.as_ref())
                .map_err(|source| EncodeError::Column { column: field.name().clone(), source })
        })
        .collect()
}

struct CellWriter<'a> {
    options: &'a EncodeOptions,
    /// Whether each byte asks for quotes.
    special: [bool; 256],
    /// A blank line is no record, so the only cell of a record is never left empty without quotes.
    single: bool,
}

impl<'a> CellWriter<'a> {
    fn new(options: &'a EncodeOptions, columns: usize) -> Result<Self, EncodeError> {
        let delimiter = options.delimiter;
        if !delimiter.is_ascii() || matches!(delimiter, b'"' | b'\r' | b'\n') {
            return Err(EncodeError::Delimiter { delimiter });
        }
        let mut special = [false; 256];
        for byte in [delimiter, b'"', b'\r', b'\n'] {
            special[usize::from(byte)] = true;
        }
        Ok(Self { options, special, single: columns == 1 })
    }

    fn record<T>(&self, out: &mut Vec<u8>, cells: &[T], mut write: impl FnMut(&T, &mut Vec<u8>)) {
        for (number, cell) in cells.iter().enumerate() {
            if number > 0 {
                out.push(self.options.delimiter);
            }
            write(cell, out);
        }
        out.extend_from_slice(if self.options.crlf { b"\r\n" } else { b"\n" });
    }

    fn value(&self, column: &ColumnText<'_>, row: usize, scratch: &mut Vec<u8>, out: &mut Vec<u8>) {
        if column.is_null(row) {
            return self.null(out);
        }
        if let Some(text) = column.as_str(row) {
            return self.text(text.as_bytes(), out);
        }
        scratch.clear();
        column.write(row, scratch);
        let bare = column.kind() != TextKind::Text && self.options.quote != QuoteStyle::Always;
        if bare && !self.needs_quotes(scratch) {
            out.extend_from_slice(scratch);
        } else {
            quote(scratch, out);
        }
    }

    fn null(&self, out: &mut Vec<u8>) {
        let null = self.options.null.as_bytes();
        let needed = null.iter().any(|byte| self.special[usize::from(*byte)]);
        if self.options.quote == QuoteStyle::Always || needed || (self.single && null.is_empty()) {
            quote(null, out);
        } else {
            out.extend_from_slice(null);
        }
    }

    fn text(&self, text: &[u8], out: &mut Vec<u8>) {
        if self.options.quote == QuoteStyle::Necessary && !self.needs_quotes(text) {
            out.extend_from_slice(text);
        } else {
            quote(text, out);
        }
    }

    fn needs_quotes(&self, text: &[u8]) -> bool {
        let blank_end =
            matches!(text.first(), None | Some(b' ' | b'\t')) || matches!(text.last(), None | Some(b' ' | b'\t'));
        blank_end || text == self.options.null.as_bytes() || text.iter().any(|byte| self.special[usize::from(*byte)])
    }
}

fn quote(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'"', rest) {
        out.extend_from_slice(&rest[..=at]);
        out.push(b'"');
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}
