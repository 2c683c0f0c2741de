//! What a datagram means: export packets to rows of a flow batch.
//!
//! [`Decoder::decode`] never fails: it appends the rows that are there and counts what is wrong. It is a plain state
//! machine: the same datagrams in the same order give the same rows, on the wire, after a restart and from the tape.
//!
//! | file | holds |
//! |---|---|
//! | `header`, `framing`, `sets`, `template` | the wire formats: packet headers, Sets, template records |
//! | `plan`, `records`, `cell`, `rows` | a template compiled once, and its Sets turned into columns |
//! | `times`, `stamp`, `sampling`, `totals`, `frame`, `options` | what needs more than a column |
//! | `roster`, `exporter`, `sequence`, `names`, `health`, `timeout` | who exports, and what is remembered of each |
//! | `holding` | how much of it an exporter may hold |
//! | `ended` | what is still told of an import's exporters when it has ended |
//! | `waiting`, `late`, `state` | data before its template; what survives a restart |

mod books;
pub(crate) mod cell;
mod config;
mod ended;
pub(crate) mod exporter;
pub(crate) mod fixed;
pub(crate) mod frame;
pub(crate) mod framing;
pub(crate) mod header;
mod health;
mod hex;
pub(crate) mod holding;
mod late;
mod names;
mod options;
pub(crate) mod plan;
mod problem;
pub(crate) mod records;
mod roster;
mod rows;
mod sampling;
mod sequence;
pub(crate) mod sets;
pub(crate) mod stamp;
mod state;
pub(crate) mod template;
mod timeout;
mod times;
mod totals;
mod waiting;

use std::collections::BTreeMap;
use std::sync::Arc;

use flow::clock::NANOS_PER_SECOND;
use flow::{Datagram, DropKind, ExporterId, Feed, FlowBatch, TapePosition, Timestamp, Version};
use rustc_hash::FxHashMap;

use crate::fields::FieldTable;
use ended::Ended;
use exporter::{Exporter, StreamKey};
use header::Header;
use sequence::Arrival;
use sets::{Gave, Packet, Rules, Scratch};
use waiting::Waiting;

pub use books::Books;
pub use config::DecodeConfig;
pub use problem::{Problem, Problems};
pub use roster::Holdings;
pub use state::DecoderState;

/// Turns datagrams into rows.
#[derive(Debug)]
pub struct Decoder {
    config: DecodeConfig,
    fields: FieldTable,
    fixed: fixed::FixedPlans,
    /// At most `exporters_max`. When full, those that were silent long enough go, else the newcomer is refused and
    /// [`Problem::ExporterRefused`] grows.
    exporters: FxHashMap<ExporterId, Exporter>,
    /// Octets that all exporters hold.
    held: usize,
    /// Shared by all domains of which single rows are looked at.
    watchers: Arc<()>,
    /// Whose datagram is at hand.
    touched: Option<(ExporterId, StreamKey)>,
    /// Exporters of imports that ended.
    ended: Ended,
    waiting: Waiting,
    books: Books,
    /// Problems of no exporter, and of those that are gone.
    unplaced: Problems,
    scratch: Scratch,
    /// Templates that the datagram at hand brought, and of which stream.
    learned: Option<(StreamKey, Vec<u16>)>,
    tick: u64,
    version: u64,
    /// Places of the tape before which the collector was away, in their order.
    away: Vec<TapePosition>,
    /// When each feed's exporters were last searched for silent ones, by the feed's time.
    searched_at: BTreeMap<Feed, Timestamp>,
}

/// How far an exporter's clock may be from the time of arrival before it is a problem, nanoseconds: more than any way takes.
const CLOCK_OFF_MAX: i64 = 600 * NANOS_PER_SECOND;

/// What became of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Understood,
    Waiting,
    Dropped(DropKind),
}

impl Decoder {
    /// A decoder that knows no template yet.
    pub fn new(config: DecodeConfig, fields: FieldTable) -> Self {
        Self {
            fixed: fixed::FixedPlans::new(&fields),
            config,
            fields,
            exporters: FxHashMap::default(),
            held: 0,
            watchers: Arc::default(),
            touched: None,
            ended: Ended::default(),
            waiting: Waiting::default(),
            books: Books::default(),
            unplaced: Problems::default(),
            scratch: Scratch::default(),
            learned: None,
            tick: 0,
            version: 0,
            away: Vec::new(),
            searched_at: BTreeMap::new(),
        }
    }

    /// Decodes one datagram that is at `at` on the tape, and appends its rows.
    ///
    /// Rows of earlier datagrams follow if a template of this one is what they waited for; they have their own datagram's
    /// position and time of arrival. `at` must not come twice. What can't be read is counted in [`Decoder::books`] and
    /// [`Decoder::problems`].
    pub fn decode(&mut self, datagram: &Datagram, at: TapePosition, out: &mut FlowBatch) {
        self.books.seen += 1;
        self.tick += 1;
        self.expire(datagram.feed, datagram.received_at);
        let version = header::recognise(&datagram.payload)
            .filter(|_| datagram.payload.len() <= usize::from(u16::MAX));
        let fate = match version {
            None => {
                self.unplaced.add(Problem::NotFlowExport, 1);
                Fate::Dropped(DropKind::NotFlowExport)
            }
            Some(version) => self.of_version(version, datagram, at, out),
        };
        match fate {
            Fate::Understood => self.books.understood += 1,
            Fate::Waiting => self.books.waiting += 1,
            Fate::Dropped(kind) => self.books.drop(kind),
        }
        // Only now: what waits may be Sets of this very datagram.
        if let Some((stream, templates)) = self.learned.take() {
            self.templates_came(datagram.exporter(), stream, &templates, out);
        }
        self.keep_quota();
    }

    fn of_version(
        &mut self,
        version: Version,
        datagram: &Datagram,
        at: TapePosition,
        out: &mut FlowBatch,
    ) -> Fate {
        let header = Header::read(version, &datagram.payload);
        if header.is_none() && header::size(version) != 0 {
            self.unplaced.add(Problem::HeaderShort, 1);
            return Fate::Dropped(DropKind::Malformed);
        }
        if !self.admit(datagram) {
            self.unplaced.add(Problem::ExporterRefused, 1);
            return Fate::Dropped(DropKind::NotAllowed);
        }
        let id = datagram.exporter();
        let Some(exporter) = self.exporters.get_mut(&id) else {
            return Fate::Dropped(DropKind::NotAllowed);
        };
        exporter.last_seen = exporter.last_seen.max(datagram.received_at);
        exporter.allow(self.held, &self.config);
        let domain = header.map_or(0, |header| header.domain);
        let key = exporter.key(version, domain, datagram.source.port());
        self.touched = Some((id, key));
        let stream = exporter.stream(key, &self.config);
        let export = header.map(|header| header.export);
        stream.stats.datagram(datagram.received_at, export);
        let off = export.map(|export| export.abs_diff(datagram.received_at.nanos()));
        if off.is_some_and(|off| off > CLOCK_OFF_MAX.unsigned_abs()) {
            stream.problems.add(Problem::ClockOff, 1);
        }
        let Some(header) = header else {
            stream.problems.add(Problem::UnsupportedProtocol, 1);
            return Fate::Dropped(DropKind::Unsupported);
        };
        if let Some(number) = header.sequence {
            let checksum = crc32c::crc32c(&datagram.payload);
            if stream.sequence.arrive(number, checksum) == Arrival::Duplicate {
                stream.problems.add(Problem::DuplicateDatagram, 1);
                return Fate::Dropped(DropKind::Duplicate);
            }
        }
        let restarted = match (header.uptime_ms, header.sequence) {
            (Some(uptime_ms), _) => stream.sequence.uptime(uptime_ms),
            (None, Some(number)) => stream.sequence.began_anew(number),
            (None, None) => false,
        };
        stream
            .problems
            .add(Problem::ExporterRestart, u64::from(restarted));
        let packet = Packet {
            datagram,
            at,
            header,
            key,
            tick: self.tick,
        };
        match version {
            Version::V9 | Version::Ipfix => self.message(packet, out),
            _ => self.records(packet, out),
        }
    }

    /// v9 and IPFIX.
    ///
    /// An IPFIX message whose Set headers do not add up is left out as a whole ([RFC 7011 §9.1]); a v9 packet keeps the
    /// Sets before the one that does not.
    fn message(&mut self, packet: Packet<'_>, out: &mut FlowBatch) -> Fate {
        let Packet {
            datagram,
            header,
            key,
            ..
        } = packet;
        let id = datagram.exporter();
        let Some(exporter) = self.exporters.get_mut(&id) else {
            return Fate::Dropped(DropKind::NotAllowed);
        };
        let end = match message_end(&header, &datagram.payload) {
            Ok((end, oddity)) => {
                if let Some(oddity) = oddity {
                    exporter.stream(key, &self.config).problems.add(oddity, 1);
                }
                end
            }
            Err(problem) => {
                let stream = exporter.stream(key, &self.config);
                stream.problems.add(problem, 1);
                // Nobody knows how many records it held, so the next number proves no loss.
                if let Some(number) = header.sequence {
                    stream.sequence.advance(number, None);
                }
                return Fate::Dropped(DropKind::Malformed);
            }
        };
        let rules = Rules {
            config: &self.config,
            fields: &self.fields,
            away: &self.away,
        };
        let gave = sets::decode(rules, exporter, packet, end, out, &mut self.scratch);
        count_in(exporter.stream(key, &self.config), &header, &gave);
        self.note(&gave);
        let fate = self.settle(packet, &gave);
        if !gave.learned.is_empty() {
            self.learned = Some((key, gave.learned));
        }
        fate
    }

    fn note(&mut self, gave: &Gave) {
        self.books.records += gave.records;
        self.books.options_records += gave.options;
        self.version += u64::from(gave.news);
    }

    /// What became of the datagrams so far.
    pub fn books(&self) -> &Books {
        &self.books
    }

    /// Changes when templates, sampling, names or what waits did: when [`Decoder::state`] should be kept anew.
    pub fn state_version(&self) -> u64 {
        self.version
    }
}

/// Where a packet's Sets end, and what is odd about that.
pub(crate) fn message_end(
    header: &Header,
    payload: &[u8],
) -> Result<(usize, Option<Problem>), Problem> {
    let Some(claimed) = header.length.map(usize::from) else {
        return Ok((payload.len(), None));
    };
    if claimed > payload.len() || claimed < header.size {
        return Err(Problem::LengthShort);
    }
    if !framing::whole(payload, header.size, claimed) {
        return Err(Problem::SetLength);
    }
    Ok((
        claimed,
        (claimed < payload.len()).then_some(Problem::LengthLong),
    ))
}

/// Accounts for a packet's sequence number and, in v9, its count.
fn count_in(stream: &mut exporter::Stream, header: &Header, gave: &Gave) {
    let data = gave.records + gave.options;
    let units = match header.version {
        Version::V9 => Some(1),
        _ if gave.uncounted => None,
        _ => u32::try_from(data).ok(),
    };
    if let Some(number) = header.sequence {
        stream.sequence.advance(number, units);
    }
    let claimed = header.count.map(u64::from);
    if !gave.uncounted && claimed.is_some_and(|claimed| claimed != data + gave.templates) {
        stream.problems.add(Problem::CountMismatch, 1);
    }
}
