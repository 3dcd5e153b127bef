//! A run: extract, workers, commits, the destination's last step, and the report of it all.

mod again;
mod ahead;
pub(crate) mod bare;
mod broken;
mod content;
mod cut;
mod decide;
mod deliver;
mod empty;
mod failure;
mod findings;
mod fingerprint;
mod fleet;
mod give_up;
mod ids;
mod journal;
mod lane;
mod left;
mod limit;
mod lost;
mod mend;
pub(crate) mod narrow;
mod opening;
mod outcome;
mod overlap;
mod pages;
pub(crate) mod pass;
mod proof;
mod reader;
mod receipt;
mod record;
mod refuse;
mod reject_lines;
mod rejects;
mod rerun;
mod retried;
mod retry;
pub(crate) mod shared;
mod slices;
pub(crate) mod special;
pub(crate) mod start;
mod tally;
mod unit;
pub(crate) mod writer;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use forcepump_salesforce::Extract;
use forcepump_sandbox::Ending;

use crate::cancel::Cancel;
use crate::drift::FieldChange;
use crate::error::Error;
use crate::event::{Event, Observer, Phase};
use crate::feed_report::FeedReport;
use crate::report::{RunReport, RunState, SkippedField, WentOn};
use crate::session::Session;
use journal::Journal;
use limit::When;
use pass::Pass;
use record::{Record, Standing};
use rejects::UnitRejects;
use retry::patiently;
use shared::Shared;
use tally::check_total;

pub(crate) use decide::plan_of;
pub(crate) use opening::{interrupted_or_source, leave};
pub(crate) use overlap::RowHash;
pub(crate) use pages::PageQueue;
pub(crate) use reader::{Columns, Piece, Reading, Room, read};
pub(crate) use receipt::hex;
pub(crate) use refuse::cell;
pub(crate) use tally::UnitTally;

/// Runs the pipeline once; whatever happens is in the report.
pub(crate) async fn run(session: &Session, observer: Arc<dyn Observer>, cancel: Cancel) -> RunReport {
    let started = Instant::now();
    let record = match Record::begin(session, &observer, &cancel).await {
        Ok(record) => record,
        Err(error) => {
            let progress = Progress { run_id: session.run_id().to_owned(), ..Progress::default() };
            return outcome::report(session, progress, Some(&error), Standing::default(), started);
        }
    };
    let (why, record) = match whole(session, record, (&observer, &cancel), started).await {
        Ended::Told(report) => return *report,
        Ended::Anew(why, record) => (why, record),
    };
    let new = session.anew();
    match record.anew(session, &new, &why, &observer).await {
        Ok(record) => match whole(&new, record, (&observer, &cancel), started).await {
            Ended::Told(report) => *report,
            Ended::Anew(why, _) => failed(&new, Error::StartAnew(why), started),
        },
        Err(error) => failed(&new, error, started),
    }
}

/// The one feed of a pipeline, or each of several.
async fn whole(
    session: &Session,
    record: Record,
    (observer, cancel): (&Arc<dyn Observer>, &Cancel),
    started: Instant,
) -> Ended {
    match session.has_feeds() {
        true => Ended::Told(Box::new(fleet::run(session, record, (observer, cancel), started).await)),
        false => once(session, record, observer, cancel, started).await,
    }
}

fn failed(session: &Session, error: Error, started: Instant) -> RunReport {
    let progress = Progress { run_id: session.run_id().to_owned(), ..Progress::default() };
    outcome::report(session, progress, Some(&error), Standing::default(), started)
}

/// How a run ended.
enum Ended {
    Told(Box<RunReport>),
    /// it cannot go on, and a new one may take its place
    Anew(String, Record),
}

async fn once(
    session: &Session,
    record: Record,
    observer: &Arc<dyn Observer>,
    cancel: &Cancel,
    started: Instant,
) -> Ended {
    let (run_id, went_on) = (session.run_id().to_owned(), record.went_on());
    let mut progress = Progress { run_id, went_on, ..Progress::default() };
    let journal = record.feed(session.feed());
    let mut error = attempt(session, observer, cancel, &journal, &mut progress).await.err();
    if let Some(Error::StartAnew(why)) = &error {
        match record.may_start_anew(session, None, why) {
            Ok(()) => return Ended::Anew(why.clone(), record),
            Err(refused) => error = Some(refused),
        }
    }
    let standing = error.as_ref().map_or(Ok(Standing::default()), |error| record.standing(error));
    let (standing, told) = match standing {
        Ok(standing) => (standing.of(session), None),
        // The state does not answer; it will when the run goes on.
        Err(error) => {
            let committed = progress.shared.as_ref().is_some_and(|shared| shared.ledger().units > 0);
            (Standing { resumable: committed, committed }, Some(error))
        }
    };
    let mut report = outcome::report(session, progress, error.as_ref(), standing, started);
    report.receipt = record.receipt();
    report.given_up = record.given_up().to_vec();
    report.feeds = vec![FeedReport::of(session.feed(), &report)];
    let ended = journal.ends(session.window(), &report).and_then(|()| record.end(&report));
    if let Some(error) = told.or(ended.err()) {
        // Without its end in the state the next run would not know where to begin.
        if report.error.is_none() {
            report.state = RunState::Failed;
            report.error = Some(outcome::told(&error));
        }
    }
    Ended::Told(Box::new(report))
}

/// What is known of a run as it goes; an error does not take it away.
#[derive(Default)]
struct Progress {
    run_id: String,
    went_on: Option<WentOn>,
    job_id: Option<String>,
    api: Option<String>,
    /// How the rows are read, and the calls sent before that.
    begun: Option<(forcepump_salesforce::ExtractOptions, u64)>,
    announced: u64,
    skipped: Vec<SkippedField>,
    changes: Vec<FieldChange>,
    shared: Option<Arc<Shared>>,
}

/// Moves one feed: plan, pass after pass, the destination's last step. What is unfinished and can go on keeps its jobs,
/// and the destination hears nothing.
async fn attempt(
    session: &Session,
    observer: &Arc<dyn Observer>,
    cancel: &Cancel,
    journal: &Arc<Journal>,
    progress: &mut Progress,
) -> Result<(), Error> {
    observer.event(Event::Phase(Phase::Planning));
    let ready = cancel.race(start::prepare(session, observer, journal, cancel)).await.ok_or(Error::Interrupted)??;
    progress.skipped = ready.skipped.clone();
    progress.changes = ready.drift.changes.clone();
    progress.shared = Some(Arc::clone(&ready.shared));
    let moved = move_passes(session, &ready, cancel, progress).await;
    let goes_on = moved.as_ref().err().map_or(Ok(false), |error| can_go_on(error, journal))?;
    // A backfill is begun anew: what it has written is only written again.
    let goes_on = goes_on && session.filling().is_none();
    let concluded = if goes_on { Ok(()) } else { conclude(session, &ready, &moved).await };
    ready.shared.tell_drops();
    moved.and(concluded)?;
    let kept = ready.passes.last().map_or(Ok(()), |pass| ready.drift.keep(session, &pass.query));
    if let Err(error) = kept {
        let text = format!("the next run will not notice fields that are gone since this one: {error}");
        observer.event(Event::Warning(text));
    }
    Ok(())
}

/// Whether what is there is worth going on with: committed rows, or units and a job that are at no fault.
fn can_go_on(error: &Error, journal: &Journal) -> Result<bool, Error> {
    Ok(match error {
        Error::CannotGoOn(_) | Error::StartAnew(_) => true,
        error if error.is_for_good() => false,
        error => {
            let units = journal.units()?;
            let has_job = || Ok::<_, Error>(journal.jobs()?.iter().any(|job| job.id.is_some()));
            units.iter().any(|unit| unit.tally.written > 0) || error.is_passing() && (!units.is_empty() || has_job()?)
        }
    })
}

/// One pass after the other; when nothing was written by any, the columns alone.
async fn move_passes(
    session: &Session,
    ready: &start::Ready,
    cancel: &Cancel,
    progress: &mut Progress,
) -> Result<(), Error> {
    let cut = cancel.race(slices::passes(session, ready)).await.ok_or(Error::Interrupted)??;
    let mut waiting = VecDeque::from(cut);
    while let Some(pass) = waiting.pop_front() {
        let announced = progress.announced;
        let next = match move_pass(session, ready, &pass, cancel, progress).await {
            Ok(next) => next,
            Err(error) => {
                let halves = cancel.race(slices::halves(session, ready, &pass, error)).await;
                let halves = halves.ok_or(Error::Interrupted)??;
                progress.announced = announced;
                halves
            }
        };
        next.into_iter().rev().for_each(|pass| waiting.push_front(pass));
    }
    ready.shared.check_rejects(&UnitTally::default(), &UnitRejects::new(""), When::End)?;
    empty::write_columns(ready).await
}

/// Moves what is left of a pass; gives those that follow it, because Salesforce had lost its job.
async fn move_pass(
    session: &Session,
    ready: &start::Ready,
    pass: &Arc<Pass>,
    cancel: &Cancel,
    progress: &mut Progress,
) -> Result<Vec<Arc<Pass>>, Error> {
    let before = Before { announced: progress.announced, read: ready.shared.ledger().rows.read };
    seed(ready, pass, &before);
    // A job of this process that somebody ends is not made again behind their back.
    let is_attached = ready.shared.journal.jobs()?.iter().any(|job| job.pass == pass.prefix);
    let mut moved = rest_of_pass(session, ready, pass, &before, cancel, progress).await;
    if let Err(error) = &moved
        && is_attached
        && error.is_lost_job()
    {
        match lost::replace(ready, pass, error)? {
            lost::Replaced::Anew => moved = rest_of_pass(session, ready, pass, &before, cancel, progress).await,
            lost::Replaced::By(other) => {
                progress.announced = before.announced + ready.shared.ledger().rows.read - before.read;
                return Ok(vec![other]);
            }
        }
    }
    moved?;
    lost::successors(ready, pass)
}

/// Counts what earlier processes committed of the pass.
fn seed(ready: &start::Ready, pass: &Pass, before: &Before) {
    let shared = &ready.shared;
    let committed: Vec<_> = ready.of_pass(pass).collect();
    shared.ledger().seed(&committed);
    let rows = shared.ledger().rows.read - before.read;
    let bytes = committed.iter().map(|unit| unit.tally.bytes).sum();
    if rows > 0 {
        shared.observer.event(Event::Read { rows, bytes });
    }
    if !committed.is_empty() {
        shared.observer.event(Event::WentOn { units: committed.len() as u64 });
    }
}

async fn rest_of_pass(
    session: &Session,
    ready: &start::Ready,
    pass: &Arc<Pass>,
    before: &Before,
    cancel: &Cancel,
    progress: &mut Progress,
) -> Result<(), Error> {
    let job = ready.shared.journal.jobs()?.into_iter().find(|job| job.pass == pass.prefix);
    if let Some(job) = job.filter(|job| job.done) {
        progress.announced = before.announced + job.announced.unwrap_or_default();
        progress.api.get_or_insert(job.api);
        progress.job_id = progress.job_id.take().or(job.id);
        return Ok(());
    }
    open_and_move(session, ready, pass, before, cancel, progress).await
}

/// Where the counts stood before a pass.
struct Before {
    announced: u64,
    read: u64,
}

async fn open_and_move(
    session: &Session,
    ready: &start::Ready,
    pass: &Arc<Pass>,
    before: &Before,
    cancel: &Cancel,
    progress: &mut Progress,
) -> Result<(), Error> {
    ready.shared.observer.event(Event::Phase(Phase::Querying));
    let extract = opening::open(session, ready, pass, cancel, progress).await?;
    move_rows(ready, pass, &extract, before, cancel, progress).await
}

/// Moves the rows of a pass: its extract is whole, or it is an error.
async fn move_rows(
    ready: &start::Ready,
    pass: &Arc<Pass>,
    extract: &Extract,
    before: &Before,
    cancel: &Cancel,
    progress: &mut Progress,
) -> Result<(), Error> {
    let shared = &ready.shared;
    progress.announced = before.announced + extract.announced().await;
    shared.observer.event(Event::Announced { rows: progress.announced });
    shared.observer.event(Event::Phase(Phase::Moving));
    let moved = lane::move_pages(ready, pass, extract, before.announced, cancel).await;
    let rows = extract.announced().await;
    progress.announced = before.announced + rows;
    moved?;
    check_total(extract, rows, shared.ledger().rows.read - before.read)?;
    shared.journal.pass_done(&pass.prefix, rows)
}

/// The destination's last step, and the end of the jobs in the org.
async fn conclude(session: &Session, ready: &start::Ready, moved: &Result<(), Error>) -> Result<(), Error> {
    let shared = &ready.shared;
    let is_done = moved.is_ok() && shared.journal.begun()?.is_some_and(|feed| feed.concluded);
    let concluded = if is_done { Ok(()) } else { last_step(ready, moved).await };
    // Where only this step failed, the next run has no other to do, and needs no job.
    if moved.is_ok() && concluded.is_ok() {
        shared.journal.concluded()?;
    }
    for job in shared.journal.jobs()? {
        if let Some(extract) = give_up::attached(session, &job) {
            opening::leave(&extract, !job.done, &shared.observer).await;
        }
        match moved {
            Ok(()) => shared.journal.job_disposed(&job.pass)?,
            Err(_) => shared.journal.job_gone(&job.pass)?,
        }
    }
    concluded
}

async fn last_step(ready: &start::Ready, moved: &Result<(), Error>) -> Result<(), Error> {
    ready.shared.observer.event(Event::Phase(Phase::Concluding));
    let how = match moved {
        Ok(()) => Ending::Complete,
        Err(Error::Interrupted) => Ending::Cancelled,
        Err(_) => Ending::Failed,
    };
    let shared = &ready.shared;
    let tokens = shared.ledger().tokens.clone();
    let _turn = shared.place.writer.turn().await;
    let mut instance = shared.destination().await?;
    let done = patiently!(shared, instance.conclude(&shared.place.target, how, &tokens));
    shared.health(None).counted(instance.counters());
    done.map_err(|error| shared.parts.destination.destination_error(&error))
}
