//! What stands between the members of the archive: headers of POSIX.1-1988 ("ustar"), padding, the end.
//!
//! Every field is what it is for a plain file of nobody with mode 0644 and no time. So a header follows from name and
//! size alone; GNU tar writes the same octets.

/// Octets of a header, and what members are filled up to.
pub(crate) const BLOCK_OCTETS: usize = 512;
/// Octets of zeros at the end.
pub(crate) const END_OCTETS: usize = 2 * BLOCK_OCTETS;
/// The largest size: eleven octal digits.
pub(crate) const OCTETS_MAX: u64 = 0o77_777_777_777;

/// Where the size stands.
const SIZE_AT: usize = 124;
const SIZE_DIGITS: usize = 11;
/// Where the checksum stands: six octal digits, a zero and a blank.
const CHECKSUM_AT: usize = 148;
const CHECKSUM_OCTETS: usize = 8;

/// A header.
pub(crate) type Header = [u8; BLOCK_OCTETS];

/// The header of a member. `name` has at most 100 octets, and `octets` are at most [`OCTETS_MAX`].
pub(crate) fn encode(name: &str, octets: u64) -> Header {
    let mut header = [0; BLOCK_OCTETS];
    let size = format!("{octets:011o}");
    let fields: [(usize, &[u8]); 10] = [
        (0, name.as_bytes()),
        (100, b"0000644"),
        (108, b"0000000"),
        (116, b"0000000"),
        (SIZE_AT, size.as_bytes()),
        (136, b"00000000000"),
        (156, b"0"),
        (257, b"ustar\x0000"),
        (329, b"0000000"),
        (337, b"0000000"),
    ];
    for (at, field) in fields {
        put(&mut header, at, field);
    }
    // The sum of all octets, with blanks in its own place.
    put(&mut header, CHECKSUM_AT, &[b' '; CHECKSUM_OCTETS]);
    let sum: u32 = header.iter().map(|octet| u32::from(*octet)).sum();
    put(&mut header, CHECKSUM_AT, format!("{sum:06o}\0 ").as_bytes());
    header
}

/// The size in a header, unless it is written in another way than here.
pub(crate) fn size(header: &Header) -> Option<u64> {
    let digits = header.get(SIZE_AT..SIZE_AT + SIZE_DIGITS)?;
    digits.iter().try_fold(0, |size, digit| match digit {
        b'0'..=b'7' => Some(size << 3 | u64::from(digit - b'0')),
        _ => None,
    })
}

/// Whether two headers are the same but for size and checksum.
pub(crate) fn alike(one: &Header, other: &Header) -> bool {
    let plain = |header: &Header| {
        let mut header = *header;
        put(&mut header, SIZE_AT, &[0; SIZE_DIGITS]);
        put(&mut header, CHECKSUM_AT, &[0; CHECKSUM_OCTETS]);
        header
    };
    plain(one) == plain(other)
}

/// Zeros behind a member of this size.
pub(crate) fn padding(octets: u64) -> u64 {
    octets.next_multiple_of(BLOCK_OCTETS as u64) - octets
}

/// Octets of a whole member: header, octets, padding.
pub(crate) fn member_octets(octets: u64) -> u64 {
    BLOCK_OCTETS as u64 + octets + padding(octets)
}

fn put(header: &mut Header, at: usize, field: &[u8]) {
    let places = header.iter_mut().skip(at);
    places.zip(field).for_each(|(place, octet)| *place = *octet);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_what_gnu_tar_writes() {
        // tar 1.34: printf 'hi\n' > manifest.json; tar --format=ustar --mode=0644 --owner=:0 --group=:0 --numeric-owner
        // --mtime=@0 -cf - manifest.json | xxd -l 512
        let mut expected = Vec::new();
        expected.extend(b"manifest.json");
        expected.resize(100, 0);
        expected
            .extend(b"0000644\x000000000\x000000000\x0000000000003\x0000000000000\x00011677\x00 0");
        expected.resize(257, 0);
        expected.extend(b"ustar\x0000");
        expected.resize(329, 0);
        expected.extend(b"0000000\x000000000\x00");
        expected.resize(512, 0);
        assert_eq!(encode("manifest.json", 3)[..], expected);
    }

    #[test]
    fn sizes_come_back_and_others_are_none() {
        for octets in [0, 1, 511, 4 << 20, OCTETS_MAX] {
            assert_eq!(size(&encode("notes.json", octets)), Some(octets));
        }
        let mut other = encode("notes.json", 3);
        // GNU's way to say more than 8 GiB.
        other[SIZE_AT] = 0x80;
        assert_eq!(size(&other), None);
    }

    #[test]
    fn members_are_filled_up() {
        let sizes = [0, 1, 511, 512, 513, OCTETS_MAX];
        assert_eq!(sizes.map(padding), [0, 511, 1, 0, 511, 1]);
        assert_eq!(member_octets(0), 512);
        assert_eq!(member_octets(513), 512 + 1024);
    }

    #[test]
    fn headers_are_alike_whatever_their_size() {
        let one = encode("manifest.json", 3);
        assert!(alike(&one, &encode("manifest.json", OCTETS_MAX)));
        assert!(!alike(&one, &encode("manifest.jsoN", 3)));
    }
}
