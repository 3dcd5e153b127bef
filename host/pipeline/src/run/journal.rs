//! What is kept of one feed of a run as it goes: its window, its jobs, its committed units.
//!
//! The order of things, and what a kill or a power cut in between leaves:
//!
//! 1. The plan of the run is noted before anything is made or written; without it nothing was done.
//! 2. A job is noted as soon as it is created. Killed in between: the job stays in the org until it expires, and the next
//!    run makes another.
//!    A job that is lost is noted as succeeded by another pass before the job of that one is asked for.
//! 3. The rejected rows of a unit are made durable, the unit is noted as one that may be committed, the destination
//!    commits it, and it is noted as committed. Killed in between: the unit is read again, and the destination, which
//!    knows it by run and unit, takes it as done and refuses nothing: then the counts and the rejected rows of before
//!    stand. Rejected rows of a unit without a note are taken out of the file. Only where the job is gone as well, so that
//!    the same unit cannot be had, does it count that it may be committed.
//! 4. The destination does its last step, then the jobs are disposed of, then the run ends and its cursor moves. Killed in
//!    between: every unit is known, the last step is done again, which has the effect of once.
//! 5. A feed that cannot go on is noted as one that is being given up, is given up, and has nothing any more. Killed in
//!    between: the next run gives it up first. From then on the destination knows the run of this feed by another name.
//!
//! A power cut takes back what was not on the disk, and destinations put their units there. So every note is made durable
//! before what follows it (`synchronous = FULL`): a run or a job that were forgotten would be begun anew under other names,
//! and rows be written twice; so would those of a window whose cursor fell back. One note is not waited for: that a unit
//! is committed. Without it the unit is one that may be committed, which is read again to no effect.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use super::bare::is_bare;
use super::overlap::{Overlap, RowHash};
use crate::error::Error;
use crate::incremental::Window;
use crate::report::{RunReport, RunState};
use crate::session::Session;
use crate::state::{
    CursorKey, FeedKey, FeedRow, JobRow, MendedRows, Noted, PlaceRow, SliceRow, State, UnitRow, overlap_key,
};

/// One feed of a run in the state.
pub(crate) struct Journal {
    state: Arc<State>,
    run_id: String,
    feed: String,
    /// of an incremental feed, once its object is known
    cursor: OnceLock<CursorKey>,
    /// units that were noted
    noted: AtomicU64,
    /// of a run that reads rejected rows again: the run at the beginning of the retries
    first: Option<String>,
}

impl Journal {
    /// Of a feed of a run; what is there already stays.
    pub(crate) fn new(state: Arc<State>, run_id: &str, feed: &str) -> Self {
        Self {
            state,
            run_id: run_id.to_owned(),
            feed: feed.to_owned(),
            cursor: OnceLock::new(),
            noted: AtomicU64::new(0),
            first: None,
        }
    }

    /// The same for a run that reads rejected rows again; `first` is the run at the beginning of the retries.
    pub(super) fn retrying(self, first: Option<String>) -> Self {
        Self { first, ..self }
    }

    /// Whether rejected rows are read again.
    pub(super) fn retries(&self) -> bool {
        self.first.is_some()
    }

    /// Name of the feed.
    pub(crate) fn feed(&self) -> &str {
        &self.feed
    }

    pub(crate) fn state(&self) -> &Arc<State> {
        &self.state
    }

    /// The feed begins: its object, the org, and the window of an incremental one, of which it gives what the last run
    /// remembered.
    ///
    /// The org is asked for now: at the end nothing is sent any more, and what is committed cannot fail for want of an
    /// answer.
    pub(super) async fn begins(&self, session: &Session, object: &str) -> Result<Option<Overlap>, Error> {
        let org = session.client().organization().await?;
        let window = session.window().map(serde_json::to_string).transpose();
        let window =
            window.map_err(|error| Error::Host { what: "keeping the window".to_owned(), error: error.into() })?;
        let (feed, object) = (self.feed.clone(), object.to_owned());
        let (concluded, attempt, anew) = (false, 0, None);
        let row = FeedRow { feed, object: object.clone(), org: org.clone(), window, concluded, attempt, anew };
        self.state.feed_begins(&self.run_id, &row)?;
        let Some(window) = session.window() else { return Ok(None) };
        let key = CursorKey { pipeline: session.pipeline().file.name.clone(), org, object };
        let known = self.state.overlap(&key)?;
        self.cursor.get_or_init(|| key);
        Ok(Some(Overlap::new(window, known)))
    }

    /// The feed ended: of a complete incremental one the cursor moves to the end of its window.
    pub(super) fn ends(&self, window: Option<&Window>, report: &RunReport) -> Result<(), Error> {
        let is_complete = matches!(report.state, RunState::Complete | RunState::CompleteWithRejects);
        match (window, self.cursor.get()) {
            (Some(window), Some(key)) if is_complete => {
                self.state.cursor_moves(key, &window.field, window.to, &overlap_key(&self.run_id, &self.feed))
            }
            // What goes on needs to know the rows of the units that it does not read again.
            (Some(_), _) if report.resumable => Ok(()),
            (Some(_), _) => self.state.forget(&overlap_key(&self.run_id, &self.feed)),
            (None, _) => Ok(()),
        }
    }

    /// The feed as an earlier process began it.
    pub(crate) fn begun(&self) -> Result<Option<FeedRow>, Error> {
        Ok(self.state.feeds(&self.run_id)?.into_iter().find(|row| row.feed == self.feed))
    }

    /// The run as the destination knows it.
    pub(super) fn known_as(&self) -> Result<String, Error> {
        Ok(self.begun()?.map_or_else(|| self.run_id.clone(), |row| row.known_as(&self.run_id)))
    }

    /// The jobs of the feed's passes.
    pub(crate) fn jobs(&self) -> Result<Vec<JobRow>, Error> {
        Ok(self.state.jobs(&self.run_id)?.into_iter().filter(|row| row.feed == self.feed).collect())
    }

    /// The slices of the feed's passes, in no order.
    pub(crate) fn slices(&self) -> Result<Vec<SliceRow>, Error> {
        self.state.slices(self.key())
    }

    /// A pass is read in slices, or a slice, `instead`, in smaller ones.
    pub(crate) fn slices_made(&self, instead: Option<&str>, slices: &[SliceRow]) -> Result<(), Error> {
        self.state.slices_made(self.key(), instead, slices)
    }

    /// The committed units of the feed, in the order of their commits.
    pub(crate) fn units(&self) -> Result<Vec<UnitRow>, Error> {
        let units: Vec<UnitRow> =
            self.state.units(&self.run_id)?.into_iter().filter(|row| row.feed == self.feed).collect();
        let next = units.iter().map(|row| row.number + 1).max().unwrap_or(0);
        self.noted.fetch_max(next, Ordering::AcqRel);
        Ok(units)
    }

    /// A pass has a job.
    pub(crate) fn job_created(&self, job: &JobRow) -> Result<(), Error> {
        self.state.job_created(&self.run_id, job)
    }

    /// Every unit of a pass is committed, and its total adds up.
    pub(crate) fn pass_done(&self, pass: &str, announced: u64) -> Result<(), Error> {
        self.state.pass_done(self.key(), pass, announced)
    }

    /// The job of a pass is lost: its committed units stand, and the pass that follows reads the rest.
    pub(crate) fn pass_succeeded(&self, pass: &str, rows: u64) -> Result<(), Error> {
        self.state.pass_succeeded(self.key(), pass, rows)
    }

    /// The job of a pass was ended in the org.
    pub(crate) fn job_disposed(&self, pass: &str) -> Result<(), Error> {
        self.state.job_disposed(self.key(), pass)
    }

    /// The job of a pass is gone for good.
    pub(crate) fn job_gone(&self, pass: &str) -> Result<(), Error> {
        self.state.job_gone(self.key(), pass)
    }

    /// How many units of a pass the destination has, or may have, that are not among [`Journal::units`].
    pub(crate) fn unsure_units(&self, pass: &str) -> Result<u64, Error> {
        self.state.unsure_units(self.key(), pass)
    }

    /// What was noted of a unit by an earlier process.
    ///
    /// # Errors
    /// [`Error::Host`] when the state cannot be read.
    pub(crate) fn noted(&self, row: &UnitRow) -> Result<Option<Noted>, Error> {
        if is_bare() { Ok(None) } else { self.state.noted(&self.run_id, row) }
    }

    /// A unit is begun in a destination that keeps rows as they come.
    ///
    /// # Errors
    /// [`Error::Host`] when the state cannot be written.
    pub(super) fn unit_begins(&self, pass: &str, unit: &str) -> Result<(), Error> {
        if is_bare() { Ok(()) } else { self.state.unit_begun(self.key(), pass, unit) }
    }

    /// A unit's commit is about to be asked of the destination; `places`: the tables that its rows are in then.
    ///
    /// # Errors
    /// [`Error::Host`] when the state cannot be written.
    pub(crate) fn unsure(&self, row: &UnitRow, places: &[PlaceRow]) -> Result<(), Error> {
        if is_bare() { Ok(()) } else { self.state.unit_unsure(&self.run_id, row, places) }
    }

    /// The destination has answered a unit's commit, and the host saw that the unit is not there as it was accepted.
    pub(crate) fn denied(&self, row: &UnitRow) -> Result<(), Error> {
        if is_bare() { Ok(()) } else { self.state.unit_denied(&self.run_id, row) }
    }

    /// The destination did its last step.
    pub(crate) fn concluded(&self) -> Result<(), Error> {
        self.state.feed_concluded(self.key())
    }

    /// Where the rows of a unit went; noted before the unit is.
    pub(super) fn places(&self, unit: &str, places: &[PlaceRow]) -> Result<(), Error> {
        if is_bare() {
            return Ok(());
        }
        self.state.unit_places(&self.run_id, &self.feed, unit, places)
    }

    /// A unit is durable in the destination; `remembered` are the rows that the next incremental run may meet again,
    /// `mended` those that were rejected once and went through, under the name of the feed that the rejects file has.
    pub(crate) fn unit(
        &self,
        mut row: UnitRow,
        remembered: &[RowHash],
        (feed, mended): (&str, &[String]),
    ) -> Result<(), Error> {
        if is_bare() {
            return Ok(());
        }
        row.number = self.noted.fetch_add(1, Ordering::AcqRel);
        let mended = self.first.as_deref().map(|first| MendedRows { first, feed, ids: mended });
        self.state.unit_committed(&self.run_id, &row, remembered, mended)
    }

    fn key(&self) -> FeedKey<'_> {
        FeedKey { run: &self.run_id, feed: &self.feed }
    }
}
