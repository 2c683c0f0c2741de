//! One who presses too often is slowed, with a friendly word.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use flow::Timestamp;

/// Presses of one reporter within a minute, and within an hour.
const LIMITS: [(usize, Duration); 2] = [
    (3, Duration::from_secs(60)),
    (20, Duration::from_secs(3600)),
];
/// How long a press counts: the longest of these.
const REMEMBERED: Duration = Duration::from_secs(3600);
/// Reporters that are remembered. When there are as many, the one who was silent for longest is forgotten.
const REPORTERS_MAX: usize = 10_000;

/// Who pressed when.
#[derive(Debug, Default)]
pub(super) struct Flood {
    presses: HashMap<String, VecDeque<Timestamp>>,
}

/// A press that comes too early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooEarly {
    /// So many have been taken.
    pub(super) taken: usize,
    /// Within so long.
    pub(super) within: Duration,
    /// When the next is taken.
    pub(super) until: Timestamp,
}

impl Flood {
    /// Takes a press, or says when the next is taken. One that is not taken does not count.
    pub(super) fn take(&mut self, reporter: &str, now: Timestamp) -> Result<(), TooEarly> {
        let its = self.presses.entry(reporter.to_owned()).or_default();
        // By a clock that was set back nothing has been pressed yet.
        its.retain(|at| *at <= now && *at + REMEMBERED > now);
        for (most, within) in LIMITS {
            let of_limit = its.len().checked_sub(most).and_then(|first| its.get(first));
            if let Some(until) = of_limit.map(|at| *at + within).filter(|until| *until > now) {
                return Err(TooEarly {
                    taken: most,
                    within,
                    until,
                });
            }
        }
        its.push_back(now);
        if self.presses.len() > REPORTERS_MAX {
            self.forget_one();
        }
        Ok(())
    }

    fn forget_one(&mut self) {
        let silent = self.presses.iter().min_by_key(|(_, its)| its.back());
        if let Some(reporter) = silent.map(|(reporter, _)| reporter.clone()) {
            self.presses.remove(&reporter);
        }
    }
}

impl TooEarly {
    /// How long until then, whole seconds.
    pub(super) fn wait_s(&self, now: Timestamp) -> u64 {
        let nanos = u64::try_from(self.until.nanos_since(now)).unwrap_or(0);
        nanos.div_ceil(1_000_000_000)
    }

    /// In friendly words.
    pub(super) fn words(&self, now: Timestamp) -> String {
        let within = match self.within.as_secs() {
            60 => "minute",
            _ => "hour",
        };
        let wait = match self.wait_s(now) {
            1 => "a second".to_owned(),
            seconds @ ..120 => format!("{seconds} seconds"),
            seconds => format!("{} minutes", seconds.div_ceil(60)),
        };
        format!(
            "Thank you: the help desk has your {} reports of the last {within}. The next can be sent in {wait}.",
            self.taken
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_seconds(1_800_000_000 + second)
    }

    #[test]
    fn three_in_a_minute_and_the_next_when_the_first_is_a_minute_old() {
        let mut flood = Flood::default();
        for second in [0, 10, 20] {
            assert_eq!(flood.take("ann", at(second)), Ok(()));
        }
        let early = flood.take("ann", at(30)).unwrap_err();
        assert_eq!((early.until, early.wait_s(at(30))), (at(60), 30));
        let words = "Thank you: the help desk has your 3 reports of the last minute. The next can be sent in 30 seconds.";
        assert_eq!(early.words(at(30)), words);
        assert_eq!(flood.take("bob", at(30)), Ok(()));
        assert!(flood.take("ann", at(59)).is_err());
        assert_eq!(flood.take("ann", at(60)), Ok(()));
        assert!(flood.take("ann", at(69)).is_err());
    }

    #[test]
    fn twenty_in_an_hour() {
        let mut flood = Flood::default();
        let taken = |flood: &mut Flood, second| flood.take("ann", at(second)).is_ok();
        assert!((0..20).all(|press| taken(&mut flood, press * 100)));
        let early = flood.take("ann", at(2000)).unwrap_err();
        assert_eq!((early.until, early.taken), (at(3600), 20));
        assert!(early.words(at(2000)).ends_with("in 27 minutes."));
        assert!(taken(&mut flood, 3600) && !taken(&mut flood, 3601));
    }

    #[test]
    fn many_reporters_take_no_more_memory_and_the_silent_are_forgotten() {
        let mut flood = Flood::default();
        for _ in 0..3 {
            flood.take("ann", at(0)).unwrap();
        }
        for reporter in 0..REPORTERS_MAX {
            flood.take(&reporter.to_string(), at(1)).unwrap();
        }
        assert_eq!(flood.presses.len(), REPORTERS_MAX);
        assert_eq!(flood.take("ann", at(2)), Ok(()));
    }

    #[test]
    fn a_clock_that_is_set_back_shuts_nobody_out() {
        let mut flood = Flood::default();
        for _ in 0..3 {
            flood.take("ann", at(9000)).unwrap();
        }
        assert_eq!(flood.take("ann", at(0)), Ok(()));
    }
}
