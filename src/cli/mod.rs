//! The commands and their flags.

pub(crate) mod ask;
mod audit;
mod backup;
mod configuration;
mod credentials;
mod decode;
mod doctor;
mod import;
mod picture;
mod recording;
mod send;
pub(crate) mod serve;

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, CommandFactory as _, Parser, Subcommand};

use crate::output::Format;

/// A NetFlow application-performance monitor with record and replay.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Receive, keep and index flows, and answer questions about them.
    Serve(ServeArgs),
    /// Play a simulated enterprise: two hours of history at once, then live.
    Demo(DemoArgs),
    /// Print the flow records of a capture file, one a line. Needs no server.
    Decode(DecodeArgs),
    /// Print every field of every datagram of a capture file as JSON. Needs no server.
    Inspect(InspectArgs),
    /// Put capture files into a running server, or into a data directory.
    Import(ImportArgs),
    /// Send the datagrams of a capture file to a collector.
    Send(SendArgs),
    /// Show the largest applications, clients, servers, conversations …
    Top(TopArgs),
    /// Show a quantity over time.
    Series(SeriesArgs),
    /// Show flow records, newest first.
    Flows(FlowsArgs),
    /// Show what each exporter sends, and how well.
    Exporters(ExportersArgs),
    /// Cut, list, share and replay network recordings.
    #[command(subcommand)]
    Recording(recording::RecordingCommand),
    /// Decode a stretch of the tape again, under the rules of today.
    Reclassify(ReclassifyArgs),
    /// Put all that a data directory holds into a folder, while its server runs or not.
    Backup(BackupArgs),
    /// Make a data directory from a backup.
    Restore(RestoreArgs),
    /// Look whether the log of what people did is as it was written.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Show or check the configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Tell what is missing or badly set on this machine.
    Doctor(DoctorArgs),
    /// Print a completion script for a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// The embedded store's own process; `serve` starts it.
    #[command(hide = true)]
    Engine(EngineArgs),
}

/// Where the configuration comes from.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ConfigArgs {
    /// Configuration file (TOML).
    #[arg(long, value_name = "FILE", env = "FLOWREEL_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Folder for tape, store and catalog.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// UDP address to receive on; repeat for more.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Vec<SocketAddr>,
    /// Address of the API and the pages.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) http: Option<SocketAddr>,
    /// Without sign-on, let other machines reach the API: anybody there reads everything, and changes nothing.
    #[arg(long)]
    pub(crate) i_know_there_is_no_sign_on: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// Also receive from a mirrored interface; repeat for more.
    #[arg(long, value_name = "INTERFACE")]
    pub(crate) mirror: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// End by itself after this time.
    #[arg(long = "for", value_name = "TIME", value_parser = api::parse_duration)]
    pub(crate) lasting: Option<std::time::Duration>,
    /// How much history to play at once.
    #[arg(long, value_name = "TIME", default_value = "2h", value_parser = api::parse_duration)]
    pub(crate) history: std::time::Duration,
}

#[derive(Debug, Args)]
pub(crate) struct DecodeArgs {
    /// Capture file: pcap or pcapng.
    pub(crate) file: PathBuf,
    /// How to print: jsonl, csv or table.
    #[arg(long, default_value = "jsonl")]
    pub(crate) format: Format,
    /// Only these flows.
    #[arg(long, value_name = "FILTER", default_value = "")]
    pub(crate) filter: flow::Filter,
    /// Names for elements that Flowreel does not know (TOML).
    #[arg(long, value_name = "FILE")]
    pub(crate) fields: Option<PathBuf>,
    /// Only datagrams to this UDP port; repeat for more.
    #[arg(long, value_name = "PORT")]
    pub(crate) port: Vec<u16>,
}

#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// Capture file: pcap or pcapng.
    pub(crate) file: PathBuf,
    /// Only datagrams to this UDP port; repeat for more.
    #[arg(long, value_name = "PORT")]
    pub(crate) port: Vec<u16>,
}

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// Capture files: pcap or pcapng.
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    /// Write into this data directory, with no server running; --server means nothing then.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Configuration file (TOML), with --data-dir.
    #[arg(long, value_name = "FILE", requires = "data_dir")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct SendArgs {
    /// Capture file: pcap or pcapng.
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) way: WayArgs,
    /// Only datagrams to this UDP port; repeat for more.
    #[arg(long, value_name = "PORT")]
    pub(crate) port: Vec<u16>,
}

/// Where datagrams are sent, and how fast.
#[derive(Debug, Args)]
pub(crate) struct WayArgs {
    /// The collector.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) to: String,
    /// Times the recorded speed.
    #[arg(long, value_name = "N", default_value_t = 1.0, conflicts_with = "rate")]
    pub(crate) speed: f64,
    /// Datagrams a second instead of the recorded pace; 0 is as fast as possible.
    #[arg(long, value_name = "R")]
    pub(crate) rate: Option<u64>,
}

/// Where the server is.
#[derive(Debug, Args)]
pub(crate) struct ServerArgs {
    /// The server.
    #[arg(
        long,
        value_name = "URL",
        env = "FLOWREEL_SERVER",
        default_value = "http://127.0.0.1:8080"
    )]
    pub(crate) server: String,
    /// A file with a token of yours, where people sign on. FLOWREEL_TOKEN has the token itself; on the server's own machine, whoever
    /// reads its data directory needs none.
    #[arg(long, value_name = "FILE", env = "FLOWREEL_TOKEN_FILE")]
    pub(crate) token_file: Option<PathBuf>,
}

/// What every asking command says.
#[derive(Debug, Args)]
pub(crate) struct QuestionArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    /// The last minutes, hours or days: 10m, 2h, 7d. One hour if no time is given.
    #[arg(long, value_name = "TIME", conflicts_with_all = ["from", "to"])]
    pub(crate) last: Option<String>,
    /// First instant: 2026-03-01T10:42:00Z, a date, or seconds since 1970.
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// First instant after the window; now if left out.
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<String>,
    /// Which flows: 'app "orders" and dst port 5432'.
    #[arg(long, value_name = "FILTER")]
    pub(crate) filter: Option<String>,
    /// Only what had arrived by then; `as_of` for what had arrived by the time that is shown: as it looked then.
    #[arg(long, value_name = "TIME")]
    pub(crate) known_at: Option<String>,
    /// The time that is shown: windows end there if nothing else is said.
    #[arg(long, value_name = "TIME")]
    pub(crate) as_of: Option<String>,
    /// Ask a recording, by name, id or number; all of it if no time is given.
    #[arg(long, value_name = "NAME")]
    pub(crate) recording: Option<String>,
    /// How to print: table, json, jsonl or csv.
    #[arg(long, default_value = "table")]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct TopArgs {
    /// applications, clients, servers, conversations, exporters, interfaces, sites, protocols or ports; up to three with commas between
    /// them.
    pub(crate) dimension: store::question::Dimensions,
    #[command(flatten)]
    pub(crate) question: QuestionArgs,
    /// Ordered by octets, packets, flows or clients.
    #[arg(long, default_value = "octets", value_parser = ask::quantity)]
    pub(crate) by: store::question::Quantity,
    /// How many.
    #[arg(long, default_value_t = 10)]
    pub(crate) limit: u32,
    /// In a picture: also what became of each since the window right before.
    #[arg(long, requires = "picture")]
    pub(crate) previous: bool,
    #[command(flatten)]
    pub(crate) picture: picture::PictureArgs,
}

#[derive(Debug, Args)]
pub(crate) struct SeriesArgs {
    /// One line for each of the largest of these; one line in all if left out.
    pub(crate) dimension: Option<store::question::Dimensions>,
    #[command(flatten)]
    pub(crate) question: QuestionArgs,
    /// octets, packets, flows or clients.
    #[arg(long, default_value = "octets", value_parser = ask::quantity)]
    pub(crate) by: store::question::Quantity,
    /// How many lines; the rest is `others`.
    #[arg(long, default_value_t = 5)]
    pub(crate) limit: u32,
    /// Width of a point: 10s, 1m, 1h.
    #[arg(long, value_name = "TIME")]
    pub(crate) step: Option<String>,
    /// Also the window right before.
    #[arg(long)]
    pub(crate) previous: bool,
    /// In a picture: lines, where groups would be areas, one on top of the other.
    #[arg(long, requires = "picture")]
    pub(crate) lines: bool,
    #[command(flatten)]
    pub(crate) picture: picture::PictureArgs,
}

#[derive(Debug, Args)]
pub(crate) struct FlowsArgs {
    #[command(flatten)]
    pub(crate) question: QuestionArgs,
    /// How many, newest first.
    #[arg(long, default_value_t = 100)]
    pub(crate) limit: u32,
}

#[derive(Debug, Args)]
pub(crate) struct ExportersArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    /// How to print: table, json, jsonl or csv.
    #[arg(long, default_value = "table")]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct ReclassifyArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    /// What arrived in the last minutes, hours or days.
    #[arg(long, value_name = "TIME", conflicts_with_all = ["from", "to"], required_unless_present = "from")]
    pub(crate) last: Option<String>,
    /// First instant of arrival.
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// First instant of arrival after it; now if left out.
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// A folder that is empty or not there.
    pub(crate) folder: PathBuf,
    /// Only look whether the backup in the folder is whole.
    #[arg(long)]
    pub(crate) verify: bool,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// The backup.
    pub(crate) folder: PathBuf,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Compare all digests of the log, while the server runs or not.
    Check(ConfigArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print the configuration in force, defaults included.
    Show(ConfigArgs),
    /// Read the configuration and say whether it is right.
    Check(ConfigArgs),
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

#[derive(Debug, Args)]
pub(crate) struct EngineArgs {
    /// Folder of the store.
    #[arg(long)]
    pub(crate) data_dir: PathBuf,
    /// Unix socket to answer on.
    #[arg(long)]
    pub(crate) socket: PathBuf,
    /// The engine library.
    #[arg(long)]
    pub(crate) library: PathBuf,
    /// Memory that the engine may use, octets.
    #[arg(long)]
    pub(crate) memory: u64,
}

/// Does what the command line says.
pub(crate) fn run(cli: Cli) -> Result<()> {
    match cli.command {
        Command::Serve(args) => serve::serve(&args),
        Command::Demo(args) => crate::demo::demo(&args),
        Command::Decode(args) => decode::decode(&args),
        Command::Inspect(args) => decode::inspect(&args),
        Command::Import(args) => import::import(&args),
        Command::Send(args) => send::send(&args),
        Command::Top(args) => ask::top(&args),
        Command::Series(args) => ask::series(&args),
        Command::Flows(args) => ask::flows(&args),
        Command::Exporters(args) => ask::exporters(&args),
        Command::Recording(command) => recording::run(&command),
        Command::Reclassify(args) => ask::reclassify(&args),
        Command::Backup(args) => backup::back_up(&args),
        Command::Restore(args) => backup::restore(&args),
        Command::Audit(AuditCommand::Check(args)) => audit::check(&args),
        Command::Config(command) => configuration::run(&command),
        Command::Doctor(args) => doctor::doctor(&args),
        Command::Completions { shell } => {
            // Into memory: it panics where it cannot write, as to a `head` that has seen enough.
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "flowreel", &mut script);
            crate::output::print_text(script)
        }
        Command::Engine(args) => serve::engine(&args),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
