//! How fast the store takes flows in, and how fast it answers: the top 10 of many millions, and the lines of a dashboard over 30
//! days. Run with `--release`; `questions_speed top [MILLIONS]` (20), `questions_speed month`.

mod network;

use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use engine::ServeConfig;
use flow::clock::Stopwatch;
use flow::{Filter, FlowBatch, Timestamp};
use network::{START_S, batch};
use store::question::{Dimension, Quantity, Scope, Series, Subject, Top, Window};
use store::{Config, Store};

/// Flows a second, and of a batch, where many millions are asked about.
const RATE: u64 = 10_000;
const BATCH: u64 = 100_000;
/// Hours of the dashboard, and flows in each.
const HOURS: u64 = 30 * 24;
const FLOWS_AN_HOUR: u64 = 5_000;
/// How often each line of the dashboard is asked for.
const TIMES: usize = 20;

type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments.as_slice() {
        ["engine", data_dir, socket] => serve(data_dir, socket),
        ["top"] => top(20),
        ["top", millions] => millions.parse().map_err(Failure::from).and_then(top),
        ["month"] => month(),
        _ => Err("questions_speed top [MILLIONS] | month".into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("questions_speed: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(data_dir: &str, socket: &str) -> Result<(), Failure> {
    let config = ServeConfig::new(engine::locate()?, data_dir.into(), socket.into());
    Ok(engine::serve(config)?)
}

struct Running {
    engine: Child,
    store: Store,
    _folder: tempfile::TempDir,
}

impl Running {
    async fn start() -> Result<Self, Failure> {
        let folder = tempfile::tempdir()?;
        let socket = folder.path().join("s");
        let engine = Command::new(std::env::current_exe()?)
            .arg("engine")
            .arg(folder.path().join("data"))
            .arg(&socket)
            .stdin(Stdio::piped())
            .spawn()?;
        let running = Self {
            engine,
            store: Store::new(Config::default(), Some(&socket))?,
            _folder: folder,
        };
        for _ in 0..500 {
            if running.store.ping().await.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        running.store.prepare().await?;
        Ok(running)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It ends with its standard input anyway.
        let _ = self.engine.kill();
        let _ = self.engine.wait();
    }
}

/// Through the writer, as the product does.
async fn write(store: &Store, batches: impl Iterator<Item = FlowBatch>) -> Result<u64, Failure> {
    let writer = store.writer("bench");
    let (mut rows, mut taken) = (0, Duration::ZERO);
    for (number, batch) in batches.enumerate() {
        let watch = Stopwatch::start();
        let token = format!("batch {number}");
        let refused = writer.insert(&batch, &token, flow::clock::now()).await?;
        taken += watch.elapsed();
        assert_eq!(refused.rows, 0);
        rows += batch.rows() as u64;
    }
    eprintln!(
        "writer: {rows} rows in {:.1} s, {:.0} rows/s",
        taken.as_secs_f64(),
        rows as f64 / taken.as_secs_f64(),
    );
    Ok(rows)
}

#[tokio::main]
async fn month() -> Result<(), Failure> {
    let running = Running::start().await?;
    let store = &running.store;
    let hours = (0..HOURS).map(|hour| {
        let start_s = START_S + i64::try_from(hour).unwrap_or(0) * 3600;
        batch(
            start_s,
            hour * FLOWS_AN_HOUR,
            FLOWS_AN_HOUR,
            3600 * 1_000_000_000 / FLOWS_AN_HOUR,
        )
    });
    write(store, hours).await?;
    settle(store).await?;
    let end_s = START_S + i64::try_from(HOURS).unwrap_or(0) * 3600;
    let lines = [
        (None, ""),
        (Some(Dimension::Applications), ""),
        (Some(Dimension::Sites), ""),
        (Some(Dimension::Interfaces), ""),
        (Some(Dimension::Applications), "site \"site 3\""),
    ];
    let mut all = Vec::new();
    for (dimension, filter) in lines {
        let question = Series {
            subject: subject(START_S, end_s, filter)?,
            dimension: dimension.map(Into::into),
            by: Quantity::Octets,
            limit: 10,
            step: None,
            previous: false,
        };
        let mut times = Vec::new();
        for _ in 0..TIMES {
            let watch = Stopwatch::start();
            let answer = store.series(&question).await?;
            times.push(watch.elapsed());
            assert!(!answer.lines.is_empty());
        }
        say(&format!("30 days of {dimension:?} '{filter}'"), &mut times);
        all.append(&mut times);
    }
    say("30 days, all of these", &mut all);
    Ok(())
}

/// Waits until merging has ended: nobody writes a month in a minute.
async fn settle(store: &Store) -> Result<(), Failure> {
    let (mut octets, mut since) = (0, Stopwatch::start());
    while since.elapsed() < Duration::from_secs(5) {
        let now = store.inventory().await?.octets_on_disk.unwrap_or(0);
        if now != octets {
            (octets, since) = (now, Stopwatch::start());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}

/// Median, 95th percentile and longest.
fn say(what: &str, times: &mut [Duration]) {
    times.sort();
    let at = |share: usize| times[(times.len() * share / 100).min(times.len() - 1)].as_millis();
    eprintln!(
        "{what}: p50 {} ms, p95 {} ms, most {} ms",
        at(50),
        at(95),
        at(100)
    );
}

fn subject(from_s: i64, to_s: i64, filter: &str) -> Result<Subject, Failure> {
    Ok(Subject {
        window: Window {
            from: Timestamp::from_seconds(from_s),
            to: Timestamp::from_seconds(to_s),
        },
        filter: Filter::parse(filter)?,
        known_at: None,
        arrived: None,
        scope: Scope::default(),
    })
}

#[tokio::main]
async fn top(millions: u64) -> Result<(), Failure> {
    let running = Running::start().await?;
    let batches = (0..millions * 1_000_000 / BATCH).map(|number| {
        let start_s = START_S + i64::try_from(number * BATCH / RATE).unwrap_or(0);
        batch(start_s, number * BATCH, BATCH, 1_000_000_000 / RATE)
    });
    let rows = write(&running.store, batches).await?;
    ask(&running.store, rows).await
}

async fn ask(store: &Store, rows: u64) -> Result<(), Failure> {
    let end = i64::try_from(rows / RATE)? + 60;
    let windows = [
        ("whole", 0, end / 3600 * 3600 + 3600),
        ("edges", 33, end - 47),
    ];
    let questions = [
        (Dimension::Applications, ""),
        (Dimension::Applications, "version > 0"),
        (Dimension::Applications, "port 7"),
        (Dimension::Clients, ""),
        (Dimension::Clients, "ip 10.1.0.77"),
        (Dimension::Conversations, ""),
        (Dimension::Interfaces, ""),
    ];
    for (name, from, to) in windows {
        for (dimension, filter) in questions {
            let question = Top {
                subject: subject(START_S + from, START_S + to, filter)?,
                dimension: dimension.into(),
                by: Quantity::Octets,
                limit: 10,
            };
            let mut times = Vec::new();
            for _ in 0..5 {
                let watch = Stopwatch::start();
                store.top(&question).await?;
                times.push(watch.elapsed());
            }
            let what = format!("{name:6} top {dimension:?} '{filter}' over {rows} flows");
            say(&what, &mut times);
        }
    }
    let inventory = store.inventory().await?;
    eprintln!(
        "{inventory:?}, {:.1} octets a row",
        inventory.octets_on_disk.unwrap_or(0) as f64 / inventory.flows as f64
    );
    Ok(())
}
