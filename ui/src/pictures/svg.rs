//! A scene as SVG, by plotters.
//!
//! Words are text, so that they can be found, copied and read aloud; who looks at the picture has the fonts. Nothing in it is a script, a
//! style sheet or a reference.

use std::fmt::Write as _;

use plotters_backend::{BackendColor, BackendCoord, BackendStyle, DrawingBackend};
use plotters_svg::SVGBackend;

use super::lettering::{Setting, backend, whole};
use super::scene::{Point, Scene, Shape};
use super::sheet::{PictureError, Sheet};
use super::theme::Ink;

/// Places are whole numbers: so many of them to a pixel.
const FINENESS: f64 = 10.0;
/// Fonts that are about as wide as the one that words were measured in.
const FONTS: &str = "'Segoe UI', Roboto, 'Helvetica Neue', 'Noto Sans', 'DejaVu Sans Condensed', \
                     'Liberation Sans', Arial, sans-serif";

struct Stroke {
    ink: Ink,
    width: u32,
}

impl BackendStyle for Stroke {
    fn color(&self) -> BackendColor {
        backend(self.ink)
    }

    fn stroke_width(&self) -> u32 {
        self.width
    }
}

fn place((x, y): Point) -> BackendCoord {
    (whole(x * FINENESS), whole(y * FINENESS))
}

fn length(value: f64) -> u32 {
    u32::try_from(whole(value * FINENESS)).unwrap_or(0)
}

pub(super) fn draw(scene: &Scene, sheet: &Sheet) -> Result<Vec<u8>, PictureError> {
    let size = (length(scene.size.0), length(scene.size.1));
    let mut drawn = String::new();
    let mut backend = SVGBackend::with_string(&mut drawn, size);
    fill(&mut backend, scene).map_err(|error| PictureError::Drawing(error.to_string()))?;
    drop(backend);
    // plotters' own first line knows neither fonts nor what the picture is.
    let (_, rest) = drawn.split_once('\n').unwrap_or_default();
    let mut picture = opening(scene, sheet, size);
    picture.push_str(rest);
    Ok(picture.into_bytes())
}

fn fill(
    to: &mut SVGBackend<'_>,
    scene: &Scene,
) -> Result<(), plotters_backend::DrawingErrorKind<std::io::Error>> {
    let style = |ink, width| Stroke {
        ink,
        width: length(width),
    };
    to.draw_rect((0, 0), place(scene.size), &style(scene.ground, 0.0), true)?;
    for shape in &scene.shapes {
        match shape {
            Shape::Box {
                left,
                top,
                width,
                height,
                ink,
            } => {
                let end = place((left + width, top + height));
                to.draw_rect(place((*left, *top)), end, &style(*ink, 0.0), true)?;
            }
            Shape::Line { points, width, ink } => {
                to.draw_path(points.iter().copied().map(place), &style(*ink, *width))?;
            }
            Shape::Area { points, ink } => {
                to.fill_polygon(points.iter().copied().map(place), &style(*ink, 0.0))?;
            }
        }
    }
    for words in &scene.words {
        let scale = FINENESS;
        to.draw_text(&words.text, &Setting { words, scale }, place(words.at))?;
    }
    to.present()
}

/// The first lines: size, fonts, and what the picture is for whoever cannot see it.
fn opening(scene: &Scene, sheet: &Sheet, (across, down): (u32, u32)) -> String {
    let (width, height) = sheet.pixels();
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write!(
        text,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {across} {down}\" role=\"img\" \
         font-family=\"{FONTS}\" font-variant=\"tabular-nums\" stroke-linejoin=\"round\">\n\
         <title>{}</title>\n<desc>{}</desc>\n",
        escaped(&scene.title),
        escaped(&scene.description),
    );
    text
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
