//! Values by subnet.

use std::net::Ipv6Addr;

use ipnet::IpNet;
use rustc_hash::FxHashMap;

/// Values by subnet, found by address: one hash look-up for each prefix length in use.
#[derive(Clone, Debug)]
pub(super) struct PrefixMap<T> {
    entries: FxHashMap<(u128, u8), T>,
    /// Lengths in use, longest first, counted in 128 bits.
    v4: Vec<u8>,
    v6: Vec<u8>,
}

impl<T> Default for PrefixMap<T> {
    fn default() -> Self {
        Self {
            entries: FxHashMap::default(),
            v4: Vec::new(),
            v6: Vec::new(),
        }
    }
}

impl<T> PrefixMap<T> {
    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The value of exactly this subnet, made if need be.
    pub(super) fn entry(&mut self, net: IpNet) -> &mut T
    where
        T: Default,
    {
        let (bits, length) = widen(net);
        let lengths = if is_v4(bits) && length >= 96 {
            &mut self.v4
        } else {
            &mut self.v6
        };
        if let Err(at) = lengths.binary_search_by(|known| length.cmp(known)) {
            lengths.insert(at, length);
        }
        self.entries.entry((bits, length)).or_default()
    }

    /// The value of exactly this subnet.
    pub(super) fn exact(&self, net: IpNet) -> Option<&T> {
        self.entries.get(&widen(net))
    }

    /// The values of all subnets that hold the address, longest first.
    pub(super) fn holding(&self, address: u128) -> impl Iterator<Item = &T> {
        // `::/0` is every IPv6 address; IPv4 ones only look like some.
        let lengths = if is_v4(address) { &self.v4 } else { &self.v6 };
        lengths
            .iter()
            .filter_map(move |length| self.entries.get(&(address & mask(*length), *length)))
    }

    /// The value of the longest subnet that holds the address.
    #[inline]
    pub(super) fn longest(&self, address: u128) -> Option<&T> {
        self.holding(address).next()
    }
}

/// Whether these are the bits of an IPv4 address (RFC 4291 §2.5.5.2).
fn is_v4(bits: u128) -> bool {
    bits >> 32 == 0xffff
}

fn mask(length: u8) -> u128 {
    u128::MAX
        .checked_shl(128 - u32::from(length))
        .unwrap_or_default()
}

/// A subnet in 128 bits, whatever was written right of its prefix cut off.
fn widen(net: IpNet) -> (u128, u8) {
    let (address, length) = match net {
        IpNet::V4(v4) => (v4.network().to_ipv6_mapped(), 96 + v4.prefix_len()),
        IpNet::V6(v6) => (v6.network(), v6.prefix_len()),
    };
    (Ipv6Addr::to_bits(address), length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(text: &str) -> u128 {
        flow::address::widen(text.parse().unwrap()).to_bits()
    }

    #[test]
    fn the_longest_prefix_wins_and_families_keep_apart() {
        let mut map = PrefixMap::<&str>::default();
        for (net, name) in [
            ("0.0.0.0/0", "internet"),
            ("10.0.0.0/8", "all"),
            ("10.4.0.0/16", "branch"),
            ("10.4.7.9/32", "till"),
            ("::/0", "six"),
            ("2001:db8::/32", "lab"),
        ] {
            *map.entry(net.parse().unwrap()) = name;
        }
        for (address, name) in [
            ("10.4.7.9", "till"),
            ("10.4.7.8", "branch"),
            ("10.5.0.1", "all"),
            ("192.0.2.1", "internet"),
            ("2001:db8::1", "lab"),
            ("2001:db9::1", "six"),
        ] {
            assert_eq!(map.longest(bits(address)), Some(&name), "{address}");
        }
        assert_eq!(map.holding(bits("10.4.7.9")).count(), 4);
    }

    #[test]
    fn host_bits_in_a_subnet_do_not_matter() {
        let mut map = PrefixMap::<u8>::default();
        *map.entry("10.4.7.9/16".parse().unwrap()) = 1;
        assert_eq!(map.longest(bits("10.4.200.1")), Some(&1));
        assert_eq!(map.exact("10.4.0.0/16".parse().unwrap()), Some(&1));
    }
}
