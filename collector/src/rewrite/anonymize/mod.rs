//! A recording that can be shown to others: addresses encrypted under a key, names overwritten.
//!
//! | what | becomes |
//! |---|---|
//! | addresses of all kinds, the exporter's own too | encrypted, prefix-preserving (ipcrypt-pfx, [draft-denis-ipcrypt](https://datatracker.ietf.org/doc/draft-denis-ipcrypt/)); 0.0.0.0 and :: mean "none" and stay |
//! | prefixes | encrypted, and zeros behind their length where the record says it |
//! | MAC addresses | encrypted but for the two bits that say "group" and "local"; 0 and the broadcast address stay |
//! | beginnings of packets | the same in their headers; payload, header options and check sums become zeros |
//! | texts | `x` for every octet that is not 0; names of interfaces, samplers, applications and classes stay |
//! | octets, lists, elements that nobody knows | zeros; MPLS labels, application ids, access list ids, tunnel keys stay |
//! | data of unknown templates, records that do not fill their Set, what is behind the Sets | zeros; the Set's id becomes 255, which is reserved and decoded by nobody |
//!
//! Ports, counters, times, AS numbers, interface numbers, VLANs, observation domains and sequence numbers stay. The list is
//! in `policy.rs`. The size of a datagram does not change.
//!
//! What this does not hide: an address in the header's observation domain, which tells streams apart. And two addresses that share n bits share n bits afterwards. Who knows some of the traffic can find
//! it by its ports, sizes and times, and from it learn the first bits of its neighbours.

mod cipher;
mod frame;
mod key;
mod policy;

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use flow::Datagram;
use ipnet::IpNet;

use self::cipher::Cipher;
use self::frame::read_address;
use self::policy::{Action, actions};
use super::walk::{Known, Part, Unreadable, Walker, What};
use crate::decode::DecodeConfig;
use crate::decode::cell::unsigned;
use crate::fields::FieldTable;

pub use self::key::{Key, KeyError};

/// The id of a Set that must not be decoded: reserved in v9 ([RFC 3954 §5.2]) and IPFIX ([RFC 7011 §3.3.2]).
const RESERVED: u16 = 255;

/// Rewrites datagrams, and what belongs to them, under one key.
pub struct Anonymizer {
    walker: Walker,
    cipher: Cipher,
    counts: Counts,
}

/// What an [`Anonymizer`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Datagrams that were rewritten.
    pub rewritten: u64,
    /// Datagrams that can't be read, which must be left out.
    pub unreadable: u64,
    /// Data Sets that were overwritten as their template is not known.
    pub sets_unknown: u64,
    /// Data Sets that were overwritten as they are not of whole records of their template.
    pub sets_misfit: u64,
}

impl fmt::Debug for Anonymizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut form = f.debug_struct("Anonymizer");
        form.field("counts", &self.counts).finish_non_exhaustive()
    }
}

impl Anonymizer {
    /// Knows no template yet: give it the datagrams of [`super::Knowledge`] first, as the decoder needs them too.
    pub fn new(key: Key, config: DecodeConfig, table: FieldTable) -> Self {
        Self {
            walker: Walker::new(config, table),
            cipher: Cipher::new(key),
            counts: Counts::default(),
        }
    }

    /// The address under the key. IPv4 stays IPv4, as IPv4-mapped IPv6 does; the unspecified address stays what it is.
    ///
    /// Different addresses become different ones, but for the one that would become the unspecified address and becomes its
    /// neighbour.
    pub fn address(&self, address: IpAddr) -> IpAddr {
        self.cipher.address(address)
    }

    /// The prefix in which the addresses of `net` are under the key, with the same length.
    ///
    /// For all of them but the unspecified address, and IPv4-mapped ones where `net` is wider than these.
    pub fn prefix(&self, net: IpNet) -> IpNet {
        self.cipher.prefix(net)
    }

    /// The MAC address under the key: 48 bits of a number, the others are left out.
    pub fn mac(&self, mac: u64) -> u64 {
        self.cipher.mac(mac)
    }

    /// What was done so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The datagram under the key, of the same size. The mark behind an import is given back as it is.
    ///
    /// # Errors
    ///
    /// [`Unreadable`] if nobody can tell where addresses are in it; the caller leaves it out. It is counted in
    /// [`Anonymizer::counts`].
    pub fn datagram(&mut self, datagram: &Datagram) -> Result<Datagram, Unreadable> {
        if datagram.is_end_of_feed() {
            return Ok(datagram.clone());
        }
        let mut octets = datagram.payload.to_vec();
        let Self {
            walker,
            cipher,
            counts,
        } = self;
        let walked = walker.walk(datagram, |Part { start, end, what }| match what {
            What::Templates { whole, .. } => octets[whole..end].fill(0),
            What::Records(known) if known.fits => {
                octets[known.records.end()..end].fill(0);
                records(&known, cipher, &datagram.payload, &mut octets);
            }
            What::Records(_) => {
                counts.sets_misfit += 1;
                blank_set(&mut octets[start..end]);
            }
            What::Unknown => {
                counts.sets_unknown += 1;
                blank_set(&mut octets[start..end]);
            }
            What::Void => octets[start + 4..end].fill(0),
            What::Rest => octets[start..end].fill(0),
        });
        if let Err(unreadable) = walked {
            counts.unreadable += 1;
            return Err(unreadable);
        }
        counts.rewritten += 1;
        let source = cipher.address_again(datagram.source.ip());
        Ok(Datagram {
            source: SocketAddr::new(source, datagram.source.port()),
            payload: octets.into(),
            ..datagram.clone()
        })
    }
}

/// Makes a Set one that is decoded by nobody.
fn blank_set(set: &mut [u8]) {
    if let Some((id, rest)) = set.split_first_chunk_mut() {
        *id = RESERVED.to_be_bytes();
        if let Some(body) = rest.get_mut(2..) {
            body.fill(0);
        }
    }
}

fn records(known: &Known<'_>, cipher: &mut Cipher, payload: &[u8], octets: &mut [u8]) {
    let actions = actions(known.version, known.table, known.fields, known.scope);
    for index in 0..known.records.count() {
        for (place, action) in &actions {
            let range = known.records.range(*place, index);
            let (from, to) = (&payload[range.clone()], &mut octets[range]);
            match action {
                Action::Address => write_address(cipher, from, to),
                Action::Prefix(length) => {
                    let length = length.map(|place| &payload[known.records.range(place, index)]);
                    write_address(cipher, from, to);
                    mask(to, length.and_then(unsigned));
                }
                Action::Mac => write_mac(cipher, from, to),
                Action::Text => overwrite(to),
                Action::Blank => to.fill(0),
                Action::Frame(frame) => self::frame::rewrite(*frame, to, cipher),
            }
        }
    }
}

/// Writes the address under the key; zeros if it is none.
fn write_address(cipher: &mut Cipher, from: &[u8], to: &mut [u8]) {
    match read_address(from).map(|address| cipher.address_again(address)) {
        Some(IpAddr::V4(address)) if to.len() == 4 => to.copy_from_slice(&address.octets()),
        Some(IpAddr::V6(address)) if to.len() == 16 => to.copy_from_slice(&address.octets()),
        _ => to.fill(0),
    }
}

/// Leaves the first `length` bits.
fn mask(octets: &mut [u8], length: Option<u64>) {
    let Some(length) = length.and_then(|length| usize::try_from(length).ok()) else {
        return;
    };
    for (number, octet) in octets.iter_mut().enumerate() {
        let bits = length.saturating_sub(number * 8);
        let behind = u32::try_from(bits)
            .ok()
            .and_then(|bits| u8::MAX.checked_shr(bits));
        *octet &= !behind.unwrap_or(0);
    }
}

/// Writes the MAC address under the key; zeros if it is none.
fn write_mac(cipher: &Cipher, from: &[u8], to: &mut [u8]) {
    let (high, low) = from.split_at(from.len().saturating_sub(6));
    to.fill(0);
    if low.len() == 6 && high.iter().all(|octet| *octet == 0) {
        let image = cipher.mac(unsigned(low).unwrap_or(0)).to_be_bytes();
        to[high.len()..].copy_from_slice(&image[2..]);
    }
}

fn overwrite(text: &mut [u8]) {
    for octet in text.iter_mut().filter(|octet| **octet != 0) {
        *octet = b'x';
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_leaves_its_bits() {
        for (length, expected) in [
            (0, [0; 4]),
            (9, [0xff, 0x80, 0, 0]),
            (24, [0xff, 0xff, 0xff, 0]),
            (32, [0xff; 4]),
            (200, [0xff; 4]),
        ] {
            let mut octets = [0xff; 4];
            mask(&mut octets, Some(length));
            assert_eq!(octets, expected, "{length}");
        }
    }
}
