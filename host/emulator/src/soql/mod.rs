//! SOQL: text to statement, and the words in which Salesforce refuses one.

mod error;

pub use error::SoqlError;
