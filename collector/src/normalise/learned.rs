//! Services that nobody named: server endpoints with many clients.

use std::net::IpAddr;

use flow::Timestamp;
use flow::application::protocol_name;
use flow::datagram::Feed;
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::application::Endpoint;
use super::config::NormaliseConfig;
use super::names::{NameId, Names};
use super::stats::NormaliseStats;
use super::table::{Placed, SetTable, mix, words};

/// How often services that nobody uses any more are looked for, seconds.
const SWEEP_S: i64 = 3600;

/// A server endpoint that many clients use and nobody named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LearnedService {
    /// The wire, or which import.
    pub feed: Feed,
    /// The server.
    pub address: IpAddr,
    /// Its port.
    pub port: u16,
    /// IP protocol number.
    pub protocol: u8,
    /// When it had enough clients.
    pub since: Timestamp,
    /// When its last conversation began.
    pub last_seen: Timestamp,
}

impl LearnedService {
    /// The application's name: `10.1.2.3:8443/tcp`, `[2001:db8::1]:8443/udp`.
    pub fn name(&self) -> String {
        let socket = std::net::SocketAddr::new(self.address, self.port);
        match protocol_name(self.protocol) {
            Some(name) => format!("{socket}/{name}"),
            None => format!("{socket}/{}", self.protocol),
        }
    }
}

/// Which endpoints are called otherwise than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Renamed {
    /// None.
    None,
    /// This one.
    One(Endpoint),
    /// More than one.
    Many,
}

#[derive(Clone, Copy, Debug)]
struct Service {
    endpoint: Endpoint,
    since: Timestamp,
    last_seen: Timestamp,
}

/// Watches endpoints and keeps those that became services.
///
/// An endpoint's clients are counted in 64 bits, one for each value of a hash: never more than there are, so a service
/// had at least as many as were asked for. A service keeps its place, and thereby its name's number, until it is forgotten.
#[derive(Clone, Debug)]
pub(super) struct Learner {
    clients_min: u32,
    window_s: u32,
    keep_s: i64,
    services_max: usize,
    by_endpoint: FxHashMap<Endpoint, usize>,
    services: Vec<Option<Service>>,
    /// Name of the service at the same place.
    names: Vec<NameId>,
    candidates: SetTable<5, 3>,
    swept: Timestamp,
    version: u64,
}

/// Words of a candidate after the key.
const CLIENTS: usize = 3;
/// First and last second, 32 bits each.
const TIMES: usize = 4;

impl Learner {
    pub(super) fn new(config: &NormaliseConfig) -> Self {
        Self {
            clients_min: u32::from(config.learned_clients_min.clamp(2, 32)),
            window_s: config.learned_window_s,
            keep_s: i64::from(config.learned_keep_s),
            services_max: config.learned_max,
            by_endpoint: FxHashMap::default(),
            services: Vec::new(),
            names: Vec::new(),
            candidates: SetTable::new(config.learned_candidates_max),
            swept: Timestamp::EPOCH,
            version: 0,
        }
    }

    /// Grows when a service is learned or forgotten.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// The name of a service.
    #[inline]
    pub(super) fn service(&self, endpoint: &Endpoint) -> Option<NameId> {
        let at = self.by_endpoint.get(endpoint)?;
        self.names.get(*at).copied()
    }

    /// All services, by endpoint.
    pub(super) fn services(&self) -> Vec<LearnedService> {
        let mut services: Vec<_> = self.services.iter().flatten().collect();
        services.sort_unstable_by_key(|service| service.endpoint);
        services.into_iter().map(Service::public).collect()
    }

    /// Puts back what [`Learner::services`] gave, in place of what is known.
    pub(super) fn restore(&mut self, services: &[LearnedService], names: &mut Names) {
        self.by_endpoint.clear();
        self.services.clear();
        self.names.clear();
        for service in services.iter().take(self.services_max) {
            let endpoint = Endpoint {
                feed: service.feed.0,
                address: flow::address::widen(service.address).to_bits(),
                port: service.port,
                protocol: service.protocol,
            };
            let LearnedService {
                since, last_seen, ..
            } = *service;
            self.keep(
                Service {
                    endpoint,
                    since,
                    last_seen,
                },
                names,
            );
        }
    }

    /// All names are to be given anew: the rules have changed.
    pub(super) fn rename(&mut self, names: &mut Names) {
        self.names = self
            .services
            .iter()
            .map(|service| {
                let name = service.as_ref().map(|service| service.public().name());
                names.add(&name.unwrap_or_default())
            })
            .collect();
    }

    /// A conversation of `client` with `endpoint` began.
    pub(super) fn saw(
        &mut self,
        endpoint: &Endpoint,
        client: u128,
        at: Timestamp,
        names: &mut Names,
        stats: &mut NormaliseStats,
    ) -> Renamed {
        let swept = self.sweep(endpoint.feed, at);
        if let Some(place) = self.by_endpoint.get(endpoint) {
            if let Some(Some(service)) = self.services.get_mut(*place) {
                service.last_seen = service.last_seen.max(at);
            }
            return swept;
        }
        if self.count_client(endpoint, client, at) < self.clients_min {
            return swept;
        }
        self.candidates.forget(&candidate_key(endpoint));
        let made_room = self.make_room(endpoint.feed);
        if self.by_endpoint.len() >= self.services_max {
            stats.services_refused += 1;
            return swept;
        }
        stats.services_learned += 1;
        self.keep(
            Service {
                endpoint: *endpoint,
                since: at,
                last_seen: at,
            },
            names,
        );
        if made_room || swept == Renamed::Many {
            Renamed::Many
        } else {
            Renamed::One(*endpoint)
        }
    }

    /// Distinct clients of a candidate in the window, this one included.
    fn count_client(&mut self, endpoint: &Endpoint, client: u128, at: Timestamp) -> u32 {
        let now = u32::try_from(at.seconds().max(0)).unwrap_or(u32::MAX);
        let (window, key) = (self.window_s, candidate_key(endpoint));
        let worth = |entry: &[u64; 5]| {
            let (first, last) = times(entry[TIMES]);
            let expired = now.saturating_sub(first) > window;
            let clients = if expired {
                0
            } else {
                entry[CLIENTS].count_ones()
            };
            u64::from(clients) << 32 | u64::from(last)
        };
        let (Placed::Found(slot) | Placed::Free(slot) | Placed::Evicted(slot, _)) =
            self.candidates.place(&key, worth);
        let entry = self.candidates.at_mut(slot);
        let (mut first, _) = times(entry[TIMES]);
        if entry[CLIENTS] == 0 || now.saturating_sub(first) > window {
            first = now;
            entry[CLIENTS] = 0;
        }
        entry[CLIENTS] |= 1 << (mix(&words(client)) & 63);
        entry[TIMES] = u64::from(first) << 32 | u64::from(now);
        entry[CLIENTS].count_ones()
    }

    fn keep(&mut self, service: Service, names: &mut Names) {
        let free = self.services.iter().position(Option::is_none);
        let place = free.unwrap_or(self.services.len());
        let name = service.public().name();
        if place == self.services.len() {
            self.services.push(None);
            self.names.push(names.add(&name));
        } else if let Some(id) = self.names.get(place) {
            names.replace(*id, &name);
        }
        self.by_endpoint.insert(service.endpoint, place);
        self.services[place] = Some(service);
        self.version += 1;
    }

    /// When full, gives up one service of an import other than `feed`: an import has an end, and is not told of it here.
    fn make_room(&mut self, feed: u32) -> bool {
        if self.by_endpoint.len() < self.services_max {
            return false;
        }
        let other = |service: &Option<Service>| {
            service.is_some_and(|service| ![Feed::WIRE.0, feed].contains(&service.endpoint.feed))
        };
        match self.services.iter().position(other) {
            Some(place) => {
                self.forget(place);
                true
            }
            None => false,
        }
    }

    /// Now and then forgets the wire's services that nobody used for long. Imports have times of their own, and an end:
    /// their services go when room is needed.
    fn sweep(&mut self, feed: u32, now: Timestamp) -> Renamed {
        let second = flow::clock::NANOS_PER_SECOND;
        let due = now.nanos_since(self.swept) >= SWEEP_S * second;
        if feed != Feed::WIRE.0 || !due {
            return Renamed::None;
        }
        self.swept = now;
        let mut renamed = Renamed::None;
        for place in 0..self.services.len() {
            let stale = self.services[place].is_some_and(|service| {
                service.endpoint.feed == feed
                    && now.nanos_since(service.last_seen) > self.keep_s.saturating_mul(second)
            });
            if stale {
                self.forget(place);
                renamed = Renamed::Many;
            }
        }
        renamed
    }

    fn forget(&mut self, place: usize) {
        if let Some(service) = self.services.get_mut(place).and_then(Option::take) {
            self.by_endpoint.remove(&service.endpoint);
            self.version += 1;
        }
    }
}

impl Service {
    fn public(&self) -> LearnedService {
        LearnedService {
            feed: Feed(self.endpoint.feed),
            address: flow::address::narrow(self.endpoint.address.into()),
            port: self.endpoint.port,
            protocol: self.endpoint.protocol,
            since: self.since,
            last_seen: self.last_seen,
        }
    }
}

fn candidate_key(endpoint: &Endpoint) -> [u64; 3] {
    let [high, low] = words(endpoint.address);
    [high, low, endpoint.word()]
}

fn times(word: u64) -> (u32, u32) {
    let [a, b, c, d, e, f, g, h] = word.to_be_bytes();
    (
        u32::from_be_bytes([a, b, c, d]),
        u32::from_be_bytes([e, f, g, h]),
    )
}
