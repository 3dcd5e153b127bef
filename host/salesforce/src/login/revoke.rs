//! Revoking tokens at `/services/oauth2/revoke`: they are of no use to anybody afterwards.

use std::path::Path;

use reqwest::Url;
use reqwest::header::{ACCEPT, LOCATION};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::connection::ConnectionConfig;
use crate::credentials::AuthMethod;
use crate::error::{Error, Result};
use crate::oauth::TokenHttp;
use crate::place::{is_loopback, parse_url};
use crate::secret::SecretRef;
use crate::store::TokenStore;
use crate::words::network::NoAnswer;
use crate::words::oauth::explain;

/// An answer is a line.
const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// The login host may send on to the org's own.
const MAX_REDIRECTS: usize = 2;
/// A token goes to hosts of Salesforce only, whatever a redirect says.
const TRUSTED_SUFFIXES: [&str; 3] = [".salesforce.com", ".force.com", ".site.com"];

/// What became of the tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revoked {
    /// The org has revoked them.
    Yes,
    /// The org did not know them any more: revoked, expired or rotated before.
    AlreadyDead,
    /// There were none.
    Nothing,
}

/// Revokes the tokens of a connection: the refresh token, and with it all its access tokens; without one the access
/// token. What is kept locally stays.
///
/// # Errors
/// [`Error::Auth`] and others when the org could not be asked, or refused; the tokens may still be valid then.
pub async fn revoke(config: &ConnectionConfig, name: &str, folder: &Path, store: &TokenStore) -> Result<Revoked> {
    let (auth, login_url) = config.check()?;
    let token = match auth {
        AuthMethod::AuthorizationCode | AuthMethod::Device => {
            let kept = store.read(name)?;
            kept.refresh_token.or(kept.access_token)
        }
        AuthMethod::RefreshToken => own("refresh_token", config.refresh_token.as_ref(), (name, folder), store)?,
        AuthMethod::AccessToken => own("access_token", config.access_token.as_ref(), (name, folder), store)?,
        AuthMethod::ClientCredentials | AuthMethod::JwtBearer | AuthMethod::Soap => None,
    };
    let Some(token) = token else { return Ok(Revoked::Nothing) };
    let options = config.http.options();
    let http = TokenHttp { client: crate::http::build(&login_url, &options)?, timeout: options.first_byte_timeout };
    let asked = tokio::time::timeout(http.timeout, post(&http, login_url.clone(), &token)).await;
    let what = format!("revoking the tokens at {}", login_url.host_str().unwrap_or_default());
    asked.map_err(|_| Error::Stalled { what, waited: http.timeout })?
}

/// The token that the connection refers to; none when it was typed, and forgotten since.
fn own(
    key: &str,
    token: Option<&SecretRef>,
    (name, folder): (&str, &Path),
    store: &TokenStore,
) -> Result<Option<SecretString>> {
    let Some(token) = token else { return Ok(None) };
    match token.store_key() {
        Some(kept) => store.secret(name, kept),
        None => token.resolve(key, folder).map(Some),
    }
}

async fn post(http: &TokenHttp, login_url: Url, token: &SecretString) -> Result<Revoked> {
    let mut url = login_url;
    url.set_path("/services/oauth2/revoke");
    for _ in 0..=MAX_REDIRECTS {
        let host = url.host_str().unwrap_or_default().to_owned();
        let request = http.client.post(url.clone()).header(ACCEPT, "application/json");
        let mut response =
            request.form(&[("token", token.expose_secret())]).send().await.map_err(|error| transport(&host, error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(Revoked::Yes);
        }
        if status.is_redirection() {
            url = next(&url, response.headers().get(LOCATION).and_then(|to| to.to_str().ok()))?;
            continue;
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| transport(&host, error))? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_ANSWER_BYTES {
                break;
            }
        }
        return refused(&host, status.as_u16(), &body);
    }
    Err(Error::protocol("revoking the tokens", "one redirect after another"))
}

#[derive(Deserialize, Default)]
struct Refusal {
    error: String,
    #[serde(default)]
    error_description: String,
}

/// The error is form-encoded, or JSON; the body of anything else is not shown, it may repeat the token.
fn refused(host: &str, status: u16, body: &[u8]) -> Result<Revoked> {
    let refusal = serde_json::from_slice::<Refusal>(body).ok().or_else(|| form(body));
    match refusal {
        Some(refusal) if refusal.error == "invalid_token" => Ok(Revoked::AlreadyDead),
        Some(refusal) => Err(explain(host, &refusal.error, &refusal.error_description)),
        None => Err(Error::Auth {
            code: format!("http_{status}"),
            message: format!("revoking the tokens at {host}: HTTP {status}"),
            retryable: status >= 500,
        }),
    }
}

fn form(body: &[u8]) -> Option<Refusal> {
    let text = std::str::from_utf8(body).ok()?;
    let url = Url::parse(&format!("http://localhost/?{}", text.trim())).ok()?;
    let value = |key: &str| url.query_pairs().find(|(k, _)| k == key).map(|(_, value)| value.into_owned());
    let error = value("error")?;
    let plain = error.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    plain.then(|| Refusal { error, error_description: value("error_description").unwrap_or_default() })
}

fn next(from: &Url, to: Option<&str>) -> Result<Url> {
    let wrong = |why: &str| Error::protocol("revoking the tokens", format!("the org redirects {why}"));
    let to = to.and_then(|to| from.join(to).ok()).ok_or_else(|| wrong("to no address"))?;
    parse_url("redirect", to.as_str()).map_err(|_| wrong("to an address that tokens do not go to"))?;
    let host = to.host_str().unwrap_or_default();
    let same = to.host_str() == from.host_str();
    let trusted = TRUSTED_SUFFIXES.iter().any(|suffix| host.ends_with(suffix));
    if same || trusted || is_loopback(from) && is_loopback(&to) {
        return Ok(to);
    }
    Err(wrong("to a host that is not Salesforce's"))
}

fn transport(host: &str, error: reqwest::Error) -> Error {
    NoAnswer::of(error).into_error(format!("revoking the tokens at {host}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_in_both_forms() {
        for body in ["error=invalid_token&error_description=x", r#"{"error":"invalid_token"}"#] {
            assert_eq!(refused("h", 400, body.as_bytes()).unwrap(), Revoked::AlreadyDead);
        }
        let error = refused("h", 400, b"error=unsupported_token_type&error_description=this+token").unwrap_err();
        assert!(error.to_string().contains("unsupported_token_type"), "{error}");
        let error = refused("h", 503, b"<html>t0ken</html>").unwrap_err();
        assert!(error.is_retryable() && !error.to_string().contains("t0ken"), "{error}");
    }

    #[test]
    fn a_token_is_not_carried_elsewhere() {
        let from = Url::parse("https://login.salesforce.com/services/oauth2/revoke").unwrap();
        assert!(next(&from, Some("https://acme.my.salesforce.com/services/oauth2/revoke")).is_ok());
        for to in
            ["https://evil.com/", "http://acme.my.salesforce.com/", "https://evilsalesforce.com/", "http://127.0.0.1/"]
        {
            assert!(next(&from, Some(to)).is_err(), "{to}");
        }
        assert!(next(&from, None).is_err());
    }
}
