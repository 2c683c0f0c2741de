//! The columns in which a row may be absent, as one table.

use std::net::Ipv6Addr;

#[cfg(doc)]
use super::{CounterKind, SamplingSource, TimeKind, TimeQuality};
use crate::column::Column;

macro_rules! columns {
    ($($(#[doc = $doc:literal])+ $name:ident: $type:ty,)+) => {
        /// The columns in which a row may be absent. The names are those of the store and of the JSON.
        #[derive(Clone, Debug, Default)]
        pub struct Columns {
            $($(#[doc = $doc])+ pub $name: Column<$type>,)+
        }

        impl Columns {
            pub(super) fn pad(&mut self, rows: usize) {
                $(if !self.$name.is_absent() { self.$name.pad(rows); })+
            }

            pub(super) fn truncate(&mut self, rows: usize) {
                $(self.$name.truncate(rows);)+
            }

            pub(super) fn retain(&mut self, keep: &[bool]) {
                $(self.$name.retain(keep);)+
            }

            pub(super) fn clear(&mut self) {
                $(self.$name.clear();)+
            }

            pub(super) fn octets(&self) -> usize {
                [$(self.$name.octets(),)+].into_iter().sum()
            }
        }

        /// Calls the given macro with every column as `name: type,`, for tables that must not miss one.
        #[macro_export]
        macro_rules! for_each_column {
            ($call:ident) => { $call! { $($name: $type,)+ } };
        }
    };
}

columns! {
    /// First packet, nanoseconds since the epoch: *event time*.
    start: i64,
    /// Last packet, nanoseconds since the epoch.
    end: i64,
    /// Which stamps the exporter sent: a [`TimeKind`].
    time_kind: u8,
    /// What was done to them: a [`TimeQuality`].
    time_quality: u8,
    /// First packet as sent: milliseconds of the exporter's uptime.
    start_uptime_ms: u32,
    /// Last packet as sent: milliseconds of the exporter's uptime.
    end_uptime_ms: u32,
    /// First packet of the reverse direction, nanoseconds since the epoch (RFC 5103, YAF).
    reverse_start: i64,
    /// Last packet of the reverse direction, nanoseconds since the epoch.
    reverse_end: i64,
    /// Source address.
    src_addr: Ipv6Addr,
    /// Destination address.
    dst_addr: Ipv6Addr,
    /// Source port.
    src_port: u16,
    /// Destination port.
    dst_port: u16,
    /// IP protocol number.
    protocol: u8,
    /// TCP flags of all packets, ORed.
    tcp_flags: u16,
    /// TCP flags of the reverse direction, ORed.
    reverse_tcp_flags: u16,
    /// ICMP type << 8 | code.
    icmp_type_code: u16,
    /// Type of service / traffic class octet.
    tos: u8,
    /// Octets as exported, not multiplied by sampling.
    octets: u64,
    /// Packets as exported, not multiplied by sampling.
    packets: u64,
    /// Octets of the reverse direction, where one record holds both.
    reverse_octets: u64,
    /// Packets of the reverse direction, where one record holds both.
    reverse_packets: u64,
    /// What the counters count: a [`CounterKind`].
    counter_kind: u8,
    /// One packet of this many was looked at; absent if the exporter does not say.
    sampling_interval: u32,
    /// Where the interval was learned: a [`SamplingSource`].
    sampling_source: u8,
    /// Ingress interface, SNMP ifIndex.
    in_interface: u32,
    /// Egress interface, SNMP ifIndex; 0 is the exporter's own "none".
    out_interface: u32,
    /// Next hop.
    next_hop: Ipv6Addr,
    /// BGP next hop.
    bgp_next_hop: Ipv6Addr,
    /// Source AS number.
    src_as: u32,
    /// Destination AS number.
    dst_as: u32,
    /// Source prefix length.
    src_mask: u8,
    /// Destination prefix length.
    dst_mask: u8,
    /// VLAN at ingress.
    vlan: u16,
    /// VLAN at egress.
    post_vlan: u16,
    /// Source MAC address, low 48 bits.
    src_mac: u64,
    /// Destination MAC address, low 48 bits.
    dst_mac: u64,
    /// 0 ingress, 1 egress (IE 61).
    direction: u8,
    /// RFC 5102 biflowDirection (IE 239): 0 arbitrary, 1 initiator, 2 reverse initiator, 3 perimeter.
    biflow_direction: u8,
    /// IE 136: 1 idle, 2 active timeout, 3 end of flow, 4 forced, 5 lack of resources.
    end_reason: u8,
    /// Smallest TTL seen.
    min_ttl: u8,
    /// Largest TTL seen.
    max_ttl: u8,
    /// IE 89.
    forwarding_status: u8,
    /// IE 233 (and Cisco's 40005): 1 created, 2 deleted, 3 denied, 4 alert, 5 update.
    firewall_event: u8,
    /// IE 230.
    nat_event: u8,
    /// Source address after NAT.
    nat_src_addr: Ipv6Addr,
    /// Destination address after NAT.
    nat_dst_addr: Ipv6Addr,
    /// Source port after NAT.
    nat_src_port: u16,
    /// Destination port after NAT.
    nat_dst_port: u16,
    /// VXLAN network identifier or other tunnel key.
    vni: u64,
    /// Source address inside the tunnel.
    inner_src_addr: Ipv6Addr,
    /// Destination address inside the tunnel.
    inner_dst_addr: Ipv6Addr,
    /// Source port inside the tunnel.
    inner_src_port: u16,
    /// Destination port inside the tunnel.
    inner_dst_port: u16,
    /// IP protocol inside the tunnel.
    inner_protocol: u8,
    /// VRF at ingress.
    in_vrf: u32,
    /// VRF at egress.
    out_vrf: u32,
    /// Top MPLS label.
    mpls_label: u32,
    /// IPv6 flow label.
    flow_label: u32,
    /// The exporter's own flow id (IE 148).
    flow_id: u64,
    /// Octets that the exporter dropped (IE 132).
    dropped_octets: u64,
    /// Packets that the exporter dropped (IE 133).
    dropped_packets: u64,
    /// The exporter's application id (IE 95, RFC 6759): engine << 56 | selector.
    exporter_application_id: u64,
}
