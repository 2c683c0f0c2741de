//! Hosts: users, servers, and the internet's many.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::map;

/// A host's place in [`Hosts`].
pub(super) type HostId = usize;

/// One machine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Host {
    pub(super) zone: usize,
    pub(super) v4: Ipv4Addr,
    pub(super) v6: Option<Ipv6Addr>,
    next_port: u16,
}

impl Host {
    /// Its address of a family; IPv4 if it has no other.
    pub(super) fn address(&self, v6: bool) -> IpAddr {
        match self.v6 {
            Some(address) if v6 => address.into(),
            _ => self.v4.into(),
        }
    }

    /// A source port; each is used again only after all others.
    pub(super) fn take_port(&mut self) -> u16 {
        const FIRST: u16 = 32_768;
        const LAST: u16 = 60_999;
        self.next_port = if self.next_port >= LAST {
            FIRST
        } else {
            self.next_port + 1
        };
        self.next_port
    }
}

/// All hosts.
#[derive(Clone, Debug, Default)]
pub(super) struct Hosts {
    pub(super) all: Vec<Host>,
    pub(super) users: Vec<HostId>,
    pub(super) internet: Vec<HostId>,
}

/// How many servers of the internet people go to.
const INTERNET_SERVERS: u32 = 3_000;

impl Hosts {
    /// Users, six of ten of them at the headquarters, and the internet.
    pub(super) fn new(users: u32) -> Self {
        let mut hosts = Self::default();
        for user in 0..users.clamp(1, 3_000) {
            let (zone, net) = match user % 10 {
                0..=5 => (map::HQ, 1),
                6 | 7 => (map::BRANCH_1, 2),
                _ => (map::BRANCH_2, 3),
            };
            // Room for 250 users in each third octet, from .1.
            let [_, _, high, low] = (256 + user / 250 * 256 + user % 250 + 2).to_be_bytes();
            let v4 = Ipv4Addr::new(10, net, high, low);
            let v6 = Ipv6Addr::from([0xfd00, net.into(), 0, 0, 0, 0, high.into(), low.into()]);
            let id = hosts.add(zone, v4, Some(v6), user);
            hosts.users.push(id);
        }
        for server in 0..INTERNET_SERVERS {
            // Spread over 198.18.0.0/15: an odd factor visits each address once.
            let [_, _, high, low] = (server * 21 + 7).to_be_bytes();
            let net = if server % 2 == 0 { 18 } else { 19 };
            let v4 = Ipv4Addr::new(198, net, high, low);
            let v6 = Ipv6Addr::from([0x2001, 0xdb8, net.into(), 0, 0, 0, high.into(), low.into()]);
            let id = hosts.add(map::INTERNET, v4, Some(v6), server);
            hosts.internet.push(id);
        }
        hosts
    }

    /// Servers `first..first + count` of a /24.
    pub(super) fn servers(
        &mut self,
        zone: usize,
        net: [u8; 3],
        hosts: std::ops::Range<u8>,
    ) -> Vec<HostId> {
        let address = |host: u8| Ipv4Addr::new(net[0], net[1], net[2], host);
        let v6 = |host: u8| {
            let inside = zone == map::SERVICES;
            inside.then(|| Ipv6Addr::from([0xfd00, 0x20, 0x40, 0, 0, 0, 0, host.into()]))
        };
        hosts
            .map(|host| match self.find(address(host)) {
                Some(known) => known,
                None => self.add(zone, address(host), v6(host), host.into()),
            })
            .collect()
    }

    fn find(&self, v4: Ipv4Addr) -> Option<HostId> {
        self.all.iter().position(|host| host.v4 == v4)
    }

    fn add(&mut self, zone: usize, v4: Ipv4Addr, v6: Option<Ipv6Addr>, salt: u32) -> HostId {
        // Hosts begin at different ports, or tests could not tell two of them apart by port alone.
        let spread = u16::try_from(salt.wrapping_mul(7_919) % 28_000).unwrap_or(0);
        self.all.push(Host {
            zone,
            v4,
            v6,
            next_port: 32_768 + spread,
        });
        self.all.len() - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_address_is_given_twice_and_each_is_in_its_zone() {
        let hosts = Hosts::new(3_000);
        let distinct: HashSet<Ipv4Addr> = hosts.all.iter().map(|host| host.v4).collect();
        assert_eq!(distinct.len(), hosts.all.len());
        for host in &hosts.all {
            let inside = map::SUBNETS.iter().any(|(zone, net)| {
                let net: ipnet::IpNet = net.parse().unwrap();
                *zone == host.zone && net.contains(&IpAddr::V4(host.v4))
            });
            assert!(inside, "{host:?}");
        }
    }
}
