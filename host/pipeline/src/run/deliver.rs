//! Batches into the destination, and what happens when one of them breaks it.
//!
//! The rows of a unit are gone with the instance that held them. So the rest of the unit is only probed, batch by batch,
//! in units that are abandoned at once; then the unit is read and written again without the rows that were found.

use arrow_array::{BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;
use forcepump_batch::RowReject;
use forcepump_sandbox::WriteOutcome;

use super::broken::{Broken, hopeless};
use super::failure::Failure;
use super::lane::Lane;
use super::mend::{Hunt, tell};
use super::retry::{self, patiently};
use super::unit::Unit;
use crate::error::Error;
use crate::file::BadBatch;

/// How often a destination may ask for the same batch again.
const MAX_WRITE_RETRIES: u32 = 5;

impl Unit<'_> {
    /// Writes a batch of the chain's output, but for rows that are known to break the destination.
    pub(crate) async fn write(&mut self, lane: &mut Lane, batch: RecordBatch) -> Result<(), Failure> {
        let stage = self.destination_stage();
        let first_row = self.entered(stage, batch.num_rows());
        for stretch in self.findings.stretches(stage, first_row, batch.num_rows()) {
            match stretch.bad {
                Some(poison) => {
                    self.refuse(None, &batch, first_row, &poison.rejects(stretch.offset, stretch.rows));
                }
                None => {
                    self.deliver(lane, stretch.of(&batch), first_row + stretch.offset as u64).await?;
                }
            }
        }
        if batch.num_rows() == 0 {
            // A result without rows still has columns, and the destination makes something of them.
            return self.deliver(lane, batch, first_row).await;
        }
        Ok(())
    }

    async fn deliver(&mut self, lane: &mut Lane, batch: RecordBatch, first_row: u64) -> Result<(), Failure> {
        let passing = self.passing(&batch)?;
        if self.probing.is_some() {
            return match self.probe(lane, &passing).await? {
                Ok(()) => Ok(()),
                Err(broken) => self.look_for_bad_rows(lane, &batch, first_row, broken, false).await,
            };
        }
        let rows = batch.num_rows() as u64;
        match self.offer(lane, &passing).await? {
            Ok(WriteOutcome::Partial(mut rejects)) => {
                self.tally.written += rows.saturating_sub(rejects.len() as u64);
                self.content.wrote(&without(&passing, &rejects)?);
                self.refusals += rejects.len() as u64;
                let gate = &self.pass.through.gate;
                rejects.iter_mut().for_each(|reject| reject.column = reject.column.and_then(|c| gate.before(c)));
                self.refuse(None, &batch, first_row, &rejects);
            }
            Ok(_) => {
                self.tally.written += rows;
                self.content.wrote(&passing);
            }
            Err(broken) => return self.broke_destination(lane, &batch, first_row, broken).await,
        }
        self.wrote = true;
        self.shared.health(None).passed(batch.num_rows());
        Ok(())
    }

    /// The batch, as often as the destination asks for it.
    async fn offer(&self, lane: &mut Lane, passing: &RecordBatch) -> Result<Result<WriteOutcome, Broken>, Failure> {
        let part = &self.shared.parts.destination;
        let mut last = String::new();
        for _ in 0..=MAX_WRITE_RETRIES {
            match patiently!(self.shared, lane.destination.write(passing)) {
                Ok(WriteOutcome::Retry { after_ms, reason }) => {
                    if !retry::wait(self.shared, "the destination asks for the same batch", after_ms, &reason).await {
                        return Err(Error::Interrupted.into());
                    }
                    last = reason;
                }
                Ok(outcome) => return Ok(Ok(outcome)),
                Err(error) => {
                    return match Broken::of(error) {
                        Ok(broken) => Ok(Err(broken)),
                        Err(error) => Err(self.shared.interrupted_or(part.destination_error(&error)).into()),
                    };
                }
            }
        }
        Err(Error::Destination {
            plugin: part.name().to_owned(),
            call: "write",
            message: format!("asked for the same batch more than {MAX_WRITE_RETRIES} times: {last}"),
        }
        .into())
    }

    /// The first batch of the unit that broke the destination: from here on the unit is only probed.
    async fn broke_destination(
        &mut self,
        lane: &mut Lane,
        batch: &RecordBatch,
        first_row: u64,
        broken: Broken,
    ) -> Result<(), Failure> {
        let part = &self.shared.parts.destination;
        let error = part.destination_error(&broken.error);
        if part.on_bad_batch == BadBatch::Stop {
            return Err(error.into());
        }
        if lane.destination.is_alive() {
            // Whatever it says, the instance goes, and what it holds open goes with it.
            let _ = lane.destination.abandon().await;
        }
        self.renew_destination(lane).await?;
        let worked = self.wrote;
        self.probing = Some(broken.clone());
        let found = self.bad_rows;
        self.look_for_bad_rows(lane, batch, first_row, broken, worked).await?;
        if self.bad_rows == found {
            let told = "it broke on a batch of which no row does so alone; it may be the unit as a whole";
            return Err(error.explained(told).into());
        }
        Ok(())
    }

    /// Finds the rows of a batch that break the destination; what it says of the others comes when the unit is written.
    async fn look_for_bad_rows(
        &mut self,
        lane: &mut Lane,
        batch: &RecordBatch,
        first_row: u64,
        mut last: Broken,
        worked: bool,
    ) -> Result<(), Failure> {
        let shared = self.shared;
        let (part, health) = (&shared.parts.destination, shared.health(None));
        let stage = self.destination_stage();
        let bad_batches = health.bad_batch();
        let mut hunt = Hunt::new(part, health, batch.num_rows(), worked);
        hunt.spend(last.cost(), self.findings.spent(stage, last.cost()));
        while let Some((offset, rows)) = hunt.next() {
            if hunt.tries() {
                let passing = self.passing(&batch.slice(offset, rows))?;
                let Err(broken) = self.probe(lane, &passing).await? else { continue };
                hunt.spend(broken.cost(), self.findings.spent(stage, broken.cost()));
                last = broken;
            }
            if !hunt.splits(offset, rows) {
                let poison = if rows == 1 || !hunt.looks() { last.poison() } else { last.over_budget() };
                self.findings.found(stage, first_row + offset as u64, rows, poison);
                self.bad_rows += rows as u64;
                hunt.lost += rows;
            }
        }
        tell(shared, part, self.id, &hunt, bad_batches, &last);
        match health.lost(hunt.lost, batch.num_rows()) {
            true => Err(hopeless(part.destination_error(&last.error)).into()),
            false => Ok(()),
        }
    }

    /// Writes rows into a unit of their own that is abandoned; afterwards the instance is in no unit.
    async fn probe(&mut self, lane: &mut Lane, passing: &RecordBatch) -> Result<Result<(), Broken>, Failure> {
        let shared = self.shared;
        let part = &shared.parts.destination;
        let id = format!("{}-probe", self.id);
        super::unit::begin(lane, shared, &id).await?;
        let written = self.offer(lane, passing).await?;
        let tidy = lane.destination.is_alive() && lane.destination.abandon().await.is_ok();
        if !tidy {
            self.renew_destination(lane).await?;
        }
        match written {
            Ok(_) => {
                shared.health(None).passed(passing.num_rows());
                Ok(Ok(()))
            }
            Err(broken) if part.on_bad_batch == BadBatch::Stop => Err(part.destination_error(&broken.error).into()),
            Err(broken) => Ok(Err(broken)),
        }
    }

    async fn renew_destination(&self, lane: &mut Lane) -> Result<(), Error> {
        let health = self.shared.health(None);
        health.counted(lane.destination.counters());
        health.renewed();
        lane.destination = self.shared.destination().await?;
        Ok(())
    }
}

/// The rows that were not rejected.
fn without(batch: &RecordBatch, rejects: &[RowReject]) -> Result<RecordBatch, Failure> {
    let mut keep = vec![true; batch.num_rows()];
    for reject in rejects {
        if let Some(keep) = keep.get_mut(reject.row as usize) {
            *keep = false;
        }
    }
    filter_record_batch(batch, &BooleanArray::from(keep))
        .map_err(|error| Failure::source_data(format!("rejected rows cannot be left out: {error}")))
}
