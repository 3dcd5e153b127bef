//! The feeds of a run, some of them side by side: one that fails does not stop the others.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use futures_util::StreamExt;
use futures_util::stream;

use super::record::{Record, Standing};
use super::{Ended as Finished, Progress, attempt, fingerprint, outcome};
use crate::cancel::Cancel;
use crate::error::Error;
use crate::event::{Event, ForFeed, Observer};
use crate::feed_report::FeedReport;
use crate::incremental::Window;
use crate::report::{RunReport, RunState};
use crate::session::{Adopted, Session};

/// A feed at its end.
struct Ended {
    report: FeedReport,
    /// why it cannot go on, when a new run has to take the place of this one
    anew: Option<String>,
    /// the same may succeed later, of itself
    is_passing: bool,
}

/// Runs every feed that is not complete yet; whatever happens to one is in its report. Where one cannot go on, and nothing
/// speaks against a new run, that takes the place of this one: the feeds of a run belong to one moment.
pub(super) async fn run(
    session: &Session,
    record: Record,
    (observer, cancel): (&Arc<dyn Observer>, &Cancel),
    started: Instant,
) -> Finished {
    let mut report = match begin(session, &record, cancel).await {
        Ok(feeds) => {
            let (report, anew) = all(session, &record, &feeds, (observer, cancel), started).await;
            match anew.filter(|_| !cancel.is_cancelled()) {
                Some(why) => return Finished::Anew(why, record),
                None => report,
            }
        }
        Err(error) => {
            let standing = record.standing(&error).unwrap_or_default();
            outcome::report(session, progress(session, &record), Some(&error), standing, started)
        }
    };
    report.receipt = record.receipt();
    if let Err(error) = record.end(&report) {
        // Without its end in the state the next run would not know where to begin.
        if report.error.is_none() {
            report.state = RunState::Failed;
            report.error = Some(outcome::told(&error));
        }
    }
    Finished::Told(Box::new(report))
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

/// The report of all feeds; beside it why one cannot go on, if so.
async fn all(
    session: &Session,
    record: &Record,
    feeds: &Feeds,
    (observer, cancel): (&Arc<dyn Observer>, &Cancel),
    started: Instant,
) -> (RunReport, Option<String>) {
    let at_a_time = session.pipeline().file.source.feeds_at_a_time();
    let each = feeds.sessions.iter().map(|feed| one(feed, record, &feeds.complete, observer, cancel));
    let ended: Vec<Ended> = stream::iter(each).buffer_unordered(at_a_time).collect().await;
    // One that stopped for an interruption is asked again by the next run.
    let anew = ended.iter().find_map(|feed| feed.anew.clone());
    // A backfill is begun anew: those of its feeds that are filled in are left out then.
    let goes_on = session.filling().is_none() && (anew.is_some() || goes_on(record, &feeds.complete, &ended));
    let report = outcome::report(session, progress(session, record), None, Standing::default(), started);
    let mut reports: Vec<FeedReport> = ended.into_iter().map(|feed| feed.report).collect();
    let place = |report: &FeedReport| feeds.sessions.iter().position(|feed| feed.feed() == report.feed);
    reports.sort_by_key(place);
    let report = report.with_feeds(reports);
    (RunReport { resumable: goes_on, seconds: started.elapsed().as_secs_f64(), ..report }, anew)
}

/// Whether the next run goes on with this one. A run that went on and came no further is over, unless what is unfinished
/// has committed something: else a feed that never works would keep the others from ever being read anew.
fn goes_on(record: &Record, complete: &BTreeMap<String, FeedReport>, ended: &[Ended]) -> bool {
    let unfinished = || ended.iter().filter(|feed| !feed.report.is_complete());
    let done = ended.len() - unfinished().count();
    if unfinished().count() == 0 {
        return false;
    }
    let committed = unfinished().any(|feed| feed.report.units > 0);
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
        return Ended { report, anew: None, is_passing: false };
    }
    let observer = ForFeed::observer(name, observer);
    let started = Instant::now();
    let mut progress = Progress { run_id: session.run_id().to_owned(), ..Progress::default() };
    let journal = record.feed(name);
    let mut error = attempt(session, &observer, cancel, &journal, &mut progress).await.err();
    let mut anew = None;
    if let Some(Error::StartAnew(why)) = &error {
        match record.may_start_anew(session, why) {
            Ok(()) => anew = Some(why.clone()),
            Err(refused) => error = Some(refused),
        }
    }
    let committed = journal.units().map_or(true, |units| !units.is_empty());
    let may_go_on = anew.is_none() && session.filling().is_none();
    let resumable = may_go_on && error.as_ref().is_some_and(|error| !error.is_for_good());
    let is_passing = error.as_ref().is_some_and(Error::is_passing);
    let mut ended = outcome::report(session, progress, error.as_ref(), Standing { resumable, committed }, started);
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
    Ended { report: FeedReport::of(name, &ended), anew, is_passing }
}

/// After the cursor: a feed that is noted as complete is not looked at again.
fn note(record: &Record, session: &Session, ended: &RunReport) -> Result<(), Error> {
    let text = serde_json::to_string(&FeedReport::of(session.feed(), ended))
        .map_err(|error| Error::Host { what: "writing the report of a feed".to_owned(), error: error.into() })?;
    record.state().feed_ended(session.run_id(), session.feed(), &text)
}
