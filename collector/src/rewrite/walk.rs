//! The way through a datagram: every octet behind the header is handed over once, with what it is.

use flow::{Datagram, ExporterId, TapePosition, Version};
use rustc_hash::FxHashMap;

use crate::decode::DecodeConfig;
use crate::decode::exporter::{Exporter, StreamKey};
use crate::decode::fixed;
use crate::decode::framing::{Found, Sets};
use crate::decode::header::{self, Header};
use crate::decode::holding::STREAM_OCTETS;
use crate::decode::message_end;
use crate::decode::plan::Field;
use crate::decode::records::{Records, Span};
use crate::decode::sets::{self, Gave, InSet, Packet, Rules};
use crate::decode::template::{Definitions, Dialect, Step, be16};
use crate::fields::FieldTable;

/// Why a datagram can't be walked. The decoder leaves it out too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Its first octets are of no protocol that is known, or there are too many octets.
    #[error("it is no flow export")]
    NotFlowExport,
    /// Recognised, and not decoded.
    #[error("{} is not decoded", .0.name())]
    Unsupported(Version),
    /// Shorter than the header of its version.
    #[error("it is shorter than its header")]
    HeaderShort,
    /// The lengths in an IPFIX message contradict each other.
    #[error("the lengths in it do not add up")]
    Lengths,
}

/// A stretch of a datagram, `start..end` in octets of the payload: a Set with its header, or all fixed records, or rest.
pub(super) struct Part<'a> {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) what: What<'a>,
}

/// What a stretch is.
pub(super) enum What<'a> {
    /// A template Set.
    Templates {
        /// Template records in it, withdrawals too.
        records: u64,
        /// Whether one is new or another one than before.
        news: bool,
        /// Where what could be read ends.
        whole: usize,
    },
    /// Records whose layout is known.
    Records(Known<'a>),
    /// A data Set whose template is not known.
    Unknown,
    /// A Set without records.
    Void,
    /// No Set: padding, or what can't be read.
    Rest,
}

/// Records and their layout.
pub(super) struct Known<'a> {
    pub(super) version: Version,
    pub(super) table: &'a FieldTable,
    pub(super) fields: &'a [Field],
    /// Fields that are the scope, of options data.
    pub(super) scope: Option<usize>,
    pub(super) records: Records<'a>,
    /// Whether nothing but padding is behind them.
    pub(super) fits: bool,
}

/// Knows the templates of all exporters, as the decoder does and under the same keys.
#[derive(Debug)]
pub(super) struct Walker {
    config: DecodeConfig,
    table: FieldTable,
    /// At most `exporters_max`, `octets_max` in all. When full, a sixteenth of them makes room: who was silent longest.
    exporters: FxHashMap<ExporterId, Exporter>,
    /// Octets that they hold.
    held: usize,
    /// Datagrams walked.
    tick: u64,
    spans: Vec<Span>,
}

impl Walker {
    pub(super) fn new(config: DecodeConfig, table: FieldTable) -> Self {
        Self {
            config,
            table,
            exporters: FxHashMap::default(),
            held: 0,
            tick: 0,
            spans: Vec::new(),
        }
    }

    /// Hands over each stretch behind the header, in order, and returns whose it is.
    ///
    /// # Errors
    ///
    /// [`Unreadable`] if it can't be walked at all; then nothing was handed over.
    pub(super) fn walk(
        &mut self,
        datagram: &Datagram,
        mut each: impl FnMut(Part<'_>),
    ) -> Result<(Header, StreamKey), Unreadable> {
        let (header, end) = measure(&datagram.payload)?;
        self.tick += 1;
        let id = datagram.exporter();
        self.admit(id);
        let exporter = self.exporters.entry(id).or_default();
        exporter.last_seen = exporter.last_seen.max(datagram.received_at);
        exporter.allow(self.held, &self.config);
        let key = exporter.key(header.version, header.domain, datagram.source.port());
        exporter.stream(key, &self.config).stats.last_seen = datagram.received_at;
        let packet = Packet {
            datagram,
            at: TapePosition::START,
            header,
            key,
            tick: self.tick,
        };
        let rules = Rules {
            config: &self.config,
            fields: &self.table,
            away: &[],
        };
        match header.version {
            Version::V9 | Version::Ipfix => {
                walk_sets(rules, exporter, packet, end, &mut self.spans, &mut each);
            }
            _ => walk_fixed(&self.table, packet, &mut each),
        }
        exporter.keep_quota(key, &self.config);
        let (now, before) = exporter.tell();
        self.held = self.held - before + now;
        Ok((header, key))
    }

    /// The header, and whose datagram it is by what is known now; `None` where [`Walker::walk`] would fail.
    pub(super) fn look(&self, datagram: &Datagram) -> Option<(Header, StreamKey)> {
        let (header, _) = measure(&datagram.payload).ok()?;
        let Header {
            version, domain, ..
        } = header;
        let known = self.exporters.get(&datagram.exporter());
        let key = match known {
            Some(exporter) => exporter.key(version, domain, datagram.source.port()),
            None => StreamKey {
                version,
                domain,
                port: 0,
            },
        };
        Some((header, key))
    }

    /// Makes room for one more exporter.
    fn admit(&mut self, id: ExporterId) {
        let full = self.exporters.len() >= self.config.exporters_max
            || self.held + STREAM_OCTETS > self.config.octets_max;
        if !full || self.exporters.contains_key(&id) {
            return;
        }
        let mut silent: Vec<_> = self.exporters.iter().collect();
        silent.sort_unstable_by_key(|(id, exporter)| (exporter.last_seen, **id));
        let gone: Vec<_> = silent.iter().map(|(id, _)| **id).collect();
        for id in gone.into_iter().take(self.exporters.len() / 16 + 1) {
            if let Some(exporter) = self.exporters.remove(&id) {
                self.held -= exporter.account.told();
            }
        }
    }
}

/// The header, and where the Sets end.
fn measure(payload: &[u8]) -> Result<(Header, usize), Unreadable> {
    let version = header::recognise(payload)
        .filter(|_| payload.len() <= usize::from(u16::MAX))
        .ok_or(Unreadable::NotFlowExport)?;
    if header::size(version) == 0 {
        return Err(Unreadable::Unsupported(version));
    }
    let header = Header::read(version, payload).ok_or(Unreadable::HeaderShort)?;
    let (end, _) = message_end(&header, payload).map_err(|_| Unreadable::Lengths)?;
    Ok((header, end))
}

fn walk_fixed(table: &FieldTable, packet: Packet<'_>, each: &mut impl FnMut(Part<'_>)) {
    let payload = &packet.datagram.payload[..];
    let Header { version, size, .. } = packet.header;
    let claimed = packet.header.count.unwrap_or(0);
    let Some(fields) = fixed::fields(version, claimed, payload.len() - size) else {
        return;
    };
    let length = fields.iter().map(|field| usize::from(field.length)).sum();
    let count = fixed::count(claimed, payload.len() - size, length);
    let records = Records::fixed(payload, size, length, count);
    let end = records.end();
    let known = Known {
        version,
        table,
        fields: &fields,
        scope: None,
        records,
        fits: true,
    };
    each(Part {
        start: size,
        end,
        what: What::Records(known),
    });
    rest(end, payload.len(), each);
}

fn rest(start: usize, end: usize, each: &mut impl FnMut(Part<'_>)) {
    if start < end {
        let what = What::Rest;
        each(Part { start, end, what });
    }
}

fn walk_sets(
    rules: Rules<'_>,
    exporter: &mut Exporter,
    packet: Packet<'_>,
    end: usize,
    spans: &mut Vec<Span>,
    each: &mut impl FnMut(Part<'_>),
) {
    let payload = &packet.datagram.payload[..];
    let mut at = packet.header.size;
    let sets = Sets {
        payload: &payload[..end],
        at,
    };
    for found in sets {
        if let Found::Set { id, start, end, .. } = found {
            walk_set(rules, exporter, packet, (id, start, end), spans, each);
            at = end;
        }
    }
    rest(at, payload.len(), each);
}

fn walk_set(
    rules: Rules<'_>,
    exporter: &mut Exporter,
    packet: Packet<'_>,
    (id, start, end): (u16, usize, usize),
    spans: &mut Vec<Span>,
    each: &mut impl FnMut(Part<'_>),
) {
    let version = packet.header.version;
    let dialect = if version == Version::V9 {
        Dialect::V9
    } else {
        Dialect::Ipfix
    };
    let set = (start + 4, end);
    let what = match (dialect, id) {
        _ if start + 4 == end => What::Void,
        (Dialect::V9, 0) | (Dialect::Ipfix, 2) => {
            learn(rules, exporter, packet, set, dialect, false)
        }
        (Dialect::V9, 1) | (Dialect::Ipfix, 3) => {
            learn(rules, exporter, packet, set, dialect, true)
        }
        (_, 0..256) => What::Void,
        _ => {
            let stream = exporter.stream(packet.key, rules.config);
            match stream.templates.get_mut(&id) {
                None => What::Unknown,
                Some(template) => {
                    template.used = packet.tick;
                    let payload = &packet.datagram.payload;
                    let InSet { records, fits, .. } =
                        sets::find(template, payload, start + 4, end, spans);
                    What::Records(Known {
                        version,
                        table: rules.fields,
                        fields: &template.fields,
                        scope: template.scope,
                        records,
                        fits,
                    })
                }
            }
        }
    };
    each(Part { start, end, what });
}

/// Takes the templates of a Set in.
///
/// A template that can't be used is forgotten in its former shape too: data that comes under its id has another one.
fn learn(
    rules: Rules<'_>,
    exporter: &mut Exporter,
    packet: Packet<'_>,
    (start, end): (usize, usize),
    dialect: Dialect,
    options: bool,
) -> What<'static> {
    let body = &packet.datagram.payload[start..end];
    let mut gave = Gave::default();
    let definitions = || Definitions::new(body, dialect, options, rules.config);
    sets::learn(rules, exporter, packet, definitions(), dialect, &mut gave);
    let stream = exporter.stream(packet.key, rules.config);
    let (mut reading, mut whole) = (definitions(), start);
    let mut unusable = Vec::new();
    loop {
        let id = packet.datagram.payload.get(end - reading.left()..end);
        match reading.next() {
            None => break,
            Some(Step::Withdrawn) => {}
            Some(Step::Defined(definition)) => {
                unusable.retain(|id| *id != definition.id);
                let known = stream.templates.get(&definition.id);
                if !known.is_some_and(|known| definition.is(known)) {
                    unusable.push(definition.id);
                }
            }
            Some(step @ (Step::Rejected(_) | Step::Broken(_))) => {
                unusable.extend(id.filter(|it| it.len() > 1).map(|it| be16(it, 0)));
                if matches!(step, Step::Broken(_)) {
                    break;
                }
            }
        }
        whole = end - reading.left();
    }
    unusable.into_iter().for_each(|id| stream.forget(id));
    What::Templates {
        records: gave.templates,
        news: !gave.learned.is_empty(),
        whole,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use flow::{Feed, Timestamp};

    use super::*;

    /// An IPFIX message of exporter 10.0.x.y in domain `domain` that defines one template.
    fn message(exporter: u16, domain: u32) -> Datagram {
        let mut payload = vec![0, 10, 0, 28, 0, 0, 0, 9, 0, 0, 0, 0];
        payload.extend(domain.to_be_bytes());
        payload.extend([0, 2, 0, 12, 1, 0, 0, 1, 0, 8, 0, 4]);
        let [high, low] = exporter.to_be_bytes();
        Datagram {
            received_at: Timestamp::from_seconds(exporter.into()),
            source: ([10, 0, high, low], 4_739).into(),
            local_port: 4_739,
            feed: Feed::WIRE,
            payload: Bytes::from(payload),
        }
    }

    #[test]
    fn what_is_remembered_is_bounded_and_the_latest_stay() {
        let config = DecodeConfig {
            exporters_max: 32,
            domains_max: 4,
            octets_max: 1 << 20,
            ..DecodeConfig::default()
        };
        let mut walker = Walker::new(config.clone(), FieldTable::builtin());
        for exporter in 0..500 {
            for domain in 0..8 {
                walker.walk(&message(exporter, domain), |_| {}).unwrap();
            }
            assert!(walker.exporters.len() <= config.exporters_max);
            assert!(walker.held <= config.octets_max);
            let held: usize = walker.exporters.values().map(Exporter::octets).sum();
            assert_eq!(held, walker.held);
        }
        let last = &walker.exporters[&message(499, 0).exporter()];
        assert!((1..=config.domains_max).contains(&last.streams.len()));
        assert!(walker.exporters.len() > 1);
    }

    #[test]
    fn every_octet_behind_the_header_is_handed_over_once() {
        let mut datagram = message(1, 1);
        let mut payload = datagram.payload.to_vec();
        // Data of that template, and of another; an empty Set; then what is behind the message.
        payload.extend([1, 0, 0, 8, 10, 0, 0, 1, 2, 0, 0, 6, 1, 2, 1, 0, 0, 4]);
        payload[3] += 18;
        payload.extend([9; 5]);
        datagram.payload = payload.into();
        let mut walker = Walker::new(DecodeConfig::default(), FieldTable::builtin());
        let mut parts = Vec::new();
        let walked = walker.walk(&datagram, |part| parts.push((part.start, part.end)));
        assert!(walked.is_ok());
        assert_eq!(parts, [(16, 28), (28, 36), (36, 42), (42, 46), (46, 51)]);
    }
}
