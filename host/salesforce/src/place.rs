//! Where an org is: hosts from names, and which URLs a token may be sent to.

use reqwest::Url;

use crate::connection::Environment;
use crate::credentials::AuthMethod;
use crate::error::{Error, Result};

pub(crate) fn environment_url(environment: Environment, auth: AuthMethod) -> Result<Url> {
    let host = match environment {
        Environment::Sandbox => "https://test.salesforce.com",
        Environment::Production | Environment::Demo => "https://login.salesforce.com",
    };
    if !auth.works_on_login_hosts() {
        // client credentials on a login host: invalid_grant "request not supported on this domain"
        return Err(Error::config(format!(
            "auth = \"{}\" needs the org's own host: replace environment by my_domain = \"acme\" or url = \"https://…\"",
            auth.as_str()
        )));
    }
    parse_url("environment", host)
}

pub(crate) fn my_domain_url(domain: &str) -> Result<Url> {
    let plain = !domain.is_empty()
        && !domain.ends_with(".salesforce.com")
        && domain.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.');
    if !plain {
        return Err(Error::config(format!(
            "my_domain = \"{domain}\": give the name only, \"acme\" for https://acme.my.salesforce.com \
             (sandbox: \"acme--dev.sandbox\"), or use url = \"https://…\""
        )));
    }
    parse_url("my_domain", &format!("https://{domain}.my.salesforce.com"))
}

/// Hosts that show pages but answer no API call, with the host to use instead.
const WRONG_HOST_SUFFIXES: [&str; 3] = [".lightning.force.com", ".my.salesforce-setup.com", ".visualforce.com"];

/// Reads a URL of an org: https, or http on loopback; path and query are dropped.
pub(crate) fn parse_url(setting: &str, text: &str) -> Result<Url> {
    let bad = |why: &str| Error::config(format!("{setting} = \"{}\": {why}", without_user_info(text)));
    let mut url = Url::parse(text.trim()).map_err(|_| bad("not a URL; expected \"https://acme.my.salesforce.com\""))?;
    let host = url.host_str().unwrap_or_default().to_ascii_lowercase();
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        "http" => {
            return Err(bad("http would send the token in clear and is allowed on loopback only; use https"));
        }
        _ => return Err(bad("expected https://")),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad("user and password do not belong into a URL; use auth = …"));
    }
    if WRONG_HOST_SUFFIXES.iter().any(|suffix| host.ends_with(suffix)) {
        return Err(bad("this host serves pages, not the API; use https://<my domain>.my.salesforce.com"));
    }
    url.set_path("");
    url.set_query(None);
    url.set_fragment(None);
    Ok(url)
}

/// The host is this machine: the only place where plain http is allowed.
pub(crate) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn without_user_info(text: &str) -> &str {
    text.rsplit_once('@').map_or(text, |(_, host)| host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let table = [
            ("https://acme.my.salesforce.com/", "https://acme.my.salesforce.com/"),
            ("http://127.0.0.1:8080/x?y", "http://127.0.0.1:8080/"),
            ("http://[::1]:80", "http://[::1]/"),
            ("http://localhost:1", "http://localhost:1/"),
        ];
        for (given, expected) in table {
            assert_eq!(parse_url("url", given).unwrap().as_str(), expected);
        }
        assert_eq!(my_domain_url("acme--dev.sandbox").unwrap().host_str(), Some("acme--dev.sandbox.my.salesforce.com"));
    }

    #[test]
    fn refused_places_say_the_way_out() {
        for (given, expected) in [
            ("http://acme.my.salesforce.com", "loopback only"),
            ("http://localhost.evil.com", "loopback only"),
            ("https://acme.lightning.force.com", "my.salesforce.com"),
            ("https://user:pw123@acme.my.salesforce.com", "do not belong"),
            ("acme", "not a URL"),
            ("ftp://x", "https://"),
        ] {
            let error = parse_url("url", given).unwrap_err().to_string();
            assert!(error.contains(expected) && !error.contains("pw123"), "{given}: {error}");
        }
        assert!(my_domain_url("https://acme.my.salesforce.com").is_err());
    }
}
