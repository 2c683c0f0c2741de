//! Small recordings: made by the product, and made by hand as `docs/recordings.md` says.

use std::fs;
use std::path::{Path, PathBuf};

use flow::Timestamp;
use replay::reel::{Counts, Manifest, PartKind, ReelError, Staged, write};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// What is in the parts of [`small`], with their names. One is empty, one fills its block.
pub(crate) fn contents() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("tape/0000000001.tape.zst", b"first segment".to_vec()),
        ("tape/0000000002.tape.zst", vec![7; 512]),
        ("flows/000001.parquet", vec![1; 700]),
        ("enrichment.json", Vec::new()),
        ("notes.json", b"{}".to_vec()),
    ]
}

pub(crate) fn described() -> Manifest {
    Manifest {
        product: "flowreel 0.1.0".to_owned(),
        id: "00112233445566778899aabbccddeeff".to_owned(),
        name: "Orders are slow".to_owned(),
        from: "2026-03-01T10:00:00Z".parse().unwrap(),
        to: Timestamp::from_nanos(1_772_361_000_123_456_789),
        filter: "app \"orders\" and\n\tdst port 5432".to_owned(),
        cut_by: "Ada".to_owned(),
        cut_at: "2026-03-01T10:31:00Z".parse().unwrap(),
        collector: "berlin-1".to_owned(),
        anonymized: true,
        counts: Counts {
            datagrams: 12,
            flows: 345,
            exporters: 2,
        },
        flows_sha256: sum(b"rows"),
        flows_columns: vec!["octets".to_owned()],
        ..Manifest::default()
    }
}

/// Lays the parts out as files, in another order than that of the recording.
pub(crate) fn staged(folder: &Path) -> Vec<Staged> {
    let kinds = [
        PartKind::Tape,
        PartKind::Tape,
        PartKind::Flows,
        PartKind::Enrichment,
        PartKind::Notes,
    ];
    let parts = kinds.into_iter().zip(contents()).enumerate();
    let mut staged: Vec<Staged> = parts
        .map(|(index, (kind, (_, octets)))| {
            let path = folder.join(format!("staged-{index}"));
            fs::write(&path, octets).unwrap();
            Staged { kind, path }
        })
        .collect();
    staged.rotate_left(2);
    staged
}

/// A small recording: its folder, and its path.
pub(crate) fn small() -> (tempfile::TempDir, PathBuf) {
    let folder = crate::power::folder();
    let path = folder.path().join("small.reel");
    write(&path, described(), &staged(folder.path())).unwrap();
    (folder, path)
}

/// SHA-256 in the digits of a manifest.
pub(crate) fn sum(octets: &[u8]) -> String {
    let digits = Sha256::digest(octets);
    digits.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// The manifest of [`small`], by the page.
pub(crate) fn manifest() -> Value {
    let parts: Vec<Value> = contents()
        .iter()
        .map(|(name, octets)| json!({"name": name, "octets": octets.len(), "sha256": sum(octets)}))
        .collect();
    json!({
        "format": 1,
        "product": "flowreel 0.1.0",
        "id": "00112233445566778899aabbccddeeff",
        "name": "Orders are slow",
        "from": "2026-03-01T10:00:00.000Z",
        "to": "2026-03-01T10:30:00.123456789Z",
        "filter": "app \"orders\" and\n\tdst port 5432",
        "cut_by": "Ada",
        "cut_at": "2026-03-01T10:31:00.000Z",
        "collector": "berlin-1",
        "anonymized": true,
        "counts": {"datagrams": 12, "flows": 345, "exporters": 2},
        "flows_sha256": sum(b"rows"),
        "flows_columns": ["octets"],
        "parts": parts,
    })
}

/// A header of a tar archive: POSIX.1-1988, "ustar".
pub(crate) fn header(name: &str, size: &str) -> Vec<u8> {
    let mut octets = vec![0; 512];
    let mut put =
        |at: usize, text: &str| octets[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    put(100, "0000644");
    put(108, "0000000");
    put(116, "0000000");
    put(124, size);
    put(136, "00000000000");
    put(148, "        0");
    put(257, "ustar\x0000");
    put(329, "0000000");
    put(337, "0000000");
    let sum: u64 = octets.iter().map(|octet| u64::from(*octet)).sum();
    octets[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    octets
}

fn member(name: &str, octets: &[u8]) -> Vec<u8> {
    let mut member = header(name, &format!("{:011o}", octets.len()));
    member.extend(octets);
    member.resize(member.len().next_multiple_of(512), 0);
    member
}

/// A recording with this manifest, whatever it says, and these parts.
pub(crate) fn reel(manifest: &[u8], parts: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut file = member("manifest.json", manifest);
    for (name, octets) in parts {
        file.extend(member(name, octets));
    }
    let digits = format!("{}\n", sum(manifest));
    file.extend(member("manifest.sha256", digits.as_bytes()));
    file.extend([0; 1024]);
    file
}

/// What is shown for a file of these octets: the error and what it comes from. Its path is left out.
pub(crate) fn said_of(octets: &[u8]) -> String {
    let folder = crate::power::folder();
    let path = folder.path().join("x.reel");
    fs::write(&path, octets).unwrap();
    said(
        &path,
        replay::reel::Reel::open(&path).and_then(|reel| reel.verify()),
    )
}

pub(crate) fn said<T>(path: &Path, result: Result<T, ReelError>) -> String {
    let Err(error) = result else {
        return "nothing".to_owned();
    };
    let text = error.to_string();
    assert!(text.contains(path.to_str().unwrap()), "{text}");
    text.replace(path.to_str().unwrap(), "FILE")
}
