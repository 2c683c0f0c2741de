//! Texts and the trees that they mean.

use flow::filter::{
    Comparison, Condition, Expr, IndexOrName, InterfaceSide, NameOrNet, Number, Side,
};

use crate::{and, app, is, net, not, number, or, parsed, port};

#[test]
fn the_sentence_of_the_design_is_read() {
    let expected = and(
        and(
            and(
                app("orders"),
                is(Condition::Address(Side::Source, net("10.4.0.0/16"))),
            ),
            is(Condition::Port(Side::Destination, Comparison::Equal, 5432)),
        ),
        not(is(Condition::Exporter(NameOrNet::Name("core-1".into())))),
    );
    let text = r#"app "orders" and src net 10.4.0.0/16 and dst port 5432 and not exporter core-1"#;
    assert_eq!(parsed(text), expected);
}

#[test]
fn not_binds_before_and_before_or() {
    let (tcp, udp) = (is(Condition::Protocol(6)), is(Condition::Protocol(17)));
    for (text, expected) in [
        ("", Expr::Any),
        (" \n", Expr::Any),
        ("any", Expr::Any),
        ("not tcp and udp", and(not(tcp.clone()), udp.clone())),
        ("not (tcp and udp)", not(and(tcp.clone(), udp.clone()))),
        (
            "!tcp && !!udp",
            and(not(tcp.clone()), not(not(udp.clone()))),
        ),
        (
            "tcp or udp and any",
            or(tcp.clone(), and(udp.clone(), Expr::Any)),
        ),
        (
            "(tcp or udp) and any",
            and(or(tcp.clone(), udp.clone()), Expr::Any),
        ),
        (
            "tcp OR udp Or any",
            or(or(tcp.clone(), udp.clone()), Expr::Any),
        ),
        (
            "tcp||(udp||any)",
            or(tcp.clone(), or(udp.clone(), Expr::Any)),
        ),
        ("not tcp port 80", not(and(tcp.clone(), port(80)))),
        ("((TCP))", tcp.clone()),
    ] {
        assert_eq!(parsed(text), expected, "{text}");
    }
}

#[test]
fn addresses_are_read_in_every_form() {
    let eight = || net("10.0.0.0/8");
    for (text, expected) in [
        (
            "ip 10.0.0.1",
            Condition::Address(Side::Either, net("10.0.0.1/32")),
        ),
        (
            "host 10.0.0.1",
            Condition::Address(Side::Either, net("10.0.0.1/32")),
        ),
        (
            "src host 10.0.0.1",
            Condition::Address(Side::Source, net("10.0.0.1/32")),
        ),
        (
            "dst 2001:db8::1",
            Condition::Address(Side::Destination, net("2001:db8::1/128")),
        ),
        (
            "ip = ::ffff:10.0.0.1",
            Condition::Address(Side::Either, net("10.0.0.1/32")),
        ),
        (
            "ip ::ffff:10.0.0.0/104",
            Condition::Address(Side::Either, eight()),
        ),
        ("net 10.0.0.0/8", Condition::Address(Side::Either, eight())),
        ("net 10.1.2.3/8", Condition::Address(Side::Either, eight())),
        (
            "net 10.0.0.0 255.0.0.0",
            Condition::Address(Side::Either, eight()),
        ),
        (
            "client net 10.0.0.0/8",
            Condition::Address(Side::Client, eight()),
        ),
        (
            "server ip 10.0.0.0/8",
            Condition::Address(Side::Server, eight()),
        ),
        (
            "src ip in [10.0.0.1 2001:db8::/32, 10.0.0.0/8]",
            Condition::AddressIn(
                Side::Source,
                vec![net("10.0.0.1/32"), net("2001:db8::/32"), eight()],
            ),
        ),
        ("next hop 10.0.0.1", Condition::NextHop(net("10.0.0.1/32"))),
        ("nexthop 10.0.0.0/8", Condition::NextHop(eight())),
        (
            "exporter 10.0.0.0/8",
            Condition::Exporter(NameOrNet::Net(eight())),
        ),
        (
            "exporter 10.0.0.0 255.0.0.0",
            Condition::Exporter(NameOrNet::Net(eight())),
        ),
        (
            "exporter \"10.0.0.0/8\"",
            Condition::Exporter(NameOrNet::Name("10.0.0.0/8".into())),
        ),
    ] {
        assert_eq!(parsed(text), is(expected), "{text}");
    }
    assert_eq!(parsed("ip != 10.0.0.0/8"), not(parsed("ip 10.0.0.0/8")));
}

#[test]
fn ports_protocols_and_flags_are_read_in_every_form() {
    let range = |side, ranges: &[(u16, u16)]| Condition::PortIn(side, ranges.to_vec());
    let flags = |set, unset| Condition::TcpFlags { set, unset };
    for (text, expected) in [
        (
            "port 80",
            Condition::Port(Side::Either, Comparison::Equal, 80),
        ),
        (
            "dst port > 1023",
            Condition::Port(Side::Destination, Comparison::Greater, 1023),
        ),
        (
            "port>=1024",
            Condition::Port(Side::Either, Comparison::GreaterOrEqual, 1024),
        ),
        (
            "server port != 0",
            Condition::Port(Side::Server, Comparison::NotEqual, 0),
        ),
        (
            "port in [80 443, 8000-8099]",
            range(Side::Either, &[(80, 80), (443, 443), (8000, 8099)]),
        ),
        (
            "dst portrange 1-1024",
            range(Side::Destination, &[(1, 1024)]),
        ),
        ("port 1-1024", range(Side::Either, &[(1, 1024)])),
        ("proto tcp", Condition::Protocol(6)),
        ("proto 6", Condition::Protocol(6)),
        ("Protocol = GRE", Condition::Protocol(47)),
        ("proto ipv6", Condition::Protocol(41)),
        ("ipv6", Condition::Family(6)),
        ("inet", Condition::Family(4)),
        ("icmpv6", Condition::Protocol(58)),
        (
            "icmp-type 3 code 1",
            Condition::Icmp {
                kind: 3,
                code: Some(1),
            },
        ),
        // RFC 9293 §3.1: FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32; RFC 3168: ECE 64, CWR 128.
        ("flags S", flags(0x02, 0)),
        ("flags SA", flags(0x12, 0)),
        ("flags as", flags(0x12, 0)),
        ("flags syn", flags(0x02, 0)),
        ("flags S/SA", flags(0x02, 0x10)),
        ("flags /R", flags(0, 0x04)),
        ("flags 0x12", flags(0x12, 0)),
        ("flags 18", flags(0x12, 0)),
        ("flags FSRPAUEW", flags(0xff, 0)),
        (
            "mac 02:00:5e:10:00:01",
            Condition::Mac(Side::Either, 0x0200_5e10_0001),
        ),
        (
            "src mac 2-0-5E-10-0-1",
            Condition::Mac(Side::Source, 0x0200_5e10_0001),
        ),
        ("as 64500", Condition::As(Side::Either, 64500)),
        (
            "dst as AS4200000000",
            Condition::As(Side::Destination, 4_200_000_000),
        ),
    ] {
        assert_eq!(parsed(text), is(expected), "{text}");
    }
    let tcp = || is(Condition::Protocol(6));
    assert_eq!(parsed("tcp port 80"), and(tcp(), port(80)));
    assert_eq!(parsed("tcp dst port 80"), and(tcp(), parsed("dst port 80")));
    assert_eq!(
        parsed("icmp type 3 code 1"),
        and(
            is(Condition::Protocol(1)),
            is(Condition::Icmp {
                kind: 3,
                code: Some(1)
            })
        )
    );
}

#[test]
fn names_are_plain_words_or_quoted() {
    let interface = |side, interface| is(Condition::Interface(side, interface));
    let site = |side, name: &str| is(Condition::Site(side, name.into()));
    for (text, expected) in [
        ("app orders", app("orders")),
        ("APPLICATION = orders", app("orders")),
        ("app != orders", not(app("orders"))),
        ("app tcp", app("tcp")),
        ("app 'two words'", app("two words")),
        (r#"app "say \"hi\" \\ 'ho'""#, app(r#"say "hi" \ 'ho'"#)),
        (r#"app "and""#, app("and")),
        ("app Zürich-東京", app("Zürich-東京")),
        ("site berlin", site(Side::Either, "berlin")),
        ("client site berlin", site(Side::Client, "berlin")),
        ("server site berlin", site(Side::Server, "berlin")),
        (
            "if 3",
            interface(InterfaceSide::Either, IndexOrName::Index(3)),
        ),
        (
            "if \"3\"",
            interface(InterfaceSide::Either, IndexOrName::Name("3".into())),
        ),
        (
            "in if Gi0/1.20",
            interface(InterfaceSide::In, IndexOrName::Name("Gi0/1.20".into())),
        ),
        (
            "out interface 7",
            interface(InterfaceSide::Out, IndexOrName::Index(7)),
        ),
    ] {
        assert_eq!(parsed(text), expected, "{text}");
    }
}

#[test]
fn numbers_have_units_and_comparisons() {
    use Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
    for (text, expected) in [
        ("octets > 1M", number(Number::Octets, Greater, 1_000_000)),
        ("bytes>1.5k", number(Number::Octets, Greater, 1_500)),
        ("bytes = 2G", number(Number::Octets, Equal, 2_000_000_000)),
        ("packets >= 10", number(Number::Packets, GreaterOrEqual, 10)),
        ("duration > 5s", number(Number::DurationMs, Greater, 5_000)),
        ("duration > 5", number(Number::DurationMs, Greater, 5_000)),
        ("duration < 500ms", number(Number::DurationMs, Less, 500)),
        (
            "duration <= 1.5m",
            number(Number::DurationMs, LessOrEqual, 90_000),
        ),
        ("duration < 2h", number(Number::DurationMs, Less, 7_200_000)),
        ("vlan 10", number(Number::Vlan, Equal, 10)),
        ("dscp == 46", number(Number::Dscp, Equal, 46)),
        ("ttl != 64", number(Number::Ttl, NotEqual, 64)),
        ("version ipfix", number(Number::Version, Equal, 10)),
        ("end reason active", number(Number::EndReason, Equal, 2)),
        (
            "firewall event denied",
            number(Number::FirewallEvent, Equal, 3),
        ),
        ("nat-event 4", number(Number::NatEvent, Equal, 4)),
        ("feed 0", number(Number::Feed, Equal, 0)),
        (
            "octets 18446744073709551615",
            number(Number::Octets, Equal, u64::MAX),
        ),
    ] {
        assert_eq!(parsed(text), expected, "{text}");
    }
}
