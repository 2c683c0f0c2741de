//! The Sets of a v9 packet or IPFIX message: templates are learned, data is decoded or waits.

use flow::batch::Described;
use flow::{Datagram, FlowBatch, TapePosition};

use super::config::DecodeConfig;
use super::exporter::{Exporter, Stream, StreamKey, anchor};
use super::framing::{Found, Sets};
use super::header::Header;
use super::options;
use super::problem::Problem;
use super::records::{self, Records, Span, Walked};
use super::rows::{self, Context, Outcome};
use super::sampling::SamplingContext;
use super::template::{Definition, Definitions, Dialect, Step, Template};
use super::times::TimeScratch;
use super::waiting::WaitingSet;
use crate::fields::FieldTable;

/// Memory that is used again for every Set.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    pub(crate) times: TimeScratch,
    pub(crate) spans: Vec<Span>,
}

/// A datagram under the knife.
#[derive(Clone, Copy)]
pub(crate) struct Packet<'a> {
    pub(crate) datagram: &'a Datagram,
    pub(crate) at: TapePosition,
    pub(crate) header: Header,
    pub(crate) key: StreamKey,
    /// Datagrams decoded before it.
    pub(crate) tick: u64,
}

/// What does not change from datagram to datagram.
#[derive(Clone, Copy)]
pub(crate) struct Rules<'a> {
    pub(crate) config: &'a DecodeConfig,
    pub(crate) fields: &'a FieldTable,
    /// Places of the tape before which the collector was away.
    pub(crate) away: &'a [TapePosition],
}

/// What a packet's Sets gave.
#[derive(Debug, Default)]
pub(crate) struct Gave {
    /// Flow records.
    pub(crate) records: u64,
    /// Options records.
    pub(crate) options: u64,
    /// Template records, withdrawals too.
    pub(crate) templates: u64,
    /// Templates that are new or changed, by id.
    pub(crate) learned: Vec<u16>,
    /// Sets that must wait.
    pub(crate) waiting: Vec<WaitingSet>,
    /// Whether the state changed.
    pub(crate) news: bool,
    /// Whether records were lost or can't be told apart, so that they can't be counted.
    pub(crate) uncounted: bool,
    /// Whether the packet contradicts itself.
    pub(crate) broken: bool,
}

impl Gave {
    /// Whether anything in it was of use.
    pub(crate) fn anything(&self) -> bool {
        self.records + self.options + self.templates > 0
    }
}

/// Walks the Sets between header and `end`.
pub(crate) fn decode(
    rules: Rules<'_>,
    exporter: &mut Exporter,
    packet: Packet<'_>,
    end: usize,
    out: &mut FlowBatch,
    scratch: &mut Scratch,
) -> Gave {
    let payload = &packet.datagram.payload[..end];
    let mut gave = Gave::default();
    let sets = Sets {
        payload,
        at: packet.header.size,
    };
    for found in sets {
        let problem = match found {
            Found::Trailing => Some(Problem::TrailingOctets),
            Found::Set { honest: true, .. } => None,
            _ => Some(Problem::SetLength),
        };
        if let Some(problem) = problem {
            count(rules, exporter, packet.key, problem, 1);
        }
        if found == Found::Broken {
            gave.broken = true;
            gave.uncounted = true;
        }
        if let Found::Set { id, start, end, .. } = found {
            let set = (id, start, end);
            one(rules, exporter, packet, set, out, scratch, &mut gave);
        }
    }
    gave
}

fn count(rules: Rules<'_>, exporter: &mut Exporter, key: StreamKey, problem: Problem, times: u64) {
    if times > 0 {
        exporter
            .stream(key, rules.config)
            .problems
            .add(problem, times);
    }
}

/// One Set: its id, where it starts and where it ends.
fn one(
    rules: Rules<'_>,
    exporter: &mut Exporter,
    packet: Packet<'_>,
    (id, start, end): (u16, usize, usize),
    out: &mut FlowBatch,
    scratch: &mut Scratch,
    gave: &mut Gave,
) {
    let dialect = match packet.header.version {
        flow::Version::V9 => Dialect::V9,
        _ => Dialect::Ipfix,
    };
    let body = &packet.datagram.payload[start + 4..end];
    if body.is_empty() {
        return count(rules, exporter, packet.key, Problem::SetEmpty, 1);
    }
    match (dialect, id) {
        (Dialect::V9, 0) | (Dialect::Ipfix, 2) => {
            let definitions = Definitions::new(body, dialect, false, rules.config);
            learn(rules, exporter, packet, definitions, dialect, gave);
        }
        (Dialect::V9, 1) | (Dialect::Ipfix, 3) => {
            let definitions = Definitions::new(body, dialect, true, rules.config);
            learn(rules, exporter, packet, definitions, dialect, gave);
        }
        (_, 0..256) => count(rules, exporter, packet.key, Problem::SetReserved, 1),
        _ => {
            if data(
                rules,
                exporter,
                packet,
                (id, start, end),
                out,
                scratch,
                gave,
            ) == Data::Missing
            {
                count(rules, exporter, packet.key, Problem::DataBeforeTemplate, 1);
                gave.uncounted = true;
                gave.waiting.push(WaitingSet {
                    template: id,
                    offset: u16::try_from(start).unwrap_or(u16::MAX),
                });
            }
        }
    }
}

/// Takes in what a template Set defines.
pub(crate) fn learn(
    rules: Rules<'_>,
    exporter: &mut Exporter,
    packet: Packet<'_>,
    definitions: Definitions<'_>,
    dialect: Dialect,
    gave: &mut Gave,
) {
    for step in definitions {
        let problem = match step {
            Step::Defined(definition) => {
                gave.templates += 1;
                define(rules, exporter, packet, &definition, dialect, gave)
            }
            Step::Withdrawn => {
                gave.templates += 1;
                Some(Problem::TemplateWithdrawn)
            }
            Step::Rejected(problem) => Some(problem),
            Step::Broken(problem) => {
                gave.broken = true;
                Some(problem)
            }
        };
        if let Some(problem) = problem {
            count(rules, exporter, packet.key, problem, 1);
        }
    }
}

/// Takes a definition in: nothing to do for a refresh, compiled otherwise and used from here on.
fn define(
    rules: Rules<'_>,
    exporter: &mut Exporter,
    packet: Packet<'_>,
    definition: &Definition<'_>,
    dialect: Dialect,
    gave: &mut Gave,
) -> Option<Problem> {
    let port = packet.datagram.source.port();
    let stream = exporter.stream(packet.key, rules.config);
    if let Some(known) = stream.templates.get_mut(&definition.id)
        && definition.is(known)
    {
        gave.news |= known.is_doubtful(rules.away, packet.at);
        (known.sent_at, known.defined_by, known.used) = (packet.at, port, packet.tick);
        return None;
    }
    let mut template = match definition.compile(dialect, rules.fields) {
        Ok(template) => template,
        Err(problem) => return Some(problem),
    };
    (template.sent_at, template.defined_by, template.used) = (packet.at, port, packet.tick);
    gave.news = true;
    gave.learned.push(definition.id);
    let before = stream.define(definition.id, template)?;
    stream.retire(&before);
    stream.problems.add(Problem::TemplateChanged, 1);
    let doubtful = before.is_doubtful(rules.away, packet.at);
    if doubtful || !flapping(stream, &before, packet, rules.config) {
        return None;
    }
    let Header {
        version, domain, ..
    } = packet.header;
    exporter.split_by_port(version, domain, rules.config);
    Some(Problem::PortScope)
}

/// Whether different senders go on contradicting each other within minutes: a device that restarts does so once.
fn flapping(
    stream: &mut Stream,
    before: &Template,
    packet: Packet<'_>,
    config: &DecodeConfig,
) -> bool {
    const WITHIN_S: i64 = 600;
    if before.defined_by == packet.datagram.source.port() {
        return false;
    }
    let now = packet.datagram.received_at;
    let recent = now.seconds() - stream.flapped_at.seconds() <= WITHIN_S;
    stream.flaps = if recent { stream.flaps + 1 } else { 1 };
    stream.flapped_at = now;
    stream.flaps >= config.port_scope_after
}

/// What became of a data Set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Data {
    /// Read.
    Read,
    /// Its template is not known.
    Missing,
}

/// Decodes the data Set `(template id, start, end)` of the packet.
pub(crate) fn data(
    rules: Rules<'_>,
    exporter: &mut Exporter,
    packet: Packet<'_>,
    (id, start, end): (u16, usize, usize),
    out: &mut FlowBatch,
    scratch: &mut Scratch,
    gave: &mut Gave,
) -> Data {
    let stream = exporter.stream(packet.key, rules.config);
    let Some(template) = stream.templates.get_mut(&id) else {
        return Data::Missing;
    };
    template.used = packet.tick;
    let Scratch { times, spans } = scratch;
    let payload = &packet.datagram.payload[..];
    let found = find(template, payload, start + 4, end, spans);
    if !found.fits && template.is_doubtful(rules.away, packet.at) {
        stream.forget(id);
        stream.problems.add(Problem::TemplateDistrusted, 1);
        gave.news = true;
        return Data::Missing;
    }
    stream
        .problems
        .add(Problem::RecordCut, u64::from(found.cut));
    stream.problems.add(
        Problem::TrailingOctets,
        u64::from(!found.fits && !found.cut),
    );
    gave.uncounted |= found.cut;
    let records = found.records;
    template.records += records.count() as u64;
    if template.scope.is_some() {
        let mut said = Vec::new();
        options::read(template, &records, &mut said);
        gave.options += records.count() as u64;
        stream.stats.options_records += records.count() as u64;
        gave.news |= exporter.learn(packet.key, said, rules.config);
        return Data::Read;
    }
    gave.records += records.count() as u64;
    gave.news |= flows(rules, exporter, packet, id, &records, out, times);
    Data::Read
}

/// The records of a Set, and whether its length is theirs.
pub(crate) struct InSet<'a> {
    pub(crate) records: Records<'a>,
    /// At most the padding to four octets, or zeros, are left over.
    pub(crate) fits: bool,
    /// A record ran over the end.
    cut: bool,
}

/// Finds the records in `payload[start..end]`, the body of a data Set.
pub(crate) fn find<'a>(
    template: &Template,
    payload: &'a [u8],
    start: usize,
    end: usize,
    spans: &'a mut Vec<Span>,
) -> InSet<'a> {
    let plan = &template.plan;
    if let Some(length) = plan.record_length {
        let count = (end - start) / length;
        let rest = &payload[start + count * length..end];
        return InSet {
            records: Records::fixed(payload, start, length, count),
            fits: count > 0 && (rest.len() < 4 || rest.iter().all(|octet| *octet == 0)),
            cut: false,
        };
    }
    let walked = records::walk(payload, start, end, &plan.lengths, plan.shortest, spans);
    InSet {
        records: Records::variable(payload, start, spans, plan.lengths.len()),
        fits: walked == Walked::Whole && !spans.is_empty(),
        cut: walked == Walked::Cut,
    }
}

/// Rows of a Set of flow records, and all that is noted of them. Returns whether the state changed.
fn flows(
    rules: Rules<'_>,
    exporter: &mut Exporter,
    packet: Packet<'_>,
    id: u16,
    records: &Records<'_>,
    out: &mut FlowBatch,
    times: &mut TimeScratch,
) -> bool {
    let Exporter { streams, names, .. } = exporter;
    let Some(stream) = streams.get_mut(&packet.key) else {
        return false;
    };
    let Some(template) = stream.templates.get(&id) else {
        return false;
    };
    let mut news = false;
    let mut clock = packet
        .header
        .clock(packet.datagram.received_at, stream.system_init);
    if clock.uptime_ms.is_none()
        && clock.system_init.is_none()
        && let Some(uptime) = template.plan.times.unanchored(records)
    {
        news |= anchor(&mut stream.started_by, clock.export, uptime);
        clock.system_init = stream.started_by;
        clock.estimated = true;
    }
    let Header {
        version, domain, ..
    } = packet.header;
    let context = Context {
        datagram: packet.datagram,
        at: packet.at,
        described: Described {
            version: version.number(),
            domain,
            template: id,
        },
        clock,
        sampling: SamplingContext {
            learned: &stream.sampling,
            header: None,
        },
        text_octets_max: rules.config.text_octets_max,
    };
    let from = out.rows();
    let outcome = rows::append(&template.plan, records, context, out, times);
    let to = out.rows();
    if template.plan.counters == Some(flow::batch::CounterKind::Total) {
        let totals_max = rules.config.totals_max;
        stream
            .totals
            .difference(&mut out.columns, from, to, totals_max);
    }
    names.fill(out, from);
    stream.note(out, from, outcome);
    news
}

impl Stream {
    /// Notes what rows `from..` of the batch, which are one Set, showed.
    pub(crate) fn note(&mut self, out: &FlowBatch, from: usize, outcome: Outcome) {
        let rows = from..out.rows();
        self.stats.records += rows.len() as u64;
        self.stats.rows(&out.columns, rows, outcome.time_kinds);
        for (problem, times) in [
            (Problem::ValueMisfit, outcome.misfits),
            (Problem::TextCut, outcome.texts_cut),
            (Problem::CounterImplausible, outcome.implausible),
            (Problem::TimeClamped, outcome.clamped),
            (Problem::FrameUnreadable, outcome.frames_unreadable),
        ] {
            self.problems.add(problem, times);
        }
    }
}
