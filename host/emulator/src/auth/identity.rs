//! Revocation, introspection, userinfo and the identity URL.

use std::sync::Arc;

use http::{Method, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};

use super::denied::Denied;
use super::form::{self, Fields};
use super::sessions::Grant;
use super::tenant::Tenant;
use super::user::User;
use super::{client, registry};
use crate::ids::short;
use crate::server::{Call, Reply, State, lock};

/// `/services/oauth2/revoke`, by POST or GET; no client authentication.
pub(crate) fn revoke(state: &State, call: &Call) -> Reply {
    let fields = Fields::of(call);
    if let Some(elsewhere) = at_its_org(state, fields.get("token").unwrap_or_default()) {
        return elsewhere;
    }
    let error = match (fields.get("token"), fields.get("token_type_hint")) {
        (_, Some(hint)) if !matches!(hint, "access_token" | "refresh_token" | "") => "unsupported_token_type",
        (Some(token), _) if revoke_anywhere(state, token) => "",
        _ => "invalid_token",
    };
    if let Some(callback) = call.param("callback").filter(|_| call.method == Method::GET) {
        let result = if error.is_empty() { json!({}) } else { json!({"error": error}) };
        return Reply::text(StatusCode::OK, "text/javascript;charset=UTF-8", format!("{callback}({result});"));
    }
    if error.is_empty() {
        return Reply::empty(StatusCode::OK);
    }
    let description = match error {
        "invalid_token" => "invalid%20token%3A%20the%20token%20is%20unknown%20or%20expired",
        _ => "this%20token%20type%20is%20not%20supported",
    };
    // Clients read this one as a form, not as JSON.
    Reply::text(
        StatusCode::BAD_REQUEST,
        "application/x-www-form-urlencoded;charset=UTF-8",
        format!("error={error}&error_description={description}"),
    )
    .uncompressed()
}

/// The login address of several orgs sends the client on to the org of the token.
fn at_its_org(state: &State, token: &str) -> Option<Reply> {
    if state.own().is_some() {
        return None;
    }
    let tenant = state.tenants().iter().find(|tenant| lock(&tenant.sessions).knows(token))?;
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("token", token).finish();
    Some(super::login::redirect(&format!("{}/services/oauth2/revoke?{query}", tenant.instance_url())))
}

fn revoke_anywhere(state: &State, token: &str) -> bool {
    state.tenants().iter().any(|tenant| lock(&tenant.sessions).revoke(token))
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
    let checked = client::read(call, &fields).and_then(|client| {
        let app = registry::any_app(state, &client.id).ok_or_else(|| Denied::UnknownClient.at_token())?;
        client.check(state, &app, true)
    });
    if let Err(error) = checked {
        return Reply::json(StatusCode::BAD_REQUEST, &error).uncompressed();
    }
    let token = fields.get("token").unwrap_or_default();
    let found = state.tenants().iter().find_map(|tenant| living(state, tenant, token));
    found.unwrap_or_else(|| Reply::ok(&json!({"active": false}))).uncompressed()
}

/// What is said of a token of this org, if it lives.
fn living(state: &State, tenant: &Tenant, token: &str) -> Option<Reply> {
    let sessions = lock(&tenant.sessions);
    let session = sessions.get(token);
    let grant = session.map(|session| &session.grant);
    let grant = grant.or_else(|| sessions.refresh_token(token).map(|token| &token.grant))?;
    let times = session.map(|session| (sessions.expires(session).timestamp(), session.issued.timestamp()));
    Some(Reply::ok(&Introspection {
        active: true,
        scope: &grant.scopes.join(" "),
        client_id: grant.client_id.as_deref().unwrap_or_default(),
        username: &grant.user.username,
        sub: grant.user.identity_url(&state.login_url),
        token_type: if times.is_some() { "access_token" } else { "refresh_token" },
        exp: times.map(|t| t.0),
        iat: times.map(|t| t.1),
        nbf: times.map(|t| t.1),
    }))
}

/// Whose token it is; else the text of the refusal.
fn bearer(state: &State, call: &Call) -> Result<(Arc<Tenant>, Arc<Grant>), &'static str> {
    let fields = Fields::of(call);
    let sent = call.token().or_else(|| fields.get("access_token")).or_else(|| fields.get("oauth_token"));
    let token = sent.ok_or("Missing_OAuth_Token")?;
    let found = state.tenants().iter().find_map(|tenant| {
        let session = lock(&tenant.sessions).touch(token)?;
        Some((tenant.clone(), session.grant))
    });
    found.filter(|(_, grant)| !grant.restricted).ok_or("Bad_OAuth_Token")
}

/// Refuses in the manner of userinfo and the identity URL: 403 and plain text.
fn refuse(text: &str) -> Reply {
    Reply::text(StatusCode::FORBIDDEN, "text/plain", text).uncompressed()
}

/// `/services/oauth2/userinfo`, the OpenID claims.
pub(crate) fn userinfo(state: &State, call: &Call) -> Reply {
    let (tenant, grant) = match bearer(state, call) {
        Ok(found) => found,
        Err(text) => return refuse(text),
    };
    let (user, base) = (&grant.user, tenant.instance_url());
    Reply::ok(&json!({
        "sub": user.identity_url(&state.login_url),
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
        "photos": photos(base),
        "profile": format!("{base}/{}", user.id),
        "picture": format!("{base}/profilephoto/005/F"),
        "address": {},
        "urls": urls(base, user),
        "active": true,
        "user_type": "STANDARD",
        "language": "en_US",
        "locale": "en_US",
        "utcOffset": 0,
        "updated_at": state.started.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "is_app_installed": true,
    }))
}

/// `GET /id/ORG/USER`.
pub(crate) fn identity(state: &State, call: &Call, organization: &str, id: &str) -> Reply {
    let (tenant, grant) = match bearer(state, call) {
        Ok(found) => found,
        Err(text) => return refuse(text),
    };
    let (user, base) = (&grant.user, tenant.instance_url());
    if short(organization) != short(&user.organization_id) || short(id) != short(&user.id) {
        return Reply::text(StatusCode::NOT_FOUND, "text/plain", "Bad_Id").uncompressed();
    }
    Reply::ok(&json!({
        "id": user.identity_url(&state.login_url),
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
        "photos": photos(base),
        "addr_street": null,
        "addr_city": null,
        "addr_state": null,
        "addr_country": null,
        "addr_zip": null,
        "mobile_phone": null,
        "mobile_phone_verified": false,
        "is_lightning_login_user": false,
        "status": {"created_date": null, "body": null},
        "urls": urls(base, user),
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
fn urls(base: &str, user: &User) -> Value {
    let organization = &user.organization_id;
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
        "profile": format!("{base}/{}", user.id),
        "feeds": format!("{base}/services/data/v{{version}}/chatter/feeds"),
        "groups": format!("{base}/services/data/v{{version}}/chatter/groups"),
        "users": format!("{base}/services/data/v{{version}}/chatter/users"),
        "feed_items": format!("{base}/services/data/v{{version}}/chatter/feed-items"),
        "feed_elements": format!("{base}/services/data/v{{version}}/chatter/feed-elements"),
        "custom_domain": base,
    })
}
