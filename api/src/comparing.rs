//! Two windows side by side, live or of recordings.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use flow::Filter;
use serde::Deserialize;
use store::compare::{Comparison, Side, compare as side_by_side};
use store::profile;
use store::question::{Dimension, Profile, Window};
use utoipa::IntoParams;

use crate::ApiError;
use crate::error::ErrorBody;
use crate::parameters::{Asked, Parameters, Resolved, Segment, parse_duration};
use crate::people::Person;
use crate::router::Api;
use crate::view::bounded;

/// Groups of each side that are listed. What only one side lists is asked for by name on the other.
const GROUPS: u32 = 10_000;

/// Parameters of a comparison. Each side has those that every question has.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct CompareParameters {
    /// The recording that stands before, by name, id or number; what is live if left out.
    before_recording: Option<String>,
    /// First instant of what stands before: RFC 3339, a date, or seconds since 1970. Without any time of its own, it is as long
    /// as what stands after, and right before it; or `before_shift` earlier.
    before_from: Option<String>,
    /// First instant after what stands before.
    before_to: Option<String>,
    /// How long it is, up to `before_to`, `before_as_of` or now: `10m`, `2h`, `7d`.
    before_last: Option<String>,
    /// The time that is shown: windows end there if nothing else is said.
    before_as_of: Option<String>,
    /// Only what had arrived by then; `as_of` for what had arrived by that time. As `after_known_at` if nothing else is said
    /// of this side.
    before_known_at: Option<String>,
    /// What stands before is live, as long as what stands after, and so much earlier: `1d`, `7d`.
    before_shift: Option<String>,
    /// The recording that stands after, by name, id or number; what is live if left out.
    after_recording: Option<String>,
    /// First instant of what stands after.
    after_from: Option<String>,
    /// First instant after it; now if left out.
    after_to: Option<String>,
    /// How long it is: `10m`, `2h`, `7d`. One hour, or all of a recording, if no time is given.
    after_last: Option<String>,
    /// The time that is shown: windows end there if nothing else is said.
    after_as_of: Option<String>,
    /// Only what had arrived by then; `as_of` for what had arrived by that time: as it looked then.
    after_known_at: Option<String>,
    /// Which flows of both sides, in the filter language.
    filter: Option<String>,
    /// How many groups are named, 1 to 10,000; 50 if left out.
    limit: Option<u32>,
}

impl CompareParameters {
    fn before(&self) -> Asked<'_> {
        Asked {
            last: self.before_last.as_deref(),
            from: self.before_from.as_deref(),
            to: self.before_to.as_deref(),
            filter: self.filter.as_deref(),
            known_at: self.before_known_at.as_deref(),
            as_of: self.before_as_of.as_deref(),
            recording: self.before_recording.as_deref(),
        }
    }

    fn after(&self) -> Asked<'_> {
        Asked {
            last: self.after_last.as_deref(),
            from: self.after_from.as_deref(),
            to: self.after_to.as_deref(),
            filter: self.filter.as_deref(),
            known_at: self.after_known_at.as_deref(),
            as_of: self.after_as_of.as_deref(),
            recording: self.after_recording.as_deref(),
        }
    }

    /// Both sides, of which each shows only what the other could have too: a recording of one application is compared with
    /// that application.
    async fn resolve(&self, api: &Api, person: &Person) -> Result<(Resolved, Resolved), ApiError> {
        let after = self.after().resolve(api, person).await;
        let mut after = after.map_err(|error| error.on_side("after"))?;
        let before = self.resolve_before((api, person), &after).await;
        let mut before = before.map_err(|error| error.on_side("before"))?;
        if before.recorded != after.recorded {
            narrow(&mut before, &after.recorded);
            narrow(&mut after, &before.recorded);
        }
        Ok((before, after))
    }

    async fn resolve_before(
        &self,
        (api, person): (&Api, &Person),
        after: &Resolved,
    ) -> Result<Resolved, ApiError> {
        let asked = self.before();
        let shift = self.before_shift.as_deref().map(parse_duration).transpose();
        let shift = shift.map_err(|error| ApiError::parameter("shift", error))?;
        if asked.has_time() || asked.recording.is_some() {
            return match shift {
                None => asked.resolve(api, person).await,
                Some(_) => {
                    let why = "'before_shift' is instead of a time and a recording before";
                    Err(ApiError::parameter("shift", why))
                }
            };
        }
        let window = earlier(after.lasted, shift);
        let (from, to) = (window.from.to_string(), window.to.to_string());
        let known_at = after.subject.known_at.map(|at| at.to_string());
        let asked = Asked {
            from: Some(&from),
            to: Some(&to),
            known_at: asked.known_at.or(known_at.as_deref()),
            ..asked
        };
        asked.resolve(api, person).await
    }
}

/// What became of each application, client, server, conversation … from one window to another: new, gone, larger, smaller,
/// slower, faster; what matters most first.
#[utoipa::path(get, path = "/api/v1/compare/{dimension}", tag = "questions",
    params(("dimension" = Dimension, Path, description = "What flows are grouped by"), CompareParameters),
    responses((status = 200, body = Comparison), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 503, body = ErrorBody)))]
pub(crate) async fn compare(
    State(api): State<Api>,
    person: Person,
    Segment(dimension): Segment<Dimension>,
    Parameters(parameters): Parameters<CompareParameters>,
) -> Result<Json<Comparison>, ApiError> {
    let limit = bounded(parameters.limit, 50, GROUPS)?;
    let (before, after) = parameters.resolve(&api, &person).await?;
    let [was, is] = [&before, &after].map(|side| Profile {
        subject: side.subject.clone(),
        dimension,
        limit: GROUPS,
    });
    let profiles = profile::side_by_side((&before.store, &was), (&after.store, &is)).await?;
    let side = |window, profile| Side { window, profile };
    let before = side(before.lasted, profiles.0);
    let after = side(after.lasted, profiles.1);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    Ok(Json(side_by_side(&before, &after, limit)))
}

fn narrow(side: &mut Resolved, filter: &Filter) {
    let own = std::mem::take(&mut side.subject.filter);
    side.subject.filter = own.and(filter.clone());
}

/// A window of the same length, so much earlier; right before it if that is not said.
pub(crate) fn earlier(window: Window, shift: Option<Duration>) -> Window {
    let length = Duration::from_nanos(window.to.nanos().abs_diff(window.from.nanos()));
    let shift = shift.unwrap_or(length);
    Window {
        from: window.from - shift,
        to: window.to - shift,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flow::Timestamp;

    #[test]
    fn a_window_before_is_as_long_and_as_much_earlier_as_is_said() {
        let of = |from, to| {
            let [from, to] = [from, to].map(Timestamp::from_seconds);
            Window { from, to }
        };
        assert_eq!(earlier(of(1000, 1600), None), of(400, 1000));
        let day = Some(Duration::from_secs(86_400));
        assert_eq!(earlier(of(90_000, 90_600), day), of(3600, 4200));
    }

    #[test]
    fn an_error_names_the_parameter_as_it_was_written() {
        let at = |error: ApiError| format!("{:?}", error.on_side("before"));
        assert!(at(ApiError::parameter("known_at", "")).contains("\"before_known_at\""));
        assert!(at(ApiError::parameter("filter", "")).contains("\"filter\""));
        assert!(!at(ApiError::not_found("")).contains("before"));
    }
}
