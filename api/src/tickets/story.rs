//! The story of a ticket: they against themselves, their colleagues and other sites. Numbers, and a sentence for each line.

use flow::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a press is compared with, all of it as it was known at the press.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Story {
    /// Where "now" begins: ten minutes before the press.
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// The press.
    #[schema(value_type = String, format = DateTime)]
    pub to: Timestamp,
    /// The applications that the host used, most octets first, at most five.
    pub applications: Vec<ApplicationStory>,
    /// Why there are none.
    pub absent: Option<String>,
    /// Which part is slow. Nobody says that yet: always `null`.
    #[schema(value_type = Option<String>)]
    pub verdict: Option<serde_json::Value>,
}

/// One application of the host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ApplicationStory {
    /// The application.
    pub application: String,
    /// The host now.
    pub now: Measures,
    /// Against the hour before, and the same ten minutes on the days before that, newest first.
    pub themselves: StoryLine,
    /// Against others at its site.
    pub colleagues: StoryLine,
    /// Against other sites on the same servers.
    pub elsewhere: StoryLine,
}

/// One comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StoryLine {
    /// In plain words, without a verdict.
    pub sentence: String,
    /// What "now" is held against.
    pub sides: Vec<Side>,
}

/// One side of a comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Side {
    /// First instant.
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// First instant after it.
    #[schema(value_type = String, format = DateTime)]
    pub to: Timestamp,
    /// All its clients together.
    pub together: Option<Measures>,
    /// The client in the middle, measure by measure.
    pub typical: Option<Measures>,
    /// Why there are no numbers.
    pub absent: Option<String>,
}

/// What is measured. What cannot be told is absent, and never 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Measures {
    /// Clients.
    pub clients: u64,
    /// Octets a second, both directions.
    pub octets_per_second: f64,
    /// Connections that clients tried to open.
    pub opened: Option<u64>,
    /// Those of them that a server refused.
    pub refused: Option<u64>,
    /// Those of them that nobody answered.
    pub unanswered: Option<u64>,
    /// Median life of the flows that ended, milliseconds.
    pub duration_ms_median: Option<f64>,
}

impl Side {
    /// One without numbers, and why.
    pub fn absent((from, to): (Timestamp, Timestamp), why: impl Into<String>) -> Self {
        Self {
            from,
            to,
            together: None,
            typical: None,
            absent: Some(why.into()),
        }
    }
}
