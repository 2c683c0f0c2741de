//! A simulated enterprise: sites, users, applications and exporters, with every packet known.
//!
//! ```
//! use flow::Timestamp;
//! use simulator::enterprise::{Config, Enterprise};
//!
//! let start = Timestamp::from_seconds(1_760_000_000);
//! let mut enterprise = Enterprise::new(Config { users: 20, ..Config::new(1, start) });
//! let mut datagrams = 0;
//! enterprise.advance(start + std::time::Duration::from_secs(60), &mut |_| datagrams += 1);
//! assert!(datagrams > 0);
//! ```
//!
//! `docs/simulator.md` has the map and says how the truth is made.

mod application;
mod behaviour;
mod cache;
mod chance;
mod clock;
mod converse;
mod dialect;
mod exporter;
mod host;
mod incident;
mod map;
mod network;
mod portfolio;
mod rules;
mod spoken;
mod talk;
mod tcp;
mod train;
mod truth;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use flow::{Datagram, Timestamp};
use rand::SeedableRng;
use rand::rngs::SmallRng;

use application::Application;
use exporter::Exporter;
use host::Hosts;
use incident::Incidents;
use talk::World;
use tcp::SECOND;

pub use application::Rhythm;
pub use incident::{Effect, Incident, UnknownPlace};
pub use network::Link;
pub use train::{Direction, Traffic, Train};
pub use truth::{ApplicationTruth, ConversationTruth, ExporterTruth, Truth, WayTruth};

/// How the enterprise is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Config {
    /// Same seed, same octets.
    pub seed: u64,
    /// How many users there are, up to 3000. 700 give about 200 flow records a second in office hours.
    pub users: u32,
    /// When the simulation begins: nothing happened before.
    pub start: Timestamp,
    /// When in the day what happens.
    pub rhythm: Rhythm,
    /// Whether links jitter and lose a little without any incident. Off: every delay is exactly the link's.
    pub noise: bool,
    /// Whether every packet of every conversation is kept, for [`Enterprise::conversations`]. Takes memory.
    pub keep_conversations: bool,
}

impl Config {
    /// 700 users at ten in the morning, with noise.
    pub fn new(seed: u64, start: Timestamp) -> Self {
        Self {
            seed,
            users: 700,
            start,
            rhythm: Rhythm::Flat,
            noise: true,
            keep_conversations: false,
        }
    }
}

/// The enterprise. [`Enterprise::advance`] lets time pass.
#[derive(Debug)]
pub struct Enterprise {
    config: Config,
    world: World,
    hosts: Hosts,
    applications: Vec<Application>,
    names: Vec<&'static str>,
    exporters: Vec<Exporter>,
    /// True time up to which conversations have begun.
    begun: i64,
    outbox: BinaryHeap<Reverse<Outgoing>>,
    batch: Vec<Datagram>,
    serial: u64,
    booked: Vec<ApplicationTruth>,
    conversations: Vec<ConversationTruth>,
}

/// A datagram on its way to the collector.
#[derive(Debug)]
struct Outgoing {
    serial: u64,
    datagram: Datagram,
}

impl PartialEq for Outgoing {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Outgoing {}

impl PartialOrd for Outgoing {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Outgoing {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let key = |one: &Self| (one.datagram.received_at, one.serial);
        key(self).cmp(&key(other))
    }
}

impl Enterprise {
    /// The enterprise before anything happens.
    pub fn new(config: Config) -> Self {
        let mut hosts = Hosts::new(config.users);
        let applications = portfolio::applications(&mut hosts);
        let names: Vec<&'static str> = applications.iter().map(|one| one.name).collect();
        let network = map::network();
        let plans = map::EXPORTERS.iter();
        let exporters = plans
            .map(|plan| Exporter::new(*plan, config.start, &network, &names))
            .collect();
        Self {
            world: World {
                network,
                incidents: Incidents::default(),
                rng: SmallRng::seed_from_u64(config.seed),
                noise: config.noise,
                hits: Vec::new(),
            },
            hosts,
            exporters,
            begun: config.start.nanos(),
            outbox: BinaryHeap::new(),
            batch: Vec::new(),
            serial: 0,
            booked: vec![ApplicationTruth::default(); applications.len()],
            conversations: Vec::new(),
            applications,
            names,
            config,
        }
    }

    /// Schedules an incident. It acts on conversations that begin after this call.
    ///
    /// # Errors
    ///
    /// [`UnknownPlace`] if there is no such link or application; nothing is scheduled then, and the text names those
    /// that there are.
    pub fn schedule(&mut self, incident: &Incident) -> Result<(), UnknownPlace> {
        let World {
            incidents, network, ..
        } = &mut self.world;
        incidents.schedule(incident, network, &self.names)
    }

    /// Lets time pass and gives every datagram that reaches the collector by `until` to `sink`, in order of arrival.
    ///
    /// In how many steps one gets somewhere makes no difference.
    pub fn advance(&mut self, until: Timestamp, sink: &mut dyn FnMut(Datagram)) {
        while self.begun <= until.nanos() {
            self.begin_conversations();
            self.begun += SECOND;
            self.export(self.begun);
        }
        self.deliver(until, sink);
    }

    /// Ends the working day: nobody begins anything new, what runs goes on to its end, and every exporter sends what
    /// it still holds. Returns when the last datagram arrived.
    pub fn finish(&mut self, sink: &mut dyn FnMut(Datagram)) -> Timestamp {
        while self.exporters.iter().any(Exporter::has_waiting) {
            self.begun += SECOND;
            self.export(self.begun);
        }
        let last = self
            .outbox
            .iter()
            .map(|Reverse(one)| one.datagram.received_at)
            .max();
        self.deliver(Timestamp::MAX, sink);
        last.unwrap_or(Timestamp::from_nanos(self.begun))
    }

    /// The books so far.
    pub fn truth(&self) -> Truth {
        let applications = self.names.iter().zip(&self.booked);
        let exporters = self.exporters.iter();
        Truth {
            applications: applications
                .map(|(name, booked)| ((*name).to_owned(), booked.clone()))
                .collect(),
            exporters: exporters
                .map(|one| (one.plan.address.into(), one.truth(&self.names)))
                .collect(),
        }
    }

    /// Every conversation with every packet, if [`Config::keep_conversations`] is on.
    pub fn conversations(&self) -> &[ConversationTruth] {
        &self.conversations
    }

    /// What the ends of each application's conversations sent within `[from, until)`: to servers, to clients.
    ///
    /// Needs [`Config::keep_conversations`]; without it there is nothing to sum.
    pub fn sent_within(&self, from: Timestamp, until: Timestamp) -> BTreeMap<String, [Traffic; 2]> {
        let mut sums: BTreeMap<String, [Traffic; 2]> = BTreeMap::new();
        for one in &self.conversations {
            let sum = sums.entry(one.application.to_owned()).or_default();
            for (sum, part) in sum.iter_mut().zip(one.sent_within(from, until)) {
                *sum += part;
            }
        }
        sums
    }

    /// The links, by whose names incidents find them.
    pub fn links(&self) -> &[Link] {
        &self.world.network.links
    }

    /// The names of the applications, by which incidents find them.
    pub fn applications(&self) -> &[&'static str] {
        &self.names
    }

    /// The rules that name what is seen here: applications by servers and ports, sites by subnets, exporters.
    pub fn rules(&self) -> flow::site::Rules {
        rules::rules(&self.applications, &self.hosts, &self.world.network)
    }

    fn export(&mut self, at: i64) {
        for exporter in &mut self.exporters {
            exporter.export(at, &self.names, &mut self.batch);
        }
        for datagram in self.batch.drain(..) {
            self.serial += 1;
            let serial = self.serial;
            self.outbox.push(Reverse(Outgoing { serial, datagram }));
        }
    }

    fn deliver(&mut self, until: Timestamp, sink: &mut dyn FnMut(Datagram)) {
        let arrived = |Reverse(one): &Reverse<Outgoing>| one.datagram.received_at <= until;
        while self.outbox.peek().is_some_and(arrived) {
            if let Some(Reverse(one)) = self.outbox.pop() {
                sink(one.datagram);
            }
        }
    }
}
