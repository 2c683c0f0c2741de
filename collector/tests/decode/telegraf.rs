//! Field by field: what telegraf expects of its captures (one line protocol line a record).

use std::collections::BTreeMap;

use flow::FlowRecord;
use serde_json::Value;

use crate::support::{captures, datagrams, decode};

/// Their field, ours. Absolute times are compared too; v9's and v5's are relative there and absolute here.
const FIELDS: &[(&str, &str)] = &[
    ("src", "src_addr"),
    ("dst", "dst_addr"),
    ("src_port", "src_port"),
    ("dst_port", "dst_port"),
    ("in_bytes", "octets"),
    ("in_packets", "packets"),
    ("in_total_bytes", "octets"),
    ("in_total_packets", "packets"),
    ("in_snmp", "in_interface"),
    ("out_snmp", "out_interface"),
    ("bgp_src_as", "src_as"),
    ("bgp_dst_as", "dst_as"),
    ("src_mask", "src_mask"),
    ("dst_mask", "dst_mask"),
    ("vlan_src", "vlan"),
    ("next_hop", "next_hop"),
];

#[test]
fn every_expected_line_has_its_record() {
    let Some(folder) = captures() else { return };
    let mut claims = 0;
    for name in [
        "ipfix_example",
        "ipfix_pen_35632",
        "issue_14370",
        "netflow_v5_example",
        "netflow_v9_example",
    ] {
        let text = folder.join(format!("telegraf/{name}/expected.out"));
        let expected = std::fs::read_to_string(text).unwrap();
        let (_, batch) = decode(&datagrams(&format!("bundles/telegraf-{name}.pcap")));
        let mut records: Vec<_> = (0..batch.rows()).map(|row| batch.record(row)).collect();
        for line in expected.lines().filter(|line| line.contains("src=")) {
            let wanted = fields(line);
            let found = records
                .iter()
                .position(|record| differs(&wanted, record).is_none());
            let Some(found) = found else {
                let near: Vec<_> = records
                    .iter()
                    .filter_map(|it| differs(&wanted, it))
                    .collect();
                panic!("{name}: no record for {line}\n{near:#?}");
            };
            records.remove(found);
            claims += 1;
        }
    }
    assert!(claims >= 49, "{claims}");
}

/// `key=value` of the line, text unquoted and numbers without their `u`.
fn fields(line: &str) -> BTreeMap<String, String> {
    // Measurement and tags, then fields, then a time that not every line has: no text here holds a blank but one.
    let tagless = line
        .split_once(' ')
        .unwrap()
        .1
        .replace("end of flow", "end")
        .replace("forced end", "forced");
    let body = tagless.split(' ').next().unwrap();
    let mut fields = BTreeMap::new();
    for pair in body.split(',') {
        if let Some((key, value)) = pair.split_once('=') {
            let value = value.trim_end_matches('u').trim_matches('"');
            fields.insert(key.to_owned(), value.to_owned());
        }
    }
    fields
}

/// The first field that differs.
fn differs(wanted: &BTreeMap<String, String>, record: &FlowRecord) -> Option<String> {
    let got = serde_json::to_value(record).unwrap();
    let said = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    for (theirs, ours) in FIELDS {
        if let Some(value) = wanted.get(*theirs)
            && said(&got[*ours]) != *value
        {
            return Some(format!("{ours}: {} instead of {value}", got[*ours]));
        }
    }
    for (theirs, ours) in [("flow_start_ms", record.start), ("flow_end_ms", record.end)] {
        if let Some(value) = wanted.get(theirs)
            && ours.map(|at| (at.nanos() / 1_000_000).to_string()).as_ref() != Some(value)
        {
            return Some(format!("{theirs}: {ours:?} instead of {value}"));
        }
    }
    None
}
