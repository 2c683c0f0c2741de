//! Cases 1 to 5 and 10: templates that come late, are kept, repeated, changed and withdrawn.

use collector::decode::{DecodeConfig, Decoder, Problem};
use collector::fields::FieldTable;
use flow::{DropKind, FlowBatch};

use crate::support::{later, position};
use crate::suspect::{tried, tried_all, tried_by};
use crate::wire::{EXPORT_S, FIELDS, datagram, ipfix, record, set, template, v9, v9_options};

/// Another layout: source address, and octets of 8.
const OTHER: &[(u16, u16)] = &[(8, 4), (1, 8)];

/// A record of [`OTHER`].
fn other(octets: u64) -> Vec<u8> {
    let mut record = vec![10, 0, 0, 9];
    record.extend(octets.to_be_bytes());
    record
}

#[test]
fn case_01_data_before_its_template_is_decoded_when_it_comes_with_its_own_time() {
    let early = datagram(ipfix(0, 1, &[set(256, &record(1, 700))]));
    let late = later(datagram(ipfix(1, 1, &[set(2, &template(256, FIELDS))])), 60);
    let tried = tried_all(&[early, late]);
    assert_eq!(tried.octets(), [700]);
    assert_eq!(tried.rows[0].received_at.seconds(), i64::from(EXPORT_S) + 1);
    assert_eq!(tried.rows[0].tape_position, position(0).to_string());
    assert_eq!((tried.waiting(), tried.decoder.books().understood), (0, 4));
    assert_eq!(tried.problems(), [("data_before_template", 1)]);
}

#[test]
fn case_01_data_before_its_template_in_the_same_packet_is_decoded_too() {
    let sets = [set(256, &record(1, 700)), set(0, &template(256, FIELDS))];
    assert_eq!(tried(vec![v9(0, 1, &sets)]).octets(), [700]);
}

#[test]
fn case_01_a_template_that_never_comes_is_a_counted_drop() {
    let early = datagram(v9(0, 1, &[set(256, &record(1, 700))]));
    let unrelated = v9(1, 1, &[set(0, &template(257, FIELDS))]);
    let within = later(datagram(unrelated.clone()), 1_800);
    let tried = tried_all(&[early.clone(), within]);
    assert_eq!(
        (tried.waiting(), tried.dropped(DropKind::NoTemplate)),
        (1, 0)
    );
    let tried = tried_all(&[early, later(datagram(unrelated), 1_802)]);
    assert_eq!(
        (tried.waiting(), tried.dropped(DropKind::NoTemplate)),
        (0, 1)
    );
    assert_eq!(tried.told()[0].problems["waiting_expired"], 1);
}

#[test]
fn case_01_what_waits_has_a_bound_and_one_exporter_a_quarter_of_it() {
    let config = DecodeConfig {
        waiting_octets_max: 4_000,
        ..DecodeConfig::default()
    };
    let decoder = Decoder::new(config, FieldTable::builtin());
    // 20 of header, 4 and 17 of a Set: 41 octets each, of which a thousand hold 24, less what keeping them takes.
    let flood: Vec<_> = (0..100)
        .map(|n| datagram(v9(n, 1, &[set(256, &record(1, n))])))
        .collect();
    let tried = tried_by(decoder, &flood);
    assert!((1..=24).contains(&tried.waiting()), "{}", tried.waiting());
    assert_eq!(tried.waiting() + tried.dropped(DropKind::NoTemplate), 100);
    assert_eq!(tried.met(Problem::WaitingFull), 100 - tried.waiting());
}

/// A decoder that knew template 256 and was away before `gap`.
fn returned(gap: usize) -> Decoder {
    let packet = v9(
        0,
        1,
        &[set(0, &template(256, FIELDS)), set(256, &record(1, 1))],
    );
    let before = tried(vec![packet]).decoder;
    let text = serde_json::to_string(&before.state().away_before(position(gap))).unwrap();
    let state = serde_json::from_str(&text).unwrap();
    Decoder::restore(DecodeConfig::default(), FieldTable::builtin(), state, [])
}

fn decoded(decoder: &mut Decoder, at: usize, packet: Vec<u8>) -> Vec<u64> {
    let mut batch = FlowBatch::default();
    decoder.decode(&datagram(packet), position(at), &mut batch);
    assert!(decoder.books().balance());
    batch.columns.octets.values().to_vec()
}

#[test]
fn case_02_after_a_restart_templates_are_used_before_they_are_sent_again() {
    let mut decoder = returned(10);
    let data = v9(1, 1, &[set(256, &record(1, 100))]);
    assert_eq!(decoded(&mut decoder, 10, data), [100]);
    assert_eq!(decoder.problems().get(Problem::TemplateDistrusted), 0);
}

#[test]
fn case_02_a_template_from_before_an_absence_that_does_not_fit_is_waited_for() {
    let mut decoder = returned(10);
    // Twice 12 octets are no multiple of 17.
    let data = v9(1, 1, &[set(256, &[other(5), other(6)].concat())]);
    assert!(decoded(&mut decoder, 10, data).is_empty());
    assert_eq!(decoder.problems().get(Problem::TemplateDistrusted), 1);
    assert_eq!(decoder.books().waiting, 1);
    let new = v9(2, 1, &[set(0, &template(256, OTHER))]);
    assert_eq!(decoded(&mut decoder, 11, new), [5, 6]);
    assert_eq!(decoder.books().waiting, 0);
}

#[test]
fn case_02_a_template_that_is_sent_again_is_trusted_again() {
    let mut decoder = returned(10);
    let refresh = v9(1, 1, &[set(0, &template(256, FIELDS))]);
    assert!(decoded(&mut decoder, 10, refresh).is_empty());
    let odd = v9(2, 1, &[set(256, &[record(1, 100), vec![1; 5]].concat())]);
    assert_eq!(decoded(&mut decoder, 11, odd), [100]);
    assert_eq!(decoder.problems().get(Problem::TemplateDistrusted), 0);
    assert_eq!(decoder.problems().get(Problem::TrailingOctets), 1);
}

#[test]
fn case_02_what_was_on_tape_before_the_absence_is_read_as_if_there_had_been_none() {
    let mut decoder = returned(10);
    let odd = v9(1, 1, &[set(256, &[record(1, 100), vec![1; 5]].concat())]);
    assert_eq!(
        decoded(&mut decoder, 9, odd),
        [100],
        "no doubt up to the tape's end"
    );
    let odd = v9(2, 1, &[set(256, &[record(1, 100), vec![1; 5]].concat())]);
    assert!(decoded(&mut decoder, 10, odd).is_empty());
}

#[test]
fn case_03_a_refresh_is_no_event() {
    let first = set(0, &template(256, FIELDS));
    let tried = tried(vec![
        v9(0, 1, std::slice::from_ref(&first)),
        v9(1, 1, &[first.clone(), set(256, &record(1, 100))]),
    ]);
    assert_eq!((tried.octets(), tried.problems()), (vec![100], vec![]));
    let mut decoder = tried.decoder;
    let version = decoder.state_version();
    for number in 2..50 {
        assert!(decoded(&mut decoder, 9, v9(number, 1, std::slice::from_ref(&first))).is_empty());
    }
    assert_eq!(decoder.state_version(), version, "nothing to write down");
    let refreshes: Vec<_> = (50..250)
        .map(|number| datagram(v9(number, 1, std::slice::from_ref(&first))))
        .collect();
    let mut batch = FlowBatch::default();
    let mut refresh = |datagrams: &[flow::Datagram]| {
        for datagram in datagrams {
            decoder.decode(datagram, position(9), &mut batch);
        }
    };
    refresh(&refreshes[..100]);
    let asked = allocation_counter::measure(|| refresh(&refreshes[100..]));
    assert_eq!(asked.count_total, 0, "no memory");
    assert!(decoder.problems().iter().next().is_none());
}

#[test]
fn case_04_a_redefinition_holds_from_there_on() {
    let (first, second) = (template(256, FIELDS), template(256, OTHER));
    let data = [set(256, &record(1, 100)), set(256, &other(5))];
    let [old, new] = data;
    let v9_sets = [set(0, &first), old.clone(), set(0, &second), new.clone()];
    let ipfix_sets = [set(2, &first), old, set(2, &second), new];
    for packet in [v9(0, 1, &v9_sets), ipfix(0, 1, &ipfix_sets)] {
        let tried = tried(vec![packet]);
        assert_eq!(tried.octets(), [100, 5]);
        assert_eq!(tried.met(Problem::TemplateChanged), 1);
    }
}

#[test]
fn case_05_a_withdrawal_over_udp_has_no_effect() {
    // One by its id, all of them by 2, all options templates by 3 (RFC 7011 §8.1).
    let withdrawals = [
        set(2, &[1, 0, 0, 0]),
        set(2, &[0, 2, 0, 0]),
        set(3, &[0, 3, 0, 0]),
    ];
    let tried = tried(vec![
        ipfix(0, 1, &[set(2, &template(256, FIELDS))]),
        ipfix(0, 1, &withdrawals),
        ipfix(0, 1, &[set(256, &record(1, 100))]),
    ]);
    assert_eq!(tried.octets(), [100]);
    assert_eq!(tried.problems(), [("template_withdrawn", 3)]);
}

#[test]
fn case_10_options_and_data_under_one_id_replace_each_other() {
    // Scope: the exporter; the domain samples 1 of 64. Read as flows it would be 8 octets of something else.
    let options = set(1, &v9_options(256, &[(1, 4)], &[(34, 4)]));
    let said = set(256, &[0, 0, 0, 0, 0, 0, 0, 64]);
    let flows = set(0, &template(256, OTHER));
    let sets = [
        options.clone(),
        said.clone(),
        flows,
        set(256, &other(5)),
        options,
        said,
    ];
    let tried = tried(vec![v9(0, 1, &sets)]);
    assert_eq!(tried.octets(), [5]);
    assert_eq!(tried.rows[0].sampling_interval, Some(64));
    assert_eq!(tried.told()[0].options_records, 2);
    assert_eq!(tried.problems(), [("template_changed", 2)]);
}
