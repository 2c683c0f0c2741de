//! Exporters on addresses of their own, which know what they sent: the truth that the store is held against.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::ops::AddAssign;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use flow::clock::{self, Stopwatch};
use simulator::encode::fixed::{FixedHeader, FixedRecord, FixedVersion, datagram};
use simulator::encode::{Field, Message, Protocol, Stamp, Template, Value, element};

use super::chance::Chance;

/// Between two rounds of sending.
const ROUND: Duration = Duration::from_millis(20);
/// A datagram of so many brings the template too.
const TEMPLATE_EVERY: u32 = 20;
/// How long the exporters had run when the test began: an hour.
const UPTIME_MS: u64 = 3_600_000;
/// Records of a datagram, at most.
const RECORDS_MAX: u64 = 20;

/// Flow records, added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) records: u64,
    pub(crate) octets: u64,
    pub(crate) packets: u64,
}

impl AddAssign for Sums {
    fn add_assign(&mut self, other: Self) {
        self.records += other.records;
        self.octets += other.octets;
        self.packets += other.packets;
    }
}

/// A datagram that was sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    /// Since the fleet was made.
    pub(crate) at: Duration,
    /// Of its octets.
    pub(crate) digest: u64,
    pub(crate) sums: Sums,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
    V5,
    V9,
    Ipfix,
}

/// One exporter. Its clients talk to nobody's servers but its own: no conversation is seen by two.
pub(crate) struct Exporter {
    pub(crate) address: Ipv4Addr,
    dialect: Dialect,
    number: u8,
    socket: UdpSocket,
    /// Records (v5, IPFIX) or datagrams (v9) sent before.
    sequence: u32,
    datagrams: u32,
    chance: Chance,
    /// By the sequence number in the header, which no other of its datagrams has.
    pub(crate) sent: BTreeMap<u32, Sent>,
}

/// What one record says.
struct Talk {
    client: Ipv4Addr,
    server: Ipv4Addr,
    client_port: u16,
    server_port: u16,
    octets: u32,
    packets: u32,
    /// Milliseconds before the export.
    began: u32,
    ended: u32,
    interface: u16,
}

/// Some exporters, and the thread that sends at a steady rate while it is not paused.
pub(crate) struct Fleet {
    pub(crate) since: Stopwatch,
    inner: Arc<Mutex<Inner>>,
    thread: Option<JoinHandle<()>>,
}

struct Inner {
    exporters: Vec<Exporter>,
    to: SocketAddr,
    /// Datagrams of each exporter in a round.
    pace: u32,
    paused: bool,
    stop: bool,
}

impl Fleet {
    /// `size` exporters of each dialect, which send nothing yet.
    pub(crate) fn new(to: SocketAddr, size: u8, seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let dialects = [Dialect::V5, Dialect::V9, Dialect::Ipfix];
        let exporters = (0..size * 3)
            .map(|number| {
                let dialect = dialects[usize::from(number % 3)];
                Exporter::new(dialect, number, Chance::new(chance.number()))
            })
            .collect();
        let since = Stopwatch::start();
        let inner = Arc::new(Mutex::new(Inner {
            exporters,
            to,
            pace: 1,
            paused: true,
            stop: false,
        }));
        let shared = inner.clone();
        let thread = std::thread::spawn(move || {
            loop {
                {
                    let mut inner = shared.lock().unwrap();
                    if inner.stop {
                        return;
                    }
                    if !inner.paused {
                        inner.round(since);
                    }
                }
                std::thread::park_timeout(ROUND);
            }
        });
        Self {
            since,
            inner,
            thread: Some(thread),
        }
    }

    /// Sends from now on, so many datagrams of each exporter in a second.
    pub(crate) fn go_on(&self, datagrams_per_second: u32) {
        let mut inner = self.inner();
        inner.pace = (datagrams_per_second / 50).max(1);
        inner.paused = false;
    }

    /// Sends nothing from now on.
    pub(crate) fn pause(&self) {
        self.inner().paused = true;
    }

    /// Sends so many datagrams of each exporter now.
    pub(crate) fn burst(&self, datagrams: u32) {
        let mut inner = self.inner();
        let pace = std::mem::replace(&mut inner.pace, datagrams);
        inner.round(self.since);
        inner.pace = pace;
    }

    /// Datagrams sent so far.
    pub(crate) fn datagrams(&self) -> u64 {
        let inner = self.inner();
        inner
            .exporters
            .iter()
            .map(|exporter| exporter.sent.len() as u64)
            .sum()
    }

    /// Looks at what was sent so far. Nobody sends meanwhile.
    pub(crate) fn with<T>(&self, look: impl FnOnce(&[Exporter]) -> T) -> T {
        look(&self.inner().exporters)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        if let Ok(mut inner) = self.inner.lock() {
            inner.stop = true;
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Inner {
    fn round(&mut self, since: Stopwatch) {
        let (to, pace) = (self.to, self.pace);
        for exporter in &mut self.exporters {
            for _ in 0..pace {
                exporter.send(to, since.elapsed());
            }
        }
    }
}

impl Exporter {
    fn new(dialect: Dialect, number: u8, chance: Chance) -> Self {
        let address = Ipv4Addr::new(127, 0, 7, number + 1);
        Self {
            address,
            dialect,
            number,
            socket: UdpSocket::bind((address, 0)).unwrap(),
            sequence: 0,
            datagrams: 0,
            chance,
            sent: BTreeMap::new(),
        }
    }

    fn send(&mut self, to: SocketAddr, at: Duration) {
        let records = self.chance.between(1, RECORDS_MAX + 1);
        let talks: Vec<Talk> = (0..records).map(|_| self.talk()).collect();
        let mut sums = Sums::default();
        for talk in &talks {
            sums += Sums {
                records: 1,
                octets: talk.octets.into(),
                packets: talk.packets.into(),
            };
        }
        let uptime_ms = u32::try_from(UPTIME_MS + millis(at)).unwrap();
        let payload = match self.dialect {
            Dialect::V5 => self.v5(&talks, uptime_ms),
            Dialect::V9 => self.templated(Protocol::V9, &talks, uptime_ms),
            Dialect::Ipfix => self.templated(Protocol::Ipfix, &talks, uptime_ms),
        };
        let digest = digest(&payload);
        self.sent.insert(self.sequence, Sent { at, digest, sums });
        // Only a full buffer of this side fails, which holds far more than a round.
        self.socket.send_to(&payload, to).unwrap();
        self.datagrams += 1;
        self.sequence += match self.dialect {
            Dialect::V9 => 1,
            Dialect::V5 | Dialect::Ipfix => u32::try_from(records).unwrap(),
        };
    }

    fn talk(&mut self) -> Talk {
        let chance = &mut self.chance;
        let packets = chance.between(1, 50);
        let began = chance.between(0, 8000);
        let some = |chance: &mut Chance, end| u8::try_from(chance.between(1, end)).unwrap();
        let ports = [443, 53, 5432, 22, 3389];
        let which = usize::try_from(chance.between(0, 5)).unwrap();
        Talk {
            client: Ipv4Addr::new(10, self.number, some(chance, 9), some(chance, 250)),
            server: Ipv4Addr::new(10, 100 + self.number, 1, some(chance, 20)),
            client_port: u16::try_from(chance.between(32_768, 65_000)).unwrap(),
            server_port: ports[which],
            octets: u32::try_from(packets * chance.between(60, 1400)).unwrap(),
            packets: u32::try_from(packets).unwrap(),
            began: u32::try_from(began).unwrap(),
            ended: u32::try_from(chance.between(0, began + 1)).unwrap(),
            interface: some(chance, 4).into(),
        }
    }

    fn v5(&self, talks: &[Talk], uptime_ms: u32) -> Bytes {
        let now = clock::now();
        let header = FixedHeader {
            uptime_ms,
            unix_seconds: u32::try_from(now.seconds()).unwrap(),
            unix_nanos: u32::try_from(now.nanos() % clock::NANOS_PER_SECOND).unwrap(),
            sequence: self.sequence,
            ..FixedHeader::default()
        };
        let record = |talk: &Talk| FixedRecord {
            src: talk.client,
            dst: talk.server,
            src_port: talk.client_port,
            dst_port: talk.server_port,
            octets: talk.octets,
            packets: talk.packets,
            first_ms: uptime_ms - talk.began,
            last_ms: uptime_ms - talk.ended,
            in_interface: talk.interface,
            out_interface: 9,
            protocol: 6,
            tcp_flags: 0x1b,
            ..FixedRecord::default()
        };
        let records: Vec<FixedRecord> = talks.iter().map(record).collect();
        datagram(FixedVersion::V5, header, &records)
    }

    fn templated(&self, protocol: Protocol, talks: &[Talk], uptime_ms: u32) -> Bytes {
        let template = template(protocol);
        let now = clock::now();
        let now_ms = u64::try_from(now.nanos() / 1_000_000).unwrap();
        let mut message = Message::new(protocol, self.number.into());
        if self.datagrams.is_multiple_of(TEMPLATE_EVERY) {
            message.template(&template);
        }
        for talk in talks {
            let at = |before: u32| match protocol {
                Protocol::V9 => Value::Unsigned((uptime_ms - before).into()),
                Protocol::Ipfix => Value::Unsigned(now_ms - u64::from(before)),
            };
            let values = [
                talk.client.into(),
                talk.server.into(),
                talk.client_port.into(),
                talk.server_port.into(),
                Value::Unsigned(6),
                Value::Unsigned(0x1b),
                talk.octets.into(),
                talk.packets.into(),
                talk.interface.into(),
                Value::Unsigned(9),
                at(talk.began),
                at(talk.ended),
            ];
            message.record(&template, &values);
        }
        message.finish(Stamp {
            unix_seconds: u32::try_from(now.seconds()).unwrap(),
            uptime_ms,
            sequence: self.sequence,
        })
    }
}

fn template(protocol: Protocol) -> Template {
    let (start, end, length) = match protocol {
        Protocol::V9 => (element::START_UPTIME, element::END_UPTIME, 4),
        Protocol::Ipfix => (element::START_MILLIS, element::END_MILLIS, 8),
    };
    let fields = [
        (element::SRC_V4, 4),
        (element::DST_V4, 4),
        (element::SRC_PORT, 2),
        (element::DST_PORT, 2),
        (element::PROTOCOL, 1),
        (element::TCP_FLAGS, 1),
        (element::OCTETS, 8),
        (element::PACKETS, 8),
        (element::IN_INTERFACE, 4),
        (element::OUT_INTERFACE, 4),
        (start, length),
        (end, length),
    ];
    Template::data(300, fields.map(|(id, length)| Field::iana(id, length)))
}

/// The sequence number in a header: v5 at octet 16, v9 at 12 (RFC 3954 §5.1), IPFIX at 8 (RFC 7011 §3.1).
pub(crate) fn sequence_of(payload: &[u8]) -> u32 {
    let at = match payload[1] {
        5 => 16,
        9 => 12,
        _ => 8,
    };
    u32::from_be_bytes(payload[at..at + 4].try_into().unwrap())
}

/// Tells datagrams apart.
pub(crate) fn digest(payload: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    payload.hash(&mut hasher);
    hasher.finish()
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap()
}
