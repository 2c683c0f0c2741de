//! What can be asked of the store: typed questions and typed answers. No SQL here.

use std::collections::BTreeSet;
use std::time::Duration;

use flow::{Filter, FlowRecord, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What flows are grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Dimension {
    /// Applications.
    Applications,
    /// Client addresses.
    Clients,
    /// Server addresses.
    Servers,
    /// Client address, server address, server port, protocol: both directions together.
    Conversations,
    /// Exporters.
    Exporters,
    /// Exporter and interface, both directions.
    Interfaces,
    /// Sites, of either side.
    Sites,
    /// IP protocols.
    Protocols,
    /// Server ports with their protocol.
    Ports,
}

/// What groups are ordered by, and what a series draws.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// Octets, multiplied by the sampling interval where one is known.
    #[default]
    Octets,
    /// Packets, multiplied by the sampling interval where one is known.
    Packets,
    /// Flow records.
    Flows,
    /// Distinct client addresses.
    Clients,
}

/// A window of event time: `from` is in it, `to` is not.
///
/// A flow is in a window if any of its life is: `start < to` and `end >= from`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// First instant.
    pub from: Timestamp,
    /// First instant after it.
    pub to: Timestamp,
}

/// What every question says: when, which flows, and on whose behalf.
#[derive(Clone, Debug, PartialEq)]
pub struct Subject {
    /// Event time.
    pub window: Window,
    /// Which flows.
    pub filter: Filter,
    /// Knowledge time: only what had arrived by then. `None` is everything that has arrived.
    pub known_at: Option<Timestamp>,
    /// Only what arrived in this window: a recording that is kept by reference ([`crate::recording`]).
    pub arrived: Option<Window>,
    /// What the asker may see. Added by the store, last, to every question.
    pub scope: Scope,
}

/// What an asker may see: a filter that is added to every question in one place.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scope {
    /// `None` sees everything.
    pub only: Option<Filter>,
}

/// The largest groups.
#[derive(Clone, Debug, PartialEq)]
pub struct Top {
    /// When and which.
    pub subject: Subject,
    /// Grouped by.
    pub dimension: Dimension,
    /// Ordered by.
    pub by: Quantity,
    /// How many, 1 to 10,000.
    pub limit: u32,
}

/// One group of a [`Top`] answer.
///
/// Octets and packets are multiplied by the sampling interval where one is known, both directions together; a record
/// that was also seen at another observation point is counted once (for exporters and interfaces: at each).
/// A flow that is only partly in the window counts in proportion.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TopRow {
    /// The group's name.
    pub name: String,
    /// Octets.
    pub octets: u64,
    /// Packets.
    pub packets: u64,
    /// Flow records.
    pub flows: u64,
    /// Distinct client addresses.
    pub clients: u64,
}

/// What each group is like: its traffic, and how long its flows live. One side of a comparison ([`crate::compare`]).
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// When and which.
    pub subject: Subject,
    /// Grouped by.
    pub dimension: Dimension,
    /// How many groups, those with most octets first, 1 to 10,000.
    pub limit: u32,
}

/// The answer to [`Profile`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProfileAnswer {
    /// The groups, most octets first. No two have the same name.
    pub rows: Vec<ProfileRow>,
    /// Whether there are more groups than the limit: then one that is not here may still be there.
    pub more: bool,
    /// Names that were asked for besides, and that no group has: these are not there, whatever [`more`](Self::more) says.
    pub missing: BTreeSet<String>,
    /// Octets of all groups together, each record once.
    pub octets: u64,
    /// Flow records of all groups together, each once.
    pub flows: u64,
}

/// One group of a [`ProfileAnswer`]. Counts are as in a [`TopRow`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProfileRow {
    /// The group's name.
    pub name: String,
    /// Octets.
    pub octets: u64,
    /// Packets.
    pub packets: u64,
    /// Flow records.
    pub flows: u64,
    /// Distinct client addresses.
    pub clients: u64,
    /// Flow records that ended in the window and have the exporter's own stamps for both their ends.
    pub ended_flows: u64,
    /// Median life of these, milliseconds, to a tenth; of an even number the lower of the two in the middle. `None` if there
    /// are none.
    pub duration_ms_median: Option<f64>,
}

/// Values over time.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// When and which.
    pub subject: Subject,
    /// One line for each of the largest groups; one line in all if `None`.
    pub dimension: Option<Dimension>,
    /// What is drawn.
    pub by: Quantity,
    /// How many lines, the rest is `others`.
    pub limit: u32,
    /// Width of a point; the planner's choice if `None`, at most 2,000 points.
    pub step: Option<Duration>,
    /// Also the window of the same length right before.
    pub previous: bool,
}

/// The answer to [`Series`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SeriesAnswer {
    /// Start of the first point.
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// Width of a point, seconds.
    pub step_s: u64,
    /// `octets`, `packets`, `flows` or `clients` in each interval (not a rate).
    pub by: Quantity,
    /// The lines, largest first.
    pub lines: Vec<Line>,
    /// The same lines one window length earlier, if asked for.
    pub previous: Option<Vec<Line>>,
}

/// One line of a [`SeriesAnswer`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Line {
    /// The group's name; `total` if not grouped, `others` for the rest.
    pub name: String,
    /// One value a point. A long flow is spread evenly over its life.
    pub values: Vec<f64>,
}

/// Flow records as they are.
#[derive(Clone, Debug, PartialEq)]
pub struct Flows {
    /// When and which.
    pub subject: Subject,
    /// How many, newest first, 1 to 100,000.
    pub limit: u32,
}

/// The answer to [`Flows`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FlowsAnswer {
    /// The records, newest first.
    pub flows: Vec<FlowRecord>,
    /// Whether there were more than the limit.
    pub more: bool,
}

/// What the store holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Inventory {
    /// Rows of the table of flows.
    pub flows: u64,
    /// Their octets on disk.
    pub octets_on_disk: u64,
    /// First event time.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub first: Option<Timestamp>,
    /// Last event time.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last: Option<Timestamp>,
}
