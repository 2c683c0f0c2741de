//! Every capture of the manifest: as many records as it says, and the same sums.

use std::fmt::Write as _;

use collector::decode::Decoder;
use flow::{DropKind, FlowBatch};
use serde_json::Value;

use crate::support::{captures, datagrams, decode, sum};

/// Captures whose number of records is another one than the manifest's; the reasons stand in `docs/conformance.md`.
const RECORDS_DIFFER: &[&str] = &["bundles/beats-Netflow-9-invalid-01.pcap"];

/// Captures whose sums are neither tshark's nor nfdump's (nor twice themselves), with the reasons there too.
const SUMS_DIFFER: &[&str] = &[
    "akvorado/netflow/testdata/data+templates.pcap",
    "beats-netflow/pcap/ipfix_cisco.pcap",
    "beats-netflow/pcap/ipfix_cisco.reversed.pcap",
    "beats-netflow/pcap/netflow9_e10s_4_7byte_pad.pcap",
    "bundles/literals-Edgio_vflow-ipfix-decoder-test-go.pcap",
    "bundles/literals-calmh_ipfix-parser-test-go.pcap",
    "bundles/literals-mikemiles-dev_netflow_parser-src-tests-rs.pcap",
    "bundles/logstash-data-before-template-vmware-vds.pcap",
    "graylog-plugin-netflow/nprobe-netflow9-4.pcap",
    "tcpdump/sflow_multiple_counter_30_pdus.pcap",
    "traffic-reproducer/pcap_processing/ipfix-multi-sources.pcap",
];

#[test]
fn every_capture_decodes_to_what_its_manifest_says() {
    let Some(folder) = captures() else { return };
    let text = std::fs::read_to_string(folder.join("manifest.json")).unwrap();
    let manifest: Vec<Value> = serde_json::from_str(&text).unwrap();
    let mut table = String::new();
    let (mut wrong, mut claims) = (Vec::new(), 0);
    for capture in &manifest {
        let path = capture["path"].as_str().unwrap();
        let (decoder, batch) = decode(&datagrams(path));
        line(&mut table, capture, &decoder, &batch);
        let expected = &capture["records_expected"];
        let rows = batch.rows() as u64;
        let agrees = match (expected["exact"].as_u64(), expected["at_least"].as_u64()) {
            (Some(exact), _) => rows == exact,
            (_, Some(least)) => rows >= least,
            _ => true,
        };
        claims += usize::from(expected.is_object());
        if agrees == RECORDS_DIFFER.contains(&path) {
            wrong.push(format!("{path}: {rows} records, manifest {expected}"));
        }
        if sums_agree(capture, &batch) == SUMS_DIFFER.contains(&path) {
            wrong.push(format!("{path}: sums {:?}", sums(&batch)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(claims, 218);
    insta::assert_snapshot!("captures", table);
}

/// Octets and packets as exported: forward, and both directions.
fn sums(batch: &FlowBatch) -> [(u64, u64); 2] {
    let columns = &batch.columns;
    let forward = (sum(&columns.octets), sum(&columns.packets));
    let octets = forward.0.wrapping_add(sum(&columns.reverse_octets));
    let packets = forward.1.wrapping_add(sum(&columns.reverse_packets));
    [forward, (octets, packets)]
}

/// Whether the sums are those of tshark (raw) or nfdump, whose own ways are taken into account: it multiplies by the
/// sampling interval and adds the other direction.
fn sums_agree(capture: &Value, batch: &FlowBatch) -> bool {
    let [forward, both] = sums(batch);
    let claim = |octets: &Value, packets: &Value| Some((octets.as_u64()?, packets.as_u64()?));
    let tshark = claim(&capture["octets"], &capture["packets"]);
    let nfdump = claim(&capture["nfdump"]["bytes"], &capture["nfdump"]["packets"]);
    [tshark, nfdump].contains(&Some(forward)) || [tshark, nfdump].contains(&Some(both))
}

/// Names and numbers of one capture.
fn line(table: &mut String, capture: &Value, decoder: &Decoder, batch: &FlowBatch) {
    let expected = match &capture["records_expected"] {
        Value::Null => "-".to_owned(),
        claim => claim
            .as_object()
            .map(|claim| {
                claim
                    .iter()
                    .map(|(kind, count)| format!("{kind} {count}"))
                    .collect()
            })
            .unwrap_or_default(),
    };
    let books = decoder.books();
    let dropped: Vec<_> = DropKind::ALL
        .iter()
        .filter_map(|kind| Some((kind.name(), books.dropped.get(kind)?)))
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    let problems: Vec<_> = decoder
        .problems()
        .iter()
        .map(|(problem, times)| format!("{} {times}", problem.name()))
        .collect();
    let [(octets, packets), (both_octets, both_packets)] = sums(batch);
    writeln!(
        table,
        "{} | expected {expected} | got {} | octets {octets} packets {packets} | reverse {} {} | options {} | datagrams {} waiting {} dropped [{}] | {}",
        capture["path"].as_str().unwrap(),
        batch.rows(),
        both_octets.wrapping_sub(octets),
        both_packets.wrapping_sub(packets),
        books.options_records,
        books.seen,
        books.waiting,
        dropped.join(", "),
        problems.join(", "),
    )
    .unwrap();
}

/// nfdump scales these by the samplers' options and the v5 header, so its sums check the intervals too.
#[test]
fn sampling_intervals_scale_the_sums_as_nfdump_does() {
    if captures().is_none() {
        return;
    }
    for (path, octets, packets) in [
        // Sampler 1 is 1:2000 (13,470 octets, 20 packets), sampler 2 is 1:4000 (1,348 octets, 18 packets); nfdump misses the
        // second and counts it once.
        (
            "bundles/akvorado-multiplesamplingrates.pcap",
            13_470 * 2_000 + 1_348 * 4_000,
            20 * 2_000 + 18 * 4_000,
        ),
        (
            "bundles/akvorado-options-sampling.pcap",
            175_440_000,
            120_000,
        ),
        (
            "bundles/logstash-netflow5-juniper-mx80.pcap",
            3_989_000,
            31_000,
        ),
        ("bundles/opennms-jflow.pcap", 1_835_800, 1_900),
        ("graylog-plugin-netflow/netflow5.pcap", 81_700, 500),
    ] {
        let (_, batch) = decode(&datagrams(path));
        let scaled = |column: &flow::column::Column<u64>| -> u64 {
            (0..batch.rows())
                .map(|row| {
                    let interval = batch.columns.sampling_interval.get(row).unwrap_or(1);
                    column.get(row).unwrap_or(0) * u64::from(interval)
                })
                .sum()
        };
        let (octets_got, packets_got) = (
            scaled(&batch.columns.octets),
            scaled(&batch.columns.packets),
        );
        assert_eq!((octets_got, packets_got), (octets, packets), "{path}");
    }
}

/// PSAMP and frame sections: addresses come from the packet itself.
#[test]
fn sampled_packets_tell_who_talked_to_whom() {
    if captures().is_none() {
        return;
    }
    let (_, batch) = decode(&datagrams("generated/softflowd-psamp-http_minitwit.pcap"));
    let first = batch.record(0);
    assert_eq!(first.src_addr.unwrap().to_string(), "192.168.1.104");
    assert_eq!((first.src_port, first.dst_port), (Some(54_742), Some(80)));
    assert_eq!(first.start.unwrap().seconds(), 1_374_510_579);
    let (_, batch) = decode(&datagrams("bundles/akvorado-eompls.pcap"));
    assert!(
        batch
            .columns
            .dst_addr
            .nulls()
            .iter()
            .filter(|null| **null == 0)
            .count()
            >= 8
    );
}

/// The exporter's running totals stand beside the deltas: 579,093 octets is what the bridge carried.
#[test]
fn open_vswitch_is_counted_by_its_deltas() {
    if captures().is_none() {
        return;
    }
    let (_, batch) = decode(&datagrams(
        "generated/incident-ovs-ipfix-with-templates.pcap",
    ));
    assert_eq!((batch.rows(), sums(&batch)[0]), (302, (579_093, 1_898)));
}
