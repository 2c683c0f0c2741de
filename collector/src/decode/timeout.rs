//! The active timeout of an exporter, told by how it cuts flows that go on.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

use flow::batch::Columns;
use flow::clock::NANOS_PER_MILLI;
use rustc_hash::FxHasher;

/// Flows that wait for their continuation. A flow whose place is taken is not looked at.
const PLACES: usize = 1_024;
/// Shorter flows are not cut by any timeout that is in use.
const LENGTH_MIN_MS: u32 = 5_000;
/// A flow that goes on after a longer break may have ended by inactivity.
const BREAK_MAX_MS: u32 = 5_000;
/// Stamps of two packets may be off by the whole seconds of their headers.
const OVERLAP_MAX_MS: u32 = 1_000;
/// How much later than expected a continuation may be reported.
const PATIENCE_MS: u32 = 60_000;
/// Cut flows before there is an answer.
const CUTS_MIN: u32 = 8;
/// Cut flows that are remembered; then older ones count half.
const CUTS_MAX: u32 = 1_024;
/// Different seconds that are counted.
const SECONDS_MAX: usize = 512;
/// Flow ended because it was active for too long (IE 136).
const ACTIVE_TIMEOUT: u8 = 2;
const FIN_OR_RST: u16 = 0x05;

/// A record whose flow may go on. Times are milliseconds modulo 2^32, on whichever clock the exporter stamps.
#[derive(Clone, Copy, Debug, Default)]
struct Cut {
    flow: u64,
    start: u32,
    end: u32,
}

/// The active timeout as it can be inferred.
///
/// A flow was cut if the next record of the same flow follows it without a break, and nothing else ended it (flags, end
/// reason). The timeout then lies between the record's length and the time from its start to the start of the next: each cut
/// flow votes for the whole seconds between.
#[derive(Clone, Debug, Default)]
pub(crate) struct ActiveTimeout {
    places: Vec<Cut>,
    votes: BTreeMap<u32, u32>,
    cuts: u32,
}

impl ActiveTimeout {
    /// Looks at one row.
    pub(crate) fn look(&mut self, columns: &Columns, row: usize) {
        let Some((start, end)) = stamps(columns, row) else {
            return;
        };
        let Some(flow) = flow(columns, row) else {
            return;
        };
        if self.places.is_empty() {
            self.places.resize(PLACES, Cut::default());
        }
        let index = usize::try_from(flow >> 32).unwrap_or(0) % PLACES;
        let before = self.places[index];
        if before.flow == flow {
            self.places[index] = Cut::default();
            self.continued(before, start);
        } else if before.flow != 0 && !before.is_stale(end) {
            return;
        }
        let reason = columns.end_reason.get(row);
        let ended = columns.tcp_flags.get(row).unwrap_or(0) & FIN_OR_RST != 0;
        if end.wrapping_sub(start) >= LENGTH_MIN_MS
            && reason.is_none_or(|reason| reason == ACTIVE_TIMEOUT)
            && (!ended || reason.is_some())
        {
            self.places[index] = Cut { flow, start, end };
        }
    }

    /// The flow of `cut` goes on at `next`.
    fn continued(&mut self, cut: Cut, next: u32) {
        let later = next.wrapping_sub(cut.end).wrapping_add(OVERLAP_MAX_MS);
        if later > BREAK_MAX_MS + OVERLAP_MAX_MS {
            return;
        }
        let shortest = cut.end.wrapping_sub(cut.start) / 1_000;
        let longest = next.wrapping_sub(cut.start).saturating_add(500) / 1_000;
        for seconds in shortest..=longest {
            if self.votes.len() < SECONDS_MAX || self.votes.contains_key(&seconds) {
                *self.votes.entry(seconds).or_default() += 1;
            }
        }
        self.cuts += 1;
        if self.cuts >= CUTS_MAX {
            self.cuts /= 2;
            self.votes.retain(|_, votes| {
                *votes /= 2;
                *votes > 0
            });
        }
    }

    /// Whole seconds; `None` while few flows were cut, or if they do not agree.
    ///
    /// Neighbours get nearly as many votes as the timeout itself: of those the roundest is what somebody configured.
    pub(crate) fn seconds(&self) -> Option<u32> {
        let most = *self.votes.values().max()?;
        if self.cuts < CUTS_MIN || most < self.cuts / 2 {
            return None;
        }
        self.votes
            .iter()
            .filter(|(_, votes)| **votes >= most - most / 10)
            .max_by_key(|(seconds, votes)| (roundness(**seconds), **votes))
            .map(|(seconds, _)| *seconds)
    }
}

impl Cut {
    /// Whether a continuation would have come by now, as records that end at `now` come.
    fn is_stale(&self, now: u32) -> bool {
        let length = self.end.wrapping_sub(self.start);
        let since = now.wrapping_sub(self.end);
        since < u32::MAX / 2 && since > length.saturating_add(PATIENCE_MS)
    }
}

/// How round a number of seconds is, in the steps in which people configure timeouts.
fn roundness(seconds: u32) -> usize {
    const STEPS: [u32; 5] = [5, 10, 15, 30, 60];
    STEPS
        .iter()
        .filter(|step| seconds.is_multiple_of(**step))
        .count()
}

/// First and last packet. Uptime stamps are exact; what they become may be a second off between two packets.
fn stamps(columns: &Columns, row: usize) -> Option<(u32, u32)> {
    let uptime = (
        columns.start_uptime_ms.get(row),
        columns.end_uptime_ms.get(row),
    );
    if let (Some(start), Some(end)) = uptime {
        return Some((start, end));
    }
    let millis =
        |nanos: i64| u32::try_from((nanos / NANOS_PER_MILLI).rem_euclid(1 << 32)).unwrap_or(0);
    Some((
        millis(columns.start.get(row)?),
        millis(columns.end.get(row)?),
    ))
}

/// What makes two records the same flow at the same place; never 0.
fn flow(columns: &Columns, row: usize) -> Option<u64> {
    let mut hasher = FxHasher::default();
    (
        columns.src_addr.get(row)?,
        columns.dst_addr.get(row)?,
        columns.src_port.get(row),
        columns.dst_port.get(row),
        columns.protocol.get(row),
        columns.in_interface.get(row),
        columns.direction.get(row),
    )
        .hash(&mut hasher);
    Some(hasher.finish() | 1)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;

    /// Start and end in milliseconds, and the source port.
    fn seen(records: &[(u32, u32, u16)]) -> Option<u32> {
        let mut columns = Columns::default();
        let mut timeout = ActiveTimeout::default();
        for (row, (start, end, port)) in records.iter().enumerate() {
            columns.start_uptime_ms.set(row, *start);
            columns.end_uptime_ms.set(row, *end);
            columns.src_addr.set(row, Ipv6Addr::LOCALHOST);
            columns.dst_addr.set(row, Ipv6Addr::LOCALHOST);
            columns.src_port.set(row, *port);
            timeout.look(&columns, row);
        }
        timeout.seconds()
    }

    #[test]
    fn cut_flows_tell_the_timeout_and_short_ones_do_not() {
        // A packet every 700 ms: cut when 60 s are over, and on with the next. In between, many flows of five seconds.
        let mut records = Vec::new();
        for round in 0..12 {
            // Uptime wraps in between.
            let start = (u32::MAX - 300_000).wrapping_add(round * 60_200);
            records.push((start, start.wrapping_add(59_500), 1));
            for port in 2..40 {
                records.push((start, start.wrapping_add(5_000), port));
            }
        }
        assert_eq!(seen(&records), Some(60));
    }

    #[test]
    fn flows_that_end_by_themselves_tell_nothing() {
        let again = |round: u32| (round * 30_000, round * 30_000 + 6_000 + round * 900, 7);
        let records: Vec<_> = (0..40).map(again).collect();
        assert_eq!(seen(&records), None);
    }

    #[test]
    fn lengths_that_do_not_agree_give_no_number() {
        let mut start = 0;
        let records: Vec<_> = (0..40)
            .map(|round| {
                let record = (start, start + 6_000 + round * 3_000, 7);
                start = record.1 + 100;
                record
            })
            .collect();
        assert_eq!(seen(&records), None);
    }
}
