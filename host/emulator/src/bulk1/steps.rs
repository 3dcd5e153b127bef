//! How batches move: a step a look, or by the clock.

use chrono::{DateTime, Utc};

use super::job::{Batch, BatchState, ClassicJobState, Fate, Job, Role};
use super::store::Serials;
use crate::faults::JobFault;
use crate::options::Options;

/// What a batch says that was given up without a reason.
const GIVEN_UP: &str = "InternalServerError : Retried more than 15 times";
/// Of the chunks that are not at their end, one in so many completes at a look, at least one.
const SHARE: usize = 3;
/// The time of a plain batch, in the unit of [`Role::Chunk`].
const WHOLE: u64 = 1_000;

impl Job {
    /// One look at the job: without a time option it is looks that move it.
    pub(super) fn look(&mut self, options: &Options, serials: &mut Serials, now: DateTime<Utc>) {
        if options.job_ms.is_some() || self.stuck {
            return;
        }
        self.complete_some(now);
        for index in 0..self.batches.len() {
            self.step(index, options, serials, now);
        }
    }

    /// Chunks complete one after the other, and the next one begins.
    fn complete_some(&mut self, now: DateTime<Utc>) {
        let mut open: Vec<&mut Batch> = self
            .batches
            .iter_mut()
            .filter(|batch| matches!(batch.role, Role::Chunk { .. }) && !batch.state.is_terminal())
            .filter(|batch| !matches!(batch.fate, Fate::Never))
            .collect();
        let share = open.len().div_ceil(SHARE);
        for (place, batch) in open.iter_mut().enumerate() {
            if place < share {
                end(batch, now);
            } else if place < 2 * share && batch.state == BatchState::Queued {
                batch.enter(BatchState::InProgress, now);
            }
        }
    }

    fn step(&mut self, index: usize, options: &Options, serials: &mut Serials, now: DateTime<Utc>) {
        let Some(batch) = self.batches.get_mut(index) else { return };
        if batch.state.is_terminal() || matches!(batch.role, Role::Chunk { .. }) {
            return;
        }
        batch.looks = batch.looks.saturating_add(1);
        let late = if let Role::Original { late, .. } = &batch.role { *late } else { 0 };
        let due = options.job_polls.saturating_add(late);
        if batch.looks >= due {
            self.finish(index, serials, now);
        } else {
            if batch.state == BatchState::Queued {
                batch.enter(BatchState::InProgress, now);
            }
            // Late chunks appear while the original is still being cut.
            let left = due - batch.looks;
            self.release(index, left as usize, late > 0, serials, now);
        }
    }

    /// Moves the job by the time that has passed, where the options say so.
    pub(super) fn pass_time(&mut self, options: &Options, serials: &mut Serials, now: DateTime<Utc>) {
        let Some(whole) = options.job_ms else { return };
        if self.stuck {
            return;
        }
        // Chunks that a batch leaves behind stand after it, so that one pass sees them too.
        let mut index = 0;
        while let Some(batch) = self.batches.get_mut(index) {
            let passed = u64::try_from((now - batch.began).num_milliseconds()).unwrap_or(0);
            let (from, until) = match batch.role {
                Role::Chunk { from, until } => (whole * from / WHOLE, whole * until / WHOLE),
                _ => (whole / 2, whole),
            };
            if !batch.state.is_terminal() && passed >= until {
                self.finish(index, serials, now);
            } else if batch.state == BatchState::Queued && passed >= from {
                batch.enter(BatchState::InProgress, now);
            }
            index += 1;
        }
    }

    fn finish(&mut self, index: usize, serials: &mut Serials, now: DateTime<Utc>) {
        let Some(batch) = self.batches.get_mut(index) else { return };
        let failed = matches!(batch.fate, Fate::Failed(_));
        let Role::Original { waiting, .. } = &mut batch.role else { return end(batch, now) };
        if matches!(batch.fate, Fate::Never) {
            return;
        }
        if failed {
            // What was queued already still runs; the rest never comes to be.
            waiting.truncate(waiting.len() / 2);
        }
        self.release(index, 0, true, serials, now);
        if let Some(batch) = self.batches.get_mut(index) {
            match batch.fate.clone() {
                Fate::Failed(message) => batch.fail(message, now),
                _ => batch.enter(BatchState::NotProcessed, now),
            }
        }
    }

    /// Makes batches of an original's chunks: all of them, or one share when `left` looks will follow.
    fn release(&mut self, index: usize, left: usize, early: bool, serials: &mut Serials, now: DateTime<Utc>) {
        let Some(original) = self.batches.get_mut(index) else { return };
        let Role::Original { waiting, .. } = &mut original.role else { return };
        if !early {
            return;
        }
        let parts = waiting.len() as u64;
        let take = waiting.len().div_ceil(left + 1);
        let (began, lie) = (original.created, original.lie);
        let released: Vec<_> = waiting.drain(..take).collect();
        for (place, (soql, chunk, fate)) in released.into_iter().enumerate() {
            let mut batch = Batch::new(serials.next_batch(), soql, now);
            let part = |place: usize| WHOLE + WHOLE * place as u64 / parts.max(1);
            batch.role = Role::Chunk { from: part(place), until: part(place + 1) };
            batch.prepared = Some(chunk.prepared);
            (batch.began, batch.lie, batch.fate) = (began, lie, fate);
            self.batches.push(batch);
        }
    }

    /// Lets a fault decide how the job goes on.
    pub(super) fn meet(&mut self, fault: &JobFault, now: DateTime<Utc>) {
        match fault {
            JobFault::Failed(reason) => {
                let reason = reason.as_deref().unwrap_or(GIVEN_UP);
                for batch in self.batches.iter_mut().filter(|batch| !batch.state.is_terminal()) {
                    batch.fail(reason.to_owned(), now);
                }
            }
            JobFault::Aborted => self.abort(now),
            JobFault::Vanish => self.vanished = true,
            JobFault::Stuck => self.stuck = true,
        }
    }

    /// Batches that wait are left over; those that run come to their end.
    pub(super) fn abort(&mut self, now: DateTime<Utc>) {
        self.enter(ClassicJobState::Aborted, now);
        for batch in &mut self.batches {
            let cut = matches!(batch.role, Role::Original { .. }) && !batch.state.is_terminal();
            if batch.state == BatchState::Queued || cut {
                batch.enter(BatchState::NotProcessed, now);
            }
        }
    }
}

fn end(batch: &mut Batch, now: DateTime<Utc>) {
    match batch.fate.clone() {
        Fate::Complete => batch.enter(BatchState::Completed, now),
        Fate::Failed(message) => batch.fail(message, now),
        Fate::Never => {}
    }
}
