//! Rows that are held as text: exactly what was loaded, one buffer a column.

use std::collections::HashMap;

use super::generate::Generated;
use super::ids::{self, Id};
use super::schema::ObjectDef;

/// One column: cells end to end. No cell and an empty cell are both null, as in Salesforce.
#[derive(Debug, Clone, Default)]
pub struct TextColumn {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl TextColumn {
    /// Appends a cell.
    pub fn push(&mut self, cell: &[u8]) {
        self.bytes.extend_from_slice(cell);
        self.ends.push(self.bytes.len());
    }

    /// Appends nulls up to that row.
    pub fn pad(&mut self, row: u64) {
        let row = usize::try_from(row).unwrap_or(usize::MAX);
        if self.ends.len() < row {
            self.ends.resize(row, self.bytes.len());
        }
    }

    /// The cell of that row; empty beyond the end.
    pub fn get(&self, row: u64) -> &[u8] {
        let Some((row, end)) = usize::try_from(row).ok().and_then(|row| Some((row, *self.ends.get(row)?))) else {
            return b"";
        };
        let start = row.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        self.bytes.get(start..end).unwrap_or_default()
    }

    /// Puts another cell in the place of one; nulls stand before it where the column was shorter.
    pub fn replace(&mut self, row: u64, cell: &[u8]) {
        self.pad(row.saturating_add(1));
        let Some(row) = usize::try_from(row).ok().filter(|row| *row < self.ends.len()) else { return };
        let start = row.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        let end = self.ends[row];
        self.bytes.splice(start..end, cell.iter().copied());
        for place in &mut self.ends[row..] {
            *place = *place - (end - start) + cell.len();
        }
    }

    /// Whether nothing was pushed.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
}

/// All rows of one object.
#[derive(Debug, Clone, Default)]
pub struct Stored {
    /// Rows, deleted ones included.
    pub rows: u64,
    /// One column a field; fields without values have empty columns.
    pub columns: Vec<TextColumn>,
    /// Ids that came with the data, and their rows; absent when ids say the row number themselves.
    pub given_ids: Option<HashMap<Id, u64>>,
    /// Rows whose `IsDeleted` is true.
    pub deleted: u64,
}

impl Stored {
    /// No rows, but a column for each field.
    pub fn empty(object: &ObjectDef) -> Stored {
        Stored { columns: vec![TextColumn::default(); object.fields.len()], ..Stored::default() }
    }

    /// The cell's text; empty for null.
    pub fn cell(&self, row: u64, field: usize) -> &[u8] {
        self.columns.get(field).map_or(b"", |column| column.get(row))
    }

    /// The row with that id.
    pub fn find(&self, id: &Id) -> Option<u64> {
        match &self.given_ids {
            Some(given) => given.get(id).copied(),
            None => ids::row_of(id).filter(|row| *row < self.rows),
        }
    }

    /// The same rows as they were generated.
    pub fn of_generated(object: &ObjectDef, generated: &Generated) -> Stored {
        let mut stored = Stored { rows: generated.rows, ..Stored::empty(object) };
        let mut cell = Vec::new();
        for (field, column) in stored.columns.iter_mut().enumerate() {
            for row in 0..generated.rows {
                cell.clear();
                generated.text(row, field, &mut cell);
                column.push(&cell);
            }
        }
        stored
    }

    /// Adds a row of one cell a field.
    pub fn append(&mut self, cells: &[Vec<u8>]) {
        for (column, cell) in self.columns.iter_mut().zip(cells) {
            column.pad(self.rows);
            column.push(cell);
        }
        self.rows += 1;
    }

    /// As [`Stored::append`], for a row that is to be found by its id.
    pub fn append_with_id(&mut self, cells: &[Vec<u8>], id: Id) {
        let row = self.rows;
        self.append(cells);
        if let Some(given) = &mut self.given_ids {
            given.insert(id, row);
        }
    }

    /// Puts other cells in the place of a row's; those that are the same are left alone.
    pub fn replace(&mut self, row: u64, cells: &[Vec<u8>]) {
        for (column, cell) in self.columns.iter_mut().zip(cells) {
            if column.get(row) != cell.as_slice() {
                column.replace(row, cell);
            }
        }
    }

    /// Counts the rows in the recycle bin anew.
    pub fn count_deleted(&mut self, field: Option<usize>) {
        let deleted = |row: &u64| field.is_some_and(|field| self.cell(*row, field) == b"true");
        self.deleted = (0..self.rows).filter(deleted).count() as u64;
    }

    /// Replaces a column's empty cells.
    pub fn fill_gaps(&mut self, field: Option<usize>, mut cell: impl FnMut(&Stored, u64) -> Vec<u8>) {
        let Some(index) = field else { return };
        let mut column = TextColumn::default();
        for row in 0..self.rows {
            match self.cell(row, index) {
                b"" => column.push(&cell(self, row)),
                text => column.push(text),
            }
        }
        if let Some(place) = self.columns.get_mut(index) {
            *place = column;
        }
    }
}
