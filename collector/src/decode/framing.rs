//! Where the Sets of a packet begin and end.

use super::template::be16;

/// Octets by which the last Set may claim more than there is: padding that an exporter counted and did not send.
const UNSENT_PADDING_MAX: usize = 3;

/// Whether all Set headers between `start` and `end` add up.
pub(crate) fn whole(payload: &[u8], start: usize, end: usize) -> bool {
    let payload = &payload[..end];
    let mut sets = Sets { payload, at: start };
    !sets.any(|found| found == Found::Broken)
}

/// Zeros to the end: some exporters fill the packet up.
fn is_padding(rest: &[u8]) -> bool {
    rest[..4] == [0; 4] && rest.iter().all(|octet| *octet == 0)
}

/// A Set, or why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Its id, where it starts and where it ends; whether it claims the length that it has.
    Set {
        id: u16,
        start: usize,
        end: usize,
        honest: bool,
    },
    /// Octets that are too few for a Set, and not zero.
    Trailing,
    /// A length that can't be: nothing behind it can be read.
    Broken,
}

/// The Sets of a packet, from `at` to the end of `payload`.
pub(crate) struct Sets<'a> {
    pub(crate) payload: &'a [u8],
    pub(crate) at: usize,
}

impl Iterator for Sets<'_> {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        let start = self.at;
        let rest = self.payload.get(start..)?;
        self.at = self.payload.len();
        if rest.len() < 4 || is_padding(rest) {
            let trailing = rest.iter().any(|octet| *octet != 0);
            return trailing.then_some(Found::Trailing);
        }
        let (id, length) = (be16(rest, 0), usize::from(be16(rest, 2)));
        if length < 4 || length > rest.len() + UNSENT_PADDING_MAX {
            return Some(Found::Broken);
        }
        let end = start + length.min(rest.len());
        self.at = end;
        Some(Found::Set {
            id,
            start,
            end,
            honest: length <= rest.len(),
        })
    }
}
