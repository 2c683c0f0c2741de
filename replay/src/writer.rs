//! Appends datagrams to the tape.

use std::sync::Arc;

use flow::{Datagram, DropKind, TapePosition, Timestamp};

use crate::config::TapeConfig;
use crate::directory::Lock;
use crate::error::TapeError;
use crate::frame::{self, FRAME_HEADER, FRAME_MAX};
use crate::index::Entry;
use crate::live::Live;
use crate::recovery::{self, Recovery};
use crate::retention::{Freed, Pins};
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
    next_number: u32,
    buffer: Vec<u8>,
    unchecked_octets: u64,
    crowded: bool,
    pub(crate) freed: Freed,
    failing: bool,
    _lock: Lock,
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
        config.check()?;
        std::fs::create_dir_all(&config.dir).map_err(TapeError::io("make", &config.dir))?;
        let lock = Lock::take(&config.dir)?;
        let (found, recovery) = recovery::recover(&config)?;
        let shared = Arc::new(Shared::new(config));
        {
            let mut state = shared.lock();
            state.end = found.end;
            state.datagrams_total = recovery.datagrams_total;
            state.segments = found.segments;
        }
        let mut writer = Self {
            shared,
            stored_up_to: TapePosition::START,
            pins: Pins::default(),
            live: None,
            next_number: found.next_number,
            buffer: Vec::with_capacity(WRITE_OCTETS + FRAME_MAX),
            unchecked_octets: 0,
            crowded: true,
            freed: Freed::default(),
            failing: false,
            _lock: lock,
        };
        match writer.begin(now) {
            Err(error) if !error.is_full() => Err(error),
            _ => Ok((writer, recovery)),
        }
    }

    /// Appends datagrams in their order. Readers can read them when this returns.
    ///
    /// Never fails as a whole: when the disk is full the oldest unpinned segments make room, and when there are none
    /// left, or the disk does not work, datagrams are dropped and counted. Each call tries anew.
    pub fn append(&mut self, datagrams: &[Datagram], now: Timestamp) -> Appended {
        let mut done = Appended::default();
        let mut rest = datagrams;
        while !rest.is_empty() {
            match self.write_some(rest, now, &mut done) {
                Ok(taken) => {
                    rest = rest.get(taken..).unwrap_or_default();
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

    /// Makes sure that everything appended from now on has a position behind `position`, for a tape that lost its end,
    /// or all of it, while what was read from it is remembered elsewhere.
    ///
    /// # Errors
    ///
    /// As [`seal`](Self::seal).
    pub fn begin_after(&mut self, position: TapePosition, now: Timestamp) -> Result<(), TapeError> {
        let next = position.segment.saturating_add(1);
        if self.next_number > next {
            return Ok(());
        }
        self.next_number = next;
        self.begin(now)
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
        let full = |live: &Live| live.end.saturating_add(length(first)) > segment_octets;
        if self.live.as_ref().is_none_or(full) {
            self.begin(now)?;
        }
        let Some(live) = &mut self.live else {
            return Ok(0);
        };
        let room = usize::try_from(segment_octets.saturating_sub(live.end)).unwrap_or(0);
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
            state.datagrams_total += datagrams;
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

    /// Seals what is being written and begins segment `next_number`.
    fn begin(&mut self, now: Timestamp) -> Result<(), TapeError> {
        self.seal_live();
        let shared = &self.shared;
        let number = self.next_number;
        let datagrams_before = shared.lock().datagrams_total;
        let live = Live::begin(&shared.config.dir, number, now, datagrams_before)?;
        self.next_number = number.saturating_add(1);
        {
            let mut state = shared.lock();
            state.end = live.position();
            state.names_changed = true;
            let segment = SegmentState {
                datagrams_before,
                created_at: now,
                octets_on_disk: u64::from(live.end),
                form: Form::Live,
            };
            state.segments.insert(number, segment);
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
        match self.make_room(now) {
            Ok(Some(expired)) => {
                done.expired += expired.not_stored;
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
        if !error.is_full() && self.live.as_ref().is_some_and(|live| live.datagrams > 0) {
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
    }
}

/// Octets within a segment.
fn length(octets: usize) -> u32 {
    u32::try_from(octets).unwrap_or(u32::MAX)
}
