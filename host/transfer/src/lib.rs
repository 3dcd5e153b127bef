//! What the host does for destinations: SQL connections and file sinks.
//!
//! Everything here is synchronous and blocking, serves the interfaces `files` and `sql` of the
//! plugin contract, and treats every path, statement and name as written by someone untrusted.

pub mod files;
pub mod sql;
