//! Printed trees read back as the same trees, and no text is too strange to be read or refused.

use flow::filter::{
    Comparison, Condition, Expr, Filter, IndexOrName, InterfaceSide, NameOrNet, Number, Side,
    complete,
};
use ipnet::IpNet;
use proptest::prelude::*;

use crate::{and, not, or, parsed};

fn any_side() -> impl Strategy<Value = Side> {
    prop_oneof![
        Just(Side::Either),
        Just(Side::Source),
        Just(Side::Destination),
        Just(Side::Client),
        Just(Side::Server),
    ]
}

fn any_comparison() -> impl Strategy<Value = Comparison> {
    use Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
    prop::sample::select(vec![
        Equal,
        NotEqual,
        Less,
        LessOrEqual,
        Greater,
        GreaterOrEqual,
    ])
}

fn any_net() -> impl Strategy<Value = IpNet> {
    let v4 = (any::<[u8; 4]>(), 0..=32_u8)
        .prop_map(|(address, len)| IpNet::new(address.into(), len).unwrap().trunc());
    let v6 = (any::<[u8; 16]>(), 0..=128_u8)
        .prop_map(|(address, len)| IpNet::new(address.into(), len).unwrap().trunc());
    prop_oneof![v4, v6]
}

fn any_name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z][a-z0-9_.:-]{0,9}",
        "\\PC{1,12}",
        prop::sample::select(vec![
            "and", "NOT", "in", "10.0.0.1", "3", "::", "a\"b\\c", "\0\n", " "
        ])
        .prop_map(str::to_owned),
    ]
}

fn any_number() -> impl Strategy<Value = Condition> {
    let field = prop::sample::select(vec![
        (Number::Octets, u64::MAX),
        (Number::Packets, u64::MAX),
        (Number::DurationMs, u64::MAX),
        (Number::Tos, 255),
        (Number::Dscp, 63),
        (Number::Vlan, 65_535),
        (Number::Vni, u64::MAX),
        (Number::Domain, 4_294_967_295),
        (Number::Version, 255),
        (Number::Ttl, 255),
        (Number::Sampling, 4_294_967_295),
        (Number::EndReason, 255),
        (Number::FirewallEvent, 255),
        (Number::NatEvent, 255),
        (Number::Feed, 4_294_967_295),
    ]);
    (field, any_comparison(), any::<u64>()).prop_map(|((number, max), comparison, value)| {
        Condition::Number(number, comparison, value.min(max))
    })
}

fn any_range() -> impl Strategy<Value = (u16, u16)> {
    (any::<u16>(), any::<u16>()).prop_map(|(a, b)| (a.min(b), a.max(b)))
}

fn any_condition() -> impl Strategy<Value = Condition> {
    let site_side = prop::sample::select(vec![Side::Either, Side::Client, Side::Server]);
    let if_side = prop::sample::select(vec![
        InterfaceSide::Either,
        InterfaceSide::In,
        InterfaceSide::Out,
    ]);
    let interface = prop_oneof![
        any::<u32>().prop_map(IndexOrName::Index),
        any_name().prop_map(IndexOrName::Name),
    ];
    let exporter = prop_oneof![
        any_net().prop_map(NameOrNet::Net),
        any_name().prop_map(NameOrNet::Name)
    ];
    prop_oneof![
        any_name().prop_map(Condition::Application),
        (site_side, any_name()).prop_map(|(side, name)| Condition::Site(side, name)),
        exporter.prop_map(Condition::Exporter),
        (any_side(), any_net()).prop_map(|(side, net)| Condition::Address(side, net)),
        (any_side(), prop::collection::vec(any_net(), 1..4))
            .prop_map(|(side, nets)| Condition::AddressIn(side, nets)),
        (any_side(), any_comparison(), any::<u16>())
            .prop_map(|(side, comparison, port)| Condition::Port(side, comparison, port)),
        (any_side(), prop::collection::vec(any_range(), 1..4))
            .prop_map(|(side, ranges)| Condition::PortIn(side, ranges)),
        any::<u8>().prop_map(Condition::Protocol),
        (any::<u16>(), any::<u16>()).prop_map(|(set, other)| Condition::TcpFlags {
            set,
            unset: other & !set
        }),
        (if_side, interface).prop_map(|(side, interface)| Condition::Interface(side, interface)),
        (any_side(), any::<u32>()).prop_map(|(side, number)| Condition::As(side, number)),
        any_net().prop_map(Condition::NextHop),
        (any_side(), 0..1_u64 << 48).prop_map(|(side, bits)| Condition::Mac(side, bits)),
        (any::<u8>(), any::<Option<u8>>()).prop_map(|(kind, code)| Condition::Icmp { kind, code }),
        any_number(),
        prop::sample::select(vec![4, 6]).prop_map(Condition::Family),
    ]
}

fn any_expr() -> impl Strategy<Value = Expr> {
    let leaf = prop_oneof![1 => Just(Expr::Any), 9 => any_condition().prop_map(Expr::Is)];
    leaf.prop_recursive(6, 40, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(not),
            (inner.clone(), inner.clone()).prop_map(|(left, right)| and(left, right)),
            (inner.clone(), inner).prop_map(|(left, right)| or(left, right)),
        ]
    })
}

proptest! {
    #[test]
    fn a_printed_tree_reads_back_as_the_same_tree(expr in any_expr()) {
        let text = expr.to_string();
        match Filter::parse(&text) {
            Ok(filter) => prop_assert_eq!(filter.expr(), &expr, "{}", text),
            Err(error) => prop_assert!(false, "{}: {}", text, error),
        }
    }

    #[test]
    fn no_text_is_too_strange(text in "\\PC{0,60}", cursor in 0..70_usize) {
        let characters = text.chars().count();
        if let Err(error) = Filter::parse(&text) {
            prop_assert!((1..=characters + 1).contains(&error.column), "{}", error);
        }
        complete(&text, cursor);
    }

    #[test]
    fn no_row_of_words_is_too_strange(
        words in prop::collection::vec(
            prop::sample::select(vec![
                "src", "in", "if", "port", "[", "]", ",", "80", "10.0.0.1", "and", "or", "not", "(",
                ")", "app", "\"", "tcp", "icmp", "type", ">", "=", "flags", "S/SA", "next", "hop",
                "end", "reason", "ip", "net", "255.0.0.0", "\\", "octets", "1k", "exporter",
            ]),
            0..12,
        ),
    ) {
        let text = words.join(" ");
        if let Ok(filter) = Filter::parse(&text) {
            let printed = filter.expr().to_string();
            prop_assert_eq!(parsed(&printed), filter.expr().clone());
        }
        for cursor in 0..=text.len() {
            complete(&text, cursor);
        }
    }
}
