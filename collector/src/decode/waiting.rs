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

impl Waiter {
    /// What it costs to keep: a datagram of 25 octets, or one of thousands of tiny Sets, takes more memory for the books
    /// than for itself.
    fn octets(&self) -> usize {
        const EACH: usize = 2 * (size_of::<Waiter>() + size_of::<Ticket>());
        // Its entry in `wanted`, where each Set may be the only one of its template.
        const EACH_SET: usize = 2 * size_of::<(Wanted, BTreeSet<Ticket>)>() + 256;
        EACH + self.datagram.payload.len() + self.sets.len() * EACH_SET
    }
}

type Ticket = (Feed, u64);
type Wanted = (ExporterId, StreamKey, u16);

/// A kept datagram and what was charged for it.
#[derive(Debug)]
struct Kept {
    waiter: Waiter,
    octets: usize,
}

/// A datagram with those of its Sets that need not wait any more.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) waiter: Waiter,
    /// Where the rest of it goes on waiting.
    rest: Option<Ticket>,
}

impl Taken {
    /// Whether nothing of it waits any more.
    pub(crate) fn is_last(&self) -> bool {
        self.rest.is_none()
    }
}

/// Datagrams that wait: at most `waiting_octets_max` octets, books included. One exporter may have a third of what the
/// others leave, which alone is a quarter of all: however many take as much as they can, there is room for one more.
///
/// When there is none, the newest is not kept: `drop.no_template` and [`super::Problem::WaitingFull`] grow. One that waited
/// longer than `waiting_age_max_s` of its feed's time goes too ([`super::Problem::WaitingExpired`]).
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    /// By feed, then in the order of coming.
    kept: BTreeMap<Ticket, Kept>,
    wanted: FxHashMap<Wanted, BTreeSet<Ticket>>,
    octets: usize,
    octets_of: FxHashMap<ExporterId, usize>,
    sets_of: FxHashMap<(ExporterId, StreamKey), u64>,
    next: u64,
}

impl Waiting {
    pub(crate) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Datagrams that wait, and the octets charged for them.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.kept.len(), self.octets)
    }

    /// Takes a datagram in; `false` if there is no room.
    pub(crate) fn add(&mut self, mut waiter: Waiter, config: &DecodeConfig) -> bool {
        let exporter = waiter.datagram.exporter();
        let octets = waiter.octets();
        let own = self.octets_of.get(&exporter).copied().unwrap_or(0);
        let room = config
            .waiting_octets_max
            .saturating_sub(self.octets + octets);
        if own + octets > room / 3 {
            return false;
        }
        // As it came the payload is a slice of a large piece of tape, which would be kept with it.
        waiter.datagram.payload = Bytes::copy_from_slice(&waiter.datagram.payload);
        self.octets += octets;
        self.octets_of.insert(exporter, own + octets);
        *self.sets_of.entry((exporter, waiter.stream)).or_default() += waiter.sets.len() as u64;
        let ticket = (waiter.datagram.feed, self.next);
        self.next += 1;
        for set in &waiter.sets {
            let wanted = (exporter, waiter.stream, set.template);
            self.wanted.entry(wanted).or_default().insert(ticket);
        }
        self.kept.insert(ticket, Kept { waiter, octets });
        true
    }

    /// Takes out the oldest datagram with Sets that wait for this template, with those of its Sets.
    pub(crate) fn take(
        &mut self,
        exporter: ExporterId,
        stream: StreamKey,
        template: u16,
    ) -> Option<Taken> {
        let wanted = (exporter, stream, template);
        let ticket = *self.wanted.get(&wanted)?.first()?;
        self.forget_wanted(wanted, ticket);
        let waiter = &mut self.kept.get_mut(&ticket)?.waiter;
        let (ready, rest): (Vec<_>, Vec<_>) =
            waiter.sets.iter().partition(|set| set.template == template);
        let last = rest.is_empty();
        let taken = Waiter {
            sets: ready,
            ..waiter.clone()
        };
        waiter.sets = rest;
        self.count_down(exporter, stream, taken.sets.len());
        if last {
            self.remove(ticket);
        }
        Some(Taken {
            waiter: taken,
            rest: (!last).then_some(ticket),
        })
    }

    /// What was taken gave something, which counts even if the rest never comes.
    pub(crate) fn gave(&mut self, taken: &Taken) {
        if let Some(kept) = taken.rest.and_then(|ticket| self.kept.get_mut(&ticket)) {
            kept.waiter.gave = true;
        }
    }

    /// Takes out the oldest of `feed` if it has waited too long at `now`.
    pub(crate) fn expire(
        &mut self,
        feed: Feed,
        now: Timestamp,
        config: &DecodeConfig,
    ) -> Option<Waiter> {
        let (ticket, oldest) = self.kept.range((feed, 0)..=(feed, u64::MAX)).next()?;
        let age = now.seconds() - oldest.waiter.datagram.received_at.seconds();
        let ticket = *ticket;
        (age > i64::from(config.waiting_age_max_s)).then(|| self.remove(ticket))?
    }

    /// Takes out the oldest of `feed`, however new it is.
    pub(crate) fn end(&mut self, feed: Feed) -> Option<Waiter> {
        let (ticket, _) = self.kept.range((feed, 0)..=(feed, u64::MAX)).next()?;
        self.remove(*ticket)
    }

    fn remove(&mut self, ticket: Ticket) -> Option<Waiter> {
        let Kept { waiter, octets } = self.kept.remove(&ticket)?;
        let exporter = waiter.datagram.exporter();
        self.octets -= octets;
        if let Some(own) = self.octets_of.get_mut(&exporter) {
            *own -= octets;
            if *own == 0 {
                self.octets_of.remove(&exporter);
            }
        }
        self.count_down(exporter, waiter.stream, waiter.sets.len());
        for set in &waiter.sets {
            self.forget_wanted((exporter, waiter.stream, set.template), ticket);
        }
        Some(waiter)
    }

    fn forget_wanted(&mut self, wanted: Wanted, ticket: Ticket) {
        if let Some(tickets) = self.wanted.get_mut(&wanted) {
            tickets.remove(&ticket);
            if tickets.is_empty() {
                self.wanted.remove(&wanted);
            }
        }
    }

    fn count_down(&mut self, exporter: ExporterId, stream: StreamKey, sets: usize) {
        if let Some(waiting) = self.sets_of.get_mut(&(exporter, stream)) {
            *waiting -= sets as u64;
            if *waiting == 0 {
                self.sets_of.remove(&(exporter, stream));
            }
        }
    }

    /// Sets that wait for this exporter and stream.
    pub(crate) fn count(&self, exporter: ExporterId, stream: StreamKey) -> u64 {
        let waiting = self.sets_of.get(&(exporter, stream));
        waiting.copied().unwrap_or(0)
    }

    /// What must be known to wait on after a restart.
    pub(crate) fn state(&self) -> Vec<WaitingState> {
        let waiters = self.kept.values().map(|kept| &kept.waiter);
        waiters
            .map(|waiter| WaitingState {
                position: waiter.position,
                port: waiter.stream.port,
                sets: waiter.sets.clone(),
                gave: waiter.gave,
            })
            .collect()
    }
}
