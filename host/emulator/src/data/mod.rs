//! The org's rows: objects, records, and the evaluation of statements over them.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};

pub use crate::soql::SoqlError;

/// Where the rows of an org come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataSource {
    /// The demo org inside the binary.
    Demo,
    /// A folder of CSV files named after their objects.
    Folder(PathBuf),
}

/// Why an org could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// A file or folder could not be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Which resource a statement came in through: it decides what is refused and whether deleted rows show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryMode {
    /// `/query`
    Rest,
    /// `/queryAll`
    RestAll,
    /// Bulk 2.0 job with operation `query`
    Bulk2,
    /// Bulk 2.0 job with operation `queryAll`
    Bulk2All,
}

/// How result CSV is written; cells are always quoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CsvDialect {
    /// The byte between cells.
    pub delimiter: u8,
    /// Rows end with CR LF instead of LF.
    pub crlf: bool,
}

/// Objects and rows of one emulated org; shared between requests in an `Arc`.
#[derive(Debug)]
pub struct Org {}

impl Org {
    /// Opens the rows of `source`, and replaces those of the objects in `generate` by that many generated rows.
    ///
    /// # Errors
    /// When a file cannot be read or does not fit the object it is named after.
    pub fn open(source: &DataSource, generate: &[(String, u64)], seed: u64) -> Result<Org, DataError> {
        let _ = (source, generate, seed);
        Ok(Org {})
    }
    /// `GET /sobjects`.
    pub fn describe_global(&self) -> Value {
        json!({"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": []})
    }
    /// `GET /sobjects/X/describe`; `None` when there is no such object.
    pub fn describe(&self, _object: &str, _version: f32) -> Option<Value> {
        None
    }
    /// Rows that are not deleted; `None` when there is no such object.
    pub fn object_rows(&self, _object: &str) -> Option<u64> {
        None
    }
    /// Parses, checks and evaluates one statement.
    ///
    /// # Errors
    /// The refusal as it goes on the wire.
    pub fn prepare(&self, soql: &str, _mode: QueryMode) -> Result<Prepared, SoqlError> {
        Err(SoqlError { code: "INVALID_TYPE", message: format!("sObject type in '{soql}' is not supported.") })
    }
    /// One record with all its fields in the REST shape, by 15 or 18 character id.
    pub fn record(&self, _object: &str, _id: &str) -> Option<Value> {
        None
    }
}

/// An evaluated statement: which rows, which columns. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Prepared {
    object: Arc<str>,
}

impl Prepared {
    /// The object after FROM, in its canonical spelling.
    pub fn object(&self) -> &str {
        &self.object
    }
    /// Rows in the result.
    pub fn total(&self) -> u64 {
        0
    }
    /// The count, when the statement was `SELECT COUNT()`.
    pub fn count_only(&self) -> Option<u64> {
        None
    }
    /// Appends the header line.
    pub fn csv_header(&self, _dialect: &CsvDialect, _out: &mut Vec<u8>) {}
    /// Appends the lines of the rows in `range`; rows beyond the end are not there.
    pub fn csv_rows(&self, _range: Range<u64>, _dialect: &CsvDialect, _out: &mut Vec<u8>) {}
    /// Appends the records of the rows in `range` in the REST shape; `api_version` is for example `62.0`.
    pub fn json_rows(&self, _range: Range<u64>, _api_version: &str, _out: &mut Vec<Value>) {}
    /// `columnMetadata` as `query?columns=true` gives it.
    pub fn column_metadata(&self) -> Value {
        json!([])
    }
}
