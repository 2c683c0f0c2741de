//! Many who look at the live overview while flows arrive: how long its data takes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use flow::clock::Stopwatch;

use crate::exporters::{Exporters, Offer};
use crate::product::Product;
use crate::trials::losses;

/// Who looks.
const VIEWERS: usize = 50;
/// How often each page asks.
const EVERY: Duration = Duration::from_secs(1);
/// Flows are there before anybody looks.
const BEFORE: Duration = Duration::from_secs(10);
/// What the overview asks each second: `ui/web/src/pages/overview`.
const PAGE: [&str; 5] = [
    "/api/v1/series?dimension=applications&limit=8&last=15m",
    "/api/v1/series?by=flows&last=15m",
    "/api/v1/series?by=clients&last=15m",
    "/api/v1/top/applications?limit=50&last=15m",
    "/api/v1/exporters",
];

/// The overview's data with fifty viewers.
pub(crate) fn viewers(offer: Offer) -> Result<()> {
    let product = Product::start(true)?;
    let (mut exporters, mut sent) = Exporters::start(offer.shape, offer.traffic, product.listen())?;
    sent.add(exporters.send(offer.rate, BEFORE)?);
    let before = product.spent()?;
    let ended = Arc::new(AtomicBool::new(false));
    let looking: Vec<_> = (0..VIEWERS)
        .map(|number| {
            let (url, ended) = (product.url().to_owned(), ended.clone());
            thread::spawn(move || look(&url, number, &ended))
        })
        .collect();
    sent.add(exporters.send(offer.rate, offer.time)?);
    ended.store(true, Ordering::Relaxed);
    let mut took = Vec::new();
    for viewer in looking {
        took.extend(viewer.join().map_err(|_| anyhow!("a viewer"))??);
    }
    let spent = product.spent()?.since(&before);
    let books = product.finished(sent)?;
    ensure!(!took.is_empty(), "nobody saw anything");
    took.sort_unstable();
    let at =
        |share: usize| took[(took.len() * share / 100).min(took.len() - 1)].as_secs_f64() * 1e3;
    println!(
        "{VIEWERS} viewers of the overview, live, at {:.0} flows/s, {}: {} answers; p50 {:.0} ms, p95 {:.0} ms, most {:.0} ms; \
         cores: server {:.2}, engine {:.2}; {}",
        offer.rate.unwrap_or(0.0),
        offer.shape.name(),
        took.len(),
        at(50),
        at(95),
        at(100),
        spent.server / offer.time.as_secs_f64(),
        spent.engine / offer.time.as_secs_f64(),
        losses(&books, product.kernel_drops()),
    );
    Ok(())
}

/// One page: its questions each second, each as soon as the one before is answered.
fn look(url: &str, number: usize, ended: &AtomicBool) -> Result<Vec<Duration>> {
    let agent = ureq::Agent::new_with_defaults();
    let mut took = Vec::new();
    // Nobody opens a page at the same instant as all others.
    thread::sleep(EVERY * u32::try_from(number).unwrap_or(0) / u32::try_from(VIEWERS).unwrap_or(1));
    while !ended.load(Ordering::Relaxed) {
        let round = Stopwatch::start();
        for path in PAGE {
            let watch = Stopwatch::start();
            let answer = agent
                .get(format!("{url}{path}"))
                .header("Cache-Control", "max-age=1");
            answer.call()?.body_mut().read_to_vec()?;
            took.push(watch.elapsed());
        }
        thread::sleep(EVERY.saturating_sub(round.elapsed()));
    }
    Ok(took)
}
