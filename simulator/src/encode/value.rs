//! A field's value, and how it goes into the octets that the template gives it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::template::{Field, VARIABLE};

/// A value of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// Big-endian in the field's length; high octets that do not fit are cut off (reduced size, RFC 7011 §6.2). In a
    /// field of variable length: as few octets as it takes, at least one.
    Unsigned(u64),
    /// Two's complement, as [`Value::Unsigned`] with the sign repeated to the left.
    Signed(i64),
    /// 4 or 16 octets.
    Address(IpAddr),
    /// Text or anything else. In a fixed length: cut off or filled up with zeros at the right.
    Octets(&'a [u8]),
    /// As [`Value::Octets`], but in a field of variable length always with the three-octet length (RFC 7011 §7,
    /// figure S), which is allowed for short values too.
    LongForm(&'a [u8]),
}

impl From<u64> for Value<'_> {
    fn from(value: u64) -> Self {
        Self::Unsigned(value)
    }
}

impl From<u32> for Value<'_> {
    fn from(value: u32) -> Self {
        Self::Unsigned(value.into())
    }
}

impl From<u16> for Value<'_> {
    fn from(value: u16) -> Self {
        Self::Unsigned(value.into())
    }
}

impl From<u8> for Value<'_> {
    fn from(value: u8) -> Self {
        Self::Unsigned(value.into())
    }
}

impl From<IpAddr> for Value<'_> {
    fn from(value: IpAddr) -> Self {
        Self::Address(value)
    }
}

impl From<Ipv4Addr> for Value<'_> {
    fn from(value: Ipv4Addr) -> Self {
        Self::Address(value.into())
    }
}

impl From<Ipv6Addr> for Value<'_> {
    fn from(value: Ipv6Addr) -> Self {
        Self::Address(value.into())
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(value: &'a str) -> Self {
        Self::Octets(value.as_bytes())
    }
}

impl Value<'_> {
    /// Appends the value as `field` wants it.
    pub fn write(self, field: Field, out: &mut Vec<u8>) {
        match self {
            Self::Unsigned(number) => write_number(number.to_be_bytes(), 0, field, out),
            Self::Signed(number) => {
                let fill = if number < 0 { 0xff } else { 0 };
                write_number(number.to_be_bytes(), fill, field, out);
            }
            Self::Address(IpAddr::V4(address)) => {
                write_octets(&address.octets(), field, false, out)
            }
            Self::Address(IpAddr::V6(address)) => {
                write_octets(&address.octets(), field, false, out)
            }
            Self::Octets(octets) => write_octets(octets, field, false, out),
            Self::LongForm(octets) => write_octets(octets, field, true, out),
        }
    }
}

fn write_number(octets: [u8; 8], fill: u8, field: Field, out: &mut Vec<u8>) {
    if field.length == VARIABLE {
        let first = octets.iter().position(|octet| *octet != 0).unwrap_or(7);
        return write_octets(&octets[first..], field, false, out);
    }
    let length = usize::from(field.length);
    if let Some(wider) = length.checked_sub(8) {
        out.resize(out.len() + wider, fill);
    }
    out.extend_from_slice(&octets[8_usize.saturating_sub(length)..]);
}

fn write_octets(octets: &[u8], field: Field, long_form: bool, out: &mut Vec<u8>) {
    if field.length != VARIABLE {
        let length = usize::from(field.length);
        let taken = octets.len().min(length);
        out.extend_from_slice(&octets[..taken]);
        out.resize(out.len() + length - taken, 0);
        return;
    }
    let octets = &octets[..octets.len().min(usize::from(u16::MAX))];
    match u8::try_from(octets.len()) {
        Ok(length) if length < 255 && !long_form => out.push(length),
        _ => {
            out.push(255);
            out.extend_from_slice(
                &u16::try_from(octets.len())
                    .unwrap_or(u16::MAX)
                    .to_be_bytes(),
            );
        }
    }
    out.extend_from_slice(octets);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: Value<'_>, length: u16) -> Vec<u8> {
        let mut out = Vec::new();
        value.write(Field::iana(1, length), &mut out);
        out
    }

    #[test]
    fn numbers_take_any_length() {
        assert_eq!(written(0x0102_0304_u32.into(), 4), [1, 2, 3, 4]);
        assert_eq!(written(0x0102_0304_u32.into(), 3), [2, 3, 4]);
        assert_eq!(written(5_u8.into(), 1), [5]);
        assert_eq!(written(0x0102_u16.into(), 5), [0, 0, 0, 1, 2]);
        assert_eq!(written(1_u8.into(), 10), [0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(written(Value::Signed(-2), 2), [0xff, 0xfe]);
        assert_eq!(written(Value::Signed(-2), 9)[0], 0xff);
    }

    #[test]
    fn variable_lengths_are_told_in_one_octet_or_three() {
        assert_eq!(written("".into(), VARIABLE), [0]);
        assert_eq!(written("ab".into(), VARIABLE), [2, b'a', b'b']);
        assert_eq!(
            written(Value::LongForm(b"ab"), VARIABLE),
            [255, 0, 2, b'a', b'b']
        );
        assert_eq!(written(Value::LongForm(b""), VARIABLE), [255, 0, 0]);
        assert_eq!(written(Value::Octets(&[7; 254]), VARIABLE)[..2], [254, 7]);
        assert_eq!(
            written(Value::Octets(&[7; 255]), VARIABLE)[..4],
            [255, 0, 255, 7]
        );
        assert_eq!(
            written(Value::Octets(&[7; 1000]), VARIABLE)[..4],
            [255, 3, 232, 7]
        );
        assert_eq!(written(0x0102_u16.into(), VARIABLE), [2, 1, 2]);
        assert_eq!(written(0_u8.into(), VARIABLE), [1, 0]);
    }

    #[test]
    fn texts_are_filled_up_or_cut_off() {
        assert_eq!(written("ab".into(), 4), [b'a', b'b', 0, 0]);
        assert_eq!(written("abcd".into(), 2), [b'a', b'b']);
    }
}
