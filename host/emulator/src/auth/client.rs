//! Who a client says it is: id and secret in the body or a Basic header, or a signed assertion.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use serde_json::Value;

use super::denied::{Denied, OauthError, refused};
use super::form::Fields;
use super::jwt;
use crate::access::App;
use crate::server::{Call, State};

/// `client_assertion_type` of RFC 7523.
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The client as it names and proves itself.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) id: String,
    secret: Option<String>,
    assertion: Option<String>,
}

/// Reads what the request says about the client.
pub(super) fn read(call: &Call, fields: &Fields) -> Result<Client, OauthError> {
    if let Some((scheme, value)) = call.header(AUTHORIZATION).and_then(|value| value.split_once(' '))
        && scheme.eq_ignore_ascii_case("basic")
    {
        let malformed = || refused("invalid_basic_auth_header", "basic authentication header is malformed");
        let (id, secret) = basic_pair(value.trim()).ok_or_else(malformed)?;
        return Ok(Client { id, secret: Some(secret).filter(|secret| !secret.is_empty()), assertion: None });
    }
    let own = |name: &str| fields.get(name).filter(|value| !value.is_empty()).map(str::to_owned);
    let assertion = own("client_assertion");
    if assertion.is_some() && fields.get("client_assertion_type") != Some(ASSERTION_TYPE) {
        return Err(refused("invalid_assertion_type", "specified assertion type is not supported"));
    }
    let named = own("client_id").or_else(|| {
        let claims = jwt::unverified(assertion.as_deref()?)?.claims;
        claims.get("iss").and_then(Value::as_str).map(str::to_owned)
    });
    Ok(Client { id: named.unwrap_or_default(), secret: own("client_secret"), assertion })
}

impl Client {
    /// Holds the client against its app. A secret that is sent must be right even where none is needed.
    pub(super) fn check(&self, state: &State, app: &App, required: bool) -> Result<(), OauthError> {
        if let Some(assertion) = &self.assertion {
            return jwt::check_client(state, app, assertion);
        }
        match (&self.secret, &app.client_secret) {
            (Some(sent), Some(own)) if sent == own => Ok(()),
            (Some(_), _) => Err(Denied::WrongSecret.at_token()),
            (None, Some(_)) if required => Err(Denied::WrongSecret.at_token()),
            (None, _) => Ok(()),
        }
    }

    /// Whether the client proved anything beyond its name.
    pub(super) fn is_proven(&self) -> bool {
        self.secret.is_some() || self.assertion.is_some()
    }
}

/// Id and secret of a Basic header. RFC 6749 has each form-encoded first; clients do and don't.
fn basic_pair(value: &str) -> Option<(String, String)> {
    let text = String::from_utf8(STANDARD.decode(value).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    let decode = |part: &str| percent_encoding::percent_decode_str(part).decode_utf8_lossy().into_owned();
    Some((decode(id), decode(secret)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_headers() {
        let pair = basic_pair(&STANDARD.encode("id:se%21:cret")).unwrap();
        assert_eq!(pair, ("id".to_owned(), "se!:cret".to_owned()));
        assert!(basic_pair("***").is_none());
    }
}
