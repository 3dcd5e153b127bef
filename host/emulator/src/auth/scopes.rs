//! Scopes: which exist, which an app may have, how answers list them.

/// Every scope that the discovery document lists (login.salesforce.com, August 2026).
pub(crate) const ALL: [&str; 36] = [
    "address",
    "api",
    "cdp_api",
    "cdp_calculated_insight_api",
    "cdp_identityresolution_api",
    "cdp_ingest_api",
    "cdp_profile_api",
    "cdp_query_api",
    "cdp_segment_api",
    "chatbot_api",
    "chatter_api",
    "content",
    "custom_permissions",
    "data_cloud_user_claims",
    "eclair_api",
    "einstein_gpt_api",
    "email",
    "forgot_password",
    "full",
    "id",
    "interaction_api",
    "lightning",
    "mcp_api",
    "offline_access",
    "openid",
    "pardot_api",
    "phone",
    "profile",
    "pwdless_login_api",
    "refresh_token",
    "scrt_api",
    "sfap_api",
    "user_registration_api",
    "visualforce",
    "wave_api",
    "web",
];

/// Order of the usual scopes in recorded answers, which is not that of the request.
const ORDER: [&str; 6] = ["refresh_token", "id", "openid", "web", "api", "full"];

/// Why a scope parameter is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ScopeError {
    /// There is no such scope.
    Unknown,
    /// The app does not have it.
    NotOnApp,
}

/// The scopes that a request gets: those it asks for, or without any all that the app has.
pub(crate) fn granted(asked: Option<&str>, app: &[String]) -> Result<Vec<String>, ScopeError> {
    let own: Vec<&str> = app.iter().map(|scope| canonical(scope)).collect();
    let asked: Vec<&str> = asked.unwrap_or_default().split_whitespace().map(canonical).collect();
    if asked.iter().any(|scope| !ALL.contains(scope)) {
        return Err(ScopeError::Unknown);
    }
    let covered = |scope: &str| own.contains(&scope) || (own.contains(&"full") && scope != "refresh_token");
    if asked.iter().any(|scope| !covered(scope)) {
        return Err(ScopeError::NotOnApp);
    }
    Ok(ordered(if asked.is_empty() { &own } else { &asked }))
}

fn canonical(scope: &str) -> &str {
    if scope == "offline_access" { "refresh_token" } else { scope }
}

fn ordered(scopes: &[&str]) -> Vec<String> {
    let known = ORDER.iter().copied().filter(|scope| scopes.contains(scope));
    let mut rest: Vec<&str> = scopes.iter().copied().filter(|scope| !ORDER.contains(scope)).collect();
    rest.sort_unstable();
    rest.dedup();
    known.chain(rest).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_those_of_the_app_and_in_an_order_of_their_own() {
        let app = ["api", "refresh_token", "id"].map(str::to_owned);
        assert_eq!(granted(None, &app).unwrap(), ["refresh_token", "id", "api"]);
        assert_eq!(granted(Some("api offline_access"), &app).unwrap(), ["refresh_token", "api"]);
        assert_eq!(granted(Some("api everything"), &app), Err(ScopeError::Unknown));
        assert_eq!(granted(Some("web"), &app), Err(ScopeError::NotOnApp));
        let full = ["full".to_owned()];
        assert_eq!(granted(Some("openid api"), &full).unwrap(), ["openid", "api"]);
        assert_eq!(granted(Some("refresh_token"), &full), Err(ScopeError::NotOnApp));
    }
}
