//! Prints how punctual and how fast datagrams go out to a socket on this machine:
//! `cargo run --release -p replay --example wire_speed`. Kept sources need the capability `CAP_NET_RAW`.
#![expect(clippy::print_stdout, reason = "printing is what it is for")]
#![expect(clippy::cast_precision_loss, reason = "rates for people")]

use std::error::Error;
use std::net::UdpSocket;
use std::sync::atomic::AtomicBool;

use bytes::Bytes;
use flow::{Datagram, Feed, Timestamp};
use replay::wire::{Pace, Sources, send};

const RECORDED: Pace = Pace::AsRecorded { speed: 1.0 };
const RATE: Pace = Pace::Rate {
    per_second: 50_000.0,
};

/// `count` datagrams, `nanos` apart, from the sources in turns.
fn datagrams(count: u32, nanos: u32, sources: u32) -> impl Iterator<Item = Datagram> {
    let payload = Bytes::from(vec![5; 1400]);
    (0..count).map(move |number| Datagram {
        received_at: Timestamp::from_nanos(i64::from(number) * i64::from(nanos)),
        source: ((0x0a01_0000 + number % sources).to_be_bytes(), 2055).into(),
        local_port: 2055,
        feed: Feed::WIRE,
        payload: payload.clone(),
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    // Bound and never read: what does not fit its buffer the kernel throws away.
    let sink = UdpSocket::bind("127.0.0.1:0")?;
    let (own, kept, fast) = (Sources::Own, Sources::Kept, Pace::AsFastAsPossible);
    let runs = [
        ("50,000 a second, even", RATE, own, 1, 250_000, 0),
        (
            "as recorded, 1,000 a second",
            RECORDED,
            own,
            40,
            5_000,
            1_000_000,
        ),
        (
            "as recorded, 10,000 a second",
            RECORDED,
            own,
            40,
            50_000,
            100_000,
        ),
        (
            "as recorded, 50,000 a second",
            RECORDED,
            own,
            40,
            250_000,
            20_000,
        ),
        (
            "the same, sources kept",
            RECORDED,
            kept,
            40,
            250_000,
            20_000,
        ),
        (
            "the same, 300 sources kept",
            RECORDED,
            kept,
            300,
            250_000,
            20_000,
        ),
        ("flat out", fast, own, 1, 1_000_000, 0),
        ("flat out, 40 sources kept", fast, kept, 40, 1_000_000, 0),
        (
            "flat out, 1,000 sources kept",
            fast,
            kept,
            1_000,
            500_000,
            0,
        ),
    ];
    for (name, pace, keep, sources, count, nanos) in runs {
        let datagrams = datagrams(count, nanos, sources);
        let stop = AtomicBool::new(false);
        let summary = send(datagrams, sink.local_addr()?, pace, keep, &stop, |_| {})?;
        let progress = summary.progress;
        println!(
            "{name}: {:.0} datagrams/s, late p50 {:?}, p99 {:?}, max {:?}",
            progress.datagrams as f64 / progress.elapsed.as_secs_f64(),
            summary.lateness.percentile(50),
            summary.lateness.percentile(99),
            summary.lateness.max(),
        );
        if let Some(why) = summary.not_kept {
            println!(
                "    {} sources of this machine's: {why}",
                summary.sources_own
            );
        }
    }
    Ok(())
}
