//! Pictures for the API: what the store answered, in the words and units of whoever looks at it.

use std::collections::HashMap;
use std::time::Duration;

use api::studio::{Content, Drawing, PictureFile, Sheet, Studio, StudioError, Theme};
use store::question::{self, Dimension, Dimensions, Quantity, SeriesAnswer, TopRow};
use ui::pictures::{self, Bar, Kind, Line, Mark, PictureError, SeriesPicture, TopPicture, Unit};

/// Draws by what `ui` has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RunningStudio;

impl Studio for RunningStudio {
    fn draw(&self, drawing: &Drawing, sheet: Sheet) -> Result<Vec<u8>, StudioError> {
        let sheet = pictures::Sheet::new(
            match sheet.kind {
                PictureFile::Svg => Kind::Svg,
                PictureFile::Png => Kind::Png,
            },
            sheet.width,
            sheet.height,
            match sheet.theme {
                Theme::Light => pictures::Theme::Light,
                Theme::Dark => pictures::Theme::Dark,
            },
        );
        let sheet = sheet.map_err(told)?;
        let drawn = match &drawing.content {
            Content::Series { .. } => series(drawing).draw(&sheet),
            Content::Top { .. } => top(drawing).draw(&sheet),
        };
        drawn.map_err(told)
    }
}

fn told(error: PictureError) -> StudioError {
    match error {
        PictureError::Size { .. } => StudioError::Size(error.to_string()),
        PictureError::Drawing(_) => StudioError::Failed(Box::new(error)),
    }
}

fn series(drawing: &Drawing) -> SeriesPicture {
    let mut picture = SeriesPicture {
        title: title(drawing),
        subtitle: subtitle(drawing),
        unit: unit(drawing.by),
        ..SeriesPicture::default()
    };
    if let Content::Series {
        answer,
        is_stacked,
        missing,
        notes,
    } = &drawing.content
    {
        picture.from = answer.from;
        picture.step = Duration::from_secs(answer.step_s);
        picture.stacked = *is_stacked;
        picture.lines = lines(answer, &answer.lines);
        picture.previous = lines(answer, answer.previous.as_deref().unwrap_or_default());
        picture.missing = missing.clone();
        picture.marks = notes
            .iter()
            .map(|note| Mark {
                at: note.at,
                text: note.text.clone(),
            })
            .collect();
    }
    picture
}

fn lines(answer: &SeriesAnswer, lines: &[question::Line]) -> Vec<Line> {
    let unit = unit(answer.by);
    let seconds = Duration::from_secs(answer.step_s).as_secs_f64();
    let rates = |line: &question::Line| Line {
        name: line.name.clone(),
        values: line
            .values
            .iter()
            .map(|value| unit.rate(*value, seconds))
            .collect(),
    };
    lines.iter().map(rates).collect()
}

fn top(drawing: &Drawing) -> TopPicture {
    let unit = unit(drawing.by);
    let mut picture = TopPicture {
        title: title(drawing),
        subtitle: subtitle(drawing),
        of: drawing.dimension.map(head).unwrap_or_default(),
        unit,
        bars: Vec::new(),
    };
    if let Content::Top {
        rows,
        before,
        lasted,
    } = &drawing.content
    {
        let rate = |row: &TopRow| unit.rate(counted(row, drawing.by), lasted.as_secs_f64());
        // Where nothing at all was before, it was not looked, and nothing is new.
        let before = before.as_ref().filter(|rows| !rows.is_empty());
        let before = before.map(|rows| {
            let pairs = rows.iter().map(|row| (row.name.as_str(), rate(row)));
            pairs.collect::<HashMap<_, _>>()
        });
        let bar = |row: &TopRow| Bar {
            name: row.name.clone(),
            value: rate(row),
            before: before
                .as_ref()
                .map(|before| before.get(row.name.as_str()).copied().unwrap_or(0.0)),
        };
        picture.bars = rows.iter().map(bar).collect();
    }
    picture
}

fn counted(row: &TopRow, by: Quantity) -> f64 {
    crate::cli::ask::approximate(match by {
        Quantity::Octets => row.octets,
        Quantity::Packets => row.packets,
        Quantity::Flows => row.flows,
        Quantity::Clients => row.clients,
    })
}

fn unit(by: Quantity) -> Unit {
    match by {
        Quantity::Octets => Unit::Bits,
        Quantity::Packets => Unit::Packets,
        Quantity::Flows => Unit::Flows,
        Quantity::Clients => Unit::Clients,
    }
}

/// `Traffic by application`, `Clients`.
fn title(drawing: &Drawing) -> String {
    if let Some(title) = &drawing.title {
        return title.clone();
    }
    let of = match drawing.by {
        Quantity::Octets => "Traffic",
        Quantity::Packets => "Packets",
        Quantity::Flows => "Flows",
        Quantity::Clients => "Clients",
    };
    match drawing.dimension {
        None => of.to_owned(),
        Some(dimensions) => {
            let all: Vec<_> = dimensions.iter().map(|one| words(one).1).collect();
            match &all[..] {
                [first @ .., last] if !first.is_empty() => {
                    format!("{of} by {} and {last}", first.join(", "))
                }
                _ => format!("{of} by {}", all.join("")),
            }
        }
    }
}

/// What groups are, as the head of a column.
fn head(dimensions: Dimensions) -> String {
    let all: Vec<_> = dimensions.iter().map(|one| words(one).0).collect();
    // As names of groups are written.
    all.join(" · ")
}

/// A group, as the head of a column and within a sentence.
fn words(dimension: Dimension) -> (&'static str, &'static str) {
    match dimension {
        Dimension::Applications => ("Application", "application"),
        Dimension::Clients => ("Client", "client"),
        Dimension::Servers => ("Server", "server"),
        Dimension::Conversations => ("Conversation", "conversation"),
        Dimension::Exporters => ("Exporter", "exporter"),
        Dimension::Interfaces => ("Interface", "interface"),
        Dimension::Sites => ("Site", "site"),
        Dimension::Protocols => ("Protocol", "protocol"),
        Dimension::Ports => ("Server port", "server port"),
        Dimension::Directions => ("Direction", "direction"),
    }
}

/// Of when, and of what.
fn subtitle(drawing: &Drawing) -> String {
    let mut parts = vec![pictures::stretch(drawing.window.from, drawing.window.to)];
    if let Some(name) = &drawing.recording {
        parts.push(format!("recording {name}"));
    }
    if let Some(at) = drawing.known_at {
        let at = at.floor(Duration::from_secs(1));
        parts.push(format!("as it was known at {}", pictures::moment(at)));
    }
    parts.extend(drawing.filter.clone());
    parts.join(" · ")
}

#[cfg(test)]
mod tests {
    use flow::Timestamp;
    use store::question::Window;

    use super::*;

    fn drawing(content: Content) -> Drawing {
        let [from, to] =
            ["2026-03-01T10:00:00Z", "2026-03-01T10:01:00Z"].map(|text| text.parse().unwrap());
        Drawing {
            title: None,
            window: Window { from, to },
            filter: Some("app \"mail\"".to_owned()),
            recording: Some("friday".to_owned()),
            known_at: Some(to),
            dimension: Some(Dimension::Ports.into()),
            by: Quantity::Octets,
            content,
        }
    }

    fn row(name: &str, octets: u64) -> TopRow {
        TopRow {
            name: name.to_owned(),
            parts: Vec::new(),
            octets,
            packets: 0,
            flows: 0,
            clients: 0,
        }
    }

    #[test]
    fn octets_of_a_minute_are_bits_of_a_second() {
        let content = |before: Option<Vec<TopRow>>| Content::Top {
            rows: vec![row("a", 7_500_000), row("b", 75)],
            before,
            lasted: Duration::from_secs(60),
        };
        let picture = top(&drawing(content(Some(vec![row("a", 750_000)]))));
        let values: Vec<_> = picture
            .bars
            .iter()
            .map(|bar| (bar.value, bar.before))
            .collect();
        assert_eq!(values, [(1e6, Some(1e5)), (10.0, Some(0.0))]);
        assert_eq!(
            (picture.of.as_str(), picture.title.as_str()),
            ("Server port", "Traffic by server port")
        );
        let nothing = top(&drawing(content(Some(Vec::new()))));
        assert_eq!(nothing.bars[0].before, None);
    }

    #[test]
    fn groups_of_several_dimensions_are_called_by_all() {
        let called = |text: &str| {
            let content = Content::Top {
                rows: Vec::new(),
                before: None,
                lasted: Duration::from_secs(60),
            };
            let picture = top(&Drawing {
                dimension: Some(text.parse().unwrap()),
                ..drawing(content)
            });
            (picture.title, picture.of)
        };
        let two = ("Traffic by site and application", "Site · Application");
        assert_eq!(
            called("sites,applications"),
            (two.0.to_owned(), two.1.to_owned())
        );
        assert_eq!(
            called("clients,servers,ports").0,
            "Traffic by client, server and server port"
        );
    }

    #[test]
    fn a_picture_says_of_what_it_is() {
        let answer = SeriesAnswer {
            from: Timestamp::from_seconds(0),
            step_s: 20,
            by: Quantity::Octets,
            lines: vec![question::Line {
                name: "a".to_owned(),
                values: vec![2500.0, 0.0, 5.0],
            }],
            previous: None,
        };
        let content = Content::Series {
            answer,
            is_stacked: true,
            missing: Vec::new(),
            notes: Vec::new(),
        };
        let picture = series(&drawing(content));
        assert_eq!(picture.lines[0].values, [1000.0, 0.0, 2.0]);
        let said = "2026-03-01 10:00–10:01 UTC · recording friday · as it was known at 2026-03-01 10:01 UTC · app \"mail\"";
        assert_eq!(picture.subtitle, said);
    }
}
