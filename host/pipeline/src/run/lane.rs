//! The workers of a run: each takes page after page through its own instances.

use std::sync::Arc;

use forcepump_salesforce::{PageRef, QueryJob};
use tokio::task::JoinSet;

use super::failure::Failure;
use super::pages::PageQueue;
use super::reader::Reading;
use super::start::Ready;
use super::unit::{self, Lane, Unit};
use super::{retry, shared::Shared};
use crate::cancel::Cancel;
use crate::error::Error;

/// Moves every page of a complete job into the destination.
pub(crate) async fn move_pages(ready: &Ready, job: &QueryJob, cancel: &Cancel) -> Result<(), Error> {
    let reading = Arc::new(Reading {
        job: job.clone(),
        pages: PageQueue::new(job.pages()),
        decode: ready.decode.clone(),
        columns: ready.columns(),
    });
    let mut workers = JoinSet::new();
    for number in 0..ready.lanes {
        let lane = ready.lane(number).await?;
        workers.spawn(work(lane, Arc::clone(&ready.shared), Arc::clone(&reading), cancel.clone(), ready.stateful));
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
    reading: Arc<Reading>,
    cancel: Cancel,
    stateful: bool,
) -> Result<(), Error> {
    loop {
        let taken = cancel.race(reading.pages.take()).await;
        match taken.ok_or(Error::Interrupted)?? {
            None => break,
            Some(page) => move_page(&mut lane, &shared, &reading, page, &cancel, stateful).await?,
        }
    }
    flush(&mut lane, &shared, &cancel).await.map_err(|failure| failure.error)
}

/// A page, tried again from its start as long as the fault is the source's and worth it.
async fn move_page(
    lane: &mut Lane,
    shared: &Shared,
    reading: &Arc<Reading>,
    page: PageRef,
    cancel: &Cancel,
    stateful: bool,
) -> Result<(), Error> {
    for tried in 1.. {
        let done = unit::run_page(lane, shared, reading, page.clone(), cancel).await;
        let Err(failure) = done else { return Ok(()) };
        // A stateful transform has seen the rows already: giving them again would count them twice.
        if !failure.again || stateful || tried >= retry::MAX_TRIES {
            return Err(failure.error);
        }
        shared.ledger().retries += 1;
        cancel.race(tokio::time::sleep(retry::pause(tried))).await.ok_or(Error::Interrupted)?;
    }
    Ok(())
}

/// What stateful transforms still hold becomes a last unit of its own.
async fn flush(lane: &mut Lane, shared: &Shared, cancel: &Cancel) -> Result<(), Failure> {
    let id = format!("final-{}", lane.number);
    let mut unit: Option<Unit<'_>> = None;
    let drained = cancel.race(drain(lane, shared, &id, &mut unit)).await;
    let drained = drained.unwrap_or_else(|| Err(Error::Interrupted.into()));
    match unit {
        Some(unit) => {
            let whole = drained.and_then(|()| unit.tally.check(&id, None).map_err(Failure::source_data));
            unit::finish(lane, unit, whole).await
        }
        None => drained,
    }
}

/// Takes what the transforms give at their end, into a unit that is begun with the first of it.
async fn drain<'a>(
    lane: &mut Lane,
    shared: &'a Shared,
    id: &'a str,
    unit: &mut Option<Unit<'a>>,
) -> Result<(), Failure> {
    for stage in 0..lane.links.len() {
        while let Some(batch) = finish_stage(lane, shared, stage).await? {
            if unit.is_none() {
                unit::begin(lane, shared, id).await?;
            }
            let open = unit.get_or_insert_with(|| Unit::new(id, shared, lane.links.len()));
            open.tally.added += batch.num_rows() as u64;
            open.pass(lane, stage + 1, batch).await?;
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
    let given = lane.links[stage].instance.finish(super::start::FINISH_ROWS).await;
    given.map_err(|error| part.transform_error(&error).into())
}
