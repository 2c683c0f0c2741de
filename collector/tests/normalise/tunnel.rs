//! Rows that look into a tunnel: what is inside is the conversation.

use std::net::{IpAddr, SocketAddr};

use flow::batch::{ApplicationSource, ClientEvidence};

use crate::rows::*;

const CLIENT: &str = "10.20.20.11:40000";
const SERVER: &str = "10.20.30.11:5432";

fn inside(src: &str, dst: &str) -> Option<(SocketAddr, SocketAddr, u8)> {
    Some((src.parse().unwrap(), dst.parse().unwrap(), TCP))
}

/// The first virtual switch: the tunnel's ends outside, VXLAN's port (RFC 7348 §5), the tenant inside.
fn wrapped() -> Row {
    Row {
        protocol: UDP,
        inner: inside(CLIENT, SERVER),
        ..Row::new("10.20.250.11:55555", "10.20.250.12:4789")
    }
}

/// The second: the tenant alone.
fn plain() -> Row {
    Row {
        exporter: "192.0.2.2".parse().unwrap(),
        ..Row::new(CLIENT, SERVER)
    }
}

#[test]
fn the_same_traffic_wrapped_and_plain_is_counted_once() {
    let accounting = |rows: &[Row]| -> Vec<bool> {
        let records = records(&mut normaliser(), rows);
        records.iter().map(|row| row.accounting.unwrap()).collect()
    };
    let (there, back) = (wrapped(), wrapped().reversed());
    let (plain_there, plain_back) = (plain(), plain().reversed());
    let rows = [&there, &plain_there, &plain_back, &back, &there].map(Clone::clone);
    assert_eq!(accounting(&rows), [true, false, true, false, true]);
    // Another tenant flow between the same tunnel ends is another conversation, even with the same outer port.
    let other = Row {
        exporter: "192.0.2.3".parse().unwrap(),
        inner: inside("10.20.20.12:40000", SERVER),
        ..wrapped()
    };
    assert_eq!(accounting(&[there, other]), [true, true]);
}

#[test]
fn the_tenant_has_its_application_and_its_sites() {
    let rules = r#"
        application = [{ name = "orders database", servers = ["10.20.30.0/24"], ports = ["5432/tcp"] }]
        site = [
            { name = "fabric", subnets = ["10.20.250.0/24"] },
            { name = "hall 1", subnets = ["10.20.20.0/24"] },
            { name = "hall 2", subnets = ["10.20.30.0/24"] },
        ]
    "#;
    for row in [wrapped(), wrapped().reversed()] {
        let record = &records(&mut with_rules(rules), std::slice::from_ref(&row))[0];
        assert_eq!(record.application.as_deref(), Some("orders database"));
        assert_eq!(record.client_site.as_deref(), Some("hall 1"));
        assert_eq!(record.server_site.as_deref(), Some("hall 2"));
        let sides = (record.src_addr, record.inner_src_addr);
        assert_eq!(
            sides,
            (Some(row.src.ip()), row.inner.map(|inner| inner.0.ip()))
        );
    }
    // Without rules the registry knows the inner port.
    let named = application(&mut normaliser(), &wrapped().reversed());
    assert_eq!(
        named,
        (Some("postgresql".into()), ApplicationSource::Registry)
    );
}

#[test]
fn the_client_is_the_end_behind_which_the_inner_client_is() {
    let near: IpAddr = "10.20.250.11".parse().unwrap();
    for (row, flags, evidence) in [
        (wrapped(), Some(SYN), ClientEvidence::Syn),
        (wrapped(), Some(WHOLE), ClientEvidence::Service),
        (wrapped().reversed(), None, ClientEvidence::Service),
    ] {
        let row = Row { flags, ..row };
        assert_eq!(client(&mut normaliser(), &row), (near, evidence));
    }
    // The tunnel's own port is at the destination whoever asks: it says nothing.
    let answer = Row {
        inner: inside(SERVER, CLIENT),
        ..wrapped()
    };
    let (client, _) = client(&mut normaliser(), &answer);
    assert_eq!(client, answer.dst.ip());
}

#[test]
fn a_conversation_keeps_its_client_on_both_sides_of_the_wrapping() {
    let mut normaliser = normaliser();
    let opening = Row {
        flags: Some(SYN),
        ..Row::new("10.0.0.1:443", "10.0.0.2:50000")
    };
    let wrapped = Row {
        inner: inside("10.0.0.2:50000", "10.0.0.1:443"),
        ..wrapped()
    };
    assert_eq!(client(&mut normaliser, &opening).0, opening.src.ip());
    // The answer, in the tunnel: its inner destination opened the connection.
    assert_eq!(
        client(&mut normaliser, &wrapped),
        (wrapped.dst.ip(), ClientEvidence::Syn)
    );
}

#[test]
fn icmp_inside_has_no_ports() {
    let ping = |inner_port: u16, exporter: &str| Row {
        exporter: exporter.parse().unwrap(),
        inner: Some((
            "10.0.0.1:0".parse().unwrap(),
            SocketAddr::new("10.0.0.2".parse().unwrap(), inner_port),
            1,
        )),
        ..wrapped()
    };
    let plain = Row {
        protocol: 1,
        ..Row::new("10.0.0.1:0", "10.0.0.2:2048")
    };
    let rows = [ping(2048, "192.0.2.8"), ping(0, "192.0.2.9"), plain];
    let records = records(&mut normaliser(), &rows);
    let counted = records.iter().map(|row| row.accounting.unwrap());
    assert_eq!(counted.collect::<Vec<_>>(), [true, false, false]);
    assert!(
        records
            .iter()
            .all(|row| row.application.as_deref() == Some("icmp"))
    );
}

#[test]
fn without_both_inner_addresses_the_outside_counts() {
    let rows = [("0.0.0.0:0", "0.0.0.0:0"), ("[::]:0", "[::]:0")];
    let zeros = rows.map(|(src, dst)| Row {
        inner: inside(src, dst),
        ..wrapped()
    });
    let none = Row {
        inner: None,
        ..wrapped()
    };
    for row in zeros.into_iter().chain([none]) {
        let named = application(&mut normaliser(), &row);
        assert_eq!(named, (Some("vxlan".into()), ApplicationSource::Registry));
    }
    // And a row that has nothing but its inside is a conversation of its own.
    let only_inside = Row {
        inner: inside(CLIENT, SERVER),
        ..Row::new("[::]:0", "[::]:0")
    };
    let named = application(&mut normaliser(), &only_inside);
    assert_eq!(
        named,
        (Some("postgresql".into()), ApplicationSource::Registry)
    );
}
