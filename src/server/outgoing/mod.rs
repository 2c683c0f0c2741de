//! What goes out of the house: mail, and calls of webhooks.
//!
//! | file | holds |
//! |---|---|
//! | `following` | what becomes of tickets, made into messages |
//! | `letters` | the words of mails |
//! | `sending` | a channel's task: what waits, one after the other |
//! | `backoff` | when something that was not sent is tried again |
//! | `mailing` | mail by SMTP |
//! | `calling` | webhooks by HTTP |
//! | `stats` | what went out, and what did not |
//!
//! The queue is the catalog's (`store/src/catalog/outbox`): at most 10,000 messages wait, what is beyond is refused and counted in
//! `flowreel_outgoing_refused_messages_total`.

mod backoff;
mod calling;
mod following;
mod letters;
pub(crate) mod mailing;
mod sending;
mod stats;

use std::sync::Arc;

use anyhow::Result;
use api::outgoing::{MailServer, Outgoing};
use flow::clock;
use store::catalog::{Catalog, MAIL};
use tokio::sync::Notify;
use tokio::task::JoinHandle as Task;

use self::calling::Caller;
use self::following::Following;
use self::mailing::Mailer;
use self::sending::Sending;
pub(crate) use self::stats::Stats;
use crate::config::Config;

/// What goes out, at work.
pub(crate) struct RunningOutgoing {
    mail: Option<MailServer>,
    /// Tells that something became of a ticket.
    pub(crate) news: Arc<Notify>,
    wakes: Vec<Arc<Notify>>,
    pub(crate) stats: Arc<Stats>,
}

impl RunningOutgoing {
    /// Starts the tasks. What they leave half done when they are aborted, the next start does.
    ///
    /// # Errors
    ///
    /// A file that the configuration names can't be read, or the catalog.
    pub(crate) async fn start(config: &Config, catalog: &Catalog) -> Result<(Self, Vec<Task<()>>)> {
        let stats = Arc::<Stats>::default();
        let mut channels = Vec::new();
        if let Some(mail) = &config.mail {
            channels.push(Sending {
                channel: MAIL.to_owned(),
                catalog: catalog.clone(),
                carrier: Box::new(Mailer::new(mail)?),
                stats: stats.clone(),
                wake: Arc::default(),
            });
        }
        for hook in &config.webhooks {
            channels.push(Sending {
                channel: hook.name.clone(),
                catalog: catalog.clone(),
                carrier: Box::new(Caller::new(hook)?),
                stats: stats.clone(),
                wake: Arc::default(),
            });
        }
        let names: Vec<&str> = channels.iter().map(|it| it.channel.as_str()).collect();
        catalog.give_up_others(&names, clock::now()).await?;
        if channels.is_empty() {
            catalog.skip_events().await?;
        }
        let this = Self {
            mail: config.mail.as_ref().map(|mail| MailServer {
                server: format!("{}:{}", mail.host, mail.port()),
                from: mail.from.clone(),
            }),
            news: Arc::default(),
            wakes: channels.iter().map(|it| it.wake.clone()).collect(),
            stats,
        };
        let mut tasks = Vec::new();
        if !channels.is_empty() {
            let following = Following {
                catalog: catalog.clone(),
                mails: config.mail.is_some(),
                hooks: config
                    .webhooks
                    .iter()
                    .map(|hook| (hook.name.clone(), hook.events.clone()))
                    .collect(),
                pages: config
                    .public_address
                    .as_deref()
                    .map(|address| address.trim_end_matches('/').to_owned()),
                stats: this.stats.clone(),
                news: this.news.clone(),
                wakes: this.wakes.clone(),
            };
            tasks.push(tokio::spawn(following.run()));
        }
        tasks.extend(channels.into_iter().map(|it| tokio::spawn(it.run())));
        Ok((this, tasks))
    }
}

impl Outgoing for RunningOutgoing {
    fn mail(&self) -> Option<&MailServer> {
        self.mail.as_ref()
    }

    fn wake(&self) {
        self.wakes.iter().for_each(|wake| wake.notify_one());
    }
}
