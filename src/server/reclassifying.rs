//! A stretch of the past decoded again, under the rules of today, in place of what the store has of it.
//!
//! It runs between two inserts, so nothing else writes meanwhile; what arrives waits on tape. What is being done is
//! noted on disk first: if the process dies in the middle, the next one does it again from the beginning, which changes
//! nothing that was done already.

use std::collections::BTreeSet;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use api::plant::Reclassified;
use collector::decode::Decoder;
use collector::normalise::Normaliser;
use flow::site::Rules;
use flow::{FlowBatch, TapePosition, Timestamp, clock};
use replay::{TapeReader, stretches_between};
use serde::{Deserialize, Serialize};
use store::rebuild::Stretch;
use store::{Store, StoreError, Writer};
use tokio::sync::oneshot;

use super::checkpoint::{CheckpointError, PipelineState};
use super::shared::Shared;
use super::taping::Request;
use crate::config::Config;

/// How long before the stretch decoding starts, to see the templates that were in force; exporters repeat them at
/// least this often.
const PRE_ROLL: Duration = Duration::from_secs(30 * 60);
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
    #[error("{path}: cannot be read or written")]
    Note {
        path: PathBuf,
        source: std::io::Error,
    },
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
}

/// What is being done, as it is noted on disk.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Noted {
    from: Timestamp,
    to: Timestamp,
    begin: TapePosition,
    end: TapePosition,
    /// Hours of event time that the old rows touched.
    hours: BTreeSet<i64>,
    rows_before: u64,
}

/// All that it takes.
pub(crate) struct Reclassifier {
    pub(crate) config: Config,
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
    ) -> Result<Reclassified, ReclassifyError> {
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
        let _pinned = self.pin(begin.segment..=end.segment)?;
        let mut noted = Noted {
            from,
            to,
            begin,
            end,
            hours: BTreeSet::new(),
            rows_before: 0,
        };
        self.must_be_on_tape(&noted)?;
        let stretch = self.stretch(&noted);
        noted.hours = self.store.hours_of(&stretch).await?;
        noted.rows_before = self.store.rows_of(&stretch).await?;
        self.store.check_alone(&self.collector).await?;
        self.store.check_rebuild(&stretch, &noted.hours).await?;
        self.note(&noted)?;
        self.replace(noted, known).await
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
        if !embedded {
            self.store.check_alone(&self.collector).await?;
        }
        let _pinned = self.pin(stretch.from.segment..=end.segment)?;
        let noted = Noted {
            from: stretch.received_from,
            to: stretch.received_to,
            begin: stretch.from,
            end,
            hours: store::stored::hours_of(batch),
            rows_before: 0,
        };
        self.must_be_on_tape(&noted)?;
        self.store.check_rebuild(&stretch, &noted.hours).await?;
        self.note(&noted)?;
        self.replace(noted, known).await?;
        if !patiently(&self.shared, agrees).await? {
            tracing::error!("the store still has not each row of the batch once");
        }
        Ok(())
    }

    /// Goes on with what an earlier process had begun, if there is such a thing.
    pub(crate) async fn resume(&self, known: Option<PipelineState>) -> Result<(), ReclassifyError> {
        let path = self.note_path();
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(source) => return Err(ReclassifyError::Note { path, source }),
        };
        let noted: Noted =
            serde_json::from_slice(&text).map_err(|error| ReclassifyError::Note {
                path,
                source: error.into(),
            })?;
        tracing::info!(from = %noted.from, to = %noted.to, "an interrupted reclassification goes on");
        let _pinned = self.pin(noted.begin.segment..=noted.end.segment)?;
        self.must_be_on_tape(&noted)?;
        self.replace(noted, known).await.map(drop)
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
    ) -> Result<Reclassified, ReclassifyError> {
        let stretch = self.stretch(&noted);
        patiently(&self.shared, || self.store.erase(&stretch)).await?;
        let datagrams = self.decode_again(&noted, known).await?;
        let mut hours = patiently(&self.shared, || self.store.hours_of(&stretch)).await?;
        hours.extend(&noted.hours);
        patiently(&self.shared, || self.store.rebuild(&hours, &stretch)).await?;
        let rows_after = patiently(&self.shared, || self.store.rows_of(&stretch)).await?;
        let path = self.note_path();
        std::fs::remove_file(&path).map_err(|source| ReclassifyError::Note { path, source })?;
        Ok(Reclassified {
            datagrams,
            rows_before: noted.rows_before,
            rows_after,
        })
    }

    /// Decodes the stretch and inserts what it means; returns how many datagrams it held.
    async fn decode_again(
        &self,
        noted: &Noted,
        known: Option<PipelineState>,
    ) -> Result<u64, ReclassifyError> {
        let (mut decoder, mut normaliser) = self.decoder(known)?;
        let earlier = stretches_between(&self.tape_folder(), noted.from - PRE_ROLL, noted.from)?;
        let first = earlier
            .iter()
            .map(|stretch| stretch.begin)
            .min()
            .unwrap_or(noted.begin)
            .min(noted.begin);
        let mut reader = TapeReader::open(&self.tape_folder(), first, None);
        let (mut batch, mut datagrams, mut number) = (FlowBatch::default(), 0, 0);
        let run = clock::now().nanos();
        while reader.position() < noted.end {
            let read =
                tokio::task::block_in_place(|| reader.read(READ_DATAGRAMS_MAX, READ_OCTETS_MAX))?;
            if read.is_empty() {
                break;
            }
            for (position, datagram) in read.iter().filter(|(position, _)| *position < noted.end) {
                if datagram.is_end_of_feed() {
                    decoder.end_feed(datagram.feed);
                    continue;
                }
                datagrams += u64::from(noted.holds(*position, datagram.received_at));
                decoder.decode(datagram, *position, &mut batch);
            }
            normaliser.normalise(&mut batch, 0);
            let rows = noted.rows_within(&mut batch);
            number += 1;
            let token = format!("{}:again:{run}:{number}", self.collector);
            let refused = patiently(&self.shared, || {
                self.writer.insert(&rows, &token, clock::now())
            })
            .await?;
            if let Some(error) = &refused.first_error {
                tracing::error!(rows = refused.rows, error, "the store refuses rows");
            }
        }
        Ok(datagrams)
    }

    /// With what is known today of templates and names, but of no one's sequence: that belongs to the present.
    fn decoder(
        &self,
        known: Option<PipelineState>,
    ) -> Result<(Decoder, Normaliser), ReclassifyError> {
        let fields = crate::config::field_table(self.config.fields.as_deref());
        let fields =
            fields.map_err(|error| ReclassifyError::Fields(crate::output::error_text(&error)))?;
        let mut normaliser = Normaliser::new(self.config.normalise.clone(), &(self.rules)());
        let decoder = match known {
            Some(state) => {
                normaliser.restore(&state.normaliser);
                let known = state.decoder.elsewhere().doubted().with_nothing_waiting();
                Decoder::restore(self.config.decode.clone(), fields, known, [])
            }
            None => Decoder::new(self.config.decode.clone(), fields),
        };
        Ok((decoder, normaliser))
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

    /// Waits until the tape keeps these segments; they are given free when the answer is dropped.
    fn pin(&self, segments: std::ops::RangeInclusive<u32>) -> Result<Pinned, ReclassifyError> {
        let (answer, done) = sync_channel(1);
        tokio::task::block_in_place(|| {
            self.tape
                .send(Request::Pin { segments, answer })
                .map_err(|_| ReclassifyError::Stopped)?;
            done.recv().map_err(|_| ReclassifyError::Stopped)
        })?;
        Ok(Pinned(self.tape.clone()))
    }

    fn note(&self, noted: &Noted) -> Result<(), ReclassifyError> {
        let path = self.note_path();
        let noted = super::durable::replace_sealed(&path, noted);
        noted.map_err(|error| ReclassifyError::Checkpoint(error.into()))
    }

    fn note_path(&self) -> PathBuf {
        self.config.path("checkpoint").join("reclassify.json")
    }

    fn tape_folder(&self) -> PathBuf {
        self.config.path("tape")
    }
}

/// Segments that the tape keeps as long as this lives.
struct Pinned(SyncSender<Request>);

impl Drop for Pinned {
    fn drop(&mut self) {
        // If the tape thread is gone, so are its pins; if its queue is full, it ends soon or serves the next of them.
        tokio::task::block_in_place(|| {
            let _ = self.0.send(Request::Unpin);
        });
    }
}

impl Noted {
    fn holds(&self, position: TapePosition, received_at: Timestamp) -> bool {
        (self.begin..self.end).contains(&position) && (self.from..self.to).contains(&received_at)
    }

    /// Takes a batch and leaves it empty; what does not belong to the stretch is dropped.
    fn rows_within(&self, batch: &mut FlowBatch) -> FlowBatch {
        let mut batch = std::mem::take(batch);
        let received_at =
            |batch: &FlowBatch, row: usize| Timestamp::from_nanos(batch.origin.received_at[row]);
        let keep: Vec<bool> = (0..batch.rows())
            .map(|row| self.holds(batch.position(row), received_at(&batch, row)))
            .collect();
        batch.retain(&keep);
        batch.pad();
        batch
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
