//! Templates and options templates of v9 and IPFIX.

use super::message::Protocol;

/// The field length that says "each record tells" ([RFC 7011 §7]).
pub const VARIABLE: u16 = 65_535;

/// One field of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Private enterprise number; 0 for IANA's elements.
    pub enterprise: u32,
    /// Element id without the enterprise bit; in a v9 scope, the scope type.
    pub id: u16,
    /// Octets in a record, or [`VARIABLE`].
    pub length: u16,
}

impl Field {
    /// One of IANA's elements.
    pub const fn iana(id: u16, length: u16) -> Self {
        Self {
            enterprise: 0,
            id,
            length,
        }
    }

    /// An enterprise's own element.
    pub const fn vendor(enterprise: u32, id: u16, length: u16) -> Self {
        Self {
            enterprise,
            id,
            length,
        }
    }

    /// Writes the field specifier ([RFC 7011 §3.2]). v9 knows no enterprises: the number is left out there.
    fn write(self, protocol: Protocol, out: &mut Vec<u8>) {
        let enterprise = protocol == Protocol::Ipfix && self.enterprise != 0;
        let id = if enterprise {
            self.id | 0x8000
        } else {
            self.id
        };
        out.extend_from_slice(&id.to_be_bytes());
        out.extend_from_slice(&self.length.to_be_bytes());
        if enterprise {
            out.extend_from_slice(&self.enterprise.to_be_bytes());
        }
    }
}

/// A template, or an options template if it has scope fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// From 256.
    pub id: u16,
    /// How many of the fields, counted from the first, are scopes; 0 for a data template.
    pub scopes: usize,
    /// Scope fields first.
    pub fields: Vec<Field>,
}

impl Template {
    /// A template of flow records.
    pub fn data(id: u16, fields: impl Into<Vec<Field>>) -> Self {
        Self {
            id,
            scopes: 0,
            fields: fields.into(),
        }
    }

    /// A template of options data.
    pub fn options(id: u16, scope: impl Into<Vec<Field>>, fields: impl Into<Vec<Field>>) -> Self {
        let mut all: Vec<Field> = scope.into();
        let scopes = all.len();
        all.extend(fields.into());
        Self {
            id,
            scopes,
            fields: all,
        }
    }

    /// The id of the Set that carries it: v9 0 and 1 ([RFC 3954 §5.2, §6.1]), IPFIX 2 and 3 ([RFC 7011 §3.3.2]).
    pub(super) fn set_id(&self, protocol: Protocol) -> u16 {
        match (protocol, self.scopes > 0) {
            (Protocol::V9, false) => 0,
            (Protocol::V9, true) => 1,
            (Protocol::Ipfix, false) => 2,
            (Protocol::Ipfix, true) => 3,
        }
    }

    /// Writes the template record.
    pub(super) fn write(&self, protocol: Protocol, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.id.to_be_bytes());
        let counts = match (protocol, self.scopes) {
            (_, 0) => vec![self.fields.len()],
            (Protocol::Ipfix, scopes) => vec![self.fields.len(), scopes],
            // v9 gives the octets of the specifiers, not their number.
            (Protocol::V9, scopes) => vec![scopes * 4, (self.fields.len() - scopes) * 4],
        };
        for count in counts {
            out.extend_from_slice(&u16::try_from(count).unwrap_or(u16::MAX).to_be_bytes());
        }
        for field in &self.fields {
            field.write(protocol, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn v9_options_count_octets_and_ipfix_options_count_fields() {
        let template = Template::options(
            257,
            [Field::iana(1, 4)],
            [Field::iana(34, 4), Field::iana(35, 1)],
        );
        let mut v9 = Vec::new();
        template.write(Protocol::V9, &mut v9);
        // RFC 3954 §6.1: id, option scope length 4, option length 8, then the three specifiers.
        assert_eq!(v9, [1, 1, 0, 4, 0, 8, 0, 1, 0, 4, 0, 34, 0, 4, 0, 35, 0, 1]);
        let mut ipfix = Vec::new();
        template.write(Protocol::Ipfix, &mut ipfix);
        // RFC 7011 §3.4.2.2: id, field count 3, scope field count 1.
        assert_eq!(
            ipfix,
            [1, 1, 0, 3, 0, 1, 0, 1, 0, 4, 0, 34, 0, 4, 0, 35, 0, 1]
        );
    }
}
