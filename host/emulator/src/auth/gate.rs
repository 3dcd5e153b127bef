//! The way into the resources: which sessions pass, and how the others are refused.

use http::StatusCode;

use super::sessions::Grant;
use super::tenant::Tenant;
use crate::server::{Reply, State, html_page, lock};

/// Why a session does not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shut {
    /// No token was sent.
    NoToken,
    /// The token is dead or never lived.
    Expired,
    /// The session may not be used here: its policy, its network or its scopes forbid it.
    Unfit,
    /// The user must change the password first.
    PasswordExpired,
    /// The org or the user has no API.
    Disabled,
    /// The org has moved to another address.
    Moved,
}

impl From<Shut> for Reply {
    /// As REST and Bulk 2.0 word it.
    fn from(shut: Shut) -> Reply {
        if shut == Shut::Moved {
            let text = "You have attempted to reach a URL that no longer exists on salesforce.com.";
            let page = html_page("URL No Longer Exists", text);
            return Reply::text(StatusCode::NOT_FOUND, "text/html;charset=UTF-8", page);
        }
        let (status, code, message) = match shut {
            Shut::NoToken => (StatusCode::UNAUTHORIZED, "INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE"),
            Shut::Expired | Shut::Moved => {
                (StatusCode::UNAUTHORIZED, "INVALID_SESSION_ID", "Session expired or invalid")
            }
            Shut::Unfit => {
                let message = "This session is not valid for use with the REST API";
                (StatusCode::UNAUTHORIZED, "INVALID_SESSION_ID", message)
            }
            Shut::PasswordExpired => {
                let message = "The user's password has expired, you must call SetPassword before attempting any \
                               other API operations";
                (StatusCode::FORBIDDEN, "INVALID_OPERATION_WITH_EXPIRED_PASSWORD", message)
            }
            Shut::Disabled => {
                let message = "The REST API is not enabled for this Organization.";
                (StatusCode::FORBIDDEN, "API_DISABLED_FOR_ORG", message)
            }
        };
        Reply::error(status, code, message)
    }
}

/// The state as the caller sees it: with his user, and the org without what is hidden from him.
///
/// # Errors
/// Why the session of `token` does not pass.
pub(crate) fn enter(state: &State, token: Option<&str>) -> Result<State, Shut> {
    let token = token.ok_or(Shut::NoToken)?;
    let tenant = state.own().ok_or(Shut::Expired)?;
    let session = lock(&tenant.sessions).touch(token).ok_or(Shut::Expired)?;
    if tenant.has_left(&state.base_url) {
        return Err(Shut::Moved);
    }
    let grant = &session.grant;
    match shut(tenant, grant) {
        Some(shut) => Err(shut),
        None => Ok(state.seen_by(grant.user.clone(), tenant.view(&grant.user))),
    }
}

fn shut(tenant: &Tenant, grant: &Grant) -> Option<Shut> {
    let access = tenant.access(&grant.user);
    // A SOAP login names no app.
    let uncontrolled = grant.client_id.is_some() || access.any_api_client || !tenant.options.policy.api_access_control;
    if grant.restricted {
        return Some(Shut::PasswordExpired);
    }
    if !access.active {
        return Some(Shut::Expired);
    }
    if !access.rest_allowed || access.ip_restricted || !grant.has_api() || !uncontrolled {
        return Some(Shut::Unfit);
    }
    let enabled = tenant.options.policy.api_enabled && access.api_enabled;
    (!enabled).then_some(Shut::Disabled)
}

/// The answer to a token that is dead or never lived.
pub(crate) fn session_expired() -> Reply {
    Shut::Expired.into()
}
