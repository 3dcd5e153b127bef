//! Revocation, introspection, userinfo and the identity URL.

use http::{Method, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};

use super::form;
use super::oauth::{SCOPE, check_client};
use crate::ids::short;
use crate::server::{Call, Reply, State, lock};

/// `/services/oauth2/revoke`, by POST or GET; no client authentication.
pub(crate) fn revoke(state: &State, call: &Call) -> Reply {
    let fields = form::fields(call);
    let token = fields.get("token").or_else(|| call.param("token")).unwrap_or_default();
    let known = lock(&state.sessions).revoke(token);
    if let Some(callback) = call.param("callback").filter(|_| call.method == Method::GET) {
        let result = if known { "{}" } else { r#"{"error":"invalid_token"}"# };
        return Reply::text(StatusCode::OK, "text/javascript;charset=UTF-8", format!("{callback}({result});"));
    }
    if known {
        return Reply::empty(StatusCode::OK);
    }
    // Clients read this one as a form, not as JSON.
    Reply::text(
        StatusCode::BAD_REQUEST,
        "application/x-www-form-urlencoded;charset=UTF-8",
        "error=invalid_token&error_description=invalid%20token%3A%20the%20token%20is%20unknown%20or%20expired",
    )
    .uncompressed()
}

/// RFC 7662 answer for a living token.
#[derive(Serialize)]
struct Introspection<'a> {
    active: bool,
    scope: &'a str,
    client_id: &'a str,
    username: &'a str,
    sub: String,
    token_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iat: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nbf: Option<i64>,
}

/// `POST /services/oauth2/introspect`.
pub(crate) fn introspect(state: &State, call: &Call) -> Reply {
    let fields = form::fields(call);
    if let Err(error) = check_client(state, call, &fields) {
        return Reply::json(StatusCode::BAD_REQUEST, &error).uncompressed();
    }
    let token = fields.get("token").unwrap_or_default();
    let sessions = lock(&state.sessions);
    let times = sessions.get(token).map(|s| (s.expires().timestamp(), s.issued.timestamp()));
    if times.is_none() && !sessions.is_refresh_live(token) {
        return Reply::ok(&json!({"active": false})).uncompressed();
    }
    Reply::ok(&Introspection {
        active: true,
        scope: SCOPE,
        client_id: &state.options.account.client_id,
        username: &state.user.username,
        sub: state.user.identity_url(&state.base_url),
        token_type: if times.is_some() { "access_token" } else { "refresh_token" },
        exp: times.map(|t| t.0),
        iat: times.map(|t| t.1),
        nbf: times.map(|t| t.1),
    })
    .uncompressed()
}

/// Refuses in the manner of userinfo and the identity URL: 403 and plain text.
fn refuse(state: &State, call: &Call) -> Option<Reply> {
    let text = match call.token() {
        None => "Missing_OAuth_Token",
        Some(token) if lock(&state.sessions).is_live(token) => return None,
        Some(_) => "Bad_OAuth_Token",
    };
    Some(Reply::text(StatusCode::FORBIDDEN, "text/plain", text).uncompressed())
}

/// `/services/oauth2/userinfo`, the OpenID claims.
pub(crate) fn userinfo(state: &State, call: &Call) -> Reply {
    if let Some(refused) = refuse(state, call) {
        return refused;
    }
    let user = &state.user;
    Reply::ok(&json!({
        "sub": user.identity_url(&state.base_url),
        "user_id": user.id,
        "organization_id": user.organization_id,
        "preferred_username": user.username,
        "nickname": user.last_name,
        "name": user.full_name(),
        "email": user.email,
        "email_verified": true,
        "given_name": user.first_name,
        "family_name": user.last_name,
        "zoneinfo": "GMT",
        "photos": photos(&state.base_url),
        "profile": format!("{}/{}", state.base_url, user.id),
        "picture": format!("{}/profilephoto/005/F", state.base_url),
        "address": {},
        "urls": urls(state),
        "active": true,
        "user_type": "STANDARD",
        "language": "en_US",
        "locale": "en_US",
        "utcOffset": 0,
        "updated_at": state.started.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
    }))
}

/// `GET /id/ORG/USER`.
pub(crate) fn identity(state: &State, call: &Call, organization: &str, id: &str) -> Reply {
    if let Some(refused) = refuse(state, call) {
        return refused;
    }
    let user = &state.user;
    if short(organization) != short(&user.organization_id) || short(id) != short(&user.id) {
        return Reply::text(StatusCode::NOT_FOUND, "text/plain", "Bad_Id").uncompressed();
    }
    Reply::ok(&json!({
        "id": user.identity_url(&state.base_url),
        "asserted_user": true,
        "user_id": user.id,
        "organization_id": user.organization_id,
        "username": user.username,
        "nick_name": user.last_name,
        "display_name": user.full_name(),
        "email": user.email,
        "email_verified": true,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "timezone": "GMT",
        "photos": photos(&state.base_url),
        "addr_street": null,
        "addr_city": null,
        "addr_state": null,
        "addr_country": null,
        "addr_zip": null,
        "mobile_phone": null,
        "mobile_phone_verified": false,
        "is_lightning_login_user": false,
        "status": {"created_date": null, "body": null},
        "urls": urls(state),
        "active": true,
        "user_type": "STANDARD",
        "language": "en_US",
        "locale": "en_US",
        "utcOffset": 0,
        "last_modified_date": state.started.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "is_app_installed": true,
    }))
}

fn photos(base: &str) -> Value {
    json!({
        "picture": format!("{base}/profilephoto/005/F"),
        "thumbnail": format!("{base}/profilephoto/005/T"),
    })
}

/// The URLs of the org, with the literal `{version}` that clients replace.
fn urls(state: &State) -> Value {
    let (base, organization) = (&state.base_url, &state.user.organization_id);
    json!({
        "enterprise": format!("{base}/services/Soap/c/{{version}}/{organization}"),
        "metadata": format!("{base}/services/Soap/m/{{version}}/{organization}"),
        "partner": format!("{base}/services/Soap/u/{{version}}/{organization}"),
        "rest": format!("{base}/services/data/v{{version}}/"),
        "sobjects": format!("{base}/services/data/v{{version}}/sobjects/"),
        "search": format!("{base}/services/data/v{{version}}/search/"),
        "query": format!("{base}/services/data/v{{version}}/query/"),
        "recent": format!("{base}/services/data/v{{version}}/recent/"),
        "tooling_soap": format!("{base}/services/Soap/T/{{version}}/{organization}"),
        "tooling_rest": format!("{base}/services/data/v{{version}}/tooling/"),
        "profile": format!("{base}/{}", state.user.id),
        "feeds": format!("{base}/services/data/v{{version}}/chatter/feeds"),
        "groups": format!("{base}/services/data/v{{version}}/chatter/groups"),
        "users": format!("{base}/services/data/v{{version}}/chatter/users"),
        "feed_items": format!("{base}/services/data/v{{version}}/chatter/feed-items"),
        "feed_elements": format!("{base}/services/data/v{{version}}/chatter/feed-elements"),
        "custom_domain": base,
    })
}
