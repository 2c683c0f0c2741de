//! Two who see different flows, and one who sees all: nobody is told of another's.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use flow::clock;
use flow::site::Rules;
use futures_util::StreamExt as _;
use serde_json::Value;
use store::Slice;
use store::catalog::{Recording, RecordingCounts, RecordingState};
use store::question::Window;

use super::places::{BERLIN, PARIS, Place, person};
use crate::people::Person;

const LONG: Duration = Duration::from_secs(60);

fn alice() -> Person {
    person("alice", "site berlin")
}

fn bob() -> Person {
    person("bob", "exporter edge-7")
}

/// Sees every flow.
fn carol() -> Person {
    person("carol", "")
}

/// Whether a text tells of flows by any of their names.
fn tells(text: &str, names: &[&str]) -> bool {
    names.iter().any(|name| text.contains(name))
}

/// What everybody is told at an address: by whom, and of which flows.
async fn check(place: &Place, address: &str) {
    let told = [
        (alice(), true, false),
        (bob(), false, true),
        (carol(), true, true),
        (alice(), true, false),
    ];
    for (who, of_berlin, of_paris) in told {
        let (status, body) = place.get(&who, address).await;
        assert_eq!(status, StatusCode::OK, "{address}: {body}");
        let found = (tells(&body, &BERLIN), tells(&body, &PARIS));
        assert_eq!(
            found,
            (of_berlin, of_paris),
            "{} {address}: {body}",
            who.name
        );
    }
}

/// A recording of the last minutes.
async fn record(place: &Place, name: &str, who: &Person) {
    let now = clock::now();
    let scope = who.scope.clone();
    let recording = Recording {
        number: 0,
        id: name[..1].repeat(32),
        name: name.to_owned(),
        state: RecordingState::Referenced,
        slice: Slice {
            arrived: Window {
                from: now - LONG,
                to: now,
            },
            filter: scope.only.clone().unwrap_or_default(),
        },
        scope,
        owner: Some(who.name.clone()),
        cut_by: who.name.clone(),
        cut_at: now,
        collector: "here".to_owned(),
        imported_at: None,
        anonymized: false,
        enrichment: Rules::default(),
        counts: RecordingCounts::default(),
    };
    place.catalog.add_recording(&recording).await.unwrap();
}

#[tokio::test]
async fn every_answer_is_within_the_scope_and_shared_within_it_only() {
    let Some(place) = Place::start().await else {
        return;
    };
    for address in [
        "/api/v1/top/conversations?last=10m",
        "/api/v1/top/applications,sites,exporters?last=10m&by=flows",
        "/api/v1/top/interfaces?last=10m",
        "/api/v1/series?last=10m&dimension=applications",
        "/api/v1/series?last=10m&dimension=servers&by=clients&previous=true",
        "/api/v1/flows?last=10m",
        "/api/v1/compare/clients?after_last=10m",
        "/api/v1/top/exporters/picture.svg?last=10m&previous=true",
        "/api/v1/series/picture.svg?last=10m&dimension=clients",
    ] {
        check(&place, address).await;
    }
    // Numbers without names: octets of the flows that are seen, and how many there are.
    let number = async |who: &Person, address: &str, what: &str| {
        let (_, body) = place.get(who, address).await;
        let body: Value = serde_json::from_str(&body).unwrap();
        body.pointer(what).and_then(Value::as_u64)
    };
    for (who, octets, flows) in [(alice(), 1000, 1), (bob(), 1001, 1), (carol(), 2001, 2)] {
        let lateness = number(&who, "/api/v1/lateness", "/octets").await;
        assert_eq!(lateness, Some(octets), "{}", who.name);
        let inventory = "/api/v1/inventory";
        assert_eq!(number(&who, inventory, "/flows").await, Some(flows));
        let on_disk = number(&who, inventory, "/octets_on_disk").await;
        assert_eq!(on_disk.is_some(), who.scope.sees_all());
    }
    // Who asks for others' by name is told that there is none.
    let (_, body) = place
        .get(&alice(), "/api/v1/flows?last=10m&filter=ip%2010.9.0.1")
        .await;
    assert_eq!(body, r#"{"flows":[],"more":false}"#);
    // No scope, no answer: nobody asks without being somebody.
    for address in ["/api/v1/flows", "/api/v1/lateness", "/api/v1/inventory"] {
        let status = place.status_for_nobody(address).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{address}");
    }
}

#[tokio::test]
async fn recordings_show_what_was_seen_and_is_seen() {
    let Some(place) = Place::start().await else {
        return;
    };
    record(&place, "all", &carol()).await;
    record(&place, "berlin's", &alice()).await;
    let asked = |name: &str| {
        [
            format!("/api/v1/recordings/{name}"),
            format!("/api/v1/top/clients?recording={name}"),
            format!("/api/v1/series?recording={name}"),
            format!("/api/v1/flows?recording={name}"),
            format!("/api/v1/compare/sites?before_recording={name}"),
            format!("/api/v1/series/picture.svg?recording={name}"),
            format!("/api/v1/top/sites/picture.svg?recording={name}"),
        ]
    };
    // As if it were not there.
    for (who, name) in [
        (alice(), "all"),
        (bob(), "all"),
        (bob(), "berlin's"),
        (bob(), "none"),
    ] {
        for address in asked(name) {
            let (status, body) = place.get(&who, &address).await;
            assert_eq!(status, StatusCode::NOT_FOUND, "{address}: {body}");
            let said = format!(r#"{{"error":"the catalog has no recording '{name}'"}}"#);
            assert_eq!(body, said);
        }
        let player = format!(r#"{{"recording": "{name}", "views": {{"all": {{"flows": {{}}}}}}}}"#);
        let made = place
            .send(&who, Method::POST, "/api/v1/players", &player)
            .await;
        assert_eq!(made.status(), StatusCode::NOT_FOUND);
    }
    let (_, body) = place
        .get(&alice(), "/api/v1/top/clients?recording=berlin's")
        .await;
    assert!(tells(&body, &BERLIN) && !tells(&body, &PARIS), "{body}");
    let (_, body) = place.get(&alice(), "/api/v1/recordings/berlin's").await;
    assert!(body.contains(r#""counts""#), "{body}");
    // She sees something else by now: her recording has nothing of that, and tells nothing of what it has.
    let moved = person("alice", "site paris");
    let (_, body) = place
        .get(&moved, "/api/v1/top/clients?recording=berlin's")
        .await;
    assert_eq!(body, "[]");
    let (_, body) = place.get(&moved, "/api/v1/recordings/berlin's").await;
    assert!(!body.contains(r#""counts""#), "{body}");
    // And nobody can write a filter that reaches out of it.
    let out = "/api/v1/flows?recording=berlin's&filter=not%20site%20berlin";
    let (_, body) = place.get(&carol(), out).await;
    assert_eq!(body, r#"{"flows":[],"more":false}"#);
}

#[tokio::test]
async fn a_player_is_its_makers_and_shows_what_they_saw() {
    let Some(place) = Place::start().await else {
        return;
    };
    let from = clock::now() - LONG / 2;
    let new = format!(
        r#"{{"from": "{from}", "to": "{}", "window": "10m", "knowledge": "final",
            "views": {{"all": {{"top": {{"dimension": "conversations"}}}}, "flows": {{"flows": {{}}}}}}}}"#,
        clock::now()
    );
    let made = place
        .send(&alice(), Method::POST, "/api/v1/players", &new)
        .await;
    assert_eq!(made.status(), StatusCode::CREATED);
    let made = axum::body::to_bytes(made.into_body(), 10_000)
        .await
        .unwrap();
    let made: Value = serde_json::from_slice(&made).unwrap();
    let player = format!("/api/v1/players/{}", made["id"].as_str().unwrap());
    let frames = format!("{player}/frames");

    // The same name with another scope is somebody else.
    for who in [bob(), carol(), person("alice", "site paris")] {
        for (method, address) in [
            (Method::GET, &player),
            (Method::GET, &frames),
            (Method::POST, &player),
            (Method::DELETE, &player),
        ] {
            let answer = place.send(&who, method, address, r#"{"do": "play"}"#).await;
            assert_eq!(
                answer.status(),
                StatusCode::NOT_FOUND,
                "{} {address}",
                who.name
            );
        }
    }
    let listening = place.send(&alice(), Method::GET, &frames, "").await;
    let mut listening = listening.into_body().into_data_stream();
    let mut told = String::new();
    let mut frame = async || {
        while !told.contains("event: frame") || !told.ends_with("\n\n") {
            let piece = tokio::time::timeout(LONG, listening.next()).await.unwrap();
            told.push_str(std::str::from_utf8(&piece.unwrap().unwrap()).unwrap());
        }
        std::mem::take(&mut told)
    };
    let seen = frame().await;
    assert!(tells(&seen, &BERLIN) && !tells(&seen, &PARIS), "{seen}");
    let change = r#"{"do": "show", "filter": "ip 10.9.0.1 or not site berlin"}"#;
    let changed = place.send(&alice(), Method::POST, &player, change).await;
    assert_eq!(changed.status(), StatusCode::OK);
    let seen = frame().await;
    assert!(!tells(&seen, &BERLIN) && !tells(&seen, &PARIS), "{seen}");
    let ended = place.send(&alice(), Method::DELETE, &player, "").await;
    assert_eq!(ended.status(), StatusCode::NO_CONTENT);
    let rest = listening.collect::<Vec<_>>();
    tokio::time::timeout(LONG, rest).await.unwrap();
    let (status, _) = place.get(&alice(), &player).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}
