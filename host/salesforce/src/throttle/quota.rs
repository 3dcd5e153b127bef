//! The org's API calls of 24 hours: what was used, what runs may use, and how near that is.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::error::Error;

/// Part of the share from which the operator is warned and jobs are looked at less often.
const WARN_FROM: f64 = 0.8;
/// Part of the share from which each request waits.
const SLOW_FROM: f64 = 0.9;
/// Looks at a job are so many times rarer when the share runs short.
const SLOWER_POLLS: u32 = 4;

/// What is known of the org's calls; nothing of it before the org told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Quota {
    /// Used in the last 24 hours by everybody.
    used: u64,
    allowed: u64,
    /// Sent by us and not answered yet.
    under_way: u64,
    /// When this process sent its first call.
    first_call: Option<DateTime<Utc>>,
}

/// The calls of an org against the share that runs may use.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DailyShare {
    /// API calls that everybody used in the last 24 hours.
    pub used: u64,
    /// API calls that the org has in 24 hours.
    pub allowed: u64,
    /// The part of them up to which runs go on.
    pub fraction: f64,
}

impl DailyShare {
    /// Calls at which runs stop.
    #[must_use]
    pub fn calls(&self) -> u64 {
        // an org's calls are millions at most: nothing is lost
        (self.allowed as f64 * self.fraction) as u64
    }

    /// Calls that runs may still use.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.calls().saturating_sub(self.used)
    }

    /// How much of the share is used: 1 is all of it.
    fn pressure(&self) -> f64 {
        self.used as f64 / self.calls().max(1) as f64
    }

    /// Time for the operator to hear of it.
    pub(crate) fn is_short(&self) -> bool {
        self.is_used_up() || self.pressure() >= WARN_FROM
    }

    /// Nothing more may be sent.
    #[must_use]
    pub fn is_used_up(&self) -> bool {
        self.used >= self.calls()
    }

    /// The wait before a request: nothing at first, `longest` at the end of the share.
    pub(crate) fn pause(&self, longest: Duration) -> Duration {
        let near = (self.pressure() - SLOW_FROM) / (1.0 - SLOW_FROM);
        longest.mul_f64(near.clamp(0.0, 1.0))
    }

    /// The wait between two looks at a job.
    pub(crate) fn between_polls(&self, delay: Duration) -> Duration {
        if self.is_short() { delay * SLOWER_POLLS } else { delay }
    }

    /// What the operator hears when it gets short.
    pub(crate) fn warning(&self) -> String {
        let (calls, slow) = (self.calls(), (self.calls() as f64 * SLOW_FROM) as u64);
        format!(
            "the org has used {} of its {} API calls of 24 hours; runs slow down at {slow} and stop at {calls} \
             (limits.daily_share = {})",
            self.used, self.allowed, self.fraction
        )
    }

    /// Why nothing more is sent.
    pub(crate) fn refusal(&self, what: &str, connection: &str, first_call: Option<DateTime<Utc>>) -> Error {
        Error::DailyShare {
            what: what.to_owned(),
            used: self.used,
            allowed: self.allowed,
            share: self.calls(),
            fraction: self.fraction,
            hint: format!(
                "raise daily_share in the table [{connection}.limits] of the connections file, or run again later: {}",
                freed(first_call)
            ),
        }
    }
}

impl Quota {
    /// What the org told; `None`: an answer without it, which is counted.
    pub(crate) fn answered(&mut self, told: Option<(u64, u64)>) {
        self.under_way = self.under_way.saturating_sub(1);
        match told {
            Some((used, allowed)) => (self.used, self.allowed) = (used, allowed),
            None => self.used += 1,
        }
    }

    /// A request leaves.
    pub(crate) fn sent(&mut self) {
        self.under_way += 1;
        self.first_call.get_or_insert_with(Utc::now);
    }

    /// It never reached the org.
    pub(crate) fn not_sent(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
    }

    /// What `/limits` says, which may be 5 minutes old: taken only where nothing better is known.
    pub(crate) fn prefill(&mut self, used: u64, allowed: u64) {
        if self.allowed == 0 {
            (self.used, self.allowed) = (used, allowed);
        }
    }

    /// Used and allowed, as the org told.
    pub(crate) fn told(&self) -> Option<(u64, u64)> {
        (self.allowed > 0).then_some((self.used, self.allowed))
    }

    pub(crate) fn first_call(&self) -> Option<DateTime<Utc>> {
        self.first_call
    }

    /// Against a share; none before the org told.
    pub(crate) fn share(&self, fraction: f64) -> Option<DailyShare> {
        let (used, allowed) = self.told()?;
        Some(DailyShare { used: used + self.under_way, allowed, fraction })
    }
}

/// When calls are freed, as far as that can be known: Salesforce tells how many were used, never when.
pub(crate) fn freed(first_call: Option<DateTime<Utc>>) -> String {
    let ours = first_call.and_then(|first| first.checked_add_signed(chrono::TimeDelta::hours(24)));
    let ours = ours.map_or_else(String::new, |at| {
        format!("; the first call of this process is freed at {}", at.format("%Y-%m-%d %H:%M UTC"))
    });
    format!("each call is freed 24 hours after it was made, and Salesforce does not tell when the oldest were{ours}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(used: u64) -> DailyShare {
        DailyShare { used, allowed: 1_000, fraction: 0.5 }
    }

    #[test]
    fn warns_slows_and_stops() {
        let longest = Duration::from_secs(2);
        let table = [
            (0, false, 0, false),
            (399, false, 0, false),
            (400, true, 0, false),
            (450, true, 0, false),
            (475, true, 1_000, false),
            (499, true, 1_960, false),
            (500, true, 2_000, true),
            (2_000, true, 2_000, true),
        ];
        for (used, is_short, pause, is_used_up) in table {
            let share = share(used);
            let found = (share.is_short(), share.pause(longest).as_millis(), share.is_used_up());
            assert_eq!(found, (is_short, pause, is_used_up), "{used}");
        }
        assert_eq!(share(400).between_polls(longest), longest * SLOWER_POLLS);
        assert_eq!((share(0).left(), share(600).left()), (500, 0));
    }

    #[test]
    fn an_org_without_calls_is_used_up() {
        let none = DailyShare { used: 0, allowed: 1, fraction: 0.5 };
        assert!(none.is_used_up() && none.is_short());
    }

    #[test]
    fn calls_under_way_count_and_headers_replace_what_was_guessed() {
        let mut quota = Quota::default();
        quota.sent();
        assert_eq!(quota.share(0.5), None);
        quota.answered(Some((10, 100)));
        quota.sent();
        quota.sent();
        assert_eq!(quota.share(0.5).map(|share| share.used), Some(12));
        quota.answered(None);
        quota.not_sent();
        assert_eq!((quota.told(), quota.under_way), (Some((11, 100)), 0));
        quota.prefill(1, 1);
        assert_eq!(quota.told(), Some((11, 100)), "a header is newer than /limits");
    }

    #[test]
    fn the_refusal_names_the_limit_the_figures_and_the_key() {
        let text = share(500).refusal("describe of Account", "prod", Some(DateTime::UNIX_EPOCH)).to_string();
        for part in ["500", "1000", "daily_share", "[prod.limits]", "1970-01-02 00:00 UTC"] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
