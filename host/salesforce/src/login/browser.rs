//! The authorization-code flow (RFC 6749, 4.1; RFC 7636): a page for the person, a code back, tokens for the code.

use std::path::Path;
use std::time::Duration;

use oauth2::{PkceCodeChallenge, PkceCodeVerifier, RedirectUrl};
use reqwest::Url;
use secrecy::SecretString;

use super::Desk;
use super::listener::Listener;
use super::redirect::{self, Answer};
use crate::connection::ConnectionConfig;
use crate::credentials::AuthMethod;
use crate::error::{Error, Result};
use crate::oauth::code_grant;
use crate::place::is_loopback;
use crate::store::TokenStore;
use crate::words::oauth::explain;

/// The callback that Salesforce's own command line uses, which many apps have already.
const DEFAULT_REDIRECT_URI: &str = "http://localhost:1717/OauthRedirect";
/// Random bytes of `state`: it cannot be guessed by a page that knows the listener.
const STATE_BYTES: usize = 24;

/// A login in the browser that has begun.
pub struct BrowserLogin {
    desk: Desk,
    url: String,
    redirect_uri: RedirectUrl,
    state: String,
    verifier: Option<PkceCodeVerifier>,
    listener: Option<Listener>,
}

/// What came back from the browser, good for one exchange within 15 minutes.
#[derive(Debug, Clone)]
pub struct Code(SecretString);

impl BrowserLogin {
    /// Prepares the login; with `listen`, this machine waits for the redirect. Nothing is sent.
    ///
    /// # Errors
    /// [`Error::Config`] when the connection is not of this kind, or nothing can listen where the app redirects to.
    pub async fn start(
        config: &ConnectionConfig,
        name: &str,
        folder: &Path,
        store: &TokenStore,
        listen: bool,
    ) -> Result<Self> {
        let desk = Desk::of(config, AuthMethod::AuthorizationCode, name, folder, store)?;
        let given = config.redirect_uri.as_deref().unwrap_or(DEFAULT_REDIRECT_URI);
        let (uri, listener) = if listen { listening(given).await? } else { (given.to_owned(), None) };
        let redirect_uri = RedirectUrl::new(uri).map_err(|_| bad_redirect(given, "is no URL"))?;
        let (challenge, verifier) = match config.pkce {
            Some(false) => (None, None),
            _ => {
                let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
                (Some(challenge), Some(verifier))
            }
        };
        let state = random_text().ok_or_else(|| Error::config("this system has no random bytes"))?;
        let url = authorize_url(&desk, &redirect_uri, &state, challenge.as_ref());
        Ok(Self { desk, url, redirect_uri, state, verifier, listener })
    }

    /// The page to open.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where the browser is sent afterwards.
    pub fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// The redirect is waited for on this machine.
    pub fn is_listening(&self) -> bool {
        self.listener.is_some()
    }

    /// Waits for the browser's redirect, at most this long.
    ///
    /// # Errors
    /// [`Error::Auth`] when Salesforce sends an error, or nothing comes: Salesforce keeps many errors in the browser.
    pub async fn redirected(&mut self, wait: Duration) -> Result<Code> {
        let host = self.desk.host().to_owned();
        let Some(listener) = &mut self.listener else {
            return Err(Error::config("nothing listens for the redirect: paste the address instead"));
        };
        match tokio::time::timeout(wait, listener.answer(&self.state)).await {
            Ok(answer) => taken(&host, answer),
            Err(_) => Err(redirect::nothing_came(&host, &self.redirect_uri, wait)),
        }
    }

    /// Reads what a person pasted: the address that the browser ended at, the code alone, or what an error page says.
    ///
    /// # Errors
    /// [`Error::Auth`] when it tells of an error, [`Error::Config`] when it is of another login or nothing of use.
    pub fn pasted(&self, text: &str) -> Result<Code> {
        taken(self.desk.host(), redirect::read_pasted(text, &self.state)?)
    }

    /// Exchanges the code and keeps the tokens.
    ///
    /// # Errors
    /// [`Error::Auth`] when Salesforce refuses it, [`Error::Config`] when the tokens cannot be kept.
    pub async fn finish(self, code: Code) -> Result<()> {
        let Self { desk, redirect_uri, verifier, .. } = self;
        let granted = code_grant(&desk.http, &desk.login_url, &desk.app, &code.0, &redirect_uri, verifier).await?;
        desk.keep(granted).await
    }
}

fn taken(host: &str, answer: Answer) -> Result<Code> {
    match answer {
        Answer::Code(code) => Ok(Code(code)),
        Answer::Refused { error, description } => Err(explain(host, &error, &description)),
    }
}

async fn listening(uri: &str) -> Result<(String, Option<Listener>)> {
    let mut url = Url::parse(uri).map_err(|_| bad_redirect(uri, "is no URL"))?;
    if !is_loopback(&url) || url.scheme() != "http" {
        return Err(bad_redirect(
            uri,
            "is not on this machine (http://localhost…): paste the address instead, with --paste",
        ));
    }
    let listener = Listener::bind(&url).await?;
    if url.port() == Some(0) {
        // the spelling stays as it is but for the port: the app compares it byte by byte
        let _ = url.set_port(Some(listener.port()));
        return Ok((url.to_string(), Some(listener)));
    }
    Ok((uri.to_owned(), Some(listener)))
}

fn bad_redirect(uri: &str, why: &str) -> Error {
    Error::config(format!("redirect_uri = \"{uri}\" {why}; expected a callback URL of the app"))
}

fn authorize_url(desk: &Desk, redirect: &RedirectUrl, state: &str, challenge: Option<&PkceCodeChallenge>) -> String {
    let mut url = desk.login_url.clone();
    url.set_path("/services/oauth2/authorize");
    {
        let mut query = url.query_pairs_mut();
        query.append_pair("response_type", "code").append_pair("client_id", &desk.app.client_id);
        query.append_pair("redirect_uri", redirect).append_pair("state", state);
        if !desk.scope.trim().is_empty() {
            query.append_pair("scope", desk.scope.trim());
        }
        if let Some(challenge) = challenge {
            query.append_pair("code_challenge", challenge.as_str());
            query.append_pair("code_challenge_method", challenge.method().as_str());
        }
    }
    url.to_string()
}

fn random_text() -> Option<String> {
    use base64::Engine;
    let mut bytes = [0; STATE_BYTES];
    getrandom::fill(&mut bytes).ok()?;
    Some(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(more: &str) -> ConnectionConfig {
        let text = format!("auth = 'authorization-code'\nenvironment = 'sandbox'\nclient_id = '3MVG9'\n{more}");
        toml::from_str(&text).unwrap()
    }

    async fn started(more: &str) -> Result<BrowserLogin> {
        BrowserLogin::start(&config(more), "prod", Path::new("."), &TokenStore::in_memory(), false).await
    }

    #[tokio::test]
    async fn the_page_asks_for_a_code_with_state_and_challenge() {
        let login = started("").await.unwrap();
        let url = Url::parse(login.url()).unwrap();
        assert_eq!((url.host_str(), url.path()), (Some("test.salesforce.com"), "/services/oauth2/authorize"));
        let value = |key: &str| url.query_pairs().find(|(k, _)| k == key).map(|(_, v)| v.into_owned());
        assert_eq!(value("response_type").as_deref(), Some("code"));
        assert_eq!(value("redirect_uri").as_deref(), Some(DEFAULT_REDIRECT_URI));
        assert_eq!(value("scope").as_deref(), Some("api refresh_token"));
        assert_eq!(value("code_challenge_method").as_deref(), Some("S256"));
        assert_eq!(value("code_challenge").unwrap().len(), 43);
        assert!(value("state").unwrap().len() >= 32);
        assert_ne!(started("").await.unwrap().state, login.state);
    }

    #[tokio::test]
    async fn pkce_and_scope_can_be_left_out() {
        let login = started("pkce = false\nscope = ''").await.unwrap();
        assert!(!login.url().contains("code_challenge") && !login.url().contains("scope="), "{}", login.url());
    }

    #[tokio::test]
    async fn a_callback_elsewhere_is_for_pasting_only() {
        let elsewhere = config("redirect_uri = 'https://login.salesforce.com/services/oauth2/success'");
        let store = TokenStore::in_memory();
        let start = |listen| BrowserLogin::start(&elsewhere, "prod", Path::new("."), &store, listen);
        let refused = start(true).await.map(|_| ()).unwrap_err().to_string();
        assert!(refused.contains("--paste"), "{refused}");
        assert!(start(false).await.is_ok());
    }
}
