//! The feeds of a run, some of them side by side: one that fails does not stop the others.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use futures_util::StreamExt;
use futures_util::stream;

use super::give_up::give_up_feed;
use super::journal::Journal;
use super::record::{Record, Standing, went_on};
use super::{Progress, attempt, fingerprint, outcome};
use crate::cancel::Cancel;
use crate::error::Error;
use crate::event::{Event, ForFeed, Observer};
use crate::feed_report::FeedReport;
use crate::incremental::Window;
use crate::report::{GivenUp, RunReport, RunState, WentOn};
use crate::session::{Adopted, Session};
use crate::state::FeedKey;

/// A feed at its end.
struct Ended {
    report: FeedReport,
    /// it began anew, and what was given up for that
    anew: Option<Anew>,
    /// the destination has units of it, or may have
    has_units: bool,
    /// the same may succeed later, of itself
    is_passing: bool,
}

/// A feed that began anew within the run.
struct Anew {
    given_up: GivenUp,
    /// of what was committed when the run went on
    dropped: WentOn,
}

/// Runs every feed that is not complete yet; whatever happens to one is in its report.
pub(super) async fn run(
    session: &Session,
    record: Record,
    (observer, cancel): (&Arc<dyn Observer>, &Cancel),
    started: Instant,
) -> RunReport {
    let mut report = match begin(session, &record, cancel).await {
        Ok(feeds) => all(session, &record, &feeds, (observer, cancel), started).await,
        Err(error) => {
            let standing = record.standing(&error).unwrap_or_default();
            outcome::report(session, progress(session, &record), Some(&error), standing, started)
        }
    };
    report.receipt = record.receipt();
    report.given_up.splice(0..0, record.given_up().iter().cloned());
    if let Err(error) = record.end(&report) {
        // Without its end in the state the next run would not know where to begin.
        if report.error.is_none() {
            report.state = RunState::Failed;
            report.error = Some(outcome::told(&error));
        }
    }
    report
}

fn progress(session: &Session, record: &Record) -> Progress {
    Progress { run_id: session.run_id().to_owned(), went_on: record.went_on(), ..Progress::default() }
}

/// Every feed, with what an earlier process left of it.
struct Feeds {
    sessions: Vec<Session>,
    complete: BTreeMap<String, FeedReport>,
}

/// Logs in, so that what is wrong with the connection is told once and no password is tried for each feed; notes what the
/// run is planned from; gives every feed the run's moments and variables, and its own window when it has begun.
async fn begin(session: &Session, record: &Record, cancel: &Cancel) -> Result<Feeds, Error> {
    cancel.race(session.client().organization()).await.ok_or(Error::Interrupted)??;
    let (state, run_id) = (record.state(), session.run_id());
    let fingerprint = fingerprint::fingerprint(session, &session.parts()?)?;
    let plan = fingerprint::plan(session)?;
    state.run_planned(run_id, &fingerprint, &plan)?;
    let windows: BTreeMap<String, Window> = state
        .feeds(run_id)?
        .into_iter()
        .filter_map(|row| Some((row.feed, serde_json::from_str(row.window.as_deref()?).ok()?)))
        .collect();
    let sessions = session.feeds();
    for feed in &sessions {
        let window = windows.get(feed.feed()).cloned();
        if let Some(window) = &window {
            feed.ends_at(window.to);
        }
        let (submitted_at, variables) = (session.submitted_at(), plan.variables.clone());
        feed.adopt(Adopted { run_id: run_id.to_owned(), submitted_at, as_of: plan.as_of, variables }, window);
    }
    let read = |(feed, text): (String, String)| Some((feed, serde_json::from_str::<FeedReport>(&text).ok()?));
    let complete = state.feed_ends(run_id)?.into_iter().filter_map(read).filter(|(_, report)| report.is_complete());
    Ok(Feeds { sessions, complete: complete.collect() })
}

async fn all(
    session: &Session,
    record: &Record,
    feeds: &Feeds,
    (observer, cancel): (&Arc<dyn Observer>, &Cancel),
    started: Instant,
) -> RunReport {
    let at_a_time = session.pipeline().file.source.feeds_at_a_time();
    let each = feeds.sessions.iter().map(|feed| one(feed, record, &feeds.complete, observer, cancel));
    let ended: Vec<Ended> = stream::iter(each).buffer_unordered(at_a_time).collect().await;
    // A backfill is begun anew: those of its feeds that are filled in are left out then.
    let goes_on = session.filling().is_none() && goes_on(record, &feeds.complete, &ended);
    let mut progress = progress(session, record);
    let mut given_up = Vec::new();
    for anew in ended.iter().filter_map(|feed| feed.anew.as_ref()) {
        progress.went_on = progress.went_on.map(|before| before.without(anew.dropped));
        given_up.push(anew.given_up.clone());
    }
    let report = outcome::report(session, progress, None, Standing::default(), started);
    let report = RunReport { given_up, ..report };
    let mut reports: Vec<FeedReport> = ended.into_iter().map(|feed| feed.report).collect();
    let place = |report: &FeedReport| feeds.sessions.iter().position(|feed| feed.feed() == report.feed);
    reports.sort_by_key(place);
    let report = report.with_feeds(reports);
    RunReport { resumable: goes_on, seconds: started.elapsed().as_secs_f64(), ..report }
}

/// Whether the next run goes on with this one. A run that went on and came no further is over, unless what is unfinished
/// has committed something: else a feed that never works would keep the others from ever being read anew.
fn goes_on(record: &Record, complete: &BTreeMap<String, FeedReport>, ended: &[Ended]) -> bool {
    let unfinished = || ended.iter().filter(|feed| !feed.report.is_complete());
    let done = ended.len() - unfinished().count();
    if unfinished().count() == 0 {
        return false;
    }
    let committed = unfinished().any(|feed| feed.has_units);
    let may_pass = unfinished().any(|feed| feed.is_passing);
    let came_further = record.went_on().is_none() || done > complete.len();
    let has_something = done > 0 || committed || record.has_job().unwrap_or(true);
    committed || (has_something && (may_pass || came_further))
}

/// One feed, unless an earlier process completed it.
async fn one(
    session: &Session,
    record: &Record,
    complete: &BTreeMap<String, FeedReport>,
    observer: &Arc<dyn Observer>,
    cancel: &Cancel,
) -> Ended {
    let name = session.feed();
    if let Some(before) = complete.get(name) {
        let report = FeedReport { complete_before: true, ..before.clone() };
        return Ended { report, anew: None, has_units: true, is_passing: false };
    }
    let observer = ForFeed::observer(name, observer);
    let started = Instant::now();
    let mut moving = Moving::new(session, record);
    let error = moving.on(session, record, &observer, cancel).await.err();
    let Moving { journal, progress, anew } = moving;
    let key = FeedKey { run: session.run_id(), feed: name };
    let has_units = record.state().perhaps_committed(key).map_or(true, |units| units.units > 0);
    let may_go_on = session.filling().is_none();
    let resumable = may_go_on && error.as_ref().is_some_and(|error| !error.is_for_good());
    let is_passing = error.as_ref().is_some_and(Error::is_passing);
    let mut ended =
        outcome::report(session, progress, error.as_ref(), Standing { resumable, committed: has_units }, started);
    // What the client sent again is told of the run as a whole.
    ended.retries = ended.retries.saturating_sub(session.client().retries());
    let noted = journal.ends(session.window(), &ended).and_then(|()| note(record, session, &ended));
    if let Err(error) = noted {
        ended.state = RunState::Failed;
        ended.error.get_or_insert_with(|| outcome::told(&error));
    }
    let (state, written) = (ended.state, ended.rows.written);
    let told = ended.error.as_ref().map(|error| error.message.clone());
    observer.event(Event::FeedEnded { state, written, error: told });
    Ended { report: FeedReport::of(name, &ended), anew, has_units, is_passing }
}

/// A feed under way.
struct Moving {
    journal: Arc<Journal>,
    progress: Progress,
    anew: Option<Anew>,
}

impl Moving {
    fn new(session: &Session, record: &Record) -> Self {
        let progress = Progress { run_id: session.run_id().to_owned(), ..Progress::default() };
        Self { journal: record.feed(session.feed()), progress, anew: None }
    }

    /// Moves it. One that cannot go on begins anew, once, where nothing speaks against that.
    async fn on(
        &mut self,
        session: &Session,
        record: &Record,
        observer: &Arc<dyn Observer>,
        cancel: &Cancel,
    ) -> Result<(), Error> {
        let dropped = went_on(&self.journal.units()?);
        let why = match self.journal.begun()?.and_then(|row| row.anew) {
            // An earlier process was giving it up.
            Some(why) => why,
            None => match attempt(session, observer, cancel, &self.journal, &mut self.progress).await {
                // One that was stopped is asked again by the next run.
                Err(Error::StartAnew(_)) if cancel.is_cancelled() => return Err(Error::Interrupted),
                Err(Error::StartAnew(why)) => {
                    record.may_start_anew(session, Some(session.feed()), &why)?;
                    why
                }
                moved => return moved,
            },
        };
        let given_up = give_up_feed(session, record.state(), &why, observer).await?;
        *self = Self { anew: Some(Anew { given_up, dropped }), ..Self::new(session, record) };
        attempt(session, observer, cancel, &self.journal, &mut self.progress).await
    }
}

/// After the cursor: a feed that is noted as complete is not looked at again.
fn note(record: &Record, session: &Session, ended: &RunReport) -> Result<(), Error> {
    let text = serde_json::to_string(&FeedReport::of(session.feed(), ended))
        .map_err(|error| Error::Host { what: "writing the report of a feed".to_owned(), error: error.into() })?;
    record.state().feed_ended(session.run_id(), session.feed(), &text)
}
