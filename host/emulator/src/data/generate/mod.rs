//! Rows computed from (seed, object, row number) alone, so that any range can be produced apart from the rest.

mod calendar;
mod column;
mod plan;
mod pool;
mod sink;
mod words;

use std::sync::Arc;

use column::Column;
pub use plan::Target;
use sink::{CsvSink, TextSink};

use super::schema::ObjectDef;

/// Rows of one object, computed when asked for.
#[derive(Debug, Clone)]
pub struct Generated {
    /// How many rows there are.
    pub rows: u64,
    columns: Arc<[Column]>,
}

impl Generated {
    /// `targets` are the objects that reference fields may point to, with their rows.
    pub fn new(object: &ObjectDef, rows: u64, seed: u64, targets: &[Target]) -> Generated {
        let columns = object.fields.iter().map(|field| plan::column(object, field, rows, seed, targets)).collect();
        Generated { rows, columns }
    }

    /// Appends a cell's text; nothing for null.
    pub fn text(&self, row: u64, field: usize, out: &mut Vec<u8>) {
        if let Some(column) = self.columns.get(field) {
            column.write(row, &mut TextSink(out));
        }
    }

    /// Appends a cell as Bulk CSV shows it, with its quotes.
    pub fn csv(&self, row: u64, field: usize, out: &mut Vec<u8>) {
        if let Some(column) = self.columns.get(field) {
            column.write(row, &mut CsvSink(out));
        }
    }

    /// The columns of these fields, for writing many rows.
    pub fn pick(&self, field: usize) -> Option<Picked<'_>> {
        self.columns.get(field).map(Picked)
    }

    /// Object and row that a reference field points to.
    pub fn parent(&self, row: u64, field: usize) -> Option<(usize, u64)> {
        self.columns.get(field)?.parent(row)
    }
}

/// A moment within the years in which records were created, chosen by `number`.
pub fn day_and_second(number: u64) -> String {
    String::from_utf8_lossy(&calendar::second(column::created_second(number))).into_owned()
}

/// One column of generated rows.
#[derive(Clone, Copy)]
pub struct Picked<'a>(&'a Column);

impl Picked<'_> {
    /// Appends a cell as Bulk CSV shows it, with its quotes.
    #[inline]
    pub fn csv(&self, row: u64, out: &mut Vec<u8>) {
        self.0.write(row, &mut CsvSink(out));
    }
}
