//! Requests to granted origins: what an untrusted guest asks for, checked, dialled and capped by the host.
//!
//! The guest names a URL, a method, headers and, by name, a credential. Before anything is sent the origin,
//! the method and the path are held against the grants; when the connection is dialled each address of the
//! name is checked; before the answer is handed on it is searched for the credentials. No redirect is followed, no
//! proxy of the environment used, no cookie kept, and no response encoding asked for.
//!
//! # Addresses
//! Public addresses only, unless the grant says `private_addresses`. Refused are loopback, private, shared
//! (100.64/10), link-local, unique-local, documentation, benchmarking, multicast, reserved, 6to4, Teredo, IPv4 in
//! IPv6 clothing and NAT64 of an address that is refused itself. The addresses that were checked are the ones that
//! are dialled: there is no second lookup, so a name that changes its answer gains nothing.
//!
//! # Read-back
//! A response that repeats a credential's value is refused entirely: as it is, percent-encoded, JSON-escaped, in
//! hex, or within base64 at any alignment. That stops servers that echo requests. It cannot stop a server that is
//! in league with the guest from telling it the secret in an encoding of their own: a credential is as safe as
//! the origin that it is granted for.

mod address;
mod body;
mod client;
mod dial;
mod echo;
mod failure;
mod grant;
mod headers;
mod origin;
mod policy;

use std::time::Duration;

pub use client::Client;
pub use dial::{Resolver, Resolving};
pub use grant::{Credential, HttpSetupError, OriginGrant};

/// Method of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    /// RFC 9110, 9.3.1.
    Get,
    /// RFC 9110, 9.3.2.
    Head,
    /// RFC 9110, 9.3.3.
    Post,
    /// RFC 9110, 9.3.4.
    Put,
    /// RFC 5789.
    Patch,
    /// RFC 9110, 9.3.5.
    Delete,
}

impl Method {
    /// As the pipeline file writes it.
    fn word(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Head => "head",
            Self::Post => "post",
            Self::Put => "put",
            Self::Patch => "patch",
            Self::Delete => "delete",
        }
    }

    fn on_the_wire(self) -> reqwest::Method {
        match self {
            Self::Get => reqwest::Method::GET,
            Self::Head => reqwest::Method::HEAD,
            Self::Post => reqwest::Method::POST,
            Self::Put => reqwest::Method::PUT,
            Self::Patch => reqwest::Method::PATCH,
            Self::Delete => reqwest::Method::DELETE,
        }
    }

    /// Whether a request without a body says so with `content-length: 0` (RFC 9110, 8.6).
    fn has_body(self) -> bool {
        matches!(self, Self::Post | Self::Put | Self::Patch)
    }
}

/// One request, as a guest gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What to do; must be granted.
    pub method: Method,
    /// Absolute; origin and path must be granted.
    pub url: String,
    /// Names and values; those that are the host's are refused.
    pub headers: Vec<(String, String)>,
    /// Empty for none.
    pub body: Vec<u8>,
    /// Name of the grant whose credential is added.
    pub credential: Option<String>,
    /// Longest time of the whole exchange: name, connection, request, response.
    pub timeout: Duration,
    /// Most bytes of the decoded body.
    pub max_response_bytes: u64,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// For example 200; 3xx too, since no redirect is followed.
    pub status: u16,
    /// Names in lower case. Of a decoded body without `content-encoding` and `content-length`.
    pub headers: Vec<(String, String)>,
    /// Whole and decoded.
    pub body: Vec<u8>,
}

/// Why there is no response. Texts are for the guest: they hold no credential and no resolved address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// Outside what is granted.
    #[error("{0}")]
    Denied(String),
    /// No credential of that name is granted.
    #[error("no credential of that name is granted")]
    UnknownCredential,
    /// No response in time.
    #[error("no response in time")]
    Timeout,
    /// No connection.
    #[error("no connection: {0}")]
    Connect(String),
    /// The response is larger than this number of bytes.
    #[error("the response is larger than {0} bytes")]
    TooLarge(u64),
    /// What came back is not HTTP, or not in a form that was asked for.
    #[error("{0}")]
    Protocol(String),
}

/// Text from outside, cut and without control characters, fit for a message.
fn shown(text: &str) -> String {
    const SHOWN_MAX_CHARS: usize = 80;
    let mut shown: String = text.chars().take(SHOWN_MAX_CHARS).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN_MAX_CHARS).is_some() {
        shown.push('…');
    }
    shown
}
