//! The writing task: batches into the store, each exactly once.
//!
//! Before a batch is inserted its end is on disk as an intent; after the store has acknowledged it, its end is the
//! checkpoint. If the process dies between the two, the next one makes the same batch again and inserts it under the same
//! token, which the store recognises.

use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use flow::clock::Stopwatch;
use flow::{FlowBatch, clock};
use store::{Refused, Writer};
use tokio::sync::{mpsc, watch};

use super::checkpoint::{self, Checkpoint, CheckpointFolder, PipelineState};
use super::holding::Held;
use super::mending::Mender;
use super::pipeline::Staged;
use super::reclassifying::{Job, Reclassifier, ReclassifyError};
use super::shared::Shared;

/// First and longest pause before an insert is tried again.
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// How often a stretch that could not be decoded again is tried again, beside each start.
const RESUME_EVERY: Duration = Duration::from_secs(60);

/// The task's state.
pub(crate) struct Storing {
    /// `None` where nothing is kept: then batches are counted as `not_kept`.
    pub(crate) writer: Option<Writer>,
    pub(crate) collector: String,
    /// The name, where others could write under it.
    pub(crate) held: Option<Arc<Held>>,
    /// Since when a stretch that was being decoded again is left as it is.
    pub(crate) unfinished: Option<Stopwatch>,
    pub(crate) staged: mpsc::Receiver<Staged>,
    /// Back to the decoding thread; what it has no use for is dropped.
    pub(crate) emptied: SyncSender<FlowBatch>,
    pub(crate) folder: CheckpointFolder,
    pub(crate) checkpoint: Checkpoint,
    pub(crate) shared: Arc<Shared>,
    /// Stretches to be decoded again, one at a time, between two inserts.
    pub(crate) jobs: mpsc::Receiver<Job>,
    pub(crate) reclassifier: Reclassifier,
    /// Compares batches with the store, after something was lost.
    pub(crate) mender: Mender,
    /// Whether the store may have a part of the batch, or all of it, from an earlier attempt: after a crash of either.
    pub(crate) doubted: bool,
    /// Rows of the last batch that the store refused.
    pub(crate) refused_of_last: u64,
    /// Set when the product stops and the store has had its time: what is not acknowledged then stays on tape.
    pub(crate) abandon: watch::Receiver<bool>,
}

impl Storing {
    /// Runs until the decoding thread is gone or the work is to be abandoned.
    pub(crate) async fn run(mut self) {
        // The state at the checkpoint's position, not yet on disk.
        let mut state: Option<PipelineState> = None;
        self.resume().await;
        self.say_what_was_open();
        loop {
            if self.is_resume_due() {
                if !self.save_until_done(&mut state).await {
                    return;
                }
                self.resume().await;
            }
            if self.checkpoint.is_mended() && !self.finish_mending(&mut state).await {
                return;
            }
            let staged = tokio::select! {
                staged = self.staged.recv() => staged,
                Some(job) = self.jobs.recv() => {
                    if !self.save_until_done(&mut state).await {
                        return;
                    }
                    self.reclassify(job).await;
                    self.save(&mut state).await;
                    continue;
                }
            };
            let Some(mut staged) = staged else { break };
            if !self.compare(&mut staged).await {
                return;
            }
            match self.writer.clone() {
                None => self.count_not_kept(&staged),
                Some(_) if staged.batch.is_empty() => {}
                Some(writer) => {
                    self.checkpoint.intent = Some(staged.to);
                    self.checkpoint.intent_datagrams = staged.passed.datagrams;
                    if !self.save_until_done(&mut state).await
                        || !self.insert(&writer, &staged).await
                        || !self.make_sure(&staged).await
                    {
                        return;
                    }
                }
            }
            self.checkpoint.position = staged.to;
            self.checkpoint.intent = None;
            self.checkpoint.books = staged.books;
            self.checkpoint.passed = staged.passed;
            state = staged.state.or(state);
            self.shared.acknowledge(&self.checkpoint, staged.feeds);
            self.give_back(staged.batch);
            // At once: an intent that is left behind would have the batch made again for nothing.
            self.save(&mut state).await;
        }
        self.save(&mut state).await;
    }

    /// What is filled again needs no fresh memory, which the kernel would have to clear. But what was filled to a small part only
    /// has room from a time of more, and goes back.
    fn give_back(&self, mut batch: FlowBatch) {
        batch = match batch.rows() < batch.room() / 4 {
            true => FlowBatch::default(),
            false => batch,
        };
        batch.clear();
        // If the decoding thread is gone nobody needs it.
        let _ = self.emptied.try_send(batch);
    }

    /// Without a store a batch that was begun in one is decoded, counted as the others, and left as it is there.
    fn say_what_was_open(&self) {
        if let Some(intent) = self.checkpoint.intent.filter(|_| self.writer.is_none()) {
            tracing::error!(
                tape.from = %self.checkpoint.position, tape.to = %intent,
                "engine = \"none\" while a batch was being stored: whether the store has it is not known; it counts as \
                 not_kept and stays on tape"
            );
        }
    }

    /// Goes on with a reclassification that an earlier process had begun.
    async fn resume(&mut self) {
        if self.writer.is_none() {
            return;
        }
        let known = self.folder.state().unwrap_or_default();
        let resumed = tokio::select! {
            resumed = self.reclassifier.resume(known) => resumed,
            () = abandoned(&mut self.abandon) => return,
        };
        // If not it is counted, and is tried again, or was set aside.
        if let Ok(refused) = resumed {
            self.book_refused(refused);
        }
        let unfinished = self.reclassifier.is_unfinished();
        self.unfinished = unfinished.then(Stopwatch::start);
    }

    fn is_resume_due(&self) -> bool {
        self.unfinished
            .is_some_and(|since| since.elapsed() >= RESUME_EVERY)
    }

    fn book_refused(&mut self, refused: checkpoint::Refused) {
        self.checkpoint.refused.records += refused.records;
        self.checkpoint.refused.datagrams += refused.datagrams;
        self.shared.note_refused(self.checkpoint.refused);
    }

    async fn reclassify(&mut self, job: Job) {
        if self.reclassifier.is_unfinished() {
            self.resume().await;
        }
        let result = match self.folder.state() {
            Ok(known) => tokio::select! {
                result = self.reclassifier.run(job.from, job.to, self.checkpoint.position, known) => result,
                () = abandoned(&mut self.abandon) => Err(ReclassifyError::Stopped),
            },
            Err(error) => Err(error.into()),
        };
        if let Ok(remade) = &result {
            self.book_refused(remade.refused);
        } else if self.reclassifier.is_unfinished() {
            self.unfinished = Some(Stopwatch::start());
        }
        // Whoever asked may have gone; it is done all the same.
        drop(job.alone);
        let _ = job.answer.send(result.map(|remade| remade.reclassified));
    }

    /// Inserts until the store has it. Returns false if the work is abandoned.
    async fn insert(&mut self, writer: &Writer, staged: &Staged) -> bool {
        let token = self.checkpoint.token(&self.collector, staged);
        let mut pause = PAUSE_MIN;
        loop {
            let again = self.doubted;
            let attempt = async {
                if let Some(held) = &self.held {
                    held.make_sure().await?;
                }
                let (batch, now) = (&staged.batch, clock::now());
                match again {
                    true => writer.insert_again(batch, &token, now).await,
                    false => writer.insert(batch, &token, now).await,
                }
            };
            let result = tokio::select! {
                result = attempt => result,
                () = abandoned(&mut self.abandon) => return false,
            };
            match result {
                Ok(refused) => {
                    self.shared.note_store(None);
                    self.count_refused(staged, &refused);
                    return true;
                }
                Err(error) => {
                    self.doubted = true;
                    self.shared.note_store(Some(&error));
                }
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = abandoned(&mut self.abandon) => return false,
            }
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Leaves out what the store has, if that is not known. Returns false if the work is abandoned.
    async fn compare(&mut self, staged: &mut Staged) -> bool {
        if self.writer.is_none() {
            self.checkpoint.mend = None;
        }
        tokio::select! {
            () = self.mender.compare(&mut self.checkpoint, staged) => true,
            () = abandoned(&mut self.abandon) => false,
        }
    }

    /// All that was on tape when something was lost is in the store: its rollups are made anew. Returns false if the work
    /// is abandoned; then the next start does it.
    async fn finish_mending(&mut self, state: &mut Option<PipelineState>) -> bool {
        if let Some(mend) = &self.checkpoint.mend {
            tokio::select! {
                () = self.mender.finish(mend) => {}
                () = abandoned(&mut self.abandon) => return false,
            }
        }
        self.checkpoint.mend = None;
        self.shared.note_mended();
        self.save_until_done(state).await
    }

    /// What was understood since the last batch has no store to go to.
    fn count_not_kept(&mut self, staged: &Staged) {
        let (now, before) = (&staged.books, &self.checkpoint.books);
        let not_kept = &mut self.checkpoint.not_kept;
        not_kept.datagrams += now.understood.saturating_sub(before.understood);
        not_kept.records += now.records.saturating_sub(before.records);
    }

    /// After an attempt that broke off: looks whether the batch is there once. Returns false if the work is abandoned; then
    /// the next process is in doubt.
    async fn make_sure(&mut self, staged: &Staged) -> bool {
        if !self.doubted {
            return true;
        }
        let refused = self.refused_of_last;
        loop {
            let known = self.folder.state().unwrap_or_default();
            let sure = tokio::select! {
                sure = self.reclassifier.make_sure(&staged.batch, staged.to, refused, known) => sure,
                () = abandoned(&mut self.abandon) => return false,
            };
            let Err(error) = sure else { break };
            tracing::error!(
                tape.from = %staged.from, tape.to = %staged.to, error = %crate::output::chain(&error),
                "whether a batch is stored once is not known"
            );
            if !error.is_of_the_disk() {
                self.shared.remade.doubtful_batches.add(1);
                break;
            }
            tokio::select! {
                () = tokio::time::sleep(PAUSE_MAX) => {}
                () = abandoned(&mut self.abandon) => return false,
            }
            self.resume().await;
        }
        if self.reclassifier.is_unfinished() {
            self.unfinished.get_or_insert_with(Stopwatch::start);
        }
        self.doubted = false;
        true
    }

    fn count_refused(&mut self, staged: &Staged, refused: &Refused) {
        if let Some(error) = &refused.first_error {
            tracing::error!(
                tape.from = %staged.from, tape.to = %staged.to, rows = refused.rows, error,
                "the store refuses rows; they stay on tape"
            );
        }
        self.refused_of_last = refused.rows;
        self.checkpoint.refused.records += refused.rows;
        self.checkpoint.refused.datagrams += refused.datagrams;
    }

    /// Saves the checkpoint; as long as the disk refuses nothing may be inserted, as it could not be told after a crash.
    async fn save_until_done(&mut self, state: &mut Option<PipelineState>) -> bool {
        while !self.save(state).await {
            tokio::select! {
                () = tokio::time::sleep(PAUSE_MAX) => {}
                () = abandoned(&mut self.abandon) => return false,
            }
        }
        true
    }

    async fn save(&mut self, state: &mut Option<PipelineState>) -> bool {
        self.checkpoint.intake = self.shared.intake();
        let written = tokio::task::block_in_place(|| {
            self.folder.write(self.checkpoint.clone(), state.as_ref())
        });
        match written {
            Ok(()) => {
                *state = None;
                true
            }
            Err(error) => {
                tracing::error!(error = %crate::output::chain(&error), "the checkpoint cannot be saved");
                false
            }
        }
    }
}

async fn abandoned(abandon: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone: the product is being torn down.
    let _ = abandon.wait_for(|flag| *flag).await;
}
