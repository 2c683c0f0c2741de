//! One row for people.

use std::net::Ipv6Addr;

use super::{CounterKind, FlowBatch, SamplingSource, TimeKind, TimeQuality};
use crate::address::narrow;
use crate::clock::Timestamp;
use crate::column::{Column, TextColumn};
use crate::record::FlowRecord;

impl FlowBatch {
    /// `row` for people.
    pub fn record(&self, row: usize) -> FlowRecord {
        let (origin, columns, enrichment) = (&self.origin, &self.columns, &self.enrichment);
        let address = |column: &Column<Ipv6Addr>| column.get(row).map(narrow);
        let time = |column: &Column<i64>| column.get(row).map(Timestamp::from_nanos);
        let text = |column: &TextColumn| column.get(row).map(str::to_owned);
        FlowRecord {
            received_at: Timestamp::from_nanos(origin.received_at[row]),
            start: time(&columns.start),
            end: time(&columns.end),
            exporter: narrow(origin.exporter[row]),
            exporter_name: text(&enrichment.exporter_name),
            observation_domain: origin.domain[row],
            version: origin.version[row],
            template: Some(origin.template[row]).filter(|id| *id != 0),
            src_addr: address(&columns.src_addr),
            dst_addr: address(&columns.dst_addr),
            src_port: columns.src_port.get(row),
            dst_port: columns.dst_port.get(row),
            protocol: columns.protocol.get(row),
            tcp_flags: columns.tcp_flags.get(row),
            octets: columns.octets.get(row),
            packets: columns.packets.get(row),
            sampling_interval: columns.sampling_interval.get(row),
            in_interface: columns.in_interface.get(row),
            out_interface: columns.out_interface.get(row),
            application: text(&enrichment.application),
            direction: columns
                .direction
                .get(row)
                .and_then(direction_name)
                .map(str::to_owned),
            reverse_start: time(&columns.reverse_start),
            reverse_end: time(&columns.reverse_end),
            reverse_tcp_flags: columns.reverse_tcp_flags.get(row),
            reverse_octets: columns.reverse_octets.get(row),
            reverse_packets: columns.reverse_packets.get(row),
            icmp_type_code: columns.icmp_type_code.get(row),
            tos: columns.tos.get(row),
            next_hop: address(&columns.next_hop),
            bgp_next_hop: address(&columns.bgp_next_hop),
            src_as: columns.src_as.get(row),
            dst_as: columns.dst_as.get(row),
            src_mask: columns.src_mask.get(row),
            dst_mask: columns.dst_mask.get(row),
            vlan: columns.vlan.get(row),
            post_vlan: columns.post_vlan.get(row),
            src_mac: columns.src_mac.get(row).map(mac),
            dst_mac: columns.dst_mac.get(row).map(mac),
            end_reason: columns.end_reason.get(row),
            min_ttl: columns.min_ttl.get(row),
            max_ttl: columns.max_ttl.get(row),
            forwarding_status: columns.forwarding_status.get(row),
            firewall_event: columns.firewall_event.get(row),
            nat_event: columns.nat_event.get(row),
            nat_src_addr: address(&columns.nat_src_addr),
            nat_dst_addr: address(&columns.nat_dst_addr),
            nat_src_port: columns.nat_src_port.get(row),
            nat_dst_port: columns.nat_dst_port.get(row),
            vni: columns.vni.get(row),
            inner_src_addr: address(&columns.inner_src_addr),
            inner_dst_addr: address(&columns.inner_dst_addr),
            inner_src_port: columns.inner_src_port.get(row),
            inner_dst_port: columns.inner_dst_port.get(row),
            inner_protocol: columns.inner_protocol.get(row),
            in_vrf: columns.in_vrf.get(row),
            out_vrf: columns.out_vrf.get(row),
            in_vrf_name: text(&enrichment.in_vrf_name),
            mpls_label: columns.mpls_label.get(row),
            flow_label: columns.flow_label.get(row),
            flow_id: columns.flow_id.get(row),
            dropped_octets: columns.dropped_octets.get(row),
            dropped_packets: columns.dropped_packets.get(row),
            exporter_application: text(&enrichment.exporter_application),
            client_site: text(&enrichment.client_site),
            server_site: text(&enrichment.server_site),
            in_interface_name: text(&enrichment.in_interface_name),
            out_interface_name: text(&enrichment.out_interface_name),
            src_is_client: enrichment.src_is_client.get(row).map(|flag| *flag == 1),
            accounting: enrichment.accounting.get(row).map(|flag| *flag == 1),
            time_kind: columns
                .time_kind
                .get(row)
                .and_then(TimeKind::from_u8)
                .map(|kind| kind.name().to_owned()),
            time_quality: columns
                .time_quality
                .get(row)
                .and_then(TimeQuality::from_u8)
                .map(|quality| quality.name().to_owned()),
            counter_kind: columns
                .counter_kind
                .get(row)
                .and_then(CounterKind::from_u8)
                .map(|kind| kind.name().to_owned()),
            sampling_source: columns
                .sampling_source
                .get(row)
                .and_then(SamplingSource::from_u8)
                .map(|source| source.name().to_owned()),
            measures: self
                .measures
                .get(row)
                .filter_map(|(id, value)| {
                    Some((
                        crate::measure::MEASURES
                            .get(usize::from(*id))?
                            .name
                            .to_owned(),
                        *value,
                    ))
                })
                .collect(),
            extras: self
                .extras
                .get(row)
                .map(|(key, value)| (key.to_string(), value.clone()))
                .collect(),
            tape_position: self.position(row).to_string(),
        }
    }
}

fn direction_name(code: u8) -> Option<&'static str> {
    match code {
        0 => Some("ingress"),
        1 => Some("egress"),
        _ => None,
    }
}

fn mac(bits: u64) -> String {
    let octets = bits.to_be_bytes();
    let [_, _, a, b, c, d, e, f] = octets;
    format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
}
