//! One datagram on tape: a header of 52 octets, little-endian, and the payload.

use std::hash::{BuildHasher, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use bytes::{Buf, BufMut, Bytes};
use flow::{Datagram, Feed, Timestamp};

/// Octets before the payload.
pub(crate) const FRAME_HEADER: usize = 52;
/// Octets of the largest frame.
pub(crate) const FRAME_MAX: usize = FRAME_HEADER + PAYLOAD_MAX;
/// The largest payload that fits the length field; UDP's own limit is 65,527.
pub(crate) const PAYLOAD_MAX: usize = 65_535;

/// Marker and checksum, which the checksum does not cover in this order.
const CHECKED_FROM: usize = 8;
const IPV4: u8 = 4;
const IPV6: u8 = 6;

/// The four octets that each frame of a segment starts with, drawn by chance for each segment.
///
/// They seed the checksum as well. So no exporter can send a payload that reads like a frame of this tape after
/// damage before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Marker {
    octets: [u8; 4],
    seed: u32,
}

impl Marker {
    /// These four octets.
    pub(crate) fn new(octets: [u8; 4]) -> Self {
        Self {
            octets,
            seed: crc32c::crc32c(&octets),
        }
    }

    /// Four octets by chance, none of them zero: a hole in a file is no marker.
    pub(crate) fn by_chance() -> Self {
        let chance = std::hash::RandomState::new().build_hasher().finish();
        let [a, b, c, d, ..] = chance.to_le_bytes();
        Self::new([a, b, c, d].map(|octet| octet.max(1)))
    }

    /// The octets.
    pub(crate) fn octets(&self) -> [u8; 4] {
        self.octets
    }

    /// Where it first stands in `octets`, at or after `from`.
    pub(crate) fn find(&self, octets: &[u8], from: usize) -> Option<usize> {
        let rest = octets.get(from..)?;
        rest.windows(4)
            .position(|window| window == self.octets)
            .map(|found| from + found)
    }
}

/// A datagram with its frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// Datagrams before it in its segment.
    pub(crate) ordinal: u32,
    /// Octets of the whole frame.
    pub(crate) octets: u32,
    /// The datagram; its payload is a slice of what was parsed.
    pub(crate) datagram: Datagram,
}

/// What some octets turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Parsed {
    /// A frame.
    Frame(Frame),
    /// It takes this many octets to tell.
    Short(usize),
    /// Not a frame, or a damaged one.
    Damaged,
}

/// Appends one frame to `buffer`. `false`, and nothing appended, if the payload is larger than any frame.
pub(crate) fn encode(
    buffer: &mut Vec<u8>,
    marker: Marker,
    ordinal: u32,
    datagram: &Datagram,
) -> bool {
    let Ok(payload_octets) = u16::try_from(datagram.payload.len()) else {
        return false;
    };
    let (family, scope, address) = match datagram.source {
        SocketAddr::V4(v4) => {
            let mut wide = [0; 16];
            wide[..4].copy_from_slice(&v4.ip().octets());
            (IPV4, 0, wide)
        }
        SocketAddr::V6(v6) => (IPV6, v6.scope_id(), v6.ip().octets()),
    };
    let begin = buffer.len();
    let mut head = [0; FRAME_HEADER];
    let mut fields = &mut head[..];
    fields.put_slice(&marker.octets);
    fields.put_u32_le(0);
    fields.put_u16_le(payload_octets);
    fields.put_u8(family);
    fields.put_u8(0);
    fields.put_u32_le(ordinal);
    fields.put_i64_le(datagram.received_at.nanos());
    fields.put_u32_le(datagram.feed.0);
    fields.put_u32_le(scope);
    fields.put_u16_le(datagram.source.port());
    fields.put_u16_le(datagram.local_port);
    fields.put_slice(&address);
    buffer.extend_from_slice(&head);
    buffer.extend_from_slice(&datagram.payload);
    let checksum = crc32c::crc32c_append(marker.seed, &buffer[begin + CHECKED_FROM..]);
    buffer[begin + 4..begin + CHECKED_FROM].copy_from_slice(&checksum.to_le_bytes());
    true
}

/// Reads the frame that starts at `at` in `octets`.
pub(crate) fn parse(marker: Marker, octets: &Bytes, at: usize) -> Parsed {
    let Some(rest) = octets.get(at..) else {
        return Parsed::Short(FRAME_HEADER);
    };
    if rest.len() < FRAME_HEADER {
        return Parsed::Short(FRAME_HEADER);
    }
    let mut fields = rest;
    if fields[..4] != marker.octets {
        return Parsed::Damaged;
    }
    fields.advance(4);
    let checksum = fields.get_u32_le();
    let payload_octets = usize::from(fields.get_u16_le());
    let whole = FRAME_HEADER + payload_octets;
    let Some(checked) = rest.get(CHECKED_FROM..whole) else {
        return Parsed::Short(whole);
    };
    if crc32c::crc32c_append(marker.seed, checked) != checksum {
        return Parsed::Damaged;
    }
    let payload = octets.slice(at + FRAME_HEADER..at + whole);
    match datagram(&mut fields, payload) {
        Some((ordinal, datagram)) => Parsed::Frame(Frame {
            ordinal,
            octets: u32::try_from(whole).unwrap_or(u32::MAX),
            datagram,
        }),
        None => Parsed::Damaged,
    }
}

/// The fields after the payload's length; the caller has checked that they are all there.
fn datagram(fields: &mut &[u8], payload: Bytes) -> Option<(u32, Datagram)> {
    let family = fields.get_u8();
    fields.advance(1);
    let ordinal = fields.get_u32_le();
    let received_at = Timestamp::from_nanos(fields.get_i64_le());
    let feed = Feed(fields.get_u32_le());
    let scope = fields.get_u32_le();
    let port = fields.get_u16_le();
    let local_port = fields.get_u16_le();
    let mut address = [0; 16];
    fields.copy_to_slice(&mut address);
    let source = match family {
        IPV4 => {
            let [a, b, c, d, ..] = address;
            SocketAddr::new(IpAddr::V4(Ipv4Addr::new(a, b, c, d)), port)
        }
        IPV6 => SocketAddrV6::new(Ipv6Addr::from(address), port, 0, scope).into(),
        _ => return None,
    };
    Some((
        ordinal,
        Datagram {
            received_at,
            source,
            local_port,
            feed,
            payload,
        },
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Datagram {
        Datagram {
            received_at: Timestamp::from_nanos(0x1122_3344),
            source: "192.0.2.1:2055".parse().unwrap(),
            local_port: 4739,
            feed: Feed(3),
            payload: Bytes::from_static(b"\x00\x09hello"),
        }
    }

    /// CRC-32C bit by bit, from its definition (polynomial 0x1EDC6F41, reflected; RFC 3720 appendix B.4).
    fn crc32c_by_definition(octets: &[u8]) -> u32 {
        let mut crc = u32::MAX;
        for octet in octets {
            crc ^= u32::from(*octet);
            for _ in 0..8 {
                crc = (crc >> 1) ^ (0x82f6_3b78 & (0_u32.wrapping_sub(crc & 1)));
            }
        }
        !crc
    }

    #[test]
    fn the_octets_are_those_of_the_description() {
        let mut buffer = Vec::new();
        assert!(encode(&mut buffer, Marker::new(*b"MARK"), 5, &sample()));
        let mut by_hand = b"MARK".to_vec();
        by_hand.extend(b"\x07\x00\x04\x00\x05\x00\x00\x00");
        by_hand.extend(b"\x44\x33\x22\x11\x00\x00\x00\x00\x03\x00\x00\x00");
        by_hand.extend(b"\x00\x00\x00\x00\x07\x08\x83\x12");
        by_hand.extend([192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        by_hand.extend(b"\x00\x09hello");
        let checksum = crc32c_by_definition(&by_hand).to_le_bytes();
        by_hand.splice(4..4, checksum);
        assert_eq!(buffer, by_hand);
    }

    #[test]
    fn any_flipped_bit_is_damage() {
        let marker = Marker::new(*b"MARK");
        let mut whole = Vec::new();
        encode(&mut whole, marker, 5, &sample());
        for bit in 0..whole.len() * 8 {
            let mut octets = whole.clone();
            octets[bit / 8] ^= 1 << (bit % 8);
            let parsed = parse(marker, &octets.into(), 0);
            assert!(!matches!(parsed, Parsed::Frame(_)), "bit {bit}");
        }
    }

    #[test]
    fn a_payload_that_looks_like_a_frame_of_another_segment_is_none() {
        let (ours, theirs) = (Marker::new(*b"MARK"), Marker::new(*b"EVIL"));
        let mut forged = Vec::new();
        encode(&mut forged, theirs, 0, &sample());
        forged[..4].copy_from_slice(&ours.octets());
        assert_eq!(parse(ours, &forged.into(), 0), Parsed::Damaged);
    }

    #[test]
    fn too_large_a_payload_is_refused_whole() {
        let mut large = sample();
        large.payload = Bytes::from(vec![0; PAYLOAD_MAX + 1]);
        let mut buffer = Vec::new();
        assert!(!encode(&mut buffer, Marker::by_chance(), 0, &large));
        assert!(buffer.is_empty());
    }
}
