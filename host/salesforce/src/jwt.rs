//! The OAuth 2.0 JWT bearer flow: an assertion signed with the app's private key, no secret on the wire.
//!
//! Salesforce Help, "OAuth 2.0 JWT Bearer Flow for Server-to-Server Integration": RS256, `iss` the consumer key, `sub`
//! the user name, `aud` the login host, `exp` a few minutes ahead.

use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use crate::error::{Error, Result};

/// How long an assertion is good for, in seconds.
const LIFE_SECONDS: u64 = 180;
/// `aud` of production and of sandboxes; My Domain hosts take them too.
const PRODUCTION: &str = "https://login.salesforce.com";
const SANDBOX: &str = "https://test.salesforce.com";

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    exp: u64,
}

/// The `aud` of an org, when the connection names none.
pub(crate) fn audience(login_url: &Url) -> String {
    let host = login_url.host_str().unwrap_or_default();
    let sandbox = host == "test.salesforce.com" || host.contains(".sandbox.my.salesforce.com");
    if sandbox { SANDBOX.to_owned() } else { PRODUCTION.to_owned() }
}

/// A fresh assertion.
pub(crate) fn assertion(client_id: &str, username: &str, audience: &str, key: &SecretString) -> Result<String> {
    let key = EncodingKey::from_rsa_pem(key.expose_secret().as_bytes()).map_err(|_| unusable())?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let claims = Claims { iss: client_id, sub: username, aud: audience, exp: now + LIFE_SECONDS };
    jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, &key).map_err(|_| unusable())
}

/// Never quotes the library: its text may hold a part of the key.
fn unusable() -> Error {
    Error::config(
        "private_key is not an RSA private key in PEM form (`-----BEGIN PRIVATE KEY-----`), without a passphrase; \
         `openssl genrsa -out server.key 2048` makes one, its certificate belongs to the app in Salesforce",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn audiences_follow_the_host() {
        for (host, expected) in [
            ("https://login.salesforce.com", PRODUCTION),
            ("https://acme.my.salesforce.com", PRODUCTION),
            ("https://test.salesforce.com", SANDBOX),
            ("https://acme--dev.sandbox.my.salesforce.com", SANDBOX),
        ] {
            assert_eq!(audience(&Url::parse(host).unwrap()), expected);
        }
    }

    #[test]
    fn what_is_no_key_is_refused_without_being_shown() {
        for key in ["", "s3cr3t", "-----BEGIN PRIVATE KEY-----\ns3cr3t\n-----END PRIVATE KEY-----\n"] {
            let error = assertion("id", "user", PRODUCTION, &SecretString::from(key)).unwrap_err().to_string();
            assert!(error.contains("PEM") && !error.contains("s3cr3t"), "{error}");
        }
    }
}
