//! What is done to a running product, and what may come of it.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use flow::TapePosition;
use flow::clock::Stopwatch;
use nix::sys::signal::Signal;

use super::chance::Chance;
use super::lab::Lab;
use super::signal;

/// What may happen to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Injury {
    /// `kill -9` of the server, while it receives.
    KillServer,
    /// `kill -9` of the engine, while it stores.
    KillEngine,
    /// SIGSTOP of the engine, for a while.
    HangEngine,
    /// Not an octet is left on the disk, for a while.
    FillDisk,
    /// No file can be opened, for a while.
    NoMoreFiles,
    /// The clock goes forward and back, by hours.
    StepClock,
    /// The tape's end is damaged or cut off while the server is down.
    DamageTape,
    /// A checkpoint, a state or all of them are damaged or deleted while the server is down.
    LoseCheckpoint,
    /// SIGTERM, and a start.
    Restart,
    /// SIGHUP.
    Hangup,
}

impl Injury {
    pub(crate) const ALL: &'static [Self] = &[
        Self::KillServer,
        Self::KillEngine,
        Self::HangEngine,
        Self::FillDisk,
        Self::NoMoreFiles,
        Self::StepClock,
        Self::DamageTape,
        Self::LoseCheckpoint,
        Self::Restart,
        Self::Hangup,
    ];

    /// What a short trial tries: those that no other test does by themselves, and one that makes it read all again.
    pub(crate) const SHORT: &'static [Self] = &[
        Self::NoMoreFiles,
        Self::StepClock,
        Self::DamageTape,
        Self::LoseCheckpoint,
        Self::KillServer,
    ];
}

/// How hard it is tried.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Severity {
    /// Datagrams of each exporter in a second.
    pub(crate) pace: u32,
    /// What goes on for a while goes on for no longer than this, milliseconds.
    pub(crate) longest_ms: u64,
}

impl Lab {
    /// Does it, under load. What is lost then is noted.
    pub(crate) fn injure(&mut self, injury: Injury, severity: Severity, chance: &mut Chance) {
        let clear = self.mark();
        self.fleet.go_on(severity.pace);
        pass(chance.millis(50, 800));
        let a_while = chance.millis(severity.longest_ms / 2, severity.longest_ms + 1);
        match injury {
            Injury::KillServer => {
                self.kill();
                self.again(clear);
            }
            Injury::Restart => {
                assert!(self.stop() < Duration::from_secs(5));
                self.again(clear);
            }
            Injury::KillEngine => {
                self.signal_engine(Signal::SIGKILL);
                pass(chance.millis(50, 500));
            }
            Injury::HangEngine => {
                let engine = self.signal_engine(Signal::SIGSTOP);
                pass(a_while);
                if self.server().try_engine() == Some(engine) {
                    signal(engine, Signal::SIGCONT);
                }
            }
            Injury::Hangup => {
                signal(self.server().pid(), Signal::SIGHUP);
                pass(chance.millis(50, 200));
            }
            Injury::FillDisk => {
                // What is stored may be given up at once where there is no room: it must have been read.
                self.mark();
                self.ledger.read_tape(&self.place.path(), &self.fleet);
                self.place.fill();
                self.fleet.go_on(severity.pace);
                self.pass_reading(a_while);
                self.place.free();
            }
            Injury::NoMoreFiles => {
                let who = match chance.between(0, 3) {
                    0 => self.server().engine(),
                    _ => self.server().pid(),
                };
                let before = files_max(who);
                set_files_max(who, &open_files(who).to_string());
                pass(a_while);
                set_files_max(who, &before);
            }
            Injury::StepClock => self.step_clock(a_while, clear),
            Injury::DamageTape => self.damage_tape(clear, chance),
            Injury::LoseCheckpoint => {
                let known = self.server().accounting();
                self.kill();
                damage_checkpoint(&self.data().join("checkpoint"), chance);
                self.again(clear);
                let left = self.server().accounting();
                self.ledger.note_books_lost(&known, &left);
            }
        }
    }

    /// Starts the server again; what was sent since `clear` may have met nobody.
    fn again(&mut self, clear: Duration) {
        self.start();
        // What was sent up to here may have come before the sockets were open.
        self.ledger.note_outage(clear, self.fleet.since.elapsed());
    }

    /// Lets time go by; who sends goes on, and the tape is read before it has to make room.
    fn pass_reading(&mut self, time: Duration) {
        let watch = Stopwatch::start();
        while watch.elapsed() < time {
            pass(Duration::from_millis(50));
            self.ledger.read_tape(&self.place.path(), &self.fleet);
        }
    }

    /// Starts the product anew with a clock that can be set (faketime(1)), and steps it while it works.
    fn step_clock(&mut self, each: Duration, clear: Duration) {
        let Some(library) = faketime() else {
            return;
        };
        let file = self.place.path().with_file_name("clock");
        let set = |offset: &str| std::fs::write(&file, offset).unwrap();
        set("+0");
        let inside = self.place.inside().with_file_name("clock");
        let before = std::mem::replace(
            &mut self.launch.environment,
            vec![
                ("LD_PRELOAD".to_owned(), library.into()),
                ("FAKETIME_TIMESTAMP_FILE".to_owned(), inside.into()),
                ("FAKETIME_CACHE_DURATION".to_owned(), "1".into()),
                // Only the time of day is set by people.
                ("DONT_FAKE_MONOTONIC".to_owned(), "1".into()),
                ("FAKETIME_DONT_FAKE_MONOTONIC".to_owned(), "1".into()),
                ("NO_FAKE_STAT".to_owned(), "1".into()),
            ],
        );
        self.stop();
        self.again(clear);
        for offset in ["+3600", "-7200", "+90000", "+0"] {
            set(offset);
            pass(each / 2);
        }
        let clear = self.mark();
        self.launch.environment = before;
        self.stop();
        self.again(clear);
    }

    /// Kills the server with something on tape that is not stored, destroys some of the tape's end, and starts it.
    fn damage_tape(&mut self, clear: Duration, chance: &mut Chance) {
        self.signal_engine(Signal::SIGSTOP);
        pass(chance.millis(300, 900));
        self.mark();
        self.ledger.read_tape(&self.place.path(), &self.fleet);
        self.kill();
        let destroyed = damage_end(&self.place.path(), chance, &self.ledger);
        self.ledger.note_destroyed(destroyed);
        self.again(clear);
    }
}

/// Flips octets in the last segment, or cuts it off; says what stood there.
fn damage_end(
    data: &Path,
    chance: &mut Chance,
    ledger: &super::ledger::Ledger,
) -> Vec<TapePosition> {
    let (segment, path) = last_segment(data);
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .unwrap();
    let length = file.metadata().unwrap().len();
    let header = 64;
    if length <= header {
        return Vec::new();
    }
    let at = chance.between(header.max(length.saturating_sub(20_000)), length);
    let all = ledger.positions_from(TapePosition { segment, offset: 0 });
    let is_before = |position: &&TapePosition| u64::from(position.offset) <= at;
    let hit = all.iter().rfind(is_before).copied();
    if chance.between(0, 2) == 0 {
        let mut octet = [0];
        file.read_exact_at(&mut octet, at).unwrap();
        file.write_all_at(&[octet[0] ^ 0x55], at).unwrap();
        return hit.into_iter().collect();
    }
    file.set_len(at).unwrap();
    all.into_iter()
        .filter(|position| hit.is_none_or(|hit| *position >= hit))
        .collect()
}

/// Cuts one file of the checkpoint's folder off, changes an octet of it, or deletes it; or that happens to all of them.
fn damage_checkpoint(folder: &Path, chance: &mut Chance) {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    // The order of a folder is not the same on every machine.
    files.sort();
    let one = usize::try_from(chance.between(0, files.len() as u64)).unwrap();
    let hit = match chance.between(0, 3) {
        0 => files,
        _ => vec![files.swap_remove(one)],
    };
    let (how, place) = (chance.between(0, 3), chance.number());
    eprintln!("damage of kind {how}: {hit:?}");
    for path in hit {
        let mut octets = std::fs::read(&path).unwrap();
        let at = usize::try_from(place % octets.len().max(1) as u64).unwrap();
        match how {
            0 => std::fs::remove_file(&path).unwrap(),
            1 => std::fs::write(&path, &octets[..at]).unwrap(),
            _ => {
                octets[at] ^= 0x55;
                std::fs::write(&path, &octets).unwrap();
            }
        }
    }
}

/// The last segment that is not compressed, and its number.
pub(crate) fn last_segment(data: &Path) -> (u32, PathBuf) {
    let files = std::fs::read_dir(data.join("tape")).unwrap().flatten();
    let numbered = files.filter_map(|file| {
        let number = file
            .file_name()
            .to_str()?
            .strip_suffix(".tape")?
            .parse()
            .ok()?;
        Some((number, file.path()))
    });
    numbered.max().unwrap()
}

/// Lets time go by, while something else is at work.
pub(crate) fn pass(time: Duration) {
    let watch = Stopwatch::start();
    while watch.elapsed() < time {
        std::thread::park_timeout(time - watch.elapsed().min(time));
    }
}

fn open_files(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .count()
}

/// The soft limit of open files (proc(5), `/proc/pid/limits`).
fn files_max(pid: u32) -> String {
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"));
    line.unwrap().split_whitespace().next().unwrap().to_owned()
}

/// Sets the soft limit only: raising it again is allowed to everybody.
pub(crate) fn set_files_max(pid: u32, limit: &str) {
    let pid = pid.to_string();
    let limit = format!("--nofile={limit}:");
    // A process that ended meanwhile has no limit any more.
    let _ = Command::new("prlimit")
        .args(["--pid", &pid, &limit])
        .status();
}

/// The library of Debian's package `libfaketime`; without it that part is skipped, except in CI.
fn faketime() -> Option<PathBuf> {
    let machine = std::env::consts::ARCH;
    let path = PathBuf::from(format!(
        "/usr/lib/{machine}-linux-gnu/faketime/libfaketime.so.1"
    ));
    if path.exists() {
        return Some(path);
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "{} is missing",
        path.display()
    );
    eprintln!("skipped: there is no {}", path.display());
    None
}
