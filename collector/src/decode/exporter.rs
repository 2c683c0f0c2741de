//! What is known of each exporter, and of each observation domain in it.

use std::collections::{BTreeMap, BTreeSet};

use flow::clock::{NANOS_PER_MILLI, NANOS_PER_SECOND};
use flow::health::{ExporterHealth, SequenceState, TemplateSummary};
use flow::{ExporterId, Timestamp, Version};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::config::DecodeConfig;
use super::health::Stats;
use super::names::{self, Learned, Names};
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
    /// Forgets a template and keeps what it met.
    pub(crate) fn forget(&mut self, id: u16) {
        let Some(template) = self.templates.remove(&id) else {
            return;
        };
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
    pub(crate) last_seen: Timestamp,
    /// Versions and domains that are told apart by port.
    pub(crate) by_port: BTreeSet<(Version, u32)>,
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

    /// The stream; a new one may push out the longest silent one.
    pub(crate) fn stream(&mut self, key: StreamKey, config: &DecodeConfig) -> &mut Stream {
        if !self.streams.contains_key(&key) && self.streams.len() >= config.domains_max {
            let silent = self
                .streams
                .iter()
                .min_by_key(|(_, stream)| stream.stats.last_seen)
                .map(|(key, _)| *key);
            if let Some(silent) = silent {
                self.streams.remove(&silent);
            }
            let stream = self.streams.entry(key).or_default();
            stream.problems.add(Problem::DomainsFull, 1);
        }
        self.streams.entry(key).or_default()
    }

    /// Takes what options data of stream `own` said; returns whether it is news.
    pub(crate) fn learn(&mut self, own: StreamKey, said: Vec<Said>, config: &DecodeConfig) -> bool {
        let mut news = false;
        for said in said {
            let outcome = match said {
                Said::Sampling {
                    domain,
                    sampler,
                    interval,
                } => {
                    let domain = domain.filter(|id| *id != 0).unwrap_or(own.domain);
                    let stream = self.stream(StreamKey { domain, ..own }, config);
                    news |= stream.sampling.learn(sampler, interval);
                    continue;
                }
                Said::SystemInit(at) => {
                    let stream = self.stream(own, config);
                    news |= stream.system_init.replace(at) != Some(at);
                    continue;
                }
                Said::Interface(id, name) => {
                    names::learn(&mut self.names.interfaces, id, &name, config.names_max)
                }
                Said::Application(id, name) => {
                    names::learn(&mut self.names.applications, id, &name, config.names_max)
                }
                Said::Vrf(id, name) => {
                    names::learn(&mut self.names.vrfs, id, &name, config.names_max)
                }
            };
            news |= outcome == Learned::New;
            if outcome == Learned::Full {
                self.stream(own, config).problems.add(Problem::NamesFull, 1);
            }
        }
        news
    }

    /// Forgets the least recently used templates beyond the quota; returns whether there were any.
    pub(crate) fn keep_quota(&mut self, config: &DecodeConfig) -> bool {
        let count = |streams: &BTreeMap<StreamKey, Stream>| -> usize {
            streams.values().map(|stream| stream.templates.len()).sum()
        };
        let excess = count(&self.streams).saturating_sub(config.templates_max);
        if excess == 0 {
            return false;
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
        for (_, key, id) in by_use.into_iter().take(excess) {
            if let Some(stream) = self.streams.get_mut(&key) {
                stream.forget(id);
                stream.problems.add(Problem::TemplateQuota, 1);
            }
        }
        true
    }

    /// What people are told, a stream each.
    pub(crate) fn health(
        &self,
        id: ExporterId,
        table: &FieldTable,
        waiting: &Waiting,
    ) -> impl Iterator<Item = ExporterHealth> {
        self.streams
            .iter()
            .filter(|(_, stream)| stream.stats.datagrams > 0)
            .map(move |(key, stream)| stream_health(id, *key, stream, table, waiting))
    }
}

fn stream_health(
    id: ExporterId,
    key: StreamKey,
    stream: &Stream,
    table: &FieldTable,
    waiting: &Waiting,
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
        templates: summaries(key, stream, table),
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
        unknown_fields: unknown_fields(stream),
    }
}

fn summaries(key: StreamKey, stream: &Stream, table: &FieldTable) -> Vec<TemplateSummary> {
    let mut summaries: Vec<_> = stream
        .templates
        .iter()
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
        .collect();
    summaries.sort_by_key(|summary| summary.id);
    summaries
}

fn unknown_fields(stream: &Stream) -> BTreeMap<String, u64> {
    let mut unknown = stream.stats.unknown();
    for template in stream.templates.values() {
        for element in &template.plan.unknown {
            *unknown.entry(*element).or_default() += template.records;
        }
    }
    unknown.retain(|_, records| *records > 0);
    unknown
        .into_iter()
        .map(|(element, records)| (element.to_string(), records))
        .collect()
}
