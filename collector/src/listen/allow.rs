//! Whom to hear: checked on the receive thread, before anything is allocated for a source.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Networks whose exporters are heard.
///
/// The default holds the address ranges that do not cross the public Internet: loopback, private
/// ([RFC 1918](https://www.rfc-editor.org/rfc/rfc1918)), shared
/// ([RFC 6598](https://www.rfc-editor.org/rfc/rfc6598)), link-local
/// ([RFC 3927](https://www.rfc-editor.org/rfc/rfc3927), [RFC 4291 §2.5.6](https://www.rfc-editor.org/rfc/rfc4291)) and unique
/// local ([RFC 4193](https://www.rfc-editor.org/rfc/rfc4193)) addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowList(Vec<IpNet>);

const PRIVATE_V4: [([u8; 4], u8); 6] = [
    ([10, 0, 0, 0], 8),
    ([172, 16, 0, 0], 12),
    ([192, 168, 0, 0], 16),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([169, 254, 0, 0], 16),
];

const PRIVATE_V6: [([u16; 8], u8); 3] = [
    ([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7),
    ([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10),
    ([0, 0, 0, 0, 0, 0, 0, 1], 128),
];

impl Default for AllowList {
    fn default() -> Self {
        let v4 = PRIVATE_V4
            .into_iter()
            .filter_map(|(octets, length)| Ipv4Net::new(Ipv4Addr::from(octets), length).ok())
            .map(IpNet::V4);
        let v6 = PRIVATE_V6
            .into_iter()
            .filter_map(|(groups, length)| Ipv6Net::new(Ipv6Addr::from(groups), length).ok())
            .map(IpNet::V6);
        Self(v4.chain(v6).collect())
    }
}

impl AllowList {
    /// These networks and no other; an empty list hears nobody.
    pub fn new(mut networks: Vec<IpNet>) -> Self {
        for network in &mut networks {
            *network = network.trunc();
        }
        networks.dedup();
        Self(networks)
    }

    /// Whether an exporter with this address is heard. An IPv4-mapped IPv6 address counts as IPv4.
    pub fn allows(&self, source: IpAddr) -> bool {
        let source = source.to_canonical();
        self.0.iter().any(|network| network.contains(&source))
    }

    /// The networks, in the order in which they are tried.
    pub fn networks(&self) -> &[IpNet] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(list: &AllowList, text: &str) -> bool {
        list.allows(text.parse().unwrap())
    }

    #[test]
    fn the_default_hears_private_addresses_only() {
        let list = AllowList::default();
        for text in [
            "10.255.255.255",
            "172.31.0.1",
            "192.168.1.1",
            "100.127.255.255",
            "127.0.0.1",
            "169.254.9.9",
            "::1",
            "fe80::1",
            "fd00::1",
            "::ffff:10.0.0.1",
        ] {
            assert!(allowed(&list, text), "{text}");
        }
        for text in [
            "11.0.0.0",
            "172.32.0.1",
            "192.169.0.1",
            "100.128.0.1",
            "8.8.8.8",
            "2001:db8::1",
            "fec0::1",
            "::",
            "::ffff:8.8.8.8",
        ] {
            assert!(!allowed(&list, text), "{text}");
        }
    }

    #[test]
    fn a_list_of_ones_own_replaces_the_default() {
        let list = AllowList::new(vec!["198.51.100.77/24".parse().unwrap()]);
        assert!(allowed(&list, "198.51.100.1") && !allowed(&list, "10.0.0.1"));
        assert!(!allowed(&AllowList::new(Vec::new()), "127.0.0.1"));
        let everybody = AllowList::new(vec!["0.0.0.0/0".parse().unwrap()]);
        assert!(allowed(&everybody, "8.8.8.8") && !allowed(&everybody, "2001:db8::1"));
    }
}
