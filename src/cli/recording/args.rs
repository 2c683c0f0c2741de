//! The flags of `flowreel recording`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use flow::Timestamp;
use store::question::Dimension;

use crate::cli::picture::PictureArgs;
use crate::cli::{ServerArgs, WayArgs, ask};
use crate::output::Format;

/// What can be done with recordings.
#[derive(Debug, Subcommand)]
pub(crate) enum RecordingCommand {
    /// Cut a recording out of what arrived, or from now on.
    Cut(CutArgs),
    /// End a recording that goes on.
    Stop(NamedArgs),
    /// Show all recordings.
    List(ListArgs),
    /// Show one, with its notes; or a picture of its traffic by application.
    Show(ShowArgs),
    /// Write a note to a moment of a recording.
    Note(NoteArgs),
    /// Show what changed from one recording to another: new, gone, larger, smaller, slower.
    Diff(DiffArgs),
    /// Write a recording to a file that can be shared.
    Export(ExportArgs),
    /// Check every octet of a recording's file. Needs no server.
    Verify(VerifyArgs),
    /// Take in a recording's file, or a capture, as a world of its own.
    Import(ImportFileArgs),
    /// Send the datagrams of a recording to a collector.
    Play(PlayArgs),
    /// Give a recording a tape and tables of its own now, not only when it would expire.
    Keep(NamedArgs),
    /// Delete a recording.
    Delete(NamedArgs),
}

#[derive(Debug, Args)]
pub(crate) struct CutArgs {
    /// What to call it.
    #[arg(long)]
    pub(crate) name: String,
    /// Begins this long ago: 10m, 2h. Now if no time is given.
    #[arg(long, value_name = "TIME", value_parser = api::parse_duration, conflicts_with = "from")]
    pub(crate) last: Option<Duration>,
    /// First instant of arrival: 2026-03-01T10:42:00Z, a date, or seconds since 1970.
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<Timestamp>,
    /// First instant of arrival after it; now if left out.
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<Timestamp>,
    /// Goes on for this long from now.
    #[arg(long = "for", value_name = "TIME", value_parser = api::parse_duration, conflicts_with = "to")]
    pub(crate) lasting: Option<Duration>,
    /// Goes on until `recording stop`, at most 24 hours.
    #[arg(long, conflicts_with_all = ["to", "lasting"])]
    pub(crate) open: bool,
    /// Only these flows, and the datagrams that they came in.
    #[arg(long, value_name = "FILTER", default_value = "", value_parser = ask::filter_text)]
    pub(crate) filter: String,
    /// Who cuts it; the user who runs this if left out.
    #[arg(long, value_name = "NAME")]
    pub(crate) by: Option<String>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct NamedArgs {
    /// The recording: its name, id or number.
    pub(crate) name: String,
    /// How to print: table or json.
    #[arg(long, default_value = "table")]
    pub(crate) format: Format,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    pub(crate) named: NamedArgs,
    #[command(flatten)]
    pub(crate) picture: PictureArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// How to print: table, json, jsonl or csv.
    #[arg(long, default_value = "table")]
    pub(crate) format: Format,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct NoteArgs {
    /// The recording: its name, id or number.
    pub(crate) name: String,
    /// What is to be said.
    pub(crate) text: String,
    /// The moment in the recording; its end if left out.
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<Timestamp>,
    /// Who writes it; the user who runs this if left out.
    #[arg(long, value_name = "NAME")]
    pub(crate) by: Option<String>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// The recording that stands before, by name, id or number. With --before: the one that is looked into.
    #[arg(value_name = "A")]
    pub(crate) one: String,
    /// The recording that is looked into.
    #[arg(
        value_name = "B",
        required_unless_present = "before",
        conflicts_with = "before"
    )]
    pub(crate) other: Option<String>,
    /// Compare A with what was live so much earlier, for as long: 1h, 1d, 7d.
    #[arg(long, value_name = "TIME", value_parser = length)]
    pub(crate) before: Option<String>,
    /// What to compare: applications, clients, servers, conversations, exporters, interfaces, sites,
    /// protocols or ports.
    #[arg(long, value_name = "DIMENSION", default_value = "applications", value_parser = ask::dimension)]
    pub(crate) by: Dimension,
    /// Only these flows of both.
    #[arg(long, value_name = "FILTER", value_parser = ask::filter_text)]
    pub(crate) filter: Option<String>,
    /// How many, those that matter most first.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) limit: u32,
    /// How to print: table, json, jsonl or csv.
    #[arg(long, default_value = "table")]
    pub(crate) format: Format,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// A length of time, as the server reads it.
fn length(text: &str) -> Result<String, String> {
    api::parse_duration(text).map(|_| text.to_owned())
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// The recording: its name, id or number.
    pub(crate) name: String,
    /// The file; one that is there is replaced.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// Only the datagrams, as a pcapng file.
    #[arg(long)]
    pub(crate) pcap: bool,
    /// With other addresses, always the same for the same: those that share a prefix share one afterwards.
    #[arg(long)]
    pub(crate) anonymize: bool,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The `.reel` file.
    pub(crate) file: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct ImportFileArgs {
    /// A `.reel` file, or a capture: pcap or pcapng.
    pub(crate) file: PathBuf,
    /// What to call it here; its own name, or the capture's, if left out.
    #[arg(long)]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PlayArgs {
    /// A `.reel` file, a capture, or the name of a recording of the server.
    pub(crate) recording: String,
    #[command(flatten)]
    pub(crate) way: WayArgs,
    /// Begin again at the end, until stopped.
    #[arg(long = "loop")]
    pub(crate) endless: bool,
    /// Send from addresses of this machine, not from those of the exporters. These take root, or the right to send so.
    #[arg(long)]
    pub(crate) own_source: bool,
    /// Move all times in the datagrams to now.
    #[arg(long)]
    pub(crate) rewrite_time: bool,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}
