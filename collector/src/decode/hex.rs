//! Octets in a state file: two letters each, where a list of numbers takes four.

use std::fmt::Write as _;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serializer};

/// What a state may hold: the letters, or the numbers of states that were written before.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Letters(String),
    Numbers(Vec<u8>),
}

pub(super) fn serialize<S: Serializer>(octets: &[u8], to: S) -> Result<S::Ok, S::Error> {
    let mut letters = String::with_capacity(2 * octets.len());
    for octet in octets {
        // Writing into a String cannot fail.
        let _ = write!(letters, "{octet:02x}");
    }
    to.serialize_str(&letters)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
    let letters = match Written::deserialize(from)? {
        Written::Numbers(octets) => return Ok(octets),
        Written::Letters(letters) => letters,
    };
    let digit = |letter: &u8| {
        let digit = char::from(*letter).to_digit(16);
        digit.and_then(|digit| u8::try_from(digit).ok())
    };
    letters
        .as_bytes()
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => Some(digit(high)? << 4 | digit(low)?),
            _ => None,
        })
        .collect::<Option<_>>()
        .ok_or_else(|| D::Error::custom("octets are two hexadecimal digits each"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Eq, serde::Serialize, Deserialize)]
    struct Raw(#[serde(with = "super")] Vec<u8>);

    #[test]
    fn letters_and_the_numbers_of_before_are_read() {
        let raw = Raw(vec![0, 8, 0xff]);
        assert_eq!(serde_json::to_string(&raw).unwrap(), "\"0008ff\"");
        for text in ["\"0008ff\"", "[0,8,255]"] {
            assert_eq!(serde_json::from_str::<Raw>(text).unwrap(), raw);
        }
        for text in ["\"0\"", "\"0g\"", "\"ä0\"", "[256]", "\"+1\""] {
            assert!(serde_json::from_str::<Raw>(text).is_err(), "{text}");
        }
    }
}
