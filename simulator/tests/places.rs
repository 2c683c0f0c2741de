//! What records and options data say of places: interfaces, tunnels, samplers, names.

#![allow(
    clippy::unwrap_used,
    reason = "the helpers of tests may fail like tests"
)]

mod oracle;

use std::net::IpAddr;
use std::time::Duration;

use flow::{Datagram, Timestamp};
use netflow_parser::NetflowParser;
use oracle::{Heard, Oracle};
use simulator::enterprise::{Config, Enterprise};

const START: Timestamp = Timestamp::from_seconds(1_760_000_000);

fn exporter(host: u8) -> IpAddr {
    IpAddr::from([10, 250, 0, host])
}

fn played() -> Vec<Datagram> {
    let mut datagrams = Vec::new();
    let config = Config {
        users: 80,
        ..Config::new(5, START)
    };
    Enterprise::new(config).advance(START + Duration::from_secs(120), &mut |one| {
        datagrams.push(one)
    });
    datagrams
}

fn heard_by(host: u8) -> Vec<Heard> {
    let mut oracle = Oracle::default();
    for datagram in played()
        .iter()
        .filter(|one| one.source.ip() == exporter(host))
    {
        oracle.listen(datagram);
    }
    oracle.heard.remove(&exporter(host)).unwrap()
}

fn inside(address: Option<IpAddr>, prefix: &str) -> bool {
    address.unwrap().to_string().starts_with(prefix)
}

/// Packets go in where their source is and out where their destination is. Uplinks are 10, what is
/// towards the desks is 11; dc-core has the leaf at 10, the wide area at 11 and the edge at 12.
#[test]
fn interfaces_lie_on_the_way() {
    let mut checked = 0;
    for (host, desks, others) in [(2, 11, 10), (4, 11, 10), (3, 11, 10)] {
        let here = if host == 2 {
            "10.1."
        } else if host == 3 {
            "10.2."
        } else {
            "10.3."
        };
        for one in heard_by(host) {
            let (src, dst) = (inside(one.src, here), inside(one.dst, here));
            if src == dst {
                continue;
            }
            let expected = if src {
                (desks, others)
            } else {
                (others, desks)
            };
            assert_eq!((one.in_interface, one.out_interface), expected, "{one:?}");
            checked += 1;
        }
    }
    for one in heard_by(5)
        .iter()
        .filter(|one| inside(one.src, "10.1.") && inside(one.dst, "198."))
    {
        assert_eq!((one.in_interface, one.out_interface), (11, 12), "{one:?}");
        checked += 1;
    }
    assert!(checked > 300, "{checked}");
}

/// The application servers are behind the first virtual switch, 10.20.250.11; the databases behind the second.
#[test]
fn tunnels_begin_where_their_hosts_are() {
    let (first, second) = (
        IpAddr::from([10, 20, 250, 11]),
        IpAddr::from([10, 20, 250, 12]),
    );
    let all = heard_by(7);
    let tunnelled: Vec<_> = all.iter().filter(|one| one.outer.is_some()).collect();
    assert!(tunnelled.len() > 50 && all.len() > tunnelled.len());
    for one in tunnelled {
        let from_application = inside(one.src, "10.20.20.") && inside(one.dst, "10.20.30.");
        let from_database = inside(one.src, "10.20.30.") && inside(one.dst, "10.20.20.");
        assert!(from_application != from_database, "{one:?}");
        let ends = if from_application {
            (first, second)
        } else {
            (second, first)
        };
        assert_eq!(one.outer, Some(ends));
        let server_port = if from_application {
            one.dst_port
        } else {
            one.src_port
        };
        assert_eq!(server_port, 5432);
    }
    // The other switch says the same without the tunnel.
    assert!(heard_by(8).iter().all(|one| one.outer.is_none()));
}

/// The first datagrams of an exporter as JSON: options data comes right behind the templates.
fn told_at_first(host: u8) -> String {
    let mut parser = NetflowParser::default();
    let datagrams = played();
    let mine = datagrams
        .iter()
        .filter(|one| one.source.ip() == exporter(host));
    let told = mine.take(3).map(|one| {
        let packets = parser.parse_bytes(&one.payload).packets;
        serde_json::to_string(&packets).unwrap()
    });
    told.collect()
}

#[test]
fn options_data_names_samplers_interfaces_vrfs_and_applications() {
    let edge = told_at_first(9);
    let sampler = r#"["FlowSamplerRandomInterval",{"DataNumber":{"U32":100}}]"#;
    let core = told_at_first(5);
    let branch = told_at_first(4);
    // The other decoder has no name for element 236 and shows its octets: "corporate" in ASCII.
    let vrf = r#"{"IanaAssigned":236},{"Vec":[99,111,114,112,111,114,97,116,101,0"#;
    for (told, name) in [
        (&edge, sampler),
        (&edge, "GigabitEthernet0/0/0"),
        (&edge, "cloud-gw"),
        (&core, vrf),
        (&branch, "web shop"),
        (&branch, "orders database"),
        (&branch, "GigabitEthernet0/0/1"),
    ] {
        assert!(told.contains(name), "{name}: {told}");
    }
}

/// The virtual switches say that they look at every packet: by interval, or by packets taken and left out.
#[test]
fn sampling_of_one_in_one_is_said_in_two_ways() {
    let vmware = told_at_first(7);
    let interval = r#"{"IANA":"SamplingInterval"},{"DataNumber":{"U32":1}}"#;
    assert!(vmware.contains(interval), "{vmware}");
    let ovs = told_at_first(8);
    for said in [
        r#"{"IANA":"SamplingPacketInterval"},{"DataNumber":{"U32":1}}"#,
        r#"{"IANA":"SamplingPacketSpace"},{"DataNumber":{"U32":0}}"#,
    ] {
        assert!(ovs.contains(said), "{ovs}");
    }
}
