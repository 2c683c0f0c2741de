//! Random draws. Everything random comes from one seeded generator, in one order.

use rand::Rng;
use rand::rngs::SmallRng;

/// The nearest whole number, 0 for what is negative or no number.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float that is cast saturates, which is what is wanted here"
)]
pub(super) fn whole(value: f64) -> u64 {
    value.round() as u64
}

/// As [`whole`], for spans of time: saturates at both ends.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a float that is cast saturates, which is what is wanted here"
)]
pub(super) fn nanos(value: f64) -> i64 {
    value.round() as i64
}

/// A normal draw with mean 0 and deviation 1 (Box and Muller).
pub(super) fn normal(rng: &mut SmallRng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()
}

/// A log-normal draw: half of them are above `median`; `spread` is the deviation of the logarithm.
pub(super) fn log_normal(rng: &mut SmallRng, median: f64, spread: f64) -> f64 {
    median * (spread * normal(rng)).exp()
}

/// An exponential draw.
pub(super) fn exponential(rng: &mut SmallRng, mean: f64) -> f64 {
    -mean * (1.0 - rng.random::<f64>()).ln()
}

/// How many of many rare things happen (Knuth's method; `mean` up to some hundreds).
pub(super) fn poisson(rng: &mut SmallRng, mean: f64) -> u32 {
    let limit = (-mean).exp();
    let mut product = 1.0;
    let mut count = 0;
    loop {
        product *= rng.random::<f64>();
        if product <= limit || count == u32::MAX {
            return count;
        }
        count += 1;
    }
}

/// A place in `0..count`, the first ones far more often than the last (a rank with probability about 1/rank).
pub(super) fn popular(rng: &mut SmallRng, count: usize) -> usize {
    let most = u32::try_from(count).map_or(f64::MAX, f64::from);
    let rank = most.powf(rng.random::<f64>()) - 1.0;
    usize::try_from(whole(rank.floor())).map_or(0, |place| place.min(count.saturating_sub(1)))
}

/// Which of `count` things happen, each with `probability`, as ascending places. Costs as much as there are hits.
pub(super) fn hits(rng: &mut SmallRng, count: u64, probability: f64, out: &mut Vec<u64>) {
    out.clear();
    if probability <= 0.0 {
        return;
    }
    if probability >= 1.0 {
        out.extend(0..count);
        return;
    }
    let scale = (1.0 - probability).ln();
    let mut at = 0_u64;
    loop {
        let skipped = (1.0 - rng.random::<f64>()).ln() / scale;
        at = at.saturating_add(whole(skipped.floor()));
        if at >= count {
            return;
        }
        out.push(at);
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn draws_have_the_means_that_they_promise() {
        let mut rng = SmallRng::seed_from_u64(1);
        let mut out = Vec::new();
        hits(&mut rng, 1_000_000, 0.01, &mut out);
        assert!((9_500..10_500).contains(&out.len()), "{}", out.len());
        assert!(out.is_sorted_by(|a, b| a < b));
        let events: u32 = (0..10_000).map(|_| poisson(&mut rng, 2.5)).sum();
        assert!((24_000..26_000).contains(&events), "{events}");
        let above = (0..10_000)
            .filter(|_| log_normal(&mut rng, 7.0, 1.5) > 7.0)
            .count();
        assert!((4_800..5_200).contains(&above), "{above}");
        assert!((0..1000).all(|_| popular(&mut rng, 3) < 3));
    }
}
