//! What goes into a decoder beside bytes, and what comes out.

use super::error::DecodeError;
use arrow_array::RecordBatch;

/// Bytes of records in one batch, so that every 32-bit text offset fits.
const MAX_BATCH_BYTES: usize = 1 << 30;

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
        Self { delimiter: b',', batch_rows: 8_192, batch_bytes: 16 << 20 }
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

pub(crate) fn check_options(options: &DecodeOptions) -> Result<(), DecodeError> {
    let delimiter = options.delimiter;
    let reason = if !delimiter.is_ascii() || matches!(delimiter, b'"' | b'\r' | b'\n') {
        format!("the delimiter must be an ascii character and no quote or line end, not byte {delimiter}")
    } else if options.batch_rows == 0 || u32::try_from(options.batch_rows).is_err() {
        format!("batch_rows must be between 1 and {}, not {}", u32::MAX, options.batch_rows)
    } else if options.batch_bytes == 0 || options.batch_bytes > MAX_BATCH_BYTES {
        format!("batch_bytes must be between 1 and {MAX_BATCH_BYTES}, not {}", options.batch_bytes)
    } else {
        return Ok(());
    };
    Err(DecodeError::Options { reason })
}
