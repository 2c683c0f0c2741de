//! The lines of the largest groups, found in one reading of the rows.

use serde::Deserialize;

use super::{Answered, Grid};
use crate::grouping::Grouping;
use crate::plan::Horizon;
use crate::question::{Quantity, Series};
use crate::select::{Clients, Selection};
use crate::sql::Sql;

/// A value of a line with its name; that of line 0 is ''.
#[derive(Debug, Deserialize, clickhouse::Row)]
pub(crate) struct Named {
    line: u32,
    name: String,
    point: i64,
    value: f64,
}

/// Whether the largest groups are found in the same reading as their lines: where the values of a line add up to what groups are
/// ordered by, and groups are few enough to be held with all their points.
pub(crate) fn finds_lines(question: &Series) -> bool {
    let few = |dimension| Grouping::by(dimension).rollup.is_some();
    question.dimension.is_some_and(few)
        && matches!(question.by, Quantity::Octets | Quantity::Packets)
}

/// The statement for the lines of the largest groups, where [`finds_lines`] says so: the groups of [`crate::top`], in its order. A name that
/// several groups have is one line.
pub(crate) fn of_largest(
    question: &Series,
    grid: Grid,
    (database, horizon): (&str, Horizon),
) -> Sql {
    let grouping = question
        .dimension
        .map_or_else(Grouping::total, Grouping::by);
    let selection = Selection {
        database,
        subject: &question.subject,
        grouping: &grouping,
        grid: Some(grid),
        clients: Clients::No,
        horizon,
    };
    let keys: Vec<&str> = grouping.keys.iter().map(|key| key.name).collect();
    let keys = keys.join(", ");
    let sum = match question.by {
        Quantity::Packets => "packet_sum",
        _ => "octet_sum",
    };
    let limit = u64::from(question.limit);
    Sql::text("SELECT line, name, toInt64(cell.1) AS point, toFloat64(sum(cell.2)) AS value\nFROM (\n")
        .then("SELECT toUInt32(if(place <= ?, place, 0)) AS line, if(line = 0, '', named) AS name, cells\nFROM (\n")
        .bind(limit)
        .then("SELECT named, cells, min(rank) OVER (PARTITION BY named) AS place\nFROM (\n")
        .then(format!(
            "SELECT {} AS named, groupArray((point, total)) AS cells,\n    \
             row_number() OVER (ORDER BY sum(total) DESC, {keys}) AS rank\nFROM (\n\
             SELECT {keys}, point, sum({sum}) AS total\nFROM (\n",
            grouping.name
        ))
        .join(Sql::list(selection.selects(), "\nUNION ALL\n"))
        .then(format!(
            "\n)\nGROUP BY {keys}, point\n)\nGROUP BY {keys}\n)\n)\n)\nARRAY JOIN cells AS cell\n\
             GROUP BY line, name, point\nORDER BY line, point"
        ))
}

/// The lines' names, largest first, and their values.
pub(crate) fn numbered(named: Vec<Named>) -> (Vec<String>, Vec<Answered>) {
    let mut places: Vec<u32> = Vec::new();
    let (mut names, mut values) = (Vec::new(), Vec::new());
    for Named {
        line,
        name,
        point,
        value,
    } in named
    {
        if line > 0 && places.last() != Some(&line) {
            places.push(line);
            names.push(name);
        }
        // Places are counted by groups, and several may have one name.
        let line = if line > 0 { places.len() } else { 0 };
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        values.push(Answered { line, point, value });
    }
    (names, values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::question::Dimension::{Applications, Clients, Exporters, Sites};
    use crate::series::grid;
    use crate::series::tests::{horizon, question};

    #[test]
    fn lines_are_numbered_by_their_names() {
        let named = |line, name: &str, point| Named {
            line,
            name: name.to_owned(),
            point,
            value: 1.0,
        };
        // The group at the second place has the name of the first.
        let (names, values) = numbered(vec![
            named(0, "", 4),
            named(1, "a", 0),
            named(1, "a", 1),
            named(3, "b", 0),
        ]);
        assert_eq!(names, ["a", "b"]);
        let lines: Vec<u32> = values.iter().map(|value| value.line).collect();
        assert_eq!(lines, [0, 1, 1, 2]);
    }

    #[test]
    fn lines_are_found_in_one_reading_where_groups_are_few() {
        let finds = |dimension, by| finds_lines(&question(dimension, by, 7200, false));
        assert!(finds(Some(Applications), Quantity::Octets));
        assert!(finds(Some(Sites), Quantity::Packets));
        // What is alive in two points counts in each, and once in the order of groups.
        assert!(!finds(Some(Sites), Quantity::Flows));
        assert!(!finds(Some(Clients), Quantity::Octets));
        assert!(!finds(None, Quantity::Octets));
    }

    #[test]
    fn lines_of_the_largest_exporters() {
        let exporters = Some(Exporters);
        let question = question(exporters, Quantity::Packets, 7200, true);
        let grid = grid(question.subject.window, question.step).unwrap();
        insta::assert_snapshot!(of_largest(&question, grid, ("flowreel", horizon())).to_string());
    }
}
