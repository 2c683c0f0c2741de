//! The same records, however they are split, ordered, batched and interrupted.

use std::collections::BTreeMap;

use collector::decode::{DecodeConfig, Decoder, DecoderState};
use collector::fields::FieldTable;
use flow::{Datagram, FlowBatch, FlowRecord};
use proptest::prelude::*;
use proptest::sample::Index;
use simulator::encode::{Field, Message, Protocol, Stamp, Template, VARIABLE};

use crate::support::{decode, decoder, later, position};
use crate::wire::{EXPORT_S, UPTIME_MS, datagram, from, v5};

const STAMP: Stamp = Stamp {
    unix_seconds: EXPORT_S,
    uptime_ms: UPTIME_MS,
    sequence: 0,
};

/// Three layouts: of one length, of varying length, and with a rate of its own.
fn templates() -> [Template; 3] {
    let v4 = [Field::iana(8, 4), Field::iana(12, 4)];
    let with = |fields: &[Field]| [&v4, fields].concat();
    [
        Template::data(256, with(&[Field::iana(1, 4), Field::iana(2, 4)])),
        Template::data(257, with(&[Field::iana(371, VARIABLE), Field::iana(1, 8)])),
        Template::data(258, with(&[Field::iana(1, 3), Field::iana(34, 2)])),
    ]
}

/// Writes a record that is told from all others by its octets.
fn write(message: &mut Message, template: &Template, number: u32) {
    let mut record = number.to_be_bytes().to_vec();
    record.extend([10, 0, 0, 1]);
    let octets = 10_000 + number;
    match template.id {
        256 => {
            record.extend(octets.to_be_bytes());
            record.extend([0, 0, 0, 1]);
        }
        257 => {
            let name = "x".repeat(usize::try_from(number % 40).unwrap());
            record.push(u8::try_from(name.len()).unwrap());
            record.extend(name.as_bytes());
            record.extend(u64::from(octets).to_be_bytes());
        }
        _ => {
            record.extend(&octets.to_be_bytes()[1..]);
            record.extend([0, 10]);
        }
    }
    message.encoded_record(template.id, &record);
}

/// Rows without the place where they were found, in an order of their own.
fn contents(batch: &FlowBatch) -> Vec<FlowRecord> {
    let mut rows: Vec<_> = (0..batch.rows())
        .map(|row| FlowRecord {
            tape_position: String::new(),
            ..batch.record(row)
        })
        .collect();
    rows.sort_by_key(|row| row.octets);
    rows
}

/// Where one piece ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    Nowhere,
    Set,
    Datagram,
}

fn cut() -> impl Strategy<Value = Cut> {
    prop_oneof![3 => Just(Cut::Nowhere), 2 => Just(Cut::Set), 1 => Just(Cut::Datagram)]
}

/// Records of drawn templates, with what comes after each; `before[n]` says at which record template n is sent.
fn datagrams(protocol: Protocol, pieces: &[(usize, Cut)], before: [usize; 3]) -> Vec<Datagram> {
    let templates = templates();
    let mut message = Message::new(protocol, 4);
    let mut datagrams = Vec::new();
    let mut sequence = 0_u32;
    for number in 0..=pieces.len() {
        for (template, at) in templates.iter().zip(before) {
            if at == number {
                message.template(template);
            }
        }
        let after = match pieces.get(number) {
            Some((template, after)) => {
                write(
                    &mut message,
                    &templates[*template],
                    u32::try_from(number).unwrap(),
                );
                *after
            }
            None => Cut::Datagram,
        };
        if after == Cut::Set {
            message.close();
        }
        if after == Cut::Datagram && !message.is_empty() {
            let units = if protocol == Protocol::V9 {
                1
            } else {
                message.data_records()
            };
            let stamp = Stamp { sequence, ..STAMP };
            datagrams.push(datagram(message.finish(stamp).to_vec()));
            sequence += units;
        }
    }
    datagrams
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_split_and_any_order_of_sets_give_the_same_records(
        v9 in any::<bool>(),
        records in prop::collection::vec((0..3_usize, cut()), 1..40),
        late in any::<[Index; 3]>(),
        shuffled in any::<prop::sample::Selector>(),
    ) {
        let protocol = if v9 { Protocol::V9 } else { Protocol::Ipfix };
        // All in one datagram behind its templates: what they are compared with.
        let whole: Vec<_> = records.iter().map(|(template, _)| (*template, Cut::Nowhere)).collect();
        let (_, expected) = decode(&datagrams(protocol, &whole, [0; 3]));
        let expected = contents(&expected);
        prop_assert_eq!(expected.len(), records.len());
        let in_order = datagrams(protocol, &records, [0; 3]);
        prop_assert_eq!(&contents(&decode(&in_order).1), &expected);
        // Templates anywhere: what comes before its own waits.
        let late = late.map(|index| index.index(records.len() + 1));
        let with_late = datagrams(protocol, &records, late);
        let (decoder, batch) = decode(&with_late);
        prop_assert_eq!(&contents(&batch), &expected);
        prop_assert_eq!(decoder.books().waiting, 0);
        // And the datagrams in any order.
        let mut keyed: Vec<_> = with_late.into_iter().enumerate().collect();
        let places: Vec<_> = (0..keyed.len()).collect();
        let first = shuffled.select(places);
        keyed.rotate_left(first);
        keyed.sort_by_key(|(place, _)| place.wrapping_mul(0x9e37_79b9 + first) % 97);
        let shuffled: Vec<_> = keyed.into_iter().map(|(_, datagram)| datagram).collect();
        prop_assert_eq!(&contents(&decode(&shuffled).1), &expected);
    }
}

/// What exporters do to a collector.
#[derive(Clone, Debug)]
enum Event {
    /// Sends a template; the second form is another layout under the same id.
    Template(usize, bool),
    Data(usize, u32),
    /// One of a flow's running totals.
    Total(u32),
    Rate(u16),
    Version5(u8),
    /// Goes on after so many seconds.
    Pause(u16),
    /// Sends what it sent so many datagrams ago.
    Again(usize),
    Nonsense(Vec<u8>),
    /// Data with octets behind it that are no padding.
    Trailing(usize),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => (0..3_usize, prop::bool::weighted(0.2)).prop_map(|(which, other)| Event::Template(which, other)),
        6 => (0..3_usize, 0..1_000_u32).prop_map(|(which, number)| Event::Data(which, number)),
        2 => (0..4_u32).prop_map(Event::Total),
        1 => (1..500_u16).prop_map(Event::Rate),
        1 => (1..5_u8).prop_map(Event::Version5),
        1 => (1..1_000_u16).prop_map(Event::Pause),
        1 => (1..6_usize).prop_map(Event::Again),
        1 => prop::collection::vec(any::<u8>(), 0..60).prop_map(Event::Nonsense),
        1 => (0..3_usize).prop_map(Event::Trailing),
    ]
}

/// The datagrams of events, from two exporters that do the same things in turn.
fn played(events: &[Event]) -> Vec<Datagram> {
    let templates = templates();
    let total = Template::data(
        260,
        [
            Field::iana(8, 4),
            Field::iana(12, 4),
            Field::iana(152, 8),
            Field::iana(85, 8),
        ],
    );
    let rates = Template::options(270, [Field::iana(149, 4)], [Field::iana(34, 4)]);
    let mut played: Vec<Datagram> = Vec::new();
    let (mut sequences, mut seconds) = (BTreeMap::new(), 0);
    for (place, event) in events.iter().enumerate() {
        let source = ["192.0.2.1:1000", "192.0.2.2:2000"][place % 2];
        let mut message = Message::new(Protocol::Ipfix, 4);
        match event {
            Event::Template(which, false) => {
                message.template(&templates[*which]);
            }
            Event::Template(which, true) => {
                let fields = [Field::iana(8, 4), Field::iana(1, 6)];
                message.template(&Template::data(templates[*which].id, fields));
            }
            Event::Data(which, number) => {
                write(&mut message, &templates[*which], *number);
                write(&mut message, &templates[*which], number + 1);
            }
            Event::Total(times) => {
                message.template(&total);
                let octets = 1_000 * (times + u32::try_from(place).unwrap());
                let start = u64::from(EXPORT_S) * 1_000;
                let address = std::net::Ipv4Addr::LOCALHOST;
                message.record(
                    &total,
                    &[address.into(), address.into(), start.into(), octets.into()],
                );
            }
            Event::Rate(interval) => {
                message.template(&rates);
                message.record(&rates, &[4_u32.into(), (*interval).into()]);
            }
            Event::Trailing(which) => {
                write(&mut message, &templates[*which], 7);
                message.encoded_record(templates[*which].id, &[1, 2, 3, 4, 5]);
            }
            Event::Pause(more) => {
                seconds += i64::from(*more);
                continue;
            }
            Event::Again(back) => {
                played.extend(played.iter().rev().nth(*back).cloned());
                continue;
            }
            Event::Version5(records) => {
                let packet = v5(
                    u32::try_from(place).unwrap(),
                    (*records).into(),
                    *records,
                    0,
                );
                played.push(later(from(source, packet), seconds));
                continue;
            }
            Event::Nonsense(octets) => {
                played.push(later(from(source, octets.clone()), seconds));
                continue;
            }
        }
        let sequence = sequences.entry(place % 2).or_insert(0_u32);
        let stamp = Stamp {
            sequence: *sequence,
            ..STAMP
        };
        *sequence += message.data_records();
        played.push(later(from(source, message.finish(stamp).to_vec()), seconds));
    }
    played
}

fn rows(batch: &FlowBatch) -> Vec<FlowRecord> {
    (0..batch.rows()).map(|row| batch.record(row)).collect()
}

/// The decoder as it would be after a restart at this place, of a tape that ends at `tape_end`.
fn restarted(decoder: &Decoder, datagrams: &[Datagram], tape_end: usize) -> Decoder {
    let state = decoder.state().away_before(position(tape_end));
    let text = serde_json::to_string(&state).unwrap();
    let state: DecoderState = serde_json::from_str(&text).unwrap();
    let waiting: Vec<_> = state
        .waiting_positions()
        .map(|at| (at, datagrams[usize::try_from(at.offset).unwrap()].clone()))
        .collect();
    Decoder::restore(
        DecodeConfig::default(),
        FieldTable::builtin(),
        state,
        waiting,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_cut_into_batches_gives_the_same_rows(
        events in prop::collection::vec(event(), 1..60),
        cuts in prop::collection::vec(any::<bool>(), 60),
    ) {
        let datagrams = played(&events);
        let (whole, expected) = decode(&datagrams);
        let (mut cut, mut batch, mut found) = (decoder(), FlowBatch::default(), Vec::new());
        for (index, datagram) in datagrams.iter().enumerate() {
            cut.decode(datagram, position(index), &mut batch);
            if cuts[index % cuts.len()] {
                batch.pad();
                found.extend(rows(&batch));
                batch.clear();
            }
        }
        batch.pad();
        found.extend(rows(&batch));
        prop_assert_eq!(found, rows(&expected));
        prop_assert_eq!(cut.books(), whole.books());
        prop_assert_eq!(cut.problems(), whole.problems());
    }

    #[test]
    fn a_restart_at_any_datagram_gives_the_same_rows(
        events in prop::collection::vec(event(), 1..60),
        restarts in prop::collection::vec(prop::bool::weighted(0.3), 60),
    ) {
        let datagrams = played(&events);
        let (whole, expected) = decode(&datagrams);
        let (mut decoder, mut batch) = (decoder(), FlowBatch::default());
        for (index, datagram) in datagrams.iter().enumerate() {
            if restarts[index % restarts.len()] {
                // All of it was on tape before: nothing was missed.
                decoder = restarted(&decoder, &datagrams, datagrams.len());
            }
            decoder.decode(datagram, position(index), &mut batch);
        }
        batch.pad();
        prop_assert_eq!(rows(&batch), rows(&expected));
        prop_assert_eq!(decoder.books(), whole.books());
        prop_assert_eq!(decoder.problems(), whole.problems());
    }

    #[test]
    fn an_interrupted_batch_is_made_again_as_it_was(
        events in prop::collection::vec(event(), 2..60),
        (first, second, begin) in any::<(Index, Index, Index)>(),
    ) {
        // Two absences, the first before everything that is decoded here: state at `begin`, a crash at `end`.
        let datagrams = played(&events);
        prop_assume!(!datagrams.is_empty());
        let end = second.index(datagrams.len()) + 1;
        let begin = begin.index(end);
        let first = first.index(begin + 1);
        let mut decoder = decoder();
        let mut batch = FlowBatch::default();
        for (index, datagram) in datagrams[..begin].iter().enumerate() {
            decoder.decode(datagram, position(index), &mut batch);
        }
        let mut run = restarted(&decoder, &datagrams, first);
        let mut again = restarted(&run, &datagrams, end);
        let (mut before, mut after) = (FlowBatch::default(), FlowBatch::default());
        for (index, datagram) in datagrams[..end].iter().enumerate().skip(begin) {
            run.decode(datagram, position(index), &mut before);
            again.decode(datagram, position(index), &mut after);
        }
        before.pad();
        after.pad();
        prop_assert_eq!(rows(&before), rows(&after));
        prop_assert_eq!(run.books(), again.books());
        prop_assert_eq!(run.problems(), again.problems());
    }
}
