//! Who asks, by what they show: a session's cookie, a token, the operator's token.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::header;
use axum::http::request::Parts;
use flow::{Timestamp, clock};
use store::catalog::{Catalog, CatalogError, Digest};

use super::audit::Scribe;
use super::openid::OpenId;
use super::password::Passwords;
use super::permission::covers;
use super::secret::{self, Secret, TOKEN};
use super::session::{self, Lasting, SEEN_EVERY};
use super::throttle::Throttle;
use super::{Identity, Person};
use crate::ApiError;
use crate::proxies::Vouched;

/// Between two looks whether a listener may still listen.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// All that is known of people. Clones share it.
#[derive(Clone, Debug)]
pub struct People(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    catalog: Catalog,
    sign_on: Option<SignOn>,
    scribe: Scribe,
}

/// What is there where people sign on.
#[derive(Debug)]
pub(super) struct SignOn {
    pub(super) lasting: Lasting,
    pub(super) passwords: Passwords,
    throttle: Mutex<Throttle>,
    operator: Digest,
    openid: Option<OpenId>,
}

impl SignOn {
    /// Counts a try with a password; see [`Throttle::attempt`].
    pub(super) fn attempt(&self, name: &str, address: Option<IpAddr>) -> Result<(), Duration> {
        self.throttle().attempt(name, address, clock::now())
    }

    /// It was no guess.
    pub(super) fn succeeded(&self, name: &str, address: Option<IpAddr>) {
        self.throttle().succeeded(name, address);
    }

    /// Counts a try that has no name; see [`Throttle::visit`].
    pub(super) fn visit(&self, address: Option<IpAddr>) -> Result<(), Duration> {
        self.throttle().visit(address, clock::now())
    }

    /// It was no guess.
    pub(super) fn welcome_back(&self, address: Option<IpAddr>) {
        self.throttle().welcome(address);
    }

    fn throttle(&self) -> MutexGuard<'_, Throttle> {
        self.throttle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl People {
    /// Where everybody is the operator.
    pub fn without_sign_on(catalog: Catalog) -> Self {
        Self::new(catalog, None)
    }

    /// Where people sign on, here or by a provider too. The secret is the operator's token, for who can read the data directory.
    ///
    /// # Errors
    ///
    /// The system gives no octets by chance; fatal at start.
    pub fn with_sign_on(
        catalog: Catalog,
        lasting: Lasting,
        openid: Option<OpenId>,
    ) -> std::io::Result<(Self, Secret)> {
        let operator = Secret::new(TOKEN)?;
        let sign_on = SignOn {
            lasting,
            passwords: Passwords::default(),
            throttle: Mutex::default(),
            operator: operator.digest(),
            openid,
        };
        Ok((Self::new(catalog, Some(sign_on)), operator))
    }

    fn new(catalog: Catalog, sign_on: Option<SignOn>) -> Self {
        Self(Arc::new(Inner {
            scribe: Scribe::new(catalog.clone()),
            catalog,
            sign_on,
        }))
    }

    /// The secret that makes the first account, in place of an earlier one; `None` if nobody signs on, or there is an account.
    ///
    /// # Errors
    ///
    /// The catalog can't be written; fatal at start.
    pub async fn welcome(&self, now: Timestamp) -> Result<Option<Secret>, CatalogError> {
        if !self.is_required() {
            return Ok(None);
        }
        let secret = Secret::new("").map_err(|error| CatalogError::Wrong(error.to_string()))?;
        let is_first = self.catalog().renew_welcome(&secret.digest(), now).await?;
        Ok(is_first.then_some(secret))
    }

    /// Whether people sign on.
    pub(crate) fn is_required(&self) -> bool {
        self.0.sign_on.is_some()
    }

    /// What is there where people sign on.
    ///
    /// # Errors
    ///
    /// 409 where nobody does.
    pub(super) fn sign_on(&self) -> Result<&SignOn, ApiError> {
        self.0.sign_on.as_ref().ok_or_else(|| {
            let why = "sign-on is off here: everybody is the operator";
            ApiError::refused(axum::http::StatusCode::CONFLICT, why)
        })
    }

    /// Sign-on by a provider.
    ///
    /// # Errors
    ///
    /// 409 where nobody signs on, 404 where there is no provider.
    pub(super) fn openid(&self) -> Result<&OpenId, ApiError> {
        let none = || ApiError::not_found("nobody signs on by an OpenID provider here");
        self.sign_on()?.openid.as_ref().ok_or_else(none)
    }

    pub(crate) fn catalog(&self) -> &Catalog {
        &self.0.catalog
    }

    pub(super) fn scribe(&self) -> &Scribe {
        &self.0.scribe
    }

    /// Who shows this; `None` if nobody that is known.
    ///
    /// # Errors
    ///
    /// The catalog can't be read.
    pub(super) async fn recognise(
        &self,
        shown: Option<&Shown>,
        address: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<Option<Person>, CatalogError> {
        let operator = || Person {
            address,
            ..Person::operator()
        };
        let Some(sign_on) = &self.0.sign_on else {
            return Ok(Some(operator()));
        };
        match shown {
            None => Ok(None),
            Some(Shown::Token(digest)) if *digest == sign_on.operator => Ok(Some(operator())),
            Some(Shown::Token(digest)) => self.of_token(digest, address, now).await,
            Some(Shown::Cookie(digest)) => {
                self.of_session(digest, sign_on.lasting, address, now).await
            }
            Some(Shown::Vouched(name)) => self.of_proxy(name, address).await,
        }
    }

    async fn of_session(
        &self,
        digest: &Digest,
        lasting: Lasting,
        address: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<Option<Person>, CatalogError> {
        let found = self.catalog().session(digest).await?;
        let Some((session, account)) = found.filter(|(found, _)| lasting.includes(found, now))
        else {
            return Ok(None);
        };
        if now >= session.seen_at + SEEN_EVERY {
            self.catalog().see_session(session.number, now).await?;
        }
        let identity = Identity::Session {
            account: account.number,
            session: session.number,
        };
        let role = account.role;
        Ok(Some(Person::of(&account, identity, role, "", address)))
    }

    async fn of_token(
        &self,
        digest: &Digest,
        address: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<Option<Person>, CatalogError> {
        let Some((token, owner)) = self.catalog().token(digest, now).await? else {
            return Ok(None);
        };
        if token.used_at.is_none_or(|used| now >= used + SEEN_EVERY) {
            self.catalog().see_token(token.number, now).await?;
        }
        let identity = Identity::Token {
            account: owner.number,
            token: token.number,
        };
        // The owner may have become something else since.
        let role = match covers(owner.role, token.role) {
            true => token.role,
            false => owner.role,
        };
        Ok(Some(Person::of(
            &owner,
            identity,
            role,
            &token.scope,
            address,
        )))
    }

    async fn of_proxy(
        &self,
        name: &str,
        address: Option<IpAddr>,
    ) -> Result<Option<Person>, CatalogError> {
        let found = self.catalog().account(name).await?;
        let account = found.map(|(account, _)| account).filter(|it| !it.disabled);
        Ok(account.map(|account| {
            let identity = Identity::Proxy {
                account: account.number,
            };
            Person::of(&account, identity, account.role, "", address)
        }))
    }

    /// Ends when this person is no longer who they were: signed off, disabled, or given another role or scope.
    pub(super) async fn no_longer(self, shown: Option<Shown>, person: Person) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let found = self.recognise(shown.as_ref(), person.address, clock::now());
            match found.await {
                Ok(Some(found)) if found == person => {}
                // A catalog that cannot be read now says nothing about anybody.
                Err(error) => tracing::warn!(%error, "who listens cannot be looked up"),
                Ok(_) => return,
            }
        }
    }
}

/// What somebody shows to be known.
#[derive(Clone, Debug)]
pub(super) enum Shown {
    Cookie(Digest),
    Token(Digest),
    /// A listed proxy says so.
    Vouched(String),
}

impl Shown {
    /// What stands in the head of a request. A token goes before the rest: a program means what it says, a browser sends cookies by
    /// itself. A proxy that vouches knows who is there now; a cookie may be of somebody else at that browser.
    pub(super) fn of(head: &Parts) -> Option<Self> {
        let headers = &head.headers;
        let bearer = headers.get(header::AUTHORIZATION);
        let bearer = bearer.and_then(|value| value.to_str().ok()?.split_once(' '));
        // RFC 9110 §11.1: the scheme's letters may be of either case.
        let token = bearer.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        match token {
            Some((_, token)) => Some(Self::Token(secret::digest(token.trim()))),
            None => match head.extensions.get::<Vouched>() {
                Some(Vouched(name)) => Some(Self::Vouched(name.to_lowercase())),
                None => session::shown(headers).map(|shown| Self::Cookie(secret::digest(&shown))),
            },
        }
    }
}
