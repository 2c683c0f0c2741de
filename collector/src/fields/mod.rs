//! What an element means: the built-in table and the operator's mapping file.
//!
//! An *element* is what a template field names: an enterprise number and an id. [`FieldTable::meaning`] tells the decoder
//! what to do with it, [`FieldTable::name`] tells people what it is called.

mod builtin;
mod mapping;
mod meaning;
mod names;

use std::borrow::Cow;
use std::sync::Arc;

use rustc_hash::FxHashMap;

pub use mapping::{FieldMapping, MappedType};
pub(crate) use meaning::{Edge, Form, Frame, Meaning, Sampling, Say, Slot, Stamp, TextUse};
use names::{Kind, Names};

/// RFC 5103: an IANA element of the reverse direction.
pub const REVERSE: u32 = 29305;
/// ntop, whose nProbe numbers v9 elements from 57472.
pub(crate) const NTOP: u32 = 35632;
const CISCO: u32 = 9;

/// An element: enterprise number (0 is IANA) and id.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct Element {
    /// Private enterprise number; 0 for IANA's own and for NetFlow v9's.
    pub enterprise: u32,
    /// Id within the enterprise.
    pub id: u16,
}

impl Element {
    /// An element of the IANA registry.
    pub const fn iana(id: u16) -> Self {
        Self { enterprise: 0, id }
    }

    /// From the 16-bit number of a v9 template, in which vendors hide their own ranges.
    ///
    /// ntop's nProbe adds 57472; Cisco sets the top bit of its IPFIX ids. Numbers that are listed without an enterprise
    /// (Cisco NSEL 33000–40005, Palo Alto 56701–56702) stay as they are.
    pub fn of_v9(number: u16) -> Self {
        match number {
            57472..=58495 => Self {
                enterprise: NTOP,
                id: number - 57472,
            },
            0..=32767 | 33000..=40005 | 56701..=56702 => Self::iana(number),
            _ => Self {
                enterprise: CISCO,
                id: number - 32768,
            },
        }
    }
}

impl std::fmt::Display for Element {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.enterprise, self.id)
    }
}

/// What an element's octets are, as far as who rewrites them must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holds {
    /// An address or a prefix of 4 or 16 octets.
    Address,
    /// A MAC address.
    Mac,
    /// Text.
    Text,
    /// Octets that are no number and no text: lists, packets, ids.
    Octets,
    /// A number.
    Number,
    /// Nobody knows.
    Unknown,
}

impl Holds {
    fn said(say: Option<Say>) -> Self {
        match say {
            Some(Say::Address) => Self::Address,
            Some(Say::Mac) => Self::Mac,
            Some(Say::Text) => Self::Text,
            Some(Say::Hex) | None => Self::Octets,
            Some(Say::Unsigned | Say::Signed | Say::Float) => Self::Number,
        }
    }
}

/// The meaning and name of every element that is known: built in, then what the operator's mapping adds.
#[derive(Clone, Debug)]
pub struct FieldTable {
    names: Arc<Names>,
    mapped: FxHashMap<Element, Mapped>,
}

#[derive(Clone, Debug)]
struct Mapped {
    name: Arc<str>,
    meaning: Meaning,
}

impl Default for FieldTable {
    fn default() -> Self {
        Self::builtin()
    }
}

impl FieldTable {
    /// The built-in table only.
    pub fn builtin() -> Self {
        Self {
            names: Arc::new(Names::builtin()),
            mapped: FxHashMap::default(),
        }
    }

    /// The built-in table with the operator's mapping file (TOML text) over it.
    ///
    /// ```
    /// # use collector::fields::{Element, FieldTable};
    /// let table = FieldTable::with_mapping(
    ///     r#"
    ///     [[field]]
    ///     enterprise = 64512
    ///     id = 7
    ///     name = "tenant"
    ///     type = "string"
    ///     "#,
    /// )?;
    /// assert_eq!(table.name(Element { enterprise: 64512, id: 7 }), Some("tenant".into()));
    /// # Ok::<(), collector::error::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the text is not TOML of that form, or an entry names a column that does not exist, that the decoder derives itself, or that the
    /// type does not fit; the caller refuses to start, or keeps the old table on a reload.
    pub fn with_mapping(toml: &str) -> Result<Self, crate::error::Error> {
        let mut table = Self::builtin();
        for field in mapping::read(toml)? {
            let meaning = field.meaning()?;
            let element = Element {
                enterprise: field.enterprise,
                id: field.id,
            };
            let name = field.name.as_str().into();
            table.mapped.insert(element, Mapped { name, meaning });
        }
        Ok(table)
    }

    /// The element's name, if it is known; an RFC 5103 reverse element is called after the forward one.
    pub fn name(&self, element: Element) -> Option<Cow<'_, str>> {
        if let Some(mapped) = self.mapped.get(&element) {
            return Some(Cow::Borrowed(&mapped.name));
        }
        if element.enterprise == REVERSE {
            let forward = self.names.get(Element::iana(element.id))?.name;
            return Some(Cow::Owned(reversed(forward)));
        }
        Some(Cow::Borrowed(self.names.get(element)?.name))
    }

    /// What the element's octets are.
    pub(crate) fn holds(&self, element: Element) -> Holds {
        if let Some(mapped) = self.mapped.get(&element) {
            return Holds::said(mapped.meaning.say());
        }
        let forward = match element.enterprise {
            REVERSE => Element::iana(element.id),
            _ => element,
        };
        match self.names.get(forward).map(|named| named.kind) {
            Some(Kind::String) => Holds::Text,
            Some(Kind::Address) => Holds::Address,
            Some(Kind::Mac) => Holds::Mac,
            Some(Kind::Octets) => Holds::Octets,
            Some(Kind::Number) => Holds::Number,
            None => match self.meaning(element) {
                Meaning::Unknown => Holds::Unknown,
                meaning => Holds::said(meaning.say()),
            },
        }
    }

    /// What the decoder does with the element.
    pub(crate) fn meaning(&self, element: Element) -> Meaning {
        if let Some(mapped) = self.mapped.get(&element) {
            return mapped.meaning.clone();
        }
        if let Some(meaning) = builtin::meaning(element) {
            return meaning;
        }
        match self.names.get(element) {
            Some(named) if named.kind == Kind::String => {
                Meaning::Text(TextUse::Extra(named.name.into(), Say::Text))
            }
            Some(_) => Meaning::Known,
            None if element.enterprise == REVERSE
                && self.names.get(Element::iana(element.id)).is_some() =>
            {
                Meaning::Known
            }
            None => Meaning::Unknown,
        }
    }
}

fn reversed(forward: &str) -> String {
    let mut name = String::from("reverse");
    let mut letters = forward.chars();
    name.extend(letters.next().map(|first| first.to_ascii_uppercase()));
    name.push_str(letters.as_str());
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_registry() {
        let table = FieldTable::builtin();
        let named = |enterprise, id| table.name(Element { enterprise, id });
        assert_eq!(named(0, 1).unwrap(), "octetDeltaCount");
        assert_eq!(named(0, 27).unwrap(), "sourceIPv6Address");
        assert_eq!(named(0, 227).unwrap(), "postNAPTSourceTransportPort");
        assert_eq!(named(29305, 152).unwrap(), "reverseFlowStartMilliseconds");
        assert_eq!(named(6876, 892).unwrap(), "tunnelKey");
        assert_eq!(named(64512, 1), None);
    }

    #[test]
    fn v9_numbers_of_vendors_find_their_enterprise() {
        assert_eq!(
            Element::of_v9(57595),
            Element {
                enterprise: NTOP,
                id: 123
            }
        );
        assert_eq!(
            Element::of_v9(42074),
            Element {
                enterprise: CISCO,
                id: 9306
            }
        );
        assert_eq!(Element::of_v9(40005), Element::iana(40005));
    }
}
