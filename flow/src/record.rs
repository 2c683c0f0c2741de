//! One flow record, for people and for other programs.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::clock::Timestamp;

/// One observation of a flow as an exporter reported it, with what was added to it. What was not sent is `null`.
///
/// Counters are as exported; multiply by `sampling_interval` where it is present.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FlowRecord {
    /// When the datagram reached the collector.
    #[schema(value_type = String, format = DateTime)]
    pub received_at: Timestamp,
    /// First packet.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub start: Option<Timestamp>,
    /// Last packet.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub end: Option<Timestamp>,
    /// The exporter's address.
    #[schema(value_type = String)]
    pub exporter: IpAddr,
    /// The exporter's name.
    pub exporter_name: Option<String>,
    /// v9 source id, IPFIX observation domain, v5 engine type << 8 | engine id.
    pub observation_domain: u32,
    /// 1, 5, 7, 9 or 10.
    pub version: u8,
    /// Template id.
    pub template: Option<u16>,
    /// Source address.
    #[schema(value_type = Option<String>)]
    pub src_addr: Option<IpAddr>,
    /// Destination address.
    #[schema(value_type = Option<String>)]
    pub dst_addr: Option<IpAddr>,
    /// Source port.
    pub src_port: Option<u16>,
    /// Destination port.
    pub dst_port: Option<u16>,
    /// IP protocol number.
    pub protocol: Option<u8>,
    /// TCP flags of all packets, ORed.
    pub tcp_flags: Option<u16>,
    /// Octets as exported.
    pub octets: Option<u64>,
    /// Packets as exported.
    pub packets: Option<u64>,
    /// One packet of this many was looked at; `null` if unknown.
    pub sampling_interval: Option<u32>,
    /// Ingress interface (ifIndex).
    pub in_interface: Option<u32>,
    /// Egress interface (ifIndex).
    pub out_interface: Option<u32>,
    /// The application's name.
    pub application: Option<String>,
    /// `ingress` or `egress`, if the exporter says.
    pub direction: Option<String>,
    /// First packet of the reverse direction.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub reverse_start: Option<Timestamp>,
    /// Last packet of the reverse direction.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub reverse_end: Option<Timestamp>,
    /// TCP flags of the reverse direction.
    pub reverse_tcp_flags: Option<u16>,
    /// Octets of the reverse direction.
    pub reverse_octets: Option<u64>,
    /// Packets of the reverse direction.
    pub reverse_packets: Option<u64>,
    /// ICMP type << 8 | code.
    pub icmp_type_code: Option<u16>,
    /// Type of service octet.
    pub tos: Option<u8>,
    /// Next hop.
    #[schema(value_type = Option<String>)]
    pub next_hop: Option<IpAddr>,
    /// BGP next hop.
    #[schema(value_type = Option<String>)]
    pub bgp_next_hop: Option<IpAddr>,
    /// Source AS.
    pub src_as: Option<u32>,
    /// Destination AS.
    pub dst_as: Option<u32>,
    /// Source prefix length.
    pub src_mask: Option<u8>,
    /// Destination prefix length.
    pub dst_mask: Option<u8>,
    /// VLAN at ingress.
    pub vlan: Option<u16>,
    /// VLAN at egress.
    pub post_vlan: Option<u16>,
    /// Source MAC address.
    pub src_mac: Option<String>,
    /// Destination MAC address.
    pub dst_mac: Option<String>,
    /// IE 136: 1 idle, 2 active timeout, 3 end of flow, 4 forced, 5 lack of resources.
    pub end_reason: Option<u8>,
    /// Smallest TTL.
    pub min_ttl: Option<u8>,
    /// Largest TTL.
    pub max_ttl: Option<u8>,
    /// IE 89.
    pub forwarding_status: Option<u8>,
    /// IE 233.
    pub firewall_event: Option<u8>,
    /// IE 230.
    pub nat_event: Option<u8>,
    /// Source address after NAT.
    #[schema(value_type = Option<String>)]
    pub nat_src_addr: Option<IpAddr>,
    /// Destination address after NAT.
    #[schema(value_type = Option<String>)]
    pub nat_dst_addr: Option<IpAddr>,
    /// Source port after NAT.
    pub nat_src_port: Option<u16>,
    /// Destination port after NAT.
    pub nat_dst_port: Option<u16>,
    /// VXLAN network identifier or tunnel key.
    pub vni: Option<u64>,
    /// Source address inside the tunnel.
    #[schema(value_type = Option<String>)]
    pub inner_src_addr: Option<IpAddr>,
    /// Destination address inside the tunnel.
    #[schema(value_type = Option<String>)]
    pub inner_dst_addr: Option<IpAddr>,
    /// Source port inside the tunnel.
    pub inner_src_port: Option<u16>,
    /// Destination port inside the tunnel.
    pub inner_dst_port: Option<u16>,
    /// IP protocol inside the tunnel.
    pub inner_protocol: Option<u8>,
    /// VRF at ingress.
    pub in_vrf: Option<u32>,
    /// VRF at egress.
    pub out_vrf: Option<u32>,
    /// The VRF's name at ingress.
    pub in_vrf_name: Option<String>,
    /// Top MPLS label.
    pub mpls_label: Option<u32>,
    /// IPv6 flow label.
    pub flow_label: Option<u32>,
    /// The exporter's flow id.
    pub flow_id: Option<u64>,
    /// Octets that the exporter dropped.
    pub dropped_octets: Option<u64>,
    /// Packets that the exporter dropped.
    pub dropped_packets: Option<u64>,
    /// The application as the exporter names it.
    pub exporter_application: Option<String>,
    /// The client's site.
    pub client_site: Option<String>,
    /// The server's site.
    pub server_site: Option<String>,
    /// The ingress interface's name.
    pub in_interface_name: Option<String>,
    /// The egress interface's name.
    pub out_interface_name: Option<String>,
    /// Whether the source is the client.
    pub src_is_client: Option<bool>,
    /// Whether views count this observation.
    pub accounting: Option<bool>,
    /// Which stamps the exporter sent: `uptime_ms`, `s`, `ms`, `us`, `ns`, `delta_us`, `observation`, `received`.
    pub time_kind: Option<String>,
    /// `exact`, `clamped` or `absent`.
    pub time_quality: Option<String>,
    /// `delta`, `total` or `implausible`.
    pub counter_kind: Option<String>,
    /// `record`, `sampler`, `domain`, `header` or `configured`.
    pub sampling_source: Option<String>,
    /// Vendors' performance elements as sent, by name.
    pub measures: BTreeMap<String, u64>,
    /// Texts and operator-named fields that have no column.
    pub extras: BTreeMap<String, String>,
    /// Where its datagram is on the tape, `segment:offset`.
    pub tape_position: String,
}
