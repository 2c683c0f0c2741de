//! Top, series and flows: the store's questions over HTTP.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use flow::{Filter, clock};
use serde::{Deserialize, Serialize};
use store::lateness::Lateness;
use store::question::{
    Dimensions, FlowsAnswer, Inventory, Quantity, Scope, SeriesAnswer, TopRow, Window,
};
use utoipa::IntoParams;

use crate::ApiError;
use crate::error::ErrorBody;
use crate::parameters::{Asked, Parameters, Segment, filter};
use crate::people::Person;
use crate::router::Api;
use crate::sharing::age_accepted;
use crate::view::View;

/// How far back arrivals tell how late flows are, and how often that is looked at.
const LATENESS_OVER: Duration = Duration::from_secs(300);
const LATENESS_AGE: Duration = Duration::from_secs(30);
/// How often it is counted what a scope shows of the store: all rows are looked at.
const INVENTORY_AGE: Duration = Duration::from_secs(30);

/// A question's own parameters, and those that every question has.
macro_rules! question {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Deserialize, IntoParams)]
        #[serde(deny_unknown_fields)]
        #[into_params(parameter_in = Query)]
        pub(crate) struct $name {
            /// The last minutes, hours or days: `10m`, `2h`, `7d`. One hour if no time is given.
            last: Option<String>,
            /// First instant: RFC 3339, a date, or seconds since 1970.
            from: Option<String>,
            /// First instant after the window; now if left out.
            to: Option<String>,
            /// Which flows, in the filter language: `app "orders" and dst port 5432`.
            filter: Option<String>,
            /// Only what had arrived by then; `as_of` for what had arrived by that time: as it looked then.
            known_at: Option<String>,
            /// The time that is shown: windows end there if nothing else is said.
            as_of: Option<String>,
            /// Asks a recording, by name, id or number, and not what is live; all of it if no time is given.
            recording: Option<String>,
            $($(#[$field_doc])* $field: $type,)*
        }

        impl $name {
            fn asked(&self) -> Asked<'_> {
                Asked {
                    last: self.last.as_deref(),
                    from: self.from.as_deref(),
                    to: self.to.as_deref(),
                    filter: self.filter.as_deref(),
                    known_at: self.known_at.as_deref(),
                    as_of: self.as_of.as_deref(),
                    recording: self.recording.as_deref(),
                }
            }
        }
    };
}

pub(crate) use question;

question! {
    /// Parameters of a top question.
    TopParameters {
        /// What groups are ordered by; octets if left out.
        by: Option<Quantity>,
        /// How many groups, 1 to 10,000; 10 if left out.
        limit: Option<u32>,
    }
}

question! {
    /// Parameters of a series.
    SeriesParameters {
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
    }
}

question! {
    /// Parameters of a list of flows.
    FlowsParameters {
        /// How many flows, newest first, 1 to 100,000; 100 if left out.
        limit: Option<u32>,
    }
}

/// The largest applications, clients, servers, conversations …
#[utoipa::path(get, path = "/api/v1/top/{dimension}", tag = "questions",
    params(("dimension" = Dimensions, Path, description = "What flows are grouped by, one to three with commas between them"), TopParameters),
    responses((status = 200, body = Vec<TopRow>), (status = 400, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn top(
    State(api): State<Api>,
    person: Person,
    Segment(dimension): Segment<Dimensions>,
    headers: HeaderMap,
    Parameters(parameters): Parameters<TopParameters>,
) -> Result<impl IntoResponse, ApiError> {
    let view = View::Top {
        dimension,
        by: parameters.by,
        limit: parameters.limit,
    };
    answer((&api, &person), &parameters.asked(), &view, &headers).await
}

/// A quantity over time.
#[utoipa::path(get, path = "/api/v1/series", tag = "questions", params(SeriesParameters),
    responses((status = 200, body = SeriesAnswer), (status = 400, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn series(
    State(api): State<Api>,
    person: Person,
    headers: HeaderMap,
    Parameters(parameters): Parameters<SeriesParameters>,
) -> Result<impl IntoResponse, ApiError> {
    let view = View::Series {
        dimension: parameters.dimension,
        by: parameters.by,
        limit: parameters.limit,
        step: parameters.step.clone(),
        previous: parameters.previous,
    };
    answer((&api, &person), &parameters.asked(), &view, &headers).await
}

/// Flow records, newest first.
#[utoipa::path(get, path = "/api/v1/flows", tag = "questions", params(FlowsParameters),
    responses((status = 200, body = FlowsAnswer), (status = 400, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn flows(
    State(api): State<Api>,
    person: Person,
    headers: HeaderMap,
    Parameters(parameters): Parameters<FlowsParameters>,
) -> Result<impl IntoResponse, ApiError> {
    let view = View::Flows {
        limit: parameters.limit,
    };
    answer((&api, &person), &parameters.asked(), &view, &headers).await
}

async fn answer(
    (api, person): (&Api, &Person),
    asked: &Asked<'_>,
    view: &View,
    headers: &HeaderMap,
) -> Result<impl IntoResponse + use<>, ApiError> {
    let asked = asked.resolve(api, person).await?;
    let (store, subject) = (asked.store, asked.subject);
    let question = view.question(subject)?;
    let ask = || async { json(&question.ask(&store).await?) };
    let octets = match age_accepted(headers) {
        Some(age) => {
            let said = format!("{:?} {question:?}", asked.recording);
            let shared = api.sharing.answer((said, &person.scope), age, ask);
            shared.await?
        }
        None => ask().await?,
    };
    Ok(as_json(octets))
}

fn json(value: &impl Serialize) -> Result<Bytes, ApiError> {
    let octets = serde_json::to_vec(value).map_err(|error| {
        let what = "the answer cannot be written";
        ApiError::because(StatusCode::INTERNAL_SERVER_ERROR, what, &error)
    })?;
    Ok(octets.into())
}

fn as_json(octets: Bytes) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], octets)
}

/// Parameters of lateness.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct LatenessParameters {
    /// Which flows, in the filter language; all if left out.
    filter: Option<String>,
}

/// What share of the octets of the newest seconds is still to be reported, as flows that came in the last five minutes show it.
/// Looked at again every 30 seconds.
#[utoipa::path(get, path = "/api/v1/lateness", tag = "questions", params(LatenessParameters),
    responses((status = 200, body = Lateness), (status = 400, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn lateness(
    State(api): State<Api>,
    person: Person,
    Parameters(parameters): Parameters<LatenessParameters>,
) -> Result<impl IntoResponse, ApiError> {
    let filter = filter(parameters.filter.as_deref())?;
    let octets = lateness_now(&api, (&filter, &person.scope)).await?;
    Ok(as_json(octets))
}

/// [`Lateness`] as JSON.
pub(crate) async fn lateness_now(
    api: &Api,
    (filter, scope): (&Filter, &Scope),
) -> Result<Bytes, ApiError> {
    let ask = || async {
        let to = clock::now();
        let from = to - LATENESS_OVER;
        json(
            &api.store
                .lateness(Window { from, to }, filter, scope)
                .await?,
        )
    };
    let said = format!("lateness {filter:?}");
    api.sharing.answer((said, scope), LATENESS_AGE, ask).await
}

/// What the store holds, of what the asker may see.
#[utoipa::path(get, path = "/api/v1/inventory", tag = "questions",
    responses((status = 200, body = Inventory), (status = 503, body = ErrorBody)))]
pub(crate) async fn inventory(
    State(api): State<Api>,
    person: Person,
) -> Result<impl IntoResponse, ApiError> {
    let scope = &person.scope;
    let ask = || async { json(&api.store.inventory_within(scope).await?) };
    let octets = match scope.sees_all() {
        true => ask().await?,
        false => {
            let said = "inventory".to_owned();
            api.sharing
                .answer((said, scope), INVENTORY_AGE, ask)
                .await?
        }
    };
    Ok(as_json(octets))
}
