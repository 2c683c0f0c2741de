//! A collector without a store: what arrives is on tape and decoded, the books balance, and questions are told why not.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::net::UdpSocket;

use flow::DropKind;
use flow::clock::now;
use simulator::load::{Load, LoadConfig, LoadShape};
use support::{Server, eventually};

const DATAGRAMS: u64 = 40;

fn send(server: &Server) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut load = Load::new(LoadConfig::new(LoadShape::V5Full, now()));
    for _ in 0..DATAGRAMS {
        let payload = load.next_payload(now());
        socket.send_to(payload, server.udp()).unwrap();
    }
}

#[test]
fn what_is_not_kept_is_on_tape_and_counted() {
    let data = tempfile::tempdir().unwrap();
    let config = data.path().join("flowreel.toml");
    std::fs::write(&config, "[store]\nengine = \"none\"\n").unwrap();
    let options = ["--config", config.to_str().unwrap()];
    let folder = data.path().join("data");
    std::fs::create_dir(&folder).unwrap();
    let server = Server::start(&folder, &options);
    send(&server);
    let books = eventually("all is decoded", || {
        let books = server.accounting();
        (books.records.received == 30 * DATAGRAMS).then_some(books)
    });
    assert!(books.datagrams.balances() && books.records.balances());
    assert_eq!(books.records.dropped[&DropKind::NotKept], 30 * DATAGRAMS);
    assert_eq!(books.datagrams.dropped[&DropKind::NotKept], DATAGRAMS);
    assert_eq!((books.datagrams.stored, books.records.stored), (0, 0));
    let question = format!("{}/api/v1/top/applications", server.url());
    let mut refused = ureq::get(question)
        .config()
        .http_status_as_error(false)
        .build()
        .call()
        .unwrap();
    assert_eq!(refused.status(), 503);
    let said = refused.body_mut().read_to_string().unwrap();
    assert!(said.contains("there is no store"), "{said}");
    // The page is made twice a second.
    eventually("the exporter is shown with all its records", || {
        let exporters: serde_json::Value = server.get("/api/v1/exporters");
        (exporters[0]["records"] == 30 * DATAGRAMS).then_some(())
    });
    server.stop();
    // With a store from now on, what was not kept is not stored behind anybody's back; it is on tape.
    let segments = std::fs::read_dir(folder.join("tape")).unwrap();
    let octets: u64 = segments
        .map(|file| file.unwrap().metadata().unwrap().len())
        .sum();
    assert!(octets > DATAGRAMS * 1464, "{octets}");
    let again = Server::start(&folder, &options);
    let books = again.accounting();
    assert_eq!(books.records.dropped[&DropKind::NotKept], 30 * DATAGRAMS);
    assert_eq!(books.datagrams.on_tape, 0);
    again.stop();
}
