//! Who may call: tokens, the OAuth endpoints, the SOAP login, the user behind a session.

mod form;
mod identity;
mod jwt;
mod oauth;
mod sessions;
mod soap;
mod user;

pub(crate) use identity::{identity, introspect, revoke, userinfo};
pub(crate) use oauth::token;
pub(crate) use sessions::Sessions;
pub(crate) use soap::soap;
pub(crate) use user::User;

use http::StatusCode;

use crate::server::{Call, Reply, State, lock};

/// Refuses a request without a living session as REST and Bulk 2.0 do.
pub(crate) fn refuse_without_session(state: &State, call: &Call) -> Option<Reply> {
    match call.token() {
        None => Some(Reply::error(StatusCode::UNAUTHORIZED, "INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE")),
        Some(token) if lock(&state.sessions).is_live(token) => None,
        Some(_) => Some(session_expired()),
    }
}

/// The answer to a token that is dead or never lived.
pub(crate) fn session_expired() -> Reply {
    Reply::error(StatusCode::UNAUTHORIZED, "INVALID_SESSION_ID", "Session expired or invalid")
}
