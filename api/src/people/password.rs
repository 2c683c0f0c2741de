//! Passwords: what is kept of them, and how much of the machine they may take.

use std::sync::Arc;

use argon2::{Argon2, PasswordHasher as _, PasswordVerifier as _};
use axum::http::StatusCode;
use tokio::sync::Semaphore;

use crate::{ApiError, chance};

/// Characters of a new password. Long ones are good ones; OWASP ASVS 5 (6.2.1, 6.2.9) asks for 8 at least, and to take 64.
const CHARS_MIN: usize = 12;
const CHARS_MAX: usize = 256;
/// Different characters that it has at least: "aaaaaaaaaaaa" is long.
const DIFFERENT_MIN: usize = 5;
/// Hashes that are made at the same time: each takes 19 MiB and some 20 ms of a processor.
const AT_WORK_MAX: usize = 2;
/// Those that wait for their turn. Who comes then is told to come later.
const WAITING_MAX: usize = 64;
/// What is compared with where there is no account, so that it takes as long: of no password.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm90IGEgcGVyc29uISE$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Hashes passwords: argon2id with the parameters that OWASP recommends (19 MiB, two passes, one lane), as is the crate's default.
#[derive(Clone, Debug)]
pub(super) struct Passwords {
    at_work: Arc<Semaphore>,
    places: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            at_work: Arc::new(Semaphore::new(AT_WORK_MAX)),
            places: Arc::new(Semaphore::new(AT_WORK_MAX + WAITING_MAX)),
        }
    }
}

impl Passwords {
    /// What is kept of a password, in PHC form.
    ///
    /// # Errors
    ///
    /// 503 if too many wait; 500 if it can't be made.
    pub(super) async fn hash(&self, password: String) -> Result<String, ApiError> {
        let made = self.work(move || {
            let salt: [u8; 16] = chance::octets().ok()?;
            let hash = Argon2::default().hash_password_with_salt(password.as_bytes(), &salt);
            Some(hash.ok()?.to_string())
        });
        made.await?.ok_or_else(failed)
    }

    /// Whether this is the password that `hash` was made of. Without a hash it is not, which takes as long.
    ///
    /// # Errors
    ///
    /// As [`Passwords::hash`].
    pub(super) async fn is(
        &self,
        password: String,
        hash: Option<String>,
    ) -> Result<bool, ApiError> {
        self.work(move || {
            let compared = hash.as_deref().unwrap_or(NOBODY);
            let verified = Argon2::default().verify_password(password.as_bytes(), compared);
            verified.is_ok() && hash.is_some()
        })
        .await
    }

    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let Ok(_place) = self.places.try_acquire() else {
            return Err(ApiError::refused(
                StatusCode::SERVICE_UNAVAILABLE,
                "too many sign on at this moment: try again in some seconds",
            ));
        };
        // Fails only when the semaphore is closed, which nobody does.
        let turn = self.at_work.clone().acquire_owned().await;
        let turn = turn.map_err(|_| failed())?;
        // Who goes in the middle leaves the work behind: it has the turn until its end.
        let work = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(turn);
            done
        });
        work.await.map_err(|_| failed())
    }
}

fn failed() -> ApiError {
    ApiError::refused(
        StatusCode::INTERNAL_SERVER_ERROR,
        "the password could not be hashed",
    )
}

/// Whether a new password is good enough. There is no rule about kinds of characters: length is what counts.
///
/// # Errors
///
/// 400 says what it should be.
pub(super) fn check(password: &str, name: &str) -> Result<(), ApiError> {
    let wrong = |why: String| Err(ApiError::parameter("password", why));
    let length = password.chars().count();
    if !(CHARS_MIN..=CHARS_MAX).contains(&length) {
        return wrong(format!(
            "a password has {CHARS_MIN} to {CHARS_MAX} characters"
        ));
    }
    let mut different: Vec<char> = password.chars().collect();
    different.sort_unstable();
    different.dedup();
    if different.len() < DIFFERENT_MIN {
        return wrong(format!(
            "a password has at least {DIFFERENT_MIN} different characters"
        ));
    }
    let lower = password.to_lowercase();
    let guessed = ["flowreel", "password", "12345678", name];
    if guessed
        .iter()
        .any(|word| word.len() > 3 && lower.contains(word))
    {
        return wrong("a password has no name and no usual word in it".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_known_again_and_nobody_has_none() {
        let passwords = Passwords::default();
        let hash = passwords.hash("a long sentence".to_owned()).await.unwrap();
        assert!(
            hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{hash}"
        );
        let is = |password: &str, hash: Option<&str>| {
            passwords.is(password.to_owned(), hash.map(str::to_owned))
        };
        assert!(is("a long sentence", Some(&hash)).await.unwrap());
        assert!(!is("a long sentencE", Some(&hash)).await.unwrap());
        assert!(!is("a long sentence", None).await.unwrap());
        assert!(!is("", Some("damaged")).await.unwrap());
    }

    /// By Python's `argon2.low_level.hash_secret` of argon2-cffi 25.1.
    #[tokio::test]
    async fn what_others_made_of_a_password_is_read() {
        let hash = "$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$cW2lJWluoSz7/uEbHmjnIWSBGhw/oyIOQ/m3Tumeiu4";
        let passwords = Passwords::default();
        let is = passwords.is("a long sentence".to_owned(), Some(hash.to_owned()));
        assert!(is.await.unwrap());
    }

    /// What is compared with where nobody is has to be well-formed: what is not is refused without any work.
    #[test]
    fn the_hash_of_nobody_has_the_parameters_of_the_others() {
        let nobody = argon2::PasswordHash::new(NOBODY).unwrap();
        let made = Argon2::default()
            .hash_password_with_salt(b"a long sentence", b"0123456789abcdef")
            .unwrap();
        assert_eq!(nobody.algorithm, made.algorithm);
        assert_eq!(nobody.params, made.params);
        let lengths = |hash: &argon2::PasswordHash| hash.hash.map(|hash| hash.len());
        assert_eq!(lengths(&nobody), lengths(&made));
    }

    #[tokio::test]
    async fn of_a_thousand_at_once_few_wait_and_two_work() {
        let passwords = Passwords::default();
        let all = (0..1000).map(|_| passwords.is("a long sentence".to_owned(), None));
        let answers = futures_util::future::join_all(all).await;
        let done = answers.iter().filter(|answer| answer.is_ok()).count();
        assert_eq!(done, AT_WORK_MAX + WAITING_MAX);
        assert!(passwords.is(String::new(), None).await.is_ok());
    }

    #[test]
    fn a_new_password_is_long_and_no_name() {
        for good in [
            "correct horse battery",
            "läuft schon 23 Jahre",
            "ÄÖÜäöü€@µ|<>",
        ] {
            assert!(check(good, "anna").is_ok(), "{good}");
        }
        let long = "correct horse ".repeat(20);
        for bad in [
            "",
            "short one 1",
            "aaaaaaaaaaaaaaaa",
            "Anna is my name",
            "Flowreel-2026!",
            &long,
        ] {
            assert!(check(bad, "anna").is_err(), "{bad}");
        }
    }
}
