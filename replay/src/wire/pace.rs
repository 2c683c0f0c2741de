//! When each datagram is due. Nothing here looks at a clock: the time since the start is an argument.

use std::time::Duration;

use flow::{Datagram, Timestamp};

use super::WireError;

/// How fast datagrams go out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// With the gaps between their arrivals, `speed` times as fast.
    AsRecorded {
        /// 1 is as it was, 2 is twice as fast.
        speed: f64,
    },
    /// Evenly, whatever their arrival.
    Rate {
        /// Datagrams per second.
        per_second: f64,
    },
    /// As fast as the kernel takes them.
    AsFastAsPossible,
}

impl Pace {
    /// Looks for speeds and rates that cannot be.
    ///
    /// # Errors
    ///
    /// [`WireError::Pace`] for zero, negative and endless ones; the caller shows it and does not start.
    pub fn check(self) -> Result<(), WireError> {
        match self {
            Self::AsRecorded { speed: factor } | Self::Rate { per_second: factor }
                if !(factor.is_finite() && factor > 0.0) =>
            {
                Err(WireError::Pace(factor))
            }
            _ => Ok(()),
        }
    }
}

/// What to do now.
#[derive(Debug, PartialEq)]
pub enum Due<'a> {
    /// Send these: the time of each since the start at which it was due, and the datagram.
    Send(&'a [(Duration, Datagram)]),
    /// Nothing is due before this much time is over.
    Wait(Duration),
    /// There are no more.
    Done,
}

/// Datagrams in their order, each with the time since the start at which it is due.
#[derive(Debug)]
pub struct Schedule<I> {
    datagrams: I,
    pace: Pace,
    batch_max: usize,
    first: Option<Timestamp>,
    handed: u64,
    latest: Duration,
    next: Option<(Duration, Datagram)>,
    batch: Vec<(Duration, Datagram)>,
}

impl<I: Iterator<Item = Datagram>> Schedule<I> {
    /// Hands out at most `batch_max` datagrams at once.
    pub fn new(datagrams: I, pace: Pace, batch_max: usize) -> Self {
        Self {
            datagrams,
            pace,
            batch_max: batch_max.max(1),
            first: None,
            handed: 0,
            latest: Duration::ZERO,
            next: None,
            batch: Vec::with_capacity(batch_max),
        }
    }

    /// What to do when `elapsed` has passed since the start.
    pub fn at(&mut self, elapsed: Duration) -> Due<'_> {
        self.batch.clear();
        while self.batch.len() < self.batch_max {
            let Some((due, datagram)) = self.next.take().or_else(|| self.draw()) else {
                break;
            };
            if due > elapsed {
                self.next = Some((due, datagram));
                break;
            }
            self.batch.push((due, datagram));
        }
        match &self.next {
            _ if !self.batch.is_empty() => Due::Send(&self.batch),
            Some((due, _)) => Due::Wait(*due - elapsed),
            None => Due::Done,
        }
    }

    fn draw(&mut self) -> Option<(Duration, Datagram)> {
        let datagram = self.datagrams.next()?;
        let due = self.due(datagram.received_at);
        Some((due, datagram))
    }

    /// Never earlier than the one before: a capture whose clock was set back goes on without a gap.
    fn due(&mut self, received_at: Timestamp) -> Duration {
        let first = *self.first.get_or_insert(received_at);
        let due = match self.pace {
            Pace::AsFastAsPossible => Duration::ZERO,
            Pace::AsRecorded { speed } => {
                let gap = u64::try_from(received_at.nanos_since(first)).unwrap_or(0);
                let gap = Duration::from_nanos(gap);
                Duration::try_from_secs_f64(gap.as_secs_f64() / speed).unwrap_or(Duration::MAX)
            }
            Pace::Rate { per_second } => {
                #[expect(
                    clippy::cast_precision_loss,
                    reason = "exact up to 2^53 datagrams, centuries at any rate"
                )]
                let seconds = self.handed as f64 / per_second;
                Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
            }
        };
        self.handed += 1;
        self.latest = self.latest.max(due);
        self.latest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use flow::Feed;

    fn at_millis(millis: i64) -> Datagram {
        Datagram {
            received_at: Timestamp::from_millis(millis),
            source: "192.0.2.1:9".parse().unwrap(),
            local_port: 2055,
            feed: Feed::WIRE,
            payload: Bytes::new(),
        }
    }

    fn dues(pace: Pace, millis: &[i64]) -> Vec<Duration> {
        let datagrams = millis.iter().copied().map(at_millis);
        let mut schedule = Schedule::new(datagrams, pace, 100);
        match schedule.at(Duration::MAX) {
            Due::Send(batch) => batch.iter().map(|(due, _)| *due).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn gaps_shrink_with_the_speed() {
        let twice = Pace::AsRecorded { speed: 2.0 };
        let expected = [0, 500, 2000].map(Duration::from_millis);
        assert_eq!(dues(twice, &[5000, 6000, 9000]), expected);
    }

    #[test]
    fn a_clock_that_was_set_back_makes_no_gap() {
        let pace = Pace::AsRecorded { speed: 1.0 };
        let expected = [0, 1000, 1000, 2000].map(Duration::from_millis);
        assert_eq!(dues(pace, &[5000, 6000, 100, 7000]), expected);
    }

    #[test]
    fn a_rate_is_even() {
        let pace = Pace::Rate { per_second: 1000.0 };
        let expected = [0, 1, 2].map(Duration::from_millis);
        assert_eq!(dues(pace, &[5, 99, 7]), expected);
    }

    #[test]
    fn hands_out_what_is_due_and_says_how_long_to_wait() {
        let pace = Pace::AsRecorded { speed: 1.0 };
        let mut schedule = Schedule::new([0, 10, 30].into_iter().map(at_millis), pace, 10);
        let millis = Duration::from_millis;
        match schedule.at(millis(12)) {
            Due::Send(batch) => assert_eq!(batch.len(), 2),
            other => panic!("{other:?}"),
        }
        assert_eq!(schedule.at(millis(12)), Due::Wait(millis(18)));
        match schedule.at(millis(31)) {
            Due::Send(batch) => assert_eq!(batch[0], (millis(30), at_millis(30))),
            other => panic!("{other:?}"),
        }
        assert_eq!(schedule.at(millis(31)), Due::Done);
    }

    #[test]
    fn impossible_paces_are_refused() {
        for wrong in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(Pace::Rate { per_second: wrong }.check().is_err());
            assert!(Pace::AsRecorded { speed: wrong }.check().is_err());
        }
        assert!(Pace::AsFastAsPossible.check().is_ok());
    }
}
