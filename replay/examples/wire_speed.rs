//! Prints how punctual and how fast datagrams go out to a socket on this machine:
//! `cargo run --release -p replay --example wire_speed`.
#![expect(clippy::print_stdout, reason = "printing is what it is for")]
#![expect(clippy::cast_precision_loss, reason = "rates for people")]

use std::error::Error;
use std::net::UdpSocket;
use std::sync::atomic::AtomicBool;

use bytes::Bytes;
use flow::{Datagram, Feed, Timestamp};
use replay::wire::{Pace, send};

fn main() -> Result<(), Box<dyn Error>> {
    // Bound and never read: what does not fit its buffer the kernel throws away.
    let sink = UdpSocket::bind("127.0.0.1:0")?;
    let datagram = Datagram {
        received_at: Timestamp::EPOCH,
        source: ([192, 0, 2, 1], 2055).into(),
        local_port: 2055,
        feed: Feed::WIRE,
        payload: Bytes::from(vec![5; 1400]),
    };
    let paces = [
        (
            "50,000 a second",
            Pace::Rate {
                per_second: 50_000.0,
            },
            250_000,
        ),
        ("flat out", Pace::AsFastAsPossible, 1_000_000),
    ];
    for (name, pace, count) in paces {
        let datagrams = std::iter::repeat_n(datagram.clone(), count);
        let stop = AtomicBool::new(false);
        let summary = send(datagrams, sink.local_addr()?, pace, &stop, |_| {})?;
        let progress = summary.progress;
        println!(
            "{name}: {:.0} datagrams/s, late p50 {:?}, p99 {:?}, max {:?}",
            progress.datagrams as f64 / progress.elapsed.as_secs_f64(),
            summary.lateness.percentile(50),
            summary.lateness.percentile(99),
            summary.lateness.max(),
        );
    }
    Ok(())
}
