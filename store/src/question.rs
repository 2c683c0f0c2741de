//! What can be asked of the store: typed questions and typed answers. No SQL here.

use std::collections::BTreeSet;
use std::time::Duration;

use flow::{Filter, FlowRecord, Timestamp};
use serde::de::IntoDeserializer;
use serde::de::value::StrDeserializer;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

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
    /// Who sent: `from client` or `from server`. A record that holds both directions is in both groups, with what each sent.
    Directions,
}

/// What flows are grouped by together: one to three dimensions, each once. Written `applications`, or `clients,servers,ports`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Dimensions {
    first: Dimension,
    more: [Option<Dimension>; 2],
}

impl Dimensions {
    /// They, in their order.
    pub fn iter(&self) -> impl Iterator<Item = Dimension> {
        std::iter::once(self.first).chain(self.more.into_iter().flatten())
    }
}

impl From<Dimension> for Dimensions {
    fn from(first: Dimension) -> Self {
        Self {
            first,
            more: [None; 2],
        }
    }
}

impl std::str::FromStr for Dimensions {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut all: Vec<Dimension> = Vec::new();
        for name in text.split(',') {
            let name: StrDeserializer<'_, serde::de::value::Error> = name.into_deserializer();
            let dimension = Dimension::deserialize(name).map_err(|error| error.to_string())?;
            if all.contains(&dimension) {
                return Err(format!("'{text}' names a dimension twice"));
            }
            all.push(dimension);
        }
        match all[..] {
            [first] => Ok(first.into()),
            [first, second] => Ok(Self {
                first,
                more: [Some(second), None],
            }),
            [first, second, third] => Ok(Self {
                first,
                more: [Some(second), Some(third)],
            }),
            _ => Err(format!("'{text}' names more than three dimensions")),
        }
    }
}

impl std::fmt::Display for Dimensions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (place, dimension) in self.iter().enumerate() {
            if place > 0 {
                f.write_str(",")?;
            }
            dimension.serialize(&mut *f)?;
        }
        Ok(())
    }
}

impl Serialize for Dimensions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Dimensions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl PartialSchema for Dimensions {
    fn schema() -> RefOr<Schema> {
        let text = ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("One to three dimensions, with commas between them."))
            .examples(["applications", "clients,servers,ports"]);
        text.build().into()
    }
}

impl ToSchema for Dimensions {}

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

impl Subject {
    /// Filter and, last, scope.
    pub(crate) fn filters(&self) -> impl Iterator<Item = &Filter> + Clone {
        self.scope.added_to(&self.filter)
    }
}

/// What an asker may see: a filter that is added to every question in one place.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scope {
    /// `None` sees everything.
    pub only: Option<Filter>,
}

impl Scope {
    /// What a filter shows; one that matches everything hides nothing.
    pub fn of(filter: Filter) -> Self {
        Self {
            only: (!filter.is_any()).then_some(filter),
        }
    }

    /// Whether no flow is hidden.
    pub fn sees_all(&self) -> bool {
        self.only.as_ref().is_none_or(Filter::is_any)
    }

    /// What is asked for and, last, what may be seen: flows that match both.
    pub(crate) fn added_to<'a>(
        &'a self,
        filter: &'a Filter,
    ) -> impl Iterator<Item = &'a Filter> + Clone {
        let all = std::iter::once(filter).chain(&self.only);
        all.filter(|filter| !filter.is_any())
    }

    /// As it is written; empty if no flow is hidden.
    pub fn text(&self) -> &str {
        self.only.as_ref().map_or("", Filter::text)
    }
}

/// The largest groups.
#[derive(Clone, Debug, PartialEq)]
pub struct Top {
    /// When and which.
    pub subject: Subject,
    /// Grouped by.
    pub dimension: Dimensions,
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
    /// The group's name; by more than one dimension all its names, with ` · ` between them.
    pub name: String,
    /// Its name by each dimension, where there is more than one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<String>,
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
    pub dimension: Option<Dimensions>,
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
    /// Their octets on disk; not known of a part of them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub octets_on_disk: Option<u64>,
    /// First event time.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub first: Option<Timestamp>,
    /// Last event time.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dimensions_are_written_with_commas() {
        let read = |text: &str| text.parse::<Dimensions>();
        let three = read("clients,servers,ports").unwrap();
        let all: Vec<Dimension> = three.iter().collect();
        let expected = [Dimension::Clients, Dimension::Servers, Dimension::Ports];
        assert_eq!(all, expected);
        assert_eq!(three.to_string(), "clients,servers,ports");
        assert_eq!(read("sites").unwrap(), Dimension::Sites.into());
        let wrong = [
            ("colours", "unknown variant `colours`"),
            ("sites,sites", "twice"),
            ("clients,servers,ports,sites", "more than three"),
            ("", "unknown variant ``"),
        ];
        for (text, why) in wrong {
            let said = read(text).unwrap_err();
            assert!(said.contains(why), "{text}: {said}");
        }
    }
}
