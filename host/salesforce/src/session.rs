//! The session: login on demand, renewed once however many requests find it dead.

use std::sync::Arc;

use reqwest::Url;
use secrecy::SecretString;
use tokio::sync::{Mutex, OwnedMutexGuard, watch};

use crate::credentials::{App, Credentials};
use crate::error::{Error, Result};
use crate::notices::Notices;
use crate::oauth::{Granted, TokenHttp, refresh_grant, request_token};
use crate::options::ClientOptions;
use crate::place::parse_url;
use crate::renewal::{self, Renewed};
use crate::resolved::ResolvedConnection;
use crate::retry::{self, Patience};

/// A valid token, until a request finds otherwise.
pub(crate) struct Session {
    pub(crate) token: SecretString,
    pub(crate) instance: Url,
    /// Counts logins; tells a request whether somebody else renewed meanwhile.
    pub(crate) generation: u64,
}

/// Holds the session of one connection.
pub(crate) struct Sessions {
    desk: Arc<Desk>,
    state: Arc<Mutex<State>>,
}

struct State {
    credentials: Credentials,
    session: Option<Arc<Session>>,
    generation: u64,
    /// A refusal that no repetition cures; it answers every later request without a call.
    refused: Option<Error>,
    notices: Notices,
}

/// Where logins are asked for.
pub(crate) struct Desk {
    http: TokenHttp,
    login_url: Url,
    patience: Patience,
}

impl Sessions {
    pub(crate) fn new(
        connection: ResolvedConnection,
        client: reqwest::Client,
        options: &ClientOptions,
        notices: Notices,
    ) -> Self {
        let http = TokenHttp { client, timeout: options.first_byte_timeout };
        let patience = Patience { backoff: options.backoff(), budget: options.login_budget, notices: notices.clone() };
        Self {
            desk: Arc::new(Desk { http, login_url: connection.login_url, patience }),
            state: Arc::new(Mutex::new(State {
                credentials: connection.credentials,
                session: None,
                generation: 0,
                refused: None,
                notices,
            })),
        }
    }

    /// The session at hand, or a login.
    pub(crate) async fn current(&self) -> Result<Arc<Session>> {
        let state = self.state.clone().lock_owned().await;
        match (&state.session, &state.refused) {
            (Some(session), _) => Ok(session.clone()),
            (None, Some(refused)) => Err(refused.clone()),
            (None, None) => self.login(state, None).await,
        }
    }

    /// A login that shows that the next one will work too: kept tokens are renewed, not only used.
    pub(crate) async fn prove(&self) -> Result<()> {
        let state = self.state.clone().lock_owned().await;
        if state.session.is_some() {
            return Ok(());
        }
        let mut stale = None;
        if let Credentials::Stored { vault, .. } = &state.credentials {
            let kept = vault.store.read(&vault.name)?;
            match (kept.refresh_token, kept.access_token) {
                (None, Some(_)) => state.notices.keep(renewal::NOT_RENEWABLE.to_owned()),
                (_, access_token) => stale = access_token,
            }
        }
        self.login(state, stale).await.map(|_| ())
    }

    /// A session newer than `stale`. The lock makes it one login for any number of callers.
    pub(crate) async fn renew(&self, stale: &Session) -> Result<Arc<Session>> {
        let mut state = self.state.clone().lock_owned().await;
        if let Some(session) = state.session.as_ref().filter(|s| s.generation > stale.generation) {
            return Ok(session.clone());
        }
        if let Some(refused) = &state.refused {
            return Err(refused.clone());
        }
        if matches!(state.credentials, Credentials::AccessToken { .. }) {
            let refused = expired_access_token(&self.desk.login_url);
            (state.session, state.refused) = (None, Some(refused.clone()));
            return Err(refused);
        }
        self.login(state, Some(stale.token.clone())).await
    }

    /// A task of its own: the caller may be dropped at any time, a refresh token that was sent must not be.
    async fn login(&self, mut state: OwnedMutexGuard<State>, stale: Option<SecretString>) -> Result<Arc<Session>> {
        let (desk, under_way) = (self.desk.clone(), UnderWay::begin());
        let task = tokio::spawn(async move {
            let outcome = state.login(&desk, stale.as_ref()).await;
            drop(under_way);
            outcome
        });
        task.await.unwrap_or_else(|_| Err(Error::protocol("login", "it broke off; this is a fault of forcepump")))
    }
}

impl State {
    async fn login(&mut self, desk: &Desk, stale: Option<&SecretString>) -> Result<Arc<Session>> {
        self.session = None;
        let Renewed { granted, notice } = self.grant(desk, stale).await?;
        if let Some(notice) = notice {
            self.notices.keep(notice);
        }
        let instance = match &granted.instance_url {
            Some(url) => parse_url("instance_url of the token answer", url)?,
            None => desk.login_url.clone(),
        };
        self.generation += 1;
        let session = Session { token: granted.access_token, instance, generation: self.generation };
        let session = Arc::new(session);
        self.session = Some(session.clone());
        Ok(session)
    }

    async fn grant(&mut self, desk: &Desk, stale: Option<&SecretString>) -> Result<Renewed> {
        let (outcome, careful) = match &mut self.credentials {
            Credentials::Stored { app, vault, unsaved } => {
                (renewal::from_store(desk, app, vault, unsaved, stale).await, true)
            }
            Credentials::RefreshToken { app, refresh_token, home } => {
                (renewal::from_home(desk, app, refresh_token, home).await, true)
            }
            other => (desk.request(other).await.map(Renewed::from), false),
        };
        outcome.inspect_err(|error| {
            // a refresh that may have been executed is not tried again in this process, see `Desk::refresh`
            if !error.is_retryable() || careful && !connect_failed(error) {
                self.refused = Some(error.clone());
            }
        })
    }
}

impl Desk {
    async fn request(&self, credentials: &Credentials) -> Result<Granted> {
        self.patience.retrying(|| request_token(&self.http, &self.login_url, credentials), Error::is_retryable).await
    }

    /// A refresh that may have been executed is not repeated: with rotation on, using the old token again revokes the
    /// whole family (Salesforce knowledge article 005316711).
    pub(crate) async fn refresh(&self, app: &App, token: &SecretString) -> Result<Granted> {
        self.patience.retrying(|| refresh_grant(&self.http, &self.login_url, app, token), connect_failed).await
    }
}

/// Counts the logins of this process that are under way.
static UNDER_WAY: std::sync::LazyLock<watch::Sender<usize>> = std::sync::LazyLock::new(|| watch::Sender::new(0));

struct UnderWay;

impl UnderWay {
    fn begin() -> Self {
        UNDER_WAY.send_modify(|count| *count += 1);
        Self
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        UNDER_WAY.send_modify(|count| *count = count.saturating_sub(1));
    }
}

/// Waits until no login of this process is under way. A program that is told to end waits for this before it drops its
/// runtime: a refresh token that rotates is either not sent, or its successor is kept. Ends by itself: token requests
/// have a time-out.
pub async fn logins_settled() {
    // one that waits for its next attempt has sent nothing that counts
    retry::end_waiting();
    let mut count = UNDER_WAY.subscribe();
    // the sender is never dropped
    let _ = count.wait_for(|count| *count == 0).await;
}

fn connect_failed(error: &Error) -> bool {
    matches!(error, Error::Transport { executed_for_sure_not: true, lasts: false, .. })
}

fn expired_access_token(url: &Url) -> Error {
    Error::Auth {
        code: "INVALID_SESSION_ID".into(),
        message: format!(
            "the access token for {} is expired or invalid, and an access token cannot be renewed\n  \
             hint: put a fresh one in its place, or use auth = \"client-credentials\" or \"authorization-code\"",
            url.host_str().unwrap_or_default()
        ),
        retryable: false,
    }
}
