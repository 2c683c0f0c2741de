//! Story and picture for who sees a part of the flows: made when they look, a few at a time, of what was known at the press.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use api::tickets::{DeskError, Story};
use store::StoreError;
use store::catalog::Ticket;
use store::question::{Scope, Window};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::asking::client;
use super::making::without;
use super::pressing::SERVERS_MAX;
use super::telling::Telling;
use super::{NOW, RunningDesk};

/// Stories and pictures that are made at the same time. Others wait, no longer than [`WAIT`].
const PLACES: usize = 2;
/// How long somebody waits for one, a place included.
const WAIT: Duration = Duration::from_secs(20);
/// Of each kind so many are kept; the ones that nobody looked at for longest go.
const KEPT_MAX: usize = 64;

/// What is told of a ticket.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Told {
    /// `None` as long as it is being made.
    pub(super) story: Option<Story>,
    /// The servers that the host had used.
    pub(super) servers: Vec<IpAddr>,
}

/// What was made lately.
#[derive(Debug)]
pub(super) struct Scoped {
    places: Semaphore,
    told: Kept<Told>,
    drawn: Kept<Option<Vec<u8>>>,
}

impl Default for Scoped {
    fn default() -> Self {
        Self {
            places: Semaphore::new(PLACES),
            told: Kept::default(),
            drawn: Kept::default(),
        }
    }
}

impl Scoped {
    async fn place(&self) -> Option<SemaphorePermit<'_>> {
        self.places.acquire().await.ok()
    }
}

impl RunningDesk {
    /// Story and servers of a ticket within a scope.
    ///
    /// # Errors
    ///
    /// [`DeskError::Busy`] if it takes too long; it may be asked again. What the store does not answer is said in the story.
    pub(super) async fn told_within(
        &self,
        ticket: &Ticket,
        scope: &Scope,
    ) -> Result<Told, DeskError> {
        // What had arrived by the press is not all stored before.
        if ticket.made_at.is_none() {
            return Ok(Told::default());
        }
        let telling = async {
            let _place = self.scoped.place().await;
            let whose = (ticket.number, scope.text());
            if let Some(told) = self.scoped.told.get(whose) {
                return told;
            }
            match self.tell_within(ticket, scope).await {
                Ok(told) => self.scoped.told.put(whose, told),
                Err(error) => Told {
                    story: Some(without(ticket, &error)),
                    servers: Vec::new(),
                },
            }
        };
        in_time(telling).await
    }

    async fn tell_within(&self, ticket: &Ticket, scope: &Scope) -> Result<Told, StoreError> {
        let asking = self.asking(ticket.pressed_at, scope);
        let now = Window {
            from: ticket.pressed_at - NOW,
            to: ticket.pressed_at,
        };
        let servers = asking.servers(now, client(ticket.host), SERVERS_MAX);
        let servers = servers.await?.into_iter().collect();
        let story = Telling { asking, ticket }.story().await?;
        Ok(Told {
            story: Some(story),
            servers,
        })
    }

    /// The picture of a ticket within a scope.
    ///
    /// # Errors
    ///
    /// As [`RunningDesk::told_within`], and if there is no such ticket.
    pub(super) async fn drawn_within(
        &self,
        number: u32,
        scope: &Scope,
    ) -> Result<Option<Vec<u8>>, DeskError> {
        let ticket = self.archive.catalog.ticket(number).await?;
        if ticket.made_at.is_none() {
            return Ok(None);
        }
        let drawing = async {
            let _place = self.scoped.place().await;
            let whose = (number, scope.text());
            if let Some(drawn) = self.scoped.drawn.get(whose) {
                return drawn;
            }
            let drawn = self.picture_of(&ticket, scope).await;
            match drawn {
                Some(_) => self.scoped.drawn.put(whose, drawn),
                None => None,
            }
        };
        in_time(drawing).await
    }
}

async fn in_time<T>(made: impl Future<Output = T>) -> Result<T, DeskError> {
    let why = "others wait for their tickets, too: ask again in a moment";
    let made = tokio::time::timeout(WAIT, made).await;
    made.map_err(|_| DeskError::Busy(why.to_owned()))
}

/// What was made for tickets and scopes: at most [`KEPT_MAX`], the last ones that somebody looked at.
#[derive(Debug)]
struct Kept<T>(Mutex<VecDeque<(u32, String, T)>>);

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Kept<T> {
    fn get(&self, (number, scope): (u32, &str)) -> Option<T> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = all.iter().position(|it| it.0 == number && it.1 == scope)?;
        let found = all.remove(at)?;
        let value = found.2.clone();
        all.push_back(found);
        Some(value)
    }

    fn put(&self, (number, scope): (u32, &str), value: T) -> T {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= KEPT_MAX {
            all.pop_front();
        }
        all.push_back((number, scope.to_owned(), value.clone()));
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_looked_at_for_longest_goes() {
        let kept = Kept::default();
        for number in 0..64 {
            kept.put((number, "site berlin"), number);
        }
        assert_eq!(kept.get((0, "site berlin")), Some(0));
        assert_eq!(kept.get((0, "site paris")), None);
        kept.put((64, "site berlin"), 64);
        assert_eq!(kept.get((1, "site berlin")), None);
        for number in [0, 2, 64] {
            assert_eq!(kept.get((number, "site berlin")), Some(number));
        }
    }
}
