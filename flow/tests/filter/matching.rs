//! Filters held against rows whose every field is known here.

use bytes::Bytes;
use flow::batch::Described;
use flow::{Datagram, Feed, Filter, FlowBatch, TapePosition, Timestamp};

/// One row from 10.4.0.9:50000 to 192.0.2.7:443, and one that has nothing but its origin.
fn batch() -> FlowBatch {
    let mut batch = FlowBatch::default();
    let datagram = Datagram {
        received_at: Timestamp::from_seconds(100),
        source: "10.0.0.1:2055".parse().unwrap(),
        local_port: 2055,
        feed: Feed(3),
        payload: Bytes::new(),
    };
    let described = Described {
        version: 9,
        domain: 4,
        template: 256,
    };
    batch.push_rows(
        &datagram,
        TapePosition::START,
        described,
        [24_u16, 52].into_iter(),
    );
    let columns = &mut batch.columns;
    let v4 = |text: &str| flow::address::widen(text.parse().unwrap());
    columns.start.set(0, 1_000_000_000);
    columns.end.set(0, 3_500_999_999);
    columns.src_addr.set(0, v4("10.4.0.9"));
    columns.dst_addr.set(0, v4("192.0.2.7"));
    columns.src_port.set(0, 50_000);
    columns.dst_port.set(0, 443);
    columns.protocol.set(0, 6);
    columns.tcp_flags.set(0, 0x12);
    columns.octets.set(0, 1_500);
    columns.reverse_octets.set(0, 500);
    columns.packets.set(0, 3);
    columns.tos.set(0, 0xb8);
    columns.in_interface.set(0, 1);
    columns.src_as.set(0, 64_500);
    columns.dst_mac.set(0, 0x0200_5e10_0001);
    columns.icmp_type_code.set(0, 0x0301);
    batch.enrichment.src_is_client = vec![1];
    batch.enrichment.application.set_text(0, "orders");
    batch.enrichment.client_site.set_text(0, "berlin");
    batch.enrichment.exporter_name.set_text(0, "core-1");
    batch.enrichment.out_interface_name.set_text(0, "eth0");
    batch
}

fn matches(text: &str, row: usize) -> bool {
    Filter::parse(text).unwrap().expr().matches(&batch(), row)
}

#[test]
fn conditions_match_the_fields_that_they_name() {
    for text in [
        "",
        "app orders and client site berlin and site berlin",
        "src net 10.4.0.0/16 and dst 192.0.2.7 and ip 10.4.0.9 and net 192.0.2.0/24",
        "client ip 10.4.0.9 and server port 443 and client port 50000",
        "ip in [10.9.0.0/16, 192.0.2.0/24]",
        "tcp port 443 and port in [1-1023] and dst port < 444 and src port >= 50000",
        "ipv4 and not ipv6",
        "flags SA and flags A/AF",
        "octets 2000 and bytes > 1.9k and packets 3 and packets >= 3",
        "duration = 2500ms and duration > 2s and duration < 3",
        "tos 184 and dscp 46 and domain 4 and version 9 and feed 3",
        "exporter core-1 and exporter 10.0.0.1 and exporter 10.0.0.0/8",
        "if 1 and in if 1 and out if eth0 and if eth0",
        "as 64500 and src as 64500",
        "mac 02:00:5e:10:00:01 and dst mac 02:00:5e:10:00:01",
        "icmp-type 3 and icmp-type 3 code 1",
        "port != 80",
    ] {
        assert!(matches(text, 0), "{text}");
    }
    for text in [
        "app Orders",
        "server ip 10.4.0.9",
        "flags S/SA",
        "port != 443",
        "not port 443",
        "udp",
        "icmp-type 3 code 0",
        "client site hamburg",
        "exporter 10.0.0.2",
        "duration > 2500ms",
    ] {
        assert!(!matches(text, 0), "{text}");
    }
    assert!(!matches("any", 2), "a row past the end");
}

#[test]
fn an_absent_field_makes_a_condition_unknown_as_in_sql() {
    for text in [
        "tcp",
        "port 80",
        "ip 10.0.0.1",
        "octets < 1",
        "client ip 10.0.0.1",
        "ipv4",
    ] {
        assert!(!matches(text, 1), "{text}");
        assert!(!matches(&format!("not {text}"), 1), "not {text}");
        assert!(
            !matches(&format!("not ({text} and any)"), 1),
            "not ({text} and any)"
        );
        assert!(matches(&format!("{text} or any"), 1), "{text} or any");
        assert!(matches(&format!("any or {text}"), 1), "any or {text}");
        assert!(
            matches(&format!("not ({text} and not any)"), 1),
            "false and unknown is false"
        );
        assert!(
            matches(&format!("not (not any and {text})"), 1),
            "unknown and false is false"
        );
    }
    assert!(
        matches("exporter 10.0.0.1 and version 9", 1),
        "an origin is never absent"
    );
    // Half known: the destination AS of row 0 was not sent.
    assert!(matches("as 64500", 0) && !matches("as 64501", 0) && !matches("not as 64501", 0));
    // A name that nobody gave is no name.
    for text in ["app x", "server site berlin", "exporter x", "in if eth0"] {
        assert!(
            !matches(text, 1) && matches(&format!("not {text}"), 1),
            "{text}"
        );
    }
}
