//! The collector's name, held: said again and again, and asked for before anything is written after a silence.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use flow::clock;
use store::presence::Tenure;
use store::{Store, StoreError};

/// A name that this process has.
pub(crate) struct Held {
    store: Arc<Store>,
    tenure: Tenure,
    /// By the clock of the day: it goes on while the machine sleeps.
    said_at: AtomicI64,
}

impl Held {
    /// One that was just taken.
    pub(crate) fn new(store: Arc<Store>, tenure: Tenure) -> Self {
        Self {
            store,
            tenure,
            said_at: AtomicI64::new(clock::now().nanos()),
        }
    }

    /// Says again and again that the name is held; returns when it is not any more.
    pub(crate) async fn hold(&self) -> StoreError {
        loop {
            tokio::time::sleep(self.tenure.beat()).await;
            match self.say().await {
                Err(error @ StoreError::NameTaken { .. }) => return error,
                Err(error) => {
                    tracing::debug!(%error, "the store was not told that this collector is there");
                }
                Ok(()) => {}
            }
        }
    }

    /// Whether the name is still this one's. Asks the store if it was not told so lately: the machine slept, or the store
    /// was away.
    ///
    /// # Errors
    ///
    /// [`StoreError::NameTaken`]: write nothing. Else the store's trouble: write nothing now.
    pub(crate) async fn make_sure(&self) -> Result<(), StoreError> {
        let silent = clock::now().nanos() - self.said_at.load(Ordering::Relaxed);
        match is_lately(silent, self.tenure.beat()) {
            true => Ok(()),
            false => self.say().await,
        }
    }

    async fn say(&self) -> Result<(), StoreError> {
        let now = clock::now().nanos();
        self.store.keep_name(&self.tenure).await?;
        self.said_at.store(now, Ordering::Relaxed);
        Ok(())
    }
}

/// Two beats at most; a clock that was set back tells nothing.
fn is_lately(silent_ns: i64, beat: Duration) -> bool {
    let most = i64::try_from((beat * 2).as_nanos()).unwrap_or(i64::MAX);
    (0..=most).contains(&silent_ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_two_beats_of_silence_the_store_is_asked() {
        let beat = Duration::from_secs(5);
        assert!(is_lately(0, beat) && is_lately(10_000_000_000, beat));
        assert!(!is_lately(10_000_000_001, beat) && !is_lately(-1, beat));
    }
}
