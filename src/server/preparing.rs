//! The store made ready: waits for the engine, makes the schema, takes the collector's name, then lets the writing task run
//! for as long as the name is held.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use engine::{EngineState, Phase};
use flow::TapePosition;
use store::presence::{Claim, Tenure};
use store::{Store, StoreError};
use tokio::sync::watch;

use super::checkpoint::{Checkpoint, Search};
use super::holding::Held;
use super::lives::Life;
use super::searching::Answer;
use super::storing::Storing;

/// First and longest pause before it is tried again.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// The task before the writing task.
pub(crate) struct Preparing {
    pub(crate) store: Arc<Store>,
    /// The embedded engine; `None` with a server elsewhere.
    pub(crate) engine: Option<watch::Receiver<EngineState>>,
    /// The collector's name, where other processes could write under it.
    pub(crate) claim: Option<Claim>,
    /// Set when the schema is in place and the name is taken.
    pub(crate) ready: watch::Sender<bool>,
    /// To the decoding thread, which waits for it.
    pub(crate) answers: SyncSender<Answer>,
    pub(crate) storing: Storing,
}

impl Preparing {
    /// Runs as [`Storing::run`] does. Gives up if the store was made by a newer program or is set up wrongly: no time
    /// mends that.
    pub(crate) async fn run(mut self, life: Life) {
        if !self.store.keeps() {
            self.answer(None);
            self.storing.run().await;
            return life.end_well();
        }
        let mut abandon = self.storing.abandon.clone();
        let prepared = tokio::select! {
            prepared = self.prepare() => prepared,
            // An error means that the product is being torn down.
            _ = abandon.wait_for(|flag| *flag) => return life.end_well(),
        };
        let held = match prepared {
            Ok(tenure) => tenure.map(|tenure| Arc::new(Held::new(self.store, tenure))),
            Err(error) => return life.fail(crate::output::chain(&error)),
        };
        self.storing.held.clone_from(&held);
        self.ready.send_replace(true);
        // Whoever loses the name may not finish the insert either: it counts as not acknowledged.
        tokio::select! {
            () = self.storing.run() => life.end_well(),
            error = hold(held) => life.fail(crate::output::chain(&error)),
        }
    }

    /// A name that is taken is waited for, too: meanwhile what arrives is on tape.
    async fn prepare(&mut self) -> Result<Option<Tenure>, StoreError> {
        let mut pause = PAUSE_MIN;
        loop {
            self.wait_for_engine().await;
            match self.try_once().await {
                Ok(tenure) => {
                    self.storing.shared.note_store(None);
                    return Ok(tenure);
                }
                Err(error) if is_final(&error) => return Err(error),
                Err(error) => self.storing.shared.note_store(Some(&error)),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    async fn try_once(&mut self) -> Result<Option<Tenure>, StoreError> {
        if !self.store.is_made().await? {
            self.note_emptied().await;
        }
        self.store.prepare().await?;
        let tenure = match &self.claim {
            Some(claim) => Some(self.store.take_name(claim.clone()).await?),
            None => None,
        };
        let last = match self.storing.checkpoint.search() {
            Some(_) => self.store.last_position(&self.storing.collector).await?,
            None => None,
        };
        self.answer(last);
        Ok(tenure)
    }

    /// Lets the decoding thread begin.
    fn answer(&self, last: Option<TapePosition>) {
        let answer = match self.storing.checkpoint.search() {
            Some(search) => Answer::Search(search, last),
            None => Answer::AsItIs,
        };
        // There is room for one, and this is the only one; if the thread is gone, so is the product.
        let _ = self.answers.try_send(answer);
    }

    /// A store that has nothing, and should: noted before its tables are made, as nobody could tell afterwards.
    async fn note_emptied(&mut self) {
        let storing = &mut self.storing;
        if !storing.checkpoint.has_stored() {
            return;
        }
        tracing::error!("the store is empty: what is on tape is decoded and stored again");
        let mut emptied = Checkpoint::lost(Search::Store, storing.checkpoint.intake);
        emptied.collector.clone_from(&storing.checkpoint.collector);
        if let Some(mend) = &mut emptied.mend {
            mend.until = Some(storing.shared.tape.datagrams_total());
        }
        while let Err(error) = storing.folder.write(emptied.clone(), None) {
            tracing::error!(error = %crate::output::chain(&error), "the checkpoint cannot be saved");
            tokio::time::sleep(PAUSE_MAX).await;
        }
        storing.shared.acknowledge(&emptied, BTreeMap::new());
        storing.checkpoint = emptied;
    }

    /// Until it answers its socket is not there, which is no trouble worth a line.
    async fn wait_for_engine(&mut self) {
        if let Some(engine) = &mut self.engine {
            // An error means that its supervisor is gone; then the store says so itself.
            let _ = engine.wait_for(|state| state.phase == Phase::Ready).await;
        }
    }
}

/// Returns when the name is not held any more; never where nobody else can have it.
async fn hold(held: Option<Arc<Held>>) -> StoreError {
    match held {
        Some(held) => held.hold().await,
        None => std::future::pending().await,
    }
}

fn is_final(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::SchemaTooNew { .. }
            | StoreError::SchemaTooOld { .. }
            | StoreError::Configuration(_)
            | StoreError::PasswordFile { .. }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_no_time_mends_is_final() {
        assert!(is_final(&StoreError::SchemaTooNew { found: 9, known: 1 }));
        assert!(is_final(&StoreError::Configuration("no".to_owned())));
        let busy = StoreError::Busy {
            code: 252,
            message: String::new(),
        };
        assert!(!is_final(&busy) && !is_final(&StoreError::TimedOut));
        let taken = StoreError::NameTaken {
            collector: "a".to_owned(),
            host: "b".to_owned(),
        };
        assert!(!is_final(&taken));
    }
}
