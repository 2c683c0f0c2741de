//! Who may run now: statements and inserts go to blocking threads, a bounded number of each at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc::Receiver;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;

use crate::config::ServeConfig;
use crate::exception::{Exception, TOO_MANY_QUERIES};
use crate::library::Answer;
use crate::request::Request;
use crate::session::{Engine, Insert, NUMBER_SETTING, Piece};

/// How many may wait for each that may run.
const WAITING_PER_RUNNING: usize = 4;

/// The engine behind two queues, so that slow questions never hold up inserts.
pub(crate) struct Desk {
    engine: Arc<Engine>,
    queries: Queue,
    inserts: Queue,
    looking: Arc<Semaphore>,
    /// Numbers the statements, so that one can be told to end.
    numbers: AtomicU64,
    query_octets_max: usize,
    insert_octets_max: u64,
}

/// Requests of one kind: at most `running` run, at most four times as many wait.
///
/// When full, the newest is refused with `TOO_MANY_SIMULTANEOUS_QUERIES` (202, HTTP 503), which the client counts.
struct Queue {
    admitted: Arc<Semaphore>,
    running: Arc<Semaphore>,
}

/// A place in a queue; given back on drop.
type Place = (OwnedSemaphorePermit, OwnedSemaphorePermit);

impl Queue {
    fn new(running_max: usize) -> Self {
        let running_max = running_max.max(1);
        Self {
            admitted: Arc::new(Semaphore::new(running_max * (1 + WAITING_PER_RUNNING))),
            running: Arc::new(Semaphore::new(running_max)),
        }
    }

    async fn enter(&self) -> Result<Place, Exception> {
        let full = || {
            let reason = "Too many simultaneous queries";
            Exception::new(TOO_MANY_QUERIES, "TOO_MANY_SIMULTANEOUS_QUERIES", reason)
        };
        let admitted = self
            .admitted
            .clone()
            .try_acquire_owned()
            .map_err(|_| full())?;
        let running = self
            .running
            .clone()
            .acquire_owned()
            .await
            .map_err(|_| full())?;
        Ok((admitted, running))
    }
}

impl Desk {
    pub(crate) fn new(engine: Engine, config: &ServeConfig) -> Self {
        Self {
            engine: Arc::new(engine),
            queries: Queue::new(config.queries_max),
            inserts: Queue::new(config.inserts_max),
            looking: Arc::new(Semaphore::new(1)),
            numbers: AtomicU64::new(0),
            query_octets_max: config.query_octets_max,
            insert_octets_max: config.insert_octets_max,
        }
    }

    /// Blocking threads that this needs at most: one more looks, and one ends statements.
    pub(crate) fn threads_max(config: &ServeConfig) -> usize {
        config.queries_max.max(1) + config.inserts_max.max(1) + 2
    }

    pub(crate) fn query_octets_max(&self) -> usize {
        self.query_octets_max
    }

    pub(crate) fn insert_octets_max(&self) -> u64 {
        self.insert_octets_max
    }

    /// Runs a statement when its turn comes. If the caller leaves before the answer, the statement is told to end.
    pub(crate) async fn query(
        &self,
        request: Request,
        statement: Vec<u8>,
    ) -> Result<Answer, Exception> {
        let place = self.queries.enter().await?;
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let request = request.with_setting(NUMBER_SETTING, &number.to_string());
        let mut patience = Patience {
            engine: self.engine.clone(),
            number: Some(number),
        };
        let engine = self.engine.clone();
        let answer = on_a_thread(place, move || engine.query(&request, &statement)).await;
        patience.number = None;
        answer
    }

    /// Runs an insert when its turn comes.
    pub(crate) async fn insert(
        &self,
        request: Request,
        insert: Insert,
        data: Receiver<Piece>,
    ) -> Result<Answer, Exception> {
        let place = self.inserts.enter().await?;
        let engine = self.engine.clone();
        on_a_thread(place, move || engine.insert(&request, &insert, data)).await
    }

    /// Whether the engine answers a trivial question. While an earlier look hangs, it does not.
    pub(crate) async fn answers(&self) -> bool {
        let Ok(place) = self.looking.clone().try_acquire_owned() else {
            return false;
        };
        let engine = self.engine.clone();
        let look = spawn_blocking(move || {
            let answers = engine.answers();
            drop(place);
            answers
        });
        look.await.unwrap_or(false)
    }
}

async fn on_a_thread(
    place: Place,
    work: impl FnOnce() -> Result<Answer, Exception> + Send + 'static,
) -> Result<Answer, Exception> {
    let running = spawn_blocking(move || {
        let answer = work();
        drop(place);
        answer
    });
    match running.await {
        Ok(answer) => answer,
        Err(_) => Err(Exception::unknown("the statement's thread died")),
    }
}

/// A caller who waits for a statement. Dropped before the answer came, it ends the statement, so that somebody who left
/// does not keep a place.
struct Patience {
    engine: Arc<Engine>,
    /// `None` once the answer is there.
    number: Option<u64>,
}

impl Drop for Patience {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            let engine = self.engine.clone();
            spawn_blocking(move || engine.end_statement(number));
        }
    }
}
