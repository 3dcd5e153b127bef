//! PK chunking: the rows of a result cut by ranges of record ids.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::ids::{self, Id};
use super::prepare::{Output, Plan};
use super::tables::Table;
use super::{Prepared, Rows};

/// Rows whose ids lie in `from..until`.
#[derive(Debug, Clone)]
pub struct Chunk {
    /// First id, 15 characters.
    pub from: String,
    /// First id after the chunk, 15 characters.
    pub until: String,
    /// The statement's rows among them; a filter or the recycle bin may leave none.
    pub prepared: Prepared,
}

impl Prepared {
    /// Cuts a result into ranges of `size` ids each, from `start` on; ranges without any record are left out.
    ///
    /// `None` when the statement gives no plain records.
    pub fn chunks(&self, size: u64, start: Option<&Id>) -> Option<Vec<Chunk>> {
        let Output::Records { rows, .. } = &self.plan.output else { return None };
        let size = u128::from(size.max(1));
        let table = &self.plan.tables.tables[self.plan.object];
        let prefix = self.plan.tables.object(self.plan.object).prefix_bytes();
        let given = match table.as_ref() {
            Table::Stored(stored) => stored.given_ids.as_ref(),
            Table::Generated(_) => None,
        };
        let base = ids::number_of(&ids::of_row(prefix, 0));
        let least = start.map_or(0, ids::number_of);
        let first = match given {
            Some(given) => given.keys().map(ids::number_of).filter(|number| *number >= least).min(),
            None => (table.rows() > 0).then_some(base.max(least)),
        };
        let Some(first) = first else { return Some(Vec::new()) };
        let index = |number: u128| number.checked_sub(first).map(|above| above / size);
        let mut found: BTreeMap<u128, Vec<u64>> = match given {
            Some(given) => given.keys().filter_map(|id| index(ids::number_of(id))).map(|i| (i, Vec::new())).collect(),
            None => {
                let last = base + u128::from(table.rows()) - 1;
                index(last).map(|last| (0..=last).map(|i| (i, Vec::new())).collect()).unwrap_or_default()
            }
        };
        for row in rows.iter() {
            if let Some(place) = index(self.number_of_row(row)).and_then(|index| found.get_mut(&index)) {
                place.push(row);
            }
        }
        let chunk = |(index, rows)| Chunk {
            from: ids::of_number(prefix, first + index * size),
            until: ids::of_number(prefix, first + (index + 1) * size),
            prepared: self.restricted(rows),
        };
        Some(found.into_iter().map(chunk).collect())
    }

    fn number_of_row(&self, row: u64) -> u128 {
        let mut text = Vec::new();
        self.plan.tables.cell(self.plan.object, row, 0, &mut text);
        ids::normalise(&text).map_or(0, |id| ids::number_of(&id))
    }

    /// The same statement without any of its rows.
    pub fn emptied(&self) -> Prepared {
        self.restricted(Vec::new())
    }

    /// The rows of both, which are of one statement.
    pub fn joined(&self, other: &Prepared) -> Prepared {
        let rows = [self, other].into_iter().filter_map(|prepared| match &prepared.plan.output {
            Output::Records { rows, .. } => Some(rows.iter().collect::<Vec<u64>>()),
            Output::Count(_) | Output::Groups { .. } => None,
        });
        self.restricted(rows.flatten().collect())
    }

    /// The same statement with these of its rows only.
    fn restricted(&self, rows: Vec<u64>) -> Prepared {
        let output = match &self.plan.output {
            Output::Records { columns, shape, .. } => Output::Records {
                columns: columns.clone(),
                shape: shape.clone(),
                rows: Rows::List(rows),
                children: Vec::new(),
            },
            Output::Count(_) | Output::Groups { .. } => Output::Count(0),
        };
        let plan = Plan { tables: self.plan.tables.clone(), object: self.plan.object, output, grouped: false };
        Prepared { plan: Arc::new(plan) }
    }
}
