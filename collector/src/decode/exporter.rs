//! What is known of each exporter, and of each observation domain in it.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use flow::clock::{NANOS_PER_MILLI, NANOS_PER_SECOND};
use flow::health::{ExporterHealth, SequenceState, TemplateSummary};
use flow::{ExporterId, Timestamp, Version};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::config::DecodeConfig;
use super::health::{Stats, UNKNOWN_MAX};
use super::holding::{Account, Charge};
use super::names::{Kind, Learned, Names};
use super::options::Said;
use super::problem::{Problem, Problems};
use super::sampling::DomainSampling;
use super::sequence::Sequence;
use super::template::Template;
use super::totals::Totals;
use super::waiting::Waiting;
use crate::fields::FieldTable;

/// One stream of datagrams of an exporter: templates, sequence numbers and sampling are its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct StreamKey {
    pub(crate) version: Version,
    pub(crate) domain: u32,
    /// The sender's UDP port where several senders share the address, else 0.
    pub(crate) port: u16,
}

/// See [`StreamKey`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Stream {
    pub(crate) templates: FxHashMap<u16, Template>,
    pub(crate) sequence: Sequence,
    pub(crate) sampling: DomainSampling,
    /// When uptime was 0, from options data.
    pub(crate) system_init: Option<i64>,
    /// When uptime was 0 at the latest, where nobody tells: the earliest export time less latest uptime seen.
    pub(crate) started_by: Option<i64>,
    pub(crate) totals: Totals,
    pub(crate) stats: Stats,
    pub(crate) problems: Problems,
    /// Redefinitions by another sender, in a row.
    pub(crate) flaps: u32,
    pub(crate) flapped_at: Timestamp,
    /// See [`super::holding`].
    pub(crate) charge: Charge,
}

/// Notes that uptime was at least `uptime_ms` at `export`; returns whether the estimate of the exporter's start changed.
///
/// A flow ends before it is exported, so each message bounds the start from above and the lowest bound is the best. A bound
/// that is an hour above it is another start.
pub(crate) fn anchor(started_by: &mut Option<i64>, export: i64, uptime_ms: u32) -> bool {
    const ANOTHER_START: i64 = 3_600 * NANOS_PER_SECOND;
    let bound = export - i64::from(uptime_ms) * NANOS_PER_MILLI;
    let before = *started_by;
    if before.is_none_or(|known| bound < known || bound - known >= ANOTHER_START) {
        *started_by = Some(bound);
    }
    *started_by != before
}

impl Stream {
    /// Takes a template in, and gives back the one that it replaces.
    pub(crate) fn define(&mut self, id: u16, template: Template) -> Option<Template> {
        self.charge.templates += template.octets();
        let before = self.templates.insert(id, template)?;
        self.charge.templates -= before.octets();
        Some(before)
    }

    /// Forgets a template and keeps what it met.
    pub(crate) fn forget(&mut self, id: u16) {
        let Some(template) = self.templates.remove(&id) else {
            return;
        };
        self.charge.templates -= template.octets();
        self.retire(&template);
    }

    /// Keeps the count of unknown fields of a template that goes.
    pub(crate) fn retire(&mut self, template: &Template) {
        self.stats.retire(&template.plan.unknown, template.records);
    }
}

/// One exporter.
#[derive(Clone, Debug, Default)]
pub(crate) struct Exporter {
    pub(crate) streams: BTreeMap<StreamKey, Stream>,
    pub(crate) names: Names,
    /// When it was heard first.
    pub(crate) since: Timestamp,
    pub(crate) last_seen: Timestamp,
    /// Versions and domains that are told apart by port: at most `domains_max`, of more the lowest is forgotten.
    pub(crate) by_port: BTreeSet<(Version, u32)>,
    /// See [`super::holding`].
    pub(crate) account: Account,
    /// Problems of domains that made room for others.
    pub(crate) gone: Problems,
}

impl Exporter {
    /// The key of a datagram's stream.
    pub(crate) fn key(&self, version: Version, domain: u32, port: u16) -> StreamKey {
        let split = !self.by_port.is_empty() && self.by_port.contains(&(version, domain));
        StreamKey {
            version,
            domain,
            port: if split { port } else { 0 },
        }
    }

    /// Tells the senders of a version and domain apart by port from now on.
    pub(crate) fn split_by_port(&mut self, version: Version, domain: u32, config: &DecodeConfig) {
        self.by_port.insert((version, domain));
        if self.by_port.len() > config.domains_max {
            self.by_port.pop_first();
        }
    }

    /// The stream; a new one may push out the longest silent one.
    pub(crate) fn stream(&mut self, key: StreamKey, config: &DecodeConfig) -> &mut Stream {
        if self.streams.contains_key(&key) {
            return self.streams.entry(key).or_default();
        }
        let full = self.streams.len() >= config.domains_max;
        if full {
            self.forget_longest_silent(key);
        }
        let stats = Stats::new(self.account.watch());
        let stream = self.streams.entry(key).or_insert(Stream {
            stats,
            ..Stream::default()
        });
        stream.problems.add(Problem::DomainsFull, u64::from(full));
        stream
    }

    /// Forgets the domain that was silent longest and is not `but`; returns whether there was one.
    pub(super) fn forget_longest_silent(&mut self, but: StreamKey) -> bool {
        let others = self.streams.iter().filter(|(key, _)| **key != but);
        let silent = others
            .min_by_key(|(_, stream)| stream.stats.last_seen)
            .map(|(key, _)| *key);
        let Some(gone) = silent.and_then(|key| self.streams.remove(&key)) else {
            return false;
        };
        self.account.forget(&gone.charge);
        self.gone.merge(&gone.problems);
        true
    }

    /// What was wrong, all domains together.
    pub(crate) fn problems(&self) -> Problems {
        let mut problems = self.gone.clone();
        for stream in self.streams.values() {
            problems.merge(&stream.problems);
        }
        problems
    }

    /// Takes what options data of stream `own` said; returns whether it is news.
    pub(crate) fn learn(&mut self, own: StreamKey, said: Vec<Said>, config: &DecodeConfig) -> bool {
        let mut news = false;
        for said in said {
            let (kind, id, name) = match said {
                Said::Sampling {
                    domain,
                    sampler,
                    interval,
                } => {
                    let domain = domain.filter(|id| *id != 0).unwrap_or(own.domain);
                    let key = StreamKey { domain, ..own };
                    news |= self.stream(key, config).sampling.learn(sampler, interval);
                    self.charge(key);
                    continue;
                }
                Said::SystemInit(at) => {
                    let stream = self.stream(own, config);
                    news |= stream.system_init.replace(at) != Some(at);
                    continue;
                }
                Said::Interface(id, name) => (Kind::Interface, id, name),
                Said::Application(id, name) => (Kind::Application, id, name),
                Said::Vrf(id, name) => (Kind::Vrf, id, name),
            };
            let room = self.account.room_for_names(self.names.octets());
            let (outcome, cut) = self.names.learn(kind, id, &name, room, config);
            news |= outcome == Learned::New;
            let problems = &mut self.stream(own, config).problems;
            problems.add(Problem::NamesFull, u64::from(outcome == Learned::Full));
            problems.add(Problem::TextCut, u64::from(cut));
        }
        news
    }

    /// What people are told, a stream each.
    pub(crate) fn health(
        &self,
        id: ExporterId,
        table: &FieldTable,
        waiting: &Waiting,
        told: &Told,
    ) -> impl Iterator<Item = ExporterHealth> {
        self.streams
            .iter()
            .filter(|(_, stream)| stream.stats.datagrams > 0)
            .map(move |(key, stream)| stream_health(id, *key, stream, table, (waiting, told)))
    }
}

/// How much is told at a time: names of fields, of templates and unknown ones, of all exporters together. Beyond it,
/// templates and unknown fields are left out of what people see, not of what is decoded.
#[derive(Debug)]
pub(crate) struct Told(Cell<usize>);

impl Told {
    /// Room for everything that an honest installation has: 16 templates of 20 fields for each of 300 exporters.
    pub(crate) fn new() -> Self {
        const FIELDS: usize = 100_000;
        Self(Cell::new(FIELDS))
    }

    fn take(&self, fields: usize) -> bool {
        let left = self.0.get().checked_sub(fields.max(1));
        if let Some(left) = left {
            self.0.set(left);
        }
        left.is_some()
    }
}

fn stream_health(
    id: ExporterId,
    key: StreamKey,
    stream: &Stream,
    table: &FieldTable,
    (waiting, told): (&Waiting, &Told),
) -> ExporterHealth {
    let stats = &stream.stats;
    let sequence = &stream.sequence;
    let intervals: BTreeSet<u32> = stats
        .intervals()
        .chain(stream.sampling.intervals())
        .collect();
    let has_numbers = !matches!(key.version, Version::V1 | Version::V8 | Version::Sflow);
    ExporterHealth {
        feed: id.feed.0,
        address: id.address,
        name: None,
        protocol: key.version.name().to_owned(),
        domain: key.domain,
        first_seen: stats.first_seen,
        last_seen: stats.last_seen,
        datagrams: stats.datagrams,
        records: stats.records,
        options_records: stats.options_records,
        problems: stream.problems.by_name(),
        templates: summaries(key, stream, table, told),
        waiting_for_template: waiting.count(id, key),
        sequence: if has_numbers {
            sequence.state()
        } else {
            SequenceState::None
        },
        sequence_lost: sequence.lost(),
        sequence_reordered: sequence.reordered,
        duplicates: sequence.duplicates,
        reboots: sequence.reboots,
        sampling_intervals: intervals.into_iter().collect(),
        clock_offset_ms: stats.clock_offset_ms(),
        time_kinds: stats.time_kinds(),
        active_timeout_s: stats.active_timeout_s(),
        both_directions_share: stats.both_directions_share(),
        unknown_fields: unknown_fields(stream, told),
    }
}

fn summaries(
    key: StreamKey,
    stream: &Stream,
    table: &FieldTable,
    told: &Told,
) -> Vec<TemplateSummary> {
    let mut templates: Vec<_> = stream.templates.iter().collect();
    templates.sort_unstable_by_key(|(id, _)| **id);
    templates
        .into_iter()
        .take_while(|(_, template)| told.take(template.fields.len()))
        .map(|(id, template)| TemplateSummary {
            version: key.version.number(),
            domain: key.domain,
            id: *id,
            options: template.scope.is_some(),
            fields: template
                .fields
                .iter()
                .map(|field| match table.name(field.element) {
                    Some(name) => name.into_owned(),
                    None => field.element.to_string(),
                })
                .collect(),
        })
        .collect()
}

fn unknown_fields(stream: &Stream, told: &Told) -> BTreeMap<String, u64> {
    let mut unknown = stream.stats.unknown();
    let used = stream.templates.values().filter(|it| it.records > 0);
    for (template, element) in
        used.flat_map(|template| template.plan.unknown.iter().map(move |it| (template, it)))
    {
        // What few fields have takes no more room than what many have.
        if unknown.len() < UNKNOWN_MAX || unknown.contains_key(element) {
            *unknown.entry(*element).or_default() += template.records;
        }
    }
    unknown
        .into_iter()
        .filter(|(_, records)| *records > 0)
        .take_while(|_| told.take(1))
        .map(|(element, records)| (element.to_string(), records))
        .collect()
}
