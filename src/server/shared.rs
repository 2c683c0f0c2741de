//! What the threads tell each other and the API: counters, the last published state, the stop sign.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use collector::capture::MirrorStats;
use collector::decode::Holdings;
use collector::listen::ListenStats;
use collector::normalise::{LearnedService, NormaliseStats};
use flow::accounting::Ledger;
use flow::health::ExporterHealth;
use flow::site::Rules;
use flow::{Accounting, DropKind, Feed, TapePosition};
use replay::{Appended, Tail, TapeError};
use store::StoreError;
use tokio::sync::Notify;

use super::checkpoint::{Checkpoint, Intake, Refused};
use super::pipeline::FeedProgress;

/// Shared by all threads. Every lock is held for a copy only.
pub(crate) struct Shared {
    /// What was counted before this process started.
    before: Intake,
    pub(crate) listen: Arc<ListenStats>,
    pub(crate) mirrors: Vec<Arc<Mutex<MirrorStats>>>,
    pub(crate) tape: Tail,
    tape_failed: AtomicU64,
    pub(crate) remade: RemadeCounts,
    acknowledged: Mutex<Checkpoint>,
    feeds: Mutex<BTreeMap<Feed, FeedProgress>>,
    published: Mutex<Published>,
    new_rules: Mutex<Option<Rules>>,
    store_error: Mutex<Option<String>>,
    tape_error: Mutex<Option<String>>,
    /// Has the embedded engine started again; nobody listens where there is none.
    pub(crate) renewal: Arc<Notify>,
}

/// What could not be put in order in the store, since the start.
#[derive(Debug, Default)]
pub(crate) struct RemadeCounts {
    /// Attempts to decode a stretch again that failed after its rows may have been erased.
    pub(crate) failures: Count,
    /// Datagrams of such a stretch whose template was not found.
    pub(crate) without_template: Count,
    /// Batches of which it is not known whether the store has each row once.
    pub(crate) doubtful_batches: Count,
    /// Stretches, each of an hour or of hours of arrival, whose rollups could not be made anew.
    pub(crate) hours_wrong: Count,
}

/// A counter.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What the decoding thread shows.
#[derive(Clone, Default)]
pub(crate) struct Published {
    pub(crate) exporters: Arc<Vec<ExporterHealth>>,
    pub(crate) problems: Vec<(&'static str, u64)>,
    pub(crate) learned: Vec<LearnedService>,
    pub(crate) holdings: Holdings,
    pub(crate) normalised: NormaliseStats,
}

impl Shared {
    /// At a checkpoint, with the tape as it was found.
    pub(crate) fn new(
        checkpoint: Checkpoint,
        listen: Arc<ListenStats>,
        mirrors: Vec<Arc<Mutex<MirrorStats>>>,
        tape: Tail,
    ) -> Self {
        Self {
            before: checkpoint.intake,
            listen,
            mirrors,
            tape,
            tape_failed: AtomicU64::new(0),
            remade: RemadeCounts::default(),
            acknowledged: Mutex::new(checkpoint),
            feeds: Mutex::default(),
            published: Mutex::default(),
            new_rules: Mutex::default(),
            store_error: Mutex::default(),
            tape_error: Mutex::default(),
            renewal: Arc::default(),
        }
    }

    /// What never reached the tape, up to now.
    pub(crate) fn intake(&self) -> Intake {
        let sockets = self.listen.total();
        let mut intake = self.before;
        intake.not_allowed += sockets.not_allowed;
        intake.queue_full += sockets.queue_full;
        intake.kernel_drops += sockets.kernel_drops;
        for mirror in &self.mirrors {
            let mirror = lock(mirror);
            intake.not_allowed += mirror.frames.not_allowed;
            intake.queue_full += mirror.queue_full;
            intake.kernel_drops += mirror.kernel_drops;
        }
        intake.tape_failed += self.tape_failed.load(Ordering::Relaxed);
        intake
    }

    /// The books, as of the store's last acknowledgement.
    pub(crate) fn accounting(&self) -> Accounting {
        let checkpoint = lock(&self.acknowledged).clone();
        let intake = self.intake();
        // A tape that lost its end in a power cut was told at its opening how many there had been.
        let total = self.tape.datagrams_total();
        let (books, refused) = (checkpoint.books, checkpoint.refused);
        let not_kept = checkpoint.not_kept;
        let mut datagrams = Ledger {
            received: total.saturating_sub(checkpoint.passed.marks)
                + intake.not_allowed
                + intake.queue_full
                + intake.tape_failed,
            stored: checkpoint.passed.forgotten
                + books
                    .understood
                    .saturating_sub(refused.datagrams + not_kept.datagrams),
            on_tape: books.waiting + total.saturating_sub(checkpoint.passed.datagrams),
            dropped: books.dropped,
        };
        datagrams.drop(DropKind::NotAllowed, intake.not_allowed);
        datagrams.drop(DropKind::QueueFull, intake.queue_full);
        datagrams.drop(DropKind::TapeFailed, intake.tape_failed);
        datagrams.drop(DropKind::TapeExpired, checkpoint.passed.expired);
        datagrams.drop(DropKind::TapeDamaged, checkpoint.passed.damaged);
        datagrams.drop(DropKind::TapeLost, checkpoint.passed.lost);
        datagrams.drop(DropKind::Refused, refused.datagrams);
        datagrams.drop(DropKind::NotKept, not_kept.datagrams);
        let mut records = Ledger {
            received: books.records + books.records_dropped.values().sum::<u64>(),
            stored: books
                .records
                .saturating_sub(refused.records + not_kept.records),
            on_tape: 0,
            dropped: books.records_dropped,
        };
        records.drop(DropKind::Refused, refused.records);
        records.drop(DropKind::NotKept, not_kept.records);
        for ledger in [&mut datagrams, &mut records] {
            for kind in DropKind::ALL {
                ledger.drop(*kind, 0);
            }
        }
        Accounting {
            datagrams,
            records,
            kernel_drops: intake.kernel_drops,
        }
    }

    /// The store has everything up to here.
    pub(crate) fn acknowledge(&self, checkpoint: &Checkpoint, feeds: BTreeMap<Feed, FeedProgress>) {
        *lock(&self.feeds) = feeds;
        lock(&self.acknowledged).clone_from(checkpoint);
    }

    /// Whether it is being found out what the store has.
    pub(crate) fn is_mending(&self) -> bool {
        lock(&self.acknowledged).mend.is_some()
    }

    /// The checkpoint changed, and what it says of the tape did not.
    pub(crate) fn note_mended(&self) {
        lock(&self.acknowledged).mend = None;
    }

    /// The store refuses what it had, after a stretch was decoded again.
    pub(crate) fn note_refused(&self, refused: Refused) {
        lock(&self.acknowledged).refused = refused;
    }

    /// What each import of this process has brought into the store.
    pub(crate) fn feeds(&self) -> BTreeMap<Feed, FeedProgress> {
        lock(&self.feeds).clone()
    }

    /// Everything before this position is in the store or counted.
    pub(crate) fn stored_up_to(&self) -> TapePosition {
        lock(&self.acknowledged).position
    }

    /// Datagrams of the tape that are in the store or counted.
    pub(crate) fn passed(&self) -> u64 {
        lock(&self.acknowledged).passed.datagrams
    }

    /// Datagrams of which it is not known any more what became of them; the books have them as stored.
    pub(crate) fn forgotten(&self) -> u64 {
        lock(&self.acknowledged).passed.forgotten
    }

    /// Counts what an append could not do.
    pub(crate) fn note_appended(&self, appended: &Appended) {
        self.tape_failed
            .fetch_add(appended.failed, Ordering::Relaxed);
        if appended.failed == 0 && appended.written > 0 {
            lock(&self.tape_error).take();
        } else if appended.failed > 0 {
            lock(&self.tape_error).get_or_insert_with(|| {
                "datagrams cannot be put on tape: disk full or failing".to_owned()
            });
        }
    }

    /// The tape can't be read or tended; logged once until it changes.
    pub(crate) fn report_tape_error(&self, error: &TapeError) {
        note(&self.tape_error, "tape", Some(error));
    }

    /// How the last insert went.
    pub(crate) fn note_store(&self, error: Option<&StoreError>) {
        // A full disk leaves parts without content behind, which only a start puts aside. Their rows are missed then, and
        // stored again.
        if error.is_some_and(StoreError::is_damaged) {
            self.renewal.notify_waiters();
        }
        note(
            &self.store_error,
            "store",
            error.map(|error| error as &dyn std::error::Error),
        );
    }

    /// Why the store does not take anything now, and why the tape can't be written or read.
    pub(crate) fn troubles(&self) -> (Option<String>, Option<String>) {
        (
            lock(&self.store_error).clone(),
            lock(&self.tape_error).clone(),
        )
    }

    /// Rules for the decoding thread.
    pub(crate) fn put_new_rules(&self, rules: Rules) {
        *lock(&self.new_rules) = Some(rules);
    }

    pub(crate) fn take_new_rules(&self) -> Option<Rules> {
        lock(&self.new_rules).take()
    }

    /// What the decoding thread shows.
    pub(crate) fn publish(&self, published: Published) {
        *lock(&self.published) = published;
    }

    pub(crate) fn published(&self) -> Published {
        lock(&self.published).clone()
    }
}

/// Remembers an error, and logs it when it is another than before.
fn note(place: &Mutex<Option<String>>, part: &str, error: Option<&dyn std::error::Error>) {
    let text = error.map(crate::output::chain);
    let before = std::mem::replace(&mut *lock(place), text.clone());
    match (before, text) {
        (before, Some(text)) if before.as_ref() != Some(&text) => {
            tracing::warn!(part, error = text, "does not work now; flows stay on tape");
        }
        (Some(_), None) => tracing::info!(part, "works again"),
        _ => {}
    }
}

/// A thread that panicked leaves its last consistent value behind.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
