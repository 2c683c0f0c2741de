//! Webhooks from the real binary to a program of others, which reckons signatures itself.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use serde_json::{Value, json};
use support::eventually;
use support::peers::Peer;
use support::people::{Office, Visitor};

const SECRET: &str = "a secret of both";

/// A server with this one webhook, and somebody at its help desk.
fn office(peer: &Peer, folder: &std::path::Path) -> (Office, Visitor, Visitor) {
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    std::fs::write(path("secret"), format!("{SECRET}\n")).unwrap();
    std::fs::write(path("shown"), "Bearer opensesame\n").unwrap();
    let hooks = format!(
        "[{{name=\"desk\",url=\"http://127.0.0.1:{}/told\",secret_file=\"{}\",authorization_file=\"{}\"}}]",
        peer.port,
        path("secret"),
        path("shown"),
    );
    let office = Office::with(&[
        ("FLOWREEL_WEBHOOK", hooks.as_str()),
        ("FLOWREEL_STORE__ENGINE", "embedded"),
    ]);
    office.server.wait_until_ready();
    let mut admin = office.first_admin();
    admin.make_account("desk", "help_desk");
    let desk = office.signed_on("desk");
    (office, admin, desk)
}

fn press(who: &mut Visitor, words: &str) {
    let answer = who.send("POST", "/api/v1/tickets", &json!({"words": words}));
    assert_eq!(answer.status, 201, "{}", answer.text);
}

/// The newest message, once it tells of this ticket and is in this state.
fn message_in(admin: &mut Visitor, ticket: u32, state: &str) -> Value {
    eventually("the message is so far", || {
        let message = admin.get("/api/v1/outgoing").json()["messages"][0].clone();
        (message["ticket"] == ticket
            && message["state"] == state
            && !(state == "waiting" && message["attempts"] == 0))
            .then_some(message)
    })
}

#[test]
fn a_system_is_told_signed_and_again_and_not_what_it_did_itself() {
    let folder = tempfile::tempdir().unwrap();
    let secret = format!("secret={SECRET}");
    let peer = Peer::start("hook.mjs", &[&secret, "answers=503"]);
    let (office, mut admin, mut desk) = office(&peer, folder.path());
    press(&mut admin, "slow\r\n\u{1f600} <b>");
    let waits = message_in(&mut admin, 1, "waiting");
    assert!(
        waits["error"].as_str().unwrap().contains("503: as told"),
        "{waits}"
    );
    admin.send(
        "POST",
        "/api/v1/outgoing/again",
        &json!({"number": waits["number"]}),
    );
    let calls = peer.taken_by(2);
    for call in &calls {
        assert_eq!(
            (&call["isRight"], &call["method"], &call["url"]),
            (&json!(true), &json!("POST"), &json!("/told"))
        );
        assert_eq!(call["headers"]["idempotency-key"], waits["id"]);
        assert_eq!(call["headers"]["authorization"], "Bearer opensesame");
    }
    let body = &calls[1]["body"];
    assert_eq!(
        (&body["event"]["kind"], &body["event"]["text"]),
        (&json!("pressed"), &json!(""))
    );
    assert_eq!(body["ticket"]["words"], "slow\n\u{1f600} <b>");
    // What the account of the webhook's name does is not told to it.
    let comment = |who: &mut Visitor, text: &str| {
        let path = "/api/v1/tickets/1/comments";
        assert_eq!(who.send("POST", path, &json!({"text": text})).status, 200);
    };
    comment(&mut desk, "from there");
    comment(&mut admin, "from here");
    let calls = peer.taken_by(3);
    assert_eq!(calls[2]["body"]["event"]["text"], "from here");
    assert_eq!(calls.len(), 3);
    message_in(&mut admin, 1, "sent");
    for text in [office.log(), admin.get("/api/v1/outgoing").text] {
        assert!(!text.contains("opensesame") && !text.contains(SECRET));
    }
}

#[test]
fn redirects_are_not_followed_and_neither_silence_nor_much_holds_it_up() {
    let folder = tempfile::tempdir().unwrap();
    let secret = format!("secret={SECRET}");
    let peer = Peer::start("hook.mjs", &[&secret, "answers=302,410,large,hang"]);
    let (_office, mut admin, _) = office(&peer, folder.path());
    for (ticket, words, status) in [(1, "moved", "302"), (2, "gone", "410")] {
        press(&mut admin, words);
        let dead = message_in(&mut admin, ticket, "dead");
        assert!(dead["error"].as_str().unwrap().contains(status), "{dead}");
    }
    press(&mut admin, "large");
    message_in(&mut admin, 3, "sent");
    let comment = json!({"text": "are you there?"});
    admin.send("POST", "/api/v1/tickets/3/comments", &comment);
    let waits = message_in(&mut admin, 3, "waiting");
    assert!(
        waits["error"].as_str().unwrap().contains("timeout"),
        "{waits}"
    );
    let calls = peer.taken();
    assert_eq!(calls.len(), 4);
    assert!(calls.iter().all(|call| call["url"] == "/told"));
}
