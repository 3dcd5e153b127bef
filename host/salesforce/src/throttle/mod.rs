//! How hard one org is asked: requests a second, at the same time, and of the day; shared by all clients of the org.

mod gate;
mod quota;
mod settings;

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota as Rate, RateLimiter};
use tokio::time::Instant;

pub(crate) use gate::Permit;
pub use quota::DailyShare;
pub(crate) use settings::{DEFAULT_CONCURRENCY, DEFAULT_REQUESTS_PER_SECOND};
pub use settings::{LimitSettings, Share};

use crate::error::{Error, Result};
use crate::options::ClientOptions;
use gate::Gate;
use quota::Quota;

/// How long an org that refused for its daily limit is not asked again.
const USED_UP_FOR: Duration = Duration::from_secs(60);

/// The orgs that this process talks to; forgotten with their last client.
static ORGS: LazyLock<Mutex<HashMap<String, Weak<Throttle>>>> = LazyLock::new(Mutex::default);

/// What the clients of one org share.
pub(crate) struct Throttle {
    key: String,
    gate: Arc<Gate>,
    rate: Mutex<(NonZeroU32, Arc<DefaultDirectRateLimiter>)>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    quota: Quota,
    /// Since when the org refuses for its daily limit, and what it said.
    used_up: Option<(Instant, Error)>,
    /// The org asked for silence until then.
    silent_until: Option<Instant>,
}

/// Who wants to send.
pub(crate) struct Asking<'a> {
    pub(crate) what: &'a str,
    pub(crate) connection: &'a str,
    pub(crate) options: &'a ClientOptions,
    /// It tidies up: neither waits nor is refused.
    pub(crate) tidies: bool,
}

impl Throttle {
    /// That of the org with this key, at least as strict as `options` say.
    pub(crate) fn of(key: &str, options: &ClientOptions) -> Arc<Self> {
        let mut orgs = lock(&ORGS);
        if let Some(known) = orgs.get(key).and_then(Weak::upgrade) {
            known.restrict(options);
            return known;
        }
        orgs.retain(|_, throttle| throttle.strong_count() > 0);
        let new = Arc::new(Self {
            key: key.to_owned(),
            gate: Arc::new(Gate::new(options.concurrency)),
            rate: Mutex::new(limiter(options.requests_per_second)),
            state: Mutex::default(),
        });
        orgs.insert(key.to_owned(), Arc::downgrade(&new));
        new
    }

    pub(crate) fn is_of(&self, key: &str) -> bool {
        self.key == key
    }

    fn restrict(&self, options: &ClientOptions) {
        self.gate.restrict(options.concurrency);
        let mut rate = lock(&self.rate);
        if options.requests_per_second < rate.0 {
            *rate = limiter(options.requests_per_second);
        }
    }

    /// Waits for the org's turn. Dropping the future gives the turn back.
    ///
    /// # Errors
    /// The daily share is used up, or the org said so of its whole day.
    pub(crate) async fn admit(&self, asking: &Asking<'_>) -> Result<Permit> {
        if asking.tidies {
            lock(&self.state).quota.sent();
            return Ok(Permit::free());
        }
        drop(self.check(asking)?);
        let permit = self.gate.enter().await;
        self.silence().await;
        self.turn().await;
        if let Some(share) = self.share(asking.options.daily_share) {
            tokio::time::sleep(share.pause(asking.options.quota_pause)).await;
        }
        let mut state = self.check(asking)?;
        state.quota.sent();
        Ok(permit)
    }

    fn check(&self, asking: &Asking<'_>) -> Result<MutexGuard<'_, State>> {
        let mut state = lock(&self.state);
        state.used_up.take_if(|(since, _)| since.elapsed() > USED_UP_FOR);
        if let Some((_, error)) = &state.used_up {
            let mut error = error.clone();
            if let Error::Limit { what, .. } = &mut error {
                asking.what.clone_into(what);
            }
            return Err(error);
        }
        match state.quota.share(asking.options.daily_share) {
            Some(share) if share.is_used_up() => {
                Err(share.refusal(asking.what, asking.connection, state.quota.first_call()))
            }
            _ => Ok(state),
        }
    }

    async fn silence(&self) {
        let until = lock(&self.state).silent_until;
        if let Some(until) = until {
            tokio::time::sleep_until(until).await;
        }
    }

    async fn turn(&self) {
        let limiter = Arc::clone(&lock(&self.rate).1);
        while let Err(not_yet) = limiter.check() {
            tokio::time::sleep(not_yet.wait_time_from(DefaultClock::default().now())).await;
        }
    }

    /// An answer came; `told`: used and allowed, where it says so.
    pub(crate) fn answered(&self, told: Option<(u64, u64)>) {
        lock(&self.state).quota.answered(told);
    }

    /// The request never reached the org.
    pub(crate) fn not_sent(&self) {
        lock(&self.state).quota.not_sent();
    }

    /// The org refused so many at once.
    pub(crate) fn too_many_at_once(&self, permit: &Permit, retry_after: Option<Duration>) {
        self.gate.refused(permit);
        if let Some(wait) = retry_after {
            lock(&self.state).silent_until = Some(Instant::now() + wait);
        }
    }

    /// The org refused for its daily limit: `error` with what is known of its end, and nothing more is sent for a while.
    pub(crate) fn used_up(&self, mut error: Error) -> Error {
        let mut state = lock(&self.state);
        if let Error::Limit { hint, .. } = &mut error {
            *hint = format!("{hint}; {}", quota::freed(state.quota.first_call()));
        }
        state.used_up = Some((Instant::now(), error.clone()));
        error
    }

    /// As `/limits` told it.
    pub(crate) fn prefill(&self, used: u64, allowed: u64) {
        lock(&self.state).quota.prefill(used, allowed);
    }

    pub(crate) fn told(&self) -> Option<(u64, u64)> {
        lock(&self.state).quota.told()
    }

    pub(crate) fn share(&self, fraction: f64) -> Option<DailyShare> {
        lock(&self.state).quota.share(fraction)
    }

    /// Requests at the same time now.
    #[cfg(test)]
    pub(crate) fn concurrency(&self) -> usize {
        self.gate.current()
    }
}

fn limiter(per_second: NonZeroU32) -> (NonZeroU32, Arc<DefaultDirectRateLimiter>) {
    (per_second, Arc::new(RateLimiter::direct(Rate::per_second(per_second))))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asking(options: &ClientOptions, tidies: bool) -> Asking<'_> {
        Asking { what: "test", connection: "prod", options, tidies }
    }

    #[tokio::test]
    async fn clients_of_one_org_share_and_the_strictest_counts() {
        let options = ClientOptions::default();
        let strict = ClientOptions { concurrency: 1, ..ClientOptions::default() };
        let first = Throttle::of("shared", &options);
        let second = Throttle::of("shared", &strict);
        assert!(Arc::ptr_eq(&first, &second) && !Arc::ptr_eq(&first, &Throttle::of("another", &options)));
        assert_eq!(first.concurrency(), 1);
        drop((first, second));
        assert_eq!(Throttle::of("shared", &options).concurrency(), options.concurrency, "forgotten with its clients");
    }

    #[tokio::test]
    async fn at_the_end_of_the_share_only_tidying_goes_on() {
        let options = ClientOptions { quota_pause: Duration::ZERO, ..ClientOptions::default() };
        let throttle = Throttle::of("share", &options);
        throttle.prefill(49, 100);
        let one = throttle.admit(&asking(&options, false)).await.unwrap();
        let error = throttle.admit(&asking(&options, false)).await.err().map(|e| e.to_string()).unwrap_or_default();
        assert!(error.contains("daily_share"), "the one under way counts: {error}");
        assert!(throttle.admit(&asking(&options, true)).await.is_ok());
        drop(one);
    }

    #[tokio::test]
    async fn more_requests_than_a_second_has_wait() {
        let per_second = NonZeroU32::new(20).unwrap();
        let options = ClientOptions { requests_per_second: per_second, ..ClientOptions::default() };
        let throttle = Throttle::of("rate", &options);
        let before = Instant::now();
        for _ in 0..24 {
            drop(throttle.admit(&asking(&options, false)).await.unwrap());
        }
        assert!(before.elapsed() > Duration::from_millis(150), "{:?}", before.elapsed());
    }

    #[tokio::test]
    async fn silence_is_kept_by_all() {
        let options = ClientOptions::default();
        let throttle = Throttle::of("silence", &options);
        let permit = throttle.admit(&asking(&options, false)).await.unwrap();
        throttle.too_many_at_once(&permit, Some(Duration::from_millis(30)));
        let before = Instant::now();
        throttle.admit(&asking(&options, false)).await.unwrap();
        assert!(before.elapsed() > Duration::from_millis(25), "{:?}", before.elapsed());
        assert_eq!(throttle.concurrency(), options.concurrency / 2);
    }
}
