//! File sinks under a granted folder: written aside, synced, renamed on finish.
//!
//! # How a file destination uses them
//!
//! The guest can only create sinks, so every mode of writing is expressed by names:
//!
//! * **A unit is a file.** Its name carries the unit id (`account/p0001.csv`), so that a unit
//!   committed twice replaces its own file. Where unit ids repeat from run to run, the name carries
//!   the run id as well, or a later run would replace files that an earlier one still counts on.
//! * **A manifest names the files that count**, with paths relative to its own folder:
//!   `{"feed": "Account", "files": [{"path": "p0001.csv", …}, …]}`, written as `raw` in `conclude`. Other
//!   members are the plugin's own.
//! * **`append`** writes `manifest-<run id>.json`: it adds to the folder and takes nothing away.
//! * **`overwrite`** writes `manifest.json` ([`MANIFEST_NAME`]): once it stands, the host removes
//!   every file that an older manifest of the same folder and feed (`manifest.json`, `manifest-*.json`) named
//!   and the new one does not, and then those older manifests. The older `manifest.json` is kept aside
//!   as [`REPLACED_MANIFEST_NAME`] until the sweep is done, so that a crash in between loses nothing:
//!   finishing the manifest again sweeps again. Files that no manifest ever named are not touched.

mod aside;
mod encode;
mod error;
mod json;
mod manifest;
mod parquet;
mod path;
mod recount;
mod root;
mod sink;

pub use error::FileError;
pub use manifest::{MANIFEST_NAME, REPLACED_MANIFEST_NAME};
pub use recount::{Bytes, OnValue, bytes_of, rows_of};
pub use root::Root;
pub use sink::{Sink, Written};

/// What the bytes of a file mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The guest's own bytes, by [`Sink::write`].
    Raw,
    /// RFC 4180 with a header line, encoded by the host.
    Csv,
    /// One JSON object a line (<https://jsonlines.org>), encoded by the host.
    JsonLines,
    /// The Arrow IPC file format, uncompressed.
    Arrow,
    /// Apache Parquet.
    Parquet,
}

/// How the bytes of a file are compressed.
///
/// Raw, CSV and JSON lines are compressed as a whole. Parquet compresses its pages: Snappy for
/// `None`, which is what its readers expect by default. Arrow files are not compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Compression {
    /// As they are.
    #[default]
    None,
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
}
