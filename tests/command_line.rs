//! The command line as a person or a program meets it: formats, exit codes, errors.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use serde_json::Value;
use support::{captures, flowreel, printed};

fn error_of(args: &[&str]) -> (i32, String) {
    let output = flowreel(args);
    assert!(
        output.stdout.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
    (
        output.status.code().unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[test]
fn decode_prints_one_line_a_record_and_a_summary_apart() {
    let Some(folder) = captures() else { return };
    let file = folder.join("generated/softflowd-v9-http_minitwit.pcap");
    let output = flowreel(&["decode", file.to_str().unwrap(), "--format", "jsonl"]);
    let summary = String::from_utf8_lossy(&output.stderr).into_owned();
    let records: Vec<Value> = printed(&output)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    // tshark and nfdump: 12 records, 14160 octets, 104 packets, 4 templates and 1 options template.
    assert_eq!(records.len(), 12);
    assert_eq!(
        records
            .iter()
            .map(|record| record["octets"].as_u64().unwrap())
            .sum::<u64>(),
        14_160
    );
    assert_eq!(
        records
            .iter()
            .map(|record| record["packets"].as_u64().unwrap())
            .sum::<u64>(),
        104
    );
    assert!(
        summary.contains("1 datagrams, 12 records, 1 options records, 5 templates"),
        "{summary}"
    );
    let names = [
        "received_at",
        "start",
        "end",
        "exporter",
        "observation_domain",
        "version",
        "src_addr",
        "dst_addr",
        "src_port",
        "dst_port",
        "protocol",
        "tcp_flags",
        "octets",
        "packets",
        "sampling_interval",
        "in_interface",
        "out_interface",
        "application",
        "direction",
    ];
    for name in names {
        assert!(records[0].get(name).is_some(), "{name}");
    }
    assert_eq!(records[0]["next_hop"], Value::Null);
    for time in ["received_at", "start", "end"] {
        let text = records[0][time].as_str().unwrap();
        assert!(text.ends_with('Z') && text.contains('.'), "{text}");
    }
}

#[test]
fn csv_and_table_hold_the_same_records() {
    let Some(folder) = captures() else { return };
    let file = folder.join("generated/softflowd-v5-http_minitwit.pcap");
    let csv = printed(&flowreel(&[
        "decode",
        file.to_str().unwrap(),
        "--format",
        "csv",
    ]));
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let octets = reader
        .headers()
        .unwrap()
        .iter()
        .position(|name| name == "octets")
        .unwrap();
    let sum: u64 = reader
        .records()
        .map(|row| row.unwrap()[octets].parse::<u64>().unwrap())
        .sum();
    assert_eq!(sum, 14_160);
    let table = printed(&flowreel(&[
        "decode",
        file.to_str().unwrap(),
        "--format",
        "table",
    ]));
    assert_eq!(table.lines().count(), 13, "{table}");
}

#[test]
fn inspect_prints_an_object_a_datagram() {
    let Some(folder) = captures() else { return };
    let file = folder.join("generated/softflowd-v10-http_espn.pcap");
    let printed = printed(&flowreel(&["inspect", file.to_str().unwrap()]));
    assert_eq!(printed.lines().count(), 3);
    for line in printed.lines() {
        let datagram: Value = serde_json::from_str(line).unwrap();
        assert_eq!(datagram["error"], Value::Null);
    }
}

#[test]
fn a_wrong_command_line_ends_with_2_and_a_failure_with_1() {
    assert_eq!(error_of(&["top", "planets"]).0, 2);
    assert_eq!(error_of(&["decode"]).0, 2);
    assert_eq!(error_of(&["serve", "--listen", "nowhere"]).0, 2);
    let (code, text) = error_of(&["decode", "no-such-file.pcap"]);
    assert_eq!(code, 1);
    assert!(text.contains("no-such-file.pcap"), "{text}");
    let (code, text) = error_of(&["decode", "Cargo.toml"]);
    assert_eq!(code, 1);
    assert!(text.contains("Cargo.toml"), "{text}");
}

#[test]
fn no_server_is_said_with_what_to_do() {
    let (code, text) = error_of(&["top", "applications", "--server", "http://127.0.0.1:1"]);
    assert_eq!(code, 1);
    assert!(
        text.contains("no server answers at http://127.0.0.1:1") && text.contains("flowreel serve"),
        "{text}"
    );
    assert_eq!(text.lines().count(), 1);
}

#[test]
fn a_wrong_filter_is_pointed_at_before_anything_is_asked() {
    let (code, text) = error_of(&[
        "top",
        "applications",
        "--filter",
        "src prot 80",
        "--server",
        "http://127.0.0.1:1",
    ]);
    assert_eq!(code, 1);
    assert!(
        text.contains("column 5") && text.contains("      ^"),
        "{text}"
    );
}

#[test]
fn completions_and_configuration_are_printed() {
    for shell in ["bash", "zsh", "fish"] {
        assert!(printed(&flowreel(&["completions", shell])).contains("flowreel"));
    }
    let shown = printed(&flowreel(&["config", "show"]));
    assert!(
        shown.parse::<toml::Table>().unwrap().contains_key("tape"),
        "{shown}"
    );
    let (code, text) = error_of(&["config", "check", "--config", "Cargo.toml"]);
    assert_eq!(code, 1);
    assert!(text.contains("Cargo.toml"), "{text}");
}
