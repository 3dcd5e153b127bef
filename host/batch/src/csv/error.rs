//! Why a page of CSV cannot be read on.

use arrow_schema::ArrowError;

/// Bytes of one record; more means that a quote was never closed. A Salesforce record has at most about
/// 1.6 million characters of long text, an object and its parents a few times that.
pub(crate) const MAX_RECORD_BYTES: usize = 64 << 20;

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
    #[error("the csv ends inside a quoted cell of row {row}: the result was truncated; fetch the page again")]
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
    /// A record names a field that was not asked for.
    #[error("row {row} has the field `{field}`, which the schema does not have")]
    UnknownField {
        /// Row within the page.
        row: u64,
        /// Its name, with the parents'.
        field: String,
    },
    /// A record lacks a field that was asked for.
    #[error("row {row} lacks the field `{field}`")]
    MissingField {
        /// Row within the page.
        row: u64,
        /// The name in the schema.
        field: String,
    },
    /// A record names a field twice.
    #[error("row {row} has the field `{field}` twice")]
    RepeatedField {
        /// Row within the page.
        row: u64,
        /// The name in the schema.
        field: String,
    },
    /// The text is no list of records.
    #[error("row {row} cannot be read as {format}: {reason}")]
    Syntax {
        /// Row within the page.
        row: u64,
        /// `json` or `xml`.
        format: &'static str,
        /// What stands there.
        reason: String,
    },
    /// The list of records does not end.
    #[error(
        "the {format} ends within or after row {row}, before its own end: the result was truncated; fetch it again"
    )]
    Cut {
        /// Row within the page.
        row: u64,
        /// `json` or `xml`.
        format: &'static str,
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
