//! What stands in an address: windows of time, filters.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use flow::{Filter, Timestamp};
use serde::de::DeserializeOwned;
use store::question::{Scope, Subject, Window};
use store::{Slice, Store};

use crate::ApiError;
use crate::archive::Found;
use crate::people::Person;
use crate::router::Api;

/// How far back a question looks if it does not say.
pub(crate) const DEFAULT_LAST: Duration = Duration::from_secs(3600);

/// The parameters of an address, with our own error where they are wrong.
pub(crate) struct Parameters<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let query = Query::<T>::try_from_uri(&parts.uri);
        query
            .map(|Query(inner)| Self(inner))
            .map_err(|error| ApiError::parameter("query", error.body_text()))
    }
}

/// A part of an address, with our own error where it is wrong.
pub(crate) struct Segment<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Segment<T> {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path = Path::<T>::from_request_parts(parts, state).await;
        path.map(|Path(inner)| Self(inner))
            .map_err(|error| ApiError::parameter("path", error.body_text()))
    }
}

/// The parameters that every question has, as they were written.
#[derive(Debug, Default)]
pub(crate) struct Asked<'a> {
    pub(crate) last: Option<&'a str>,
    pub(crate) from: Option<&'a str>,
    pub(crate) to: Option<&'a str>,
    pub(crate) filter: Option<&'a str>,
    pub(crate) known_at: Option<&'a str>,
    pub(crate) as_of: Option<&'a str>,
    pub(crate) recording: Option<&'a str>,
}

/// Windows up to now end here: at the next whole ten seconds, where the finest rollup can answer all of them.
const ALIGNMENT: Duration = Duration::from_secs(10);
/// The word for "as it looked then": only what had arrived by the event time that is shown.
const THEN: &str = "as_of";

/// Whom to ask, and what about.
pub(crate) struct Resolved {
    pub(crate) store: Arc<Store>,
    pub(crate) subject: Subject,
    /// How long it took, for rates: the window that is asked about. Where that is all of a recording, it is its time of
    /// arrival: one exporter with a broken clock makes its event times span decades.
    pub(crate) lasted: Window,
    /// The id of the recording that is asked.
    pub(crate) recording: Option<String>,
    /// Which flows the recording has; all where none is asked.
    pub(crate) recorded: Filter,
}

/// A recording whose datagrams arrived in less has not lasted that long: a capture that was written at a stroke, of what an
/// exporter had gathered. Its event times tell how long it took.
const STROKE: Duration = Duration::from_secs(1);

impl Asked<'_> {
    /// Whom to ask, what about, and how long that took: of what this person may see.
    pub(crate) async fn resolve(&self, api: &Api, person: &Person) -> Result<Resolved, ApiError> {
        let scope = &person.scope;
        let Some(name) = self.recording else {
            let subject = self.subject((soon(), DEFAULT_LAST), scope)?;
            return Ok(Resolved {
                store: api.store.clone(),
                lasted: subject.window,
                subject,
                recording: None,
                recorded: Filter::default(),
            });
        };
        let found = api.archive.find(person, name).await?;
        let Window { from, to } = found.window;
        let length = Duration::from_nanos(to.nanos().abs_diff(from.nanos()));
        let mut subject = self.subject((to, length), scope)?;
        let mut lasted = subject.window;
        if !self.has_time() {
            subject.window = found.event_time(scope).await?;
            lasted = if length < STROKE {
                subject.window
            } else {
                found.window
            };
        }
        let (recording, recorded) = (Some(found.id.clone()), found.filter.clone());
        let (store, subject) = of_recording(found, subject);
        Ok(Resolved {
            store,
            subject,
            lasted,
            recording,
            recorded,
        })
    }

    /// Whether it says when.
    pub(crate) fn has_time(&self) -> bool {
        [self.last, self.from, self.to, self.as_of] != [None; 4]
    }

    /// What is asked about, where windows end at `end` and are so long if nothing else is said.
    fn subject(
        &self,
        (end, length): (Timestamp, Duration),
        scope: &Scope,
    ) -> Result<Subject, ApiError> {
        let as_of = self.as_of.map(|text| time("as_of", text)).transpose()?;
        let known_at = match (self.known_at, as_of) {
            (Some(THEN), Some(at)) => Some(at),
            (Some(THEN), None) => {
                let why = "'known_at=as_of' needs an 'as_of'";
                return Err(ApiError::parameter("known_at", why));
            }
            (text, _) => text.map(|text| time("known_at", text)).transpose()?,
        };
        let end = as_of.unwrap_or(end);
        Ok(Subject {
            window: window((self.last, length), self.from, self.to, end)?,
            filter: filter(self.filter)?,
            known_at,
            arrived: None,
            scope: scope.clone(),
        })
    }
}

/// Whom to ask about a recording, and what is asked about narrowed down to it.
pub(crate) fn of_recording(found: Found, mut subject: Subject) -> (Arc<Store>, Subject) {
    let rows = found.slice.as_ref().map(Slice::rows);
    subject.filter = subject.filter.and(rows.unwrap_or(found.filter));
    subject.arrived = found.slice.map(|slice| slice.arrived);
    (found.store, subject)
}

/// Where a window up to now ends.
pub(crate) fn soon() -> Timestamp {
    flow::clock::now().floor(ALIGNMENT) + ALIGNMENT
}

/// Reads a window: `last=10m`, or `from` and `to`, of which `to` may be left out: then it is `end`.
pub(crate) fn window(
    (last, length): (Option<&str>, Duration),
    from: Option<&str>,
    to: Option<&str>,
    end: Timestamp,
) -> Result<Window, ApiError> {
    if last.is_some() && (from.is_some() || to.is_some()) {
        let why = "write either 'last' or 'from' and 'to', not both";
        return Err(ApiError::parameter("last", why));
    }
    let to = to.map(|text| time("to", text)).transpose()?.unwrap_or(end);
    let from = match (from, last) {
        (Some(text), _) => time("from", text)?,
        (None, Some(text)) => {
            to - parse_duration(text).map_err(|error| ApiError::parameter("last", error))?
        }
        (None, None) => to - length,
    };
    if from >= to {
        let why = format!("'from' ({from}) is not before 'to' ({to})");
        return Err(ApiError::parameter("from", why));
    }
    Ok(Window { from, to })
}

/// A filter; all flows if none is written.
pub(crate) fn filter(text: Option<&str>) -> Result<Filter, ApiError> {
    Filter::parse(text.unwrap_or_default()).map_err(|error| ApiError::filter(&error))
}

pub(crate) fn time(parameter: &str, text: &str) -> Result<Timestamp, ApiError> {
    text.parse()
        .map_err(|error: flow::clock::NotATime| ApiError::parameter(parameter, error.to_string()))
}

/// Reads `90s`, `10m`, `2h`, `7d`, `2w`, `250ms`; a number alone is seconds.
///
/// # Errors
///
/// A sentence that names the text and the forms.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("'{text}' is not a length of time: write 90s, 10m, 2h or 7d");
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let millis = match unit.trim() {
        "ms" => 1,
        "" | "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        "w" => 604_800_000,
        _ => return Err(wrong()),
    };
    number
        .checked_mul(millis)
        .filter(|millis| *millis > 0)
        .map(Duration::from_millis)
        .ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read_as_people_write_them() {
        let written = [
            ("90s", 90),
            ("10m", 600),
            ("2h", 7200),
            ("7d", 604_800),
            ("30", 30),
        ];
        for (text, seconds) in written {
            assert_eq!(
                parse_duration(text),
                Ok(Duration::from_secs(seconds)),
                "{text}"
            );
        }
        for text in ["", "m", "10 parsecs", "-1s", "0s", "99999999999999999999w"] {
            assert!(
                parse_duration(text)
                    .unwrap_err()
                    .contains("is not a length of time"),
                "{text}"
            );
        }
    }

    #[test]
    fn a_window_is_said_in_one_way() {
        let end = Timestamp::from_seconds(10_000);
        let (any, last) = ((None, DEFAULT_LAST), (Some("1h"), DEFAULT_LAST));
        let hour = window(any, None, None, end).unwrap();
        let [from, to] = [6_400, 10_000].map(Timestamp::from_seconds);
        assert_eq!(hour, Window { from, to });
        let given = window(any, Some("100"), Some("200"), end).unwrap();
        assert_eq!(given.from, Timestamp::from_seconds(100));
        assert!(window(last, Some("100"), None, end).is_err());
        assert!(window(any, Some("200"), Some("100"), end).is_err());
    }
}
