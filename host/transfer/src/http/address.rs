//! Which addresses may be dialled.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How far a granted origin may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reach {
    /// The public internet.
    Public,
    /// That, private networks, this machine and its link.
    Private,
    /// This machine only: what plain http is allowed for.
    Loopback,
}

impl Reach {
    pub(crate) fn admits(self, address: IpAddr) -> bool {
        match self {
            Self::Public => is_public(address),
            Self::Private => !is_nobody(address.to_canonical()),
            Self::Loopback => address.to_canonical().is_loopback(),
        }
    }
}

/// IPv4 blocks that are not globally reachable, as (first address, prefix length).
/// Source: IANA IPv4 special-purpose address registry (RFC 6890), and multicast (RFC 5771).
const NOT_PUBLIC_V4: [([u8; 4], u32); 15] = [
    ([0, 0, 0, 0], 8),       // "this network"; 0.0.0.0 dials this machine on many systems
    ([10, 0, 0, 0], 8),      // private
    ([100, 64, 0, 0], 10),   // shared address space of carriers
    ([127, 0, 0, 0], 8),     // loopback
    ([169, 254, 0, 0], 16),  // link-local; clouds serve credentials here
    ([172, 16, 0, 0], 12),   // private
    ([192, 0, 0, 0], 24),    // IETF protocol assignments
    ([192, 0, 2, 0], 24),    // documentation
    ([192, 88, 99, 0], 24),  // 6to4 relay
    ([192, 168, 0, 0], 16),  // private
    ([198, 18, 0, 0], 15),   // benchmarking
    ([198, 51, 100, 0], 24), // documentation
    ([203, 0, 113, 0], 24),  // documentation
    ([224, 0, 0, 0], 4),     // multicast
    ([240, 0, 0, 0], 4),     // reserved, and broadcast
];

/// Blocks within 2000::/3, the only global unicast space, that are not public after all.
/// Source: IANA IPv6 special-purpose address registry.
const NOT_PUBLIC_V6: [([u16; 2], u32); 4] = [
    ([0x2001, 0x0000], 23), // IETF protocol assignments: Teredo, benchmarking, ORCHID
    ([0x2001, 0x0db8], 32), // documentation
    ([0x2002, 0x0000], 16), // 6to4: carries any IPv4 address
    ([0x3fff, 0x0000], 20), // documentation
];

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => match nat64(v6) {
            Some(embedded) => is_public_v4(embedded),
            None => is_public_v6(v6),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let bits = address.to_bits();
    NOT_PUBLIC_V4.iter().all(|(base, length)| !same_prefix(bits, u32::from_be_bytes(*base), *length))
}

/// Whatever lies outside of 2000::/3 is not public: `::`, `::1`, v4-mapped, v4-compatible, unique-local, link-local,
/// site-local, multicast, discard, the local NAT64 prefix 64:ff9b:1::/48 and all that is not assigned yet.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    let head = (u32::from(first) << 16) | u32::from(second);
    let base = |block: [u16; 2]| (u32::from(block[0]) << 16) | u32::from(block[1]);
    same_prefix(head, 0x2000_0000, 3) && NOT_PUBLIC_V6.iter().all(|(b, length)| !same_prefix(head, base(*b), *length))
}

fn same_prefix(one: u32, other: u32, length: u32) -> bool {
    (one ^ other).leading_zeros() >= length
}

/// The IPv4 address that a NAT64 gateway would dial: 64:ff9b::/96 (RFC 6052, 2.1).
fn nat64(address: Ipv6Addr) -> Option<Ipv4Addr> {
    match address.segments() {
        [0x0064, 0xff9b, 0, 0, 0, 0, high, low] => Some(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low))),
        _ => None,
    }
}

/// Addresses that no server has, or that mean another one than they say.
fn is_nobody(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.octets()[0] == 0 || v4.octets()[0] >= 224,
        IpAddr::V6(v6) => v6.is_unspecified() || v6.is_multicast(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn public_addresses_are_public() {
        for good in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450::1",
            "2001:4860:4860::8888",
            "64:ff9b::8.8.8.8",
        ] {
            assert!(Reach::Public.admits(ip(good)), "{good}");
        }
    }

    #[test]
    fn everything_else_is_not() {
        for bad in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.7",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::127.0.0.1",
            "::8.8.8.8",
            "64:ff9b::127.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::8.8.8.8",
            "100::1",
            "2001::1",
            "2001:0:4136:e378:8000:63bf:3fff:fdd2",
            "2001:2::1",
            "2001:10::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:808:808::1",
            "3fff::1",
            "4000::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!Reach::Public.admits(ip(bad)), "{bad}");
        }
    }

    #[test]
    fn private_reach_takes_private_networks_but_nobody_s_addresses() {
        for good in ["10.0.0.1", "127.0.0.1", "::1", "fd00::1", "fe80::1", "8.8.8.8", "::ffff:10.0.0.1"] {
            assert!(Reach::Private.admits(ip(good)), "{good}");
        }
        for bad in ["0.0.0.0", "::", "224.0.0.1", "255.255.255.255", "ff02::1", "::ffff:0.0.0.0"] {
            assert!(!Reach::Private.admits(ip(bad)), "{bad}");
        }
    }

    #[test]
    fn loopback_reach_takes_this_machine_only() {
        for good in ["127.0.0.1", "127.1.2.3", "::1"] {
            assert!(Reach::Loopback.admits(ip(good)), "{good}");
        }
        for bad in ["10.0.0.1", "8.8.8.8", "0.0.0.0", "fe80::1"] {
            assert!(!Reach::Loopback.admits(ip(bad)), "{bad}");
        }
    }
}
