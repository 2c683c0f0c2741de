//! An exporter's two clocks: the time of day, which is wrong, and the uptime, which wraps.

use flow::Timestamp;
use flow::clock::{NANOS_PER_MILLI, NANOS_PER_SECOND};

use super::map::ExporterPlan;
use crate::encode::ExportClock;

/// Seconds from 1900 to 1970: NTP's epoch to ours (RFC 5905 §6).
const NTP_TO_UNIX: i64 = 2_208_988_800;

/// Turns true time into what the exporter believes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    started: i64,
    offset: i64,
    skew_ppm: i64,
    uptime_ms: i64,
}

impl Clock {
    pub(super) fn new(plan: &ExporterPlan, started: Timestamp) -> Self {
        Self {
            started: started.nanos(),
            offset: plan.offset_ms * NANOS_PER_MILLI,
            skew_ppm: plan.skew_ppm,
            uptime_ms: plan.uptime_ms,
        }
    }

    /// Nanoseconds that its oscillator counted since the start.
    fn elapsed(&self, at: i64) -> i64 {
        let span = at - self.started;
        span + span / 1_000_000 * self.skew_ppm
    }

    /// Its time of day.
    pub(super) fn unix(&self, at: i64) -> i64 {
        self.started + self.offset + self.elapsed(at)
    }

    /// Its uptime in milliseconds, 32 bits of it.
    pub(super) fn uptime_ms(&self, at: i64) -> u32 {
        let millis = self.uptime_ms + self.elapsed(at).div_euclid(NANOS_PER_MILLI);
        u32::try_from(millis.rem_euclid(1 << 32)).unwrap_or(0)
    }

    /// Both at once.
    pub(super) fn export(&self, at: i64) -> ExportClock {
        ExportClock {
            unix: Timestamp::from_nanos(self.unix(at)),
            uptime_ms: self.uptime_ms(at),
        }
    }

    /// Its time of day as 64-bit NTP time (RFC 7011 §6.1.10).
    pub(super) fn ntp(&self, at: i64) -> u64 {
        let unix = self.unix(at);
        let seconds = (unix.div_euclid(NANOS_PER_SECOND) + NTP_TO_UNIX).unsigned_abs();
        let nanos = unix.rem_euclid(NANOS_PER_SECOND).unsigned_abs();
        // Rounded up, so that cutting off on the way back gives the same nanosecond.
        (seconds << 32) | (nanos << 32).div_ceil(1_000_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enterprise::map;

    const START: Timestamp = Timestamp::from_seconds(1_760_000_000);

    fn clock(offset_ms: i64, skew_ppm: i64, uptime_ms: i64) -> Clock {
        let plan = ExporterPlan {
            offset_ms,
            skew_ppm,
            uptime_ms,
            ..map::EXPORTERS[0]
        };
        Clock::new(&plan, START)
    }

    #[test]
    fn a_clock_is_off_and_runs_away() {
        let clock = clock(250, 20, 5_000);
        let later = START.nanos() + 1000 * NANOS_PER_SECOND;
        // 20 millionths of 1000 s are 20 ms.
        assert_eq!(clock.unix(later) - later, 270 * NANOS_PER_MILLI);
        assert_eq!(clock.uptime_ms(later), 5_000 + 1_000_020);
    }

    #[test]
    fn uptime_wraps_at_32_bits() {
        let clock = clock(0, 0, (1 << 32) - 500);
        assert_eq!(clock.uptime_ms(START.nanos()), u32::MAX - 499);
        assert_eq!(clock.uptime_ms(START.nanos() + NANOS_PER_SECOND), 500);
    }

    #[test]
    fn ntp_time_is_as_rfc_5905_counts() {
        // 1970-01-01 is second 2,208,988,800 of NTP's era 0, 83aa7e80 in hexadecimal (RFC 5905, figure 4).
        let clock = clock(0, 0, 0);
        assert_eq!(clock.ntp(0), 0x83aa_7e80_0000_0000);
        assert_eq!(clock.ntp(NANOS_PER_SECOND / 4), 0x83aa_7e80_4000_0000);
        let odd = clock.ntp(123_456_789) & 0xffff_ffff;
        assert_eq!((odd * 1_000_000_000) >> 32, 123_456_789);
    }
}
