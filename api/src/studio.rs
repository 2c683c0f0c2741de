//! What the API needs of whoever draws, as a trait that the binary implements.

use std::time::Duration;

use flow::Timestamp;
use serde::{Deserialize, Serialize};
use store::catalog::Note;
use store::question::{Dimensions, Quantity, SeriesAnswer, TopRow, Window};
use utoipa::ToSchema;

/// Draws pictures.
pub trait Studio: Send + Sync + 'static {
    /// Draws one. Takes up to some seconds of a processor and 110 MB of memory, so it is not for a thread that others wait for.
    ///
    /// # Errors
    ///
    /// [`StudioError`] with what is wrong.
    fn draw(&self, drawing: &Drawing, sheet: Sheet) -> Result<Vec<u8>, StudioError>;
}

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum StudioError {
    /// The caller asks for another size.
    #[error("{0}")]
    Size(String),
    /// It should have worked.
    #[error("the picture cannot be drawn")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// What a picture is drawn on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sheet {
    /// Of what kind the octets are.
    pub kind: PictureFile,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Light or dark.
    pub theme: Theme,
}

/// A picture's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum PictureFile {
    /// Scalable Vector Graphics.
    #[serde(rename = "picture.svg")]
    Svg,
    /// Portable Network Graphics.
    #[serde(rename = "picture.png")]
    Png,
}

/// Light or dark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Theme {
    /// For paper and light pages.
    #[default]
    Light,
    /// For dark pages.
    Dark,
}

/// What is drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawing {
    /// What it is called; words for what it shows if `None`.
    pub title: Option<String>,
    /// Of when.
    pub window: Window,
    /// Of which flows, as it was written.
    pub filter: Option<String>,
    /// Of which recording.
    pub recording: Option<String>,
    /// As it was known then.
    pub known_at: Option<Timestamp>,
    /// What flows are grouped by.
    pub dimension: Option<Dimensions>,
    /// What is drawn of them.
    pub by: Quantity,
    /// The values.
    pub content: Content,
}

/// The values of a picture.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// Over time.
    Series {
        /// What the store said.
        answer: SeriesAnswer,
        /// Whether lines are areas, one on top of the other.
        is_stacked: bool,
        /// The share of each interval that is still to be reported; empty where all has been.
        missing: Vec<f64>,
        /// What was noted of moments.
        notes: Vec<Note>,
    },
    /// The largest groups.
    Top {
        /// What the store said.
        rows: Vec<TopRow>,
        /// What it said of the window before.
        before: Option<Vec<TopRow>>,
        /// How long it took, for rates.
        lasted: Duration,
    },
}
