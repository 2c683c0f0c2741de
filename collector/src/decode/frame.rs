//! The beginning of a sampled packet: who talked to whom, where no element says so.

use std::net::IpAddr;

use etherparse::{LaxSlicedPacket, TransportSlice};
use flow::address::widen;
use flow::batch::Columns;

use crate::fields::Frame;

/// Reads what is there of the packet into `row`, where the record itself left the column empty. `false` if there is no
/// IP header in it.
pub(crate) fn fill(frame: Frame, octets: &[u8], columns: &mut Columns, row: usize) -> bool {
    let (frame, octets) = match frame {
        Frame::Ethernet => below_mpls(octets)
            .or_else(|| below_cooked(octets))
            .unwrap_or((frame, octets)),
        Frame::Ip => (frame, octets),
    };
    let packet = match frame {
        Frame::Ethernet => LaxSlicedPacket::from_ethernet(octets).ok(),
        Frame::Ip => LaxSlicedPacket::from_ip(octets).ok(),
    };
    let Some(packet) = packet else {
        return false;
    };
    if let Some(vlan) = packet.vlan_ids().first()
        && columns.vlan.get(row).is_none()
    {
        columns.vlan.set(row, vlan.value());
    }
    if let Some(etherparse::LinkSlice::Ethernet2(link)) = &packet.link {
        columns.src_mac.set(row, mac(link.source()));
        columns.dst_mac.set(row, mac(link.destination()));
    }
    let found = network(&packet, columns, row);
    transport(&packet, columns, row);
    found
}

/// What an Ethernet frame carries under MPLS labels: an IP packet, or, after a control word, another frame
/// ([RFC 4385 §3], [RFC 4928 §2]: the first nibble tells). `None` if it carries no MPLS.
pub(crate) fn below_mpls(octets: &[u8]) -> Option<(Frame, &[u8])> {
    const TYPE_AT: usize = 12;
    let mut at = TYPE_AT;
    let mut kind = u16::from_be_bytes([*octets.get(at)?, *octets.get(at + 1)?]);
    while matches!(kind, 0x8100 | 0x88a8) {
        at += 4;
        kind = u16::from_be_bytes([*octets.get(at)?, *octets.get(at + 1)?]);
    }
    if !matches!(kind, 0x8847 | 0x8848) {
        return None;
    }
    at += 2;
    // The lowest bit of an entry's third octet marks the bottom of the stack (RFC 3032 §2.1).
    while octets.get(at + 2)? & 1 == 0 {
        at += 4;
    }
    let inside = octets.get(at + 4..)?;
    match inside.first()? >> 4 {
        4 | 6 => Some((Frame::Ip, inside)),
        0 => Some((Frame::Ethernet, inside.get(4..)?)),
        _ => Some((Frame::Ethernet, inside)),
    }
}

/// What a Linux cooked header carries: exporters that listen on "any" interface send it as a data link frame. 16 octets:
/// packet type (at most 4), ARPHRD 1 (Ethernet) or 772 (loopback), address length 6, the address, the Ethernet type.
pub(crate) fn below_cooked(octets: &[u8]) -> Option<(Frame, &[u8])> {
    let (head, inside) = octets.split_at_checked(16)?;
    let word = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
    let cooked = word(0) <= 4
        && matches!(word(2), 1 | 772)
        && word(4) == 6
        && matches!(word(14), 0x0800 | 0x86dd);
    cooked.then_some((Frame::Ip, inside))
}

fn mac(octets: [u8; 6]) -> u64 {
    octets
        .iter()
        .fold(0, |bits, octet| bits << 8 | u64::from(*octet))
}

fn network(packet: &LaxSlicedPacket<'_>, columns: &mut Columns, row: usize) -> bool {
    let (source, destination, protocol, tos, ttl): (IpAddr, IpAddr, u8, u8, u8) = match &packet.net
    {
        Some(etherparse::LaxNetSlice::Ipv4(ip)) => {
            let header = ip.header();
            (
                header.source_addr().into(),
                header.destination_addr().into(),
                ip.payload().ip_number.0,
                header.dcp().value() << 2 | header.ecn().value(),
                header.ttl(),
            )
        }
        Some(etherparse::LaxNetSlice::Ipv6(ip)) => {
            let header = ip.header();
            (
                header.source_addr().into(),
                header.destination_addr().into(),
                ip.payload().ip_number.0,
                header.traffic_class(),
                header.hop_limit(),
            )
        }
        _ => return false,
    };
    set(&mut columns.src_addr, row, widen(source));
    set(&mut columns.dst_addr, row, widen(destination));
    set(&mut columns.protocol, row, protocol);
    set(&mut columns.tos, row, tos);
    set(&mut columns.min_ttl, row, ttl);
    set(&mut columns.max_ttl, row, ttl);
    true
}

fn transport(packet: &LaxSlicedPacket<'_>, columns: &mut Columns, row: usize) {
    let ports = match &packet.transport {
        Some(TransportSlice::Tcp(tcp)) => {
            let flags = tcp.slice().get(13).copied().unwrap_or(0);
            set(&mut columns.tcp_flags, row, u16::from(flags));
            Some((tcp.source_port(), tcp.destination_port()))
        }
        Some(TransportSlice::Udp(udp)) => Some((udp.source_port(), udp.destination_port())),
        Some(TransportSlice::Icmpv4(icmp)) => {
            set(
                &mut columns.icmp_type_code,
                row,
                type_code(icmp.type_u8(), icmp.code_u8()),
            );
            None
        }
        Some(TransportSlice::Icmpv6(icmp)) => {
            set(
                &mut columns.icmp_type_code,
                row,
                type_code(icmp.type_u8(), icmp.code_u8()),
            );
            None
        }
        _ => None,
    };
    if let Some((source, destination)) = ports {
        set(&mut columns.src_port, row, source);
        set(&mut columns.dst_port, row, destination);
    }
}

fn type_code(kind: u8, code: u8) -> u16 {
    u16::from(kind) << 8 | u16::from(code)
}

fn set<T: flow::column::Blank>(column: &mut flow::column::Column<T>, row: usize, value: T) {
    if column.get(row).is_none() {
        column.set(row, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cooked_frame_is_seen_through() {
        // Packet 0 of a cooked capture: unicast to us, Ethernet, IPv4 TCP 192.168.1.104:54742 to 192.168.1.110:80, SYN.
        let mut octets = vec![
            0, 0, 0, 1, 0, 6, 0x70, 0x56, 0x81, 0xb9, 0x50, 0x33, 0, 0, 8, 0,
        ];
        octets.extend([
            0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6, 0, 0, 192, 168, 1, 104, 192, 168, 1, 110,
        ]);
        octets.extend([
            0xd5, 0xd6, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0xff, 0xff, 0, 0, 0, 0,
        ]);
        let mut columns = Columns::default();
        assert!(fill(Frame::Ethernet, &octets, &mut columns, 0));
        assert_eq!(columns.src_port.get(0), Some(54_742));
        assert_eq!(
            (columns.dst_port.get(0), columns.tcp_flags.get(0)),
            (Some(80), Some(2))
        );
        assert!(!fill(Frame::Ip, &[0; 8], &mut columns, 1));
    }
}
