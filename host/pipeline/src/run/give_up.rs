//! An unfinished run, or a feed of one, that will not go on: what it left in the org, in the destination and on the disk is tidied.

use std::sync::Arc;

use forcepump_salesforce::{Extract, JobMemory, ResolvedQuery, Select};
use forcepump_sandbox::Ending;

use super::decide::plan_of;
use super::{opening, rejects, start};
use crate::capability;
use crate::error::Error;
use crate::event::{Event, Observer};
use crate::file::{Pipeline, PipelineFile};
use crate::report::GivenUp;
use crate::session::{Adopted, Session};
use crate::state::{FeedKey, FeedRow, JobRow, RunRow, State, UnitRow};

/// Gives a run up: its jobs are ended, its destination is told, the files of its units are removed.
///
/// What cannot be tidied is told, and does not stop the next run.
///
/// # Errors
/// [`Error::Host`] when the state cannot be written.
pub(super) async fn give_up(
    session: &Session,
    state: &State,
    row: &RunRow,
    why: &str,
    observer: &Arc<dyn Observer>,
) -> Result<GivenUp, Error> {
    let (units, jobs, feeds) = (state.units_in_destination(&row.id)?, state.jobs(&row.id)?, state.feeds(&row.id)?);
    let given_up = given_up(&row.id, None, why, &units);
    observer.event(Event::Warning(format!("run {} is given up, as {why}; {}", row.id, committed(&given_up))));
    if let Some(then) = session_of(session, row) {
        end_jobs(&then, &jobs, &feeds, observer).await;
        for feed in feeds.iter().filter(|feed| !feed.concluded) {
            let of_feed: Vec<&UnitRow> = units.iter().filter(|unit| unit.feed == feed.feed).collect();
            let Some(then) = then.of_feed(&feed.feed) else { continue };
            tidy(&then, feed, &of_feed, observer).await;
        }
    }
    // The files that held them are gone.
    state.forget_mended_files(&row.id, None)?;
    state.run_given_up(&row.id, why, chrono::Utc::now().timestamp_micros())?;
    Ok(given_up)
}

/// Gives a feed of a run up, so that it begins anew within the run: the same as of a run, and the state forgets what it
/// kept of the feed. `session` is that of the feed.
///
/// # Errors
/// [`Error::Host`] when the state or the rejects file cannot be written.
pub(super) async fn give_up_feed(
    session: &Session,
    state: &State,
    why: &str,
    observer: &Arc<dyn Observer>,
) -> Result<GivenUp, Error> {
    let (run, name) = (session.run_id(), session.feed());
    let key = FeedKey { run, feed: name };
    // First of all: killed from here on, the feed is given up before anything else.
    state.feed_leaves(key, why)?;
    let (mut units, mut jobs, feeds) = (state.units_in_destination(run)?, state.jobs(run)?, state.feeds(run)?);
    units.retain(|unit| unit.feed == name);
    jobs.retain(|job| job.feed == name);
    let given_up = given_up(run, Some(name), why, &units);
    let text = format!("what there is of it is given up, as {why}; {}; it begins anew", committed(&given_up));
    observer.event(Event::Warning(text));
    end_jobs(session, &jobs, &feeds, observer).await;
    if let Some(feed) = feeds.iter().find(|feed| feed.feed == name) {
        tidy(session, feed, &units.iter().collect::<Vec<_>>(), observer).await;
        rejects::forget_feed(session.pipeline().folder(), run, &feed.object)?;
        state.forget_mended_files(run, Some(&feed.object))?;
    }
    state.feed_anew(key)?;
    Ok(given_up)
}

fn given_up(run: &str, feed: Option<&str>, why: &str, units: &[UnitRow]) -> GivenUp {
    let rows = units.iter().map(|unit| unit.tally.written).sum();
    let (run_id, feed) = (run.to_owned(), feed.map(str::to_owned));
    GivenUp { run_id, feed, why: why.to_owned(), units: units.len() as u64, rows }
}

fn committed(given_up: &GivenUp) -> String {
    format!("{} units with {} rows were committed", given_up.units, given_up.rows)
}

/// Tells the destination of a feed that the run ended, and removes the files.
async fn tidy(session: &Session, feed: &FeedRow, units: &[&UnitRow], observer: &Arc<dyn Observer>) {
    let tokens: Vec<String> = units.iter().map(|unit| unit.token.clone()).collect();
    let run = session.run_id();
    if let Err(error) = start::conclude(session, feed.known_as(run), &tokens, Ending::Failed, observer).await {
        let text = format!("the destination could not be told that run {run} is given up: {error}");
        observer.event(Event::Warning(text));
    }
    remove_files(session, units, observer);
}

/// A session with the pipeline file as it was then.
fn session_of(session: &Session, row: &RunRow) -> Option<Session> {
    let plan = plan_of(row)?;
    let file: PipelineFile = serde_json::from_str(&plan.file).ok()?;
    // The folder may have been moved since: relative paths start from where the file is now.
    let path = session.pipeline().path.clone();
    let then = session.with_pipeline(Pipeline { file, path }, plan.given);
    let (as_of, variables) = (plan.as_of, plan.variables);
    then.adopt(Adopted { run_id: row.id.clone(), submitted_at: row.started_at, as_of, variables }, None);
    Some(then)
}

async fn end_jobs(session: &Session, jobs: &[JobRow], feeds: &[FeedRow], observer: &Arc<dyn Observer>) {
    if jobs.iter().all(|job| job.id.is_none()) {
        return;
    }
    let org = session.client().organization().await.ok();
    for job in jobs.iter().filter(|job| !job.memory.is_empty()) {
        let feed = feeds.iter().find(|feed| feed.feed == job.feed);
        let is_same_org = feed.is_some_and(|feed| Some(&feed.org) == org.as_ref());
        match attached(session, job).filter(|_| is_same_org) {
            Some(extract) => opening::leave(&extract, !job.done, observer).await,
            None => {
                let id = job.id.as_deref().unwrap_or("of a REST query");
                observer.event(Event::Warning(format!("the job {id} stays in its org until it expires")));
            }
        }
    }
}

/// The extract of a job, for its end only.
pub(super) fn attached(session: &Session, job: &JobRow) -> Option<Extract> {
    let memory: JobMemory = serde_json::from_str(&job.memory).ok()?;
    let select = Select::parse(&job.soql).ok()?;
    let object = select.object.clone();
    let schema = Arc::new(arrow_schema::Schema::empty());
    let (skipped, expanded, visible) = (Vec::new(), Vec::new(), Vec::new());
    let query = ResolvedQuery { soql: job.soql.clone(), select, object, schema, skipped, expanded, visible };
    let options = forcepump_salesforce::ExtractOptions::of(memory.api);
    Extract::attach(session.client(), &query, &options, &memory, &[]).ok()
}

/// Removes what the host wrote for units of the run, below the folders that were granted.
fn remove_files(session: &Session, units: &[&UnitRow], observer: &Arc<dyn Observer>) {
    let (grant, folder) = (&session.pipeline().file.destination.grant, session.pipeline().folder());
    for (root, path) in &grant.files {
        let files = units.iter().flat_map(|unit| &unit.files).filter(|file| file.root == *root);
        let files: Vec<&str> = files.map(|file| file.path.as_str()).collect();
        if files.is_empty() {
            continue;
        }
        if let Err(text) = capability::remove_files(&folder.join(path), &files) {
            observer.event(Event::Warning(format!("files of the run that is given up stay: {text}")));
        }
    }
}
