//! Requests at the same time: fewer when the org refuses so many, slowly more again.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Time without a refusal after which one more request is let in.
const RECOVERY: Duration = Duration::from_secs(15);

/// Lets so many requests in, and the others wait.
pub(crate) struct Gate {
    semaphore: Arc<Semaphore>,
    state: Mutex<State>,
}

struct State {
    /// The operator's number.
    cap: usize,
    /// The number now: `cap`, or less after refusals.
    current: usize,
    /// Permits to be taken away as soon as they come back.
    debt: usize,
    changed: Instant,
}

/// Held for as long as a request is under way; the body too, where it is read at once.
pub(crate) struct Permit {
    gate: Option<Arc<Gate>>,
    permit: Option<OwnedSemaphorePermit>,
    since: Instant,
}

impl Gate {
    pub(crate) fn new(cap: usize) -> Self {
        let cap = cap.max(1);
        let state = State { cap, current: cap, debt: 0, changed: Instant::now() };
        Self { semaphore: Arc::new(Semaphore::new(cap)), state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a place.
    pub(crate) async fn enter(self: &Arc<Self>) -> Permit {
        self.recover(Instant::now());
        // the semaphore is never closed
        let permit = Arc::clone(&self.semaphore).acquire_owned().await.ok();
        Permit { gate: Some(Arc::clone(self)), permit, since: Instant::now() }
    }

    /// Requests at the same time now.
    #[cfg(test)]
    pub(crate) fn current(&self) -> usize {
        self.state().current
    }

    /// Never more than `cap`: another connection to the org is stricter.
    pub(crate) fn restrict(&self, cap: usize) {
        let mut state = self.state();
        state.cap = state.cap.min(cap.max(1));
        let cap = state.cap;
        self.shrink(&mut state, cap);
    }

    /// Halves, for a request that the org refused; once for all that were under way together.
    pub(crate) fn refused(&self, permit: &Permit) {
        let mut state = self.state();
        let is_old_news = state.current < state.cap && permit.since <= state.changed;
        if !is_old_news {
            let half = (state.current / 2).max(1);
            self.shrink(&mut state, half);
        }
        state.changed = Instant::now();
    }

    fn shrink(&self, state: &mut State, to: usize) {
        let less = state.current.saturating_sub(to);
        state.current -= less;
        state.debt += less - self.semaphore.forget_permits(less);
    }

    fn recover(&self, now: Instant) {
        let mut state = self.state();
        if state.current >= state.cap || now.saturating_duration_since(state.changed) < RECOVERY {
            return;
        }
        state.current += 1;
        state.changed = now;
        match state.debt {
            0 => self.semaphore.add_permits(1),
            _ => state.debt -= 1,
        }
    }

    fn leave(&self, permit: OwnedSemaphorePermit) {
        {
            let mut state = self.state();
            if state.debt > 0 {
                state.debt -= 1;
                permit.forget();
                return;
            }
        }
        drop(permit);
        self.recover(Instant::now());
    }
}

impl Permit {
    /// For requests that tidy up: they wait for nobody.
    pub(crate) fn free() -> Self {
        Self { gate: None, permit: None, since: Instant::now() }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let (Some(gate), Some(permit)) = (self.gate.take(), self.permit.take()) {
            gate.leave(permit);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn refused_together_halves_once_and_recovers_one_by_one() {
        let gate = Arc::new(Gate::new(4));
        let mut inside = Vec::new();
        for _ in 0..4 {
            inside.push(gate.enter().await);
        }
        assert!(gate.enter().now_or_never().is_none(), "a fifth waits");
        inside.iter().for_each(|permit| gate.refused(permit));
        assert_eq!(gate.current(), 2);
        inside.truncate(2);
        assert!(gate.enter().now_or_never().is_none(), "those that left are not replaced");
        inside.truncate(1);
        let next = gate.enter().now_or_never().expect("one of two left");
        gate.refused(&next);
        assert_eq!(gate.current(), 1);
        drop((inside, next));
        let mut now = Instant::now();
        for expected in [2, 3, 4, 4] {
            now += RECOVERY;
            gate.recover(now);
            assert_eq!(gate.current(), expected);
        }
        let mut all = Vec::new();
        for _ in 0..4 {
            all.push(gate.enter().now_or_never().expect("all places are back"));
        }
        assert!(gate.enter().now_or_never().is_none());
    }

    #[tokio::test]
    async fn a_stricter_connection_takes_places_away_while_they_are_taken() {
        let gate = Arc::new(Gate::new(3));
        let inside = (gate.enter().await, gate.enter().await);
        gate.restrict(1);
        assert!(gate.enter().now_or_never().is_none());
        drop(inside);
        let one = gate.enter().now_or_never().expect("one place");
        assert!(gate.enter().now_or_never().is_none());
        drop(one);
    }
}
