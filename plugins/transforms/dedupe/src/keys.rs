//! The keys that were seen, within their bound.

use forcepump_plugin_sdk::PluginError;
use forcepump_transform_common::{Key, KeyColumns, KeyTable, NoRoom, Place};

use crate::config::{Config, Nulls};

/// What every way out of a bound begins or ends with.
pub const MERGE_INSTEAD: &str = "let the destination merge by the keys instead";

/// Keys by number, in the order in which they were first seen.
#[derive(Debug)]
pub struct Keys {
    pub columns: KeyColumns,
    pub table: KeyTable,
    nulls: Nulls,
    max: usize,
    key: Vec<u8>,
}

/// What a row's key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// Not seen before; its number.
    New(u32),
    /// Seen before; its number.
    Again(u32),
    /// A null makes it different from every other.
    Unlike,
}

impl Keys {
    pub fn new(columns: KeyColumns, config: &Config) -> Self {
        let (nulls, max) = (config.nulls, config.max_keys as usize);
        Keys { columns, table: KeyTable::default(), nulls, max, key: Vec::new() }
    }

    /// Takes the key of a row.
    pub fn see(&mut self, keys: &Key, row: usize) -> Result<Seen, PluginError> {
        self.key.clear();
        let has_null = keys.append(row, &mut self.key);
        if has_null && self.nulls == Nulls::Distinct {
            return Ok(Seen::Unlike);
        }
        match self.table.find(&self.key) {
            Place::Known(number) => Ok(Seen::Again(number)),
            Place::New(_) if self.table.len() >= self.max => Err(self.too_many()),
            Place::New(hash) => self.table.add(&self.key, hash).map(Seen::New).map_err(|_| self.no_room()),
        }
    }

    fn too_many(&self) -> PluginError {
        PluginError::fatal(format!(
            "there are more than {max} different keys; raise max_keys in its configuration, and limits.memory_mib with \
             it, or {MERGE_INSTEAD}",
            max = self.max
        ))
    }

    /// What is said when the memory ends.
    pub fn no_room(&self) -> PluginError {
        PluginError::fatal(format!(
            "{count} different keys are all that its memory holds; raise limits.memory_mib of this step, or \
             {MERGE_INSTEAD}",
            count = self.table.len()
        ))
    }

    /// Adds a key from a saved state.
    pub fn restore(&mut self, key: &[u8]) -> Result<(), PluginError> {
        match self.table.find(key) {
            Place::Known(_) => Ok(()),
            Place::New(_) if self.table.len() >= self.max => Err(self.too_many()),
            Place::New(hash) => self.table.add(key, hash).map(drop).map_err(|NoRoom| self.no_room()),
        }
    }
}
