//! Who may call: tokens, the OAuth endpoints and their pages, the SOAP login, the user behind a session.

mod authorize;
mod client;
mod denied;
mod desk;
mod device;
mod form;
mod gate;
mod grants;
mod identity;
mod jwt;
mod login;
mod openid;
mod pages;
mod registry;
mod rights;
mod scopes;
mod secrets;
mod sessions;
mod soap;
mod soap_rows;
pub(crate) mod soap_xml;
mod tenant;
mod token;
mod user;
mod wording;

pub(crate) use authorize::{approval, authorize, error_page};
pub(crate) use desk::Desk;
pub(crate) use device::connect;
pub(crate) use gate::{Shut, enter, session_expired};
pub(crate) use grants::first_grant;
pub(crate) use identity::{identity, introspect, revoke, userinfo};
pub(crate) use login::{change_password, home, login, logout};
pub(crate) use openid::{configuration, keys};
pub(crate) use scopes::ALL as SCOPES;
pub(crate) use sessions::Sessions;
pub(crate) use soap::{Fault, soap, soap_fault};
pub(crate) use tenant::Tenant;
pub(crate) use token::token;
pub(crate) use user::User;

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use bytes::Bytes;
    use http::header::{CONTENT_TYPE, COOKIE, HeaderValue};
    use http::{HeaderMap, Method, Uri};
    use proptest::prelude::*;

    use super::*;
    use crate::data::Org;
    use crate::faults::Fired;
    use crate::options::Options;
    use crate::server::{Call, Place, Reply, State};

    const NAMES: &str = "client_id|redirect_uri|response_type|grant_type|code|code_verifier|scope|prompt|state|username|pw|\
                         startURL|source|save|user_code|connect|token|assertion|refresh_token|code_challenge|format";
    const VALUES: &str = "PlatformCLI|http://localhost:1717/OauthRedirect|code|token|device_code|device|password|\
                          authorization_code|client_credentials|refresh_token|api id|none|login|a\\.b\\.c|e30\\.e30\\.e30|\
                          xml|urlencoded|[ -~é\n]{0,12}";

    fn state() -> State {
        let tenant = Tenant::new(Arc::new(Options::default()), Org::empty(), vec!["http://x".to_owned()]);
        let tenant = Arc::new(tenant);
        let place = Place {
            org: Some(tenant.clone()),
            reach: vec![tenant.clone()],
            base_url: "http://x".to_owned(),
            login_url: "http://x".to_owned(),
            options: tenant.options.clone(),
        };
        State::new(Arc::new(vec![tenant]), place, Arc::new(Mutex::new(Desk::new(1))))
    }

    fn call(method: Method, fields: &[(String, String)]) -> Call {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        headers.insert(COOKIE, HeaderValue::from_static("a=b; sid=none; c"));
        let text = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        Call::new(method, &Uri::from_static("/x?a=b"), headers, Bytes::from(text), Fired::default())
    }

    proptest! {
        #[test]
        fn any_form_is_answered(fields in prop::collection::vec((NAMES, VALUES), 0..8), post in any::<bool>()) {
            type Endpoint = fn(&State, &Call) -> Reply;
            let endpoints: [Endpoint; 9] =
                [authorize, approval, connect, login, change_password, token, introspect, revoke, userinfo];
            let state = state();
            for endpoint in endpoints {
                let reply = endpoint(&state, &call(if post { Method::POST } else { Method::GET }, &fields));
                prop_assert!(reply.status.as_u16() < 500, "{:?}", reply);
            }
        }
    }
}
