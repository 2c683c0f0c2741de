//! Addresses: one width for both families, as the store and the columns keep them.

use std::net::{IpAddr, Ipv6Addr};

/// The address as 128 bits; IPv4 as ::ffff:a.b.c.d ([RFC 4291 §2.5.5.2]).
pub fn widen(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    }
}

/// The address as people write it: IPv4 where it is a mapped one.
pub fn narrow(address: Ipv6Addr) -> IpAddr {
    address.to_canonical()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_families_survive_the_round_trip() {
        for text in ["10.0.0.1", "0.0.0.0", "::", "2001:db8::1"] {
            let address: IpAddr = text.parse().unwrap();
            assert_eq!(narrow(widen(address)), address);
        }
    }
}
