//! Three loops of one recording.

use collector::decode::{DecodeConfig, Decoder};
use collector::fields::FieldTable;
use collector::rewrite::Sequences;
use flow::Datagram;
use flow::health::SequenceState;

use crate::support::decode;
use crate::wire::{FIELDS, datagram, from, ipfix, record, set, template, v5, v9};

/// Three loops, numbered on or as they are.
fn loops(datagrams: &[Datagram], numbered: bool) -> Decoder {
    let mut sequences = Sequences::new(DecodeConfig::default(), FieldTable::builtin());
    datagrams
        .iter()
        .for_each(|datagram| sequences.learn(datagram));
    let all: Vec<_> = (0..3)
        .flat_map(|number| datagrams.iter().map(move |datagram| (number, datagram)))
        .map(|(number, datagram)| match numbered {
            true => sequences.datagram(datagram, number),
            false => datagram.clone(),
        })
        .collect();
    decode(&all).0
}

/// Lost, reordered and repeated, all streams together.
fn faults(decoder: &Decoder) -> (u64, u64, u64) {
    decoder.exporters().iter().fold((0, 0, 0), |sum, exporter| {
        (
            sum.0 + exporter.sequence_lost,
            sum.1 + exporter.sequence_reordered,
            sum.2 + exporter.duplicates,
        )
    })
}

fn flows(count: u8) -> Vec<u8> {
    let records: Vec<_> = (0..count).map(|host| record(host, 100)).collect();
    set(256, &records.concat())
}

#[test]
fn every_protocol_goes_on_in_its_own_unit() {
    let templates = |id| set(id, &template(256, FIELDS));
    // Close to where 32 bits wrap.
    let first = u32::MAX - 100;
    let v5: Vec<_> = (0..20)
        .map(|it| datagram(v5(first.wrapping_add(it * 3), 3, 3, 0)))
        .collect();
    let v9: Vec<_> = (0..20)
        .map(|it| datagram(v9(first + it, 3, &[templates(0), flows(4)])))
        .collect();
    let ipfix: Vec<_> = (0..20)
        .map(|it| {
            datagram(ipfix(
                first.wrapping_add(it * 4),
                3,
                &[templates(2), flows(4)],
            ))
        })
        .collect();
    for tape in [v5, v9, ipfix] {
        let decoder = loops(&tape, true);
        assert_eq!(faults(&decoder), (0, 0, 0));
        let exporters = decoder.exporters();
        assert_eq!(exporters[0].sequence, SequenceState::Counting);
        assert_eq!((exporters[0].datagrams, exporters[0].reboots), (60, 0));
        // As they are, a loop is known again by its numbers and octets.
        assert_eq!(faults(&loops(&tape, false)).2, 40);
    }
}

#[test]
fn a_restart_in_between_and_losses_stay_what_they_are() {
    let numbers = (5_000..5_020).chain([5_030]).chain(5_031..5_050);
    let tape: Vec<_> = numbers
        .map(|number| datagram(v5(number * 2, 2, 2, 0)))
        .collect();
    let (lost, ..) = faults(&decode(&tape).0);
    assert_eq!(lost, 20);
    assert_eq!(faults(&loops(&tape, true)), (60, 0, 0));
    // The number falls by itself; the next loop goes on where the second run ended.
    let tape: Vec<_> = (90_000..90_050)
        .chain(0..50)
        .map(|number| {
            datagram(ipfix(
                number,
                3,
                &[set(2, &template(256, FIELDS)), flows(1)],
            ))
        })
        .collect();
    let decoder = loops(&tape, true);
    assert_eq!(faults(&decoder), (0, 0, 0));
}

#[test]
fn exporters_and_domains_have_spans_of_their_own() {
    let templates = || set(0, &template(256, FIELDS));
    let tape: Vec<_> = (0..20)
        .flat_map(|it| {
            [
                datagram(v9(it, 1, &[templates(), flows(1)])),
                datagram(v9(it + 500, 2, &[templates(), flows(1)])),
                from("192.0.2.77:9000", v9(it * 2, 1, &[templates(), flows(1)])),
                from(
                    "192.0.2.77:9000",
                    v9(it * 2 + 1, 1, &[templates(), flows(1)]),
                ),
            ]
        })
        .collect();
    assert_eq!(faults(&loops(&tape, true)), (0, 0, 0));
}

/// Captures of exporters that count: three loops lose three times what one does, and nothing is repeated.
#[test]
fn captures_go_on_without_a_gap() {
    let (mut whole, mut worse) = (0, 0);
    for (path, datagrams) in crate::all_captures() {
        let (once, _) = decode(&datagrams);
        let exporters = once.exporters();
        let counts = |state| matches!(state, SequenceState::Counting | SequenceState::None);
        let counting = exporters
            .iter()
            .all(|it| counts(it.sequence) && it.reboots == 0);
        if !counting
            || exporters.is_empty()
            || faults(&once) != (0, 0, 0)
            || once.books().waiting > 0
        {
            continue;
        }
        assert_eq!(faults(&loops(&datagrams, true)), (0, 0, 0), "{path}");
        whole += 1;
        worse += usize::from(faults(&loops(&datagrams, false)) != (0, 0, 0));
    }
    if crate::support::captures().is_some() {
        assert!(
            whole >= 10 && worse >= 5,
            "{whole} whole, {worse} worse without"
        );
    }
}
