//! Time-outs, retries and polling of a client.

use std::time::Duration;

use backon::ExponentialBuilder;

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
            job_stuck_after: None,
            describe_ttl: Duration::from_secs(300),
        }
    }
}

impl ClientOptions {
    pub(crate) fn backoff(&self) -> ExponentialBuilder {
        ExponentialBuilder::new()
            .with_min_delay(self.retry_min_delay)
            .with_max_delay(self.retry_max_delay)
            .with_max_times(self.max_attempts.saturating_sub(1))
            .with_jitter()
    }
}
