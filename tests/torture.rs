//! Everything at once, by chance, for as long as one likes: under a steady load the product is killed, hung, starved and
//! damaged, and after each injury the store is held against what was sent, for each exporter.
//!
//! `make torture` runs it for an hour; `TORTURE_SECONDS` and `TORTURE_SEED` say otherwise, and `TORTURE_INJURIES` names the
//! only ones to try, as in `FillDisk,KillServer`. The same seed is the same plan; what the machine makes of it differs a
//! little each time.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::time::Duration;

use flow::clock::Stopwatch;
use support::chance::Chance;
use support::injury::{Injury, Severity, pass};
use support::lab::Lab;
use support::place::Place;
use support::setting;

/// Segments are small, so that some are sealed, compressed and begun while something else goes wrong.
const CONFIG: &str = "[tape]\nsegment_octets = 2097152\nmin_free_octets = 8388608\n";

/// What is tried in a round.
fn plan(is_long: bool) -> Vec<Injury> {
    let all = match is_long {
        true => Injury::ALL,
        false => Injury::SHORT,
    };
    let Ok(wanted) = std::env::var("TORTURE_INJURIES") else {
        return all.to_vec();
    };
    let named = |name: &str| {
        let named = |injury: &&Injury| format!("{injury:?}") == name;
        let found = Injury::ALL.iter().find(named);
        *found.unwrap_or_else(|| panic!("{name} is none of {:?}", Injury::ALL))
    };
    wanted.split(',').map(named).collect()
}

#[test]
fn whatever_is_done_to_it_the_store_holds_what_was_sent() {
    let seconds = setting("TORTURE_SECONDS", 0);
    let seed = setting("TORTURE_SEED", 1);
    eprintln!("TORTURE_SEED={seed} TORTURE_SECONDS={seconds}");
    let Some(place) = Place::disk(if seconds > 0 { 4096 } else { 768 }) else {
        return;
    };
    let mut chance = Chance::new(seed);
    let mut lab = Lab::new(place, 2, chance.number(), CONFIG);
    lab.server().wait_until_ready();
    let severity = match seconds {
        0 => Severity {
            pace: 100,
            longest_ms: 2500,
        },
        _ => Severity {
            pace: 200,
            longest_ms: 60_000,
        },
    };
    let watch = Stopwatch::start();
    let mut rounds = 0;
    loop {
        let mut plan = plan(seconds > 0);
        chance.shuffle(&mut plan);
        eprintln!("round {rounds}: {plan:?}");
        for injury in plan {
            lab.injure(injury, severity, &mut chance);
            // It works on after what happened, and not only until then.
            pass(chance.millis(100, 500));
            lab.check(&format!("{injury:?}"));
        }
        rounds += 1;
        if watch.elapsed() >= Duration::from_secs(seconds) {
            break;
        }
    }
    lab.stop();
}
