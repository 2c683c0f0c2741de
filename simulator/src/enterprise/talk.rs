//! A conversation on its way: trains go over the legs of its path, are delayed and lost, and are seen at each exporter.

use std::net::IpAddr;
use std::sync::Arc;

use rand::rngs::SmallRng;

use super::chance;
use super::incident::Incidents;
use super::network::{Network, Path};
use super::train::{Direction, Traffic, Train};

/// What all conversations share.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) network: Network,
    pub(super) incidents: Incidents,
    pub(super) rng: SmallRng,
    /// Whether delays have a random part, and links lose packets without an incident.
    pub(super) noise: bool,
    pub(super) hits: Vec<u64>,
}

/// The two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ends {
    pub(super) client: IpAddr,
    pub(super) server: IpAddr,
    pub(super) client_port: u16,
    pub(super) server_port: u16,
    pub(super) protocol: u8,
    pub(super) tos: u8,
}

/// A train as it passes an exporter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Crossing {
    pub(super) direction: Direction,
    pub(super) train: Train,
}

/// What came through to the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Arrival {
    /// When the first packet came, or would have come.
    pub(super) first: i64,
    /// When the last packet came, or would have come.
    pub(super) last: i64,
    pub(super) packets: u64,
}

/// One conversation. All its times are true time.
#[derive(Debug)]
pub(super) struct Talk {
    pub(super) ends: Ends,
    pub(super) path: Arc<Path>,
    /// By hop.
    pub(super) seen: Vec<Vec<Crossing>>,
    /// By direction.
    pub(super) sent: [Traffic; 2],
    pub(super) delivered: [Traffic; 2],
    /// What was sent, if it is to be kept.
    pub(super) kept: Option<Vec<Crossing>>,
    /// By direction: the delay of the first train over each leg, in the order of its way.
    pub(super) opening: [Vec<i64>; 2],
    /// By direction and leg: no packet overtakes those before it.
    horizon: [Vec<i64>; 2],
    cars: Vec<Train>,
    split: Vec<Train>,
}

impl Talk {
    /// A conversation that has not begun; `keep` remembers every train.
    pub(super) fn new(ends: Ends, path: Arc<Path>, keep: bool) -> Self {
        let legs = path.legs.len();
        Self {
            ends,
            seen: vec![Vec::new(); path.hops.len()],
            path,
            sent: Default::default(),
            delivered: Default::default(),
            kept: keep.then(Vec::new),
            opening: Default::default(),
            horizon: [vec![i64::MIN; legs], vec![i64::MIN; legs]],
            cars: Vec::new(),
            split: Vec::new(),
        }
    }

    /// Octets of the IP header.
    pub(super) fn ip_header(&self) -> u32 {
        if self.ends.client.is_ipv6() { 40 } else { 20 }
    }

    /// The round trip that a packet would have now.
    pub(super) fn round_trip(&self, world: &World, at: i64) -> i64 {
        let links = self.path.legs.iter().flatten();
        let extra: i64 = links
            .map(|link| world.incidents.link_delay(*link, at))
            .sum();
        self.path.round_trip + 2 * extra
    }

    /// Sends a train from its end.
    pub(super) fn send(
        &mut self,
        world: &mut World,
        direction: Direction,
        train: Train,
    ) -> Arrival {
        let path = Arc::clone(&self.path);
        let opens = self.sent[direction.index()].packets == 0;
        self.sent[direction.index()] += train.traffic();
        if let Some(kept) = &mut self.kept {
            kept.push(Crossing { direction, train });
        }
        let mut due = train;
        self.cars.clear();
        self.cars.push(train);
        for step in 0..path.legs.len() {
            let (leg, hop) = match direction {
                Direction::ToServer => (step, Some(step).filter(|hop| *hop < path.hops.len())),
                Direction::ToClient => {
                    let leg = path.legs.len() - 1 - step;
                    (leg, leg.checked_sub(1))
                }
            };
            let delay = self.pass(world, &path.legs[leg], leg, direction, due);
            due = due.delayed(delay);
            if opens {
                self.opening[direction.index()].push(delay);
            }
            if let Some(hop) = hop {
                let crossings = self.cars.iter().map(|train| Crossing {
                    direction,
                    train: *train,
                });
                self.seen[hop].extend(crossings);
            }
        }
        self.arrive(direction, due)
    }

    fn arrive(&mut self, direction: Direction, due: Train) -> Arrival {
        let mut total = Traffic::default();
        for car in &self.cars {
            total += car.traffic();
        }
        self.delivered[direction.index()] += total;
        Arrival {
            first: self.cars.first().map_or(due.at, |car| car.at),
            last: self.cars.last().map_or(due.last(), Train::last),
            packets: total.packets,
        }
    }

    /// Moves the cars over one leg; returns how long it takes.
    fn pass(
        &mut self,
        world: &mut World,
        links: &[usize],
        leg: usize,
        direction: Direction,
        due: Train,
    ) -> i64 {
        let (mut delay, mut jitter, mut passes) = (0, 0, 1.0);
        for link in links {
            let constant = &world.network.links[*link];
            delay += constant.delay + world.incidents.link_delay(*link, due.at);
            passes *= 1.0 - world.incidents.link_loss(*link, due.at);
            if world.noise {
                jitter += constant.jitter;
                passes *= 1.0 - constant.loss;
            }
        }
        if jitter > 0 {
            let mean = f64::from(i32::try_from(jitter).unwrap_or(i32::MAX));
            delay += chance::nanos(chance::exponential(&mut world.rng, mean));
        }
        let horizon = &mut self.horizon[direction.index()][leg];
        delay += horizon.saturating_sub(due.at.saturating_add(delay)).max(0);
        *horizon = due.last().saturating_add(delay);
        for car in &mut self.cars {
            *car = car.delayed(delay);
        }
        if passes < 1.0 {
            self.lose(world, 1.0 - passes);
        }
        delay
    }

    /// Takes out each packet with this probability.
    fn lose(&mut self, world: &mut World, share: f64) {
        self.split.clear();
        for car in &self.cars {
            chance::hits(&mut world.rng, car.packets, share, &mut world.hits);
            let mut from = 0;
            for lost in &world.hits {
                self.split.extend(car.part(from, *lost));
                from = lost + 1;
            }
            self.split.extend(car.part(from, car.packets));
        }
        std::mem::swap(&mut self.cars, &mut self.split);
    }
}
