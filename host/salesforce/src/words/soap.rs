//! Faults of the SOAP login in words.

use super::soap_table::{RETRYABLE, SOAP};
use super::{UNKNOWN, find};
use crate::error::Error;

/// Whose login was refused, and where.
pub(crate) struct Login<'a> {
    pub(crate) host: &'a str,
    pub(crate) username: &'a str,
}

/// Turns a fault into words.
pub(crate) fn explain(login: &Login<'_>, code: &str, text: &str) -> Error {
    let Login { host, .. } = login;
    let words = find(SOAP, code, text).unwrap_or(&UNKNOWN);
    // The text of a fault begins with its code.
    let text = text.strip_prefix(code).map_or(text, |rest| rest.trim_start_matches(':').trim_start());
    let also = if code == "INVALID_LOGIN" { wrong_environment(login) } else { String::new() };
    Error::Auth {
        code: code.to_owned(),
        message: format!("login at {host} refused ({code}: {text}){}", words.lines(&also)),
        retryable: RETRYABLE.contains(&code) && !is_about_the_user(text),
    }
}

/// Of `API_CURRENTLY_DISABLED`: a permission that is missing does not come by waiting.
fn is_about_the_user(text: &str) -> bool {
    text.to_ascii_lowercase().contains("for this user")
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
        assert!(explain(&at("x", ""), "API_CURRENTLY_DISABLED", "").is_retryable());
        assert!(!explain(&at("x", ""), "API_CURRENTLY_DISABLED", "API is disabled for this User").is_retryable());
    }
}
