//! What is done while it is not known which rows the store has: each batch is compared with it before it is inserted, and
//! at the end the rollups of what was found are made anew.
//!
//! A row is known by its name. One that is there is left out, so nothing is twice; one that is not comes, so nothing is
//! lost. Rollups of rows that are there may lack them (the insert was cut short) or not, which nobody can tell, so those
//! hours are made of the flows again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use flow::{TapePosition, Timestamp};
use store::stored::{arrivals_of, hours_of};
use store::{Store, StoreError, Stretch};

use super::checkpoint::{Checkpoint, Mend};
use super::pipeline::Staged;
use super::shared::Shared;

/// Pause before a step that the store could not do now is tried again.
const PAUSE: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

/// What it takes to compare.
#[derive(Clone)]
pub(crate) struct Mender {
    pub(crate) store: Arc<Store>,
    pub(crate) collector: String,
    pub(crate) shared: Arc<Shared>,
}

impl Mender {
    /// Takes out of a batch what the store has of it, if that is to be asked. Waits for the store.
    pub(crate) async fn compare(&self, checkpoint: &mut Checkpoint, staged: &mut Staged) {
        let is_repeated = checkpoint.intent == Some(staged.to);
        let Some(mend) = &mut checkpoint.mend else {
            return;
        };
        mend.search = None;
        if staged.batch.is_empty() || (is_repeated && mend.whole) {
            return;
        }
        let has = loop {
            match self.store.has_rows(&self.collector, &staged.batch).await {
                Ok(has) => break has,
                Err(error) => self.shared.note_store(Some(&error)),
            }
            tokio::time::sleep(PAUSE).await;
        };
        self.shared.note_store(None);
        mend.whole = !mend.thorough && !has.contains(&true);
        if mend.whole {
            return;
        }
        mend.hours.extend(hours_of(&staged.batch));
        mend.arrivals.extend(arrivals_of(&staged.batch));
        let missing: Vec<bool> = has.iter().map(|has| !has).collect();
        let found = has.iter().filter(|has| **has).count();
        tracing::info!(
            tape.from = %staged.from, tape.to = %staged.to, rows = has.len(), found,
            "compared with the store: rows that it has are left out"
        );
        staged.batch.retain(&missing);
        staged.batch.pad();
    }

    /// Makes the rollups anew of all that was compared. Waits for the store.
    pub(crate) async fn finish(&self, mend: &Mend) {
        for (from, to) in runs(&mend.arrivals) {
            let stretch = self.arrived(from, to);
            self.rebuild(&BTreeSet::new(), &stretch).await;
        }
        // Hour by hour: one that can't be made anew keeps none of the others.
        for hour in &mend.hours {
            let nothing = self.arrived(Timestamp::EPOCH, Timestamp::EPOCH);
            self.rebuild(&BTreeSet::from([*hour]), &nothing).await;
        }
        tracing::info!(
            hours = mend.hours.len(),
            "the store has what the tape had; its rollups are as its flows again"
        );
    }

    async fn rebuild(&self, hours: &BTreeSet<i64>, stretch: &Stretch) {
        loop {
            match self.store.rebuild(hours, stretch).await {
                Ok(()) => return self.shared.note_store(None),
                Err(error @ (StoreError::Question(_) | StoreError::NotAlone { .. })) => {
                    self.shared.remade.hours_wrong.add(1);
                    let why = error.to_string();
                    return tracing::error!(?hours, arrived = %stretch.received_from, why, "rollups cannot be made anew");
                }
                Err(error) => self.shared.note_store(Some(&error)),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn arrived(&self, from: Timestamp, to: Timestamp) -> Stretch {
        let end = TapePosition {
            segment: u32::MAX,
            offset: u32::MAX,
        };
        Stretch {
            collector: self.collector.clone(),
            from: TapePosition::START,
            to: end,
            received_from: from,
            received_to: to,
        }
    }
}

impl Checkpoint {
    /// Whether all that was to be compared is.
    pub(crate) fn is_mended(&self) -> bool {
        let mend = self.mend.as_ref();
        mend.is_some_and(|mend| {
            mend.search.is_none() && mend.until.is_some_and(|all| self.passed.datagrams >= all)
        })
    }

    /// What an insert of this batch is called. What the store had a part of gets a name that no earlier insert had.
    pub(crate) fn token(&self, collector: &str, staged: &Staged) -> String {
        let (from, to) = (staged.from, staged.to);
        match &self.mend {
            Some(mend) if !mend.whole => format!("{collector}:mend:{from}-{to}"),
            _ => format!("{collector}:{from}-{to}"),
        }
    }
}

/// Hours side by side, as stretches of time.
fn runs(hours: &BTreeSet<i64>) -> Vec<(Timestamp, Timestamp)> {
    let hours: Vec<i64> = hours.iter().copied().collect();
    let runs = hours.chunk_by(|hour, next| hour + 3600 == *next);
    runs.filter_map(|run| {
        let (first, last) = (run.first()?, run.last()?);
        let end = Timestamp::from_seconds(*last) + HOUR;
        Some((Timestamp::from_seconds(*first), end))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_side_by_side_are_one_stretch() {
        let stretches = runs(&BTreeSet::from([3600, 7200, 36_000]));
        let seconds = |from, to| (Timestamp::from_seconds(from), Timestamp::from_seconds(to));
        assert_eq!(stretches, [seconds(3600, 10_800), seconds(36_000, 39_600)]);
    }

    #[test]
    fn it_is_mended_when_the_tape_of_that_time_is_read() {
        let mut checkpoint = Checkpoint::default();
        assert!(!checkpoint.is_mended());
        checkpoint.mend = Some(Mend {
            until: Some(10),
            ..Mend::default()
        });
        checkpoint.passed.datagrams = 9;
        assert!(!checkpoint.is_mended());
        checkpoint.passed.datagrams = 10;
        assert!(checkpoint.is_mended());
    }
}
