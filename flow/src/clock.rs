//! Instants, and the only place of the product that reads the machine's clock.

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Nanoseconds in a second, a millisecond and a microsecond.
pub const NANOS_PER_SECOND: i64 = 1_000_000_000;
/// See [`NANOS_PER_SECOND`].
pub const NANOS_PER_MILLI: i64 = 1_000_000;
/// See [`NANOS_PER_SECOND`].
pub const NANOS_PER_MICRO: i64 = 1_000;

/// An instant: nanoseconds since 1970-01-01T00:00:00Z, from 1677 to 2262.
///
/// Arithmetic saturates at both ends: exporters send times of any year, and none may stop the product.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);
    /// The last instant that can be said, in the year 2262.
    pub const MAX: Self = Self(i64::MAX);

    /// From nanoseconds since the epoch.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// From whole seconds since the epoch; saturates.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(NANOS_PER_SECOND))
    }

    /// From milliseconds since the epoch; saturates.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(NANOS_PER_MILLI))
    }

    /// Nanoseconds since the epoch.
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded towards the past.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(NANOS_PER_SECOND)
    }

    /// Nanoseconds from `earlier` to this; negative if `earlier` is later. Saturates.
    pub const fn nanos_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// This instant moved by `nanos`, either way. Saturates.
    pub const fn offset(self, nanos: i64) -> Self {
        Self(self.0.saturating_add(nanos))
    }

    /// The start of the `width` long interval, counted from the epoch, that this instant is in.
    pub fn floor(self, width: Duration) -> Self {
        let width = i64::try_from(width.as_nanos()).unwrap_or(i64::MAX).max(1);
        Self(self.0.div_euclid(width).saturating_mul(width))
    }

    /// The first instant of the month, in UTC, that this instant is in.
    pub fn start_of_month(self) -> Self {
        let day = Duration::from_secs(86_400);
        let of_month = self.instant().to_zoned(jiff::tz::TimeZone::UTC).day();
        let before = u32::from(of_month.unsigned_abs()).saturating_sub(1);
        self.floor(day) - day * before
    }

    fn instant(self) -> jiff::Timestamp {
        jiff::Timestamp::constant(0, 0) + jiff::SignedDuration::from_nanos(self.0)
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;
    fn add(self, span: Duration) -> Self {
        self.offset(i64::try_from(span.as_nanos()).unwrap_or(i64::MAX))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;
    fn sub(self, span: Duration) -> Self {
        self.offset(-i64::try_from(span.as_nanos()).unwrap_or(i64::MAX))
    }
}

/// RFC 3339 in UTC with a fraction of three, six or nine digits, as many as it takes to be exact.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = match self.0.rem_euclid(NANOS_PER_SECOND) {
            n if n % NANOS_PER_MILLI == 0 => 3,
            n if n % NANOS_PER_MICRO == 0 => 6,
            _ => 9,
        };
        write!(f, "{:.digits$}", self.instant())
    }
}

/// A text that is not an instant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{text}' is not a time: write 2026-03-01T10:42:00Z, 2026-03-01 10:42, 2026-03-01, or seconds since 1970"
)]
pub struct NotATime {
    text: String,
}

/// Reads RFC 3339, a date, a date with a time (both taken as UTC), or seconds since the epoch.
///
/// # Errors
///
/// [`NotATime`] with the text and the forms that are read.
impl FromStr for Timestamp {
    type Err = NotATime;
    fn from_str(text: &str) -> Result<Self, NotATime> {
        let wrong = || NotATime {
            text: text.to_owned(),
        };
        if let Ok(seconds) = text.parse::<i64>() {
            return Ok(Self::from_seconds(seconds));
        }
        let instant = text.parse::<jiff::Timestamp>().or_else(|_| {
            text.parse::<jiff::civil::DateTime>()
                .and_then(|civil| civil.to_zoned(jiff::tz::TimeZone::UTC))
                .map(|zoned| zoned.timestamp())
        });
        instant
            .ok()
            .and_then(|at| i64::try_from(at.as_nanosecond()).ok())
            .map(Self)
            .ok_or_else(wrong)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The machine's time of day. Call it at the edge of the program and pass the answer on.
#[expect(clippy::disallowed_methods, reason = "the one place that asks")]
pub fn now() -> Timestamp {
    let since_epoch = std::time::SystemTime::now()
        .duration_since(std::time::SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp(i64::try_from(since_epoch.as_nanos()).unwrap_or(i64::MAX))
}

/// A point on the machine's steady clock, for measuring how long something took.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stopwatch(std::time::Instant);

impl Stopwatch {
    /// Starts now.
    #[expect(clippy::disallowed_methods, reason = "the one place that asks")]
    pub fn start() -> Self {
        Self(std::time::Instant::now())
    }

    /// How long ago it was started.
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_many_digits_as_it_takes() {
        let second = Timestamp::from_seconds(1_700_000_000);
        assert_eq!(second.to_string(), "2023-11-14T22:13:20.000Z");
        assert_eq!(
            second.offset(5_000).to_string(),
            "2023-11-14T22:13:20.000005Z"
        );
        assert_eq!(
            second.offset(5).to_string(),
            "2023-11-14T22:13:20.000000005Z"
        );
        assert_eq!(
            Timestamp::from_millis(-1).to_string(),
            "1969-12-31T23:59:59.999Z"
        );
    }

    #[test]
    fn reads_what_people_write() {
        let expected = Timestamp::from_seconds(1_772_361_720);
        for text in [
            "2026-03-01T10:42:00Z",
            "2026-03-01 10:42",
            "2026-03-01T12:42:00+02:00",
            "1772361720",
        ] {
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
        assert_eq!(
            "2026-03-01".parse(),
            Ok(Timestamp::from_seconds(1_772_323_200))
        );
        let error = "yesterday".parse::<Timestamp>().unwrap_err();
        assert!(error.to_string().starts_with("'yesterday' is not a time"));
    }

    #[test]
    fn saturates_at_both_ends() {
        assert_eq!(Timestamp::MAX + Duration::from_secs(1), Timestamp::MAX);
        assert_eq!(Timestamp::from_seconds(i64::MAX), Timestamp::MAX);
        assert!(Timestamp::MAX.to_string().starts_with("2262-04-11"));
        assert!(
            Timestamp::from_nanos(i64::MIN)
                .to_string()
                .starts_with("1677-09-21")
        );
    }

    #[test]
    fn months_have_their_own_lengths() {
        let month = |text: &str| text.parse::<Timestamp>().unwrap().start_of_month();
        assert_eq!(
            month("2024-02-29T23:59:59Z").to_string(),
            "2024-02-01T00:00:00.000Z"
        );
        assert_eq!(month("2024-03-01").to_string(), "2024-03-01T00:00:00.000Z");
        assert_eq!(month("1969-12-31").to_string(), "1969-12-01T00:00:00.000Z");
    }

    #[test]
    fn floors_before_the_epoch_too() {
        assert_eq!(
            Timestamp::from_seconds(-1).floor(Duration::from_secs(10)),
            Timestamp::from_seconds(-10)
        );
    }
}
