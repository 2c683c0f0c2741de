//! The decoder beside `netflow_parser`, on captures and on generated packets; and on octets that are no packets.

use std::net::IpAddr;

use flow::{Datagram, FlowBatch, FlowRecord};
use netflow_parser::variable_versions::ipfix::FlowSetBody as IpfixBody;
use netflow_parser::variable_versions::ipfix::lookup::{IANAIPFixField, IPFixField};
use netflow_parser::variable_versions::v9::FlowSetBody as V9Body;
use netflow_parser::{FieldValue, NetflowPacket, NetflowParser, RouterScopedParser, V9Field};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::Value;

use crate::support::{captures, datagrams, decode, decoder, position};
use crate::wire::{datagram, ipfix, set, template, v5, v9};

/// Who, to whom, which ports, octets.
type Key = (
    Option<IpAddr>,
    Option<IpAddr>,
    Option<u16>,
    Option<u16>,
    Option<u64>,
);

/// Its records of these datagrams, keyed as we key them; `None` if it refuses any of them.
fn theirs(datagrams: &[Datagram]) -> Option<Vec<Key>> {
    let builder = NetflowParser::builder().with_max_records_per_flowset(65_535);
    let mut parser = RouterScopedParser::try_with_builder(builder).unwrap();
    let mut keys = Vec::new();
    for datagram in datagrams {
        let version = u16::from_be_bytes([*datagram.payload.first()?, *datagram.payload.get(1)?]);
        let domain_at = match version {
            9 => 16,
            10 => 12,
            _ => 0,
        };
        let domain = datagram.payload.get(domain_at..domain_at + 4)?.to_vec();
        let scope = (datagram.source.ip(), version, domain);
        let result = parser.parse_from_source(scope, &datagram.payload);
        if result.error.is_some() {
            return None;
        }
        for packet in &result.packets {
            their_keys(packet, &mut keys);
        }
    }
    Some(keys)
}

fn key(record: &FlowRecord) -> Key {
    let FlowRecord {
        src_addr,
        dst_addr,
        src_port,
        dst_port,
        octets,
        ..
    } = record;
    (*src_addr, *dst_addr, *src_port, *dst_port, *octets)
}

fn their_keys(packet: &NetflowPacket, keys: &mut Vec<Key>) {
    match packet {
        NetflowPacket::V5(packet) => keys.extend(packet.flowsets.iter().map(|flow| {
            let (source, destination) = (flow.src_addr.into(), flow.dst_addr.into());
            let octets = u64::from(flow.d_octets);
            (
                Some(source),
                Some(destination),
                Some(flow.src_port),
                Some(flow.dst_port),
                Some(octets),
            )
        })),
        NetflowPacket::V7(packet) => keys.extend(packet.flowsets.iter().map(|flow| {
            let (source, destination) = (flow.src_addr.into(), flow.dst_addr.into());
            let octets = u64::from(flow.d_octets);
            (
                Some(source),
                Some(destination),
                Some(flow.src_port),
                Some(flow.dst_port),
                Some(octets),
            )
        })),
        NetflowPacket::V9(packet) => {
            for set in &packet.flowsets {
                if let V9Body::Data(data) = &set.body {
                    keys.extend(data.fields.iter().map(|record| {
                        key_of(|id| {
                            Some(
                                &record
                                    .iter()
                                    .find(|(field, _)| *field == V9Field::from(id))?
                                    .1,
                            )
                        })
                    }));
                }
            }
        }
        NetflowPacket::IPFix(packet) => {
            for set in &packet.flowsets {
                if let IpfixBody::Data(data) = &set.body {
                    keys.extend(data.fields.iter().map(|record| {
                        key_of(|id| {
                            let wanted = IPFixField::IANA(IANAIPFixField::from(id));
                            Some(&record.iter().find(|(field, _)| *field == wanted)?.1)
                        })
                    }));
                }
            }
        }
        _ => {}
    }
}

fn key_of<'a>(find: impl Fn(u16) -> Option<&'a FieldValue>) -> Key {
    let address = |v4, v6| {
        let found = |id| find(id).and_then(|value| IpAddr::try_from(value).ok());
        found(v4).or(found(v6))
    };
    let port = |id| {
        find(id)
            .and_then(FieldValue::as_u64)
            .and_then(|port| u16::try_from(port).ok())
    };
    let octets = find(1).and_then(FieldValue::as_u64);
    (address(8, 27), address(12, 28), port(7), port(11), octets)
}

#[test]
fn captures_that_both_decode_have_the_same_flows() {
    let Some(folder) = captures() else { return };
    let text = std::fs::read_to_string(folder.join("manifest.json")).unwrap();
    let manifest: Vec<Value> = serde_json::from_str(&text).unwrap();
    let mut compared = 0;
    for capture in &manifest {
        let path = capture["path"].as_str().unwrap();
        let Some(exact) = capture["records_expected"]["exact"].as_u64() else {
            continue;
        };
        let datagrams = datagrams(path);
        let Some(mut theirs) = theirs(&datagrams) else {
            continue;
        };
        let (_, batch) = decode(&datagrams);
        // Where it loses records or counts options among them, the manifest's number is on our side.
        if theirs.len() as u64 != exact || exact == 0 {
            continue;
        }
        let mut ours: Vec<_> = (0..batch.rows())
            .map(|row| key(&batch.record(row)))
            .collect();
        // What another element or a frame told us is no claim of theirs.
        for (ours, theirs) in ours.iter_mut().zip(&theirs) {
            ours.0 = ours.0.filter(|_| theirs.0.is_some());
            ours.1 = ours.1.filter(|_| theirs.1.is_some());
            ours.2 = ours.2.filter(|_| theirs.2.is_some());
            ours.3 = ours.3.filter(|_| theirs.3.is_some());
            ours.4 = ours.4.filter(|_| theirs.4.is_some());
        }
        // Which of two families a record of both fills is told by zeros here, and not there.
        let same_family = |a: &Key, b: &Key| {
            a.0.is_some_and(|address| address.is_ipv4())
                == b.0.is_some_and(|address| address.is_ipv4())
        };
        let mut pairs: Vec<_> = ours.iter().zip(theirs.iter_mut()).collect();
        pairs.retain(|(ours, theirs)| same_family(ours, theirs));
        for (ours, theirs) in &pairs {
            let families = ours.1.map(|it| it.is_ipv4()) == theirs.1.map(|it| it.is_ipv4());
            assert!(
                !families || **ours == **theirs,
                "{path}: {ours:?} and {theirs:?}"
            );
        }
        compared += pairs.len();
    }
    assert!(compared > 8_000, "only {compared} records were compared");
}

/// Fields that both read: id, lengths, and the column.
type Known = (u16, &'static [u16], fn(&FlowBatch, usize) -> Option<u64>);

const NUMBERS: &[Known] = &[
    (1, &[1, 2, 4, 8], |batch, row| batch.columns.octets.get(row)),
    (2, &[1, 2, 4, 8], |batch, row| {
        batch.columns.packets.get(row)
    }),
    (7, &[2], |batch, row| {
        batch.columns.src_port.get(row).map(Into::into)
    }),
    (11, &[2], |batch, row| {
        batch.columns.dst_port.get(row).map(Into::into)
    }),
    (10, &[2, 4], |batch, row| {
        batch.columns.in_interface.get(row).map(Into::into)
    }),
    (14, &[1, 2, 3, 4], |batch, row| {
        batch.columns.out_interface.get(row).map(Into::into)
    }),
    (16, &[2, 4], |batch, row| {
        batch.columns.src_as.get(row).map(Into::into)
    }),
    (17, &[2, 4], |batch, row| {
        batch.columns.dst_as.get(row).map(Into::into)
    }),
    (5, &[1], |batch, row| {
        batch.columns.tos.get(row).map(Into::into)
    }),
    (9, &[1], |batch, row| {
        batch.columns.src_mask.get(row).map(Into::into)
    }),
    (58, &[2], |batch, row| {
        batch.columns.vlan.get(row).map(Into::into)
    }),
    (148, &[4, 8], |batch, row| batch.columns.flow_id.get(row)),
    (52, &[1], |batch, row| {
        batch.columns.min_ttl.get(row).map(Into::into)
    }),
];

const ADDRESSES: &[(u16, u16)] = &[(8, 4), (27, 16)];

/// A template of some of the known fields in any order, and the records' octets.
fn generated() -> impl Strategy<Value = (Vec<(u16, u16)>, Vec<u8>, usize)> {
    let numbers = proptest::sample::subsequence(NUMBERS.to_vec(), 1..=NUMBERS.len()).prop_shuffle();
    (
        numbers,
        select(ADDRESSES),
        any::<[Index; 16]>(),
        1..20_usize,
    )
        .prop_flat_map(|(numbers, address, choices, records)| {
            let mut fields: Vec<_> = numbers
                .iter()
                .zip(choices)
                .map(|((id, lengths, _), choice)| (*id, *choice.get(lengths)))
                .collect();
            fields.insert(fields.len() / 2, address);
            let length: usize = fields.iter().map(|(_, length)| usize::from(*length)).sum();
            let octets = proptest::collection::vec(any::<u8>(), length * records);
            (Just(fields), octets, Just(records))
        })
}

/// The other decoder's value of one field of one record.
fn number(value: &FieldValue) -> Option<u64> {
    value.as_u64()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn generated_v9_reads_alike((fields, octets, records) in generated()) {
        let packet = v9(1, 7, &[set(0, &template(300, &fields)), set(300, &octets)]);
        let mut parser = NetflowParser::default();
        let result = parser.parse_bytes(&packet);
        let (_, batch) = decode(&[datagram(packet)]);
        let Some(NetflowPacket::V9(parsed)) = result.packets.first() else { panic!("v9") };
        let theirs: Vec<_> = parsed.flowsets.iter().filter_map(|set| match &set.body {
            V9Body::Data(data) => Some(&data.fields),
            _ => None,
        }).flatten().collect();
        // Octets left over may look like a record more where the records are short.
        prop_assert_eq!(batch.rows(), records);
        prop_assert!(theirs.len() >= records || octets.len() % 4 != 0);
        for (row, record) in theirs.iter().take(records).enumerate() {
            for (id, _, ours) in NUMBERS.iter().filter(|known| fields.iter().any(|field| field.0 == known.0)) {
                let found = record.iter().find(|(field, _)| *field == V9Field::from(*id));
                let Some(value) = found.and_then(|(_, value)| number(value)) else { continue };
                prop_assert_eq!(ours(&batch, row), Some(value), "field {}", id);
            }
        }
    }

    #[test]
    fn generated_ipfix_reads_alike((fields, octets, records) in generated()) {
        let packet = ipfix(1, 7, &[set(2, &template(300, &fields)), set(300, &octets)]);
        let mut parser = NetflowParser::default();
        let result = parser.parse_bytes(&packet);
        let (_, batch) = decode(&[datagram(packet)]);
        let Some(NetflowPacket::IPFix(parsed)) = result.packets.first() else { panic!("ipfix") };
        let theirs: Vec<_> = parsed.flowsets.iter().filter_map(|set| match &set.body {
            IpfixBody::Data(data) => Some(&data.fields),
            _ => None,
        }).flatten().collect();
        prop_assert_eq!(batch.rows(), records);
        prop_assert_eq!(theirs.len(), records);
        for (row, record) in theirs.iter().enumerate() {
            for (id, _, ours) in NUMBERS.iter().filter(|known| fields.iter().any(|field| field.0 == known.0)) {
                let wanted = IPFixField::IANA(IANAIPFixField::from(*id));
                let found = record.iter().find(|(field, _)| *field == wanted);
                let Some(value) = found.and_then(|(_, value)| number(value)) else { continue };
                prop_assert_eq!(ours(&batch, row), Some(value), "field {}", id);
            }
        }
    }

    #[test]
    fn any_octets_are_survived_and_accounted_for(
        packets in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 1..8),
        version in select(vec![1_u8, 5, 7, 8, 9, 10]),
    ) {
        let datagrams: Vec<_> = packets.into_iter().map(|mut packet| {
            if packet.len() > 1 {
                (packet[0], packet[1]) = (0, version);
            }
            datagram(packet)
        }).collect();
        decode(&datagrams);
    }

    #[test]
    fn broken_packets_are_survived_and_accounted_for(
        (fields, octets, _) in generated(),
        damage in proptest::collection::vec((any::<Index>(), any::<u8>()), 1..6),
        cut in any::<Index>(),
    ) {
        for packet in [
            v9(1, 7, &[set(0, &template(300, &fields)), set(300, &octets)]),
            ipfix(1, 7, &[set(2, &template(300, &fields)), set(300, &octets)]),
            v5(1, 3, 3, 0),
        ] {
            let mut broken = packet.clone();
            for (at, octet) in &damage {
                let at = at.index(broken.len());
                broken[at] = *octet;
            }
            let mut short = packet;
            short.truncate(cut.index(short.len()));
            let (decoder, _) = decode(&[datagram(broken), datagram(short)]);
            let state = serde_json::to_string(&decoder.state()).unwrap();
            prop_assert!(serde_json::from_str::<collector::decode::DecoderState>(&state).is_ok());
        }
    }
}

/// The same datagrams give the same rows after a restart between any two of them.
#[test]
fn a_restart_anywhere_changes_no_row() {
    if captures().is_none() {
        return;
    }
    for path in [
        "beats-netflow/pcap/ipfix_cisco.reversed.pcap",
        "bundles/akvorado-multiplesamplingrates.pcap",
        "graylog-plugin-netflow/nprobe-netflow9-4.pcap",
        "generated/ovs-ipfix.pcap",
    ] {
        let datagrams = datagrams(path);
        let (_, whole) = decode(&datagrams);
        let mut batch = FlowBatch::default();
        let mut decoder = decoder();
        for (index, datagram) in datagrams.iter().enumerate() {
            let state = serde_json::to_string(&decoder.state()).unwrap();
            let state: collector::decode::DecoderState = serde_json::from_str(&state).unwrap();
            let waiting: Vec<_> = state
                .waiting_positions()
                .map(|at| (at, datagrams[at.offset as usize].clone()))
                .collect();
            decoder = collector::decode::Decoder::restore(
                collector::decode::DecodeConfig::default(),
                collector::fields::FieldTable::builtin(),
                state,
                waiting,
            );
            decoder.decode(datagram, position(index), &mut batch);
        }
        batch.pad();
        assert_eq!(batch.rows(), whole.rows(), "{path}");
        for row in 0..whole.rows() {
            assert_eq!(batch.record(row), whole.record(row), "{path} row {row}");
        }
    }
}
