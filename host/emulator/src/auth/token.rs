//! `POST /services/oauth2/token`: every grant, and the first leg of the device flow.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Utc;
use http::header::SET_COOKIE;
use http::{Method, StatusCode};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::denied::{Denied, OauthError, refused};
use super::desk::{Answer, Challenge, Code, Person, is_over};
use super::form::{self, Fields};
use super::grants::{self, Granted};
use super::wording::Format;
use super::{client, device, jwt, registry, scopes};
use crate::access::{App, AppKind, Flow};
use crate::server::{Call, Reply, State, lock};

/// The browser's mark that real answers set, whoever asks.
const BROWSER_ID: &str = "BrowserId=emulated000000000000AA; domain=127.0.0.1; path=/; Max-Age=31536000";

/// Answers the token endpoint.
pub(crate) fn token(state: &State, call: &Call) -> Reply {
    let fields = form::fields(call);
    let format = Format::of(&fields, call);
    if call.method == Method::POST && fields.get("response_type") == Some("device_code") {
        return answer(format, device::start(state, &fields)).with(SET_COOKIE, BROWSER_ID);
    }
    answer(format, grant(state, call, &fields)).with(SET_COOKIE, BROWSER_ID)
}

/// Every OAuth error is a 400, also a wrong secret.
fn answer(format: Format, answer: Result<impl Serialize, OauthError>) -> Reply {
    match answer {
        Ok(granted) => format.reply(StatusCode::OK, &granted),
        Err(error) => format.reply(StatusCode::BAD_REQUEST, &error),
    }
}

fn grant(state: &State, call: &Call, fields: &Fields) -> Result<Granted, OauthError> {
    if call.method != Method::POST {
        return Err(refused("invalid_request", "must use HTTP POST"));
    }
    match fields.get("grant_type") {
        Some("authorization_code") => code(state, call, fields),
        Some("refresh_token") => refresh(state, call, fields),
        Some("client_credentials") => client_credentials(state, call, fields),
        Some("password") => password(state, call, fields),
        Some("device") => device::poll(state, call, fields),
        Some(jwt::GRANT) => {
            let (person, app) = jwt::check(state, fields, Utc::now().timestamp())?;
            Ok(grants::without_refresh(state, &person, &app)?.bare())
        }
        _ => Err(refused("unsupported_grant_type", "grant type not supported")),
    }
}

fn code(state: &State, call: &Call, fields: &Fields) -> Result<Granted, OauthError> {
    let client = client::read(call, fields)?;
    let app = registry::any_app(state, &client.id).ok_or_else(|| Denied::UnknownClient.at_token())?;
    let sent = fields.get("code").unwrap_or_default();
    let invalid = || refused("invalid_grant", "invalid authorization code");
    let mut desk = lock(&state.desk);
    let here = |code: &&Code| code.ask.client_id == client.id && state.serves(&code.person.tenant);
    let code = desk.code(sent).filter(here).ok_or_else(invalid)?;
    // Tokens of a confidential client need its secret; PKCE alone is enough where the app says so.
    client.check(state, &app, app.secret_required)?;
    let redirect_uri = fields.get("redirect_uri").unwrap_or_default();
    if redirect_uri.is_empty() {
        return Err(refused("redirect_uri_missing", "redirect_uri not provided"));
    }
    if redirect_uri != code.ask.redirect_uri {
        return Err(refused("redirect_uri_mismatch", "redirect_uri must match configuration"));
    }
    verify(code.ask.challenge.as_ref(), fields.get("code_verifier"))?;
    let code = desk.take_code(sent).ok_or_else(invalid)?;
    drop(desk);
    if is_over(code.issued, code.person.tenant.options.policy.code_seconds) {
        return Err(refused("invalid_grant", "expired authorization code"));
    }
    let app = admitted(state, &code.person, &client.id, Flow::WebServer)?;
    debug_assert_eq!(code.ask.answer, Answer::Code);
    Ok(grants::with_refresh(state, &code.person, &app, code.scopes, code.ask.nonce))
}

/// Holds the verifier against the challenge: absent is another error than wrong.
fn verify(challenge: Option<&Challenge>, verifier: Option<&str>) -> Result<(), OauthError> {
    let Some(challenge) = challenge else { return Ok(()) };
    let verifier = verifier.filter(|verifier| !verifier.is_empty());
    let verifier = verifier.ok_or_else(|| refused("invalid_grant", "missing required code verifier"))?;
    let computed =
        if challenge.plain { verifier.to_owned() } else { URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes())) };
    if computed == challenge.value { Ok(()) } else { Err(refused("invalid_request", "invalid code verifier")) }
}

fn refresh(state: &State, call: &Call, fields: &Fields) -> Result<Granted, OauthError> {
    let client = client::read(call, fields)?;
    let known = registry::any_app(state, &client.id).ok_or_else(|| Denied::UnknownClient.at_token())?;
    client.check(state, &known, known.refresh_secret_required)?;
    let expired = || refused("invalid_grant", "expired access/refresh token");
    let sent = fields.get("refresh_token").unwrap_or_default();
    let tenant =
        state.tenants().iter().find(|tenant| lock(&tenant.sessions).knows_refresh(sent)).ok_or_else(expired)?;
    let app = registry::app(state, tenant, &client.id).map_err(Denied::at_token)?;
    let user = lock(&tenant.sessions).refresh_token(sent).map(|token| token.grant.user.clone());
    if let Some(user) = user {
        tenant.admit(&user, &app, Flow::RefreshToken).map_err(Denied::at_token)?;
    }
    let rotation = tenant.options.rotation || app.rotation;
    let refreshed = lock(&tenant.sessions).refresh(sent, &client.id, rotation, app.refresh_seconds);
    let refreshed = refreshed.ok_or_else(expired)?;
    tenant.count_refresh();
    Ok(grants::refreshed(state, tenant, &app, refreshed))
}

fn client_credentials(state: &State, call: &Call, fields: &Fields) -> Result<Granted, OauthError> {
    let client = client::read(call, fields)?;
    let known = registry::any_app(state, &client.id).ok_or_else(|| Denied::UnknownClient.at_token())?;
    client.check(state, &known, true)?;
    if !client.is_proven() {
        return Err(Denied::WrongSecret.at_token());
    }
    let tenant = state.my_domain().ok_or_else(|| refused("invalid_grant", "request not supported on this domain"))?;
    let app = registry::app(state, tenant, &client.id).map_err(Denied::at_token)?;
    let user = app.run_as.as_deref().and_then(|name| tenant.user(name));
    let user = user.ok_or_else(|| refused("invalid_grant", "no client credentials user enabled"))?;
    tenant.admit(&user, &app, Flow::ClientCredentials).map_err(Denied::at_token)?;
    let person = Person { tenant: tenant.clone(), user: Arc::new(user) };
    Ok(grants::without_refresh(state, &person, &app)?.with_format(&app))
}

/// Whatever is wrong beside the client, the words are the same; only the login history knows more.
fn password(state: &State, call: &Call, fields: &Fields) -> Result<Granted, OauthError> {
    let client = client::read(call, fields)?;
    let known = registry::any_app(state, &client.id).ok_or_else(|| Denied::UnknownClient.at_token())?;
    client.check(state, &known, true)?;
    let failure = || refused("invalid_grant", "authentication failure");
    let (username, password) = (fields.get("username"), fields.get("password"));
    let (username, password) = (username.unwrap_or_default(), password.unwrap_or_default());
    let person = state.tenants().iter().find_map(|tenant| {
        let user = tenant.by_password(username, password)?;
        Some(Person { tenant: tenant.clone(), user: Arc::new(user) })
    });
    let person = person.ok_or_else(failure)?;
    let access = person.tenant.access(&person.user);
    if !person.tenant.options.policy.password_flow || known.kind == AppKind::External || access.password_expired {
        return Err(failure());
    }
    let app = admitted(state, &person, &client.id, Flow::Password)?;
    Ok(grants::without_refresh(state, &person, &app)?.without_scope())
}

fn admitted(state: &State, person: &Person, client_id: &str, flow: Flow) -> Result<Arc<App>, OauthError> {
    let app = registry::app(state, &person.tenant, client_id).map_err(Denied::at_token)?;
    person.tenant.admit(&person.user, &app, flow).map_err(Denied::at_token)?;
    Ok(app)
}

/// The scopes of flows in which nobody asks for any.
pub(super) fn app_scopes(app: &App) -> Vec<String> {
    scopes::granted(None, &app.scopes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verifiers_fit_missing_or_are_wrong() {
        // RFC 7636, appendix B.
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let s256 = Challenge { value: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM".to_owned(), plain: false };
        let plain = Challenge { value: verifier.to_owned(), plain: true };
        for challenge in [&s256, &plain] {
            assert_eq!(verify(Some(challenge), Some(verifier)), Ok(()));
            assert_eq!(verify(Some(challenge), Some("wrong")).unwrap_err().error, "invalid_request");
            assert_eq!(verify(Some(challenge), None).unwrap_err().error, "invalid_grant");
        }
        assert_eq!(verify(None, None), Ok(()));
    }
}
