//! What is measured, one function for each.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use anyhow::{Context as _, Result};
use flow::clock::Stopwatch;
use flow::{Accounting, DropKind};

use crate::exporters::{Exporters, Offer, Sent};
use crate::marks;
use crate::peers::{self, Peer};
use crate::processes::{cpu_of_this_thread, until};
use crate::product::Product;
use crate::recorded::Source;

/// What became of an offer.
struct Outcome {
    sent: Sent,
    /// CPU seconds of the sender.
    sender: f64,
    books: Accounting,
    kernel_drops: u64,
    /// From the first datagram to the last row.
    took: Duration,
}

/// How fast datagrams can be offered: to a socket that nobody reads.
pub(crate) fn sender(offer: Offer) -> Result<()> {
    let sink = UdpSocket::bind("127.0.0.1:0")?;
    let before = cpu_of_this_thread()?;
    let sent = Offer {
        rate: None,
        ..offer
    }
    .send(sink.local_addr()?)?;
    let seconds = sent.took.as_secs_f64();
    println!(
        "sender alone, {}: {:.2} M flows/s, {:.0} datagrams/s; {:.3} CPU s per million flows",
        offer.shape.name(),
        sent.flows as f64 / seconds / 1e6,
        sent.datagrams as f64 / seconds,
        (cpu_of_this_thread()? - before) / millions(sent.flows),
    );
    Ok(())
}

/// UDP in, tape, decoded, normalised; nothing stored.
pub(crate) fn road(offer: Offer) -> Result<()> {
    let product = Product::start(false)?;
    let before = product.spent()?;
    let outcome = run(&product, offer)?;
    let spent = product.spent()?.since(&before);
    say("road", offer, &outcome);
    let million = millions(outcome.sent.flows);
    let threads: Vec<String> = spent
        .threads
        .iter()
        .filter(|(_, seconds)| **seconds / million > 0.0005)
        .map(|(name, seconds)| format!("{name} {:.3}", seconds / million))
        .collect();
    println!(
        "  CPU s per million flows: server {:.3} ({}); sender {:.3}; resident at most {} MB",
        spent.server / million,
        threads.join(", "),
        outcome.sender / million,
        product.resident(true)?.0,
    );
    Ok(())
}

/// UDP in, stored and queryable, and nfcapd.
pub(crate) fn stored(offer: Offer) -> Result<()> {
    let product = Product::start(true)?;
    let before = product.spent()?;
    let outcome = run(&product, offer)?;
    let spent = product.spent()?.since(&before);
    say("stored", offer, &outcome);
    let million = millions(outcome.books.records.stored);
    let (server_mb, engine_mb) = product.resident(true)?;
    println!(
        "  CPU s per million flows: server {:.2}, engine {:.2}, sender {:.3}; resident at most: server {server_mb} MB, \
         engine {engine_mb} MB",
        spent.server / million,
        spent.engine / million,
        outcome.sender / million,
    );
    drop(product);
    match Peer::start("-z")? {
        Some(peer) => peer.receive(offer),
        None => Ok(()),
    }
}

/// A burst of five times the rate in the middle.
pub(crate) fn burst(offer: Offer) -> Result<()> {
    let product = Product::start(true)?;
    let rate = offer.rate.context("a burst is of a rate")?;
    let (mut exporters, mut sent) = Exporters::start(offer.shape, offer.traffic, product.listen())?;
    let (calm, ten) = (Duration::from_secs(5), Duration::from_secs(10));
    for (rate, time) in [(rate, calm), (rate * 5.0, ten)] {
        sent.add(exporters.send(Some(rate), time)?);
    }
    let watch = Stopwatch::start();
    let behind = product.books()?.datagrams.on_tape;
    let mut caught_up = None;
    // The usual load goes on.
    while caught_up.is_none() && watch.elapsed() < Duration::from_secs(120) {
        sent.add(exporters.send(Some(rate), Duration::from_millis(500))?);
        let waits = product.books()?.datagrams.on_tape as f64;
        let a_second = rate / offer.shape.records() as f64;
        caught_up = (waits < a_second).then(|| watch.elapsed());
    }
    let books = product.finished(sent)?;
    println!(
        "burst, {}: {:.0} flows/s for 10 s after {rate:.0}; {behind} datagrams behind at its end, caught up (less than a \
         second behind) after {:.1} s; {}",
        offer.shape.name(),
        rate * 5.0,
        caught_up.unwrap_or(watch.elapsed()).as_secs_f64(),
        losses(&books, product.kernel_drops()),
    );
    Ok(())
}

/// From a datagram on its way to an answer that has its flow.
pub(crate) fn latency(offer: Offer) -> Result<()> {
    let product = Product::start(true)?;
    let (to, seconds) = (product.listen(), offer.time);
    let (mut exporters, mut sent) = Exporters::start(offer.shape, offer.traffic, to)?;
    let load = std::thread::spawn(move || exporters.send(offer.rate, seconds));
    let delays = marks::delays(&product, seconds, &mut sent)?;
    sent.add(load.join().map_err(|_| anyhow::anyhow!("the sender"))??);
    let books = product.finished(sent)?;
    let at =
        |share: usize| delays[(delays.len() * share / 100).min(delays.len() - 1)].as_secs_f64();
    println!(
        "latency at {:.0} flows/s, {}: {} marks; from sent to answered: p50 {:.2} s, p99 {:.2} s, most {:.2} s; {}",
        offer.rate.unwrap_or(0.0),
        offer.shape.name(),
        delays.len(),
        at(50),
        at(99),
        at(100),
        losses(&books, product.kernel_drops()),
    );
    Ok(())
}

/// Resident memory, ten times over the time.
pub(crate) fn memory(offer: Offer) -> Result<()> {
    let product = Product::start(true)?;
    let (mut exporters, mut sent) = Exporters::start(offer.shape, offer.traffic, product.listen())?;
    println!(
        "memory at {:.0} flows/s, {}:",
        offer.rate.unwrap_or(0.0),
        offer.shape.name()
    );
    for tenth in 1..=10 {
        sent.add(exporters.send(offer.rate, offer.time / 10)?);
        let ((server, engine), books) = (product.resident(false)?, product.books()?);
        println!(
            "  after {:.0} s: server {server} MB, engine {engine} MB; {} datagrams on tape only",
            (offer.time * tenth / 10).as_secs_f64(),
            books.datagrams.on_tape,
        );
    }
    let books = product.finished(sent)?;
    println!("  {}", losses(&books, product.kernel_drops()));
    Ok(())
}

/// Octets on disk for each flow: of the load, of the simulated enterprise, of captures.
pub(crate) fn size(offer: Offer) -> Result<()> {
    size_of(offer.shape.name(), &|to| offer.send(to))?;
    for source in [Source::Enterprise, Source::Captures] {
        size_of(source.name(), &|to| source.send(to))?;
    }
    Ok(())
}

fn size_of(name: &str, send: &dyn Fn(SocketAddr) -> Result<Sent>) -> Result<()> {
    let product = Product::start(true)?;
    let sent = send(product.listen())?;
    let books = product.finished(sent)?;
    let octets = settled_octets(&product)?;
    println!(
        "size, {name}: flowreel's table of flows {:.1} octets a flow ({} flows); {}",
        octets as f64 / books.records.stored as f64,
        books.records.stored,
        losses(&books, product.kernel_drops()),
    );
    drop(product);
    match Peer::start("-y")? {
        Some(peer) => peer.size(send),
        None => Ok(()),
    }
}

/// Octets of the table when its parts have not been merged any more for ten seconds.
fn settled_octets(product: &Product) -> Result<u64> {
    let (mut octets, mut since) = (0, Stopwatch::start());
    until("parts are merged", || {
        let now = product.ask("/api/v1/inventory").ok()?["octets_on_disk"].as_u64()?;
        if now != octets {
            (octets, since) = (now, Stopwatch::start());
        }
        (since.elapsed() > Duration::from_secs(10)).then_some(octets)
    })
}

/// The largest of many flows.
pub(crate) fn top(offer: Offer) -> Result<()> {
    let product = Product::start(true)?;
    let outcome = run(&product, offer)?;
    say("top", offer, &outcome);
    // Merging is the storing's work, not the questions'.
    settled_octets(&product)?;
    for question in peers::QUESTIONS {
        let before = product.spent()?;
        let watch = Stopwatch::start();
        product.ask(question.ours)?;
        let (took, spent) = (watch.elapsed(), product.spent()?.since(&before));
        println!(
            "  flowreel {}: {:.3} s, {:.2} CPU s",
            question.ours,
            took.as_secs_f64(),
            spent.server + spent.engine,
        );
    }
    drop(product);
    match Peer::start("-y")? {
        Some(peer) => peer.top(offer),
        None => Ok(()),
    }
}

fn run(product: &Product, offer: Offer) -> Result<Outcome> {
    let (watch, before) = (Stopwatch::start(), cpu_of_this_thread()?);
    let sent = offer.send(product.listen())?;
    let sender = cpu_of_this_thread()? - before;
    let books = product.finished(sent)?;
    Ok(Outcome {
        sent,
        sender,
        books,
        kernel_drops: product.kernel_drops(),
        took: watch.elapsed(),
    })
}

fn say(what: &str, offer: Offer, outcome: &Outcome) {
    let sent = outcome.sent;
    let seconds = sent.took.as_secs_f64();
    println!(
        "{what}, {}: offered {:.0} flows/s ({:.0} datagrams/s) for {seconds:.1} s; all done {:.1} s after the last; \
         {:.0} flows/s in all; {}",
        offer.shape.name(),
        sent.flows as f64 / seconds,
        sent.datagrams as f64 / seconds,
        outcome.took.saturating_sub(sent.took).as_secs_f64(),
        sent.flows as f64 / outcome.took.as_secs_f64(),
        losses(&outcome.books, outcome.kernel_drops),
    );
}

/// What is neither stored nor, without a store, left on tape.
pub(crate) fn losses(books: &Accounting, kernel_drops: u64) -> String {
    let dropped: Vec<String> = books
        .datagrams
        .dropped
        .iter()
        .filter(|(kind, count)| **kind != DropKind::NotKept && **count > 0)
        .map(|(kind, count)| format!("{} {count}", kind.name()))
        .collect();
    match (kernel_drops.max(books.kernel_drops), dropped.is_empty()) {
        (0, true) if books.datagrams.on_tape > 0 => {
            format!(
                "nothing lost, {} datagrams on tape only",
                books.datagrams.on_tape
            )
        }
        (0, true) => "nothing lost".to_owned(),
        (kernel, _) => format!("LOST: kernel {kernel}, {}", dropped.join(", ")),
    }
}

fn millions(count: u64) -> f64 {
    count as f64 / 1e6
}
