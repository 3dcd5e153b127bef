//! What can go wrong between Forcepump and Salesforce, with the data that the caller needs to decide.

use std::fmt;
use std::time::Duration;

/// Result of this crate's calls.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure, already worded for a person: what failed, why, and the way out.
///
/// No variant carries a secret. Errors are `Clone` because one failed login answers every waiting request.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The connection, the options or a file they refer to are wrong; nothing was sent.
    #[error("{message}")]
    Config {
        /// What is wrong and the way out.
        message: String,
    },
    /// The query, object or field list cannot be used; nothing that costs a job was sent.
    #[error("{message}")]
    Query {
        /// What is wrong and the way out.
        message: String,
    },
    /// The query names a field that describe does not show: it does not exist, or the user may not see it.
    #[error("{message}")]
    NoField {
        /// API names of the objects that were looked at; several behind a polymorphic reference.
        objects: Vec<String>,
        /// The field as the query has it, without its parents.
        field: String,
        /// The whole path, with its parents.
        path: String,
        /// The path, what is missing, and what may be meant.
        message: String,
    },
    /// Login or renewal failed, or the session is of no use.
    #[error("{message}")]
    Auth {
        /// OAuth `error` or Salesforce `errorCode`, for example `invalid_grant`.
        code: String,
        /// Sentence, cause and way out.
        message: String,
        /// The same request may succeed later (server side trouble).
        retryable: bool,
    },
    /// Salesforce refused a request.
    #[error("{what}: {message} ({}HTTP {status}){hint}", Code(code))]
    Api {
        /// What was asked for, for example `describe of Account`.
        what: String,
        /// HTTP status.
        status: u16,
        /// Salesforce `errorCode`, empty when the body was not Salesforce's (an HTML page, nothing).
        code: String,
        /// Salesforce's message, or what the body was instead.
        message: String,
        /// Way out on a line of its own, or empty.
        hint: String,
        /// `Retry-After`, if the server sent one.
        retry_after: Option<Duration>,
    },
    /// A limit of the org is used up; waiting helps, retrying does not.
    #[error("{what}: limit reached: {message} ({code}, HTTP {status})\n  hint: {hint}")]
    Limit {
        /// What was asked for.
        what: String,
        /// HTTP status.
        status: u16,
        /// Salesforce `errorCode`, for example `REQUEST_LIMIT_EXCEEDED`.
        code: String,
        /// Salesforce's message.
        message: String,
        /// Which limit, how much is left, the way out.
        hint: String,
    },
    /// Runs have used their share of the org's API calls; nothing was sent.
    #[error(
        "{what}: not sent: the org has used {used} of its {allowed} API calls of 24 hours ({} left), and runs may go on up to {share} (limits.daily_share = {fraction})\n  hint: {hint}",
        allowed.saturating_sub(*used)
    )]
    DailyShare {
        /// What was to be asked for.
        what: String,
        /// Calls of everybody in the last 24 hours.
        used: u64,
        /// Calls that the org has in 24 hours.
        allowed: u64,
        /// Calls at which runs stop.
        share: u64,
        /// The share as it is set.
        fraction: f64,
        /// The key to raise, and when calls are freed.
        hint: String,
    },
    /// A job ended without a result.
    #[error("query job {id} on {object} ended as {state}: {message}")]
    Job {
        /// Job id.
        id: String,
        /// Object of the query.
        object: String,
        /// `Failed`, `Aborted`, or the state it was stuck in.
        state: String,
        /// Salesforce's reason, or that none was given, and the way out.
        message: String,
    },
    /// A job or a cursor of an earlier process gives no more of its rows, or not as they were.
    #[error("{what}: {detail}")]
    Lost {
        /// What was gone on with.
        what: String,
        /// What is gone.
        detail: String,
    },
    /// A body ended before its end: connection cut, gzip without trailer. Ask for the same page again.
    #[error("{what}: body ended early after {received_bytes} bytes: {detail}")]
    Truncated {
        /// What was being read.
        what: String,
        /// Bytes received on the wire.
        received_bytes: u64,
        /// How the end was noticed.
        detail: String,
    },
    /// The server sent nothing for too long.
    #[error(
        "{what}: nothing received for {:.1} s; the server or the network stalls, ask again, or raise the time-outs under `http` of the connection",
        waited.as_secs_f64()
    )]
    Stalled {
        /// What was being waited for.
        what: String,
        /// How long.
        waited: Duration,
    },
    /// Fewer or more rows than announced.
    #[error("{what}: {expected} rows announced, {found} found; nothing of it counts as read, run again")]
    CountMismatch {
        /// What was counted.
        what: String,
        /// Rows announced by the server.
        expected: u64,
        /// Rows found.
        found: u64,
    },
    /// No answer: name not found, connection refused, reset, TLS.
    #[error("{what}: {detail}{}{hint}", if *executed_for_sure_not { "" } else { "; the request may have been executed" })]
    Transport {
        /// What was asked for.
        what: String,
        /// The reason, without secrets or query strings.
        detail: String,
        /// What that means and the way out, on lines of their own.
        hint: String,
        /// The connection failed before the request was sent.
        executed_for_sure_not: bool,
        /// It will be the same the next time: no TLS there, a certificate that nobody trusts.
        lasts: bool,
    },
    /// The answer breaks the rules that reading it safely depends on.
    #[error("{what}: {detail}")]
    Protocol {
        /// What was asked for.
        what: String,
        /// Which rule, and what that would mean for the data.
        detail: String,
    },
    /// The caller gave up.
    #[error("{what}: cancelled")]
    Cancelled {
        /// What was under way.
        what: String,
    },
}

/// Coarse kind of an [`Error`]: enough to choose an exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Wrong connection or options.
    Config,
    /// Wrong query, object or field.
    Query,
    /// Login failed.
    Auth,
    /// Request refused.
    Api,
    /// Limit of the org used up.
    Limit,
    /// Job failed, aborted or stuck.
    Job,
    /// Truncated or stalled body: the same page can be asked for again.
    Interrupted,
    /// Counts do not agree.
    CountMismatch,
    /// No answer.
    Transport,
    /// Answer breaks the protocol.
    Protocol,
    /// The caller gave up.
    Cancelled,
}

impl Error {
    pub(crate) fn config(message: impl Into<String>) -> Self {
        Self::Config { message: message.into() }
    }

    pub(crate) fn query(message: impl Into<String>) -> Self {
        Self::Query { message: message.into() }
    }

    pub(crate) fn protocol(what: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Protocol { what: what.into(), detail: detail.into() }
    }

    /// Coarse kind.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Config { .. } => ErrorKind::Config,
            Self::Query { .. } | Self::NoField { .. } => ErrorKind::Query,
            Self::Auth { .. } => ErrorKind::Auth,
            Self::Api { code, .. } if is_query_code(code) => ErrorKind::Query,
            Self::Api { .. } => ErrorKind::Api,
            Self::Limit { .. } | Self::DailyShare { .. } => ErrorKind::Limit,
            Self::Job { .. } | Self::Lost { .. } => ErrorKind::Job,
            Self::Truncated { .. } | Self::Stalled { .. } => ErrorKind::Interrupted,
            Self::CountMismatch { .. } => ErrorKind::CountMismatch,
            Self::Transport { .. } => ErrorKind::Transport,
            Self::Protocol { .. } => ErrorKind::Protocol,
            Self::Cancelled { .. } => ErrorKind::Cancelled,
        }
    }

    /// The same request (or, for a body, the same page) may succeed when asked again.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Truncated { .. } | Self::Stalled { .. } => true,
            Self::Transport { lasts, .. } => !lasts,
            Self::Api { status, code, .. } => is_retryable_answer(*status, code),
            Self::Auth { retryable, .. } => *retryable,
            Self::Limit { status, .. } => *status == 429 || self.is_too_many_at_once(),
            _ => false,
        }
    }

    /// The job, its results or the cursor are gone for good: deleted, expired, or stopped by somebody. Asking again is of
    /// no use; the rows that are missing can come by a new job only.
    ///
    /// Jobs of Bulk API 2.0 answer 404 `NOT_FOUND` then, those of 1.0 400 `InvalidJob` or `InvalidBatch`, cursors
    /// `INVALID_QUERY_LOCATOR` (Bulk API guide, "Errors"; REST API guide, "Query").
    pub fn is_lost(&self) -> bool {
        match self {
            Self::Lost { .. } => true,
            Self::Job { state, .. } => state == "Aborted",
            Self::Api { code, .. } => LOST_CODES.iter().any(|known| same_code(known, code)),
            _ => false,
        }
    }

    /// Salesforce gave the query up because it took too long: fewer rows at a time may pass.
    pub fn is_query_timeout(&self) -> bool {
        let (code, text) = match self {
            Self::Api { code, message, .. } => (code.as_str(), message),
            Self::Job { state, message, .. } if state == "Failed" => ("", message),
            Self::Lost { detail, .. } => ("", detail),
            _ => return false,
        };
        let text = text.to_ascii_lowercase();
        same_code(code, "QUERY_TIMEOUT")
            || ["query_timeout", "running for too long", "tried more than"].iter().any(|part| text.contains(part))
    }

    /// The org refuses because so many long requests run; it does so at the door.
    pub(crate) fn is_too_many_at_once(&self) -> bool {
        matches!(self, Self::Limit { message, .. } if message.to_ascii_lowercase().contains("concurrent"))
    }

    /// The org's API calls of 24 hours are used up.
    pub(crate) fn is_day_used_up(&self) -> bool {
        matches!(self, Self::Limit { code, message, .. }
            if same_code(code, "REQUEST_LIMIT_EXCEEDED") && message.to_ascii_lowercase().contains("totalrequests"))
    }

    /// The server surely did not execute the request: even a non-idempotent one may be sent again.
    pub(crate) fn surely_not_executed(&self) -> bool {
        match self {
            Self::Transport { executed_for_sure_not, lasts, .. } => *executed_for_sure_not && !lasts,
            // refused at the door: too many, starting up, not available (RFC 9110 section 15.6.4)
            Self::Api { status: 420 | 429 | 503, .. } => true,
            Self::Auth { retryable, .. } => *retryable,
            Self::Limit { status, .. } => *status == 429 || self.is_too_many_at_once(),
            _ => false,
        }
    }

    /// The request was sent, and what became of it is not known.
    pub(crate) fn may_have_been_executed(&self) -> bool {
        match self {
            Self::Transport { executed_for_sure_not, .. } => !executed_for_sure_not,
            Self::Truncated { .. } | Self::Stalled { .. } => true,
            Self::Api { status: 502 | 504, .. } => true,
            _ => false,
        }
    }

    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Api { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// Upper-case, without underscores: `InvalidJobState`, `INVALID_JOB_STATE` and `INVALIDJOBSTATE` are one code.
pub(crate) fn same_code(left: &str, right: &str) -> bool {
    let plain = |text: &str| text.replace('_', "").to_ascii_uppercase();
    plain(left) == plain(right)
}

const LOST_CODES: [&str; 5] = ["NOT_FOUND", "InvalidJob", "InvalidBatch", "INVALID_QUERY_LOCATOR", "Gone"];

fn is_query_code(code: &str) -> bool {
    const CODES: [&str; 7] = [
        "MALFORMED_QUERY",
        "INVALID_FIELD",
        "INVALID_TYPE",
        "INVALIDENTITY",
        "QUERY_TOO_COMPLICATED",
        "INVALID_QUERY_FILTER_OPERATOR",
        "NUMBER_OUTSIDE_VALID_RANGE",
    ];
    CODES.iter().any(|known| same_code(known, code))
}

fn is_retryable_answer(status: u16, code: &str) -> bool {
    matches!(status, 420 | 429 | 500 | 502 | 503 | 504) || same_code(code, "SERVER_UNAVAILABLE")
}

/// Shows an error code followed by a comma, or nothing when there is none.
struct Code<'a>(&'a str);

impl fmt::Display for Code<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, "{}, ", self.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(status: u16, code: &str) -> Error {
        Error::Api {
            what: "describe of Account".into(),
            status,
            code: code.into(),
            message: "no".into(),
            hint: String::new(),
            retry_after: None,
        }
    }

    #[test]
    fn kinds_and_retries() {
        let table = [
            (api(500, "UNKNOWN_EXCEPTION"), ErrorKind::Api, true, false),
            (api(503, ""), ErrorKind::Api, true, true),
            (api(420, ""), ErrorKind::Api, true, true),
            (api(400, "MALFORMED_QUERY"), ErrorKind::Query, false, false),
            (api(404, "NOT_FOUND"), ErrorKind::Api, false, false),
        ];
        for (error, kind, retryable, sure) in table {
            assert_eq!((error.kind(), error.is_retryable(), error.surely_not_executed()), (kind, retryable, sure));
        }
    }

    #[test]
    fn lost_jobs_and_slow_queries_are_told_from_other_errors() {
        for code in ["NOT_FOUND", "INVALIDJOB", "InvalidBatch", "INVALID_QUERY_LOCATOR"] {
            assert!(api(404, code).is_lost(), "{code}");
        }
        assert!(!api(404, "").is_lost(), "a page of a proxy says nothing of the job");
        assert!(!api(503, "SERVER_UNAVAILABLE").is_lost() && !api(400, "QUERY_TIMEOUT").is_lost());
        let job = |state: &str, message: &str| Error::Job {
            id: "750".into(),
            object: "Account".into(),
            state: state.into(),
            message: message.into(),
        };
        assert!(job("Aborted", "x").is_lost() && !job("Failed", "x").is_lost());
        assert!(job("Failed", "QUERY_TIMEOUT: Your query request was running for too long.").is_query_timeout());
        assert!(job("Failed", "InternalServerError : Retried more than 15 times").is_query_timeout());
        assert!(api(400, "QUERY_TIMEOUT").is_query_timeout() && !job("InProgress", "query_timeout").is_query_timeout());
    }

    #[test]
    fn words() {
        assert_eq!(api(404, "NOT_FOUND").to_string(), "describe of Account: no (NOT_FOUND, HTTP 404)");
        assert_eq!(api(502, "").to_string(), "describe of Account: no (HTTP 502)");
    }
}
