//! Templates and options data alone.

use collector::decode::{DecodeConfig, Problem};
use collector::fields::FieldTable;
use collector::rewrite::{Knowledge, Latest, LatestConfig};
use flow::Datagram;

use crate::support::{decode, decoder, later, met, position};
use crate::wire::{FIELDS, datagram, from, ipfix, record, set, template, v5, v9, v9_options};

/// Sampler 1 is one of `interval`, for the whole exporter.
fn sampling(interval: u16) -> Vec<u8> {
    let mut record = vec![0, 0, 0, 7, 1];
    record.extend(interval.to_be_bytes());
    set(300, &record)
}

fn sampling_template() -> Vec<u8> {
    set(1, &v9_options(300, &[(1, 4)], &[(48, 1), (34, 2)]))
}

fn flows() -> Vec<u8> {
    set(256, &[record(1, 100), record(2, 200)].concat())
}

fn knowledge() -> Knowledge {
    Knowledge::new(DecodeConfig::default(), FieldTable::builtin())
}

fn latest(datagrams: &[Datagram], config: LatestConfig) -> Latest {
    let mut latest = Latest::new(DecodeConfig::default(), FieldTable::builtin(), config);
    datagrams.iter().for_each(|datagram| latest.take(datagram));
    latest
}

fn prologue(datagrams: &[Datagram]) -> Vec<Vec<u8>> {
    let prologue = latest(datagrams, LatestConfig::default()).into_prologue();
    prologue.iter().map(|it| it.payload.to_vec()).collect()
}

#[test]
fn flows_are_left_out_and_the_header_tells_the_truth() {
    let templates = set(0, &template(256, FIELDS));
    let mut knowledge = knowledge();
    let whole = [
        templates.clone(),
        flows(),
        sampling_template(),
        sampling(10),
    ];
    let left = knowledge.of(&datagram(v9(7, 3, &whole))).unwrap();
    // Two templates and one options record: a count of 3, as three Sets of `v9` give.
    let expected = v9(7, 3, &[templates, sampling_template(), sampling(10)]);
    assert_eq!(left, datagram(expected));
    assert_eq!(knowledge.of(&datagram(v9(8, 3, &[flows()]))), None);
    assert_eq!(knowledge.of(&datagram(v5(8, 2, 2, 0))), None);
    assert_eq!(knowledge.of(&datagram(b"no export".to_vec())), None);
    let templates = set(2, &template(256, FIELDS));
    let left = knowledge.of(&datagram(ipfix(7, 3, &[templates.clone(), flows()])));
    assert_eq!(left, Some(datagram(ipfix(7, 3, &[templates]))));
}

#[test]
fn options_data_without_its_template_is_left_out() {
    let options = datagram(v9(1, 3, &[sampling(10)]));
    let mut knowledge = knowledge();
    assert_eq!(knowledge.of(&options), None);
    knowledge.of(&datagram(v9(2, 3, &[sampling_template()])));
    assert_eq!(knowledge.of(&options), Some(options.clone()));
    // Another domain has templates of its own, another exporter too.
    assert_eq!(knowledge.of(&datagram(v9(1, 4, &[sampling(10)]))), None);
    assert_eq!(
        knowledge.of(&from("192.0.2.9:50000", v9(1, 3, &[sampling(10)]))),
        None
    );
}

#[test]
fn a_prologue_has_each_thing_once_in_its_last_version() {
    let refresh = |sequence, interval| {
        let templates = set(0, &template(256, FIELDS));
        let sets = [templates, sampling_template(), sampling(interval), flows()];
        datagram(v9(sequence, 3, &sets))
    };
    let tape: Vec<_> = [(1, 10), (2, 20), (3, 10), (4, 20)]
        .map(|(sequence, interval)| refresh(sequence, interval))
        .into();
    let templates = set(0, &template(256, FIELDS));
    assert_eq!(
        prologue(&tape),
        [
            v9(1, 3, &[templates, sampling_template()]),
            v9(3, 3, &[sampling(10)]),
            v9(4, 3, &[sampling(20)]),
        ]
    );
    // What the prologue says last is in force: one of twenty.
    let prologue = latest(&tape, LatestConfig::default()).into_prologue();
    let mut decoder = decoder();
    let mut batch = flow::FlowBatch::default();
    let flows = later(datagram(v9(5, 3, &[flows()])), 5);
    for (index, datagram) in prologue.iter().chain([&flows]).enumerate() {
        decoder.decode(datagram, position(index), &mut batch);
    }
    batch.pad();
    assert_eq!((batch.rows(), decoder.books().waiting), (2, 0));
    assert_eq!(batch.columns.sampling_interval.get(0), Some(20));
}

#[test]
fn what_was_sent_under_a_template_stays_behind_it() {
    let narrow = set(1, &v9_options(300, &[(1, 4)], &[(48, 1), (34, 2)]));
    let wide = set(1, &v9_options(300, &[(1, 4)], &[(48, 1), (34, 4)]));
    let wide_rate = set(300, &[0, 0, 0, 7, 1, 0, 0, 0, 30]);
    let tape: Vec<_> = [
        narrow.clone(),
        sampling(10),
        wide.clone(),
        wide_rate.clone(),
    ]
    .iter()
    .chain([&wide, &narrow, &sampling(10)])
    .zip(1..)
    .map(|(set, sequence)| datagram(v9(sequence, 3, std::slice::from_ref(set))))
    .collect();
    let sets = [
        (1, narrow.clone()),
        (3, wide),
        (4, wide_rate),
        (6, narrow),
        (7, sampling(10)),
    ];
    let expected: Vec<_> = sets.map(|(sequence, set)| v9(sequence, 3, &[set])).into();
    assert_eq!(prologue(&tape), expected);
}

#[test]
fn a_prologue_is_bounded_and_templates_go_last() {
    let mut tape = vec![datagram(v9(0, 3, &[sampling_template()]))];
    tape.extend((1..100).map(|rate| datagram(v9(rate.into(), 3, &[sampling(rate)]))));
    let few = LatestConfig {
        sets_max: 10,
        ..LatestConfig::default()
    };
    let small = LatestConfig {
        octets_max: 2_000,
        ..LatestConfig::default()
    };
    for config in [few, small] {
        let latest = latest(&tape, config);
        assert!(latest.left_out() >= 90);
        let prologue = latest.into_prologue();
        assert!((2..=10).contains(&prologue.len()), "{}", prologue.len());
        assert_eq!(prologue[0].payload, tape[0].payload);
        assert_eq!(prologue.last().unwrap().payload, tape[99].payload);
    }
}

/// What is decoded behind a prologue needs no template of its own.
#[test]
fn the_knowledge_of_every_capture_is_all_its_decoder_knew() {
    for (path, datagrams) in crate::all_captures() {
        let (first, _) = decode(&datagrams);
        let prologue = latest(&datagrams, LatestConfig::default()).into_prologue();
        let (second, batch) = decode(&prologue);
        assert_eq!(batch.rows(), 0, "{path}");
        assert_eq!(met(&second, Problem::CountMismatch), 0, "{path}");
        assert_eq!(met(&second, Problem::SetLength), 0, "{path}");
        let known = |decoder: &collector::decode::Decoder| -> Vec<_> {
            let exporters = decoder.exporters().into_iter();
            let known = exporters.filter(|exporter| !exporter.templates.is_empty());
            known
                .map(|it| (it.address, it.domain, it.templates))
                .collect()
        };
        assert_eq!(known(&second), known(&first), "{path}");
    }
}
