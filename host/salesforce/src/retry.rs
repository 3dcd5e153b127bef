//! Sending again: only what does no harm, with growing waits, jitter, and a budget that all requests share.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBuilder};
use tokio::sync::watch;

use crate::client::{Call, Client};
use crate::error::{Error, Result};
use crate::notices::Notices;

/// Who waits that long should know for what.
const TOLD_FROM: Duration = Duration::from_secs(5);

/// Why an attempt failed, by where.
pub(crate) enum Failed {
    /// At the login, which has its own retries.
    Login(Error),
    /// At the call.
    Call {
        /// What happened.
        error: Error,
        /// The wait that the server asked for.
        retry_after: Option<Duration>,
    },
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        let retry_after = error.retry_after();
        Self::Call { error, retry_after }
    }
}

/// Retries that may still be made: each takes one, each success gives one back, so that a server that only fails hears
/// soon nothing more.
pub(crate) struct RetryBudget {
    most: u32,
    left: AtomicU32,
    taken: AtomicU64,
}

impl RetryBudget {
    pub(crate) fn new(most: u32) -> Self {
        Self { most, left: AtomicU32::new(most), taken: AtomicU64::new(0) }
    }

    /// Retries made.
    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    fn take(&self) -> bool {
        let taken = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        if taken.is_ok() {
            self.taken.fetch_add(1, Ordering::Relaxed);
        }
        taken.is_ok()
    }

    fn give_back(&self) {
        let give = |left: u32| (left < self.most).then_some(left + 1);
        // full already: nothing to give back
        let _ = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, give);
    }
}

/// How long a login is tried, in sight of the operator.
pub(crate) struct Patience {
    pub(crate) backoff: ExponentialBuilder,
    pub(crate) budget: Duration,
    pub(crate) notices: Notices,
}

impl Patience {
    /// Attempts while an error is `worth_it` and the time lasts; the operator hears of each retry.
    pub(crate) async fn retrying<T, F, Fut>(&self, mut attempt: F, worth_it: impl Fn(&Error) -> bool) -> Result<T>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T>>,
    {
        let (started, mut delays) = (Instant::now(), self.backoff.build());
        loop {
            let error = match attempt().await {
                Err(error) if worth_it(&error) => error,
                done => return done,
            };
            let left = self.budget.saturating_sub(started.elapsed());
            let Some(delay) = delays.next().filter(|delay| *delay < left) else { return Err(error) };
            self.notices.tell(&again(&error, delay));
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                () = ending() => return Err(error),
            }
        }
    }
}

/// What went wrong, in a line: cause and way out come when it is given up.
fn again(error: &Error, delay: Duration) -> String {
    let text = error.to_string();
    format!("{}; trying again in {:.1} s", text.lines().next().unwrap_or_default(), delay.as_secs_f64())
}

/// The program ends: nobody waits for another attempt.
static ENDING: LazyLock<watch::Sender<bool>> = LazyLock::new(|| watch::Sender::new(false));

/// Logins that wait for their next attempt give up at once.
pub(crate) fn end_waiting() {
    ENDING.send_replace(true);
}

async fn ending() {
    let mut seen = ENDING.subscribe();
    // the sender is never dropped
    let _ = seen.wait_for(|ending| *ending).await;
}

impl Client {
    /// Attempts until one succeeds, is not worth another, or the attempts or the budget are used up.
    pub(crate) async fn retrying<T, F, Fut>(&self, call: &Call, mut attempt: F) -> Result<T>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T, Failed>>,
    {
        let options = self.options();
        let (mut delays, mut patient) = (options.backoff().build(), options.patient_backoff().build());
        loop {
            let (error, retry_after) = match attempt().await {
                Ok(done) => {
                    self.inner.budget.give_back();
                    return Ok(done);
                }
                Err(Failed::Login(error)) => return Err(error),
                Err(Failed::Call { error, retry_after }) => (error, retry_after),
            };
            let worth_it = if call.idempotent { error.is_retryable() } else { error.surely_not_executed() };
            let delay = match error.is_too_many_at_once() {
                true => patient.next(),
                false => delays.next(),
            };
            // a wait that the server asks for adds no attempt
            match delay.filter(|_| worth_it && self.inner.budget.take()) {
                Some(delay) => {
                    let delay = retry_after.unwrap_or(delay);
                    if delay >= TOLD_FROM {
                        self.inner.notices.tell(&again(&error, delay));
                    }
                    tokio::time::sleep(delay).await;
                }
                None => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_success_gives_back_what_a_retry_took_and_not_more() {
        let budget = RetryBudget::new(2);
        budget.give_back();
        assert!(budget.take() && budget.take() && !budget.take());
        budget.give_back();
        assert!(budget.take() && !budget.take());
        assert_eq!(budget.taken(), 3);
    }
}
