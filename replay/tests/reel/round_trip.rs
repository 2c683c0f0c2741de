//! What is written is read, by this program and by others.

use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::process::Command;

use replay::reel::{FORMAT, Manifest, PartKind, Reel, write};

use crate::files::{contents, described, header, manifest, reel, said, small, staged};

/// Runs a program in a folder; returns what it prints.
fn run(folder: &Path, program: &str, arguments: &[&str]) -> String {
    let mut command = Command::new(program);
    let output = command
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    let complaints = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{program}: {complaints}");
    assert_eq!(complaints, "");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn what_is_written_comes_back() {
    let (folder, path) = small();
    assert!(Reel::is_reel(&path).unwrap());
    let reel = Reel::open(&path).unwrap();
    reel.verify().unwrap();
    assert_eq!(reel.octets(), path.metadata().unwrap().len());
    let found = reel.manifest();
    let expected = Manifest {
        format: FORMAT,
        parts: found.parts.clone(),
        ..described()
    };
    assert_eq!(*found, expected);
    for (index, (name, octets)) in contents().into_iter().enumerate() {
        assert_eq!(found.parts[index].name, name);
        let mut extracted = Vec::new();
        reel.extract(index, &mut extracted).unwrap();
        assert_eq!(extracted, octets);
        let mut read = Vec::new();
        reel.part(index).unwrap().read_to_end(&mut read).unwrap();
        assert_eq!(read, octets);
    }
    assert_eq!(reel.parts(PartKind::Tape), [0, 1]);
    assert_eq!(reel.parts(PartKind::Notes), [4]);
    assert_eq!(
        said(&path, reel.extract(5, &mut Vec::new())),
        "FILE: there is no part with the index 5"
    );
    // Written again, it is the same file, and nothing is left beside it.
    let again = folder.path().join("again.reel");
    write(&again, described(), &staged(folder.path())).unwrap();
    assert_eq!(fs::read(&again).unwrap(), fs::read(&path).unwrap());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2 + 5);
}

#[test]
fn the_file_is_what_the_page_says() {
    let (_folder, path) = small();
    let mut text = serde_json::to_string_pretty(&manifest()).unwrap();
    text.push('\n');
    assert_eq!(fs::read(path).unwrap(), reel(text.as_bytes(), &contents()));
}

#[test]
fn a_recording_may_have_no_parts() {
    let folder = crate::power::folder();
    let path = folder.path().join("empty.reel");
    let mut empty = described();
    (empty.counts.datagrams, empty.counts.flows) = (0, 0);
    empty.flows_sha256 = String::new();
    write(&path, empty, &[]).unwrap();
    let reel = Reel::open(&path).unwrap();
    reel.verify().unwrap();
    assert!(reel.parts(PartKind::Tape).is_empty());
}

#[test]
fn a_part_is_read_in_any_order_and_no_further_than_it_goes() {
    let (_folder, path) = small();
    let mut part = Reel::open(&path).unwrap().part(0).unwrap();
    let mut read = |to: SeekFrom| {
        let mut text = String::new();
        let at = part.seek(to).unwrap();
        part.read_to_string(&mut text).unwrap();
        (at, text)
    };
    assert_eq!(read(SeekFrom::Start(6)), (6, "segment".to_owned()));
    assert_eq!(read(SeekFrom::End(-3)), (10, "ent".to_owned()));
    assert_eq!(
        read(SeekFrom::Current(-13)),
        (0, "first segment".to_owned())
    );
    assert_eq!(read(SeekFrom::Start(u64::MAX)), (u64::MAX, String::new()));
    assert!(part.seek(SeekFrom::End(-14)).is_err());
    assert_eq!(part.octets(), 13);
}

#[test]
fn tar_and_sha256sum_agree() {
    let (folder, path) = small();
    let folder = folder.path();
    let names: Vec<String> = ["manifest.json"]
        .into_iter()
        .chain(contents().iter().map(|(name, _)| *name))
        .chain(["manifest.sha256"])
        .map(str::to_owned)
        .collect();
    let listed = run(folder, "tar", &["tf", "small.reel"]);
    assert_eq!(listed.lines().collect::<Vec<_>>(), names);
    run(folder, "tar", &["xf", "small.reel"]);
    for (name, octets) in contents() {
        assert_eq!(fs::read(folder.join(name)).unwrap(), octets);
    }
    let manifest: Manifest =
        serde_json::from_slice(&fs::read(folder.join("manifest.json")).unwrap()).unwrap();
    let mut sums: Vec<(String, String)> = manifest
        .parts
        .iter()
        .map(|part| (part.name.clone(), part.sha256.clone()))
        .collect();
    let seal = fs::read_to_string(folder.join("manifest.sha256")).unwrap();
    assert_eq!(seal.len(), 65);
    sums.push(("manifest.json".to_owned(), seal.trim_end().to_owned()));
    for (name, expected) in sums {
        let printed = run(folder, "sha256sum", &[&name]);
        assert_eq!(printed.split(' ').next(), Some(expected.as_str()), "{name}");
    }
    // Packed by tar in its plainest form, the same members are the same file.
    let plain = "--format=ustar --mode=0644 --owner=:0 --group=:0 --numeric-owner --mtime=@0 -b1 -cf again.tar";
    let arguments: Vec<&str> = plain
        .split(' ')
        .chain(names.iter().map(String::as_str))
        .collect();
    run(folder, "tar", &arguments);
    let again = fs::read(folder.join("again.tar")).unwrap();
    assert!(again == fs::read(path).unwrap());
}

#[test]
fn only_what_begins_as_a_recording_is_taken_for_one() {
    let folder = crate::power::folder();
    let path = folder.path().join("x");
    let is_reel = |octets: &[u8]| {
        fs::write(&path, octets).unwrap();
        Reel::is_reel(&path).unwrap()
    };
    assert!(is_reel(&header("manifest.json", "00000001234")));
    assert!(!is_reel(&header("manifest.json", "00000001234")[..511]));
    assert!(!is_reel(&header("manifest.jsom", "00000001234")));
    assert!(!is_reel(b""));
    // The first octets of a pcap file and of a pcapng file.
    assert!(!is_reel(
        &[[0xd4, 0xc3, 0xb2, 0xa1].to_vec(), vec![0; 600]].concat()
    ));
    assert!(!is_reel(
        &[[0x0a, 0x0d, 0x0d, 0x0a].to_vec(), vec![0; 600]].concat()
    ));
    assert!(!Reel::is_reel(folder.path()).unwrap());
    let nothing = folder.path().join("nothing");
    assert_eq!(said(&nothing, Reel::is_reel(&nothing)), "cannot open FILE");
}
