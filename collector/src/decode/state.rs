//! What survives a restart: templates, sampling, names, sequence numbers, and which datagrams wait.

use std::collections::BTreeMap;

use flow::{Datagram, ExporterId, Feed, TapePosition, Timestamp, Version};
use serde::{Deserialize, Serialize};

use super::Decoder;
use super::books::Books;
use super::config::DecodeConfig;
use super::exporter::{Exporter, Stream, StreamKey};
use super::names::Names;
use super::problem::Problems;
use super::sampling::DomainSampling;
use super::sequence::Sequence;
use super::template::{Definition, Dialect, Template};
use super::totals::Totals;
use super::waiting::{Waiter, WaitingState};
use crate::fields::FieldTable;

/// A decoder as it can be written down. Plain data; a decoder made of it goes on as if it had not stopped.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct DecoderState {
    version: u64,
    tick: u64,
    books: Books,
    problems: BTreeMap<String, u64>,
    exporters: Vec<ExporterState>,
    waiting: Vec<WaitingState>,
    /// See [`DecoderState::away_before`]; in the order of the tape, at most [`AWAY_MAX`].
    #[serde(default)]
    away: Vec<TapePosition>,
    /// When each feed's exporters were last searched for a silent one, nanoseconds.
    #[serde(default)]
    searched: Vec<(Feed, i64)>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct ExporterState {
    id: ExporterId,
    /// `None` in states of before it was kept.
    #[serde(default)]
    since_nanos: Option<i64>,
    last_seen_nanos: i64,
    names: Names,
    by_port: Vec<(Version, u32)>,
    streams: Vec<StreamState>,
    #[serde(default)]
    gone: BTreeMap<String, u64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct StreamState {
    key: StreamKey,
    templates: Vec<TemplateState>,
    sequence: Sequence,
    sampling: DomainSampling,
    system_init: Option<i64>,
    started_by: Option<i64>,
    totals: Totals,
    problems: BTreeMap<String, u64>,
    flaps: u32,
    flapped_at_nanos: i64,
    first_seen_nanos: i64,
    last_seen_nanos: i64,
    datagrams: u64,
    records: u64,
    options_records: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct TemplateState {
    id: u16,
    scope: Option<usize>,
    count: usize,
    #[serde(with = "super::hex")]
    raw: Vec<u8>,
    #[serde(default)]
    sent_at: TapePosition,
    defined_by: u16,
    used: u64,
    records: u64,
}

/// Absences that are remembered; of more, the oldest is forgotten.
const AWAY_MAX: usize = 64;

impl DecoderState {
    /// Positions of the datagrams that wait for a template: what [`Decoder::restore`] wants from the tape.
    pub fn waiting_positions(&self) -> impl Iterator<Item = TapePosition> {
        self.waiting.iter().map(|waiting| waiting.position)
    }

    /// The same with the books of a later moment: they change with every datagram, the rest does not.
    pub fn with_books(self, books: Books) -> Self {
        Self { books, ..self }
    }

    /// The same for going on at another place of the tape than where it was taken: templates, sampling and names stay;
    /// sequence windows and running totals belong to that place and are left out.
    pub fn elsewhere(mut self) -> Self {
        for stream in self
            .exporters
            .iter_mut()
            .flat_map(|exporter| &mut exporter.streams)
        {
            stream.sequence = Sequence::default();
            stream.totals = Totals::default();
        }
        self
    }

    /// The same where the collector was away before `end`, the end of its tape: from there on templates that were sent before
    /// are used and distrusted. Up to there nothing was missed, and a batch that was interrupted is made again exactly as
    /// it was.
    pub fn away_before(mut self, end: TapePosition) -> Self {
        if self.away.last().is_none_or(|last| *last < end) {
            self.away.push(end);
        }
        let excess = self.away.len().saturating_sub(AWAY_MAX);
        self.away.drain(..excess);
        self
    }

    /// The same for decoding where its templates may not have been in force: they are used and distrusted until they come.
    pub fn doubted(mut self) -> Self {
        const BEFORE_ALL: TapePosition = TapePosition {
            segment: 0,
            offset: 1,
        };
        self.away = vec![BEFORE_ALL];
        for stream in self
            .exporters
            .iter_mut()
            .flat_map(|exporter| &mut exporter.streams)
        {
            for template in &mut stream.templates {
                template.sent_at = TapePosition::START;
            }
        }
        self
    }

    /// The same with nothing waiting.
    pub fn with_nothing_waiting(self) -> Self {
        Self {
            waiting: Vec::new(),
            ..self
        }
    }

    /// The books as they were.
    pub fn books(&self) -> &Books {
        &self.books
    }
}

impl Decoder {
    /// What must be kept for going on after a restart. It costs about as much as its templates are large.
    pub fn state(&self) -> DecoderState {
        let mut ids: Vec<_> = self.exporters.keys().copied().collect();
        ids.sort_unstable();
        DecoderState {
            version: self.version,
            tick: self.tick,
            books: self.books.clone(),
            problems: self.unplaced.by_name(),
            exporters: ids
                .iter()
                .filter_map(|id| Some(exporter_state(*id, self.exporters.get(id)?)))
                .collect(),
            waiting: self.waiting.state(),
            away: self.away.clone(),
            searched: self
                .searched_at
                .iter()
                .map(|(feed, at)| (*feed, at.nanos()))
                .collect(),
        }
    }

    /// A decoder that goes on where `state` was taken.
    ///
    /// `waiting` are the datagrams at [`DecoderState::waiting_positions`], read from the tape again; one that is no longer
    /// there counts as [`flow::DropKind::TapeExpired`]. Templates are used at once; one that was sent before an absence
    /// ([`DecoderState::away_before`]) and does not fit the length of a Set is forgotten until the exporter sends it again.
    pub fn restore(
        config: DecodeConfig,
        fields: FieldTable,
        state: DecoderState,
        waiting: impl IntoIterator<Item = (TapePosition, Datagram)>,
    ) -> Self {
        let mut decoder = Self::new(config, fields);
        decoder.version = state.version;
        decoder.tick = state.tick;
        decoder.away = state.away;
        let searched = state.searched.into_iter();
        decoder.searched_at = searched
            .map(|(feed, at)| (feed, Timestamp::from_nanos(at)))
            .collect();
        decoder.books = state.books;
        decoder.unplaced = Problems::from_names(&state.problems);
        for exporter in state.exporters {
            let id = exporter.id;
            let mut exporter = restore_exporter(exporter, &decoder);
            decoder.held += exporter.tell().0;
            decoder.exporters.insert(id, exporter);
        }
        let datagrams: BTreeMap<_, _> = waiting.into_iter().collect();
        for waiting in state.waiting {
            decoder.restore_waiting(waiting, &datagrams);
        }
        decoder
    }

    fn restore_waiting(
        &mut self,
        waiting: WaitingState,
        datagrams: &BTreeMap<TapePosition, Datagram>,
    ) {
        let waiter = datagrams.get(&waiting.position).and_then(|datagram| {
            let version = super::header::recognise(&datagram.payload)?;
            let header = super::header::Header::read(version, &datagram.payload)?;
            Some(Waiter {
                datagram: datagram.clone(),
                position: waiting.position,
                stream: StreamKey {
                    version,
                    domain: header.domain,
                    port: waiting.port,
                },
                sets: waiting.sets,
                gave: waiting.gave,
            })
        });
        let kept = waiter.is_some_and(|waiter| self.waiting.add(waiter, &self.config));
        if !kept {
            self.books.waiting -= 1;
            if waiting.gave {
                self.books.understood += 1;
            } else {
                self.books.drop(flow::DropKind::TapeExpired);
            }
        }
    }
}

fn exporter_state(id: ExporterId, exporter: &Exporter) -> ExporterState {
    ExporterState {
        id,
        since_nanos: Some(exporter.since.nanos()),
        last_seen_nanos: exporter.last_seen.nanos(),
        names: exporter.names.clone(),
        by_port: exporter.by_port.iter().copied().collect(),
        streams: exporter
            .streams
            .iter()
            .map(|(key, stream)| stream_state(*key, stream))
            .collect(),
        gone: exporter.gone.by_name(),
    }
}

fn stream_state(key: StreamKey, stream: &Stream) -> StreamState {
    let mut templates: Vec<_> = stream
        .templates
        .iter()
        .map(|(id, template)| TemplateState {
            id: *id,
            scope: template.scope,
            count: template.fields.len(),
            raw: template.raw.to_vec(),
            sent_at: template.sent_at,
            defined_by: template.defined_by,
            used: template.used,
            records: template.records,
        })
        .collect();
    templates.sort_by_key(|template| template.id);
    StreamState {
        key,
        templates,
        sequence: stream.sequence.clone(),
        sampling: stream.sampling.clone(),
        system_init: stream.system_init,
        started_by: stream.started_by,
        totals: stream.totals.clone(),
        problems: stream.problems.by_name(),
        flaps: stream.flaps,
        flapped_at_nanos: stream.flapped_at.nanos(),
        first_seen_nanos: stream.stats.first_seen.nanos(),
        last_seen_nanos: stream.stats.last_seen.nanos(),
        datagrams: stream.stats.datagrams,
        records: stream.stats.records,
        options_records: stream.stats.options_records,
    }
}

fn restore_exporter(state: ExporterState, decoder: &Decoder) -> Exporter {
    let last_seen = Timestamp::from_nanos(state.last_seen_nanos);
    let mut exporter = Exporter {
        names: state.names.restored(),
        since: state.since_nanos.map_or(last_seen, Timestamp::from_nanos),
        last_seen,
        by_port: state.by_port.into_iter().collect(),
        gone: Problems::from_names(&state.gone),
        ..decoder.newcomer(last_seen)
    };
    for stream in state.streams {
        let key = stream.key;
        let mut stream = restore_stream(stream, &decoder.fields);
        stream.stats.watched(exporter.account.watch());
        exporter.streams.insert(key, stream);
    }
    exporter.charge_all();
    exporter
}

fn restore_stream(state: StreamState, fields: &FieldTable) -> Stream {
    let mut stream = Stream {
        sequence: state.sequence,
        sampling: state.sampling,
        system_init: state.system_init,
        started_by: state.started_by,
        totals: state.totals,
        problems: Problems::from_names(&state.problems),
        flaps: state.flaps,
        flapped_at: Timestamp::from_nanos(state.flapped_at_nanos),
        ..Stream::default()
    };
    stream.stats.first_seen = Timestamp::from_nanos(state.first_seen_nanos);
    stream.stats.last_seen = Timestamp::from_nanos(state.last_seen_nanos);
    stream.stats.datagrams = state.datagrams;
    stream.stats.records = state.records;
    stream.stats.options_records = state.options_records;
    let dialect = Dialect::from_number(state.key.version.number());
    for template in state.templates {
        let id = template.id;
        if let Some(template) = dialect.and_then(|it| restore_template(template, it, fields)) {
            stream.define(id, template);
        }
    }
    stream
}

fn restore_template(
    state: TemplateState,
    dialect: Dialect,
    fields: &FieldTable,
) -> Option<Template> {
    let definition = Definition {
        id: state.id,
        scope: state.scope,
        count: state.count,
        raw: &state.raw,
    };
    let mut template = definition.compile(dialect, fields).ok()?;
    template.sent_at = state.sent_at;
    template.defined_by = state.defined_by;
    template.used = state.used;
    template.records = state.records;
    Some(template)
}
