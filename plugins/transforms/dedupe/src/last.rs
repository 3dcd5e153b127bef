//! `keep = "last"`: rows wait on the host until it is known that no later one has their key.

use std::collections::BTreeMap;

use forcepump_plugin_sdk::data::{self, BatchNumber, Refused};
use forcepump_plugin_sdk::{Batch, Column, Emitted, PluginError, Schema, Selection};
use forcepump_transform_common::push;

use crate::keys::{Keys, MERGE_INSTEAD, Seen};

/// Owner of a row that a later one replaced.
const REPLACED: u32 = u32::MAX;
/// Owner of a row that no key can replace.
const UNLIKE: u32 = u32::MAX - 1;
/// A batch of which fewer than one row in this many is left is made anew of those rows.
const THIN: u32 = 4;
/// Columns that one call makes at most while it thins batches out; the host allows 4,096 in all.
const THINNING_COLUMNS: usize = 3_000;

/// A batch that the host keeps.
#[derive(Debug)]
struct Held {
    batch: BatchNumber,
    /// for each row the number of its key, or one of the words above
    owners: Vec<u32>,
    /// rows that are not replaced
    live: u32,
}

/// Where the last row of a key is.
#[derive(Debug, Clone, Copy)]
struct Spot {
    /// which batch, in the order in which they came
    serial: u32,
    row: u32,
}

/// The rows that wait.
#[derive(Debug, Default)]
pub struct Waiting {
    held: BTreeMap<u32, Held>,
    /// by number of the key
    spots: Vec<Spot>,
    next_serial: u32,
    /// rows of the first batch that `finish` has given
    given: usize,
}

impl Waiting {
    /// Takes a batch: its rows replace earlier ones of the same key.
    pub fn take(&mut self, batch: &Batch<'_>, keys: &mut Keys) -> Result<(), PluginError> {
        let read = keys.columns.read()?;
        let serial = self.next_serial;
        self.next_serial += 1;
        let mut owners = Vec::with_capacity(batch.rows());
        for row in 0..batch.rows() {
            let owner = match keys.see(&read, row)? {
                Seen::Unlike => UNLIKE,
                Seen::New(number) => {
                    let spot = Spot { serial, row: row as u32 };
                    push(&mut self.spots, spot).map_err(|_| keys.no_room())?;
                    number
                }
                Seen::Again(number) => {
                    let spot = std::mem::replace(&mut self.spots[number as usize], Spot { serial, row: row as u32 });
                    match spot.serial == serial {
                        true => owners[spot.row as usize] = REPLACED,
                        false => self.replace(spot),
                    }
                    number
                }
            };
            owners.push(owner);
        }
        self.hold(serial, batch, owners)?;
        self.thin_out(batch.schema());
        Ok(())
    }

    fn replace(&mut self, spot: Spot) {
        let Some(held) = self.held.get_mut(&spot.serial) else { return };
        held.owners[spot.row as usize] = REPLACED;
        held.live -= 1;
        if held.live == 0 {
            data::release(held.batch);
            self.held.remove(&spot.serial);
        }
    }

    fn hold(&mut self, serial: u32, batch: &Batch<'_>, owners: Vec<u32>) -> Result<(), PluginError> {
        let live = owners.iter().filter(|owner| **owner != REPLACED).count() as u32;
        let whole = Held { batch: batch.handle(), owners, live };
        let kept = match whole.is_thin() {
            true => self.thinned(serial, whole, batch.schema()),
            false => data::retain(whole.batch).map(|batch| Held { batch, ..whole }).map_err(|refused| refused.reason),
        };
        let held = kept.map_err(|reason| self.refused(&reason))?;
        self.held.insert(serial, held);
        Ok(())
    }

    fn refused(&self, reason: &str) -> PluginError {
        let rows: u64 = self.held.values().map(|held| u64::from(held.live)).sum();
        PluginError::fatal(format!(
            "{rows} rows in {batches} batches wait and no more can: {reason}; raise limits.memory_mib of this step, \
             keep the first row of a key, or {MERGE_INSTEAD}",
            batches = self.held.len()
        ))
    }

    /// Makes a batch anew of the rows that are left, and tells their keys where they are now.
    fn thinned(&mut self, serial: u32, held: Held, schema: &Schema) -> Result<Held, String> {
        let rows: Vec<u32> = held.live_rows(0).collect();
        let batch = retained_rows(held.batch, &rows, schema).map_err(|refused| refused.reason)?;
        let owners: Vec<u32> = rows.iter().map(|row| held.owners[*row as usize]).collect();
        for (owner, row) in owners.iter().zip(0..) {
            if let Some(spot) = self.spots.get_mut(*owner as usize) {
                *spot = Spot { serial, row };
            }
        }
        Ok(Held { batch, owners, live: held.live })
    }

    /// Gives back the memory of batches of which little is left. When the host refuses, they stay as they are.
    fn thin_out(&mut self, schema: &Schema) {
        let columns = schema.fields.len() * 2;
        let budget = THINNING_COLUMNS.saturating_sub(schema.fields.len()) / columns.max(1);
        let thin = self.held.iter().filter(|(_, held)| held.is_thin());
        let thin: Vec<u32> = thin.map(|(serial, _)| *serial).take(budget).collect();
        for serial in thin {
            let Some(held) = self.held.remove(&serial) else { continue };
            let (batch, owners, live) = (held.batch, held.owners.clone(), held.live);
            let made = self.thinned(serial, held, schema);
            let refused = made.is_err();
            let held = made.unwrap_or(Held { batch, owners, live });
            if held.batch != batch {
                data::release(batch);
            }
            self.held.insert(serial, held);
            if refused {
                return;
            }
        }
    }

    /// Rows that waited, at most so many, in the order in which they came.
    pub fn give(&mut self, max_rows: u32) -> Result<Option<Emitted>, PluginError> {
        while let Some(mut first) = self.held.first_entry() {
            let held = first.get_mut();
            let rows: Vec<u32> = held.live_rows(self.given).take(max_rows as usize).collect();
            let columns = match rows.len() == held.owners.len() {
                true => data::columns(held.batch)?,
                false => selected(held.batch, &rows)?,
            };
            self.given = rows.last().map_or(held.owners.len(), |row| *row as usize + 1);
            if held.live_rows(self.given).next().is_none() {
                data::release(held.batch);
                first.remove();
                self.given = 0;
            }
            if !rows.is_empty() {
                return Ok(Some(Emitted::new(rows.len() as u32, columns)));
            }
        }
        Ok(None)
    }
}

impl Held {
    fn is_thin(&self) -> bool {
        u64::from(self.live) * u64::from(THIN) < self.owners.len() as u64
    }

    fn live_rows(&self, from: usize) -> impl Iterator<Item = u32> + '_ {
        let rows = self.owners.iter().zip(0..).skip(from);
        rows.filter(|(owner, _)| **owner != REPLACED).map(|(_, row)| row)
    }
}

fn selected(batch: BatchNumber, rows: &[u32]) -> Result<Vec<Column>, Refused> {
    let rows = Selection::Take(rows.to_vec());
    data::columns(batch)?.into_iter().map(|column| data::select(column, &rows)).collect()
}

fn retained_rows(batch: BatchNumber, rows: &[u32], schema: &Schema) -> Result<BatchNumber, Refused> {
    data::retain(data::assemble(schema, &selected(batch, rows)?)?)
}
