//! A player at work: one task that asks the store, never about two moments at a time, and those who listen.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use flow::clock::Stopwatch;
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Notify, OwnedSemaphorePermit, broadcast};

use super::messages::{FrameEvent, Order, PlayerState};
use super::show::{Moment, Show};
use super::{Limits, VIEWS_ASKED_MAX};
use crate::ApiError;
use crate::error::ErrorBody;
use crate::view::{Answer, View};

/// News that a listener has not taken yet. When there are more, the oldest go; the newest frame is kept beside them, so
/// that each player holds one frame in memory, however slow its listeners are. Nobody waits for a listener.
const NEWS_MAX: usize = 64;

/// Asks the store about one view of a moment.
pub(super) type Ask =
    Arc<dyn Fn(&Moment, &View) -> BoxFuture<'static, Result<Answer, ApiError>> + Send + Sync>;

/// What listeners are told.
#[derive(Clone, Debug)]
enum News {
    /// A command was done: the state as JSON.
    State(Arc<str>),
    /// There is a newer frame.
    Frame,
    /// The player has ended.
    End,
}

/// A player.
pub(super) struct Running {
    clock: Stopwatch,
    limits: Limits,
    news: broadcast::Sender<News>,
    /// A command came, or a listener.
    changed: Notify,
    now_shown: Mutex<Shown>,
}

/// What commands, the task and listeners share; held for moments only.
struct Shown {
    show: Show,
    /// The newest frame as JSON, and its number from 1.
    newest: Option<(u64, Arc<str>)>,
    frames: u64,
    /// When a listener last took something.
    listened_at: Duration,
    ended: bool,
}

/// What the store said about the views of a moment, by their names.
#[derive(Default)]
struct Answers {
    answers: BTreeMap<String, Box<RawValue>>,
    errors: BTreeMap<String, ErrorBody>,
}

/// What the task does next.
enum Next {
    Ask(Moment),
    Wait(Duration),
    End,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running")
            .field("clock", &self.clock)
            .finish_non_exhaustive()
    }
}

impl Running {
    pub(super) fn new(show: Show, limits: Limits) -> Self {
        Self {
            clock: Stopwatch::start(),
            limits,
            news: broadcast::Sender::new(NEWS_MAX),
            changed: Notify::new(),
            now_shown: Mutex::new(Shown {
                show,
                newest: None,
                frames: 0,
                listened_at: Duration::ZERO,
                ended: false,
            }),
        }
    }

    /// Shows frame after frame until nobody listens any more. While nobody does, nothing is asked.
    pub(super) async fn run(&self, ask: Ask) {
        loop {
            match self.next() {
                Next::Ask(moment) => {
                    let Some(answers) = self.until_its_end(answers(&ask, &moment)).await else {
                        return;
                    };
                    self.show(&moment, &answers);
                }
                Next::Wait(time) => {
                    // An error means that it was time.
                    let _ = tokio::time::timeout(time, self.changed.notified()).await;
                }
                Next::End => return,
            }
        }
    }

    fn next(&self) -> Next {
        let now = self.clock.elapsed();
        let mut shown = self.shown();
        let end = self.end_of(&shown);
        if now >= end {
            return Next::End;
        }
        if self.news.receiver_count() == 0 {
            return Next::Wait(end - now);
        }
        if let Some(moment) = shown.show.take(now) {
            return Next::Ask(moment);
        }
        let due = shown.show.due(now).unwrap_or(end);
        Next::Wait(due.min(end).saturating_sub(now))
    }

    /// When it ends, if nobody takes anything any more.
    fn end_of(&self, shown: &Shown) -> Duration {
        let lonely = shown.listened_at.saturating_add(self.limits.lonely_max);
        lonely.min(self.limits.age_max)
    }

    /// The answers; `None` if the player's end comes first, as with a store that hangs.
    async fn until_its_end<T>(&self, question: impl Future<Output = T>) -> Option<T> {
        let mut question = std::pin::pin!(question);
        loop {
            let end = self.end_of(&self.shown());
            let left = end.checked_sub(self.clock.elapsed())?;
            if let Ok(answer) = tokio::time::timeout(left, &mut question).await {
                return Some(answer);
            }
        }
    }

    /// Tells listeners what the store said, unless a command has overtaken it.
    fn show(&self, moment: &Moment, said: &Answers) {
        let mut shown = self.shown();
        let Some(jumped) = shown.show.seen(moment) else {
            return;
        };
        if !said.errors.is_empty() {
            shown.show.missed();
        }
        let frame = json(&FrameEvent {
            position: moment.position,
            window: moment.window.into(),
            jumped,
            state: shown.show.state(self.clock.elapsed()),
            answers: &said.answers,
            errors: &said.errors,
        });
        shown.frames += 1;
        shown.newest = Some((shown.frames, frame));
        self.tell(News::Frame);
    }

    pub(super) fn state(&self) -> PlayerState {
        self.shown().show.state(self.clock.elapsed())
    }

    /// Does what it is told, at once, and tells listeners of it.
    pub(super) fn order(&self, order: Order) -> Result<PlayerState, ApiError> {
        let mut shown = self.shown();
        let now = self.clock.elapsed();
        shown.show.tell(order, now)?;
        let state = shown.show.state(now);
        self.tell(News::State(json(&state)));
        self.changed.notify_one();
        Ok(state)
    }

    /// Lets somebody listen: to the state, to the newest frame if it is where the player is, and to all that comes.
    pub(super) fn listen(self: Arc<Self>, place: OwnedSemaphorePermit) -> Listener {
        let mut shown = self.shown();
        let now = self.clock.elapsed();
        let mut first = VecDeque::from([News::State(json(&shown.show.state(now)))]);
        let newest = shown.newest.as_ref().map_or(0, |(number, _)| *number);
        let sent = match shown.show.is_shown(now) {
            true => {
                first.push_back(News::Frame);
                0
            }
            false => newest,
        };
        if shown.ended {
            first.push_back(News::End);
        }
        shown.listened_at = now;
        shown.show.retry();
        let news = self.news.subscribe();
        drop(shown);
        self.changed.notify_one();
        Listener {
            running: self,
            first,
            news,
            sent,
            _place: place,
        }
    }

    /// Tells listeners that there is nothing more.
    pub(super) fn end(&self) {
        self.shown().ended = true;
        self.tell(News::End);
    }

    fn tell(&self, news: News) {
        // An error means that nobody listens.
        let _ = self.news.send(news);
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.now_shown
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody who listens to a player.
pub(super) struct Listener {
    running: Arc<Running>,
    /// What is told before the news.
    first: VecDeque<News>,
    news: broadcast::Receiver<News>,
    /// Number of the last frame that was sent, or was too old to be.
    sent: u64,
    _place: OwnedSemaphorePermit,
}

/// What a listener is told.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Said {
    /// That the connection lives.
    Nothing,
    State(Arc<str>),
    Frame(Arc<str>),
}

impl Listener {
    /// What is to be sent next; `None` when the player has ended.
    pub(super) async fn next(&mut self) -> Option<Said> {
        loop {
            self.running.shown().listened_at = self.running.clock.elapsed();
            return match self.news().await {
                None => Some(Said::Nothing),
                Some(News::State(json)) => Some(Said::State(json)),
                Some(News::Frame) => match self.newest() {
                    Some(json) => Some(Said::Frame(json)),
                    None => continue,
                },
                Some(News::End) => None,
            };
        }
    }

    /// The next news; `None` if there are none for long.
    async fn news(&mut self) -> Option<News> {
        if let Some(news) = self.first.pop_front() {
            return Some(news);
        }
        let keep_alive = self.running.limits.keep_alive;
        match tokio::time::timeout(keep_alive, self.news.recv()).await {
            Err(_) => None,
            Ok(Ok(news)) => Some(news),
            // It missed some; the frames among them are left out.
            Ok(Err(RecvError::Lagged(_))) => Some(News::Frame),
            Ok(Err(RecvError::Closed)) => Some(News::End),
        }
    }

    /// The newest frame, if it is newer than the one that was sent last.
    fn newest(&mut self) -> Option<Arc<str>> {
        let (number, json) = self.running.shown().newest.clone()?;
        let is_new = number > self.sent;
        self.sent = self.sent.max(number);
        is_new.then_some(json)
    }
}

/// Asks about all views of a moment, some at a time. One that fails takes nothing from the others.
async fn answers(ask: &Ask, moment: &Moment) -> Answers {
    let mut questions = Vec::new();
    for (name, view) in &moment.program.views {
        let (name, answer) = (name.clone(), ask(moment, view));
        // Written down here, as an answer may be long, and commands should not wait for that.
        questions.push(async move { (name, answer.await.map(|answer| to_raw_value(&answer))) });
    }
    let mut said = futures_util::stream::iter(questions).buffer_unordered(VIEWS_ASKED_MAX);
    let mut answers = Answers::default();
    while let Some((name, answer)) = said.next().await {
        match answer {
            Ok(json) => {
                answers.answers.insert(name, json.unwrap_or_default());
            }
            Err(error) => {
                answers.errors.insert(name, error.into_body());
            }
        }
    }
    answers
}

/// JSON of what can be said in JSON: plain structs and maps with texts as keys.
fn json(value: &impl Serialize) -> Arc<str> {
    serde_json::to_string(value)
        .unwrap_or_else(|_| "null".to_owned())
        .into()
}
