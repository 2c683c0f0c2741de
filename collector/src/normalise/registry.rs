//! What a port says: whether it is a server's, and the name of the service.

use flow::application::{PortRange, protocol_name};

use super::names::{NameId, Names};
use super::services::SERVICES;

/// IP protocol numbers.
pub(super) const ICMP: u8 = 1;
/// See [`ICMP`].
pub(super) const TCP: u8 = 6;
/// See [`ICMP`].
pub(super) const UDP: u8 = 17;
/// See [`ICMP`].
pub(super) const ICMP6: u8 = 58;
/// See [`ICMP`].
pub(super) const SCTP: u8 = 132;
/// Stands for "the record does not say": reserved by IANA and used by nobody.
pub(super) const UNKNOWN: u8 = 255;

/// First port that clients are given by their system: Linux from 32768, the others from 49152 (RFC 6335 §6).
const FIRST_DYNAMIC: u16 = 32768;

/// The protocols that carry a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Carriers(u8);

impl Carriers {
    /// TCP.
    pub(super) const TCP: Self = Self(1);
    /// UDP.
    pub(super) const UDP: Self = Self(2);
    /// SCTP.
    pub(super) const SCTP: Self = Self(4);

    /// Both.
    pub(super) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn has(self, carrier: usize) -> bool {
        self.0 & (1 << carrier) != 0
    }
}

/// The place of a protocol's ports in [`Ports`].
#[inline]
fn carrier(protocol: u8) -> Option<usize> {
    match protocol {
        TCP => Some(0),
        UDP => Some(1),
        SCTP => Some(2),
        _ => None,
    }
}

/// How much a port looks like a server's; of two ends the higher is the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum PortRank {
    /// A client's, or none.
    Dynamic,
    /// Nobody registered it, or it lies among the dynamic ones.
    Unknown,
    /// A registered service from 1024 on.
    Registered,
    /// A registered service below 1024.
    WellKnown,
}

/// What is known of every port of every protocol that has ports.
#[derive(Clone, Debug)]
pub(super) struct Ports {
    /// For each carrier one octet a port: the rank, and [`NAMED_BY_RULE`].
    known: [Vec<u8>; 3],
    /// Name of the service by carrier and port, sorted.
    services: Vec<((usize, u16), NameId)>,
    /// Name of each protocol.
    protocols: Vec<NameId>,
}

const NAMED_BY_RULE: u8 = 0x80;

impl Ports {
    /// The registry, its names added to `names`, and the ports that rules name.
    pub(super) fn new<'a>(
        names: &mut Names,
        named_by_rules: impl Iterator<Item = &'a PortRange>,
    ) -> Self {
        let bare: Vec<u8> = (0..=u16::MAX)
            .map(|port| unregistered(port) as u8)
            .collect();
        let mut known = [bare.clone(), bare.clone(), bare];
        let mut services = Vec::new();
        for (port, carriers, name) in SERVICES {
            let id = names.add(name);
            for (carrier, ports) in known.iter_mut().enumerate() {
                if carriers.has(carrier) {
                    ports[usize::from(*port)] = registered(*port) as u8;
                    services.push(((carrier, *port), id));
                }
            }
        }
        services.sort_unstable_by_key(|(key, _)| *key);
        for range in named_by_rules {
            for (carrier, ports) in known.iter_mut().enumerate() {
                if range
                    .protocol
                    .is_none_or(|number| self::carrier(number) == Some(carrier))
                {
                    for port in &mut ports[usize::from(range.first)..=usize::from(range.last)] {
                        *port |= NAMED_BY_RULE;
                    }
                }
            }
        }
        let protocols = (0..=u8::MAX)
            .map(|number| names.add(&called(number)))
            .collect();
        Self {
            known,
            services,
            protocols,
        }
    }

    #[inline]
    fn octet(&self, port: u16, protocol: u8) -> u8 {
        carrier(protocol).map_or(0, |carrier| self.known[carrier][usize::from(port)])
    }

    /// How much the port looks like a server's.
    #[inline]
    pub(super) fn rank(&self, port: u16, protocol: u8) -> PortRank {
        match self.octet(port, protocol) & !NAMED_BY_RULE {
            0 => PortRank::Dynamic,
            1 => PortRank::Unknown,
            2 => PortRank::Registered,
            _ => PortRank::WellKnown,
        }
    }

    /// Whether a rule of the operator names the port.
    #[inline]
    pub(super) fn named_by_rule(&self, port: u16, protocol: u8) -> bool {
        self.octet(port, protocol) & NAMED_BY_RULE != 0
    }

    /// The registry's name of a port.
    pub(super) fn service(&self, port: u16, protocol: u8) -> Option<NameId> {
        let key = (carrier(protocol)?, port);
        let at = self
            .services
            .binary_search_by_key(&key, |(key, _)| *key)
            .ok()?;
        self.services.get(at).map(|(_, name)| *name)
    }

    /// The name of a protocol; `None` if the record did not say one.
    #[inline]
    pub(super) fn protocol(&self, protocol: u8) -> Option<NameId> {
        (protocol != UNKNOWN).then(|| self.protocols[usize::from(protocol)])
    }
}

fn unregistered(port: u16) -> PortRank {
    if port == 0 || port >= FIRST_DYNAMIC {
        PortRank::Dynamic
    } else {
        PortRank::Unknown
    }
}

fn registered(port: u16) -> PortRank {
    match port {
        0..1024 => PortRank::WellKnown,
        1024..FIRST_DYNAMIC => PortRank::Registered,
        _ => PortRank::Unknown,
    }
}

/// A protocol's name, `ip-143` where people have none.
fn called(protocol: u8) -> String {
    protocol_name(protocol).map_or_else(|| format!("ip-{protocol}"), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_stand_once_and_in_order() {
        for pair in SERVICES.windows(2) {
            let ((port, carriers, name), (next, others, _)) = (pair[0], pair[1]);
            assert!(port <= next, "{port}");
            let apart = (0..3).all(|carrier| !(carriers.has(carrier) && others.has(carrier)));
            assert!(port < next || apart, "{name} on {port} stands twice");
            assert!(!name.is_empty() && !name.contains(char::is_whitespace));
        }
        assert!(SERVICES.len() > 300);
    }

    #[test]
    fn people_find_the_names_that_they_use() {
        let mut names = Names::default();
        let ports = Ports::new(&mut names, std::iter::empty());
        let name = |port, protocol| ports.service(port, protocol).map(|id| names.text(id));
        // IANA service registry, and everyday names for 445, 1433, 3389 and 443/udp.
        assert_eq!(name(443, TCP), Some("https"));
        assert_eq!(name(443, UDP), Some("quic"));
        assert_eq!(name(53, UDP), Some("dns"));
        assert_eq!(name(445, TCP), Some("smb"));
        assert_eq!(name(1433, TCP), Some("ms-sql"));
        assert_eq!(name(3389, TCP), Some("rdp"));
        assert_eq!(name(5432, TCP), Some("postgresql"));
        assert_eq!(name(88, TCP), Some("kerberos"));
        assert_eq!(name(3868, SCTP), Some("diameter"));
        assert_eq!(name(443, 47), None);
        assert_eq!(name(49999, TCP), None);
        let protocol = |number| ports.protocol(number).map(|id| names.text(id));
        assert_eq!(protocol(47), Some("gre"));
        assert_eq!(protocol(143), Some("ip-143"));
        assert_eq!(protocol(UNKNOWN), None);
    }

    #[test]
    fn ports_are_ranked_and_rules_name_them_per_protocol() {
        let range = "5000-5001/udp".parse().unwrap();
        let ports = Ports::new(&mut Names::default(), [&range].into_iter());
        assert_eq!(ports.rank(443, TCP), PortRank::WellKnown);
        assert_eq!(ports.rank(3306, TCP), PortRank::Registered);
        assert_eq!(ports.rank(800, TCP), PortRank::Unknown);
        assert_eq!(ports.rank(51820, UDP), PortRank::Unknown);
        assert_eq!(ports.rank(50123, TCP), PortRank::Dynamic);
        assert!(ports.named_by_rule(5001, UDP) && !ports.named_by_rule(5001, TCP));
    }
}
