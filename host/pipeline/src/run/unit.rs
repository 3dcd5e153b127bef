//! One unit: a page goes through the transforms into the destination and is committed as one, or not at all.

use std::sync::Arc;

use arrow_array::RecordBatch;
use forcepump_batch::{DecodedBatch, RowReject};
use forcepump_sandbox::{DestinationInstance, Processed, WriteOutcome};
use tokio::sync::mpsc;

use super::failure::Failure;
use super::reader::{Piece, Reading};
use super::refuse::Refuser;
use super::rejects::UnitRejects;
use super::shared::Shared;
use super::tally::UnitTally;
use crate::cancel::Cancel;
use crate::chain::Link;
use crate::event::Event;

/// How often a destination may ask for the same batch again.
const MAX_WRITE_RETRIES: u32 = 5;
/// The longest pause that a destination can ask for.
const MAX_WRITE_PAUSE_MS: u32 = 30_000;
/// The pause when a destination names none.
const WRITE_PAUSE_MS: u32 = 500;

/// The instances of one worker; a trap makes them unusable, and the run ends.
pub(crate) struct Lane {
    pub number: u32,
    pub links: Vec<Link>,
    pub destination: DestinationInstance,
}

/// A unit under way.
pub(crate) struct Unit<'a> {
    pub id: &'a str,
    pub shared: &'a Shared,
    pub tally: UnitTally,
    pub rejects: UnitRejects,
    /// rows seen so far at the entrance of each transform, and of the destination
    seen: Vec<u64>,
}

impl<'a> Unit<'a> {
    pub(crate) fn new(id: &'a str, shared: &'a Shared, stages: usize) -> Self {
        Self { id, shared, tally: UnitTally::default(), rejects: UnitRejects::new(), seen: vec![0; stages + 1] }
    }

    /// Takes the pieces of a page until its end; gives what the page announced.
    pub(crate) async fn take_page(
        &mut self,
        lane: &mut Lane,
        reading: &Reading,
        pieces: &mut mpsc::Receiver<Result<Piece, Failure>>,
    ) -> Result<(), Failure> {
        let mut announced = None;
        while let Some(piece) = pieces.recv().await {
            match piece? {
                Piece::Head { announced: rows } => announced = rows,
                Piece::Rows(decoded, bytes) => self.take_rows(lane, reading, decoded, bytes).await?,
                Piece::End { records } => {
                    self.tally.read = records;
                    return self.tally.check(self.id, announced).map_err(|text| Failure::source_data(text).again());
                }
            }
        }
        Err(Failure::source_data(format!("page {} ended without its end; nothing of it was written", self.id)).again())
    }

    async fn take_rows(
        &mut self,
        lane: &mut Lane,
        reading: &Reading,
        decoded: DecodedBatch,
        bytes: u64,
    ) -> Result<(), Failure> {
        let rows = (decoded.batch.num_rows() + decoded.rejects.len()) as u64;
        self.tally.read += rows;
        self.tally.bytes += bytes;
        self.shared.observer.event(Event::Read { rows, bytes });
        let refuser = Refuser::new(self.shared, self.id);
        self.tally.rejected += decoded.rejects.len() as u64;
        for reject in &decoded.rejects {
            self.rejects.push(&refuser.decoded(reject, &reading.columns.fetched));
        }
        if decoded.batch.num_rows() == 0 {
            return Ok(());
        }
        let batch = reading.columns.widen(&decoded.batch)?;
        self.pass(lane, 0, batch).await
    }

    /// Sends a batch through the transforms from number `first` on, and writes what comes out.
    pub(crate) async fn pass(&mut self, lane: &mut Lane, first: usize, batch: RecordBatch) -> Result<(), Failure> {
        let mut batches = vec![batch];
        for stage in first..lane.links.len() {
            let mut out = Vec::with_capacity(batches.len());
            for batch in batches {
                out.extend(self.transform(lane, stage, batch).await?);
            }
            batches = out;
        }
        for batch in batches.into_iter().filter(|batch| batch.num_rows() > 0) {
            self.write(lane, batch).await?;
        }
        Ok(())
    }

    async fn transform(
        &mut self,
        lane: &mut Lane,
        stage: usize,
        batch: RecordBatch,
    ) -> Result<Vec<RecordBatch>, Failure> {
        let part = &self.shared.parts.transforms[stage];
        let first_row = self.seen[stage];
        let rows = batch.num_rows() as u64;
        self.seen[stage] += rows;
        let done = lane.links[stage].instance.process(batch.clone(), first_row).await;
        let Processed { batches, rejects, filtered, replaced, .. } =
            done.map_err(|error| part.transform_error(&error))?;
        let out: u64 = batches.iter().map(|batch| batch.num_rows() as u64).sum();
        let refused = rejects.len() as u64;
        // A row that is left out stays filtered, also where another one is taken twice.
        let filtered = if replaced { rows.saturating_sub(out + refused) } else { filtered };
        self.tally.filtered += filtered;
        self.tally.added += (out + refused + filtered).saturating_sub(rows);
        self.refuse(Some(stage), &batch, first_row, &rejects);
        Ok(batches)
    }

    pub(crate) async fn write(&mut self, lane: &mut Lane, batch: RecordBatch) -> Result<(), Failure> {
        let stage = self.seen.len() - 1;
        let first_row = self.seen[stage];
        let rows = batch.num_rows() as u64;
        self.seen[stage] += rows;
        let part = &self.shared.parts.destination;
        let passing = self.passing(&batch)?;
        for _ in 0..=MAX_WRITE_RETRIES {
            let outcome = lane.destination.write(&passing).await;
            match outcome.map_err(|error| part.destination_error(&error))? {
                WriteOutcome::Accepted => {
                    self.tally.written += rows;
                    return Ok(());
                }
                WriteOutcome::Partial(mut rejects) => {
                    self.tally.written += rows.saturating_sub(rejects.len() as u64);
                    let gate = &self.shared.place.gate;
                    rejects.iter_mut().for_each(|reject| reject.column = reject.column.and_then(|c| gate.before(c)));
                    self.refuse(None, &batch, first_row, &rejects);
                    return Ok(());
                }
                WriteOutcome::Retry { after_ms, reason } => self.pause(after_ms, &reason).await,
            }
        }
        Err(crate::Error::Destination {
            plugin: part.name().to_owned(),
            call: "write",
            message: format!("asked for the same batch more than {MAX_WRITE_RETRIES} times"),
        }
        .into())
    }

    /// The columns that may reach the destination.
    fn passing(&self, batch: &RecordBatch) -> Result<RecordBatch, Failure> {
        let projected = self.shared.place.gate.project(batch);
        projected.map_err(|error| Failure::source_data(format!("a batch does not fit the destination: {error}")))
    }

    async fn pause(&self, after_ms: Option<u32>, reason: &str) {
        let wait = after_ms.unwrap_or(WRITE_PAUSE_MS).min(MAX_WRITE_PAUSE_MS);
        self.shared.observer.event(Event::Warning(format!("the destination asks to wait {wait} ms: {reason}")));
        tokio::time::sleep(std::time::Duration::from_millis(u64::from(wait))).await;
    }

    fn refuse(&mut self, stage: Option<usize>, batch: &RecordBatch, first_row: u64, rejects: &[RowReject]) {
        let part = match stage {
            Some(stage) => &self.shared.parts.transforms[stage],
            None => &self.shared.parts.destination,
        };
        let refuser = Refuser::new(self.shared, self.id);
        self.tally.rejected += rejects.len() as u64;
        for reject in rejects {
            self.rejects.push(&refuser.plugin(part, batch, first_row, reject));
        }
    }
}

/// Reads a page into the destination and commits it. An interruption ends the reading and never the commit: a unit
/// that is durable is always in the ledger too.
pub(crate) async fn run_page(
    lane: &mut Lane,
    shared: &Shared,
    reading: &Arc<Reading>,
    page: forcepump_salesforce::PageRef,
    cancel: &Cancel,
) -> Result<(), Failure> {
    let id = unit_id(page.index);
    let mut unit = Unit::new(&id, shared, lane.links.len());
    begin(lane, shared, &id).await?;
    let mut pieces = super::reader::read(reading, page);
    let taken = cancel.race(unit.take_page(lane, reading, &mut pieces)).await;
    drop(pieces);
    finish(lane, unit, taken.unwrap_or_else(|| Err(crate::Error::Interrupted.into()))).await
}

/// Commits a unit whose rows are all written, or abandons it.
pub(crate) async fn finish(lane: &mut Lane, mut unit: Unit<'_>, taken: Result<(), Failure>) -> Result<(), Failure> {
    let part = &unit.shared.parts.destination;
    if let Err(failure) = taken {
        // The first failure is what the operator needs; abandoning is the destination's chance to tidy.
        let tidy = lane.destination.abandon().await.is_ok();
        // What may have stayed in the destination must not be written a second time.
        let failure = Failure { again: failure.again && tidy, ..failure };
        if failure.again {
            let (rows, bytes, reason) = (unit.tally.read, unit.tally.bytes, failure.error.to_string());
            unit.shared.observer.event(Event::UnitRetried { unit: unit.id.to_owned(), rows, bytes, reason });
        }
        return Err(failure);
    }
    unit.shared.ledger().rejects.append(&mut unit.rejects)?;
    let token = lane.destination.commit().await.map_err(|error| part.destination_error(&error))?;
    unit.shared.ledger().committed(token, &unit.tally);
    unit.shared.observer.event(Event::UnitCommitted { unit: unit.id.to_owned(), rows: unit.tally.written });
    Ok(())
}

pub(crate) async fn begin(lane: &mut Lane, shared: &Shared, id: &str) -> Result<(), Failure> {
    let begun = lane.destination.begin(&shared.place.target, &shared.place.prepared, id).await;
    begun.map_err(|error| shared.parts.destination.destination_error(&error).into())
}

/// The same page has the same unit id, however often it is tried.
fn unit_id(index: u64) -> String {
    format!("p{index:05}")
}
