//! Times as people read them, in UTC: a picture goes to people in other places than the one where it was drawn.

use std::time::Duration;

use flow::Timestamp;

/// `2026-03-01`.
fn date(at: Timestamp) -> String {
    // RFC 3339: the date has ten characters; years are from 1677 to 2262.
    at.to_string().chars().take(10).collect()
}

/// `10:42:05`.
fn clock_time(at: Timestamp) -> String {
    at.to_string().chars().skip(11).take(8).collect()
}

/// `10:42`, with seconds where they are not zero.
fn short_time(at: Timestamp) -> String {
    let time = clock_time(at);
    let minutes = time.strip_suffix(":00").map(str::to_owned);
    minutes.unwrap_or(time)
}

/// A stretch of time in words: `2026-03-01 10:00–11:00 UTC`, `2026-03-01 23:50 – 2026-03-02 00:10 UTC`.
pub fn stretch(from: Timestamp, to: Timestamp) -> String {
    let [begin, end] = [from, to].map(short_time);
    match [from, to].map(date) {
        [first, last] if first == last => format!("{first} {begin}–{end} UTC"),
        [first, last] => format!("{first} {begin} – {last} {end} UTC"),
    }
}

/// An instant in words: `2026-03-01 10:42 UTC`.
pub fn moment(at: Timestamp) -> String {
    format!("{} {} UTC", date(at), short_time(at))
}

/// Seconds between marks of a time axis that people can count.
const STEPS_S: [u64; 19] = [
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400,
    172_800,
];
/// From this on days are what counts.
const DAYS: Duration = Duration::from_secs(36 * 3600);

fn step(span: Duration, count_max: f64) -> Duration {
    let fits = |seconds: &u64| {
        span.as_secs_f64() <= count_max * Duration::from_secs(*seconds).as_secs_f64()
    };
    let whole_days = || {
        let days = span.as_secs() / 86_400;
        let mut wide = 7;
        while Duration::from_secs(days).as_secs_f64()
            > count_max * Duration::from_secs(wide).as_secs_f64()
        {
            wide *= 2;
        }
        wide * 86_400
    };
    Duration::from_secs(STEPS_S.into_iter().find(fits).unwrap_or_else(whole_days))
}

/// The marks of a time axis, at most so many and one, and how they are written: no finer than the span needs.
pub(super) fn ticks(from: Timestamp, to: Timestamp, count_max: f64) -> Vec<(Timestamp, String)> {
    let nanos = u64::try_from(to.nanos_since(from)).unwrap_or(0);
    let span = Duration::from_nanos(nanos);
    let step = step(span, count_max.max(1.0));
    let label = |at: Timestamp| {
        let time = clock_time(at);
        match () {
            () if step < Duration::from_secs(60) => time,
            () if step >= Duration::from_secs(86_400) || (span > DAYS && time == "00:00:00") => {
                date(at).chars().skip(5).collect()
            }
            () => short_time(at),
        }
    };
    let first = from.floor(step);
    let first = if first < from { first + step } else { first };
    // At the end of all time a step leads nowhere.
    let next = |at: &Timestamp| Some(*at + step).filter(|next| next > at);
    std::iter::successors(Some(first), next)
        .take_while(|at| *at <= to)
        .map(|at| (at, label(at)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn labels(from: &str, to: &str, count_max: f64) -> Vec<String> {
        let ticks = ticks(at(from), at(to), count_max).into_iter();
        ticks.map(|(_, label)| label).collect()
    }

    #[test]
    fn a_stretch_says_its_days_and_its_zone() {
        let day = stretch(at("2026-03-01T10:00:00Z"), at("2026-03-01T11:00:30Z"));
        assert_eq!(day, "2026-03-01 10:00–11:00:30 UTC");
        let night = stretch(at("2026-03-01T23:50:00Z"), at("2026-03-02T00:10:00Z"));
        assert_eq!(night, "2026-03-01 23:50 – 2026-03-02 00:10 UTC");
    }

    #[test]
    fn marks_are_at_times_that_people_count() {
        let hour = labels("2026-03-01T10:03:00Z", "2026-03-01T11:00:00Z", 6.0);
        assert_eq!(hour, ["10:10", "10:20", "10:30", "10:40", "10:50", "11:00"]);
        let minute = labels("2026-03-01T10:00:01Z", "2026-03-01T10:01:01Z", 4.0);
        assert_eq!(minute, ["10:00:15", "10:00:30", "10:00:45", "10:01:00"]);
        let days = labels("2026-02-28T12:00:00Z", "2026-03-02T12:00:00Z", 4.0);
        assert_eq!(days, ["12:00", "03-01", "12:00", "03-02", "12:00"]);
        let months = labels("2026-01-01T00:00:00Z", "2026-03-01T00:00:00Z", 5.0);
        assert!((4..=6).contains(&months.len()), "{months:?}");
    }

    #[test]
    fn a_span_that_is_none_and_one_of_centuries_have_few_marks() {
        let same = at("2026-03-01T10:00:00Z");
        assert_eq!(ticks(same, same, 5.0).len(), 1);
        let ever = ticks(Timestamp::from_nanos(i64::MIN), Timestamp::MAX, 5.0);
        assert!(ever.len() < 20, "{}", ever.len());
        assert!(ticks(Timestamp::MAX, Timestamp::EPOCH, 5.0).len() <= 1);
    }
}
