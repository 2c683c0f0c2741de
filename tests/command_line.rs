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
fn json_is_one_array_and_nothing_found_is_nothing_printed() {
    let Some(folder) = captures() else { return };
    let file = folder.join("generated/softflowd-v5-http_minitwit.pcap");
    let decode = |format, filter| {
        let file = file.to_str().unwrap();
        flowreel(&["decode", file, "--format", format, "--filter", filter])
    };
    let rows = |text: String| serde_json::from_str::<Vec<Value>>(&text).unwrap().len();
    assert_eq!(rows(printed(&decode("json", ""))), 12);
    let nobody = "src host 203.0.113.77";
    assert_eq!(rows(printed(&decode("json", nobody))), 0);
    for format in ["jsonl", "csv", "table"] {
        assert_eq!(printed(&decode(format, nobody)), "", "{format}");
    }
}

#[test]
fn what_stands_before_a_damaged_frame_is_printed() {
    let Some(folder) = captures() else { return };
    let whole = std::fs::read(folder.join("generated/softflowd-v10-http_espn.pcap")).unwrap();
    // The pcap file header is 24 octets long; a frame's header 16, the captured length in octets 8 to 11 of it.
    let length = u32::from_le_bytes(whole[32..36].try_into().unwrap());
    let second = 24 + 16 + usize::try_from(length).unwrap();
    let home = tempfile::tempdir().unwrap();
    let (cut, damaged) = (home.path().join("cut.pcap"), home.path().join("bad.pcap"));
    std::fs::write(&cut, &whole[..second]).unwrap();
    let mut bytes = whole;
    bytes[second + 8..second + 12].copy_from_slice(&u32::MAX.to_le_bytes());
    std::fs::write(&damaged, bytes).unwrap();
    for format in ["jsonl", "csv", "table", "json"] {
        let decode = |file: &std::path::Path| {
            flowreel(&["decode", file.to_str().unwrap(), "--format", format])
        };
        let (expected, output) = (printed(&decode(&cut)), decode(&damaged));
        assert!(expected.lines().count() > 1, "{expected}");
        assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
        assert_eq!(output.status.code(), Some(1));
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(errors.contains("1 datagrams"), "{errors}");
        assert!(
            errors.contains("flowreel: ") && errors.contains("bad.pcap"),
            "{errors}"
        );
    }
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
    let lines: Vec<&str> = text.lines().collect();
    assert!(
        lines[0].contains("the filter is wrong at column 5"),
        "{text}"
    );
    assert_eq!(lines[1..], ["  src prot 80", "      ^"]);
}

#[test]
fn completions_and_configuration_are_printed() {
    for shell in ["bash", "zsh", "fish"] {
        assert!(printed(&flowreel(&["completions", shell])).contains("flowreel"));
    }
    let shown = printed(&flowreel(&["config", "show"]));
    let shown = shown.parse::<toml::Table>().unwrap();
    assert!(shown["tape"].get("max_octets").is_some(), "{shown}");
    assert!(shown["tape"].get("dir").is_none(), "{shown}");
    let (code, text) = error_of(&["config", "check", "--config", "Cargo.toml"]);
    assert_eq!(code, 1);
    assert!(text.contains("Cargo.toml"), "{text}");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    for command in [
        "completions bash",
        "config show",
        "doctor --listen 127.0.0.1:0 --http 127.0.0.1:0",
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = std::process::Command::new(support::binary())
            .args(command.split(' '))
            .stdout(writer)
            .output()
            .unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(
            output.status.success() && errors.is_empty(),
            "{command}: {errors}"
        );
    }
}

#[test]
fn a_server_in_the_environment_is_no_contradiction_to_a_data_directory() {
    let output = std::process::Command::new(support::binary())
        .args([
            "import",
            "no-such-file.pcap",
            "--data-dir",
            "no-such-folder",
        ])
        .env("FLOWREEL_SERVER", "http://127.0.0.1:1")
        .output()
        .unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("no-such-file.pcap"), "{errors}");
}

#[test]
fn an_import_that_is_told_to_stop_leaves_the_data_directory_in_order() {
    let Some(folder) = captures() else { return };
    let home = tempfile::tempdir().unwrap();
    let running = home.path().join("running.json");
    let file = folder.join("generated/softflowd-v9-http_minitwit.pcap");
    let mut import = std::process::Command::new(support::binary())
        .args(["import", "--data-dir"])
        .arg(home.path())
        .args(std::iter::repeat_n(&file, 500))
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    support::eventually("the import runs", || running.exists().then_some(()));
    support::signal(import.id(), nix::sys::signal::Signal::SIGTERM);
    assert_eq!(import.wait().unwrap().code(), Some(1));
    let errors = std::io::read_to_string(import.stderr.take().unwrap()).unwrap();
    assert!(errors.contains("told to stop"), "{errors}");
    assert!(!running.exists());
}
