//! Sign-ons that are under way: what was said to the browser, until it comes back. Time is an argument.

use std::collections::HashMap;
use std::time::Duration;

use flow::Timestamp;
use openidconnect::{Nonce, PkceCodeVerifier};
use store::catalog::Digest;

/// How long somebody may take at the provider.
pub(super) const TIME_MAX: Duration = Duration::from_secs(600);
/// Sign-ons that are under way at the same time. Of more, the oldest ends: whoever it was begins again.
const PENDING_MAX: usize = 10_000;

/// One that is under way.
#[derive(Debug)]
pub(super) struct Started {
    /// Of the secret that the browser has in a cookie: who comes back is who went.
    pub(super) browser: Digest,
    /// What the provider has to say again.
    pub(super) nonce: Nonce,
    /// What proves that the code is ours.
    pub(super) verifier: PkceCodeVerifier,
    /// The page that they come back to.
    pub(super) to: String,
    /// When.
    pub(super) at: Timestamp,
}

/// All of them, by the digest of their state.
#[derive(Debug, Default)]
pub(super) struct Pending(HashMap<Digest, Started>);

impl Pending {
    /// Notes that one began.
    pub(super) fn begin(&mut self, state: Digest, started: Started) {
        let now = started.at;
        self.0.retain(|_, it| now < it.at + TIME_MAX);
        if self.0.len() >= PENDING_MAX {
            let oldest = self.0.iter().min_by_key(|(_, it)| it.at);
            if let Some(oldest) = oldest.map(|(state, _)| *state) {
                self.0.remove(&oldest);
            }
        }
        self.0.insert(state, started);
    }

    /// Takes it, if this browser began it not too long ago. It is there once.
    pub(super) fn take(
        &mut self,
        state: &Digest,
        browser: &Digest,
        now: Timestamp,
    ) -> Option<Started> {
        let found = self.0.get(state)?;
        if found.browser != *browser {
            return None;
        }
        self.0
            .remove(state)
            .filter(|started| now < started.at + TIME_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);

    fn started(browser: u8, at: Timestamp) -> Started {
        Started {
            browser: [browser; 32],
            nonce: Nonce::new("n".to_owned()),
            verifier: PkceCodeVerifier::new("v".repeat(43)),
            to: "/".to_owned(),
            at,
        }
    }

    #[test]
    fn it_is_taken_once_in_time_by_who_began_it() {
        let mut pending = Pending::default();
        pending.begin([1; 32], started(7, NOW));
        assert!(pending.take(&[2; 32], &[7; 32], NOW).is_none());
        assert!(pending.take(&[1; 32], &[8; 32], NOW).is_none());
        let last = NOW + TIME_MAX - Duration::from_nanos(1);
        assert!(pending.take(&[1; 32], &[7; 32], last).is_some());
        assert!(pending.take(&[1; 32], &[7; 32], last).is_none());
        pending.begin([1; 32], started(7, NOW));
        assert!(pending.take(&[1; 32], &[7; 32], NOW + TIME_MAX).is_none());
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut pending = Pending::default();
        let state = |number: usize| {
            let mut state = [0; 32];
            state[..8].copy_from_slice(&number.to_be_bytes());
            state
        };
        for number in 0..PENDING_MAX + 5 {
            let at = NOW + Duration::from_nanos(u64::try_from(number).unwrap());
            pending.begin(state(number), started(7, at));
        }
        assert_eq!(pending.0.len(), PENDING_MAX);
        assert!(pending.take(&state(4), &[7; 32], NOW).is_none());
        assert!(pending.take(&state(5), &[7; 32], NOW).is_some());
        pending.begin([1; 32], started(7, NOW + TIME_MAX * 2));
        assert_eq!(pending.0.len(), 1);
    }
}
