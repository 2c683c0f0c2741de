//! The desk: takes tickets, tells their stories, and hands them to who works them.
//!
//! | file | holds |
//! |---|---|
//! | `flood` | one who presses too often is slowed |
//! | `pressing` | a press: what it is scoped to, and the ticket |
//! | `asking` | what the desk wants to know of the store |
//! | `telling` | the story: what is compared with what |
//! | `middle` | many clients as one |
//! | `words` | a sentence for each comparison |
//! | `making` | the task that makes story and picture, one ticket at a time |
//! | `scoped` | both again for who sees a part of the flows |

mod asking;
mod flood;
mod making;
mod middle;
mod pressing;
mod scoped;
mod telling;
mod words;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use api::archive::ArchiveError;
use api::studio::Studio;
use api::tickets::{Bulletin, Desk, DeskError, Here, Opened, Press, Story, Used};
use flow::{Timestamp, clock};
use futures_util::future::BoxFuture;
use store::StoreError;
use store::catalog::{CatalogError, Step, Ticket, TicketQuery};
use store::outcomes::By;
use store::question::{Scope, Window};
use tokio::sync::Notify;

use self::asking::{Asking, client};
use self::flood::Flood;
use self::scoped::{Scoped, Told};
use self::words::per_second;
use super::archive::RunningArchive;

/// What "now" is: so long before a press.
const NOW: Duration = Duration::from_secs(10 * 60);
/// And "the hour before": so long before that.
const BEFORE: Duration = Duration::from_secs(3600);
/// Applications that somebody is shown of their own.
const SHOWN: u32 = 10;

/// Takes tickets. Clones share it.
#[derive(Clone)]
pub(crate) struct RunningDesk {
    archive: RunningArchive,
    studio: Arc<dyn Studio>,
    flood: Arc<Mutex<Flood>>,
    bulletin: Bulletin,
    /// Tells that there is a story to make.
    pressed: Arc<Notify>,
    /// Tells that something became of a ticket.
    news: Arc<Notify>,
    scoped: Arc<Scoped>,
}

impl RunningDesk {
    /// Over the recordings. Nothing runs yet: see [`RunningDesk::make_stories`].
    pub(crate) fn new(archive: RunningArchive, studio: Arc<dyn Studio>, news: Arc<Notify>) -> Self {
        Self {
            archive,
            studio,
            flood: Arc::default(),
            bulletin: Bulletin::default(),
            pressed: Arc::default(),
            news,
            scoped: Arc::default(),
        }
    }

    /// Questions, as things were known then, for who sees so much.
    fn asking<'a>(&'a self, known_at: Timestamp, scope: &'a Scope) -> Asking<'a> {
        Asking {
            store: &self.archive.store,
            known_at,
            scope,
        }
    }

    /// The site of an address; empty if it is at none.
    fn site_of(&self, address: IpAddr) -> String {
        let rules = self.archive.naming.in_force();
        rules.site_of(address).unwrap_or_default().to_owned()
    }

    async fn used(
        &self,
        address: IpAddr,
        (at, scope): (Timestamp, &Scope),
    ) -> Result<Vec<Used>, StoreError> {
        let now = Window {
            from: at - NOW,
            to: at,
        };
        let before = Window {
            from: now.from - BEFORE,
            to: now.from,
        };
        let asking = self.asking(at, scope);
        let used = asking.outcomes(now, client(address), (By::Applications, SHOWN));
        let earlier = asking.outcomes(before, client(address), (By::Applications, 1000));
        let (used, earlier) = tokio::try_join!(used, earlier)?;
        let earlier: BTreeMap<_, _> = earlier
            .into_iter()
            .map(|one| (one.name, per_second(one.octets, before)))
            .collect();
        let used = used.into_iter().map(|one| Used {
            octets_per_second: per_second(one.octets, now),
            octets_per_second_before: earlier.get(&one.name).copied(),
            application: one.name,
        });
        Ok(used.collect())
    }

    /// What a ticket is compared with, and its servers, for who sees so much.
    async fn told_to(&self, ticket: &Ticket, scope: &Scope) -> Result<Told, DeskError> {
        if !scope.sees_all() {
            return self.told_within(ticket, scope).await;
        }
        let catalog = &self.archive.catalog;
        let story = catalog.ticket_story(ticket.number).await?;
        Ok(Told {
            story: story.map(|json| read(ticket.number, &json)).transpose()?,
            servers: catalog.ticket_servers(ticket.number).await?,
        })
    }

    async fn told(&self, number: u32) -> Result<Ticket, DeskError> {
        let ticket = self.archive.catalog.ticket(number).await?;
        self.bulletin.tell(ticket.clone());
        self.news.notify_one();
        Ok(ticket)
    }
}

impl Desk for RunningDesk {
    fn here<'a>(&'a self, address: Option<IpAddr>, scope: &'a Scope) -> BoxFuture<'a, Here> {
        Box::pin(async move {
            let Some(known) = address else {
                let absent = "it is not known where you are".to_owned();
                return Here {
                    absent: Some(absent),
                    ..Here::default()
                };
            };
            let used = self.used(known, (clock::now(), scope)).await;
            let absent = used.as_ref().err().map(|error| {
                tracing::debug!(%error, "what an address used is not known");
                "the store does not answer now".to_owned()
            });
            Here {
                address,
                name: None,
                site: self.site_of(known),
                applications: used.unwrap_or_default(),
                absent,
            }
        })
    }

    fn press(&self, press: Press) -> BoxFuture<'_, Result<Ticket, DeskError>> {
        // To its end, whether somebody still waits for it or not.
        let this = self.clone();
        let task = tokio::spawn(async move { this.press_one(press).await });
        Box::pin(async { task.await.map_err(gone)? })
    }

    fn list<'a>(&'a self, query: &'a TicketQuery) -> BoxFuture<'a, Result<Vec<Ticket>, DeskError>> {
        Box::pin(async move { Ok(self.archive.catalog.tickets(query).await?) })
    }

    fn show(&self, number: u32) -> BoxFuture<'_, Result<Ticket, DeskError>> {
        Box::pin(async move { Ok(self.archive.catalog.ticket(number).await?) })
    }

    fn open<'a>(
        &'a self,
        number: u32,
        scope: &'a Scope,
    ) -> BoxFuture<'a, Result<Opened, DeskError>> {
        Box::pin(async move {
            let catalog = &self.archive.catalog;
            let ticket = catalog.ticket(number).await?;
            let Told { story, servers } = self.told_to(&ticket, scope).await?;
            Ok(Opened {
                events: catalog.ticket_events(number).await?,
                recording: catalog.recording_of_ticket(number).await?,
                story,
                servers,
                similar: catalog.similar_tickets(&ticket).await?,
                ticket,
            })
        })
    }

    fn picture<'a>(
        &'a self,
        number: u32,
        scope: &'a Scope,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>, DeskError>> {
        Box::pin(async move {
            match scope.sees_all() {
                true => Ok(self.archive.catalog.ticket_picture(number).await?),
                false => self.drawn_within(number, scope).await,
            }
        })
    }

    fn work<'a>(
        &'a self,
        number: u32,
        who: &'a str,
        step: Step,
    ) -> BoxFuture<'a, Result<Ticket, DeskError>> {
        Box::pin(async move {
            let event = (clock::now(), who);
            self.archive.catalog.work_on(number, event, &step).await?;
            if let Step::Merge(into) = step {
                self.told(into).await?;
            }
            self.told(number).await
        })
    }

    fn bulletin(&self) -> &Bulletin {
        &self.bulletin
    }
}

fn read(number: u32, json: &str) -> Result<Story, CatalogError> {
    serde_json::from_str(json).map_err(|error| CatalogError::Damaged {
        what: "story of ticket",
        name: number.to_string(),
        source: error.into(),
    })
}

fn gone(error: tokio::task::JoinError) -> DeskError {
    DeskError::Failed {
        what: "the task of a press is gone".to_owned(),
        source: error.into(),
    }
}

/// A press needs what a recording needs.
fn of_archive(error: ArchiveError) -> DeskError {
    match error {
        ArchiveError::Unknown(why) => DeskError::Unknown(why),
        ArchiveError::Conflict(why) | ArchiveError::Unavailable(why) => DeskError::Conflict(why),
        ArchiveError::Refused(why) => DeskError::Refused(why),
        ArchiveError::Full(why) => DeskError::Full(why),
        ArchiveError::Failed { what, source } => DeskError::Failed { what, source },
    }
}
