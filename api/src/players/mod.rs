//! Players: any views of a recording, or of the live past, as they move.
//!
//! | module | holds |
//! |---|---|
//! | `routes` | the addresses |
//! | `messages` | what is told to a player, and what it tells |
//! | `show` | what a player shows and when; no clock, no store |
//! | `running` | a player at work: the task that asks, and those who listen |
//!
//! A player's clock is `replay::player`. Its frames are asked for as the questions of the same views would be (`view`).

mod messages;
pub(crate) mod routes;
mod running;
mod show;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::AbortHandle;

use self::running::{Ask, Running};
use self::show::Show;
use crate::ApiError;
use crate::chance;
use crate::people::Person;

/// Players at the same time. When there are as many, another is refused (429) until one ends.
pub const PLAYERS_MAX: usize = 1000;
/// Listeners at the same time, of all players together: half of the server's connections, as each keeps one. When there
/// are as many, another is refused (429) until one goes.
pub const LISTENERS_MAX: usize = crate::server::CONNECTIONS_MAX / 2;
/// A player that nobody listens to for so long ends. A listener who takes nothing of what is sent does not count.
pub const LONELY_MAX: Duration = Duration::from_secs(60);
/// A player that is older ends, whoever listens.
pub const AGE_MAX: Duration = Duration::from_secs(24 * 3600);
/// A listener to whom nothing was told for so long gets a comment, so that nobody between takes the connection for dead.
pub const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Views of one player. More are refused (400).
pub const VIEWS_MAX: usize = 12;
/// Characters of a view's name.
pub const VIEW_NAME_MAX: usize = 64;
/// Views of a frame that are asked for at the same time; the others wait for one of these.
pub const VIEWS_ASKED_MAX: usize = 4;
/// Frames of one player in a second of its listeners' time; those between are left out.
pub const FRAMES_PER_SECOND_MAX: u32 = 10;

/// What there may be of players.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) players_max: usize,
    pub(crate) listeners_max: usize,
    pub(crate) lonely_max: Duration,
    pub(crate) age_max: Duration,
    pub(crate) keep_alive: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            players_max: PLAYERS_MAX,
            listeners_max: LISTENERS_MAX,
            lonely_max: LONELY_MAX,
            age_max: AGE_MAX,
            keep_alive: KEEP_ALIVE,
        }
    }
}

/// All players of a server. Clones share them.
#[derive(Clone, Debug)]
pub struct Players {
    limits: Limits,
    table: Arc<Mutex<Table>>,
    places: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct Table {
    by_id: BTreeMap<String, Entry>,
    /// The server stops: nobody may begin.
    closed: bool,
}

#[derive(Debug)]
struct Entry {
    /// Who made it.
    owner: Person,
    running: Arc<Running>,
    task: AbortHandle,
}

impl Default for Players {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl Players {
    fn new(limits: Limits) -> Self {
        Self {
            limits,
            table: Arc::default(),
            places: Arc::new(Semaphore::new(limits.listeners_max)),
        }
    }

    /// Begins to run a player that is this person's, and returns its name.
    fn begin(
        &self,
        owner: &Person,
        show: Show,
        ask: Ask,
    ) -> Result<(String, Arc<Running>), ApiError> {
        // Of the players of those who have not signed on whoever knows the name may listen and command.
        let id = chance::hex::<16>().map_err(|error| {
            let what = "no name can be made for the player";
            ApiError::because(StatusCode::INTERNAL_SERVER_ERROR, what, &error)
        })?;
        let mut table = self.table();
        self.check_place(&table)?;
        let running = Arc::new(Running::new(show, self.limits));
        let ending = Ending {
            players: self.clone(),
            id: id.clone(),
        };
        let player = running.clone();
        let task = tokio::spawn(async move {
            let _ending = ending;
            player.run(ask).await;
        });
        let entry = Entry {
            owner: owner.clone(),
            running: running.clone(),
            task: task.abort_handle(),
        };
        table.by_id.insert(id.clone(), entry);
        Ok((id, running))
    }

    /// Refuses another player where there are too many.
    fn check_place(&self, table: &Table) -> Result<(), ApiError> {
        if table.closed {
            let why = "the server is being stopped";
            return Err(ApiError::refused(StatusCode::SERVICE_UNAVAILABLE, why));
        }
        if table.by_id.len() >= self.limits.players_max {
            let why = format!(
                "there are {} players already: end one, or try again later",
                table.by_id.len()
            );
            return Err(ApiError::refused(StatusCode::TOO_MANY_REQUESTS, why));
        }
        Ok(())
    }

    /// A person's player by its name.
    fn find(&self, who: &Person, id: &str) -> Result<Arc<Running>, ApiError> {
        let table = self.table();
        let entry = table.by_id.get(id).filter(|entry| entry.is_of(who));
        Ok(entry.ok_or_else(unknown)?.running.clone())
    }

    /// A place for one more listener, to a player or to news of tickets.
    pub(crate) fn place(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        self.places.clone().try_acquire_owned().map_err(|_| {
            let why = format!(
                "{} listen already, as many as can be: try again later",
                self.limits.listeners_max
            );
            ApiError::refused(StatusCode::TOO_MANY_REQUESTS, why)
        })
    }

    /// Ends a person's player, its task and its listeners' streams.
    fn end(&self, who: &Person, id: &str) -> Result<(), ApiError> {
        self.find(who, id)?;
        self.remove(id);
        Ok(())
    }

    /// Ends a player that may have ended.
    fn remove(&self, id: &str) {
        let removed = self.table().by_id.remove(id);
        if let Some(entry) = removed {
            entry.end();
        }
    }

    /// Ends all, for good: streams that go on for ever would keep the server from stopping.
    pub(crate) fn end_all(&self) {
        let all = {
            let mut table = self.table();
            table.closed = true;
            std::mem::take(&mut table.by_id)
        };
        for entry in all.into_values() {
            entry.end();
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// Whether it is this person's. Who sees something else by now is somebody else.
    fn is_of(&self, who: &Person) -> bool {
        (&self.owner.name, &self.owner.scope) == (&who.name, &who.scope)
    }

    fn end(self) {
        self.running.end();
        self.task.abort();
    }
}

/// Takes a player off the table when its task ends, however it does.
struct Ending {
    players: Players,
    id: String,
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.players.remove(&self.id);
    }
}

fn unknown() -> ApiError {
    ApiError::not_found("there is no such player; it may have ended")
}
