//! What the normaliser reads of a row.
//!
//! A row that has addresses inside a tunnel (VXLAN at a virtual switch that looks into it) is about what is inside: the
//! inner 5-tuple is its conversation. So the same traffic, seen in the tunnel here and plain there, is one conversation,
//! is counted once, and has the application and the sites of its real ends. The outer source carries what the inner
//! source sent, so "the source is the client" means the same of both pairs of addresses: a tunnel row's `client_addr` is
//! the tunnel's end on the client's side, and the client itself is `inner_src_addr` where `src_is_client`, else
//! `inner_dst_addr`.

use std::net::{Ipv4Addr, Ipv6Addr};

use flow::batch::{Columns, FlowBatch};

use super::registry::{ICMP, ICMP6, UNKNOWN};
use super::table::mix;

/// Both ends of a row, its protocol, and what tells who opened it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    /// Source address, in 128 bits.
    pub(super) src: u128,
    /// Destination address, in 128 bits.
    pub(super) dst: u128,
    /// 0 where there is none, and for ICMP, whose exporters put type and code there.
    pub(super) src_port: u16,
    /// See `src_port`.
    pub(super) dst_port: u16,
    /// [`UNKNOWN`] if absent.
    pub(super) protocol: u8,
    /// ORed over the record's packets.
    pub(super) tcp_flags: Option<u16>,
    /// See `tcp_flags`.
    pub(super) reverse_tcp_flags: Option<u16>,
    /// As exported.
    pub(super) packets: Option<u64>,
    /// As exported.
    pub(super) reverse_packets: Option<u64>,
    /// As exported.
    pub(super) reverse_octets: Option<u64>,
    /// IE 239.
    pub(super) biflow_direction: Option<u8>,
    /// Type << 8 | code.
    pub(super) icmp: Option<u16>,
    /// Whether it counts traffic, and is not an event alone.
    pub(super) counts: bool,
}

impl Facts {
    /// Reads a row; `None` if it has not both addresses.
    #[inline]
    pub(super) fn read(batch: &FlowBatch, row: usize) -> Option<Self> {
        let columns = &batch.columns;
        let ends = Ends::inside(columns, row).or_else(|| Ends::outside(columns, row))?;
        let protocol = ends.protocol.unwrap_or(UNKNOWN);
        let mut src_port = ends.src_port.unwrap_or(0);
        let mut dst_port = ends.dst_port.unwrap_or(0);
        let mut icmp = None;
        if protocol == ICMP || protocol == ICMP6 {
            icmp = columns.icmp_type_code.get(row).or(Some(dst_port));
            (src_port, dst_port) = (0, 0);
        }
        let packets = columns.packets.get(row);
        let reverse_packets = columns.reverse_packets.get(row);
        let reverse_octets = columns.reverse_octets.get(row);
        let counters = [
            columns.octets.get(row),
            packets,
            reverse_octets,
            reverse_packets,
        ];
        Some(Self {
            src: ends.src.to_bits(),
            dst: ends.dst.to_bits(),
            src_port,
            dst_port,
            protocol,
            tcp_flags: columns.tcp_flags.get(row),
            reverse_tcp_flags: columns.reverse_tcp_flags.get(row),
            packets,
            reverse_packets,
            reverse_octets,
            biflow_direction: columns.biflow_direction.get(row),
            icmp,
            counts: counters.iter().any(Option::is_some),
        })
    }

    /// Whether the record has counters of the other direction, be they 0.
    #[inline]
    pub(super) fn has_reverse(&self) -> bool {
        self.reverse_packets.is_some() || self.reverse_octets.is_some()
    }

    /// Whether the record reports traffic of both directions.
    #[inline]
    pub(super) fn counts_both(&self) -> bool {
        self.reverse_packets.unwrap_or(0) > 0 || self.reverse_octets.unwrap_or(0) > 0
    }
}

/// A 5-tuple as the record has it.
struct Ends {
    src: Ipv6Addr,
    dst: Ipv6Addr,
    src_port: Option<u16>,
    dst_port: Option<u16>,
    protocol: Option<u8>,
}

impl Ends {
    /// What is inside the tunnel, if the record has both addresses of it.
    #[inline]
    fn inside(columns: &Columns, row: usize) -> Option<Self> {
        let src = columns.inner_src_addr.get(row)?;
        let dst = columns.inner_dst_addr.get(row)?;
        known(src, dst).then(|| Self {
            src,
            dst,
            src_port: columns.inner_src_port.get(row),
            dst_port: columns.inner_dst_port.get(row),
            protocol: columns.inner_protocol.get(row),
        })
    }

    /// The record's own.
    #[inline]
    fn outside(columns: &Columns, row: usize) -> Option<Self> {
        let (src, dst) = (columns.src_addr.get(row)?, columns.dst_addr.get(row)?);
        known(src, dst).then(|| Self {
            src,
            dst,
            src_port: columns.src_port.get(row),
            dst_port: columns.dst_port.get(row),
            protocol: columns.protocol.get(row),
        })
    }
}

/// Whether either is an address: templates that fit everything send zeros for what does not apply.
#[inline]
fn known(src: Ipv6Addr, dst: Ipv6Addr) -> bool {
    let zero = |address: Ipv6Addr| address.is_unspecified() || address == ZERO_V4;
    !(zero(src) && zero(dst))
}

/// 0.0.0.0 as the columns hold it.
const ZERO_V4: Ipv6Addr = Ipv4Addr::UNSPECIFIED.to_ipv6_mapped();

/// Who observed a row: exporter and flow direction, as a number that is never 0.
///
/// Domains of one exporter are one observer: line cards that all meter at ingress see a packet once, and several
/// processes that export from one host (each with a domain of its own) are not to hide each other. A record that does
/// not say its direction is taken as metered at ingress, as most are.
///
/// 63 bits of a hash: among ten thousand observation points the odds that any two are taken for one are below
/// 1 in 10^11, so nothing has to be kept or bounded.
#[inline]
pub(super) fn observer(batch: &FlowBatch, row: usize) -> u64 {
    let exporter = batch.origin.exporter[row].to_bits();
    let [high, low] = super::table::words(exporter);
    let direction = batch.columns.direction.get(row).map_or(0, u64::from);
    mix(&[high, low, direction]) | 1
}
