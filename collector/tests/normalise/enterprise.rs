//! The decoder and the normaliser over a simulated enterprise, of which every packet is known.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::LazyLock;
use std::time::Duration;

use collector::decode::{DecodeConfig, Decoder};
use collector::fields::FieldTable;
use collector::normalise::{NormaliseConfig, Normaliser};
use flow::{FlowBatch, FlowRecord, TapePosition, Timestamp};
use simulator::enterprise::{Config, Enterprise, Truth};

use crate::rows::START_S;

/// The one exporter that samples, and the two virtual switches at the ends of the tunnel.
const EDGE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 250, 0, 9));
const VSWITCH_1: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 250, 0, 7));
const VSWITCH_2: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 250, 0, 8));

/// Octets and packets.
type Sum = (u64, u64);

/// The lower end, the higher end, the protocol: a conversation, whichever way.
type Ends = ((IpAddr, u16), (IpAddr, u16), u8);

struct Day {
    records: Vec<FlowRecord>,
    truth: Truth,
    /// What each conversation truly sent.
    sent: BTreeMap<Ends, Sum>,
    /// Applications of which something crosses the exporter that samples.
    sampled: BTreeSet<String>,
}

static DAY: LazyLock<Day> = LazyLock::new(day);

/// Twenty minutes without loss: what one exporter sees of a conversation, all see.
fn day() -> Day {
    let start = Timestamp::from_seconds(START_S);
    let mut enterprise = Enterprise::new(Config {
        users: 60,
        noise: false,
        keep_conversations: true,
        ..Config::new(11, start)
    });
    let mut datagrams = Vec::new();
    let end = start + Duration::from_secs(1200);
    enterprise.advance(end, &mut |datagram| datagrams.push(datagram));
    enterprise.finish(&mut |datagram| datagrams.push(datagram));
    let mut decoder = Decoder::new(DecodeConfig::default(), FieldTable::builtin());
    let mut normaliser = Normaliser::new(NormaliseConfig::default(), &enterprise.rules());
    let mut batch = FlowBatch::default();
    for (offset, datagram) in (0..).zip(&datagrams) {
        let (segment, first) = (0, batch.rows());
        decoder.decode(datagram, TapePosition { segment, offset }, &mut batch);
        normaliser.normalise(&mut batch, first);
    }
    batch.pad();
    let (mut sent, mut sampled) = (BTreeMap::<Ends, Sum>::new(), BTreeSet::new());
    for one in enterprise.conversations() {
        let (client, server) = ((one.client, one.client_port), (one.server, one.server_port));
        let sum = sent.entry(ends(client, server, one.protocol)).or_default();
        for way in one.sent_within(Timestamp::EPOCH, Timestamp::MAX) {
            *sum = (sum.0 + way.octets, sum.1 + way.packets);
        }
        if one.exporters.contains(&EDGE) {
            sampled.insert(one.application.to_owned());
        }
    }
    Day {
        records: (0..batch.rows()).map(|row| batch.record(row)).collect(),
        truth: enterprise.truth(),
        sent,
        sampled,
    }
}

/// Exporters put an ICMP message's type where ports are.
fn ends(one: (IpAddr, u16), other: (IpAddr, u16), protocol: u8) -> Ends {
    let port = |port| if protocol == 1 { 0 } else { port };
    let (one, other) = ((one.0, port(one.1)), (other.0, port(other.1)));
    (one.min(other), one.max(other), protocol)
}

/// The tenant's, where the record looks into a tunnel.
fn ends_of(record: &FlowRecord) -> Ends {
    let end = |address: Option<IpAddr>, port: Option<u16>| (address.unwrap(), port.unwrap_or(0));
    let (one, other, protocol) = if record.inner_src_addr.is_some() {
        (
            end(record.inner_src_addr, record.inner_src_port),
            end(record.inner_dst_addr, record.inner_dst_port),
            record.inner_protocol,
        )
    } else {
        (
            end(record.src_addr, record.src_port),
            end(record.dst_addr, record.dst_port),
            record.protocol,
        )
    };
    ends(one, other, protocol.unwrap())
}

fn counted() -> impl Iterator<Item = &'static FlowRecord> {
    DAY.records
        .iter()
        .filter(|row| row.accounting == Some(true))
}

fn sums<'a, K: Ord>(
    records: impl Iterator<Item = &'a FlowRecord>,
    key: impl Fn(&FlowRecord) -> K,
    scaled: bool,
) -> BTreeMap<K, Sum> {
    let mut sums = BTreeMap::<K, Sum>::new();
    for record in records {
        let factor = match record.sampling_interval {
            Some(interval) if scaled => u64::from(interval),
            _ => 1,
        };
        let both = |there: Option<u64>, back: Option<u64>| there.unwrap_or(0) + back.unwrap_or(0);
        let sum = sums.entry(key(record)).or_default();
        sum.0 += factor * both(record.octets, record.reverse_octets);
        sum.1 += factor * both(record.packets, record.reverse_packets);
    }
    sums
}

fn application(record: &FlowRecord) -> String {
    record.application.clone().unwrap_or_default()
}

#[test]
fn every_exporters_records_have_their_application() {
    let said = sums(
        DAY.records.iter(),
        |record| (record.exporter, application(record)),
        false,
    );
    let mut truth = BTreeMap::new();
    for (address, exporter) in &DAY.truth.exporters {
        for (name, traffic) in &exporter.reported_by_application {
            truth.insert((*address, name.clone()), (traffic.octets, traffic.packets));
        }
    }
    assert_eq!(said, truth);
}

#[test]
fn each_application_is_counted_once_over_all_exporters() {
    let counted = sums(counted(), application, true);
    let busy = DAY
        .truth
        .applications
        .iter()
        .filter(|(_, truth)| truth.conversations > 0);
    let mut exact = BTreeSet::new();
    for (name, truth) in busy.clone() {
        let mut sent = truth.to_server.sent;
        sent += truth.to_client.sent;
        if !DAY.sampled.contains(name) {
            assert_eq!(counted[name], (sent.octets, sent.packets), "{name}");
            exact.insert(name.as_str());
        }
    }
    let names: BTreeSet<_> = busy.map(|(name, _)| name).collect();
    assert_eq!(counted.keys().collect::<BTreeSet<_>>(), names);
    for name in [
        "orders database",
        "orders",
        "web shop front",
        "dns",
        "voice",
    ] {
        assert!(exact.contains(name), "{name}: {exact:?}");
    }
}

#[test]
fn each_conversation_is_counted_once_unless_a_sample_of_it_came_first() {
    let counted_ends = sums(counted(), ends_of, true);
    let by_sample: BTreeSet<_> = counted()
        .filter(|row| row.exporter == EDGE)
        .map(ends_of)
        .collect();
    let of_samples = |ends: &Ends| by_sample.contains(ends);
    assert_eq!(counted_ends.len(), DAY.sent.len());
    for (ends, sent) in DAY.sent.iter().filter(|(ends, _)| !of_samples(ends)) {
        assert_eq!(counted_ends[ends], *sent, "{ends:?}");
    }
    // Nearly every conversation, those over the sampling exporter included, which rarely speaks first.
    assert!(by_sample.len() * 20 < DAY.sent.len(), "{}", by_sample.len());
}

#[test]
fn the_tunnel_between_the_virtual_switches_is_no_application() {
    let of = |exporter: IpAddr| {
        let rows = DAY
            .records
            .iter()
            .filter(move |row| row.exporter == exporter);
        rows.filter(|row| row.application.as_deref() == Some("orders database"))
    };
    let (wrapped, plain): (Vec<_>, Vec<_>) = (of(VSWITCH_1).collect(), of(VSWITCH_2).collect());
    assert!(wrapped.len() > 100 && plain.len() > 100);
    for row in &wrapped {
        // The tunnel's ends outside; which is the client's side follows the tenant inside.
        assert_eq!((row.protocol, row.dst_port), (Some(17), Some(4789)));
        let server = if row.src_is_client == Some(true) {
            (row.inner_dst_addr, row.inner_dst_port)
        } else {
            (row.inner_src_addr, row.inner_src_port)
        };
        let (Some(IpAddr::V4(address)), port) = server else {
            panic!("{row:?}");
        };
        assert_eq!(
            (&address.octets()[..3], port),
            (&[10, 20, 30][..], Some(5432))
        );
    }
    assert!(plain.iter().all(|row| row.inner_src_addr.is_none()));
    let total = |rows: &[&FlowRecord]| rows.iter().filter_map(|row| row.octets).sum::<u64>();
    assert_eq!(total(&wrapped), total(&plain));
}
