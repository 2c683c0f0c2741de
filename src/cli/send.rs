//! `flowreel send`: the datagrams of a capture back on the wire.

use anyhow::{Context as _, Result};
use collector::capture::{CaptureFile, Selection};
use replay::wire::{self, Pace, Sources};

use super::SendArgs;

/// Reads, paces and sends.
pub(crate) fn send(args: &SendArgs) -> Result<()> {
    let to = wire::resolve(&args.to)?;
    let pace = match args.rate {
        Some(0) => Pace::AsFastAsPossible,
        Some(rate) => Pace::Rate {
            per_second: super::ask::approximate(rate),
        },
        None => Pace::AsRecorded { speed: args.speed },
    };
    pace.check()?;
    let selection = Selection {
        ports: args.port.clone(),
        ..Selection::default()
    };
    let mut capture = CaptureFile::open(&args.file, selection)?;
    let mut problem = None;
    let datagrams = std::iter::from_fn(|| match capture.next()? {
        Ok(datagram) => Some(datagram),
        Err(error) => {
            problem = Some(error);
            None
        }
    });
    let stop = super::serve::stop_flag()?;
    let summary = wire::send(datagrams, to, pace, Sources::Own, &stop, |_| {})?;
    let sent = &summary.progress;
    eprintln!(
        "{} datagrams sent to {to} in {:.3} s",
        sent.datagrams,
        sent.elapsed.as_secs_f64()
    );
    if sent.refused > 0 {
        eprintln!("{to} said {} times that nobody listens there", sent.refused);
    }
    if sent.unsent > 0 {
        eprintln!("{} datagrams could not be sent", sent.unsent);
    }
    match problem {
        Some(error) => Err(error).context("the rest was not sent"),
        None => Ok(()),
    }
}
