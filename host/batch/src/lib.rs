//! Arrow schema and batches, canonical Salesforce types, the CSV dialect both ways, JSON and XML records, row rejects.
//!
//! Nothing here does I/O or waits: bytes come in, typed Arrow batches go out, and back.
//! Salesforce's own text never passes through a floating point number on the way.

mod calendar;
pub mod csv;
mod format;
mod number;
mod records;
pub mod reject;
pub mod text;
pub mod type_table;
pub mod types;

pub use csv::{
    CsvDecoder, DecodeError, DecodeOptions, DecodeReject, DecodedBatch, EncodeError, EncodeOptions, QuoteStyle,
    encode_batch,
};
pub use format::{PageDecoder, ResultFormat};
pub use records::{JsonDecoder, XmlDecoder};
pub use reject::RowReject;
pub use text::{ColumnText, TextError};
pub use types::{FieldSpec, SalesforceType, TypeError, arrow_field};
