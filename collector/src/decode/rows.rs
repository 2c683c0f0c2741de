//! One Set of records to rows of the batch, a column at a time.

use std::fmt::Write as _;
use std::ops::Range;

use flow::batch::{Columns, CounterKind, Described, TimeQuality};
use flow::column::Column;
use flow::{Datagram, FlowBatch, TapePosition};

use super::cell::{Cells, Single, address, unsigned};
use super::frame;
use super::plan::Plan;
use super::records::{Place, Records};
use super::sampling::SamplingContext;
use super::stamp::PacketClock;
use super::times::TimeScratch;
use crate::fields::{Say, Slot, TextUse};

/// What holds for all records of a Set.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) datagram: &'a Datagram,
    pub(crate) at: TapePosition,
    pub(crate) described: Described,
    pub(crate) clock: PacketClock,
    pub(crate) sampling: SamplingContext<'a>,
    pub(crate) text_octets_max: usize,
}

/// What was met on the way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) misfits: u64,
    pub(crate) texts_cut: u64,
    pub(crate) implausible: u64,
    pub(crate) clamped: u64,
    pub(crate) frames_unreadable: u64,
    /// Bit per [`flow::batch::TimeKind`].
    pub(crate) time_kinds: u16,
}

/// Adds a row for each record.
pub(crate) fn append(
    plan: &Plan,
    records: &Records<'_>,
    context: Context<'_>,
    out: &mut FlowBatch,
    times: &mut TimeScratch,
) -> Outcome {
    let row = out.rows();
    let mut outcome = Outcome::default();
    if records.count() == 0 {
        return outcome;
    }
    let Context {
        datagram,
        at,
        described,
        ..
    } = context;
    match records.fixed_offsets() {
        Some(offsets) => out.push_rows(datagram, at, described, offsets),
        None => out.push_rows(datagram, at, described, records.offsets()),
    }
    let columns = &mut out.columns;
    fill_columns(plan, records, row, columns, &mut outcome);
    fill_icmp(plan, records, row, columns);
    let timed = plan.times.fill(records, context.clock, row, columns, times);
    (outcome.clamped, outcome.time_kinds) = (timed.clamped, timed.kinds);
    plan.sampling.fill(records, context.sampling, row, columns);
    if let Some(kind) = plan.counters {
        let rows = row..row + records.count();
        outcome.implausible = fill_counter_kind(kind, plan.whole_packets, rows, columns);
    }
    if let Some((frame, place)) = plan.frame {
        let cells = records.at(place);
        for index in 0..records.count() {
            let read = frame::fill(frame, cells.cell(index), columns, row + index);
            outcome.frames_unreadable += u64::from(!read);
        }
    }
    fill_measures(plan, records, row, out);
    let octets_max = context.text_octets_max;
    fill_texts(plan, records, row, octets_max, out, &mut outcome);
    outcome
}

fn fill_columns(
    plan: &Plan,
    records: &Records<'_>,
    row: usize,
    columns: &mut Columns,
    outcome: &mut Outcome,
) {
    for column in &plan.columns {
        let misfits = column
            .slot
            .fill(columns, row, &records.at(column.place), column.form);
        outcome.misfits += misfits as u64;
        let Some(fallback) = column.fallback else {
            continue;
        };
        let (first, second) = (records.at(column.place), records.at(fallback));
        for index in 0..records.count() {
            let (first, second) = (first.cell(index), second.cell(index));
            if is_zero(first) && !is_zero(second) {
                column
                    .slot
                    .fill(columns, row + index, &Single(second), column.form);
            }
        }
    }
}

fn is_zero(octets: &[u8]) -> bool {
    octets.iter().all(|octet| *octet == 0)
}

/// Type and code in fields of their own, where no field holds both.
fn fill_icmp(plan: &Plan, records: &Records<'_>, row: usize, columns: &mut Columns) {
    let both = plan
        .columns
        .iter()
        .any(|column| column.slot == Slot::icmp_type_code);
    let (Some(kind), false) = (plan.icmp_type, both) else {
        return;
    };
    let octet =
        |place: Place, index| unsigned(records.at(place).cell(index)).map(|value| value & 0xff);
    for index in 0..records.count() {
        let Some(kind) = octet(kind, index) else {
            continue;
        };
        let code = plan
            .icmp_code
            .and_then(|place| octet(place, index))
            .unwrap_or(0);
        if let Ok(both) = u16::try_from(kind << 8 | code) {
            columns.icmp_type_code.set(row + index, both);
        }
    }
}

/// Octets of an IPv4 header without options: no IP packet is shorter.
const PACKET_OCTETS_MIN: u64 = 20;

fn fill_counter_kind(
    kind: CounterKind,
    whole_packets: [bool; 2],
    rows: Range<usize>,
    columns: &mut Columns,
) -> u64 {
    columns
        .counter_kind
        .extend_at(rows.start, std::iter::repeat_n(kind as u8, rows.len()));
    let forward = [&columns.octets, &columns.packets];
    let reverse = [&columns.reverse_octets, &columns.reverse_packets];
    let mut implausible = 0;
    for ([octets, packets], whole_packets) in [forward, reverse].into_iter().zip(whole_packets) {
        let (octets, packets) = (octets.values(), packets.values());
        if octets.len().max(packets.len()) <= rows.start {
            continue;
        }
        if let (Some(octets), Some(packets)) = (octets.get(rows.clone()), packets.get(rows.clone()))
            && plausible(octets, packets, whole_packets)
        {
            continue;
        }
        implausible += mark(
            &mut columns.counter_kind,
            &columns.sampling_interval,
            octets,
            packets,
            whole_packets,
            rows.clone(),
        );
    }
    implausible
}

/// Marks the rows whose counters can't be true; returns how many were not marked before.
fn mark(
    kinds: &mut Column<u8>,
    intervals: &Column<u32>,
    octets: &[u64],
    packets: &[u64],
    whole_packets: bool,
    rows: Range<usize>,
) -> u64 {
    const IMPLAUSIBLE: u8 = CounterKind::Implausible as u8;
    let mut marked = 0;
    for row in rows {
        let octets = octets.get(row).copied().unwrap_or(0);
        let packets = packets.get(row).copied().unwrap_or(0);
        let too_few = whole_packets && octets < packets.saturating_mul(PACKET_OCTETS_MIN);
        // What sums multiply must not overflow either.
        let times = intervals.get(row).unwrap_or(1).max(1).into();
        let largest = octets.max(packets).saturating_mul(times);
        let odd = too_few || largest >= 1 << 63;
        if odd && kinds.get(row) != Some(IMPLAUSIBLE) {
            kinds.set(row, IMPLAUSIBLE);
            marked += 1;
        }
    }
    marked
}

/// Whether all are far from impossible: what holds for nearly every Set, found without a branch a row.
fn plausible(octets: &[u64], packets: &[u64], whole_packets: bool) -> bool {
    /// Below it nothing overflows, whatever the sampling interval.
    const LARGE: u64 = 1 << 31;
    let least = if whole_packets { PACKET_OCTETS_MIN } else { 0 };
    let odd = octets
        .iter()
        .zip(packets)
        .fold(false, |odd, (octets, packets)| {
            odd | ((octets | packets) >= LARGE) | (*octets < packets.wrapping_mul(least))
        });
    !odd
}

fn fill_measures(plan: &Plan, records: &Records<'_>, row: usize, out: &mut FlowBatch) {
    if plan.measures.is_empty() {
        return;
    }
    for index in 0..records.count() {
        for (measure, place, zero_is_absent) in &plan.measures {
            match unsigned(records.at(*place).cell(index)) {
                None => {}
                Some(0) if *zero_is_absent => {}
                Some(value) => out.measures.push(row + index, *measure, value),
            }
        }
    }
}

fn fill_texts(
    plan: &Plan,
    records: &Records<'_>,
    row: usize,
    octets_max: usize,
    out: &mut FlowBatch,
    outcome: &mut Outcome,
) {
    if plan.texts.is_empty() && outcome.clamped == 0 {
        return;
    }
    for index in 0..records.count() {
        let row = row + index;
        for (text, place) in &plan.texts {
            let octets = records.at(*place).cell(index);
            let say = match text {
                TextUse::Extra(_, say) => *say,
                TextUse::Application | TextUse::InVrf => Say::Text,
            };
            let (octets, cut) = shorten(octets, say, octets_max);
            outcome.texts_cut += u64::from(cut);
            let Some(mut value) = said(octets, say) else {
                continue;
            };
            if cut {
                value.push(CUT);
            }
            let enrichment = &mut out.enrichment;
            let column = match text {
                TextUse::Extra(name, _) => {
                    out.extras.push(row, name.clone(), value);
                    continue;
                }
                TextUse::Application => &mut enrichment.exporter_application,
                TextUse::InVrf => &mut enrichment.in_vrf_name,
            };
            if column.get(row).is_none() {
                column.set_text(row, &value);
            }
        }
        if out.columns.time_quality.get(row) == Some(TimeQuality::Clamped as u8) {
            for (name, raw) in plan.times.as_sent(records, index) {
                out.extras.push(row, name.into(), raw.to_string());
            }
        }
    }
}

/// Ends a text that is not all there: "…", three octets.
const CUT: char = '\u{2026}';

/// The octets that are said, and whether that is not all of them. A text ends where its padding begins, and is not cut within a
/// letter; with [`CUT`] it has at most `octets_max` octets.
fn shorten(octets: &[u8], say: Say, octets_max: usize) -> (&[u8], bool) {
    let octets = match say {
        Say::Text => unpadded(octets),
        _ => octets,
    };
    if octets.len() <= octets_max {
        return (octets, false);
    }
    let mut end = octets_max.saturating_sub(CUT.len_utf8());
    // An octet of 10…… goes on with a letter (RFC 3629 §3), which has four at most.
    let whole = end.saturating_sub(3);
    while say == Say::Text && end > whole && octets[end] & 0xc0 == 0x80 {
        end -= 1;
    }
    (&octets[..end], true)
}

fn unpadded(octets: &[u8]) -> &[u8] {
    let end = octets.iter().position(|octet| *octet == 0);
    &octets[..end.unwrap_or(octets.len())]
}

/// A text as people may see it: up to its padding of zeros, invalid UTF-8 replaced, control characters left out. `None` if
/// nothing is left.
pub(crate) fn clean(octets: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(unpadded(octets));
    let text = text.trim();
    let text: String = text.chars().filter(|letter| !letter.is_control()).collect();
    (!text.is_empty()).then_some(text)
}

/// Octets as the mapping says they read; `None` if there is nothing to say.
fn said(octets: &[u8], say: Say) -> Option<String> {
    match say {
        Say::Text => clean(octets),
        Say::Unsigned => unsigned(octets).map(|value| value.to_string()),
        Say::Signed => signed(octets).map(|value| value.to_string()),
        Say::Float => float(octets).map(|value| value.to_string()),
        Say::Address => address(octets).map(|found| flow::address::narrow(found).to_string()),
        Say::Mac if octets.len() == 6 => Some(hex(octets, ":")),
        Say::Mac | Say::Hex => (!octets.is_empty()).then(|| hex(octets, "")),
    }
}

fn signed(octets: &[u8]) -> Option<i64> {
    let negative = octets.first()? & 0x80 != 0;
    let start = if negative { -1_i64 } else { 0 };
    (octets.len() <= 8).then(|| {
        octets
            .iter()
            .fold(start, |value, octet| value << 8 | i64::from(*octet))
    })
}

fn float(octets: &[u8]) -> Option<f64> {
    match octets.len() {
        4 => Some(f32::from_be_bytes(octets.try_into().ok()?).into()),
        8 => Some(f64::from_be_bytes(octets.try_into().ok()?)),
        _ => None,
    }
}

fn hex(octets: &[u8], between: &str) -> String {
    let mut text = String::with_capacity(octets.len() * (2 + between.len()));
    for (index, octet) in octets.iter().enumerate() {
        if index > 0 {
            text.push_str(between);
        }
        let _ = write!(text, "{octet:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_lose_padding_and_control_characters() {
        assert_eq!(clean(b"web\0\0\0junk").as_deref(), Some("web"));
        assert_eq!(clean(b"a\x1b[31mb\r\n").as_deref(), Some("a[31mb"));
        assert_eq!(clean(b"\0\0"), None);
        assert_eq!(clean(&[0xff, b'x']).as_deref(), Some("\u{fffd}x"));
    }

    #[test]
    fn octets_read_as_the_mapping_says() {
        assert_eq!(said(&[0xff, 0xfe], Say::Signed).as_deref(), Some("-2"));
        assert_eq!(said(&[0x3f, 0x80, 0, 0], Say::Float).as_deref(), Some("1"));
        assert_eq!(
            said(&[10, 0, 0, 1], Say::Address).as_deref(),
            Some("10.0.0.1")
        );
        assert_eq!(
            said(&[2, 0, 0x5e, 0x10, 0, 1], Say::Mac).as_deref(),
            Some("02:00:5e:10:00:01")
        );
    }
}
