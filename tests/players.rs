//! Players over HTTP, with the real binary and the real engine: a recording of half a minute whose every frame is known on
//! paper.
//!
//! Second *i* of 30 brings one datagram, a tenth of a second after *i*, with one flow: from second *i* - 1 to *i*, 1,000
//! octets to 10.0.0.2. At second 20.5 comes one more, late: a flow from second 4 to 5, 50,000 octets to 10.0.0.3. Frames
//! show ten seconds.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;

use bytes::Bytes;
use collector::capture::{CaptureWriter, Format, Framing};
use flow::{Datagram, Feed, Timestamp};
use serde_json::{Value, json};
use simulator::encode::fixed::{FixedHeader, FixedRecord, FixedVersion, datagram};
use support::http::{connect, exchange};
use support::listening::Listening;
use support::{Server, eventually};

/// 2023-11-14T22:13:20Z.
const START_S: u32 = 1_700_000_000;
const SECONDS: u32 = 30;
/// How long the exporter had run when the recording began, milliseconds.
const UPTIME_MS: u32 = 3_600_000;
const LATE_OCTETS: u64 = 50_000;

fn at_ms(millis: i64) -> Timestamp {
    Timestamp::from_seconds(START_S.into()).offset(millis * 1_000_000)
}

fn at(second: u32) -> Timestamp {
    at_ms(i64::from(second) * 1000)
}

/// A datagram of this second with one flow from a second to the next, to the server 10.0.0.`server`.
fn export(second: u32, sequence: u32, from: i64, server: u8, octets: u32) -> Bytes {
    let uptime = |second: i64| UPTIME_MS.wrapping_add_signed(i32::try_from(second * 1000).unwrap());
    let header = FixedHeader {
        uptime_ms: uptime(second.into()),
        unix_seconds: START_S + second,
        sequence,
        ..FixedHeader::default()
    };
    let record = FixedRecord {
        src: [10, 0, 0, 1].into(),
        dst: [10, 0, 0, server].into(),
        src_port: 40_000 + u16::try_from(sequence).unwrap(),
        dst_port: 443,
        protocol: 6,
        packets: 10,
        octets,
        first_ms: uptime(from),
        last_ms: uptime(from + 1),
        ..FixedRecord::default()
    };
    datagram(FixedVersion::V5, header, &[record])
}

/// All datagrams, with their milliseconds of arrival, in that order.
fn datagrams() -> Vec<(i64, Bytes)> {
    let mut all = Vec::new();
    for second in 0..SECONDS {
        let sequence = u32::try_from(all.len()).unwrap();
        let regular = export(second, sequence, i64::from(second) - 1, 2, 1000);
        all.push((i64::from(second) * 1000 + 100, regular));
        if second == 20 {
            all.push((20_500, export(second, sequence + 1, 4, 3, 50_000)));
        }
    }
    all
}

/// Imports all of it as the recording `incident`.
fn record(server: &Server, folder: &Path) {
    let path = folder.join("incident.pcap");
    let file = std::fs::File::create(&path).unwrap();
    let mut writer = CaptureWriter::new(file, Format::Pcap, Framing::Raw).unwrap();
    for (millis, payload) in datagrams() {
        let datagram = Datagram {
            received_at: at_ms(millis),
            source: SocketAddr::from(([192, 0, 2, 1], 50_000)),
            local_port: 2055,
            feed: Feed::WIRE,
            payload,
        };
        writer.write(&datagram).unwrap();
    }
    writer.finish().unwrap();
    let url = format!("{}/api/v1/reels?name=incident", server.url());
    let answer = ureq::post(url).send(std::fs::File::open(&path).unwrap());
    assert_eq!(answer.unwrap().status(), 201);
}

fn started() -> (tempfile::TempDir, Server) {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("data"), &[]);
    record(&server, folder.path());
    (folder, server)
}

/// Sends JSON; the status and the body.
fn post(server: &Server, path: &str, body: &Value) -> (u16, Value) {
    let body = serde_json::to_vec(body).unwrap();
    let headers = [("Content-Type", "application/json")];
    let answer = exchange(server.running.http, "POST", path, &headers, &body);
    let said = serde_json::from_str(answer.body());
    (
        answer.status,
        said.unwrap_or_else(|error| panic!("{error}: {}", answer.text)),
    )
}

/// Makes a player that shows the servers of ten seconds.
fn player(server: &Server, more: Value) -> String {
    let mut body = json!({"views": {"all": {"top": {"dimension": "servers"}}}, "window": "10s"});
    let all = body.as_object_mut().unwrap();
    all.extend(more.as_object().unwrap().clone());
    let (status, made) = post(server, "/api/v1/players", &body);
    assert_eq!(status, 201, "{made}");
    made["id"].as_str().unwrap().to_owned()
}

fn tell(server: &Server, id: &str, command: Value) -> Value {
    let (status, state) = post(server, &format!("/api/v1/players/{id}"), &command);
    assert_eq!(status, 200, "{state}");
    state
}

/// Octets and flows of a server in a frame; nothing if it is not there.
fn of_server(frame: &Value, name: &str) -> (u64, u64) {
    let rows = frame["answers"]["all"].as_array().unwrap();
    let row = rows.iter().find(|row| row["name"] == name);
    row.map_or((0, 0), |row| {
        let number = |column: &str| row[column].as_u64().unwrap();
        (number("octets"), number("flows"))
    })
}

fn position(frame: &Value) -> Timestamp {
    frame["position"].as_str().unwrap().parse().unwrap()
}

/// What the question's own route answers for a frame.
fn route(server: &Server, recording: &str, frame: &Value, known_at: &str) -> Value {
    let to = frame["position"].as_str().unwrap();
    server.get(&format!(
        "/api/v1/top/servers?{recording}as_of={to}&last=10s{known_at}"
    ))
}

#[test]
fn frames_come_in_order_and_are_what_the_question_answers() {
    let (_folder, server) = started();
    let id = player(
        &server,
        json!({"recording": "incident", "speed": 10, "play": true}),
    );
    let mut listening = Listening::to(&server, &id);
    let state = listening.expect("state");
    // The recording begins with the first arrival and ends behind the last.
    assert_eq!(state["recording_from"], json!(at_ms(100)));
    assert_eq!(state["recording_to"], json!(at_ms(29_100).offset(1)));
    let (mut last, mut whole) = (Timestamp::EPOCH, 0);
    loop {
        let frame = listening.expect("frame");
        let here = position(&frame);
        assert!(here > last, "{here} comes after {last}");
        assert_eq!(frame["jumped"], json!(last == Timestamp::EPOCH));
        last = here;
        assert_eq!(frame["window"]["to"], frame["position"]);
        let asked = route(&server, "recording=incident&", &frame, "&known_at=as_of");
        assert_eq!(frame["answers"]["all"], asked, "{here}");
        let millis = here.nanos_since(at(0)) / 1_000_000;
        if millis % 1000 == 0 && millis > 0 {
            whole += 1;
            let second = u64::try_from(millis / 1000).unwrap();
            // Of second 10 on paper: flows of seconds 1 to 9 have arrived and lie in it; that of second 0 ends right where
            // the window begins. The late one is out of the window when it comes.
            let (octets, flows) = (1000 * second.min(9), second.min(10));
            assert_eq!(of_server(&frame, "10.0.0.2"), (octets, flows), "{here}");
            assert_eq!(of_server(&frame, "10.0.0.3"), (0, 0), "{here}");
        }
        if here == at_ms(29_100).offset(1) {
            assert_eq!(frame["state"]["playing"], json!(false));
            break;
        }
    }
    // Of 29; a machine under load leaves some out.
    assert!(whole > 3, "{whole}");
}

#[test]
fn a_command_takes_effect_at_once() {
    let (_folder, server) = started();
    let id = player(&server, json!({"recording": "incident"}));
    let mut listening = Listening::to(&server, &id);
    listening.expect("state");
    assert_eq!(position(&listening.expect("frame")), at_ms(100));
    let mut shown = |command: Value, expected: Timestamp, jumped: bool| {
        let state = tell(&server, &id, command.clone());
        assert_eq!(listening.expect("state"), state);
        assert_eq!(state["position"], json!(expected), "{command}");
        let frame = listening.expect("frame");
        assert_eq!(position(&frame), expected, "{command}");
        assert_eq!(frame["jumped"], json!(jumped), "{command}");
        frame
    };
    let then = shown(json!({"do": "seek", "to": at(10)}), at(10), true);
    assert_eq!(of_server(&then, "10.0.0.2"), (9000, 10));
    assert_eq!(of_server(&then, "10.0.0.3"), (0, 0));
    // What arrived since: the flow of second 10 itself, and the late one.
    let finally = shown(json!({"do": "knowledge", "to": "final"}), at(10), false);
    assert_eq!(finally["state"]["knowledge"], json!("final"));
    assert_eq!(of_server(&finally, "10.0.0.2"), (10_000, 11));
    assert_eq!(of_server(&finally, "10.0.0.3"), (LATE_OCTETS, 1));
    let asked = route(&server, "recording=incident&", &finally, "");
    assert_eq!(finally["answers"]["all"], asked);
    let again = shown(json!({"do": "knowledge", "to": "then"}), at(10), false);
    assert_eq!(again["answers"]["all"], then["answers"]["all"]);
    // Five seconds, and two views of them.
    let views =
        json!({"all": {"top": {"dimension": "servers"}}, "line": {"series": {"step": "1s"}}});
    let command =
        json!({"do": "show", "views": views, "window": "5s", "filter": "dst ip 10.0.0.2"});
    let shorter = shown(command, at(10), false);
    assert_eq!(of_server(&shorter, "10.0.0.2"), (4000, 5));
    let values = &shorter["answers"]["line"]["lines"][0]["values"];
    assert_eq!(*values, json!([1000.0, 1000.0, 1000.0, 1000.0, 0.0]));
    shown(
        json!({"do": "show", "window": "10s", "filter": ""}),
        at(10),
        false,
    );
    shown(json!({"do": "step", "frames": 1}), at(11), true);
    shown(json!({"do": "step", "frames": -2}), at(9), true);
    shown(json!({"do": "step", "millis": 250}), at_ms(9250), true);
    shown(
        json!({"do": "seek", "to": at(3000)}),
        at_ms(29_100).offset(1),
        true,
    );
    // Outside the marks it goes to the nearer one.
    let marks = json!({"do": "marks", "from": at(5), "to": at(8)});
    let marked = shown(marks, at(8), true);
    assert_eq!(marked["state"]["from"], json!(at(5)));
    let state: Value = server.get(&format!("/api/v1/players/{id}"));
    assert_eq!(state, marked["state"]);
}

#[test]
fn it_loops_between_the_marks_and_pauses_where_it_is() {
    let (_folder, server) = started();
    let id = player(
        &server,
        json!({"recording": "incident", "from": at(5), "to": at(8), "speed": 5, "loop": true, "play": true}),
    );
    let (mut one, mut two) = (Listening::to(&server, &id), Listening::to(&server, &id));
    one.expect("state");
    two.expect("state");
    let (mut rounds, mut last) = (0, at(0));
    while rounds < 3 {
        let frame = one.expect("frame");
        let here = position(&frame);
        assert!((at(5)..=at(8)).contains(&here), "{here}");
        if frame["jumped"] == json!(true) {
            rounds += 1;
        } else {
            assert!(here > last, "{here} comes after {last}");
        }
        last = here;
        // Whoever listens gets the same.
        let same = eventually("the other listener has this frame", || {
            let (name, frame) = two.event().unwrap();
            (name == "frame" && position(&frame) == here).then_some(frame)
        });
        assert_eq!(same["answers"]["all"], frame["answers"]["all"]);
    }
    let paused = tell(&server, &id, json!({"do": "pause"}));
    assert_eq!(paused["playing"], json!(false));
    for _ in 0..3 {
        let state: Value = server.get(&format!("/api/v1/players/{id}"));
        assert_eq!(state, paused);
    }
}

#[test]
fn the_live_past_is_played_like_a_recording() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let all = datagrams();
    for (_, payload) in &all {
        socket.send_to(payload, server.udp()).unwrap();
    }
    server.wait_for_datagrams(all.len() as u64);
    let more = json!({"from": at(0), "to": at(SECONDS), "knowledge": "final", "filter": "dst ip 10.0.0.2"});
    let id = player(&server, more);
    let mut listening = Listening::to(&server, &id);
    listening.expect("state");
    // Second 0: its flow ends right there, and that of second 1 begins.
    assert_eq!(of_server(&listening.expect("frame"), "10.0.0.2"), (1000, 1));
    tell(&server, &id, json!({"do": "seek", "to": at(10)}));
    listening.expect("state");
    let frame = listening.expect("frame");
    assert_eq!(of_server(&frame, "10.0.0.2"), (10_000, 11));
    assert_eq!(of_server(&frame, "10.0.0.3"), (0, 0));
    let filter = "filter=dst%20ip%2010.0.0.2&";
    assert_eq!(frame["answers"]["all"], route(&server, filter, &frame, ""));
    // As it looked then: all of it came years later.
    tell(&server, &id, json!({"do": "knowledge", "to": "then"}));
    listening.expect("state");
    assert_eq!(listening.expect("frame")["answers"]["all"], json!([]));
}

#[test]
fn what_makes_no_sense_is_refused_and_nothing_breaks() {
    let (_folder, server) = started();
    let views = json!({"all": {"top": {"dimension": "servers"}}});
    let refused = |body: Value| {
        let (status, said) = post(&server, "/api/v1/players", &body);
        let parameter = said["parameter"].as_str().unwrap_or_default().to_owned();
        (status, parameter)
    };
    let wrong = |parameter: &str| (400, parameter.to_owned());
    assert_eq!(
        refused(json!({"recording": "nobody's", "views": views})),
        (404, String::new())
    );
    assert_eq!(refused(json!({"views": views})), wrong("from"));
    assert_eq!(refused(json!([])), wrong("body"));
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    let headers = [("Content-Type", "application/json")];
    let large = vec![b' '; 3 << 20];
    for (body, expected) in [(deep.as_bytes(), 400), (b"{\"views\"", 400), (&large, 413)] {
        let answer = exchange(
            server.running.http,
            "POST",
            "/api/v1/players",
            &headers,
            body,
        );
        assert_eq!(answer.status, expected, "{}", answer.text);
    }
    let id = player(&server, json!({"recording": "incident"}));
    let path = format!("/api/v1/players/{id}");
    for command in [
        json!({}),
        json!({"do": "rewind"}),
        json!({"do": "show", "views": {}}),
        json!({"do": "speed", "times": 1e300}),
        json!({"do": "seek", "to": "later"}),
        json!({"do": "step", "frames": 0.5}),
        json!({"do": "marks", "from": at(9), "to": at(9)}),
    ] {
        assert_eq!(post(&server, &path, &command).0, 400, "{command}");
    }
    tell(&server, &id, json!({"do": "step", "frames": i64::MIN}));
    for unknown in ["0".repeat(32), "..%2f..%2fetc".to_owned(), "%00".to_owned()] {
        let path = format!("/api/v1/players/{unknown}");
        assert_eq!(post(&server, &path, &json!({"do": "play"})).0, 404);
        for (method, path) in [
            ("GET", &path),
            ("DELETE", &path),
            ("GET", &format!("{path}/frames")),
        ] {
            let answer = exchange(server.running.http, method, path, &[], b"");
            assert_eq!(answer.status, 404, "{method} {path}");
        }
    }
    let mut listening = Listening::to(&server, &id);
    listening.expect("state");
    listening.expect("frame");
    // A recording that goes takes the answers with it; the player says so and goes on.
    let deleted = ureq::delete(format!("{}/api/v1/recordings/incident", server.url())).call();
    assert_eq!(deleted.unwrap().status(), 204);
    tell(&server, &id, json!({"do": "seek", "to": at(9)}));
    listening.expect("state");
    assert!(listening.expect("frame")["errors"]["all"]["error"].is_string());
    let ended = ureq::delete(format!("{}{path}", server.url())).call();
    assert_eq!(ended.unwrap().status(), 204);
    assert_eq!(listening.event(), None);
}

#[test]
fn the_server_ends_in_time_while_people_listen() {
    let (_folder, server) = started();
    let id = player(
        &server,
        json!({"recording": "incident", "loop": true, "play": true}),
    );
    let mut listening: Vec<Listening> = (0..3).map(|_| Listening::to(&server, &id)).collect();
    for one in &mut listening {
        one.expect("state");
        one.expect("frame");
    }
    // One that takes nothing but the head.
    let mut deaf = connect(server.running.http);
    let request = format!("GET /api/v1/players/{id}/frames HTTP/1.1\r\nHost: localhost\r\n\r\n");
    deaf.write_all(request.as_bytes()).unwrap();
    deaf.read_exact(&mut [0; 15]).unwrap();
    let readers: Vec<_> = listening
        .into_iter()
        .map(|mut listening| {
            std::thread::spawn(move || {
                // Its streams end as they should: a reader would fail at one that is cut.
                while listening.event().is_some() {}
            })
        })
        .collect();
    eventually("it plays", || {
        let state: Value = server.get(&format!("/api/v1/players/{id}"));
        (state["position"] != state["from"]).then_some(())
    });
    let took = server.stop();
    assert!(took.as_secs() < 5, "{took:?}");
    for reader in readers {
        reader.join().unwrap();
    }
}
