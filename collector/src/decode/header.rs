//! Packet headers of all versions.

use flow::Version;
use flow::clock::NANOS_PER_SECOND;

use super::stamp::PacketClock;
use super::template::{be16, be32};

/// What the header of an export packet says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    pub(crate) version: Version,
    /// See [`flow::batch::Origin::domain`].
    pub(crate) domain: u32,
    /// Absent in v1.
    pub(crate) sequence: Option<u32>,
    /// Records (v1, v5, v7) or records of all kinds (v9) that it claims; IPFIX has no such number.
    pub(crate) count: Option<u16>,
    /// Octets that an IPFIX message claims to have.
    pub(crate) length: Option<u16>,
    /// The header's time of day, nanoseconds since the epoch.
    pub(crate) export: i64,
    /// Uptime in milliseconds; IPFIX has none.
    pub(crate) uptime_ms: Option<u32>,
    /// v5's sampling interval: the low 14 bits, above them the mode. 0 is "does not say".
    pub(crate) sampling: Option<u32>,
    /// Octets of the header.
    pub(crate) size: usize,
}

/// Tells the protocol by the first octets, or that it is none.
pub(crate) fn recognise(payload: &[u8]) -> Option<Version> {
    if payload.len() < 4 {
        return None;
    }
    match (be16(payload, 0), be16(payload, 2)) {
        (1, _) => Some(Version::V1),
        (5, _) => Some(Version::V5),
        (7, _) => Some(Version::V7),
        (8, _) => Some(Version::V8),
        (9, _) => Some(Version::V9),
        (10, _) => Some(Version::Ipfix),
        // sFlow's version is a number of 32 bits.
        (0, 2 | 4 | 5) => Some(Version::Sflow),
        _ => None,
    }
}

/// Octets of a version's header; 0 for those that are not decoded.
pub(crate) fn size(version: Version) -> usize {
    match version {
        Version::V1 | Version::Ipfix => 16,
        Version::V5 | Version::V7 => 24,
        Version::V9 => 20,
        Version::V8 | Version::Sflow => 0,
    }
}

impl Header {
    /// Reads the header of a version that is decoded; `None` if the payload is shorter than that.
    pub(crate) fn read(version: Version, payload: &[u8]) -> Option<Self> {
        let size = size(version);
        if size == 0 || payload.len() < size {
            return None;
        }
        let seconds = |at| i64::from(be32(payload, at)) * NANOS_PER_SECOND;
        let mut header = Self {
            version,
            domain: 0,
            sequence: None,
            count: Some(be16(payload, 2)),
            length: None,
            export: 0,
            uptime_ms: Some(be32(payload, 4)),
            sampling: None,
            size,
        };
        match version {
            Version::V1 | Version::V5 | Version::V7 => {
                header.export = seconds(8) + i64::from(be32(payload, 12));
                if version != Version::V1 {
                    header.sequence = Some(be32(payload, 16));
                }
                if version == Version::V5 {
                    header.domain = u32::from(be16(payload, 20));
                    let interval = be16(payload, 22) & 0x3fff;
                    header.sampling = Some(u32::from(interval)).filter(|interval| *interval != 0);
                }
            }
            Version::V9 => {
                header.export = seconds(8);
                header.sequence = Some(be32(payload, 12));
                header.domain = be32(payload, 16);
            }
            _ => {
                header.count = None;
                header.length = Some(be16(payload, 2));
                header.uptime_ms = None;
                header.export = seconds(4);
                header.sequence = Some(be32(payload, 8));
                header.domain = be32(payload, 12);
            }
        }
        Some(header)
    }

    /// The clocks of a packet that arrived at `received`.
    pub(crate) fn clock(&self, received: flow::Timestamp, system_init: Option<i64>) -> PacketClock {
        PacketClock {
            export: self.export,
            uptime_ms: self.uptime_ms,
            system_init,
            estimated: false,
            received: received.nanos(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_v5_header_is_read_field_by_field() {
        let mut payload = vec![0, 5, 0, 1];
        payload.extend(3_600_000_u32.to_be_bytes());
        payload.extend(1_700_000_000_u32.to_be_bytes());
        payload.extend(250_000_000_u32.to_be_bytes());
        payload.extend(77_u32.to_be_bytes());
        payload.extend([1, 2]);
        payload.extend((0x4000_u16 | 1_000).to_be_bytes());
        let header = Header::read(Version::V5, &payload).unwrap();
        assert_eq!(header.export, 1_700_000_000_250_000_000);
        assert_eq!((header.domain, header.sampling), (0x0102, Some(1_000)));
        assert_eq!((header.sequence, header.count), (Some(77), Some(1)));
    }

    #[test]
    fn protocols_are_told_by_their_first_octets() {
        assert_eq!(recognise(&[0, 0, 0, 5]), Some(Version::Sflow));
        assert_eq!(recognise(&[0, 8, 0, 1]), Some(Version::V8));
        assert_eq!(recognise(&[0, 9]), None);
        assert_eq!(recognise(b"GET / HTTP/1.1"), None);
    }
}
