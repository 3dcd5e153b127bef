//! SQL connections for destinations: statements of an untrusted guest against one granted database.
//!
//! Only SQLite for now (`sqlite:PATH`). The guest's statements may read and write rows, and create, alter
//! and drop tables, indices and views of that one file. Everything else is refused when the statement is
//! prepared: other files (`ATTACH`, `VACUUM`), extensions, virtual tables, triggers, temporary tables,
//! transaction statements (use [`Connection::begin`] and its companions) and all but a few reading `PRAGMA`s.
//!
//! # What is left in the file
//! SQLite's rollback journal is kept, not WAL: between two transactions there is one `.db` file and nothing
//! beside it, whatever happens to the process, and a bulk load is written once. A file that is in WAL mode stays so.
//!
//! # How values are stored
//!
//! | Arrow | SQLite |
//! |---|---|
//! | boolean | INTEGER 0 or 1 |
//! | int8 to int64, uint8 to uint32 | INTEGER |
//! | float32, float64 | REAL; NaN is refused (SQLite would store NULL) |
//! | decimal, uint64 | every digit is kept, see below |
//! | text | TEXT |
//! | binary | BLOB |
//! | date, time, timestamp | TEXT: `2024-04-16`, `19:00:00.000`, `2024-04-16T19:00:00.000Z` (sorts, and SQLite's date functions read it) |
//!
//! A **decimal** goes into a column of TEXT affinity as its exact text, all places of its scale (`12.50`).
//! In any other column it is a number, so that it sorts and sums: INTEGER when it is whole and fits 64 bits,
//! else REAL when the double shows the very same digits (always up to 15 significant digits). What is left is
//! stored as exact text where the column has no declared type (or `ANY` in a STRICT table, or `BLOB`), and is
//! refused as `decimal_not_exact` where it has (INTEGER, REAL, NUMERIC: SQLite would round it).
//! So: declare decimals of up to 15 digits NUMERIC, and wider ones without a type, or TEXT where
//! the text itself matters more than arithmetic.

mod bind;
mod connection;
mod error;
mod functions;
mod guard;
mod insert;
mod query;
mod value;

pub use connection::Connection;
pub use error::SqlError;
pub use insert::{InsertMode, InsertOptions, Inserted};
pub use query::Rows;
pub use value::Value;
