//! The workers of a run: each takes page after page through its own instances.

use std::sync::Arc;

use forcepump_salesforce::{Extract, PartRef};
use forcepump_sandbox::DestinationInstance;
use tokio::task::JoinSet;

use super::ahead::Ahead;
use super::failure::{Again, Failure};
use super::findings::Findings;
use super::pages::PageQueue;
use super::pass::Pass;
use super::reader::{Pieces, Reading};
use super::retry::{self, patiently};
use super::shared::Shared;
use super::start::Ready;
use super::unit::{self, Unit};
use super::writer::Turn;
use crate::cancel::Cancel;
use crate::error::Error;
use crate::event::Event;
use crate::link::Link;

/// What the names of units begin with that hold what stateful transforms give at their end.
pub(crate) const FINAL_UNIT: &str = "final-";

/// The instances of one worker.
pub(crate) struct Lane {
    pub number: u32,
    /// whose units it works on
    pub pass: Arc<Pass>,
    pub links: Vec<Link>,
    pub destination: DestinationInstance,
    /// while a unit is open, where writers take turns
    pub turn: Option<Turn>,
}

impl Lane {
    /// A unit starts: this is where [`Lane::rewind`] leads.
    pub(crate) async fn begin_unit(&mut self, shared: &Shared) -> Result<(), Error> {
        for (stage, link) in self.links.iter_mut().enumerate() {
            link.begin_unit(shared.care(stage)).await?;
        }
        Ok(())
    }

    /// Whether a unit can be tried again: a transform whose state is lost has seen its rows already, and giving them
    /// again would count them twice.
    fn can_rewind(&self) -> bool {
        self.links.iter().all(|link| link.lost().is_none())
    }

    async fn rewind(&mut self, shared: &Shared) -> Result<(), Error> {
        for (stage, link) in self.links.iter_mut().enumerate() {
            link.rewind(shared.care(stage)).await?;
        }
        Ok(())
    }

    /// Takes the counters of instances that end here.
    fn retire(&self, shared: &Shared) {
        for (stage, link) in self.links.iter().enumerate() {
            link.retire(shared.health(Some(stage)));
        }
        shared.health(None).counted(self.destination.counters());
    }
}

/// Moves every part of a pass into the destination; `before` are the rows that the passes before it announced.
pub(crate) async fn move_pages(
    ready: &Ready,
    pass: &Arc<Pass>,
    extract: &Extract,
    before: u64,
    cancel: &Cancel,
) -> Result<(), Error> {
    let reading = Arc::new(Reading {
        extract: extract.clone(),
        pages: PageQueue::new(extract.clone(), extract.announced().await),
        decode: ready.decode.clone(),
        columns: ready.columns(pass),
        announced_before: before,
    });
    let ahead = Arc::new(Ahead::start(&reading, ready.parts_at_a_time));
    let mut workers = JoinSet::new();
    for number in 0..ready.lanes {
        let lane = ready.lane(pass, number).await?;
        workers.spawn(work(
            lane,
            Arc::clone(&ready.shared),
            (Arc::clone(&reading), Arc::clone(&ahead)),
            cancel.clone(),
        ));
    }
    let mut first_error = None;
    while let Some(joined) = workers.join_next().await {
        if let Err(error) = joined.unwrap_or_else(|panic| Err(worker_died(&panic))) {
            reading.pages.stop();
            first_error.get_or_insert(error);
        }
    }
    first_error.map_or(Ok(()), Err)
}

fn worker_died(panic: &tokio::task::JoinError) -> Error {
    Error::Host { what: "a worker ended by itself".to_owned(), error: std::io::Error::other(panic.to_string()) }
}

async fn work(
    mut lane: Lane,
    shared: Arc<Shared>,
    (reading, ahead): (Arc<Reading>, Arc<Ahead>),
    cancel: Cancel,
) -> Result<(), Error> {
    let worked = work_off(&mut lane, &shared, (&reading, &ahead), &cancel).await;
    lane.retire(&shared);
    worked
}

async fn work_off(
    lane: &mut Lane,
    shared: &Shared,
    (reading, ahead): (&Arc<Reading>, &Ahead),
    cancel: &Cancel,
) -> Result<(), Error> {
    loop {
        let taken = cancel.race(ahead.take()).await;
        if let Some(rows) = reading.pages.grown().await {
            shared.observer.event(Event::Announced { rows: reading.announced_before + rows });
        }
        match taken.ok_or(Error::Interrupted)?? {
            None => break,
            Some(begun) => move_page(lane, shared, reading, begun, cancel).await?,
        }
    }
    flush(lane, shared, cancel).await
}

/// A page, tried again from its start as long as that is worth it.
async fn move_page(
    lane: &mut Lane,
    shared: &Shared,
    reading: &Arc<Reading>,
    (page, pieces): (PartRef, Pieces),
    cancel: &Cancel,
) -> Result<(), Error> {
    let mut pieces = Some(pieces);
    let mut findings = Findings::new(lane.links.len());
    let mut tries = Tries::default();
    loop {
        let done = unit::run_page(lane, shared, reading, (page.clone(), pieces.take()), &mut findings, cancel).await;
        let Err(failure) = done else { return Ok(()) };
        tries.again(lane, shared, failure, cancel).await?;
    }
}

/// How often one unit was tried.
#[derive(Default)]
struct Tries {
    after_source: u32,
    after_rows: u32,
}

impl Tries {
    /// Gets the lane ready for another try, or gives the failure back.
    async fn again(
        &mut self,
        lane: &mut Lane,
        shared: &Shared,
        failure: Failure,
        cancel: &Cancel,
    ) -> Result<(), Error> {
        let may = match failure.again {
            Again::Never => false,
            Again::Source => {
                self.after_source += 1;
                self.after_source < retry::MAX_TRIES
            }
            Again::Rows => {
                self.after_rows += 1;
                self.after_rows < retry::MAX_REWRITES
            }
        };
        if !may || !lane.can_rewind() {
            return Err(failure.error);
        }
        shared.ledger().retries += 1;
        if failure.again == Again::Source {
            let pause = tokio::time::sleep(retry::pause(self.after_source));
            cancel.race(pause).await.ok_or(Error::Interrupted)?;
        }
        lane.rewind(shared).await
    }
}

/// What stateful transforms still hold becomes a last unit of its own.
async fn flush(lane: &mut Lane, shared: &Shared, cancel: &Cancel) -> Result<(), Error> {
    let id = lane.pass.named(&format!("{FINAL_UNIT}{}", lane.number));
    let mut findings = Findings::new(lane.links.len());
    let mut tries = Tries::default();
    loop {
        lane.begin_unit(shared).await?;
        let mut unit: Option<Unit<'_>> = None;
        let drained = cancel.race(drain(lane, shared, &id, &mut findings, &mut unit)).await;
        let drained = drained.unwrap_or_else(|| Err(Error::Interrupted.into()));
        let done = match unit {
            Some(unit) => {
                let whole = drained.and_then(|()| unit.ended(None));
                unit::finish(lane, unit, whole).await
            }
            None => drained,
        };
        let Err(failure) = done else { return Ok(()) };
        tries.again(lane, shared, failure, cancel).await?;
    }
}

/// Takes what the transforms give at their end, into a unit that is begun with the first of it.
async fn drain<'a>(
    lane: &mut Lane,
    shared: &'a Shared,
    id: &'a str,
    findings: &'a mut Findings,
    unit: &mut Option<Unit<'a>>,
) -> Result<(), Failure> {
    let mut findings = Some(findings);
    for stage in 0..lane.links.len() {
        while let Some(batch) = finish_stage(lane, shared, stage).await? {
            if let Some(findings) = findings.take() {
                unit::begin(lane, shared, id).await?;
                *unit = Some(Unit::new(id, shared, lane, findings));
            }
            if let Some(open) = unit {
                open.tally.added += batch.num_rows() as u64;
                open.pass(lane, stage + 1, batch).await?;
            }
        }
    }
    Ok(())
}

async fn finish_stage(
    lane: &mut Lane,
    shared: &Shared,
    stage: usize,
) -> Result<Option<arrow_array::RecordBatch>, Failure> {
    let part = &shared.parts.transforms[stage];
    let given = patiently!(shared, lane.links[stage].finish(super::start::FINISH_ROWS));
    given.map_err(|error| shared.interrupted_or(part.transform_error(&error)).into())
}
