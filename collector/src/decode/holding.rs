//! How much an exporter may hold: its templates, names, samplers and running totals, in octets.
//!
//! Every exporter has an account. What is charged is a function of what is kept, never of how it came, so that a decoder
//! that went on from a checkpoint decides as the one that wrote it. Two bounds, both in [`DecodeConfig`]: no exporter
//! holds more than `exporter_octets_max`, and none grows beyond a quarter of what all exporters together leave of
//! `octets_max`. However many take as much as they can, there is room for one more, and nobody loses anything to another:
//! an exporter that may not grow gives up its own running totals, least recently used templates and longest silent domains.

use std::sync::{Arc, Weak};

use super::config::DecodeConfig;
use super::exporter::{Exporter, Stream, StreamKey};
use super::plan::{ColumnPlan, Plan};
use super::problem::Problem;
use super::template::Template;

/// A domain beside what is charged one by one: itself and its place in two tables, the sequence window, clock offsets,
/// unknown fields that were counted.
pub(crate) const STREAM_OCTETS: usize = size_of::<Stream>() + 6_144;
/// A sampler: two numbers, and the room of a tree that is half empty.
const SAMPLER_OCTETS: usize = 48;
/// Domains of which active timeout and conversations are watched at the same time: 28 KiB each. Of more, what these tell is
/// not told.
const WATCHED_MAX: usize = 1_024;

/// What a domain holds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Charge {
    /// Octets of its templates.
    pub(super) templates: usize,
    /// What its exporter's account has been charged for it.
    octets: usize,
    /// Templates that the account has been told of.
    count: usize,
}

/// What an exporter holds, and may hold.
#[derive(Clone, Debug, Default)]
pub(crate) struct Account {
    /// Octets of all domains.
    streams: usize,
    /// Templates of all domains.
    templates: usize,
    /// Octets that the decoder has been told of.
    told: usize,
    /// Octets that it may hold now.
    allowed: usize,
    /// Counts who is watched.
    watchers: Weak<()>,
}

impl Account {
    /// An account that holds nothing. Of all that share `watchers`, at most [`WATCHED_MAX`] domains are watched.
    pub(super) fn new(watchers: &Arc<()>) -> Self {
        Self {
            watchers: Arc::downgrade(watchers),
            ..Self::default()
        }
    }

    /// A permit to watch a domain, if there is one left.
    pub(super) fn watch(&self) -> Option<Arc<()>> {
        let permit = self.watchers.upgrade()?;
        // The one here and the decoder's own are no watchers.
        (Arc::strong_count(&permit) <= WATCHED_MAX + 1).then_some(permit)
    }

    /// A domain is gone.
    pub(super) fn forget(&mut self, charge: &Charge) {
        self.streams -= charge.octets;
        self.templates -= charge.count;
    }

    /// Octets that the decoder counts for it.
    pub(crate) fn told(&self) -> usize {
        self.told
    }

    /// Octets that names may take more than the `held` ones: half of all, so that they don't push out templates.
    pub(super) fn room_for_names(&self, held: usize) -> usize {
        (self.allowed / 2).saturating_sub(held)
    }
}

impl Exporter {
    /// Octets that it holds.
    pub(crate) fn octets(&self) -> usize {
        self.account.streams + self.names.octets()
    }

    /// Says how much it may hold, where all exporters together hold `held` octets: never less than it does.
    pub(crate) fn allow(&mut self, held: usize, config: &DecodeConfig) {
        let left = config.octets_max.saturating_sub(held);
        let share = config.exporter_octets_max.min(left / 4);
        self.account.allowed = share.max(self.octets());
    }

    /// Books what domain `key` holds now.
    pub(super) fn charge(&mut self, key: StreamKey) {
        if let Some(stream) = self.streams.get_mut(&key) {
            let (octets, count) = (stream.octets(), stream.templates.len());
            let account = &mut self.account;
            account.forget(&stream.charge);
            account.streams += octets;
            account.templates += count;
            (stream.charge.octets, stream.charge.count) = (octets, count);
        }
    }

    /// What it holds now, and what the decoder was told before.
    pub(crate) fn tell(&mut self) -> (usize, usize) {
        let octets = self.octets();
        (octets, std::mem::replace(&mut self.account.told, octets))
    }

    /// Books all domains: after a restart.
    pub(super) fn charge_all(&mut self) {
        let keys: Vec<_> = self.streams.keys().copied().collect();
        keys.into_iter().for_each(|key| self.charge(key));
    }

    /// Gives up what it holds beyond its bounds, after a datagram of domain `own`; returns whether there was anything.
    pub(crate) fn keep_quota(&mut self, own: StreamKey, config: &DecodeConfig) -> bool {
        self.charge(own);
        let few = self.account.templates <= config.templates_max;
        if few && self.octets() <= self.account.allowed {
            return false;
        }
        if self.octets() > self.account.allowed {
            self.streams
                .values_mut()
                .for_each(|stream| stream.totals.forget_older());
            self.charge_all();
        }
        self.forget_templates(config);
        while self.octets() > self.account.allowed && self.forget_longest_silent(own) {
            self.stream(own, config)
                .problems
                .add(Problem::DomainsFull, 1);
        }
        true
    }

    /// Forgets the least recently used templates: a sixteenth more than must be, so that a flood doesn't search for each of
    /// its templates.
    fn forget_templates(&mut self, config: &DecodeConfig) {
        let below = |is: usize, max: usize| if is > max { max - max / 16 } else { max };
        let count = below(self.account.templates, config.templates_max);
        let octets = below(self.octets(), self.account.allowed);
        if self.account.templates <= count && self.octets() <= octets {
            return;
        }
        let mut by_use: Vec<_> = self
            .streams
            .iter()
            .flat_map(|(key, stream)| {
                let templates = stream.templates.iter();
                templates.map(move |(id, template)| (template.used, *key, *id))
            })
            .collect();
        by_use.sort_unstable();
        for (_, key, id) in by_use {
            if self.account.templates <= count && self.octets() <= octets {
                break;
            }
            if let Some(stream) = self.streams.get_mut(&key) {
                stream.forget(id);
                stream.problems.add(Problem::TemplateQuota, 1);
            }
            self.charge(key);
        }
    }
}

impl Stream {
    fn octets(&self) -> usize {
        STREAM_OCTETS
            + self.charge.templates
            + self.sampling.samplers.len() * SAMPLER_OCTETS
            + self.totals.octets()
    }
}

impl Template {
    /// What it takes, by its fields. An upper bound: vectors double, and tables are half empty.
    pub(crate) fn octets(&self) -> usize {
        // A field, its length, and what times and sampling may note of it.
        const FIELD: usize = 64;
        2 * size_of::<(u16, Self)>()
            + self.raw.len()
            + self.fields.len() * FIELD
            + self.plan.octets()
    }
}

impl Plan {
    fn octets(&self) -> usize {
        // A name of its own, where an element stands in the template again.
        const TEXT: usize = 2 * size_of::<(crate::fields::TextUse, super::records::Place)>() + 64;
        self.columns.len() * 2 * size_of::<ColumnPlan>()
            + self.measures.len() * 2 * size_of::<(u16, super::records::Place, bool)>()
            + self.texts.len() * TEXT
            + self.unknown.len() * 2 * size_of::<crate::fields::Element>()
    }
}
