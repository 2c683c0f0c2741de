//! NetFlow v1, v5 and v7: one record layout each
//! ([Cisco's export formats](https://www.cisco.com/c/en/us/td/docs/net_mgmt/netflow_collection_engine/3-6/user/guide/format.html)).

use std::net::Ipv4Addr;

use bytes::Bytes;
use flow::Timestamp;

use super::packer::{Counts, ExportClock};

/// Which of the fixed versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FixedVersion {
    /// Records of 52 octets; neither AS numbers nor a sequence number.
    V1,
    /// Records of 48 octets.
    V5,
    /// As v5 with the bypassed router's address; Catalyst switches.
    V7,
}

impl FixedVersion {
    /// Octets of the header.
    pub const fn header_length(self) -> usize {
        match self {
            Self::V1 => 16,
            Self::V5 | Self::V7 => 24,
        }
    }

    /// Octets of a record.
    pub const fn record_length(self) -> usize {
        match self {
            Self::V5 => 48,
            Self::V1 | Self::V7 => 52,
        }
    }

    /// Records in a full datagram.
    pub const fn records_max(self) -> usize {
        match self {
            Self::V1 => 24,
            Self::V5 => 30,
            Self::V7 => 27,
        }
    }

    const fn number(self) -> u16 {
        match self {
            Self::V1 => 1,
            Self::V5 => 5,
            Self::V7 => 7,
        }
    }
}

/// One flow. What a version has no place for is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FixedRecord {
    /// Source address.
    pub src: Ipv4Addr,
    /// Destination address.
    pub dst: Ipv4Addr,
    /// Next hop.
    pub next_hop: Ipv4Addr,
    /// Ingress interface, ifIndex.
    pub in_interface: u16,
    /// Egress interface, ifIndex.
    pub out_interface: u16,
    /// Packets.
    pub packets: u32,
    /// Octets of layer 3.
    pub octets: u32,
    /// First packet, milliseconds of uptime.
    pub first_ms: u32,
    /// Last packet, milliseconds of uptime.
    pub last_ms: u32,
    /// Source port.
    pub src_port: u16,
    /// Destination port; for ICMP type << 8 | code.
    pub dst_port: u16,
    /// TCP flags, ORed.
    pub tcp_flags: u8,
    /// IP protocol.
    pub protocol: u8,
    /// Type of service.
    pub tos: u8,
    /// Source AS (v5, v7).
    pub src_as: u16,
    /// Destination AS (v5, v7).
    pub dst_as: u16,
    /// Source prefix length (v5, v7).
    pub src_mask: u8,
    /// Destination prefix length (v5, v7).
    pub dst_mask: u8,
    /// The router that the switch bypassed (v7).
    pub router: Ipv4Addr,
}

impl Default for FixedRecord {
    fn default() -> Self {
        Self {
            src: Ipv4Addr::UNSPECIFIED,
            dst: Ipv4Addr::UNSPECIFIED,
            next_hop: Ipv4Addr::UNSPECIFIED,
            in_interface: 0,
            out_interface: 0,
            packets: 0,
            octets: 0,
            first_ms: 0,
            last_ms: 0,
            src_port: 0,
            dst_port: 0,
            tcp_flags: 0,
            protocol: 0,
            tos: 0,
            src_as: 0,
            dst_as: 0,
            src_mask: 0,
            dst_mask: 0,
            router: Ipv4Addr::UNSPECIFIED,
        }
    }
}

/// What the header says beyond version and count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FixedHeader {
    /// Milliseconds since the exporter started.
    pub uptime_ms: u32,
    /// Seconds since the epoch by the exporter's clock.
    pub unix_seconds: u32,
    /// Nanoseconds within the second.
    pub unix_nanos: u32,
    /// Flows sent before this datagram (v5, v7).
    pub sequence: u32,
    /// v5.
    pub engine_type: u8,
    /// v5.
    pub engine_id: u8,
    /// v5: mode in the top two bits, interval in the others.
    pub sampling: u16,
}

impl FixedHeader {
    fn write(&self, version: FixedVersion, count: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(&version.number().to_be_bytes());
        out.extend_from_slice(&u16::try_from(count).unwrap_or(u16::MAX).to_be_bytes());
        for word in [self.uptime_ms, self.unix_seconds, self.unix_nanos] {
            out.extend_from_slice(&word.to_be_bytes());
        }
        if version == FixedVersion::V1 {
            return;
        }
        out.extend_from_slice(&self.sequence.to_be_bytes());
        if version == FixedVersion::V5 {
            out.extend_from_slice(&[self.engine_type, self.engine_id]);
            out.extend_from_slice(&self.sampling.to_be_bytes());
        } else {
            out.extend_from_slice(&[0; 4]);
        }
    }
}

impl FixedRecord {
    fn write(&self, version: FixedVersion, out: &mut Vec<u8>) {
        for address in [self.src, self.dst, self.next_hop] {
            out.extend_from_slice(&address.octets());
        }
        out.extend_from_slice(&self.in_interface.to_be_bytes());
        out.extend_from_slice(&self.out_interface.to_be_bytes());
        for word in [self.packets, self.octets, self.first_ms, self.last_ms] {
            out.extend_from_slice(&word.to_be_bytes());
        }
        out.extend_from_slice(&self.src_port.to_be_bytes());
        out.extend_from_slice(&self.dst_port.to_be_bytes());
        if version == FixedVersion::V1 {
            out.extend_from_slice(&[0, 0, self.protocol, self.tos, self.tcp_flags]);
            out.extend_from_slice(&[0; 11]);
            return;
        }
        out.extend_from_slice(&[0, self.tcp_flags, self.protocol, self.tos]);
        out.extend_from_slice(&self.src_as.to_be_bytes());
        out.extend_from_slice(&self.dst_as.to_be_bytes());
        out.extend_from_slice(&[self.src_mask, self.dst_mask, 0, 0]);
        if version == FixedVersion::V7 {
            out.extend_from_slice(&self.router.octets());
        }
    }
}

/// Writes one datagram with all these records, however many they are.
pub fn datagram(version: FixedVersion, header: FixedHeader, records: &[FixedRecord]) -> Bytes {
    let length = version.header_length() + records.len() * version.record_length();
    let mut out = Vec::with_capacity(length);
    header.write(version, records.len(), &mut out);
    for record in records {
        record.write(version, &mut out);
    }
    out.into()
}

/// An exporter of a fixed version: fills datagrams and counts flows.
#[derive(Clone, Debug)]
pub struct FixedPacker {
    version: FixedVersion,
    engine_id: u8,
    sampling: u16,
    sequence: u32,
    records: Vec<FixedRecord>,
    counts: Counts,
}

impl FixedPacker {
    /// An exporter that has sent nothing yet. `sampling` is the header's field as it stands (v5).
    pub fn new(version: FixedVersion, engine_id: u8, sampling: u16) -> Self {
        Self {
            version,
            engine_id,
            sampling,
            sequence: 0,
            records: Vec::with_capacity(version.records_max()),
            counts: Counts::default(),
        }
    }

    /// Adds a flow; `out` gets the datagram if that made it full.
    pub fn record(&mut self, now: ExportClock, record: FixedRecord, out: &mut Vec<Bytes>) {
        self.records.push(record);
        self.counts.records += 1;
        if self.records.len() == self.version.records_max() {
            self.flush(now, out);
        }
    }

    /// Sends what has been gathered, if anything.
    pub fn flush(&mut self, now: ExportClock, out: &mut Vec<Bytes>) {
        if self.records.is_empty() {
            return;
        }
        let header = FixedHeader {
            uptime_ms: now.uptime_ms,
            unix_seconds: u32::try_from(now.unix.seconds()).unwrap_or(u32::MAX),
            unix_nanos: u32::try_from(nanos_within_second(now.unix)).unwrap_or(0),
            sequence: self.sequence,
            engine_type: 0,
            engine_id: self.engine_id,
            sampling: self.sampling,
        };
        let datagram = datagram(self.version, header, &self.records);
        let sent = u32::try_from(self.records.len()).unwrap_or(0);
        self.sequence = self.sequence.wrapping_add(sent);
        self.records.clear();
        self.counts.datagrams += 1;
        self.counts.payload_octets += datagram.len() as u64;
        out.push(datagram);
    }

    /// What has been sent, and what the open datagram holds already.
    pub fn counts(&self) -> Counts {
        self.counts
    }
}

fn nanos_within_second(at: Timestamp) -> i64 {
    at.nanos().rem_euclid(flow::clock::NANOS_PER_SECOND)
}
