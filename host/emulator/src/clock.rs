//! The org's own clock: real time, unless it was set, stepped or stopped.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

/// What time it is in the org. Copies are the same clock.
///
/// It rules stamps of records, dates of jobs, cursors and `Date` headers, and date literals. Logins, sessions and tokens
/// keep real time, so that moving it locks nobody out.
#[derive(Debug, Clone, Default)]
pub struct Clock(Arc<Mutex<Hands>>);

#[derive(Debug, Clone, Copy, Default)]
struct Hands {
    /// How far the clock is ahead of real time.
    ahead: TimeDelta,
    /// The moment at which it stands.
    stopped: Option<DateTime<Utc>>,
}

impl Hands {
    fn now(self) -> DateTime<Utc> {
        let real = Utc::now();
        self.stopped.unwrap_or_else(|| real.checked_add_signed(self.ahead).unwrap_or(real))
    }

    fn show(&mut self, at: DateTime<Utc>) {
        self.ahead = at - Utc::now();
        self.stopped = self.stopped.map(|_| at);
    }
}

impl Clock {
    /// The time of the org.
    pub fn now(&self) -> DateTime<Utc> {
        self.with(|hands| hands.now())
    }

    /// The time of the org as records carry it: in whole seconds.
    pub fn stamp(&self) -> DateTime<Utc> {
        self.now().trunc_subsecs(0)
    }

    /// Sets the clock; one that stands goes on standing.
    pub fn set(&self, at: DateTime<Utc>) {
        self.with(|hands| hands.show(at));
    }

    /// Moves the clock forward, or back by a negative step.
    pub fn step(&self, by: TimeDelta) {
        self.with(|hands| {
            let now = hands.now();
            hands.show(now.checked_add_signed(by).unwrap_or(now));
        });
    }

    /// Stops the clock where it is.
    pub fn freeze(&self) {
        self.with(|hands| hands.stopped = Some(hands.now()));
    }

    /// Lets the clock go on from where it is.
    pub fn release(&self) {
        self.with(|hands| {
            let now = hands.now();
            hands.stopped = None;
            hands.show(now);
        });
    }

    fn with<T>(&self, act: impl FnOnce(&mut Hands) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stands_steps_and_goes_on() {
        let clock = Clock::default();
        assert!((clock.now() - Utc::now()).abs() < TimeDelta::seconds(5));
        let at = DateTime::from_timestamp(1_700_000_000, 0).unwrap_or_default();
        clock.freeze();
        clock.set(at);
        assert_eq!((clock.now(), clock.clone().stamp()), (at, at));
        clock.step(TimeDelta::hours(-1));
        assert_eq!(clock.now(), at - TimeDelta::hours(1));
        clock.release();
        assert!(clock.now() - at < TimeDelta::minutes(-59));
        clock.step(TimeDelta::MAX);
        assert!(clock.now() - at < TimeDelta::hours(1), "a step beyond all dates is none");
    }
}
