//! OAuth errors of Salesforce as sentences: what it is, the likely cause, where an admin clicks.

use crate::error::Error;

/// One known refusal. Matching is by code and by a part of the description, both without case.
struct Refusal {
    code: &'static str,
    description_part: &'static str,
    words: &'static str,
}

const fn refusal(code: &'static str, description_part: &'static str, words: &'static str) -> Refusal {
    Refusal { code, description_part, words }
}

/// First match wins; texts as recorded from token endpoints (help page "OAuth 2.0 Authorization Errors").
const REFUSALS: &[Refusal] = &[
    refusal(
        "invalid_client_id",
        "",
        "the client_id is not known to this org: compare it with the app's consumer key; a new app takes up to 10 minutes to be known",
    ),
    refusal(
        "invalid_client",
        "installed",
        "the app is not installed in the org: Setup > Connected Apps OAuth Usage > Install (uninstalled apps are blocked since September 2025)",
    ),
    refusal(
        "invalid_client",
        "",
        "the client_secret is wrong: copy the consumer secret from the app's settings again; a new secret takes up to 10 minutes to be known",
    ),
    refusal(
        "app_not_found",
        "",
        "the external client app does not exist in this org: check that the host is the org that holds the app",
    ),
    refusal(
        "invalid_app_access",
        "",
        "the user may not use this app: Setup > the app > Policies > assign the user's profile or a permission set",
    ),
    refusal("app_blocked", "", "an administrator has blocked this app: Setup > Connected Apps OAuth Usage > Unblock"),
    refusal(
        "oauth_flow_disabled",
        "",
        "this way to log in is switched off: Setup > the app > Settings > OAuth > enable the flow",
    ),
    refusal(
        "invalid_grant",
        "no client credentials user",
        "the app has no run-as user: Setup > the app > Policies > Client Credentials Flow > Run As",
    ),
    refusal(
        "invalid_grant",
        "not supported on this domain",
        "client credentials work on the org's My Domain only: use my_domain = \"…\" or url = \"https://<my domain>.my.salesforce.com\"",
    ),
    refusal(
        "invalid_grant",
        "expired access/refresh token",
        "the refresh token is expired, revoked or was replaced by rotation: authorise the app again and store the new refresh token",
    ),
    refusal(
        "invalid_grant",
        "inactive user",
        "the user is deactivated: activate it or authorise the app as another user",
    ),
    refusal(
        "invalid_grant",
        "ip restricted",
        "logins from this address or at this hour are not allowed: Setup > Profiles > Login IP Ranges and Login Hours, or relax IP restrictions in the app's policies",
    ),
    refusal(
        "invalid_grant",
        "approved this consumer",
        "the user has not approved the app: pre-authorise it in the app's policies",
    ),
    refusal(
        "invalid_grant",
        "audience",
        "the assertion's audience is not the org's: set audience = \"https://test.salesforce.com\" for a sandbox, \"https://login.salesforce.com\" for production, or the host of the org",
    ),
    refusal(
        "invalid_grant",
        "invalid assertion",
        "the signature does not fit: the certificate of private_key must be the app's (Setup > the app > Use digital signatures)",
    ),
    refusal(
        "invalid_grant",
        "expired authorization code",
        "the assertion counts as expired: set this machine's clock right",
    ),
    refusal("invalid_grant", "activation secret", "the device activation has changed: authorise the app again"),
    refusal("invalid_grant", "", "the org refused the credentials: see Setup > Login History for the reason"),
    refusal(
        "invalid_scope",
        "",
        "the app does not hold a needed scope: add \"Manage user data via APIs (api)\" to the app",
    ),
    refusal("unsupported_grant_type", "", "this host does not know the way to log in: check the url"),
    refusal("inactive_user", "", "the user is deactivated: activate it or use another one"),
    refusal("inactive_org", "", "the org is locked, closed or suspended: ask Salesforce"),
    refusal("rate_limit_exceeded", "", "too many logins: wait an hour, and log in less often"),
    refusal("server_error", "", "Salesforce had a fault: try again later"),
    refusal("service_unavailable", "", "Salesforce is not available: try again later"),
    refusal("system_down", "", "Salesforce is down: see https://status.salesforce.com"),
    refusal("unknown_error", "", "Salesforce gave no reason: try again later"),
];

/// Faults of the server, not of the credentials.
const RETRYABLE: [&str; 4] = ["server_error", "service_unavailable", "system_down", "unknown_error"];

/// Turns an OAuth error answer into words.
pub(crate) fn explain(host: &str, code: &str, description: &str) -> Error {
    let text = description.to_ascii_lowercase();
    let known = REFUSALS.iter().find(|r| r.code.eq_ignore_ascii_case(code) && text.contains(r.description_part));
    let words = known.map_or("not a code that forcepump knows; the description is Salesforce's", |r| r.words);
    let said = if description.is_empty() { code.to_owned() } else { format!("{code}: {description}") };
    Error::Auth {
        code: code.to_owned(),
        message: format!("login at {host} refused ({said})\n  hint: {words}"),
        retryable: RETRYABLE.contains(&code),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_has_its_way_out() {
        let table = [
            ("invalid_client", "invalid client credentials", "client_secret is wrong"),
            ("invalid_client", "app must be installed into org", "Connected Apps OAuth Usage"),
            ("invalid_grant", "no client credentials user enabled", "Run As"),
            ("invalid_grant", "request not supported on this domain", "my_domain"),
            ("invalid_grant", "IP restricted or invalid login hours", "Login IP Ranges"),
            ("invalid_grant", "authentication failure", "Login History"),
            ("brand_new_code", "strange words", "strange words"),
        ];
        for (code, description, expected) in table {
            let error = explain("acme.my.salesforce.com", code, description);
            assert!(error.to_string().contains(expected), "{error}");
            assert!(!error.is_retryable());
        }
        assert!(explain("h", "server_error", "").is_retryable());
    }
}
