//! A backup that is taken while the product runs becomes a product that goes on: nothing twice, nothing missing.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::fs;
use std::path::Path;
use std::time::Duration;

use support::injury::pass;
use support::lab::Lab;
use support::ledger::Ledger;
use support::{Server, eventually, flowreel, printed};

fn back_up(data: &Path, folder: &Path) -> String {
    let (data, folder) = (data.to_str().unwrap(), folder.to_str().unwrap());
    printed(&flowreel(&["backup", folder, "--data-dir", data]))
}

fn restore(folder: &Path, data: &Path) -> String {
    let (data, folder) = (data.to_str().unwrap(), folder.to_str().unwrap());
    printed(&flowreel(&["restore", folder, "--data-dir", data]))
}

fn failed(args: &[&str]) -> String {
    let output = flowreel(args);
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stderr).unwrap()
}

/// Starts a server on a restored directory, and holds its store against its tape and what was sent.
fn check(lab: &Lab, data: &Path, at_least: u64, after: &str) -> Server {
    let server = Server::start(data, &[]);
    eventually("the store is mended", || {
        (server.metric("flowreel_mending") == Some(0)).then_some(())
    });
    let mut ledger = Ledger::default();
    // Only what was on tape at that moment is in it.
    ledger.note_outage(Duration::ZERO, lab.fleet.since.elapsed());
    ledger.check(&server, &lab.fleet, after);
    assert!(
        ledger.on_tape() >= at_least,
        "{} of {at_least}",
        ledger.on_tape()
    );
    server
}

#[test]
fn a_backup_under_load_goes_on_where_it_was_taken() {
    let mut lab = Lab::simple(3);
    let folder = tempfile::tempdir().unwrap();
    let (backup, data) = (folder.path().join("backup"), folder.path().join("data"));
    lab.server().wait_until_ready();
    lab.fleet.go_on(2);
    pass(Duration::from_millis(900));
    let before = lab.server().accounting().datagrams.received;
    let said = back_up(&lab.data(), &backup);
    assert!(said.contains(" files of "), "{said}");
    pass(Duration::from_millis(300));
    lab.fleet.pause();
    // What was backed up is as it was.
    lab.check("a backup");
    let verified = printed(&flowreel(&["backup", "--verify", backup.to_str().unwrap()]));
    assert!(verified.contains("and is whole"), "{verified}");
    let said = restore(&backup, &data);
    assert!(said.contains("store are restored"), "{said}");
    let server = check(&lab, &data, before, "a restore");
    // Stopped and started once more, it has all, once.
    server.stop();
    check(&lab, &data, before, "a restart after it").stop();
}

#[test]
fn a_backup_of_a_stopped_product_and_what_is_no_backup() {
    let mut lab = Lab::simple(4);
    let folder = tempfile::tempdir().unwrap();
    let (backup, data) = (folder.path().join("backup"), folder.path().join("data"));
    lab.server().wait_until_ready();
    lab.fleet.go_on(2);
    pass(Duration::from_millis(500));
    lab.check("some load");
    let sent = lab.ledger.on_tape();
    lab.stop();
    back_up(&lab.data(), &backup);
    let (source, target) = (backup.to_str().unwrap(), data.to_str().unwrap());
    let again = [
        "backup",
        source,
        "--data-dir",
        lab.launch.data_dir.to_str().unwrap(),
    ];
    assert!(failed(&again).contains("is not empty"));

    // A changed octet is found before anything is made.
    let catalog = backup.join("catalog.db");
    let kept = fs::read(&catalog).unwrap();
    let mut changed = kept.clone();
    changed[100] ^= 1;
    fs::write(&catalog, &changed).unwrap();
    let said = failed(&["restore", source, "--data-dir", target]);
    assert!(said.contains("catalog.db: is damaged"), "{said}");
    assert!(!data.exists());
    fs::write(&catalog, &kept).unwrap();

    // Into a folder with something in it nothing is restored.
    fs::create_dir(&data).unwrap();
    fs::write(data.join("letter.txt"), "").unwrap();
    let said = failed(&["restore", source, "--data-dir", target]);
    assert!(said.contains("is not empty"), "{said}");
    fs::remove_file(data.join("letter.txt")).unwrap();

    restore(&backup, &data);
    check(&lab, &data, sent, "a restore of a stopped one").stop();

    // A restore that was not finished is not started.
    fs::write(data.join("RESTORING"), "").unwrap();
    let said = failed(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--http",
        "127.0.0.1:0",
        "--data-dir",
        target,
    ]);
    assert!(said.contains("a restore was not finished"), "{said}");
}
