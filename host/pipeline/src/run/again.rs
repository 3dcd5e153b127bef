//! Rows that were rejected once and are read again: which of them go through.

use std::collections::BTreeSet;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;

use super::refuse::ID;
use super::rejects::RejectLine;
use super::shared::Shared;

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

    /// Rows that were refused when an earlier process ran the unit: a destination that has it refuses nothing now.
    pub(super) fn refused_before(&mut self, ids: impl IntoIterator<Item = String>) {
        self.refused.extend(ids);
    }

    /// The rows that were not refused, and that went through once the unit is durable.
    pub(super) fn mended(&self) -> Vec<String> {
        self.read.difference(&self.refused).cloned().collect()
    }

    /// Whether anything is kept.
    pub(super) fn keeps(&self) -> bool {
        self.keeps
    }
}
