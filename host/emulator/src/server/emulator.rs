//! The handles on running emulators.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::control;
use super::serve::accept;
use super::state::{Place, RequestRecord, State, lock};
use crate::access::{App, UserAccess};
use crate::auth::{Desk, Tenant, first_grant};
use crate::bulk1::ClassicJobRecord;
use crate::bulk2::JobRecord;
use crate::check::OrgFileError;
use crate::clock::Clock;
use crate::data::edit::{Edit, EditError};
use crate::data::{Character, DataError, Org};
use crate::options::Options;

/// Why an emulator could not start.
#[derive(Debug, thiserror::Error)]
pub enum EmulatorError {
    /// The port is taken or may not be used.
    #[error("cannot listen on 127.0.0.1:{port}: {source}; choose another port, or 0 for any free one")]
    Listen {
        /// The port that was asked for.
        port: u16,
        /// What the system said.
        source: std::io::Error,
    },
    /// The rows could not be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Apps, users or profiles do not fit together or do not fit the org.
    #[error(transparent)]
    Options(#[from] OrgFileError),
    /// The thread that reads the rows ended early.
    #[error("reading the org's rows broke off: {0}")]
    Broken(tokio::task::JoinError),
}

/// What a client needs to get in; serialises to the JSON line that `forcepump emulator` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Credentials {
    /// Base URL, without a slash at the end.
    #[serde(rename = "SF_INSTANCE_URL")]
    pub instance_url: String,
    /// Where users log in: the same, or the login address of several orgs.
    #[serde(rename = "SF_LOGIN_URL")]
    pub login_url: String,
    /// Id of the organization, 18 characters.
    #[serde(rename = "SF_ORGANIZATION_ID")]
    pub organization_id: String,
    /// A living access token.
    #[serde(rename = "SF_ACCESS_TOKEN")]
    pub access_token: String,
    /// Login name.
    #[serde(rename = "SF_USERNAME")]
    pub username: String,
    /// Password without the security token.
    #[serde(rename = "SF_PASSWORD")]
    pub password: String,
    /// Security token.
    #[serde(rename = "SF_TOKEN")]
    pub security_token: String,
    /// Consumer key.
    #[serde(rename = "SF_CLIENT_ID")]
    pub client_id: String,
    /// Consumer secret.
    #[serde(rename = "SF_CLIENT_SECRET")]
    pub client_secret: String,
    /// A refresh token.
    #[serde(rename = "SF_REFRESH_TOKEN")]
    pub refresh_token: String,
}

/// One emulated org that is being served; dropping it ends it with every connection.
#[derive(Debug)]
pub struct Emulator {
    state: Arc<State>,
    tenant: Arc<Tenant>,
    credentials: Credentials,
    serving: Serving,
}

/// Several emulated orgs behind one login address; dropping them ends them with every connection.
#[derive(Debug)]
pub struct Emulators {
    login: Arc<State>,
    test: Option<Arc<State>>,
    orgs: Vec<Emulator>,
    serving: Serving,
}

impl Emulator {
    /// Opens the org's rows and serves them on 127.0.0.1.
    ///
    /// Must be called inside a tokio runtime with I/O and time; the emulator runs on it.
    ///
    /// # Errors
    /// When the port cannot be had, the rows cannot be read, or the options do not fit together.
    pub async fn start(options: Options) -> Result<Emulator, EmulatorError> {
        let addresses = Addresses::bind(&options).await?;
        let login_url = addresses.main.url.clone();
        let desk = Arc::new(Mutex::new(Desk::new(options.seed)));
        let tenants = open(vec![(options, addresses.urls())]).await?;
        let tenant = tenants[0].clone();
        let place = Place {
            org: Some(tenant.clone()),
            reach: vec![tenant.clone()],
            base_url: login_url.clone(),
            login_url,
            options: tenant.options.clone(),
        };
        let state = State::new(tenants, place, desk);
        Ok(Emulator::serve(state, tenant, addresses))
    }

    fn serve(state: State, tenant: Arc<Tenant>, addresses: Addresses) -> Emulator {
        let credentials = credentials(&state, &tenant);
        let state = Arc::new(state);
        let mut serving = Serving::default();
        if let Some(next) = addresses.next {
            serving.add(next.listener, Arc::new(state.moved_to(next.url)));
        }
        serving.add(addresses.main.listener, state.clone());
        Emulator { state, tenant, credentials, serving }
    }

    /// Base URL, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.state.base_url
    }

    /// The instance address that tokens name now; another than [`url`](Emulator::url) after the org has moved.
    pub fn instance_url(&self) -> &str {
        self.tenant.instance_url()
    }

    /// What a client needs to get in.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Rows of an object that are not deleted; `None` when there is no such object.
    pub fn rows(&self, object: &str) -> Option<u64> {
        self.state.org.object_rows(object)
    }

    /// The requests answered so far, oldest first; the last hundred thousand.
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.state.log()
    }

    /// How many requests were answered so far.
    pub fn answered(&self) -> u64 {
        self.state.requests_so_far()
    }

    /// Every job created so far, deleted ones too, in their order.
    pub fn jobs(&self) -> Vec<JobRecord> {
        lock(&self.state.jobs).records()
    }

    /// Every Bulk 1.0 job created so far, with its batches, in their order.
    pub fn classic_jobs(&self) -> Vec<ClassicJobRecord> {
        lock(&self.state.classic_jobs).records()
    }

    /// The org's rows, with every change so far.
    pub fn org(&self) -> &Org {
        &self.state.org
    }

    /// The org's clock.
    pub fn clock(&self) -> &Clock {
        self.state.org.clock()
    }

    /// Changes a record now, as the org's own user does by REST or SOAP; gives its id.
    ///
    /// # Errors
    /// The refusal as it goes on the wire.
    pub fn edit(&self, edit: &Edit) -> Result<String, EditError> {
        self.edit_late(edit, self.state.now())
    }

    /// As [`Emulator::edit`], with a stamp of its own: a transaction that commits later than its stamp says.
    ///
    /// # Errors
    /// The refusal as it goes on the wire.
    pub fn edit_late(&self, edit: &Edit, stamp: DateTime<Utc>) -> Result<String, EditError> {
        control::late_edit(&self.state, edit, stamp)
    }

    /// Makes a job of either Bulk API unknown, as when it expired; `false` when it is so already.
    pub fn lose_job(&self, id: &str) -> bool {
        control::lose_job(&self.state, id)
    }

    /// Makes every open REST cursor unknown, as when it expired.
    pub fn lose_cursors(&self) {
        control::lose_cursors(&self.state);
    }

    /// Ends every session, as an administrator would; refresh tokens live on.
    pub fn expire_sessions(&self) {
        lock(&self.state.sessions).expire_all();
    }

    /// Ends every refresh token with its sessions, as an administrator would who revokes every approval.
    pub fn revoke_refresh_tokens(&self) {
        lock(&self.state.sessions).revoke_refresh_tokens();
    }

    /// Replaces what is particular about a user, as an administrator would.
    pub fn change_user(&self, user: UserAccess) {
        self.tenant.change_user(user);
    }

    /// Adds an app, or replaces the one with its client id, as an administrator would.
    pub fn change_app(&self, app: App) {
        self.tenant.change_app(app);
    }

    /// The app of that client id as the org has it now.
    pub fn app(&self, client_id: &str) -> Option<App> {
        self.tenant.app(client_id).map(|app| app.as_ref().clone())
    }

    /// Stops serving and ends every connection.
    pub async fn stop(self) {
        self.serving.stop().await;
    }
}

impl Emulators {
    /// Serves several orgs, each on the port of its options, and the address at which their users log in: port, seed,
    /// pauses and faults of that one are those of `login`. Where there are both production orgs and sandboxes, the users
    /// of sandboxes have an address of their own, as test.salesforce.com is one.
    ///
    /// # Errors
    /// When a port cannot be had, rows cannot be read, or options do not fit together.
    pub async fn start(login: Options, orgs: Vec<Options>) -> Result<Emulators, EmulatorError> {
        let login = Arc::new(login);
        let mut addresses = Vec::new();
        for options in &orgs {
            addresses.push(Addresses::bind(options).await?);
        }
        let main = Address::bind(login.port).await?;
        let test = Address::bind(0).await?;
        let urls: Vec<Vec<String>> = addresses.iter().map(Addresses::urls).collect();
        let tenants = open(orgs.into_iter().zip(urls).collect()).await?;
        let desk = Arc::new(Mutex::new(Desk::new(login.seed)));
        let (sandboxes, production): (Vec<_>, Vec<_>) = tenants.iter().cloned().partition(|t| t.is_sandbox());
        let both = !sandboxes.is_empty() && !production.is_empty();
        let state = |org: Option<Arc<Tenant>>, reach: Vec<Arc<Tenant>>, base_url: &str| {
            let aside = both && reach.iter().all(|tenant| tenant.is_sandbox());
            let login_url = if aside { test.url.clone() } else { main.url.clone() };
            let place = Place { org, reach, base_url: base_url.to_owned(), login_url, options: login.clone() };
            State::new(tenants.clone(), place, desk.clone())
        };
        let serve = |(tenant, addresses): (&Arc<Tenant>, Addresses)| {
            let state = state(Some(tenant.clone()), vec![tenant.clone()], &addresses.main.url);
            Emulator::serve(state, tenant.clone(), addresses)
        };
        let orgs = tenants.iter().zip(addresses).map(serve).collect();
        let front = Arc::new(state(None, if both { production } else { tenants.to_vec() }, &main.url));
        let test_front = both.then(|| Arc::new(state(None, sandboxes, &test.url)));
        let mut serving = Serving::default();
        serving.add(main.listener, front.clone());
        if let Some(state) = &test_front {
            serving.add(test.listener, state.clone());
        }
        Ok(Emulators { login: front, test: test_front, orgs, serving })
    }

    /// The login address, without a slash at the end.
    #[expect(clippy::misnamed_getters, reason = "the login org is reached at its base address")]
    pub fn login_url(&self) -> &str {
        &self.login.base_url
    }

    /// The login address of sandboxes where they have one of their own.
    pub fn test_login_url(&self) -> Option<&str> {
        self.test.as_ref().map(|state| state.base_url.as_str())
    }

    /// The orgs, in the order in which they were given.
    pub fn orgs(&self) -> &[Emulator] {
        &self.orgs
    }

    /// The requests that the login addresses answered so far, oldest first at each.
    pub fn requests(&self) -> Vec<RequestRecord> {
        let test = self.test.iter().flat_map(|state| state.log());
        self.login.log().into_iter().chain(test).collect()
    }

    /// Stops serving and ends every connection.
    pub async fn stop(self) {
        self.serving.stop().await;
        for org in self.orgs {
            org.stop().await;
        }
    }
}

/// A port that is ours, and its URL.
#[derive(Debug)]
struct Address {
    listener: TcpListener,
    url: String,
}

impl Address {
    async fn bind(port: u16) -> Result<Address, EmulatorError> {
        let listen = |source| EmulatorError::Listen { port, source };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(listen)?;
        let address: SocketAddr = listener.local_addr().map_err(listen)?;
        Ok(Address { listener, url: format!("http://{address}") })
    }
}

/// The addresses of one org: where it is, and where it moves to if it does.
#[derive(Debug)]
struct Addresses {
    main: Address,
    next: Option<Address>,
}

impl Addresses {
    async fn bind(options: &Options) -> Result<Addresses, EmulatorError> {
        let main = Address::bind(options.port).await?;
        let moves = options.policy.moves_after_refreshes.is_some();
        Ok(Addresses { main, next: if moves { Some(Address::bind(0).await?) } else { None } })
    }

    fn urls(&self) -> Vec<String> {
        [Some(&self.main), self.next.as_ref()].into_iter().flatten().map(|address| address.url.clone()).collect()
    }
}

/// The tasks that accept connections; dropping it ends them.
#[derive(Debug, Default)]
struct Serving(Vec<JoinHandle<()>>);

impl Serving {
    fn add(&mut self, listener: TcpListener, state: Arc<State>) {
        self.0.push(tokio::spawn(accept(listener, state)));
    }

    async fn stop(mut self) {
        for task in &mut self.0 {
            task.abort();
            // The only way for it to end is this abort.
            let _ = task.await;
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

/// Reads the rows of every org, which may take a while.
async fn open(orgs: Vec<(Options, Vec<String>)>) -> Result<Arc<Vec<Arc<Tenant>>>, EmulatorError> {
    let open = move || {
        let tenants = (0..).zip(orgs).map(|(number, (options, urls))| tenant(number, options, urls));
        Ok(Arc::new(tenants.collect::<Result<Vec<_>, EmulatorError>>()?))
    };
    tokio::task::spawn_blocking(open).await.map_err(EmulatorError::Broken)?
}

fn tenant(number: u64, options: Options, urls: Vec<String>) -> Result<Arc<Tenant>, EmulatorError> {
    options.check()?;
    let character = Character { number, name: options.name.clone(), sandbox: options.sandbox.clone() };
    let org = Org::open(&options.data_source(), &options.generate, options.seed)?.marked(&character);
    options.check_hidden(&org)?;
    Ok(Arc::new(Tenant::new(Arc::new(options), org, urls)))
}

fn credentials(state: &State, tenant: &Tenant) -> Credentials {
    let account = &tenant.options.account;
    let access = tenant.access(&state.user);
    let first = first_grant(tenant);
    let mut sessions = lock(&tenant.sessions);
    Credentials {
        instance_url: state.base_url.clone(),
        login_url: state.login_url.clone(),
        organization_id: tenant.id.clone(),
        access_token: sessions.issue(&first, None),
        username: state.user.username.clone(),
        password: access.password,
        security_token: access.security_token,
        client_id: account.client_id.clone(),
        client_secret: account.client_secret.clone(),
        refresh_token: sessions.issue_refresh(&first).0,
    }
}
