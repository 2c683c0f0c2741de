//! Bad input: nothing panics, nothing is lost silently, nobody else suffers. One test per case.

use collector::decode::Problem;
use flow::DropKind;
use flow::FlowBatch;

use crate::support::{decode, later, met, position, run, sum};
use crate::wire::{EXPORT_S, FIELDS, datagram, from, ipfix, record, set, template, v5, v9};

#[test]
fn data_before_its_template_is_decoded_when_it_comes_with_its_own_time() {
    let early = datagram(ipfix(0, 1, &[set(256, &record(1, 700))]));
    let late = later(datagram(ipfix(1, 1, &[set(2, &template(256, FIELDS))])), 60);
    let (decoder, batch) = decode(&[early, late]);
    assert_eq!((batch.rows(), batch.columns.octets.get(0)), (1, Some(700)));
    assert_eq!(
        batch.origin.received_at[0],
        i64::from(EXPORT_S + 1) * 1_000_000_000
    );
    assert_eq!(batch.position(0), position(0));
    // 16 octets of header and 4 of the Set stand before it.
    assert_eq!(batch.origin.record_offset[0], 20);
    assert_eq!(
        (decoder.books().waiting, decoder.books().understood),
        (0, 2)
    );
}

#[test]
fn data_before_its_template_in_the_same_packet_is_decoded_too() {
    let sets = [set(256, &record(1, 700)), set(0, &template(256, FIELDS))];
    let (_, batch) = run(vec![v9(0, 1, &sets)]);
    assert_eq!(batch.columns.octets.get(0), Some(700));
}

#[test]
fn a_template_that_never_comes_is_a_counted_drop() {
    let early = datagram(v9(0, 1, &[set(256, &record(1, 700))]));
    let late = later(datagram(v9(1, 1, &[set(0, &template(257, FIELDS))])), 1_900);
    let (decoder, batch) = decode(&[early, late]);
    assert_eq!(batch.rows(), 0);
    assert_eq!(decoder.books().dropped[&DropKind::NoTemplate], 1);
    assert_eq!(met(&decoder, Problem::WaitingExpired), 1);
}

#[test]
fn a_refresh_is_no_event_and_a_redefinition_holds_from_there_on() {
    let first = template(256, FIELDS);
    let other = template(256, &[(8, 4), (1, 8)]);
    let mut data = vec![10, 0, 0, 9];
    data.extend(5_u64.to_be_bytes());
    let sets = [
        set(0, &first),
        set(256, &record(1, 100)),
        set(0, &first),
        set(0, &other),
        set(256, &data),
    ];
    let (decoder, batch) = run(vec![v9(0, 1, &sets)]);
    assert_eq!(batch.columns.octets.values(), [100, 5]);
    assert_eq!(met(&decoder, Problem::TemplateChanged), 1);
    let version = decoder.state_version();
    let mut decoder = decoder;
    let refresh = datagram(v9(1, 1, &[set(0, &other)]));
    decoder.decode(&refresh, position(9), &mut FlowBatch::default());
    assert_eq!(decoder.state_version(), version);
}

#[test]
fn a_withdrawal_over_udp_has_no_effect() {
    let (decoder, batch) = run(vec![
        ipfix(0, 1, &[set(2, &template(256, FIELDS))]),
        ipfix(0, 1, &[set(2, &[1, 0, 0, 0]), set(2, &[0, 2, 0, 0])]),
        ipfix(0, 1, &[set(256, &record(1, 100))]),
    ]);
    assert_eq!(
        (batch.rows(), met(&decoder, Problem::TemplateWithdrawn)),
        (1, 2)
    );
}

#[test]
fn exporters_and_domains_have_templates_of_their_own_and_ports_do_not_count() {
    let short = template(256, &[(8, 4), (1, 8)]);
    let (_, batch) = decode(&[
        from("192.0.2.1:1", v9(0, 1, &[set(0, &template(256, FIELDS))])),
        from("192.0.2.2:1", v9(0, 1, &[set(0, &short)])),
        from("192.0.2.1:1", v9(0, 2, &[set(0, &short)])),
        from("192.0.2.1:9", v9(1, 1, &[set(256, &record(1, 100))])),
    ]);
    assert_eq!(batch.columns.octets.values(), [100]);
}

#[test]
fn two_senders_behind_one_address_are_told_apart_by_port_in_the_end() {
    let mut datagrams = Vec::new();
    for round in 0..4 {
        let long = v9(
            round,
            1,
            &[set(0, &template(256, FIELDS)), set(256, &record(1, 100))],
        );
        let short = [set(0, &template(256, &[(8, 4), (1, 8)]))];
        datagrams.push(from("192.0.2.1:1000", long));
        datagrams.push(from("192.0.2.1:2000", v9(round, 1, &short)));
    }
    datagrams.push(from("192.0.2.1:1000", v9(9, 1, &[set(256, &record(1, 7))])));
    let (decoder, batch) = decode(&datagrams);
    assert_eq!(sum(&batch.columns.octets), 407);
    assert_eq!(met(&decoder, Problem::PortScope), 1);
}

#[test]
fn the_v9_count_padding_and_zero_filling_do_not_matter() {
    let mut body = record(1, 100);
    body.extend([0; 3]);
    for zeros in [0, 1, 3, 4, 900] {
        let mut packet = v9(0, 1, &[set(0, &template(256, FIELDS)), set(256, &body)]);
        packet[2..4].copy_from_slice(&u16::MAX.to_be_bytes());
        packet.resize(packet.len() + zeros, 0);
        let (decoder, batch) = run(vec![packet]);
        assert_eq!(batch.columns.octets.values(), [100], "{zeros}");
        assert_eq!(met(&decoder, Problem::CountMismatch), 1);
        assert_eq!(met(&decoder, Problem::SetLength), 0);
    }
}

#[test]
fn a_set_length_that_lies_stops_v9_there_and_voids_an_ipfix_message() {
    for length in [0_u16, 3, 4_000] {
        let mut broken = set(257, &[1, 2, 3, 4]);
        broken[2..4].copy_from_slice(&length.to_be_bytes());
        let data = set(256, &record(1, 100));
        let sets = [set(0, &template(256, FIELDS)), data.clone(), broken.clone()];
        let (decoder, batch) = run(vec![v9(0, 1, &sets)]);
        assert_eq!(
            (batch.rows(), met(&decoder, Problem::SetLength)),
            (1, 1),
            "{length}"
        );
        let sets = [set(2, &template(256, FIELDS)), data.clone(), broken];
        let (decoder, batch) = run(vec![ipfix(0, 1, &sets), ipfix(0, 1, &[data])]);
        assert_eq!(
            (batch.rows(), met(&decoder, Problem::SetLength)),
            (0, 1),
            "{length}"
        );
        assert_eq!(decoder.books().dropped[&DropKind::Malformed], 1);
        assert_eq!(decoder.books().waiting, 1, "the template was rolled back");
    }
}

#[test]
fn an_empty_set_is_nothing() {
    let (decoder, batch) = run(vec![ipfix(0, 1, &[set(256, &[]), set(2, &[])])]);
    assert_eq!((batch.rows(), met(&decoder, Problem::SetEmpty)), (0, 2));
    assert_eq!(decoder.books().understood, 1);
}

#[test]
fn an_ipfix_length_too_long_is_refused_and_too_short_is_believed() {
    let sets = [set(2, &template(256, FIELDS)), set(256, &record(1, 100))];
    let mut long = ipfix(0, 1, &sets);
    let length = u16::try_from(long.len() + 1).unwrap();
    long[2..4].copy_from_slice(&length.to_be_bytes());
    let (decoder, batch) = run(vec![long]);
    assert_eq!((batch.rows(), met(&decoder, Problem::LengthShort)), (0, 1));
    let mut short = ipfix(0, 1, &sets);
    short.extend([9; 40]);
    let (decoder, batch) = run(vec![short]);
    assert_eq!((batch.rows(), met(&decoder, Problem::LengthLong)), (1, 1));
}

#[test]
fn templates_that_cannot_be_are_left_out_alone() {
    let many: Vec<_> = (0..513).map(|_| (210, 1)).collect();
    let huge: Vec<_> = (0..2).map(|_| (210, 40_000)).collect();
    for (fields, problem) in [
        (vec![], Problem::TemplateEmpty),
        (vec![(8, 0), (12, 0)], Problem::TemplateEmpty),
        (many, Problem::TemplateTooLarge),
        (huge, Problem::TemplateTooLarge),
    ] {
        let sets = [
            set(0, &[template(300, &fields), template(256, FIELDS)].concat()),
            set(256, &record(1, 100)),
        ];
        let (decoder, batch) = run(vec![v9(0, 1, &sets)]);
        assert_eq!(
            (batch.rows(), met(&decoder, problem)),
            (1, 1),
            "{problem:?}"
        );
    }
    let mut liar = template(256, FIELDS);
    liar[2..4].copy_from_slice(&u16::MAX.to_be_bytes());
    let (decoder, _) = run(vec![v9(0, 1, &[set(0, &liar)])]);
    assert_eq!(met(&decoder, Problem::TemplateCut), 1);
    assert_eq!(decoder.books().dropped[&DropKind::Malformed], 1);
}

#[test]
fn a_thousand_and_more_records_of_one_set_are_all_decoded() {
    let body: Vec<u8> = (0..3_500).flat_map(|_| record(1, 40)).collect();
    let sets = [set(0, &template(256, FIELDS)), set(256, &body)];
    let (_, batch) = run(vec![v9(0, 1, &sets)]);
    assert_eq!((batch.rows(), sum(&batch.columns.octets)), (3_500, 140_000));
}

#[test]
fn a_v5_count_that_lies_costs_no_record() {
    for (count, records, rows) in [(0, 3, 3), (31, 31, 31), (30, 2, 2), (2, 2, 2)] {
        let (decoder, batch) = run(vec![v5(0, count, records, 0)]);
        assert_eq!(batch.rows(), rows);
        let mismatch = u64::from(usize::from(count) != rows);
        assert_eq!(met(&decoder, Problem::CountMismatch), mismatch, "{count}");
    }
}

#[test]
fn a_duplicate_is_dropped_and_the_same_number_with_other_octets_is_not() {
    let mut other = v5(0, 2, 2, 0);
    other[24 + 3] = 99;
    let (decoder, batch) = run(vec![v5(0, 2, 2, 0), v5(0, 2, 2, 0), other]);
    assert_eq!(
        (batch.rows(), met(&decoder, Problem::DuplicateDatagram)),
        (4, 1)
    );
    assert_eq!(decoder.books().dropped[&DropKind::Duplicate], 1);
    assert_eq!(decoder.exporters()[0].duplicates, 1);
}

#[test]
fn a_gap_counts_records_in_v5_and_ipfix_and_packets_in_v9() {
    let (v5_gap, _) = run((0..12)
        .filter(|n| *n != 10)
        .map(|n| v5(n * 2, 2, 2, 0))
        .collect());
    assert_eq!(v5_gap.exporters()[0].sequence_lost, 2);
    let sets = || [set(0, &template(256, FIELDS)), set(256, &record(1, 9))];
    let (v9_gap, _) = run((0..12)
        .filter(|n| *n != 10)
        .map(|n| v9(n, 1, &sets()))
        .collect());
    assert_eq!(v9_gap.exporters()[0].sequence_lost, 1);
    let body: Vec<u8> = [record(1, 40), record(2, 40), record(3, 40)].concat();
    let sets = || [set(2, &template(256, FIELDS)), set(256, &body)];
    let packets = (0..12)
        .filter(|n| *n != 10)
        .map(|n| ipfix(n * 3, 1, &sets()));
    let (ipfix_gap, _) = run(packets.collect());
    assert_eq!(ipfix_gap.exporters()[0].sequence_lost, 3);
}

#[test]
fn other_traffic_on_the_port_is_told_apart() {
    let mut sflow = vec![0, 0, 0, 5];
    sflow.resize(100, 0);
    let mut v8 = vec![0, 8];
    v8.resize(100, 0);
    let (decoder, batch) = run(vec![
        vec![],
        b"GET / HTTP/1.1".to_vec(),
        sflow,
        v8,
        vec![0, 9, 0],
    ]);
    assert_eq!(batch.rows(), 0);
    assert_eq!(decoder.books().dropped[&DropKind::NotFlowExport], 3);
    assert_eq!(decoder.books().dropped[&DropKind::Unsupported], 2);
    let protocols: Vec<_> = decoder
        .exporters()
        .into_iter()
        .map(|it| it.protocol)
        .collect();
    assert_eq!(protocols, ["NetFlow v8", "sFlow v5"]);
}
