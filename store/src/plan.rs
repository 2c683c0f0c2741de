//! Which table answers which part of a window: the coarsest that answers exactly.

use std::time::Duration;

use flow::Timestamp;
use flow::clock::NANOS_PER_SECOND;

use crate::config::Retention;
use crate::question::Window;

/// A table, by the width of its rows in time. Ordered from fine to coarse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tier {
    /// Flow records.
    Flows,
    /// Buckets of 10 seconds.
    TenSeconds,
    /// Buckets of a minute.
    Minute,
    /// Buckets of an hour.
    Hour,
}

/// The rollups, coarsest first.
const ROLLUPS: [Tier; 3] = [Tier::Hour, Tier::Minute, Tier::TenSeconds];

impl Tier {
    /// Seconds of a bucket; 0 for flow records.
    pub(crate) fn width_s(self) -> u64 {
        match self {
            Self::Flows => 0,
            Self::TenSeconds => 10,
            Self::Minute => 60,
            Self::Hour => 3600,
        }
    }

    /// What stands behind the family's name in the table's.
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Self::Flows => "",
            Self::TenSeconds => "10s",
            Self::Minute => "1m",
            Self::Hour => "1h",
        }
    }

    /// Flows that live longer, in nanoseconds, are not in the rollup but in `long_flows`. As in the views.
    pub(crate) fn life_ns_max(self) -> i64 {
        match self {
            Self::Flows => i64::MAX,
            Self::TenSeconds => 600 * NANOS_PER_SECOND,
            Self::Minute | Self::Hour => 3600 * NANOS_PER_SECOND,
        }
    }
}

/// A part of the window, and the table that answers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) tier: Tier,
    pub(crate) window: Window,
}

/// What the tables still hold, seen from now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Horizon {
    pub(crate) now: Timestamp,
    pub(crate) kept: Retention,
    /// When the first of what the window holds was stored, if that was asked for: see [`Horizon::must_look`].
    pub(crate) stored_since: Option<Timestamp>,
}

/// Width of a row of `extents`, in time of arrival.
pub(crate) const ARRIVAL: Duration = Duration::from_secs(300);
/// Seconds of the coarsest bucket: what is made anew at a time.
pub(crate) const HOUR_S: i64 = 3600;
const DAY: Duration = Duration::from_secs(86_400);

impl Horizon {
    /// Whether the window reaches so far back that it matters when its rows were stored: what was received then may be
    /// gone from the finer tables, what was imported since is not.
    pub(crate) fn must_look(&self, window: Window) -> bool {
        let tiers = [Tier::Flows, Tier::TenSeconds, Tier::Minute, Tier::Hour];
        tiers
            .into_iter()
            .any(|tier| window.from < self.kept_since(tier))
    }

    /// Rows that were stored after this are in the table; less a day, as parts go as a whole.
    pub(crate) fn kept_since(&self, tier: Tier) -> Timestamp {
        let days = match tier {
            Tier::Flows => self.kept.flows_days,
            Tier::TenSeconds => self.kept.rollup_10s_days,
            Tier::Minute => self.kept.rollup_1m_days,
            Tier::Hour => self.kept.rollup_1h_days,
        };
        self.now - DAY * days + DAY
    }

    /// Whether `tier` holds everything that happened at `at`: rows are stored after they happen, or it is known when.
    fn holds(&self, tier: Tier, at: Timestamp) -> bool {
        let since = self.kept_since(tier);
        at >= since || self.stored_since.is_some_and(|stored| stored >= since)
    }

    /// The finest table that holds `at`; flow records if none does.
    fn finest(&self, at: Timestamp) -> Tier {
        [Tier::Flows, Tier::TenSeconds, Tier::Minute, Tier::Hour]
            .into_iter()
            .find(|tier| self.holds(*tier, at))
            .unwrap_or(Tier::Flows)
    }
}

/// Cuts a window into pieces, in order of time: whole buckets from the coarsest table of those in `usable`, the rest from
/// finer ones, and what is left over from the flow records.
///
/// Where an end of the window is so long ago that the records are gone, that end moves outwards to a whole bucket.
///
/// A short window that takes records at both ends takes them for all of it: they lie in the order of five minutes of arrival, so
/// the ends would read the same rows twice, and what lies between costs nothing more.
pub(crate) fn pieces(
    window: Window,
    horizon: &Horizon,
    usable: impl Fn(Tier) -> bool + Copy,
) -> Vec<Piece> {
    let mut found = Vec::new();
    let [mut from, mut to] = [window.from, window.to];
    if ROLLUPS.into_iter().any(usable) {
        let outwards = |at: Timestamp| {
            let tier = horizon.finest(at);
            Duration::from_secs(if usable(tier) { tier.width_s() } else { 0 })
        };
        from = from.floor_or_stay(outwards(from));
        to = to.ceil_or_stay(outwards(to));
    }
    let window = Window { from, to };
    cut(window, horizon, usable, &ROLLUPS, &mut found);
    let of_records = found.iter().filter(|piece| piece.tier == Tier::Flows);
    if of_records.count() > 1 && to <= from + ARRIVAL && horizon.holds(Tier::Flows, from) {
        let tier = Tier::Flows;
        return vec![Piece { tier, window }];
    }
    found
}

fn cut(
    window: Window,
    horizon: &Horizon,
    usable: impl Fn(Tier) -> bool + Copy,
    tiers: &[Tier],
    found: &mut Vec<Piece>,
) {
    if window.from >= window.to {
        return;
    }
    let Some((tier, finer)) = tiers.split_first() else {
        let tier = Tier::Flows;
        return found.push(Piece { tier, window });
    };
    let width = Duration::from_secs(tier.width_s());
    let inner = Window {
        from: window.from.ceil_or_stay(width),
        to: window.to.floor_or_stay(width),
    };
    if !usable(*tier) || inner.from >= inner.to || !horizon.holds(*tier, inner.from) {
        return cut(window, horizon, usable, finer, found);
    }
    let before = Window {
        from: window.from,
        to: inner.from,
    };
    let after = Window {
        from: inner.to,
        to: window.to,
    };
    cut(before, horizon, usable, finer, found);
    found.push(Piece {
        tier: *tier,
        window: inner,
    });
    cut(after, horizon, usable, finer, found);
}

/// Whole intervals from the epoch; an interval of 0 leaves the instant as it is.
pub(crate) trait Whole {
    /// The start of the interval that it is in.
    fn floor_or_stay(self, width: Duration) -> Self;
    /// The start of the next interval, unless it is one itself.
    fn ceil_or_stay(self, width: Duration) -> Self;
}

impl Whole for Timestamp {
    fn floor_or_stay(self, width: Duration) -> Self {
        if width.is_zero() {
            self
        } else {
            self.floor(width)
        }
    }

    fn ceil_or_stay(self, width: Duration) -> Self {
        match self.floor_or_stay(width) {
            floor if floor == self => self,
            floor => floor + width,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn horizon(now_s: i64) -> Horizon {
        let kept = Retention::default();
        Horizon {
            now: Timestamp::from_seconds(now_s),
            kept,
            stored_since: None,
        }
    }

    fn window(from_s: i64, to_s: i64) -> Window {
        let at = Timestamp::from_seconds;
        Window {
            from: at(from_s),
            to: at(to_s),
        }
    }

    fn cut_at(from_s: i64, to_s: i64, now_s: i64) -> Vec<(Tier, i64, i64)> {
        pieces(window(from_s, to_s), &horizon(now_s), |_| true)
            .into_iter()
            .map(|piece| {
                (
                    piece.tier,
                    piece.window.from.seconds(),
                    piece.window.to.seconds(),
                )
            })
            .collect()
    }

    /// A whole hour, long after the epoch.
    const HOUR: i64 = 3600 * 500_000;

    #[test]
    fn whole_hours_come_from_hours_and_the_edges_from_finer_tables() {
        assert_eq!(
            cut_at(HOUR, HOUR + 7200, HOUR + 7200),
            [(Tier::Hour, HOUR, HOUR + 7200)]
        );
        assert_eq!(
            cut_at(HOUR - 75, HOUR + 3600 + 12, HOUR + 4000),
            [
                (Tier::Flows, HOUR - 75, HOUR - 70),
                (Tier::TenSeconds, HOUR - 70, HOUR - 60),
                (Tier::Minute, HOUR - 60, HOUR),
                (Tier::Hour, HOUR, HOUR + 3600),
                (Tier::TenSeconds, HOUR + 3600, HOUR + 3610),
                (Tier::Flows, HOUR + 3610, HOUR + 3612),
            ]
        );
    }

    #[test]
    fn a_short_window_with_records_at_both_ends_is_all_of_records() {
        let short = cut_at(HOUR + 3, HOUR + 303, HOUR + 4000);
        assert_eq!(short, [(Tier::Flows, HOUR + 3, HOUR + 303)]);
        let tiers = |from_s, to_s| -> Vec<Tier> {
            let found = cut_at(from_s, to_s, HOUR + 4000).into_iter();
            found.map(|(tier, ..)| tier).collect()
        };
        // One end only, or longer.
        assert_eq!(tiers(HOUR, HOUR + 43), [Tier::TenSeconds, Tier::Flows]);
        assert!(tiers(HOUR + 3, HOUR + 304).len() > 1);
    }

    #[test]
    fn without_a_rollup_the_records_answer_all() {
        let found = pieces(window(HOUR, HOUR + 7200), &horizon(HOUR), |_| false);
        let expected = Piece {
            tier: Tier::Flows,
            window: window(HOUR, HOUR + 7200),
        };
        assert_eq!(found, [expected]);
    }

    #[test]
    fn what_is_gone_is_not_asked_for() {
        let day = 86_400;
        // 20 days ago: no buckets of 10 seconds any more.
        let then = HOUR - 20 * day;
        assert_eq!(
            cut_at(then + 15, then + 120, HOUR),
            [
                (Tier::Flows, then + 15, then + 60),
                (Tier::Minute, then + 60, then + 120)
            ]
        );
        // 60 days ago: no records either, so whole minutes.
        let then = HOUR - 60 * day;
        assert_eq!(
            cut_at(then + 15, then + 70, HOUR),
            [(Tier::Minute, then, then + 120)]
        );
        // The same time, but all of it was imported an hour ago: every table has it.
        let imported = Horizon {
            stored_since: Some(Timestamp::from_seconds(HOUR - 3600)),
            ..horizon(HOUR)
        };
        let found = pieces(window(then + 15, then + 30), &imported, |_| true);
        let tiers: Vec<Tier> = found.into_iter().map(|piece| piece.tier).collect();
        assert_eq!(tiers, [Tier::Flows, Tier::TenSeconds]);
        assert!(imported.must_look(window(then, HOUR)));
        assert!(!imported.must_look(window(HOUR - 5 * day, HOUR)));
    }

    proptest! {
        #[test]
        fn pieces_cover_the_window_without_overlap(from in 0_i64..100_000, length in 1_i64..100_000) {
            let (from, to) = (HOUR + from, HOUR + from + length);
            let found = cut_at(from, to, to);
            prop_assert_eq!(found.first().map(|piece| piece.1), Some(from));
            prop_assert_eq!(found.last().map(|piece| piece.2), Some(to));
            for two in found.windows(2) {
                prop_assert_eq!(two[0].2, two[1].1);
            }
            for (tier, from, to) in found {
                let width = i64::try_from(tier.width_s().max(1)).unwrap();
                prop_assert!(from % width == 0 && to % width == 0 && from < to);
            }
        }
    }
}
