//! Tables for people, JSON and CSV for programs.

use std::io::Write;

use anyhow::{Context as _, Result};
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use serde::Serialize;
use serde_json::Value;

/// How an answer is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// One array of objects.
    Json,
    /// One object a line.
    Jsonl,
    /// Comma-separated with a header line.
    Csv,
}

/// A column of a table: its title, whether it is a number, and how a row's cell reads.
pub(crate) struct Column<'a, T> {
    title: &'a str,
    number: bool,
    cell: Box<dyn Fn(&T) -> String + 'a>,
}

/// A column of text.
pub(crate) fn text<'a, T>(title: &'a str, cell: impl Fn(&T) -> String + 'a) -> Column<'a, T> {
    Column {
        title,
        number: false,
        cell: Box::new(cell),
    }
}

/// A column of numbers, which are aligned to the right.
pub(crate) fn number<'a, T>(title: &'a str, cell: impl Fn(&T) -> String + 'a) -> Column<'a, T> {
    Column {
        title,
        number: true,
        cell: Box::new(cell),
    }
}

/// Prints text as it stands.
pub(crate) fn print_text(text: impl AsRef<[u8]>) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_ref())?;
    out.flush().context("standard output")
}

/// Prints rows in the format that was asked for; `columns` are those of the table.
pub(crate) fn print<T: Serialize>(
    out: &mut impl Write,
    format: Format,
    rows: &[T],
    columns: &[Column<'_, T>],
) -> Result<()> {
    match format {
        Format::Table => writeln!(out, "{}", table(rows, columns))?,
        Format::Json => {
            serde_json::to_writer_pretty(&mut *out, rows)?;
            writeln!(out)?;
        }
        Format::Jsonl => {
            for row in rows {
                serde_json::to_writer(&mut *out, row)?;
                writeln!(out)?;
            }
        }
        Format::Csv => {
            let mut csv = CsvLines::new(&mut *out);
            for row in rows {
                csv.write(row)?;
            }
            csv.finish()?;
        }
    }
    out.flush().context("standard output")
}

/// A table as text, without a line break at the end.
pub(crate) fn table<T>(rows: &[T], columns: &[Column<'_, T>]) -> String {
    if rows.is_empty() {
        return "nothing to show; try a longer --last, another --filter, or `flowreel exporters`"
            .to_owned();
    }
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(columns.iter().map(|column| column.title));
    for row in rows {
        table.add_row(columns.iter().map(|column| printable(&(column.cell)(row))));
    }
    for (index, column) in columns.iter().enumerate() {
        if let Some(shown) = table.column_mut(index) {
            let side = if column.number {
                CellAlignment::Right
            } else {
                CellAlignment::Left
            };
            shown.set_cell_alignment(side);
        }
    }
    table.trim_fmt()
}

/// Names come from the network: what would move the cursor or turn the text round is shown as a mark.
pub(crate) fn printable(text: &str) -> String {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars()
        .map(|c| if hidden(c) { '\u{fffd}' } else { c })
        .collect()
}

/// Objects as lines of comma-separated values; the first object's names make the header.
pub(crate) struct CsvLines<W: Write> {
    writer: csv::Writer<W>,
    started: bool,
}

impl<W: Write> CsvLines<W> {
    /// Writes to `out`, buffered.
    pub(crate) fn new(out: W) -> Self {
        Self {
            writer: csv::Writer::from_writer(out),
            started: false,
        }
    }

    /// Writes one object. What is absent is an empty cell; lists and maps are JSON in their cell.
    pub(crate) fn write(&mut self, row: &impl Serialize) -> Result<()> {
        let Value::Object(fields) = serde_json::to_value(row)? else {
            anyhow::bail!("only objects can be written as CSV");
        };
        if !self.started {
            self.writer.write_record(fields.keys())?;
            self.started = true;
        }
        self.writer.write_record(fields.values().map(csv_cell))?;
        Ok(())
    }

    /// Writes what is buffered.
    pub(crate) fn finish(mut self) -> Result<()> {
        self.writer.flush().context("standard output")
    }
}

/// A cell; one that a spreadsheet would take for a formula gets a quote in front (OWASP "CSV injection").
fn csv_cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) if text.starts_with(['=', '+', '-', '@', '\t', '\r']) => {
            format!("'{text}")
        }
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A count with an SI prefix and three digits: `12.3 G`.
pub(crate) fn si(value: f64) -> String {
    const PREFIXES: [&str; 7] = ["", " k", " M", " G", " T", " P", " E"];
    let mut value = value;
    let mut prefix = 0;
    while value.abs() >= 999.5 && prefix + 1 < PREFIXES.len() {
        value /= 1000.0;
        prefix += 1;
    }
    let digits = match value.abs() {
        _ if prefix == 0 && value.fract() == 0.0 => 0,
        v if v >= 99.95 => 0,
        v if v >= 9.995 => 1,
        _ => 2,
    };
    format!("{value:.digits$}{}", PREFIXES[prefix])
}

/// An error and what caused it: one line, or more where the error itself shows a place in a text.
pub(crate) fn error_text(error: &anyhow::Error) -> String {
    let text = format!("{error:#}");
    text.split('\n')
        .map(printable)
        .collect::<Vec<_>>()
        .join("\n")
}

/// What an error's log line says: the error, and what caused it.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    printable(
        &causes
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(": "),
    )
}

/// Whether the reader of our output went away, as `head` does: no failure of ours.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let csv = match cause.downcast_ref::<csv::Error>().map(csv::Error::kind) {
            Some(csv::ErrorKind::Io(error)) => Some(error),
            _ => None,
        };
        let kind = csv
            .or(cause.downcast_ref::<std::io::Error>())
            .map(std::io::Error::kind);
        let json = cause
            .downcast_ref::<serde_json::Error>()
            .and_then(serde_json::Error::io_error_kind);
        kind.or(json) == Some(std::io::ErrorKind::BrokenPipe)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_short_and_exact_enough() {
        let shown = [
            (0.0, "0"),
            (999.0, "999"),
            (1000.0, "1.00 k"),
            (12_345_678.0, "12.3 M"),
            (999_600.0, "1.00 M"),
        ];
        for (value, text) in shown {
            assert_eq!(si(value), text);
        }
    }

    #[test]
    fn csv_keeps_absent_apart_from_zero_and_defuses_formulas() {
        let mut out = Vec::new();
        let mut csv = CsvLines::new(&mut out);
        csv.write(&serde_json::json!({"a": null, "b": 0, "c": "=1+1", "d": "x,\"y\""}))
            .unwrap();
        csv.finish().unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "a,b,c,d\n,0,'=1+1,\"x,\"\"y\"\"\"\n"
        );
    }

    #[test]
    fn names_from_the_network_can_not_move_the_cursor() {
        assert_eq!(
            printable("a\u{1b}[2Jb\u{202e}c\n"),
            "a\u{fffd}[2Jb\u{fffd}c\u{fffd}"
        );
    }
}
