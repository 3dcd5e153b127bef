//! SOQL: text to statement, and the words in which Salesforce refuses one.

pub mod ast;
mod error;
mod lexer;
mod literal;
mod parse;
mod print;

pub use error::SoqlError;
pub use parse::parse;

#[cfg(test)]
mod tests;
