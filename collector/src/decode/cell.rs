//! From a field's octets to a column: one loop per field and Set, with a reader made for the width.

use std::net::Ipv6Addr;

use flow::column::{Blank, Column};

use crate::fields::Form;

/// One field of every record of a Set.
pub(crate) trait Cells<'a> {
    /// Records.
    fn len(&self) -> usize;
    /// The field's octets in record `index`.
    fn cell(&self, index: usize) -> &'a [u8];
    /// All of them at once, where the records are of one length.
    fn strided(&self) -> Option<Strided<'a>>;
}

/// A field at the same place of records of one length.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Strided<'a> {
    /// The records, nothing else.
    pub(crate) records: &'a [u8],
    /// How many.
    pub(crate) count: usize,
    /// Octets of a record.
    pub(crate) stride: usize,
    /// Octets before the field.
    pub(crate) offset: usize,
    /// Octets of the field.
    pub(crate) width: usize,
}

impl<'a> Strided<'a> {
    /// The field of each record; `W` must be its width.
    #[inline]
    pub(crate) fn each<const W: usize>(self) -> impl ExactSizeIterator<Item = [u8; W]> + 'a {
        let Self {
            records,
            stride,
            offset,
            ..
        } = self;
        // By index, as iterators over pieces divide first, which takes as long as a few records.
        (0..self.count).map(move |index| {
            let field = records.get(index * stride + offset..);
            field
                .and_then(|octets| octets.first_chunk().copied())
                .unwrap_or([0; W])
        })
    }
}

/// One cell alone.
pub(crate) struct Single<'a>(pub(crate) &'a [u8]);

impl<'a> Cells<'a> for Single<'a> {
    fn len(&self) -> usize {
        1
    }
    fn cell(&self, _: usize) -> &'a [u8] {
        self.0
    }
    fn strided(&self) -> Option<Strided<'a>> {
        None
    }
}

/// An unsigned number, most significant octet first. Longer than 8 octets saturates; none is `None`.
#[inline]
pub(crate) fn unsigned(octets: &[u8]) -> Option<u64> {
    if octets.is_empty() {
        return None;
    }
    let (high, low) = octets.split_at(octets.len().saturating_sub(8));
    if high.iter().any(|octet| *octet != 0) {
        return Some(u64::MAX);
    }
    Some(
        low.iter()
            .fold(0, |value, octet| value << 8 | u64::from(*octet)),
    )
}

/// An address by its length; `None` for any other.
#[inline]
pub(crate) fn address(octets: &[u8]) -> Option<Ipv6Addr> {
    match octets.len() {
        4 => <[u8; 4]>::try_from(octets).ok().map(mapped),
        16 => <[u8; 16]>::try_from(octets).ok().map(Ipv6Addr::from),
        _ => None,
    }
}

/// IPv4 as ::ffff:a.b.c.d ([RFC 4291 §2.5.5.2]), as one number: octet by octet it takes three times as long.
#[inline]
fn mapped(octets: [u8; 4]) -> Ipv6Addr {
    Ipv6Addr::from_bits(0xffff << 32 | u128::from(u32::from_be_bytes(octets)))
}

/// What a column holds, and how it is read.
pub(crate) trait Cell: Blank {
    /// Whether it is an address.
    const IS_ADDRESS: bool = false;

    /// The value of one cell; `None` if it does not fit.
    fn read(octets: &[u8], form: Form) -> Option<Self>;

    /// The fast way for a whole Set; `false` if there is none for this width.
    fn fill_fast(column: &mut Column<Self>, row: usize, cells: Strided<'_>) -> bool;

    /// Writes one cell a record from `row` on. Returns how many were there and did not fit.
    fn fill<'a, S: Cells<'a>>(
        column: &mut Column<Self>,
        row: usize,
        cells: &S,
        form: Form,
    ) -> usize {
        if matches!(form, Form::Plain | Form::Total | Form::Payload)
            && let Some(strided) = cells.strided()
            && Self::fill_fast(column, row, strided)
        {
            return 0;
        }
        let mut misfits = 0;
        for index in 0..cells.len() {
            let octets = cells.cell(index);
            match Self::read(octets, form) {
                Some(value) => column.set(row + index, value),
                None if octets.is_empty() || form == Form::ZeroIsAbsent => {}
                None => misfits += 1,
            }
        }
        misfits
    }
}

/// A number as `form` has it.
fn number(octets: &[u8], form: Form) -> Option<u64> {
    let value = unsigned(octets)?;
    match form {
        Form::Plain | Form::Total | Form::Payload => Some(value),
        Form::ZeroIsAbsent => Some(value).filter(|value| *value != 0),
        Form::MplsLabel => match octets.len() {
            3 => Some(value >> 4),
            4 => Some(value >> 12),
            _ => None,
        },
        Form::ApplicationId => {
            let (engine, selector) = octets.split_first()?;
            Some(u64::from(*engine) << 56 | unsigned(selector).unwrap_or(0) & (u64::MAX >> 8))
        }
        Form::SegmentId if octets.len() == 8 => Some(value & (u64::MAX >> 8)),
        Form::SegmentId => Some(value),
    }
}

macro_rules! numbers {
    ($($type:ty: $($width:literal as $read:ty),+;)+) => { $(
        impl Cell for $type {
            #[inline]
            fn read(octets: &[u8], form: Form) -> Option<Self> {
                number(octets, form)?.try_into().ok()
            }

            #[inline]
            fn fill_fast(column: &mut Column<Self>, row: usize, cells: Strided<'_>) -> bool {
                match cells.width {
                    $($width => column.extend_at(
                        row,
                        cells.each::<$width>().map(|octets| Self::from(<$read>::from_be_bytes(octets))),
                    ),)+
                    _ => return false,
                }
                true
            }
        }
    )+ };
}

numbers! {
    u8: 1 as u8;
    u16: 1 as u8, 2 as u16;
    u32: 1 as u8, 2 as u16, 4 as u32;
    u64: 1 as u8, 2 as u16, 4 as u32, 8 as u64;
    i64: 1 as u8, 2 as u16, 4 as u32;
}

impl Cell for Ipv6Addr {
    const IS_ADDRESS: bool = true;

    #[inline]
    fn read(octets: &[u8], form: Form) -> Option<Self> {
        let found = address(octets)?;
        (form != Form::ZeroIsAbsent || octets.iter().any(|octet| *octet != 0)).then_some(found)
    }

    #[inline]
    fn fill_fast(column: &mut Column<Self>, row: usize, cells: Strided<'_>) -> bool {
        match cells.width {
            4 => column.extend_at(row, cells.each::<4>().map(mapped)),
            16 => column.extend_at(row, cells.each::<16>().map(Self::from)),
            _ => return false,
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_width_are_exact() {
        // RFC 7011 §6.2: reduced-size encoding keeps the value, most significant octet first.
        assert_eq!(unsigned(&[0x01, 0x02, 0x03]), Some(66_051));
        assert_eq!(unsigned(&[1, 0, 0, 0, 0]), Some(4_294_967_296));
        assert_eq!(unsigned(&[0xff; 7]), Some(72_057_594_037_927_935));
        assert_eq!(unsigned(&[0xff; 8]), Some(u64::MAX));
        assert_eq!(unsigned(&[0, 0, 0, 0, 0, 0, 0, 0, 5]), Some(5));
        assert_eq!(unsigned(&[1, 0, 0, 0, 0, 0, 0, 0, 5]), Some(u64::MAX));
        assert_eq!(unsigned(&[]), None);
    }

    #[test]
    fn addresses_of_both_families_are_ipv6() {
        assert_eq!(
            mapped([192, 0, 2, 1]),
            std::net::Ipv4Addr::new(192, 0, 2, 1).to_ipv6_mapped()
        );
        assert_eq!(address(&[0; 16]), Some(Ipv6Addr::UNSPECIFIED));
        assert_eq!(address(&[10, 0]), None);
    }

    #[test]
    fn a_value_too_wide_for_its_column_is_absent_and_counted() {
        let mut column = Column::<u16>::default();
        let records = [0, 0, 0, 80, 0, 1, 0, 80];
        let cells = Strided {
            records: &records,
            count: 2,
            stride: 4,
            offset: 0,
            width: 4,
        };
        struct All<'a>(Strided<'a>);
        impl<'a> Cells<'a> for All<'a> {
            fn len(&self) -> usize {
                2
            }
            fn cell(&self, index: usize) -> &'a [u8] {
                &self.0.records[index * 4..index * 4 + 4]
            }
            fn strided(&self) -> Option<Strided<'a>> {
                Some(self.0)
            }
        }
        assert_eq!(u16::fill(&mut column, 0, &All(cells), Form::Plain), 1);
        assert_eq!([column.get(0), column.get(1)], [Some(80), None]);
    }

    #[test]
    fn labels_and_application_ids_are_cut_from_their_octets() {
        // RFC 3032: label 16001 (0x03e81), class 0, bottom of stack.
        assert_eq!(number(&[0x03, 0xe8, 0x11], Form::MplsLabel), Some(16_001));
        // RFC 6759: engine 3 (IANA layer 4), selector 80.
        assert_eq!(
            number(&[3, 0, 0, 80], Form::ApplicationId),
            Some(3 << 56 | 80)
        );
        assert_eq!(
            number(&[1, 0, 0, 0, 0, 0, 0x13, 0x88], Form::SegmentId),
            Some(5000)
        );
    }
}
