//! Pictures of what the questions answer: for tickets, reports and whoever has no browser.

mod easel;

use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use flow::{Timestamp, clock};
use serde::Deserialize;
use store::Store;
use store::lateness::Lateness;
use store::question::{Dimensions, Quantity, SeriesAnswer, Subject, Top, TopRow};
use utoipa::{IntoParams, ToSchema};

pub(crate) use self::easel::{Easel, sent};
use crate::ApiError;
use crate::comparing::earlier;
use crate::error::ErrorBody;
use crate::parameters::{Asked, Parameters, Resolved, Segment};
use crate::people::Person;
use crate::questions::{lateness_now, question};
use crate::router::Api;
use crate::studio::{Content, Drawing, PictureFile, Sheet, Theme};
use crate::view::{Answer, View};

/// Pixels, if nothing else is said.
const WIDTH: u32 = 960;
const HEIGHT: u32 = 480;
/// Groups of the window before, among which those that are drawn are looked for.
const GROUPS_BEFORE: u32 = 10_000;
/// Nothing is said to be missing of what is older.
const LATENESS_MAX: Duration = Duration::from_secs(1800);

/// What is drawn, in the words of units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PictureUnit {
    /// bit/s, of octets.
    Bits,
    /// packets/s.
    Packets,
    /// flows/s.
    Flows,
    /// Distinct clients.
    Clients,
}

/// How values over time are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SeriesView {
    /// One line each.
    Lines,
    /// One on top of the other.
    Areas,
}

question! {
    /// Parameters of a picture of a series.
    SeriesPictureParameters {
        /// One line for each of the largest groups; one line in all if left out.
        dimension: Option<Dimensions>,
        /// What is drawn; octets, as bit/s, if left out.
        by: Option<Quantity>,
        /// How many lines, 1 to 100; 10 if left out.
        limit: Option<u32>,
        /// Width of a point: `10s`, `1m`, `1h`; chosen to fit if left out.
        step: Option<String>,
        /// Also the window right before, dashed.
        previous: Option<bool>,
        /// `lines` or `areas`; areas if left out and there are groups that can be added up.
        view: Option<SeriesView>,
        /// Another word for `by`.
        unit: Option<PictureUnit>,
        /// Pixels, 320 to 4096; 960 if left out.
        width: Option<u32>,
        /// Pixels, 160 to 4096; 480 if left out. A picture that is larger than 960 × 480 both ways is magnified.
        height: Option<u32>,
        /// `light` or `dark`; light if left out.
        theme: Option<Theme>,
        /// What stands above it.
        title: Option<String>,
    }
}

question! {
    /// Parameters of a picture of the largest groups.
    TopPictureParameters {
        /// What is drawn, and what groups are ordered by; octets, as bit/s, if left out.
        by: Option<Quantity>,
        /// How many groups, 1 to 10,000; 10 if left out. Those that have no room are counted.
        limit: Option<u32>,
        /// Also what became of each group since the window right before.
        previous: Option<bool>,
        /// Another word for `by`.
        unit: Option<PictureUnit>,
        /// Pixels, 320 to 4096; 960 if left out.
        width: Option<u32>,
        /// Pixels, 160 to 4096; 480 if left out. A picture that is larger than 960 × 480 both ways is magnified.
        height: Option<u32>,
        /// `light` or `dark`; light if left out.
        theme: Option<Theme>,
        /// What stands above it.
        title: Option<String>,
    }
}

/// A quantity over time, as a picture. Notes of a recording stand at their moments; where records still arrive, it is shaded.
#[utoipa::path(get, path = "/api/v1/series/{picture}", tag = "questions",
    params(("picture" = PictureFile, Path, description = "`picture.svg` or `picture.png`"), SeriesPictureParameters),
    responses((status = 200, content((Vec<u8> = "image/svg+xml"), (Vec<u8> = "image/png"))),
        (status = 400, body = ErrorBody), (status = 404, body = ErrorBody), (status = 429, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn series_picture(
    State(api): State<Api>,
    person: Person,
    Segment(kind): Segment<PictureFile>,
    Parameters(parameters): Parameters<SeriesPictureParameters>,
) -> Result<Response, ApiError> {
    let by = quantity(parameters.by, parameters.unit)?;
    let sheet = sheet(
        kind,
        (parameters.width, parameters.height),
        parameters.theme,
    );
    let view = View::Series {
        dimension: parameters.dimension,
        by: Some(by),
        limit: parameters.limit,
        step: parameters.step.clone(),
        previous: parameters.previous,
    };
    let asked = parameters.asked();
    let resolved = asked.resolve(&api, &person).await?;
    let Resolved { store, subject, .. } = &resolved;
    let answer = view.question(subject.clone())?.ask(store).await?;
    let Answer::Series(mut answer) = answer else {
        return Err(ApiError::not_found("there is no picture of this"));
    };
    leave_out_what_is_not_over(&mut answer, clock::now());
    let missing = missing(&api, &asked, subject, &answer).await;
    let notes = match &resolved.recording {
        Some(name) => api.archive.show(&person, name).await?.notes,
        None => Vec::new(),
    };
    // Distinct clients of two groups may be the same.
    let can_be_added = parameters.dimension.is_some() && by != Quantity::Clients;
    let is_stacked = parameters
        .view
        .map_or(can_be_added, |view| view == SeriesView::Areas);
    let content = Content::Series {
        answer,
        is_stacked,
        missing,
        notes,
    };
    let of = (parameters.title.clone(), parameters.dimension, by);
    api.easel
        .draw(drawing(of, &asked, subject, content), sheet)
        .await
}

/// The largest groups, as a picture.
#[utoipa::path(get, path = "/api/v1/top/{dimension}/{picture}", tag = "questions",
    params(("dimension" = Dimensions, Path, description = "What flows are grouped by, one to three with commas between them"),
        ("picture" = PictureFile, Path, description = "`picture.svg` or `picture.png`"), TopPictureParameters),
    responses((status = 200, content((Vec<u8> = "image/svg+xml"), (Vec<u8> = "image/png"))),
        (status = 400, body = ErrorBody), (status = 404, body = ErrorBody), (status = 429, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn top_picture(
    State(api): State<Api>,
    person: Person,
    Segment((dimension, kind)): Segment<(Dimensions, PictureFile)>,
    Parameters(parameters): Parameters<TopPictureParameters>,
) -> Result<Response, ApiError> {
    let by = quantity(parameters.by, parameters.unit)?;
    let sheet = sheet(
        kind,
        (parameters.width, parameters.height),
        parameters.theme,
    );
    let view = View::Top {
        dimension,
        by: Some(by),
        limit: parameters.limit,
    };
    let asked = parameters.asked();
    let resolved = asked.resolve(&api, &person).await?;
    let Resolved {
        store,
        subject,
        lasted,
        ..
    } = &resolved;
    let Answer::Top(rows) = view.question(subject.clone())?.ask(store).await? else {
        return Err(ApiError::not_found("there is no picture of this"));
    };
    let before = match parameters.previous {
        Some(true) => Some(before(store, subject, (dimension, by)).await?),
        _ => None,
    };
    let nanos = u64::try_from(lasted.to.nanos_since(lasted.from)).unwrap_or(0);
    let content = Content::Top {
        rows,
        before,
        lasted: Duration::from_nanos(nanos),
    };
    let of = (parameters.title.clone(), Some(dimension), by);
    api.easel
        .draw(drawing(of, &asked, subject, content), sheet)
        .await
}

/// `unit` says the same as `by`; one of them is enough.
fn quantity(by: Option<Quantity>, unit: Option<PictureUnit>) -> Result<Quantity, ApiError> {
    let of_unit = unit.map(|unit| match unit {
        PictureUnit::Bits => Quantity::Octets,
        PictureUnit::Packets => Quantity::Packets,
        PictureUnit::Flows => Quantity::Flows,
        PictureUnit::Clients => Quantity::Clients,
    });
    match (by, of_unit) {
        (Some(by), Some(unit)) if by != unit => {
            let why = "'unit' is another word for 'by', and they say different things";
            Err(ApiError::parameter("unit", why))
        }
        (by, unit) => Ok(by.or(unit).unwrap_or_default()),
    }
}

fn sheet(kind: PictureFile, size: (Option<u32>, Option<u32>), theme: Option<Theme>) -> Sheet {
    Sheet {
        kind,
        width: size.0.unwrap_or(WIDTH),
        height: size.1.unwrap_or(HEIGHT),
        theme: theme.unwrap_or_default(),
    }
}

fn drawing(
    (title, dimension, by): (Option<String>, Option<Dimensions>, Quantity),
    asked: &Asked<'_>,
    subject: &Subject,
    content: Content,
) -> Drawing {
    let written = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
    Drawing {
        title: title.filter(|title| !title.is_empty()),
        window: subject.window,
        filter: written(asked.filter),
        recording: written(asked.recording),
        known_at: subject.known_at,
        dimension,
        by,
        content,
    }
}

/// The groups of the window right before.
async fn before(
    store: &Store,
    subject: &Subject,
    (dimension, by): (Dimensions, Quantity),
) -> Result<Vec<TopRow>, ApiError> {
    let question = Top {
        subject: Subject {
            window: earlier(subject.window, None),
            ..subject.clone()
        },
        dimension,
        by,
        limit: GROUPS_BEFORE,
    };
    Ok(store.top(&question).await?)
}

/// An interval that still goes on looks like a fall; the first is shown anyway.
fn leave_out_what_is_not_over(answer: &mut SeriesAnswer, now: Timestamp) {
    let gone = u64::try_from(now.nanos_since(answer.from) / flow::clock::NANOS_PER_SECOND);
    let over = gone.unwrap_or(0) / answer.step_s.max(1);
    let over = usize::try_from(over).unwrap_or(usize::MAX).max(1);
    let lines = answer
        .lines
        .iter_mut()
        .chain(answer.previous.iter_mut().flatten());
    for line in lines {
        line.values.truncate(over);
    }
}

/// The share of each interval that is still to be reported, of what is live.
async fn missing(
    api: &Api,
    asked: &Asked<'_>,
    subject: &Subject,
    answer: &SeriesAnswer,
) -> Vec<f64> {
    let now = clock::now();
    let is_live = asked.recording.is_none() && subject.known_at.is_none();
    if !is_live || subject.window.to < now - LATENESS_MAX {
        return Vec::new();
    }
    // Without it there is a picture all the same: some filters cannot be asked about it.
    let Ok(octets) = lateness_now(api, (&subject.filter, &subject.scope)).await else {
        return Vec::new();
    };
    let lateness: Lateness = serde_json::from_slice(&octets).unwrap_or_default();
    let points = answer.lines.iter().map(|line| line.values.len()).max();
    let step = Duration::from_secs(answer.step_s);
    let middles = (0..points.unwrap_or(0)).map(|at| {
        let intervals = u32::try_from(at).unwrap_or(u32::MAX);
        answer.from + step.saturating_mul(intervals) + step / 2
    });
    middles.map(|at| share(&lateness, now, at)).collect()
}

/// The share that is missing of what went at an instant, between the ages that are known.
fn share(lateness: &Lateness, now: Timestamp, at: Timestamp) -> f64 {
    let millis = now.nanos_since(at).max(0) / flow::clock::NANOS_PER_MILLI;
    let age_s = f64::from(u32::try_from(millis).unwrap_or(u32::MAX)) / 1000.0;
    let ages = &lateness.ages;
    let pairs = std::iter::zip(ages, ages.iter().skip(1));
    for (younger, older) in pairs {
        let (from, to) = (f64::from(younger.age_s), f64::from(older.age_s));
        if age_s < to {
            let part = ((age_s - from) / (to - from)).clamp(0.0, 1.0);
            return younger.share + (older.share - younger.share) * part;
        }
    }
    0.0
}

#[cfg(test)]
mod tests {
    use store::lateness::Missing;
    use store::question::Line;

    use super::*;

    #[test]
    fn a_unit_is_another_word_for_a_quantity() {
        use Quantity::{Flows, Octets};
        assert_eq!(quantity(None, None).unwrap(), Octets);
        assert_eq!(quantity(None, Some(PictureUnit::Flows)).unwrap(), Flows);
        assert_eq!(
            quantity(Some(Octets), Some(PictureUnit::Bits)).unwrap(),
            Octets
        );
        assert!(quantity(Some(Flows), Some(PictureUnit::Bits)).is_err());
    }

    #[test]
    fn an_interval_that_goes_on_is_left_out() {
        let line = Line {
            name: "total".to_owned(),
            values: vec![1.0; 6],
        };
        let answer = SeriesAnswer {
            from: Timestamp::from_seconds(1000),
            step_s: 10,
            by: Quantity::Octets,
            lines: vec![line.clone()],
            previous: Some(vec![line]),
        };
        let left = |now| {
            let mut answer = answer.clone();
            leave_out_what_is_not_over(&mut answer, Timestamp::from_seconds(now));
            let before = answer.previous.unwrap()[0].values.len();
            assert_eq!(answer.lines[0].values.len(), before);
            before
        };
        assert_eq!([left(1039), left(1040), left(9999)], [3, 4, 6]);
        assert_eq!([left(1005), left(0)], [1, 1]);
    }

    #[test]
    fn a_share_lies_between_the_ages_that_are_known() {
        let ages = [(0, 1.0), (10, 0.5), (20, 0.0)];
        let ages = ages.map(|(age_s, share)| Missing { age_s, share });
        let lateness = Lateness {
            octets: 1,
            ages: ages.to_vec(),
        };
        let [now, at] = [100, 96].map(Timestamp::from_seconds);
        assert!((share(&lateness, now, at) - 0.8).abs() < 1e-9);
        let shares =
            [101, 100, 85, 50].map(|at| share(&lateness, now, Timestamp::from_seconds(at)));
        assert_eq!(shares, [1.0, 1.0, 0.25, 0.0]);
        assert_eq!(share(&Lateness::default(), now, at), 0.0);
    }
}
