//! Imports: capture files onto the tape, each as a feed of its own.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use api::plant::{ImportState, ImportStatus};
use collector::capture::{CaptureError, CaptureFile, Selection};
use flow::{Datagram, Feed, TapePosition, Timestamp, clock};
use store::catalog::{Import as Noted, ImportCounts};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::shared::Shared;
use super::taping::{Put, Request};

/// Files that are read at the same time.
const READING_MAX: usize = 2;
/// Datagrams that are handed to the tape at a time.
const BATCH_DATAGRAMS: usize = 1024;

/// Imports of this process, by feed.
#[derive(Clone)]
pub(crate) struct Imports {
    /// To the tape thread: an import waits for the answer to each batch, so one place a running import is enough.
    queue: SyncSender<Request>,
    running: Arc<Mutex<BTreeMap<Feed, Import>>>,
    places: Arc<Semaphore>,
}

/// One import.
#[derive(Clone, Debug)]
struct Import {
    status: ImportStatus,
    /// The end of the tape behind its last datagram, once it is there.
    end: Option<TapePosition>,
}

/// Why an import ended before its end.
#[derive(Debug, thiserror::Error)]
enum ImportError {
    #[error(transparent)]
    Capture(#[from] CaptureError),
    #[error("the tape cannot be written; {written} datagrams are on it")]
    Tape { written: u64 },
    #[error("the tape cannot be written; the end of the import is not on it")]
    Unmarked,
    #[error("the server is being stopped")]
    Stopped,
}

impl Imports {
    /// None so far; batches go to `queue`.
    pub(crate) fn new(queue: SyncSender<Request>) -> Self {
        Self {
            queue,
            running: Arc::default(),
            places: Arc::new(Semaphore::new(READING_MAX)),
        }
    }

    /// Waits until a file may be read; the place is free again when it is dropped.
    pub(crate) async fn place(&self) -> Option<OwnedSemaphorePermit> {
        // The semaphore is never closed, which is the only error.
        self.places.clone().acquire_owned().await.ok()
    }

    /// Ends feeds whose imports an earlier process did not bring to their end.
    pub(crate) fn end_feeds(&self, feeds: &[Feed]) {
        let marks = feeds
            .iter()
            .map(|feed| Datagram::end_of_feed(*feed, clock::now()));
        // If the tape cannot be written there is more to worry about, and it is told elsewhere.
        let _ = self.put(marks.collect());
    }

    /// Reads a file onto the tape, in a thread of its own. `read` is called when all of it is there, or when it failed; it
    /// is dropped if the product stops before.
    ///
    /// # Errors
    ///
    /// [`CaptureError`] if it is no capture file: nothing is started.
    pub(crate) fn start(
        &self,
        feed: Feed,
        name: &str,
        path: &Path,
        read: impl FnOnce() + Send + 'static,
    ) -> Result<ImportStatus, CaptureError> {
        let capture = CaptureFile::open(
            path,
            Selection {
                feed,
                ..Selection::default()
            },
        )?;
        let status = ImportStatus {
            feed: feed.0,
            name: name.to_owned(),
            state: ImportState::Reading,
            error: None,
            octets_total: capture.progress().size,
            octets_read: 0,
            datagrams: 0,
            records: 0,
            first: None,
            last: None,
            first_received_at: None,
            last_received_at: None,
        };
        self.lock().insert(
            feed,
            Import {
                status: status.clone(),
                end: None,
            },
        );
        let this = self.clone();
        std::thread::spawn(move || {
            let read_to_end = this.read(feed, capture);
            // However it went: nothing more comes of this feed.
            let mark = this.put(vec![Datagram::end_of_feed(feed, clock::now())]);
            let is_stopped = matches!(mark, Err(ImportError::Stopped));
            let result = read_to_end.and(mark.and_then(Put::marked));
            this.update(feed, |import| match result {
                Ok(end) => {
                    import.status.state = ImportState::Storing;
                    import.end = Some(end);
                }
                Err(error) => {
                    import.status.state = ImportState::Failed;
                    import.status.error = Some(crate::output::chain(&error));
                }
            });
            if !is_stopped {
                read();
            }
        });
        Ok(status)
    }

    /// Where one import stands.
    pub(crate) fn status(&self, feed: Feed, shared: &Shared) -> Option<ImportStatus> {
        self.statuses(shared)
            .into_iter()
            .find(|status| status.feed == feed.0)
    }

    /// Where the imports of this process stand.
    pub(crate) fn statuses(&self, shared: &Shared) -> Vec<ImportStatus> {
        // In this order: what is stored by now is in the progress that is asked for after it.
        let stored = shared.stored_up_to();
        let feeds = shared.feeds();
        let statuses = self.lock().clone().into_iter().map(|(feed, import)| {
            let mut status = import.status;
            if let Some(progress) = feeds.get(&feed) {
                (status.first, status.last) = (progress.first, progress.last);
                status.records = progress.records;
            }
            if status.state == ImportState::Storing && import.end.is_none_or(|end| end <= stored) {
                status.state = ImportState::Done;
            }
            status
        });
        statuses.collect()
    }

    fn read(&self, feed: Feed, mut capture: CaptureFile) -> Result<(), ImportError> {
        loop {
            let mut datagrams = Vec::with_capacity(BATCH_DATAGRAMS);
            let mut damage = None;
            for read in capture.by_ref().take(BATCH_DATAGRAMS) {
                match read {
                    Ok(datagram) => datagrams.push(datagram),
                    Err(error) => damage = Some(error),
                }
            }
            if datagrams.is_empty() {
                return damage.map_or(Ok(()), |error| Err(error.into()));
            }
            let sent = datagrams.len() as u64;
            let arrived = datagrams.iter().map(|datagram| datagram.received_at);
            let (first, last) = (arrived.clone().min(), arrived.max());
            let put = self.put(datagrams)?;
            let progress = capture.progress();
            self.update(feed, |import| {
                import.status.octets_read = progress.octets;
                let status = &mut import.status;
                status.datagrams += put.written;
                status.first_received_at = earlier(status.first_received_at, first);
                status.last_received_at = status.last_received_at.max(last);
                import.end = Some(put.end);
            });
            if put.written < sent {
                return Err(ImportError::Tape {
                    written: put.written,
                });
            }
            // What stands before the damage is in.
            if let Some(error) = damage {
                return Err(error.into());
            }
        }
    }

    /// Puts a batch on tape and waits until it is there.
    fn put(&self, datagrams: Vec<Datagram>) -> Result<Put, ImportError> {
        let (answer, put) = sync_channel(1);
        self.queue
            .send(Request::Append { datagrams, answer })
            .map_err(|_| ImportError::Stopped)?;
        put.recv().map_err(|_| ImportError::Stopped)
    }

    fn update(&self, feed: Feed, change: impl FnOnce(&mut Import)) {
        if let Some(import) = self.lock().get_mut(&feed) {
            change(import);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Feed, Import>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Put {
    /// The end of the tape behind a mark, if the mark is there.
    fn marked(self) -> Result<TapePosition, ImportError> {
        match self.written {
            0 => Err(ImportError::Unmarked),
            _ => Ok(self.end),
        }
    }
}

fn earlier(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    [one, other].into_iter().flatten().min()
}

/// What the catalog notes of an import.
pub(crate) fn counts(status: &ImportStatus) -> ImportCounts {
    ImportCounts {
        datagrams: status.datagrams,
        records: status.records,
        first_received_at: status.first_received_at,
        last_received_at: status.last_received_at,
    }
}

/// An import of an earlier process, as the catalog remembers it.
pub(crate) fn remembered(import: Noted) -> ImportStatus {
    ImportStatus {
        feed: import.feed.0,
        name: import.name,
        state: import.state,
        error: import.error,
        octets_total: 0,
        octets_read: 0,
        datagrams: import.counts.datagrams,
        records: import.counts.records,
        first: None,
        last: None,
        first_received_at: import.counts.first_received_at,
        last_received_at: import.counts.last_received_at,
    }
}
