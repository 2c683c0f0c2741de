//! The fuzz targets (`make fuzz`) in short: the same functions over seeds, and over a few thousand changes of these, the same
//! ones each time. Building what `cargo fuzz` needs takes minutes; this is what every run of the tests has.
#![allow(dead_code, reason = "each test uses a part of it")]
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may")]
#![allow(clippy::cast_possible_truncation, reason = "lengths of small inputs")]

use std::fs;
use std::path::{Path, PathBuf};

/// Octets of a seed at most.
pub(crate) const SEED_OCTETS: usize = 4096;

/// Chance that is the same each time.
pub(crate) struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end.max(1)
    }

    /// One to four changes of `seed`.
    fn change(&mut self, seed: &[u8], other: &[u8]) -> Vec<u8> {
        let mut octets = seed.to_vec();
        for _ in 0..=self.below(4) {
            self.change_once(&mut octets, other);
        }
        octets
    }

    fn change_once(&mut self, octets: &mut Vec<u8>, other: &[u8]) {
        let at = self.below(octets.len());
        let some = (1 + self.below(40)).min(octets.len() - at);
        match self.below(8) {
            0 if !octets.is_empty() => octets[at] ^= 1 << self.below(8),
            1 if !octets.is_empty() => octets[at] = [0, 1, 0x7f, 0x80, 0xff][self.below(5)],
            2 => self.put_number(octets, at),
            3 => drop(octets.drain(at..at + some)),
            4 => {
                let again = octets[at..at + some].to_vec();
                octets.splice(at..at, again);
            }
            5 => octets.truncate(at),
            6 => octets
                .splice(
                    at..,
                    other
                        .get(self.below(other.len())..)
                        .unwrap_or_default()
                        .to_vec(),
                )
                .for_each(drop),
            _ => {
                let from = self.below(octets.len());
                let moved = octets[from..]
                    .iter()
                    .take(some)
                    .copied()
                    .collect::<Vec<_>>();
                octets[at..]
                    .iter_mut()
                    .zip(moved)
                    .for_each(|(to, octet)| *to = octet);
            }
        }
    }

    /// Numbers at which programs go wrong, two or four octets wide.
    fn put_number(&mut self, octets: &mut [u8], at: usize) {
        let number = [0, 1, 3, 4, 0x7fff, 0x8000, 0xffff, 0xffff_ffff_u32][self.below(8)];
        let octets = &mut octets[at..];
        match self.below(2) {
            0 => octets
                .iter_mut()
                .zip(number.to_be_bytes()[2..].iter())
                .for_each(|(to, from)| *to = *from),
            _ => octets
                .iter_mut()
                .zip(number.to_be_bytes())
                .for_each(|(to, from)| *to = from),
        }
    }
}

/// Runs a target over its seeds and over `changes` of them. A panic shows the input.
pub(crate) fn run(target: fn(&[u8]), seeds: &[Vec<u8>], changes: usize) {
    let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
    let changed: Vec<_> = match seeds {
        [] => Vec::new(),
        seeds => (0..changes)
            .map(|_| {
                let (one, other) = (chance.below(seeds.len()), chance.below(seeds.len()));
                chance.change(&seeds[one], &seeds[other])
            })
            .collect(),
    };
    for input in seeds.iter().chain(&changed) {
        if let Err(panic) = std::panic::catch_unwind(|| target(input)) {
            println!("the input: {}", input.escape_ascii());
            std::panic::resume_unwind(panic);
        }
    }
}

/// All captures that are there.
pub(crate) fn captures(root: &Path) -> Vec<PathBuf> {
    if !root.is_dir() {
        assert!(
            std::env::var_os("CI").is_none(),
            "{} is missing",
            root.display()
        );
        println!("skipped: there are no captures beside the checkout");
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.extension().and_then(|extension| extension.to_str()) {
                _ if path.is_dir() => folders.push(path),
                Some("pcap" | "pcapng") => found.push(path),
                _ => {}
            }
        }
    }
    found.sort();
    found
}
