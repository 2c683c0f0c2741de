//! What nobody can guess.

use std::fmt::Write as _;
use std::io::Read as _;

/// So many octets by chance.
///
/// # Errors
///
/// The system gives none; the caller does without what they are for.
pub fn octets<const OCTETS: usize>() -> std::io::Result<[u8; OCTETS]> {
    let mut octets = [0; OCTETS];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut octets)?;
    Ok(octets)
}

/// The same in hexadecimal digits, two for each octet.
///
/// # Errors
///
/// As [`octets`].
pub fn hex<const OCTETS: usize>() -> std::io::Result<String> {
    let mut digits = String::with_capacity(2 * OCTETS);
    for octet in octets::<OCTETS>()? {
        let _ = write!(digits, "{octet:02x}");
    }
    Ok(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_octet_has_two_digits() {
        let (one, other) = (hex::<16>().unwrap(), hex::<16>().unwrap());
        assert_ne!(one, other);
        assert_eq!(one.len(), 32);
        assert!(one.bytes().all(|digit| digit.is_ascii_hexdigit()));
    }
}
