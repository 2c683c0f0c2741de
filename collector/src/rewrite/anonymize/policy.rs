//! What becomes of each field: the one list to look at.

use flow::Version;

use crate::decode::plan::{Field, places};
use crate::decode::records::Place;
use crate::fields::{Element, FieldTable, Frame, Holds, Meaning, REVERSE, TextUse};

/// What becomes of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// An address: encrypted.
    Address,
    /// A prefix: encrypted, and cut to the length that is in this other field, if there is one.
    Prefix(Option<Place>),
    /// A MAC address: encrypted.
    Mac,
    /// Text: every octet that is not 0 becomes `x`.
    Text,
    /// Anything that may hold anything: zeros.
    Blank,
    /// The beginning of a packet: addresses encrypted, everything behind the ports zeros.
    Frame(Frame),
}

/// Texts and octets that name no person and no host. Those of IANA: names of interfaces, samplers, applications, classes
/// and selectors, of elements and techniques; MPLS labels; header options that are sets of bits; the method, version, type
/// and reason of HTTP.
const KEPT_IANA: &[u16] = &[
    64, 70, 71, 72, 73, 74, 75, 76, 77, 78, 79, 82, 83, 84, 94, 95, 96, 100, 208, 209, 288, 289,
    290, 335, 340, 341, 372, 373, 374, 411, 459, 462, 469, 470,
];

/// As [`KEPT_IANA`], of vendors: ids of access lists (Cisco), kinds of encryption (Ixia), the tunnel's key (VMware), the
/// service and what it is based on (Procera), the name of layer 7 (ntop), the application (Palo Alto).
const KEPT_VENDOR: &[(u32, u16)] = &[
    (0, 33000),
    (0, 33001),
    (0, 56701),
    (3054, 111),
    (3054, 178),
    (3054, 179),
    (6876, 892),
    (15397, 1),
    (15397, 2),
    (35632, 119),
];

/// Numbers that name a host, a person or a place: the observation point, in which NetScaler sends its address; where an
/// address is (Ixia), subscriber, SIM card and device (Procera).
const NAMING_NUMBERS: &[(u32, u16)] = &[
    (0, 138),
    (3054, 126),
    (3054, 127),
    (3054, 146),
    (3054, 147),
    (15397, 29),
    (15397, 30),
    (15397, 32),
];

/// Prefixes, and the element that says how long they are.
const PREFIXES: &[(u16, u16)] = &[(44, 9), (45, 13), (170, 29), (169, 30)];
const PADDING: Element = Element::iana(210);
/// Padding as long as this may hold an address.
const PADDING_SHORT: u16 = 4;
/// What v9's scope "System" is read as; exporters put their address there.
const SYSTEM: Element = Element::iana(144);

/// The fields of a layout that do not stay as they are.
pub(super) fn actions(
    version: Version,
    table: &FieldTable,
    fields: &[Field],
    scope: Option<usize>,
) -> Vec<(Place, Action)> {
    let all = fields.iter().zip(places(fields)).enumerate();
    all.filter_map(|(number, (field, place))| {
        let in_scope = scope.is_some_and(|scope| number < scope);
        let system = version == Version::V9 && in_scope && field.element == SYSTEM;
        let action = if system && matches!(field.length, 4 | 16) {
            Some(Action::Address)
        } else {
            action(table, fields, *field)
        };
        Some((place, action?))
    })
    .collect()
}

fn action(table: &FieldTable, fields: &[Field], field: Field) -> Option<Action> {
    let element = field.element;
    if element == PADDING && field.length < PADDING_SHORT {
        return None;
    }
    if let Some((_, length)) = PREFIXES.iter().find(|(id, _)| is_iana(element, *id)) {
        let length = Element {
            id: *length,
            ..element
        };
        let place = places(fields).zip(fields).find(|it| it.1.element == length);
        return Some(Action::Prefix(place.map(|(place, _)| place)));
    }
    let meaning = table.meaning(element);
    if let Meaning::Frame(frame) = meaning {
        return Some(Action::Frame(frame));
    }
    let action = match table.holds(element) {
        Holds::Address => Action::Address,
        Holds::Mac => Action::Mac,
        Holds::Number => {
            let naming = NAMING_NUMBERS.contains(&(element.enterprise, element.id));
            return naming.then_some(Action::Blank);
        }
        _ if is_kept(element) || meaning == Meaning::Text(TextUse::Application) => return None,
        Holds::Text => Action::Text,
        Holds::Octets | Holds::Unknown => Action::Blank,
    };
    Some(action)
}

fn is_kept(element: Element) -> bool {
    KEPT_IANA.iter().any(|id| is_iana(element, *id))
        || KEPT_VENDOR.contains(&(element.enterprise, element.id))
}

/// Whether it is this one of IANA's, in either direction.
fn is_iana(element: Element, id: u16) -> bool {
    matches!(element.enterprise, 0 | REVERSE) && element.id == id
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(enterprise: u32, id: u16, length: u16) -> Option<Action> {
        let element = Element { enterprise, id };
        let fields = [Field { element, length }];
        action(&FieldTable::builtin(), &fields, fields[0])
    }

    /// The types are those of IANA's registry and of the vendors' manuals.
    #[test]
    fn every_element_is_what_its_registry_says() {
        let addresses = [
            8, 12, 15, 18, 27, 28, 43, 47, 62, 63, 130, 131, 140, 211, 212, 225, 226, 281, 282,
            366, 403, 404, 432, 438, 494, 495,
        ];
        for id in addresses {
            assert_eq!(of(0, id, 4), Some(Action::Address), "{id}");
            assert_eq!(of(REVERSE, id, 4), Some(Action::Address), "{id}");
        }
        for (enterprise, id) in [
            (9, 12236),
            (6876, 881),
            (6876, 893),
            (5951, 203),
            (15397, 43),
            (0, 40001),
        ] {
            assert_eq!(
                of(enterprise, id, 4),
                Some(Action::Address),
                "{enterprise}/{id}"
            );
        }
        for id in [56, 57, 80, 81, 365, 367, 414, 415] {
            assert_eq!(of(0, id, 6), Some(Action::Mac), "{id}");
        }
        for (enterprise, id) in [
            (0, 371),
            (0, 147),
            (0, 460),
            (0, 461),
            (0, 455),
            (35632, 180),
            (35632, 205),
            (5951, 130),
        ] {
            assert_eq!(
                of(enterprise, id, 20),
                Some(Action::Text),
                "{enterprise}/{id}"
            );
        }
        for (enterprise, id) in [
            (0, 291),
            (0, 314),
            (0, 90),
            (9, 12235),
            (6871, 18),
            (64512, 1),
            (15397, 30),
            (0, 138),
        ] {
            assert_eq!(
                of(enterprise, id, 20),
                Some(Action::Blank),
                "{enterprise}/{id}"
            );
        }
        for (enterprise, id) in [
            (0, 1),
            (0, 7),
            (0, 82),
            (0, 95),
            (0, 96),
            (0, 152),
            (0, 149),
            (6876, 892),
            (9, 9360),
        ] {
            assert_eq!(of(enterprise, id, 4), None, "{enterprise}/{id}");
        }
    }

    #[test]
    fn a_mapped_element_is_what_the_operator_says() {
        let table = |kind| {
            let text =
                format!("[[field]]\nenterprise = 64512\nid = 1\nname = \"a\"\ntype = \"{kind}\"");
            FieldTable::with_mapping(&text).unwrap()
        };
        let element = Element {
            enterprise: 64512,
            id: 1,
        };
        let fields = [Field { element, length: 4 }];
        let of = |kind| action(&table(kind), &fields, fields[0]);
        assert_eq!(of("address"), Some(Action::Address));
        assert_eq!(of("mac"), Some(Action::Mac));
        assert_eq!(of("string"), Some(Action::Text));
        assert_eq!(of("octets"), Some(Action::Blank));
        assert_eq!(of("unsigned"), None);
    }

    #[test]
    fn a_prefix_finds_its_length() {
        let fields: Vec<_> = [(44, 4), (9, 1)]
            .map(|(id, length)| Field {
                element: Element::iana(id),
                length,
            })
            .into();
        let place = Place {
            field: 1,
            offset: 4,
            width: 1,
        };
        assert_eq!(
            action(&FieldTable::builtin(), &fields, fields[0]),
            Some(Action::Prefix(Some(place)))
        );
    }
}
