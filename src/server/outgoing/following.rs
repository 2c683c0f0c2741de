//! The task that follows what becomes of tickets, and makes messages of it.

use std::sync::Arc;
use std::time::Duration;

use flow::clock;
use store::catalog::{Catalog, CatalogError, NewMessage, Receiver, TicketEventKind, Untold};
use tokio::sync::Notify;

use super::calling;
use super::letters::{self, Told};
use super::stats::Stats;

/// Events that are told in one transaction.
const EVENTS_AT_ONCE: u32 = 100;
/// Before the catalog is asked again that did not answer.
const PAUSE: Duration = Duration::from_secs(5);

/// Makes messages of events.
pub(super) struct Following {
    pub(super) catalog: Catalog,
    /// Whether there is a way for mail.
    pub(super) mails: bool,
    /// Those that webhooks are told, by their names and the kinds of events; all if none is named.
    pub(super) hooks: Vec<(String, Vec<TicketEventKind>)>,
    /// Where the pages are, for links.
    pub(super) pages: Option<String>,
    pub(super) stats: Arc<Stats>,
    /// Tells that something became of a ticket.
    pub(super) news: Arc<Notify>,
    /// Told when there is something to send.
    pub(super) wakes: Vec<Arc<Notify>>,
}

impl Following {
    /// Runs as long as the product.
    pub(super) async fn run(self) {
        loop {
            match self.tell_next().await {
                Ok(true) => self.wakes.iter().for_each(|wake| wake.notify_one()),
                Ok(false) => self.news.notified().await,
                Err(error) => {
                    let error = crate::output::chain(&error);
                    tracing::warn!(%error, "what became of tickets is not told now");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// Tells the next events. Whether there were any.
    async fn tell_next(&self) -> Result<bool, CatalogError> {
        let untold = self.catalog.untold_events(EVENTS_AT_ONCE).await?;
        let Some(last) = untold.last().map(|untold| untold.number) else {
            return Ok(false);
        };
        let mut messages = Vec::new();
        for one in &untold {
            if self.mails {
                messages.extend(self.mails_of(one).await?);
            }
            messages.extend(self.calls_of(one));
        }
        let now = clock::now();
        let added = self.catalog.tell_events(last, &messages, now).await?;
        if added.refused > 0 {
            self.stats.refused(added.refused);
            tracing::warn!(
                messages = added.refused,
                "too much waits to go out: messages were refused"
            );
        }
        Ok(true)
    }

    /// What webhooks are told of it. What an account of a hook's name did is known there.
    fn calls_of(&self, untold: &Untold) -> impl Iterator<Item = NewMessage> {
        let (ticket, event) = (&untold.ticket, &untold.event);
        let told = self.hooks.iter().filter(|(name, kinds)| {
            *name != event.who && (kinds.is_empty() || kinds.contains(&event.kind))
        });
        let pages = self.pages.as_deref();
        told.filter_map(move |(name, _)| {
            Some(NewMessage {
                to: Receiver::Hook(name.clone()),
                ticket: Some(ticket.number),
                subject: format!("Ticket {}: {}", ticket.number, event.kind.name()),
                body: calling::facts(ticket, event, pages).ok()?,
                attachments: Vec::new(),
            })
        })
    }

    /// Mails to who reported the ticket and who works on it.
    async fn mails_of(&self, untold: &Untold) -> Result<Vec<NewMessage>, CatalogError> {
        let ticket = &untold.ticket;
        let assignee = ticket.assignee.iter().map(|name| (Told::Assignee, name));
        let people = std::iter::once((Told::Reporter, &ticket.reporter));
        let mut mails = Vec::new();
        for (told, name) in people.chain(assignee.filter(|(_, name)| **name != ticket.reporter)) {
            let pages = self.pages.as_deref();
            let Some(body) = letters::letter(told, name, ticket, &untold.event, pages) else {
                continue;
            };
            let Some(account) = self.catalog.mail_receiver(name).await? else {
                continue;
            };
            let may_see = told == Told::Reporter || api::tickets::may_see(&account, ticket);
            if let Some(address) = account.email.filter(|_| may_see) {
                mails.push(NewMessage {
                    to: Receiver::Mail(address),
                    ticket: Some(ticket.number),
                    subject: letters::subject(ticket),
                    body,
                    attachments: Vec::new(),
                });
            }
        }
        Ok(mails)
    }
}
