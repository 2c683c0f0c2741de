//! Two who see different subnets, at every place that shows something of flows: the real binary with sign-on and a store.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::net::UdpSocket;
use std::time::Duration;

use flow::clock;
use serde_json::{Value, json};
use simulator::encode::fixed::{FixedHeader, FixedRecord, FixedVersion, datagram};
use support::eventually;
use support::people::{Office, PASSWORD, Visitor};

/// Client and server of the only flow that somebody sees.
const ANNA: [&str; 2] = ["10.1.0.1", "10.2.0.1"];
const BEN: [&str; 2] = ["10.9.0.1", "10.8.0.1"];
const SCOPES: [(&str, &str); 2] = [
    ("anna", "net 10.1.0.0/16"),
    ("ben", "client net 10.9.0.0/16"),
];

/// A server that has both flows in one datagram, its admin, and two engineers with a scope.
fn office() -> (Office, Visitor) {
    let office = Office::with_a_store();
    let mut admin = office.first_admin();
    for (name, scope) in SCOPES {
        let wanted =
            json!({"name": name, "role": "engineer", "scope": scope, "password": PASSWORD});
        assert_eq!(admin.send("POST", "/api/v1/accounts", &wanted).status, 201);
    }
    hear(&office, &mut admin, &[(ANNA, 443, 1000), (BEN, 443, 7000)]);
    (office, admin)
}

/// Sends flows of client and server, the server's port and octets, in one datagram, and waits until they are stored.
fn hear(office: &Office, admin: &mut Visitor, flows: &[([&str; 2], u16, u32)]) {
    let now_s = u32::try_from(clock::now().seconds()).unwrap();
    let header = FixedHeader {
        uptime_ms: 3_600_000,
        unix_seconds: now_s,
        ..FixedHeader::default()
    };
    let records = flows
        .iter()
        .map(|([client, server], port, octets)| FixedRecord {
            src: client.parse().unwrap(),
            dst: server.parse().unwrap(),
            src_port: 50_000,
            dst_port: *port,
            protocol: 6,
            packets: 10,
            octets: *octets,
            first_ms: 3_540_000,
            last_ms: 3_550_000,
            ..FixedRecord::default()
        });
    let sent = datagram(FixedVersion::V5, header, &records.collect::<Vec<_>>());
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.send_to(&sent, office.server.udp()).unwrap();
    eventually("the flows are stored", || {
        let rows = admin.get("/api/v1/flows?last=10m").json();
        (rows["flows"].as_array()?.len() == flows.len()).then_some(())
    });
}

/// Whether an answer tells of a flow.
fn tells(text: &str, names: [&str; 2]) -> bool {
    names.iter().any(|name| text.contains(name))
}

/// Asks, and accepts an answer that somebody else was given.
fn shared(who: &mut Visitor, address: &str) -> String {
    let answer = who.ask_with("GET", address, &[("Cache-Control", "max-age=60")], b"");
    assert_eq!(answer.status, 200, "{address}: {}", answer.text);
    answer.body().to_owned()
}

fn status(who: &mut Visitor, method: &str, address: &str, body: &Value) -> u16 {
    who.send(method, address, body).status
}

#[test]
fn nobody_is_told_of_flows_beyond_their_scope() {
    let (office, mut admin) = office();
    let (mut anna, mut ben) = (office.signed_on("anna"), office.signed_on("ben"));
    for address in [
        "/api/v1/top/conversations?last=10m",
        "/api/v1/top/clients,ports,directions?last=10m",
        "/api/v1/top/servers,interfaces?last=10m&filter=not%20port%2080",
        "/api/v1/series?last=10m&dimension=servers&previous=true",
        "/api/v1/flows?last=10m",
        "/api/v1/compare/conversations?after_last=10m",
        "/api/v1/top/servers/picture.svg?last=10m",
        "/api/v1/series/picture.svg?last=10m&dimension=clients",
    ] {
        for who in [&mut anna, &mut ben, &mut admin] {
            shared(who, address);
        }
        let told = [&mut anna, &mut ben, &mut admin].map(|who| {
            let body = shared(who, address);
            (tells(&body, ANNA), tells(&body, BEN))
        });
        assert_eq!(
            told,
            [(true, false), (false, true), (true, true)],
            "{address}"
        );
    }
    // Numbers without names.
    for (address, what, expected) in [
        ("/api/v1/lateness", "octets", [1000, 7000, 8000]),
        ("/api/v1/inventory", "flows", [1, 1, 2]),
    ] {
        let told = [&mut anna, &mut ben, &mut admin].map(|who| {
            let body: Value = serde_json::from_str(&shared(who, address)).unwrap();
            body[what].as_u64().unwrap()
        });
        assert_eq!(told, expected, "{address}");
    }
    // What is the whole network's, though an engineer may.
    for address in [
        "/api/v1/accounting",
        "/api/v1/exporters",
        "/api/v1/holdings",
        "/api/v1/imports",
        "/api/v1/learned",
        "/api/v1/rules",
        "/metrics",
    ] {
        let answer = anna.get(address);
        assert_eq!(answer.status, 403, "{address}");
        assert!(answer.text.contains("you see a part of the flows only"));
    }
    // A token sees less than its owner, and nothing else.
    let secret = anna.make_token("narrow", "manager", "ip 10.9.0.1 or ip 10.8.0.1");
    let mut program = office.program(&secret);
    assert_eq!(shared(&mut program, "/api/v1/top/clients?last=10m"), "[]");
}

#[test]
fn a_recording_and_a_player_are_within_the_scope_of_who_made_them() {
    let (office, mut admin) = office();
    let (mut anna, mut ben) = (office.signed_on("anna"), office.signed_on("ben"));
    let to = clock::now();
    let from = to - Duration::from_secs(300);
    let none = json!({});
    let cut = json!({"name": "annas", "from": from, "to": to, "by": "ben"});
    let cut = anna.send("POST", "/api/v1/recordings", &cut);
    assert_eq!(cut.status, 201, "{}", cut.text);
    let cut = cut.json();
    assert_eq!(
        (&cut["cut_by"], &cut["filter"]),
        (&json!("anna"), &json!("net 10.1.0.0/16"))
    );
    assert_eq!(cut["counts"]["flows"], 1);
    let all = json!({"name": "all", "from": from, "to": to});
    assert_eq!(status(&mut admin, "POST", "/api/v1/recordings", &all), 201);

    let asked = [
        ("GET", "/api/v1/recordings/annas"),
        ("GET", "/api/v1/flows?recording=annas"),
        ("GET", "/api/v1/series/picture.svg?recording=annas"),
        ("POST", "/api/v1/recordings/annas/keep"),
        ("POST", "/api/v1/recordings/annas/stop"),
        ("DELETE", "/api/v1/recordings/annas"),
    ];
    for (method, address) in asked {
        let unknown = ben.send(method, &address.replace("annas", "nothing"), &none);
        let hidden = ben.send(method, address, &none);
        assert_eq!((hidden.status, unknown.status), (404, 404), "{address}");
        let said = unknown.body().replace("nothing", "annas");
        assert_eq!(hidden.body(), said, "{address}");
    }
    let note = json!({"text": "mine"});
    assert_eq!(
        status(&mut ben, "POST", "/api/v1/recordings/annas/notes", &note),
        404
    );
    assert_eq!(ben.get("/api/v1/recordings").json(), json!([]));
    assert_eq!(
        status(&mut anna, "GET", "/api/v1/recordings/annas/file", &none),
        403
    );
    assert_eq!(
        status(&mut anna, "GET", "/api/v1/recordings/nothing/file", &none),
        403
    );

    // With tables of its own as by reference; and nothing but what was cut, for whoever looks.
    for _ in 0..2 {
        for who in [&mut anna, &mut admin] {
            let body = shared(who, "/api/v1/top/conversations?recording=annas");
            assert!(tells(&body, ANNA) && !tells(&body, BEN), "{body}");
        }
        let kept = anna.send("POST", "/api/v1/recordings/annas/keep", &none);
        assert_eq!(kept.status, 200, "{}", kept.text);
    }

    let views = json!({"all": {"top": {"dimension": "conversations"}}, "rows": {"flows": {}}});
    let player = json!({"from": to - Duration::from_secs(30), "to": to, "window": "10m", "knowledge": "final", "views": views});
    let made = anna.send("POST", "/api/v1/players", &player);
    assert_eq!(made.status, 201, "{}", made.text);
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let player = format!("/api/v1/players/{id}");
    for who in [&mut ben, &mut admin] {
        assert_eq!(who.get(&player).status, 404);
        assert_eq!(who.get(&format!("{player}/frames")).status, 404);
        assert_eq!(status(who, "POST", &player, &json!({"do": "play"})), 404);
        assert_eq!(status(who, "DELETE", &player, &none), 404);
    }
    let mut listening = anna.listen(&office.server, &id);
    listening.expect("state");
    let frame = listening.expect("frame").to_string();
    assert!(tells(&frame, ANNA) && !tells(&frame, BEN), "{frame}");
    let show = json!({"do": "show", "filter": "ip 10.9.0.1 or not ip 10.1.0.1"});
    assert_eq!(status(&mut anna, "POST", &player, &show), 200);
    listening.expect("state");
    let frame = listening.expect("frame");
    assert_eq!(frame["answers"]["all"], json!([]));

    // Anna sees something else from now on: her recording tells nothing of what it has, and her player is somebody else's.
    let change = json!({"scope": SCOPES[1].1});
    assert_eq!(
        status(&mut admin, "PATCH", "/api/v1/accounts/anna", &change),
        200
    );
    let cut = anna.get("/api/v1/recordings/annas").json();
    assert_eq!(
        (&cut["cut_by"], &cut["counts"]),
        (&json!("anna"), &Value::Null)
    );
    assert_eq!(
        shared(&mut anna, "/api/v1/top/clients?recording=annas"),
        "[]"
    );
    assert_eq!(anna.get(&player).status, 404);
    while listening.event().is_some() {}
    let live = shared(&mut anna, "/api/v1/top/clients?last=10m");
    assert!(tells(&live, BEN) && !tells(&live, ANNA), "{live}");
    // Ben sees the same as she does now, and what she cuts from now on.
    let cut = json!({"name": "of both", "from": from, "to": to});
    assert_eq!(status(&mut anna, "POST", "/api/v1/recordings", &cut), 201);
    let names: Vec<Value> = ben
        .get("/api/v1/recordings")
        .json()
        .as_array()
        .unwrap()
        .clone();
    assert_eq!(
        names.iter().map(|one| &one["name"]).collect::<Vec<_>>(),
        ["of both"]
    );
}

/// One host uses two applications, and whoever works its ticket sees one of them.
#[test]
fn a_ticket_is_told_within_the_scope_of_who_works_on_it() {
    let office = Office::with_a_store();
    let mut admin = office.first_admin();
    let applications =
        [("orders", 5432), ("mail", 25)].map(|(name, port)| json!({"name": name, "ports": [port]}));
    let rules = json!({"application": applications});
    assert_eq!(admin.send("PUT", "/api/v1/rules", &rules).status, 200);
    for (name, role, scope) in [
        ("olga", "help_desk", "app orders"),
        ("max", "help_desk", "app mail"),
        ("eve", "end_user", ""),
    ] {
        let wanted = json!({"name": name, "role": role, "scope": scope, "password": PASSWORD});
        assert_eq!(admin.send("POST", "/api/v1/accounts", &wanted).status, 201);
    }
    let host = ANNA[0];
    let [orders, mail, other] = ["10.2.0.1", "10.8.0.1", "10.9.9.9"];
    let flows = [
        ([host, orders], 5432, 1000),
        ([host, mail], 25, 7000),
        // A colleague's, which is in the recording as they use the same server.
        ([other, mail], 25, 3000),
    ];
    hear(&office, &mut admin, &flows);
    let press = json!({"host": host, "application": "orders", "words": "slow"});
    let pressed = admin.send("POST", "/api/v1/tickets", &press);
    assert_eq!(pressed.status, 201, "{}", pressed.text);
    let ticket = format!("/api/v1/tickets/{}", pressed.json()["number"]);
    let applications = |opened: &Value| {
        let all = opened["story"]["applications"].as_array().unwrap().iter();
        let mut names: Vec<String> = all
            .map(|one| one["application"].as_str().unwrap().to_owned())
            .collect();
        names.sort();
        names
    };
    let whole = eventually("the story is made", || {
        let opened = admin.get(&ticket).json();
        (!opened["story"].is_null()).then_some(opened)
    });
    assert_eq!(applications(&whole), ["mail", "orders"]);
    assert_eq!(whole["servers"], json!([orders, mail]));
    assert!(tells(&admin.get(&ticket).text, [mail, "mail"]));

    let mut olga = office.signed_on("olga");
    // Made when she looks, and kept: the same twice.
    let opened = [0; 2].map(|_| olga.get(&ticket).json());
    assert_eq!(opened[0], opened[1]);
    let opened = &opened[0];
    assert_eq!(applications(opened), ["orders"]);
    assert_eq!(opened["servers"], json!([orders]));
    let recording = opened["recording"].as_str().unwrap().replace(' ', "%20");
    let picture = olga.get(&format!("{ticket}/picture.svg"));
    assert_eq!(picture.status, 200);
    assert!(picture.body().contains("orders"));
    for address in [
        ticket.clone(),
        format!("{ticket}/picture.svg"),
        "/api/v1/tickets".to_owned(),
        format!("/api/v1/recordings/{recording}"),
        format!("/api/v1/top/conversations,applications?recording={recording}"),
        format!("/api/v1/flows?recording={recording}"),
    ] {
        let body = shared(&mut olga, &address);
        assert!(
            !tells(&body, [mail, "mail"]) && !body.contains(other),
            "{address}: {body}"
        );
    }
    let replayed = shared(
        &mut olga,
        &format!("/api/v1/top/servers?recording={recording}"),
    );
    assert!(replayed.contains(orders), "{replayed}");
    // Nor can it be found out by asking which tickets have a server.
    let found = olga.get(&format!("/api/v1/tickets?server={mail}"));
    assert_eq!(found.status, 403, "{}", found.text);
    // What was only made to be looked at is not hers to change or take along.
    for (method, address) in [
        ("DELETE", format!("/api/v1/recordings/{recording}")),
        ("POST", format!("/api/v1/recordings/{recording}/stop")),
    ] {
        assert!(
            [403, 404].contains(&status(&mut olga, method, &address, &json!({}))),
            "{address}"
        );
    }
    // It is not about what Max and Eve see.
    for name in ["max", "eve"] {
        let mut who = office.signed_on(name);
        for address in [
            ticket.clone(),
            format!("{ticket}/picture.svg"),
            format!("/api/v1/flows?recording={recording}"),
        ] {
            let answer = who.get(&address);
            assert_eq!(answer.status, 404, "{name} {address}: {}", answer.text);
        }
    }
}
