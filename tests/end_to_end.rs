//! The whole road with the real binary and the real engine: captures in, answers out, the same totals as independent
//! decoders counted.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::collections::BTreeMap;
use std::path::Path;

use api::plant::{ImportState, ImportStatus};
use serde_json::Value;
use store::question::TopRow;
use support::{Claim, Expected, Server, captures, eventually, flowreel, manifest, printed};

/// Every time that any exporter may have sent.
const ALWAYS: &str = "from=1970-01-01&to=2200-01-01";

/// Captures of exporters that were run for this purpose: templates come first, so one exporter address may send all
/// of them, one after the other. Octets and packets are exact, by tshark and nfdump.
const OVER_THE_WIRE: &[&str] = &[
    "generated/softflowd-v5-http_minitwit.pcap",
    "generated/softflowd-v5-synscan.pcap",
    "generated/softflowd-v9-wsgi_drum.pcap",
    "generated/softflowd-v9-ipv6-http.pcap",
    "generated/softflowd-v10-http_espn.pcap",
    "generated/softflowd-v10-biflow-http_minitwit.pcap",
    "generated/pmacctd-v5-http_minitwit.pcap",
    "generated/incident-fprobe-v7.pcap",
    "generated/incident-ovs-netflow5.pcap",
];

/// Where we differ from the manifest, with the reason in `docs/conformance.md`.
const DIFFERENT: &[(&str, u64)] = &[("bundles/beats-Netflow-9-invalid-01.pcap", 2)];

#[derive(Debug, Default, PartialEq, Eq)]
struct Totals {
    records: u64,
    octets: u64,
    packets: u64,
}

fn totals(rows: &[TopRow]) -> Totals {
    let mut sum = Totals::default();
    for row in rows {
        sum.records += row.flows;
        sum.octets += row.octets;
        sum.packets += row.packets;
    }
    sum
}

#[test]
fn captures_over_udp_give_the_totals_that_other_decoders_counted() {
    let Some(folder) = captures() else { return };
    let claims: BTreeMap<String, Claim> = manifest(&folder)
        .into_iter()
        .map(|claim| (claim.path.clone(), claim))
        .collect();
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let (mut expected, mut datagrams) = (Totals::default(), 0);
    for path in OVER_THE_WIRE {
        let claim = &claims[*path];
        expected.records += claim.data_records;
        expected.octets += claim.octets;
        expected.packets += claim.packets;
        datagrams += claim.datagrams;
        send(&folder.join(path), &server);
        server.wait_for_datagrams(datagrams);
    }
    let books = server.accounting();
    assert!(
        books.datagrams.balances() && books.records.balances(),
        "{books:?}"
    );
    assert_eq!(
        (books.datagrams.stored, books.records.stored),
        (datagrams, expected.records)
    );
    for dimension in ["exporters", "applications", "protocols"] {
        let rows: Vec<TopRow> =
            server.get(&format!("/api/v1/top/{dimension}?{ALWAYS}&limit=10000"));
        assert_eq!(totals(&rows), expected, "{dimension}");
    }
    the_command_line_agrees(&server, &expected);
    assert!(server.stop().as_secs() < 5);
}

fn send(capture: &Path, server: &Server) {
    let to = server.udp().to_string();
    let output = flowreel(&[
        "send",
        capture.to_str().unwrap(),
        "--to",
        &to,
        "--rate",
        "2000",
    ]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn the_command_line_agrees(server: &Server, expected: &Totals) {
    let ever = ["--from", "1970-01-01", "--to", "2200-01-01"];
    let top = server.cli(
        &[
            &[
                "top",
                "applications",
                "--limit",
                "10000",
                "--format",
                "json",
            ][..],
            &ever,
        ]
        .concat(),
    );
    let rows: Vec<TopRow> = serde_json::from_str(&printed(&top)).unwrap();
    assert_eq!(&totals(&rows), expected);
    let flows = server.cli(
        &[
            &["flows", "--limit", "100000", "--format", "jsonl"][..],
            &ever,
        ]
        .concat(),
    );
    let lines: Vec<Value> = printed(&flows)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len() as u64, expected.records);
    let octets = |line: &Value, name: &str| line[name].as_u64().unwrap_or(0);
    let sum: u64 = lines
        .iter()
        .map(|line| octets(line, "octets") + octets(line, "reverse_octets"))
        .sum();
    assert_eq!(sum, expected.octets);
    let exporters = server.cli(&["exporters", "--format", "json"]);
    let exporters: Vec<Value> = serde_json::from_str(&printed(&exporters)).unwrap();
    let versions: Vec<&str> = exporters
        .iter()
        .map(|one| one["protocol"].as_str().unwrap())
        .collect();
    for version in ["NetFlow v5", "NetFlow v7", "NetFlow v9", "IPFIX"] {
        assert!(versions.contains(&version), "{versions:?}");
    }
}

/// Each is waited for until it is stored, so two tests at once are through sooner than one.
#[test]
fn every_capture_of_a_bundle_imports_to_its_number_of_records() {
    captures_import_to_their_numbers_of_records(|path| path.starts_with("bundles/"));
}

#[test]
fn every_other_capture_imports_to_its_number_of_records() {
    captures_import_to_their_numbers_of_records(|path| !path.starts_with("bundles/"));
}

/// Of those whose truth is known.
fn captures_import_to_their_numbers_of_records(is_meant: fn(&str) -> bool) {
    let Some(folder) = captures() else { return };
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let mut feeds = BTreeMap::new();
    let claims = manifest(&folder).into_iter();
    for claim in claims.filter(|claim| claim.records_expected.is_some() && is_meant(&claim.path)) {
        let file = std::fs::read(folder.join(&claim.path)).unwrap();
        let url = format!("{}/api/v1/imports?name=capture.pcap", server.url());
        let status: ImportStatus = ureq::post(url)
            .send(&file[..])
            .unwrap()
            .body_mut()
            .read_json()
            .unwrap();
        feeds.insert(status.feed, claim);
    }
    let imports = eventually("all imports are done", || {
        let imports: Vec<ImportStatus> = server.get("/api/v1/imports");
        imports
            .iter()
            .all(|import| import.state == ImportState::Done)
            .then_some(imports)
    });
    assert_eq!(imports.len(), feeds.len());
    for import in imports {
        let claim = &feeds[&import.feed];
        let rows: Vec<TopRow> = server.get(&format!(
            "/api/v1/top/exporters?{ALWAYS}&limit=10000&filter=feed%20{}",
            import.feed
        ));
        let stored = totals(&rows).records;
        assert_eq!(stored, import.records, "{}", claim.path);
        if let Some((_, records)) = DIFFERENT.iter().find(|(path, _)| *path == claim.path) {
            assert_eq!(stored, *records, "{}", claim.path);
            continue;
        }
        match claim.records_expected {
            Some(Expected::Exact(records)) => assert_eq!(stored, records, "{}", claim.path),
            Some(Expected::AtLeast(records)) => {
                assert!(stored >= records, "{}: {stored}", claim.path)
            }
            None => {}
        }
    }
    let books = server.accounting();
    assert!(
        books.datagrams.balances() && books.records.balances(),
        "{books:?}"
    );
}

#[test]
fn what_is_named_today_names_the_past_after_a_reclassification() {
    let Some(folder) = captures() else { return };
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    send(&folder.join("generated/softflowd-v5-synscan.pcap"), &server);
    server.wait_for_datagrams(69);
    send(
        &folder.join("generated/softflowd-v9-wsgi_drum.pcap"),
        &server,
    );
    server.wait_for_datagrams(71);
    let before: Vec<TopRow> = server.get(&format!("/api/v1/top/applications?{ALWAYS}&limit=10000"));
    let rules = serde_json::json!({"application": [{"name": "everything", "servers": ["0.0.0.0/0", "::/0"]}]});
    let put = ureq::put(format!("{}/api/v1/rules", server.url()))
        .send_json(&rules)
        .unwrap();
    assert_eq!(put.status(), 200);
    for _ in 0..2 {
        let printed = printed(&server.cli(&["reclassify", "--last", "1h"]));
        assert_eq!(
            printed,
            "71 datagrams decoded again; 2034 flow records before, 2034 now\n"
        );
        let after: Vec<TopRow> =
            server.get(&format!("/api/v1/top/applications?{ALWAYS}&limit=10000"));
        assert_eq!(totals(&after), totals(&before));
        assert_eq!(
            after
                .iter()
                .map(|row| row.name.as_str())
                .collect::<Vec<_>>(),
            ["everything"]
        );
        let raw: Vec<TopRow> = server.get(&format!(
            "/api/v1/top/applications?{ALWAYS}&filter=packets%20%3E%3D%200"
        ));
        assert_eq!(totals(&raw), totals(&before));
    }
    let refused = server.cli(&["reclassify", "--from", "1990-01-01", "--to", "1990-01-02"]);
    let error = String::from_utf8(refused.stderr).unwrap();
    assert!(
        error.contains("the tape holds nothing that arrived from 1990-01-01"),
        "{error}"
    );
}
