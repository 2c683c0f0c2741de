//! The time that the end of the product may take, one deadline for all of it.

use std::time::Duration;

use flow::clock::Stopwatch;

/// All of it: a service manager, or an operator who waits, kills what takes much longer.
const STOP_MAX: Duration = Duration::from_millis(4500);
/// How long the store may take for what is already decoded; the rest is late, on tape.
const INSERTS_MAX: Duration = Duration::from_millis(2500);
/// What is kept for those who come last: requests, catalog, engine.
const KEPT: Duration = Duration::from_millis(1600);
/// How long requests may take to end, and then the catalog.
const SHORT: Duration = Duration::from_millis(200);

/// What the engine's process may take to end before it is killed. It is safe against that.
pub(crate) const ENGINE_MAX: Duration = Duration::from_secs(1);

/// What is left of it.
pub(crate) struct Budget(Stopwatch);

impl Budget {
    /// Begins to run.
    pub(crate) fn start() -> Self {
        Self(Stopwatch::start())
    }

    /// Waits for the last inserts; `None` if they take too long.
    pub(crate) async fn for_inserts<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        self.until(INSERTS_MAX, work).await
    }

    /// Waits for a thread or a task, as long as the later ones keep their share.
    pub(crate) async fn within<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        self.until(STOP_MAX.saturating_sub(KEPT), work).await
    }

    /// Waits for what has next to nothing to do.
    pub(crate) async fn shortly<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::time::timeout(SHORT, work).await.ok()
    }

    /// Waits with all that is left.
    pub(crate) async fn to_the_end<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        self.until(STOP_MAX, work).await
    }

    async fn until<T>(&self, end: Duration, work: impl Future<Output = T>) -> Option<T> {
        let left = end.saturating_sub(self.0.elapsed());
        tokio::time::timeout(left, work).await.ok()
    }
}
