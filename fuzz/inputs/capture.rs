//! A file of any octets as a capture: datagrams and an error at most, every frame accounted for, and what was read can be
//! written and read again.

use collector::capture::{CaptureFile, CaptureWriter, Format, Framing, Selection};
use flow::Datagram;

use crate::folder::folder;

/// Reads it, writes what was read, and reads that.
pub(crate) fn run(input: &[u8]) {
    let folder = folder();
    let datagrams = read(&folder.path().join("given.pcap"), input);
    let mut writer = CaptureWriter::new(Vec::new(), Format::Pcap, Framing::Raw).expect("a header");
    // A jumbogram is larger than what the writer's packets hold.
    let fitting: Vec<_> = datagrams
        .into_iter()
        .filter(|datagram| writer.write(datagram).is_ok())
        .collect();
    let written = writer.finish().expect("to memory");
    let again = read(&folder.path().join("written.pcap"), &written);
    assert_eq!(again.len(), fitting.len());
    for (again, before) in again.iter().zip(&fitting) {
        assert_eq!(again.payload, before.payload);
        assert_eq!(again.source.ip(), before.source.ip());
        assert_eq!(
            (again.source.port(), again.local_port),
            (before.source.port(), before.local_port)
        );
    }
}

fn read(path: &std::path::Path, octets: &[u8]) -> Vec<Datagram> {
    std::fs::write(path, octets).expect("a file in the folder");
    let Ok(mut capture) = CaptureFile::open(path, Selection::default()) else {
        return Vec::new();
    };
    let datagrams: Vec<_> = capture.by_ref().filter_map(Result::ok).collect();
    let counts = capture.counts();
    assert!(counts.balances(), "{counts:?}");
    assert_eq!(counts.datagrams, datagrams.len() as u64);
    datagrams
}
