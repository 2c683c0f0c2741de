//! Every family of time stamps, made into two instants and what is known of their quality.

use flow::batch::{Columns, TimeKind, TimeQuality};
use flow::clock::{NANOS_PER_MICRO, NANOS_PER_MILLI};

use super::cell::{Cells, unsigned};
use super::records::{Place, Records};
use super::stamp::{ABSENT, Convert, IMPOSSIBLE, PacketClock, is_time, millis};
use crate::fields::{Edge, Stamp};

/// A stamp and where it is.
#[derive(Clone, Copy, Debug)]
struct StampPlace {
    stamp: Stamp,
    place: Place,
}

/// Where a template's records tell their times.
#[derive(Clone, Debug, Default)]
pub(crate) struct TimePlan {
    start: Vec<StampPlace>,
    end: Vec<StampPlace>,
    reverse_start: Vec<StampPlace>,
    reverse_end: Vec<StampPlace>,
    observation: Vec<StampPlace>,
    duration: Option<StampPlace>,
    system_init: Option<Place>,
    /// Milliseconds from the first packet to the first of the reverse direction.
    pub(crate) reverse_delta_ms: Option<Place>,
}

/// Times of the records at hand; kept between Sets for its memory.
#[derive(Debug, Default)]
pub(crate) struct TimeScratch {
    start: Vec<i64>,
    end: Vec<i64>,
    kinds: Vec<u8>,
    qualities: Vec<u8>,
    other: Vec<i64>,
}

/// What happened to the times of a Set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TimeOutcome {
    /// Records whose times were impossible.
    pub(crate) clamped: u64,
    /// Bit per [`TimeKind`].
    pub(crate) kinds: u16,
}

impl TimePlan {
    pub(crate) fn add(&mut self, edge: Edge, stamp: Stamp, place: Place) {
        let stamp = StampPlace { stamp, place };
        match edge {
            Edge::Start => self.start.push(stamp),
            Edge::End => self.end.push(stamp),
            Edge::ReverseStart => self.reverse_start.push(stamp),
            Edge::ReverseEnd => self.reverse_end.push(stamp),
            Edge::Observation => self.observation.push(stamp),
            Edge::Duration => self.duration = self.duration.or(Some(stamp)),
            Edge::SystemInit => self.system_init = self.system_init.or(Some(place)),
        }
    }

    /// Puts the best stamp of each edge first.
    ///
    /// Finer before coarser; uptime before whole seconds, but last where nothing relates it to the time of day.
    pub(crate) fn finish(&mut self, uptime_known: bool) {
        let known = uptime_known || self.system_init.is_some();
        for edge in [
            &mut self.start,
            &mut self.end,
            &mut self.reverse_start,
            &mut self.reverse_end,
            &mut self.observation,
        ] {
            edge.sort_by_key(|stamp| match stamp.stamp {
                Stamp::Nanos => 0,
                Stamp::Micros => 1,
                Stamp::Millis => 2,
                Stamp::Uptime if known => 3,
                Stamp::DeltaMicros => 4,
                Stamp::Seconds => 5,
                Stamp::Uptime => 6,
            });
        }
    }

    /// The latest uptime that ends a flow, where uptime is all there is to tell the time and nothing relates it to the time
    /// of day. From it the exporter's start can be estimated.
    pub(crate) fn unanchored(&self, records: &Records<'_>) -> Option<u32> {
        let stamp = self.end.first().or(self.start.first())?;
        if stamp.stamp != Stamp::Uptime || self.system_init.is_some() {
            return None;
        }
        let cells = records.at(stamp.place);
        let stamps = (0..records.count()).filter_map(|index| unsigned(cells.cell(index)));
        stamps.max().and_then(|latest| u32::try_from(latest).ok())
    }

    /// Writes `start`, `end`, their kind and quality, and the reverse direction's times.
    pub(crate) fn fill(
        &self,
        records: &Records<'_>,
        clock: PacketClock,
        row: usize,
        columns: &mut Columns,
        scratch: &mut TimeScratch,
    ) -> TimeOutcome {
        let TimeScratch {
            start,
            end,
            kinds,
            qualities,
            other,
        } = scratch;
        kinds.clear();
        kinds.resize(records.count(), 0);
        self.read(&self.start, records, clock, start, Some(kinds));
        self.read(&self.end, records, clock, end, Some(kinds));
        self.fill_gaps(records, clock, start, end, kinds, other);
        let outcome = judge(clock, start, end, kinds, qualities);
        if outcome.clamped > 0 {
            keep_durations(clock, row, columns, start, end);
        }
        columns.start.extend_sparse(row, start);
        columns.end.extend_sparse(row, end);
        columns.time_kind.extend_at(row, kinds.iter().copied());
        columns
            .time_quality
            .extend_at(row, qualities.iter().copied());
        self.fill_reverse(records, clock, row, columns, start, other);
        outcome
    }

    /// Reads one edge: each record's first stamp, in the plan's order, that is there and not 0.
    fn read(
        &self,
        stamps: &[StampPlace],
        records: &Records<'_>,
        clock: PacketClock,
        into: &mut Vec<i64>,
        mut kinds: Option<&mut Vec<u8>>,
    ) {
        into.clear();
        let quick = stamps
            .first()
            .filter(|_| self.system_init.is_none())
            .is_some_and(|stamp| read_quickly(stamp, records, clock, into, kinds.as_deref_mut()));
        into.resize(records.count(), ABSENT);
        for stamp in &stamps[usize::from(quick)..] {
            let cells = records.at(stamp.place);
            let convert = Convert::new(stamp.stamp, clock);
            let inits = self.system_init.map(|place| records.at(place));
            for index in 0..records.count() {
                if into[index] != ABSENT {
                    continue;
                }
                let init = inits
                    .and_then(|cells| unsigned(cells.cell(index)))
                    .filter(|init| *init != 0)
                    .map(millis);
                let raw = unsigned(cells.cell(index));
                into[index] = raw.map_or(ABSENT, |raw| convert.to_nanos(raw, init));
                if let Some(kinds) = &mut kinds
                    && into[index] != ABSENT
                    && kinds[index] == 0
                {
                    kinds[index] = convert.kind as u8;
                }
            }
        }
    }

    /// Finds an edge that was not sent from the event's time or the duration.
    fn fill_gaps(
        &self,
        records: &Records<'_>,
        clock: PacketClock,
        start: &mut [i64],
        end: &mut [i64],
        kinds: &mut [u8],
        observed: &mut Vec<i64>,
    ) {
        if !self.observation.is_empty() {
            self.read(&self.observation, records, clock, observed, None);
            for (index, seen) in observed
                .iter()
                .enumerate()
                .filter(|(_, seen)| is_time(**seen))
            {
                if end[index] == ABSENT {
                    end[index] = *seen;
                }
                if start[index] == ABSENT && kinds[index] == 0 && self.duration.is_none() {
                    start[index] = *seen;
                }
                if kinds[index] == 0 {
                    kinds[index] = TimeKind::Observation as u8;
                }
            }
        }
        let Some(duration) = self.duration else {
            return;
        };
        let cells = records.at(duration.place);
        let unit = match duration.stamp {
            Stamp::Millis => NANOS_PER_MILLI,
            _ => NANOS_PER_MICRO,
        };
        for index in 0..records.count() {
            let Some(length) = unsigned(cells.cell(index)) else {
                continue;
            };
            let length = i64::try_from(length)
                .unwrap_or(i64::MAX)
                .saturating_mul(unit);
            match (is_time(start[index]), is_time(end[index])) {
                (true, false) if end[index] == ABSENT => {
                    end[index] = start[index].saturating_add(length)
                }
                (false, true) if start[index] == ABSENT => {
                    start[index] = end[index].saturating_sub(length);
                }
                _ => {}
            }
        }
    }

    /// The stamps of time of day as record `index` sent them, by name: for rows whose times were replaced. Stamps of uptime
    /// have columns of their own.
    pub(crate) fn as_sent<'a>(
        &'a self,
        records: &'a Records<'_>,
        index: usize,
    ) -> impl Iterator<Item = (&'static str, u64)> {
        let edges = [("start", &self.start), ("end", &self.end)];
        edges.into_iter().flat_map(move |(edge, stamps)| {
            stamps.iter().filter_map(move |stamp| {
                let raw = unsigned(records.at(stamp.place).cell(index))?;
                (raw != 0).then_some((stamp_name(edge, stamp.stamp)?, raw))
            })
        })
    }

    fn fill_reverse(
        &self,
        records: &Records<'_>,
        clock: PacketClock,
        row: usize,
        columns: &mut Columns,
        start: &[i64],
        other: &mut Vec<i64>,
    ) {
        if !self.reverse_end.is_empty() {
            self.read(&self.reverse_end, records, clock, other, None);
            columns.reverse_end.extend_sparse(row, other);
        }
        if !self.reverse_start.is_empty() {
            self.read(&self.reverse_start, records, clock, other, None);
            columns.reverse_start.extend_sparse(row, other);
        } else if let Some(place) = self.reverse_delta_ms {
            let cells = records.at(place);
            for (index, start) in start.iter().enumerate() {
                let reversed = columns.reverse_packets.get(row + index);
                if let Some(delta) = unsigned(cells.cell(index))
                    && reversed.is_some_and(|packets| packets > 0)
                    && is_time(*start)
                {
                    columns
                        .reverse_start
                        .set(row + index, start.saturating_add(millis(delta)));
                }
            }
        }
    }
}

/// The name of a stamp in the extras: edge and unit.
fn stamp_name(edge: &str, stamp: Stamp) -> Option<&'static str> {
    let names = match stamp {
        Stamp::Uptime => return None,
        Stamp::Seconds => ["start_sent_s", "end_sent_s"],
        Stamp::Millis => ["start_sent_ms", "end_sent_ms"],
        Stamp::Micros => ["start_sent_us", "end_sent_us"],
        Stamp::Nanos => ["start_sent_ns", "end_sent_ns"],
        Stamp::DeltaMicros => ["start_sent_before_us", "end_sent_before_us"],
    };
    Some(names[usize::from(edge == "end")])
}

/// Reads the first stamp of an edge of all records; `false` if its width has no quick way.
fn read_quickly(
    stamp: &StampPlace,
    records: &Records<'_>,
    clock: PacketClock,
    into: &mut Vec<i64>,
    kinds: Option<&mut Vec<u8>>,
) -> bool {
    let convert = Convert::new(stamp.stamp, clock);
    match records.at(stamp.place).strided() {
        Some(cells) if cells.width == 4 => {
            let raws = cells.each::<4>();
            convert.all_to_nanos(raws.map(|raw| u32::from_be_bytes(raw).into()), into);
        }
        Some(cells) if cells.width == 8 => {
            convert.all_to_nanos(cells.each::<8>().map(u64::from_be_bytes), into);
        }
        _ => return false,
    }
    for (kind, nanos) in kinds.into_iter().flatten().zip(into.iter()) {
        if *kind == 0 && *nanos != ABSENT {
            *kind = convert.kind as u8;
        }
    }
    true
}

/// Makes pairs of instants plausible, and says how.
fn judge(
    clock: PacketClock,
    start: &mut [i64],
    end: &mut [i64],
    kinds: &mut [u8],
    qualities: &mut Vec<u8>,
) -> TimeOutcome {
    let mut outcome = TimeOutcome::default();
    qualities.clear();
    if !clock.estimated && in_order(start, end) {
        qualities.resize(start.len(), TimeQuality::Exact as u8);
    } else {
        for ((start, end), kind) in start.iter_mut().zip(end).zip(kinds.iter_mut()) {
            let quality = judge_one(clock, start, end, kind);
            outcome.clamped += u64::from(quality == TimeQuality::Clamped);
            qualities.push(quality as u8);
        }
    }
    outcome.kinds = kinds.iter().fold(0, |kinds, kind| kinds | 1 << kind);
    outcome
}

/// Whether every pair is there and in order: the common case, found without a branch a record.
fn in_order(start: &[i64], end: &[i64]) -> bool {
    start.iter().zip(end).fold(true, |fine, (start, end)| {
        fine & (*start > IMPOSSIBLE) & (*end >= *start)
    })
}

#[inline]
fn judge_one(clock: PacketClock, start: &mut i64, end: &mut i64, kind: &mut u8) -> TimeQuality {
    if *start > IMPOSSIBLE && *end >= *start {
        let estimated = clock.estimated && *kind == TimeKind::Uptime as u8;
        return if estimated {
            TimeQuality::Clamped
        } else {
            TimeQuality::Exact
        };
    }
    if *start == ABSENT && *end == ABSENT {
        (*start, *end) = (clock.received, clock.received);
        *kind = TimeKind::Received as u8;
        return TimeQuality::Absent;
    }
    let mut quality = TimeQuality::Exact;
    for edge in [&mut *start, &mut *end] {
        if *edge == IMPOSSIBLE {
            *edge = clock.export;
            quality = TimeQuality::Clamped;
        }
    }
    if *start != ABSENT && *end != ABSENT && *end < *start {
        (*start, *end) = (clock.export, clock.export);
        quality = TimeQuality::Clamped;
    }
    quality
}

/// Gives flows whose uptime stamps fit no clock the length that the stamps still tell, up to the time of export.
fn keep_durations(
    clock: PacketClock,
    row: usize,
    columns: &Columns,
    start: &mut [i64],
    end: &[i64],
) {
    const DAY_MS: u32 = 86_400_000;
    for (index, (start, end)) in start.iter_mut().zip(end).enumerate() {
        if *start != clock.export || *end != clock.export {
            continue;
        }
        let first = columns.start_uptime_ms.get(row + index);
        let last = columns.end_uptime_ms.get(row + index);
        if let (Some(first), Some(last)) = (first, last)
            && last.wrapping_sub(first) <= DAY_MS
        {
            *start = *end - i64::from(last.wrapping_sub(first)) * NANOS_PER_MILLI;
        }
    }
}

/// Adds values of which some are absent.
trait ExtendSparse {
    fn extend_sparse(&mut self, row: usize, nanos: &[i64]);
}

impl ExtendSparse for flow::column::Column<i64> {
    fn extend_sparse(&mut self, row: usize, nanos: &[i64]) {
        self.extend_at(row, nanos.iter().copied());
        if nanos.iter().fold(true, |all, nanos| all & is_time(*nanos)) {
            return;
        }
        for (index, nanos) in nanos.iter().enumerate() {
            if !is_time(*nanos) {
                self.clear_row(row + index);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use flow::clock::NANOS_PER_SECOND;

    use super::*;

    const CLOCK: PacketClock = PacketClock {
        export: 1_700_000_000 * NANOS_PER_SECOND,
        uptime_ms: Some(10_000),
        system_init: None,
        estimated: false,
        received: 1_700_000_001 * NANOS_PER_SECOND,
    };

    #[test]
    fn times_that_cannot_be_are_replaced_and_said_so() {
        let (mut start, mut end, mut kind) = (CLOCK.export, CLOCK.export - 1, 1);
        assert_eq!(
            judge_one(CLOCK, &mut start, &mut end, &mut kind),
            TimeQuality::Clamped
        );
        assert_eq!((start, end), (CLOCK.export, CLOCK.export));
        (start, end) = (ABSENT, ABSENT);
        assert_eq!(
            judge_one(CLOCK, &mut start, &mut end, &mut kind),
            TimeQuality::Absent
        );
        assert_eq!((start, kind), (CLOCK.received, TimeKind::Received as u8));
        (start, end) = (5, IMPOSSIBLE);
        assert_eq!(
            judge_one(CLOCK, &mut start, &mut end, &mut kind),
            TimeQuality::Clamped
        );
        assert_eq!((start, end), (5, CLOCK.export));
    }
}
