//! Players at work, with a store that answers what the tests want.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use axum::response::IntoResponse as _;
use flow::{Filter, Timestamp};
use replay::player::{Command, Frames, Player};
use serde_json::Value;
use store::question::{FlowsAnswer, Scope};
use tokio::sync::watch;

use super::messages::{Change, Knowledge, Order, Program};
use super::running::{Ask, Listener, Said};
use super::show::Show;
use super::*;
use crate::people::Person;
use crate::view::{Answer, View};

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

    async fn answer(self: Arc<Self>) -> Result<Answer, ApiError> {
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
        Arc::new(move |_, _| Box::pin(this.clone().answer()))
    }
}

fn me() -> Person {
    Person::operator()
}

const LONG: Duration = Duration::from_secs(60);

fn limits() -> Limits {
    Limits {
        lonely_max: LONG,
        keep_alive: Duration::from_millis(20),
        ..Limits::default()
    }
}

/// So many views, named 0, 1, 2 …; each shows one flow more than the one before.
fn views(count: u32) -> BTreeMap<String, View> {
    let view = |number: u32| View::Flows {
        limit: Some(number + 1),
    };
    (0..count)
        .map(|number| (number.to_string(), view(number)))
        .collect()
}

/// Of an hour, with a frame for each second and so many views.
fn show_of(count: u32) -> Show {
    let at = Timestamp::from_seconds;
    let player = Player::new(at(0)..at(3600), Frames::default()).unwrap();
    let program = Program {
        views: views(count),
        filter: Filter::default(),
        window: LONG,
        scope: Scope::default(),
    };
    Show::new(player, Arc::new(program), Knowledge::Then)
}

fn show() -> Show {
    show_of(1)
}

fn listen(players: &Players, id: &str) -> Listener {
    players
        .find(&me(), id)
        .unwrap()
        .listen(players.place().unwrap())
}

fn order(players: &Players, id: &str, command: Command) {
    let player = players.find(&me(), id).unwrap();
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
    let (id, _) = players.begin(&me(), show(), store.ask()).unwrap();
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
    let (id, _) = players.begin(&me(), show(), store.ask()).unwrap();
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
    let (id, _) = players.begin(&me(), show(), store.ask()).unwrap();
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
    let (id, _) = players.begin(&me(), show(), store.ask()).unwrap();
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
    let (id, _) = players.begin(&me(), show(), store.ask()).unwrap();
    let mut listener = listen(&players, &id);
    let alive = async { while told(&mut listener).await.is_some() {} };
    let ended = tokio::time::timeout(lonely_max * 2, alive).await;
    assert!(ended.is_err() && players.find(&me(), &id).is_ok());
    // One that takes nothing is as good as none.
    until(|| players.find(&me(), &id).is_err()).await;
    assert_eq!(status(players.find(&me(), &id).unwrap_err()), 404);
    while told(&mut listener).await.is_some() {}
}

#[tokio::test]
async fn a_player_ends_when_it_is_old_or_its_store_hangs() {
    let players = Players::new(Limits {
        age_max: Duration::from_millis(200),
        ..limits()
    });
    let store = Slow::new(false);
    let (id, _) = players.begin(&me(), show(), store.ask()).unwrap();
    let mut listener = listen(&players, &id);
    while told(&mut listener).await.is_some() {}
    until(|| players.find(&me(), &id).is_err() && store.asking.load(Relaxed) == 0).await;
    assert_eq!(store.asked.load(Relaxed), 1);
}

#[tokio::test]
async fn ending_ends_the_question_and_the_streams() {
    let (players, store) = (Players::new(limits()), Slow::new(false));
    let begin = || players.begin(&me(), show(), store.ask()).unwrap().0;
    let (one, two) = (begin(), begin());
    assert!(one != two && one.len() == 32);
    let mut listeners = [&one, &two].map(|id| listen(&players, id));
    until(|| store.asking.load(Relaxed) == 2).await;
    players.end(&me(), &one).unwrap();
    assert_eq!(told(&mut listeners[0]).await.unwrap().0, "state");
    assert_eq!(told(&mut listeners[0]).await, None);
    assert_eq!(status(players.end(&me(), &one).unwrap_err()), 404);
    until(|| store.asking.load(Relaxed) == 1).await;
    players.end_all();
    until(|| store.asking.load(Relaxed) == 0).await;
    while told(&mut listeners[1]).await.is_some() {}
    let refused = players.begin(&me(), show(), store.ask()).unwrap_err();
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
    let (id, _) = players.begin(&me(), show(), store.ask()).unwrap();
    players.begin(&me(), show(), store.ask()).unwrap();
    let refused = players.begin(&me(), show(), store.ask()).unwrap_err();
    assert_eq!(status(refused), 429);
    let listener = listen(&players, &id);
    assert_eq!(status(players.place().unwrap_err()), 429);
    drop(listener);
    drop(players.place().unwrap());
    players.end(&me(), &id).unwrap();
    players.begin(&me(), show(), store.ask()).unwrap();
}

#[tokio::test]
async fn a_frame_has_all_views_and_some_are_asked_at_a_time() {
    let (players, store) = (Players::new(limits()), Slow::new(false));
    let (id, _) = players.begin(&me(), show_of(12), store.ask()).unwrap();
    let mut listener = listen(&players, &id);
    until(|| store.asking.load(Relaxed) == 4).await;
    assert_eq!(told(&mut listener).await.unwrap().0, "state");
    store.gate.send_replace(true);
    let (name, said) = told(&mut listener).await.unwrap();
    assert_eq!(name, "frame");
    let answers = said["answers"].as_object().unwrap();
    assert!(answers.len() == 12 && answers.keys().all(|name| views(12).contains_key(name)));
    assert_eq!(said.get("errors"), None);
    assert_eq!(
        (store.asked.load(Relaxed), store.most.load(Relaxed)),
        (12, 4)
    );
}

#[tokio::test]
async fn a_view_that_fails_is_told_and_the_others_are_shown() {
    let players = Players::new(limits());
    let good = Slow::new(true);
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let ask: Ask = Arc::new(move |_, view| {
        let is_first = matches!(view, View::Flows { limit: Some(1) });
        match is_first && counted.fetch_add(1, Relaxed) == 0 {
            true => Box::pin(async { Err(ApiError::not_found("there is no recording 'x'")) }),
            false => Box::pin(good.clone().answer()),
        }
    });
    let (id, _) = players.begin(&me(), show_of(3), ask).unwrap();
    let mut listener = listen(&players, &id);
    assert_eq!(told(&mut listener).await.unwrap().0, "state");
    let (_, said) = told(&mut listener).await.unwrap();
    let names: Vec<&String> = said["answers"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["1", "2"]);
    let why = serde_json::json!({"0": {"error": "there is no recording 'x'"}});
    assert_eq!(said["errors"], why);
    // Whoever comes later has it asked again.
    let mut late = listen(&players, &id);
    assert_eq!(told(&mut late).await.unwrap().0, "state");
    until(|| asked.load(Relaxed) == 2).await;
    order(&players, &id, Command::Play);
    assert_eq!(frame(&mut listener).await, 0);
    assert_eq!(frame(&mut listener).await, 1);
}

#[tokio::test]
async fn what_is_shown_changes_and_the_position_stays() {
    let (players, store) = (Players::new(limits()), Slow::new(true));
    let (id, running) = players.begin(&me(), show(), store.ask()).unwrap();
    let mut listener = listen(&players, &id);
    frame(&mut listener).await;
    order(&players, &id, Command::Speed { times: 2.5 });
    seek(&players, &id, 1800);
    assert_eq!(frame(&mut listener).await, 1800);
    let before = running.state();
    let change = Change {
        views: Some(views(2)),
        filter: Some(Filter::parse("app web").unwrap()),
        window: Some(Duration::from_secs(300)),
    };
    assert_eq!(running.order(Order::Show(change)).unwrap(), before);
    assert_eq!(told(&mut listener).await.unwrap().0, "state");
    let (_, said) = told(&mut listener).await.unwrap();
    assert_eq!(said["answers"].as_object().unwrap().len(), 2);
    let window = &said["window"];
    assert_eq!(
        (window["from"].as_str(), window["to"].as_str()),
        (
            Some("1970-01-01T00:25:00.000Z"),
            Some("1970-01-01T00:30:00.000Z")
        )
    );
    assert_eq!(said["jumped"], false);
    let too_many = Change {
        views: Some(views(13)),
        filter: None,
        window: None,
    };
    let refused = running.order(Order::Show(too_many)).unwrap_err();
    assert_eq!(status(refused), 400);
}
