//! A datagram as it arrived, and its place on the tape.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// Where a datagram came in: the wire, or one of the captures that somebody imported.
///
/// Each import is a world of its own: its exporters share neither templates nor sequence numbers with those on the
/// wire, even where the addresses are the same.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Feed(pub u32);

impl Feed {
    /// Everything that was received live, by UDP or from a mirrored interface.
    pub const WIRE: Self = Self(0);
}

/// One export packet, as the kernel handed it over. Nothing in it has been looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// When it reached this machine: the kernel's stamp where it gives one, the capture's own for a file.
    pub received_at: Timestamp,
    /// The exporter's address and port.
    pub source: SocketAddr,
    /// The UDP port that it was sent to.
    pub local_port: u16,
    /// The wire, or which import.
    pub feed: Feed,
    /// The UDP payload, at most 65,507 octets.
    pub payload: Bytes,
}

/// A place on the tape: the first octet of a datagram's frame.
///
/// Positions of one tape are totally ordered: a later datagram has a larger one.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct TapePosition {
    /// The segment's number, from 1; 0 is "before the first".
    pub segment: u32,
    /// Octets from the start of the segment as it was written, before compression.
    pub offset: u32,
}

impl TapePosition {
    /// Before everything that is on any tape.
    pub const START: Self = Self {
        segment: 0,
        offset: 0,
    };
}

impl fmt::Display for TapePosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.segment, self.offset)
    }
}

/// Who sent a datagram: an address within a feed. Ports do not count, as exporters change them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ExporterId {
    /// The wire, or which import.
    pub feed: Feed,
    /// The datagram's source address, IPv4 in its own form.
    pub address: IpAddr,
}

impl Datagram {
    /// A mark behind the last datagram of an import: nothing more comes of its feed. It is no datagram; it stands on
    /// the tape so that every decoding ends the feed at the same place.
    pub fn end_of_feed(feed: Feed, now: Timestamp) -> Self {
        let source = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 0);
        Self {
            received_at: now,
            source,
            local_port: 0,
            feed,
            payload: Bytes::new(),
        }
    }

    /// Whether this is the mark behind an import. Nothing that a network delivers has this source.
    pub fn is_end_of_feed(&self) -> bool {
        self.feed != Feed::WIRE
            && self.payload.is_empty()
            && self.source.port() == 0
            && self.source.ip().is_unspecified()
    }

    /// Who sent it.
    pub fn exporter(&self) -> ExporterId {
        ExporterId {
            feed: self.feed,
            address: self.source.ip().to_canonical(),
        }
    }
}

impl fmt::Display for ExporterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.feed {
            Feed::WIRE => write!(f, "{}", self.address),
            Feed(import) => write!(f, "{} (import {import})", self.address),
        }
    }
}

/// An export protocol, told by the first octets of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Version {
    /// NetFlow v1.
    V1,
    /// NetFlow v5.
    V5,
    /// NetFlow v7.
    V7,
    /// NetFlow v8: recognised, not decoded.
    V8,
    /// NetFlow v9, [RFC 3954](https://www.rfc-editor.org/rfc/rfc3954).
    V9,
    /// IPFIX, [RFC 7011](https://www.rfc-editor.org/rfc/rfc7011).
    Ipfix,
    /// sFlow v5: recognised, not decoded.
    Sflow,
}

impl Version {
    /// The number in the header of NetFlow and IPFIX; 0 for sFlow, which has no such number.
    pub const fn number(self) -> u8 {
        match self {
            Self::V1 => 1,
            Self::V5 => 5,
            Self::V7 => 7,
            Self::V8 => 8,
            Self::V9 => 9,
            Self::Ipfix => 10,
            Self::Sflow => 0,
        }
    }

    /// What people call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::V1 => "NetFlow v1",
            Self::V5 => "NetFlow v5",
            Self::V7 => "NetFlow v7",
            Self::V8 => "NetFlow v8",
            Self::V9 => "NetFlow v9",
            Self::Ipfix => "IPFIX",
            Self::Sflow => "sFlow v5",
        }
    }
}
