//! Rows that were rejected once and are read again: which of them go through.

use std::collections::BTreeSet;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;

use super::refuse::ID;
use super::rejects::RejectLine;
use super::shared::Shared;
use crate::error::Error;

/// The rows of one unit; of a run that reads no rejected rows again nothing is kept.
#[derive(Debug, Default)]
pub(super) struct RetriedRows {
    keeps: bool,
    read: BTreeSet<String>,
    refused: BTreeSet<String>,
}

impl RetriedRows {
    pub(super) fn new(shared: &Shared) -> Self {
        Self { keeps: shared.journal.retries(), ..Self::default() }
    }

    /// Rows came in.
    pub(super) fn read(&mut self, batch: &RecordBatch) {
        if !self.keeps {
            return;
        }
        let ids = batch.column_by_name(ID).and_then(|column| column.as_string_opt::<i32>());
        self.read.extend(ids.into_iter().flatten().flatten().map(str::to_owned));
    }

    /// A row was refused once more.
    pub(super) fn refused(&mut self, line: &RejectLine) {
        if self.keeps {
            self.refused.extend(line.id.clone());
        }
    }

    /// The unit is durable: the rows that were not refused went through.
    pub(super) fn committed(&self, shared: &Shared) -> Result<(), Error> {
        if !self.keeps {
            return Ok(());
        }
        let mended: Vec<String> = self.read.difference(&self.refused).cloned().collect();
        shared.journal.mended(&shared.opening.feed, &mended)
    }
}
