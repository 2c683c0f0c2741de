//! Players at work, with a store that answers what the tests want.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use axum::response::IntoResponse as _;
use flow::Timestamp;
use replay::player::{Command, Frames, Player};
use serde_json::Value;
use store::question::FlowsAnswer;
use tokio::sync::watch;

use super::messages::{Knowledge, Order};
use super::running::{Ask, Listener, Said};
use super::show::{Moment, Show};
use super::*;
use crate::view::Answer;

/// A store that answers when the gate is open.
struct Slow {
    gate: watch::Sender<bool>,
    asked: AtomicUsize,
    asking: AtomicUsize,
    most: AtomicUsize,
}

/// Somebody is asking.
struct Asking(Arc<Slow>);

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.asking.fetch_sub(1, Relaxed);
    }
}

impl Slow {
    fn new(open: bool) -> Arc<Self> {
        Arc::new(Self {
            gate: watch::Sender::new(open),
            asked: AtomicUsize::new(0),
            asking: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
        })
    }

    async fn answer(self: Arc<Self>, _: Moment) -> Result<Answer, ApiError> {
        self.asked.fetch_add(1, Relaxed);
        let asking = self.asking.fetch_add(1, Relaxed) + 1;
        let asking = (Asking(self.clone()), self.most.fetch_max(asking, Relaxed));
        let mut gate = self.gate.subscribe();
        gate.wait_for(|open| *open).await.unwrap();
        drop(asking);
        Ok(Answer::Flows(FlowsAnswer {
            flows: Vec::new(),
            more: false,
        }))
    }

    fn ask(self: &Arc<Self>) -> Ask {
        let this = self.clone();
        Arc::new(move |moment| Box::pin(this.clone().answer(moment)))
    }
}

const LONG: Duration = Duration::from_secs(60);

fn limits() -> Limits {
    Limits {
        lonely_max: LONG,
        keep_alive: Duration::from_millis(20),
        ..Limits::default()
    }
}

/// Of an hour, with a frame for each second.
fn show() -> Show {
    let at = Timestamp::from_seconds;
    let player = Player::new(at(0)..at(3600), Frames::default()).unwrap();
    Show::new(player, LONG, Knowledge::Then)
}

fn listen(players: &Players, id: &str) -> Listener {
    players.find(id).unwrap().listen(players.place().unwrap())
}

fn order(players: &Players, id: &str, command: Command) {
    let player = players.find(id).unwrap();
    player.order(Order::Move(command)).unwrap();
}

fn seek(players: &Players, id: &str, seconds: i64) {
    let to = Timestamp::from_seconds(seconds);
    order(players, id, Command::Seek { to });
}

/// The next of what is told; comments are none.
async fn told(listener: &mut Listener) -> Option<(&'static str, Value)> {
    let (name, json) = loop {
        match tokio::time::timeout(LONG, listener.next()).await.unwrap()? {
            Said::Nothing => {}
            Said::State(json) => break ("state", json),
            Said::Frame(json) => break ("frame", json),
            Said::Error(json) => break ("error", json),
        }
    };
    Some((name, serde_json::from_str(&json).unwrap()))
}

/// The position of the next frame, in seconds.
async fn frame(listener: &mut Listener) -> i64 {
    loop {
        let (name, said) = told(listener).await.unwrap();
        if name == "frame" {
            let position: Timestamp = said["position"].as_str().unwrap().parse().unwrap();
            return position.seconds();
        }
    }
}

/// Waits until it is so.
async fn until(is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LONG, waiting).await.unwrap();
}

fn status(error: ApiError) -> u16 {
    error.into_response().status().as_u16()
}

#[tokio::test]
async fn one_question_at_a_time_and_the_newest_command_is_answered() {
    let (players, store) = (Players::new(limits()), Slow::new(false));
    let (id, _) = players.begin(show(), store.ask()).unwrap();
    let mut listener = listen(&players, &id);
    until(|| store.asked.load(Relaxed) == 1).await;
    for second in 1..=50 {
        seek(&players, &id, second);
        tokio::task::yield_now().await;
    }
    store.gate.send_replace(true);
    // Nobody sees what was asked for before.
    assert_eq!(frame(&mut listener).await, 50);
    assert_eq!(
        (store.asked.load(Relaxed), store.most.load(Relaxed)),
        (2, 1)
    );
}

#[tokio::test]
async fn all_listeners_get_the_same_frames_and_the_last_at_once() {
    let (players, store) = (Players::new(limits()), Slow::new(true));
    let (id, _) = players.begin(show(), store.ask()).unwrap();
    let (mut one, mut two) = (listen(&players, &id), listen(&players, &id));
    assert_eq!(told(&mut one).await.unwrap().0, "state");
    for second in [0, 7, 3] {
        if second > 0 {
            seek(&players, &id, second);
        }
        assert_eq!(frame(&mut one).await, second);
        assert_eq!(frame(&mut two).await, second);
    }
    let mut late = listen(&players, &id);
    assert_eq!(frame(&mut late).await, 3);
    assert_eq!(store.asked.load(Relaxed), 3, "nothing was asked for it");
}

#[tokio::test]
async fn a_listener_that_is_slow_gets_the_newest_and_keeps_nobody() {
    let (players, store) = (Players::new(limits()), Slow::new(true));
    let (id, _) = players.begin(show(), store.ask()).unwrap();
    let (mut quick, mut slow) = (listen(&players, &id), listen(&players, &id));
    assert_eq!(frame(&mut quick).await, 0);
    for second in [10, 20, 30] {
        seek(&players, &id, second);
        assert_eq!(frame(&mut quick).await, second);
    }
    // More than are kept for it.
    for _ in 0..200 {
        order(&players, &id, Command::Pause);
    }
    assert_eq!(frame(&mut slow).await, 30);
    seek(&players, &id, 40);
    assert_eq!(frame(&mut slow).await, 40);
}

#[tokio::test]
async fn nothing_is_asked_while_nobody_listens() {
    let (players, store) = (Players::new(limits()), Slow::new(true));
    let (id, _) = players.begin(show(), store.ask()).unwrap();
    order(&players, &id, Command::Speed { times: 1000.0 });
    order(&players, &id, Command::Play);
    let mut listener = listen(&players, &id);
    frame(&mut listener).await;
    drop(listener);
    // A question may have been on its way.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let asked = store.asked.load(Relaxed);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(store.asked.load(Relaxed), asked);
    let position = frame(&mut listen(&players, &id)).await;
    assert!(position > 500, "{position}: the frame of before is no news");
}

#[tokio::test]
async fn a_player_without_listeners_ends() {
    let lonely_max = Duration::from_secs(1);
    let players = Players::new(Limits {
        lonely_max,
        ..limits()
    });
    let store = Slow::new(true);
    let (id, _) = players.begin(show(), store.ask()).unwrap();
    let mut listener = listen(&players, &id);
    let alive = async { while told(&mut listener).await.is_some() {} };
    let ended = tokio::time::timeout(lonely_max * 2, alive).await;
    assert!(ended.is_err() && players.find(&id).is_ok());
    // One that takes nothing is as good as none.
    until(|| players.find(&id).is_err()).await;
    assert_eq!(status(players.find(&id).unwrap_err()), 404);
    while told(&mut listener).await.is_some() {}
}

#[tokio::test]
async fn a_player_ends_when_it_is_old_or_its_store_hangs() {
    let players = Players::new(Limits {
        age_max: Duration::from_millis(200),
        ..limits()
    });
    let store = Slow::new(false);
    let (id, _) = players.begin(show(), store.ask()).unwrap();
    let mut listener = listen(&players, &id);
    while told(&mut listener).await.is_some() {}
    until(|| players.find(&id).is_err() && store.asking.load(Relaxed) == 0).await;
    assert_eq!(store.asked.load(Relaxed), 1);
}

#[tokio::test]
async fn ending_ends_the_question_and_the_streams() {
    let (players, store) = (Players::new(limits()), Slow::new(false));
    let begin = || players.begin(show(), store.ask()).unwrap().0;
    let (one, two) = (begin(), begin());
    assert!(one != two && one.len() == 32);
    let mut listeners = [&one, &two].map(|id| listen(&players, id));
    until(|| store.asking.load(Relaxed) == 2).await;
    players.end(&one).unwrap();
    assert_eq!(told(&mut listeners[0]).await.unwrap().0, "state");
    assert_eq!(told(&mut listeners[0]).await, None);
    assert_eq!(status(players.end(&one).unwrap_err()), 404);
    until(|| store.asking.load(Relaxed) == 1).await;
    players.end_all();
    until(|| store.asking.load(Relaxed) == 0).await;
    while told(&mut listeners[1]).await.is_some() {}
    let refused = players.begin(show(), store.ask()).unwrap_err();
    assert_eq!(status(refused), 503);
}

#[tokio::test]
async fn there_are_as_many_players_and_listeners_as_may_be() {
    let players = Players::new(Limits {
        players_max: 2,
        listeners_max: 1,
        ..limits()
    });
    let store = Slow::new(true);
    let (id, _) = players.begin(show(), store.ask()).unwrap();
    players.begin(show(), store.ask()).unwrap();
    let refused = players.begin(show(), store.ask()).unwrap_err();
    assert_eq!(status(refused), 429);
    let listener = listen(&players, &id);
    assert_eq!(status(players.place().unwrap_err()), 429);
    drop(listener);
    drop(players.place().unwrap());
    players.end(&id).unwrap();
    players.begin(show(), store.ask()).unwrap();
}

#[tokio::test]
async fn a_question_that_fails_is_told_and_the_player_goes_on() {
    let players = Players::new(limits());
    let asked = AtomicUsize::new(0);
    let good = Slow::new(true);
    let ask: Ask = Arc::new(move |moment| match asked.fetch_add(1, Relaxed) {
        0 => Box::pin(async { Err(ApiError::not_found("there is no recording 'x'")) }),
        _ => Box::pin(good.clone().answer(moment)),
    });
    let (id, _) = players.begin(show(), ask).unwrap();
    let mut listener = listen(&players, &id);
    assert_eq!(told(&mut listener).await.unwrap().0, "state");
    let (name, said) = told(&mut listener).await.unwrap();
    assert_eq!(
        (name, said["error"].as_str()),
        ("error", Some("there is no recording 'x'"))
    );
    order(&players, &id, Command::Play);
    assert_eq!(frame(&mut listener).await, 1);
}
