//! The built-in meanings, by enterprise. Ranks: 0 is the best source of a column.

use flow::measure;

use super::meaning::Form::{
    ApplicationId, MplsLabel, Payload, Plain, SegmentId, Total, ZeroIsAbsent,
};
use super::meaning::{Edge, Frame, Meaning, Sampling, Say, Slot, Stamp, TextUse};
use super::{CISCO, Element, REVERSE};

const VMWARE: u32 = 6876;
const IXIA: u32 = 3054;
const NTOP: u32 = super::NTOP;
const PROCERA: u32 = 15397;
const VIPTELA: u32 = 41916;

/// What is known of `element` beyond its name.
pub(super) fn meaning(element: Element) -> Option<Meaning> {
    let id = element.id;
    let column = match element.enterprise {
        0 => iana(id),
        REVERSE => reverse(id),
        CISCO => cisco(id),
        VMWARE => vmware(id),
        IXIA => ixia(id),
        NTOP => text_if(id == 119, TextUse::Application),
        PROCERA => text_if(id == 1, TextUse::Application),
        VIPTELA if id == 4321 => Some(Meaning::Column(Slot::in_vrf, 1, Plain)),
        _ => None,
    };
    column.or_else(|| measure::index(element.enterprise, id).map(Meaning::Measure))
}

fn text_if(is: bool, text: TextUse) -> Option<Meaning> {
    is.then_some(Meaning::Text(text))
}

fn extra(name: &str, say: Say) -> Option<Meaning> {
    Some(Meaning::Text(TextUse::Extra(name.into(), say)))
}

fn iana(id: u16) -> Option<Meaning> {
    counters(id)
        .or_else(|| addresses(id))
        .or_else(|| ports_and_interfaces(id))
        .or_else(|| attributes(id))
        .map(|(slot, rank, form)| Meaning::Column(slot, rank, form))
        .or_else(|| time(id, [Edge::Start, Edge::End]))
        .or_else(|| other(id))
}

type Column = (Slot, u8, super::Form);

/// Delta before total, the flow's own before what left the box (`post…`), IP before layer 2. The initiator's and
/// responder's halves come first: where they are sent, the plain counter holds one of them or their sum.
fn counters(id: u16) -> Option<Column> {
    Some(match id {
        231 => (Slot::octets, 0, Payload),
        298 => (Slot::packets, 0, Plain),
        232 => (Slot::reverse_octets, 0, Payload),
        299 => (Slot::reverse_packets, 0, Plain),
        1 => (Slot::octets, 1, Plain),
        2 => (Slot::packets, 1, Plain),
        85 => (Slot::octets, 2, Total),
        86 => (Slot::packets, 2, Total),
        352 => (Slot::octets, 3, Plain),
        430 => (Slot::packets, 3, Plain),
        23 => (Slot::octets, 4, Plain),
        24 => (Slot::packets, 4, Plain),
        353 => (Slot::octets, 5, Total),
        431 => (Slot::packets, 5, Total),
        171 => (Slot::octets, 6, Total),
        172 => (Slot::packets, 6, Total),
        132 => (Slot::dropped_octets, 0, Plain),
        133 => (Slot::dropped_packets, 0, Plain),
        _ => return None,
    })
}

/// Ranks of the two families follow each other: where both are sent, the second stands in for an all-zero first.
fn addresses(id: u16) -> Option<Column> {
    Some(match id {
        8 => (Slot::src_addr, 0, Plain),
        27 => (Slot::src_addr, 1, Plain),
        12 => (Slot::dst_addr, 0, Plain),
        28 => (Slot::dst_addr, 1, Plain),
        44 => (Slot::src_addr, 4, Plain),
        170 => (Slot::src_addr, 5, Plain),
        45 => (Slot::dst_addr, 4, Plain),
        169 => (Slot::dst_addr, 5, Plain),
        15 => (Slot::next_hop, 0, Plain),
        62 => (Slot::next_hop, 1, Plain),
        18 => (Slot::bgp_next_hop, 0, Plain),
        63 => (Slot::bgp_next_hop, 1, Plain),
        225 => (Slot::nat_src_addr, 0, Plain),
        281 => (Slot::nat_src_addr, 1, Plain),
        226 => (Slot::nat_dst_addr, 0, Plain),
        282 => (Slot::nat_dst_addr, 1, Plain),
        40001 => (Slot::nat_src_addr, 2, Plain),
        40002 => (Slot::nat_dst_addr, 2, Plain),
        9 => (Slot::src_mask, 0, Plain),
        29 => (Slot::src_mask, 1, Plain),
        13 => (Slot::dst_mask, 0, Plain),
        30 => (Slot::dst_mask, 1, Plain),
        56 => (Slot::src_mac, 0, Plain),
        81 => (Slot::src_mac, 1, Plain),
        80 => (Slot::dst_mac, 0, Plain),
        57 => (Slot::dst_mac, 1, Plain),
        _ => return None,
    })
}

fn ports_and_interfaces(id: u16) -> Option<Column> {
    Some(match id {
        7 => (Slot::src_port, 0, Plain),
        180 | 182 => (Slot::src_port, 1, Plain),
        11 => (Slot::dst_port, 0, Plain),
        181 | 183 => (Slot::dst_port, 1, Plain),
        227 => (Slot::nat_src_port, 0, Plain),
        228 => (Slot::nat_dst_port, 0, Plain),
        40003 => (Slot::nat_src_port, 1, Plain),
        40004 => (Slot::nat_dst_port, 1, Plain),
        10 => (Slot::in_interface, 0, Plain),
        252 => (Slot::in_interface, 1, Plain),
        14 => (Slot::out_interface, 0, Plain),
        253 => (Slot::out_interface, 1, Plain),
        58 => (Slot::vlan, 0, Plain),
        243 => (Slot::vlan, 1, Plain),
        59 => (Slot::post_vlan, 0, Plain),
        254 => (Slot::post_vlan, 1, Plain),
        234 => (Slot::in_vrf, 0, Plain),
        235 => (Slot::out_vrf, 0, Plain),
        351 => (Slot::vni, 0, SegmentId),
        70 => (Slot::mpls_label, 0, MplsLabel),
        _ => return None,
    })
}

fn attributes(id: u16) -> Option<Column> {
    Some(match id {
        4 => (Slot::protocol, 0, Plain),
        5 => (Slot::tos, 0, Plain),
        6 => (Slot::tcp_flags, 0, Plain),
        16 => (Slot::src_as, 0, Plain),
        17 => (Slot::dst_as, 0, Plain),
        31 => (Slot::flow_label, 0, Plain),
        32 => (Slot::icmp_type_code, 0, Plain),
        139 => (Slot::icmp_type_code, 1, Plain),
        52 => (Slot::min_ttl, 0, Plain),
        53 => (Slot::max_ttl, 0, Plain),
        61 => (Slot::direction, 0, Plain),
        89 => (Slot::forwarding_status, 0, Plain),
        95 => (Slot::exporter_application_id, 0, ApplicationId),
        136 => (Slot::end_reason, 0, Plain),
        148 => (Slot::flow_id, 0, Plain),
        230 => (Slot::nat_event, 0, Plain),
        233 => (Slot::firewall_event, 0, Plain),
        40005 => (Slot::firewall_event, 1, Plain),
        239 => (Slot::biflow_direction, 0, Plain),
        _ => return None,
    })
}

/// The start/end pairs of all families; `edges` are those of the forward or the reverse direction.
fn time(id: u16, [start, end]: [Edge; 2]) -> Option<Meaning> {
    let (edge, stamp) = match id {
        22 => (start, Stamp::Uptime),
        21 => (end, Stamp::Uptime),
        150 => (start, Stamp::Seconds),
        151 => (end, Stamp::Seconds),
        152 => (start, Stamp::Millis),
        153 => (end, Stamp::Millis),
        154 => (start, Stamp::Micros),
        155 => (end, Stamp::Micros),
        156 => (start, Stamp::Nanos),
        157 => (end, Stamp::Nanos),
        158 => (start, Stamp::DeltaMicros),
        159 => (end, Stamp::DeltaMicros),
        _ => return None,
    };
    Some(Meaning::Time(edge, stamp))
}

fn other(id: u16) -> Option<Meaning> {
    Some(match id {
        192 => Meaning::Ttl,
        176 | 178 => Meaning::IcmpType,
        177 | 179 => Meaning::IcmpCode,
        160 => Meaning::Time(Edge::SystemInit, Stamp::Millis),
        161 => Meaning::Time(Edge::Duration, Stamp::Millis),
        162 => Meaning::Time(Edge::Duration, Stamp::Micros),
        322 => Meaning::Time(Edge::Observation, Stamp::Seconds),
        323 => Meaning::Time(Edge::Observation, Stamp::Millis),
        324 => Meaning::Time(Edge::Observation, Stamp::Micros),
        325 => Meaning::Time(Edge::Observation, Stamp::Nanos),
        48 | 302 => Meaning::Sampling(Sampling::Sampler),
        34 | 50 => Meaning::Sampling(Sampling::Interval),
        305 => Meaning::Sampling(Sampling::PacketInterval),
        306 => Meaning::Sampling(Sampling::PacketSpace),
        309 => Meaning::Sampling(Sampling::Size),
        310 => Meaning::Sampling(Sampling::Population),
        311 => Meaning::Sampling(Sampling::Probability),
        96 | 56701 => Meaning::Text(TextUse::Application),
        236 => Meaning::Text(TextUse::InVrf),
        104 | 315 => Meaning::Frame(Frame::Ethernet),
        313 => Meaning::Frame(Frame::Ip),
        // A wireless station's record names it only by these.
        365 => return extra("staMacAddress", Say::Mac),
        366 => return extra("staIPv4Address", Say::Address),
        367 => return extra("wtpMacAddress", Say::Mac),
        33000 => return extra("ingressAclId", Say::Hex),
        33001 => return extra("egressAclId", Say::Hex),
        33002 => return extra("fwExtEvent", Say::Unsigned),
        _ => return None,
    })
}

fn reverse(id: u16) -> Option<Meaning> {
    let column = match id {
        1 => (Slot::reverse_octets, 1, Plain),
        2 => (Slot::reverse_packets, 1, Plain),
        85 => (Slot::reverse_octets, 2, Total),
        86 => (Slot::reverse_packets, 2, Total),
        6 => (Slot::reverse_tcp_flags, 0, Plain),
        _ => return time(id, [Edge::ReverseStart, Edge::ReverseEnd]),
    };
    Some(Meaning::Column(column.0, column.1, column.2))
}

/// Cisco AVC names sides by client and server; the client is kept as the source.
fn cisco(id: u16) -> Option<Meaning> {
    let column = match id {
        12236 => (Slot::src_addr, 2, Plain),
        12238 => (Slot::src_addr, 3, Plain),
        12237 => (Slot::dst_addr, 2, Plain),
        12239 => (Slot::dst_addr, 3, Plain),
        12240 => (Slot::src_port, 2, Plain),
        12241 => (Slot::dst_port, 2, Plain),
        _ => return None,
    };
    Some(Meaning::Column(column.0, column.1, column.2))
}

/// The tenant's packet inside VXLAN. Open vSwitch sends 893 and 894 instead, which are the tunnel's own ends: there the
/// plain addresses are the tenant's.
fn vmware(id: u16) -> Option<Meaning> {
    let column = match id {
        880 => (Slot::inner_protocol, 0, ZeroIsAbsent),
        881 => (Slot::inner_src_addr, 0, ZeroIsAbsent),
        882 => (Slot::inner_dst_addr, 0, ZeroIsAbsent),
        883 => (Slot::inner_src_addr, 1, ZeroIsAbsent),
        884 => (Slot::inner_dst_addr, 1, ZeroIsAbsent),
        886 => (Slot::inner_src_port, 0, ZeroIsAbsent),
        887 => (Slot::inner_dst_port, 0, ZeroIsAbsent),
        892 => (Slot::vni, 1, ZeroIsAbsent),
        893 => return extra("tunnelSourceIPv4Address", Say::Address),
        894 => return extra("tunnelDestinationIPv4Address", Say::Address),
        _ => return None,
    };
    Some(Meaning::Column(column.0, column.1, column.2))
}

fn ixia(id: u16) -> Option<Meaning> {
    Some(match id {
        111 => Meaning::Text(TextUse::Application),
        176 => Meaning::Column(Slot::reverse_octets, 3, Plain),
        177 => Meaning::Column(Slot::reverse_packets, 3, Plain),
        _ => return None,
    })
}
