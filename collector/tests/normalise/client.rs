//! Which side is the client.

use flow::batch::ClientEvidence;
use proptest::prelude::*;

use crate::rows::*;

fn told(row: &Row) -> (String, ClientEvidence) {
    let (client, evidence) = client(&mut normaliser(), row);
    (client.to_string(), evidence)
}

#[test]
fn the_exporter_knows_best() {
    let row = Row::new("10.0.0.1:443", "10.0.0.2:50000");
    for (biflow, client) in [(1, "10.0.0.1"), (2, "10.0.0.2")] {
        let row = Row {
            biflow_direction: Some(biflow),
            reverse_octets: Some(9),
            ..row.clone()
        };
        assert_eq!(told(&row), (client.into(), ClientEvidence::Exporter));
    }
    let initiator = Row {
        reverse_octets: Some(0),
        ..Row::new("10.0.0.1:50010", "10.0.0.2:50001")
    };
    assert_eq!(
        told(&initiator),
        ("10.0.0.1".into(), ClientEvidence::Exporter)
    );
    // An exporter that writes the lower address first: the port tells better.
    let lower = Row {
        reverse_octets: Some(9),
        ..row
    };
    assert_eq!(told(&lower), ("10.0.0.2".into(), ClientEvidence::Service));
}

#[test]
fn a_syn_alone_comes_from_the_client() {
    let row = Row::new("10.0.0.1:443", "10.0.0.2:50000");
    let syn = Row {
        flags: Some(SYN),
        ..row.clone()
    };
    assert_eq!(told(&syn), ("10.0.0.1".into(), ClientEvidence::Syn));
    let answer = Row {
        flags: Some(SYN | ACK),
        packets: Some(1),
        ..Row::new("10.0.0.1:50001", "10.0.0.2:443")
    };
    assert_eq!(told(&answer), ("10.0.0.2".into(), ClientEvidence::Syn));
    let whole = Row {
        flags: Some(WHOLE),
        ..row
    };
    assert_eq!(told(&whole), ("10.0.0.2".into(), ClientEvidence::Service));
}

#[test]
fn ports_tell_the_server_from_either_direction() {
    for (client, server) in [
        ("10.0.0.1:50000", "10.0.0.2:443"),
        ("10.0.0.1:3306", "10.0.0.2:22"),
        ("10.0.0.1:45000", "10.0.0.2:3306"),
        ("10.0.0.1:800", "10.0.0.2:2049"),
        ("10.0.0.1:45000", "10.0.0.2:9999"),
        ("[2001:db8::1]:45000", "[2001:db8::2]:5432"),
    ] {
        let row = Row::new(client, server);
        let address = row.src.ip().to_string();
        for row in [row.reversed(), row] {
            assert_eq!(
                told(&row),
                (address.clone(), ClientEvidence::Service),
                "{row:?}"
            );
        }
    }
}

#[test]
fn a_rule_knows_its_server() {
    let rules = "
        [[application]]
        name = 'orders'
        servers = ['10.1.2.3/32']
        ports = [50000]
        [[application]]
        name = 'mainframe'
        servers = ['10.7.0.0/16']
    ";
    for (src, dst, expected) in [
        // The client's port is a registered one by chance.
        (
            "10.1.2.3:50000",
            "10.9.9.9:8080",
            ("10.9.9.9", ClientEvidence::Server),
        ),
        (
            "10.7.0.1:50010",
            "10.9.9.9:50001",
            ("10.9.9.9", ClientEvidence::Server),
        ),
        // A rule without ports does not make its server's own look-ups its services.
        (
            "10.7.0.1:50000",
            "10.9.9.9:53",
            ("10.7.0.1", ClientEvidence::Service),
        ),
        (
            "10.7.0.1:50010",
            "10.7.0.2:50001",
            ("10.7.0.1", ClientEvidence::FirstSeen),
        ),
    ] {
        let (address, evidence) = client(&mut with_rules(rules), &Row::new(src, dst));
        assert_eq!(
            (address.to_string().as_str(), evidence),
            expected,
            "{src} {dst}"
        );
    }
}

#[test]
fn requests_and_groups_tell_without_ports() {
    let ping = Row {
        protocol: 1,
        icmp: Some(0x0800),
        ..Row::new("10.0.0.1:0", "10.0.0.2:2048")
    };
    let pong = Row {
        icmp: Some(0),
        ..Row::new("10.0.0.2:0", "10.0.0.1:0")
    };
    let pong = Row {
        protocol: 1,
        ..pong
    };
    for row in [ping, pong] {
        assert_eq!(told(&row), ("10.0.0.1".into(), ClientEvidence::Service));
    }
    let mdns = Row {
        protocol: UDP,
        ..Row::new("10.0.0.1:5353", "224.0.0.251:5353")
    };
    assert_eq!(told(&mdns), ("10.0.0.1".into(), ClientEvidence::Service));
}

#[test]
fn the_first_direction_seen_is_kept_until_the_conversation_is_over() {
    let mut normaliser = normaliser();
    let row = Row {
        protocol: UDP,
        ..Row::new("10.0.0.1:123", "10.0.0.2:123")
    };
    let expected = ("10.0.0.1".parse().unwrap(), ClientEvidence::FirstSeen);
    assert_eq!(client(&mut normaliser, &row), expected);
    assert_eq!(client(&mut normaliser, &row.reversed()), expected);
    let late = Row {
        at_s: 3601,
        ..row.reversed()
    };
    assert_eq!(client(&mut normaliser, &late).0.to_string(), "10.0.0.2");
    let elsewhere = Row {
        feed: 7,
        ..row.reversed()
    };
    assert_eq!(
        client(&mut normaliser, &elsewhere).0.to_string(),
        "10.0.0.2"
    );
}

#[test]
fn a_guess_gives_way_to_evidence_once() {
    let mut normaliser = normaliser();
    let row = Row::new("10.0.0.1:50010", "10.0.0.2:50001");
    let syn = Row {
        flags: Some(SYN),
        ..row.reversed()
    };
    assert_eq!(client(&mut normaliser, &row).1, ClientEvidence::FirstSeen);
    let expected = ("10.0.0.2".parse().unwrap(), ClientEvidence::Syn);
    let again = Row {
        flags: Some(SYN),
        ..row.clone()
    };
    for row in [syn, row, again] {
        assert_eq!(client(&mut normaliser, &row), expected);
    }
}

prop_compose! {
    fn observed()(
        ends in (0..3_u8, 0..3_u8),
        ports in (prop_oneof![Just(443_u16), Just(3306), Just(50_000), any::<u16>()], any::<u16>()),
        reversed in any::<bool>(),
        at_s in 0..600_i64,
        exporter in 1..4_u8,
        flags in prop_oneof![Just(None), Just(Some(WHOLE)), Just(Some(SYN)), Just(Some(SYN | ACK))],
        packets in 1..3_u64,
        protocol in prop_oneof![Just(TCP), Just(UDP)],
    ) -> Row {
        // Few hosts and ports, so that conversations meet.
        let src = format!("10.0.0.{}:{}", ends.0, ports.0);
        let dst = format!("10.0.0.{}:{}", ends.1 + 10, ports.1 % 3 + 50_000);
        let row = Row {
            at_s, flags, protocol,
            packets: Some(packets),
            exporter: std::net::IpAddr::from([192, 0, 2, exporter]),
            ..Row::new(&src, &dst)
        };
        if reversed { row.reversed() } else { row }
    }
}

fn is_certain(evidence: u8) -> bool {
    evidence <= ClientEvidence::Syn as u8
}

proptest! {
    /// Whatever comes in whatever order: both directions of a conversation name one client; a guess is mended at most once.
    #[test]
    fn both_directions_agree(rows in proptest::collection::vec(observed(), 1..80)) {
        let batch = normalised(&mut normaliser(), &rows);
        let mut last = std::collections::HashMap::new();
        for (index, row) in rows.iter().enumerate() {
            let src_is_client = batch.enrichment.src_is_client[index] == 1;
            let client = if src_is_client { row.src } else { row.dst };
            let evidence = batch.enrichment.client_evidence[index];
            let mut ends = [row.src, row.dst];
            ends.sort();
            let before = last.insert((ends, row.protocol), (client, evidence));
            if let Some((before, before_evidence)) = before
                && (is_certain(before_evidence) || !is_certain(evidence))
            {
                prop_assert_eq!(before, client, "row {}", index);
                prop_assert_eq!(before_evidence, evidence);
            }
        }
    }

    /// How the tape is cut into calls makes no difference.
    #[test]
    fn a_batch_a_row_or_all(rows in proptest::collection::vec(observed(), 1..60), cut in 1..10_usize) {
        let whole = normalised(&mut normaliser(), &rows);
        let mut normaliser = normaliser();
        let mut parts = Vec::new();
        for rows in rows.chunks(cut) {
            parts.extend(records(&mut normaliser, rows));
        }
        let whole: Vec<_> = (0..whole.rows()).map(|row| whole.record(row)).collect();
        prop_assert_eq!(parts, whole);
    }
}
