//! Every condition of the filter language, in SQL as in the vocabulary's own evaluation.

use flow::{Filter, FlowBatch};
use store::question::Flows;

use crate::places::servers;
use crate::rows::{Row, batch, subject};

const FILTERS: &[&str] = &[
    "",
    "app web",
    "not app web",
    "app web or site paris",
    "client site berlin and not server site paris",
    "site berlin",
    "not site berlin",
    "exporter core-1",
    "not exporter core-1",
    "exporter 192.0.2.0/25",
    "exporter 192.0.2.3",
    "ip 10.1.0.1",
    "src ip 10.1.0.1",
    "dst ip 10.1.0.1",
    "client ip 10.1.0.1",
    "server net 10.2.0.0/16",
    "not client net 10.0.0.0/8",
    "net 2001:db8::/32",
    "net ::/0",
    "net 0.0.0.0/0",
    "ip in [10.1.0.1, 2001:db8::2, 10.9.0.0/16]",
    "port 443",
    "src port 443",
    "dst port > 1023",
    "client port >= 50000",
    "port != 443",
    "not port 443",
    "port in [53, 400-500]",
    "not src port in [53, 400-500]",
    "tcp",
    "proto udp",
    "flags S",
    "flags S/SA",
    "not flags S",
    "if 1",
    "in if 2",
    "out if eth9",
    "not if 1",
    // A name that nobody gave differs from every name.
    "not app mail",
    "not client site paris",
    "not exporter core-2",
    "not in if eth9",
    "not out if eth9",
    "not if eth9",
    "not (exporter core-1 and site berlin)",
    "src as 64500",
    "as 64501",
    "next hop 10.255.0.1",
    "mac 02:00:5e:10:00:01",
    "src mac 02:00:5e:10:00:01",
    "icmp-type 3",
    "icmp-type 3 code 1",
    "octets > 1500",
    "not octets > 1500",
    "packets <= 10",
    "duration >= 500ms",
    "duration < 1s",
    "tos 184",
    "dscp 46",
    "vlan 100",
    "vni 5000",
    "domain 0",
    "version 9",
    "ttl < 64",
    "sampling 10",
    "end reason 2",
    "firewall event 3",
    "nat event 1",
    "feed 0",
    "ipv4",
    "ipv6",
    "not ipv4",
    "(app web and octets > 1500) or not (proto tcp or sampling 10)",
];

/// Records that differ in everything that a filter can ask for; many fields are absent in most.
fn various() -> FlowBatch {
    let mut batch = batch(&[
        Row::default(),
        Row {
            source: "10.2.0.1",
            source_port: 443,
            destination: "10.1.0.1",
            destination_port: 50_000,
            src_is_client: false,
            octets: 2000,
            interfaces: (Some(2), Some(1)),
            ..Row::default()
        },
        Row {
            source: "2001:db8::1",
            destination: "2001:db8::2",
            destination_port: 53,
            protocol: 17,
            sampling: Some(10),
            reverse: Some((900, 4)),
            application: "",
            sites: ("", "berlin"),
            exporter: "192.0.2.3",
            exporter_name: "",
            interfaces: (None, None),
            ..Row::default()
        },
        Row {
            application: "mail",
            sites: ("paris", ""),
            exporter: "192.0.2.200",
            end: 0.4,
            ..Row::default()
        },
    ]);
    let columns = &mut batch.columns;
    columns.tcp_flags.set(0, 0x02);
    columns.tcp_flags.set(1, 0x12);
    columns.src_as.set(0, 64_500);
    columns.dst_as.set(1, 64_501);
    columns
        .next_hop
        .set(1, "::ffff:10.255.0.1".parse().unwrap());
    columns.src_mac.set(0, 0x0200_5e10_0001);
    columns.dst_mac.set(1, 0x0200_5e10_0001);
    columns.icmp_type_code.set(2, 0x0301);
    columns.icmp_type_code.set(3, 0x0304);
    columns.tos.set(0, 184);
    columns.vlan.set(0, 100);
    columns.vni.set(0, 5000);
    columns.min_ttl.set(0, 63);
    columns.min_ttl.set(1, 64);
    columns.end_reason.set(0, 2);
    columns.firewall_event.set(1, 3);
    columns.nat_event.set(1, 1);
    // A record without ends, ports or counters.
    columns.src_addr.clear_row(3);
    columns.dst_addr.clear_row(3);
    columns.src_port.clear_row(3);
    columns.dst_port.clear_row(3);
    columns.octets.clear_row(3);
    columns.end.clear_row(2);
    batch.enrichment.out_interface_name.set_text(3, "eth9");
    batch.pad();
    batch
}

#[tokio::test]
async fn the_store_finds_what_the_vocabulary_finds() {
    let rows = various();
    for place in servers().await {
        let stored_at = flow::clock::now();
        let refused = place
            .store
            .writer("here")
            .insert(&rows, "a", stored_at)
            .await
            .unwrap();
        assert_eq!(refused.rows, 0);
        for text in FILTERS {
            let filter = Filter::parse(text).unwrap();
            let mut expected: Vec<String> = (0..rows.rows())
                .filter(|row| filter.expr().matches(&rows, *row))
                .map(|row| rows.position(row).to_string())
                .collect();
            let question = Flows {
                subject: subject(-60.0, 60.0, text),
                limit: 10,
            };
            let found = place.store.flows(&question).await;
            let found = found.unwrap_or_else(|error| panic!("{text}: {error}"));
            let mut found: Vec<String> = found
                .flows
                .into_iter()
                .map(|flow| flow.tape_position)
                .collect();
            expected.sort();
            found.sort();
            assert_eq!(found, expected, "{text}");
        }
    }
}
