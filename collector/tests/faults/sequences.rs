//! Cases 33 to 35: restarts, losses, lateness, repetition, and exporters that do not count.

use collector::decode::Problem;
use flow::DropKind;
use flow::health::{ExporterHealth, SequenceState};

use crate::suspect::{Tried, tried};
use crate::wire::{FIELDS, ipfix, record, set, template, v5, v9, v9_options};

fn flows(records: u32) -> Vec<u8> {
    let body: Vec<u8> = (0..records)
        .flat_map(|number| record(1, 40 + number))
        .collect();
    set(256, &body)
}

fn told(tried: &Tried) -> ExporterHealth {
    let mut told = tried.told();
    assert_eq!(told.len(), 1);
    told.remove(0)
}

#[test]
fn case_33_a_restart_is_one_event_no_loss_and_keeps_the_templates() {
    let at = |mut packet: Vec<u8>, uptime_ms: u32| {
        packet[4..8].copy_from_slice(&uptime_ms.to_be_bytes());
        packet
    };
    let templates = set(0, &template(256, FIELDS));
    let mut packets = vec![at(v9(5_000, 1, &[templates]), 900_000_000)];
    packets.extend((1..20).map(|n| at(v9(5_000 + n, 1, &[flows(1)]), 900_000_000 + n * 1_000)));
    // Numbers and uptime from the beginning, and no template yet.
    packets.extend((0..20).map(|n| at(v9(n, 1, &[flows(1)]), 2_000 + n * 1_000)));
    let tried = tried(packets);
    assert_eq!(tried.rows.len(), 39);
    assert_eq!(tried.problems(), [("exporter_restart", 1)]);
    let told = told(&tried);
    assert_eq!((told.reboots, told.sequence_lost), (1, 0));
    assert_eq!(told.sequence, SequenceState::Counting);
}

#[test]
fn case_33_ipfix_has_no_uptime_and_its_numbers_tell_a_restart() {
    for before in [5_000_u32, 70_000, 3_000_000, 2_000_000_000] {
        let mut packets = vec![ipfix(before, 1, &[set(2, &template(256, FIELDS))])];
        packets.extend((0..20).map(|n| ipfix(before + n, 1, &[flows(1)])));
        packets.extend((0..20).map(|n| ipfix(n, 1, &[flows(1)])));
        // What the network repeats is stored once, the first one too.
        packets.insert(22, ipfix(0, 1, &[flows(1)]));
        let tried = tried(packets);
        assert_eq!(tried.rows.len(), 40, "{before}");
        let problems = [("duplicate_datagram", 1), ("exporter_restart", 1)];
        assert_eq!(tried.problems(), problems, "{before}");
        let told = told(&tried);
        assert_eq!((told.reboots, told.sequence_lost), (1, 0), "{before}");
        assert_eq!(told.sequence, SequenceState::Counting);
    }
    // The wrap of the number itself is none.
    let wrapping = (0..40_u32).map(|n| {
        let sets = [set(2, &template(256, FIELDS)), flows(1)];
        ipfix((u32::MAX - 19).wrapping_add(n), 1, &sets)
    });
    let told = told(&tried(wrapping.collect()));
    assert_eq!((told.reboots, told.sequence_lost), (0, 0));
}

#[test]
fn case_33_the_wrap_of_uptime_is_no_restart() {
    let packets = (0..20_u32).map(|n| {
        let mut packet = v5(n, 1, 1, 0);
        let uptime = (u32::MAX - 5_000).wrapping_add(n * 1_000);
        packet[4..8].copy_from_slice(&uptime.to_be_bytes());
        packet
    });
    let tried = tried(packets.collect());
    assert_eq!((tried.rows.len(), told(&tried).reboots), (20, 0));
}

#[test]
fn case_34_a_gap_is_told_in_the_units_of_its_protocol() {
    let all_but_one = || (0..40_u32).filter(|n| *n != 20);
    let v5_gap = tried(all_but_one().map(|n| v5(n * 30, 30, 30, 0)).collect());
    assert_eq!(told(&v5_gap).sequence_lost, 30, "records");
    let sets = || [set(0, &template(256, FIELDS)), flows(3)];
    let v9_gap = tried(all_but_one().map(|n| v9(n, 1, &sets())).collect());
    assert_eq!(told(&v9_gap).sequence_lost, 1, "packets");
    // RFC 7011 §3.1: data records, those of options too; templates are not counted.
    let mut scope = vec![1, 44, 0, 2, 0, 1];
    scope.extend([0, 149, 0, 4, 0, 34, 0, 4]);
    let sets = || {
        let options = set(300, &[0, 0, 0, 1, 0, 0, 0, 10]);
        [
            set(2, &template(256, FIELDS)),
            set(3, &scope),
            flows(3),
            options,
        ]
    };
    let ipfix_gap = tried(all_but_one().map(|n| ipfix(n * 4, 1, &sets())).collect());
    assert_eq!(told(&ipfix_gap).sequence_lost, 4, "data records");
    for tried in [v5_gap, v9_gap, ipfix_gap] {
        assert_eq!(told(&tried).sequence, SequenceState::Counting);
    }
}

#[test]
fn case_34_what_comes_late_within_the_window_is_no_loss() {
    for late in [1, 5, 60] {
        let mut order: Vec<u32> = (0..200).collect();
        let moved = order.remove(50);
        order.insert(50 + late, moved);
        let tried = tried(order.into_iter().map(|n| v5(n * 2, 2, 2, 0)).collect());
        let told = told(&tried);
        assert_eq!(tried.rows.len(), 400);
        assert_eq!(
            (told.sequence_lost, told.sequence_reordered),
            (0, 1),
            "{late}"
        );
    }
}

#[test]
fn case_34_a_repeated_datagram_is_stored_once() {
    let sets = [set(0, &template(256, FIELDS)), flows(3)];
    let twice = |packet: Vec<u8>| vec![packet.clone(), packet];
    for packets in [
        twice(v5(0, 3, 3, 0)),
        twice(v9(0, 1, &sets)),
        twice(ipfix(0, 1, &[set(2, &template(256, FIELDS)), flows(3)])),
    ] {
        let tried = tried(packets);
        assert_eq!(
            (tried.rows.len(), tried.dropped(DropKind::Duplicate)),
            (3, 1)
        );
        assert_eq!(tried.met(Problem::DuplicateDatagram), 1);
        assert_eq!(told(&tried).duplicates, 1);
    }
    // The same number with other octets is another datagram.
    let mut other = v5(0, 3, 3, 0);
    other[24 + 3] = 99;
    let tried = tried(vec![v5(0, 3, 3, 0), other]);
    assert_eq!(
        (tried.rows.len(), tried.dropped(DropKind::Duplicate)),
        (6, 0)
    );
}

#[test]
fn case_35_numbers_that_do_not_count_are_told_so_and_are_no_alarm() {
    let templates = set(0, &template(256, FIELDS));
    let constant = |_: u32| 0;
    let random = |n: u32| (n + 1).wrapping_mul(0x9e37_79b9) ^ n.wrapping_mul(0x85eb_ca6b);
    let backwards = |n: u32| 1_000_000 - n * 7;
    let numberings: [&dyn Fn(u32) -> u32; 3] = [&constant, &random, &backwards];
    for (which, number) in numberings.into_iter().enumerate() {
        let packets = (0..300).map(|n| {
            let sets = [templates.clone(), set(256, &record(1, 40 + n))];
            v9(number(n), 1, &sets)
        });
        let tried = tried(packets.collect());
        assert_eq!(tried.rows.len(), 300, "{which}");
        let told = told(&tried);
        assert_eq!(
            (told.sequence, told.sequence_lost),
            (SequenceState::NotCounting, 0),
            "{which}"
        );
        assert_eq!((told.reboots, told.duplicates), (0, 0), "{which}");
        assert!(
            tried.problems().is_empty(),
            "{which}: {:?}",
            tried.problems()
        );
    }
}

#[test]
fn case_35_options_with_a_count_of_their_own_do_not_hide_losses() {
    let options = set(1, &v9_options(300, &[(1, 4)], &[(34, 4)]));
    let sets = [
        options,
        set(300, &[0, 0, 0, 0, 0, 0, 0, 10]),
        set(0, &template(256, FIELDS)),
    ];
    let mut packets = vec![v9(0, 1, &sets)];
    packets.extend((1..30).filter(|n| *n != 15).map(|n| v9(n, 1, &[flows(2)])));
    let told = told(&tried(packets));
    assert_eq!(
        (told.sequence, told.sequence_lost),
        (SequenceState::Counting, 1)
    );
}
