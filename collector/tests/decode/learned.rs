//! What is learned from options data, and what is remembered over a restart.

use collector::decode::{DecodeConfig, Decoder, Problem};
use collector::fields::FieldTable;
use flow::{DropKind, FlowBatch};

use crate::support::{decode, decoder, met, position, run};
use crate::wire::{FIELDS, datagram, record, set, template, v5, v9, v9_options};

#[test]
fn names_of_options_data_reach_the_rows() {
    // Interface 7 is "wan"; application 13:1 is "sip"; VRF 5 is "blue".
    let mut interface = vec![0, 0, 0, 7];
    interface.extend(b"wan\0\0\0");
    let mut application = vec![0, 0, 0, 0, 13, 0, 0, 1];
    application.extend(b"sip\0");
    let mut vrf = vec![0, 0, 0, 5];
    vrf.extend(b"blue");
    let sets = [
        set(1, &v9_options(300, &[(2, 4)], &[(82, 6)])),
        set(300, &interface),
        set(1, &v9_options(301, &[(1, 4)], &[(95, 4), (96, 4)])),
        set(301, &application),
        set(1, &v9_options(302, &[(234, 4)], &[(236, 4)])),
        set(0, &template(256, &[(10, 4), (95, 4), (234, 4), (1, 4)])),
        set(256, &[0, 0, 0, 7, 13, 0, 0, 1, 0, 0, 0, 5, 0, 0, 0, 99]),
    ];
    let (_, batch) = run(vec![v9(0, 1, &sets)]);
    let record = batch.record(0);
    assert_eq!(record.in_interface_name.as_deref(), Some("wan"));
    assert_eq!(record.exporter_application.as_deref(), Some("sip"));
    assert_eq!(record.octets, Some(99));
}

#[test]
fn a_restart_goes_on_with_templates_sampling_and_what_waited() {
    let waiting = datagram(v9(1, 1, &[set(257, &record(5, 55))]));
    let options = v9_options(300, &[(1, 4)], &[(34, 4)]);
    let first = v9(
        0,
        1,
        &[
            set(0, &template(256, FIELDS)),
            set(1, &options),
            set(300, &[0, 0, 0, 0, 0, 0, 0, 10]),
        ],
    );
    let (before, _) = decode(&[datagram(first), waiting.clone()]);
    let text = serde_json::to_string(&before.state()).unwrap();
    let state: collector::decode::DecoderState = serde_json::from_str(&text).unwrap();
    let positions: Vec<_> = state.waiting_positions().collect();
    assert_eq!(positions, [position(1)]);
    let mut after = Decoder::restore(
        DecodeConfig::default(),
        FieldTable::builtin(),
        state,
        [(position(1), waiting)],
    );
    let mut batch = FlowBatch::default();
    let rest = v9(
        2,
        1,
        &[set(256, &record(6, 66)), set(0, &template(257, FIELDS))],
    );
    after.decode(&datagram(rest), position(2), &mut batch);
    assert_eq!(batch.columns.octets.values(), [66, 55]);
    assert_eq!(batch.columns.sampling_interval.values(), [10, 10]);
    assert_eq!(batch.position(1), position(1));
    assert!(after.books().balance());
    assert_eq!(after.books().seen, 3);
}

#[test]
fn an_import_that_ends_takes_what_waited_with_it() {
    let mut waiting = datagram(v9(0, 1, &[set(256, &record(1, 1))]));
    waiting.feed = flow::Feed(3);
    let mut decoder = decoder();
    decoder.decode(&waiting, position(0), &mut FlowBatch::default());
    decoder.end_feed(flow::Feed(3));
    assert_eq!(decoder.books().dropped[&DropKind::NoTemplate], 1);
    assert!(decoder.books().balance());
    let told = decoder.exporters();
    assert_eq!(
        (told.len(), told[0].feed, told[0].waiting_for_template),
        (1, 3, 0)
    );
    assert_eq!(told[0].problems["waiting_expired"], 1);
    assert_eq!(met(&decoder, Problem::WaitingExpired), 1, "counted once");
}

#[test]
fn what_an_ended_import_sent_is_told_and_its_templates_are_forgotten() {
    let mut decoder = decoder();
    let mut batch = FlowBatch::default();
    let packet = |sequence, sets: &[Vec<u8>]| {
        let mut datagram = datagram(v9(sequence, 1, sets));
        datagram.feed = flow::Feed(4);
        datagram
    };
    let sets = [set(0, &template(256, FIELDS)), set(256, &record(1, 1))];
    decoder.decode(&packet(0, &sets), position(0), &mut batch);
    decoder.end_feed(flow::Feed(4));
    let told = decoder.exporters();
    assert_eq!((told.len(), told[0].feed, told[0].records), (1, 4, 1));
    assert_eq!(told[0].templates[0].id, 256);
    decoder.decode(&packet(1, &sets[1..]), position(1), &mut batch);
    assert_eq!((batch.rows(), decoder.books().waiting), (1, 1));
}

#[test]
fn of_a_thousand_ended_exporters_the_oldest_go() {
    let mut decoder = decoder();
    let mut batch = FlowBatch::default();
    for feed in 1..=1_003_u32 {
        let mut datagram = datagram(v5(0, 1, 1, 0));
        datagram.feed = flow::Feed(feed);
        decoder.decode(&datagram, position(feed as usize), &mut batch);
        decoder.end_feed(flow::Feed(feed));
    }
    let told = decoder.exporters();
    assert_eq!((told.len(), told[0].feed), (1_000, 4));
}
