//! The handle on a running emulator.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use serde::Serialize;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::serve::accept;
use super::state::{Place, RequestRecord, State, lock};
use crate::auth::{Desk, Tenant, first_grant};
use crate::bulk1::ClassicJobRecord;
use crate::bulk2::JobRecord;
use crate::data::{DataError, Org};
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

/// A running emulator; dropping it ends it with every connection.
#[derive(Debug)]
pub struct Emulator {
    state: Arc<State>,
    credentials: Credentials,
    serving: JoinHandle<()>,
}

impl Emulator {
    /// Opens the org's rows and serves them on 127.0.0.1.
    ///
    /// Must be called inside a tokio runtime with I/O and time; the emulator runs on it.
    ///
    /// # Errors
    /// When the port cannot be had or the rows cannot be read.
    pub async fn start(options: Options) -> Result<Emulator, EmulatorError> {
        let port = options.port;
        let listen = |source| EmulatorError::Listen { port, source };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(listen)?;
        let address: SocketAddr = listener.local_addr().map_err(listen)?;
        let base_url = format!("http://{address}");
        let open = move || {
            let org = Org::open(&options.data_source(), &options.generate, options.seed)?;
            let options = Arc::new(options);
            let tenant = Arc::new(Tenant::new(options.clone(), org, vec![base_url.clone()]));
            let desk = Arc::new(Mutex::new(Desk::new(options.seed)));
            let place = Place { org: Some(0), login_url: base_url.clone(), base_url, options };
            Ok(State::new(Arc::new(vec![tenant]), place, desk))
        };
        let state: Result<State, DataError> = tokio::task::spawn_blocking(open).await.map_err(EmulatorError::Broken)?;
        let state = Arc::new(state?);
        let credentials = credentials(&state);
        let serving = tokio::spawn(accept(listener, state.clone()));
        Ok(Emulator { state, credentials, serving })
    }

    /// Base URL, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.state.base_url
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

    /// Every job created so far, deleted ones too, in their order.
    pub fn jobs(&self) -> Vec<JobRecord> {
        lock(&self.state.jobs).records()
    }

    /// Every Bulk 1.0 job created so far, with its batches, in their order.
    pub fn classic_jobs(&self) -> Vec<ClassicJobRecord> {
        lock(&self.state.classic_jobs).records()
    }

    /// Ends every session, as an administrator would; refresh tokens live on.
    pub fn expire_sessions(&self) {
        lock(&self.state.sessions).expire_all();
    }

    /// Stops serving and ends every connection.
    pub async fn stop(mut self) {
        self.serving.abort();
        // The only way for it to end is this abort.
        let _ = (&mut self.serving).await;
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn credentials(state: &State) -> Credentials {
    let account = &state.options.account;
    let first = state.own().map(|tenant| first_grant(tenant));
    let mut sessions = lock(&state.sessions);
    Credentials {
        instance_url: state.base_url.clone(),
        access_token: first.as_ref().map(|grant| sessions.issue(grant, None)).unwrap_or_default(),
        username: state.user.username.clone(),
        password: account.password.clone(),
        security_token: account.security_token.clone(),
        client_id: account.client_id.clone(),
        client_secret: account.client_secret.clone(),
        refresh_token: first.as_ref().map(|grant| sessions.issue_refresh(grant).0).unwrap_or_default(),
    }
}
