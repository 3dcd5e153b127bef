//! The JWT bearer grant: what the assertion must say, and in which words a wrong one is refused.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use serde_json::Value;

use super::form::Fields;
use super::oauth::{OauthError, refused};
use crate::server::State;

/// The grant's name (RFC 7523, 2.1).
pub(super) const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// Audiences that every org takes, beside its own host.
const AUDIENCES: [&str; 2] = ["https://login.salesforce.com", "https://test.salesforce.com"];

/// Checks the assertion of a token request.
pub(super) fn check(state: &State, fields: &Fields, now: i64) -> Result<(), OauthError> {
    let invalid = || refused("invalid_grant", "invalid assertion");
    let assertion = fields.get("assertion").unwrap_or_default();
    let (message, signature) = assertion.rsplit_once('.').ok_or_else(invalid)?;
    let (header, claims) = message.split_once('.').ok_or_else(invalid)?;
    let (header, claims) = (part(header).ok_or_else(invalid)?, part(claims).ok_or_else(invalid)?);
    let account = &state.options.account;
    // The app is looked up before the signature can be: its certificate is what the signature is held against.
    if claims.get("iss").and_then(Value::as_str) != Some(account.client_id.as_str()) {
        return Err(refused("invalid_client_id", "client identifier invalid"));
    }
    let key = account.jwt_certificate.as_ref().and_then(|pem| DecodingKey::from_rsa_pem(pem.as_bytes()).ok());
    let key = key.ok_or_else(invalid)?;
    let signed = header.get("alg").and_then(Value::as_str) == Some("RS256")
        && crypto::verify(signature, message.as_bytes(), &key, Algorithm::RS256).unwrap_or(false);
    if !signed {
        return Err(invalid());
    }
    check_claims(state, &claims, now)
}

fn check_claims(state: &State, claims: &Value, now: i64) -> Result<(), OauthError> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let audience = text("aud").map(|aud| aud.trim_end_matches('/'));
    if audience.is_none_or(|aud| aud != state.base_url && !AUDIENCES.contains(&aud)) {
        return Err(refused("invalid_grant", "audience is invalid"));
    }
    // The legacy name wins when both are there (knowledge article 000204593).
    let user = text("prn").or_else(|| text("sub")).unwrap_or_default();
    if !user.eq_ignore_ascii_case(&state.user.username) {
        return Err(refused("invalid_grant", "user hasn't approved this consumer"));
    }
    // A number, or text as Salesforce's own sample has it; milliseconds are taken for a far future.
    let expiry = claims.get("exp").and_then(|exp| exp.as_i64().or_else(|| exp.as_str()?.parse().ok()));
    match expiry {
        Some(expiry) if expiry > now => Ok(()),
        Some(_) => Err(refused("invalid_grant", "expired authorization code")),
        None => Err(refused("invalid_grant", "invalid assertion")),
    }
}

fn part(text: &str) -> Option<Value> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()?).ok()
}
