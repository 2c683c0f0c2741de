//! Fault 47: the power goes after any change of any file. Whatever the disk then makes of what was not forced to it, what
//! was forced to it is there, in its order, at its positions, and the rest is counted.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod power;
mod tape;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flow::{Datagram, TapePosition};
use power::{Fate, Journal, Snapshot, cut, refused};
use replay::{Disk, End, Pins, Recovery, TapeConfig, TapeReader, TapeWriter};
use tape::{append, datagram, number, second};

/// What is done to a tape.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Appends this many datagrams of this many octets.
    Append(u64, usize),
    Seal,
    Sync,
    Compress,
    /// Keeps this many octets.
    Retain,
    /// Pins the two oldest segments, or lets them go.
    Pin(bool),
    /// Writes down, as the server does, that everything up to the tape's end is stored.
    Checkpoint,
    /// Closes the tape and opens it again.
    Reopen,
}

/// What everybody could rely on after a step.
struct Promise {
    /// Changes of the disk up to here.
    changes: usize,
    /// Forced to disk.
    synced: TapePosition,
    /// Segments on tape.
    segments: BTreeSet<u32>,
    /// Datagrams appended.
    appended: u64,
    checkpoint: Option<Checkpoint>,
}

type Checkpoint = (TapePosition, u64);

/// A tape on a watched disk, and the truth about it.
struct World {
    root: tempfile::TempDir,
    journal: Arc<Journal>,
    writer: Option<TapeWriter>,
    pins: Pins,
    given: BTreeMap<TapePosition, Datagram>,
    promises: Vec<Promise>,
    checkpoint: Option<Checkpoint>,
}

/// A folder in memory, where there is one: forcing to disk thousands of times takes no time there.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

fn config(root: &Path) -> TapeConfig {
    TapeConfig {
        max_octets: 256 << 10,
        ..tape::config(&root.join("tape"))
    }
}

/// A datagram whose payload, but for its number, compresses well.
fn plain(number: u64, octets: usize) -> Datagram {
    let mut made = datagram(number, octets);
    let mut payload = made.payload[..8].to_vec();
    payload.resize(octets.max(8), 7);
    made.payload = payload.into();
    made
}

impl World {
    fn new() -> Self {
        let root = folder();
        let journal = Arc::new(Journal::default());
        let mut world = Self {
            root,
            journal,
            writer: None,
            pins: Pins::default(),
            given: BTreeMap::new(),
            promises: Vec::new(),
            checkpoint: None,
        };
        world.open();
        world.promise();
        world
    }

    fn disk(&self) -> Disk {
        Disk::watched(Arc::clone(&self.journal) as _)
    }

    fn open(&mut self) {
        let (mut writer, _) =
            TapeWriter::open_on(self.disk(), config(self.root.path()), second(0)).unwrap();
        let (position, datagrams) = self.checkpoint.unwrap_or_default();
        writer.begin_after(position, datagrams, second(0)).unwrap();
        self.writer = Some(writer);
    }

    fn writer(&mut self) -> &mut TapeWriter {
        self.writer.as_mut().unwrap()
    }

    fn all(steps: &[Step]) -> Self {
        let mut world = Self::new();
        for step in steps {
            world.step(*step);
            world.promise();
        }
        world
    }

    fn step(&mut self, step: Step) {
        let (checkpoint, pins) = (self.checkpoint, self.pins.clone());
        match step {
            Step::Append(count, octets) => self.append(count, octets),
            Step::Seal => self.writer().seal(second(1)).unwrap(),
            Step::Sync => drop(self.writer().tail().sync()),
            Step::Compress => drop(self.writer().tail().compress_next().unwrap()),
            Step::Retain => {
                let stored = checkpoint.unwrap_or_default().0;
                self.writer().retain(second(2), stored, &pins).unwrap();
            }
            Step::Pin(true) => self.pins.pin("recording", 1..=2),
            Step::Pin(false) => self.pins.unpin("recording"),
            Step::Checkpoint => {
                let checkpoint = (self.writer().end(), self.writer().datagrams_total());
                let folder = self.root.path().join("checkpoint");
                std::fs::create_dir_all(&folder).unwrap();
                let text = serde_json::to_vec(&checkpoint).unwrap();
                self.disk()
                    .replace(&checkpoint_path(self.root.path()), &text)
                    .unwrap();
                self.checkpoint = Some(checkpoint);
            }
            Step::Reopen => {
                self.writer = None;
                self.open();
            }
        }
    }

    fn append(&mut self, count: u64, octets: usize) {
        let first = self.writer().datagrams_total();
        let from = self.writer().end();
        let datagrams: Vec<_> = (first..first + count).map(|n| plain(n, octets)).collect();
        append(self.writer(), &datagrams);
        let tail = self.writer().tail();
        let mut reader = TapeReader::open(&config(self.root.path()).dir, from, Some(tail));
        let read = tape::read_all(&mut reader);
        assert_eq!(read.len() as u64, count);
        self.given.extend(read);
    }

    fn promise(&mut self) {
        let writer = self.writer.as_ref().unwrap();
        self.promises.push(Promise {
            changes: self.journal.len(),
            synced: writer.tail().synced(),
            segments: segments(self.root.path()),
            appended: writer.datagrams_total(),
            checkpoint: self.checkpoint,
        });
    }

    /// What could be relied on after `changes`, and what may have been done beyond it.
    fn promised(&self, changes: usize) -> (&Promise, &Promise) {
        let after = self
            .promises
            .partition_point(|promise| promise.changes <= changes);
        let before = &self.promises[after.saturating_sub(1)];
        (before, self.promises.get(after).unwrap_or(before))
    }

    /// Cuts the power after so many changes, and looks at everything that was promised.
    fn cut(&self, changes: usize, fate: Fate) {
        let left = folder();
        let kept = self.journal.kept()[..changes].to_vec();
        cut(
            &Snapshot::default(),
            &kept,
            fate,
            self.root.path(),
            left.path(),
        );
        if changes < self.promises[0].changes {
            // The tape was never opened: there is nothing to be there, but it must not be in the way.
            open_after(left.path());
            return;
        }
        self.look(
            left.path(),
            changes,
            &format!("{fate:?} after {changes} changes"),
        );
    }

    fn look(&self, left: &Path, changes: usize, what: &str) {
        let (before, doing) = self.promised(changes);
        let checkpoint = read_checkpoint(left);
        assert!(
            checkpoint == before.checkpoint || checkpoint == doing.checkpoint,
            "{what}: {checkpoint:?}"
        );
        let (mut writer, recovery) = open_after(left);
        let on_tape = numbered(left, what);
        for (position, (number, datagram)) in &on_tape {
            assert_eq!(
                self.given.get(position),
                Some(datagram),
                "{what}: invented at {position}"
            );
            // Where neither the header nor its copy had been forced to disk nobody knows what is missing before them.
            let unknown = *position >= before.synced && recovery.damaged_headers > 0;
            assert!(
                tape::number(datagram) == *number || unknown && tape::number(datagram) > *number,
                "{what}: counted as {number} at {position}: {}",
                tape::number(datagram)
            );
        }
        for (position, datagram) in self.given.range(..before.synced) {
            let must = [before, doing]
                .iter()
                .all(|p| p.segments.contains(&position.segment));
            assert!(
                !must || on_tape.contains_key(position),
                "{what}: {} at {position} was on disk and is gone",
                number(datagram)
            );
        }
        assert!(recovery.datagrams_total <= doing.appended, "{what}");
        self.go_on(left, &mut writer, recovery, checkpoint, what);
    }

    /// What comes now stands behind everything that anybody remembers, and the books balance.
    fn go_on(
        &self,
        left: &Path,
        writer: &mut TapeWriter,
        recovery: Recovery,
        checkpoint: Option<Checkpoint>,
        what: &str,
    ) {
        let (position, datagrams) = checkpoint.unwrap_or_default();
        let lost = writer.begin_after(position, datagrams, second(9)).unwrap();
        let uncounted = datagrams.saturating_sub(recovery.datagrams_total);
        assert!(
            lost == uncounted || recovery.damaged_headers > 0,
            "{what}: {lost}"
        );
        let new: Vec<_> = (0..3).map(|n| plain(1_000_000 + n, 20)).collect();
        append(writer, &new);
        let dir = config(left).dir;
        let mut reader = TapeReader::open(&dir, position, Some(writer.tail())).expecting(datagrams);
        let read = tape::read_all(&mut reader);
        let fresh: Vec<_> = read
            .iter()
            .filter(|(_, d)| number(d) >= 1_000_000)
            .collect();
        assert_eq!(fresh.len(), 3, "{what}");
        let known = numbered(left, what);
        let last_old = known.iter().rfind(|(_, (_, d))| number(d) < 1_000_000);
        let last_old = last_old.map_or(position, |(at, _)| position.max(*at));
        assert!(fresh[0].0 > last_old, "{what}: {} given twice", fresh[0].0);
        let counts = reader.counts();
        let accounted = counts.datagrams + counts.missing + counts.damaged + counts.lost;
        assert_eq!(
            datagrams + accounted,
            writer.datagrams_total(),
            "{what}: from {position}, {datagrams}: {counts:?}, {recovery:?}"
        );
        assert_eq!(
            reader.next_number(),
            Some(writer.datagrams_total()),
            "{what}"
        );
    }
}

fn checkpoint_path(root: &Path) -> PathBuf {
    root.join("checkpoint").join("checkpoint.json")
}

fn read_checkpoint(root: &Path) -> Option<Checkpoint> {
    let text = std::fs::read(checkpoint_path(root)).ok()?;
    Some(serde_json::from_slice(&text).unwrap())
}

fn open_after(root: &Path) -> (TapeWriter, Recovery) {
    TapeWriter::open(config(root), second(8)).unwrap()
}

/// The datagrams on tape, with the numbers that the tape gives them.
fn numbered(root: &Path, what: &str) -> BTreeMap<TapePosition, (u64, Datagram)> {
    let mut reader = TapeReader::open(&config(root).dir, TapePosition::START, None).expecting(0);
    let mut found = BTreeMap::new();
    while let Some((position, datagram)) = reader.read(1, usize::MAX).unwrap().pop() {
        let number = reader.next_number().unwrap() - 1;
        let last = found.last_key_value().map(|(last, _)| *last);
        assert!(last < Some(position), "{what}: {position} after {last:?}");
        found.insert(position, (number, datagram));
    }
    found
}

fn segments(root: &Path) -> BTreeSet<u32> {
    let dir = config(root).dir;
    let names = [tape::files(&dir, ".tape"), tape::files(&dir, ".tape.zst")].concat();
    let number = |path: &PathBuf| path.file_name()?.to_str()?.split('.').next()?.parse().ok();
    names.iter().filter_map(number).collect()
}

/// Everything that the tape can do, in an order in which each step meets the traces of the others.
fn script() -> Vec<Step> {
    use Step::{Append, Checkpoint, Compress, Pin, Reopen, Retain, Seal, Sync};
    vec![
        Append(3, 100),
        Sync,
        Append(4, 5000),
        Checkpoint,
        Seal,
        Append(2, 40),
        Compress,
        Sync,
        Append(30, 3000),
        Checkpoint,
        Append(1, 9000),
        Pin(true),
        Seal,
        Append(40, 2900),
        Sync,
        Compress,
        Seal,
        Retain,
        Append(12, 9000),
        Append(12, 9000),
        Append(12, 9000),
        Checkpoint,
        Sync,
        Retain,
        Reopen,
        Append(3, 64),
        Compress,
        Pin(false),
        Checkpoint,
        Seal,
        Retain,
        Append(5, 20),
        Sync,
        Append(9, 700),
        Reopen,
        Append(2, 300),
    ]
}

const FATES: [Fate; 4] = [Fate::Lost, Fate::Kept, Fate::NamesOnly, Fate::OctetsOnly];

#[test]
fn case_47_the_power_goes_after_every_single_change() {
    let world = World::all(&script());
    assert!(world.journal.len() > 100, "{}", world.journal.len());
    for changes in 0..=world.journal.len() {
        for fate in FATES {
            world.cut(changes, fate);
        }
        for chance in 0..3 {
            world.cut(changes, Fate::Chance((changes as u64) << 8 | chance));
        }
    }
}

#[test]
fn case_47_the_power_goes_in_work_of_any_order() {
    for seed in 1..=10_u64 {
        let mut chance = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut draw = |below: u64| {
            chance ^= chance << 13;
            chance ^= chance >> 7;
            chance ^= chance << 17;
            (chance >> 11) % below
        };
        let steps: Vec<_> = (0..40)
            .map(|_| match draw(12) {
                0..=3 => {
                    let octets = [8, 300, 4000, 9000][usize::try_from(draw(4)).unwrap()];
                    Step::Append(1 + draw(14), octets)
                }
                4 | 5 => Step::Seal,
                6 => Step::Sync,
                7 => Step::Compress,
                8 => Step::Retain,
                9 => Step::Checkpoint,
                10 => Step::Pin(draw(2) == 0),
                _ => Step::Reopen,
            })
            .collect();
        let world = World::all(&steps);
        for cut in 0..40 {
            let changes = usize::try_from(draw(world.journal.len() as u64 + 1)).unwrap();
            world.cut(changes, Fate::Chance(seed << 32 | cut));
        }
    }
}

#[test]
fn case_47_the_power_goes_again_while_the_tape_is_mended() {
    let world = World::all(&script());
    for changes in (world.promises[0].changes..world.journal.len()).step_by(17) {
        let first = folder();
        let kept = world.journal.kept()[..changes].to_vec();
        let fate = Fate::Chance(changes as u64);
        cut(
            &Snapshot::default(),
            &kept,
            fate,
            world.root.path(),
            first.path(),
        );
        let snapshot = Snapshot::take(first.path());
        let journal = Arc::new(Journal::default());
        let disk = Disk::watched(Arc::clone(&journal) as _);
        drop(TapeWriter::open_on(disk, config(first.path()), second(7)).unwrap());
        let mending = journal.kept().clone();
        for done in 0..=mending.len() {
            for fate in [Fate::Lost, Fate::Kept, Fate::Chance(done as u64)] {
                let second = folder();
                cut(
                    &snapshot,
                    &mending[..done],
                    fate,
                    first.path(),
                    second.path(),
                );
                let what = format!("{fate:?} after {changes} changes and {done} of mending");
                world.look(second.path(), changes, &what);
            }
        }
    }
}

/// What cannot be told apart from outside is told apart by who wrote the lock's file, and when the machine was started.
#[test]
fn case_47_how_a_tape_was_left_is_said() {
    let root = folder();
    let (writer, recovery) = TapeWriter::open(config(root.path()), second(0)).unwrap();
    assert_eq!(recovery.end, End::Clean);
    let lock = config(root.path()).dir.join("LOCK");
    let held = std::fs::read_to_string(&lock).unwrap();
    drop(writer);
    let end = |said: &str| {
        std::fs::write(&lock, said).unwrap();
        TapeWriter::open(config(root.path()), second(1))
            .unwrap()
            .1
            .end
    };
    assert_eq!(end(""), End::Clean);
    assert_eq!(end(&held), End::Killed);
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    assert!(held.contains(boot.trim()), "{held}");
    let other = held.replace(boot.trim(), "6a3be0f0-0000-4000-8000-000000000000");
    assert_eq!(end(&other), End::PowerCut);
    assert_eq!(std::fs::read_to_string(&lock).unwrap(), "", "closed again");
}

/// After a failed fsync the system takes for written what is not on disk: the tape writes it again before it says that it is.
#[test]
fn case_47_what_could_not_be_forced_to_disk_is_written_again() {
    let mut world = World::new();
    world.step(Step::Append(5, 3000));
    world.step(Step::Seal);
    world.step(Step::Append(5, 3000));
    world.journal.refuse(|_, change| match change {
        replay::disk::Change::Sync(_) => refused(nix::libc::EIO, 0),
        _ => None,
    });
    let tail = world.writer().tail();
    assert!(tail.sync().is_err());
    assert!(tail.sync().is_err());
    assert!(tail.synced() < world.writer().end());
    world.step(Step::Append(5, 40));
    world.promise();
    world.journal.allow();
    world.step(Step::Sync);
    world.promise();
    assert_eq!(tail.synced(), tail.end());
    assert_eq!(tail.counts().fsync_failures, 2);
    for fate in FATES {
        world.cut(world.journal.len(), fate);
    }
}
