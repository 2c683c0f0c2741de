//! Who begins a conversation when, and how one goes from its first packet to what each exporter makes of it.

use std::net::IpAddr;
use std::sync::Arc;

use flow::Timestamp;
use rand::Rng;

use super::application::{Behaviour, Clients, Requests, Servers, TCP};
use super::chance::{exponential, log_normal, nanos, poisson, popular, whole};
use super::host::HostId;
use super::talk::{Ends, Talk};
use super::tcp::{Health, MICRO, SECOND, STACK};
use super::train::Direction;
use super::{Enterprise, behaviour, map, truth};

/// Most octets of a request or a response.
const OCTETS_MAX: u64 = 60_000_000;
const MILLI: f64 = 1e6;

impl Enterprise {
    /// Lets everything begin that begins in the second from `self.begun` on.
    pub(super) fn begin_conversations(&mut self) {
        for application in 0..self.applications.len() {
            let mean = self.rate(application);
            if mean <= 0.0 {
                continue;
            }
            for _ in 0..poisson(&mut self.world.rng, mean) {
                let at = self.begun + self.world.rng.random_range(0..SECOND);
                let client = self.pick_client(application);
                self.converse(application, client, at);
            }
        }
    }

    /// Conversations a second that people begin now.
    fn rate(&self, application: usize) -> f64 {
        let now = Timestamp::from_nanos(self.begun);
        let one = &self.applications[application];
        let begins = match one.clients {
            Clients::Users | Clients::UsersAndCustomers => f64::from(self.config.users),
            Clients::Called => 0.0,
            Clients::Monitor | Clients::Databases => 1.0,
        };
        let times = self.world.incidents.times(application, self.begun);
        one.hourly / 3600.0 * begins * self.config.rhythm.level(one.hours, now) * times
    }

    fn pick_client(&mut self, application: usize) -> HostId {
        let rng = &mut self.world.rng;
        match self.applications[application].clients {
            Clients::UsersAndCustomers if rng.random::<f64>() < 0.5 => {
                self.hosts.internet[rng.random_range(0..self.hosts.internet.len())]
            }
            Clients::Databases => self.server_of(super::portfolio::DATABASE),
            Clients::Monitor => {
                let backup = self.names.iter().position(|name| *name == "backup");
                self.server_of(backup.unwrap_or(0))
            }
            _ => self.hosts.users[rng.random_range(0..self.hosts.users.len())],
        }
    }

    fn server_of(&mut self, application: usize) -> HostId {
        let rng = &mut self.world.rng;
        match &self.applications[application].servers {
            Servers::These(servers) => servers[rng.random_range(0..servers.len())],
            Servers::Internet => self.hosts.internet[popular(rng, self.hosts.internet.len())],
            Servers::Users => self.hosts.users[rng.random_range(0..self.hosts.users.len())],
        }
    }

    /// One conversation from beginning to end; returns when the client had what it wanted.
    pub(super) fn converse(&mut self, application: usize, client: HostId, at: i64) -> i64 {
        let server = self.server_of(application);
        if server == client {
            return at;
        }
        let mut talk = self.introduce(application, client, server);
        let (done, succeeded) = self.run(application, server, &mut talk, at);
        self.record(application, talk, succeeded);
        done
    }

    fn introduce(&mut self, application: usize, client: HostId, server: HostId) -> Talk {
        let one = &self.applications[application];
        let both = self.hosts.all[client].v6.is_some() && self.hosts.all[server].v6.is_some();
        let v6 = both && one.v6 > 0.0 && self.world.rng.random::<f64>() < one.v6;
        let has_ports = one.protocol != super::application::ICMP;
        let ends = Ends {
            client: self.hosts.all[client].address(v6),
            server: self.hosts.all[server].address(v6),
            client_port: if has_ports {
                self.hosts.all[client].take_port()
            } else {
                0
            },
            server_port: one.port,
            protocol: one.protocol,
            tos: one.tos,
        };
        let zones = (self.hosts.all[client].zone, self.hosts.all[server].zone);
        let path = self.world.network.path(zones.0, zones.1);
        Talk::new(ends, path, self.config.keep_conversations)
    }

    fn health(&self, application: usize, at: i64) -> Health {
        match self.world.incidents.down(application, at) {
            None => Health::Up,
            Some(true) => Health::Refuses,
            Some(false) => Health::Silent,
        }
    }

    fn run(&mut self, application: usize, server: HostId, talk: &mut Talk, at: i64) -> (i64, bool) {
        let health = self.health(application, at);
        let slower = self.world.incidents.think(application, at);
        let behaviour = self.applications[application].behaviour;
        let mut begin = at;
        if self.applications[application].protocol == TCP {
            match talk.open(&mut self.world, at, health) {
                Some(established) => begin = established,
                None => return (at + 15 * SECOND, false),
            }
        }
        let up = health == Health::Up;
        let world = &mut self.world;
        match behaviour {
            Behaviour::Requests(requests) => {
                let done = self.requests(application, server, requests, talk, begin);
                let end = talk.close(&mut self.world, done.closing);
                return (done.answered.min(end), true);
            }
            Behaviour::Query {
                request,
                response,
                think_us,
            } => {
                let usual = nanos(log_normal(&mut world.rng, think_us * 1e3, 0.4));
                let think = up.then_some(usual + slower);
                return (
                    at,
                    behaviour::query(talk, world, at, (request, response), think),
                );
            }
            Behaviour::Speech { minutes } => behaviour::speech(talk, world, at, minutes),
            Behaviour::Video { minutes, megabits } => {
                behaviour::video(talk, world, at, minutes, megabits);
            }
            Behaviour::Screen { minutes } => {
                let end = behaviour::screen(talk, world, begin, minutes);
                talk.close(world, end);
            }
            Behaviour::Upload { megabytes } => {
                let end = behaviour::upload(talk, world, begin, megabytes);
                talk.close(world, end);
            }
            Behaviour::Echo => return (at, behaviour::echo(talk, world, at, up)),
        }
        (at, true)
    }

    /// Requests and responses on an open connection. The server may ask other servers before it answers.
    fn requests(
        &mut self,
        application: usize,
        server: HostId,
        requests: Requests,
        talk: &mut Talk,
        begin: i64,
    ) -> Done {
        let more = poisson(&mut self.world.rng, (requests.mean - 1.0).max(0.0));
        let mut at = begin + 30 * MICRO;
        let mut answered = at;
        for place in 0..=more {
            if place > 0 && requests.pause_ms > 0.0 {
                at += nanos(exponential(&mut self.world.rng, requests.pause_ms * MILLI));
            }
            let rng = &mut self.world.rng;
            let asks = whole(log_normal(rng, requests.request, 0.4)).clamp(1, OCTETS_MAX);
            let tells = whole(log_normal(rng, requests.response, requests.spread));
            let think = nanos(log_normal(rng, requests.think_ms * MILLI, 0.5));
            let asked = talk.transfer(&mut self.world, Direction::ToServer, at, asks);
            let mut thinks_until = asked + STACK + think;
            thinks_until += self.world.incidents.think(application, asked);
            if let Some((called, times)) = requests.calls {
                for _ in 0..times {
                    thinks_until = self
                        .converse(called, server, thinks_until)
                        .max(thinks_until);
                }
            }
            let tells = tells.clamp(1, OCTETS_MAX);
            answered = talk.transfer(&mut self.world, Direction::ToClient, thinks_until, tells);
            at = answered + 100 * MICRO;
        }
        Done {
            answered,
            closing: at,
        }
    }

    /// Hands what passed to the exporters, and books it.
    fn record(&mut self, application: usize, mut talk: Talk, succeeded: bool) {
        let path = Arc::clone(&talk.path);
        for (hop, seen) in path.hops.iter().zip(&talk.seen) {
            let exporter = &mut self.exporters[hop.exporter];
            exporter.observe(&mut self.world, &talk, *hop, seen, application);
        }
        truth::book(&mut self.booked[application], &talk, succeeded);
        if self.config.keep_conversations {
            let address = |hop: &super::network::Hop| -> IpAddr {
                map::EXPORTERS[hop.exporter].address.into()
            };
            let exporters = path.hops.iter().map(address).collect();
            let name = self.names[application];
            self.conversations
                .push(truth::keep(name, &mut talk, exporters));
        }
    }
}

/// When the last response was there, and when the client begins to close.
struct Done {
    answered: i64,
    closing: i64,
}
