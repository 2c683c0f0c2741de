//! The header of a segment: 64 octets, little-endian, at the start of the segment and of its index.

use bytes::{Buf, BufMut};
use flow::Timestamp;

use crate::frame::Marker;

/// Octets of the header; the first frame starts here.
pub(crate) const HEADER_OCTETS: u32 = 64;
/// The format that this program writes, and the newest that it reads.
pub(crate) const FORMAT: u16 = 1;

const MAGIC: &[u8; 8] = b"FLOWTAPE";
const CHECKED_OCTETS: usize = 60;

/// What a segment says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// The segment's number, from 1.
    pub(crate) number: u32,
    /// When it was begun: the sealing time of the segment before it.
    pub(crate) created_at: Timestamp,
    /// Datagrams in all segments before it, since the tape was made.
    pub(crate) datagrams_before: u64,
    /// Those of them, the last ones, that the tape had lost when this segment was begun.
    pub(crate) lost_before: u64,
    /// What each of its frames starts with.
    pub(crate) marker: Marker,
}

/// What 64 octets turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Parsed {
    /// A header.
    Header(Header),
    /// A whole header of a format that this program does not know.
    Newer(u16),
    /// Not a header, or a damaged one.
    Damaged,
}

impl Header {
    /// As it is on disk.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut octets = Vec::with_capacity(64);
        octets.put_slice(MAGIC);
        octets.put_u16_le(FORMAT);
        octets.put_u16_le(64);
        octets.put_u32_le(self.number);
        octets.put_i64_le(self.created_at.nanos());
        octets.put_u64_le(self.datagrams_before);
        octets.put_slice(&self.marker.octets());
        octets.put_bytes(0, 4);
        octets.put_u64_le(self.lost_before);
        octets.put_bytes(0, CHECKED_OCTETS - octets.len());
        octets.put_u32_le(crc32c::crc32c(&octets));
        octets
    }

    /// Reads the first 64 of `octets`. Magic, format and checksum stand at the same place in every format, so a
    /// damaged header is never taken for a newer one.
    pub(crate) fn parse(octets: &[u8]) -> Parsed {
        let Some((checked, mut rest)) = octets
            .get(..64)
            .and_then(|header| header.split_at_checked(CHECKED_OCTETS))
        else {
            return Parsed::Damaged;
        };
        if !checked.starts_with(MAGIC) || rest.get_u32_le() != crc32c::crc32c(checked) {
            return Parsed::Damaged;
        }
        let mut fields = &checked[MAGIC.len()..];
        let format = fields.get_u16_le();
        if format > FORMAT {
            return Parsed::Newer(format);
        }
        fields.advance(2);
        let number = fields.get_u32_le();
        let created_at = Timestamp::from_nanos(fields.get_i64_le());
        let datagrams_before = fields.get_u64_le();
        let mut marker = [0; 4];
        fields.copy_to_slice(&mut marker);
        fields.advance(4);
        let lost_before = fields.get_u64_le();
        Parsed::Header(Self {
            number,
            created_at,
            datagrams_before,
            lost_before,
            marker: Marker::new(marker),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
            number: 7,
            created_at: Timestamp::from_nanos(0x0102_0304_0506_0708),
            datagrams_before: 258,
            lost_before: 0x55,
            marker: Marker::new(*b"abcd"),
        }
    }

    #[test]
    fn the_octets_are_those_of_the_description() {
        let octets = header().encode();
        assert_eq!(octets.len(), 64);
        assert_eq!(&octets[..16], b"FLOWTAPE\x01\x00\x40\x00\x07\x00\x00\x00");
        assert_eq!(&octets[16..24], &[8, 7, 6, 5, 4, 3, 2, 1]);
        assert_eq!(&octets[24..36], b"\x02\x01\0\0\0\0\0\0abcd");
        assert_eq!(
            &octets[36..60],
            b"\0\0\0\0\x55\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
        );
        assert_eq!(Header::parse(&octets), Parsed::Header(header()));
    }

    #[test]
    fn any_flipped_bit_is_damage_and_never_a_newer_format() {
        for bit in 0..512 {
            let mut octets = header().encode();
            octets[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Header::parse(&octets), Parsed::Damaged, "bit {bit}");
        }
        assert_eq!(Header::parse(&[0; 64]), Parsed::Damaged);
        assert_eq!(Header::parse(b"FLOWTAPE"), Parsed::Damaged);
    }

    #[test]
    fn a_newer_format_is_told() {
        let mut octets = header().encode();
        octets[8] = 2;
        let checksum = crc32c::crc32c(&octets[..60]);
        octets[60..].copy_from_slice(&checksum.to_le_bytes());
        assert_eq!(Header::parse(&octets), Parsed::Newer(2));
    }
}
