//! One time stamp of any family, made into an instant.

use flow::batch::TimeKind;
use flow::clock::{NANOS_PER_MICRO, NANOS_PER_MILLI, NANOS_PER_SECOND};

use crate::fields::Stamp;

/// What a packet header says about time, and when it came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PacketClock {
    /// The header's time of day, nanoseconds since the epoch.
    pub(crate) export: i64,
    /// The header's uptime in milliseconds, the same instant as `export`; IPFIX has none.
    pub(crate) uptime_ms: Option<u32>,
    /// When the exporter's uptime was 0, from options data (IE 160), nanoseconds since the epoch.
    pub(crate) system_init: Option<i64>,
    /// Whether `system_init` is only an estimate: durations are exact, instants are not.
    pub(crate) estimated: bool,
    /// When the datagram arrived, nanoseconds since the epoch.
    pub(crate) received: i64,
}

/// Nothing was sent.
pub(super) const ABSENT: i64 = i64::MIN;
/// Something impossible was sent.
pub(super) const IMPOSSIBLE: i64 = i64::MIN + 1;

/// Whether something possible was sent.
pub(super) fn is_time(nanos: i64) -> bool {
    nanos > IMPOSSIBLE
}

/// Milliseconds in nanoseconds.
pub(super) fn millis(value: u64) -> i64 {
    i64::try_from(value)
        .unwrap_or(i64::MAX)
        .saturating_mul(NANOS_PER_MILLI)
}

/// One family of stamps within one packet.
pub(super) struct Convert {
    stamp: Stamp,
    clock: PacketClock,
    pub(super) kind: TimeKind,
}

impl Convert {
    pub(super) fn new(stamp: Stamp, clock: PacketClock) -> Self {
        let kind = match stamp {
            Stamp::Uptime => TimeKind::Uptime,
            Stamp::Seconds => TimeKind::Seconds,
            Stamp::Millis => TimeKind::Millis,
            Stamp::Micros => TimeKind::Micros,
            Stamp::Nanos => TimeKind::Nanos,
            Stamp::DeltaMicros => TimeKind::DeltaMicros,
        };
        Self { stamp, clock, kind }
    }

    /// Nanoseconds since the epoch, [`ABSENT`] or [`IMPOSSIBLE`]. `init` is the record's own IE 160.
    #[inline]
    pub(super) fn to_nanos(&self, raw: u64, init: Option<i64>) -> i64 {
        match self.stamp {
            Stamp::Uptime => self.uptime(raw, init),
            // No flow was in 1970: exporters send 0 for "not set".
            Stamp::Seconds | Stamp::Millis | Stamp::Micros | Stamp::Nanos if raw == 0 => ABSENT,
            Stamp::Seconds => scaled(raw, NANOS_PER_SECOND),
            Stamp::Millis => scaled(raw, NANOS_PER_MILLI),
            Stamp::Micros => ntp(raw, NANOS_PER_MICRO),
            Stamp::Nanos => ntp(raw, 1),
            // RFC 7011 has only negative offsets: microseconds before the export time (IE 158, 159).
            Stamp::DeltaMicros => match i64::try_from(raw) {
                Ok(delta) => self
                    .clock
                    .export
                    .saturating_sub(delta.saturating_mul(NANOS_PER_MICRO)),
                Err(_) => IMPOSSIBLE,
            },
        }
    }

    /// As [`Convert::to_nanos`] for every stamp, without a record's own IE 160: the family is told apart once, not a stamp.
    #[inline]
    pub(super) fn all_to_nanos(&self, raws: impl Iterator<Item = u64>, into: &mut Vec<i64>) {
        match self.stamp {
            Stamp::Uptime => into.extend(raws.map(|raw| self.uptime(raw, None))),
            Stamp::Millis => into.extend(raws.map(|raw| match raw {
                0 => ABSENT,
                raw => scaled(raw, NANOS_PER_MILLI),
            })),
            _ => into.extend(raws.map(|raw| self.to_nanos(raw, None))),
        }
    }

    /// Uptime of 32 bits against the header's pair of clocks ([RFC 3954 §5.1]), or the time of the last start.
    ///
    /// The difference wraps with the counter and is read as signed: a flow may be up to 24.8 days old. Some exporters stamp
    /// the header before the last flows of the packet, so up to a minute after it is taken as it is, which keeps differences
    /// between records exact; more is impossible.
    #[inline]
    fn uptime(&self, raw: u64, init: Option<i64>) -> i64 {
        let Ok(stamp) = u32::try_from(raw) else {
            return IMPOSSIBLE;
        };
        if let Some(uptime) = self.clock.uptime_ms {
            let age = i64::from(uptime.wrapping_sub(stamp).cast_signed());
            if age < -AFTER_HEADER_MS_MAX {
                return IMPOSSIBLE;
            }
            return self.clock.export - age * NANOS_PER_MILLI;
        }
        match init.or(self.clock.system_init) {
            Some(init) => since_start(init, stamp, self.clock.export),
            None => IMPOSSIBLE,
        }
    }
}

/// How long after its header a flow may have ended.
const AFTER_HEADER_MS_MAX: i64 = 60_000;

/// `stamp` milliseconds after `init`, with as many wraps of the 32-bit counter as bring it nearest to `export`.
fn since_start(init: i64, stamp: u32, export: i64) -> i64 {
    const WRAP: i64 = (1 << 32) * NANOS_PER_MILLI;
    let first = init.saturating_add(i64::from(stamp) * NANOS_PER_MILLI);
    let wraps = export
        .saturating_sub(first)
        .saturating_add(WRAP / 2)
        .div_euclid(WRAP);
    first.saturating_add(wraps.max(0).saturating_mul(WRAP))
}

fn scaled(raw: u64, unit: i64) -> i64 {
    i64::try_from(raw)
        .ok()
        .and_then(|raw| raw.checked_mul(unit))
        .unwrap_or(IMPOSSIBLE)
}

/// Seconds from 1900 to 1970 ([RFC 5905 §6]).
pub(crate) const NTP_EPOCH: i64 = 2_208_988_800;

/// An NTP timestamp ([RFC 7011 §6.1.9, §6.1.10]), to the nearest nanosecond, which brings back whole microseconds exactly.
///
/// Some exporters send a plain count of `unit` nanoseconds since 1970 instead. As NTP that would be a time within a fortnight
/// of 1900 (µs) or before 1915 (ns), so the two can be told apart.
fn ntp(raw: u64, unit: i64) -> i64 {
    let seconds = i64::try_from(raw >> 32).unwrap_or(0);
    if seconds < NTP_EPOCH {
        return scaled(raw, unit);
    }
    let fraction = u128::from(raw & u64::from(u32::MAX));
    let nanos = (fraction * u128::from(NANOS_PER_SECOND.unsigned_abs()) + (1 << 31)) >> 32;
    (seconds - NTP_EPOCH) * NANOS_PER_SECOND + i64::try_from(nanos).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOCK: PacketClock = PacketClock {
        export: 1_700_000_000 * NANOS_PER_SECOND,
        uptime_ms: Some(10_000),
        system_init: None,
        estimated: false,
        received: 1_700_000_001 * NANOS_PER_SECOND,
    };

    fn at(stamp: Stamp, raw: u64) -> i64 {
        Convert::new(stamp, CLOCK).to_nanos(raw, None)
    }

    #[test]
    fn uptime_wraps() {
        assert_eq!(at(Stamp::Uptime, 9_000), CLOCK.export - NANOS_PER_SECOND);
        // 5 s before the counter wrapped to 0, 15 s before the header.
        let before = u64::from(u32::MAX - 4_999);
        assert_eq!(
            at(Stamp::Uptime, before),
            CLOCK.export - 15 * NANOS_PER_SECOND
        );
        assert_eq!(at(Stamp::Uptime, 10_001), CLOCK.export + NANOS_PER_MILLI);
        assert_eq!(at(Stamp::Uptime, 70_001), IMPOSSIBLE);
    }

    #[test]
    fn ntp_stamps_are_from_1900() {
        // 2023-11-14T22:13:20.5Z: 1700000000 + 2208988800 = 3908988800 s, half a second is 2^31.
        let raw = 3_908_988_800 << 32 | 1 << 31;
        assert_eq!(at(Stamp::Nanos, raw), CLOCK.export + NANOS_PER_SECOND / 2);
        assert_eq!(at(Stamp::Micros, raw), CLOCK.export + NANOS_PER_SECOND / 2);
        assert_eq!(at(Stamp::Micros, 1_700_000_000_000_000), CLOCK.export);
        assert_eq!(at(Stamp::Nanos, 1_700_000_000_000_000_000), CLOCK.export);
    }

    #[test]
    fn other_families() {
        assert_eq!(at(Stamp::Seconds, 1_700_000_000), CLOCK.export);
        assert_eq!(
            at(Stamp::Millis, 1_700_000_000_001),
            CLOCK.export + NANOS_PER_MILLI
        );
        assert_eq!(at(Stamp::DeltaMicros, 1), CLOCK.export - NANOS_PER_MICRO);
        assert_eq!(at(Stamp::Millis, 0), ABSENT);
        assert_eq!(at(Stamp::Millis, u64::MAX), IMPOSSIBLE);
    }

    #[test]
    fn uptime_since_a_start_known_from_elsewhere_wraps_too() {
        let init = CLOCK.export - 60 * 86_400 * NANOS_PER_SECOND;
        let age_ms: i64 = 60 * 86_400_000 - 1_000;
        let stamp = u32::try_from(age_ms.rem_euclid(1 << 32)).unwrap();
        assert_eq!(
            since_start(init, stamp, CLOCK.export),
            CLOCK.export - NANOS_PER_SECOND
        );
    }
}
