//! Scheme, host and port, in one form only.

use std::fmt;
use std::net::IpAddr;

use url::{Host, Url};

/// Scheme, host and port of a URL. The url crate has lowered the case, applied IDNA and read the odd forms
/// of IPv4 addresses; a trailing dot of a name is dropped here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) is_https: bool,
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Origin {
    /// `None` for other schemes than http and https.
    pub(crate) fn of(url: &Url) -> Option<Self> {
        let is_https = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let host = url.host_str()?;
        let host = host.strip_suffix('.').unwrap_or(host).to_owned();
        Some(Self { is_https, host, port: url.port_or_known_default()? })
    }

    /// The address, where the host is one.
    pub(crate) fn literal(&self) -> Option<IpAddr> {
        match Host::parse(&self.host) {
            Ok(Host::Ipv4(v4)) => Some(v4.into()),
            Ok(Host::Ipv6(v6)) => Some(v6.into()),
            _ => None,
        }
    }

    /// Whether the host can only be this machine (RFC 6761, 6.3 for the names).
    pub(crate) fn is_loopback(&self) -> bool {
        match self.literal() {
            Some(address) => address.is_loopback(),
            None => self.host == "localhost" || self.host.ends_with(".localhost"),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, default_port) = if self.is_https { ("https", 443) } else { ("http", 80) };
        write!(f, "{scheme}://{}", super::shown(&self.host))?;
        if self.port != default_port { write!(f, ":{}", self.port) } else { Ok(()) }
    }
}
