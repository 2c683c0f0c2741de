//! How late datagrams went out: counts in buckets that grow with the value, a sixteenth of it wide at most.

use std::time::Duration;

/// Values below this have a bucket each; above, each power of two has this many.
const STEPS: u64 = 16;
const BUCKETS: usize = 16 * 61;

/// A distribution of times, in microseconds.
#[derive(Clone, Debug)]
pub struct Lateness {
    counts: Vec<u64>,
    total: u64,
    max: Duration,
}

impl Default for Lateness {
    fn default() -> Self {
        Self {
            counts: vec![0; BUCKETS],
            total: 0,
            max: Duration::ZERO,
        }
    }
}

impl Lateness {
    /// Counts one.
    pub fn add(&mut self, late: Duration) {
        let micros = u64::try_from(late.as_micros()).unwrap_or(u64::MAX);
        if let Some(count) = self.counts.get_mut(bucket(micros)) {
            *count += 1;
        }
        self.total += 1;
        self.max = self.max.max(late);
    }

    /// The largest.
    pub fn max(&self) -> Duration {
        self.max
    }

    /// What `percent` of all do not exceed; at most a sixteenth too large, and never above the largest.
    pub fn percentile(&self, percent: u64) -> Duration {
        let wanted = (self.total * percent).div_ceil(100);
        let mut seen = 0;
        for (at, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return Duration::from_micros(upper(at)).min(self.max);
            }
        }
        self.max
    }
}

/// Values 0 to 15 are their own bucket; from there the highest bit and the four below it tell.
fn bucket(micros: u64) -> usize {
    let index = match micros.checked_ilog2() {
        Some(log) if log >= 4 => {
            let shift = log - 4;
            u64::from(shift) * STEPS + (micros >> shift)
        }
        _ => micros,
    };
    usize::try_from(index).unwrap_or(usize::MAX)
}

/// The largest value of a bucket.
fn upper(bucket: usize) -> u64 {
    let bucket = u64::try_from(bucket).unwrap_or(u64::MAX);
    if bucket < STEPS {
        return bucket;
    }
    let shift = bucket / STEPS - 1;
    let top = u128::from(STEPS + bucket % STEPS + 1) << shift;
    u64::try_from(top - 1).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_hold_what_is_put_in_them() {
        for micros in (0..5000).chain([1 << 40, u64::MAX - 1, u64::MAX]) {
            let at = bucket(micros);
            assert!(at < BUCKETS, "{micros}");
            assert!(upper(at) >= micros, "{micros}");
            assert!(at == 0 || upper(at - 1) < micros, "{micros}");
        }
    }

    #[test]
    fn percentiles_of_known_values() {
        let mut lateness = Lateness::default();
        for micros in 1..=100 {
            lateness.add(Duration::from_micros(micros));
        }
        let half = lateness.percentile(50).as_micros();
        assert!((50..=53).contains(&half), "{half}");
        assert_eq!(lateness.percentile(100), Duration::from_micros(100));
        assert_eq!(Lateness::default().percentile(99), Duration::ZERO);
    }
}
