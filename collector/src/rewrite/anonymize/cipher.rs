//! Addresses and MAC addresses under a key.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipcrypt_rs::IpcryptPfx;
use ipnet::IpNet;
use rustc_hash::FxHashMap;
use sha2::{Digest, Sha256};

use super::key::Key;

/// Addresses whose rewritten form is remembered: 64 blocks of AES for an IPv4 address and 256 for an IPv6 one are too many
/// to do again for every flow.
const REMEMBERED: usize = 65_536;
const ROUNDS: u8 = 8;
/// Half of the 46 bits of a MAC address that are rewritten.
const HALF: u64 = (1 << 23) - 1;
const BROADCAST: u64 = 0xffff_ffff_ffff;

/// The mapping of one key.
pub(super) struct Cipher {
    prefixes: IpcryptPfx,
    key: Key,
    /// At most [`REMEMBERED`]; when full, all are forgotten.
    known: FxHashMap<IpAddr, IpAddr>,
}

impl Cipher {
    pub(super) fn new(key: Key) -> Self {
        Self {
            prefixes: IpcryptPfx::new(*key.octets()),
            key,
            known: FxHashMap::default(),
        }
    }

    /// See [`super::Anonymizer::address`].
    pub(super) fn address(&self, address: IpAddr) -> IpAddr {
        let plain = address.to_canonical();
        if plain.is_unspecified() {
            return address;
        }
        let image = self.image(plain);
        let image = if image.is_unspecified() {
            next(image)
        } else {
            image
        };
        like(address, image)
    }

    /// As [`Cipher::address`], remembered.
    pub(super) fn address_again(&mut self, address: IpAddr) -> IpAddr {
        if let Some(known) = self.known.get(&address) {
            return *known;
        }
        let image = self.address(address);
        if self.known.len() >= REMEMBERED {
            self.known.clear();
        }
        self.known.insert(address, image);
        image
    }

    /// See [`super::Anonymizer::prefix`].
    pub(super) fn prefix(&self, net: IpNet) -> IpNet {
        let network = net.trunc().addr();
        let plain = network.to_canonical();
        let image = if net.prefix_len() == net.max_prefix_len() {
            self.address(network)
        } else {
            like(network, self.image(plain))
        };
        IpNet::new(image, net.prefix_len()).map_or(net, |net| net.trunc())
    }

    fn image(&self, plain: IpAddr) -> IpAddr {
        like(plain, self.prefixes.encrypt_ipaddr(plain))
    }

    /// See [`super::Anonymizer::mac`].
    ///
    /// A Feistel network of eight rounds over all bits but the two lowest of the first octet; what would become one of the
    /// two that stay is rewritten once more, so that no two become the same.
    pub(super) fn mac(&self, mac: u64) -> u64 {
        let stays = |mac| mac == 0 || mac == BROADCAST;
        let mut mac = mac & BROADCAST;
        if stays(mac) {
            return mac;
        }
        loop {
            mac = self.mac_once(mac);
            if !stays(mac) {
                return mac;
            }
        }
    }

    fn mac_once(&self, mac: u64) -> u64 {
        const LOW: u64 = (1 << 40) - 1;
        const KINDS: u64 = 0b11 << 40;
        let bits = mac >> 42 << 40 | mac & LOW;
        let (mut left, mut right) = (bits >> 23, bits & HALF);
        for round in 0..ROUNDS {
            (left, right) = (right, left ^ self.round(round, right));
        }
        let bits = left << 23 | right;
        bits >> 40 << 42 | mac & KINDS | bits & LOW
    }

    fn round(&self, round: u8, half: u64) -> u64 {
        let hash = Sha256::new()
            .chain_update(self.key.octets())
            .chain_update(b"mac")
            .chain_update([round])
            .chain_update(half.to_be_bytes())
            .finalize();
        hash.iter()
            .take(4)
            .fold(0, |bits, octet| bits << 8 | u64::from(*octet))
            & HALF
    }
}

/// `image` in the form of `model`: IPv4 as a mapped address where that is IPv6.
fn like(model: IpAddr, image: IpAddr) -> IpAddr {
    match (model, image) {
        (IpAddr::V6(_), IpAddr::V4(image)) => image.to_ipv6_mapped().into(),
        _ => image,
    }
}

/// The address behind the unspecified one.
fn next(unspecified: IpAddr) -> IpAddr {
    match unspecified {
        IpAddr::V4(_) => Ipv4Addr::from_bits(1).into(),
        IpAddr::V6(_) => Ipv6Addr::from_bits(1).into(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn cipher(key: &str) -> Cipher {
        Cipher::new(key.parse().unwrap())
    }

    fn draft() -> Cipher {
        cipher("0123456789abcdeffedcba98765432101032547698badcfeefcdab8967452301")
    }

    /// Test vectors of draft-denis-ipcrypt (`ipcrypt-pfx`), but for 0.0.0.0, which means "none" here.
    #[test]
    fn addresses_become_those_of_the_draft() {
        let second = cipher("2b7e151628aed2a6abf7158809cf4f3ca9f5ba40db214c3798f2e1c23456789a");
        for (cipher, from, to) in [
            (draft(), "255.255.255.255", "94.185.169.89"),
            (draft(), "192.0.2.1", "100.115.72.131"),
            (
                draft(),
                "2001:db8::1",
                "c180:5dd4:2587:3524:30ab:fa65:6ab6:f88",
            ),
        ] {
            assert_eq!(cipher.address(from.parse().unwrap()).to_string(), to);
        }
        for (from, to) in [
            ("10.0.0.47", "19.214.210.244"),
            ("10.0.0.129", "19.214.210.80"),
            ("10.0.0.234", "19.214.210.30"),
            ("172.16.5.193", "210.78.229.136"),
            ("172.16.248.177", "210.78.121.215"),
        ] {
            assert_eq!(second.address(from.parse().unwrap()).to_string(), to);
        }
        let net = second.prefix("10.0.0.0/24".parse().unwrap());
        assert_eq!(net.to_string(), "19.214.210.0/24");
    }

    #[test]
    fn none_stays_none_and_mapped_is_ipv4() {
        let cipher = draft();
        let address = |text: &str| cipher.address(text.parse().unwrap()).to_string();
        for none in ["0.0.0.0", "::", "::ffff:0.0.0.0"] {
            assert_eq!(address(none), none);
        }
        assert_eq!(address("::ffff:192.0.2.1"), "::ffff:100.115.72.131");
        let net = |text: &str| cipher.prefix(text.parse().unwrap()).to_string();
        assert_eq!(net("192.0.2.1/32"), "100.115.72.131/32");
        assert_eq!(net("0.0.0.0/0"), "0.0.0.0/0");
        // The draft's 0.0.0.0 becomes 151.82.155.134.
        assert_eq!(net("0.0.0.0/8"), "151.0.0.0/8");
        let mapped = cipher.prefix("::ffff:192.0.2.0/120".parse().unwrap());
        assert!(mapped.contains(&"::ffff:100.115.72.131".parse::<IpAddr>().unwrap()));
    }

    #[test]
    fn no_two_mac_addresses_become_the_same_and_their_kind_stays() {
        let cipher = draft();
        assert_eq!((cipher.mac(0), cipher.mac(BROADCAST)), (0, BROADCAST));
        let mut images = BTreeSet::new();
        for number in 0..2_000_u64 {
            let mac = (number % 4) << 40 | number << 8 | 0x0050_5600_0000;
            let image = cipher.mac(mac);
            assert_eq!(image & 0b11 << 40, mac & 0b11 << 40);
            assert!(image <= BROADCAST && image != mac);
            assert!(images.insert(image));
        }
    }
}
