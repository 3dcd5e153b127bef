//! A batch that broke a transform: fresh instances, halves, and the rows at fault rejected.

use arrow_array::RecordBatch;
use forcepump_sandbox::CallError;

use super::broken::{Broken, hopeless};
use super::failure::Failure;
use super::findings::Search;
use super::lane::Lane;
use super::shared::Shared;
use super::unit::Unit;
use crate::error::Error;
use crate::event::Event;
use crate::file::BadBatch;
use crate::health::{FIRST_BATCH_BUDGET, Health, UNIT_BUDGET};
use crate::link::Link;
use crate::part::Part;

/// Bad batches of one plugin that are told one by one; the report counts them all.
const TOLD_BAD_BATCHES: u64 = 5;

impl Unit<'_> {
    /// What the good rows of a batch that broke the transform come to.
    pub(super) async fn mend(
        &mut self,
        lane: &mut Lane,
        stage: usize,
        batch: &RecordBatch,
        first_row: u64,
        mut last: Broken,
    ) -> Result<Vec<RecordBatch>, Failure> {
        let shared = self.shared;
        let (part, health) = (&shared.parts.transforms[stage], shared.health(Some(stage)));
        check_mendable(part, &lane.links[stage], &last)?;
        let bad_batches = health.bad_batch();
        let mut hunt = Hunt::new(part, health, batch.num_rows(), lane.links[stage].worked());
        hunt.spend(last.cost(), self.findings.spent(stage, last.cost()));
        lane.links[stage].renew(shared.care(stage)).await?;
        let mut out = Vec::new();
        while let Some((offset, rows)) = hunt.next() {
            let (slice, row) = (batch.slice(offset, rows), first_row + offset as u64);
            let broken = match hunt.tries() {
                true => match self.attempt(lane, stage, &slice, row).await? {
                    Ok(batches) => {
                        out.extend(batches);
                        continue;
                    }
                    Err(broken) => broken,
                },
                false => last.clone(),
            };
            if hunt.tries() {
                hunt.spend(broken.cost(), self.findings.spent(stage, broken.cost()));
                check_mendable(part, &lane.links[stage], &broken)?;
                lane.links[stage].renew(shared.care(stage)).await?;
            }
            if !hunt.splits(offset, rows) {
                let poison = if rows == 1 || !hunt.looks() { broken.poison() } else { broken.over_budget() };
                self.refuse(Some(stage), batch, first_row, &poison.rejects(offset, rows));
                self.findings.found(stage, row, rows, poison);
                hunt.lost += rows;
            }
            last = broken;
        }
        tell(shared, part, self.id, &hunt, bad_batches, &last);
        match health.lost(hunt.lost, batch.num_rows()) {
            true => Err(hopeless(part.transform_error(&last.error)).into()),
            false => Ok(out),
        }
    }
}

/// Tells of a bad batch, unless there were many.
pub(super) fn tell(shared: &Shared, part: &Part, unit: &str, hunt: &Hunt<'_>, bad_batches: u64, last: &Broken) {
    if bad_batches > TOLD_BAD_BATCHES {
        return;
    }
    let more = if bad_batches == TOLD_BAD_BATCHES { "; further ones are only counted" } else { "" };
    shared.observer.event(Event::Warning(format!(
        "a batch of {} rows of unit {unit} broke plugin {}, {} of them are rejected: {}{more}",
        hunt.rows,
        part.name(),
        hunt.lost,
        last.poison().reason
    )));
}

/// The search for the rows at fault in one batch, within its budgets.
pub(super) struct Hunt<'a> {
    health: &'a Health,
    search: Search,
    bisects: bool,
    rows: usize,
    /// what the batch and the unit have paid so far
    batch_cost: u64,
    unit_cost: u64,
    /// the first part of a search that tries nothing is lost as it is
    tries: bool,
    pub lost: usize,
}

impl<'a> Hunt<'a> {
    /// `worked`: the broken instance had taken batches before, so that the whole of this one may pass on a fresh one.
    pub(super) fn new(part: &Part, health: &'a Health, rows: usize, worked: bool) -> Self {
        let bisects = part.on_bad_batch == BadBatch::Bisect;
        let mut search = Search::whole(rows);
        // A single row that broke a fresh instance is at fault, without another look.
        let tries = bisects && (worked || rows > 1);
        if tries && !worked {
            search.next();
            search.split(0, rows);
        }
        Self { health, search, bisects, rows, batch_cost: 0, unit_cost: 0, tries, lost: 0 }
    }

    pub(super) fn next(&mut self) -> Option<(usize, usize)> {
        self.search.next()
    }

    /// Whether parts are tried at all.
    pub(super) fn tries(&self) -> bool {
        self.tries
    }

    /// Whether the policy is to look for single rows.
    pub(super) fn looks(&self) -> bool {
        self.bisects
    }

    /// A call broke; `unit` is what the unit has paid by now.
    pub(super) fn spend(&mut self, cost: u64, unit: u64) {
        self.batch_cost += cost;
        self.unit_cost = unit;
        self.health.spent(cost);
    }

    /// Cuts a broken part in two, when it has several rows and the budgets allow; else it is lost.
    pub(super) fn splits(&mut self, offset: usize, rows: usize) -> bool {
        let batch_affords = self.health.has_passed() || self.batch_cost < FIRST_BATCH_BUDGET;
        let affords = batch_affords && self.unit_cost < UNIT_BUDGET && self.health.affords();
        let splits = self.tries && rows > 1 && affords;
        if splits {
            self.search.split(offset, rows);
        }
        splits
    }
}

/// Whether the policy and the plugin allow to go on after a broken batch.
fn check_mendable(part: &Part, link: &Link, broken: &Broken) -> Result<(), Error> {
    let error = part.transform_error(&broken.error);
    if part.on_bad_batch == BadBatch::Stop {
        return Err(error);
    }
    if !link.is_stateful() {
        return Ok(());
    }
    if let CallError::Memory { limit_bytes, .. } = broken.error {
        return Err(error.with_hint(&format!(
            "the plugin keeps state, and a fresh instance would need as much again; raise `{}.limits.memory_mib`, now {}, or give it less to keep",
            part.key,
            limit_bytes >> 20
        )));
    }
    match link.lost() {
        None => Ok(()),
        Some(why) => Err(error.with_hint(&format!(
            "the rows at fault are not looked for, because the plugin keeps state that is lost with its instance: {why}"
        ))),
    }
}
