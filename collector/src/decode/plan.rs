//! A template, compiled once: which field goes to which column, decided before the first record.

use flow::batch::CounterKind;
use flow::measure::MEASURES;
use rustc_hash::FxHashMap;

use super::records::{Place, VARIABLE};
use super::times::TimePlan;
use crate::fields::{
    Edge, Element, FieldTable, Form, Frame, Meaning, NTOP, Sampling, Slot, TextUse,
};

/// A field of a template: what, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) element: Element,
    pub(crate) length: u16,
}

/// One column and where its values come from.
#[derive(Clone, Debug)]
pub(crate) struct ColumnPlan {
    pub(crate) slot: Slot,
    pub(crate) form: Form,
    pub(crate) place: Place,
    /// Taken where `place` is all zeros: the IPv6 half of a template for both families.
    pub(crate) fallback: Option<Place>,
}

/// Where a record says how it was sampled.
#[derive(Clone, Debug, Default)]
pub(crate) struct SamplingPlan {
    pub(crate) sampler: Option<Place>,
    pub(crate) interval: Vec<Place>,
    pub(crate) packet_interval: Option<Place>,
    pub(crate) packet_space: Option<Place>,
    pub(crate) size: Option<Place>,
    pub(crate) population: Option<Place>,
    pub(crate) probability: Option<Place>,
}

impl SamplingPlan {
    /// Whether the record itself tells an interval.
    pub(crate) fn has_interval(&self) -> bool {
        !self.interval.is_empty()
            || self.packet_space.is_some()
            || self.population.is_some()
            || self.probability.is_some()
    }

    fn add(&mut self, what: Sampling, place: Place) {
        let one = match what {
            Sampling::Interval => return self.interval.push(place),
            Sampling::Sampler => &mut self.sampler,
            Sampling::PacketInterval => &mut self.packet_interval,
            Sampling::PacketSpace => &mut self.packet_space,
            Sampling::Size => &mut self.size,
            Sampling::Population => &mut self.population,
            Sampling::Probability => &mut self.probability,
        };
        one.get_or_insert(place);
    }
}

/// What to do with each Set of a template.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    /// Length of every record; `None` if they vary.
    pub(crate) record_length: Option<usize>,
    /// Length of the shortest record, not 0.
    pub(crate) shortest: usize,
    /// The template's lengths, for walking.
    pub(crate) lengths: Vec<u16>,
    pub(crate) columns: Vec<ColumnPlan>,
    /// What the counters count; `None` if there are none.
    pub(crate) counters: Option<CounterKind>,
    /// Whether octets and packets are of whole IP packets, of which none is shorter than its header: forward and reverse.
    pub(crate) whole_packets: [bool; 2],
    pub(crate) times: TimePlan,
    pub(crate) icmp_type: Option<Place>,
    pub(crate) icmp_code: Option<Place>,
    pub(crate) sampling: SamplingPlan,
    /// Measure, place, and whether 0 is none.
    pub(crate) measures: Vec<(u16, Place, bool)>,
    pub(crate) texts: Vec<(TextUse, Place)>,
    pub(crate) frame: Option<(Frame, Place)>,
    /// Elements that nobody knows, each once.
    pub(crate) unknown: Vec<Element>,
}

/// A source that wants a column.
struct Claim {
    slot: Slot,
    rank: u8,
    form: Form,
    place: Place,
}

impl Plan {
    /// Compiles the fields of a template. `uptime_known`: the packet header relates uptime to the time of day (all but IPFIX).
    pub(crate) fn compile(fields: &[Field], table: &FieldTable, uptime_known: bool) -> Self {
        let mut plan = Self {
            lengths: fields.iter().map(|field| field.length).collect(),
            ..Self::default()
        };
        plan.measure_lengths();
        let nprobe = fields.iter().any(|field| field.element.enterprise == NTOP);
        let mut claims = Vec::new();
        let mut times = FxHashMap::default();
        // A field of no octets says nothing.
        for (field, place) in fields
            .iter()
            .zip(places(fields))
            .filter(|it| it.0.length != 0)
        {
            let nth = times.entry(field.element).or_insert(0_u16);
            *nth += 1;
            match *nth {
                1 => plan.add(table, field.element, place, nprobe, &mut claims),
                nth => plan.add_again(table, field.element, place, nth),
            }
        }
        plan.times.finish(uptime_known);
        plan.settle(claims);
        plan
    }

    fn measure_lengths(&mut self) {
        let mut shortest = 0;
        let mut fixed = true;
        for length in &self.lengths {
            fixed &= *length != VARIABLE;
            // A variable-length field has at least its length octet.
            shortest += if *length == VARIABLE {
                1
            } else {
                usize::from(*length)
            };
        }
        self.shortest = shortest;
        self.record_length = fixed.then_some(shortest);
    }

    fn add(
        &mut self,
        table: &FieldTable,
        element: Element,
        place: Place,
        nprobe: bool,
        claims: &mut Vec<Claim>,
    ) {
        let mut claim = |slot, rank, form| {
            claims.push(Claim {
                slot,
                rank,
                form,
                place,
            });
        };
        match table.meaning(element) {
            // What nProbe calls OUT is the other direction of the conversation, not the same packets leaving.
            Meaning::Column(Slot::octets, 4, form) if nprobe => {
                claim(Slot::reverse_octets, 4, form)
            }
            Meaning::Column(Slot::packets, 4, form) if nprobe => {
                claim(Slot::reverse_packets, 4, form);
            }
            Meaning::Column(slot, rank, form) => claim(slot, rank, form),
            Meaning::Ttl => {
                claim(Slot::min_ttl, 1, Form::Plain);
                claim(Slot::max_ttl, 1, Form::Plain);
            }
            Meaning::IcmpType => self.icmp_type = self.icmp_type.or(Some(place)),
            Meaning::IcmpCode => self.icmp_code = self.icmp_code.or(Some(place)),
            Meaning::Time(edge, stamp) => {
                if stamp == crate::fields::Stamp::Uptime {
                    match edge {
                        Edge::Start => claim(Slot::start_uptime_ms, 0, Form::Plain),
                        Edge::End => claim(Slot::end_uptime_ms, 0, Form::Plain),
                        _ => {}
                    }
                }
                self.times.add(edge, stamp, place);
            }
            Meaning::Sampling(what) => self.sampling.add(what, place),
            Meaning::Measure(index) => self.add_measure(index, place),
            Meaning::Text(text) => self.texts.push((text, place)),
            Meaning::Frame(frame) => self.frame = self.frame.or(Some((frame, place))),
            Meaning::Known => {}
            Meaning::Unknown if self.unknown.contains(&element) => {}
            Meaning::Unknown => self.unknown.push(element),
        }
    }

    /// The `nth` field of an element that stands in the template before ([RFC 7011 §8]): the first is what columns take, the
    /// others are kept in the extras as `name.2` and so on.
    fn add_again(&mut self, table: &FieldTable, element: Element, place: Place, nth: u16) {
        const PADDING: Element = Element::iana(210);
        let Some(say) = table.meaning(element).say().filter(|_| element != PADDING) else {
            return;
        };
        let name = match table.name(element) {
            Some(name) => format!("{name}.{nth}"),
            None => format!("{element}.{nth}"),
        };
        self.texts.push((TextUse::Extra(name.into(), say), place));
    }

    fn add_measure(&mut self, index: u16, place: Place) {
        if self.measures.iter().any(|(known, ..)| *known == index) {
            return;
        }
        let Some(measure) = MEASURES.get(usize::from(index)) else {
            return;
        };
        self.measures.push((index, place, measure.zero_is_absent));
        // CERT's time from the first packet to the first of the reverse direction.
        if (measure.enterprise, measure.id) == (6871, 21) {
            self.times.reverse_delta_ms = Some(place);
        }
    }

    /// Gives each column to its best claim.
    fn settle(&mut self, mut claims: Vec<Claim>) {
        if !has(&claims, Slot::reverse_octets, 0) {
            // Initiator's octets without the responder's are no better than the plain counter.
            demote(&mut claims, Slot::octets);
        }
        if !has(&claims, Slot::reverse_packets, 0) {
            demote(&mut claims, Slot::packets);
        }
        claims.sort_by_key(|claim| (claim.slot, claim.rank));
        for claim in &claims {
            match self.columns.last_mut() {
                Some(last) if last.slot == claim.slot => {
                    if last.fallback.is_none() && other_family(claim) {
                        last.fallback = Some(claim.place);
                    }
                }
                _ => self.columns.push(ColumnPlan {
                    slot: claim.slot,
                    form: claim.form,
                    place: claim.place,
                    fallback: None,
                }),
            }
        }
        self.counters = self.counter_kind();
        let form = |slot| {
            let mut columns = self.columns.iter();
            columns
                .find(|column| column.slot == slot)
                .map(|column| column.form)
        };
        let whole = |counted, times| {
            form(times).is_some() && form(counted).is_some_and(|form| form != Form::Payload)
        };
        self.whole_packets = [
            whole(Slot::octets, Slot::packets),
            whole(Slot::reverse_octets, Slot::reverse_packets),
        ];
    }

    fn counter_kind(&self) -> Option<CounterKind> {
        let mut counters = self
            .columns
            .iter()
            .filter(|column| matches!(column.slot, Slot::octets | Slot::packets))
            .peekable();
        counters.peek()?;
        Some(if counters.all(|column| column.form == Form::Total) {
            CounterKind::Total
        } else {
            CounterKind::Delta
        })
    }
}

/// Where each field is, in the template's order.
pub(crate) fn places(fields: &[Field]) -> impl Iterator<Item = Place> {
    fields
        .iter()
        .enumerate()
        .scan(0, |offset, (number, field)| {
            let place = Place {
                field: number,
                offset: *offset,
                width: usize::from(field.length),
            };
            *offset += place.width;
            Some(place)
        })
}

fn has(claims: &[Claim], slot: Slot, rank: u8) -> bool {
    claims
        .iter()
        .any(|claim| claim.slot == slot && claim.rank == rank)
}

fn demote(claims: &mut [Claim], slot: Slot) {
    for claim in claims {
        if claim.slot == slot && claim.rank == 0 {
            claim.rank = 1;
        }
    }
}

/// Whether the claim may stand in for an all-zero one of the same column: addresses and prefix lengths, of which templates
/// for both families send both and fill one.
fn other_family(claim: &Claim) -> bool {
    claim.slot.is_address() || matches!(claim.slot, Slot::src_mask | Slot::dst_mask)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(ids: &[(u32, u16, u16)]) -> Plan {
        let fields: Vec<_> = ids
            .iter()
            .map(|(enterprise, id, length)| Field {
                element: Element {
                    enterprise: *enterprise,
                    id: *id,
                },
                length: *length,
            })
            .collect();
        Plan::compile(&fields, &FieldTable::builtin(), true)
    }

    fn offset(plan: &Plan, slot: Slot) -> Option<usize> {
        plan.columns
            .iter()
            .find(|column| column.slot == slot)
            .map(|column| column.place.offset)
    }

    #[test]
    fn one_counter_wins_its_column() {
        // Delta over total, whatever comes first; what left the box (23) only where nothing better is sent.
        let both = plan(&[(0, 85, 8), (0, 1, 4), (0, 23, 4)]);
        assert_eq!(offset(&both, Slot::octets), Some(8));
        assert_eq!(both.counters, Some(CounterKind::Delta));
        assert_eq!(offset(&plan(&[(0, 23, 4)]), Slot::octets), Some(0));
        assert_eq!(plan(&[(0, 85, 8)]).counters, Some(CounterKind::Total));
    }

    #[test]
    fn initiator_and_responder_are_the_two_directions() {
        let halves = plan(&[(0, 1, 4), (0, 231, 4), (0, 232, 4)]);
        assert_eq!(offset(&halves, Slot::octets), Some(4));
        assert_eq!(offset(&halves, Slot::reverse_octets), Some(8));
        let half = plan(&[(0, 1, 4), (0, 231, 4)]);
        assert_eq!(offset(&half, Slot::octets), Some(0));
    }

    #[test]
    fn a_repeated_element_counts_once_and_the_first_wins() {
        let twice = plan(&[(0, 7, 2), (0, 7, 2)]);
        assert_eq!(twice.columns.len(), 1);
        assert_eq!(offset(&twice, Slot::src_port), Some(0));
        let again = TextUse::Extra("sourceTransportPort.2".into(), crate::fields::Say::Unsigned);
        assert_eq!(twice.texts[0].0, again);
    }

    #[test]
    fn both_families_share_one_column() {
        let both = plan(&[(0, 8, 4), (0, 27, 16)]);
        assert_eq!(both.columns.len(), 1);
        assert_eq!(both.columns[0].fallback.map(|place| place.offset), Some(4));
    }
}
