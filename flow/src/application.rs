//! Applications: named sets of server endpoints, as the operator writes them.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A rule that names an application. All parts that are given must match; a part that is empty matches everything.
///
/// Rules are tried in order; the first that matches names the flow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApplicationRule {
    /// The application's name.
    pub name: String,
    /// Server addresses and subnets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub servers: Vec<IpNet>,
    /// Server ports: `443`, `8000-8099`, with a protocol `53/udp`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub ports: Vec<PortRange>,
    /// Client addresses and subnets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub clients: Vec<IpNet>,
}

/// Ports `first..=last`, of one protocol or any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange {
    /// First port.
    pub first: u16,
    /// Last port.
    pub last: u16,
    /// IP protocol number; any if `None`.
    pub protocol: Option<u8>,
}

impl PortRange {
    /// Whether it holds this port of this protocol.
    pub fn contains(&self, port: u16, protocol: u8) -> bool {
        (self.first..=self.last).contains(&port)
            && self.protocol.is_none_or(|wanted| wanted == protocol)
    }
}

/// A text that is not a port range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a port: write 443, 8000-8099, 53/udp or 5060-5061/tcp")]
pub struct NotAPort(String);

impl std::str::FromStr for PortRange {
    type Err = NotAPort;
    fn from_str(text: &str) -> Result<Self, NotAPort> {
        let wrong = || NotAPort(text.to_owned());
        let (ports, protocol) = match text.split_once('/') {
            Some((ports, name)) => (ports, Some(protocol_number(name).ok_or_else(wrong)?)),
            None => (text, None),
        };
        let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
        let first = first.trim().parse().map_err(|_| wrong())?;
        let last = last.trim().parse().map_err(|_| wrong())?;
        if first > last {
            return Err(wrong());
        }
        Ok(Self {
            first,
            last,
            protocol,
        })
    }
}

impl std::fmt::Display for PortRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.first)?;
        if self.last != self.first {
            write!(f, "-{}", self.last)?;
        }
        match self.protocol {
            Some(number) => match protocol_name(number) {
                Some(name) => write!(f, "/{name}"),
                None => write!(f, "/{number}"),
            },
            None => Ok(()),
        }
    }
}

impl Serialize for PortRange {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PortRange {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(u16),
            Text(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Number(port) => Ok(Self {
                first: port,
                last: port,
                protocol: None,
            }),
            Written::Text(text) => text.parse().map_err(serde::de::Error::custom),
        }
    }
}

/// IP protocols that people call by name ([IANA protocol numbers](https://www.iana.org/assignments/protocol-numbers)).
pub const PROTOCOLS: &[(u8, &str)] = &[
    (1, "icmp"),
    (2, "igmp"),
    (4, "ipip"),
    (6, "tcp"),
    (17, "udp"),
    (41, "ipv6"),
    (46, "rsvp"),
    (47, "gre"),
    (50, "esp"),
    (51, "ah"),
    (58, "icmp6"),
    (88, "eigrp"),
    (89, "ospf"),
    (103, "pim"),
    (112, "vrrp"),
    (115, "l2tp"),
    (132, "sctp"),
    (136, "udplite"),
];

/// The number of a protocol, from its name or its number.
pub fn protocol_number(name: &str) -> Option<u8> {
    let lower = name.to_ascii_lowercase();
    let named = PROTOCOLS
        .iter()
        .find(|(_, known)| *known == lower)
        .map(|(number, _)| *number);
    named.or_else(|| name.parse().ok())
}

/// The name of a protocol.
pub fn protocol_name(number: u8) -> Option<&'static str> {
    PROTOCOLS
        .iter()
        .find(|(known, _)| *known == number)
        .map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_read_and_print_alike() {
        for text in ["443", "8000-8099", "53/udp", "5060-5061/tcp"] {
            assert_eq!(text.parse::<PortRange>().unwrap().to_string(), text);
        }
        for text in ["", "70000", "9-1", "80/quic", "-1"] {
            assert!(text.parse::<PortRange>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_port_range_keeps_to_its_protocol() {
        let dns: PortRange = "53/udp".parse().unwrap();
        assert!(dns.contains(53, 17) && !dns.contains(53, 6) && !dns.contains(54, 17));
    }
}
