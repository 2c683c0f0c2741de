//! `flowreel recording diff`: what changed from one recording to another.

use std::io::stdout;

use anyhow::Result;
use serde::Serialize;
use store::compare::{
    Comparison, DURATION_FACTOR, DURATION_MS, Difference, Group, OCTETS_FACTOR, OCTETS_SHARE,
    SideTotals,
};

use super::args::DiffArgs;
use crate::cli::ask::{Server, name};
use crate::output::{Column, Format, number, print, print_text, printable, si, text};

/// What stands where there is nothing.
const ABSENT: &str = "–";

pub(super) fn diff(args: &DiffArgs) -> Result<()> {
    let (before, after) = match &args.other {
        Some(other) => (Some(&args.one), other),
        None => (None, &args.one),
    };
    let parameters = [
        ("before_recording", before.cloned()),
        ("before_shift", args.before.clone()),
        ("after_recording", Some(after.clone())),
        ("filter", args.filter.clone()),
        ("limit", Some(args.limit.to_string())),
    ];
    let dimension = name(args.by).unwrap_or_default();
    let path = format!("/api/v1/compare/{dimension}");
    let found: Comparison = Server::new(&args.server)?.get(&path, &parameters)?;
    match args.format {
        Format::Json => print_text(serde_json::to_string_pretty(&found)? + "\n"),
        Format::Jsonl => print(&mut stdout().lock(), Format::Jsonl, &found.rows, &[]),
        Format::Csv => {
            let flat: Vec<Flat<'_>> = found.rows.iter().map(Flat::of).collect();
            print(&mut stdout().lock(), Format::Csv, &flat, &[])
        }
        Format::Table => {
            let live = args
                .before
                .as_ref()
                .map(|shift| format!("live, {shift} earlier"));
            let named = |recording: &String| format!("'{}'", printable(recording));
            let sides = [live.or(before.map(named)).unwrap_or_default(), named(after)];
            print_changes(&found, &dimension, &sides)
        }
    }
}

/// The groups that changed, and in words what the table does not show.
fn print_changes(found: &Comparison, dimension: &str, sides: &[String; 2]) -> Result<()> {
    let [before, after] = sides;
    print_text(heading("before", before, &found.before) + &heading("after", after, &found.after))?;
    let changed: Vec<&Difference> = found.rows.iter().filter(|row| !row.is_same()).collect();
    if !changed.is_empty() {
        print_text("\n")?;
        print(
            &mut stdout().lock(),
            Format::Table,
            &changed,
            &columns(dimension),
        )?;
    }
    let sentences = sentences(found, changed.len() as u64, dimension, sides);
    print_text(
        sentences
            .iter()
            .map(|line| format!("\n{line}\n"))
            .collect::<String>(),
    )
}

/// One side in a line.
fn heading(which: &str, side: &str, totals: &SideTotals) -> String {
    format!(
        "{which:<7}{side}: {}, {} octets/s, {} flows\n",
        super::lasts(totals.from, totals.to),
        si(totals.octets_per_s),
        totals.flows,
    )
}

/// What a table of changes can't say.
fn sentences(
    found: &Comparison,
    shown: u64,
    dimension: &str,
    [before, after]: &[String; 2],
) -> Vec<String> {
    let mut said = Vec::new();
    let empty = |side: &str| format!("{side}: there are no such flows");
    match (found.before.flows, found.after.flows) {
        (0, 0) => {
            said.push(format!("{before} and {after}: there are no such flows in either"));
            return said;
        }
        (0, _) => said.push(format!("{}, so all of {after} is new", empty(before))),
        (_, 0) => said.push(format!("{}, so all of {before} is gone", empty(after))),
        _ if found.changed == 0 => said.push(format!(
            "nothing changed: none of {} {dimension} is new or gone, or differs by a factor of {OCTETS_FACTOR} and {} % of all \
             octets, or in the median life of its flows by a factor of {DURATION_FACTOR} and {DURATION_MS} ms",
            found.same,
            OCTETS_SHARE * 100.0,
        )),
        _ => {}
    }
    if found.changed > shown {
        let more = found.changed - shown;
        said.push(format!("{more} more changed less; see them with --limit"));
    }
    if found.changed > 0 && found.same > 0 {
        let all = found.changed + found.same;
        said.push(format!(
            "the same on both sides: {} of {all} {dimension}",
            found.same
        ));
    }
    if found.untold > 0 {
        said.push(format!(
            "of {} small {dimension} on one side it can't be told, as the other side has more than can be listed: narrow both \
             with --filter",
            found.untold
        ));
    }
    said
}

fn columns(dimension: &str) -> [Column<'_, &Difference>; 6] {
    type Row<'a> = &'a Difference;
    let both = |row: &Difference, value: fn(&Group) -> Option<String>| {
        let side = |group: &Option<Group>| group.as_ref().and_then(value);
        let [was, is] = [&row.before, &row.after].map(side);
        match (was, is) {
            (None, None) => ABSENT.to_owned(),
            (was, is) => {
                let shown = |side: Option<String>| side.unwrap_or_else(|| ABSENT.to_owned());
                format!("{} → {}", shown(was), shown(is))
            }
        }
    };
    [
        text(dimension, |row: &Row<'_>| row.name.clone()),
        text("verdict", |row: &Row<'_>| words(row).join(", ")),
        number("octets/s", move |row: &Row<'_>| {
            both(row, |group| Some(si(group.octets_per_s)))
        }),
        number("flows/s", move |row: &Row<'_>| {
            both(row, |group| Some(si(group.flows_per_s)))
        }),
        number("median life", move |row: &Row<'_>| {
            both(row, |group| group.duration_ms_median.map(duration))
        }),
        number("change", |row: &Row<'_>| change(row)),
    ]
}

fn words(row: &Difference) -> Vec<String> {
    row.verdicts.iter().filter_map(name).collect()
}

/// `85 ms`, `12.5 s`.
fn duration(ms: f64) -> String {
    match ms {
        ms if ms < 1000.0 => format!("{} ms", si(ms)),
        ms => format!("{} s", si(ms / 1000.0)),
    }
}

/// `+12.3 k octets/s`, and the time if that changed.
fn change(row: &Difference) -> String {
    use store::compare::Verdict::{Faster, Slower};
    let signed = |value: f64, shown: String| match value < 0.0 {
        true => format!("−{shown}"),
        false => format!("+{shown}"),
    };
    let octets = row.change_octets_per_s;
    let octets = signed(octets, format!("{} octets/s", si(octets.abs())));
    let is_timed = row
        .verdicts
        .iter()
        .any(|verdict| matches!(verdict, Slower | Faster));
    match row.change_duration_ms.filter(|_| is_timed) {
        Some(ms) => format!("{octets}, {}", signed(ms, duration(ms.abs()))),
        None => octets,
    }
}

/// A difference as a line of values.
#[derive(Serialize)]
struct Flat<'a> {
    name: &'a str,
    verdicts: String,
    weight: f64,
    before_octets_per_s: Option<f64>,
    after_octets_per_s: Option<f64>,
    change_octets_per_s: f64,
    before_flows_per_s: Option<f64>,
    after_flows_per_s: Option<f64>,
    before_clients: Option<u64>,
    after_clients: Option<u64>,
    before_duration_ms_median: Option<f64>,
    after_duration_ms_median: Option<f64>,
    change_duration_ms: Option<f64>,
}

impl<'a> Flat<'a> {
    fn of(row: &'a Difference) -> Self {
        let (before, after) = (row.before.as_ref(), row.after.as_ref());
        Self {
            name: &row.name,
            verdicts: words(row).join(" "),
            weight: row.weight,
            before_octets_per_s: before.map(|group| group.octets_per_s),
            after_octets_per_s: after.map(|group| group.octets_per_s),
            change_octets_per_s: row.change_octets_per_s,
            before_flows_per_s: before.map(|group| group.flows_per_s),
            after_flows_per_s: after.map(|group| group.flows_per_s),
            before_clients: before.map(|group| group.clients),
            after_clients: after.map(|group| group.clients),
            before_duration_ms_median: before.and_then(|group| group.duration_ms_median),
            after_duration_ms_median: after.and_then(|group| group.duration_ms_median),
            change_duration_ms: row.change_duration_ms,
        }
    }
}
