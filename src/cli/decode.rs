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
    read(&args.file, &args.port, |datagram| {
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
    })?;
    records.print(&mut batch, &args.filter)?;
    records.finish()?;
    summarise(&decoder)
}

/// Counters of a capture that are no news.
const PLAIN: &[&str] = &["frames", "datagrams", "fragments", "reassembled"];

/// Hands every datagram of a file on.
fn read(path: &Path, ports: &[u16], mut each: impl FnMut(Datagram) -> Result<()>) -> Result<()> {
    let selection = Selection {
        ports: ports.to_vec(),
        ..Selection::default()
    };
    let mut capture = CaptureFile::open(path, selection)?;
    for datagram in &mut capture {
        each(datagram?)?;
    }
    for (what, count) in capture
        .counts()
        .each()
        .filter(|(what, count)| *count > 0 && !PLAIN.contains(what))
    {
        eprintln!("{}: {count} {}", path.display(), what.replace('_', " "));
    }
    Ok(())
}

/// Records on standard output, in the format that was asked for.
struct Records {
    out: BufWriter<std::io::StdoutLock<'static>>,
    format: Format,
    kept: Vec<FlowRecord>,
    csv: Option<CsvLines<Vec<u8>>>,
}

impl Records {
    fn new(format: Format) -> Self {
        let csv = (format == Format::Csv).then(|| CsvLines::new(Vec::new()));
        Self {
            out: BufWriter::new(stdout().lock()),
            format,
            kept: Vec::new(),
            csv,
        }
    }

    fn print(&mut self, batch: &mut FlowBatch, filter: &flow::Filter) -> Result<()> {
        let rows = (0..batch.rows()).filter(|row| filter.expr().matches(batch, *row));
        for record in rows.map(|row| batch.record(row)) {
            match (self.format, &mut self.csv) {
                (Format::Jsonl, _) => {
                    serde_json::to_writer(&mut self.out, &record)?;
                    writeln!(self.out)?;
                }
                (_, Some(csv)) => csv.write(&record)?,
                _ => self.kept.push(record),
            }
        }
        batch.clear();
        Ok(())
    }

    fn finish(mut self) -> Result<()> {
        match (self.format, self.csv) {
            (_, Some(csv)) => self.out.write_all(&csv.into_inner()?)?,
            (Format::Table, _) => writeln!(self.out, "{}", table(&self.kept, &flow_columns()))?,
            (Format::Json, _) => {
                serde_json::to_writer_pretty(&mut self.out, &self.kept)?;
                writeln!(self.out)?;
            }
            (Format::Jsonl | Format::Csv, None) => {}
        }
        self.out.flush().context("standard output")
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
    read(&args.file, &args.port, |datagram| {
        serde_json::to_writer(&mut out, &inspector.inspect(&datagram))?;
        writeln!(out)?;
        Ok(())
    })?;
    out.flush().context("standard output")
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
