//! What the writer, its threads and the readers of one tape share: its end, and waiting for it to move.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use flow::clock::Stopwatch;
use flow::{TapePosition, Timestamp};

use crate::compress;
use crate::config::TapeConfig;
use crate::disk::{Disk, DiskFile, DiskFolder};
use crate::error::TapeError;
use crate::stats::{TapeCounts, TapeStats, add};

/// Octets that are written again at a time, after forcing them to disk failed.
const AGAIN_OCTETS: usize = 1 << 20;

/// A handle on an open tape, cheap to clone. Readers that have one wake as soon as something is appended.
#[derive(Clone, Debug)]
pub struct Tail {
    pub(crate) shared: Arc<Shared>,
}

/// See [`Tail`].
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) disk: Disk,
    pub(crate) folder: DiskFolder,
    pub(crate) config: TapeConfig,
    pub(crate) stats: TapeStats,
    state: Mutex<State>,
    moved: Condvar,
}

/// What is known of the tape at one moment.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// Behind the last frame.
    pub(crate) end: TapePosition,
    /// All before it survives a power cut.
    pub(crate) synced: TapePosition,
    /// The files from `synced` to the end, open: forcing them to disk takes no file handle that may not be there.
    pub(crate) unsynced: BTreeMap<u32, Arc<DiskFile>>,
    /// Forcing to disk failed: the system may hold for written what is not.
    pub(crate) doubtful: bool,
    /// Datagrams appended since the tape was made.
    pub(crate) datagrams_total: u64,
    /// All segments, the one being written included.
    pub(crate) segments: BTreeMap<u32, SegmentState>,
    /// Names of files changed since the folder was last forced to disk.
    pub(crate) names_changed: bool,
    /// The writer is gone.
    pub(crate) closed: bool,
}

/// What is known of one segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SegmentState {
    /// Datagrams in all segments before it.
    pub(crate) datagrams_before: u64,
    /// Those right before it that the tape had lost.
    pub(crate) lost_before: u64,
    /// When it was begun.
    pub(crate) created_at: Timestamp,
    /// Octets of its files.
    pub(crate) octets_on_disk: u64,
    /// What can be done with it.
    pub(crate) form: Form,
}

/// What can be done with a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Being written.
    Live,
    /// Sealed, to be compressed.
    Sealed,
    /// Its compressed form takes its place at this moment; until then it may not be removed.
    Replaced,
    /// Sealed, and stays as it is: compressed already, or not worth it.
    Settled,
}

impl Form {
    /// Whether retention may remove it.
    pub(crate) fn may_go(self) -> bool {
        matches!(self, Self::Sealed | Self::Settled)
    }
}

impl Shared {
    pub(crate) fn new(disk: Disk, folder: DiskFolder, config: TapeConfig) -> Self {
        Self {
            disk,
            folder,
            config,
            stats: TapeStats::default(),
            state: Mutex::default(),
            moved: Condvar::new(),
        }
    }

    /// The state. Held for a few instructions only: the appending thread takes it too.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes everybody who waits for the end to move.
    pub(crate) fn notify(&self) {
        self.moved.notify_all();
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.config.dir
    }
}

impl Tail {
    /// Behind the last datagram: where the next one will be, or before it.
    pub fn end(&self) -> TapePosition {
        self.shared.lock().end
    }

    /// Behind the last datagram that survives a power cut.
    pub fn synced(&self) -> TapePosition {
        self.shared.lock().synced
    }

    /// Datagrams appended since the tape was made, over all restarts.
    pub fn datagrams_total(&self) -> u64 {
        self.shared.lock().datagrams_total
    }

    /// Whether the writer is gone: the end will not move any more.
    pub fn is_closed(&self) -> bool {
        self.shared.lock().closed
    }

    /// Segments on tape, and the octets that they take on disk.
    pub fn size(&self) -> (usize, u64) {
        let state = self.shared.lock();
        (state.segments.len(), state.octets_on_disk())
    }

    /// The counters since the tape was opened.
    pub fn counts(&self) -> TapeCounts {
        self.shared.stats.snapshot()
    }

    /// Waits until the end is behind `position`, the writer is gone, or `timeout` is over. Returns the end.
    pub fn wait_past(&self, position: TapePosition, timeout: Duration) -> TapePosition {
        let state = self.shared.lock();
        let waited = self
            .shared
            .moved
            .wait_timeout_while(state, timeout, |state| {
                state.end <= position && !state.closed
            });
        waited.unwrap_or_else(PoisonError::into_inner).0.end
    }

    /// Forces everything appended so far to disk. Not for the thread that appends: it may take seconds.
    ///
    /// # Errors
    ///
    /// [`TapeError::Io`]; it is counted, [`synced`](Self::synced) stays, and the next call tries again.
    pub fn sync(&self) -> Result<TapePosition, TapeError> {
        let shared = &self.shared;
        let Some(due) = shared.lock().take_due() else {
            return Ok(self.synced());
        };
        let watch = Stopwatch::start();
        let forced = due.force(shared);
        let took = u64::try_from(watch.elapsed().as_micros()).unwrap_or(u64::MAX);
        add(&shared.stats.fsyncs, 1);
        let slowest = &shared.stats.fsync_slowest_us;
        slowest.fetch_max(took, std::sync::atomic::Ordering::Relaxed);
        let mut state = shared.lock();
        match forced {
            Ok(()) => {
                state.doubtful = false;
                state.synced = state.synced.max(due.end);
                state
                    .unsynced
                    .retain(|number, _| *number >= due.end.segment);
                Ok(state.synced)
            }
            Err(error) => {
                state.doubtful = true;
                state.names_changed |= due.names_changed;
                add(&shared.stats.fsync_failures, 1);
                Err(error)
            }
        }
    }

    /// Compresses the oldest sealed segment that is not yet. Returns its number; `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`TapeError::Io`], a full disk for example: the segment stays as it is, and the caller tries again later.
    pub fn compress_next(&self) -> Result<Option<u32>, TapeError> {
        let oldest = {
            let state = self.shared.lock();
            if state.closed {
                return Ok(None);
            }
            let mut sealed = state
                .segments
                .iter()
                .filter(|(_, segment)| segment.form == Form::Sealed);
            sealed.next().map(|(number, _)| *number)
        };
        match oldest {
            Some(number) => compress::compress_segment(&self.shared, number).map(|()| Some(number)),
            None => Ok(None),
        }
    }
}

impl State {
    /// Octets of all segments.
    pub(crate) fn octets_on_disk(&self) -> u64 {
        self.segments.values().map(|s| s.octets_on_disk).sum()
    }
}

/// What is to be forced to disk.
struct Due {
    synced: TapePosition,
    end: TapePosition,
    files: Vec<(u32, Arc<DiskFile>)>,
    names_changed: bool,
    doubtful: bool,
}

impl State {
    /// `None` if everything is on disk.
    fn take_due(&mut self) -> Option<Due> {
        if self.synced == self.end && !self.names_changed {
            return None;
        }
        let files = self.unsynced.range(..=self.end.segment);
        Some(Due {
            synced: self.synced,
            end: self.end,
            files: files
                .map(|(number, file)| (*number, Arc::clone(file)))
                .collect(),
            names_changed: std::mem::take(&mut self.names_changed),
            doubtful: self.doubtful,
        })
    }
}

impl Due {
    fn force(&self, shared: &Shared) -> Result<(), TapeError> {
        for (number, file) in &self.files {
            let again = match self.doubtful {
                true => self.write_again(*number, file),
                false => Ok(()),
            };
            again
                .and_then(|()| file.sync())
                .map_err(TapeError::io("force to disk", file.path()))?;
        }
        if self.names_changed {
            let forced = shared.folder.sync_names();
            forced.map_err(TapeError::io("force to disk", shared.dir()))?;
        }
        Ok(())
    }

    /// Writes what is not known to be on disk once more, as it is read back. After a failure Linux holds it for written,
    /// and another try would succeed without writing anything.
    fn write_again(&self, number: u32, file: &DiskFile) -> io::Result<()> {
        let mut at = match self.synced.segment == number {
            true => u64::from(self.synced.offset),
            false => 0,
        };
        let end = match self.end.segment == number {
            true => u64::from(self.end.offset),
            false => file.octets()?,
        };
        let mut buffer = vec![0; AGAIN_OCTETS];
        while at < end {
            let left = usize::try_from(end - at).unwrap_or(usize::MAX);
            let some = buffer.len().min(left);
            file.read_exact_at(&mut buffer[..some], at)?;
            file.write_all_at(&buffer[..some], at)?;
            at += crate::stats::count(some);
        }
        Ok(())
    }
}
