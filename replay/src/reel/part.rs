//! The closed set of kinds of parts, and their names.

use crate::reel::{DOCUMENT_OCTETS_MAX, PART_OCTETS_MAX, TAPE_OCTETS_MAX};

/// The first member.
pub(crate) const MANIFEST: &str = "manifest.json";
/// The last member: the checksum of the first.
pub(crate) const SEAL: &str = "manifest.sha256";

/// What a part holds. In a file the parts stand in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PartKind {
    /// A compressed segment of a tape (`docs/tape.md`): datagrams as they arrived.
    Tape,
    /// A Parquet file: flows as they were understood.
    Flows,
    /// A JSON document: names of exporters, interfaces, applications and sites.
    Enrichment,
    /// A JSON document: what people wrote to it.
    Notes,
}

impl PartKind {
    /// All, in their order.
    pub const ALL: [Self; 4] = [Self::Tape, Self::Flows, Self::Enrichment, Self::Notes];

    /// The name of the part with this running number, from 1; of documents there is only the first.
    pub fn name(self, number: usize) -> String {
        match self {
            Self::Tape => format!("tape/{number:010}.tape.zst"),
            Self::Flows => format!("flows/{number:06}.parquet"),
            Self::Enrichment => "enrichment.json".to_owned(),
            Self::Notes => "notes.json".to_owned(),
        }
    }

    /// Whether there may be more than one.
    pub fn may_repeat(self) -> bool {
        matches!(self, Self::Tape | Self::Flows)
    }

    /// Octets that one part may have.
    pub fn octets_max(self) -> u64 {
        match self {
            Self::Tape => TAPE_OCTETS_MAX,
            Self::Flows => PART_OCTETS_MAX,
            Self::Enrichment | Self::Notes => DOCUMENT_OCTETS_MAX,
        }
    }

    /// The kind and number that a name says, where the one before it was `before`. `None` if no part may have that name at
    /// that place: kinds in their order, numbers from 1 and without gaps.
    pub(crate) fn after(before: Option<(Self, usize)>, name: &str) -> Option<(Self, usize)> {
        let next = Self::ALL.iter().filter_map(|kind| match before {
            Some((last, number)) if last == *kind => {
                kind.may_repeat().then_some((*kind, number + 1))
            }
            Some((last, _)) if last > *kind => None,
            _ => Some((*kind, 1)),
        });
        next.into_iter()
            .find(|(kind, number)| kind.name(*number) == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_each_other_in_one_way_only() {
        use PartKind::{Flows, Notes, Tape};
        let first = PartKind::after(None, "tape/0000000001.tape.zst");
        assert_eq!(first, Some((Tape, 1)));
        assert_eq!(
            PartKind::after(first, "tape/0000000002.tape.zst"),
            Some((Tape, 2))
        );
        assert_eq!(
            PartKind::after(first, "flows/000001.parquet"),
            Some((Flows, 1))
        );
        for wrong in [
            "tape/0000000001.tape.zst",
            "tape/0000000003.tape.zst",
            "tape/2.tape.zst",
            "flows/000002.parquet",
            "../../etc/passwd",
            "",
        ] {
            assert_eq!(PartKind::after(first, wrong), None, "{wrong}");
        }
        let notes = Some((Notes, 1));
        for wrong in ["notes.json", "enrichment.json", "flows/000001.parquet"] {
            assert_eq!(PartKind::after(notes, wrong), None, "{wrong}");
        }
    }

    #[test]
    fn every_name_fits_a_header() {
        for kind in PartKind::ALL {
            assert!(kind.name(usize::MAX).len() <= 100);
        }
    }
}
