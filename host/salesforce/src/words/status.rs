//! Answers to a login that are no OAuth error and no SOAP fault, in words: a status and perhaps a page.

use super::{Words, entry};
use crate::error::Error;

const ADDRESS: &str = "check url, my_domain or environment of the connection: Setup > My Domain has the host, which ends in .my.salesforce.com; a login page opened in a browser on this machine shows whether it is the right one";
const LATER: &str = "try again later; see https://status.salesforce.com";

/// Statuses that have a story of their own (salesforce-auth-rest.md 1.1, 1.3 and 3.6 of the references have the facts;
/// gateways give the rest).
const STATUSES: &[(u16, Words)] = &[
    (
        401,
        entry(
            "",
            "",
            "something in front of the login asks for credentials of its own",
            "Salesforce refuses logins with 400 and a reason; a proxy or a gateway answers like this",
            "check any proxy between this machine and Salesforce",
        ),
    ),
    (
        403,
        entry(
            "",
            "",
            "the host, or a firewall in front of it, refuses this machine",
            "a proxy or firewall forbids the address, or the host is not one that logs people in",
            ADDRESS,
        ),
    ),
    (
        404,
        entry(
            "",
            "",
            "the host has no login at this address",
            "the My Domain name is misspelt or was renamed, or the host is a page for people (…lightning.force.com, …salesforce-setup.com)",
            ADDRESS,
        ),
    ),
    (
        405,
        entry(
            "",
            "",
            "the host does not take logins",
            "it is not Salesforce's, or something between rewrites the request",
            ADDRESS,
        ),
    ),
    (
        407,
        entry(
            "",
            "",
            "the proxy asks for credentials",
            "",
            "give them in the proxy's address: HTTPS_PROXY=http://user:password@host:port",
        ),
    ),
    (420, entry("", "", "the org is being started or moved", "", "try again in a few minutes")),
    (
        429,
        entry(
            "",
            "",
            "too many requests from this machine or for this user",
            "a user may log in 3600 times an hour",
            "wait, and log in less often: one process for several pipelines logs in once",
        ),
    ),
    (500, entry("", "", "a fault inside Salesforce", "", LATER)),
    (502, entry("", "", "Salesforce does not answer the gateway in front of it", "", LATER)),
    (503, entry("", "", "Salesforce is overloaded or in maintenance", "", LATER)),
    (504, entry("", "", "Salesforce took too long for the gateway in front of it", "", LATER)),
];
/// Of a redirect.
const MOVED: Words = entry(
    "",
    "",
    "the login is at another address, and credentials follow no redirect",
    "the org has another My Domain than the connection says, or http is written for https",
    ADDRESS,
);
/// Of any other 4xx.
const NOT_A_LOGIN: Words = entry(
    "",
    "",
    "this is not how Salesforce refuses a login",
    "the host is not Salesforce's, or a proxy stands between",
    ADDRESS,
);
/// Of any other 5xx.
const TROUBLE: Words = entry("", "", "trouble at the server, or at something in front of it", "", LATER);

/// What came with the status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Body {
    Empty,
    Html,
    Other,
}

impl Body {
    /// By its first bytes; the rest of it is never told, for it may repeat what was sent.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let start = bytes.trim_ascii_start();
        match start.first() {
            None => Self::Empty,
            Some(b'<') if !start.starts_with(b"<?xml") => Self::Html,
            Some(_) => Self::Other,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Empty => "nothing",
            Self::Html => "an HTML page",
            Self::Other => "a text",
        }
    }
}

/// A login that was answered with this status and no reason that Salesforce gives. A server in trouble may be better soon.
pub(crate) fn explain(host: &str, status: u16, body: Body) -> Error {
    let words = match STATUSES.iter().find(|(known, _)| *known == status) {
        Some((_, words)) => words,
        None if (300..400).contains(&status) => &MOVED,
        None if status >= 500 => &TROUBLE,
        None => &NOT_A_LOGIN,
    };
    let code = if (300..400).contains(&status) { "redirect".to_owned() } else { format!("http_{status}") };
    Error::Auth {
        code,
        message: format!("login at {host}: HTTP {status} and {} instead of a reason{}", body.words(), words.lines("")),
        retryable: matches!(status, 420 | 429) || status >= 500,
    }
}

/// A login that succeeded by its status, with something else than what a login gives.
pub(crate) fn not_a_login(host: &str, what: &str) -> Error {
    Error::Auth {
        code: "unreadable_answer".into(),
        message: format!("login at {host}: {what}{}", NOT_A_LOGIN.lines("")),
        retryable: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_a_sentence_and_a_way_out() {
        for (status, word, retryable) in [
            (302, "another My Domain", false),
            (400, "not how Salesforce refuses", false),
            (403, "firewall", false),
            (404, "My Domain name is misspelt", false),
            (407, "HTTPS_PROXY", false),
            (418, "not how Salesforce refuses", false),
            (420, "started or moved", true),
            (429, "3600", true),
            (500, "fault inside", true),
            (502, "status.salesforce.com", true),
            (503, "maintenance", true),
            (521, "something in front", true),
        ] {
            let error = explain("acme.my.salesforce.com", status, Body::Html);
            let text = error.to_string();
            assert!(text.contains(word) && text.contains(&format!("HTTP {status}")), "{text}");
            assert!(text.contains("an HTML page") && text.matches("\n  hint: ").count() == 1, "{text}");
            assert_eq!(error.is_retryable(), retryable, "{text}");
        }
    }

    #[test]
    fn bodies_are_told_apart() {
        for (bytes, body) in [
            (&b""[..], Body::Empty),
            (b" \n", Body::Empty),
            (b"<!DOCTYPE html>", Body::Html),
            (b"\n<html>", Body::Html),
            (b"<?xml version=\"1.0\"?>", Body::Other),
            (b"Forbidden", Body::Other),
        ] {
            assert_eq!(Body::of(bytes), body);
        }
    }
}
