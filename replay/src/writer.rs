//! Appends datagrams to the tape.

use std::path::Path;
use std::sync::Arc;

use flow::{Datagram, DropKind, TapePosition, Timestamp};

use crate::config::{SEGMENT_OCTETS_MAX, TapeConfig};
use crate::directory::Lock;
use crate::disk::Disk;
use crate::error::TapeError;
use crate::frame::{self, FRAME_HEADER, FRAME_MAX};
use crate::index::Entry;
use crate::live::{Begun, Live};
use crate::reader;
use crate::recovery::{self, Recovery};
use crate::retention::{Freed, Pins, Vain};
use crate::stats::{add, count};
use crate::tail::{Form, SegmentState, Shared, Tail};
use crate::upkeep::error_text;

/// Octets that one write call takes at most.
const WRITE_OCTETS: usize = 1 << 20;
/// Octets that may be appended between two looks at the free space of the file system.
const FREE_CHECK_OCTETS: u64 = 4 << 20;

/// The one writer of a tape.
///
/// It starts no threads and asks for no time. What it appends can be read at once; [`crate::Upkeep`] brings it to disk.
#[derive(Debug)]
pub struct TapeWriter {
    pub(crate) shared: Arc<Shared>,
    pub(crate) stored_up_to: TapePosition,
    pub(crate) pins: Pins,
    /// `None` after a failure: the next call begins a new one.
    pub(crate) live: Option<Live>,
    /// Behind the last number that a segment had; there may be none left.
    next_number: u64,
    /// What the tape was like when it was opened.
    found: OnOpening,
    /// Lost right before the next segment.
    lost_before: u64,
    buffer: Vec<u8>,
    unchecked_octets: u64,
    crowded: bool,
    pub(crate) freed: Freed,
    vain: Vain,
    failing: bool,
    lock: Lock,
}

/// See [`TapeWriter::begin_after`].
#[derive(Debug)]
struct OnOpening {
    /// Behind its last datagram.
    end: TapePosition,
    /// The count of its datagrams is that of its headers, and none is missing.
    counted: bool,
}

/// What became of some datagrams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Appended {
    /// On tape now.
    pub written: u64,
    /// Not on tape, as it could not be written: [`DropKind::TapeFailed`].
    pub failed: u64,
    /// Older ones, not stored yet, that had to make room: [`DropKind::TapeExpired`]. A reader that is behind counts the
    /// same ones in [`crate::ReaderCounts::missing`] when it comes to the gap; a ledger takes one of the two.
    pub expired: u64,
}

impl Appended {
    /// The drops by kind, for the ledger.
    pub fn dropped(&self) -> [(DropKind, u64); 2] {
        [
            (DropKind::TapeFailed, self.failed),
            (DropKind::TapeExpired, self.expired),
        ]
    }
}

impl TapeWriter {
    /// Opens the tape in `config.dir`, or makes it. Cuts a frame that was not written completely, and begins a new
    /// segment: positions that a reader may have seen before a power cut are never given to other datagrams.
    ///
    /// # Errors
    ///
    /// [`TapeError::Locked`] while another process writes it, [`TapeError::NewerFormat`], [`TapeError::Config`],
    /// [`TapeError::Io`]: the caller shows it and does not start. A full disk is no error.
    pub fn open(config: TapeConfig, now: Timestamp) -> Result<(Self, Recovery), TapeError> {
        Self::open_on(Disk::default(), config, now)
    }

    /// [`open`](Self::open) on a disk that a test may watch.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_on(
        disk: Disk,
        config: TapeConfig,
        now: Timestamp,
    ) -> Result<(Self, Recovery), TapeError> {
        config.check()?;
        std::fs::create_dir_all(&config.dir).map_err(TapeError::io("make", &config.dir))?;
        let (lock, left) = Lock::take(&disk, &config.dir)?;
        let (found, mut recovery) = recovery::recover(&disk, &config)?;
        recovery.end = left;
        let folder = disk
            .folder(&config.dir)
            .map_err(TapeError::io("open", &config.dir))?;
        let shared = Arc::new(Shared::new(disk, folder, config));
        {
            let mut state = shared.lock();
            state.end = found.end;
            state.synced = found.end;
            state.datagrams_total = recovery.datagrams_total;
            state.segments = found.segments;
        }
        let mut writer = Self {
            shared,
            stored_up_to: TapePosition::START,
            pins: Pins::default(),
            live: None,
            next_number: u64::from(found.last_number) + 1,
            found: OnOpening {
                end: found.end,
                counted: recovery.damaged_headers == 0,
            },
            lost_before: found.lost_before,
            buffer: Vec::with_capacity(WRITE_OCTETS + FRAME_MAX),
            unchecked_octets: 0,
            crowded: true,
            freed: Freed::default(),
            vain: Vain::default(),
            failing: false,
            lock,
        };
        match writer.begin(now) {
            Err(error) if !error.is_full() => Err(error),
            _ => Ok((writer, recovery)),
        }
    }

    /// Appends datagrams in their order. Readers can read them when this returns.
    ///
    /// Never fails as a whole: when the disk is full the oldest unpinned segments make room, those that are stored before
    /// those that are not; when there are none left, or removing them does not help, or the disk does not work, these
    /// datagrams are dropped and counted. Each call tries anew.
    pub fn append(&mut self, datagrams: &[Datagram], now: Timestamp) -> Appended {
        let mut done = Appended::default();
        let mut rest = datagrams;
        while !rest.is_empty() {
            match self.write_some(rest, now, &mut done) {
                Ok(taken) => {
                    rest = rest.get(taken..).unwrap_or_default();
                    self.vain = Vain::default();
                    self.recovered();
                }
                Err(error) if error.is_full() && self.made_room(now, &mut done) => {}
                Err(error) => {
                    self.failed(&error);
                    done.failed += count(rest.len());
                    break;
                }
            }
        }
        let stats = &self.shared.stats;
        add(&stats.appended_datagrams, done.written);
        add(&stats.failed_datagrams, done.failed);
        done
    }

    /// Behind the last datagram.
    pub fn end(&self) -> TapePosition {
        self.shared.lock().end
    }

    /// Datagrams appended since the tape was made, over all restarts.
    pub fn datagrams_total(&self) -> u64 {
        self.shared.lock().datagrams_total
    }

    /// A handle for readers and for the threads around the tape.
    pub fn tail(&self) -> Tail {
        Tail {
            shared: Arc::clone(&self.shared),
        }
    }

    /// Seals the segment that is being written, unless it is empty, and begins the next.
    ///
    /// # Errors
    ///
    /// [`TapeError::Io`] if the next cannot be begun; [`append`](Self::append) tries again.
    pub fn seal(&mut self, now: Timestamp) -> Result<(), TapeError> {
        match &self.live {
            Some(live) if live.datagrams == 0 => Ok(()),
            _ => self.begin(now),
        }
    }

    /// For a tape that lost its end, or all of it, while what was read from it is remembered elsewhere: everything
    /// appended from now on has a position behind `position`, and a number behind the `datagrams` that had been appended
    /// up to there. Returns how many of those the tape does not have any more; it says so in the next segment's header,
    /// and readers that come by count them: [`crate::ReaderCounts::lost`].
    ///
    /// # Errors
    ///
    /// As [`seal`](Self::seal), but for a full disk.
    pub fn begin_after(
        &mut self,
        position: TapePosition,
        datagrams: u64,
        now: Timestamp,
    ) -> Result<u64, TapeError> {
        let known = match self.found.counted {
            true => datagrams,
            false => reader::count_from(&self.shared.config.dir, position, datagrams)?,
        };
        let uncounted = known.saturating_sub(self.datagrams_total());
        let next = u64::from(position.segment) + 1;
        if self.next_number > next && uncounted == 0 {
            return Ok(0);
        }
        let lost = match self.found.end < position {
            true => uncounted,
            // All of them are there, and a header that could not be read had their number.
            false => 0,
        };
        self.next_number = self.next_number.max(next);
        self.lost_before = self.lost_before.saturating_add(lost);
        add(&self.shared.stats.lost_datagrams, lost);
        // What is appended may not go where the old count or the old number stands.
        self.seal_live();
        self.shared.lock().datagrams_total += uncounted;
        match self.begin(now) {
            Err(error) if !error.is_full() => Err(error),
            _ => Ok(lost),
        }
    }

    /// Writes as many datagrams as one call and this segment hold; returns how many.
    fn write_some(
        &mut self,
        datagrams: &[Datagram],
        now: Timestamp,
        done: &mut Appended,
    ) -> Result<usize, TapeError> {
        self.check_free_space(now)?;
        let first = datagrams.first().map_or(0, |first| first.payload.len());
        let first = (FRAME_HEADER + first).min(FRAME_MAX);
        let segment_octets = self.shared.config.segment_octets;
        let full = |live: &Live, most| live.end.saturating_add(length(first)) > most;
        let mut most = segment_octets;
        if self.live.as_ref().is_none_or(|live| full(live, most)) {
            match self.begin(now) {
                // No file can be opened, for example: this segment gets longer than it should, and nothing is lost.
                Err(error) if !error.is_full() => {
                    most = SEGMENT_OCTETS_MAX;
                    if self.live.as_ref().is_none_or(|live| full(live, most)) {
                        return Err(error);
                    }
                }
                begun => begun?,
            }
        }
        let Some(live) = &mut self.live else {
            return Ok(0);
        };
        let room = usize::try_from(most.saturating_sub(live.end)).unwrap_or(0);
        let mut entry = Entry::starting(live.end, live.datagrams);
        self.buffer.clear();
        let (mut taken, mut too_large) = (0, 0);
        for datagram in datagrams {
            let after = self.buffer.len() + FRAME_HEADER + datagram.payload.len();
            if taken > 0 && after > room.min(WRITE_OCTETS) {
                break;
            }
            taken += 1;
            let ordinal = live.datagrams + entry.datagrams;
            if frame::encode(&mut self.buffer, live.marker, ordinal, datagram) {
                let end = live.end + length(self.buffer.len());
                entry.add(datagram.received_at, end);
            } else {
                too_large += 1;
            }
        }
        if entry.datagrams > 0 {
            live.write(&self.buffer, &entry, now)?;
        }
        self.publish(u64::from(entry.datagrams));
        done.written += u64::from(entry.datagrams);
        done.failed += too_large;
        Ok(taken)
    }

    /// Lets readers see what was written.
    fn publish(&mut self, datagrams: u64) {
        let Some(live) = &self.live else {
            return;
        };
        {
            let mut state = self.shared.lock();
            state.end = live.position();
            state.datagrams_total = state.datagrams_total.saturating_add(datagrams);
            if let Some(segment) = state.segments.get_mut(&live.number) {
                segment.octets_on_disk = u64::from(live.end);
            }
        }
        self.shared.notify();
        let octets = count(self.buffer.len());
        self.unchecked_octets += octets;
        add(&self.shared.stats.appended_octets, octets);
        add(&self.shared.stats.writes, 1);
    }

    /// Seals what is being written and begins segment `next_number`. On an error the old one goes on.
    fn begin(&mut self, now: Timestamp) -> Result<(), TapeError> {
        if let Some(live) = &mut self.live {
            live.clean()?;
        }
        let shared = &self.shared;
        // A number that is given away twice would empty the segment that has it.
        let Ok(number) = u32::try_from(self.next_number) else {
            return Err(TapeError::NoNumberLeft {
                dir: shared.config.dir.clone(),
            });
        };
        let begun = Begun {
            number,
            at: now,
            datagrams_before: shared.lock().datagrams_total,
            lost_before: self.lost_before,
        };
        let live = Live::begin(&shared.disk, &shared.config.dir, begun)?;
        self.seal_live();
        self.next_number = u64::from(begun.number) + 1;
        self.lost_before = 0;
        let shared = &self.shared;
        {
            let mut state = shared.lock();
            state.end = live.position();
            state.names_changed = true;
            state.unsynced.insert(begun.number, Arc::clone(&live.file));
            let segment = SegmentState {
                datagrams_before: begun.datagrams_before,
                lost_before: begun.lost_before,
                created_at: now,
                octets_on_disk: u64::from(live.end),
                form: Form::Live,
            };
            state.segments.insert(begun.number, segment);
        }
        shared.notify();
        add(&shared.stats.segments_begun, 1);
        self.live = Some(live);
        Ok(())
    }

    fn seal_live(&mut self) {
        let Some(mut live) = self.live.take() else {
            return;
        };
        live.index.finish();
        add(&self.shared.stats.index_failures, live.index.failures);
        let mut state = self.shared.lock();
        if let Some(segment) = state.segments.get_mut(&live.number) {
            segment.form = match self.shared.config.compress && live.datagrams > 0 {
                true => Form::Sealed,
                false => Form::Settled,
            };
        }
    }

    /// Refuses to take the last space of the file system from others.
    fn check_free_space(&mut self, now: Timestamp) -> Result<(), TapeError> {
        if !self.crowded && self.unchecked_octets < FREE_CHECK_OCTETS {
            return Ok(());
        }
        self.unchecked_octets = 0;
        let config = &self.shared.config;
        self.crowded = self.freed.free_octets(&config.dir, now)? < config.min_free_octets;
        if self.crowded {
            let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
            return Err(TapeError::io("write", &config.dir)(full));
        }
        Ok(())
    }

    fn made_room(&mut self, now: Timestamp, done: &mut Appended) -> bool {
        if self.vain.forbids(now, self.shared.config.segment_octets) {
            return false;
        }
        match self.make_room(now) {
            Ok(Some(expired)) => {
                done.expired += expired.not_stored;
                self.vain.add(expired.octets, now);
                true
            }
            Ok(None) | Err(_) => false,
        }
    }

    fn failed(&mut self, error: &TapeError) {
        add(&self.shared.stats.write_failures, 1);
        if !self.failing {
            self.failing = true;
            let error = error_text(error);
            tracing::error!(
                error,
                "cannot write the tape; datagrams are dropped until it works again"
            );
        }
        // What fails for another reason than a full disk may be this file alone.
        let give_up = |live: &Live| live.datagrams > 0 && live.is_clean();
        if !error.is_full() && self.live.as_ref().is_some_and(give_up) {
            self.seal_live();
        }
    }

    fn recovered(&mut self) {
        if self.failing {
            self.failing = false;
            tracing::info!("the tape can be written again");
        }
    }
}

impl Drop for TapeWriter {
    fn drop(&mut self) {
        self.seal_live();
        self.shared.lock().closed = true;
        self.shared.notify();
        if self.tail().sync().is_ok() {
            self.lock.end_cleanly();
        }
    }
}

/// Whether a process writes the tape in this folder now. No folder is a tape that nobody writes.
///
/// # Errors
///
/// [`TapeError::Io`]: it is not known; tell the operator.
pub fn is_written(dir: &Path) -> Result<bool, TapeError> {
    Lock::is_taken(dir)
}

/// Octets within a segment.
fn length(octets: usize) -> u32 {
    u32::try_from(octets).unwrap_or(u32::MAX)
}
