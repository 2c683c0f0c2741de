//! What single fields become: widths, texts, counters, the fields of v5.

use collector::decode::Problem;

use crate::support::{met, run};
use crate::wire::{EXPORT_S, ipfix, set, template, v5, v9};

#[test]
fn empty_and_overlong_texts_keep_the_record() {
    // userName, variable; octets.
    let fields = set(2, &template(256, &[(371, 0xffff), (1, 4)]));
    let mut body = vec![0];
    body.extend(1_u32.to_be_bytes());
    body.extend([255, 0, 0]);
    body.extend(2_u32.to_be_bytes());
    body.extend([255, 0, 3]);
    body.extend(b"bob");
    body.extend(3_u32.to_be_bytes());
    body.extend([255, 0x07, 0xd0]);
    body.extend([b'x'; 2_000]);
    body.extend(4_u32.to_be_bytes());
    let (decoder, batch) = run(vec![ipfix(0, 1, &[fields.clone(), set(256, &body)])]);
    assert_eq!(batch.columns.octets.values(), [1, 2, 3, 4]);
    let names: Vec<_> = (0..4)
        .map(|row| {
            batch
                .record(row)
                .extras
                .get("userName")
                .map_or(0, String::len)
        })
        .collect();
    assert_eq!(names, [0, 0, 3, 1_024]);
    assert_eq!(met(&decoder, Problem::TextCut), 1);
    body.extend([200, b'z', b'z', b'z', b'z']);
    let (decoder, batch) = run(vec![ipfix(0, 1, &[fields, set(256, &body)])]);
    assert_eq!((batch.rows(), met(&decoder, Problem::RecordCut)), (4, 1));
}

#[test]
fn reduced_sizes_are_exact_and_too_many_octets_saturate() {
    for width in 1..=8_u16 {
        let sets = [
            set(2, &template(256, &[(1, width), (10, 3)])),
            set(
                256,
                &[vec![0x81; usize::from(width)], vec![1, 2, 3]].concat(),
            ),
        ];
        let (_, batch) = run(vec![ipfix(0, 1, &sets)]);
        let expected = (0..width).fold(0_u64, |value, _| value << 8 | 0x81);
        assert_eq!(batch.columns.octets.values(), [expected]);
        assert_eq!(batch.columns.in_interface.values(), [66_051]);
    }
    let sets = [
        set(2, &template(256, &[(1, 9)])),
        set(256, &[1, 0, 0, 0, 0, 0, 0, 0, 0]),
    ];
    let (decoder, batch) = run(vec![ipfix(0, 1, &sets)]);
    assert_eq!(batch.columns.octets.values(), [u64::MAX]);
    assert_eq!(batch.record(0).counter_kind.as_deref(), Some("implausible"));
    assert_eq!(met(&decoder, Problem::CounterImplausible), 1);
}

#[test]
fn unknown_fields_and_lists_are_skipped_and_counted_by_id() {
    // basicList (291) of variable length, an unassigned element, octets.
    let sets = [
        set(2, &template(256, &[(291, 0xffff), (9_999, 3), (1, 4)])),
        set(
            256,
            &[&[5, 3, 0, 8, 0, 4][..], &[7, 7, 7], &900_u32.to_be_bytes()].concat(),
        ),
    ];
    let (decoder, batch) = run(vec![ipfix(0, 1, &sets)]);
    assert_eq!(batch.columns.octets.values(), [900]);
    assert_eq!(decoder.exporters()[0].unknown_fields["0/9999"], 1);
}

#[test]
fn a_v5_packet_is_read_field_by_field() {
    let (_, batch) = run(vec![v5(77, 1, 1, 0x4000 | 100)]);
    let record = batch.record(0);
    assert_eq!(record.observation_domain, 0x0102);
    assert_eq!(record.src_addr.unwrap().to_string(), "10.0.0.0");
    assert_eq!((record.src_port, record.dst_port), (Some(40_000), Some(80)));
    assert_eq!((record.octets, record.packets), (Some(1_000), Some(10)));
    assert_eq!(
        (record.in_interface, record.out_interface),
        (Some(3), Some(4))
    );
    assert_eq!((record.protocol, record.tcp_flags), (Some(6), Some(0x1b)));
    assert_eq!((record.src_as, record.dst_as), (Some(65_000), Some(65_001)));
    assert_eq!((record.src_mask, record.dst_mask), (Some(24), Some(16)));
    assert_eq!(
        record.start.unwrap().to_string(),
        "2023-11-14T22:13:18.500Z"
    );
    assert_eq!(record.end.unwrap().to_string(), "2023-11-14T22:13:19.500Z");
    assert_eq!(record.sampling_interval, Some(100));
    assert_eq!(record.sampling_source.as_deref(), Some("header"));
    let (_, unknown) = run(vec![v5(77, 1, 1, 0)]);
    assert_eq!(unknown.record(0).sampling_interval, None, "0 is not 1 of 0");
}

#[test]
fn counters_of_one_record_are_never_counted_twice() {
    // FortiGate: 1 and 23 hold the same octets. vIPtela: 1 and 85. The biflow halves stay apart.
    for (fields, body) in [
        (&[(1, 4), (23, 4)], [0, 0, 0, 90, 0, 0, 0, 90]),
        (&[(1, 4), (85, 4)], [0, 0, 0, 90, 0, 0, 9, 0]),
    ] {
        let sets = [set(0, &template(256, fields)), set(256, &body)];
        let (_, batch) = run(vec![v9(0, 1, &sets)]);
        assert_eq!(batch.columns.octets.values(), [90]);
        assert!(batch.columns.reverse_octets.is_absent());
    }
    let fields = [(231, 4), (232, 4), (298, 4), (299, 4)];
    let body = [0, 0, 0, 90, 0, 0, 0, 91, 0, 0, 0, 1, 0, 0, 0, 2];
    let sets = [set(2, &template(256, &fields)), set(256, &body)];
    let (_, batch) = run(vec![ipfix(0, 1, &sets)]);
    let record = batch.record(0);
    assert_eq!((record.octets, record.reverse_octets), (Some(90), Some(91)));
    assert_eq!((record.packets, record.reverse_packets), (Some(1), Some(2)));
}

#[test]
fn running_totals_become_differences_per_flow() {
    let fields = [(8, 4), (12, 4), (152, 8), (85, 4)];
    let one = |start: u64, octets: u32| {
        let mut body = vec![10, 0, 0, 1, 10, 0, 0, 2];
        body.extend(start.to_be_bytes());
        body.extend(octets.to_be_bytes());
        set(256, &body)
    };
    let start = u64::from(EXPORT_S) * 1_000;
    let (_, batch) = run(vec![
        ipfix(
            0,
            1,
            &[
                set(2, &template(256, &fields)),
                one(start, 100),
                one(start + 1, 40),
            ],
        ),
        ipfix(2, 1, &[one(start, 250)]),
    ]);
    assert_eq!(batch.columns.octets.values(), [100, 40, 150]);
    let kinds: Vec<_> = (0..3)
        .map(|row| batch.record(row).counter_kind.unwrap())
        .collect();
    assert_eq!(kinds, ["total", "total", "delta"]);
}

#[test]
fn icmp_of_v5_is_in_the_destination_port_which_stays() {
    // The first record's protocol is the 39th octet after the header, its destination port the 35th and 36th.
    let mut echo = v5(0, 2, 2, 0);
    echo[24 + 38] = 1;
    echo[24 + 34..24 + 36].copy_from_slice(&[8, 0]);
    let (_, batch) = run(vec![echo]);
    let (icmp, tcp) = (batch.record(0), batch.record(1));
    assert_eq!(
        (icmp.icmp_type_code, icmp.dst_port),
        (Some(0x0800), Some(2_048))
    );
    assert_eq!((tcp.icmp_type_code, tcp.dst_port), (None, Some(80)));
}
