//! The versions without templates: v1, v5 and v7, each a plan of its own.

use flow::batch::{Columns, Described};
use flow::{DropKind, FlowBatch, Version};

use super::exporter::Exporter;
use super::plan::{Field, Plan};
use super::problem::Problem;
use super::records::Records;
use super::rows;
use super::sampling::SamplingContext;
use super::sets::Packet;
use super::{Decoder, Fate};
use crate::fields::{Element, FieldTable};

/// Fields as id and length; 210 is padding.
type Layout = &'static [(u16, u16)];

/// Source, destination, next hop, interfaces, counters, uptime stamps, ports: alike in all three.
const COMMON: Layout = &[
    (8, 4),
    (12, 4),
    (15, 4),
    (10, 2),
    (14, 2),
    (2, 4),
    (1, 4),
    (22, 4),
    (21, 4),
    (7, 2),
    (11, 2),
];
/// 48 octets: padding, protocol, ToS, TCP flags, padding.
const V1: Layout = &[(210, 2), (4, 1), (5, 1), (6, 1), (210, 7)];
/// 52 octets: as v1, with four more of padding.
const V1_LONG: Layout = &[(210, 2), (4, 1), (5, 1), (6, 1), (210, 11)];
/// 48 octets: padding, TCP flags, protocol, ToS, ASs, prefix lengths, padding.
const V5: Layout = &[
    (210, 1),
    (6, 1),
    (4, 1),
    (5, 1),
    (16, 2),
    (17, 2),
    (9, 1),
    (13, 1),
    (210, 2),
];
/// 52 octets: as v5 with flags of validity for padding, then the router that the switch took a short cut around.
const V7: Layout = &[
    (210, 1),
    (6, 1),
    (4, 1),
    (5, 1),
    (16, 2),
    (17, 2),
    (9, 1),
    (13, 1),
    (210, 2),
    (43, 4),
];

/// The fields of a version's records; `claimed` of them are said to be in `octets`.
pub(crate) fn fields(version: Version, claimed: u16, octets: usize) -> Option<Vec<Field>> {
    let layout = match version {
        Version::V1 if is_long(claimed, octets) => V1_LONG,
        Version::V1 => V1,
        Version::V5 => V5,
        Version::V7 => V7,
        _ => return None,
    };
    Some(of(layout))
}

/// Whether so many records of v1 are the long ones.
fn is_long(claimed: u16, octets: usize) -> bool {
    const LONG: usize = 52;
    claimed > 0 && octets == usize::from(claimed) * LONG
}

fn of(layout: Layout) -> Vec<Field> {
    let fields = COMMON.iter().chain(layout);
    fields
        .map(|(id, length)| Field {
            element: Element::iana(*id),
            length: *length,
        })
        .collect()
}

/// The plans of the three versions. v1 is written in two lengths: 48 octets a record (nfdump), and 52 (the manuals of
/// Extreme Networks and others, which draw eleven octets of padding); the packet's length tells.
#[derive(Debug)]
pub(crate) struct FixedPlans {
    v1: Plan,
    v1_long: Plan,
    v5: Plan,
    v7: Plan,
}

impl FixedPlans {
    pub(crate) fn new(table: &FieldTable) -> Self {
        let plan = |layout| Plan::compile(&of(layout), table, true);
        Self {
            v1: plan(V1),
            v1_long: plan(V1_LONG),
            v5: plan(V5),
            v7: plan(V7),
        }
    }

    /// The plan of a version without templates, `None` for the others; `claimed` records are said to be in `octets`.
    pub(crate) fn get(&self, version: Version, claimed: u16, octets: usize) -> Option<&Plan> {
        match version {
            Version::V1 if is_long(claimed, octets) => Some(&self.v1_long),
            Version::V1 => Some(&self.v1),
            Version::V5 => Some(&self.v5),
            Version::V7 => Some(&self.v7),
            _ => None,
        }
    }
}

/// Records to decode: as many as the header says, if they are there; else as many whole ones as there are.
pub(crate) fn count(claimed: u16, octets: usize, record_length: usize) -> usize {
    let there = octets / record_length;
    match usize::from(claimed) {
        0 => there,
        claimed => claimed.min(there),
    }
}

/// These versions have no field for ICMP: exporters put `type << 8 | code` into the destination port, which stays as sent.
fn fill_icmp(columns: &mut Columns, from: usize) {
    const ICMP: u8 = 1;
    let protocols = columns.protocol.values().iter().enumerate().skip(from);
    for (row, _) in protocols.filter(|(_, protocol)| **protocol == ICMP) {
        if let Some(both) = columns.dst_port.get(row) {
            columns.icmp_type_code.set(row, both);
        }
    }
}

impl Decoder {
    /// v1, v5 and v7.
    pub(super) fn records(&mut self, packet: Packet<'_>, out: &mut FlowBatch) -> Fate {
        let Packet {
            datagram, header, ..
        } = packet;
        let claimed = header.count.unwrap_or(0);
        let octets = datagram.payload.len() - header.size;
        let (Some(plan), Some(exporter)) = (
            self.fixed.get(header.version, claimed, octets),
            self.exporters.get_mut(&datagram.exporter()),
        ) else {
            return Fate::Dropped(DropKind::Unsupported);
        };
        let Exporter { streams, names, .. } = exporter;
        let Some(stream) = streams.get_mut(&packet.key) else {
            return Fate::Dropped(DropKind::Unsupported);
        };
        let count = count(claimed, octets, plan.shortest);
        if usize::from(claimed) != octets / plan.shortest {
            stream.problems.add(Problem::CountMismatch, 1);
        }
        if let Some(number) = header.sequence {
            stream.sequence.advance(number, u32::try_from(count).ok());
        }
        let records = Records::fixed(&datagram.payload, header.size, plan.shortest, count);
        let context = rows::Context {
            datagram,
            at: packet.at,
            described: Described {
                version: header.version.number(),
                domain: header.domain,
                template: 0,
            },
            clock: header.clock(datagram.received_at, None),
            sampling: SamplingContext {
                learned: &stream.sampling,
                header: header.sampling,
            },
            text_octets_max: self.config.text_octets_max,
        };
        let from = out.rows();
        let outcome = rows::append(plan, &records, context, out, &mut self.scratch.times);
        fill_icmp(&mut out.columns, from);
        names.fill(out, from);
        stream.note(out, from, outcome);
        self.books.records += count as u64;
        let cut = usize::from(claimed).saturating_sub(count);
        let cut = if cut * plan.shortest > octets { 0 } else { cut };
        self.books.drop_records(DropKind::Malformed, cut as u64);
        if count == 0 && (claimed > 0 || octets > 0) {
            return Fate::Dropped(DropKind::Malformed);
        }
        Fate::Understood
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_have_the_length_of_their_version() {
        let plans = FixedPlans::new(&FieldTable::builtin());
        let length = |version, octets| plans.get(version, 3, octets).unwrap().record_length;
        assert_eq!(length(Version::V1, 144), Some(48));
        assert_eq!(length(Version::V1, 156), Some(52));
        assert_eq!(length(Version::V1, 150), Some(48));
        assert_eq!(length(Version::V5, 144), Some(48));
        assert_eq!(length(Version::V7, 156), Some(52));
    }

    #[test]
    fn a_wrong_count_costs_no_record_that_is_there() {
        assert_eq!(count(0, 96, 48), 2);
        assert_eq!(count(30, 100, 48), 2);
        assert_eq!(count(1, 96, 48), 1);
    }
}
