//! SHA-256 as it stands in a manifest.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

/// Digits of a checksum.
pub(crate) const DIGITS: usize = 64;

/// Octets on their way to a checksum, counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Checksum {
    hash: Sha256,
    octets: u64,
}

impl Checksum {
    /// The checksum of these octets.
    pub(crate) fn of(octets: &[u8]) -> String {
        let mut checksum = Self::default();
        checksum.add(octets);
        checksum.digits()
    }

    pub(crate) fn add(&mut self, octets: &[u8]) {
        self.hash.update(octets);
        self.octets += crate::stats::count(octets.len());
    }

    /// Octets so far.
    pub(crate) fn octets(&self) -> u64 {
        self.octets
    }

    /// 64 hexadecimal digits, small letters.
    pub(crate) fn digits(self) -> String {
        hex(&self.hash.finalize())
    }
}

/// Whether this is `digits` hexadecimal digits, in the one way to write them.
pub(crate) fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits
        && text
            .bytes()
            .all(|octet| octet.is_ascii_digit() || (b'a'..=b'f').contains(&octet))
}

fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        // Writing into a String cannot fail.
        let _ = write!(text, "{octet:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_sha_256() {
        // FIPS 180-2, appendix B.1.
        let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Checksum::of(b"abc"), known);
        assert!(is_hex(known, DIGITS));
        assert!(!is_hex(&known.to_uppercase(), DIGITS));
        assert!(!is_hex(&known[1..], DIGITS));
    }
}
