//! Time-outs, retries and polling of a client.

use std::num::NonZeroU32;
use std::time::Duration;

use backon::ExponentialBuilder;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::throttle::{DEFAULT_CONCURRENCY, DEFAULT_REQUESTS_PER_SECOND, LimitSettings, Share};

/// Salesforce gives a query up long before (Bulk API 2.0 guide: attempts of some minutes, a few dozen of them), so that a
/// job which does not move for a day never will: every wait has an end.
const JOB_STUCK_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// How the requests to one org are made, as written in the connections file; what is left out keeps its default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HttpSettings {
    /// ask for gzip, default: unless the org is on loopback
    pub gzip: Option<bool>,
    /// longest wait for the head of an answer, in milliseconds, default 120000
    pub first_byte_timeout_ms: Option<NonZeroU32>,
    /// longest silence inside an answer, in milliseconds, default 60000
    pub stall_timeout_ms: Option<NonZeroU32>,
    /// how often one request is sent at most, default 6
    pub max_attempts: Option<NonZeroU32>,
    /// how long a job may stay in one state before it is given up, in seconds, default 86400
    pub job_stuck_after_s: Option<NonZeroU32>,
}

impl HttpSettings {
    /// The options of a client that follows these settings.
    #[must_use]
    pub fn options(&self) -> ClientOptions {
        let millis =
            |given: Option<NonZeroU32>, default| given.map_or(default, |ms| Duration::from_millis(ms.get().into()));
        let base = ClientOptions::default();
        ClientOptions {
            gzip: self.gzip,
            first_byte_timeout: millis(self.first_byte_timeout_ms, base.first_byte_timeout),
            stall_timeout: millis(self.stall_timeout_ms, base.stall_timeout),
            max_attempts: self.max_attempts.map_or(base.max_attempts, |times| times.get() as usize),
            job_stuck_after: self
                .job_stuck_after_s
                .map_or(base.job_stuck_after, |s| Some(Duration::from_secs(s.get().into()))),
            ..base
        }
    }
}

/// Time-outs, retries, and polling. The defaults suit production; tests make them small.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// Ask for gzip. `None`: unless the org is on loopback, where packing costs more than the wire.
    pub gzip: Option<bool>,
    /// TCP and TLS set-up.
    pub connect_timeout: Duration,
    /// From the request to the head of the answer.
    pub first_byte_timeout: Duration,
    /// Longest silence inside a body.
    pub stall_timeout: Duration,
    /// Attempts for one request, the first included.
    pub max_attempts: usize,
    /// Retries the client may have outstanding over all requests: each takes one, each success gives one back.
    pub retry_budget: u32,
    /// First wait before a retry; doubles, with jitter.
    pub retry_min_delay: Duration,
    /// Longest wait before a retry (`Retry-After` may ask for more).
    pub retry_max_delay: Duration,
    /// First wait between two looks at a job.
    pub poll_min_delay: Duration,
    /// Longest wait between two looks at a job.
    pub poll_max_delay: Duration,
    /// A job that does not change its state for this long is given up; `None`: never.
    pub job_stuck_after: Option<Duration>,
    /// How long a describe is believed without asking again.
    pub describe_ttl: Duration,
    /// How long a login goes on trying when the host cannot be reached or is not available.
    pub login_budget: Duration,
    /// Requests a second to one org.
    pub requests_per_second: NonZeroU32,
    /// Requests to one org at the same time.
    pub concurrency: usize,
    /// Part of the org's daily API calls up to which requests are sent.
    pub daily_share: f64,
    /// Longest wait before a request when the share is nearly used up.
    pub quota_pause: Duration,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            gzip: None,
            connect_timeout: Duration::from_secs(20),
            first_byte_timeout: Duration::from_secs(120),
            stall_timeout: Duration::from_secs(60),
            max_attempts: 6,
            retry_budget: 100,
            retry_min_delay: Duration::from_millis(500),
            retry_max_delay: Duration::from_secs(30),
            poll_min_delay: Duration::from_millis(200),
            poll_max_delay: Duration::from_secs(5),
            job_stuck_after: Some(JOB_STUCK_AFTER),
            describe_ttl: Duration::from_secs(300),
            login_budget: Duration::from_secs(20),
            requests_per_second: DEFAULT_REQUESTS_PER_SECOND,
            concurrency: DEFAULT_CONCURRENCY,
            daily_share: Share::default().fraction(),
            quota_pause: Duration::from_secs(2),
        }
    }
}

impl ClientOptions {
    /// These, with the limits of the connection.
    #[must_use]
    pub fn limited(self, limits: &LimitSettings) -> Self {
        Self {
            requests_per_second: limits.requests_per_second.unwrap_or(self.requests_per_second),
            concurrency: limits.concurrency.map_or(self.concurrency, |most| most.get() as usize),
            daily_share: limits.daily_share.map_or(self.daily_share, Share::fraction),
            ..self
        }
    }

    /// Of requests that the org refuses because so many long ones run: those last, so that it takes more patience.
    pub(crate) fn patient_backoff(&self) -> ExponentialBuilder {
        self.backoff().with_max_times(self.max_attempts.saturating_sub(1) * 2)
    }

    pub(crate) fn backoff(&self) -> ExponentialBuilder {
        ExponentialBuilder::new()
            .with_min_delay(self.retry_min_delay)
            .with_max_delay(self.retry_max_delay)
            .with_max_times(self.max_attempts.saturating_sub(1))
            .with_jitter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_change_what_they_name_and_nothing_else() {
        let settings: HttpSettings = toml::from_str("gzip = true\nstall_timeout_ms = 50\nmax_attempts = 1").unwrap();
        let options = settings.options();
        assert_eq!(
            (options.gzip, options.stall_timeout, options.max_attempts),
            (Some(true), Duration::from_millis(50), 1)
        );
        assert_eq!(options.first_byte_timeout, ClientOptions::default().first_byte_timeout);
        assert!(toml::from_str::<HttpSettings>("max_attempts = 0").is_err());
        assert!(toml::from_str::<HttpSettings>("stall_ms = 1").is_err());
    }
}
