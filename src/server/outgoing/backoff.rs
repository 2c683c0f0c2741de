//! When something that was not sent is tried again.

use std::time::Duration;

use flow::Timestamp;

/// Minutes before each further attempt: some 17 hours in all, so that a night without a mail server costs nothing.
const MINUTES: [u64; 6] = [1, 5, 15, 60, 4 * 60, 12 * 60];

/// When a message is tried again that was tried so often before, and now in vain; `None` if it is given up.
///
/// `chance` is from 0 to 1: by it the wait is up to a tenth shorter or longer, so that what failed together does not come together.
pub(super) fn again(tried_before: u32, now: Timestamp, chance: f64) -> Option<Timestamp> {
    let minutes = MINUTES.get(usize::try_from(tried_before).ok()?)?;
    let wait = Duration::from_secs(60 * minutes).mul_f64(0.9 + 0.2 * chance.clamp(0.0, 1.0));
    Some(now + wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seven_attempts_over_seventeen_hours() {
        let now = Timestamp::from_seconds(1_800_000_000);
        let waits: Vec<i64> = (0..8)
            .map_while(|tried| again(tried, now, 0.5))
            .map(|at| at.nanos_since(now) / 1_000_000_000)
            .collect();
        assert_eq!(waits, [60, 300, 900, 3600, 14_400, 43_200]);
        let early = again(0, now, 0.0).unwrap().nanos_since(now);
        let late = again(0, now, 1.0).unwrap().nanos_since(now);
        assert_eq!((early, late), (54_000_000_000, 66_000_000_000));
    }
}
