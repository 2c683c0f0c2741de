//! What is lost is found again: the checkpoint, a part of it, the store. Nothing twice, nothing missing, the rollups as the
//! flows.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use support::injury::pass;
use support::lab::Lab;
use support::{Server, binary, eventually, signal};

/// Datagrams of each exporter in a round of sending.
const PACE: u32 = 2;

fn files(data: &Path, like: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(data.join("checkpoint")).unwrap().flatten();
    let paths = entries.map(|entry| entry.path());
    let is_meant = |path: &PathBuf| path.to_string_lossy().contains(like);
    paths.filter(is_meant).collect()
}

/// Sends, kills the server in the middle, loses something, starts it, sends on, and holds the store against what was sent.
fn lose(lab: &mut Lab, after: &str, lost: impl FnOnce(&Path)) {
    let clear = lab.mark();
    lab.fleet.go_on(PACE);
    pass(Duration::from_millis(900));
    lab.kill();
    lost(&lab.data());
    lab.start();
    let started = lab.fleet.since.elapsed();
    lab.ledger.note_outage(clear, started);
    pass(Duration::from_millis(500));
    lab.fleet.pause();
    mended(lab.server());
    lab.check(after);
}

/// Waits until all that was to be compared with the store is.
fn mended(server: &Server) {
    server.wait_until_ready();
    eventually("the store is mended", || {
        (server.metric("flowreel_mending") == Some(0)).then_some(())
    });
}

#[test]
fn case_46_a_damaged_or_missing_checkpoint_costs_nothing() {
    let mut lab = Lab::simple(46);
    lose(&mut lab, "a checkpoint that ends in the middle", |data| {
        let file = data.join("checkpoint/checkpoint.json");
        let text = fs::read(&file).unwrap();
        fs::write(&file, &text[..text.len() / 2]).unwrap();
    });
    lose(&mut lab, "a checkpoint that is away", |data| {
        fs::remove_file(data.join("checkpoint/checkpoint.json")).unwrap();
    });
    lose(&mut lab, "a flipped digit in a state", |data| {
        // The newest, which the checkpoint names.
        let file = files(data, "state-").into_iter().max().unwrap();
        let mut text = fs::read(&file).unwrap();
        let digit = text.iter().rposition(u8::is_ascii_digit).unwrap();
        text[digit] ^= 1;
        fs::write(&file, text).unwrap();
    });
    lose(&mut lab, "both checkpoints away", |data| {
        for file in files(data, "checkpoint.") {
            fs::remove_file(file).unwrap();
        }
    });
}

#[test]
fn without_any_checkpoint_it_is_found_out_from_tape_and_store() {
    let mut lab = Lab::simple(460);
    lose(&mut lab, "no checkpoint at all", |data| {
        fs::remove_dir_all(data.join("checkpoint")).unwrap();
    });
    let books = lab.books();
    assert_eq!(books.datagrams.received, lab.ledger.on_tape());
    // Once more with a store that has none of the last seconds.
    lab.signal_engine(Signal::SIGSTOP);
    lose(&mut lab, "no checkpoint at all, the store behind", |data| {
        fs::remove_dir_all(data.join("checkpoint")).unwrap();
    });
}

#[test]
fn a_store_that_is_lost_is_made_of_the_tape_again() {
    let mut lab = Lab::simple(461);
    lose(&mut lab, "the store lost", |data| {
        fs::remove_dir_all(data.join("store")).unwrap();
    });
    lose(&mut lab, "store and checkpoint lost", |data| {
        for folder in ["store", "checkpoint"] {
            fs::remove_dir_all(data.join(folder)).unwrap();
        }
    });
}

#[test]
fn a_kill_while_it_recovers_costs_nothing() {
    let mut lab = Lab::simple(462);
    lab.fleet.go_on(PACE);
    pass(Duration::from_secs(1));
    for round in 0..4 {
        let clear = lab.mark();
        lab.kill();
        fs::remove_dir_all(lab.data().join("checkpoint")).unwrap();
        for _ in 0..2 {
            lab.start();
            pass(Duration::from_millis(150 * (round + 1)));
            lab.kill();
        }
        lab.start();
        lab.ledger.note_outage(clear, lab.fleet.since.elapsed());
        lab.fleet.go_on(PACE);
        pass(Duration::from_millis(300));
        lab.fleet.pause();
    }
    mended(lab.server());
    lab.check("kills while it recovers");
}

/// NetFlow v9 by hand (RFC 3954 §5): a header, and FlowSets behind it.
fn v9(sequence: u32, sets: &[Vec<u8>]) -> Vec<u8> {
    let mut message = vec![0, 9, 0, u8::try_from(sets.len()).unwrap()];
    for word in [1_000_000_u32, 1_790_000_000, sequence, 7] {
        message.extend(word.to_be_bytes());
    }
    message.extend(sets.iter().flatten());
    message
}

/// Template 256: source (8) and destination (12), octets (1), packets (2), of four octets each.
fn template() -> Vec<u8> {
    let words = [0, 24, 256, 4, 8, 4, 12, 4, 1, 4, 2, 4_u16];
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// One record: 1,000 octets in 10 packets.
fn data(last: u8) -> Vec<u8> {
    let mut set = vec![1, 0, 0, 20];
    set.extend([10, 0, 0, last, 10, 0, 1, last]);
    set.extend(1000_u32.to_be_bytes());
    set.extend(10_u32.to_be_bytes());
    set
}

fn send(server: &Server, message: &[u8]) {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.send_to(message, server.udp()).unwrap();
}

/// Flows and octets, by the rollups and by the records.
fn sums(server: &Server) -> [(u64, u64); 2] {
    ["", "&filter=version%20%3E%200"].map(|filter| {
        let rows: Vec<store::question::TopRow> = server.get(&format!(
            "/api/v1/top/exporters?from=2000-01-01&to=2200-01-01{filter}"
        ));
        rows.iter()
            .fold((0, 0), |sum, row| (sum.0 + row.flows, sum.1 + row.octets))
    })
}

#[test]
fn templates_and_what_waits_for_them_are_found_again_on_tape() {
    let folder = tempfile::tempdir().unwrap();
    let forget = || fs::remove_dir_all(folder.path().join("checkpoint")).unwrap();
    let server = Server::start(folder.path(), &[]);
    send(&server, &v9(1, &[template(), data(1)]));
    server.wait_for_datagrams(1);
    server.stop();
    forget();
    let server = Server::start(folder.path(), &[]);
    // The template was sent before.
    send(&server, &v9(2, &[data(2)]));
    server.wait_for_datagrams(2);
    // This one has no template yet: another source id.
    let other = |sequence, sets: &[Vec<u8>]| {
        let mut message = v9(sequence, sets);
        message[19] = 8;
        message
    };
    send(&server, &other(1, &[data(3)]));
    eventually("a datagram waits", || {
        (server.accounting().datagrams.on_tape == 1).then_some(())
    });
    server.kill();
    forget();
    let server = Server::start(folder.path(), &[]);
    send(&server, &other(2, &[template()]));
    let books = server.wait_for_datagrams(4);
    mended(&server);
    assert_eq!((books.records.stored, books.datagrams.stored), (3, 4));
    assert_eq!(sums(&server), [(3, 3000); 2]);
    server.kill();
    forget();
    let server = Server::start(folder.path(), &[]);
    mended(&server);
    let books = server.wait_for_datagrams(4);
    assert!(books.datagrams.balances(), "{books:?}");
    assert_eq!(sums(&server), [(3, 3000); 2]);
}

#[test]
fn tape_and_checkpoint_lost_begin_a_new_collector() {
    let folder = tempfile::tempdir().unwrap();
    for round in 1..=2 {
        let server = Server::start(folder.path(), &[]);
        send(&server, &v9(1, &[template(), data(1)]));
        server.wait_for_datagrams(1);
        // The same octets at the same place of the tape, and yet another datagram.
        assert_eq!(sums(&server), [(round, round * 1000); 2]);
        server.stop();
        for lost in ["tape", "checkpoint"] {
            fs::remove_dir_all(folder.path().join(lost)).unwrap();
        }
    }
}

/// Starts the server, which must end by itself, and returns what it says last.
fn refusal(data: &Path) -> String {
    let ended = Command::new(binary())
        .args(["serve", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"])
        .arg("--data-dir")
        .arg(data)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let errors = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{errors}");
    errors.lines().last().unwrap_or_default().to_owned()
}

#[test]
fn what_a_newer_program_wrote_is_refused_by_name_and_version() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let server = Server::start(data, &[]);
    send(&server, &v9(1, &[template()]));
    server.wait_for_datagrams(1);
    server.stop();

    let checkpoint = data.join("checkpoint/checkpoint.json");
    let kept = fs::read(&checkpoint).unwrap();
    fs::write(&checkpoint, r#"{"format":99,"more":"than is known"}"#).unwrap();
    let said = refusal(data);
    assert!(
        said.contains(
            "checkpoint.json: was written by a newer Flowreel (format 99, this one knows 2)"
        ),
        "{said}"
    );
    fs::write(&checkpoint, &kept).unwrap();

    let tape = fs::read_dir(data.join("tape")).unwrap().flatten();
    let mut segments: Vec<PathBuf> = tape
        .map(|entry| entry.path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "tape")
        })
        .collect();
    segments.sort();
    let kept = fs::read(&segments[0]).unwrap();
    fs::write(&segments[0], newer_segment(&kept)).unwrap();
    let said = refusal(data);
    assert!(said.contains(".tape") && said.contains("99"), "{said}");
    fs::write(&segments[0], &kept).unwrap();
    Server::start(data, &[]).stop();
}

/// A segment whose header names another version (`docs/tape.md`).
fn newer_segment(segment: &[u8]) -> Vec<u8> {
    let mut newer = segment.to_vec();
    newer[8..10].copy_from_slice(&99_u16.to_le_bytes());
    let sum = crc32c::crc32c(&newer[..60]);
    newer[60..64].copy_from_slice(&sum.to_le_bytes());
    newer
}

#[test]
fn case_51_a_bad_configuration_is_not_taken_and_the_old_one_stays() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("flowreel.toml");
    let rule = "[[application]]\nname = 'ledger'\nports = [6001]\n";
    fs::write(&config, rule).unwrap();
    let log = folder.path().join("log");
    let data = folder.path().join("data");
    let mut server = Command::new(binary())
        .args(["serve", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"])
        .arg("--data-dir")
        .arg(&data)
        .arg("--config")
        .arg(&config)
        .env("FLOWREEL_SIGN_ON", "off")
        .stdin(Stdio::null())
        .stderr(fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let running: support::Running = eventually("the server is ready to receive", || {
        serde_json::from_slice(&fs::read(data.join("running.json")).ok()?).ok()
    });
    let url = format!("http://{}/api/v1/rules", running.http);
    let rules = || {
        let answer = ureq::get(&url).call().unwrap();
        answer.into_body().read_to_string().unwrap()
    };
    assert!(rules().contains("ledger"));
    fs::write(&config, rule.replace("ports", "prots")).unwrap();
    signal(server.id(), Signal::SIGHUP);
    let said = eventually("the server says so", || {
        let text = fs::read_to_string(&log).ok()?;
        let line = text
            .lines()
            .find(|line| line.contains("the old configuration stays"))?;
        Some(line.to_owned())
    });
    assert!(said.contains("prots"), "{said}");
    assert!(rules().contains("ledger"));
    fs::write(&config, rule.replace("ledger", "journal")).unwrap();
    signal(server.id(), Signal::SIGHUP);
    eventually("the good one is taken", || {
        rules().contains("journal").then_some(())
    });
    signal(server.id(), Signal::SIGTERM);
    assert!(server.wait().unwrap().success());
}

#[test]
fn a_reclassification_that_is_killed_is_done_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path(), &[]);
    let all: Vec<Vec<u8>> = (1..=20).map(data).collect();
    send(&server, &v9(1, &[vec![template()], all].concat()));
    server.wait_for_datagrams(1);
    assert_eq!(sums(&server), [(20, 20_000); 2]);
    for delay in [0, 30, 80, 200, 500] {
        let url = format!("{}/api/v1/reclassify?last=1h", server.url());
        // It breaks off with the server.
        let asking = std::thread::spawn(move || ureq::post(&url).send_empty().is_ok());
        pass(Duration::from_millis(delay));
        server.kill();
        let _ = asking.join();
        server = Server::start(folder.path(), &[]);
        let note = folder.path().join("checkpoint/reclassify.json");
        eventually("it is done", || (!note.exists()).then_some(()));
        assert_eq!(sums(&server), [(20, 20_000); 2], "killed after {delay} ms");
    }
}

#[test]
fn an_import_that_is_killed_is_kept_or_whole_and_never_twice() {
    let Some(captures) = support::captures() else {
        return;
    };
    let capture = captures.join("generated/softflowd-v5-synscan.pcap");
    let folder = tempfile::tempdir().unwrap();
    let mut expected = Vec::new();
    for delay in [0, 40, 120, 300] {
        let server = Server::start(folder.path(), &[]);
        let url = format!("{}/api/v1/imports?name=a", server.url());
        let octets = fs::read(&capture).unwrap();
        let status: api::plant::ImportStatus = ureq::post(&url)
            .send(&octets)
            .unwrap()
            .body_mut()
            .read_json()
            .unwrap();
        pass(Duration::from_millis(delay));
        server.kill();
        expected.push(status.feed);
    }
    let server = Server::start(folder.path(), &[]);
    for feed in expected {
        let status: api::plant::ImportStatus = eventually("the import has ended", || {
            let status: api::plant::ImportStatus = server.get(&format!("/api/v1/imports/{feed}"));
            use api::plant::ImportState::{Done, Failed};
            matches!(status.state, Done | Failed).then_some(status)
        });
        server.wait_for_datagrams(0);
        let rows: Vec<store::question::TopRow> = server.get(&format!(
            "/api/v1/top/exporters?from=1970-01-01&to=2200-01-01&filter=feed%20{feed}"
        ));
        let flows: u64 = rows.iter().map(|row| row.flows).sum();
        // By tshark: 69 datagrams with 2002 records.
        match status.state {
            api::plant::ImportState::Done => {
                assert_eq!((flows, status.records, status.datagrams), (2002, 2002, 69))
            }
            _ => assert!(
                flows <= 2002 && status.error.unwrap().starts_with("interrupted"),
                "{flows}"
            ),
        }
    }
}
