//! The values of a flow's record, as its exporter says them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use flow::clock::{NANOS_PER_MICRO, NANOS_PER_MILLI, NANOS_PER_SECOND};

use super::application::{ICMP, TCP, UDP};
use super::cache::{Entry, Half};
use super::clock::Clock;
use super::dialect::Source;
use super::map;
use super::network::Hop;
use super::talk::Ends;
use super::train::Direction;
use crate::encode::Value;
use crate::encode::fixed::FixedRecord;

const NOTHING: Half = Half {
    first: 0,
    last: 0,
    packets: 0,
    octets: 0,
    flags: 0,
};

/// UDP port of VXLAN (RFC 7348 §5).
const VXLAN_PORT: u16 = 4789;
/// The kind of layer-2 segment in the top octet of element 351: VXLAN.
const SEGMENT_IS_VXLAN: u64 = 1 << 56;

/// One flow that leaves an exporter's cache.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flow {
    pub(super) ends: Ends,
    pub(super) hop: Hop,
    pub(super) entry: Entry,
    pub(super) application: usize,
}

/// A flow with its exporter's clock and the moment of its export.
pub(super) struct Spoken<'a> {
    pub(super) flow: &'a Flow,
    pub(super) clock: &'a Clock,
    pub(super) export_at: i64,
    pub(super) application: &'static str,
}

impl Flow {
    /// Which way the record goes: a record of both directions goes as the client does.
    pub(super) fn direction(&self) -> Direction {
        match self.entry.halves[0] {
            Some(_) => Direction::ToServer,
            None => Direction::ToClient,
        }
    }

    pub(super) fn half(&self, direction: Direction) -> Half {
        self.entry.halves[direction.index()].unwrap_or(NOTHING)
    }

    fn addresses(&self) -> (IpAddr, IpAddr) {
        match self.direction() {
            Direction::ToServer => (self.ends.client, self.ends.server),
            Direction::ToClient => (self.ends.server, self.ends.client),
        }
    }

    fn ports(&self) -> (u16, u16) {
        match self.direction() {
            Direction::ToServer => (self.ends.client_port, self.ends.server_port),
            Direction::ToClient => (self.ends.server_port, self.ends.client_port),
        }
    }

    fn interfaces(&self) -> (u16, u16) {
        match self.direction() {
            Direction::ToServer => (self.hop.client_side, self.hop.server_side),
            Direction::ToClient => (self.hop.server_side, self.hop.client_side),
        }
    }

    /// ICMP type and code, which the trains carry in place of flags.
    fn icmp(&self) -> u16 {
        if self.ends.protocol == ICMP {
            self.half(self.direction()).flags
        } else {
            0
        }
    }

    fn tcp_flags(&self, direction: Direction) -> u16 {
        if self.ends.protocol == TCP {
            self.half(direction).flags
        } else {
            0
        }
    }

    /// Desks send with 128, servers with 64; each router takes one.
    fn ttl(&self) -> u8 {
        match self.direction() {
            Direction::ToServer => 128 - self.hop.routers_before,
            Direction::ToClient => 64 - self.hop.routers_after,
        }
    }

    /// Source and destination of the tunnel, seen at the first virtual switch.
    fn tunnel(&self) -> (Ipv4Addr, Ipv4Addr) {
        let [here, there] = map::TUNNEL_ENDS;
        let client_is_here = self.hop.routers_before == 0;
        if client_is_here == (self.direction() == Direction::ToServer) {
            (here, there)
        } else {
            (there, here)
        }
    }

    /// The tunnel's source port differs by flow, so that its packets spread over the fabric (RFC 7348 §5).
    fn tunnel_port(&self) -> u16 {
        let (src, dst) = self.ports();
        49_152 + (src.rotate_left(5) ^ dst) % 16_384
    }
}

fn mac(address: IpAddr) -> u64 {
    let low = match address {
        IpAddr::V4(v4) => v4.to_bits(),
        IpAddr::V6(v6) => u32::try_from(v6.to_bits() & 0xffff_ffff).unwrap_or(0),
    };
    // The local bit is set: nobody owns these addresses.
    0x0200_0000_0000 | u64::from(low)
}

fn autonomous_system(address: IpAddr) -> u16 {
    let outside = match address {
        IpAddr::V4(v4) => matches!(v4.octets()[..2], [198, 18 | 19]),
        IpAddr::V6(v6) => v6.segments()[0] == 0x2001,
    };
    // Documentation numbers outside (RFC 5398), private ones inside (RFC 6996).
    if outside {
        64_496 + u16::from(autonomous_salt(address) % 15)
    } else {
        64_512
    }
}

fn autonomous_salt(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(v4) => v4.octets()[2],
        IpAddr::V6(v6) => v6.octets()[13],
    }
}

fn mask(address: IpAddr) -> u8 {
    if address.is_ipv4() { 24 } else { 64 }
}

impl Spoken<'_> {
    /// The value of one field.
    pub(super) fn value(&self, source: Source) -> Value<'static> {
        use Source as S;
        let flow = self.flow;
        let direction = flow.direction();
        let half = flow.half(direction);
        let back = flow.half(direction.reverse());
        match source {
            S::SrcAddr => flow.addresses().0.into(),
            S::DstAddr => flow.addresses().1.into(),
            S::SrcPort => flow.ports().0.into(),
            S::DstPort => flow.ports().1.into(),
            S::Protocol => flow.ends.protocol.into(),
            S::Tos => flow.ends.tos.into(),
            S::TcpFlags => flow.tcp_flags(direction).into(),
            S::Icmp => flow.icmp().into(),
            S::Octets => half.octets.into(),
            S::Packets => half.packets.into(),
            S::InInterface => flow.interfaces().0.into(),
            S::OutInterface => flow.interfaces().1.into(),
            S::NextHop => self.next_hop().into(),
            S::SrcMask => mask(flow.addresses().0).into(),
            S::DstMask => mask(flow.addresses().1).into(),
            S::SrcAs => autonomous_system(flow.addresses().0).into(),
            S::DstAs => autonomous_system(flow.addresses().1).into(),
            S::StartUptime => self.clock.uptime_ms(half.first).into(),
            S::EndUptime => self.clock.uptime_ms(half.last).into(),
            S::StartMillis => self.millis(half.first),
            S::EndMillis => self.millis(half.last),
            S::StartNtp => self.clock.ntp(half.first).into(),
            S::EndNtp => self.clock.ntp(half.last).into(),
            S::StartDelta => self.delta(half.first),
            S::EndDelta => self.delta(half.last),
            S::Ttl => flow.ttl().into(),
            S::SrcMac => mac(flow.addresses().0).into(),
            S::DstMac => mac(flow.addresses().1).into(),
            S::Vlan => 110_u8.into(),
            S::EndReason => flow.entry.reason.into(),
            S::Sampler => 1_u8.into(),
            S::Vrf => self.vrf().into(),
            S::ApplicationId => application_id(flow.application).into(),
            S::ApplicationName => self.application.into(),
            S::IpVersion => if flow.ends.client.is_ipv6() { 6_u8 } else { 4 }.into(),
            S::Fixed(value) => value.into(),
            S::ReverseOctets => back.octets.into(),
            S::ReversePackets => back.packets.into(),
            S::ReverseFlags => flow.tcp_flags(direction.reverse()).into(),
            S::ReverseStartMillis => self.reverse_millis(back, back.first),
            S::ReverseEndMillis => self.reverse_millis(back, back.last),
            S::TunnelSrc => flow.tunnel().0.into(),
            S::TunnelDst => flow.tunnel().1.into(),
            S::TunnelSrcPort => flow.tunnel_port().into(),
            S::TunnelDstPort => VXLAN_PORT.into(),
            S::TunnelProtocol => UDP.into(),
            S::Vni => (SEGMENT_IS_VXLAN | u64::from(map::VNI)).into(),
        }
    }

    /// The record in a fixed version. Both of them see only IPv4.
    pub(super) fn fixed(&self) -> FixedRecord {
        let flow = self.flow;
        let half = flow.half(flow.direction());
        let (src, dst) = flow.addresses();
        let (src_port, dst_port) = flow.ports();
        let (in_interface, out_interface) = flow.interfaces();
        FixedRecord {
            src: v4(src),
            dst: v4(dst),
            next_hop: v4(self.next_hop()),
            in_interface,
            out_interface,
            packets: u32::try_from(half.packets).unwrap_or(u32::MAX),
            octets: u32::try_from(half.octets).unwrap_or(u32::MAX),
            first_ms: self.clock.uptime_ms(half.first),
            last_ms: self.clock.uptime_ms(half.last),
            src_port,
            dst_port: if flow.ends.protocol == ICMP {
                flow.icmp()
            } else {
                dst_port
            },
            tcp_flags: u8::try_from(flow.tcp_flags(flow.direction())).unwrap_or(0),
            protocol: flow.ends.protocol,
            tos: flow.ends.tos,
            src_as: autonomous_system(src),
            dst_as: autonomous_system(dst),
            src_mask: mask(src),
            dst_mask: mask(dst),
            router: Ipv4Addr::new(10, 255, 0, 1),
        }
    }

    fn next_hop(&self) -> IpAddr {
        let [_, out] = self.flow.interfaces().1.to_be_bytes();
        if self.flow.ends.client.is_ipv6() {
            return Ipv6Addr::new(0xfd00, 255, 0, 0, 0, 0, 0, out.into()).into();
        }
        Ipv4Addr::new(10, 255, 0, out).into()
    }

    fn millis(&self, at: i64) -> Value<'static> {
        Value::Unsigned(
            self.clock
                .unix(at)
                .div_euclid(NANOS_PER_MILLI)
                .unsigned_abs(),
        )
    }

    fn reverse_millis(&self, half: Half, at: i64) -> Value<'static> {
        if half.packets == 0 {
            Value::Unsigned(0)
        } else {
            self.millis(at)
        }
    }

    /// Microseconds before the header's export time, which has whole seconds.
    fn delta(&self, at: i64) -> Value<'static> {
        let header =
            self.clock.unix(self.export_at).div_euclid(NANOS_PER_SECOND) * NANOS_PER_SECOND;
        let before = (header - self.clock.unix(at)) / NANOS_PER_MICRO;
        Value::Unsigned(u64::try_from(before).unwrap_or(0))
    }

    /// Branches and headquarters are in one VRF, what goes outside is in another.
    fn vrf(&self) -> u16 {
        let (src, dst) = self.flow.addresses();
        let outside = |address| autonomous_system(address) != 64_512;
        if outside(src) || outside(dst) { 2 } else { 1 }
    }
}

/// RFC 6759: engine 13 (application recognition), then the selector.
pub(super) fn application_id(application: usize) -> u32 {
    (13 << 24) | (u32::try_from(application).unwrap_or(0) + 1)
}

fn v4(address: IpAddr) -> Ipv4Addr {
    match address {
        IpAddr::V4(address) => address,
        IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
    }
}
