//! Views: what the routes of questions and the players show. The one place that makes a question of a view and a subject.

use serde::{Deserialize, Serialize};
use store::question::{
    Dimensions, Flows, FlowsAnswer, Quantity, Series, SeriesAnswer, Subject, Top, TopRow,
};
use store::{Store, StoreError};
use utoipa::ToSchema;

use crate::ApiError;
use crate::parameters::parse_duration;

/// What to show, as JSON `{"top": {"dimension": "applications", "limit": 5}}`. What is left out is as in the question of
/// that name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum View {
    /// The largest groups: `GET /api/v1/top/{dimension}`.
    Top {
        /// What flows are grouped by.
        dimension: Dimensions,
        /// What groups are ordered by; octets if left out.
        by: Option<Quantity>,
        /// How many groups, 1 to 10,000; 10 if left out.
        limit: Option<u32>,
    },
    /// A quantity over time: `GET /api/v1/series`.
    Series {
        /// One line for each of the largest groups; one line in all if left out.
        dimension: Option<Dimensions>,
        /// What is drawn; octets if left out.
        by: Option<Quantity>,
        /// How many lines, 1 to 100; 10 if left out.
        limit: Option<u32>,
        /// Width of a point: `10s`, `1m`, `1h`; chosen to fit if left out.
        step: Option<String>,
        /// Also the window right before.
        previous: Option<bool>,
    },
    /// Flow records, newest first: `GET /api/v1/flows`.
    Flows {
        /// How many flows, 1 to 100,000; 100 if left out.
        limit: Option<u32>,
    },
}

/// A view of a subject: what the store can be asked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Question {
    Top(Top),
    Series(Series),
    Flows(Flows),
}

/// What the store answers, in JSON exactly what the question's route sends.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub(crate) enum Answer {
    Top(Vec<TopRow>),
    Series(SeriesAnswer),
    Flows(FlowsAnswer),
}

impl View {
    /// The question that shows this.
    ///
    /// # Errors
    ///
    /// 400 with the parameter that is wrong.
    pub(crate) fn question(&self, subject: Subject) -> Result<Question, ApiError> {
        Ok(match self {
            Self::Top {
                dimension,
                by,
                limit,
            } => Question::Top(Top {
                subject,
                dimension: *dimension,
                by: by.unwrap_or_default(),
                limit: bounded(*limit, 10, 10_000)?,
            }),
            Self::Series {
                dimension,
                by,
                limit,
                step,
                previous,
            } => {
                let step = step.as_deref().map(parse_duration).transpose();
                Question::Series(Series {
                    subject,
                    dimension: *dimension,
                    by: by.unwrap_or_default(),
                    limit: bounded(*limit, 10, 100)?,
                    step: step.map_err(|error| ApiError::parameter("step", error))?,
                    previous: previous.unwrap_or(false),
                })
            }
            Self::Flows { limit } => Question::Flows(Flows {
                subject,
                limit: bounded(*limit, 100, 100_000)?,
            }),
        })
    }
}

impl Question {
    /// Asks.
    ///
    /// # Errors
    ///
    /// The question's fault, or the store's trouble.
    pub(crate) async fn ask(&self, store: &Store) -> Result<Answer, StoreError> {
        Ok(match self {
            Self::Top(question) => Answer::Top(store.top(question).await?),
            Self::Series(question) => Answer::Series(store.series(question).await?),
            Self::Flows(question) => Answer::Flows(store.flows(question).await?),
        })
    }

    /// Whether it can be answered at all, found out without the store.
    ///
    /// # Errors
    ///
    /// 400 with the parameter that is wrong.
    pub(crate) fn check(&self) -> Result<(), ApiError> {
        match self {
            Self::Series(question) => question
                .check()
                .map_err(|error| ApiError::parameter("step", error.to_string())),
            Self::Top(_) | Self::Flows(_) => Ok(()),
        }
    }
}

/// A limit within its bounds.
pub(crate) fn bounded(value: Option<u32>, default: u32, most: u32) -> Result<u32, ApiError> {
    let value = value.unwrap_or(default);
    if (1..=most).contains(&value) {
        Ok(value)
    } else {
        let why = format!("'limit' is {value}; it goes from 1 to {most}");
        Err(ApiError::parameter("limit", why))
    }
}
