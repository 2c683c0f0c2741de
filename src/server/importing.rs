//! Imports: capture files onto the tape, each as a feed of its own.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use api::plant::{ImportState, ImportStatus};
use collector::capture::{CaptureError, CaptureFile, Selection};
use flow::{Datagram, Feed, TapePosition, Timestamp, clock};
use store::catalog::{Import as Noted, ImportCounts};

use super::shared::Shared;
use super::taping::{Put, Request};

/// Datagrams that are handed to the tape at a time.
const BATCH_DATAGRAMS: usize = 1024;

/// Imports of this process, by feed.
#[derive(Clone)]
pub(crate) struct Imports {
    /// To the tape thread: an import waits for the answer to each batch, so one place a running import is enough.
    queue: SyncSender<Request>,
    running: Arc<Mutex<BTreeMap<Feed, Import>>>,
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
    #[error("the server is being stopped")]
    Stopped,
}

impl Imports {
    /// None so far; batches go to `queue`.
    pub(crate) fn new(queue: SyncSender<Request>) -> Self {
        Self {
            queue,
            running: Arc::default(),
        }
    }

    /// Reads a file onto the tape, in a thread of its own. `read` is called when all of it is there, or when it failed.
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
            let result = this.read(feed, capture);
            this.update(feed, |import| match result {
                Ok(()) => import.status.state = ImportState::Storing,
                Err(error) => {
                    import.status.state = ImportState::Failed;
                    import.status.error = Some(crate::output::chain(&error));
                }
            });
            read();
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
            let datagrams: Vec<Datagram> = capture
                .by_ref()
                .take(BATCH_DATAGRAMS)
                .collect::<Result<_, CaptureError>>()?;
            if datagrams.is_empty() {
                let mark = self.put(vec![Datagram::end_of_feed(feed, clock::now())])?;
                self.update(feed, |import| import.end = Some(mark.end));
                return Ok(());
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
