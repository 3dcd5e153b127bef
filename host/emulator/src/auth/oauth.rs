//! `POST /services/oauth2/token`: client credentials, JWT bearer, refresh token, username and password.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::Utc;
use hmac::{Hmac, Mac};
use http::header::{ACCEPT, AUTHORIZATION, CACHE_CONTROL};
use http::{Method, StatusCode};
use serde::Serialize;
use sha2::Sha256;

use super::{form, jwt};
use crate::server::{Call, NO_CACHE, Reply, State, lock};

/// Scopes of every token.
pub(crate) const SCOPE: &str = "refresh_token api full";

/// The success object; recorded field set of the client-credentials and refresh flows.
#[derive(Serialize)]
struct TokenReply {
    access_token: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'static str>,
    instance_url: String,
    id: String,
    token_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    issued_at: Option<String>,
}

#[derive(Serialize)]
pub(super) struct OauthError {
    pub(super) error: String,
    pub(super) error_description: String,
}

pub(super) fn refused(error: &str, description: &str) -> OauthError {
    OauthError { error: error.to_owned(), error_description: description.to_owned() }
}

/// Answers the token endpoint.
pub(crate) fn token(state: &State, call: &Call) -> Reply {
    let fields = form::fields(call);
    let format = Format::of(&fields, call);
    let reply = match grant(state, call, &fields) {
        Ok(granted) => format.reply(StatusCode::OK, "OAuth", &granted),
        // Every OAuth error is a 400, also a wrong secret.
        Err(error) => format.reply(StatusCode::BAD_REQUEST, "OAuth", &error),
    };
    reply.with(CACHE_CONTROL, NO_CACHE)
}

fn grant(state: &State, call: &Call, fields: &form::Fields) -> Result<TokenReply, OauthError> {
    if call.method != Method::POST {
        return Err(refused("invalid_request", "must use HTTP POST"));
    }
    match fields.get("grant_type") {
        Some("client_credentials") => {
            check_client(state, call, fields)?;
            Ok(granted(state, lock(&state.sessions).issue(), None, Some(SCOPE)))
        }
        Some("refresh_token") => {
            check_client(state, call, fields)?;
            let token = fields.get("refresh_token").unwrap_or_default();
            let (access, next) = lock(&state.sessions)
                .refresh(token, state.options.rotation)
                .ok_or_else(|| refused("invalid_grant", "expired access/refresh token"))?;
            Ok(granted(state, access, next, Some(SCOPE)))
        }
        Some(jwt::GRANT) => {
            jwt::check(state, fields, Utc::now().timestamp())?;
            let granted = granted(state, lock(&state.sessions).issue(), None, Some(SCOPE));
            // Recorded answers of this flow have neither.
            Ok(TokenReply { signature: None, issued_at: None, ..granted })
        }
        Some("password") => {
            check_client(state, call, fields)?;
            let (name, password) = (fields.get("username"), fields.get("password"));
            if !password_fits(state, name.unwrap_or_default(), password.unwrap_or_default()) {
                return Err(refused("invalid_grant", "authentication failure"));
            }
            Ok(granted(state, lock(&state.sessions).issue(), None, None))
        }
        _ => Err(refused("unsupported_grant_type", "grant type not supported")),
    }
}

/// Whether the name and the password followed by the security token are right.
pub(super) fn password_fits(state: &State, username: &str, password: &str) -> bool {
    let account = &state.options.account;
    username.eq_ignore_ascii_case(&state.user.username)
        && password.strip_prefix(account.password.as_str()) == Some(account.security_token.as_str())
}

/// Checks client id and secret from the body or a Basic header.
pub(super) fn check_client(state: &State, call: &Call, fields: &form::Fields) -> Result<(), OauthError> {
    let basic = match call.header(AUTHORIZATION).and_then(|value| value.split_once(' ')) {
        Some((scheme, value)) if scheme.eq_ignore_ascii_case("basic") => Some(
            basic_pair(value.trim())
                .ok_or_else(|| refused("invalid_basic_auth_header", "basic authentication header is malformed"))?,
        ),
        _ => None,
    };
    let (id, secret) = match &basic {
        Some((id, secret)) => (Some(id.as_str()), Some(secret.as_str())),
        None => (fields.get("client_id"), fields.get("client_secret")),
    };
    let account = &state.options.account;
    if id != Some(account.client_id.as_str()) {
        return Err(refused("invalid_client_id", "client identifier invalid"));
    }
    if secret != Some(account.client_secret.as_str()) {
        return Err(refused("invalid_client", "invalid client credentials"));
    }
    Ok(())
}

/// Id and secret of a Basic header. RFC 6749 has each form-encoded first; clients do and don't.
fn basic_pair(value: &str) -> Option<(String, String)> {
    let text = String::from_utf8(STANDARD.decode(value).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    let decode = |part: &str| percent_encoding::percent_decode_str(part).decode_utf8_lossy().into_owned();
    Some((decode(id), decode(secret)))
}

fn granted(
    state: &State,
    access_token: String,
    refresh_token: Option<String>,
    scope: Option<&'static str>,
) -> TokenReply {
    let id = state.user.identity_url(&state.base_url);
    let issued_at = Utc::now().timestamp_millis().to_string();
    TokenReply {
        signature: Some(signature(&state.options.account.client_secret, &id, &issued_at)),
        access_token,
        refresh_token,
        scope,
        instance_url: state.base_url.clone(),
        id,
        token_type: "Bearer",
        issued_at: Some(issued_at),
    }
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

/// How the token endpoint words its answer.
enum Format {
    Json,
    Urlencoded,
    Xml,
}

impl Format {
    /// The `format` parameter wins over `Accept`; JSON is the default.
    fn of(fields: &form::Fields, call: &Call) -> Format {
        match fields.get("format") {
            Some("urlencoded") => return Format::Urlencoded,
            Some("xml") => return Format::Xml,
            Some(_) => return Format::Json,
            None => {}
        }
        match call.header(ACCEPT) {
            Some(accept) if accept.starts_with("application/x-www-form-urlencoded") => Format::Urlencoded,
            Some(accept) if accept.starts_with("application/xml") => Format::Xml,
            _ => Format::Json,
        }
    }

    fn reply(&self, status: StatusCode, root: &str, value: &impl Serialize) -> Reply {
        if matches!(self, Format::Json) {
            return Reply::json(status, value).uncompressed();
        }
        let Ok(serde_json::Value::Object(fields)) = serde_json::to_value(value) else {
            return Reply::empty(StatusCode::INTERNAL_SERVER_ERROR);
        };
        let texts = fields.iter().map(|(key, value)| (key.as_str(), value.as_str().unwrap_or_default()));
        let reply = match self {
            Format::Urlencoded => {
                let text = form_urlencoded::Serializer::new(String::new()).extend_pairs(texts).finish();
                Reply::text(status, "application/x-www-form-urlencoded;charset=UTF-8", text)
            }
            _ => {
                let fields: String =
                    texts.map(|(key, value)| format!("<{key}>{}</{key}>", super::soap::escape(value))).collect();
                let text = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><{root}>{fields}</{root}>");
                Reply::text(status, "application/xml;charset=UTF-8", text)
            }
        };
        reply.uncompressed()
    }
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

    #[test]
    fn basic_headers() {
        let pair = basic_pair(&STANDARD.encode("id:se%21:cret")).unwrap();
        assert_eq!(pair, ("id".to_owned(), "se!:cret".to_owned()));
        assert!(basic_pair("***").is_none());
    }
}
