//! Visual trouble tickets: who pressed when, and what became of it.
//!
//! | file | holds |
//! |---|---|
//! | `press` | a ticket and its recording, both or neither |
//! | `queue` | pages of tickets, one of them, and those like it |
//! | `work` | what is done with a ticket, each with its event |
//! | `making` | story and picture, which come after the press |
//! | `replayed` | from a ticket to its recording, and back |

mod making;
mod press;
mod queue;
mod replayed;
#[cfg(test)]
mod tests;
mod work;

use std::net::IpAddr;

use flow::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use utoipa::ToSchema;

use super::CatalogError;

pub use press::{NewTicket, TICKETS_MAX, WORDS_CHARS_MAX};
pub use queue::{PAGE_MAX, SIMILAR_MAX, TicketQuery};
pub use work::{COMMENT_CHARS_MAX, Step};

/// How far a ticket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TicketState {
    /// The help desk has it.
    Open,
    /// An engineer has it.
    Escalated,
    /// It is over, or another ticket goes on with it.
    Closed,
}

impl TicketState {
    const ALL: [Self; 3] = [Self::Open, Self::Escalated, Self::Closed];

    /// The name in the catalog and in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Escalated => "escalated",
            Self::Closed => "closed",
        }
    }
}

/// A ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ticket {
    /// As people call it.
    pub number: u32,
    /// 32 hex digits, for other systems.
    pub id: String,
    /// When the button was pressed.
    #[schema(value_type = String, format = DateTime)]
    pub pressed_at: Timestamp,
    /// Who pressed it: an account, or the address that it was pressed at.
    pub reporter: String,
    /// The address that it is about.
    #[schema(value_type = String)]
    pub host: IpAddr,
    /// The site that the address is at; empty if at none.
    pub site: String,
    /// What they say is slow; empty if they did not.
    pub application: String,
    /// What they say of it; empty if nothing.
    pub words: String,
    /// How far it is.
    pub state: TicketState,
    /// Who works on it.
    pub assignee: Option<String>,
    /// Why it was closed.
    pub reason: Option<String>,
    /// The ticket that goes on with it.
    pub merged_into: Option<u32>,
    /// The number of its recording; `None` once somebody deleted that.
    pub recording: Option<u32>,
    /// When story and picture were made; `None` as long as they are being made.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub made_at: Option<Timestamp>,
    /// Whether there is a picture.
    pub has_picture: bool,
}

/// What is done with a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TicketEventKind {
    /// The button was pressed. The text says what the recording is scoped to.
    Pressed,
    /// Somebody works on it: the text.
    Assigned,
    /// Somebody said something: the text.
    Commented,
    /// An engineer is to look at it.
    Escalated,
    /// Another ticket goes on with it: the text is its number.
    Merged,
    /// It goes on with another one: the text is its number.
    TookIn,
    /// It is over. The text says why.
    Closed,
    /// It was not over.
    Reopened,
}

impl TicketEventKind {
    const ALL: [Self; 8] = [
        Self::Pressed,
        Self::Assigned,
        Self::Commented,
        Self::Escalated,
        Self::Merged,
        Self::TookIn,
        Self::Closed,
        Self::Reopened,
    ];

    /// The name in the catalog and in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pressed => "pressed",
            Self::Assigned => "assigned",
            Self::Commented => "commented",
            Self::Escalated => "escalated",
            Self::Merged => "merged",
            Self::TookIn => "took_in",
            Self::Closed => "closed",
            Self::Reopened => "reopened",
        }
    }
}

/// Something that was done with a ticket. Events are only ever added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TicketEvent {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// By whom.
    pub who: String,
    /// What.
    pub kind: TicketEventKind,
    /// What there is to say of it; may be empty.
    pub text: String,
}

/// The columns of a row: without story and picture, which may be long.
const COLUMNS: &str = "number, id, pressed_at, reporter, host, site, application, words, state, assignee, reason, merged_into, \
     recording, made_at, picture IS NOT NULL AS has_picture";

#[derive(FromRow)]
struct TicketRow {
    number: u32,
    id: String,
    pressed_at: i64,
    reporter: String,
    host: String,
    site: String,
    application: String,
    words: String,
    state: String,
    assignee: Option<String>,
    reason: Option<String>,
    merged_into: Option<u32>,
    recording: Option<u32>,
    made_at: Option<i64>,
    has_picture: bool,
}

impl TryFrom<TicketRow> for Ticket {
    type Error = CatalogError;
    fn try_from(row: TicketRow) -> Result<Self, CatalogError> {
        let number = row.number.to_string();
        let damaged = |why: String| CatalogError::damaged("ticket", &number, why);
        let mut states = TicketState::ALL.into_iter();
        let state = states.find(|state| state.name() == row.state);
        let host = row.host.parse();
        Ok(Self {
            number: row.number,
            id: row.id,
            pressed_at: Timestamp::from_nanos(row.pressed_at),
            reporter: row.reporter,
            host: host.map_err(|_| damaged(format!("'{}' is no address", row.host)))?,
            site: row.site,
            application: row.application,
            words: row.words,
            state: state.ok_or_else(|| damaged(format!("unknown state '{}'", row.state)))?,
            assignee: row.assignee,
            reason: row.reason,
            merged_into: row.merged_into,
            recording: row.recording,
            made_at: row.made_at.map(Timestamp::from_nanos),
            has_picture: row.has_picture,
        })
    }
}

fn unknown(number: u32) -> CatalogError {
    CatalogError::Unknown {
        what: "ticket",
        name: number.to_string(),
    }
}

/// Text of several lines that can be shown: no control characters but the ends of lines, and no more than so many.
fn check_lines(what: &str, text: &str, chars_max: usize) -> Result<(), CatalogError> {
    let is_shown = |letter| letter == '\n' || flow::text::is_shown(letter);
    if text.chars().count() <= chars_max && text.chars().all(is_shown) {
        return Ok(());
    }
    Err(CatalogError::Wrong(format!(
        "{what} may have {chars_max} characters that can be shown"
    )))
}
