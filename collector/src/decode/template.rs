//! Templates as they are sent: read, checked, compared.

use super::config::DecodeConfig;
use super::plan::{Field, Plan};
use super::problem::Problem;
use super::records::VARIABLE;
use crate::fields::{Element, FieldTable};
use flow::TapePosition;

/// The protocols that have templates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// NetFlow v9, [RFC 3954](https://www.rfc-editor.org/rfc/rfc3954).
    V9,
    /// IPFIX, [RFC 7011](https://www.rfc-editor.org/rfc/rfc7011).
    Ipfix,
}

impl Dialect {
    /// From the number in the header.
    pub(crate) fn from_number(number: u8) -> Option<Self> {
        match number {
            9 => Some(Self::V9),
            10 => Some(Self::Ipfix),
            _ => None,
        }
    }
}

/// A template in use.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    /// Fields that are the scope; `None` for flow records.
    pub(crate) scope: Option<usize>,
    pub(crate) fields: Vec<Field>,
    pub(crate) plan: Plan,
    /// Its field specifiers as sent, for telling a refresh from a redefinition.
    pub(crate) raw: Box<[u8]>,
    /// Where on the tape the exporter sent it last.
    pub(crate) sent_at: TapePosition,
    /// UDP port of the sender that defined it last.
    pub(crate) defined_by: u16,
    /// When it was used last, in datagrams decoded.
    pub(crate) used: u64,
    /// Records decoded with it.
    pub(crate) records: u64,
}

/// A template record of a template Set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Definition<'a> {
    pub(crate) id: u16,
    pub(crate) scope: Option<usize>,
    pub(crate) count: usize,
    /// The field specifiers.
    pub(crate) raw: &'a [u8],
}

/// One step through a template Set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step<'a> {
    /// A template.
    Defined(Definition<'a>),
    /// A withdrawal of this template, or of all (id 2 or 3).
    Withdrawn,
    /// A template that is left out; the next one can be read.
    Rejected(Problem),
    /// What follows can't be read.
    Broken(Problem),
}

/// What a template record starts with, and its field specifiers.
struct Head<'a> {
    id: u16,
    count: usize,
    scope: Option<usize>,
    specifiers: &'a [u8],
}

/// The template records of one template Set.
pub(crate) struct Definitions<'a> {
    rest: &'a [u8],
    dialect: Dialect,
    options: bool,
    fields_max: usize,
}

impl<'a> Definitions<'a> {
    pub(crate) fn new(
        body: &'a [u8],
        dialect: Dialect,
        options: bool,
        config: &DecodeConfig,
    ) -> Self {
        Self {
            rest: body,
            dialect,
            options,
            fields_max: config.template_fields_max,
        }
    }

    /// Octets that are not looked at yet.
    pub(crate) fn left(&self) -> usize {
        self.rest.len()
    }

    /// What stands before the field specifiers; `None` at the end of the Set.
    fn head(&self) -> Result<Option<Head<'a>>, Step<'a>> {
        let rest = self.rest;
        // Up to seven octets of padding have been seen; four zeros are no template either.
        if rest.len() < 4 || rest.iter().all(|octet| *octet == 0) {
            return Ok(None);
        }
        let id = be16(rest, 0);
        let cut = Step::Broken(Problem::TemplateCut);
        let (count, scope, size) = match (self.dialect, self.options) {
            (_, false) => (be16(rest, 2).into(), None, 4),
            (Dialect::Ipfix, true) if be16(rest, 2) == 0 => (0, None, 4),
            (_, true) if rest.len() < 6 => return Err(cut),
            (Dialect::Ipfix, true) => (be16(rest, 2).into(), Some(be16(rest, 4).into()), 6),
            (Dialect::V9, true) => {
                let (scope, options) = (usize::from(be16(rest, 2)), usize::from(be16(rest, 4)));
                if scope % 4 != 0 || options % 4 != 0 {
                    return Err(Step::Broken(Problem::OptionsScope));
                }
                ((scope + options) / 4, Some(scope / 4), 6)
            }
        };
        Ok(Some(Head {
            id,
            count,
            scope,
            specifiers: &rest[size..],
        }))
    }
}

impl<'a> Iterator for Definitions<'a> {
    type Item = Step<'a>;

    fn next(&mut self) -> Option<Step<'a>> {
        let Head {
            id,
            count,
            scope,
            specifiers,
        } = match self.head() {
            Ok(head) => head?,
            Err(step) => {
                self.rest = &[];
                return Some(step);
            }
        };
        if id < 256 || count == 0 {
            self.rest = specifiers;
            let withdrawal = self.dialect == Dialect::Ipfix && count == 0;
            return Some(if withdrawal {
                Step::Withdrawn
            } else if id < 256 {
                self.rest = &[];
                Step::Broken(Problem::TemplateCut)
            } else {
                Step::Rejected(Problem::TemplateEmpty)
            });
        }
        let Some(length) = specifiers_length(specifiers, count, self.dialect) else {
            self.rest = &[];
            return Some(Step::Broken(Problem::TemplateCut));
        };
        let (raw, rest) = specifiers.split_at(length);
        self.rest = rest;
        Some(if count > self.fields_max {
            Step::Rejected(Problem::TemplateTooLarge)
        } else if scope.is_some_and(|scope| scope > count) {
            Step::Rejected(Problem::OptionsScope)
        } else {
            Step::Defined(Definition {
                id,
                scope,
                count,
                raw,
            })
        })
    }
}

/// Octets of `count` field specifiers; `None` if there are fewer.
fn specifiers_length(octets: &[u8], count: usize, dialect: Dialect) -> Option<usize> {
    let mut length = 0;
    for _ in 0..count {
        let enterprise = dialect == Dialect::Ipfix && octets.get(length)? & 0x80 != 0;
        length += if enterprise { 8 } else { 4 };
        if length > octets.len() {
            return None;
        }
    }
    Some(length)
}

impl Definition<'_> {
    /// The fields. v9's scope types become the IANA elements that say the same ([RFC 3954 §6.1]).
    fn fields(&self, dialect: Dialect) -> Vec<Field> {
        let mut fields = Vec::with_capacity(self.count);
        let mut rest = self.raw;
        while fields.len() < self.count && rest.len() >= 4 {
            let (number, length) = (be16(rest, 0), be16(rest, 2));
            let in_scope = self.scope.is_some_and(|scope| fields.len() < scope);
            let (element, size) = match dialect {
                Dialect::V9 if in_scope => (v9_scope(number), 4),
                Dialect::V9 => (Element::of_v9(number), 4),
                Dialect::Ipfix if number & 0x8000 != 0 && rest.len() >= 8 => {
                    let enterprise = u32::from_be_bytes([rest[4], rest[5], rest[6], rest[7]]);
                    let id = number & 0x7fff;
                    (Element { enterprise, id }, 8)
                }
                Dialect::Ipfix => (Element::iana(number), 4),
            };
            fields.push(Field { element, length });
            rest = &rest[size..];
        }
        fields
    }

    /// Compiles it.
    ///
    /// # Errors
    ///
    /// The problem to count if its records would have no length, or more than a datagram; the template is left out.
    pub(crate) fn compile(
        &self,
        dialect: Dialect,
        table: &FieldTable,
    ) -> Result<Template, Problem> {
        let fields = self.fields(dialect);
        let octets: usize = fields
            .iter()
            .map(|field| match field.length {
                // v9 has no such length (RFC 3954 §5.2), but H3C's NetStream sends it there too, and means what IPFIX means.
                VARIABLE => 1,
                length => usize::from(length),
            })
            .sum();
        if octets == 0 {
            return Err(Problem::TemplateEmpty);
        }
        if octets > usize::from(u16::MAX) {
            return Err(Problem::TemplateTooLarge);
        }
        let plan = Plan::compile(&fields, table, dialect == Dialect::V9);
        Ok(Template {
            scope: self.scope,
            fields,
            plan,
            raw: self.raw.into(),
            sent_at: TapePosition::START,
            defined_by: 0,
            used: 0,
            records: 0,
        })
    }

    /// Whether `template` is this one, sent again.
    pub(crate) fn is(&self, template: &Template) -> bool {
        template.scope == self.scope && *template.raw == *self.raw
    }
}

impl Template {
    /// Whether the exporter may have sent another one that nobody heard: the collector was away at one of these places of
    /// the tape, after the template was sent and before `at`.
    pub(crate) fn is_doubtful(&self, away: &[TapePosition], at: TapePosition) -> bool {
        away.iter().any(|gap| self.sent_at < *gap && *gap <= at)
    }
}

fn v9_scope(kind: u16) -> Element {
    match kind {
        2 => Element::iana(10),
        3 => Element::iana(141),
        5 => Element::iana(145),
        // The whole exporter, or its cache: as good as none.
        _ => Element::iana(144),
    }
}

/// Two octets at `at`, which must be there.
pub(crate) fn be16(octets: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([octets[at], octets[at + 1]])
}

/// Four octets at `at`, which must be there.
pub(crate) fn be32(octets: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([octets[at], octets[at + 1], octets[at + 2], octets[at + 3]])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(body: &[u8], dialect: Dialect, options: bool) -> Vec<Step<'_>> {
        Definitions::new(body, dialect, options, &DecodeConfig::default()).collect()
    }

    #[test]
    fn a_count_beyond_the_set_is_not_believed() {
        let body = [0x01, 0x00, 0xff, 0xff, 0, 8, 0, 4];
        assert_eq!(
            steps(&body, Dialect::V9, false),
            [Step::Broken(Problem::TemplateCut)]
        );
    }

    #[test]
    fn an_empty_v9_template_is_left_out_and_the_next_is_read() {
        let body = [0x01, 0x00, 0, 0, 0x01, 0x01, 0, 1, 0, 8, 0, 4];
        let steps = steps(&body, Dialect::V9, false);
        assert_eq!(steps[0], Step::Rejected(Problem::TemplateEmpty));
        assert!(matches!(
            steps[1],
            Step::Defined(Definition {
                id: 257,
                count: 1,
                ..
            })
        ));
    }

    #[test]
    fn an_ipfix_template_without_fields_withdraws() {
        assert_eq!(
            steps(&[0x01, 0x00, 0, 0], Dialect::Ipfix, false),
            [Step::Withdrawn]
        );
        assert_eq!(
            steps(&[0, 2, 0, 0], Dialect::Ipfix, false),
            [Step::Withdrawn]
        );
    }

    #[test]
    fn a_scope_that_does_not_add_up_is_left_out() {
        let body = [0x01, 0x00, 0, 3, 0, 4, 0, 1, 0, 4, 0, 48, 0, 1];
        assert_eq!(
            steps(&body, Dialect::V9, true),
            [Step::Broken(Problem::OptionsScope)]
        );
    }

    #[test]
    fn seven_octets_of_padding_are_no_template() {
        let mut body = vec![0x01, 0x00, 0, 1, 0, 8, 0, 4];
        body.extend([0; 7]);
        assert_eq!(steps(&body, Dialect::V9, false).len(), 1);
    }
}
