//! A sentence for each comparison: plain words, made of the numbers, and no verdict.

use api::tickets::{Measures, Side};
use store::question::Window;

use crate::cli::ask::approximate;
use crate::output::si;

/// Octets a second.
pub(super) fn per_second(octets: u64, Window { from, to }: Window) -> f64 {
    let nanos = u64::try_from(to.nanos_since(from)).unwrap_or(0).max(1);
    approximate(octets) / (approximate(nanos) / 1e9)
}

/// They now, against the hour before and the same time on other days: the first side, and the others.
pub(super) fn themselves(now: &Measures, sides: &[Side]) -> String {
    let mut parts = vec![format!("Now {}", described(now))];
    let mut days = sides;
    if let [hour, rest @ ..] = sides {
        days = rest;
        parts.push(format!("in the hour before, {}", side(hour)));
    }
    let there: Vec<&Measures> = days
        .iter()
        .filter_map(|day| day.together.as_ref())
        .collect();
    parts.push(match &there[..] {
        [] => {
            let why = days.first().and_then(|day| day.absent.as_deref());
            let why = why.unwrap_or("no records are left from then");
            format!("at this time on the days before: {why}")
        }
        [newest, ..] => {
            let middle: Vec<Measures> = there.iter().map(|day| **day).collect();
            let middle = super::middle::typical(&middle).unwrap_or(**newest);
            let count = match there.len() {
                1 => "the one day".to_owned(),
                days => format!("{days} days"),
            };
            format!(
                "at this time on {count} before, in the middle {}",
                described(&middle)
            )
        }
    });
    parts.join("; ") + "."
}

/// They now, against others now.
pub(super) fn others(whom: &str, now: &Measures, of: &Side) -> String {
    let Some((together, typical)) = of.together.zip(of.typical) else {
        let why = of.absent.as_deref().unwrap_or("nothing is known");
        return format!("There is no comparison with {whom}: {why}.");
    };
    let clients = match together.clients {
        1 => "one client".to_owned(),
        clients => format!("{clients} clients, of whom the one in the middle"),
    };
    let failed = match connections(&together) {
        Some(all) if together.clients > 1 => format!("; all of them together {all}"),
        _ => String::new(),
    };
    format!(
        "They {}; {whom}: {clients} {}{failed}.",
        described(now),
        described(&typical)
    )
}

fn side(side: &Side) -> String {
    match (&side.together, &side.absent) {
        (Some(measures), _) => described(measures),
        (None, why) => why.clone().unwrap_or_default(),
    }
}

/// `12 kbit/s, 3 of 20 connections failed (1 refused, 2 unanswered), flows of 350 ms`.
fn described(measures: &Measures) -> String {
    let mut parts = vec![rate(measures.octets_per_second)];
    parts.extend(connections(measures));
    let lived = measures.duration_ms_median;
    parts.extend(lived.map(|ms| format!("flows of {}", lasting(ms))));
    parts.join(", ")
}

/// `12.0 kbit/s`, `500 bit/s`.
fn rate(octets_per_second: f64) -> String {
    let bits = si((octets_per_second * 8.0).round());
    match bits.contains(' ') {
        true => format!("{bits}bit/s"),
        false => format!("{bits} bit/s"),
    }
}

fn connections(measures: &Measures) -> Option<String> {
    let opened = measures.opened?;
    let (refused, unanswered) = (measures.refused?, measures.unanswered?);
    let failed = refused + unanswered;
    Some(match (opened, failed) {
        (0, _) => "no connection opened".to_owned(),
        (_, 0) => format!("{opened} connections opened, none failed"),
        _ => format!(
            "{failed} of {opened} connections failed ({refused} refused, {unanswered} unanswered)"
        ),
    })
}

fn lasting(ms: f64) -> String {
    match ms {
        ..10.0 => format!("{ms:.1} ms"),
        ..1000.0 => format!("{ms:.0} ms"),
        _ => format!("{:.1} s", ms / 1000.0),
    }
}

#[cfg(test)]
mod tests {
    use flow::Timestamp;

    use super::*;

    fn measured(octets_per_second: f64, counts: Option<(u64, u64, u64)>) -> Measures {
        Measures {
            clients: 1,
            octets_per_second,
            opened: counts.map(|all| all.0),
            refused: counts.map(|all| all.1),
            unanswered: counts.map(|all| all.2),
            duration_ms_median: counts.map(|_| 350.4),
        }
    }

    fn of(together: Option<Measures>, absent: Option<&str>) -> Side {
        let [from, to] = [0, 600].map(Timestamp::from_seconds);
        Side {
            from,
            to,
            together,
            typical: together,
            absent: absent.map(str::to_owned),
        }
    }

    #[test]
    fn they_against_themselves() {
        let now = measured(1500.0, Some((20, 1, 2)));
        let hour = of(Some(measured(250_000.0, Some((90, 0, 0)))), None);
        let gone = || of(None, Some("no records are left from then"));
        let sentence = themselves(&now, &[hour.clone(), gone(), gone()]);
        let expected = "Now 12.0 kbit/s, 3 of 20 connections failed (1 refused, 2 unanswered), flows of 350 ms; \
             in the hour before, 2.00 Mbit/s, 90 connections opened, none failed, flows of 350 ms; \
             at this time on the days before: no records are left from then.";
        assert_eq!(sentence, expected);
        let day = of(Some(measured(125.0, None)), None);
        let sentence = themselves(&now, &[hour, gone(), day]);
        assert!(
            sentence.ends_with("at this time on the one day before, in the middle 1.00 kbit/s."),
            "{sentence}"
        );
    }

    #[test]
    fn they_against_others() {
        let now = measured(125.0, Some((0, 0, 0)));
        let absent = of(None, Some("nobody else at their site used it"));
        assert_eq!(
            others("others at their site", &now, &absent),
            "There is no comparison with others at their site: nobody else at their site used it."
        );
        let mut many = of(Some(measured(125.0, Some((5, 0, 0)))), None);
        many.together = Some(Measures {
            clients: 9,
            ..measured(1250.0, Some((50, 5, 0)))
        });
        let expected = "They 1.00 kbit/s, no connection opened, flows of 350 ms; other sites on the same servers: \
             9 clients, of whom the one in the middle 1.00 kbit/s, 5 connections opened, none failed, flows of 350 ms; \
             all of them together 5 of 50 connections failed (5 refused, 0 unanswered).";
        assert_eq!(
            others("other sites on the same servers", &now, &many),
            expected
        );
    }
}
