//! The store made ready: waits for the engine, makes the schema, then lets the writing task run.

use std::sync::Arc;
use std::time::Duration;

use engine::{EngineState, Phase};
use store::{Store, StoreError};
use tokio::sync::watch;

use super::lives::Life;
use super::storing::Storing;

/// First and longest pause before it is tried again.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// The task before the writing task.
pub(crate) struct Preparing {
    pub(crate) store: Arc<Store>,
    /// The embedded engine; `None` with a server elsewhere.
    pub(crate) engine: Option<watch::Receiver<EngineState>>,
    /// Set when the schema is in place.
    pub(crate) ready: watch::Sender<bool>,
    pub(crate) storing: Storing,
}

impl Preparing {
    /// Runs as [`Storing::run`] does. Gives up if the store was made by a newer program or is set up wrongly: no time
    /// mends that.
    pub(crate) async fn run(mut self, life: Life) {
        if !self.store.keeps() {
            self.storing.run().await;
            return life.end_well();
        }
        let mut abandon = self.storing.abandon.clone();
        let prepared = tokio::select! {
            prepared = self.prepare() => prepared,
            // An error means that the product is being torn down.
            _ = abandon.wait_for(|flag| *flag) => return life.end_well(),
        };
        if let Err(error) = prepared {
            return life.fail(crate::output::chain(&error));
        }
        self.ready.send_replace(true);
        self.storing.run().await;
        life.end_well();
    }

    async fn prepare(&mut self) -> Result<(), StoreError> {
        let mut pause = PAUSE_MIN;
        loop {
            self.wait_for_engine().await;
            match self.store.prepare().await {
                Ok(()) => {
                    self.storing.shared.note_store(None);
                    return Ok(());
                }
                Err(error) if is_final(&error) => return Err(error),
                Err(error) => self.storing.shared.note_store(Some(&error)),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Until it answers its socket is not there, which is no trouble worth a line.
    async fn wait_for_engine(&mut self) {
        if let Some(engine) = &mut self.engine {
            // An error means that its supervisor is gone; then the store says so itself.
            let _ = engine.wait_for(|state| state.phase == Phase::Ready).await;
        }
    }
}

fn is_final(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::SchemaTooNew { .. }
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
    }
}
