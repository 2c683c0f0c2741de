//! Cases 17 to 20: templates that cannot be.

use collector::decode::{DecodeConfig, Decoder, Problem};
use collector::fields::FieldTable;
use flow::DropKind;

use crate::support::position;
use crate::suspect::tried;
use crate::wire::{FIELDS, datagram, ipfix, record, set, template, v9};

/// The template before a good one in the same Set, and data of the good one.
fn beside_a_good_one(bad: &[u8]) -> [Vec<u8>; 2] {
    let templates = [bad, &template(256, FIELDS)].concat();
    [set(0, &templates), set(256, &record(1, 100))]
}

#[test]
fn case_17_a_template_of_nothing_is_left_out_alone() {
    for fields in [&[][..], &[(8, 0), (12, 0)], &[(1, 0)]] {
        let tried = tried(vec![v9(0, 1, &beside_a_good_one(&template(300, fields)))]);
        assert_eq!(tried.octets(), [100]);
        assert_eq!(tried.met(Problem::TemplateEmpty), 1, "{fields:?}");
        // Its data waits, as that of any template that is not there.
        let data = v9(0, 1, &[set(0, &template(300, fields)), set(300, &[1; 40])]);
        assert_eq!(self::tried(vec![data]).waiting(), 1);
    }
}

#[test]
fn case_17_a_variable_length_in_v9_is_read_as_ipfix_has_it() {
    // RFC 3954 knows none; H3C's NetStream sends it so (`bundles/beats-Netflow-9-H3C-Netstream-with-varstring.pcap`).
    let sets = [
        set(0, &template(256, &[(371, 0xffff), (1, 4)])),
        set(256, &[3, b'b', b'o', b'b', 0, 0, 0, 9]),
    ];
    let tried = tried(vec![v9(0, 1, &sets)]);
    assert_eq!((tried.octets(), tried.problems()), (vec![9], vec![]));
    assert_eq!(tried.rows[0].extras["userName"], "bob");
    let endless = [set(0, &template(256, &[(371, 0xffff)])), set(256, &[0; 40])];
    assert!(
        self::tried(vec![v9(0, 1, &endless)]).rows.len() <= 40,
        "an octet each at least"
    );
}

#[test]
fn case_18_a_template_beyond_the_limits_is_left_out_alone() {
    let many = |count| -> Vec<_> { (0..count).map(|_| (210, 1)).collect() };
    let huge = vec![(210, 40_000), (210, 40_000)];
    for fields in [many(513), many(10_000), huge] {
        let tried = tried(vec![v9(0, 1, &beside_a_good_one(&template(300, &fields)))]);
        assert_eq!(tried.octets(), [100]);
        assert_eq!(tried.met(Problem::TemplateTooLarge), 1);
        assert_eq!(tried.told()[0].templates.len(), 1);
    }
    assert_eq!(
        tried(vec![v9(0, 1, &[set(0, &template(300, &many(512)))])]).problems(),
        []
    );
}

#[test]
fn case_18_the_limit_of_fields_is_configured() {
    let config = DecodeConfig {
        template_fields_max: 4,
        ..DecodeConfig::default()
    };
    let mut decoder = Decoder::new(config, FieldTable::builtin());
    let packet = ipfix(0, 1, &[set(2, &template(300, &[(1, 1); 5]))]);
    let good = ipfix(0, 1, &[set(2, &template(301, &[(1, 1); 4]))]);
    // The bystander's template has five fields: this one is tried alone.
    let mut batch = flow::FlowBatch::default();
    for (at, packet) in [packet, good].into_iter().enumerate() {
        decoder.decode(&datagram(packet), position(at), &mut batch);
    }
    assert_eq!(decoder.problems().get(Problem::TemplateTooLarge), 1);
    assert_eq!(decoder.exporters()[0].templates.len(), 1);
    assert!(decoder.books().balance());
}

#[test]
fn case_19_a_field_count_beyond_the_set_is_not_believed() {
    for count in [6_u16, 300, 65_535] {
        let mut liar = template(300, FIELDS);
        liar[2..4].copy_from_slice(&count.to_be_bytes());
        let alone = tried(vec![v9(0, 1, &[set(0, &liar)])]);
        assert_eq!(alone.met(Problem::TemplateCut), 1);
        assert_eq!(alone.dropped(DropKind::Malformed), 1);
        // The Set is left out, the packet goes on.
        let sets = [
            set(0, &liar),
            set(0, &template(256, FIELDS)),
            set(256, &record(1, 100)),
        ];
        let tried = tried(vec![v9(0, 1, &sets)]);
        assert_eq!(
            (tried.octets(), tried.met(Problem::TemplateCut)),
            (vec![100], 1),
            "{count}"
        );
    }
}

#[test]
fn case_20_a_scope_that_does_not_add_up_is_left_out() {
    let v9_scopes: [[u16; 2]; 5] = [
        [3, 4],
        [4, 3],
        [65_532, 8],
        [65_532, 65_532],
        [65_535, 65_535],
    ];
    for [scope, options] in v9_scopes {
        let mut body = vec![1, 44];
        body.extend(scope.to_be_bytes());
        body.extend(options.to_be_bytes());
        body.extend([0, 1, 0, 4, 0, 48, 0, 1]);
        let sets = [
            set(1, &body),
            set(0, &template(256, FIELDS)),
            set(256, &record(1, 100)),
        ];
        let tried = tried(vec![v9(0, 1, &sets)]);
        assert_eq!(tried.octets(), [100], "{scope} {options}");
        let met = tried.met(Problem::OptionsScope) + tried.met(Problem::TemplateCut);
        assert_eq!(
            (met, tried.told()[0].templates.len()),
            (1, 1),
            "{scope} {options}"
        );
    }
    for (fields, scope) in [(2_u16, 3_u16), (2, 65_535)] {
        let mut body = vec![1, 44];
        body.extend(fields.to_be_bytes());
        body.extend(scope.to_be_bytes());
        body.extend([0, 149, 0, 4, 0, 34, 0, 4]);
        let sets = [
            set(3, &body),
            set(2, &template(256, FIELDS)),
            set(256, &record(1, 100)),
        ];
        let tried = tried(vec![ipfix(0, 1, &sets)]);
        assert_eq!(tried.octets(), [100]);
        assert_eq!(
            tried.problems(),
            [("options_scope", 1)],
            "{scope} of {fields}"
        );
    }
}
