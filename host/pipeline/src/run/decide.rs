//! Whether a run is a new one, or goes on with the one that is unfinished.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::left::{self, Loss};
use super::{fingerprint, give_up, reject_lines, retried};
use crate::error::Error;
use crate::event::Observer;
use crate::feed_report::FeedReport;
use crate::file::{Mode, Pipeline, PipelineFile};
use crate::report::GivenUp;
use crate::session::{Adopted, QUERY, Session, Start};
use crate::state::{BACKFILL, Committed, FeedKey, RunPlan, RunRow, State, UnitRow};

/// Why a run cannot go on.
pub(super) struct WhyNot {
    pub(super) why: String,
    /// what it had written is not there any more
    pub(super) is_gone: bool,
}

impl WhyNot {
    pub(super) fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), is_gone: false }
    }
}

/// What a run begins with.
#[derive(Debug, Default)]
pub(super) struct Decided {
    /// the run to go on with; none: a new one begins
    pub go_on: Option<RunRow>,
    /// the unfinished run that was given up
    pub given_up: Option<GivenUp>,
}

/// The run to go on with; none: a new one begins, and what was unfinished is given up.
///
/// # Errors
/// [`Error::CannotGoOn`] when the run that was named cannot, or when a new one would write rows twice.
pub(super) async fn decide(
    session: &Session,
    state: &Arc<State>,
    observer: &Arc<dyn Observer>,
) -> Result<Decided, Error> {
    if let Some(retry) = session.retry() {
        // It is no run of the pipeline: an unfinished one waits for the next that is.
        return retried::decide(session, state, retry, observer).await;
    }
    if session.filling().is_some() {
        // Nor is this; but of its own kind there is one at a time.
        let Some(row) = state.killed_backfill(&session.pipeline().file.name)? else { return Ok(Decided::default()) };
        let given_up = give_up::give_up(session, state, &row, "a backfill is not gone on with", observer).await?;
        return Ok(Decided { go_on: None, given_up: Some(given_up) });
    }
    let unfinished = state.unfinished(&session.pipeline().file.name)?;
    if let Start::GoOnWith(id) = session.start() {
        check_named(state, id, unfinished.as_ref(), &session.pipeline().file.name)?;
    }
    let Some(row) = unfinished else {
        left::about_another_name(session, state, observer)?;
        return Ok(Decided::default());
    };
    if *session.start() == Start::Fresh {
        let given_up = give_up::give_up(session, state, &row, "a new run was asked for", observer).await?;
        return Ok(Decided { go_on: None, given_up: Some(given_up) });
    }
    let Some(WhyNot { why, is_gone }) = why_not(session, state, &row).await? else {
        return Ok(Decided { go_on: Some(row), given_up: None });
    };
    if let Start::GoOnWith(id) = session.start() {
        let text = format!(
            "run {id} cannot go on: {why}\nhint: undo the change, or begin anew with `forcepump run --fresh {}`",
            session.pipeline().path.display()
        );
        return Err(Error::CannotGoOn(text));
    }
    if !is_gone {
        refuse_doubling(session, state, (&row, None), &why, "undo the change and run again, or ")?;
    }
    let given_up = give_up::give_up(session, state, &row, &why, observer).await?;
    Ok(Decided { go_on: None, given_up: Some(given_up) })
}

/// A run that was named has to be the unfinished one.
fn check_named(state: &State, id: &str, unfinished: Option<&RunRow>, name: &str) -> Result<(), Error> {
    if unfinished.is_some_and(|row| row.id == id) {
        return Ok(());
    }
    let cannot = |why: &str| Err(Error::CannotGoOn(format!("run {id} cannot go on: {why}")));
    match state.run(id)? {
        None => cannot("no run of that id is remembered"),
        Some(row) if row.pipeline != name => cannot(&format!(
            "it is of the pipeline `{was}`, and its file has the name `{name}` now\nhint: give it the name `{was}` again",
            was = row.pipeline
        )),
        Some(row) if row.state == "complete" || row.state == "complete-with-rejects" => cannot("it is complete"),
        Some(row) if row.state == crate::state::GIVEN_UP => {
            cannot("it was given up\nhint: `forcepump run FILE` begins anew")
        }
        Some(row) if row.kind == BACKFILL => {
            cannot("it filled fields in, which is begun anew\nhint: `forcepump backfill FILE` does all of it again")
        }
        Some(_) => {
            cannot("nothing of it is committed, or its counts do not add up\nhint: `forcepump run FILE` begins anew")
        }
    }
}

pub(super) async fn why_not(session: &Session, state: &State, row: &RunRow) -> Result<Option<WhyNot>, Error> {
    let Some(plan) = plan_of(row) else {
        return Ok(Some(WhyNot::new("another version of forcepump began it")));
    };
    let parts = session.parts()?;
    if row.fingerprint.as_deref() != Some(fingerprint::fingerprint(session, &parts)?.as_str()) {
        return Ok(Some(WhyNot::new(fingerprint::difference(session, &plan))));
    }
    let feeds = state.feeds(&row.id)?;
    // An earlier process was giving it up. Of several feeds one begins anew within the run.
    if let Some(why) = feeds.iter().find_map(|feed| feed.anew.clone()).filter(|_| !session.has_feeds()) {
        return Ok(Some(WhyNot::new(why)));
    }
    if let Some(Loss { what, is_all }) = left::loss(session, state, &row.id)? {
        return Ok(Some(WhyNot { why: what, is_gone: is_all }));
    }
    if feeds.is_empty() {
        return Ok(None);
    }
    let org = session.client().organization().await?;
    let other = feeds.iter().find(|feed| feed.org != org);
    Ok(other.map(|feed| WhyNot::new(format!("the connection led to the org {} then, and to {org} now", feed.org))))
}

/// What the run kept of its beginning; none when that is of another version.
pub(crate) fn plan_of(row: &RunRow) -> Option<RunPlan> {
    serde_json::from_str(row.plan.as_deref()?).ok()
}

/// A new run in the place of one that has committed rows where nobody can take them back, or replace them, would write
/// them a second time; so would one feed of it that is begun anew. `way_out`: what else can be done, up to the `or`.
///
/// # Errors
/// [`Error::CannotGoOn`] with the counts and the way out.
pub(super) fn refuse_doubling(
    session: &Session,
    state: &State,
    (row, feed): (&RunRow, Option<&str>),
    why: &str,
    way_out: &str,
) -> Result<(), Error> {
    if session.retry().is_some() {
        return refuse_doubling_unsure(session, state, row, why, way_out);
    }
    let Some(file) = plan_of(row).and_then(|plan| serde_json::from_str::<PipelineFile>(&plan.file).ok()) else {
        return Ok(());
    };
    let name = file.name.clone();
    let then = Pipeline { file, path: session.pipeline().path.clone() };
    let (Committed { units, rows }, begun) = appended(state, (row, feed), then)?;
    if rows == 0 && begun == 0 {
        return Ok(());
    }
    let begun = match begun {
        0 => String::new(),
        1 => " or of 1 unit that was begun".to_owned(),
        more => format!(" or of {more} units that were begun"),
    };
    let path = session.pipeline().path.display();
    let others = if feed.is_some() { "; the other feeds are read anew then, too" } else { "" };
    Err(Error::CannotGoOn(format!(
        "run {} of `{name}` is unfinished and cannot go on: {why}; {units} units of it with {rows} rows{begun} are in the destination, and a new run would write them a second time\nhint: {way_out}begin anew with `forcepump run --fresh {path}`, after taking these rows out of the destination or to have them twice{others}",
        row.id
    )))
}

/// Of a run that reads rejected rows again it is known which of them are committed, but for units whose commit was not
/// answered.
fn refuse_doubling_unsure(
    session: &Session,
    state: &State,
    row: &RunRow,
    why: &str,
    way_out: &str,
) -> Result<(), Error> {
    let Committed { units, rows } = state.unanswered(&row.id)?;
    if units == 0 || !keeps_appended_rows(&session.pipeline().file, false) {
        return Ok(());
    }
    Err(Error::CannotGoOn(format!(
        "run {id}, which reads rejected rows again, is unfinished and cannot go on: {why}; {units} units of it with {rows} rows may be in the destination, and a new one would write them a second time\nhint: {way_out}begin anew with `forcepump retry-rejects --fresh {id}`, after taking these rows out of the destination or to have them twice",
        id = row.id
    )))
}

/// What feeds that append have in the destination, or may have, and that a new run would read again; or one of them.
/// Beside it how many units were begun where rows stay as they come.
fn appended(
    state: &State,
    (row, only): (&RunRow, Option<&str>),
    pipeline: Pipeline,
) -> Result<(Committed, u64), Error> {
    let ended: BTreeMap<String, FeedReport> = state
        .feed_ends(&row.id)?
        .into_iter()
        .filter_map(|(feed, text)| Some((feed, serde_json::from_str(&text).ok()?)))
        .collect();
    let (mut sum, mut begun) = (Committed::default(), 0);
    for feed in pipeline.feeds() {
        let source = &feed.file.source;
        let name = source.object.as_deref().unwrap_or(QUERY);
        if only.is_some_and(|only| only != name) {
            continue;
        }
        let is_complete = ended.get(name).is_some_and(FeedReport::is_complete);
        // The cursor of an incremental one stands behind what it has read.
        if !keeps_appended_rows(&feed.file, is_complete) || is_complete && source.incremental.is_some() {
            continue;
        }
        let key = FeedKey { run: &row.id, feed: name };
        let (of_feed, only_begun) = (state.perhaps_committed(key)?, state.begun_units(key)?);
        sum = Committed { units: sum.units + of_feed.units - only_begun, rows: sum.rows + of_feed.rows };
        begun += only_begun;
    }
    Ok((sum, begun))
}

/// Whether rows that were appended stay for good; files can be taken back as long as they are not told of.
fn keeps_appended_rows(file: &PipelineFile, is_complete: bool) -> bool {
    let grant = &file.destination.grant;
    file.destination.mode == Mode::Append && (is_complete || !grant.sql.is_empty() || !grant.http.is_empty())
}

/// The session takes over the run's beginning.
pub(super) fn adopt(session: &Session, state: &State, row: &RunRow) -> Result<(), Error> {
    let Some(plan) = plan_of(row) else { return Ok(()) };
    let feed = state.feeds(&row.id)?.into_iter().find(|feed| feed.feed == session.feed());
    let window = feed.and_then(|feed| serde_json::from_str(feed.window.as_deref()?).ok());
    let adopted =
        Adopted { run_id: row.id.clone(), submitted_at: row.started_at, as_of: plan.as_of, variables: plan.variables };
    session.adopt(adopted, window);
    Ok(())
}

/// Forgets the units that have to be read again because a transform has a memory of them, and takes the rejected rows of
/// units that cannot be committed out of the rejects file. Those of units that may be stay: a destination that has such a
/// unit does not refuse them again.
pub(super) fn drop_unsure(session: &Session, state: &State, row: &RunRow) -> Result<(), Error> {
    let stateful = session.parts()?.transforms.iter().any(|part| part.plugin.description().stateful);
    let (units, jobs) = (state.units(&row.id)?, state.jobs(&row.id)?);
    for job in jobs.iter().filter(|job| !job.done) {
        let of_pass = |unit: &&UnitRow| unit.feed == job.feed && unit.pass == job.pass;
        if stateful || units.iter().filter(of_pass).any(|unit| unit.unit.contains(super::lane::FINAL_UNIT)) {
            state.units_again(FeedKey { run: &row.id, feed: &job.feed }, &job.pass)?;
        }
    }
    let feeds = state.feeds(&row.id)?;
    let object = |feed: &str| feeds.iter().find(|row| row.feed == feed).map(|row| row.object.clone());
    let kept = state.noted_units(&row.id)?;
    let kept = kept.into_iter().filter_map(|(feed, unit)| Some((object(&feed)?, unit))).collect();
    reject_lines::keep_units(folder_of(session), &row.id, &kept)
}

fn folder_of(session: &Session) -> &Path {
    session.pipeline().folder()
}
