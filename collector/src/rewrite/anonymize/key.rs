//! The key that decides which address becomes which.

use std::fmt;
use std::str::FromStr;

/// 32 octets, of which the halves differ. Whoever has them can read the addresses again; it shows itself in no log.
#[derive(Clone, PartialEq, Eq)]
pub struct Key([u8; 32]);

/// Why a text or octets are no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Too few or too many.
    #[error("a key has 64 hexadecimal digits, this one has {0} characters")]
    Length(usize),
    /// Something else than a digit.
    #[error("a key has 64 hexadecimal digits, character {0} is none")]
    Digit(usize),
    /// The cipher takes the difference of what the halves give, which would be nothing.
    #[error(
        "the two halves of the key are the same, which would encrypt nothing: make another one"
    )]
    Halves,
}

impl Key {
    /// A key of these octets, which should be random ones.
    ///
    /// # Errors
    ///
    /// [`KeyError::Halves`]; the caller asks for another key.
    pub fn new(octets: [u8; 32]) -> Result<Self, KeyError> {
        if octets[..16] == octets[16..] {
            return Err(KeyError::Halves);
        }
        Ok(Self(octets))
    }

    pub(super) fn octets(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Reads 64 hexadecimal digits.
///
/// # Errors
///
/// [`KeyError`], which names the place and not the digits.
impl FromStr for Key {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let characters = text.chars().count();
        if characters != 64 {
            return Err(KeyError::Length(characters));
        }
        let mut octets = [0; 32];
        for (at, character) in text.chars().enumerate() {
            let digit = character.to_digit(16).ok_or(KeyError::Digit(at + 1))?;
            let octet = &mut octets[at / 2];
            *octet = *octet << 4 | u8::try_from(digit).unwrap_or(0);
        }
        Self::new(octets)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_key_is_refused_with_the_place() {
        let digits = "0123456789abcdeffedcba98765432101032547698BADCFEEFCDAB8967452301";
        let key: Key = digits.parse().unwrap();
        assert_eq!((key.0[0], key.0[20]), (0x01, 0x98));
        assert_eq!(format!("{key:?}"), "Key(…)");
        let wrong = |text: &str| text.parse::<Key>().unwrap_err();
        assert_eq!(wrong(&digits[1..]), KeyError::Length(63));
        assert_eq!(wrong(&digits.replace('9', "g")), KeyError::Digit(10));
        assert_eq!(wrong(&"ab".repeat(32)), KeyError::Halves);
        assert_eq!(
            wrong("key").to_string(),
            "a key has 64 hexadecimal digits, this one has 3 characters"
        );
    }
}
