//! Why no answer came, in words: names, refused connections, TLS, proxies. The texts are those of the system, of rustls
//! and of hyper.

use super::{Words, entry};
use crate::error::Error;

const PLACE: &str = "check url, my_domain or environment of the connection, and whether this machine gets there (firewall, HTTPS_PROXY)";

/// Parts of texts, in the order in which they are compared, and whether asking again is of no use.
const KNOWN: &[(bool, Words)] = &[
    (
        true,
        entry(
            "",
            "invalidcontenttype",
            "what listens there does not speak TLS",
            "https is written where http is meant, the port is another program's, or a proxy answers by itself",
            "check scheme and port of url; Salesforce's addresses are https:// without a port",
        ),
    ),
    (
        true,
        entry(
            "",
            "invalid http version",
            "what listens there does not speak HTTP",
            "http is written where https is meant, or the port is another program's",
            "check scheme and port of url; Salesforce's addresses are https:// without a port",
        ),
    ),
    (
        true,
        entry(
            "",
            "not valid for name",
            "the server's certificate is of another host",
            "the host is misspelt, or a proxy stands between",
            PLACE,
        ),
    ),
    (
        true,
        entry(
            "",
            "certificate has expired",
            "the server's certificate is not valid at this time",
            "this machine's clock is wrong, or a proxy between has an old certificate",
            "set this machine's clock right, or have the proxy's certificate renewed",
        ),
    ),
    (
        true,
        entry(
            "",
            "invalid peer certificate",
            "this machine does not trust the server's certificate",
            "a proxy or firewall that reads TLS puts its own in place, or the system has no root certificates",
            "install the system's root certificates (on Linux the package ca-certificates), or add the proxy's to them",
        ),
    ),
    (
        false,
        entry(
            "",
            "lookup address",
            "the name of the host is not known",
            "the My Domain name is misspelt or was renamed, or this machine asks no name server",
            "check url or my_domain of the connection: Setup > My Domain has the host; `nslookup HOST` asks the name server",
        ),
    ),
    (
        false,
        entry(
            "",
            "refused",
            "nothing listens at that address",
            "the host or the port is wrong, the server is not up, or a firewall refuses for it",
            PLACE,
        ),
    ),
    (false, entry("", "unreachable", "this machine has no way there", "the network is down, or has no route", PLACE)),
    (false, entry("", "no route", "this machine has no way there", "the network is down, or has no route", PLACE)),
    (
        false,
        entry(
            "",
            "timed out",
            "nothing answers at that address",
            "a firewall drops what is sent there, or a proxy has to be used",
            PLACE,
        ),
    ),
    (
        false,
        entry(
            "",
            "elapsed",
            "nothing answers at that address",
            "a firewall drops what is sent there, or a proxy has to be used",
            PLACE,
        ),
    ),
    (
        false,
        entry(
            "",
            "tunnel",
            "the proxy makes no way there",
            "it forbids the host, or wants credentials",
            "check HTTPS_PROXY: http://user:password@host:port",
        ),
    ),
    (
        false,
        entry(
            "",
            "proxy",
            "the proxy makes no way there",
            "it forbids the host, or wants credentials",
            "check HTTPS_PROXY: http://user:password@host:port",
        ),
    ),
    (
        false,
        entry(
            "",
            "",
            "the connection broke",
            "the network, a proxy or the server ended it",
            "run again; if it stays, check the network and any proxy between this machine and Salesforce",
        ),
    ),
];

/// Why a request got no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NoAnswer {
    detail: String,
    hint: String,
    executed_for_sure_not: bool,
    lasts: bool,
}

impl NoAnswer {
    /// The host and its port are told, never the query, which may hold data.
    pub(crate) fn of(error: reqwest::Error) -> Self {
        let executed_for_sure_not = error.is_connect() || error.is_builder();
        let place = error.url().and_then(|url| Some(format!("{}:{}", url.host_str()?, url.port_or_known_default()?)));
        let reason = crate::http::describe_error(error);
        let (lasts, words) = words(&reason);
        let detail = place.map_or_else(|| reason.clone(), |place| format!("no answer from {place}: {reason}"));
        Self { detail, hint: words.lines(""), executed_for_sure_not, lasts }
    }

    pub(crate) fn into_error(self, what: impl Into<String>) -> Error {
        let Self { detail, hint, executed_for_sure_not, lasts } = self;
        Error::Transport { what: what.into(), detail, hint, executed_for_sure_not, lasts }
    }
}

fn words(reason: &str) -> (bool, &'static Words) {
    let reason = reason.to_lowercase();
    let known = KNOWN.iter().find(|(_, words)| reason.contains(words.part));
    known.map_or((false, &super::UNKNOWN), |(lasts, words)| (*lasts, words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_its_way_out() {
        for (reason, lasts, word) in [
            ("Connection refused (os error 111)", false, "nothing listens"),
            ("received corrupt message of type InvalidContentType", true, "does not speak TLS"),
            ("invalid HTTP version parsed", true, "http is written where https"),
            ("invalid peer certificate: UnknownIssuer", true, "ca-certificates"),
            ("invalid peer certificate: certificate not valid for name \"x\"; …", true, "of another host"),
            ("invalid peer certificate: certificate has expired (…)", true, "clock"),
            ("failed to lookup address information: Name or service not known", false, "Setup > My Domain"),
            ("Network is unreachable (os error 101)", false, "no way there"),
            ("operation timed out", false, "firewall drops"),
            ("tunnel error: proxy authorization required", false, "HTTPS_PROXY"),
            ("connection closed before message completed", false, "run again"),
        ] {
            let (found, words) = words(reason);
            let text = words.lines("");
            assert!(text.contains(word) && text.matches("\n  hint: ").count() == 1, "{reason}: {text}");
            assert_eq!(found, lasts, "{reason}");
        }
    }

    #[tokio::test]
    async fn the_address_is_told_with_its_port_and_without_its_query() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
        let error = client.get(format!("http://{free}/x?q=secret")).send().await.unwrap_err();
        let error = NoAnswer::of(error).into_error("describe of Account");
        let text = error.to_string();
        assert!(text.starts_with(&format!("describe of Account: no answer from {free}: Connection refused")), "{text}");
        assert!(!text.contains("secret") && text.contains("\n  hint: ") && error.is_retryable(), "{text}");
    }
}
