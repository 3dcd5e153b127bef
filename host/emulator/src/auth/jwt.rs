//! The JWT bearer grant: what the assertion must say, and in which words a wrong one is refused.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use serde_json::Value;

use super::denied::{Denied, OauthError, refused};
use super::desk::Person;
use super::form::Fields;
use super::registry;
use super::tenant::Tenant;
use crate::access::{App, Flow};
use crate::server::{State, lock};

/// The grant's name (RFC 7523, 2.1).
pub(super) const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// Seconds by which an assertion may be late: there is some grace, as clients that sign with the present moment as `exp`
/// (CumulusCI) are let in; how much is not published.
const SKEW_SECONDS: i64 = 5;
/// Audience of production orgs, beside their own host.
const PRODUCTION: &str = "https://login.salesforce.com";
/// Audience of sandboxes, beside their own host.
const SANDBOX: &str = "https://test.salesforce.com";

/// An assertion whose signature nobody has looked at.
pub(super) struct Unverified<'a> {
    message: &'a str,
    signature: &'a str,
    header: Value,
    pub(super) claims: Value,
}

/// The parts of an assertion; `None` when it is none.
pub(super) fn unverified(assertion: &str) -> Option<Unverified<'_>> {
    let (message, signature) = assertion.rsplit_once('.')?;
    let (header, claims) = message.split_once('.')?;
    Some(Unverified { message, signature, header: part(header)?, claims: part(claims)? })
}

impl Unverified<'_> {
    fn text(&self, name: &str) -> Option<&str> {
        self.claims.get(name).and_then(Value::as_str)
    }

    fn is_signed_by(&self, app: &App) -> bool {
        let key = app.jwt_certificate.as_ref().and_then(|pem| DecodingKey::from_rsa_pem(pem.as_bytes()).ok());
        let rs256 = self.header.get("alg").and_then(Value::as_str) == Some("RS256");
        let verify = |key| crypto::verify(self.signature, self.message.as_bytes(), &key, Algorithm::RS256);
        rs256 && key.is_some_and(|key| verify(key).unwrap_or(false))
    }

    /// A number, or text as Salesforce's own sample has it; milliseconds are taken for a far future, parts of a second
    /// are cut off.
    fn expiry(&self) -> Option<i64> {
        let exp = self.claims.get("exp")?;
        if exp.is_f64() {
            return exp.to_string().split('.').next()?.parse().ok();
        }
        exp.as_i64().or_else(|| exp.as_str()?.parse().ok())
    }

    fn is_living(&self, now: i64) -> Option<bool> {
        self.expiry().map(|expiry| expiry.saturating_add(SKEW_SECONDS) > now)
    }
}

/// Checks the assertion of a token request; gives whom it stands for.
pub(super) fn check(state: &State, fields: &Fields, now: i64) -> Result<(Person, Arc<App>), OauthError> {
    let invalid = || refused("invalid_grant", "invalid assertion");
    let assertion = unverified(fields.get("assertion").unwrap_or_default()).ok_or_else(invalid)?;
    // The app is looked up before the signature can be: its certificate is what the signature is held against.
    let issuer = assertion.text("iss").unwrap_or_default();
    let known = registry::any_app(state, issuer).ok_or_else(|| Denied::UnknownClient.at_token())?;
    if !assertion.is_signed_by(&known) {
        return Err(invalid());
    }
    let audience = assertion.text("aud").unwrap_or_default();
    if !is_audience(state, state.tenants(), audience) {
        return Err(refused("invalid_grant", "audience is invalid"));
    }
    // The legacy name wins when both are there (knowledge article 000204593).
    let username = assertion.text("prn").or_else(|| assertion.text("sub")).unwrap_or_default();
    let person = person(state, username).ok_or_else(|| refused("invalid_grant", NOT_APPROVED))?;
    if !is_audience(state, std::slice::from_ref(&person.tenant), audience) {
        return Err(refused("invalid_grant", "audience is invalid"));
    }
    match assertion.is_living(now) {
        Some(true) => check_once(state, &assertion)?,
        Some(false) => return Err(refused("invalid_grant", "expired authorization code")),
        None => return Err(invalid()),
    }
    let app = registry::app(state, &person.tenant, issuer).map_err(Denied::at_token)?;
    person.tenant.admit(&person.user, &app, Flow::JwtBearer).map_err(Denied::at_token)?;
    check_approval(&person, &app)?;
    Ok((person, app))
}

const NOT_APPROVED: &str = "user hasn't approved this consumer";

/// Whether one of the orgs takes the audience: its own address, the login address, or the public login host of its
/// kind.
fn is_audience(state: &State, tenants: &[Arc<Tenant>], audience: &str) -> bool {
    let host = audience.trim_end_matches('/').trim_end_matches("/services/oauth2/token");
    let public = |tenant: &Tenant| if tenant.is_sandbox() { SANDBOX } else { PRODUCTION };
    host == state.base_url
        || host == state.login_url
        || tenants.iter().any(|tenant| host == tenant.instance_url() || host == public(tenant))
}

fn person(state: &State, username: &str) -> Option<Person> {
    state.tenants().iter().find_map(|tenant| {
        let user = tenant.user(username)?;
        Some(Person { tenant: tenant.clone(), user: Arc::new(user) })
    })
}

/// Without an administrator's approval the user must have given one that allows requests at any time.
fn check_approval(person: &Person, app: &App) -> Result<(), OauthError> {
    if app.admin_approved_only || app.jwt_without_approval {
        return Ok(());
    }
    let approved = person.tenant.approved(&person.user, &app.client_id).unwrap_or_default();
    if approved.contains("refresh_token") { Ok(()) } else { Err(refused("invalid_grant", NOT_APPROVED)) }
}

/// An assertion with a `jti` is good once.
fn check_once(state: &State, assertion: &Unverified<'_>) -> Result<(), OauthError> {
    let expiry = assertion.expiry().unwrap_or_default().saturating_add(SKEW_SECONDS);
    let used = assertion.text("jti").is_some_and(|jti| !lock(&state.desk).is_new_assertion(jti, expiry));
    if used { Err(refused("bad_jti_claim", "jti claim has been used before")) } else { Ok(()) }
}

/// Checks a client assertion, which stands in place of a secret.
pub(super) fn check_client(state: &State, app: &App, assertion: &str) -> Result<(), OauthError> {
    let wrong = || refused("invalid_client", "invalid client credentials");
    let assertion = unverified(assertion).ok_or_else(wrong)?;
    let own = assertion.text("iss") == Some(&app.client_id) && assertion.text("sub") == Some(&app.client_id);
    let living = assertion.is_living(chrono::Utc::now().timestamp()) == Some(true);
    let here = assertion.text("aud").is_some_and(|audience| is_audience(state, state.tenants(), audience));
    let fits = own && living && here && assertion.is_signed_by(app);
    if fits { Ok(()) } else { Err(wrong()) }
}

fn part(text: &str) -> Option<Value> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()?).ok()
}
