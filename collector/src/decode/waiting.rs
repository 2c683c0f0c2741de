//! Datagrams with data whose template has not come yet.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use flow::{Datagram, ExporterId, Feed, TapePosition, Timestamp};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::config::DecodeConfig;
use super::exporter::StreamKey;

/// A Set that waits: its id is the template's, and it starts this many octets into the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WaitingSet {
    pub(crate) template: u16,
    pub(crate) offset: u16,
}

/// A datagram that waits, as the state keeps it: its octets are on the tape.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WaitingState {
    pub(crate) position: TapePosition,
    pub(crate) port: u16,
    pub(crate) sets: Vec<WaitingSet>,
    pub(crate) gave: bool,
}

/// A datagram that waits.
#[derive(Clone, Debug)]
pub(crate) struct Waiter {
    pub(crate) datagram: Datagram,
    pub(crate) position: TapePosition,
    pub(crate) stream: StreamKey,
    pub(crate) sets: Vec<WaitingSet>,
    /// Whether anything of it was of use already.
    pub(crate) gave: bool,
}

type Ticket = (Feed, u64);

/// Datagrams that wait: at most `waiting_octets_max` octets, a quarter of it for one exporter.
///
/// When full, the newest is not kept: `drop.no_template` and [`super::Problem::WaitingFull`] grow. One that waited longer
/// than `waiting_age_max_s` of its feed's time goes too ([`super::Problem::WaitingExpired`]).
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    /// By feed, then in the order of coming.
    waiters: BTreeMap<Ticket, Waiter>,
    wanted: FxHashMap<(ExporterId, StreamKey, u16), BTreeSet<Ticket>>,
    octets: usize,
    octets_of: FxHashMap<ExporterId, usize>,
    next: u64,
}

impl Waiting {
    pub(crate) fn is_empty(&self) -> bool {
        self.waiters.is_empty()
    }

    /// Takes a datagram in; `false` if there is no room.
    pub(crate) fn add(&mut self, mut waiter: Waiter, config: &DecodeConfig) -> bool {
        let exporter = waiter.datagram.exporter();
        let octets = waiter.datagram.payload.len();
        let own = self.octets_of.get(&exporter).copied().unwrap_or(0);
        if self.octets + octets > config.waiting_octets_max
            || own + octets > config.waiting_octets_max / 4
        {
            return false;
        }
        // As it came the payload is a slice of a large piece of tape, which would be kept with it.
        waiter.datagram.payload = Bytes::copy_from_slice(&waiter.datagram.payload);
        self.octets += octets;
        self.octets_of.insert(exporter, own + octets);
        let ticket = (waiter.datagram.feed, self.next);
        self.next += 1;
        for set in &waiter.sets {
            let wanted = (exporter, waiter.stream, set.template);
            self.wanted.entry(wanted).or_default().insert(ticket);
        }
        self.waiters.insert(ticket, waiter);
        true
    }

    /// Takes out every Set that waits for this template, oldest first, each datagram with those of its Sets; `true` beside
    /// it if it waits for nothing more.
    pub(crate) fn take(
        &mut self,
        exporter: ExporterId,
        stream: StreamKey,
        template: u16,
    ) -> Vec<(Waiter, bool)> {
        let Some(tickets) = self.wanted.remove(&(exporter, stream, template)) else {
            return Vec::new();
        };
        let mut taken = Vec::with_capacity(tickets.len());
        for ticket in tickets {
            let Some(waiter) = self.waiters.get_mut(&ticket) else {
                continue;
            };
            let (ready, rest) = waiter.sets.iter().partition(|set| set.template == template);
            waiter.sets = rest;
            let last = waiter.sets.is_empty();
            let mut now = waiter.clone();
            now.sets = ready;
            // What it gives now counts even if the rest never comes.
            waiter.gave = true;
            if last {
                self.remove(ticket);
            }
            taken.push((now, last));
        }
        taken
    }

    /// Takes out the oldest of `feed` if it has waited too long at `now`.
    pub(crate) fn expire(
        &mut self,
        feed: Feed,
        now: Timestamp,
        config: &DecodeConfig,
    ) -> Option<Waiter> {
        let (ticket, oldest) = self.waiters.range((feed, 0)..=(feed, u64::MAX)).next()?;
        let age = now.seconds() - oldest.datagram.received_at.seconds();
        let ticket = *ticket;
        (age > i64::from(config.waiting_age_max_s)).then(|| self.remove(ticket))?
    }

    /// Takes out the oldest of `feed`, however new it is.
    pub(crate) fn end(&mut self, feed: Feed) -> Option<Waiter> {
        let (ticket, _) = self.waiters.range((feed, 0)..=(feed, u64::MAX)).next()?;
        self.remove(*ticket)
    }

    fn remove(&mut self, ticket: Ticket) -> Option<Waiter> {
        let waiter = self.waiters.remove(&ticket)?;
        let exporter = waiter.datagram.exporter();
        let octets = waiter.datagram.payload.len();
        self.octets -= octets;
        if let Some(own) = self.octets_of.get_mut(&exporter) {
            *own -= octets;
            if *own == 0 {
                self.octets_of.remove(&exporter);
            }
        }
        for set in &waiter.sets {
            let wanted = (exporter, waiter.stream, set.template);
            if let Some(tickets) = self.wanted.get_mut(&wanted) {
                tickets.remove(&ticket);
                if tickets.is_empty() {
                    self.wanted.remove(&wanted);
                }
            }
        }
        Some(waiter)
    }

    /// Sets that wait for this exporter and stream.
    pub(crate) fn count(&self, exporter: ExporterId, stream: StreamKey) -> u64 {
        self.waiters
            .values()
            .filter(|waiter| waiter.stream == stream && waiter.datagram.exporter() == exporter)
            .map(|waiter| waiter.sets.len() as u64)
            .sum()
    }

    /// What must be known to wait on after a restart.
    pub(crate) fn state(&self) -> Vec<WaitingState> {
        self.waiters
            .values()
            .map(|waiter| WaitingState {
                position: waiter.position,
                port: waiter.stream.port,
                sets: waiter.sets.clone(),
                gave: waiter.gave,
            })
            .collect()
    }
}
