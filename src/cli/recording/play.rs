//! Datagrams of a recording, or a capture, back on the wire: `flowreel recording play` and `flowreel send`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use collector::capture::{CaptureFile, Selection};
use collector::decode::DecodeConfig;
use collector::fields::FieldTable;
use collector::rewrite::{Sequences, TimeMove};
use flow::{Datagram, Timestamp, clock};
use replay::reel::{Reel, read_tape};
use replay::wire::{self, Looped, Pace, Sources, Summary};

use super::args::PlayArgs;
use super::captured;
use crate::cli::WayArgs;
use crate::cli::ask::{Server, approximate};
use crate::cli::serve::stop_flag;

/// Datagrams that can be read again and again.
pub(crate) enum Source {
    /// The tape of a `.reel` file, unpacked.
    Tape(tempfile::TempDir),
    /// A capture, and what of it.
    Capture(PathBuf, Selection),
    /// A capture of a server's recording.
    Fetched(tempfile::NamedTempFile),
}

type Datagrams = Box<dyn Iterator<Item = Result<Datagram>>>;

/// How datagrams are sent.
pub(crate) struct Sending<'a> {
    pub(crate) way: &'a WayArgs,
    pub(crate) endless: bool,
    pub(crate) rewrite_time: bool,
    pub(crate) sources: Sources,
}

pub(super) fn play(args: &PlayArgs) -> Result<()> {
    let source = Source::open(args)?;
    let sending = Sending {
        way: &args.way,
        endless: args.endless,
        rewrite_time: args.rewrite_time,
        sources: match args.own_source {
            true => Sources::Own,
            false => Sources::Kept,
        },
    };
    send(&source, &sending)
}

/// Reads, paces and sends, until all is sent or somebody stops it.
pub(crate) fn send(source: &Source, sending: &Sending<'_>) -> Result<()> {
    let to = wire::resolve(&sending.way.to)?;
    let pace = match sending.way.rate {
        Some(0) => Pace::AsFastAsPossible,
        Some(rate) => Pace::Rate {
            per_second: approximate(rate),
        },
        None => Pace::AsRecorded {
            speed: sending.way.speed,
        },
    };
    pace.check()?;
    let loops_max = (!sending.endless).then_some(1);
    let mut looped = Looped::new(|| source.datagrams(), loops_max);
    let mut rewriting = Rewriting::new(sending);
    let mut problem = None;
    let datagrams = std::iter::from_fn(|| match looped.next()? {
        Ok((number, datagram)) => Some(rewriting.datagram(number, datagram)),
        Err(error) => {
            problem = Some(error);
            None
        }
    });
    let stop = stop_flag()?;
    let summary = wire::send(datagrams, to, pace, sending.sources, &stop, |_| {})?;
    report(&summary, &to.to_string());
    match problem {
        Some(error) => Err(error).context("the rest was not sent"),
        None => Ok(()),
    }
}

fn report(summary: &Summary, to: &str) {
    let sent = &summary.progress;
    let seconds = sent.elapsed.as_secs_f64();
    eprintln!(
        "{} datagrams sent to {to} in {seconds:.3} s",
        sent.datagrams
    );
    let late = summary.lateness.percentile(99);
    if late > std::time::Duration::ZERO {
        let late = late.as_secs_f64() * 1000.0;
        eprintln!("one in a hundred left more than {late:.1} ms after its time");
    }
    if let Some(why) = &summary.not_kept {
        let (own, all) = (
            summary.sources_own,
            summary.sources_own + summary.sources_kept,
        );
        eprintln!("{own} of {all} exporters are sent from an address of this machine: {why}");
    }
    if sent.refused > 0 {
        eprintln!("{to} said {} times that nobody listens there", sent.refused);
    }
    if sent.unsent > 0 {
        eprintln!("{} datagrams could not be sent", sent.unsent);
    }
}

impl Source {
    fn open(args: &PlayArgs) -> Result<Self> {
        let path = Path::new(&args.recording);
        if !path.exists() {
            let server = Server::new(&args.server)?;
            return Ok(Self::Fetched(captured(&server, &args.recording)?));
        }
        if !Reel::is_reel(path)? {
            return Ok(Self::Capture(path.to_owned(), Selection::default()));
        }
        let reel = Reel::open(path)?;
        reel.verify()?;
        let folder = tempfile::tempdir().context("no temporary folder can be made")?;
        reel.extract_tape(folder.path())?;
        Ok(Self::Tape(folder))
    }

    /// From the first datagram on.
    fn datagrams(&self) -> Result<Datagrams> {
        match self {
            Self::Tape(folder) => {
                let datagrams = read_tape(folder.path());
                Ok(Box::new(datagrams.map(|datagram| Ok(datagram?))))
            }
            Self::Capture(path, selection) => capture(path, selection.clone()),
            Self::Fetched(file) => capture(file.path(), Selection::default()),
        }
    }
}

fn capture(path: &Path, selection: Selection) -> Result<Datagrams> {
    let capture = CaptureFile::open(path, selection)?;
    Ok(Box::new(capture.map(|datagram| Ok(datagram?))))
}

/// What is changed in datagrams on their way out.
struct Rewriting {
    times: Option<TimeMove>,
    sequences: Option<Sequences>,
    began: Timestamp,
    /// When the first datagram of the first loop, and of this one, is said to have arrived.
    firsts: Option<(Timestamp, Timestamp)>,
    number: u64,
}

impl Rewriting {
    fn new(sending: &Sending<'_>) -> Self {
        let config = DecodeConfig::default;
        let moving = || TimeMove::new(config(), FieldTable::builtin());
        let counting = || Sequences::new(config(), FieldTable::builtin());
        Self {
            times: sending.rewrite_time.then(moving),
            sequences: sending.endless.then(counting),
            began: clock::now(),
            firsts: None,
            number: 0,
        }
    }

    /// A datagram of this loop, as it leaves.
    fn datagram(&mut self, number: u64, mut datagram: Datagram) -> Datagram {
        let at = datagram.received_at;
        let (first, mut of_loop) = self.firsts.unwrap_or((at, at));
        if number != self.number {
            (self.number, of_loop) = (number, at);
        }
        self.firsts = Some((first, of_loop));
        if let Some(sequences) = &mut self.sequences {
            if number == 0 {
                sequences.learn(&datagram);
            }
            datagram = sequences.datagram(&datagram, number);
        }
        if let Some(times) = &mut self.times {
            // Its times are those of the first loop still; by whole seconds, as headers have no others.
            let from_loop = of_loop.seconds() - first.seconds();
            let moved = self.began.seconds() - first.seconds() + from_loop;
            datagram = times.datagram(&datagram, moved);
            // The pace is that of the loops.
            datagram.received_at = at;
        }
        datagram
    }
}
