//! Case 52 of the field's faults: more requests, more connections and slower ones than anybody needs.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::io::{Read as _, Write as _};

use support::http::{connect, exchange};
use support::injury::set_files_max;
use support::lab::Lab;
use support::{Server, eventually};

/// Octets of memory that a process has resident (proc(5), `VmRSS`).
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

#[test]
fn case_52_a_flood_of_requests_is_answered_or_refused_and_receiving_goes_on() {
    let mut lab = Lab::simple(52);
    lab.server().wait_until_ready();
    lab.fleet.go_on(100);
    let http = lab.server().running.http;
    let pid = lab.server().pid();
    let before = resident(pid);
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let ask = |number: usize| {
            let pages = [
                "/api/v1/top/clients?last=1d&limit=10000",
                "/api/v1/flows?limit=10000",
                "/api/v1/series?last=1d",
                "/metrics",
            ];
            exchange(http, "GET", pages[number % pages.len()], &[], b"").status
        };
        let threads: Vec<_> = (0..64)
            .map(|thread| {
                scope.spawn(move || (0..6).map(|turn| ask(thread + turn)).collect::<Vec<_>>())
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    let others: Vec<_> = statuses
        .iter()
        .filter(|status| ![200, 429, 503].contains(*status))
        .collect();
    assert!(others.is_empty(), "{others:?}");
    assert!(statuses.contains(&200));
    let grown = resident(pid).saturating_sub(before);
    assert!(grown < 300 << 20, "{grown} octets more");
    lab.check("a flood of requests");
    let books = lab.books();
    assert_eq!(
        (books.datagrams.received, books.datagrams.dropped_total()),
        (lab.fleet.datagrams(), 0)
    );
}

#[test]
fn case_52_connections_that_say_nothing_take_no_file_from_the_tape() {
    let mut lab = Lab::new(
        support::place::Place::folder(),
        1,
        520,
        "[tape]\nsegment_octets = 131072\n",
    );
    lab.server().wait_until_ready();
    // Fewer files than there are connections: half of a request each, so that they are not idle either. The kernel's own
    // queue holds those that find no place.
    set_files_max(lab.server().pid(), "350");
    let http = lab.server().running.http;
    let open: Vec<_> = (0..370)
        .map(|_| {
            let mut stream = connect(http);
            stream
                .write_all(b"GET /healthz HTTP/1.1\r\nHost: lo")
                .unwrap();
            stream
        })
        .collect();
    // Each burst is larger than a segment: the tape has to open files.
    for _ in 0..10 {
        lab.fleet.burst(60);
        lab_received(&lab);
    }
    drop(open);
    lab.check("370 connections");
    let books = lab.books();
    assert_eq!(
        (books.datagrams.received, books.datagrams.dropped_total()),
        (lab.fleet.datagrams(), 0)
    );
}

/// Nobody may be able to ask, so the kernel's buffer is all that can be looked at.
fn lab_received(lab: &Lab) {
    let port = lab.server().udp().port();
    eventually("the kernel's buffer is empty", || {
        (support::ledger::waiting_in_kernel(port) == 0).then_some(())
    });
}

#[test]
fn case_52_half_a_request_does_not_hold_others_up() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let mut slow = connect(server.running.http);
    slow.write_all(b"PUT /api/v1/rules HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n{")
        .unwrap();
    assert_eq!(
        exchange(server.running.http, "GET", "/healthz", &[], b"").status,
        200
    );
    // Nor the end.
    assert!(server.stop().as_secs() < 5);
    let mut rest = Vec::new();
    let _ = slow.read_to_end(&mut rest);
}
