//! Field by field: what elastic/beats expects of its captures, where it makes a claim that a column answers.

use flow::{FlowBatch, FlowRecord, Timestamp};
use serde_json::{Map, Value};

use crate::support::{captures, datagrams, decode};

/// Claims that we answer otherwise, with the reason; `docs/conformance.md` has the same list.
const DIFFERENCES: &[(&str, &str)] = &[
    // Binary octets under applicationName: an application id, and no text.
    ("nprobe-DPI-L7", "exporter_application"),
];

#[test]
fn every_golden_agrees_field_by_field() {
    let Some(folder) = captures() else { return };
    let text = std::fs::read_to_string(folder.join("manifest.json")).unwrap();
    let manifest: Vec<Value> = serde_json::from_str(&text).unwrap();
    let mut wrong = Vec::new();
    let mut claims = 0;
    for capture in &manifest {
        let Some(golden) = capture["golden"]
            .as_str()
            .filter(|it| it.ends_with(".json"))
        else {
            continue;
        };
        let path = capture["path"].as_str().unwrap();
        let (_, batch) = decode(&datagrams(path));
        let text = std::fs::read_to_string(folder.join(golden)).unwrap();
        let golden: Value = serde_json::from_str(&text).unwrap();
        claims += compare(path, &golden, &batch, &mut wrong);
    }
    wrong.sort();
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(claims > 4_000, "only {claims} claims were compared");
}

/// Compares record by record in their order; returns how many claims were compared.
fn compare(path: &str, golden: &Value, batch: &FlowBatch, wrong: &mut Vec<String>) -> usize {
    let events = golden["events"].as_array().map_or(&[][..], Vec::as_slice);
    let flows: Vec<_> = events
        .iter()
        .filter_map(|event| event["Fields"]["netflow"].as_object())
        .filter(|netflow| netflow["type"] == "netflow_flow")
        .collect();
    let mut claims = 0;
    let mut rows: Vec<_> = (0..batch.rows()).collect();
    for netflow in flows {
        let expected = expected(netflow);
        claims += expected.len();
        // Beats hands out data that came before its template at another moment: take the row that fits best.
        let best = rows
            .iter()
            .enumerate()
            .map(|(index, row)| (differences(&expected, &batch.record(*row)), index))
            .min_by_key(|(differences, index)| (differences.len(), *index));
        let Some((differences, index)) = best else {
            wrong.push(format!("{path}: a record is missing"));
            continue;
        };
        rows.remove(index);
        for difference in differences {
            let known = DIFFERENCES
                .iter()
                .any(|(capture, field)| path.contains(capture) && difference.starts_with(field));
            if !known {
                wrong.push(format!("{path}: {difference}"));
            }
        }
    }
    claims
}

fn differences(expected: &[(&'static str, Value)], record: &FlowRecord) -> Vec<String> {
    let got = serde_json::to_value(record).unwrap();
    expected
        .iter()
        .filter_map(|(field, value)| {
            let found = match field.split_once('/') {
                Some((map, key)) => got[map][key].clone(),
                None => got[*field].clone(),
            };
            let agrees = match value.as_i64() {
                Some(nanos) if ["start", "end"].contains(field) => found
                    .as_str()
                    .and_then(|text| text.parse::<Timestamp>().ok())
                    // NTP fractions are cut there and rounded here.
                    .is_some_and(|at| (at.nanos() - nanos).abs() <= 1),
                _ => found == *value,
            };
            (!agrees).then(|| format!("{field}: {found} instead of {value}"))
        })
        .collect()
}

/// Golden field, and ours.
const NUMBERS: &[(&str, &str)] = &[
    ("source_transport_port", "src_port"),
    ("destination_transport_port", "dst_port"),
    ("protocol_identifier", "protocol"),
    ("tcp_control_bits", "tcp_flags"),
    ("ingress_interface", "in_interface"),
    ("egress_interface", "out_interface"),
    ("bgp_source_as_number", "src_as"),
    ("bgp_destination_as_number", "dst_as"),
    ("source_ipv4_prefix_length", "src_mask"),
    ("destination_ipv4_prefix_length", "dst_mask"),
    ("ip_class_of_service", "tos"),
    ("flow_end_reason", "end_reason"),
    ("vlan_id", "vlan"),
    ("post_vlan_id", "post_vlan"),
    ("minimum_ttl", "min_ttl"),
    ("maximum_ttl", "max_ttl"),
    ("firewall_event", "firewall_event"),
    ("asa_fw_event", "firewall_event"),
    ("flow_id", "flow_id"),
    ("icmp_type_code_ipv4", "icmp_type_code"),
    ("ingress_vrfid", "in_vrf"),
    ("egress_vrfid", "out_vrf"),
    ("viptela_vpn_id", "in_vrf"),
    ("post_napt_source_transport_port", "nat_src_port"),
    ("post_napt_destination_transport_port", "nat_dst_port"),
    ("asa_xlate_src_port", "nat_src_port"),
    ("asa_xlate_dst_port", "nat_dst_port"),
    ("responder_octets", "reverse_octets"),
    ("responder_packets", "reverse_packets"),
    ("reverse_octet_total_count", "reverse_octets"),
    ("reverse_packet_total_count", "reverse_packets"),
    (
        "art_client_network_time_sum",
        "measures/cisco.client_network_time_sum_ms",
    ),
    (
        "art_server_network_time_sum",
        "measures/cisco.server_network_time_sum_ms",
    ),
    ("art_network_time_sum", "measures/cisco.network_time_sum_ms"),
    (
        "art_response_time_sum",
        "measures/cisco.response_time_sum_ms",
    ),
    (
        "art_server_response_time_sum",
        "measures/cisco.application_delay_sum_ms",
    ),
    (
        "art_server_response_time_maximum",
        "measures/cisco.application_delay_max_ms",
    ),
    (
        "art_total_response_time_sum",
        "measures/cisco.total_response_time_sum_ms",
    ),
    (
        "art_total_transaction_time_sum",
        "measures/cisco.transaction_time_sum_ms",
    ),
    ("art_count_responses", "measures/cisco.responses"),
    ("art_count_transactions", "measures/cisco.transactions"),
    (
        "art_count_retransmissions",
        "measures/cisco.client_retransmitted_packets",
    ),
    ("art_count_late_responses", "measures/cisco.responses_late"),
    ("new_connection_delta_count", "measures/new_connections"),
    ("waasoptimization_segment", "measures/cisco.waas_segment"),
    (
        "netscaler_connection_chain_hop_count",
        "measures/netscaler.connection_chain_hops",
    ),
    ("initial_tcp_flags", "measures/yaf.initial_tcp_flags"),
    ("union_tcp_flags", "measures/yaf.union_tcp_flags"),
    (
        "reverse_flow_delta_milliseconds",
        "measures/yaf.reverse_start_delta_ms",
    ),
];

const TEXTS: &[(&str, &str)] = &[
    ("application_name", "exporter_application"),
    ("procera_service", "exporter_application"),
    ("procera_base_service", "extras/proceraBaseService"),
    ("ip_next_hop_ipv4_address", "next_hop"),
    ("bgp_next_hop_ipv4_address", "bgp_next_hop"),
    ("post_nat_source_ipv4_address", "nat_src_addr"),
    ("post_nat_destination_ipv4_address", "nat_dst_addr"),
    ("asa_xlate_src_addr_ipv4", "nat_src_addr"),
    ("asa_xlate_dst_addr_ipv4", "nat_dst_addr"),
    ("source_mac_address", "src_mac"),
    ("destination_mac_address", "dst_mac"),
    ("asa_username", "extras/username"),
    ("wlan_ssid", "extras/wlanSSID"),
    ("sta_ipv4_address", "extras/staIPv4Address"),
    ("netscaler_http_req_url", "extras/netscalerHttpReqUrl"),
    ("netscaler_http_req_host", "extras/netscalerHttpReqHost"),
    ("netscaler_http_req_method", "extras/netscalerHttpReqMethod"),
    ("netscaler_aaa_username", "extras/netscalerAaaUsername"),
    ("reason_text", "extras/barracudaReasonText"),
    ("fw_rule", "extras/barracudaFirewallRule"),
    ("service_name", "extras/barracudaServiceName"),
];

/// What the golden claims, in our words.
fn expected(netflow: &Map<String, Value>) -> Vec<(&'static str, Value)> {
    let mut claims = Vec::new();
    for (theirs, ours) in NUMBERS {
        if let Some(value) = netflow.get(*theirs) {
            claims.push((*ours, value.clone()));
        }
    }
    for (theirs, ours) in TEXTS {
        if let Some(text) = netflow.get(*theirs).and_then(Value::as_str) {
            let text = if ours.ends_with("_mac") {
                text.to_lowercase().replace('-', ":")
            } else {
                text.to_owned()
            };
            // An empty text is no text.
            let value = if text.is_empty() {
                Value::Null
            } else {
                text.into()
            };
            claims.push((*ours, value));
        }
    }
    claims.push((
        "observation_domain",
        netflow["exporter"]["source_id"].clone(),
    ));
    claims.push(("version", netflow["exporter"]["version"].clone()));
    counters(netflow, &mut claims);
    addresses(netflow, &mut claims);
    times(netflow, &mut claims);
    if let Some(direction) = netflow.get("flow_direction").and_then(Value::as_u64) {
        let name = ["ingress", "egress"].get(usize::try_from(direction).unwrap());
        claims.push(("direction", name.map_or(Value::Null, |name| (*name).into())));
    }
    claims
}

fn counters(netflow: &Map<String, Value>, claims: &mut Vec<(&'static str, Value)>) {
    let first = |names: &[&str]| names.iter().find_map(|name| netflow.get(*name)).cloned();
    let initiator = |name: &'static str, with: &str| netflow.contains_key(with).then_some(name);
    for (ours, names) in [
        (
            "octets",
            [
                initiator("initiator_octets", "responder_octets").unwrap_or("octet_delta_count"),
                "octet_delta_count",
                "initiator_octets",
                "octet_total_count",
                "post_octet_delta_count",
            ],
        ),
        (
            "packets",
            [
                initiator("initiator_packets", "responder_packets").unwrap_or("packet_delta_count"),
                "packet_delta_count",
                "initiator_packets",
                "packet_total_count",
                "post_packet_delta_count",
            ],
        ),
    ] {
        claims.extend(first(&names).map(|value| (ours, value)));
    }
}

fn addresses(netflow: &Map<String, Value>, claims: &mut Vec<(&'static str, Value)>) {
    for (ours, v4, v6) in [
        ("src_addr", "source_ipv4_address", "source_ipv6_address"),
        (
            "dst_addr",
            "destination_ipv4_address",
            "destination_ipv6_address",
        ),
    ] {
        let (v4, v6) = (netflow.get(v4), netflow.get(v6));
        // Templates for both families fill one of them.
        let empty = |value: &Value| value == "0.0.0.0" || value == "::";
        let found = v4
            .filter(|value| !empty(value))
            .or(v6.filter(|value| !empty(value)))
            .or(v4)
            .or(v6);
        claims.extend(found.map(|value| (ours, value.clone())));
    }
}

fn times(netflow: &Map<String, Value>, claims: &mut Vec<(&'static str, Value)>) {
    for (ours, uptime, names) in [
        (
            "start",
            "flow_start_sys_up_time",
            [
                "flow_start_milliseconds",
                "flow_start_seconds",
                "flow_start_microseconds",
            ],
        ),
        (
            "end",
            "flow_end_sys_up_time",
            [
                "flow_end_milliseconds",
                "flow_end_seconds",
                "flow_end_microseconds",
            ],
        ),
    ] {
        if let Some(at) = names.iter().find_map(|name| netflow.get(*name)?.as_str())
            && let Ok(at) = at.parse::<Timestamp>()
        {
            claims.push((ours, at.nanos().into()));
        } else if let (Some(stamp), Some(now), Some(export)) = (
            netflow.get(uptime).and_then(Value::as_i64),
            netflow["exporter"]["uptime_millis"]
                .as_i64()
                .filter(|uptime| *uptime != 0),
            netflow["exporter"]["timestamp"]
                .as_str()
                .and_then(|at| at.parse::<Timestamp>().ok()),
        ) && now - stamp >= -60_000
        {
            let at = export.offset((stamp - now) * 1_000_000);
            claims.push((ours, at.nanos().into()));
        }
    }
}
