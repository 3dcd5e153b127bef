//! Faults of the SOAP login as sentences: what it is, the likely cause, where an admin clicks.

use crate::error::Error;

/// Whose login was refused, and where.
pub(crate) struct Login<'a> {
    pub(crate) host: &'a str,
    pub(crate) username: &'a str,
}

/// Fault codes (Partner WSDL, `ExceptionCode`), a part of the text in lower case, and the way out; first match wins.
const FAULTS: &[(&str, &str, &str)] = &[
    (
        "INVALID_LOGIN",
        "",
        "check user name and password; from an address that the org does not trust the security token is needed too (security_token), and a new password makes a new token: Settings > My Personal Information > Reset My Security Token. A locked user gets the same answer: see Setup > Login History",
    ),
    (
        "LOGIN_MUST_USE_SECURITY_TOKEN",
        "",
        "give the user's security token (security_token = \"env:NAME\"): Settings > My Personal Information > Reset My Security Token, or add this address to Setup > Network Access",
    ),
    (
        "INVALID_OPERATION",
        "disabled by default",
        "the org has the SOAP login switched off, as all orgs since Winter '26: use auth = \"jwt-bearer\" or \"client-credentials\", or ask the admin: Setup > User Interface > API login",
    ),
    (
        "INVALID_OPERATION",
        "",
        "Salesforce retires the SOAP login (gone from API 65.0 on): use auth = \"jwt-bearer\" or \"client-credentials\"",
    ),
    (
        "INSUFFICIENT_ACCESS",
        "",
        "the user lacks the permission \"Use Any API Auth\": Setup > Permission Sets > System Permissions",
    ),
    (
        "INVALID_OPERATION_WITH_EXPIRED_PASSWORD",
        "",
        "log in with a browser and choose a new password; a password that never expires is a setting of the user's profile",
    ),
    ("LOGIN_DURING_RESTRICTED_TIME", "", "the profile's login hours forbid it now: Setup > Profiles > Login Hours"),
    (
        "LOGIN_DURING_RESTRICTED_DOMAIN",
        "",
        "the profile's login addresses do not hold this machine's: Setup > Profiles > Login IP Ranges",
    ),
    (
        "PASSWORD_LOCKOUT",
        "",
        "too many wrong passwords: Setup > Users > Unlock, or wait as long as the org's lockout lasts",
    ),
    ("LOGIN_CHALLENGE_ISSUED", "", "the org wants this computer verified: give the security token instead"),
    ("LOGIN_CHALLENGE_PENDING", "", "the org wants this computer verified: give the security token instead"),
    ("ORG_LOCKED", "", "the org is locked: ask Salesforce"),
    ("TRIAL_EXPIRED", "", "the org's trial is over: ask Salesforce"),
    ("INACTIVE_PORTAL", "", "the portal is switched off"),
    (
        "API_DISABLED_FOR_ORG",
        "",
        "the org's edition has no API: Enterprise, Unlimited, Performance or Developer Edition is needed, or the API add-on",
    ),
    ("API_CURRENTLY_DISABLED", "", "the API is switched off for the org at the moment: try again later"),
    ("UNSUPPORTED_API_VERSION", "", "this host does not serve the version of the SOAP API that has the login"),
    (
        "CLIENT_NOT_ACCESSIBLE_FOR_USER",
        "",
        "the user may not use API clients: Setup > the user > permission \"API Enabled\"",
    ),
    ("REQUEST_LIMIT_EXCEEDED", "", "too many requests at the same time or in a day: wait, and log in less often"),
    ("EXCEEDED_QUOTA", "", "too many logins: wait an hour, and log in less often"),
    ("ORG_IN_MAINTENANCE", "", "the org is in maintenance: see https://status.salesforce.com, try again later"),
    ("SERVER_UNAVAILABLE", "", "Salesforce is not available: try again later"),
    ("SSO_SERVICE_DOWN", "", "the org's single sign-on does not answer: ask its administrator"),
];

/// Faults of the server, not of the credentials.
const RETRYABLE: [&str; 3] = ["SERVER_UNAVAILABLE", "ORG_IN_MAINTENANCE", "API_CURRENTLY_DISABLED"];

/// Turns a fault into words.
pub(crate) fn explain(login: &Login<'_>, code: &str, text: &str) -> Error {
    let Login { host, .. } = login;
    let lower = text.to_ascii_lowercase();
    let known = FAULTS.iter().find(|(known, part, _)| *known == code && lower.contains(part));
    let words = known.map_or("not a fault that forcepump knows; the text is Salesforce's", |(.., words)| words);
    // The text of a fault begins with its code.
    let text = text.strip_prefix(code).map_or(text, |rest| rest.trim_start_matches(':').trim_start());
    let also = if code == "INVALID_LOGIN" { wrong_environment(login) } else { String::new() };
    Error::Auth {
        code: code.to_owned(),
        message: format!("login at {host} refused ({code}: {text})\n  hint: {words}{also}"),
        retryable: RETRYABLE.contains(&code),
    }
}

/// A sandbox's user names are those of production with `.NAME` at the end, and each logs in at its own host.
fn wrong_environment(login: &Login<'_>) -> String {
    let domain = login.username.rsplit_once('@').map_or("", |(_, domain)| domain);
    match (login.host, domain.split('.').count()) {
        ("test.salesforce.com", 0..=2) => {
            format!(
                ". In a sandbox the user name ends in the sandbox's name: {}.NAME; a production user logs in with environment = \"production\"",
                login.username
            )
        }
        ("login.salesforce.com", 3..) => {
            ". A user name that ends in a sandbox's name logs in with environment = \"sandbox\"".to_owned()
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_has_its_way_out() {
        let at = |host, username| Login { host, username };
        let table = [
            (at("login.salesforce.com", "a@acme.com"), "INVALID_LOGIN", "INVALID_LOGIN: Invalid …", "Login History"),
            (at("login.salesforce.com", "a@acme.com.dev"), "INVALID_LOGIN", "", "environment = \"sandbox\""),
            (at("test.salesforce.com", "a@acme.com"), "INVALID_LOGIN", "", "a@acme.com.NAME"),
            (at("x", ""), "INVALID_OPERATION", "SOAP API login() is disabled by default in this org.", "API login"),
            (at("x", ""), "INVALID_OPERATION", "not available in the API version specified (65.0)", "jwt-bearer"),
            (at("x", ""), "BRAND_NEW", "strange words", "strange words"),
        ];
        for (login, code, text, expected) in table {
            let error = explain(&login, code, text).to_string();
            assert!(error.contains(expected) && !error.contains("INVALID_LOGIN: INVALID_LOGIN"), "{error}");
        }
        assert!(explain(&at("x", ""), "SERVER_UNAVAILABLE", "").is_retryable());
    }
}
