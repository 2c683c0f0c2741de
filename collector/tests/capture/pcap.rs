//! Frames and files built by hand.

use std::fs;
use std::path::Path;

use collector::capture::{CaptureFile, FrameCounts, Selection};
use etherparse::PacketBuilder;
use flow::Datagram;
use tempfile::TempDir;

pub(super) const ETHERNET: u32 = 1;
pub(super) const RAW: u32 = 101;
pub(super) const SLL: u32 = 113;
pub(super) const SLL2: u32 = 276;
pub(super) const V4: ([u8; 4], [u8; 4]) = ([192, 0, 2, 9], [10, 0, 0, 1]);
pub(super) const V6_SOURCE: [u8; 16] = [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9];
pub(super) const V6_DESTINATION: [u8; 16] =
    [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

/// A pcap file written octet by octet: (time in the file's own unit, frame, octets on the wire).
pub(super) struct Pcap {
    pub(super) octets: Vec<u8>,
    pub(super) folder: TempDir,
}

impl Pcap {
    pub(super) fn new(magic: u32, link: u32) -> Self {
        let mut octets = magic.to_le_bytes().to_vec();
        octets.extend([2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        octets.extend(65_535_u32.to_le_bytes());
        octets.extend(link.to_le_bytes());
        Self {
            octets,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(super) fn micros(link: u32) -> Self {
        Self::new(0xa1b2_c3d4, link)
    }

    pub(super) fn frame(mut self, at: (u32, u32), frame: &[u8], wire_octets: usize) -> Self {
        let captured = u32::try_from(frame.len()).unwrap();
        let wire = u32::try_from(wire_octets).unwrap();
        for number in [at.0, at.1, captured, wire] {
            self.octets.extend(number.to_le_bytes());
        }
        self.octets.extend(frame);
        self
    }

    pub(super) fn frames(self, frames: &[Vec<u8>]) -> Self {
        frames.iter().fold(self, |file, frame| {
            file.frame((1_700_000_000, 5), frame, frame.len())
        })
    }

    pub(super) fn read(&self, selection: Selection) -> (Vec<Datagram>, FrameCounts) {
        let path = self.folder.path().join("hand-built.pcap");
        fs::write(&path, &self.octets).unwrap();
        read(&path, selection)
    }

    pub(super) fn all(&self) -> (Vec<Datagram>, FrameCounts) {
        self.read(Selection::default())
    }
}

pub(super) fn read(path: &Path, selection: Selection) -> (Vec<Datagram>, FrameCounts) {
    let mut file = CaptureFile::open(path, selection).unwrap();
    let datagrams = file.by_ref().map(Result::unwrap).collect();
    assert_eq!(file.progress().octets, file.progress().size);
    assert!(file.counts().balances(), "{:?}", file.counts());
    (datagrams, file.counts())
}

pub(super) fn udp_v4(payload: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    PacketBuilder::ipv4(V4.0, V4.1, 64)
        .udp(50_000, 2055)
        .write(&mut packet, payload)
        .unwrap();
    packet
}

pub(super) fn udp_v6(payload: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    PacketBuilder::ipv6(V6_SOURCE, V6_DESTINATION, 64)
        .udp(50_000, 4739)
        .write(&mut packet, payload)
        .unwrap();
    packet
}

pub(super) fn payloads(datagrams: &[Datagram]) -> Vec<&[u8]> {
    datagrams
        .iter()
        .map(|datagram| &datagram.payload[..])
        .collect()
}
