//! What the whole product does from UDP on, and what `nfcapd` and `nfdump` do on the same datagrams:
//! `cargo run --release --example end_to_end_speed -- road`. `--help` names the trials.
#![expect(clippy::print_stdout, reason = "printing is what it is for")]

mod exporters;
mod marks;
mod peers;
mod processes;
mod product;
mod recorded;
mod recordings;
mod trials;
mod viewers;

use std::time::Duration;

use anyhow::Result;
use clap::{Parser, ValueEnum};
use exporters::Offer;
use simulator::load::{LoadShape, Traffic};

/// Rates and CPU seconds per million flows, with the sender on the same machine.
#[derive(Parser)]
struct Arguments {
    /// What to measure.
    #[arg(required = true)]
    trials: Vec<Trial>,
    /// Flows a second that are offered; each trial has a default of its own.
    #[arg(long)]
    rate: Option<f64>,
    /// How long, seconds.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Only this kind of datagram: v5, v9 or ipfix.
    #[arg(long)]
    only: Option<String>,
    /// Endpoints by chance, which is the worst case, instead of an office's.
    #[arg(long)]
    random: bool,
}

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Trial {
    /// The sender alone.
    Sender,
    /// UDP in, tape, decoded; nothing stored; full datagrams.
    Road,
    /// The same with one record in each datagram.
    Singles,
    /// UDP in, stored and queryable, beside nfcapd.
    Stored,
    /// Five times the rate for ten seconds, and how long it takes to catch up.
    Burst,
    /// From arrival to an answer that has it.
    Latency,
    /// Resident memory over time.
    Memory,
    /// Octets on disk for each flow, beside nfcapd's files.
    Size,
    /// The largest of many flows, beside `nfdump -s`.
    Top,
    /// A recording: copied, written to a file, read from it, decoded again; beside `nfreplay` and `nfdump -t`.
    Recordings,
    /// Fifty viewers of the live overview.
    Viewers,
}

impl Arguments {
    fn offers(&self, shapes: &[LoadShape], rate: f64) -> Vec<Offer> {
        let wanted = |shape: &&LoadShape| {
            let only = self.only.as_deref();
            only.is_none_or(|name| shape.name().starts_with(name))
        };
        let offer = |shape: &LoadShape| Offer {
            shape: *shape,
            traffic: if self.random {
                Traffic::Random
            } else {
                Traffic::Office
            },
            rate: Some(self.rate.unwrap_or(rate)),
            time: Duration::from_secs(self.seconds),
        };
        shapes.iter().filter(wanted).map(offer).collect()
    }
}

const FULL: &[LoadShape] = &[LoadShape::V5Full, LoadShape::V9Full, LoadShape::IpfixFull];
const SINGLE: &[LoadShape] = &[
    LoadShape::V5Single,
    LoadShape::V9Single,
    LoadShape::IpfixSingle,
];

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let cores = std::thread::available_parallelism()?;
    println!("{cores} cores, the sender on them as well");
    for trial in &arguments.trials {
        let (shapes, rate) = match trial {
            Trial::Sender => (LoadShape::ALL, f64::INFINITY),
            Trial::Road => (FULL, 2e6),
            Trial::Singles => (SINGLE, 2e5),
            Trial::Stored => (FULL, 5e5),
            Trial::Burst | Trial::Latency | Trial::Memory | Trial::Viewers => (&FULL[1..2], 1e5),
            Trial::Size | Trial::Top | Trial::Recordings => (&FULL[1..2], 3e5),
        };
        for offer in arguments.offers(shapes, rate) {
            match trial {
                Trial::Sender => trials::sender(offer)?,
                Trial::Road | Trial::Singles => trials::road(offer)?,
                Trial::Stored => trials::stored(offer)?,
                Trial::Burst => trials::burst(offer)?,
                Trial::Latency => trials::latency(offer)?,
                Trial::Memory => trials::memory(offer)?,
                Trial::Size => trials::size(offer)?,
                Trial::Top => trials::top(offer)?,
                Trial::Recordings => recordings::recordings(offer)?,
                Trial::Viewers => viewers::viewers(offer)?,
            }
        }
    }
    Ok(())
}
