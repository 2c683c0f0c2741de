//! Visual trouble tickets with the real binary: a press in the middle of simulated traffic, floods, the desk's work, and kills.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::path::Path;
use std::time::Duration;

use flow::clock::{self, Stopwatch};
use flow::{Datagram, Timestamp};
use serde_json::{Value, json};
use simulator::enterprise::{Config, ConversationTruth, Direction, Effect, Enterprise, Incident};
use support::chance::Chance;
use support::http::{Answer, connect_from, exchange_on};
use support::lab::is_alive;
use support::{Launch, Server, eventually, setting};

const RST: u16 = 4;
const MINUTE: Duration = Duration::from_secs(60);
/// The application that is in trouble.
const MAIL: &str = "mail";

/// A press at one of this machine's addresses, 127.0.0.x.
fn press(server: &Server, x: u8, body: &Value) -> Answer {
    post(server, x, "/api/v1/tickets", body)
}

fn post(server: &Server, x: u8, path: &str, body: &Value) -> Answer {
    let stream = connect_from(Ipv4Addr::new(127, 0, 0, x), server.running.http);
    let headers = [("Content-Type", "application/json")];
    let body = body.to_string();
    exchange_on(stream, "POST", path, &headers, body.as_bytes()).unwrap()
}

fn json(answer: &Answer) -> Value {
    serde_json::from_str(answer.body()).unwrap_or_else(|_| panic!("{}", answer.text))
}

/// A press that is taken.
fn pressed(server: &Server, x: u8, body: &Value) -> Value {
    let answer = press(server, x, body);
    assert_eq!(answer.status, 201, "{}", answer.text);
    json(&answer)
}

/// Waits for a ticket's story.
fn opened(server: &Server, number: &Value) -> Value {
    eventually("the story is made", || {
        let opened: Value = server.get(&format!("/api/v1/tickets/{number}"));
        (!opened["story"].is_null()).then_some(opened)
    })
}

/// Five minutes of an enterprise that ended three minutes ago, whose mail servers refuse in the third minute, and are silent in the
/// fourth.
fn enterprise(now: Timestamp) -> (Enterprise, Vec<Datagram>) {
    let start = now - MINUTE * 8;
    let mut enterprise = Enterprise::new(Config {
        users: 60,
        noise: false,
        keep_conversations: true,
        ..Config::new(7, start)
    });
    let application = || MAIL.to_owned();
    let down = |refuses| Effect::ServerDown {
        application: application(),
        refuses,
    };
    let surge = Effect::Surge {
        application: application(),
        times: 30.0,
    };
    for (effect, from, until) in [(surge, 0, 5), (down(true), 2, 3), (down(false), 3, 4)] {
        let incident = Incident {
            effect,
            from: start + MINUTE * from,
            until: start + MINUTE * until,
        };
        enterprise.schedule(&incident).unwrap();
    }
    let mut datagrams = Vec::new();
    enterprise.advance(start + MINUTE * 5, &mut |datagram| datagrams.push(datagram));
    enterprise.finish(&mut |datagram| datagrams.push(datagram));
    (enterprise, datagrams)
}

/// Sends what exporters sent, each from an address of its own.
fn send(server: &Server, datagrams: &[Datagram]) {
    let mut sockets: BTreeMap<IpAddr, UdpSocket> = BTreeMap::new();
    for (number, datagram) in (1_u64..).zip(datagrams) {
        let exporter = datagram.source.ip();
        let socket = sockets.entry(exporter).or_insert_with(|| {
            let IpAddr::V4(address) = exporter else {
                panic!("{exporter}")
            };
            UdpSocket::bind((Ipv4Addr::new(127, 0, 1, address.octets()[3]), 0)).unwrap()
        });
        socket.send_to(&datagram.payload, server.udp()).unwrap();
        if number % 200 == 0 {
            eventually("they are received", || {
                (server.accounting().datagrams.received >= number).then_some(())
            });
        }
    }
    server.wait_for_datagrams(datagrams.len() as u64);
}

/// What truly became of conversations.
#[derive(Debug, Default, PartialEq, Eq)]
struct Truth {
    clients: BTreeSet<IpAddr>,
    opened: u64,
    refused: u64,
    unanswered: u64,
    octets: u64,
}

impl Truth {
    fn of<'a>(conversations: impl Iterator<Item = &'a ConversationTruth>) -> Self {
        let mut truth = Self::default();
        for one in conversations {
            let answers = || {
                let sent = one.sent.iter();
                sent.filter(|(direction, _)| *direction == Direction::ToClient)
            };
            truth.clients.insert(one.client);
            truth.opened += 1;
            truth.unanswered += u64::from(answers().next().is_none());
            truth.refused += u64::from(answers().any(|(_, train)| train.flags & RST != 0));
            let ever = one.sent_within(Timestamp::EPOCH, Timestamp::MAX);
            truth.octets += ever.iter().map(|sent| sent.octets).sum::<u64>();
        }
        truth
    }

    /// Whether a ticket's measures say the same.
    fn check(&self, measures: &Value) {
        let told = |name: &str| measures[name].as_u64();
        assert_eq!(told("opened"), Some(self.opened), "{measures}");
        assert_eq!(told("refused"), Some(self.refused), "{measures}");
        assert_eq!(told("unanswered"), Some(self.unanswered), "{measures}");
        assert_eq!(
            told("clients"),
            Some(self.clients.len() as u64),
            "{measures}"
        );
        let octets = measures["octets_per_second"].as_f64().unwrap() * 600.0;
        #[allow(clippy::cast_precision_loss, reason = "small sums")]
        let expected = self.octets as f64;
        assert!((octets - expected).abs() < 0.5, "{octets} of {expected}");
    }
}

fn configured(folder: &Path, enterprise: &Enterprise) -> Server {
    let file = folder.join("test.toml");
    std::fs::write(&file, toml::to_string(&enterprise.rules()).unwrap()).unwrap();
    let data = folder.join("data");
    Server::start(&data, &["--config", file.to_str().unwrap()])
}

/// The subnets of headquarters: see the map in `docs/simulator.md`.
fn is_at_headquarters(address: IpAddr) -> bool {
    let text = address.to_string();
    text.starts_with("10.1.") || text.starts_with("fd00:1:")
}

#[test]
fn a_press_tells_what_truly_happened() {
    let folder = tempfile::tempdir().unwrap();
    let (enterprise, datagrams) = enterprise(clock::now());
    let server = configured(folder.path(), &enterprise);
    send(&server, &datagrams);
    // What has just come may still be answered.
    let sent = Stopwatch::start();
    eventually("nothing can be answered any more", || {
        (sent.elapsed() > Duration::from_secs(5)).then_some(())
    });
    let of_mail = || {
        let all = enterprise.conversations().iter();
        all.filter(|one| one.application == MAIL)
    };
    // Whom it befell most, among those whose exporters report each direction by itself.
    let hosts: BTreeSet<IpAddr> = of_mail().map(|one| one.client).collect();
    let of = |host: IpAddr| Truth::of(of_mail().filter(|one| one.client == host));
    let at_headquarters = hosts
        .iter()
        .copied()
        .filter(|host| host.is_ipv4() && is_at_headquarters(*host));
    let host = at_headquarters
        .max_by_key(|host| of(*host).refused.min(of(*host).unanswered))
        .unwrap();
    assert!(of(host).refused > 0 && of(host).unanswered > 0);

    let words = json!({"host": host, "application": MAIL, "words": "slow\r\nsince ten"});
    let ticket = pressed(&server, 1, &words);
    assert_eq!(
        (&ticket["state"], &ticket["site"]),
        (&json!("open"), &json!("headquarters"))
    );
    assert_eq!(
        (&ticket["words"], &ticket["reporter"]),
        (&json!("slow\nsince ten"), &json!("127.0.0.1"))
    );
    let recording: Value = server.get(&format!("/api/v1/recordings/ticket%20{}", ticket["number"]));
    assert_eq!(recording["number"], ticket["recording"]);
    let time = |value: &Value| value.as_str().unwrap().parse::<Timestamp>().unwrap();
    let at = time(&ticket["pressed_at"]);
    assert_eq!(time(&recording["from"]), at - MINUTE * 10);
    assert_eq!(time(&recording["to"]), at + MINUTE * 5);
    let filter = recording["filter"].as_str().unwrap();
    assert!(
        filter.starts_with(&format!("ip {host} or server ip in [")),
        "{filter}"
    );
    assert!(filter.ends_with("or site headquarters"), "{filter}");

    let opened = opened(&server, &ticket["number"]);
    assert_eq!(opened["events"][0]["text"], format!("recorded: {filter}"));
    let applications = opened["story"]["applications"].as_array().unwrap();
    assert!((1..=5).contains(&applications.len()));
    let told = applications
        .iter()
        .find(|one| one["application"] == MAIL)
        .unwrap();
    of(host).check(&told["now"]);
    let others =
        |of: &dyn Fn(&ConversationTruth) -> bool| Truth::of(of_mail().filter(|one| of(one)));
    let side = |line: &str| told[line]["sides"][0]["together"].clone();
    others(&|one| is_at_headquarters(one.client) && one.client != host).check(&side("colleagues"));
    // On the same servers, which are those that the host used.
    let servers: BTreeSet<IpAddr> = of_mail()
        .filter(|one| one.client == host)
        .map(|one| one.server)
        .collect();
    others(&|one| !is_at_headquarters(one.client) && servers.contains(&one.server))
        .check(&side("elsewhere"));
    // Nothing was heard before.
    let sides = told["themselves"]["sides"].as_array().unwrap();
    assert_eq!(sides.len(), 8);
    for side in sides {
        assert_eq!(side["together"], Value::Null);
        assert_eq!(side["absent"], "no records are left from then");
    }
    assert_eq!(opened["story"]["verdict"], Value::Null);
    let failed = format!(
        "{} of {} connections failed ({} refused, {} unanswered)",
        of(host).refused + of(host).unanswered,
        of(host).opened,
        of(host).refused,
        of(host).unanswered
    );
    for line in ["themselves", "colleagues", "elsewhere"] {
        let sentence = told[line]["sentence"].as_str().unwrap();
        assert!(sentence.contains(&failed), "{sentence}");
    }
    let picture = picture(&server, &ticket["number"]);
    assert!(picture.len() < 200_000 && picture.contains(&format!("Traffic of {host}")));
    let document = roxmltree::Document::parse(&picture).unwrap();
    assert!(
        document
            .descendants()
            .any(|node| node.text().map(str::trim) == Some(MAIL))
    );
    a_second_press_is_not_slowed(&server, host);
}

fn picture(server: &Server, number: &Value) -> String {
    let path = format!("{}/api/v1/tickets/{number}/picture.svg", server.url());
    let answer = ureq::get(path).call().unwrap();
    assert_eq!(answer.headers()["content-type"], "image/svg+xml");
    answer.into_body().read_to_string().unwrap()
}

/// While the first's story is being made, others press.
fn a_second_press_is_not_slowed(server: &Server, host: IpAddr) {
    let first = pressed(server, 2, &json!({"host": host}));
    let path = format!("/api/v1/tickets/{}", first["number"]);
    let (mut longest, mut presses) = (Duration::ZERO, 0);
    while server.get::<Value>(&path)["story"].is_null() {
        let watch = Stopwatch::start();
        pressed(server, 3 + presses, &json!({"host": host}));
        (longest, presses) = (longest.max(watch.elapsed()), presses + 1);
    }
    assert!(
        presses > 3 && longest < Duration::from_secs(3),
        "{presses}: {longest:?}"
    );
}

#[test]
fn one_who_presses_again_and_again_is_slowed_with_a_friendly_word() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    for _ in 0..3 {
        let ticket = pressed(&server, 9, &json!({}));
        assert_eq!(
            (&ticket["host"], &ticket["reporter"]),
            (&json!("127.0.0.9"), &json!("127.0.0.9"))
        );
    }
    let slowed = press(&server, 9, &json!({}));
    assert_eq!(slowed.status, 429);
    let words = json(&slowed)["error"].as_str().unwrap().to_owned();
    assert!(
        words.starts_with("Thank you: the help desk has your 3 reports of the last minute."),
        "{words}"
    );
    let later = slowed.text.to_lowercase();
    let (_, later) = later.split_once("retry-after: ").unwrap();
    let seconds: u64 = later.split("\r\n").next().unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds));
    pressed(&server, 10, &json!({}));
    let tickets: Value = server.get("/api/v1/tickets");
    assert_eq!(tickets.as_array().unwrap().len(), 4);
    let recordings: Value = server.get("/api/v1/recordings");
    assert_eq!(recordings.as_array().unwrap().len(), 4);
}

#[test]
fn what_is_no_press_makes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let wrong = [
        json!({"host": "nowhere"}),
        json!({"words": "\u{1b}[2J"}),
        json!({"words": "a".repeat(2001)}),
        json!({"application": "a\nb"}),
        json!({"who": "me"}),
    ];
    for (x, body) in (20..).zip(&wrong) {
        assert_eq!(press(&server, x, body).status, 400, "{body}");
    }
    assert_eq!(server.get::<Value>("/api/v1/tickets"), json!([]));
    assert_eq!(server.get::<Value>("/api/v1/recordings"), json!([]));
    let here: Value = server.get("/api/v1/here");
    assert_eq!(
        (&here["address"], &here["applications"]),
        (&json!("127.0.0.1"), &json!([]))
    );
}

#[test]
fn a_ticket_goes_its_way_and_whoever_listens_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let mut news = connect_from(Ipv4Addr::LOCALHOST, server.running.http);
    news.write_all(b"GET /api/v1/tickets/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    let mut heard = String::new();
    let mut hear = |wanted: &str| {
        let mut piece = [0; 4096];
        while !heard.contains(wanted) {
            let length = news.read(&mut piece).unwrap();
            assert!(length > 0, "{heard}");
            heard += std::str::from_utf8(&piece[..length]).unwrap();
        }
    };
    hear(" 200 ");
    for x in 1..=3 {
        pressed(&server, x, &json!({"host": "10.9.9.9"}));
        hear(&format!("event: ticket\ndata: {x}\n\n"));
    }
    let step = |number: u32, step: &str, body: Value| {
        let answer = post(
            &server,
            1,
            &format!("/api/v1/tickets/{number}/{step}"),
            &body,
        );
        (answer.status, json(&answer))
    };
    let (status, ticket) = step(1, "assign", json!({"to": "bob"}));
    assert_eq!((status, &ticket["assignee"]), (200, &json!("bob")));
    let (status, ticket) = step(1, "escalate", json!({"text": "it is the link"}));
    assert_eq!((status, &ticket["state"]), (200, &json!("escalated")));
    assert_eq!(
        step(1, "escalate", json!({})),
        (409, json!({"error": "ticket 1 is escalated"}))
    );
    let (status, ticket) = step(2, "merge", json!({"into": 1}));
    assert_eq!((status, &ticket["merged_into"]), (200, &json!(1)));
    assert_eq!(step(3, "merge", json!({"into": 2})).0, 409);
    assert_eq!(step(3, "merge", json!({"into": 77})).0, 404);
    assert_eq!(step(3, "close", json!({"text": ""})).0, 400);
    assert_eq!(step(3, "close", json!({"text": "a cable"})).0, 200);
    assert_eq!(step(3, "comments", json!({"text": "thank you"})).0, 200);
    assert_eq!(step(3, "reopen", json!(null)).0, 200);
    assert_eq!(step(99, "reopen", json!(null)).0, 404);
    let numbers = |query: &str| -> Vec<u64> {
        let all: Value = server.get(&format!("/api/v1/tickets?{query}"));
        let all = all.as_array().unwrap().iter();
        all.map(|one| one["number"].as_u64().unwrap()).collect()
    };
    assert_eq!(numbers(""), [3, 2, 1]);
    assert_eq!(numbers("state=open"), [3]);
    assert_eq!(numbers("state=escalated&host=10.9.9.9"), [1]);
    assert_eq!(numbers("before=3&limit=1"), [2]);
    assert_eq!(numbers("site=nowhere"), [0; 0]);
    let opened: Value = server.get("/api/v1/tickets/1");
    let kinds: Vec<&str> = opened["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["pressed", "assigned", "escalated", "took_in"]);
    // Whoever listens does not keep the server from stopping.
    assert!(server.stop() < Duration::from_secs(5));
}

/// Kills the server, and waits until its engine is gone too.
fn kill(server: Server) {
    let engine = server.try_engine();
    server.kill();
    if let Some(engine) = engine {
        eventually("the engine ends with the server", || {
            (!is_alive(engine)).then_some(())
        });
    }
}

#[test]
fn killed_while_somebody_presses_it_has_the_whole_ticket_or_none() {
    let folder = tempfile::tempdir().unwrap();
    let launch = Launch::of(folder.path());
    let mut chance = Chance::new(setting("FLOWREEL_SEED", 42));
    let mut answered: BTreeSet<u64> = BTreeSet::new();
    let mut unanswered = 0;
    for round in 0..setting("FLOWREEL_PRESSES_KILLED", 25) {
        let server = Server::receiving(&launch, "127.0.0.1:0");
        // Where the store is there the press asks it first.
        if round % 2 == 0 {
            server.wait_until_ready();
        }
        let request = "POST /api/v1/tickets HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: 21\r\n\r\n{\"host\":\"10.1.2.3\"}  ";
        let mut presses: Vec<_> = (1..=4)
            .map(|x| {
                let mut stream = connect_from(Ipv4Addr::new(127, 0, 2, x), server.running.http);
                stream.write_all(request.as_bytes()).unwrap();
                stream
            })
            .collect();
        std::thread::sleep(Duration::from_micros(chance.number() % 300_000));
        kill(server);
        for stream in &mut presses {
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer);
            let text = String::from_utf8(answer).unwrap();
            match text.split_once("\r\n\r\n") {
                Some((head, body)) if head.contains(" 201 ") => {
                    let ticket: Value = serde_json::from_str(body).unwrap();
                    answered.insert(ticket["number"].as_u64().unwrap());
                }
                _ => unanswered += 1,
            }
        }
        let server = Server::receiving(&launch, "127.0.0.1:0");
        check_whole(&server, &answered, round);
        kill(server);
    }
    println!("{} presses were answered, {unanswered} not", answered.len());
    assert!(!answered.is_empty() && unanswered > 0);
    // All stories are made in the end.
    let server = Server::start(folder.path(), &[]);
    let all: Vec<Value> = server.get("/api/v1/tickets?limit=200");
    for ticket in &all {
        opened(&server, &ticket["number"]);
    }
}

/// Whether each answered press is there, and each ticket has its recording, and each recording its ticket.
fn check_whole(server: &Server, answered: &BTreeSet<u64>, round: u64) {
    let tickets: Vec<Value> = server.get("/api/v1/tickets?limit=200");
    let recordings: Vec<Value> = server.get("/api/v1/recordings");
    let number = |ticket: &Value| ticket["number"].as_u64().unwrap();
    let numbers: BTreeSet<u64> = tickets.iter().map(number).collect();
    assert!(
        answered.is_subset(&numbers),
        "{round}: {answered:?} {numbers:?}"
    );
    let of_tickets: BTreeMap<u64, String> = tickets
        .iter()
        .map(|ticket| {
            (
                ticket["recording"].as_u64().unwrap(),
                format!("ticket {}", ticket["number"]),
            )
        })
        .collect();
    let there: BTreeMap<u64, String> = recordings
        .iter()
        .map(|one| (number(one), one["name"].as_str().unwrap().to_owned()))
        .collect();
    assert_eq!(of_tickets, there, "{round}");
    for number in numbers {
        let opened: Value = server.get(&format!("/api/v1/tickets/{number}"));
        assert_eq!(opened["events"][0]["kind"], "pressed", "{round}");
    }
}
