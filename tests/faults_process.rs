//! Cases 46, 48 and 51 of the field's faults: the server is killed, the engine crashes or hangs, signals come.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::time::Duration;

use flow::Accounting;
use flow::clock::Stopwatch;
use nix::sys::signal::Signal;
use support::chance::Chance;
use support::http::exchange;
use support::injury::pass;
use support::lab::{Lab, is_alive};
use support::{eventually, setting, signal};

#[test]
fn case_46_killed_at_random_points_it_stores_everything_once() {
    let (kills, seed) = (setting("TORTURE_KILLS", 6), setting("TORTURE_SEED", 46));
    eprintln!("TORTURE_SEED={seed} TORTURE_KILLS={kills}");
    let mut chance = Chance::new(seed);
    let mut lab = Lab::simple(chance.number());
    lab.server().wait_until_ready();
    for kill in 0..kills {
        let clear = lab.mark();
        lab.fleet.go_on(200);
        // While it starts, while it stores, or right after an acknowledgement.
        pass(chance.millis(0, 700));
        lab.kill();
        lab.start();
        lab.ledger.note_outage(clear, lab.fleet.since.elapsed());
        // Sometimes it is killed again before it has caught up.
        if chance.between(0, 3) > 0 || kill + 1 == kills {
            lab.check(&format!("kill {kill}"));
        }
    }
}

#[test]
fn case_48_an_engine_that_crashes_is_back_at_once_and_nothing_is_lost() {
    let mut lab = Lab::simple(48);
    lab.server().wait_until_ready();
    lab.fleet.go_on(50);
    let ask = |lab: &Lab| {
        let http = lab.server().running.http;
        exchange(http, "GET", "/api/v1/top/applications", &[], b"").status
    };
    assert_eq!(ask(&lab), 200);
    // What a bug, an assertion and the kernel's out-of-memory killer send.
    for (number, death) in [Signal::SIGSEGV, Signal::SIGABRT, Signal::SIGKILL]
        .into_iter()
        .enumerate()
    {
        let engine = lab.signal_engine(death);
        if death == Signal::SIGSEGV {
            // The first that nothing has caused only takes away the runtime's handler for overflowing stacks.
            signal(engine, death);
        }
        let watch = Stopwatch::start();
        let mut meanwhile = Vec::new();
        eventually("another engine answers questions", || {
            let status = ask(&lab);
            meanwhile.push(status);
            (status == 200 && !is_alive(engine)).then_some(())
        });
        eprintln!(
            "{death}: questions are answered again after {:?}",
            watch.elapsed()
        );
        assert!(
            meanwhile.iter().all(|status| [200, 503].contains(status)),
            "{meanwhile:?}"
        );
        let starts = lab.server().metric("flowreel_engine_starts_total");
        assert_eq!(starts, Some(number as u64 + 2));
        assert_ne!(lab.server().engine(), engine);
    }
    lab.check("three crashes of the engine");
    let books = lab.books();
    assert_eq!(
        (books.datagrams.received, books.datagrams.dropped_total()),
        (lab.fleet.datagrams(), 0)
    );
}

#[test]
fn case_48_while_the_engine_hangs_everything_else_goes_on() {
    let mut lab = Lab::simple(480);
    lab.server().wait_until_ready();
    lab.fleet.burst(3);
    lab.check("the beginning");
    let engine = lab.signal_engine(Signal::SIGSTOP);
    let http = lab.server().running.http;
    std::thread::scope(|scope| {
        let asked =
            scope.spawn(|| exchange(http, "GET", "/api/v1/top/applications", &[], b"").status);
        lab.fleet.burst(20);
        let books = lab.wait_until_received();
        assert_eq!(books.datagrams.received, lab.fleet.datagrams());
        for page in [
            "/healthz",
            "/metrics",
            "/api/v1/exporters",
            "/api/v1/rules",
            "/api/v1/imports",
        ] {
            assert_eq!(exchange(http, "GET", page, &[], b"").status, 200, "{page}");
        }
        signal(engine, Signal::SIGCONT);
        assert!([200, 503].contains(&asked.join().unwrap()));
    });
    lab.check("a hang");
}

#[test]
fn case_51_told_to_stop_under_load_it_ends_in_time_with_everything_on_disk() {
    let mut lab = Lab::simple(51);
    lab.server().wait_until_ready();
    for _ in 0..3 {
        lab.mark();
        lab.fleet.go_on(400);
        pass(Duration::from_millis(400));
        let received = lab
            .server()
            .get::<Accounting>("/api/v1/accounting")
            .datagrams
            .received;
        let clear = lab.fleet.since.elapsed();
        let took = lab.stop();
        assert!(took < Duration::from_secs(5), "{took:?}");
        lab.start();
        // What had come until it was told to stop must be there; of what comes while it stops only the kernel knows.
        lab.ledger.note_outage(
            clear.saturating_sub(Duration::from_millis(500)),
            lab.fleet.since.elapsed(),
        );
        lab.check("SIGTERM under load");
        assert!(lab.books().datagrams.received >= received);
    }
}

#[test]
fn case_51_a_wrong_configuration_at_a_hangup_changes_nothing() {
    let config = |name: &str| format!("[[application]]\nname = '{name}'\nports = [4711]\n");
    let mut lab = Lab::new(support::place::Place::folder(), 1, 510, &config("before"));
    lab.server().wait_until_ready();
    let file = lab.data().with_file_name("test.toml");
    let names = |lab: &Lab| -> String {
        lab.server()
            .get::<serde_json::Value>("/api/v1/rules")
            .to_string()
    };
    assert!(names(&lab).contains("before"));
    for wrong in [
        "[[application]\n",
        "[[application]]\nname = 'half'\nports = ['x']\n",
        "no_such_setting = 1\n",
    ] {
        std::fs::write(&file, wrong).unwrap();
        signal(lab.server().pid(), Signal::SIGHUP);
        lab.fleet.burst(2);
        lab.wait_until_received();
        assert!(names(&lab).contains("before"));
    }
    std::fs::write(&file, config("after")).unwrap();
    signal(lab.server().pid(), Signal::SIGHUP);
    eventually("the new names are in force", || {
        names(&lab).contains("after").then_some(())
    });
    assert!(!names(&lab).contains("before"));
    lab.check("four hangups");
}
