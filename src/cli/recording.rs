//! `flowreel recording …`: network recordings of a running server, and their files.

mod args;
mod diff;
pub(crate) mod play;

use std::fs::File;
use std::io::{self, Read, stdout};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use api::archive::{Cut, NewNote, Recorded};
use flow::{Timestamp, clock};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use replay::reel::{Manifest, PartKind, Reel};
use store::catalog::RecordingCounts;

pub(crate) use self::args::RecordingCommand;
use self::args::{
    CutArgs, ExportArgs, ImportFileArgs, ListArgs, NamedArgs, NoteArgs, ShowArgs, VerifyArgs,
};
use super::ask::{Server, approximate};
use crate::output::{self, Format, number, print, print_text, printable, si, text};

/// Does what the command line says.
pub(crate) fn run(command: &RecordingCommand) -> Result<()> {
    match command {
        RecordingCommand::Cut(args) => cut(args),
        RecordingCommand::Stop(args) => told(args, "stop", "ended"),
        RecordingCommand::Keep(args) => told(args, "keep", "has a tape and tables of its own"),
        RecordingCommand::List(args) => list(args),
        RecordingCommand::Show(args) => show(args),
        RecordingCommand::Note(args) => note(args),
        RecordingCommand::Delete(args) => delete(args),
        RecordingCommand::Diff(args) => diff::diff(args),
        RecordingCommand::Export(args) => export(args),
        RecordingCommand::Verify(args) => verify(args),
        RecordingCommand::Import(args) => import(args),
        RecordingCommand::Play(args) => play::play(args),
    }
}

fn cut(args: &CutArgs) -> Result<()> {
    let now = clock::now();
    let from = match (&args.from, args.last) {
        (Some(from), _) => *from,
        (None, Some(last)) => now - last,
        (None, None) => now,
    };
    let to = match (args.to, args.lasting, args.open) {
        (Some(to), ..) => Some(to),
        (None, Some(lasting), _) => Some(now + lasting),
        (None, None, true) => None,
        (None, None, false) => Some(now),
    };
    let cut = Cut {
        name: args.name.clone(),
        from,
        to,
        filter: args.filter.clone(),
        by: who(args.by.as_ref()),
    };
    let server = Server::new(&args.server)?;
    let recorded: Recorded = server.send_json("/api/v1/recordings", &cut)?;
    say(&recorded)
}

/// Whoever runs this, as far as the machine knows.
fn who(by: Option<&String>) -> Option<String> {
    by.cloned().or_else(|| {
        nix::unistd::User::from_uid(nix::unistd::geteuid())
            .ok()?
            .map(|user| user.name)
    })
}

fn told(args: &NamedArgs, what: &str, said: &str) -> Result<()> {
    let path = format!("{}/{what}", place(&args.name));
    let recorded: Recorded = Server::new(&args.server)?.post(&path, &[], ureq::SendBody::none())?;
    eprintln!("'{}' {said}", printable(&recorded.name));
    Ok(())
}

fn list(args: &ListArgs) -> Result<()> {
    let all: Vec<Recorded> = Server::new(&args.server)?.get("/api/v1/recordings", &[])?;
    print(&mut stdout().lock(), args.format, &all, &columns())
}

fn columns() -> Vec<output::Column<'static, Recorded>> {
    type Row = Recorded;
    vec![
        number("nr", |row: &Row| row.number.to_string()),
        text("name", |row: &Row| row.name.clone()),
        text("state", |row: &Row| word(row.state)),
        text("from", |row: &Row| whole_seconds(row.from)),
        number("lasts", |row: &Row| lasts(row.from, row.to)),
        text("filter", |row: &Row| row.filter.clone()),
        number("flows", |row: &Row| of(row, |counts| counts.flows)),
        number("datagrams", |row: &Row| of(row, |counts| counts.datagrams)),
        number("own octets", |row: &Row| of(row, |counts| counts.octets)),
        text("cut by", |row: &Row| row.cut_by.clone()),
    ]
}

/// A count; nothing where it is not told.
fn of(recorded: &Recorded, count: impl Fn(&RecordingCounts) -> u64) -> String {
    let counts = recorded.counts.as_ref();
    counts.map_or_else(String::new, |counts| si(approximate(count(counts))))
}

fn show(args: &ShowArgs) -> Result<()> {
    let server = Server::new(&args.named.server)?;
    let traffic = vec![
        ("recording", Some(args.named.name.clone())),
        ("dimension", Some("applications".to_owned())),
    ];
    if args.picture.write(&server, "/api/v1/series", traffic)? {
        return Ok(());
    }
    let recorded: Recorded = server.get(&place(&args.named.name), &[])?;
    if args.named.format == Format::Json {
        return print_text(serde_json::to_string_pretty(&recorded)? + "\n");
    }
    say(&recorded)
}

/// A recording for people, a fact a line.
fn say(recorded: &Recorded) -> Result<()> {
    let count = |of: fn(&RecordingCounts) -> u64| {
        let counts = recorded.counts.as_ref();
        counts.map_or_else(String::new, |counts| of(counts).to_string())
    };
    let mut lines = vec![
        ("name", recorded.name.clone()),
        ("number", recorded.number.to_string()),
        ("id", recorded.id.clone()),
        ("state", word(recorded.state)),
        ("from", recorded.from.to_string()),
        ("to", recorded.to.to_string()),
        ("lasts", lasts(recorded.from, recorded.to)),
        ("filter", recorded.filter.clone()),
        ("flows", count(|counts| counts.flows)),
        ("datagrams", count(|counts| counts.datagrams)),
        ("exporters", count(|counts| counts.exporters)),
        ("cut by", recorded.cut_by.clone()),
        ("cut at", recorded.cut_at.to_string()),
        ("collector", recorded.collector.clone()),
    ];
    if let Some(at) = recorded.imported_at {
        lines.push(("came here", at.to_string()));
    }
    if recorded.anonymized {
        lines.push(("addresses", "are not the real ones".to_owned()));
    }
    print_lines(&lines)?;
    for note in &recorded.notes {
        let text = printable(&note.text);
        let (at, by) = (whole_seconds(note.at), printable(&note.written_by));
        print_text(format!("note       {at}  {by}: {text}\n"))?;
    }
    Ok(())
}

fn print_lines(lines: &[(&str, String)]) -> Result<()> {
    for (name, value) in lines.iter().filter(|(_, value)| !value.is_empty()) {
        print_text(format!("{name:<11}{}\n", printable(value)))?;
    }
    Ok(())
}

fn note(args: &NoteArgs) -> Result<()> {
    let note = NewNote {
        at: args.at,
        by: who(args.by.as_ref()),
        text: args.text.clone(),
    };
    let path = format!("{}/notes", place(&args.name));
    let recorded: Recorded = Server::new(&args.server)?.send_json(&path, &note)?;
    say(&recorded)
}

fn delete(args: &NamedArgs) -> Result<()> {
    Server::new(&args.server)?.delete(&place(&args.name))?;
    eprintln!("'{}' is deleted", printable(&args.name));
    Ok(())
}

fn export(args: &ExportArgs) -> Result<()> {
    let path = format!("{}/file", place(&args.name));
    let kind = if args.pcap { "pcapng" } else { "reel" };
    let server = Server::new(&args.server)?;
    let octets = fetch(
        &server,
        &path,
        &[
            ("kind", Some(kind.to_owned())),
            ("anonymize", Some(args.anonymize.to_string())),
        ],
        &args.output,
    )?;
    eprintln!(
        "{}: {} octets",
        args.output.display(),
        si(approximate(octets))
    );
    Ok(())
}

/// Writes an answer to a file, which has its name when it is whole.
pub(crate) fn fetch(
    server: &Server,
    path: &str,
    parameters: &[(&str, Option<String>)],
    target: &Path,
) -> Result<u64> {
    let place = || target.display().to_string();
    let folder = target.parent().filter(|folder| *folder != Path::new(""));
    let mut file =
        tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new("."))).with_context(place)?;
    let mut body = server.open(path, parameters)?;
    let octets = io::copy(&mut body, &mut file).with_context(place)?;
    file.as_file().sync_all().with_context(place)?;
    file.persist(target).with_context(place)?;
    Ok(octets)
}

fn verify(args: &VerifyArgs) -> Result<()> {
    let reel = Reel::open(&args.file)?;
    reel.verify()?;
    describe(reel.manifest(), &reel)?;
    eprintln!("{} is whole", args.file.display());
    Ok(())
}

fn describe(manifest: &Manifest, reel: &Reel) -> Result<()> {
    let parts = |kind| reel.parts(kind).len().to_string();
    print_lines(&[
        ("name", manifest.name.clone()),
        ("id", manifest.id.clone()),
        ("from", manifest.from.to_string()),
        ("to", manifest.to.to_string()),
        ("lasts", lasts(manifest.from, manifest.to)),
        ("filter", manifest.filter.clone()),
        ("flows", manifest.counts.flows.to_string()),
        ("datagrams", manifest.counts.datagrams.to_string()),
        ("exporters", manifest.counts.exporters.to_string()),
        ("cut by", manifest.cut_by.clone()),
        ("cut at", manifest.cut_at.to_string()),
        ("collector", manifest.collector.clone()),
        ("written by", manifest.product.clone()),
        ("segments", parts(PartKind::Tape)),
        ("parquet", parts(PartKind::Flows)),
        ("octets", reel.octets().to_string()),
    ])
}

fn import(args: &ImportFileArgs) -> Result<()> {
    let place = || args.file.display().to_string();
    let is_reel = Reel::is_reel(&args.file)?;
    let name = match (&args.name, is_reel) {
        (Some(name), _) => Some(name.clone()),
        (None, true) => None,
        // A capture has no name of its own.
        (None, false) => args
            .file
            .file_stem()
            .map(|stem| stem.to_string_lossy().into_owned()),
    };
    let mut file = File::open(&args.file).with_context(place)?;
    let body = ureq::SendBody::from_reader(&mut file as &mut dyn Read);
    let server = Server::new(&args.server)?;
    let recorded: Recorded = server
        .post("/api/v1/reels", &[("name", name)], body)
        .with_context(place)?;
    say(&recorded)
}

/// Where the API has a recording. Names may hold anything.
fn place(name: &str) -> String {
    let name = utf8_percent_encode(name, NON_ALPHANUMERIC);
    format!("/api/v1/recordings/{name}")
}

fn word(state: api::archive::Standing) -> String {
    let word = serde_json::to_value(state).ok();
    word.and_then(|word| word.as_str().map(str::to_owned))
        .unwrap_or_default()
}

fn whole_seconds(at: Timestamp) -> String {
    at.floor(Duration::from_secs(1)).to_string()
}

/// `1 h 02 min 03 s`.
fn lasts(from: Timestamp, to: Timestamp) -> String {
    let seconds = (to.nanos().saturating_sub(from.nanos()).max(0) / 1_000_000_000).unsigned_abs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds} s"),
        (0, _) => format!("{minutes} min {seconds:02} s"),
        _ => format!("{hours} h {minutes:02} min {seconds:02} s"),
    }
}

/// The datagrams of a recording as a capture in a temporary file.
fn captured(server: &Server, name: &str) -> Result<tempfile::NamedTempFile> {
    let file = tempfile::NamedTempFile::new().context("no temporary file can be made")?;
    let path = format!("{}/file", place(name));
    fetch(
        server,
        &path,
        &[("kind", Some("pcapng".to_owned()))],
        file.path(),
    )?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_read_as_people_say_it() {
        let lasting = |seconds: i64| {
            lasts(
                Timestamp::from_seconds(100),
                Timestamp::from_seconds(100 + seconds),
            )
        };
        assert_eq!(lasting(59), "59 s");
        assert_eq!(lasting(600), "10 min 00 s");
        assert_eq!(lasting(90_061), "25 h 01 min 01 s");
        assert_eq!(lasting(-5), "0 s");
    }

    #[test]
    fn a_name_may_hold_anything() {
        assert_eq!(place("a/b ?ü"), "/api/v1/recordings/a%2Fb%20%3F%C3%BC");
    }
}
