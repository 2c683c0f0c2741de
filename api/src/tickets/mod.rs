//! Visual trouble tickets: what the API needs of the desk that takes them, as a trait that the binary implements.
//!
//! | file | holds |
//! |---|---|
//! | `story` | what a press is compared with |
//! | `routes` | the addresses |
//! | `sight` | who may see which ticket, and what of it |
//! | `bulletin` | those who want to know what changes |

mod bulletin;
pub(crate) mod routes;
mod sight;
mod story;

use std::net::IpAddr;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use store::catalog::{CatalogError, Step, Ticket, TicketEvent, TicketQuery};
use store::question::Scope;
use utoipa::ToSchema;

pub use bulletin::Bulletin;
pub use sight::may_see;
pub use story::{ApplicationStory, Measures, Side, Story, StoryLine};

/// Takes tickets, and works them. All methods may touch disk and store.
pub trait Desk: Send + Sync + 'static {
    /// What an address used in the last minutes, as far as a scope shows it.
    fn here<'a>(&'a self, address: Option<IpAddr>, scope: &'a Scope) -> BoxFuture<'a, Here>;
    /// Takes a ticket: it and its recording are there when this returns, story and picture come after.
    fn press(&self, press: Press) -> BoxFuture<'_, Result<Ticket, DeskError>>;
    /// A page of tickets, newest first.
    fn list<'a>(&'a self, query: &'a TicketQuery) -> BoxFuture<'a, Result<Vec<Ticket>, DeskError>>;
    /// A ticket.
    fn show(&self, number: u32) -> BoxFuture<'_, Result<Ticket, DeskError>>;
    /// A ticket with all that belongs to it; story and servers as a scope shows them.
    fn open<'a>(
        &'a self,
        number: u32,
        scope: &'a Scope,
    ) -> BoxFuture<'a, Result<Opened, DeskError>>;
    /// Its picture (SVG) of what a scope shows, once there is one.
    fn picture<'a>(
        &'a self,
        number: u32,
        scope: &'a Scope,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>, DeskError>>;
    /// Does a step with it, in somebody's name.
    fn work<'a>(
        &'a self,
        number: u32,
        who: &'a str,
        step: Step,
    ) -> BoxFuture<'a, Result<Ticket, DeskError>>;
    /// Where what changes is told.
    fn bulletin(&self) -> &Bulletin;
}

/// A press as the desk takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Press {
    /// Who pressed: an account, or an address.
    pub reporter: String,
    /// The address that it is about.
    pub host: IpAddr,
    /// What they say is slow; may be empty.
    pub application: String,
    /// What they say of it; may be empty.
    pub words: String,
}

/// A press as it is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NewPress {
    /// The address that it is about; the one that the press is seen from, if left out.
    #[schema(value_type = Option<String>)]
    pub host: Option<IpAddr>,
    /// What is slow.
    pub application: String,
    /// What there is to say of it: up to 2,000 characters, of several lines.
    pub words: String,
}

/// Where somebody is, and what they use.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Here {
    /// The address that they are seen from.
    #[schema(value_type = Option<String>)]
    pub address: Option<IpAddr>,
    /// What the host is called, if that is known.
    pub name: Option<String>,
    /// The site that the address is at; empty if at none.
    pub site: String,
    /// What the address used in the last ten minutes, largest first; at most ten.
    pub applications: Vec<Used>,
    /// Why nothing is known of applications.
    pub absent: Option<String>,
}

/// An application in use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Used {
    /// The application.
    pub application: String,
    /// Octets a second in the last ten minutes.
    pub octets_per_second: f64,
    /// Octets a second in the hour before; `None` if it was not used then.
    pub octets_per_second_before: Option<f64>,
}

/// A ticket with all that belongs to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Opened {
    /// The ticket.
    pub ticket: Ticket,
    /// What became of it, oldest first.
    pub events: Vec<TicketEvent>,
    /// The name of its recording; `None` for whoever may not replay it, and once it is deleted.
    pub recording: Option<String>,
    /// What it is compared with; `None` as long as that is being made.
    pub story: Option<Story>,
    /// The servers that the host had used.
    #[schema(value_type = Vec<String>)]
    pub servers: Vec<IpAddr>,
    /// Tickets that were pressed within two hours of it and share a site, an application or a server with it, newest first.
    pub similar: Vec<u32>,
}

/// Why the desk did not do it.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// There is no such ticket.
    #[error("{0}")]
    Unknown(String),
    /// What was asked for can't be.
    #[error("{0}")]
    Refused(String),
    /// The ticket is not in a state for that.
    #[error("{0}")]
    Conflict(String),
    /// Too many presses of one: nothing was made.
    #[error("{why}")]
    Slowed {
        /// In friendly words.
        why: String,
        /// How long it is until the next is taken, seconds.
        wait_s: u64,
    },
    /// There is no room for it.
    #[error("{0}")]
    Full(String),
    /// Not now: it can be asked again.
    #[error("{0}")]
    Busy(String),
    /// It should have worked.
    #[error("{what}")]
    Failed {
        /// What was being done.
        what: String,
        /// What went wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl From<CatalogError> for DeskError {
    fn from(error: CatalogError) -> Self {
        match error {
            unknown @ CatalogError::Unknown { .. } => Self::Unknown(unknown.to_string()),
            CatalogError::Conflict(why) => Self::Conflict(why),
            CatalogError::Wrong(why) => Self::Refused(why),
            other => Self::Failed {
                what: "the catalog does not do it".to_owned(),
                source: Box::new(other),
            },
        }
    }
}
