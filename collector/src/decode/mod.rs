//! What a datagram means: export packets to rows of a flow batch.
//!
//! [`Decoder::decode`] never fails: it appends the rows that are there and counts what is wrong. It is a plain state
//! machine: the same datagrams in the same order give the same rows, on the wire, after a restart and from the tape.
//!
//! | file | holds |
//! |---|---|
//! | `header`, `sets`, `template` | the wire formats: packet headers, Sets, template records |
//! | `plan`, `records`, `cell`, `rows` | a template compiled once, and its Sets turned into columns |
//! | `times`, `stamp`, `sampling`, `totals`, `frame`, `options` | what needs more than a column |
//! | `exporter`, `sequence`, `names`, `health` | what is remembered of each exporter |
//! | `waiting`, `state` | data before its template; what survives a restart |

mod books;
pub(crate) mod cell;
mod config;
mod exporter;
mod fixed;
mod frame;
mod header;
mod health;
mod names;
mod options;
mod plan;
mod problem;
mod records;
mod rows;
mod sampling;
mod sequence;
mod sets;
mod stamp;
mod state;
mod template;
mod times;
mod totals;
mod waiting;

use flow::health::ExporterHealth;
use flow::{Datagram, DropKind, ExporterId, Feed, FlowBatch, TapePosition, Timestamp, Version};
use rustc_hash::FxHashMap;

use crate::fields::FieldTable;
use exporter::{Exporter, StreamKey};
use header::Header;
use sequence::Arrival;
use sets::{Gave, Packet, Rules, Scratch};
use waiting::{Waiter, Waiting};

pub use books::Books;
pub use config::DecodeConfig;
pub use problem::{Problem, Problems};
pub use state::DecoderState;

/// Turns datagrams into rows.
#[derive(Debug)]
pub struct Decoder {
    config: DecodeConfig,
    fields: FieldTable,
    fixed: fixed::FixedPlans,
    /// At most `exporters_max`. When full, one that was silent for `exporter_silence_s` goes, else the newcomer is refused
    /// and [`Problem::ExporterRefused`] grows.
    exporters: FxHashMap<ExporterId, Exporter>,
    waiting: Waiting,
    books: Books,
    /// Problems of no exporter, and of those that are gone.
    unplaced: Problems,
    scratch: Scratch,
    /// Templates that the datagram at hand brought, and of which stream.
    learned: Option<(StreamKey, Vec<u16>)>,
    tick: u64,
    version: u64,
    /// When the table of exporters was last searched for a silent one, by feed time.
    searched_at: Timestamp,
}

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
            waiting: Waiting::default(),
            books: Books::default(),
            unplaced: Problems::default(),
            scratch: Scratch::default(),
            learned: None,
            tick: 0,
            version: 0,
            searched_at: Timestamp::EPOCH,
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
        let domain = header.map_or(0, |header| header.domain);
        let key = exporter.key(version, domain, datagram.source.port());
        let stream = exporter.stream(key, &self.config);
        stream
            .stats
            .datagram(datagram.received_at, header.map(|header| header.export));
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
        if let Some(uptime_ms) = header.uptime_ms
            && stream.sequence.uptime(uptime_ms)
        {
            stream.problems.add(Problem::ExporterRestart, 1);
        }
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

    /// Makes sure that the exporter has a place in the table.
    fn admit(&mut self, datagram: &Datagram) -> bool {
        const SEARCH_EVERY_S: i64 = 60;
        let id = datagram.exporter();
        if self.exporters.contains_key(&id) {
            return true;
        }
        if self.exporters.len() >= self.config.exporters_max {
            let now = datagram.received_at.seconds();
            if now - self.searched_at.seconds() < SEARCH_EVERY_S {
                return false;
            }
            self.searched_at = datagram.received_at;
            let silence = i64::from(self.config.exporter_silence_s);
            let silent = self
                .exporters
                .iter()
                .map(|(id, exporter)| (exporter.last_seen, *id))
                .min()
                .filter(|(seen, _)| now - seen.seconds() > silence);
            match silent {
                Some((_, silent)) => self.remove(silent),
                None => return false,
            }
        }
        self.exporters.insert(id, Exporter::default());
        true
    }

    fn remove(&mut self, id: ExporterId) {
        let Some(exporter) = self.exporters.remove(&id) else {
            return;
        };
        self.version += 1;
        for stream in exporter.streams.values() {
            self.unplaced.merge(&stream.problems);
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
                exporter.stream(key, &self.config).problems.add(problem, 1);
                return Fate::Dropped(DropKind::Malformed);
            }
        };
        let rules = Rules {
            config: &self.config,
            fields: &self.fields,
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

    /// Puts Sets without a template to wait, and says what became of the datagram.
    fn settle(&mut self, packet: Packet<'_>, gave: &Gave) -> Fate {
        if !gave.waiting.is_empty() {
            let waiter = Waiter {
                datagram: packet.datagram.clone(),
                position: packet.at,
                stream: packet.key,
                sets: gave.waiting.clone(),
                gave: gave.anything(),
            };
            if self.waiting.add(waiter, &self.config) {
                self.version += 1;
                return Fate::Waiting;
            }
            if let Some(exporter) = self.exporters.get_mut(&packet.datagram.exporter()) {
                let stream = exporter.stream(packet.key, &self.config);
                stream.problems.add(Problem::WaitingFull, 1);
            }
            if !gave.anything() {
                return Fate::Dropped(DropKind::NoTemplate);
            }
        }
        if gave.broken && !gave.anything() {
            return Fate::Dropped(DropKind::Malformed);
        }
        Fate::Understood
    }

    /// Decodes what waited for these templates, and keeps the exporter's quota.
    fn templates_came(
        &mut self,
        id: ExporterId,
        stream: StreamKey,
        learned: &[u16],
        out: &mut FlowBatch,
    ) {
        for template in learned {
            for (waiter, last) in self.waiting.take(id, stream, *template) {
                self.version += 1;
                self.belated(&waiter, out);
                if last {
                    self.books.waiting -= 1;
                    self.books.understood += 1;
                }
            }
        }
        if let Some(exporter) = self.exporters.get_mut(&id) {
            self.version += u64::from(exporter.keep_quota(&self.config));
        }
    }

    /// Decodes Sets that have waited.
    fn belated(&mut self, waiter: &Waiter, out: &mut FlowBatch) {
        let datagram = &waiter.datagram;
        let (Some(header), Some(exporter)) = (
            Header::read(waiter.stream.version, &datagram.payload),
            self.exporters.get_mut(&datagram.exporter()),
        ) else {
            return;
        };
        let packet = Packet {
            datagram,
            at: waiter.position,
            header,
            key: waiter.stream,
            tick: self.tick,
        };
        let rules = Rules {
            config: &self.config,
            fields: &self.fields,
        };
        let mut gave = Gave::default();
        for set in &waiter.sets {
            let start = usize::from(set.offset);
            let Some(octets) = datagram.payload.get(start + 2..start + 4) else {
                continue;
            };
            let end = start + usize::from(template::be16(octets, 0));
            if end > datagram.payload.len() || end < start + 4 {
                continue;
            }
            let set = (set.template, start, end);
            sets::data(
                rules,
                exporter,
                packet,
                set,
                out,
                &mut self.scratch,
                &mut gave,
            );
        }
        self.note(&gave);
    }

    fn expire(&mut self, feed: Feed, now: Timestamp) {
        if self.waiting.is_empty() {
            return;
        }
        while let Some(waiter) = self.waiting.expire(feed, now, &self.config) {
            self.give_up(&waiter);
        }
    }

    fn give_up(&mut self, waiter: &Waiter) {
        self.version += 1;
        self.books.waiting -= 1;
        if waiter.gave {
            self.books.understood += 1;
        } else {
            self.books.drop(DropKind::NoTemplate);
        }
        let sets = waiter.sets.len() as u64;
        match self.exporters.get_mut(&waiter.datagram.exporter()) {
            Some(exporter) => exporter
                .stream(waiter.stream, &self.config)
                .problems
                .add(Problem::WaitingExpired, sets),
            None => self.unplaced.add(Problem::WaitingExpired, sets),
        }
    }

    /// Ends an import: nothing more comes of it, so what waits for a template is given up and its exporters are forgotten.
    pub fn end_feed(&mut self, feed: Feed) {
        while let Some(waiter) = self.waiting.end(feed) {
            self.give_up(&waiter);
        }
        let gone: Vec<_> = self
            .exporters
            .keys()
            .filter(|id| id.feed == feed)
            .copied()
            .collect();
        for id in gone {
            self.remove(id);
        }
    }

    /// What became of the datagrams so far.
    pub fn books(&self) -> &Books {
        &self.books
    }

    /// Every problem that was met, all exporters together.
    pub fn problems(&self) -> Problems {
        let mut problems = self.unplaced.clone();
        for exporter in self.exporters.values() {
            for stream in exporter.streams.values() {
                problems.merge(&stream.problems);
            }
        }
        problems
    }

    /// What is known of each exporter and domain, in the order of feed and address.
    pub fn exporters(&self) -> Vec<ExporterHealth> {
        let mut ids: Vec<_> = self.exporters.keys().copied().collect();
        ids.sort_unstable();
        ids.iter()
            .filter_map(|id| Some((*id, self.exporters.get(id)?)))
            .flat_map(|(id, exporter)| exporter.health(id, &self.fields, &self.waiting))
            .collect()
    }

    /// Changes when templates, sampling, names or what waits did: when [`Decoder::state`] should be kept anew.
    pub fn state_version(&self) -> u64 {
        self.version
    }
}

/// Where a packet's Sets end, and what is odd about that.
fn message_end(header: &Header, payload: &[u8]) -> Result<(usize, Option<Problem>), Problem> {
    let Some(claimed) = header.length.map(usize::from) else {
        return Ok((payload.len(), None));
    };
    if claimed > payload.len() || claimed < header.size {
        return Err(Problem::LengthShort);
    }
    if !sets::whole(payload, header.size, claimed) {
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
