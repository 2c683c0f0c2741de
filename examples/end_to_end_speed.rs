//! Prints the rate and the CPU time from UDP to stored, with the real server and engine, and beside it nfcapd doing its
//! part on the same datagrams: `cargo run --release --example end_to_end_speed [SECONDS] [FLOWS_PER_SECOND]`.
#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use flow::clock::{self, Stopwatch};
use flow::{Accounting, Datagram, Feed};
use replay::wire::{Pace, send};
use serde_json::Value;
use simulator::load::{Load, LoadConfig, LoadShape};

/// How long the store may take to catch up after the last datagram.
const PATIENCE: Duration = Duration::from_secs(120);
/// After this time without a datagram nothing more comes, whatever became of it.
const SILENCE: Duration = Duration::from_secs(10);

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let seconds: u64 = args.next().map_or(Ok(10), |text| text.parse())?;
    let flows_per_second: u64 = args.next().map_or(Ok(200_000), |text| text.parse())?;
    let cores = std::thread::available_parallelism()?;
    println!(
        "{cores} cores, the sender on them as well; {seconds} s at {flows_per_second} flows/s"
    );
    for shape in [LoadShape::V5Full, LoadShape::V9Full] {
        let offer = Offer::new(shape, seconds, flows_per_second);
        println!(
            "{}: {} datagrams, {} flows",
            shape.name(),
            offer.datagrams,
            offer.flows()
        );
        flowreel(&offer)?;
        nfcapd(&offer)?;
    }
    Ok(())
}

/// What is sent.
struct Offer {
    shape: LoadShape,
    datagrams: u64,
    per_second: f64,
}

impl Offer {
    fn new(shape: LoadShape, seconds: u64, flows_per_second: u64) -> Self {
        let records = shape.records() as u64;
        let datagrams = (seconds * flows_per_second).div_ceil(records);
        Self {
            shape,
            datagrams,
            per_second: flows_per_second as f64 / records as f64,
        }
    }

    fn flows(&self) -> u64 {
        self.datagrams * self.shape.records() as u64
    }

    fn send(&self, to: SocketAddr) -> Result<Duration> {
        let now = clock::now();
        let mut load = Load::new(LoadConfig::new(self.shape, now));
        let datagram = |payload: Bytes| Datagram {
            received_at: now,
            source: ([127, 0, 0, 1], 2055).into(),
            local_port: to.port(),
            feed: Feed::WIRE,
            payload,
        };
        let template = load.template().map(datagram);
        let data =
            (0..self.datagrams).map(|_| datagram(Bytes::copy_from_slice(load.next_payload())));
        let pace = Pace::Rate {
            per_second: self.per_second,
        };
        let summary = send(
            template.into_iter().chain(data),
            to,
            pace,
            &AtomicBool::new(false),
            |_| {},
        )?;
        Ok(summary.progress.elapsed)
    }
}

fn flowreel(offer: &Offer) -> Result<()> {
    let data = tempfile::tempdir()?;
    let program = beside_this_program("flowreel")?;
    let server = Running(
        Command::new(program)
            .args([
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--http",
                "127.0.0.1:0",
                "--data-dir",
            ])
            .arg(data.path())
            .env("FLOWREEL_LOG__LEVEL", "error")
            .stdin(Stdio::null())
            .spawn()?,
    );
    let running: Value = until(|| {
        let text = std::fs::read(data.path().join("running.json")).ok()?;
        serde_json::from_slice(&text).ok()
    })?;
    let url = format!("http://{}", running["http"].as_str().context("http")?);
    until(|| ureq::get(format!("{url}/readyz")).call().ok())?;
    let pid = server.0.id();
    let engine = child_of(pid).context("the engine")?;
    let before = (cpu_seconds(pid)?, cpu_seconds(engine)?);
    let watch = Stopwatch::start();
    let listen: SocketAddr = running["listen"][0].as_str().context("listen")?.parse()?;
    let sent_in = offer.send(listen)?;
    let mut most = (0, Stopwatch::start());
    let books: Accounting = until(|| {
        let books: Accounting = ureq::get(format!("{url}/api/v1/accounting"))
            .call()
            .ok()?
            .body_mut()
            .read_json()
            .ok()?;
        // What the kernel dropped after the last datagram that it handed over, only its own table says.
        let expected = offer.datagrams - kernel_drops(listen.port()).min(offer.datagrams);
        if books.datagrams.received > most.0 {
            most = (books.datagrams.received, Stopwatch::start());
        }
        let in_hand = books.datagrams.received >= expected || most.1.elapsed() > SILENCE;
        (in_hand && books.datagrams.on_tape == 0).then_some(books)
    })?;
    let stored_in = watch.elapsed();
    let drops = kernel_drops(listen.port());
    let million = books.records.stored as f64 / 1e6;
    println!(
        "  flowreel  sent in {:.1} s, stored and visible after {:.1} s: {:.0} flows/s; kernel drops {}, other drops {}",
        sent_in.as_secs_f64(),
        stored_in.as_secs_f64(),
        books.records.stored as f64 / stored_in.as_secs_f64(),
        drops.max(books.kernel_drops),
        books.datagrams.dropped_total(),
    );
    println!(
        "            CPU s per million flows: server {:.2}, engine {:.2}; resident: server {} MB, engine {} MB",
        (cpu_seconds(pid)? - before.0) / million,
        (cpu_seconds(engine)? - before.1) / million,
        resident_mb(pid)?,
        resident_mb(engine)?,
    );
    Ok(())
}

/// nfcapd receives and writes files; it does not index.
fn nfcapd(offer: &Offer) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let port = UdpSocket::bind("127.0.0.1:0")?.local_addr()?.port();
    let child = Command::new("nfcapd")
        .args([
            "-b",
            "127.0.0.1",
            "-p",
            &port.to_string(),
            "-t",
            "3600",
            "-B",
            "33554432",
            "-z",
            "-w",
        ])
        .arg(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(child) = child else {
        println!("  nfcapd    is not installed");
        return Ok(());
    };
    let peer = Running(child);
    let pid = peer.0.id();
    until(|| {
        std::fs::read_to_string("/proc/net/udp")
            .ok()?
            .contains(&format!(":{port:04X} "))
            .then_some(())
    })?;
    let before = cpu_seconds(pid)?;
    offer.send(([127, 0, 0, 1], port).into())?;
    let used = cpu_seconds(pid)? - before;
    drop(peer);
    println!(
        "  nfcapd    CPU s per million flows offered: {:.2} (receives and writes files, no index)",
        used / (offer.flows() as f64 / 1e6)
    );
    Ok(())
}

/// A process that is told to end, and waited for.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(pid) = i32::try_from(self.0.id()) {
            let _ = nix::sys::signal::kill(
                nix::unistd::Pid::from_raw(pid),
                nix::sys::signal::Signal::SIGTERM,
            );
        }
        let _ = self.0.wait();
    }
}

fn until<T>(mut attempt: impl FnMut() -> Option<T>) -> Result<T> {
    let watch = Stopwatch::start();
    loop {
        if let Some(found) = attempt() {
            return Ok(found);
        }
        if watch.elapsed() > PATIENCE {
            bail!("it takes too long");
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

fn beside_this_program(name: &str) -> Result<PathBuf> {
    let folder = std::env::current_exe()?;
    let folder = folder
        .parent()
        .and_then(Path::parent)
        .context("target folder")?;
    let program = folder.join(name);
    anyhow::ensure!(
        program.is_file(),
        "{}: build it first, `cargo build --release`",
        program.display()
    );
    Ok(program)
}

/// What the kernel dropped at the sockets of this port so far: the last field of proc_net_udp(5)'s lines.
fn kernel_drops(port: u16) -> u64 {
    let table = std::fs::read_to_string("/proc/net/udp").unwrap_or_default();
    let at = format!(":{port:04X}");
    let rows = table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.filter(|row| row.get(1).is_some_and(|local| local.ends_with(&at)))
        .filter_map(|row| row.last()?.parse::<u64>().ok())
        .sum()
}

fn child_of(pid: u32) -> Option<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    tasks.flatten().find_map(|task| {
        let children = std::fs::read_to_string(task.path().join("children")).ok()?;
        children.split_whitespace().next()?.parse().ok()
    })
}

/// User and system time so far, from fields 14 and 15 of proc(5)'s stat, in hundredths of a second.
fn cpu_seconds(pid: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let after_name = stat.rsplit_once(')').context("stat")?.1;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    Ok((fields[11].parse::<f64>()? + fields[12].parse::<f64>()?) / 100.0)
}

fn resident_mb(pid: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .context("VmRSS")?;
    let kilobytes: u64 = line.split_whitespace().nth(1).context("VmRSS")?.parse()?;
    Ok(kilobytes / 1000)
}
