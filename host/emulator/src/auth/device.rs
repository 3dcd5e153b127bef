//! The device flow: the first leg at the token endpoint, the page on which the code is typed, the polls.

use chrono::Utc;
use serde::Serialize;

use super::denied::{Denied, OauthError, refused};
use super::desk::{Answer, Ask, Device, Verdict};
use super::form::Fields;
use super::grants::{self, Granted};
use super::scopes::{self, ScopeError};
use super::{authorize, client, login, pages, registry};
use crate::access::{App, Flow, Policy};
use crate::server::{Call, Reply, State, lock};

/// The answer to the first leg; there is no `expires_in`.
#[derive(Serialize)]
pub(super) struct Started {
    device_code: String,
    user_code: String,
    verification_uri: String,
    interval: u64,
}

fn policy(state: &State) -> Policy {
    state.tenants().first().map(|tenant| tenant.options.policy.clone()).unwrap_or_default()
}

/// The first leg: `response_type=device_code`.
pub(super) fn start(state: &State, fields: &Fields) -> Result<Started, OauthError> {
    let client_id = fields.get("client_id").unwrap_or_default();
    let app = registry::any_app(state, client_id).ok_or_else(|| Denied::UnknownClient.at_token())?;
    if app.flows_off.contains(&Flow::Device) {
        return Err(Denied::FlowOff.at_token());
    }
    check_scope(&app, fields.get("scope"))?;
    let (device_code, device) = lock(&state.desk).add_device(client_id, fields.get("scope"));
    Ok(Started {
        device_code,
        user_code: device.user_code,
        verification_uri: format!("{}{}", state.base_url, pages::CONNECT),
        interval: policy(state).device_interval_seconds,
    })
}

fn check_scope(app: &App, scope: Option<&str>) -> Result<(), OauthError> {
    match scopes::granted(scope, &app.scopes) {
        Err(ScopeError::Unknown | ScopeError::NotOnApp) => {
            Err(refused("invalid_scope", "the requested scope is invalid, unknown, or malformed"))
        }
        Ok(_) => Ok(()),
    }
}

/// A poll: `grant_type=device`.
pub(super) fn poll(state: &State, call: &Call, fields: &Fields) -> Result<Granted, OauthError> {
    let client = client::read(call, fields)?;
    let app = registry::any_app(state, &client.id).ok_or_else(|| Denied::UnknownClient.at_token())?;
    client.check(state, &app, false)?;
    let code = fields.get("code").unwrap_or_default();
    let mut desk = lock(&state.desk);
    let device = desk.device(code).filter(|device| device.client_id == client.id);
    let device = device.ok_or_else(|| refused("invalid_grant", "invalid device code"))?;
    let policy = policy(state);
    if device.is_over(policy.device_seconds) {
        desk.forget_device(code);
        return Err(refused("invalid_grant", "expired device code"));
    }
    let early = is_early(device, policy.device_interval_seconds);
    device.polled = Some(Utc::now());
    let verdict = device.verdict.clone();
    if !matches!(verdict, Verdict::Pending) {
        desk.forget_device(code);
    }
    drop(desk);
    match verdict {
        Verdict::Pending if early => Err(refused("slow_down", "polling too frequently")),
        Verdict::Pending => Err(refused("authorization_pending", "authorization request is pending")),
        Verdict::Denied => Err(refused("access_denied", "end-user denied authorization")),
        Verdict::Allowed { person, .. } if !state.serves(&person.tenant) => {
            Err(refused("invalid_grant", "invalid device code"))
        }
        Verdict::Allowed { person, scopes } => {
            let app = registry::app(state, &person.tenant, &client.id).map_err(Denied::at_token)?;
            person.tenant.admit(&person.user, &app, Flow::Device).map_err(Denied::at_token)?;
            Ok(grants::with_refresh(state, &person, &app, scopes, None))
        }
    }
}

/// Whether a poll comes before its time; a tenth of the pause is left to clocks and networks.
fn is_early(device: &Device, interval_seconds: u64) -> bool {
    let least = i64::try_from(interval_seconds.saturating_mul(900)).unwrap_or(i64::MAX);
    device.polled.is_some_and(|polled| (Utc::now() - polled).num_milliseconds() < least)
}

/// `/setup/connect`: where a person types the code of the device.
pub(crate) fn connect(state: &State, call: &Call) -> Reply {
    let fields = Fields::of(call);
    let typed = fields.get("user_code").unwrap_or_default();
    let sent = fields.get("connect").is_some();
    if typed.is_empty() || !sent {
        return pages::connect(typed, sent.then_some("Enter the code that your device shows."));
    }
    let found = lock(&state.desk).device_of(typed);
    let found = found.filter(|(_, device)| !device.is_over(policy(state).device_seconds));
    let Some((code, device)) = found.filter(|(_, device)| matches!(device.verdict, Verdict::Pending)) else {
        return pages::connect(typed, Some("That code is not valid, or it has expired. Check it and try again."));
    };
    let Some(person) = login::person(state, call) else {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("user_code", typed)
            .append_pair("connect", "Connect")
            .finish();
        return login::ask(&format!("{}?{query}", pages::CONNECT), None, None);
    };
    let ask = Ask {
        client_id: device.client_id,
        redirect_uri: String::new(),
        answer: Answer::Device(code),
        scope: device.scope,
        state: None,
        nonce: None,
        challenge: None,
    };
    authorize::decide(state, person, ask, false, true)
}
