//! Cases 42 and 43: who sends too much, or too many, pays alone.

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use collector::decode::{DecodeConfig, Decoder, DecoderState, Problem};
use collector::fields::FieldTable;
use collector::listen::{ListenConfig, Listener, queue};
use flow::clock::NANOS_PER_SECOND;
use flow::{Datagram, DropKind, FlowBatch, TapePosition, Timestamp};

use crate::wire::{EXPORT_S, FIELDS, from, ipfix, record, set, template, v5, v9, v9_options};

const MIB: usize = 1 << 20;

/// A decoder, what it made, and a clock of its own.
struct Road {
    decoder: Decoder,
    batch: FlowBatch,
    rows: usize,
    /// Datagrams so far, which is their place on tape too.
    sent: u32,
    now_nanos: i64,
}

impl Road {
    fn new(config: DecodeConfig) -> Self {
        Self {
            decoder: Decoder::new(config, FieldTable::builtin()),
            batch: FlowBatch::default(),
            rows: 0,
            sent: 0,
            now_nanos: i64::from(EXPORT_S) * NANOS_PER_SECOND,
        }
    }

    /// Decodes a datagram that arrives now; returns its rows.
    fn send(&mut self, mut datagram: Datagram) -> usize {
        datagram.received_at = Timestamp::from_nanos(self.now_nanos);
        let at = TapePosition {
            segment: 1,
            offset: self.sent,
        };
        self.sent += 1;
        self.decoder.decode(&datagram, at, &mut self.batch);
        let rows = self.batch.rows();
        self.rows += rows;
        self.batch.clear();
        rows
    }

    fn wait(&mut self, nanos: i64) {
        self.now_nanos += nanos;
    }

    fn met(&self, problem: Problem) -> u64 {
        self.decoder.problems().get(problem)
    }
}

/// The n-th invented sender: one of 16 million addresses.
fn invented(number: u32, payload: &Bytes) -> Datagram {
    let address = std::net::Ipv4Addr::from(0x0b00_0000 | number);
    Datagram {
        payload: payload.clone(),
        ..from(&format!("{address}:2055"), Vec::new())
    }
}

/// An established exporter says its template, then one record a second for so long.
fn establish(road: &mut Road, address: &str, seconds: u32) {
    road.send(from(address, v9(0, 1, &[set(0, &template(256, FIELDS))])));
    for second in 1..=seconds {
        road.wait(NANOS_PER_SECOND);
        let data = v9(second, 1, &[set(256, &record(1, second))]);
        assert_eq!(road.send(from(address, data)), 1);
    }
}

#[test]
fn case_42_who_is_not_on_the_list_costs_nothing_but_a_count() {
    let mut listener = Listener::new(ListenConfig {
        addresses: vec!["127.0.0.1:0".parse().unwrap()],
        allow: vec!["127.0.0.1/32".parse().unwrap()],
        ..ListenConfig::default()
    });
    listener.bind().unwrap();
    let (to, stats) = (listener.addresses()[0], listener.stats());
    let (queue, heard) = queue(8, usize::MAX);
    let stop = Arc::new(AtomicBool::new(false));
    let threads = listener.run(&queue, &stop).unwrap();
    for number in 0..2_000_u32 {
        let [_, _, c, d] = number.to_be_bytes();
        let stranger = UdpSocket::bind((std::net::Ipv4Addr::new(127, 66, c, d), 0)).unwrap();
        stranger.send_to(b"who am I?", to).unwrap();
    }
    let known = UdpSocket::bind("127.0.0.1:0").unwrap();
    known.send_to(b"known", to).unwrap();
    let batch = heard
        .recv_timeout(std::time::Duration::from_secs(30))
        .unwrap();
    assert_eq!(batch.len(), 1);
    assert_eq!(&batch[0].payload[..], b"known");
    stop.store(true, Ordering::Relaxed);
    assert_eq!(threads.join(), 0);
    let total = stats.total();
    assert_eq!(
        (total.not_allowed, total.received_datagrams),
        (2_000, 2_001)
    );
    // However many there were, 16 of them are remembered.
    assert_eq!(stats.snapshot()[0].refused.len(), 16);
    assert!(heard.try_recv().is_err());
}

#[test]
fn case_42_a_million_invented_senders_take_no_one_s_place() {
    let mut road = Road::new(DecodeConfig::default());
    let known: Vec<_> = (1..=10).map(|n| format!("192.0.2.{n}:50000")).collect();
    for address in &known {
        establish(&mut road, address, 120);
    }
    let (before, junk) = (road.rows, Bytes::from(v5(0, 1, 1, 0)));
    let mut good = 0;
    // 50,000 a second for twenty seconds, and each second every exporter that was there before.
    for number in 0..1_000_000_u32 {
        road.wait(20_000);
        road.send(invented(number, &junk));
        if number % 50_000 == 0 {
            for address in &known {
                let sequence = 1_000 + number / 50_000;
                let data = v9(sequence, 1, &[set(256, &record(1, sequence))]);
                good += road.send(from(address, data));
            }
        }
    }
    assert_eq!(good, 200, "nobody who was there before has lost anything");
    let held = road.decoder.holdings();
    // What exporters_max says, and no more than 8 KiB each.
    assert_eq!(held.exporters, 10_000);
    assert!(held.octets < 10_000 * 8_192, "{held:?}");
    let books = road.decoder.books();
    assert!(books.balance());
    let refused = 1_000_000 - (10_000 - 10);
    assert_eq!(books.dropped[&DropKind::NotAllowed], refused);
    assert_eq!(road.met(Problem::ExporterRefused), refused);
    assert_eq!((road.rows - before) as u64, 200 + 1_000_000 - refused);
}

#[test]
fn case_42_soon_after_the_flood_newcomers_are_heard_again_and_the_old_stay() {
    let mut road = Road::new(DecodeConfig {
        exporters_max: 100,
        ..DecodeConfig::default()
    });
    establish(&mut road, "192.0.2.1:50000", 600);
    let junk = Bytes::from(v5(0, 1, 1, 0));
    for number in 0..10_000 {
        road.send(invented(number, &junk));
    }
    let newcomer = |road: &mut Road| road.send(from("192.0.2.2:50000", v5(0, 1, 1, 0)));
    assert_eq!(newcomer(&mut road), 0, "there is no room");
    // Invented senders were heard for no time at all: after a minute of silence they are gone, and the exporter that was
    // heard for ten minutes is not.
    road.wait(61 * NANOS_PER_SECOND);
    assert_eq!(newcomer(&mut road), 1);
    assert_eq!(road.decoder.holdings().exporters, 2);
    let data = v9(700, 1, &[set(256, &record(1, 1))]);
    assert_eq!(road.send(from("192.0.2.1:50000", data)), 1);
}

#[test]
fn case_42_a_restart_in_the_middle_changes_nothing() {
    let config = DecodeConfig {
        exporters_max: 50,
        octets_max: 2 * MIB,
        ..DecodeConfig::default()
    };
    let (mut whole, mut halves) = (Road::new(config.clone()), Road::new(config.clone()));
    let mut tape = Vec::new();
    for number in 0..4_000_u32 {
        let payload = match number % 3 {
            0 => v5(0, 1, 1, 0),
            1 => v9(number, 1, &[set(0, &template(256, FIELDS))]),
            _ => v9(number, 1, &[set(256, &record(1, number))]),
        };
        let datagram = invented(number % 70 * (number % 11), &Bytes::from(payload));
        let sent = [&mut whole, &mut halves].map(|road| {
            road.wait(NANOS_PER_SECOND / 4);
            road.send(datagram.clone())
        });
        assert_eq!(sent[0], sent[1], "datagram {number}");
        let received_at = Timestamp::from_nanos(whole.now_nanos);
        tape.push(Datagram {
            received_at,
            ..datagram
        });
        if number % 500 == 250 {
            let text = serde_json::to_string(&halves.decoder.state()).unwrap();
            let state: DecoderState = serde_json::from_str(&text).unwrap();
            let waiting: Vec<_> = state
                .waiting_positions()
                .map(|at| (at, tape[usize::try_from(at.offset).unwrap()].clone()))
                .collect();
            let table = FieldTable::builtin();
            let again = Decoder::restore(config.clone(), table, state, waiting);
            assert_eq!(again.holdings(), halves.decoder.holdings());
            halves.decoder = again;
        }
    }
    assert_eq!(whole.decoder.holdings(), halves.decoder.holdings());
    assert_eq!(whole.decoder.problems(), halves.decoder.problems());
}

#[test]
fn case_43_every_template_id_of_every_domain_costs_its_sender_only() {
    let mut road = Road::new(DecodeConfig::default());
    establish(&mut road, "192.0.2.9:50000", 1);
    let used = set(0, &template(256, FIELDS));
    road.send(from("192.0.2.1:50000", v9(0, 0, &[used])));
    let mut sequence = 0;
    for domain in 1..=3_u32 {
        for ids in (256..=65_535_u16).collect::<Vec<_>>().chunks(64) {
            let many: Vec<u8> = ids.iter().flat_map(|id| template(*id, &[(1, 4)])).collect();
            sequence += 1;
            road.send(from(
                "192.0.2.1:50000",
                v9(sequence, domain, &[set(0, &many)]),
            ));
            // The one template that it uses is the most recently used one, however many it has.
            let data = v9(sequence, 0, &[set(256, &record(1, sequence))]);
            assert_eq!(road.send(from("192.0.2.1:50000", data)), 1);
        }
    }
    let held = |address: &str| -> usize {
        let all = road.decoder.exporters();
        let of_one = all.iter().filter(|it| it.address.to_string() == address);
        of_one.map(|it| it.templates.len()).sum()
    };
    // 3 × 65,280 and one were defined, 4,096 at most are kept.
    let kept = held("192.0.2.1");
    assert!((3_800..=4_096).contains(&kept), "{kept}");
    assert_eq!(held("192.0.2.9"), 1);
    assert_eq!(
        road.met(Problem::TemplateQuota),
        3 * 65_280 + 1 - kept as u64
    );
    let data = v9(2, 1, &[set(256, &record(1, 1))]);
    assert_eq!(road.send(from("192.0.2.9:50000", data)), 1);
}

/// A template of as many fields as there may be, of which no column is made.
fn heavy(id: u16) -> Vec<u8> {
    let fields: Vec<_> = (0..512).map(|n| (20_000 + n, 4)).collect();
    set(0, &template(id, &fields))
}

#[test]
fn case_43_large_templates_are_bounded_by_their_octets() {
    let mut road = Road::new(DecodeConfig {
        exporter_octets_max: 2 * MIB,
        ..DecodeConfig::default()
    });
    for id in 256..756 {
        let payload = v9(u32::from(id), 1, &[heavy(id)]);
        road.send(from("192.0.2.1:50000", payload));
        assert!(road.decoder.holdings().octets <= 2 * MIB);
    }
    // 512 specifiers of 4 octets are 2 KiB on the wire: more than 1,024 of them could not be in 2 MiB.
    let gone = road.met(Problem::TemplateQuota);
    assert!((250..500).contains(&gone), "{gone}");
}

#[test]
fn case_43_many_who_take_all_they_can_leave_room_for_one_more() {
    let config = DecodeConfig {
        octets_max: 8 * MIB,
        ..DecodeConfig::default()
    };
    let mut road = Road::new(config);
    establish(&mut road, "192.0.2.9:50000", 1);
    for id in 256..264 {
        for host in 1..=100_u32 {
            let sender = format!("198.51.100.{host}:50000");
            let payload = v9(u32::from(id), 1, &[heavy(id)]);
            road.send(from(&sender, payload));
            assert!(road.decoder.holdings().octets <= 8 * MIB);
        }
    }
    assert!(road.met(Problem::TemplateQuota) > 200);
    // Nobody lost anything to another, and who comes now has room.
    let data = |host| v9(host, 1, &[set(256, &record(1, 1))]);
    assert_eq!(road.send(from("192.0.2.9:50000", data(2))), 1);
    establish(&mut road, "192.0.2.10:50000", 1);
}

#[test]
fn case_43_what_waits_leaves_room_for_others_and_counts_its_books() {
    let config = DecodeConfig {
        waiting_octets_max: 4 * MIB,
        ..DecodeConfig::default()
    };
    let mut road = Road::new(config);
    // Sets of one octet of data: 5 octets each on the wire, of as many templates.
    for sequence in 0..200_u16 {
        let sets: Vec<_> = (0..1_000)
            .map(|n| set(256 + (n + sequence % 60 * 1_000), &[1]))
            .collect();
        let payload = v9(sequence.into(), 1, &sets);
        road.send(from("192.0.2.1:50000", payload));
    }
    let held = road.decoder.holdings();
    assert!(
        held.waiting_octets <= MIB,
        "a quarter is the most: {held:?}"
    );
    assert!(held.waiting < 10, "the books are charged: {held:?}");
    for host in 2..=200 {
        let sender = format!("192.0.2.{host}:50000");
        for sequence in 0..30 {
            let payload = v9(sequence, 1, &[set(256, &[7; 1_400])]);
            road.send(from(&sender, payload));
        }
    }
    assert!(road.decoder.holdings().waiting_octets <= 4 * MIB);
    let before = road.decoder.holdings().waiting;
    road.send(from("203.0.113.1:1", v9(0, 1, &[set(256, &record(1, 1))])));
    assert_eq!(road.decoder.holdings().waiting, before + 1);
    assert!(road.decoder.books().balance());
}

#[test]
fn case_43_a_template_cannot_make_a_flood_of_what_waited() {
    let mut road = Road::new(DecodeConfig::default());
    // Records of an octet: each datagram is 60,000 rows of at least 45 octets.
    let waiting = 40;
    for sequence in 0..waiting {
        let payload = v9(sequence, 1, &[set(256, &[17; 60_000])]);
        road.send(from("192.0.2.1:50000", payload));
    }
    let rows = road.send(from(
        "192.0.2.1:50000",
        v9(waiting, 1, &[set(0, &template(256, &[(4, 1)]))]),
    ));
    assert!(rows < 40 * MIB / 45, "{rows}");
    assert_eq!(rows % 60_000, 0, "whole datagrams");
    let left_out = u64::from(waiting) - rows as u64 / 60_000;
    assert_eq!(road.met(Problem::WaitingFull), left_out);
    let books = road.decoder.books();
    assert_eq!(
        (books.waiting, books.dropped[&DropKind::NoTemplate]),
        (0, left_out)
    );
    assert!(books.balance());
}

#[test]
fn case_43_giant_names_are_cut_and_bounded() {
    let mut road = Road::new(DecodeConfig {
        exporter_octets_max: 2 * MIB,
        ..DecodeConfig::default()
    });
    // ifIndex, then a name of variable length (RFC 7011 §7).
    let options = {
        let mut options = vec![1, 0, 0, 2, 0, 1];
        options.extend([0, 10, 0, 4, 0, 82, 0xff, 0xff]);
        options
    };
    road.send(from("192.0.2.1:50000", ipfix(0, 1, &[set(3, &options)])));
    for index in 0..1_300_u32 {
        let mut body = index.to_be_bytes().to_vec();
        body.push(255);
        body.extend(5_000_u16.to_be_bytes());
        body.extend([b'n'; 5_000]);
        let payload = ipfix(index, 1, &[set(256, &body)]);
        road.send(from("192.0.2.1:50000", payload));
    }
    assert_eq!(road.met(Problem::TextCut), 1_300);
    // Half of 2 MiB, of 1,024 octets each.
    let kept = 1_300 - road.met(Problem::NamesFull);
    assert!((800..=1_024).contains(&kept), "{kept}");
    assert!(road.decoder.holdings().octets <= MIB + 64 * 1_024);
}

#[test]
fn case_43_samplers_of_many_domains_are_bounded() {
    let mut road = Road::new(DecodeConfig {
        exporter_octets_max: 2 * MIB,
        ..DecodeConfig::default()
    });
    let options = set(1, &v9_options(256, &[(1, 4)], &[(48, 2), (34, 4)]));
    let mut sequence = 0;
    for domain in 1..=60 {
        let body: Vec<u8> = (0..4_000_u16)
            .flat_map(|sampler| {
                let mut one = vec![0, 0, 0, 1];
                one.extend(sampler.to_be_bytes());
                one.extend(100_u32.to_be_bytes());
                one
            })
            .collect();
        sequence += 1;
        let payload = v9(sequence, domain, &[options.clone(), set(256, &body)]);
        road.send(from("192.0.2.1:50000", payload));
        assert!(road.decoder.holdings().octets <= 2 * MIB);
    }
    assert!(road.met(Problem::DomainsFull) > 30);
}
