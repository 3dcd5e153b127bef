//! What the requests of one emulated org share.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};

use crate::auth::{Desk, Sessions, Tenant, User};
use crate::bulk1;
use crate::bulk2::Jobs;
use crate::data::Org;
use crate::faults::Rules;
use crate::options::Options;
use crate::rest::Cursors;
use crate::server::Running;

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

/// Which address a state is for.
#[derive(Debug)]
pub(crate) struct Place {
    /// The org; none: a login address of several.
    pub(crate) org: Option<Arc<Tenant>>,
    /// The orgs that may be entered there.
    pub(crate) reach: Vec<Arc<Tenant>>,
    /// The address.
    pub(crate) base_url: String,
    /// The login address.
    pub(crate) login_url: String,
    /// How the login address behaves; an org's address behaves as the org's options say.
    pub(crate) options: Arc<Options>,
}

/// One address of the emulator: the org behind it and everything that changes while it runs. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) options: Arc<Options>,
    /// The rows, without what is hidden from the caller.
    pub(crate) org: Arc<Org>,
    /// This address.
    pub(crate) base_url: String,
    /// The address at which users of every org log in; identity URLs begin with it.
    pub(crate) login_url: String,
    /// The caller; before anybody is known, the org's first user.
    pub(crate) user: Arc<User>,
    pub(crate) started: DateTime<Utc>,
    pub(crate) sessions: Arc<Mutex<Sessions>>,
    pub(crate) jobs: Arc<Mutex<Jobs>>,
    pub(crate) classic_jobs: Arc<Mutex<bulk1::Jobs>>,
    pub(crate) cursors: Arc<Mutex<Cursors>>,
    pub(crate) rules: Arc<Mutex<Rules>>,
    pub(crate) desk: Arc<Mutex<Desk>>,
    /// Every org of the emulator.
    pub(crate) all: Arc<Vec<Arc<Tenant>>>,
    own: Option<Arc<Tenant>>,
    reach: Arc<Vec<Arc<Tenant>>>,
    log: Arc<Mutex<VecDeque<RequestRecord>>>,
    pub(crate) running: Arc<Running>,
    calls: Arc<AtomicU64>,
    requests: Arc<AtomicU64>,
}

impl State {
    /// The address of one org, or the login address of all of them.
    pub(crate) fn new(all: Arc<Vec<Arc<Tenant>>>, place: Place, desk: Arc<Mutex<Desk>>) -> State {
        let tenant = place.org.as_ref();
        let options = tenant.map_or_else(|| place.options.clone(), |tenant| tenant.options.clone());
        let user = tenant.map_or_else(|| Arc::new(User::nobody()), |tenant| tenant.default_user());
        let org = tenant.map_or_else(|| Arc::new(Org::empty()), |tenant| tenant.org.clone());
        let clock = org.clock().clone();
        let sessions = tenant.map(|tenant| tenant.sessions.clone());
        State {
            sessions: sessions.unwrap_or_else(|| Arc::new(Mutex::new(Sessions::new(options.seed, "", 0)))),
            jobs: Arc::new(Mutex::new(Jobs::new(options.seed, clock.clone()))),
            classic_jobs: Arc::new(Mutex::new(bulk1::Jobs::new(options.seed, clock))),
            cursors: Arc::default(),
            rules: Arc::new(Mutex::new(Rules::new(options.faults.clone()))),
            log: Arc::default(),
            running: Arc::default(),
            calls: Arc::default(),
            requests: Arc::default(),
            started: Utc::now(),
            org,
            options,
            base_url: place.base_url,
            login_url: place.login_url,
            user,
            desk,
            reach: Arc::new(place.reach),
            own: place.org,
            all,
        }
    }

    /// The org's time.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.org.clock().now()
    }

    /// The same address as one user sees it.
    pub(crate) fn seen_by(&self, user: Arc<User>, org: Arc<Org>) -> State {
        State { user, org, ..self.clone() }
    }

    /// The same org at another address.
    pub(crate) fn moved_to(&self, base_url: String) -> State {
        State { base_url, ..self.clone() }
    }

    /// The orgs that may be entered here: one, or at a login address several.
    pub(crate) fn tenants(&self) -> &[Arc<Tenant>] {
        &self.reach
    }

    /// Whether an org may be entered here.
    pub(crate) fn serves(&self, tenant: &Arc<Tenant>) -> bool {
        self.tenants().iter().any(|own| Arc::ptr_eq(own, tenant))
    }

    /// The org of this address; none at a login address of several.
    pub(crate) fn own(&self) -> Option<&Arc<Tenant>> {
        self.own.as_ref()
    }

    /// The org whose My Domain this address is.
    pub(crate) fn my_domain(&self) -> Option<&Arc<Tenant>> {
        self.own().filter(|tenant| tenant.options.policy.my_domain)
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
