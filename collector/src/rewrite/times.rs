//! The same traffic at another time.

use std::ops::Range;

use flow::clock::NANOS_PER_SECOND;
use flow::{Datagram, Timestamp, Version};

use super::walk::{Known, Part, Walker, What};
use crate::decode::DecodeConfig;
use crate::decode::cell::unsigned;
use crate::decode::plan::places;
use crate::decode::records::Place;
use crate::decode::stamp::NTP_EPOCH;
use crate::fields::{Edge, Element, FieldTable, Meaning, REVERSE, Stamp};

/// Moves all times of datagrams by the same span.
///
/// By whole seconds only: v9 and IPFIX headers have no smaller unit, and a fraction that the header can't follow would
/// change how old a flow is that is stamped in uptime. So everything within a datagram keeps its distances exactly.
#[derive(Debug)]
pub struct TimeMove {
    walker: Walker,
    sets_unmoved: u64,
}

/// The unit of an absolute time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Seconds,
    Millis,
    /// An NTP timestamp, or a plain count of so many in a second.
    Ntp(u64),
}

const MICROS: Unit = Unit::Ntp(1_000_000);
const NANOS: Unit = Unit::Ntp(1_000_000_000);

impl TimeMove {
    /// Knows no template yet.
    pub fn new(config: DecodeConfig, table: FieldTable) -> Self {
        Self {
            walker: Walker::new(config, table),
            sets_unmoved: 0,
        }
    }

    /// The datagram so many seconds later, or earlier: when it arrived, its header's time of day, and every field that
    /// tells a time of day. Uptime stays: it counts from a start that moves with the header.
    ///
    /// NetScaler's times of requests and responses stay too: captures have numbers in them that are no time of day.
    ///
    /// A time that is 0, which means "not set", stays, as does one that would leave what its field can say; a header's time
    /// stops there. What can't be read stays as it is: a datagram of another protocol, a Set whose template is not known
    /// ([`TimeMove::sets_unmoved`]).
    pub fn datagram(&mut self, datagram: &Datagram, seconds: i64) -> Datagram {
        let mut octets = datagram.payload.to_vec();
        let unmoved = &mut self.sets_unmoved;
        let walked = self.walker.walk(datagram, |Part { what, .. }| match what {
            What::Records(known) => records(&known, &datagram.payload, &mut octets, seconds),
            What::Unknown => *unmoved += 1,
            _ => {}
        });
        if let Ok((header, _)) = walked {
            let at = match header.version {
                Version::Ipfix => 4,
                _ => 8,
            };
            if let Some(field) = octets.get_mut(at..at + 4) {
                let now = i64::try_from(unsigned(field).unwrap_or(0)).unwrap_or(0);
                let then = now.saturating_add(seconds).clamp(0, u32::MAX.into());
                write(field, then.unsigned_abs());
            }
        }
        let nanos = seconds.saturating_mul(NANOS_PER_SECOND);
        Datagram {
            received_at: Timestamp::offset(datagram.received_at, nanos),
            payload: octets.into(),
            ..datagram.clone()
        }
    }

    /// Data Sets whose times stayed as their template is not known.
    pub fn sets_unmoved(&self) -> u64 {
        self.sets_unmoved
    }
}

fn records(known: &Known<'_>, payload: &[u8], octets: &mut [u8], seconds: i64) {
    let times: Vec<(Place, Unit)> = known
        .fields
        .iter()
        .zip(places(known.fields))
        .filter_map(|(field, place)| Some((place, unit(known.table, field.element)?)))
        .collect();
    for index in 0..known.records.count() {
        for (place, unit) in &times {
            let range: Range<usize> = known.records.range(*place, index);
            if let Some(then) = unsigned(&payload[range.clone()])
                .filter(|raw| *raw != 0)
                .and_then(|raw| moved(raw, *unit, seconds))
                .filter(|then| fits(*then, range.len()))
            {
                write(&mut octets[range], then);
            }
        }
    }
}

/// The unit of an element that tells a time of day; `None` for all others.
fn unit(table: &FieldTable, element: Element) -> Option<Unit> {
    match table.meaning(element) {
        Meaning::Time(Edge::Duration, _) => None,
        Meaning::Time(_, stamp) => match stamp {
            Stamp::Seconds => Some(Unit::Seconds),
            Stamp::Millis => Some(Unit::Millis),
            Stamp::Micros => Some(MICROS),
            Stamp::Nanos => Some(NANOS),
            Stamp::Uptime | Stamp::DeltaMicros => None,
        },
        _ => match (element.enterprise, element.id) {
            // Export, collection and flow times of options data (RFC 5655), monitoring intervals.
            (0 | REVERSE, 260 | 261 | 264 | 265) => Some(Unit::Seconds),
            (0 | REVERSE, 258 | 269 | 272 | 359 | 360) => Some(Unit::Millis),
            (0 | REVERSE, 268 | 271) => Some(MICROS),
            (0 | REVERSE, 270 | 273) => Some(NANOS),
            // Barracuda's log time.
            (10704 | 12326, 1) => Some(Unit::Seconds),
            _ => None,
        },
    }
}

/// The time so many seconds later; `None` if its unit can't say it.
fn moved(raw: u64, unit: Unit, seconds: i64) -> Option<u64> {
    let by = |unit: u64| i128::from(seconds) * i128::from(unit);
    let count = |unit| u64::try_from(i128::from(raw) + by(unit)).ok();
    match unit {
        Unit::Seconds => count(1),
        Unit::Millis => count(1_000),
        Unit::Ntp(per_second) => {
            // Told apart as the decoder does.
            if raw >> 32 < NTP_EPOCH.unsigned_abs() {
                return count(per_second).filter(|then| then >> 32 < NTP_EPOCH.unsigned_abs());
            }
            count(1 << 32).filter(|then| then >> 32 >= NTP_EPOCH.unsigned_abs())
        }
    }
    .filter(|then| *then != 0)
}

/// Whether the number can be written in so many octets.
fn fits(number: u64, octets: usize) -> bool {
    octets >= 8 || number >> (8 * octets) == 0
}

/// Writes the number, most significant octet first.
fn write(octets: &mut [u8], number: u64) {
    for (octet, value) in octets.iter_mut().rev().zip(number.to_le_bytes()) {
        *octet = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_unit_is_moved_by_seconds() {
        assert_eq!(moved(1_700_000_000, Unit::Seconds, -1), Some(1_699_999_999));
        assert_eq!(
            moved(1_700_000_000_123, Unit::Millis, 60),
            Some(1_700_000_060_123)
        );
        // NTP: seconds since 1900 above, their fraction below (RFC 5905 §6).
        let ntp = 3_908_988_800 << 32 | 0x8000_0001;
        assert_eq!(
            moved(ntp, NANOS, 2),
            Some(3_908_988_802 << 32 | 0x8000_0001)
        );
        let plain = 1_700_000_000_000_001;
        assert_eq!(moved(plain, MICROS, 2), Some(1_700_000_002_000_001));
        let plain = 1_700_000_000_000_000_001;
        assert_eq!(moved(plain, NANOS, -2), Some(1_699_999_998_000_000_001));
    }

    #[test]
    fn a_time_that_cannot_be_said_is_none() {
        assert_eq!(moved(5, Unit::Seconds, -6), None);
        assert_eq!(moved(5, Unit::Seconds, -5), None, "0 is no time");
        assert_eq!(moved(u64::MAX, Unit::Millis, i64::MAX), None);
        // Behind 2036 the seconds of NTP begin anew, which nobody could tell.
        assert_eq!(moved(u64::from(u32::MAX) << 32, MICROS, 1), None);
        assert!(fits(u32::MAX.into(), 4) && !fits(1 << 32, 4) && fits(u64::MAX, 8));
    }
}
