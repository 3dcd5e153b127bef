//! The CSV dialect of Salesforce's bulk interfaces, both ways.
//!
//! Comma (or the job's delimiter), double quotes around any cell, a quote inside doubled, records ended by LF
//! or CRLF, line ends inside quotes kept as they are, UTF-8. Null and empty are the same empty cell.

pub(crate) mod column;
pub(crate) mod decode;
mod encode;
pub(crate) mod error;
mod header;
pub(crate) mod page;
pub(crate) mod refuse;
mod scan;

pub use decode::CsvDecoder;
pub use encode::{EncodeError, EncodeOptions, QuoteStyle, encode_batch};
pub use error::DecodeError;
pub use page::{DecodeOptions, DecodeReject, DecodedBatch};
