//! What the host does for plugins: SQL connections, file sinks and requests over HTTP.
//!
//! Everything here serves the interfaces `files`, `sql` and `http` of the plugin contract, and treats every path,
//! statement, name and URL as written by someone untrusted. Files and SQL are synchronous and blocking.

pub mod files;
pub mod folder;
pub mod http;
pub mod sql;
