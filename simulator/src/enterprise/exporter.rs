//! One exporter: looks at what passes, keeps flows until they are due, writes them in its dialect.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::SocketAddr;

use bytes::Bytes;
use flow::{Datagram, Feed, Timestamp};

use super::cache::{self, Entry, Timeouts};
use super::chance;
use super::clock::Clock;
use super::dialect::{self, Column, Dialect};
use super::map::ExporterPlan;
use super::network::{Hop, Interface, Network};
use super::spoken::{Flow, Spoken, application_id};
use super::talk::{Crossing, Talk, World};
use super::tcp::SECOND;
use super::train::{Direction, Traffic, Train};
use super::truth::ExporterTruth;
use crate::encode::fixed::{FixedPacker, FixedVersion};
use crate::encode::{Counts, Packer, PackerConfig, Value};

/// Datagrams of one export follow each other by this, nanoseconds.
const BETWEEN_DATAGRAMS: i64 = 20_000;

/// An exporter at work.
#[derive(Debug)]
pub(super) struct Exporter {
    pub(super) plan: ExporterPlan,
    clock: Clock,
    encoder: Encoder,
    waiting: BinaryHeap<Reverse<Waiting>>,
    serial: u64,
    truth: ExporterTruth,
    by_application: Vec<Traffic>,
    crossings: Vec<Crossing>,
    entries: Vec<Entry>,
}

#[derive(Debug)]
enum Encoder {
    Fixed(FixedPacker),
    Templates(Box<Packer>, Vec<(u16, Vec<Column>)>),
}

/// A flow until it is due; those that are due together leave in the order in which they came.
#[derive(Debug)]
struct Waiting {
    due: i64,
    serial: u64,
    flow: Flow,
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.due, self.serial).cmp(&(other.due, other.serial))
    }
}

impl Exporter {
    /// An exporter that has seen nothing yet.
    pub(super) fn new(
        plan: ExporterPlan,
        started: Timestamp,
        network: &Network,
        applications: &[&'static str],
    ) -> Self {
        let encoder = encoder(&plan, network, applications);
        Self {
            clock: Clock::new(&plan, started),
            truth: ExporterTruth {
                name: plan.name.to_owned(),
                version: match (plan.dialect.protocol(), plan.dialect) {
                    (Some(crate::encode::Protocol::Ipfix), _) => 10,
                    (Some(crate::encode::Protocol::V9), _) => 9,
                    (None, Dialect::V7) => 7,
                    (None, _) => 5,
                },
                sampling: plan.sampling,
                ..ExporterTruth::default()
            },
            plan,
            encoder,
            waiting: BinaryHeap::new(),
            serial: 0,
            by_application: vec![Traffic::default(); applications.len()],
            crossings: Vec::new(),
            entries: Vec::new(),
        }
    }

    /// Looks at a whole conversation as it passed here.
    pub(super) fn observe(
        &mut self,
        world: &mut World,
        talk: &Talk,
        hop: Hop,
        seen: &[Crossing],
        application: usize,
    ) {
        for crossing in seen {
            self.truth.passed += crossing.train.traffic();
        }
        if talk.ends.client.is_ipv6() && !self.plan.dialect.sees_v6() {
            return;
        }
        self.crossings.clear();
        match self.plan.sampling {
            0 | 1 => self.crossings.extend_from_slice(seen),
            interval => sample(world, seen, interval, &mut self.crossings),
        }
        for crossing in &self.crossings {
            self.truth.observed += crossing.train.traffic();
        }
        let timeouts = Timeouts {
            active: self.plan.active_s * SECOND,
            inactive: self.plan.inactive_s * SECOND,
        };
        let both = self.plan.dialect.is_biflow();
        cache::entries(&mut self.crossings, timeouts, both, &mut self.entries);
        for entry in self.entries.drain(..) {
            self.serial += 1;
            self.waiting.push(Reverse(Waiting {
                due: entry.due,
                serial: self.serial,
                flow: Flow {
                    ends: talk.ends,
                    hop,
                    entry,
                    application,
                },
            }));
        }
    }

    /// Whether flows still wait.
    pub(super) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Exports what is due by `at`, and templates when it is time.
    pub(super) fn export(
        &mut self,
        at: i64,
        applications: &[&'static str],
        out: &mut Vec<Datagram>,
    ) {
        let now = self.clock.export(at);
        let mut payloads = Vec::new();
        if let Encoder::Templates(packer, _) = &mut self.encoder
            && packer.refresh_is_due(now.unix)
        {
            packer.refresh(now, &mut payloads);
        }
        while self
            .waiting
            .peek()
            .is_some_and(|Reverse(next)| next.due <= at)
        {
            let Some(Reverse(next)) = self.waiting.pop() else {
                break;
            };
            self.write(&next.flow, at, applications, &mut payloads);
        }
        match &mut self.encoder {
            Encoder::Fixed(packer) => packer.flush(now, &mut payloads),
            Encoder::Templates(packer, _) => packer.flush(now, &mut payloads),
        }
        let mut sent_at = at + self.plan.to_collector;
        for payload in payloads {
            out.push(self.datagram(sent_at, payload));
            sent_at += BETWEEN_DATAGRAMS;
        }
    }

    fn write(&mut self, flow: &Flow, at: i64, applications: &[&'static str], out: &mut Vec<Bytes>) {
        for direction in [Direction::ToServer, Direction::ToClient] {
            let half = flow.half(direction);
            let traffic = Traffic {
                octets: half.octets,
                packets: half.packets,
            };
            self.truth.reported += traffic;
            self.by_application[flow.application] += traffic;
        }
        let now = self.clock.export(at);
        let spoken = Spoken {
            flow,
            clock: &self.clock,
            export_at: at,
            application: applications[flow.application],
        };
        match &mut self.encoder {
            Encoder::Fixed(packer) => packer.record(now, spoken.fixed(), out),
            Encoder::Templates(packer, tables) => {
                let wanted = template_of(self.plan.dialect, flow);
                if let Some((id, columns)) = tables.iter().find(|(id, _)| *id == wanted) {
                    let mut values = [Value::Unsigned(0); 32];
                    for (value, (_, source)) in values.iter_mut().zip(columns) {
                        *value = spoken.value(*source);
                    }
                    packer.record(now, *id, &values[..columns.len().min(32)], out);
                }
            }
        }
    }

    fn datagram(&self, received_at: i64, payload: Bytes) -> Datagram {
        Datagram {
            received_at: Timestamp::from_nanos(received_at),
            source: SocketAddr::new(self.plan.address.into(), self.plan.source_port),
            local_port: self.plan.local_port,
            feed: Feed::WIRE,
            payload,
        }
    }

    /// Its books.
    pub(super) fn truth(&self, applications: &[&'static str]) -> ExporterTruth {
        let counts: Counts = match &self.encoder {
            Encoder::Fixed(packer) => packer.counts(),
            Encoder::Templates(packer, _) => packer.counts(),
        };
        let by_application = applications.iter().zip(&self.by_application);
        let reported = by_application.filter(|(_, traffic)| traffic.packets > 0);
        ExporterTruth {
            reported_by_application: reported
                .map(|(name, traffic)| ((*name).to_owned(), *traffic))
                .collect::<BTreeMap<_, _>>(),
            records: counts.records,
            options_records: counts.options_records,
            templates: counts.templates,
            datagrams: counts.datagrams,
            payload_octets: counts.payload_octets,
            ..self.truth.clone()
        }
    }
}

fn template_of(dialect: Dialect, flow: &Flow) -> u16 {
    if flow.hop.tunnelled && dialect == Dialect::IpfixVmware {
        dialect::FLOWS_TUNNEL
    } else if flow.ends.client.is_ipv6() {
        dialect::FLOWS_V6
    } else {
        dialect::FLOWS_V4
    }
}

/// Each packet is looked at with a chance of one in `interval`.
fn sample(world: &mut World, seen: &[Crossing], interval: u32, out: &mut Vec<Crossing>) {
    for Crossing { direction, train } in seen {
        let share = 1.0 / f64::from(interval);
        chance::hits(&mut world.rng, train.packets, share, &mut world.hits);
        let packets = world
            .hits
            .iter()
            .filter_map(|place| train.part(*place, place + 1));
        out.extend(packets.map(|train: Train| Crossing {
            direction: *direction,
            train,
        }));
    }
}

fn encoder(plan: &ExporterPlan, network: &Network, applications: &[&'static str]) -> Encoder {
    let Some(protocol) = plan.dialect.protocol() else {
        let version = match plan.dialect {
            Dialect::V7 => FixedVersion::V7,
            _ => FixedVersion::V5,
        };
        return Encoder::Fixed(FixedPacker::new(version, 0, 0));
    };
    let config = PackerConfig::new(protocol, plan.domain);
    let templates = plan.dialect.templates();
    let mut packer = Packer::new(config, templates);
    announce(&mut packer, plan, network, applications);
    let mut tables = Vec::new();
    for id in [dialect::FLOWS_V4, dialect::FLOWS_V6, dialect::FLOWS_TUNNEL] {
        tables.push((id, plan.dialect.columns(id)));
    }
    Encoder::Templates(Box::new(packer), tables)
}

/// The options data: interfaces, samplers, VRFs, applications. Records of templates that it lacks are ignored.
fn announce(
    packer: &mut Packer,
    plan: &ExporterPlan,
    network: &Network,
    applications: &[&'static str],
) {
    let device = network
        .devices
        .iter()
        .position(|device| device.name == plan.name);
    for interface in device
        .map(|device| network.interfaces(device))
        .unwrap_or_default()
    {
        let name = interface_name(plan.dialect, interface);
        let towards = network.neighbour_name(interface.towards);
        let values = [interface.index.into(), name.as_str().into(), towards.into()];
        packer.standing_record(dialect::INTERFACES, &values);
    }
    // Scope system; sampler 1, random, one of so many.
    let sampler = [0_u8.into(), 1_u8.into(), 2_u8.into(), plan.sampling.into()];
    packer.standing_record(dialect::SAMPLERS, &sampler);
    for (id, name) in [(1_u8, "corporate"), (2, "internet")] {
        packer.standing_record(dialect::VRFS, &[0_u8.into(), id.into(), name.into()]);
    }
    for (place, name) in applications.iter().enumerate() {
        let values = [
            application_id(place).into(),
            (*name).into(),
            "named by the router".into(),
        ];
        packer.standing_record(dialect::APPLICATIONS, &values);
    }
    // Interval 1 by 34 and 35; or by 305 and 306: one packet, then none left out.
    let rest = if plan.dialect == Dialect::IpfixOvs {
        0_u8
    } else {
        1
    };
    let domain = [plan.domain.into(), 1_u8.into(), rest.into()];
    packer.standing_record(dialect::DOMAIN_SAMPLING, &domain);
}

/// What the exporter calls an interface.
pub(super) fn interface_name(dialect: Dialect, interface: Interface) -> String {
    let number = interface.number;
    match dialect {
        Dialect::IpfixVmware => format!("vmnic{number}"),
        Dialect::IpfixOvs => format!("vnet{number}"),
        Dialect::V7 => format!("Gi1/{}", number + 1),
        Dialect::IpfixNanos => format!("eni-{number}"),
        _ => format!("GigabitEthernet0/0/{number}"),
    }
}
