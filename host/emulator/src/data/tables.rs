//! An org's rows, object by object, and the way from a row to its parents.

use std::sync::Arc;

use super::generate::Generated;
use super::ids::{self, Id};
use super::schema::{ObjectDef, Schema};
use super::stored::Stored;

/// Rows of one object.
#[derive(Debug, Clone)]
pub enum Table {
    /// Held in memory.
    Stored(Stored),
    /// Computed when asked for.
    Generated(Generated),
}

/// All rows of an org.
#[derive(Debug, Clone)]
pub struct Tables {
    /// The objects; numbers of objects index this and `tables`.
    pub schema: Arc<Schema>,
    /// The rows.
    pub tables: Arc<Vec<Arc<Table>>>,
}

impl Table {
    /// Rows, deleted ones included.
    pub fn rows(&self) -> u64 {
        match self {
            Table::Stored(stored) => stored.rows,
            Table::Generated(generated) => generated.rows,
        }
    }

    /// Rows that are not deleted.
    pub fn live_rows(&self) -> u64 {
        match self {
            Table::Stored(stored) => stored.rows - stored.deleted,
            Table::Generated(generated) => generated.rows,
        }
    }

    fn find(&self, prefix: [u8; 3], id: &Id) -> Option<u64> {
        match self {
            Table::Stored(stored) => stored.find(id),
            Table::Generated(generated) => {
                ids::row_of(id).filter(|row| *row < generated.rows && id.starts_with(&prefix))
            }
        }
    }
}

impl Tables {
    /// The object of that number.
    pub fn object(&self, object: usize) -> &Arc<ObjectDef> {
        &self.schema.objects[object]
    }

    /// Appends the cell's text; nothing for null.
    pub fn cell(&self, object: usize, row: u64, field: usize, out: &mut Vec<u8>) {
        match self.tables[object].as_ref() {
            Table::Stored(stored) => out.extend_from_slice(stored.cell(row, field)),
            Table::Generated(generated) => generated.text(row, field, out),
        }
    }

    /// The record with that id.
    pub fn find(&self, id: &Id) -> Option<(usize, u64)> {
        let object = self.schema.by_prefix(id)?;
        let row = self.tables[object].find(self.object(object).prefix_bytes(), id)?;
        Some((object, row))
    }

    /// The record that a reference field points to; `None` when it is null or points nowhere.
    pub fn parent(&self, object: usize, row: u64, field: usize) -> Option<(usize, u64)> {
        match self.tables[object].as_ref() {
            Table::Stored(stored) => self.find(&ids::normalise(stored.cell(row, field))?),
            Table::Generated(generated) => generated.parent(row, field),
        }
    }
}
