//! The records of one Set, and where their fields are.

use std::ops::Range;

use super::cell::{Cells, Strided};

/// A template's length of a variable-length field ([RFC 7011 §7]).
pub(crate) const VARIABLE: u16 = u16::MAX;

/// Where a field is in a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Its number in the template.
    pub(crate) field: usize,
    /// Octets before it, where the records are of one length.
    pub(crate) offset: usize,
    /// Its length; [`VARIABLE`] if each record tells.
    pub(crate) width: usize,
}

/// Start and length of one field of one record, in octets of the payload.
pub(crate) type Span = (u16, u16);

/// The records of one Set.
#[derive(Clone, Copy)]
pub(crate) struct Records<'a> {
    /// The datagram's payload.
    payload: &'a [u8],
    /// Where the first record starts in it.
    start: usize,
    /// How many records.
    count: usize,
    shape: Shape<'a>,
}

#[derive(Clone, Copy)]
enum Shape<'a> {
    /// All of this length.
    Fixed(usize),
    /// Spans of all fields, record after record.
    Variable { spans: &'a [Span], fields: usize },
}

impl<'a> Records<'a> {
    /// Records of `stride` octets each from `start` on; the payload must hold them.
    pub(crate) fn fixed(payload: &'a [u8], start: usize, stride: usize, count: usize) -> Self {
        Self {
            payload,
            start,
            count,
            shape: Shape::Fixed(stride),
        }
    }

    /// Records whose fields are where `spans` says.
    pub(crate) fn variable(
        payload: &'a [u8],
        start: usize,
        spans: &'a [Span],
        fields: usize,
    ) -> Self {
        Self {
            payload,
            start,
            count: spans.len().checked_div(fields).unwrap_or(0),
            shape: Shape::Variable { spans, fields },
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Octets of the payload before each record.
    pub(crate) fn offsets(&self) -> impl ExactSizeIterator<Item = u16> {
        let Self { start, shape, .. } = *self;
        (0..self.count).map(move |index| match shape {
            Shape::Fixed(stride) => short(start + index * stride),
            // A record starts where the one before it ended.
            Shape::Variable { spans, fields } => match (index * fields).checked_sub(1) {
                Some(last) => spans[last].0 + spans[last].1,
                None => short(start),
            },
        })
    }

    /// As [`Records::offsets`], the quick way for records of one length.
    pub(crate) fn fixed_offsets(&self) -> Option<impl ExactSizeIterator<Item = u16> + use<>> {
        let Shape::Fixed(stride) = self.shape else {
            return None;
        };
        let (start, stride) = (short(self.start), short(stride));
        // A datagram holds all of them, so nothing wraps.
        let count = short(self.count);
        Some((0..count).map(move |index| start.wrapping_add(index.wrapping_mul(stride))))
    }

    /// Where the last record ends in the payload.
    pub(crate) fn end(&self) -> usize {
        match self.shape {
            Shape::Fixed(stride) => self.start + self.count * stride,
            Shape::Variable { spans, .. } => spans.last().map_or(self.start, |(start, length)| {
                usize::from(*start) + usize::from(*length)
            }),
        }
    }

    /// The octets of the payload that one field of record `index` is in.
    pub(crate) fn range(&self, place: Place, index: usize) -> Range<usize> {
        let (start, length) = match self.shape {
            Shape::Fixed(stride) => (self.start + index * stride + place.offset, place.width),
            Shape::Variable { spans, fields } => {
                let (start, length) = spans[index * fields + place.field];
                (usize::from(start), usize::from(length))
            }
        };
        start..start + length
    }

    /// One field of every record.
    pub(crate) fn at(&self, place: Place) -> FieldCells<'a> {
        FieldCells {
            records: *self,
            place,
        }
    }
}

/// One field of every record of a Set.
#[derive(Clone, Copy)]
pub(crate) struct FieldCells<'a> {
    records: Records<'a>,
    place: Place,
}

impl<'a> Cells<'a> for FieldCells<'a> {
    #[inline]
    fn len(&self) -> usize {
        self.records.count
    }

    #[inline]
    fn cell(&self, index: usize) -> &'a [u8] {
        let records = &self.records;
        match records.shape {
            Shape::Fixed(stride) => {
                let start = records.start + index * stride + self.place.offset;
                &records.payload[start..start + self.place.width]
            }
            Shape::Variable { spans, fields } => {
                let (start, length) = spans[index * fields + self.place.field];
                &records.payload[usize::from(start)..usize::from(start) + usize::from(length)]
            }
        }
    }

    #[inline]
    fn strided(&self) -> Option<Strided<'a>> {
        let records = &self.records;
        match records.shape {
            Shape::Fixed(stride) => Some(Strided {
                records: &records.payload[records.start..records.start + stride * records.count],
                count: records.count,
                stride,
                offset: self.place.offset,
                width: self.place.width,
            }),
            Shape::Variable { .. } => None,
        }
    }
}

/// Where a walk over variable-length records ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Walked {
    /// At the end of the Set, padding of less than a record left out.
    Whole,
    /// Before octets that are too few for a record and no padding.
    Trailing,
    /// In the middle of a record: a length beyond the Set's end. What came before it stands.
    Cut,
}

/// Finds every field of every record in `payload[start..end]` ([RFC 7011 §7]: lengths of one octet, or 255 and two more).
///
/// `lengths` are the template's; `spans` is cleared and filled with whole records only.
pub(crate) fn walk(
    payload: &[u8],
    start: usize,
    end: usize,
    lengths: &[u16],
    shortest: usize,
    spans: &mut Vec<Span>,
) -> Walked {
    spans.clear();
    let mut at = start;
    // Padding must be shorter than the shortest record; some pad more, with zeros.
    while end - at >= shortest && !padding(&payload[at..end]) {
        let whole = spans.len();
        for length in lengths {
            let Some((from, to)) = field(&payload[..end], at, *length) else {
                spans.truncate(whole);
                return Walked::Cut;
            };
            spans.push((short(from), short(to - from)));
            at = to;
        }
    }
    if payload[at..end].iter().any(|octet| *octet != 0) {
        return Walked::Trailing;
    }
    Walked::Whole
}

/// At most three zeros at the end: what aligns a Set to four octets.
fn padding(rest: &[u8]) -> bool {
    rest.len() < 4 && rest.iter().all(|octet| *octet == 0)
}

fn field(payload: &[u8], at: usize, length: u16) -> Option<(usize, usize)> {
    let (from, length) = if length != VARIABLE {
        (at, usize::from(length))
    } else {
        match payload.get(at)? {
            255 => {
                let long = payload.get(at + 1..at + 3)?;
                (at + 3, usize::from(u16::from_be_bytes([long[0], long[1]])))
            }
            short => (at + 1, usize::from(*short)),
        }
    };
    let to = from + length;
    (to <= payload.len()).then_some((from, to))
}

/// A datagram has at most 65,507 octets; the decoder refuses more before it comes here.
fn short(offset: usize) -> u16 {
    u16::try_from(offset).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_length_forms_are_walked_and_empty_is_a_value() {
        // RFC 7011 §7: "0" is an empty value; 255 announces a length of two octets, which may be below 255.
        let octets = [
            0x00, 0x07, 0x00, 0x09, 0xff, 0x00, 0x02, b'h', b'i', 0x00, 0x0a,
        ];
        let mut spans = Vec::new();
        let walked = walk(&octets, 0, octets.len(), &[VARIABLE, 2], 3, &mut spans);
        assert_eq!(walked, Walked::Cut);
        assert_eq!(spans, [(1, 0), (1, 2)]);
        let octets = [0x00, 0x00, 0x07, 0xff, 0x00, 0x02, b'h', b'i', 0x00, 0x0a];
        let walked = walk(&octets, 0, octets.len(), &[VARIABLE, 2], 3, &mut spans);
        assert_eq!(walked, Walked::Whole);
        assert_eq!(spans, [(1, 0), (1, 2), (6, 2), (8, 2)]);
    }

    #[test]
    fn a_length_beyond_the_set_keeps_what_came_before() {
        let octets = [0x01, b'a', 0x09, b'b'];
        let mut spans = Vec::new();
        let walked = walk(&octets, 0, 4, &[VARIABLE], 1, &mut spans);
        assert_eq!((walked, &spans[..]), (Walked::Cut, &[(1, 1)][..]));
    }
}
