//! One unit: a page goes through the transforms into the destination and is committed as one, or not at all.

use std::sync::Arc;

use arrow_array::RecordBatch;
use forcepump_batch::{DecodedBatch, RowReject};
use forcepump_sandbox::Processed;

use super::again::RetriedRows;
use super::broken::Broken;
use super::content::Content;
use super::failure::{Again, Failure};
use super::findings::Findings;
use super::ids::Ids;
use super::lane::Lane;
use super::limit::When;
use super::overlap::RowHash;
use super::pass::Pass;
use super::reader::{Piece, Pieces, Reading, Room, read};
use super::receipt::{self, Proven};
use super::refuse::Refuser;
use super::rejects::{Party, UnitRejects};
use super::rerun::{self, Counts};
use super::retry::patiently;
use super::shared::Shared;
use super::tally::UnitTally;
use crate::cancel::Cancel;
use crate::error::Error;
use crate::event::Event;

/// A unit under way.
pub(crate) struct Unit<'a> {
    pub id: &'a str,
    pub shared: &'a Shared,
    pub tally: UnitTally,
    pub rejects: UnitRejects,
    /// rows that the destination refused by its word, and not by breaking
    pub refusals: u64,
    /// what earlier tries of the unit found, and what this one finds
    pub findings: &'a mut Findings,
    /// set once a batch broke the destination: what broke it first
    pub probing: Option<Broken>,
    /// rows found to break the destination
    pub bad_rows: u64,
    /// rows that the next incremental run may meet again
    pub remembered: Vec<RowHash>,
    /// the ids of its rows
    pub ids: Ids,
    /// hashes of its rows
    pub content: Content,
    /// rows that were rejected once
    again: RetriedRows,
    /// what the extract has to know of its part, once the unit is whole
    pub part: Option<String>,
    /// the destination has taken a batch of this unit
    pub wrote: bool,
    /// whose unit it is
    pub pass: Arc<Pass>,
    /// rows seen so far at the entrance of each transform, and of the destination
    seen: Vec<u64>,
}

impl<'a> Unit<'a> {
    pub(crate) fn new(id: &'a str, shared: &'a Shared, lane: &Lane, findings: &'a mut Findings) -> Self {
        Self {
            id,
            shared,
            tally: UnitTally::default(),
            rejects: UnitRejects::new(id),
            refusals: 0,
            findings,
            probing: None,
            bad_rows: 0,
            remembered: Vec::new(),
            ids: Ids::default(),
            content: Content::default(),
            again: RetriedRows::new(shared),
            part: None,
            wrote: false,
            pass: Arc::clone(&lane.pass),
            seen: vec![0; lane.links.len() + 1],
        }
    }

    /// Takes the pieces of a page until its end; gives what the page announced.
    pub(crate) async fn take_page(
        &mut self,
        lane: &mut Lane,
        reading: &Reading,
        pieces: &mut Pieces,
    ) -> Result<(), Failure> {
        let mut announced = None;
        while let Some(piece) = pieces.recv().await {
            match piece? {
                Piece::Head { announced: rows } => announced = rows,
                Piece::Rows(decoded, bytes) => self.take_rows(lane, reading, decoded, bytes).await?,
                Piece::End { records } => {
                    self.tally.read = records;
                    return self.ended(announced).map_err(|failure| match failure.again {
                        Again::Never => failure.again(),
                        _ => failure,
                    });
                }
            }
        }
        Err(Failure::source_data(format!("page {} ended without its end; nothing of it was written", self.id)).again())
    }

    /// All rows went their way: whether the unit adds up, and can be committed.
    pub(crate) fn ended(&self, announced: Option<u64>) -> Result<(), Failure> {
        if let Some(broken) = &self.probing {
            return Err(Failure::without_bad_rows(self.shared.parts.destination.destination_error(&broken.error)));
        }
        self.tally.check(self.id, announced).map_err(Failure::source_data)
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
            self.ids.unknown();
            self.content.read.update_other(reject.row, reject.values.iter().map(Option::as_deref));
            let line = refuser.decoded(reject, &reading.columns.fetched);
            self.again.refused(&line);
            self.rejects.push(&line, Party::Source);
        }
        if decoded.batch.num_rows() > 0 {
            self.ids.take(&decoded.batch);
            self.content.enter(&decoded.batch);
            self.again.read(&decoded.batch);
            let batch = self.without_known(decoded.batch)?;
            if batch.num_rows() > 0 {
                self.pass(lane, 0, reading.columns.widen(&batch)?).await?;
            }
            self.content.through();
        }
        self.shared.check_rejects(&self.tally, &self.rejects, When::Batch)?;
        Ok(())
    }

    /// The rows that the last incremental run has not read already.
    fn without_known(&mut self, batch: RecordBatch) -> Result<RecordBatch, Failure> {
        let Some(overlap) = &self.shared.overlap else { return Ok(batch) };
        let (batch, known) = overlap.sift(batch, self.pass.deletes(), &mut self.remembered)?;
        self.tally.filtered += known;
        Ok(batch)
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

    /// A batch through one transform, but for rows that are known to break it.
    async fn transform(
        &mut self,
        lane: &mut Lane,
        stage: usize,
        batch: RecordBatch,
    ) -> Result<Vec<RecordBatch>, Failure> {
        let first_row = self.entered(stage, batch.num_rows());
        let mut out = Vec::new();
        for stretch in self.findings.stretches(stage, first_row, batch.num_rows()) {
            if let Some(poison) = stretch.bad {
                self.refuse(Some(stage), &batch, first_row, &poison.rejects(stretch.offset, stretch.rows));
                continue;
            }
            let (part, row) = (stretch.of(&batch), first_row + stretch.offset as u64);
            out.extend(match self.attempt(lane, stage, &part, row).await? {
                Ok(batches) => batches,
                Err(broken) => self.mend(lane, stage, &part, row, broken).await?,
            });
        }
        Ok(out)
    }

    /// One call of a transform, counted when it succeeds.
    pub(super) async fn attempt(
        &mut self,
        lane: &mut Lane,
        stage: usize,
        batch: &RecordBatch,
        first_row: u64,
    ) -> Result<Result<Vec<RecordBatch>, Broken>, Failure> {
        let shared = self.shared;
        let part = &shared.parts.transforms[stage];
        let link = &mut lane.links[stage];
        let done = match patiently!(shared, link.process(batch.clone(), first_row)) {
            Ok(done) => done,
            Err(error) => {
                return match Broken::of(error) {
                    Ok(broken) => Ok(Err(broken)),
                    Err(error) => Err(shared.interrupted_or(part.transform_error(&error)).into()),
                };
            }
        };
        shared.health(Some(stage)).passed(batch.num_rows());
        link.took(shared.care(stage), batch.clone(), first_row).await?;
        Ok(Ok(self.account(stage, batch, first_row, done)))
    }

    fn account(&mut self, stage: usize, batch: &RecordBatch, first_row: u64, done: Processed) -> Vec<RecordBatch> {
        let rows = batch.num_rows() as u64;
        let Processed { batches, rejects, filtered, replaced, .. } = done;
        let out: u64 = batches.iter().map(|batch| batch.num_rows() as u64).sum();
        let refused = rejects.len() as u64;
        // A row that is left out stays filtered, also where another one is taken twice.
        let filtered = if replaced { rows.saturating_sub(out + refused) } else { filtered };
        self.tally.filtered += filtered;
        self.tally.added += (out + refused + filtered).saturating_sub(rows);
        self.refuse(Some(stage), batch, first_row, &rejects);
        batches
    }

    /// Rows come to a stage; gives the number of the first.
    pub(super) fn entered(&mut self, stage: usize, rows: usize) -> u64 {
        let first_row = self.seen[stage];
        self.seen[stage] += rows as u64;
        first_row
    }

    /// The stage after the last transform.
    pub(super) fn destination_stage(&self) -> usize {
        self.seen.len() - 1
    }

    /// The columns that may reach the destination.
    pub(super) fn passing(&self, batch: &RecordBatch) -> Result<RecordBatch, Failure> {
        let projected = self.pass.through.gate.project(batch);
        projected.map_err(|error| Failure::source_data(format!("a batch does not fit the destination: {error}")))
    }

    /// Rejects rows of a batch; `first_row` is the number of the batch's first row at that stage.
    pub(super) fn refuse(&mut self, stage: Option<usize>, batch: &RecordBatch, first_row: u64, rejects: &[RowReject]) {
        let (part, party) = match stage {
            Some(stage) => (&self.shared.parts.transforms[stage], Party::Transform),
            None => (&self.shared.parts.destination, Party::Destination),
        };
        let refuser = Refuser::new(self.shared, self.id);
        self.tally.rejected += rejects.len() as u64;
        if party == Party::Destination {
            self.tally.refused += rejects.len() as u64;
        }
        for reject in rejects {
            let line = refuser.plugin(part, batch, first_row, reject);
            self.again.refused(&line);
            self.rejects.push(&line, party);
        }
    }
}

/// Reads a page into the destination and commits it. An interruption ends the reading and never the commit: a unit
/// that is durable is always in the ledger too.
pub(crate) async fn run_page(
    lane: &mut Lane,
    shared: &Shared,
    reading: &Arc<Reading>,
    (page, begun): (forcepump_salesforce::PartRef, Option<Pieces>),
    findings: &mut Findings,
    cancel: &Cancel,
) -> Result<(), Failure> {
    let id = lane.pass.unit_of(&page);
    lane.begin_unit(shared).await?;
    let mut unit = Unit::new(&id, shared, lane, findings);
    begin(lane, shared, &id).await?;
    let mut pieces = begun.unwrap_or_else(|| read(reading, page.clone(), Room::own()));
    let taken = cancel.race(unit.take_page(lane, reading, &mut pieces)).await;
    drop(pieces);
    unit.part = reading.extract.memory_of(&page);
    finish(lane, unit, taken.unwrap_or_else(|| Err(Error::Interrupted.into()))).await
}

/// Commits a unit whose rows are all written, or abandons it; whoever waits for the turn to write has it then.
pub(crate) async fn finish(lane: &mut Lane, unit: Unit<'_>, taken: Result<(), Failure>) -> Result<(), Failure> {
    let finished = commit_or_abandon(lane, unit, taken).await;
    lane.turn = None;
    finished
}

async fn commit_or_abandon(lane: &mut Lane, mut unit: Unit<'_>, taken: Result<(), Failure>) -> Result<(), Failure> {
    let shared = unit.shared;
    let checked = match taken.and_then(|()| Ok(rerun::before_commit(lane, &unit)?)) {
        Ok(checked) => checked,
        Err(failure) => return Err(give_up(lane, unit, failure).await),
    };
    if let Counts::Now(row) = &checked.counts {
        shared.ledger().rejects.put(&mut unit.rejects)?;
        shared.journal.unsure(row, &receipt::places_before_commit(lane, &unit))?;
    }
    let part = &shared.parts.destination;
    let committed = patiently!(shared, lane.destination.commit());
    let token = committed.map_err(|error| shared.interrupted_or(part.destination_error(&error)))?;
    let proven = receipt::after_commit(lane, &unit, &checked)?;
    let rows = checked.counts.row().tally.written;
    note(&mut unit, checked.counts, token, proven)?;
    shared.observer.event(Event::UnitCommitted { unit: unit.id.to_owned(), rows });
    Ok(())
}

/// A unit that is durable is in the ledger of this process, and then in the state.
fn note(unit: &mut Unit<'_>, counts: Counts, token: String, proven: Proven) -> Result<(), Error> {
    let shared = unit.shared;
    let (mut row, stands) = match counts {
        Counts::Noted(row) => (row, true),
        Counts::Now(row) => (row, false),
    };
    // Of a unit that the destination has already nothing was carried now.
    if !(stands && proven.places.is_empty()) {
        shared.journal.places(unit.id, &proven.places)?;
        row.files = proven.files;
    }
    {
        let mut ledger = shared.ledger();
        if stands {
            ledger.rejects.stand(unit.id);
        }
        ledger.committed(token.clone(), &row.tally);
        row.rejects_bytes = ledger.rejects.bytes();
    }
    row.token = token;
    row.committed_at = chrono::Utc::now().timestamp_micros();
    if stands && unit.again.keeps() {
        unit.again.refused_before(shared.ledger().rejects.ids_of(unit.id)?);
    }
    shared.journal.unit(row, &unit.remembered, (&shared.opening.feed, &unit.again.mended()))
}

async fn give_up(lane: &mut Lane, mut unit: Unit<'_>, failure: Failure) -> Failure {
    let shared = unit.shared;
    if let Error::TooManyRejects { .. } = failure.error {
        // The unit is not committed, but its reasons are what the operator has to look at.
        if let Err(error) = shared.ledger().rejects.show(&mut unit.rejects) {
            return error.into();
        }
    }
    let in_unit = unit.probing.is_none();
    // The first failure is what the operator needs; abandoning is the destination's chance to tidy.
    let tidy = !in_unit || lane.destination.abandon().await.is_ok();
    // What may have stayed in the destination must not be written a second time.
    let again = if tidy { failure.again } else { Again::Never };
    let failure = Failure { again, ..failure };
    if failure.again != Again::Never {
        let (rows, bytes) = (unit.tally.read, unit.tally.bytes);
        let reason = match failure.again {
            Again::Rows => format!("without {} rows that break the destination", unit.bad_rows),
            _ => failure.error.to_string(),
        };
        shared.observer.event(Event::UnitRetried { unit: unit.id.to_owned(), rows, bytes, reason });
    }
    failure
}

pub(crate) async fn begin(lane: &mut Lane, shared: &Shared, id: &str) -> Result<(), Failure> {
    if lane.turn.is_none() {
        lane.turn = shared.cancel.race(shared.place.writer.turn()).await.ok_or(Error::Interrupted)?;
    }
    let pass = &lane.pass;
    if !shared.parts.destination.grant.http.is_empty() {
        // What is sent is there before any commit: other units must not bring the same rows under other names.
        shared.journal.unit_begins(&pass.prefix, id)?;
    }
    let begun = patiently!(shared, lane.destination.begin(&pass.target, &pass.prepared, id));
    begun.map_err(|error| shared.interrupted_or(shared.parts.destination.destination_error(&error)).into())
}
