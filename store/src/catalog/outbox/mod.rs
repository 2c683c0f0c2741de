//! What goes out of the house, until it was taken.
//!
//! | file | holds |
//! |---|---|
//! | `adding` | what is to go out, and which events of tickets have been told |
//! | `sending` | what is next, and what became of it |
//! | `looking` | lists, for whoever looks after it |
//! | `receivers` | whom mail goes to |

mod adding;
mod looking;
mod receivers;
mod sending;
#[cfg(test)]
mod tests;

use flow::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use utoipa::ToSchema;

use super::CatalogError;

pub use adding::{ATTACHMENTS_OCTETS_MAX, Added, Untold, WAITING_MAX};
pub use looking::{MessageCounts, MessageQuery};
pub use receivers::MailWish;
pub use sending::{Due, JOINED_MAX, KEPT, MAIL_EVERY};

/// The channel of mail. Webhooks are called otherwise.
pub const MAIL: &str = "mail";

/// How far a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MessageState {
    /// It is tried, and tried again.
    Waiting,
    /// Its receiver took it.
    Sent,
    /// It was given up: somebody has to look at it.
    Dead,
}

impl MessageState {
    const ALL: [Self; 3] = [Self::Waiting, Self::Sent, Self::Dead];

    const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sent => "sent",
            Self::Dead => "dead",
        }
    }
}

/// Whom a message is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Receiver {
    /// Somebody's e-mail address.
    Mail(String),
    /// The webhook of this name.
    Hook(String),
}

/// A file that goes with a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// What it is called where it arrives.
    pub name: String,
    /// `application/pdf`.
    pub media_type: String,
    /// The file.
    pub content: Vec<u8>,
}

/// A message that is to go out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMessage {
    /// Whom it is for.
    pub to: Receiver,
    /// The ticket that it tells of.
    pub ticket: Option<u32>,
    /// What it is about, in a line.
    pub subject: String,
    /// Plain text of a mail; of a webhook the facts, as JSON.
    pub body: String,
    /// Files, of a mail only: [`ATTACHMENTS_OCTETS_MAX`] together.
    pub attachments: Vec<Attachment>,
}

/// A message, without what it says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Message {
    /// No other ever gets it.
    pub number: i64,
    /// 32 hex digits; the same at each attempt.
    pub id: String,
    /// `mail`, or the name of a webhook.
    pub channel: String,
    /// The address that a mail goes to; empty for a webhook.
    pub receiver: String,
    /// The ticket that it tells of.
    pub ticket: Option<u32>,
    /// What it is about.
    pub subject: String,
    /// How far it is.
    pub state: MessageState,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub made_at: Timestamp,
    /// How often it was tried in vain.
    pub attempts: u32,
    /// When it is tried next, if it waits.
    #[schema(value_type = String, format = DateTime)]
    pub next_at: Timestamp,
    /// When it was sent or given up.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
    /// Why it was not sent, the last time.
    pub error: Option<String>,
}

/// The columns of a [`Message`].
const COLUMNS: &str = "number, id, channel, receiver, ticket, subject, state, made_at, attempts, next_at, ended_at, error";

#[derive(FromRow)]
struct MessageRow {
    number: i64,
    id: String,
    channel: String,
    receiver: String,
    ticket: Option<u32>,
    subject: String,
    state: String,
    made_at: i64,
    attempts: u32,
    next_at: i64,
    ended_at: Option<i64>,
    error: Option<String>,
}

impl TryFrom<MessageRow> for Message {
    type Error = CatalogError;
    fn try_from(row: MessageRow) -> Result<Self, CatalogError> {
        let mut states = MessageState::ALL.into_iter();
        let state = states.find(|state| state.name() == row.state);
        let damaged =
            || CatalogError::damaged("message", &row.number.to_string(), "its state is unknown");
        Ok(Self {
            state: state.ok_or_else(damaged)?,
            number: row.number,
            id: row.id,
            channel: row.channel,
            receiver: row.receiver,
            ticket: row.ticket,
            subject: row.subject,
            made_at: Timestamp::from_nanos(row.made_at),
            attempts: row.attempts,
            next_at: Timestamp::from_nanos(row.next_at),
            ended_at: row.ended_at.map(Timestamp::from_nanos),
            error: row.error,
        })
    }
}
