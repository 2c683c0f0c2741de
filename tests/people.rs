//! Who asks: the first admin, sign-on, sessions, and what browsers are told. The real binary over real HTTP.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use support::http::try_exchange;
use support::people::{Office, PASSWORD, Visitor};

#[test]
fn the_first_link_makes_the_admin_once() {
    let office = Office::open();
    let first = office.link().unwrap();
    let mut visitor = office.visitor();
    assert!(!visitor.is_known());
    assert_eq!(visitor.sign_on("admin", PASSWORD).status, 401);
    // The next start prints another link, and the old one ends.
    let office = office.restart();
    let link = office.link().unwrap();
    assert_ne!(link, first);
    let mut visitor = office.visitor();
    let mut welcome = |token: &str, name: &str, password: &str| {
        let body = json!({"token": token, "name": name, "password": password});
        visitor.send("POST", "/api/v1/welcome", &body)
    };
    assert_eq!(welcome(&first, "admin", PASSWORD).status, 403);
    assert_eq!(welcome(&link, "admin", "too short").status, 400);
    assert_eq!(welcome(&link, "no good name", PASSWORD).status, 400);
    let made = welcome(&link, "admin", PASSWORD);
    assert_eq!(made.status, 200, "{}", made.text);
    let me = made.json();
    assert_eq!(
        (&me["name"], &me["role"]),
        (&json!("admin"), &json!("admin"))
    );
    assert_eq!(me["permissions"].as_array().unwrap().len(), 10);
    assert_eq!(welcome(&link, "other", PASSWORD).status, 403);
    assert!(visitor.is_known());
    let office = office.restart();
    assert_eq!(office.link(), None);
    office.signed_on("admin");
}

/// Time of processors that a process has had, so far: what others do at the same time is not in it (proc_pid_stat(5)).
fn processor_ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, behind_the_name) = stat.rsplit_once(')').unwrap();
    let fields: Vec<&str> = behind_the_name.split_whitespace().collect();
    let ticks = |field: usize| fields[field - 3].parse::<u64>().unwrap();
    ticks(14) + ticks(15)
}

#[test]
fn nobody_learns_which_names_exist() {
    let (office, mut admin) = Office::staffed();
    admin.make_account("gone", "manager");
    let gone = json!({"disabled": true});
    assert_eq!(
        admin.send("PATCH", "/api/v1/accounts/gone", &gone).status,
        200
    );
    let elsewhere = json!({"name": "elsewhere", "role": "manager"});
    assert_eq!(
        admin.send("POST", "/api/v1/accounts", &elsewhere).status,
        201
    );
    let long = "x".repeat(4000);
    let trials = [
        ("manager", "not the password"),
        ("nobody", PASSWORD),
        ("gone", PASSWORD),
        ("elsewhere", PASSWORD),
        (&long, PASSWORD),
    ];
    let mut answers: Vec<String> = Vec::new();
    let mut fail = |name: &str, password: &str| {
        let answer = office.visitor().sign_on(name, password);
        assert_eq!(answer.status, 401, "{}", answer.text);
        answers.push(answer.body().to_owned());
    };
    let took = trials.map(|(name, password)| {
        let before = processor_ticks(office.server.pid());
        (0..8).for_each(|_| fail(name, password));
        processor_ticks(office.server.pid()) - before
    });
    fail("", "");
    fail("operator", PASSWORD);
    fail("manager\u{0}", PASSWORD);
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    let longer = office.visitor().sign_on("nobody", &"x".repeat(9000));
    assert_eq!(longer.status, 413, "{}", longer.text);
    // A hash takes twenty times what the rest of a request does.
    let (least, most) = (took.iter().min().unwrap(), took.iter().max().unwrap());
    assert!(*least > 0 && *least > *most / 3, "{took:?}");
}

#[test]
fn guessing_is_slowed_whether_the_name_exists_or_not() {
    let (office, _) = Office::staffed();
    for name in ["manager", "nobody"] {
        let statuses: Vec<u16> = (0..11)
            .map(|_| office.visitor().sign_on(name, "a wrong password").status)
            .collect();
        assert_eq!(statuses, [[401; 10].as_slice(), &[429]].concat(), "{name}");
        let slowed = office.visitor().sign_on(name, PASSWORD);
        assert_eq!(slowed.status, 429, "{name}");
        let wait: u64 = slowed.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=41).contains(&wait), "{wait}");
    }
    office.signed_on("engineer");
}

#[test]
fn a_session_is_the_one_that_sign_on_gave() {
    let (office, _) = Office::staffed();
    // Nobody can give somebody a session that they know.
    let planted = format!("__Host-flowreel={}", "A".repeat(43));
    let mut victim = office.visitor();
    let body = json!({"name": "manager", "password": PASSWORD}).to_string();
    let headers = [
        ("Cookie", planted.as_str()),
        ("Content-Type", "application/json"),
    ];
    let answer = victim.ask_with("POST", "/api/v1/sign-on", &headers, body.as_bytes());
    assert_eq!(answer.status, 200);
    let cookie = answer.header("set-cookie").unwrap();
    for word in [
        "__Host-flowreel=",
        "HttpOnly",
        "Secure",
        "SameSite=Lax",
        "Path=/",
    ] {
        assert!(cookie.contains(word), "{cookie}");
    }
    assert!(!cookie.contains("Domain"), "{cookie}");
    assert!(victim.is_known());
    let attacker = office
        .visitor()
        .ask_with("GET", "/api/v1/me", &[("Cookie", &planted)], b"");
    assert_eq!(attacker.status, 401);
    // Whoever signs on again has a new one, and the old one is worth nothing.
    let mut earlier = victim.clone();
    assert_eq!(victim.sign_on("manager", PASSWORD).status, 200);
    assert_ne!(victim.secret(), earlier.secret());
    assert!(victim.is_known() && !earlier.is_known());
    // What is not exactly the cookie is nobody's.
    let secret = victim.secret();
    for wrong in [&secret[1..], &secret.to_lowercase(), "", "' OR 1=1 --"] {
        let cookie = format!("__Host-flowreel={wrong}");
        let answer = office
            .visitor()
            .ask_with("GET", "/api/v1/me", &[("Cookie", &cookie)], b"");
        assert_eq!(answer.status, 401, "{wrong}");
    }
    assert_eq!(
        victim.send("POST", "/api/v1/sign-off", &json!({})).status,
        204
    );
    assert!(!victim.is_known());
    let cookie = format!("__Host-flowreel={secret}");
    let answer = office
        .visitor()
        .ask_with("GET", "/api/v1/me", &[("Cookie", &cookie)], b"");
    assert_eq!(answer.status, 401);
}

#[test]
fn sessions_end_everywhere_when_they_should() {
    let (office, mut admin) = Office::staffed();
    let three = || [(); 3].map(|()| office.signed_on("engineer"));
    let known = |all: &mut [Visitor]| {
        all.iter_mut()
            .filter_map(|one| one.is_known().then_some(()))
            .count()
    };

    let mut browsers = three();
    let listed = browsers[0].get("/api/v1/me/sessions").json();
    let listed = listed.as_array().unwrap();
    assert_eq!(listed.len(), 3);
    assert_eq!(listed.iter().filter(|one| one["this"] == true).count(), 1);
    assert!(listed.iter().all(|one| one["address"] == "127.0.0.1"));
    let other = listed.iter().find(|one| one["this"] == false).unwrap();
    let path = format!("/api/v1/me/sessions/{}", other["number"]);
    assert_eq!(
        office
            .signed_on("manager")
            .send("DELETE", &path, &json!({}))
            .status,
        404
    );
    assert_eq!(browsers[0].send("DELETE", &path, &json!({})).status, 204);
    assert_eq!(known(&mut browsers), 2);
    assert_eq!(
        browsers[0]
            .send("DELETE", "/api/v1/me/sessions", &json!({}))
            .status,
        204
    );
    assert_eq!(known(&mut browsers), 0);

    // Another password: only the browser that changed it stays.
    let mut browsers = three();
    let other = "another long sentence";
    let mut change = |old: &str, new: &str| {
        let body = json!({"old": old, "new": new});
        browsers[0]
            .send("POST", "/api/v1/me/password", &body)
            .status
    };
    assert_eq!(change("not the password", other), 400);
    assert_eq!(change(PASSWORD, "short"), 400);
    assert_eq!(change(PASSWORD, other), 200);
    assert_eq!(known(&mut browsers), 1);
    assert_eq!(office.visitor().sign_on("engineer", PASSWORD).status, 401);
    let mut engineer = office.visitor();
    assert_eq!(engineer.sign_on("engineer", other).status, 200);

    // Another role applies to the next request; a reset and a disabled account end all.
    let mut set = |body: Value| {
        admin
            .send("PATCH", "/api/v1/accounts/engineer", &body)
            .status
    };
    assert_eq!(engineer.get("/api/v1/accounting").status, 200);
    assert_eq!(set(json!({"role": "manager"})), 200);
    assert_eq!(engineer.get("/api/v1/accounting").status, 403);
    assert_eq!(set(json!({"role": "admin", "scope": "site berlin"})), 400);
    assert_eq!(set(json!({"disabled": true})), 200);
    assert!(!engineer.is_known());
    assert_eq!(set(json!({"disabled": false})), 200);
    assert!(!engineer.is_known());
    assert_eq!(engineer.sign_on("engineer", other).status, 200);
    let body = json!({"password": PASSWORD});
    let path = "/api/v1/accounts/engineer/password";
    assert_eq!(admin.send("POST", path, &body).status, 204);
    assert!(!engineer.is_known());
    office.signed_on("engineer");
}

#[test]
fn who_listens_hears_nothing_more_when_they_signed_out() {
    let (office, _) = Office::staffed();
    let mut engineer = office.signed_on("engineer");
    let new = json!({"window": "1m", "from": "2026-01-01", "to": "2026-01-02",
        "views": {"a": {"top": {"dimension": "clients"}}}});
    let made = engineer.send("POST", "/api/v1/players", &new);
    assert_eq!(made.status, 201, "{}", made.text);
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let mut listening = engineer.listen(&office.server, &id);
    listening.expect("state");
    assert_eq!(
        engineer
            .send("DELETE", "/api/v1/me/sessions", &json!({}))
            .status,
        204
    );
    while listening.event().is_some() {}
}

#[test]
fn a_page_of_another_site_changes_nothing_with_somebodys_cookie() {
    let (_office, mut admin) = Office::staffed();
    let body = json!({"name": "planted", "role": "admin", "password": PASSWORD}).to_string();
    for foreign in [
        [
            ("Host", "flows.example"),
            ("Origin", "https://evil.example"),
        ],
        [("Host", "flows.example"), ("Origin", "null")],
        [
            ("Host", "flows.example"),
            ("Origin", "https://flows.example:8443"),
        ],
        [("Host", "flows.example"), ("Sec-Fetch-Site", "cross-site")],
        [("Host", "flows.example"), ("Sec-Fetch-Site", "same-site")],
    ] {
        for content in ["application/json", "text/plain"] {
            let headers = [&foreign[..], &[("Content-Type", content)]].concat();
            let answer = admin.ask_with("POST", "/api/v1/accounts", &headers, body.as_bytes());
            assert_eq!(answer.status, 403, "{headers:?}");
            let answer = admin.ask_with("POST", "/api/v1/sign-on", &headers, body.as_bytes());
            assert_eq!(answer.status, 403, "{headers:?}");
        }
    }
    let accounts = admin.get("/api/v1/accounts");
    assert!(!accounts.text.contains("planted"), "{}", accounts.text);
    // With sign-on the server may have any name.
    let own = [
        ("Host", "flows.example"),
        ("Origin", "https://flows.example"),
        ("Content-Type", "application/json"),
    ];
    let answer = admin.ask_with("POST", "/api/v1/accounts", &own, body.as_bytes());
    assert_eq!(answer.status, 201, "{}", answer.text);
    // What a form can send without being asked first is no JSON.
    let form = [("Content-Type", "text/plain")];
    let answer = admin.ask_with("POST", "/api/v1/accounts", &form, body.as_bytes());
    assert_eq!(answer.status, 400, "{}", answer.text);
}

#[test]
fn every_answer_says_what_browsers_may_do_with_it() {
    let (office, mut admin) = Office::staffed();
    let mut visitor = office.visitor();
    let answers = [
        visitor.get("/healthz"),
        visitor.get("/api/v1/me"),
        visitor.get("/api/v1/nothing"),
        visitor.sign_on("nobody", PASSWORD),
        visitor.ask_with("GET", "/api/openapi.json", &[], b""),
        visitor.ask_with("GET", "/", &[("Accept", "text/html")], b""),
        visitor.ask_with("POST", "/api/v1/sign-on", &[("Origin", "null")], b""),
        admin.get("/api/v1/me"),
        admin.get("/api/v1/accounts"),
        admin.get("/metrics"),
        admin.get("/api/v1/top/clients"),
    ];
    for answer in answers {
        let says = |name: &str, value: &str| {
            let found = answer.header(name).unwrap_or_default();
            assert!(found.contains(value), "{name}: {}", answer.text);
        };
        says("x-content-type-options", "nosniff");
        says("content-security-policy", "frame-ancestors 'none'");
        says("content-security-policy", "base-uri 'none'");
        says("referrer-policy", "no-referrer");
        says("cross-origin-opener-policy", "same-origin");
        says("cross-origin-resource-policy", "same-origin");
        let is_page = answer.header("content-type").unwrap().contains("html");
        says(
            "cache-control",
            if is_page { "no-cache" } else { "no-store" },
        );
        assert!(!answer.text.contains("unsafe"), "{}", answer.text);
        assert_eq!(answer.header("access-control-allow-origin"), None);
        assert_eq!(answer.header("server"), None);
    }
}

/// Resident memory at its peak, octets.
fn peak(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    let kibibytes: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kibibytes << 10
}

#[test]
fn a_thousand_who_sign_on_at_once_take_little_memory_and_others_are_answered() {
    let (office, mut admin) = Office::staffed();
    let before = peak(office.server.pid());
    let (http, password) = (office.server.running.http, "x".repeat(4000));
    let flooding = |number: u32| {
        let body = json!({"name": format!("user{number}"), "password": password}).to_string();
        let flooding = move || {
            let json = [("Content-Type", "application/json")];
            let path = "/api/v1/sign-on";
            let answer = try_exchange(http, "POST", path, &json, body.as_bytes());
            answer.map(|answer| answer.status)
        };
        let thread = std::thread::Builder::new().stack_size(256 << 10);
        thread.spawn(flooding).unwrap()
    };
    let flood: Vec<_> = (0..1000).map(flooding).collect();
    let mut answered = 0;
    while flood.iter().any(|one| !one.is_finished()) {
        assert!(admin.is_known());
        answered += 1;
    }
    assert!(answered > 0);
    let mut counts = BTreeMap::new();
    for one in flood {
        // One that the system had no place for is reset.
        *counts.entry(one.join().unwrap().unwrap_or(0)).or_insert(0) += 1;
    }
    assert!(
        counts.keys().all(|it| [0, 401, 429, 503].contains(it)),
        "{counts:?}"
    );
    // From one address fifty are tried at once, and one in five seconds.
    let tried = counts.get(&401).copied().unwrap_or(0);
    assert!((20..=80).contains(&tried), "{counts:?}");
    assert!(counts.get(&0).is_none_or(|lost| *lost < 200), "{counts:?}");
    // Two hashes of 19 MiB at a time, and 256 connections; a thousand hashes would be 19 GB.
    let grown = peak(office.server.pid()) - before;
    assert!(grown < 128 << 20, "{grown} octets");
}
