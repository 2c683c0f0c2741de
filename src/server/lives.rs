//! Notices when something ends that should run as long as the product does.
//!
//! A thread that panics takes nothing with it: without this the product would go on, and answer, with nobody behind.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::sync::watch;

/// Between two looks at the threads that receive.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    /// Its name.
    pub(crate) part: &'static str,
    /// Why, if it said so; a thread that panicked did not.
    pub(crate) why: Option<String>,
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.why {
            Some(why) => f.write_str(why),
            None => write!(
                f,
                "'{}' ended by itself, which is a bug; what was received is on tape",
                self.part
            ),
        }
    }
}

/// The watch over all parts.
#[derive(Clone, Default)]
pub(crate) struct Lives {
    ended: watch::Sender<Vec<Ended>>,
    receivers: Arc<OnceLock<Receivers>>,
}

/// Each thread that receives holds the stop flag until its end.
struct Receivers {
    flag: Weak<AtomicBool>,
    holders: usize,
}

/// A part's life: dropping it tells that the part ended.
pub(crate) struct Life {
    ended: Ended,
    watch: Option<watch::Sender<Vec<Ended>>>,
}

impl Lives {
    /// A new part's life.
    pub(crate) fn begin(&self, part: &'static str) -> Life {
        Life {
            ended: Ended { part, why: None },
            watch: Some(self.ended.clone()),
        }
    }

    /// Starts a thread that lives as long as the product.
    pub(crate) fn spawn(
        &self,
        part: &'static str,
        work: impl FnOnce() + Send + 'static,
    ) -> Result<JoinHandle<()>> {
        let life = self.begin(part);
        let thread = std::thread::Builder::new()
            .name(part.to_owned())
            .spawn(move || {
                let _life = life;
                work();
            });
        thread.with_context(|| format!("the thread '{part}' cannot be started"))
    }

    /// Watches the threads that receive, by who holds their stop flag now.
    pub(crate) fn watch_receivers(&self, flag: &Arc<AtomicBool>) {
        let receivers = Receivers {
            flag: Arc::downgrade(flag),
            holders: Arc::strong_count(flag),
        };
        // They are started once.
        let _ = self.receivers.set(receivers);
    }

    /// What has ended so far.
    pub(crate) fn ended(&self) -> Vec<Ended> {
        let mut ended = self.ended.borrow().clone();
        let receivers = self.receivers.get();
        if receivers.is_some_and(|receivers| receivers.flag.strong_count() < receivers.holders) {
            ended.push(Ended {
                part: "listening",
                why: None,
            });
        }
        ended
    }

    /// Waits until something ends.
    pub(crate) async fn first_end(&self) -> Ended {
        let mut changes = self.ended.subscribe();
        loop {
            if let Some(ended) = self.ended().into_iter().next() {
                return ended;
            }
            // Both mean: look again.
            let _ = tokio::time::timeout(LOOK_EVERY, changes.changed()).await;
        }
    }
}

impl Life {
    /// The part gives up, and says why.
    pub(crate) fn fail(mut self, why: String) {
        self.ended.why = Some(why);
    }

    /// The part ended because another did, or because it was told to.
    pub(crate) fn end_well(mut self) {
        self.watch = None;
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        if let Some(watch) = &self.watch {
            watch.send_modify(|ended| ended.push(self.ended.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_a_runtime<T>(work: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(work)
    }

    #[test]
    fn a_thread_that_panics_is_noticed() {
        let lives = Lives::default();
        let thread = lives
            .spawn("decode", || panic!("this test says so"))
            .unwrap();
        let ended = in_a_runtime(lives.first_end());
        assert_eq!((ended.part, ended.why), ("decode", None));
        assert!(thread.join().is_err());
    }

    #[test]
    fn who_gives_up_says_why_and_who_ends_well_says_nothing() {
        let lives = Lives::default();
        lives.begin("storing").end_well();
        assert_eq!(lives.ended(), []);
        lives
            .begin("storing")
            .fail("the schema is newer".to_owned());
        let ended = in_a_runtime(lives.first_end());
        assert_eq!(ended.to_string(), "the schema is newer");
    }

    #[test]
    fn a_receiver_that_ends_is_noticed() {
        let lives = Lives::default();
        let flag = Arc::new(AtomicBool::new(false));
        let (kept, lost) = (flag.clone(), flag.clone());
        lives.watch_receivers(&flag);
        assert_eq!(lives.ended(), []);
        drop(lost);
        let ended = in_a_runtime(lives.first_end());
        assert_eq!(ended.part, "listening");
        drop(kept);
    }
}
