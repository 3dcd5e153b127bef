//! What the host does for destinations, as traits: the sandbox knows the shape, not the drivers.
//!
//! The methods for databases and files are synchronous and may block for as long as a call of the plugin may take. On a
//! multi-thread tokio runtime the sandbox runs them under `block_in_place`, elsewhere inline.
//! A provider bounds its own waits: the sandbox can end a guest, not a blocked host function.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use arrow_array::RecordBatch;
use forcepump_batch::RowReject;
use thiserror::Error;

/// One cell that a plugin gives: an SQL parameter or a constant column.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// No value.
    Null,
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Int(i64),
    /// A binary floating-point number.
    Float(f64),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Exact decimal text such as `12.50`, already checked to be one.
    Decimal(String),
    /// Days since 1970-01-01.
    Date(i32),
    /// Microseconds since the epoch, UTC.
    Timestamp(i64),
}

/// Why an SQL call failed. Texts reach the plugin: they hold no DSN, no secret and no literal.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SqlError {
    /// Outside what is granted.
    #[error("denied: {0}")]
    Denied(String),
    /// No connection of that name is granted.
    #[error("unknown connection")]
    UnknownConnection,
    /// The database refused.
    #[error("{sqlstate}: {message}")]
    Database {
        /// Five characters, or the driver's own code.
        sqlstate: String,
        /// What the database said, literals removed.
        message: String,
    },
    /// The same call may succeed later.
    #[error("try again later: {0}")]
    Retryable(String),
    /// The result is larger than the given number of bytes.
    #[error("more than {0} bytes")]
    TooLarge(u64),
    /// The connection is gone; open it again.
    #[error("connection lost")]
    Lost,
}

/// How rows of a bulk insert meet rows that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InsertMode {
    /// Add the rows.
    Append,
    /// Add or update by key.
    Upsert,
    /// Add, or replace the whole row.
    Replace,
}

/// How to insert a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InsertOptions {
    /// What happens to rows that are there.
    pub mode: InsertMode,
    /// Columns of the table in the order of the batch; empty takes the batch's own names.
    pub columns: Vec<String>,
    /// Columns of the table that identify a row.
    pub keys: Vec<String>,
    /// Go on at a row that the database refuses, where the database can.
    pub collect_rejects: bool,
}

/// What a bulk insert did.
#[derive(Debug, Clone, Default)]
pub struct Inserted {
    /// Rows that were inserted or updated.
    pub rows: u64,
    /// Rows that the database refused, numbered within the batch.
    pub rejects: Vec<RowReject>,
}

/// Rows of a query.
#[derive(Debug, Clone)]
pub struct SqlRows {
    /// At most as many rows as asked for.
    pub batch: RecordBatch,
    /// Whether there were more.
    pub more: bool,
}

/// One granted database, by the name that the plugin uses.
pub trait SqlProvider: Send + Sync {
    /// Opens a connection. The provider holds the DSN; the plugin never sees it.
    ///
    /// # Errors
    /// What the driver says, without the DSN.
    fn open(&self) -> Result<Box<dyn SqlConnection>, SqlError>;
}

/// One open connection. Dropping it rolls back what was not committed.
pub trait SqlConnection: Send {
    /// Starts a transaction.
    ///
    /// # Errors
    /// What the database says.
    fn begin(&mut self) -> Result<(), SqlError>;
    /// Makes the transaction durable.
    ///
    /// # Errors
    /// What the database says.
    fn commit(&mut self) -> Result<(), SqlError>;
    /// Undoes the transaction.
    ///
    /// # Errors
    /// What the database says.
    fn rollback(&mut self) -> Result<(), SqlError>;
    /// Runs one statement and gives the number of rows that it changed.
    ///
    /// # Errors
    /// What the database says.
    fn execute(&mut self, statement: &str, params: &[Value]) -> Result<u64, SqlError>;
    /// Runs one query and gives at most `max_rows` rows.
    ///
    /// # Errors
    /// What the database says.
    fn query(&mut self, statement: &str, params: &[Value], max_rows: u32) -> Result<SqlRows, SqlError>;
    /// Inserts a batch straight from Arrow memory.
    ///
    /// # Errors
    /// What the database says.
    fn bulk_insert(&mut self, table: &str, data: &RecordBatch, options: &InsertOptions) -> Result<Inserted, SqlError>;
}

/// What a sink holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFormat {
    /// Bytes as the plugin gives them.
    Raw,
    /// Comma-separated values, by the host.
    Csv,
    /// One JSON object per line, by the host.
    JsonLines,
    /// Arrow IPC file, by the host.
    Arrow,
    /// Parquet, by the host.
    Parquet,
}

/// How a sink is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileCompression {
    /// Not at all.
    None,
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
}

/// Why a file call failed. Texts reach the plugin: they name no path outside the root.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FileError {
    /// Outside what is granted.
    #[error("denied: {0}")]
    Denied(String),
    /// Something is already under that path.
    #[error("the path exists already")]
    Exists,
    /// More than the given number of bytes.
    #[error("more than the {0} bytes of the quota")]
    Quota(u64),
    /// The format, the compression or the call does not fit.
    #[error("wrong format: {0}")]
    WrongFormat(String),
    /// What the system said.
    #[error("{0}")]
    Io(String),
}

/// A finished file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Path under the root.
    pub path: String,
    /// Size in bytes.
    pub bytes: u64,
    /// Rows, 0 for `raw`.
    pub rows: u64,
    /// Digest of the bytes, in hex.
    pub sha256: String,
}

/// One granted folder or bucket, by the name that the plugin uses.
pub trait FileProvider: Send + Sync {
    /// Starts a file under the root.
    ///
    /// # Errors
    /// When the path leads outside, exists, or cannot be written.
    fn create(
        &self,
        path: &str,
        format: FileFormat,
        compression: FileCompression,
    ) -> Result<Box<dyn FileSink>, FileError>;
}

/// One file being written. Dropped before `finish`, nothing appears under its path.
pub trait FileSink: Send {
    /// Appends bytes; `raw` only.
    ///
    /// # Errors
    /// When the format is not `raw`, or the system refuses.
    fn write(&mut self, bytes: &[u8]) -> Result<(), FileError>;
    /// Encodes and appends a batch; all but `raw`.
    ///
    /// # Errors
    /// When the format is `raw`, or the system refuses.
    fn write_batch(&mut self, data: &RecordBatch) -> Result<(), FileError>;
    /// Makes the file appear under its path.
    ///
    /// # Errors
    /// When the system refuses.
    fn finish(self: Box<Self>) -> Result<Written, FileError>;
}

/// Method of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HttpMethod {
    /// RFC 9110, 9.3.1.
    Get,
    /// RFC 9110, 9.3.2.
    Head,
    /// RFC 9110, 9.3.3.
    Post,
    /// RFC 9110, 9.3.4.
    Put,
    /// RFC 5789.
    Patch,
    /// RFC 9110, 9.3.5.
    Delete,
}

/// One request, as the plugin gave it but for the bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// What to do.
    pub method: HttpMethod,
    /// Absolute; the provider checks it against the grant.
    pub url: String,
    /// Names and values; the provider refuses those that are the host's.
    pub headers: Vec<(String, String)>,
    /// Empty for none.
    pub body: Vec<u8>,
    /// Name of the credential to add.
    pub credential: Option<String>,
    /// Longest time of the exchange, at most what the call has left.
    pub timeout: Duration,
    /// Most bytes of the decoded body.
    pub max_response_bytes: u64,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpResponse {
    /// For example 200.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// Whole and decoded.
    pub body: Vec<u8>,
}

/// Why there is no response. Texts reach the plugin: they hold no credential and no resolved address.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HttpError {
    /// Outside what is granted.
    #[error("denied: {0}")]
    Denied(String),
    /// No credential of that name is granted.
    #[error("unknown credential")]
    UnknownCredential,
    /// No response in time.
    #[error("no response in time")]
    Timeout,
    /// No connection.
    #[error("no connection: {0}")]
    Connect(String),
    /// The response is larger than the given number of bytes.
    #[error("the response is larger than {0} bytes")]
    TooLarge(u64),
    /// Too many requests; milliseconds to wait.
    #[error("too many requests, wait {0} ms")]
    Throttled(u32),
    /// What came back is not HTTP.
    #[error("not HTTP: {0}")]
    Protocol(String),
}

/// An exchange under way.
pub type HttpExchange<'a> = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'a>>;

/// The granted origins, by whatever names: the provider decides for each request.
pub trait HttpProvider: Send + Sync {
    /// Names by which the plugin asks for origins, for its needs.
    fn names(&self) -> Vec<String>;
    /// One exchange; dropping the future ends it.
    fn send(&self, request: HttpRequest) -> HttpExchange<'_>;
}
