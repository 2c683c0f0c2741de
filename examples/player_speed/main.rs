//! How fast a player of a large recording is: from the command to seek until its frame is there, and how late frames come
//! while it plays as fast as it was. The real program, asked over HTTP; run with `--release`, after the program itself.
//! `player_speed [MILLIONS]` (10 million flows of one hour).
#![expect(clippy::print_stdout, reason = "printing is what it is for")]

mod listening;
#[path = "../end_to_end_speed/processes.rs"]
#[allow(dead_code, reason = "each example uses a part of it")]
mod processes;
mod product;
mod recording;

use std::time::Duration;

use anyhow::{Context as _, Result};
use flow::Timestamp;
use flow::clock::{NANOS_PER_MILLI, Stopwatch};
use serde_json::{Value, json};

use listening::Listening;
use product::Product;
use recording::{LENGTH, START};

/// Seeks of each view, and from one to the next at least, as a person would: frames come at most ten times a second.
const SEEKS: u64 = 60;
const PAUSE: Duration = Duration::from_millis(150);
/// Frames that are played.
const PLAYED: usize = 30;
/// What is aimed at, milliseconds.
const SEEK_GOAL_MS: u64 = 200;
const FRAME_GOAL_MS: u64 = 100;

fn main() -> Result<()> {
    let millions = std::env::args().nth(1).map_or(Ok(10), |text| text.parse());
    let millions: u64 = millions.context("player_speed [MILLIONS]")?;
    let cores = std::thread::available_parallelism()?;
    let product = Product::start()?;
    let watch = Stopwatch::start();
    let flows = product.import(millions * 1_000_000)?;
    println!(
        "{flows} flows of an hour, imported in {:.0} s; {cores} cores; goals: seek {SEEK_GOAL_MS} ms, frame {FRAME_GOAL_MS} ms",
        watch.elapsed().as_secs_f64()
    );
    product.settle()?;
    println!(
        "{:48} {:>5} {:>5} {:>5} {:>5}  ms",
        "", "p50", "p95", "most", "CPU"
    );
    let views = [
        (
            "top applications",
            json!({"top": {"dimension": "applications"}}),
        ),
        (
            "series of applications",
            json!({"series": {"dimension": "applications"}}),
        ),
        ("series of octets", json!({"series": {}})),
    ];
    for (name, view) in views {
        for knowledge in ["then", "final"] {
            let mut trial = Trial::of(&product, &view, knowledge)?;
            let before = product.engine_cpu_s()?;
            let seeks = trial.seeks()?;
            let between = product.engine_cpu_s()?;
            say(
                &format!("seek, {name}, {knowledge}"),
                seeks,
                between - before,
            );
            let frames = trial.frames()?;
            let spent = product.engine_cpu_s()? - between;
            say(&format!("frames at 1x, {name}, {knowledge}"), frames, spent);
        }
    }
    Ok(())
}

/// A player, and whoever listens to it.
struct Trial<'a> {
    product: &'a Product,
    id: String,
    listening: Listening,
}

impl<'a> Trial<'a> {
    fn of(product: &'a Product, view: &Value, knowledge: &str) -> Result<Self> {
        let body = json!({"recording": "load", "views": {"all": view}, "knowledge": knowledge});
        let made = product.post("/api/v1/players", &body)?;
        let id = made["id"].as_str().context("id")?.to_owned();
        let listening = Listening::to(product.url(), &id)?;
        Ok(Self {
            product,
            id,
            listening,
        })
    }

    fn tell(&self, command: &Value) -> Result<()> {
        let path = format!("/api/v1/players/{}", self.id);
        self.product.post(&path, command).map(drop)
    }

    /// From the command until the frame has been read.
    fn seeks(&mut self) -> Result<Vec<Duration>> {
        let mut times = Vec::new();
        let minutes = LENGTH.as_secs() - 120;
        for number in 0..SEEKS {
            // All over the recording, never at whole seconds.
            let millis = number.wrapping_mul(7_919_317) % (minutes * 1000);
            let to = START + Duration::from_secs(60) + Duration::from_millis(millis);
            std::thread::sleep(PAUSE);
            let watch = Stopwatch::start();
            self.tell(&json!({"do": "seek", "to": to}))?;
            self.listening.frame_at(to)?;
            times.push(watch.elapsed());
        }
        Ok(times)
    }

    /// How far the position had gone on when the frame was sent: at 1x that is how late it was.
    fn frames(&mut self) -> Result<Vec<Duration>> {
        let from = START + LENGTH / 2;
        self.tell(&json!({"do": "seek", "to": from}))?;
        self.listening.frame_at(from)?;
        self.tell(&json!({"do": "play"}))?;
        let mut times = Vec::new();
        while times.len() < PLAYED {
            let frame = self.listening.frame()?;
            let time = |at: &Value| {
                at.as_str()
                    .context("a time")?
                    .parse::<Timestamp>()
                    .context("a time")
            };
            let late = time(&frame["state"]["position"])?.nanos_since(time(&frame["position"])?);
            times.push(Duration::from_nanos(late.unsigned_abs()));
        }
        Ok(times)
    }
}

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        self.product.end(&self.id);
    }
}

/// Median, 95th percentile and longest, and the engine's processor time for each.
fn say(what: &str, mut times: Vec<Duration>, cpu_s: f64) {
    times.sort();
    let at = |share: usize| {
        let place = (times.len() * share / 100).min(times.len() - 1);
        times[place].as_nanos() / u128::from(NANOS_PER_MILLI.unsigned_abs())
    };
    println!(
        "{what:48} {:>5} {:>5} {:>5} {:>5.0}",
        at(50),
        at(95),
        at(100),
        cpu_s * 1000.0 / times.len() as f64
    );
}
