//! A run looked at again: what the source counts now against what it announced then, and what the destination holds
//! against what was committed.

mod destination;
mod files;
mod keys;
mod lack;
mod source;
mod tables;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::cancel::Cancel;
use crate::error::Error;
use crate::feed_report::FeedReport;
use crate::file::Pipeline;
use crate::history::past_run_of;
use crate::session::Session;
use crate::state::{FeedRow, JobRow, PlaceRow, RunPlan, RunRow, State, UnitRow};

pub(crate) use lack::{Lack, lack};

/// What a look at a run found.
#[derive(Debug, Clone, Serialize)]
pub struct Verification {
    /// the run
    pub run_id: String,
    /// name of its pipeline
    pub pipeline: String,
    /// how the run ended
    pub run_state: String,
    /// whether anything differs
    pub state: VerifyState,
    /// everything that was compared, and what could not be
    pub checks: Vec<VerifyCheck>,
}

/// How a comparison came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum VerifyState {
    /// Both sides are the same.
    Equal,
    /// It cannot be known.
    Unknown,
    /// They are not the same.
    Differs,
}

/// One comparison.
#[derive(Debug, Clone, Serialize)]
pub struct VerifyCheck {
    /// the feed; empty: the whole run
    pub feed: String,
    /// what was looked at: `rows of Account at the source`, a file, a table
    pub what: String,
    /// the number of then
    pub expected: Option<u64>,
    /// the number of now
    pub found: Option<u64>,
    /// how they compare
    pub state: VerifyState,
    /// what it may mean, or why it cannot be known
    pub note: Option<String>,
    /// the first of what is missing or too much
    pub examples: Vec<String>,
}

impl VerifyCheck {
    fn counts(feed: &str, what: impl Into<String>, expected: u64, found: u64) -> Self {
        let state = if expected == found { VerifyState::Equal } else { VerifyState::Differs };
        Self {
            feed: feed.to_owned(),
            what: what.into(),
            expected: Some(expected),
            found: Some(found),
            state,
            note: None,
            examples: Vec::new(),
        }
    }

    fn differs(feed: &str, what: impl Into<String>, expected: u64, note: impl Into<String>) -> Self {
        let (found, state) = (None, VerifyState::Differs);
        Self { found, state, note: Some(note.into()), ..Self::counts(feed, what, expected, expected) }
    }

    fn unknown(feed: &str, what: impl Into<String>, note: impl Into<String>) -> Self {
        let state = VerifyState::Unknown;
        Self { expected: None, found: None, state, note: Some(note.into()), ..Self::counts(feed, what, 0, 0) }
    }

    fn noting(self, note: impl Into<String>) -> Self {
        Self { note: Some(note.into()), ..self }
    }

    /// The note only where the numbers differ.
    fn noting_difference(self, note: &str) -> Self {
        if self.state == VerifyState::Differs { self.noting(note) } else { self }
    }
}

/// What the state holds of a run.
struct Facts {
    /// that of the pipeline file
    folder: PathBuf,
    run: RunRow,
    feeds: Vec<FeedRow>,
    jobs: Vec<JobRow>,
    units: Vec<UnitRow>,
    /// of these units
    places: Vec<PlaceRow>,
    /// feeds that did not come to their end, where the run has several
    unfinished: Vec<FeedReport>,
    /// the runs that read rejected rows of the same run again, this one among them
    retries: BTreeSet<String>,
    /// runs that filled fields in, and added no row
    backfills: BTreeSet<String>,
}

impl Facts {
    fn of(folder: &Path, state: &State, run: RunRow) -> Result<Self, Error> {
        let (id, units) = (run.id.clone(), state.units(&run.id)?);
        let ends = state.feed_ends(&id)?.into_iter();
        let ends = ends.filter_map(|(_, text)| serde_json::from_str::<FeedReport>(&text).ok());
        let first = state.first_of(&id)?;
        Ok(Self {
            folder: folder.to_owned(),
            feeds: state.feeds(&id)?,
            jobs: state.jobs(&id)?,
            unfinished: ends.filter(|report| !report.is_complete()).collect(),
            retries: state.retries_of(&first)?,
            backfills: state.backfills()?,
            places: state.places(&id)?,
            units,
            run,
        })
    }

    fn names(&self) -> BTreeSet<&str> {
        let feeds = self.feeds.iter().map(|feed| feed.feed.as_str());
        let unfinished = self.unfinished.iter().map(|report| report.feed.as_str());
        feeds.chain(unfinished).chain(self.units.iter().map(|unit| unit.feed.as_str())).collect()
    }

    /// API name of a feed's object.
    fn object<'a>(&'a self, feed: &'a str) -> &'a str {
        self.feeds.iter().find(|row| row.feed == feed).map_or(feed, |row| row.object.as_str())
    }

    fn units_of<'a>(&'a self, feed: &'a str) -> impl Iterator<Item = &'a UnitRow> {
        self.units.iter().filter(move |unit| unit.feed == feed)
    }

    fn places_of<'a>(&'a self, feed: &'a str) -> impl Iterator<Item = &'a PlaceRow> {
        self.places.iter().filter(move |place| place.feed == feed)
    }

    /// The run as the destination knows it, which writes a feed.
    fn known_as(&self, feed: &str) -> String {
        let row = self.feeds.iter().find(|row| row.feed == feed);
        row.map_or_else(|| self.run.id.clone(), |row| row.known_as(&self.run.id))
    }

    fn written(&self, feed: &str) -> u64 {
        self.units_of(feed).map(|unit| unit.tally.written).sum()
    }
}

/// A run's pipeline as it was when the run began.
#[derive(Debug, Clone)]
pub struct RunAsItWas {
    /// the run
    pub run_id: String,
    /// its pipeline file
    pub pipeline: Pipeline,
    /// values that were given for its variables
    pub given: BTreeMap<String, String>,
}

/// The pipeline of a former run below a pipeline's folder; `latest` is the newest run.
///
/// # Errors
/// [`Error::NoSuchRun`] when there is none, or it did not get so far as to note its plan; [`Error::Host`] when the state
/// cannot be read.
pub fn run_as_it_was(folder: &Path, run: &str) -> Result<RunAsItWas, Error> {
    let past = past_run_of(folder, run)?;
    let state = State::open(folder)?;
    let plan = state.run(&past.run_id)?.and_then(|row| row.plan);
    let unplanned = |why: &str| {
        let run = &past.run_id;
        Error::NoSuchRun(format!(
            "run {run} {why}, so there is nothing to go by\nhint: `forcepump runs` lists other runs"
        ))
    };
    let plan: RunPlan = match plan.map(|text| serde_json::from_str(&text)) {
        None => return Err(unplanned("ended before it had a plan, or was made by an older forcepump")),
        Some(Err(error)) => return Err(unplanned(&format!("has a plan that this forcepump cannot read ({error})"))),
        Some(Ok(plan)) => plan,
    };
    let file = serde_json::from_str(&plan.file)
        .map_err(|error| unplanned(&format!("has a pipeline file that this forcepump cannot read ({error})")))?;
    // The folder may have moved since; the state moved with it.
    let path = folder.join(plan.path.file_name().unwrap_or_default());
    Ok(RunAsItWas { run_id: past.run_id, pipeline: Pipeline { file, path }, given: plan.given })
}

/// Looks at a run of the session's pipeline again; `keys`: by ids as well as by numbers.
pub(crate) async fn verify(session: &Session, id: &str, keys: bool, cancel: &Cancel) -> Result<Verification, Error> {
    let folder = session.pipeline().folder();
    let state = State::open(folder)?;
    let run = state.run(id)?.ok_or_else(|| Error::NoSuchRun(format!("no run `{id}` is remembered")))?;
    let facts = Facts::of(folder, &state, run)?;
    let mut checks = Vec::new();
    for feed in facts.names() {
        checks.extend(end(&facts, feed));
        checks.extend(ledger(&facts, feed));
        checks.extend(source::checks(session, &facts, feed, cancel).await?);
        checks.extend(destination::checks(session, &facts, feed)?);
        if keys {
            checks.extend(keys::checks(session, &facts, feed, cancel).await?);
        }
    }
    if checks.is_empty() {
        checks.push(VerifyCheck::unknown("", "the run", "it kept no units: nothing of it can be compared"));
    }
    Ok(Verification {
        run_id: facts.run.id.clone(),
        pipeline: facts.run.pipeline.clone(),
        run_state: facts.run.state.clone(),
        state: checks.iter().map(|check| check.state).max().unwrap_or(VerifyState::Unknown),
        checks,
    })
}

/// A feed that did not come to its end: what is committed of it can be compared, and is not all.
fn end(facts: &Facts, feed: &str) -> Option<VerifyCheck> {
    let report = facts.unfinished.iter().find(|report| report.feed == feed)?;
    let why =
        report.error.as_ref().and_then(|error| error.message.lines().next()).unwrap_or("it did not come to its end");
    let note = format!("it is {} ({why}); `forcepump resume` goes on with it", report.state.word());
    Some(VerifyCheck::unknown(feed, format!("the feed {feed} as a whole"), note))
}

/// The run's own numbers: what was announced is what its committed units read.
fn ledger(facts: &Facts, feed: &str) -> Option<VerifyCheck> {
    let announced = facts.jobs.iter().filter(|job| job.feed == feed).map(|job| job.announced);
    let announced: u64 = announced.sum::<Option<u64>>()?;
    let read = facts.units_of(feed).map(|unit| unit.tally.read).sum();
    let check = VerifyCheck::counts(feed, format!("rows announced, and read by the units of {feed}"), announced, read);
    Some(check.noting_difference("not every unit of the run is committed; `forcepump resume` goes on with it"))
}
