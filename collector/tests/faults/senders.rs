//! Cases 6 to 9: who is who behind addresses, ports and observation domains.

use collector::decode::Problem;
use flow::health::SequenceState;

use crate::suspect::tried_all;
use crate::wire::{FIELDS, from, record, set, template, v5, v9, v9_options};

const SHORT: &[(u16, u16)] = &[(8, 4), (1, 8)];

#[test]
fn case_06_the_same_template_id_of_two_exporters_is_two_templates() {
    let mut data = vec![10, 0, 0, 9];
    data.extend(5_u64.to_be_bytes());
    let tried = tried_all(&[
        from("192.0.2.1:1", v9(0, 1, &[set(0, &template(256, FIELDS))])),
        from("192.0.2.2:1", v9(0, 1, &[set(0, &template(256, SHORT))])),
        from("192.0.2.1:1", v9(1, 1, &[set(256, &record(1, 100))])),
        from("192.0.2.2:1", v9(1, 1, &[set(256, &data)])),
    ]);
    assert_eq!((tried.octets(), tried.problems()), (vec![100, 5], vec![]));
}

#[test]
fn case_07_two_routers_behind_one_address_are_told_apart_by_port_in_the_end() {
    let mut datagrams = Vec::new();
    for round in 0..4 {
        let long = [set(0, &template(256, FIELDS)), set(256, &record(1, 100))];
        let short = [set(0, &template(256, SHORT))];
        datagrams.push(from("192.0.2.1:1000", v9(round, 1, &long)));
        datagrams.push(from("192.0.2.1:2000", v9(round, 1, &short)));
    }
    // Now the other's template no longer stands in the way.
    datagrams.push(from("192.0.2.1:1000", v9(9, 1, &[set(256, &record(1, 7))])));
    let tried = tried_all(&datagrams);
    assert_eq!(tried.octets(), [100, 100, 100, 100, 7]);
    assert_eq!(tried.met(Problem::PortScope), 1, "the alarm");
}

#[test]
fn case_07_a_router_that_restarts_on_another_port_is_no_second_one() {
    let tried = tried_all(&[
        from(
            "192.0.2.1:1000",
            v9(0, 1, &[set(0, &template(256, FIELDS))]),
        ),
        from("192.0.2.1:2000", v9(0, 1, &[set(0, &template(256, SHORT))])),
        from(
            "192.0.2.1:3000",
            v9(1, 1, &[set(0, &template(256, FIELDS))]),
        ),
        from("192.0.2.1:4000", v9(2, 1, &[set(256, &record(1, 7))])),
    ]);
    assert_eq!(
        (tried.octets(), tried.met(Problem::PortScope)),
        (vec![7], 0)
    );
}

#[test]
fn case_08_a_new_source_port_for_every_datagram_changes_nothing() {
    let mut datagrams = vec![from(
        "192.0.2.1:1",
        v9(0, 1, &[set(0, &template(256, FIELDS))]),
    )];
    for number in 1..=40 {
        let source = format!("192.0.2.1:{}", 1_000 + number);
        let packet = v9(number, 1, &[set(256, &record(1, 100 + number))]);
        datagrams.push(from(&source, packet));
    }
    let tried = tried_all(&datagrams);
    let sent: Vec<u64> = (101..=140).collect();
    assert_eq!((tried.octets(), tried.problems()), (sent, vec![]));
    let told = &tried.told()[0];
    assert_eq!(
        (told.sequence, told.sequence_lost),
        (SequenceState::Counting, 0)
    );
}

#[test]
fn case_09_line_cards_of_one_address_have_all_of_their_own() {
    let flows = |layout| set(0, &template(256, layout));
    let mut short = vec![10, 0, 0, 9];
    short.extend(5_u64.to_be_bytes());
    let options = set(1, &v9_options(300, &[(1, 4)], &[(34, 4)]));
    let said = set(300, &[0, 0, 0, 0, 0, 0, 0, 10]);
    let mut datagrams = vec![
        from("192.0.2.1:1", v9(100, 1, &[options, said, flows(FIELDS)])),
        from("192.0.2.1:1", v9(70_000, 2, &[flows(SHORT)])),
    ];
    for number in 1..20 {
        let first = v9(100 + number, 1, &[set(256, &record(1, 100))]);
        let second = v9(70_000 + number, 2, &[set(256, &short)]);
        datagrams.push(from("192.0.2.1:1", first));
        datagrams.push(from("192.0.2.1:1", second));
        // The same address sends v5 as well.
        datagrams.push(from("192.0.2.1:1", v5(number, 1, 1, 0)));
    }
    let tried = tried_all(&datagrams);
    assert!(tried.problems().is_empty(), "{:?}", tried.problems());
    let mut seen: Vec<_> = tried
        .rows
        .iter()
        .map(|row| {
            (
                row.version,
                row.observation_domain,
                row.octets,
                row.sampling_interval,
            )
        })
        .collect();
    seen.sort_unstable();
    seen.dedup();
    let (v5_row, first, second) = (
        (5, 0x0102, Some(1_000), None),
        (9, 1, Some(100), Some(10)),
        (9, 2, Some(5), None),
    );
    assert_eq!(seen, [v5_row, first, second]);
    let told = tried.told();
    assert_eq!(told.len(), 3);
    for stream in told {
        let numbers = (stream.sequence, stream.sequence_lost);
        assert_eq!(numbers, (SequenceState::Counting, 0), "{}", stream.protocol);
    }
}
