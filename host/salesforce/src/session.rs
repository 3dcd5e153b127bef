//! The session: login on demand, renewed once however many requests find it dead.

use std::path::Path;
use std::sync::Arc;

use backon::{ExponentialBuilder, Retryable};
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;

use crate::connection::ResolvedConnection;
use crate::credentials::Credentials;
use crate::error::{Error, Result};
use crate::oauth::{Granted, TokenHttp, request_token};
use crate::options::ClientOptions;
use crate::place::parse_url;

/// A valid token, until a request finds otherwise.
pub(crate) struct Session {
    pub(crate) token: SecretString,
    pub(crate) instance: Url,
    /// Counts logins; tells a request whether somebody else renewed meanwhile.
    pub(crate) generation: u64,
}

/// Holds the session of one connection.
pub(crate) struct Sessions {
    http: TokenHttp,
    login_url: Url,
    state: Mutex<State>,
    retry: ExponentialBuilder,
}

struct State {
    credentials: Credentials,
    session: Option<Arc<Session>>,
    generation: u64,
    /// A refusal that no repetition cures; it answers every later request without a call.
    refused: Option<Error>,
    notices: Vec<String>,
}

impl Sessions {
    pub(crate) fn new(connection: ResolvedConnection, client: reqwest::Client, options: &ClientOptions) -> Self {
        Self {
            http: TokenHttp { client, timeout: options.first_byte_timeout },
            login_url: connection.login_url,
            state: Mutex::new(State {
                credentials: connection.credentials,
                session: None,
                generation: 0,
                refused: None,
                notices: Vec::new(),
            }),
            retry: options.backoff(),
        }
    }

    /// The session at hand, or a login.
    pub(crate) async fn current(&self) -> Result<Arc<Session>> {
        let mut state = self.state.lock().await;
        match (&state.session, &state.refused) {
            (Some(session), _) => Ok(session.clone()),
            (None, Some(refused)) => Err(refused.clone()),
            (None, None) => self.login(&mut state).await,
        }
    }

    /// A session newer than `stale`. The lock makes it one login for any number of callers.
    pub(crate) async fn renew(&self, stale: &Session) -> Result<Arc<Session>> {
        let mut state = self.state.lock().await;
        if let Some(session) = state.session.as_ref().filter(|s| s.generation > stale.generation) {
            return Ok(session.clone());
        }
        if let Some(refused) = &state.refused {
            return Err(refused.clone());
        }
        if matches!(state.credentials, Credentials::AccessToken { .. }) {
            let refused = expired_access_token(&self.login_url);
            (state.session, state.refused) = (None, Some(refused.clone()));
            return Err(refused);
        }
        self.login(&mut state).await
    }

    /// Things the user should hear of, for example a rotated refresh token that could not be stored.
    pub(crate) async fn notices(&self) -> Vec<String> {
        self.state.lock().await.notices.clone()
    }

    async fn login(&self, state: &mut State) -> Result<Arc<Session>> {
        state.session = None;
        let granted = self.request(&state.credentials).await.inspect_err(|error| {
            if !error.is_retryable() {
                state.refused = Some(error.clone());
            }
        })?;
        if let Some(rotated) = granted.rotated.clone() {
            state.keep_rotated(rotated);
        }
        let instance = match &granted.instance_url {
            Some(url) => parse_url("instance_url of the token answer", url)?,
            None => self.login_url.clone(),
        };
        state.generation += 1;
        let session = Session { token: granted.access_token, instance, generation: state.generation };
        let session = Arc::new(session);
        state.session = Some(session.clone());
        Ok(session)
    }

    async fn request(&self, credentials: &Credentials) -> Result<Granted> {
        // A refresh that may have been executed is not repeated: with rotation on, using the old token again
        // revokes the whole family (Salesforce knowledge article 005316711).
        let careful = matches!(credentials, Credentials::RefreshToken { .. });
        (|| request_token(&self.http, &self.login_url, credentials))
            .retry(self.retry)
            .when(|error| if careful { connect_failed(error) } else { error.is_retryable() })
            .await
    }
}

impl State {
    /// The new token is kept before the session is used: the old one is dead already.
    fn keep_rotated(&mut self, rotated: SecretString) {
        let Credentials::RefreshToken { refresh_token, store, .. } = &mut self.credentials else {
            return;
        };
        if refresh_token.expose_secret() == rotated.expose_secret() {
            return;
        }
        let kept = match store {
            Some(path) => write_secret(path, &rotated).map_err(|e| format!("{} ({e})", path.display())),
            None => Err("an environment variable; use refresh_token = \"file:PATH\" with such an app".to_owned()),
        };
        *refresh_token = rotated;
        if let Err(place) = kept {
            self.notices.push(format!(
                "the app rotates refresh tokens and the new one could not be stored in {place}: \
                 the next run will not be able to log in"
            ));
        }
    }
}

/// Beside, then renamed: a crash leaves the old or the new token, never half of one.
fn write_secret(path: &Path, secret: &SecretString) -> std::io::Result<()> {
    let aside = path.with_extension("forcepump-new");
    // what an earlier crash left would keep its own permissions
    if let Err(e) = std::fs::remove_file(&aside)
        && e.kind() != std::io::ErrorKind::NotFound
    {
        return Err(e);
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&aside)?;
    std::io::Write::write_all(&mut file, secret.expose_secret().as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&aside, path)
}

fn connect_failed(error: &Error) -> bool {
    matches!(error, Error::Transport { executed_for_sure_not: true, .. })
}

fn expired_access_token(url: &Url) -> Error {
    Error::Auth {
        code: "INVALID_SESSION_ID".into(),
        message: format!(
            "the access token for {} is expired or invalid, and an access token cannot be renewed\n  \
             hint: put a fresh one in its place, or use auth = \"client-credentials\" or \"refresh-token\"",
            url.host_str().unwrap_or_default()
        ),
        retryable: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotated_token_goes_to_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "old").unwrap();
        write_secret(&path, &SecretString::from("new")).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn rotated_token_from_the_environment_is_a_notice() {
        let mut state = State {
            credentials: Credentials::RefreshToken {
                client_id: "x".into(),
                client_secret: None,
                refresh_token: SecretString::from("old"),
                store: None,
            },
            session: None,
            generation: 0,
            refused: None,
            notices: Vec::new(),
        };
        state.keep_rotated(SecretString::from("s3cr3t"));
        assert!(state.notices[0].contains("file:PATH") && !state.notices[0].contains("s3cr3t"));
    }
}
