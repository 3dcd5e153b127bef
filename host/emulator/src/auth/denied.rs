//! Every refusal of the OAuth endpoints, in the words of the channel that it goes out through.

use serde::Serialize;

/// The error object of the token endpoint, and the parameters of a redirect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct OauthError {
    pub(crate) error: String,
    pub(crate) error_description: String,
}

pub(crate) fn refused(error: &str, description: &str) -> OauthError {
    OauthError { error: error.to_owned(), error_description: description.to_owned() }
}

/// Why an app or a user may not come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Denied {
    UnknownClient,
    WrongSecret,
    NotInstalled,
    /// An external client app of another org.
    NotInThisOrg,
    Blocked,
    NotApproved,
    FlowOff,
    InactiveUser,
    InactiveOrg,
    IpRestricted,
    TooManyLogins,
    /// A user for programs alone, in a browser.
    ApiOnly,
}

impl Denied {
    /// As the token endpoint says it.
    pub(crate) fn at_token(self) -> OauthError {
        match self {
            Denied::UnknownClient => refused("invalid_client_id", "client identifier invalid"),
            Denied::WrongSecret => refused("invalid_client", "invalid client credentials"),
            Denied::NotInstalled => refused("invalid_client", "app must be installed into org"),
            Denied::NotInThisOrg => refused("app_not_found", "External client app is not installed in this org"),
            Denied::Blocked => refused("app_blocked", "this app is blocked by admin"),
            Denied::NotApproved => refused("invalid_app_access", "user is not admin approved to access this app"),
            // The value is in the server's list; its text is not published.
            Denied::FlowOff => refused("oauth_flow_disabled", "oauth flow is disabled for this app"),
            Denied::InactiveUser => refused("invalid_grant", "inactive user"),
            Denied::InactiveOrg => refused("inactive_org", "organization is inactive"),
            Denied::IpRestricted => refused("invalid_grant", "ip restricted or invalid login hours"),
            Denied::TooManyLogins => refused("rate_limit_exceeded", "login rate exceeded"),
            Denied::ApiOnly => refused("access_denied", "api only user"),
        }
    }

    /// As the authorization endpoint says it to the callback.
    pub(crate) fn at_authorize(self) -> OauthError {
        match self {
            Denied::Blocked => refused("OAUTH_APP_BLOCKED", "this app is blocked by admin"),
            Denied::NotApproved => refused("OAUTH_APP_ACCESS_DENIED", "user is not admin approved to access this app"),
            Denied::InactiveUser => refused("inactive_user", "user is inactive"),
            other => other.at_token(),
        }
    }
}
