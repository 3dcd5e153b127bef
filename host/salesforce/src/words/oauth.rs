//! OAuth errors in words.

use super::oauth_table::{OAUTH, RETRYABLE};
use super::{UNKNOWN, find};
use crate::error::Error;

/// Errors that the wrong login host gives too, beside their own causes.
const OF_THE_PLACE: [&str; 5] =
    ["invalid_grant", "invalid_client_id", "app_not_found", "invalid_client", "inactive_user"];

/// Turns an OAuth error answer into words.
pub(crate) fn explain(host: &str, code: &str, description: &str) -> Error {
    let words = find(OAUTH, code, description).unwrap_or(&UNKNOWN);
    let said = if description.is_empty() { code.to_owned() } else { format!("{code}: {description}") };
    Error::Auth {
        code: code.to_owned(),
        message: format!("login at {host} refused ({said}){}", words.lines(place(host, code))),
        retryable: RETRYABLE.iter().any(|known| known.eq_ignore_ascii_case(code)),
    }
}

/// Sandboxes have their own users and their own login host.
fn place(host: &str, code: &str) -> &'static str {
    match (host, OF_THE_PLACE.contains(&code)) {
        ("login.salesforce.com", true) => {
            ". If the org is a sandbox, it logs in at test.salesforce.com: environment = \"sandbox\""
        }
        ("test.salesforce.com", true) => {
            ". If the org is no sandbox, it logs in at login.salesforce.com: environment = \"production\""
        }
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_has_its_way_out() {
        let table = [
            ("invalid_client", "invalid client credentials", "client_secret is wrong"),
            ("invalid_client", "app must be installed into org", "Approve Uninstalled Connected Apps"),
            ("OAUTH_APPROVAL_ERROR_GENERIC", "", "Use Any API Client"),
            ("invalid_grant", "no client credentials user enabled", "Run As"),
            ("invalid_grant", "request not supported on this domain", "my_domain"),
            ("invalid_grant", "IP restricted or invalid login hours", "Login IP Ranges"),
            ("invalid_grant", "expired access/refresh token", "rotat"),
            ("invalid_grant", "authentication failure", "Login History"),
            ("brand_new_code", "strange words", "strange words"),
        ];
        for (code, description, expected) in table {
            let error = explain("acme.my.salesforce.com", code, description);
            assert!(error.to_string().contains(expected), "{error}");
            assert!(error.to_string().contains(code) && error.to_string().contains("\n  hint: "), "{error}");
            assert!(!error.is_retryable());
        }
        assert!(explain("h", "server_error", "").is_retryable());
    }

    #[test]
    fn the_wrong_login_host_is_thought_of() {
        let at = |host| explain(host, "invalid_grant", "authentication failure").to_string();
        assert!(at("login.salesforce.com").contains("environment = \"sandbox\""));
        assert!(at("test.salesforce.com").contains("environment = \"production\""));
        assert!(!at("acme.my.salesforce.com").contains("environment ="));
    }
}
