//! The file is there as a whole or not at all.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use nix::libc::{EIO, ENOSPC};
use replay::Disk;
use replay::disk::Change;
use replay::reel::{Manifest, PartKind, Reel, ReelError, Staged, write, write_on};

use crate::files::{described, said, staged};
use crate::power::{Fate, Journal, Snapshot, cut, folder, refused};

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_power_cut_or_a_kill_leaves_the_old_file_or_the_new_one() {
    let (parts, target) = (folder(), folder());
    let path = target.path().join("x.reel");
    let staged = staged(parts.path());
    let mut older = described();
    older.name = "An older one".to_owned();
    write(&path, older, &staged).unwrap();
    let before = Snapshot::take(target.path());
    let journal = Arc::new(Journal::default());
    let disk = Disk::watched(Arc::clone(&journal) as _);
    write_on(&disk, &path, described(), &staged).unwrap();
    let all = journal.kept().clone();
    for done in 0..=all.len() {
        let fates = [Fate::Lost, Fate::Kept, Fate::NamesOnly, Fate::OctetsOnly];
        for fate in fates.into_iter().chain((0..8).map(Fate::Chance)) {
            let left = folder();
            cut(&before, &all[..done], fate, target.path(), left.path());
            let reel = Reel::open(&left.path().join("x.reel")).unwrap();
            reel.verify().unwrap();
            let name = &reel.manifest().name;
            let expected = match (done == all.len(), fate) {
                (true, _) => &["Orders are slow"][..],
                (false, Fate::Lost) => &["An older one"],
                _ => &["An older one", "Orders are slow"],
            };
            assert!(expected.contains(&name.as_str()), "{done} {fate:?}: {name}");
        }
    }
}

#[test]
fn a_disk_that_refuses_anything_leaves_nothing_behind() {
    let parts = folder();
    let staged = staged(parts.path());
    let write_watched = |first: usize, errno| {
        let target = folder();
        let path = target.path().join("x.reel");
        let journal = Arc::new(Journal::default());
        journal.refuse_some(first, 1, move |change| match change {
            Change::Write(_, _, octets) => refused(errno, octets.len() / 2),
            _ => refused(errno, 0),
        });
        let disk = Disk::watched(Arc::clone(&journal) as _);
        let written = write_on(&disk, &path, described(), &staged);
        (journal.len(), target, written)
    };
    let (all, ..) = write_watched(usize::MAX, EIO);
    // Made, 3 pieces of the manifest, 3 of each part but the empty one, the end; to disk, renamed, the name to disk.
    assert_eq!(all, 1 + 3 + 4 * 3 + 2 + 1 + 3);
    for first in 0..all {
        let (_, target, written) = write_watched(first, ENOSPC);
        let said = written.unwrap_err().to_string();
        assert!(said.starts_with("cannot "), "{said}");
        let expected = match first + 1 == all {
            // Whether the name is on disk is not known.
            true => vec!["x.reel"],
            false => vec![],
        };
        assert_eq!(names(target.path()), expected, "{first}: {said}");
    }
}

#[test]
fn a_part_that_changes_meanwhile_is_noticed() {
    for change in ["longer than it was", "other", ""] {
        let (parts, target) = (folder(), folder());
        let path = target.path().join("x.reel");
        let part = parts.path().join("part");
        fs::write(&part, "first").unwrap();
        let staged = [Staged {
            kind: PartKind::Notes,
            path: part.clone(),
        }];
        let journal = Arc::new(Journal::default());
        let changed = part.clone();
        journal.refuse(move |_, about| {
            if matches!(about, Change::Create(_)) {
                fs::write(&changed, change).unwrap();
            }
            None
        });
        let disk = Disk::watched(Arc::clone(&journal) as _);
        let written = write_on(&disk, &path, without_counts(), &staged);
        assert_eq!(
            said(&part, written),
            "FILE: notes.json is damaged: the file changed while it was read"
        );
        assert!(names(target.path()).is_empty());
    }
}

#[test]
fn a_file_that_was_left_in_the_making_is_in_nobodys_way() {
    let (parts, target) = (folder(), folder());
    let path = target.path().join("x.reel");
    let left = format!("x.reel.{}-0.partial", std::process::id());
    fs::write(target.path().join(&left), "half").unwrap();
    write(&path, described(), &staged(parts.path())).unwrap();
    assert_eq!(names(target.path()), ["x.reel", left.as_str()]);
    Reel::open(&path).unwrap().verify().unwrap();
}

#[test]
fn what_cannot_become_a_part_is_named() {
    let folder = folder();
    let target = folder.path().join("x.reel");
    let of = |kind, path: &Path| Staged {
        kind,
        path: path.to_owned(),
    };
    let written = |staged: &[Staged]| write(&target, without_counts(), staged);
    let part = folder.path().join("part");
    let notes = of(PartKind::Notes, &part);
    assert_eq!(
        said(&part, written(std::slice::from_ref(&notes))),
        "cannot open FILE"
    );
    fs::write(&part, "{}").unwrap();
    assert_eq!(
        said(&part, written(&[notes.clone(), notes])),
        "FILE: there can be only one notes.json"
    );
    let no_file = of(PartKind::Tape, folder.path());
    assert_eq!(
        said(folder.path(), written(&[no_file])),
        "FILE: it is no file"
    );
    // Holes: they take no room on disk, and are not read.
    let hole = folder.path().join("hole");
    let file = fs::File::create(&hole).unwrap();
    for (kind, octets, name, most) in [
        (
            PartKind::Flows,
            8_589_934_592,
            "flows/000001.parquet",
            8_589_934_591_u64,
        ),
        (
            PartKind::Tape,
            134_217_729,
            "tape/0000000001.tape.zst",
            134_217_728,
        ),
        (
            PartKind::Enrichment,
            67_108_865,
            "enrichment.json",
            67_108_864,
        ),
    ] {
        file.set_len(octets).unwrap();
        assert_eq!(
            said(&hole, written(&[of(kind, &hole)])),
            format!("FILE: it has {octets} octets, as {name} it may have at most {most}: split it")
        );
    }
    assert_eq!(names(folder.path()), ["hole", "part"]);
}

#[test]
fn what_could_not_be_read_again_is_not_written() {
    let folder = folder();
    let target = folder.path().join("x.reel");
    let mut nameless = without_counts();
    nameless.name = String::new();
    assert_eq!(
        said(&target, write(&target, nameless, &[])),
        "FILE: manifest.json: name is empty"
    );
    let error = write(&target, described(), &[]).unwrap_err();
    assert!(matches!(error, ReelError::Manifest { .. }), "{error}");
    assert!(names(folder.path()).is_empty());
}

fn without_counts() -> Manifest {
    let mut manifest = described();
    (manifest.counts.datagrams, manifest.counts.flows) = (0, 0);
    manifest
}
