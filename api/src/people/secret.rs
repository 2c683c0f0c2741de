//! What its bearer shows to be known again: 256 bits by chance. Only its digest is kept.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use store::catalog::Digest;

use crate::chance;

/// Before the secret of a token, so that people and programs that look for forgotten secrets know it.
pub(super) const TOKEN: &str = "flr_";

/// A secret. It is told once, to whom it is for, and never to a log.
pub struct Secret(String);

impl Secret {
    /// A new one, behind this word.
    ///
    /// # Errors
    ///
    /// The system gives no octets by chance; the caller does without the secret.
    pub(super) fn new(word: &str) -> std::io::Result<Self> {
        Ok(Self(
            word.to_owned() + &URL_SAFE_NO_PAD.encode(chance::octets::<32>()?),
        ))
    }

    /// What its bearer has to show.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// What is kept of it.
    pub(super) fn digest(&self) -> Digest {
        digest(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What is kept of a secret that somebody shows. With 256 bits by chance in it, it takes no salt and no slowness.
pub(super) fn digest(shown: &str) -> Digest {
    Sha256::digest(shown).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FIPS 180-2, appendix B.1.
    #[test]
    fn the_digest_is_sha_256_and_the_secret_is_not_shown() {
        let abc = digest("abc");
        assert_eq!(abc[..4], [0xba, 0x78, 0x16, 0xbf]);
        let secret = Secret::new(TOKEN).unwrap();
        // 256 bits are 43 digits of six.
        assert_eq!(secret.text().len(), TOKEN.len() + 43);
        assert_ne!(Secret::new(TOKEN).unwrap().text(), secret.text());
        assert_eq!(format!("{secret:?}"), "Secret(…)");
    }
}
