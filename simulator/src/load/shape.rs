//! The kinds of datagram that a load is made of, and where in them is what changes from one sending to the next.

use crate::encode::fixed::FixedVersion;
use crate::encode::{Field, PAYLOAD_MAX, Protocol, element as ie};

/// The datagrams of a load. Full ones are what busy exporters send; single ones are the worst case per record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadShape {
    /// v5, 30 records in each datagram.
    V5Full,
    /// v5, one record in each datagram.
    V5Single,
    /// v9 with 20 fields, as many records as fit.
    V9Full,
    /// v9 with 20 fields, one record in each datagram.
    V9Single,
    /// IPFIX with 20 fields, as many records as fit.
    IpfixFull,
    /// IPFIX with 20 fields, one record in each datagram.
    IpfixSingle,
}

/// Where in a datagram stands what is different each time that it is sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    /// The header's sequence number, 32 bits.
    pub(super) sequence: usize,
    /// Its milliseconds of uptime, 32 bits; IPFIX has none.
    pub(super) uptime: Option<usize>,
    /// Its seconds since the epoch, 32 bits.
    pub(super) seconds: usize,
    /// Its nanoseconds beyond them, 32 bits: v5 only.
    pub(super) nanos: Option<usize>,
    /// The first record, and the octets of each.
    pub(super) records: usize,
    pub(super) record_octets: usize,
    /// Within a record: start and end in milliseconds, 32 bits in v5 and v9 and 64 in IPFIX.
    pub(super) stamps: [usize; 2],
    pub(super) wide_stamps: bool,
    /// Within a record: source and destination port.
    pub(super) ports: [usize; 2],
}

impl LoadShape {
    /// All shapes.
    pub const ALL: &'static [Self] = &[
        Self::V5Full,
        Self::V5Single,
        Self::V9Full,
        Self::V9Single,
        Self::IpfixFull,
        Self::IpfixSingle,
    ];

    /// A name for tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::V5Full => "v5 x 30",
            Self::V5Single => "v5 x 1",
            Self::V9Full => "v9 20 fields, full",
            Self::V9Single => "v9 20 fields, single",
            Self::IpfixFull => "ipfix 20 fields, full",
            Self::IpfixSingle => "ipfix 20 fields, single",
        }
    }

    pub(super) const fn protocol(self) -> Option<Protocol> {
        match self {
            Self::V5Full | Self::V5Single => None,
            Self::V9Full | Self::V9Single => Some(Protocol::V9),
            Self::IpfixFull | Self::IpfixSingle => Some(Protocol::Ipfix),
        }
    }

    const fn is_single(self) -> bool {
        matches!(self, Self::V5Single | Self::V9Single | Self::IpfixSingle)
    }

    /// Flow records in each datagram.
    pub fn records(self) -> usize {
        match self.protocol() {
            _ if self.is_single() => 1,
            None => FixedVersion::V5.records_max(),
            Some(protocol) => {
                // Header, Set header, and up to three octets of padding.
                let room = PAYLOAD_MAX - protocol.header_length() - 4 - 3;
                room / octets_of(&fields(protocol))
            }
        }
    }

    /// By how much the sequence number grows with each datagram.
    pub(super) fn sequence_step(self) -> u32 {
        match self.protocol() {
            Some(Protocol::V9) => 1,
            _ => u32::try_from(self.records()).unwrap_or(1),
        }
    }

    pub(super) fn layout(self) -> Layout {
        let Some(protocol) = self.protocol() else {
            return V5;
        };
        let fields = fields(protocol);
        let at = |id: u16| {
            let place = fields.iter().position(|field| field.id == id);
            octets_of(&fields[..place.unwrap_or(0)])
        };
        let (start, end, _) = stamps(protocol);
        let is_v9 = protocol == Protocol::V9;
        Layout {
            sequence: if is_v9 { 12 } else { 8 },
            uptime: is_v9.then_some(4),
            seconds: if is_v9 { 8 } else { 4 },
            nanos: None,
            records: protocol.header_length() + 4,
            record_octets: octets_of(&fields),
            stamps: [at(start), at(end)],
            wide_stamps: !is_v9,
            ports: [at(ie::SRC_PORT), at(ie::DST_PORT)],
        }
    }
}

/// As Cisco's description of export format 5 has it.
const V5: Layout = Layout {
    sequence: 16,
    uptime: Some(4),
    seconds: 8,
    nanos: Some(12),
    records: 24,
    record_octets: 48,
    stamps: [24, 28],
    wide_stamps: false,
    ports: [32, 34],
};

const fn stamps(protocol: Protocol) -> (u16, u16, u16) {
    match protocol {
        Protocol::V9 => (ie::START_UPTIME, ie::END_UPTIME, 4),
        Protocol::Ipfix => (ie::START_MILLIS, ie::END_MILLIS, 8),
    }
}

fn octets_of(fields: &[Field]) -> usize {
    fields.iter().map(|field| usize::from(field.length)).sum()
}

/// Twenty fields that routers send; 64 octets in v9, 72 in IPFIX.
pub(super) fn fields(protocol: Protocol) -> [Field; 20] {
    let (start, end, length) = stamps(protocol);
    [
        (ie::SRC_V4, 4),
        (ie::DST_V4, 4),
        (ie::NEXT_HOP_V4, 4),
        (ie::IN_INTERFACE, 4),
        (ie::OUT_INTERFACE, 4),
        (ie::PACKETS, 8),
        (ie::OCTETS, 8),
        (start, length),
        (end, length),
        (ie::SRC_PORT, 2),
        (ie::DST_PORT, 2),
        (ie::TCP_FLAGS, 1),
        (ie::PROTOCOL, 1),
        (ie::TOS, 1),
        (ie::SRC_AS, 4),
        (ie::DST_AS, 4),
        (ie::SRC_MASK, 1),
        (ie::DST_MASK, 1),
        (ie::VLAN, 2),
        (ie::DIRECTION, 1),
    ]
    .map(|(id, length)| Field::iana(id, length))
}
