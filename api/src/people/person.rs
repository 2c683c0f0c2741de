//! Who asks.

use std::net::IpAddr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use flow::Filter;
use serde_json::json;
use store::catalog::{Account, Act, Deed, Role};
use store::question::Scope;

use crate::ApiError;

/// Who asks: what handlers know of them. The door puts it into each request that it lets through.
#[derive(Clone, Debug, PartialEq)]
pub struct Person {
    /// As others know them; it stands beside what they cut and write.
    pub name: String,
    /// What they work as.
    pub role: Role,
    /// Whose flows they see.
    pub scope: Scope,
    /// How they are known.
    pub identity: Identity,
    /// The address that they are seen from.
    pub address: Option<IpAddr>,
}

/// How somebody is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// They work on this machine: there is no sign-on, or they have the token of the data directory.
    Operator,
    /// They have signed on.
    Session {
        /// Their account's number.
        account: u32,
        /// The session's.
        session: u32,
    },
    /// They have signed on with a proxy that is believed.
    Proxy {
        /// Their account's number.
        account: u32,
    },
    /// A program that has a token of theirs.
    Token {
        /// Their account's number.
        account: u32,
        /// The token's.
        token: u32,
    },
}

impl Person {
    /// Whoever works on this machine.
    pub fn operator() -> Self {
        Self {
            name: "operator".to_owned(),
            role: Role::Admin,
            scope: Scope::default(),
            identity: Identity::Operator,
            address: None,
        }
    }

    /// Somebody who has an account, in a role that may be less than their own.
    pub(crate) fn of(
        account: &Account,
        identity: Identity,
        role: Role,
        narrower: &str,
        address: Option<IpAddr>,
    ) -> Self {
        let is_end_user = [role, account.role].contains(&Role::EndUser);
        let seen_from = is_end_user.then(|| match address {
            Some(address) => format!("ip {address}"),
            None => "not any".to_owned(),
        });
        let texts = [
            Some(account.scope.as_str()),
            Some(narrower),
            seen_from.as_deref(),
        ];
        Self {
            name: account.name.clone(),
            role,
            scope: scope(texts.into_iter().flatten()),
            identity,
            address,
        }
    }

    /// The name of their account; none is the operator's, who needs none.
    pub fn account(&self) -> Option<&str> {
        (self.identity != Identity::Operator).then_some(&self.name)
    }

    /// Their account's number, unless they are the operator.
    pub(super) fn number(&self) -> Option<u32> {
        match self.identity {
            Identity::Operator => None,
            Identity::Session { account, .. }
            | Identity::Proxy { account }
            | Identity::Token { account, .. } => Some(account),
        }
    }

    /// That they did this.
    pub(super) fn deed(&self, what: Act, object: impl Into<String>) -> Deed {
        Deed {
            who: self.name.clone(),
            account: self.number(),
            token: match self.identity {
                Identity::Token { token, .. } => Some(token),
                _ => None,
            },
            address: self.address.map(|address| address.to_string()),
            what,
            object: object.into(),
            detail: json!({}),
        }
    }
}

/// What all of these filters let through; nothing where one cannot be read, as by a newer program's words.
fn scope<'a>(texts: impl Iterator<Item = &'a str>) -> Scope {
    let mut only = Filter::any();
    for text in texts {
        let read = Filter::parse(text).or_else(|error| {
            tracing::error!(%error, scope = text, "a scope cannot be read: its owner sees nothing");
            Filter::parse("not any")
        });
        only = match read {
            Ok(filter) => only.and(filter),
            Err(_) => continue,
        };
    }
    Scope::of(only)
}

impl<S: Sync> FromRequestParts<S> for Person {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(ApiError::nobody)
    }
}

#[cfg(test)]
mod tests {
    use flow::Timestamp;

    use super::*;

    fn account(role: Role, scope: &str) -> Account {
        Account {
            number: 1,
            name: "anna".to_owned(),
            shown_name: "Anna".to_owned(),
            email: None,
            role,
            scope: scope.to_owned(),
            disabled: false,
            made_at: Timestamp::EPOCH,
            made_by: "operator".to_owned(),
        }
    }

    fn seen(own: Role, scope: &str, role: Role, narrower: &str, address: Option<&str>) -> Person {
        let identity = Identity::Token {
            account: 1,
            token: 2,
        };
        let address = address.map(|address| address.parse().unwrap());
        Person::of(&account(own, scope), identity, role, narrower, address)
    }

    fn only(person: &Person) -> Option<Filter> {
        person.scope.only.clone()
    }

    fn filter(text: &str) -> Option<Filter> {
        Some(Filter::parse(text).unwrap())
    }

    #[test]
    fn a_token_sees_what_its_owner_sees_and_less() {
        use Role::{Engineer, Manager};
        assert_eq!(only(&seen(Engineer, "", Engineer, "", None)), None);
        let narrow = seen(Engineer, "", Manager, "site berlin", None);
        assert_eq!(only(&narrow), filter("site berlin"));
        let both = seen(Engineer, "site berlin", Manager, "app erp", None);
        assert_eq!(only(&both), filter("(site berlin) and (app erp)"));
        let either = seen(
            Engineer,
            "site a or site b",
            Manager,
            "app c or app d",
            None,
        );
        assert_eq!(
            only(&either),
            filter("(site a or site b) and (app c or app d)")
        );
    }

    #[test]
    fn an_end_user_sees_the_address_that_they_are_seen_from() {
        use Role::{EndUser, Engineer};
        let at = Some("10.1.2.3");
        assert_eq!(
            only(&seen(EndUser, "", EndUser, "", at)),
            filter("ip 10.1.2.3")
        );
        // By a token too, whoever of the two is the end user.
        assert_eq!(
            only(&seen(Engineer, "", EndUser, "", at)),
            filter("ip 10.1.2.3")
        );
        assert_eq!(
            only(&seen(EndUser, "", Engineer, "", at)),
            filter("ip 10.1.2.3")
        );
        assert_eq!(
            only(&seen(EndUser, "", EndUser, "", None)),
            filter("not any")
        );
    }

    #[test]
    fn a_scope_that_cannot_be_read_lets_nothing_through() {
        let person = seen(Role::Engineer, "colour blue", Role::Engineer, "", None);
        assert_eq!(only(&person), filter("not any"));
    }
}
