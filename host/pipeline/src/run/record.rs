//! The run in the state: begun, or gone on with, before anything is written, and ended with its report.

use std::sync::Arc;

use super::journal::Journal;
use super::{decide, give_up, receipt, retried};
use crate::cancel::Cancel;
use crate::error::Error;
use crate::event::{Event, Observer};
use crate::report::{GivenUp, RunReport, RunState, WentOn};
use crate::session::Session;
use crate::state::{FeedKey, RunBegun, RunEnd, RunRow, State, Turn, UnitRow};

/// A run under way; holds the pipeline's turn.
pub(crate) struct Record {
    state: Arc<State>,
    run_id: String,
    went_on: Option<WentOn>,
    /// runs that were given up for this one
    given_up: Vec<GivenUp>,
    /// of a run that reads rejected rows again: the run at the beginning of the retries
    first: Option<String>,
    _turn: Turn,
}

impl Record {
    /// Takes the pipeline's turn and begins a run, or goes on with the unfinished one: the session has its beginning
    /// then.
    pub(super) async fn begin(session: &Session, observer: &Arc<dyn Observer>, cancel: &Cancel) -> Result<Self, Error> {
        let pipeline = session.pipeline();
        let turn = Turn::take(pipeline.folder(), &pipeline.file.name)?;
        let state = Arc::new(State::open(pipeline.folder())?);
        let decided = cancel.race(decide::decide(session, &state, observer)).await.ok_or(Error::Interrupted)??;
        let went_on = match decided.go_on {
            Some(row) => Some(go_on(session, &state, &row, observer)?),
            None => {
                begin_new(&state, session)?;
                None
            }
        };
        let first = first_of(session, &state)?;
        let (run_id, given_up) = (session.run_id().to_owned(), Vec::from_iter(decided.given_up));
        Ok(Self { state, run_id, went_on, given_up, first, _turn: turn })
    }

    /// The run is given up, and a new one takes its place.
    pub(super) async fn anew(
        self,
        old: &Session,
        new: &Session,
        why: &str,
        observer: &Arc<dyn Observer>,
    ) -> Result<Self, Error> {
        let Self { state, run_id, mut given_up, _turn, .. } = self;
        // Killed from here on, the run is given up by the next one: its destination may know that it ended.
        for feed in state.feeds(&run_id)? {
            state.feed_leaves(FeedKey { run: &run_id, feed: &feed.feed }, why)?;
        }
        if let Some(row) = state.run(&run_id)? {
            given_up.push(give_up::give_up(old, &state, &row, why, observer).await?);
        }
        retried::settle(new, &state)?;
        begin_new(&state, new)?;
        let first = first_of(new, &state)?;
        Ok(Self { state, run_id: new.run_id().to_owned(), went_on: None, given_up, first, _turn })
    }

    /// What was committed when the run went on; none of a new one.
    pub(super) fn went_on(&self) -> Option<WentOn> {
        self.went_on
    }

    /// The runs that were given up for this one.
    pub(super) fn given_up(&self) -> &[GivenUp] {
        &self.given_up
    }

    /// Whether a new run may take the place of this one, or the feed begin anew, which cannot go on for the reason given.
    pub(super) fn may_start_anew(&self, session: &Session, feed: Option<&str>, why: &str) -> Result<(), Error> {
        match self.state.run(&self.run_id)? {
            Some(row) => decide::refuse_doubling(session, &self.state, (&row, feed), why, ""),
            None => Ok(()),
        }
    }

    /// Where it is kept.
    pub(super) fn state(&self) -> &State {
        &self.state
    }

    /// What is kept of one feed of the run.
    pub(super) fn feed(&self, name: &str) -> Arc<Journal> {
        Arc::new(Journal::new(Arc::clone(&self.state), &self.run_id, name).retrying(self.first.clone()))
    }

    /// The receipt of what is committed by now; none when nothing is, or the state cannot be read: then its end will say why.
    pub(super) fn receipt(&self) -> Option<String> {
        receipt::of(&self.state.units(&self.run_id).ok()?)
    }

    /// Whether a run that ended with the error can go on, and whether something of it is committed.
    pub(super) fn standing(&self, error: &Error) -> Result<Standing, Error> {
        let found = self.state.committed(&self.run_id)?;
        let has_job = self.has_job()?;
        let committed = found.rows > 0;
        let is_worth_it = committed || has_job || error.is_passing() && found.units > 0;
        Ok(Standing { resumable: !error.is_for_good() && is_worth_it, committed })
    }

    /// Whether the run has a job in the org.
    pub(super) fn has_job(&self) -> Result<bool, Error> {
        Ok(self.state.jobs(&self.run_id)?.iter().any(|job| job.id.is_some()))
    }

    /// Notes the end.
    pub(super) fn end(&self, report: &RunReport) -> Result<(), Error> {
        let text = serde_json::to_string(report)
            .map_err(|error| Error::Host { what: "writing the report".to_owned(), error: error.into() })?;
        let is_whole = matches!(report.state, RunState::Complete | RunState::CompleteWithRejects);
        if self.first.is_some() && !is_whole && !report.resumable {
            self.state.forget_mended_files(&self.run_id, None)?;
        }
        let end = RunEnd { state: report.state.word(), report: &text, resumable: report.resumable };
        self.state.run_ends(&self.run_id, chrono::Utc::now().timestamp_micros(), &end)
    }
}

fn begin_new(state: &State, session: &Session) -> Result<(), Error> {
    let pipeline = session.pipeline();
    state.run_begins(&RunBegun {
        is_backfill: session.filling().is_some(),
        retry_of: session.retry().map(|retry| retry.of.as_str()),
        ..RunBegun::new(session.run_id(), &pipeline.file.name, &pipeline.path, session.submitted_at())
    })
}

/// Where an unfinished run stands.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Standing {
    pub resumable: bool,
    /// rows are in the destination
    pub committed: bool,
}

impl Standing {
    /// The same of this session's run: a backfill is begun anew.
    pub(super) fn of(self, session: &Session) -> Self {
        Self { resumable: self.resumable && session.filling().is_none(), ..self }
    }

    /// The state of a run that ended with the error.
    pub(super) fn state(self, error: &Error) -> RunState {
        match error {
            Error::Interrupted => RunState::Cancelled,
            Error::CannotGoOn(_) => RunState::Failed,
            _ if self.resumable && self.committed => RunState::Partial,
            _ => RunState::Failed,
        }
    }
}

fn go_on(session: &Session, state: &State, row: &RunRow, observer: &Arc<dyn Observer>) -> Result<WentOn, Error> {
    decide::adopt(session, state, row)?;
    decide::drop_unsure(session, state, row)?;
    let went_on = went_on(&state.units(&row.id)?);
    let written = went_on.written;
    state.run_goes_on(&row.id)?;
    let committed = match went_on.units {
        0 => "none of its units is committed yet".to_owned(),
        1 => format!("1 unit with {written} rows is committed"),
        more => format!("{more} units with {written} rows are committed"),
    };
    observer.event(Event::Note(format!("goes on with run {}: {committed}", row.id)));
    Ok(went_on)
}

/// What is committed when a run goes on.
pub(super) fn went_on(units: &[UnitRow]) -> WentOn {
    let read = units.iter().map(|unit| unit.tally.read).sum();
    let written = units.iter().map(|unit| unit.tally.written).sum();
    WentOn { units: units.len() as u64, read, written }
}

/// Of a run that reads rejected rows again: the run at the beginning of the retries.
fn first_of(session: &Session, state: &State) -> Result<Option<String>, Error> {
    session.retry().map(|retry| state.first_of(&retry.of)).transpose()
}
