//! What the host carried for one unit of a destination: rows into files and tables, and what has no rows to count.
//!
//! A destination says which batches it took; the host, which did the writing, knows where they went. The two are
//! compared by whoever runs the unit. A batch that is exactly the one of the call, or was retained from one, is *whole*;
//! a plugin can also put batches together itself (`data.assemble`), of which the host cannot know whose rows they are.

use std::collections::BTreeMap;
use std::fmt;

use crate::provider::{FileCompression, FileFormat, InsertMode, Written};
use crate::text::clean;

/// Bytes of a name in a message.
const MAX_SHOWN_BYTES: usize = 200;

/// A place that rows went to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum CarriedTo {
    /// The files of one format below a granted root.
    Files {
        /// Name of the grant.
        root: String,
        /// Format, as the contract names it.
        format: &'static str,
    },
    /// A table of a granted connection.
    Table {
        /// Name of the grant.
        connection: String,
        /// As the plugin named it.
        table: String,
        /// How rows meet rows that are there.
        mode: &'static str,
    },
}

impl fmt::Display for CarriedTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Files { root, format } => write!(f, "{format} files below {}", clean(root, MAX_SHOWN_BYTES)),
            Self::Table { table, .. } => write!(f, "table {}", clean(table, MAX_SHOWN_BYTES)),
        }
    }
}

/// Rows that went to one place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CarriedRows {
    /// In finished files and committed transactions, and in those that are still open.
    pub taken: u64,
    /// In finished files and committed transactions.
    pub durable: u64,
    /// Of those taken: rows of batches that the plugin put together.
    pub own: u64,
}

/// A file that was finished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CarriedFile {
    /// Name of the grant.
    pub root: String,
    /// Who made the bytes, and how.
    pub format: FileFormat,
    /// How they are packed.
    pub compression: FileCompression,
    /// Path, size, rows and digest.
    pub written: Written,
}

/// What was carried since a unit began.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Carried {
    /// Where rows went, and how many.
    pub rows: BTreeMap<CarriedTo, CarriedRows>,
    /// Files that appeared.
    pub files: Vec<CarriedFile>,
    /// Bytes of `raw` files, rows changed by statements, and requests that were answered: something went out, and how
    /// many rows it stands for only the plugin knows.
    pub unknown: u64,
    /// The plugin holds batches of the unit that it may still write.
    pub holds: bool,
}

impl Carried {
    pub(crate) fn take(&mut self, to: &CarriedTo, rows: u64, whole: bool) {
        let count = self.rows.entry(to.clone()).or_default();
        count.taken += rows;
        if !whole {
            count.own += rows;
        }
    }

    /// Open rows became durable.
    pub(crate) fn keep(&mut self, to: &CarriedTo, rows: u64) {
        let count = self.rows.entry(to.clone()).or_default();
        count.durable += rows;
        // Rows of an earlier unit, whose transaction ends only now.
        count.taken = count.taken.max(count.durable);
    }

    /// Open rows are gone: a file that was given up, a transaction that was rolled back.
    pub(crate) fn lose(&mut self, to: &CarriedTo, rows: u64) {
        if let Some(count) = self.rows.get_mut(to) {
            count.taken = count.taken.saturating_sub(rows).max(count.durable);
        }
    }
}

/// The contract's word for a format.
#[must_use]
pub fn format_word(format: FileFormat) -> &'static str {
    match format {
        FileFormat::Raw => "raw",
        FileFormat::Csv => "csv",
        FileFormat::JsonLines => "json-lines",
        FileFormat::Arrow => "arrow",
        FileFormat::Parquet => "parquet",
    }
}

/// The contract's word for a way to insert.
pub(crate) fn mode_word(mode: InsertMode) -> &'static str {
    match mode {
        InsertMode::Append => "append",
        InsertMode::Upsert => "upsert",
        InsertMode::Replace => "replace",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_rows_become_durable_or_are_lost() {
        let to = CarriedTo::Table { connection: "db".into(), table: "t".into(), mode: "append" };
        let mut carried = Carried::default();
        carried.take(&to, 10, true);
        carried.take(&to, 5, false);
        assert_eq!(carried.rows[&to], CarriedRows { taken: 15, durable: 0, own: 5 });
        carried.keep(&to, 10);
        carried.lose(&to, 5);
        assert_eq!(carried.rows[&to], CarriedRows { taken: 10, durable: 10, own: 5 });
    }
}
