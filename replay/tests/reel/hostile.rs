//! Files that somebody made to see what happens. Each gives one error that says what is wrong, and little memory is asked for.

use std::fs::File;
use std::io::Write;

use replay::reel::{PARTS_MAX, Reel};
use serde_json::{Value, json};

use crate::files::{contents, header, manifest, reel, said, said_of, sum};

/// What is said of a whole file with another manifest.
fn said_of_manifest(change: impl FnOnce(&mut Value)) -> String {
    let mut manifest = manifest();
    change(&mut manifest);
    said_of(&reel(manifest.to_string().as_bytes(), &contents()))
}

/// The same, as it begins in every case.
fn wrong(change: impl FnOnce(&mut Value)) -> String {
    let said = said_of_manifest(change);
    let what = said.strip_prefix("FILE: manifest.json: ");
    what.unwrap_or_else(|| panic!("{said}")).to_owned()
}

#[test]
fn the_hand_made_file_is_read_where_nothing_is_wrong_with_it() {
    assert_eq!(said_of_manifest(|_| {}), "nothing");
}

#[test]
fn what_is_no_recording_is_told() {
    let no_manifest = "FILE is not a network recording: it does not begin with a manifest.json";
    assert_eq!(said_of(b""), no_manifest);
    assert_eq!(said_of(&vec![0; 10_240]), no_manifest);
    assert_eq!(said_of(&header("notes.json", "00000000003")), no_manifest);
    let folder = crate::power::folder();
    assert_eq!(said(folder.path(), Reel::open(folder.path())), no_manifest);
    let nothing = folder.path().join("nothing");
    assert_eq!(said(&nothing, Reel::open(&nothing)), "cannot open FILE");
}

#[test]
fn a_manifest_as_large_as_can_be_said_is_not_asked_for() {
    let too_large =
        "FILE is not a network recording: its manifest.json has more than 4194304 octets";
    for size in ["77777777777", "00020000001", "99999999999", "zzzzzzzzzzz"] {
        assert_eq!(said_of(&header("manifest.json", size)), too_large, "{size}");
    }
    let cut = header("manifest.json", "00020000000");
    assert_eq!(
        said_of(&cut),
        "FILE is cut short: it has 512 octets, and should have 4194816"
    );
}

#[test]
fn a_newer_format_is_told_before_anything_else() {
    let said = said_of_manifest(|manifest| *manifest = json!({"format": 2, "parts": "elsewhere"}));
    assert_eq!(
        said,
        "FILE was made by a newer version: its format is 2, this program knows formats up to 1; use the newer program"
    );
    assert!(said_of_manifest(|m| m["format"] = json!(1_u64 << 40)).contains("1099511627776"));
    assert_eq!(wrong(|m| m["format"] = json!(0)), "there is no format 0");
    for nonsense in [json!(-1), json!("1"), json!(1e30), json!(null)] {
        let said = wrong(|m| m["format"] = nonsense);
        assert!(said.starts_with("invalid "), "{said}");
    }
}

#[test]
fn a_manifest_of_other_fields_is_refused() {
    let said = wrong(|m| m["surprise\u{1b}[2J"] = json!(1));
    assert!(
        said.starts_with("unknown field `surprise\\u{1b}[2J`, expected one of `format`"),
        "{said}"
    );
    let said = wrong(|m| drop(m.as_object_mut().unwrap().remove("filter")));
    assert!(said.starts_with("missing field `filter`"), "{said}");
    let said = wrong(|m| m["counts"]["octets"] = json!(1));
    assert!(said.starts_with("unknown field `octets`"), "{said}");
    let said = wrong(|m| m["parts"][0]["path"] = json!("/etc/passwd"));
    assert!(said.starts_with("unknown field `path`"), "{said}");
    let said = wrong(|m| m["to"] = json!("tomorrow"));
    assert!(said.starts_with("'tomorrow' is not a time"), "{said}");
}

#[test]
fn what_is_no_json_is_refused() {
    let said = |text: &[u8]| said_of(&reel(text, &[]));
    let deep = [br#"{"format":1,"x":"#.to_vec(), vec![b'['; 4 << 20]].concat();
    for (text, expected) in [
        (&b""[..], "EOF while parsing a value at line 1 column 0"),
        (b"{}", "missing field `format` at line 1 column 2"),
        (b"\0\xff", "expected value at line 1 column 1"),
        (
            br#"{"format":1,"format":1}"#,
            "duplicate field `format` at line 1 column 20",
        ),
        (
            br#"{"format":1}{}"#,
            "trailing characters at line 1 column 13",
        ),
        (
            &deep[..4 << 20],
            "EOF while parsing a list at line 1 column 4194304",
        ),
    ] {
        assert_eq!(said(text), format!("FILE: manifest.json: {expected}"));
    }
}

#[test]
fn names_of_parts_are_those_that_there_are() {
    for name in [
        "../../etc/passwd",
        "/etc/passwd",
        "tape/0000000002.tape.zst",
        "tape/1.tape.zst",
        "tape/0000000001.tape.ZST",
        "tape/../tape/0000000001.tape.zst",
        "tape/0000000001.tape.zst ",
        "manifest.json",
        "manifest.sha256",
        "",
    ] {
        assert_eq!(
            wrong(|m| m["parts"][0]["name"] = json!(name)),
            format!("there can be no part '{name}' at this place")
        );
    }
    let twice = wrong(|m| m["parts"][1] = m["parts"][0].clone());
    assert_eq!(
        twice,
        "there can be no part 'tape/0000000001.tape.zst' at this place"
    );
    let swapped = wrong(|m| m["parts"].as_array_mut().unwrap().swap(3, 4));
    assert_eq!(
        swapped,
        "there can be no part 'enrichment.json' at this place"
    );
    let gap = wrong(|m| m["parts"][1]["name"] = json!("tape/0000000003.tape.zst"));
    assert_eq!(
        gap,
        "there can be no part 'tape/0000000003.tape.zst' at this place"
    );
    let long = wrong(|m| m["parts"][0]["name"] = json!("\u{202e}x".repeat(100_000)));
    assert!(long.len() < 1000 && long.contains("'\\u{202e}x"), "{long}");
}

#[test]
fn sizes_and_checksums_of_parts_are_within_bounds() {
    let octets = |part: usize, octets: Value| wrong(|m| m["parts"][part]["octets"] = octets);
    assert_eq!(
        octets(2, json!(1_u64 << 33)),
        "flows/000001.parquet has 8589934592 octets, at most 8589934591 are allowed"
    );
    assert_eq!(
        octets(0, json!(u64::MAX)),
        "tape/0000000001.tape.zst has 18446744073709551615 octets, at most 134217728 are allowed"
    );
    assert_eq!(
        octets(4, json!((64 << 20) + 1)),
        "notes.json has 67108865 octets, at most 67108864 are allowed"
    );
    for nonsense in [json!(-1), json!(1.5), json!("13"), json!(1e20)] {
        let said = octets(0, nonsense);
        assert!(said.starts_with("invalid "), "{said}");
    }
    // A size that is possible and not that of the file.
    let said = said_of_manifest(|m| m["parts"][2]["octets"] = json!((1_u64 << 33) - 1));
    assert!(said.starts_with("FILE is cut short: it has "), "{said}");
    let said = wrong(|m| m["parts"][0]["sha256"] = json!(sum(b"").to_uppercase()));
    assert!(
        said.starts_with("the SHA-256 of tape/0000000001.tape.zst is 'E3B0C442"),
        "{said}"
    );
    assert_eq!(
        said_of_manifest(|m| m["parts"][0]["sha256"] = json!(sum(b""))),
        "FILE: tape/0000000001.tape.zst is damaged: its octets do not have its checksum"
    );
    // The same sum, but every part begins elsewhere.
    let said = said_of_manifest(|m| {
        m["parts"][0]["octets"] = json!(513);
        m["parts"][1]["octets"] = json!(1);
    });
    assert!(
        said.starts_with("FILE is cut short") || said.contains("its header is not"),
        "{said}"
    );
}

#[test]
fn there_are_no_more_parts_than_allowed() {
    let said = wrong(|m| {
        let part = m["parts"][0].clone();
        m["parts"] = vec![part; PARTS_MAX + 1].into();
    });
    assert_eq!(said, "it has 10001 parts, at most 10000 are allowed");
}

#[test]
fn texts_can_be_shown() {
    let name = |text: &str| wrong(|m| m["name"] = json!(text));
    assert_eq!(name(""), "name is empty");
    assert_eq!(
        name("a\u{1b}[31mb"),
        "name has characters that cannot be shown: 'a\\u{1b}[31mb'"
    );
    assert_eq!(
        name("fdp.\u{202e}exe"),
        "name has characters that cannot be shown: 'fdp.\\u{202e}exe'"
    );
    assert!(name("two\nlines").contains("'two\\u{a}lines'"));
    assert!(name(&"ü".repeat(201)).starts_with("name has more than 200 characters: 'üü"));
    assert_eq!(
        said_of_manifest(|m| m["name"] = json!("ü".repeat(200))),
        "nothing"
    );
    for field in ["product", "cut_by", "collector", "filter"] {
        let said = wrong(|m| m[field] = json!("\u{7}"));
        assert_eq!(
            said,
            format!("{field} has characters that cannot be shown: '\\u{{7}}'")
        );
    }
    let said = wrong(|m| m["filter"] = json!("x".repeat((16 << 10) + 1)));
    assert_eq!(said, "filter has more than 16384 octets");
}

#[test]
fn what_contradicts_itself_is_refused() {
    let said = wrong(|m| m["id"] = json!("../../x"));
    assert_eq!(
        said,
        "id is '../../x', it must be 32 hexadecimal digits in small letters"
    );
    let said = wrong(|m| m["from"] = json!("2026-03-01T11:00:00Z"));
    assert_eq!(
        said,
        "from is 2026-03-01T11:00:00.000Z, that is after to, 2026-03-01T10:30:00.123456789Z"
    );
    let said = wrong(|m| m["flows_sha256"] = json!("none"));
    assert!(
        said.starts_with("the SHA-256 of flows_sha256 is 'none'"),
        "{said}"
    );
    let said = wrong(|m| m["counts"]["flows"] = json!(-3));
    assert!(
        said.starts_with("invalid value: integer `-3`, expected u64"),
        "{said}"
    );
    let only_notes = |field: &str| {
        wrong(|m| {
            let notes = m["parts"][4].clone();
            m["parts"] = json!([notes]);
            m["counts"] = json!({"datagrams": 0, "flows": 0, "exporters": 0});
            m["counts"][field] = json!(1);
        })
    };
    assert_eq!(
        only_notes("datagrams"),
        "counts.datagrams is 1, but there is no tape/0000000001.tape.zst"
    );
    assert_eq!(
        only_notes("flows"),
        "counts.flows is 1, but there is no flows/000001.parquet"
    );
}

#[test]
fn other_archives_with_the_same_parts_are_refused() {
    let text = manifest().to_string();
    let file = reel(text.as_bytes(), &contents());
    let with = |at: usize, octets: &[u8]| {
        let mut file = file.clone();
        file[at..at + octets.len()].copy_from_slice(octets);
        said_of(&file)
    };
    // The manifest is executable; the first part is a link.
    assert!(with(100, b"0000755").contains("not a network recording"));
    let part = 512 + text.len().next_multiple_of(512);
    let wrong =
        "FILE: tape/0000000001.tape.zst is damaged: its header is not what the manifest says";
    assert_eq!(with(part + 156, b"2"), wrong);
    assert_eq!(with(part, b"/etc/passwd\0"), wrong);
    // One more member in the place of the end.
    let mut more = file[..file.len() - 1024].to_vec();
    more.extend(header("../../etc/passwd", "00000000000"));
    more.extend([0; 512]);
    assert_eq!(
        said_of(&more),
        "FILE: manifest.sha256 is damaged: it is not the checksum of the manifest"
    );
}

/// A file that is almost only a hole: eight GiB that take no room on disk.
#[test]
fn a_hole_is_no_part() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.reel");
    let mut huge = manifest();
    huge["parts"] = json!([
        {"name": "flows/000001.parquet", "octets": (1_u64 << 33) - 1, "sha256": sum(b"")}
    ]);
    huge["counts"]["datagrams"] = json!(0);
    let text = huge.to_string();
    let small = reel(text.as_bytes(), &[]);
    let (head, tail) = small.split_at(small.len() - 2048);
    let mut file = File::create(&path).unwrap();
    file.write_all(head).unwrap();
    file.set_len(head.len() as u64 + 512 + (1 << 33)).unwrap();
    let mut file = File::options().append(true).open(&path).unwrap();
    file.write_all(tail).unwrap();
    let reel = Reel::open(&path).unwrap();
    assert_eq!(
        said(&path, reel.verify()),
        "FILE: flows/000001.parquet is damaged: its header is not what the manifest says"
    );
    assert!(reel.part(0).is_err());
}

/// Whatever stands in a manifest whose checksum is right: what is believed of it is within the bounds.
#[test]
fn manifests_of_any_octets_are_read_or_refused() {
    crate::changes::run(open_any, &[manifest().to_string().into_bytes()], 3000);
}

fn open_any(text: &[u8]) {
    let folder = crate::power::folder();
    let path = folder.path().join("x.reel");
    std::fs::write(&path, reel(text, &contents())).unwrap();
    let Ok(opened) = Reel::open(&path) else {
        return;
    };
    let found = opened.manifest();
    let octets = |name: &str| {
        contents()
            .iter()
            .find(|part| part.0 == name)
            .map(|part| part.1.len())
    };
    for part in &found.parts {
        // The length of the file leaves no other sizes than these, in blocks.
        let known = octets(&part.name).unwrap() as u64;
        assert_eq!(
            part.octets.div_ceil(512),
            known.div_ceil(512),
            "{}",
            part.name
        );
    }
    assert!(found.name.chars().count() <= 200 && !found.name.contains('\n'));
    let _ = opened.verify();
}
