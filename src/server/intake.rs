//! What never reached the tape, noted by the clock: where nothing else arrives no checkpoint is written, and where the store is
//! away for long none is either.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::checkpoint::Intake;
use super::durable::{self, FileError};
use super::shared::Shared;

/// How often it is looked whether the counters grew. As many seconds of them may be forgotten if the process is killed.
const LOOK_EVERY: Duration = Duration::from_secs(2);
const NAME: &str = "intake.json";

/// The file beside the checkpoint. Both have the counters; they only grow, so the larger ones hold.
#[derive(Debug)]
pub(crate) struct IntakeNote {
    path: PathBuf,
    noted: Intake,
}

impl IntakeNote {
    /// Reads what is noted in the checkpoint's folder; `known` is what the checkpoint says. A note that cannot be read is
    /// as good as none.
    pub(crate) fn open(folder: &Path, known: Intake) -> Self {
        let path = folder.join(NAME);
        let noted = durable::read::<Intake>(&path).unwrap_or_else(|error| {
            tracing::warn!(error = %crate::output::chain(&error), "the checkpoint's counters are taken instead");
            None
        });
        let noted = known.max(noted.unwrap_or_default());
        Self { path, noted }
    }

    /// The counters.
    pub(crate) fn noted(&self) -> Intake {
        self.noted
    }

    /// Notes them if they grew.
    fn note(&mut self, now: Intake) -> Result<(), FileError> {
        if now != self.noted {
            durable::replace_sealed(&self.path, &now)?;
            self.noted = now;
        }
        Ok(())
    }

    /// Looks again and again, and once more when it is told to stop.
    pub(crate) async fn keep(mut self, shared: Arc<Shared>, mut stop: oneshot::Receiver<()>) {
        let mut stopped = false;
        while !stopped {
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                _ = &mut stop => stopped = true,
            }
            let noted = tokio::task::block_in_place(|| self.note(shared.intake()));
            if let Err(error) = noted {
                tracing::warn!(error = %crate::output::chain(&error), "what was dropped cannot be noted");
            }
        }
    }
}

impl Intake {
    /// The larger of each counter.
    fn max(self, other: Self) -> Self {
        Self {
            not_allowed: self.not_allowed.max(other.not_allowed),
            queue_full: self.queue_full.max(other.queue_full),
            tape_failed: self.tape_failed.max(other.tape_failed),
            kernel_drops: self.kernel_drops.max(other.kernel_drops),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_last_is_known_without_a_checkpoint() {
        let folder = tempfile::tempdir().unwrap();
        let mut note = IntakeNote::open(folder.path(), Intake::default());
        let counted = Intake {
            not_allowed: 7,
            queue_full: 64,
            ..Intake::default()
        };
        note.note(counted).unwrap();
        let again = IntakeNote::open(folder.path(), Intake::default());
        assert_eq!(again.noted(), counted);
        // A checkpoint that came later knows of more.
        let later = Intake {
            queue_full: 65,
            ..Intake::default()
        };
        let both = IntakeNote::open(folder.path(), later).noted();
        assert_eq!((both.not_allowed, both.queue_full), (7, 65));
        std::fs::write(folder.path().join(NAME), "{").unwrap();
        assert_eq!(IntakeNote::open(folder.path(), later).noted(), later);
    }
}
