//! Mail from the real binary to a mail server that is a program of others: who is told what, what is refused, and what is never said.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use serde_json::{Value, json};
use support::eventually;
use support::peers::Peer;
use support::people::{Office, PASSWORD, Visitor};

/// Whoever presses asks the store.
const STORE: (&str, &str) = ("FLOWREEL_STORE__ENGINE", "embedded");

/// What mail goes by to a server on this machine.
fn settings(port: &str) -> Vec<(&'static str, &str)> {
    vec![
        ("FLOWREEL_MAIL__HOST", "127.0.0.1"),
        ("FLOWREEL_MAIL__PORT", port),
        ("FLOWREEL_MAIL__TLS", "off"),
        ("FLOWREEL_MAIL__FROM", "Hélp desk <help@flows.example>"),
        ("FLOWREEL_PUBLIC_ADDRESS", "https://flows.example"),
        STORE,
    ]
}

/// An account with an address.
fn hire(admin: &mut Visitor, name: &str, role: &str) {
    let wanted = json!({"name": name, "role": role, "password": PASSWORD, "email": format!("{name}@flows.example")});
    let answer = admin.send("POST", "/api/v1/accounts", &wanted);
    assert_eq!(answer.status, 201, "{}", answer.text);
}

/// A server with somebody who reports and somebody at the help desk.
fn office(settings: &[(&str, &str)]) -> (Office, Visitor) {
    let office = Office::with(settings);
    office.server.wait_until_ready();
    let mut admin = office.first_admin();
    hire(&mut admin, "ann", "end_user");
    hire(&mut admin, "bob", "help_desk");
    (office, admin)
}

fn press(who: &mut Visitor, words: &str) -> Value {
    let answer = who.send("POST", "/api/v1/tickets", &json!({"words": words}));
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.json()
}

fn work(who: &mut Visitor, ticket: &Value, step: &str, body: &Value) {
    let path = format!("/api/v1/tickets/{}/{step}", ticket["number"]);
    let answer = who.send("POST", &path, body);
    assert_eq!(answer.status, 200, "{step}: {}", answer.text);
}

fn outbox(admin: &mut Visitor) -> Value {
    admin.get("/api/v1/outgoing").json()
}

fn text_of(mail: &Value, field: &str) -> String {
    mail[field].as_str().unwrap_or_default().to_owned()
}

fn header(mail: &Value, name: &str) -> Vec<String> {
    let headers = mail["headers"].as_array().unwrap().iter();
    let its = headers.filter(|header| header[0] == name);
    its.map(|header| text_of(header, "1").clone() + header[1].as_str().unwrap())
        .collect()
}

#[test]
fn who_reports_is_told_what_becomes_of_it_and_nothing_in_it_is_more_than_text() {
    let sink = Peer::start("smtp.mjs", &[]);
    let port = sink.port.to_string();
    let (office, mut admin) = office(&settings(&port));
    let mut ann = office.signed_on("ann");
    let mut bob = office.signed_on("bob");
    let words = "Grüße\u{1f600} =?utf-8?q?Bcc:?= <script>alert(1)</script>\nBcc: eve@evil.example\n\n.\nQUIT";
    let ticket = press(&mut ann, words);
    work(&mut bob, &ticket, "assign", &json!({"to": "bob"}));
    work(
        &mut bob,
        &ticket,
        "comments",
        &json!({"text": "a cable\n<b>was</b> loose"}),
    );
    work(&mut ann, &ticket, "comments", &json!({"text": "thank you"}));
    work(&mut bob, &ticket, "escalate", &json!({"text": ""}));
    work(
        &mut bob,
        &ticket,
        "close",
        &json!({"text": "the cable is in"}),
    );
    work(&mut bob, &ticket, "reopen", &json!({}));
    // What came up within ten seconds of the first is in one.
    let said = eventually("ann has been told all of it", || {
        let mails = sink.taken();
        let to_ann = mails
            .iter()
            .filter(|mail| mail["envelope"] == json!(["ann@flows.example"]));
        let said: String = to_ann.map(|mail| text_of(mail, "text")).collect();
        said.contains("opened your ticket 1 again").then_some(said)
    });
    let in_order = [
        "The help desk has your report. It is ticket 1.",
        "bob works on your ticket 1.",
        "bob writes on your ticket 1:\n\n> a cable\n> <b>was</b> loose",
        "bob has handed your ticket 1 to an engineer.",
        "bob has closed your ticket 1:\n\n> the cable is in",
        "bob has opened your ticket 1 again.",
    ];
    let places: Vec<usize> = in_order
        .iter()
        .map(|part| said.find(part).unwrap_or_else(|| panic!("{part}: {said}")))
        .collect();
    assert!(places.is_sorted(), "{places:?}");
    assert!(
        !said.contains("recorded:") && !said.contains("> thank you"),
        "{said}"
    );
    assert!(
        said.contains("Link: https://flows.example/tickets/1"),
        "{said}"
    );
    let mails = sink.taken();
    assert!(mails.len() >= 3, "{}", mails.len());
    let mut ids: Vec<String> = mails
        .iter()
        .map(|mail| text_of(mail, "messageId"))
        .collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), mails.len());
    for mail in &mails {
        assert_eq!(mail["envelope"].as_array().unwrap().len(), 1);
        assert!(
            header(mail, "bcc").is_empty() && header(mail, "to").len() == 1,
            "{mail}"
        );
        assert_eq!(
            text_of(mail, "subject"),
            "Ticket 1: Grüße\u{1f600} = ?utf-8?q?Bcc:?= <script>alert(1)</script>"
        );
        assert_eq!(mail["from"], "\"Hélp desk\" <help@flows.example>");
        assert_eq!(mail["inReplyTo"], "<ticket.1@flows.example>");
        assert_eq!(
            header(mail, "auto-submitted"),
            ["Auto-Submitted: auto-generated"]
        );
        let html = text_of(mail, "html");
        assert!(!html.contains("<script") && !html.contains("<b>"), "{html}");
        assert!(
            text_of(mail, "text").contains("> Bcc: eve@evil.example\n> \n> .\n> QUIT"),
            "{mail}"
        );
    }
    let to_bob: Vec<_> = mails
        .iter()
        .filter(|mail| mail["envelope"] == json!(["bob@flows.example"]))
        .collect();
    let said: String = to_bob.iter().map(|mail| text_of(mail, "text")).collect();
    assert!(
        said.contains("ann, who reported ticket 1, writes:\n\n> thank you"),
        "{said}"
    );
    assert!(!said.contains("works on"), "{said}");
    // Nobody is told who does not want it.
    assert_eq!(
        ann.send("PUT", "/api/v1/me/mail", &json!({"is_wanted": false}))
            .status,
        200
    );
    let before = outbox(&mut admin)["messages"].as_array().unwrap().len();
    press(&mut ann, "again");
    hire(&mut admin, "carl", "end_user");
    press(&mut office.signed_on("carl"), "mine");
    eventually("carl is told", || {
        sink.taken()
            .iter()
            .any(|mail| mail["envelope"] == json!(["carl@flows.example"]))
            .then_some(())
    });
    let after = outbox(&mut admin);
    assert_eq!(
        after["messages"].as_array().unwrap().len(),
        before + 1,
        "{after}"
    );
}

#[test]
fn what_is_refused_waits_or_is_given_up_and_is_sent_again_by_hand() {
    let busy = Peer::start("smtp.mjs", &["refuse=1", "code=451"]);
    let port = busy.port.to_string();
    let (office, mut admin) = office(&settings(&port));
    let test = |admin: &mut Visitor, to: &str| {
        admin
            .send("POST", "/api/v1/outgoing/test", &json!({"to": to}))
            .status
    };
    assert_eq!(test(&mut admin, "eve@x\r\nBcc: all@x"), 400);
    assert_eq!(test(&mut admin, "boss@flows.example"), 202);
    let waits = eventually("it was tried", || {
        let message = outbox(&mut admin)["messages"][0].clone();
        (message["attempts"] == 1).then_some(message)
    });
    assert_eq!(waits["state"], "waiting");
    assert!(waits["error"].as_str().unwrap().contains("451"), "{waits}");
    let again = json!({"number": waits["number"]});
    assert_eq!(
        admin.send("POST", "/api/v1/outgoing/again", &again).status,
        200
    );
    let mail = &busy.taken_by(1)[0];
    assert_eq!(
        mail["messageId"],
        format!("<{}@flows.example>", waits["id"].as_str().unwrap())
    );
    assert_eq!(mail["subject"], "Flowreel can send mail");
    // Refused for good, and away: another start, another mail server at that place.
    drop(busy);
    let strict = Peer::start("smtp.mjs", &["refuse=1", "code=550"]);
    let port = strict.port.to_string();
    let office = office.killed(&settings(&port));
    let mut admin = office.signed_on("admin");
    assert_eq!(test(&mut admin, "nobody@flows.example"), 202);
    let dead = eventually("it was given up", || {
        let outbox = outbox(&mut admin);
        (outbox["counts"]["dead"] == 1).then(|| outbox["messages"][0].clone())
    });
    assert!(dead["error"].as_str().unwrap().contains("550"), "{dead}");
    let metrics = admin.get("/metrics");
    assert!(
        metrics
            .body()
            .contains("flowreel_outgoing_dead_messages_total 1"),
        "{}",
        metrics.text
    );
    assert_eq!(
        admin
            .send("POST", "/api/v1/outgoing/again", &json!({}))
            .json()["messages"],
        1
    );
    strict.taken_by(1);
    let acts = admin.get("/api/v1/audit?what=outgoing_changed").json();
    assert!(acts.as_array().unwrap().len() >= 3, "{acts}");
}

#[test]
fn what_was_reported_before_a_kill_is_told_after_it_once() {
    // Nothing listens there.
    let nowhere = settings("1");
    let (office, _) = office(&nowhere);
    press(&mut office.signed_on("ann"), "slow");
    let sink = Peer::start("smtp.mjs", &[]);
    let port = sink.port.to_string();
    let office = office.killed(&settings(&port));
    let mut admin = office.signed_on("admin");
    // It may have been tried in vain before: then it waits its minute.
    eventually("it is made", || {
        outbox(&mut admin)["messages"][0]["number"]
            .is_number()
            .then_some(())
    });
    let number = outbox(&mut admin)["messages"][0]["number"].clone();
    admin.send("POST", "/api/v1/outgoing/again", &json!({"number": number}));
    assert!(text_of(&sink.taken_by(1)[0], "text").contains("ticket 1"));
    // What the server took and nobody noted would come twice, under the same id.
    eventually("it is noted", || {
        (outbox(&mut admin)["messages"][0]["state"] == "sent").then_some(())
    });
    let office = office.killed(&settings(&port));
    let mut admin = office.signed_on("admin");
    assert_eq!(outbox(&mut admin)["messages"][0]["state"], "sent");
    assert_eq!(
        admin
            .send(
                "POST",
                "/api/v1/outgoing/test",
                &json!({"to": "boss@x.example"})
            )
            .status,
        202
    );
    let taken = sink.taken_by(2);
    assert_eq!(taken.len(), 2);
    assert_eq!(taken[1]["subject"], "Flowreel can send mail");
}

#[test]
fn mail_goes_encrypted_with_a_password_that_no_log_has() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(path("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(path("key.pem"), made.signing_key.serialize_pem()).unwrap();
    std::fs::write(path("password"), "sesame-5150\n").unwrap();
    let (certificate, key) = (
        format!("certificate={}", path("cert.pem")),
        format!("key={}", path("key.pem")),
    );
    for (tls, implicit) in [("starttls", "tls=later"), ("required", "tls=implicit")] {
        let words = [
            certificate.as_str(),
            &key,
            implicit,
            "user=flowreel",
            "password=sesame-5150",
        ];
        let sink = Peer::start("smtp.mjs", &words);
        let (port, trusted, password) = (sink.port.to_string(), path("cert.pem"), path("password"));
        let mut settings = settings(&port);
        settings.extend([
            ("FLOWREEL_MAIL__HOST", "localhost"),
            ("FLOWREEL_MAIL__TLS", tls),
            ("FLOWREEL_MAIL__USER", "flowreel"),
            ("FLOWREEL_MAIL__PASSWORD_FILE", &password),
        ]);
        // A certificate that nobody vouches for is not believed.
        let (office, mut admin) = office(&settings);
        let test = json!({"to": "boss@flows.example"});
        assert_eq!(
            admin.send("POST", "/api/v1/outgoing/test", &test).status,
            202
        );
        let error = eventually("it is refused", || {
            outbox(&mut admin)["messages"][0]["error"]
                .as_str()
                .map(str::to_owned)
        });
        assert!(
            sink.taken().is_empty() && !error.contains("sesame"),
            "{error}"
        );
        settings.push(("SSL_CERT_FILE", &trusted));
        let office = office.killed(&settings);
        let mut admin = office.signed_on("admin");
        let number = outbox(&mut admin)["messages"][0]["number"].clone();
        admin.send("POST", "/api/v1/outgoing/again", &json!({"number": number}));
        let mail = &sink.taken_by(1)[0];
        assert_eq!(
            (&mail["secure"], &mail["user"]),
            (&json!(true), &json!("flowreel"))
        );
        assert!(
            !office.log().contains("sesame") && !outbox(&mut admin).to_string().contains("sesame")
        );
    }
}

#[test]
fn without_mail_everything_works_and_says_so() {
    let (office, mut admin) = office(&[STORE]);
    press(&mut office.signed_on("ann"), "slow");
    let outbox = outbox(&mut admin);
    assert_eq!(
        (&outbox["mail"], &outbox["messages"]),
        (&json!(null), &json!([]))
    );
    let answer = admin.send(
        "POST",
        "/api/v1/outgoing/test",
        &json!({"to": "a@b.example"}),
    );
    assert_eq!(answer.status, 409);
    assert!(
        answer.text.contains("mail is not set up"),
        "{}",
        answer.text
    );
}
