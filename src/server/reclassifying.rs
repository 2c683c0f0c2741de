//! A stretch of the past decoded again, under the rules of today, in place of what the store has of it.
//!
//! It runs between two inserts, so nothing else writes meanwhile; what arrives waits on tape. What is being done is
//! noted on disk first: if the process dies in the middle, the next one does it again from the beginning, which changes
//! nothing that was done already.

mod again;

use std::collections::BTreeSet;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use api::plant::Reclassified;
use flow::site::Rules;
use flow::{FlowBatch, TapePosition, Timestamp};
use replay::{TapeReader, stretches_between};
use store::rebuild::Stretch;
use store::{Store, StoreError, Writer};
use tokio::sync::{OwnedRwLockWriteGuard, oneshot};

use super::checkpoint::{CheckpointError, PipelineState, Refused};
use super::durable::FileError;
use super::noting::{Note, Noted};
use super::shared::Shared;
use super::taping::{PIN, Request};
use crate::config::Config;

/// Datagrams and octets that are read from tape at a time, and become one insert: a record may be of an octet.
const READ_DATAGRAMS_MAX: usize = 4096;
const READ_OCTETS_MAX: usize = 1 << 20;
/// Pause before a step that the store could not do now is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// Why a stretch could not be decoded again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReclassifyError {
    #[error("the tape holds nothing that arrived from {from} to {to}")]
    NotOnTape { from: Timestamp, to: Timestamp },
    #[error(
        "a part of what arrived then is stored under an earlier name of this collector: it cannot be replaced under the new one"
    )]
    OtherName,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Tape(#[from] replay::TapeError),
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    #[error("what is being decoded again")]
    Note(#[from] FileError),
    #[error(
        "another stretch, which was being decoded again, could not be finished yet; the log says why"
    )]
    Unfinished,
    #[error("the store still has not each row of the batch once")]
    NotOnce,
    #[error("the elements' table cannot be read: {0}")]
    Fields(String),
    #[error("the server is being stopped; it goes on at the next start")]
    Stopped,
}

/// What somebody asked for.
pub(crate) struct Job {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    pub(crate) answer: oneshot::Sender<Result<Reclassified, ReclassifyError>>,
    /// Held until it is done, whether somebody waits for it or not: no recording is cut meanwhile.
    pub(crate) alone: OwnedRwLockWriteGuard<()>,
}

/// What came of a stretch.
#[derive(Debug)]
pub(crate) struct Remade {
    pub(crate) reclassified: Reclassified,
    /// Rows of it that the store had before and refuses now.
    pub(crate) refused: Refused,
}

/// All that it takes.
pub(crate) struct Reclassifier {
    pub(crate) config: Config,
    pub(crate) note: Note,
    pub(crate) store: Arc<Store>,
    pub(crate) writer: Writer,
    pub(crate) collector: String,
    /// Rows of what lies on tape before it bear another name.
    pub(crate) named_from: TapePosition,
    pub(crate) rules: Arc<dyn Fn() -> Rules + Send + Sync>,
    pub(crate) tape: SyncSender<Request>,
    pub(crate) shared: Arc<Shared>,
}

impl Reclassifier {
    /// Does what was asked. `stored` is how far the tape is in the store; what lies behind it is decoded later anyway.
    pub(crate) async fn run(
        &self,
        from: Timestamp,
        to: Timestamp,
        stored: TapePosition,
        known: Option<PipelineState>,
    ) -> Result<Remade, ReclassifyError> {
        self.must_be_finished()?;
        let stretches = stretches_between(&self.tape_folder(), from, to)?;
        let begin = stretches.iter().map(|stretch| stretch.begin).min();
        let end = stretches
            .iter()
            .map(|stretch| stretch.end)
            .max()
            .map(|end| end.min(stored));
        let (Some(begin), Some(end)) = (begin, end) else {
            return Err(ReclassifyError::NotOnTape { from, to });
        };
        if begin < self.named_from {
            return Err(ReclassifyError::OtherName);
        }
        let mut noted = Noted {
            from,
            to,
            begin,
            end,
            hours: BTreeSet::new(),
            rows_before: 0,
        };
        let _pinned = self.pin(&noted)?;
        self.must_be_on_tape(&noted)?;
        let stretch = self.stretch(&noted);
        noted.hours = self.store.hours_of(&stretch).await?;
        noted.rows_before = self.store.rows_of(&stretch).await?;
        self.store.check_rebuild(&stretch, &noted.hours).await?;
        self.note.write(&noted)?;
        let remade = self.replace(noted, known).await;
        remade.inspect_err(|error| self.note_failure(error))
    }

    /// Looks whether the store has a batch, which ends at `end` and of which it refused `refused` rows, exactly once. If
    /// not, makes it anew, from the tape. Only the embedded engine forgets in a crash what it has acknowledged, and only
    /// there does nobody else insert. A server forgets tokens, if others inserted much meanwhile: there it is looked for rows that
    /// are there twice.
    pub(crate) async fn make_sure(
        &self,
        batch: &FlowBatch,
        end: TapePosition,
        refused: u64,
        known: Option<PipelineState>,
    ) -> Result<(), ReclassifyError> {
        self.must_be_finished()?;
        let embedded = self.config.store.engine == store::config::Engine::Embedded;
        let agrees = async || match embedded {
            true => self.store.agrees(&self.collector, batch, refused).await,
            false => Ok(self.store.rows_twice(&self.collector, batch).await? == 0),
        };
        if patiently(&self.shared, agrees).await? {
            return Ok(());
        }
        let Some(stretch) = store::stored::around(&self.collector, batch) else {
            return Ok(());
        };
        if stretch.from < self.named_from {
            return Err(ReclassifyError::OtherName);
        }
        tracing::warn!(
            tape.from = %stretch.from, tape.to = %end, rows = batch.rows(),
            "the store has not each row of a batch once after what happened to it: they are made anew"
        );
        let noted = Noted {
            from: stretch.received_from,
            to: stretch.received_to,
            begin: stretch.from,
            end,
            hours: store::stored::hours_of(batch),
            rows_before: 0,
        };
        let _pinned = self.pin(&noted)?;
        self.must_be_on_tape(&noted)?;
        self.store.check_rebuild(&stretch, &noted.hours).await?;
        self.note.write(&noted)?;
        let remade = self.replace(noted, known).await;
        remade.inspect_err(|error| self.note_failure(error))?;
        match patiently(&self.shared, agrees).await? {
            true => Ok(()),
            false => Err(ReclassifyError::NotOnce),
        }
    }

    /// Whether something that was begun is not done, be it by this process or an earlier one.
    pub(crate) fn is_unfinished(&self) -> bool {
        self.note.is_there()
    }

    /// Goes on with what had been begun, if there is such a thing; says what the store refused of it. What can never be done
    /// is set aside.
    ///
    /// # Errors
    ///
    /// Why it could not be done, which is logged and counted; if it is [unfinished](Self::is_unfinished) still, try again.
    pub(crate) async fn resume(
        &self,
        known: Option<PipelineState>,
    ) -> Result<Refused, ReclassifyError> {
        let resumed = match self.note.read() {
            Ok(None) => return Ok(Refused::default()),
            Ok(Some(noted)) => self.go_on(noted, known).await,
            Err(error) => Err(error.into()),
        };
        resumed.inspect_err(|error| self.note_failure(error))
    }

    async fn go_on(
        &self,
        noted: Noted,
        known: Option<PipelineState>,
    ) -> Result<Refused, ReclassifyError> {
        tracing::info!(from = %noted.from, to = %noted.to, "an interrupted reclassification goes on");
        let _pinned = self.pin(&noted)?;
        let stretch = self.stretch(&noted);
        let check = || self.store.check_rebuild(&stretch, &noted.hours);
        patiently(&self.shared, check).await?;
        self.must_be_on_tape(&noted)?;
        Ok(self.replace(noted, known).await?.refused)
    }

    /// Tells what could not be done after it was noted: the store may lack rows of it until it is.
    fn note_failure(&self, error: &ReclassifyError) {
        self.shared.remade.failures.add(1);
        let said = crate::output::chain(error);
        if !error.is_final() {
            tracing::error!(
                error = said,
                "a stretch is not decoded again yet; it stays on tape, and is tried again"
            );
            return;
        }
        match self.note.set_aside() {
            Ok(aside) => tracing::error!(
                error = said, note = %aside.display(),
                "a stretch cannot be decoded again: the store may lack rows of it"
            ),
            Err(aside) => {
                tracing::error!(error = said, %aside, "a stretch cannot be decoded again")
            }
        }
    }

    /// What was begun first is to be done first: its rows may be gone from the store, and only its note tells which.
    fn must_be_finished(&self) -> Result<(), ReclassifyError> {
        match self.is_unfinished() {
            true => Err(ReclassifyError::Unfinished),
            false => Ok(()),
        }
    }

    /// Reads the stretch once: what is erased from the store must be there to come again.
    fn must_be_on_tape(&self, noted: &Noted) -> Result<(), ReclassifyError> {
        let mut reader = TapeReader::open(&self.tape_folder(), noted.begin, None);
        let mut first = None;
        while reader.position() < noted.end {
            let read =
                tokio::task::block_in_place(|| reader.read(READ_DATAGRAMS_MAX, READ_OCTETS_MAX))?;
            let Some((position, _)) = read.first() else {
                break;
            };
            first.get_or_insert(*position);
        }
        let whole = first.is_some_and(|first| first.segment == noted.begin.segment)
            && reader.position() >= noted.end
            && reader.counts().missing == 0;
        if whole {
            Ok(())
        } else {
            Err(ReclassifyError::NotOnTape {
                from: noted.from,
                to: noted.to,
            })
        }
    }

    async fn replace(
        &self,
        noted: Noted,
        known: Option<PipelineState>,
    ) -> Result<Remade, ReclassifyError> {
        let stretch = self.stretch(&noted);
        patiently(&self.shared, || self.store.erase(&stretch)).await?;
        let decoded = self.decode_again(&noted, known).await?;
        let mut hours = patiently(&self.shared, || self.store.hours_of(&stretch)).await?;
        hours.extend(&noted.hours);
        patiently(&self.shared, || self.store.rebuild(&hours, &stretch)).await?;
        let rows_after = patiently(&self.shared, || self.store.rows_of(&stretch)).await?;
        if rows_after < noted.rows_before {
            tracing::warn!(
                from = %noted.from, to = %noted.to, rows_before = noted.rows_before, rows_after,
                "the stretch has fewer rows than before it was decoded again"
            );
        }
        self.note.remove()?;
        Ok(Remade {
            refused: decoded.refused_now(noted.rows_before),
            reclassified: Reclassified {
                datagrams: decoded.datagrams,
                rows_before: noted.rows_before,
                rows_after,
            },
        })
    }

    fn stretch(&self, noted: &Noted) -> Stretch {
        Stretch {
            collector: self.collector.clone(),
            from: noted.begin,
            to: noted.end,
            received_from: noted.from,
            received_to: noted.to,
        }
    }

    /// Waits until the tape keeps its segments. They are given free when the answer is dropped and nothing is noted.
    fn pin(&self, noted: &Noted) -> Result<Pinned<'_>, ReclassifyError> {
        let (answer, done) = sync_channel(1);
        let segments = noted.segments();
        tokio::task::block_in_place(|| {
            self.tape
                .send(Request::Pin {
                    name: PIN.to_owned(),
                    segments,
                    answer,
                })
                .map_err(|_| ReclassifyError::Stopped)?;
            done.recv().map_err(|_| ReclassifyError::Stopped)
        })?;
        Ok(Pinned(self))
    }

    fn tape_folder(&self) -> PathBuf {
        self.config.path("tape")
    }
}

/// Segments that the tape keeps as long as this lives, or the note.
struct Pinned<'a>(&'a Reclassifier);

impl Drop for Pinned<'_> {
    fn drop(&mut self) {
        if self.0.is_unfinished() {
            return;
        }
        // If the tape thread is gone, so are its pins; if its queue is full, it ends soon or serves the next of them.
        tokio::task::block_in_place(|| {
            let (answer, _) = sync_channel(1);
            let name = PIN.to_owned();
            let _ = self.0.tape.send(Request::Unpin { name, answer });
        });
    }
}

impl ReclassifyError {
    /// Whether it will never be otherwise.
    fn is_final(&self) -> bool {
        match self {
            Self::NotOnTape { .. } | Self::OtherName | Self::NotOnce => true,
            Self::Note(error) => matches!(error, FileError::Damaged { .. }),
            Self::Store(error) => matches!(
                error,
                StoreError::Question(_)
                    | StoreError::Refused { .. }
                    | StoreError::SchemaTooNew { .. }
            ),
            _ => false,
        }
    }

    /// Whether it is this machine's disk, which may work again at any time.
    pub(crate) fn is_of_the_disk(&self) -> bool {
        match self {
            Self::Tape(_) | Self::Checkpoint(_) => true,
            Self::Note(error) => matches!(error, FileError::Io { .. }),
            _ => false,
        }
    }
}

/// Tries again as long as the store can't do it now, and shows why it waits.
async fn patiently<T, F: Future<Output = Result<T, StoreError>>>(
    shared: &Shared,
    mut step: impl FnMut() -> F,
) -> Result<T, ReclassifyError> {
    loop {
        match step().await {
            Err(error) if error.is_retryable() => {
                shared.note_store(Some(&error));
                tokio::time::sleep(PAUSE).await;
            }
            result => {
                shared.note_store(None);
                return result.map_err(ReclassifyError::Store);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_done_later_is_not_set_aside() {
        let from = Timestamp::EPOCH;
        assert!(ReclassifyError::NotOnTape { from, to: from }.is_final());
        let alone = StoreError::NotAlone {
            other: "paris".to_owned(),
        };
        assert!(!ReclassifyError::Store(alone).is_final());
        assert!(!ReclassifyError::Store(StoreError::TimedOut).is_final());
        assert!(!ReclassifyError::Stopped.is_final());
    }
}
