//! What stands in an address: windows of time, filters.

use std::time::Duration;

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use flow::{Filter, Timestamp};
use serde::de::DeserializeOwned;
use store::question::{Scope, Subject, Window};

use crate::ApiError;

/// How far back a question looks if it does not say.
const DEFAULT_LAST: Duration = Duration::from_secs(3600);

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
}

impl Asked<'_> {
    /// What is asked about, at this time.
    pub(crate) fn subject(&self, now: Timestamp) -> Result<Subject, ApiError> {
        let filter = Filter::parse(self.filter.unwrap_or_default());
        Ok(Subject {
            window: window(self.last, self.from, self.to, now)?,
            filter: filter.map_err(|error| ApiError::filter(&error))?,
            known_at: self
                .known_at
                .map(|text| time("known_at", text))
                .transpose()?,
            arrived: None,
            scope: Scope::default(),
        })
    }
}

/// Windows up to now end here: at the next whole ten seconds, where the finest rollup can answer all of them.
const ALIGNMENT: Duration = Duration::from_secs(10);

/// Reads a window: `last=10m`, or `from` and `to`, of which `to` may be left out.
pub(crate) fn window(
    last: Option<&str>,
    from: Option<&str>,
    to: Option<&str>,
    now: Timestamp,
) -> Result<Window, ApiError> {
    if last.is_some() && (from.is_some() || to.is_some()) {
        let why = "write either 'last' or 'from' and 'to', not both";
        return Err(ApiError::parameter("last", why));
    }
    let soon = now.floor(ALIGNMENT) + ALIGNMENT;
    let to = to.map(|text| time("to", text)).transpose()?.unwrap_or(soon);
    let from = match (from, last) {
        (Some(text), _) => time("from", text)?,
        (None, Some(text)) => {
            to - parse_duration(text).map_err(|error| ApiError::parameter("last", error))?
        }
        (None, None) => to - DEFAULT_LAST,
    };
    if from >= to {
        let why = format!("'from' ({from}) is not before 'to' ({to})");
        return Err(ApiError::parameter("from", why));
    }
    Ok(Window { from, to })
}

fn time(parameter: &str, text: &str) -> Result<Timestamp, ApiError> {
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
        let now = Timestamp::from_seconds(9_993);
        let hour = window(None, None, None, now).unwrap();
        let [from, to] = [6_400, 10_000].map(Timestamp::from_seconds);
        assert_eq!(hour, Window { from, to });
        let given = window(None, Some("100"), Some("200"), now).unwrap();
        assert_eq!(given.from, Timestamp::from_seconds(100));
        assert!(window(Some("1h"), Some("100"), None, now).is_err());
        assert!(window(None, Some("200"), Some("100"), now).is_err());
    }
}
