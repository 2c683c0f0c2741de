//! `flowreel send`: the datagrams of a capture back on the wire.

use anyhow::Result;
use collector::capture::Selection;
use replay::wire::Sources;

use super::SendArgs;
use super::recording::play::{self, Sending, Source};

/// Reads, paces and sends.
pub(crate) fn send(args: &SendArgs) -> Result<()> {
    let selection = Selection {
        ports: args.port.clone(),
        ..Selection::default()
    };
    let sending = Sending {
        way: &args.way,
        endless: false,
        rewrite_time: false,
        sources: Sources::Own,
    };
    play::send(&Source::Capture(args.file.clone(), selection), &sending)
}
