//! Names and types of elements, from the two tables beside this file.

use rustc_hash::FxHashMap;

use super::Element;

const IANA: &str = include_str!("iana.tsv");
const VENDOR: &str = include_str!("vendor.tsv");

/// An element's abstract type, as far as who reads or rewrites its octets must know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// UTF-8 text.
    String,
    /// IPv4 or IPv6, prefixes too.
    Address,
    /// MAC address.
    Mac,
    /// Octet arrays and lists.
    Octets,
    /// Everything else: numbers.
    Number,
}

/// A row of the tables.
#[derive(Clone, Copy, Debug)]
pub(super) struct Named {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
}

/// All rows.
#[derive(Debug)]
pub(super) struct Names(FxHashMap<Element, Named>);

impl Names {
    /// Reads the tables; a line that is not a row is left out (a test holds that there is none).
    pub(super) fn builtin() -> Self {
        let iana = rows(IANA).filter_map(|columns| match columns[..] {
            [id, name, kind] => Some((Element::iana(id.parse().ok()?), named(name, kind))),
            _ => None,
        });
        let vendor = rows(VENDOR).filter_map(|columns| match columns[..] {
            [enterprise, id, name, kind] => {
                let element = Element {
                    enterprise: enterprise.parse().ok()?,
                    id: id.parse().ok()?,
                };
                Some((element, named(name, kind)))
            }
            _ => None,
        });
        Self(iana.chain(vendor).collect())
    }

    pub(super) fn get(&self, element: Element) -> Option<Named> {
        self.0.get(&element).copied()
    }
}

fn rows(table: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    table
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split('\t').collect())
}

fn named(name: &'static str, kind: &str) -> Named {
    let kind = match kind {
        "string" => Kind::String,
        "address" => Kind::Address,
        "mac" => Kind::Mac,
        "octets" => Kind::Octets,
        _ => Kind::Number,
    };
    Named { name, kind }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_row() {
        let lines = rows(IANA).count() + rows(VENDOR).count();
        assert_eq!(Names::builtin().0.len(), lines);
    }
}
