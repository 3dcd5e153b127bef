//! What a client is given: tokens, and the object that names them.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::Utc;
use hmac::{Hmac, Mac};
use serde::Serialize;
use sha2::Sha256;

use super::denied::{Denied, OauthError};
use super::desk::{Ask, Person};
use super::registry;
use super::sessions::{Grant, Refreshed};
use super::tenant::Tenant;
use super::token::app_scopes;
use super::wording::text;
use super::{openid, scopes};
use crate::access::{App, TokenFormat};
use crate::server::{State, lock};

/// The success object; recorded field sets differ by flow.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Granted {
    access_token: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
    instance_url: String,
    id: String,
    token_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    issued_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    api_instance_url: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_format: Option<&'static str>,
}

/// Seen in recorded client-credentials answers beside the instance URL.
const API_INSTANCE_URL: &str = "https://api.salesforce.com";

impl Granted {
    /// As the JWT bearer flow answers: neither signature nor time.
    pub(super) fn bare(self) -> Granted {
        Granted { signature: None, issued_at: None, ..self }
    }

    /// As the client credentials flow answers: with keys that clients need not know.
    pub(super) fn with_format(self, app: &App) -> Granted {
        let format = match app.token_format {
            TokenFormat::Opaque => "opaque",
            TokenFormat::Jwt => "jwt",
        };
        Granted { api_instance_url: Some(API_INSTANCE_URL), token_format: Some(format), ..self }
    }

    /// As the password flow answers.
    pub(super) fn without_scope(self) -> Granted {
        Granted { scope: None, ..self }
    }
}

/// Tokens with a refresh token and an id token where the scopes have them.
pub(super) fn with_refresh(
    state: &State,
    person: &Person,
    app: &App,
    scopes: Vec<String>,
    nonce: Option<String>,
) -> Granted {
    let grant = grant(person, app, scopes);
    let refresh = grant.has("refresh_token").then(|| lock(&person.tenant.sessions).issue_refresh(&grant));
    let family = refresh.as_ref().map(|(_, family)| *family);
    let mut granted = granted(state, &person.tenant, app, &grant, family);
    granted.refresh_token = refresh.map(|(token, _)| token);
    granted.id_token = id_token(state, app, &grant, nonce, &granted.access_token);
    granted
}

/// An access token alone, with all scopes of the app.
pub(super) fn without_refresh(state: &State, person: &Person, app: &App) -> Result<Granted, OauthError> {
    person.tenant.count_login(&person.user).map_err(Denied::at_token)?;
    let grant = grant(person, app, app_scopes(app));
    Ok(granted(state, &person.tenant, app, &grant, None))
}

/// The answer to a refresh; the refresh token is named only when it is a new one.
pub(super) fn refreshed(state: &State, tenant: &Tenant, app: &App, refreshed: Refreshed) -> Granted {
    let mut granted = granted(state, tenant, app, &refreshed.grant, Some(refreshed.family));
    granted.refresh_token = refreshed.next;
    granted.id_token = id_token(state, app, &refreshed.grant, None, &granted.access_token);
    granted
}

/// The parameters of the user-agent flow's fragment.
pub(super) fn fragment(
    state: &State,
    person: &Person,
    ask: &Ask,
    scopes: Vec<String>,
    id_token: bool,
) -> Vec<(String, String)> {
    let Ok(app) = registry::app(state, &person.tenant, &ask.client_id) else { return Vec::new() };
    let mut granted = with_refresh(state, person, &app, scopes, ask.nonce.clone());
    if !id_token {
        granted.id_token = None;
    }
    let value = serde_json::to_value(&granted).unwrap_or_default();
    value.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), text(value))).collect()
}

fn grant(person: &Person, app: &App, scopes: Vec<String>) -> Arc<Grant> {
    let client_id = Some(app.client_id.clone());
    Arc::new(Grant { user: person.user.clone(), client_id, scopes, restricted: false })
}

fn granted(state: &State, tenant: &Tenant, app: &App, grant: &Arc<Grant>, family: Option<u64>) -> Granted {
    let id = grant.user.identity_url(&state.login_url);
    let issued_at = Utc::now().timestamp_millis().to_string();
    let secret = app.client_secret.as_deref().unwrap_or_default();
    Granted {
        signature: Some(signature(secret, &id, &issued_at)),
        access_token: access_token(state, tenant, app, grant, family),
        refresh_token: None,
        scope: Some(grant.scopes.join(" ")),
        id_token: None,
        instance_url: tenant.instance_url().to_owned(),
        id,
        token_type: "Bearer",
        issued_at: Some(issued_at),
        api_instance_url: None,
        token_format: None,
    }
}

fn access_token(state: &State, tenant: &Tenant, app: &App, grant: &Arc<Grant>, family: Option<u64>) -> String {
    let mut sessions = lock(&tenant.sessions);
    match app.token_format {
        TokenFormat::Opaque => sessions.issue(grant, family),
        TokenFormat::Jwt => {
            let id = sessions.token_id();
            let token = openid::access_token(state, tenant, grant, &id);
            sessions.insert(token, grant, family)
        }
    }
}

fn id_token(state: &State, app: &App, grant: &Grant, nonce: Option<String>, access_token: &str) -> Option<String> {
    grant.has("openid").then(|| openid::id_token(state, app, grant, nonce, access_token))
}

/// Base64 of HMAC-SHA256 over id and issued_at with the client secret as the key.
fn signature(client_secret: &str, id: &str, issued_at: &str) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(client_secret.as_bytes()) else {
        return String::new();
    };
    mac.update(id.as_bytes());
    mac.update(issued_at.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

/// Scopes of the tokens that an emulator hands out at its start.
pub(crate) fn first_grant(tenant: &Tenant) -> Arc<Grant> {
    let client_id = tenant.options.account.client_id.clone();
    let app = tenant.app(&client_id);
    let scopes = app.map(|app| scopes::granted(None, &app.scopes).unwrap_or_default()).unwrap_or_default();
    Arc::new(Grant { user: tenant.default_user(), client_id: Some(client_id), scopes, restricted: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_the_hmac_of_id_and_time() {
        // Expected value: printf https://x/id/1/21609942615640 | openssl dgst -sha256 -hmac secret -binary | base64
        let expected = "POnpvrnx7h3h9WQb+dDwAnPeFtXMkkPp1EQlcEf+T80=";
        assert_eq!(signature("secret", "https://x/id/1/2", "1609942615640"), expected);
    }
}
