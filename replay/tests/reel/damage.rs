//! Any octet that is not what was written is found.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use replay::reel::Reel;

use crate::files::{said, said_of, small};

#[test]
fn every_changed_octet_is_found() {
    let (_folder, path) = small();
    let whole = fs::read(&path).unwrap();
    let file = File::options().write(true).open(&path).unwrap();
    for (at, octet) in (0_u64..).zip(&whole) {
        // One bit; small and large letters; all bits.
        for change in [0x01, 0x20, 0xff] {
            file.write_all_at(&[octet ^ change], at).unwrap();
            let found = Reel::open(&path).and_then(|reel| reel.verify());
            assert!(
                found.is_err(),
                "octet {at} of {} with {change:x}",
                whole.len()
            );
        }
        file.write_all_at(&[*octet], at).unwrap();
    }
    Reel::open(&path).unwrap().verify().unwrap();
}

#[test]
fn every_length_but_the_right_one_is_found_on_opening() {
    let (_folder, path) = small();
    let whole = fs::read(&path).unwrap();
    let file = File::options().write(true).open(&path).unwrap();
    for octets in (0..whole.len() as u64).rev() {
        file.set_len(octets).unwrap();
        assert!(Reel::open(&path).is_err(), "{octets}");
    }
    for behind in [1, 512, 1024, 10_240] {
        fs::write(&path, [&whole[..], &vec![0; behind]].concat()).unwrap();
        let octets = whole.len();
        assert_eq!(
            said(&path, Reel::open(&path)),
            format!(
                "FILE has something behind its end: it has {} octets, and should have {octets}",
                octets + behind
            )
        );
    }
}

#[test]
fn the_damaged_part_is_named() {
    let (_folder, path) = small();
    let whole = fs::read(&path).unwrap();
    let octets = whole.len();
    let find = |text: &str| {
        let mut places = whole.windows(text.len());
        places.position(|window| window == text.as_bytes()).unwrap()
    };
    let changed = |at: usize| {
        let mut file = whole.clone();
        file[at] ^= 1;
        said_of(&file)
    };
    let segment = find("first segment");
    assert_eq!(
        changed(segment),
        "FILE: tape/0000000001.tape.zst is damaged: its octets do not have its checksum"
    );
    assert_eq!(
        changed(segment + 13),
        "FILE: tape/0000000001.tape.zst is damaged: there is something behind its end"
    );
    assert_eq!(
        changed(segment - 512),
        "FILE: tape/0000000001.tape.zst is damaged: its header is not what the manifest says"
    );
    assert_eq!(
        changed(find("Orders are slow")),
        "FILE: manifest.sha256 is damaged: it is not the checksum of the manifest"
    );
    // A file of 1 KiB of which the rest did not come.
    assert_eq!(
        said_of(&whole[..1024]),
        format!(
            "FILE is cut short: it has 1024 octets, and should have {}",
            segment - 512
        )
    );
    assert_eq!(
        said_of(&whole[..octets - 1]),
        format!(
            "FILE is cut short: it has {} octets, and should have {octets}",
            octets - 1
        )
    );
}

#[test]
fn what_changes_after_opening_is_found() {
    let (_folder, path) = small();
    let reel = Reel::open(&path).unwrap();
    File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(4096)
        .unwrap();
    assert!(said(&path, reel.verify()).ends_with("the file was cut short while it was read"));
}
