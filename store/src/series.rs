//! Values over time.

mod largest;

use std::time::Duration;

use flow::Timestamp;
use serde::Deserialize;

use crate::error::StoreError;
use crate::grouping::Grouping;
use crate::plan::{Horizon, Tier};
use crate::question::{Line, Quantity, Series, Subject, Window};
use crate::select::{Clients, Grid, Selection};
use crate::sql::Sql;

pub(crate) use largest::{finds_lines, numbered, of_largest};

/// The most points of a line.
pub(crate) const POINTS_MAX: u64 = 2000;
/// Points of a line that the planner aims at, at most.
const POINTS_WANTED: u64 = 300;
/// Points are finer than the finest sums in windows up to this length only: such a series is made of all the records, and a page asks for
/// it every second.
const FINE_MAX: Duration = Duration::from_secs(300);
/// Seconds of a point that people can read: divisors and multiples of minutes, hours and days.
const STEPS_S: [u64; 18] = [
    1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400,
    604_800,
];

/// One value as ClickHouse sends it: `line` counts from 1, 0 is all the others.
#[derive(Debug, Deserialize, clickhouse::Row)]
pub(crate) struct Answered {
    line: u32,
    point: i64,
    value: f64,
}

/// The points for a window.
///
/// # Errors
///
/// [`StoreError::Question`] if there would be too many, or a step is no whole second.
pub(crate) fn grid(window: Window, step: Option<Duration>) -> Result<Grid, StoreError> {
    window.check()?;
    let length =
        Duration::from_nanos(u64::try_from(window.to.nanos_since(window.from)).unwrap_or(0));
    let step = match step {
        Some(step) if step.is_zero() || step.subsec_nanos() != 0 => {
            return Err(StoreError::Question(
                "step must be whole seconds".to_owned(),
            ));
        }
        Some(step) => step,
        None => STEPS_S
            .into_iter()
            .map(Duration::from_secs)
            .find(|step| {
                let is_of_sums = Tier::TenSeconds.width_s() <= step.as_secs();
                let points = length.div_duration_f64(*step);
                points <= POINTS_WANTED as f64 && (is_of_sums || length <= FINE_MAX)
            })
            .unwrap_or_else(|| {
                Duration::from_secs((length.as_secs() / POINTS_WANTED / 86_400 + 1) * 86_400)
            }),
    };
    let grid = Grid {
        origin: window.from.floor(step),
        step,
    };
    if points(window, grid) > usize::try_from(POINTS_MAX).unwrap_or(usize::MAX) {
        let message = format!("a series has at most {POINTS_MAX} points: ask for a wider step");
        return Err(StoreError::Question(message));
    }
    Ok(grid)
}

/// The most lines of a series.
const LINES_MAX: u32 = 100;

/// # Errors
///
/// [`StoreError::Question`] if more lines are asked for than anybody can read.
pub(crate) fn check_lines(question: &Series) -> Result<(), StoreError> {
    if question.dimension.is_none() || (1..=LINES_MAX).contains(&question.limit) {
        return Ok(());
    }
    let message = format!("a series has from 1 to {LINES_MAX} lines");
    Err(StoreError::Question(message))
}

impl Series {
    /// Whether it can be answered at all, found out without the store.
    ///
    /// # Errors
    ///
    /// [`StoreError::Question`] if the step is no whole second, or there would be more points or lines than anybody can read.
    pub fn check(&self) -> Result<(), StoreError> {
        grid(self.subject.window, self.step)?;
        check_lines(self)
    }
}

/// How many points of the grid the window touches.
pub(crate) fn points(window: Window, grid: Grid) -> usize {
    let length = u128::try_from(window.to.nanos_since(grid.origin)).unwrap_or(0);
    usize::try_from(length.div_ceil(grid.step.as_nanos().max(1))).unwrap_or(usize::MAX)
}

/// The statement for lines whose names are known; every other group is line 0. Without names all is one line.
pub(crate) fn statement(
    question: &Series,
    subject: &Subject,
    grid: Grid,
    names: &[String],
    (database, horizon): (&str, Horizon),
) -> Sql {
    let grouping = question
        .dimension
        .map_or_else(Grouping::total, Grouping::by);
    let clients = match question.by {
        Quantity::Clients => Clients::Set,
        _ => Clients::No,
    };
    let selection = Selection {
        database,
        subject,
        grouping: &grouping,
        grid: Some(grid),
        clients,
        horizon,
    };
    let line = match question.dimension {
        None => Sql::text("toUInt32(1)"),
        // No lines at all: an empty array would have no type.
        Some(_) if names.is_empty() => Sql::text("toUInt32(0)"),
        Some(_) => {
            Sql::with("toUInt32(indexOf(?", names.to_vec()).then(format!(", {}))", grouping.name))
        }
    };
    let value = match question.by {
        Quantity::Octets => "sum(octet_sum)",
        Quantity::Packets => "sum(packet_sum)",
        Quantity::Flows => "sum(flow_sum)",
        Quantity::Clients => "ifNull(uniqCombined64Merge(client_set), 0)",
    };
    Sql::text("SELECT ")
        .join(line)
        .then(format!(
            " AS line, toInt64(point) AS point, toFloat64({value}) AS value\nFROM (\n"
        ))
        .join(Sql::list(selection.selects(), "\nUNION ALL\n"))
        .then("\n)\nGROUP BY line, point\nORDER BY line, point")
}

/// Lines of equal length, in the order of `names`, `others` last if there are any.
pub(crate) fn lines(
    answered: &[Answered],
    names: &[String],
    grouped: bool,
    points: usize,
) -> Vec<Line> {
    let names = if grouped {
        names.to_vec()
    } else {
        vec!["total".to_owned()]
    };
    let mut lines: Vec<Line> = names
        .into_iter()
        .map(|name| Line {
            name,
            values: vec![0.0; points],
        })
        .collect();
    if grouped && answered.iter().any(|value| value.line == 0) {
        let values = vec![0.0; points];
        lines.push(Line {
            name: "others".to_owned(),
            values,
        });
    }
    let others = lines.len().saturating_sub(1);
    for value in answered {
        let line = usize::try_from(value.line)
            .ok()
            .and_then(|line| line.checked_sub(1));
        let line = lines.get_mut(line.unwrap_or(others));
        let point = usize::try_from(value.point).ok();
        if let (Some(line), Some(point)) = (line, point)
            && let Some(slot) = line.values.get_mut(point)
        {
            *slot = value.value;
        }
    }
    lines
}

/// The same question, one window length earlier.
pub(crate) fn earlier(subject: &Subject, grid: Grid) -> (Subject, Grid) {
    let window = subject.window;
    let length = window.to.nanos_since(window.from);
    let back = |at: Timestamp| at.offset(-length);
    let mut subject = subject.clone();
    subject.window = Window {
        from: back(window.from),
        to: window.from,
    };
    (
        subject,
        Grid {
            origin: back(grid.origin),
            step: grid.step,
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(from_s: i64, to_s: i64) -> Window {
        let at = Timestamp::from_seconds;
        Window {
            from: at(from_s),
            to: at(to_s),
        }
    }

    #[test]
    fn the_step_follows_the_window() {
        let step = |seconds: i64| {
            grid(window(1000, 1000 + seconds), None)
                .unwrap()
                .step
                .as_secs()
        };
        assert_eq!(
            [
                step(60),
                step(300),
                step(301),
                step(900),
                step(3600),
                step(86_400)
            ],
            [1, 1, 10, 10, 20, 300]
        );
        assert_eq!(step(20 * 365 * 86_400), 2_160_000 / 86_400 * 86_400);
    }

    #[test]
    fn points_are_whole_steps_since_the_epoch() {
        let grid = grid(window(1003, 1031), Some(Duration::from_secs(10))).unwrap();
        assert_eq!(grid.origin, Timestamp::from_seconds(1000));
        assert_eq!(points(window(1003, 1031), grid), 4);
        assert_eq!(points(window(1003, 1030), grid), 3);
    }

    #[test]
    fn too_many_points_and_broken_steps_are_said() {
        let asked = |step_ms: u64| grid(window(0, 3000), Some(Duration::from_millis(step_ms)));
        assert!(asked(1000).unwrap_err().to_string().contains("2000 points"));
        assert!(
            asked(1500)
                .unwrap_err()
                .to_string()
                .contains("whole seconds")
        );
        assert!(asked(2000).is_ok());
        assert!(grid(window(5, 5), None).is_err());
    }

    #[test]
    fn values_find_their_line() {
        let value = |line, point| Answered {
            line,
            point,
            value: f64::from(line) + 1.0,
        };
        let names = ["a".to_owned(), "b".to_owned()];
        let found = lines(&[value(0, 1), value(2, 0), value(2, 9)], &names, true, 2);
        let plain: Vec<_> = found
            .iter()
            .map(|line| (line.name.as_str(), &line.values[..]))
            .collect();
        assert_eq!(
            plain,
            [
                ("a", &[0.0, 0.0][..]),
                ("b", &[3.0, 0.0]),
                ("others", &[0.0, 1.0])
            ]
        );
        assert_eq!(lines(&[], &[], false, 1)[0].name, "total");
    }

    fn sql(
        dimension: Option<crate::question::Dimension>,
        by: Quantity,
        to_s: i64,
        known: bool,
    ) -> String {
        let question = question(dimension, by, to_s, known);
        let grid = grid(question.subject.window, question.step).unwrap();
        let names = ["it's".to_owned(), "b".to_owned()];
        let place = ("flowreel", horizon());
        statement(&question, &question.subject, grid, &names, place).to_string()
    }

    pub(super) fn horizon() -> Horizon {
        Horizon {
            now: Timestamp::from_seconds(9000),
            kept: crate::config::Retention::default(),
            stored_since: None,
        }
    }

    pub(super) fn question(
        dimension: Option<crate::question::Dimension>,
        by: Quantity,
        to_s: i64,
        known: bool,
    ) -> Series {
        let subject = Subject {
            window: window(3600, to_s),
            filter: flow::Filter::any(),
            known_at: known.then_some(Timestamp::from_seconds(9000)),
            arrived: None,
            scope: crate::question::Scope::default(),
        };
        Series {
            subject,
            dimension: dimension.map(Into::into),
            by,
            limit: 2,
            step: Some(Duration::from_secs(60)),
            previous: false,
        }
    }

    #[test]
    fn sites_are_summed_up_before_they_are_doubled() {
        let sites = Some(crate::question::Dimension::Sites);
        insta::assert_snapshot!(sql(sites, Quantity::Octets, 7200, false));
    }

    #[test]
    fn octets_of_everything() {
        insta::assert_snapshot!(sql(None, Quantity::Octets, 7200, false));
    }

    #[test]
    fn packets_of_applications_with_an_edge() {
        let dimension = Some(crate::question::Dimension::Applications);
        insta::assert_snapshot!(sql(dimension, Quantity::Packets, 7205, false));
    }

    #[test]
    fn clients_as_they_were_known() {
        let dimension = Some(crate::question::Dimension::Sites);
        insta::assert_snapshot!(sql(dimension, Quantity::Clients, 7200, true));
    }
}
