//! The task that makes story and picture of each ticket, of what had arrived by its press: the same today or after a crash.

use std::time::Duration;

use api::archive::ArchiveError;
use api::studio::{Content, Drawing, PictureFile, Sheet, Theme};
use api::tickets::Story;
use flow::{Timestamp, clock};
use store::StoreError;
use store::catalog::Ticket;
use store::question::{Dimension, Quantity, Scope, Window};

use super::asking::{ALL, client};
use super::telling::Telling;
use super::{BEFORE, NOW, RunningDesk};

/// Between two looks whether what had arrived is in the store.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Before something that failed is tried again.
const PAUSE: Duration = Duration::from_secs(5);
/// Pixels of a picture.
const PICTURE: (u32, u32) = (960, 400);

/// Why there is no story yet.
#[derive(Debug, thiserror::Error)]
enum Unmade {
    #[error("the catalog does not do it")]
    Catalog(#[from] store::catalog::CatalogError),
    #[error("it is not known whether the store has it")]
    Archive(#[from] ArchiveError),
    #[error("the store does not answer")]
    Store(#[from] StoreError),
}

impl RunningDesk {
    /// Runs as long as the product. The queue is the catalog's: tickets without a story, one at a time, so it has no other bound
    /// than theirs and outlives a crash.
    pub(crate) async fn make_stories(self) {
        let mut ready = self.archive.store_ready.clone();
        // The sender lives in a task that ends with the product.
        if ready.wait_for(|ready| *ready).await.is_err() {
            return;
        }
        loop {
            match self.make_next().await {
                Ok(true) => {}
                Ok(false) => self.pressed.notified().await,
                Err(error) => {
                    let error = crate::output::chain(&error);
                    tracing::warn!(%error, "the story of a ticket cannot be made now");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// Makes the story of the oldest ticket that has none. Whether there was one.
    async fn make_next(&self) -> Result<bool, Unmade> {
        let catalog = &self.archive.catalog;
        let Some(number) = catalog.next_unmade_ticket(0).await? else {
            return Ok(false);
        };
        let ticket = catalog.ticket(number).await?;
        self.wait_until_stored(ticket.pressed_at).await?;
        let telling = Telling {
            asking: self.asking(ticket.pressed_at, &ALL),
            ticket: &ticket,
        };
        let story = match telling.story().await {
            Ok(story) => story,
            Err(error) if error.is_retryable() => return Err(error.into()),
            Err(error) => without(&ticket, &error),
        };
        let picture = self.picture_of(&ticket, &ALL).await;
        let json = serde_json::to_string(&story).unwrap_or_else(|_| "{}".to_owned());
        let made = catalog.made_ticket(number, &json, picture.as_deref(), clock::now());
        made.await?;
        // It may be gone by now only with the whole catalog.
        let _ = self.told(number).await;
        Ok(true)
    }

    /// Waits until all that had arrived by a press is in the store.
    async fn wait_until_stored(&self, pressed_at: Timestamp) -> Result<(), ArchiveError> {
        let arrived = Window {
            from: pressed_at - NOW,
            to: pressed_at,
        };
        while !self.archive.has_stored(arrived, clock::now()).await? {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// What it looked like: the host's traffic by application in the hour up to the press. Without it there is a ticket all the same.
    pub(super) async fn picture_of(&self, ticket: &Ticket, scope: &Scope) -> Option<Vec<u8>> {
        let to = ticket.pressed_at;
        let window = Window {
            from: to - BEFORE,
            to,
        };
        let asking = self.asking(to, scope);
        let answer = asking.traffic(window, client(ticket.host)).await.ok()?;
        let drawing = Drawing {
            title: Some(format!("Traffic of {}", ticket.host)),
            window,
            filter: None,
            recording: None,
            known_at: Some(to),
            dimension: Some(Dimension::Applications.into()),
            by: Quantity::Octets,
            content: Content::Series {
                answer,
                is_stacked: true,
                missing: Vec::new(),
                notes: Vec::new(),
            },
        };
        let studio = self.studio.clone();
        let drawn = tokio::task::spawn_blocking(move || studio.draw(&drawing, sheet())).await;
        match drawn {
            Ok(Ok(picture)) => Some(picture),
            Ok(Err(error)) => {
                tracing::warn!(ticket = ticket.number, %error, "a ticket has no picture");
                None
            }
            Err(_) => None,
        }
    }
}

fn sheet() -> Sheet {
    let (width, height) = PICTURE;
    Sheet {
        kind: PictureFile::Svg,
        width,
        height,
        theme: Theme::Light,
    }
}

/// A story that cannot be told, and why.
pub(super) fn without(ticket: &Ticket, error: &StoreError) -> Story {
    tracing::warn!(
        ticket = ticket.number,
        error = crate::output::chain(error),
        "the story of a ticket cannot be told"
    );
    Story {
        from: ticket.pressed_at - NOW,
        to: ticket.pressed_at,
        applications: Vec::new(),
        absent: Some("the store could not answer".to_owned()),
        verdict: None,
    }
}
