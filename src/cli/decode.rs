//! `flowreel decode` and `inspect`: a capture file as records, or as every field of every datagram.

use std::io::{BufWriter, Write, stderr, stdout};
use std::path::Path;

use anyhow::{Context as _, Result};
use collector::capture::{CaptureFile, Selection};
use collector::decode::{DecodeConfig, Decoder};
use collector::inspect::Inspector;
use collector::normalise::{NormaliseConfig, Normaliser};
use flow::site::Rules;
use flow::{Datagram, FlowBatch, FlowRecord, TapePosition};

use super::{DecodeArgs, InspectArgs};
use crate::output::{Column, CsvLines, Format, number, si, table, text};

/// Rows that are decoded before they are printed.
const PRINT_ROWS: usize = 4096;

/// `flowreel decode`: records on standard output, a summary on standard error.
pub(crate) fn decode(args: &DecodeArgs) -> Result<()> {
    let fields = crate::config::field_table(args.fields.as_deref())?;
    let mut decoder = Decoder::new(DecodeConfig::default(), fields);
    let mut normaliser = Normaliser::new(NormaliseConfig::default(), &Rules::default());
    let mut batch = FlowBatch::default();
    let mut records = Records::new(args.format);
    let mut number = 0;
    let mut capture = open(&args.file, &args.port)?;
    let outcome = read(&mut capture, &args.file, |datagram| {
        // There is no tape: datagrams are numbered instead.
        number += 1;
        let first = batch.rows();
        decoder.decode(
            &datagram,
            TapePosition {
                segment: 0,
                offset: number,
            },
            &mut batch,
        );
        normaliser.normalise(&mut batch, first);
        if batch.rows() >= PRINT_ROWS {
            records.print(&mut batch, &args.filter)?;
        }
        Ok(())
    });
    // Where the file is damaged, what stands before the damage is still worth printing.
    records.print(&mut batch, &args.filter)?;
    records.finish(&args.file)?;
    summarise(&decoder)?;
    outcome
}

/// Counters of a capture that are no news.
const PLAIN: &[&str] = &["frames", "datagrams", "fragments", "reassembled"];

fn open(path: &Path, ports: &[u16]) -> Result<CaptureFile> {
    let selection = Selection {
        ports: ports.to_vec(),
        ..Selection::default()
    };
    Ok(CaptureFile::open(path, selection)?)
}

/// Hands every datagram of a file on, up to its end or the first error; then says what is odd about the file.
fn read(
    capture: &mut CaptureFile,
    path: &Path,
    mut each: impl FnMut(Datagram) -> Result<()>,
) -> Result<()> {
    let outcome = capture.by_ref().try_for_each(|datagram| each(datagram?));
    for (what, count) in capture
        .counts()
        .each()
        .filter(|(what, count)| *count > 0 && !PLAIN.contains(what))
    {
        eprintln!("{}: {count} {}", path.display(), what.replace('_', " "));
    }
    outcome
}

/// Records on standard output, in the format that was asked for.
enum Records {
    /// One at a time.
    Lines(Out),
    /// One at a time, with what comes before it.
    Array(Out, &'static str),
    /// One at a time, after a header.
    Csv(Box<CsvLines<Out>>),
    /// All at the end: the widths of the columns are those of all rows.
    Table(Out, Vec<FlowRecord>),
}

type Out = BufWriter<std::io::StdoutLock<'static>>;

impl Records {
    fn new(format: Format) -> Self {
        let out = BufWriter::new(stdout().lock());
        match format {
            Format::Jsonl => Self::Lines(out),
            Format::Json => Self::Array(out, "["),
            Format::Csv => Self::Csv(Box::new(CsvLines::new(out))),
            Format::Table => Self::Table(out, Vec::new()),
        }
    }

    /// Takes every row that passes the filter, and empties the batch.
    fn print(&mut self, batch: &mut FlowBatch, filter: &flow::Filter) -> Result<()> {
        let rows = (0..batch.rows()).filter(|row| filter.expr().matches(batch, *row));
        for record in rows.map(|row| batch.record(row)) {
            match self {
                Self::Lines(out) => {
                    serde_json::to_writer(&mut *out, &record)?;
                    writeln!(out)?;
                }
                Self::Array(out, before) => {
                    writeln!(out, "{before}")?;
                    serde_json::to_writer(&mut *out, &record)?;
                    *before = ",";
                }
                Self::Csv(csv) => csv.write(&record)?,
                Self::Table(_, kept) => kept.push(record),
            }
        }
        batch.clear();
        Ok(())
    }

    fn finish(self, path: &Path) -> Result<()> {
        let mut out = match self {
            Self::Csv(csv) => return csv.finish(),
            Self::Lines(out) => out,
            Self::Array(mut out, "[") => {
                writeln!(out, "[]")?;
                out
            }
            Self::Array(mut out, _) => {
                writeln!(out, "\n]")?;
                out
            }
            Self::Table(out, kept) if kept.is_empty() => {
                eprintln!("{}: no flow records to show", path.display());
                out
            }
            Self::Table(mut out, kept) => {
                writeln!(out, "{}", table(&kept, &flow_columns()))?;
                out
            }
        };
        out.flush().context("standard output")
    }
}

/// Datagrams, records, templates, and every problem counted by kind.
fn summarise(decoder: &Decoder) -> Result<()> {
    let books = decoder.books();
    let exporters = decoder.exporters();
    let templates: usize = exporters
        .iter()
        .map(|exporter| exporter.templates.len())
        .sum();
    let mut out = stderr().lock();
    writeln!(
        out,
        "{} datagrams, {} records, {} options records, {templates} templates, {} exporters",
        books.seen,
        books.records,
        books.options_records,
        exporters
            .iter()
            .map(|exporter| exporter.address)
            .collect::<std::collections::BTreeSet<_>>()
            .len(),
    )?;
    if books.waiting > 0 {
        writeln!(
            out,
            "{} datagrams hold data whose template did not come",
            books.waiting
        )?;
    }
    for (dropped, what) in [
        (&books.dropped, "datagrams"),
        (&books.records_dropped, "records"),
    ] {
        for (kind, count) in dropped.iter().filter(|(_, count)| **count > 0) {
            writeln!(out, "{count} {what} dropped: {}", kind.name())?;
        }
    }
    for (problem, count) in decoder.problems().iter() {
        writeln!(out, "{count} {}", problem.name())?;
    }
    Ok(())
}

/// `flowreel inspect`: one JSON object a datagram.
pub(crate) fn inspect(args: &InspectArgs) -> Result<()> {
    let mut inspector = Inspector::new()?;
    let mut out = BufWriter::new(stdout().lock());
    let mut capture = open(&args.file, &args.port)?;
    let outcome = read(&mut capture, &args.file, |datagram| {
        serde_json::to_writer(&mut out, &inspector.inspect(&datagram))?;
        writeln!(out)?;
        Ok(())
    });
    out.flush().context("standard output")?;
    outcome
}

/// The columns of a table of flows.
pub(crate) fn flow_columns() -> Vec<Column<'static, FlowRecord>> {
    type Row = FlowRecord;
    vec![
        text("start", |row: &Row| {
            row.start.map_or_else(String::new, |at| at.to_string())
        }),
        number("s", |row: &Row| match (row.start, row.end) {
            (Some(start), Some(end)) => seconds(end.nanos_since(start)),
            _ => String::new(),
        }),
        text("proto", |row: &Row| {
            row.protocol.map_or_else(String::new, protocol)
        }),
        text("source", |row: &Row| endpoint(row.src_addr, row.src_port)),
        text("destination", |row: &Row| {
            endpoint(row.dst_addr, row.dst_port)
        }),
        text("application", |row: &Row| {
            row.application.clone().unwrap_or_default()
        }),
        text("flags", |row: &Row| {
            row.tcp_flags
                .filter(|flags| *flags > 0)
                .map_or_else(String::new, flags)
        }),
        number("packets", |row: &Row| {
            both(row.packets, row.reverse_packets)
        }),
        number("octets", |row: &Row| both(row.octets, row.reverse_octets)),
        text("exporter", |row: &Row| {
            row.exporter_name
                .clone()
                .unwrap_or_else(|| row.exporter.to_string())
        }),
    ]
}

fn protocol(number: u8) -> String {
    flow::application::protocol_name(number).map_or_else(|| number.to_string(), str::to_owned)
}

fn endpoint(address: Option<std::net::IpAddr>, port: Option<u16>) -> String {
    match (address, port) {
        (Some(std::net::IpAddr::V6(v6)), Some(port)) => format!("[{v6}]:{port}"),
        (Some(address), Some(port)) => format!("{address}:{port}"),
        (Some(address), None) => address.to_string(),
        (None, _) => String::new(),
    }
}

/// A record that holds both directions shows both: `12.3 k + 4.56 M`.
fn both(forward: Option<u64>, reverse: Option<u64>) -> String {
    let shown = |count: Option<u64>| count.map(|count| si(super::ask::approximate(count)));
    match (shown(forward), shown(reverse)) {
        (Some(forward), Some(reverse)) => format!("{forward} + {reverse}"),
        (one, other) => one.or(other).unwrap_or_default(),
    }
}

fn seconds(nanos: i64) -> String {
    let millis = nanos / 1_000_000;
    format!("{}.{:03}", millis / 1000, millis % 1000)
}

/// TCP flags as letters in the order of their bits, FIN first; `.` where one is not set.
fn flags(bits: u16) -> String {
    "FSRPAUEC"
        .chars()
        .enumerate()
        .map(|(bit, letter)| if bits >> bit & 1 == 1 { letter } else { '.' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_read_as_people_expect() {
        assert_eq!(flags(0x12), ".S..A...");
        assert_eq!(both(Some(1500), Some(20)), "1.50 k + 20");
        assert_eq!(both(None, None), "");
        assert_eq!(seconds(1_234_567_890), "1.234");
        assert_eq!(endpoint("::1".parse().ok(), Some(53)), "[::1]:53");
    }
}
