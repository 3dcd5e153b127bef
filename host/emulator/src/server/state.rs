//! What the requests of one emulated org share.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};

use crate::auth::{Sessions, User};
use crate::bulk1;
use crate::bulk2::Jobs;
use crate::data::Org;
use crate::faults::Rules;
use crate::options::Options;
use crate::rest::Cursors;

/// Requests that the log remembers; older ones are forgotten.
const LOGGED_REQUESTS: usize = 100_000;

/// One answered request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestRecord {
    /// HTTP method.
    pub method: String,
    /// Path as it was sent, without the query.
    pub path: String,
    /// Query as it was sent; empty when there was none.
    pub query: String,
    /// Status of the answer; 0 when a fault left it without one.
    pub status: u16,
}

/// The org and everything that changes while it runs.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) options: Options,
    pub(crate) org: Arc<Org>,
    pub(crate) base_url: String,
    pub(crate) user: User,
    pub(crate) started: DateTime<Utc>,
    pub(crate) sessions: Mutex<Sessions>,
    pub(crate) jobs: Mutex<Jobs>,
    pub(crate) classic_jobs: Mutex<bulk1::Jobs>,
    pub(crate) cursors: Mutex<Cursors>,
    pub(crate) rules: Mutex<Rules>,
    log: Mutex<VecDeque<RequestRecord>>,
    calls: AtomicU64,
    requests: AtomicU64,
}

impl State {
    pub(crate) fn new(options: Options, org: Org, base_url: String) -> State {
        let user = User::of(&org, &options.account);
        State {
            sessions: Mutex::new(Sessions::new(options.seed, &user.organization_id)),
            jobs: Mutex::new(Jobs::new(options.seed)),
            classic_jobs: Mutex::new(bulk1::Jobs::new(options.seed)),
            cursors: Mutex::new(Cursors::default()),
            rules: Mutex::new(Rules::new(options.faults.clone())),
            log: Mutex::default(),
            calls: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            started: Utc::now(),
            org: Arc::new(org),
            options,
            base_url,
            user,
        }
    }

    /// Counts one call against the daily limit and gives the calls so far.
    pub(crate) fn count_call(&self) -> u64 {
        self.calls.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Calls counted so far.
    pub(crate) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// A number for `x-sfdc-request-id`.
    pub(crate) fn next_request(&self) -> u64 {
        self.requests.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The number that [`State::next_request`] gave last.
    pub(crate) fn requests_so_far(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    pub(crate) fn record(&self, entry: RequestRecord) {
        let mut log = lock(&self.log);
        if log.len() == LOGGED_REQUESTS {
            log.pop_front();
        }
        log.push_back(entry);
    }

    pub(crate) fn log(&self) -> Vec<RequestRecord> {
        lock(&self.log).iter().cloned().collect()
    }
}

/// Locks; a panic elsewhere leaves nothing half-done that a later request could trip over.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
