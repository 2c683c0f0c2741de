//! Sign-on by an OpenID provider: code flow with PKCE ([OpenID Connect Core 1.0](https://openid.net/specs/openid-connect-core-1_0.html)).
//!
//! | file | holds |
//! |---|---|
//! | `settings` | which provider, and which of its groups may do what |
//! | `calling` | requests to it: in time, and of a size |
//! | `provider` | what it says of itself and of people |
//! | `pending` | sign-ons that are under way |
//! | `claims` | who somebody is by what it says |
//! | `refusal` | why somebody is not let in |
//! | `routes` | there and back again |

mod calling;
mod claims;
mod pending;
mod provider;
mod refusal;
pub(crate) mod routes;
mod settings;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use settings::{Grant, Settings, WrongSettings, check_address};

use pending::Pending;
use provider::Provider;

/// Sign-on by one provider.
#[derive(Debug)]
pub struct OpenId {
    settings: Settings,
    provider: Provider,
    pending: Mutex<Pending>,
}

impl OpenId {
    /// As the settings say, under this public address, with the secret of their file. Nobody is asked anything yet.
    ///
    /// # Errors
    ///
    /// The settings cannot be; fatal at start.
    pub fn new(
        settings: Settings,
        public_address: &str,
        secret: Option<String>,
    ) -> Result<Self, WrongSettings> {
        settings.check(Some(public_address))?;
        Ok(Self {
            provider: Provider::new(&settings, public_address.trim_end_matches('/'), secret)?,
            settings,
            pending: Mutex::default(),
        })
    }

    /// What people call the provider.
    pub(super) fn name(&self) -> &str {
        &self.settings.name
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
