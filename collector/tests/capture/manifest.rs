//! Every capture of the manifest.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use collector::capture::Selection;
use serde_json::Value;

use super::pcap::*;

/// Where the captures are; `None` if they are not there and this is not CI.
fn captures() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/captures");
    if folder.join("manifest.json").exists() {
        return Some(folder);
    }
    assert!(std::env::var_os("CI").is_none(), "no captures in CI");
    println!("skipped: no captures beside the checkout");
    None
}

/// Captures whose UDP datagrams are not all counted in the manifest: its decoder took only those that it knew as an export
/// protocol on their port, and one that an ICMP error quotes. (datagrams here, reason)
const COUNTED_OTHERWISE: [(&str, u64, &str); 7] = [
    (
        "bundles/literals-Edgio_vflow-ipfix-decoder-test-go.pcap",
        6,
        "one vector has no header",
    ),
    (
        "bundles/literals-cloudflare_goflow-utils-sflow-test-go.pcap",
        2,
        "one vector has no header",
    ),
    (
        "bundles/literals-google_gopacket-layers-sflow-test-go.pcap",
        13,
        "one vector is not sFlow",
    ),
    (
        "bundles/literals-mikemiles-dev_netflow_parser-src-tests-rs.pcap",
        49,
        "one vector has no header",
    ),
    (
        "bundles/literals-netsampler_goflow2-decoders-sflow-sflow-test-go.pcap",
        6,
        "one vector is not sFlow",
    ),
    (
        "libnetflow9/testcases/malformed_6.pcap",
        1,
        "the second frame is an ICMP error",
    ),
    (
        "tcpdump/sflow_multiple_counter_30_pdus.pcap",
        30,
        "five are NetFlow v5 on the sFlow port",
    ),
];

#[test]
fn every_capture_gives_the_datagrams_of_the_manifest() {
    let Some(folder) = captures() else { return };
    let manifest = fs::read(folder.join("manifest.json")).unwrap();
    let rows: Vec<Value> = serde_json::from_slice(&manifest).unwrap();
    assert!(rows.len() >= 252);
    let otherwise: HashMap<_, _> = COUNTED_OTHERWISE.iter().map(|row| (row.0, row.1)).collect();
    let mut different = Vec::new();
    for row in &rows {
        let path = row["path"].as_str().unwrap();
        let expected = otherwise.get(path).copied().or(row["datagrams"].as_u64());
        let (datagrams, counts) = read(&folder.join(path), Selection::default());
        let found = u64::try_from(datagrams.len()).unwrap();
        let whole = counts.malformed + counts.cut + counts.incomplete + counts.damaged_tails == 0;
        if Some(found) != expected || counts.datagrams != found || !whole {
            different.push(format!("{path}: {expected:?}, found {counts:?}"));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

#[test]
fn a_capture_of_other_traffic_is_accounted_for_frame_by_frame() {
    let Some(folder) = captures() else { return };
    let path = folder.join("generated/incident-traffic-truth.pcap");
    let (_, counts) = read(&path, Selection::default());
    // Stated by the captures' README.
    assert_eq!(counts.frames, 1_896);
}
