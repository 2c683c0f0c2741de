//! Processes that are measured, by what proc(5) says of them.

use std::collections::BTreeMap;
use std::process::Child;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use flow::clock::Stopwatch;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);

/// A process that is told to end, and waited for.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(pid) = i32::try_from(self.0.id()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        let _ = self.0.wait();
    }
}

/// Tries until there is an answer.
pub(crate) fn until<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> Result<T> {
    let watch = Stopwatch::start();
    loop {
        if let Some(found) = attempt() {
            return Ok(found);
        }
        if watch.elapsed() > PATIENCE {
            bail!("it takes too long until {what}");
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

/// User and system time of a process so far, seconds.
pub(crate) fn cpu_seconds(pid: u32) -> Result<f64> {
    cpu_of(&format!("/proc/{pid}/stat"))
}

/// The same of each thread that lives, summed by name.
pub(crate) fn cpu_of_threads(pid: u32) -> Result<BTreeMap<String, f64>> {
    let mut threads = BTreeMap::new();
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let task = task?.path();
        let name = std::fs::read_to_string(task.join("comm"));
        let spent = cpu_of(&task.join("stat").to_string_lossy());
        // A thread that has ended since.
        let (Ok(name), Ok(spent)) = (name, spent) else {
            continue;
        };
        *threads.entry(name.trim().to_owned()).or_insert(0.0) += spent;
    }
    Ok(threads)
}

/// Fields 14 and 15, in hundredths of a second.
fn cpu_of(stat: &str) -> Result<f64> {
    let stat = std::fs::read_to_string(stat)?;
    let after_name = stat.rsplit_once(')').context("stat")?.1;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    Ok((fields[11].parse::<f64>()? + fields[12].parse::<f64>()?) / 100.0)
}

/// The calling thread's.
pub(crate) fn cpu_of_this_thread() -> Result<f64> {
    cpu_of("/proc/thread-self/stat")
}

/// Resident memory in MB of 10^6 octets: now, or the most so far.
pub(crate) fn resident_mb(pid: u32, most: bool) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let name = if most { "VmHWM:" } else { "VmRSS:" };
    let line = status.lines().find(|line| line.starts_with(name));
    let line = line.context("resident memory")?;
    let kibioctets: u64 = line.split_whitespace().nth(1).context(name)?.parse()?;
    Ok(kibioctets * 1024 / 1_000_000)
}

/// The first child of a process.
pub(crate) fn child_of(pid: u32) -> Option<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    tasks.flatten().find_map(|task| {
        let children = std::fs::read_to_string(task.path().join("children")).ok()?;
        children.split_whitespace().next()?.parse().ok()
    })
}

/// What the kernel dropped at the sockets of this port so far: the last field of /proc/net/udp's lines. `None`: nobody
/// listens there.
pub(crate) fn kernel_drops(port: u16) -> Option<u64> {
    let table = std::fs::read_to_string("/proc/net/udp").unwrap_or_default();
    let at = format!(":{port:04X}");
    let rows = table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.filter(|row| row.get(1).is_some_and(|local| local.ends_with(&at)))
        .filter_map(|row| row.last()?.parse::<u64>().ok())
        .reduce(|one, other| one + other)
}
