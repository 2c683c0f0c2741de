//! A recording of many flows: how fast it is copied, leaves, and comes in, as a file of its own kind and as a capture that is
//! decoded again.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use flow::clock::{self, Stopwatch};

use crate::exporters::Offer;
use crate::peers::Peer;
use crate::product::Product;

/// What is sent before the recording is made.
pub(crate) fn recordings(offer: Offer) -> Result<()> {
    let product = Product::start(true)?;
    let from = clock::now() - Duration::from_secs(60);
    let sent = offer.send(product.listen())?;
    let flows = product.finished(sent)?.records.stored;
    let folder = tempfile::tempdir()?;
    let at = |name: &str| folder.path().join(name).display().to_string();
    let (reel, capture) = (at("it.reel"), at("it.pcapng"));
    println!("recording of {flows} flows in {} datagrams", sent.datagrams);
    let timed = Timed {
        product: &product,
        flows,
    };
    let from = from.to_string();
    timed.step("cut", &["cut", "--name", "it", "--from", &from])?;
    timed.step("a file, held by reference", &["export", "it", "-o", &reel])?;
    timed.step("tape and tables of its own", &["keep", "it"])?;
    timed.step("a file", &["export", "it", "-o", &reel])?;
    timed.step(
        "a file, anonymized",
        &["export", "it", "-o", &at("anonymous"), "--anonymize"],
    )?;
    timed.step("a capture", &["export", "it", "--pcap", "-o", &capture])?;
    println!(
        "  octets a flow: file {:.1}, capture {:.1}",
        octets(&reel)? as f64 / flows as f64,
        octets(&capture)? as f64 / flows as f64
    );
    timed.step("deleted", &["delete", "it"])?;
    timed.step("the file comes in", &["import", &reel])?;
    timed.step(
        "the capture comes in, decoded again",
        &["import", &capture, "--name", "again"],
    )?;
    drop(product);
    match Peer::start("-y")? {
        Some(peer) => peer.replay(offer),
        None => Ok(()),
    }
}

struct Timed<'a> {
    product: &'a Product,
    flows: u64,
}

impl Timed<'_> {
    fn step(&self, what: &str, words: &[&str]) -> Result<()> {
        let (watch, before) = (Stopwatch::start(), self.product.spent()?);
        self.product.recording(words)?;
        let (seconds, spent) = (
            watch.elapsed().as_secs_f64(),
            self.product.spent()?.since(&before),
        );
        let flows = self.flows as f64;
        println!(
            "  {what}: {seconds:.2} s, {:.0} flows/s; CPU s per million flows: server {:.2}, engine {:.2}",
            flows / seconds,
            spent.server / (flows / 1e6),
            spent.engine / (flows / 1e6),
        );
        Ok(())
    }
}

fn octets(path: &str) -> Result<u64> {
    Ok(Path::new(path).metadata()?.len())
}
