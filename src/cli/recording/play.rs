//! `flowreel recording play`: the datagrams of a recording back on the wire.

use std::path::Path;

use anyhow::{Context as _, Result};
use collector::capture::{CaptureFile, Selection};
use flow::Datagram;
use replay::reel::{PartKind, Reel, read_tape};

use super::args::PlayArgs;
use super::captured;
use crate::cli::ask::Server;

/// Datagrams that can be read again and again.
pub(super) enum Source {
    /// The tape of a `.reel` file, unpacked.
    Tape(tempfile::TempDir),
    /// A capture.
    Capture(std::path::PathBuf),
    /// A capture of a server's recording.
    Fetched(tempfile::NamedTempFile),
}

impl Source {
    pub(super) fn open(args: &PlayArgs) -> Result<Self> {
        let path = Path::new(&args.recording);
        if !path.exists() {
            let server = Server::new(&args.server.server);
            return Ok(Self::Fetched(captured(&server, &args.recording)?));
        }
        if !Reel::is_reel(path)? {
            return Ok(Self::Capture(path.to_owned()));
        }
        let reel = Reel::open(path)?;
        reel.verify()?;
        let folder = tempfile::tempdir().context("no temporary folder can be made")?;
        for (number, part) in reel.parts(PartKind::Tape).into_iter().enumerate() {
            let name = PartKind::Tape.name(number + 1);
            let name = name.trim_start_matches("tape/");
            let mut file = std::fs::File::create_new(folder.path().join(name))?;
            reel.extract(part, &mut file)?;
        }
        Ok(Self::Tape(folder))
    }

    /// From the first datagram on.
    pub(super) fn datagrams(&self) -> Result<Box<dyn Iterator<Item = Result<Datagram>>>> {
        let capture = |path: &Path| -> Result<Box<dyn Iterator<Item = Result<Datagram>>>> {
            let mut capture = CaptureFile::open(path, Selection::default())?;
            let next = move || capture.next().map(|datagram| Ok(datagram?));
            Ok(Box::new(std::iter::from_fn(next)))
        };
        match self {
            Self::Tape(folder) => {
                let datagrams = read_tape(folder.path());
                Ok(Box::new(datagrams.map(|datagram| Ok(datagram?))))
            }
            Self::Capture(path) => capture(path),
            Self::Fetched(file) => capture(file.path()),
        }
    }
}

pub(super) fn play(args: &PlayArgs) -> Result<()> {
    let source = Source::open(args)?;
    let _ = source.datagrams()?;
    Ok(())
}
