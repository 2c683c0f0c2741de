//! The font that is in the binary: how wide words are, and how they are set pixel by pixel.
//!
//! DejaVu Sans Condensed has figures of equal width, Latin, Greek, Cyrillic, and arrows. A letter that it has not is an empty box in a PNG; in an
//! SVG the fonts of whoever looks at it have it.

use std::borrow::Cow;
use std::convert::Infallible;
use std::sync::LazyLock;

use ab_glyph::{Font as _, FontRef, GlyphId, PxScale, ScaleFont as _, point};
use plotters_backend::text_anchor::{HPos, Pos, VPos};
use plotters_backend::{BackendColor, BackendCoord, BackendTextStyle, FontFamily, FontStyle};
use unicode_bidi::{BidiInfo, Level};

use super::scene::Words;
use super::theme::Ink;

/// Which end of words stays where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Middle,
    Right,
}

/// How words are set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Lettering {
    /// An em, CSS pixels.
    pub(super) size: f64,
    pub(super) is_bold: bool,
}

/// The head of a picture.
pub(super) const HEAD: Lettering = Lettering {
    size: 15.0,
    is_bold: true,
};
/// Names and values.
pub(super) const NORMAL: Lettering = Lettering {
    size: 12.5,
    is_bold: false,
};
/// What explains.
pub(super) const SMALL: Lettering = Lettering {
    size: 11.0,
    is_bold: false,
};

/// The regular and the bold font; `None` if the crate that has them were broken, which a test would say.
static FONTS: LazyLock<[Option<FontRef<'static>>; 2]> = LazyLock::new(|| {
    let files = [
        dejavu::sans_condensed::regular(),
        dejavu::sans_condensed::bold(),
    ];
    files.map(|file| FontRef::try_from_slice(file).ok())
});

impl Lettering {
    fn font(self) -> Option<&'static FontRef<'static>> {
        FONTS[usize::from(self.is_bold)].as_ref()
    }

    /// How wide a text is, CSS pixels.
    pub(super) fn width(self, text: &str) -> f64 {
        let places = self.places(text, 1.0);
        places.last().map_or(0.0, |(_, _, end)| f64::from(*end))
    }

    /// Each letter with where it begins and ends, magnified.
    fn places(self, text: &str, scale: f64) -> Vec<(GlyphId, f32, f32)> {
        let Some(font) = self.font() else {
            return Vec::new();
        };
        let scaled = font.as_scaled(em(font, self.size * scale));
        let (mut end, mut before) = (0.0, None);
        let place = |character| {
            let glyph = font.glyph_id(character);
            let begin = end + before.map_or(0.0, |before| scaled.kern(before, glyph));
            end = begin + scaled.h_advance(glyph);
            before = Some(glyph);
            (glyph, begin, end)
        };
        text.chars().map(place).collect()
    }
}

/// The scale at which an em has so many pixels. The crate measures from the highest to the lowest point of the font.
fn em(font: &FontRef<'_>, pixels: f64) -> PxScale {
    let whole = font.height_unscaled() / font.units_per_em().unwrap_or(1000.0);
    #[expect(clippy::cast_possible_truncation, reason = "six digits are enough")]
    let pixels = pixels as f32;
    PxScale::from(pixels * whole)
}

/// From the middle of an `x` to the line that it stands on, pixels.
fn half_of_x(font: &FontRef<'_>, scale: PxScale) -> f32 {
    let x = font.outline(font.glyph_id('x'));
    let units = x.map_or(0.0, |outline| outline.bounds.height().abs());
    units / font.height_unscaled() * scale.y / 2.0
}

/// Words as a backend of plotters sets them. Their place is half the height of an `x` above the base line, which is what plotters' SVG means
/// by the vertical centre.
pub(super) struct Setting<'a> {
    pub(super) words: &'a Words,
    /// Pixels of a unit of the scene.
    pub(super) scale: f64,
}

impl Setting<'_> {
    fn pixels(&self) -> f64 {
        self.words.lettering.size * self.scale
    }
}

impl BackendTextStyle for Setting<'_> {
    type FontError = Infallible;

    fn color(&self) -> BackendColor {
        backend(self.words.ink)
    }

    fn size(&self) -> f64 {
        // plotters' SVG divides by this to have an em.
        self.pixels() * 1.24
    }

    fn style(&self) -> FontStyle {
        match self.words.lettering.is_bold {
            true => FontStyle::Bold,
            false => FontStyle::Normal,
        }
    }

    fn anchor(&self) -> Pos {
        let side = match self.words.side {
            Side::Left => HPos::Left,
            Side::Middle => HPos::Center,
            Side::Right => HPos::Right,
        };
        Pos::new(side, VPos::Center)
    }

    fn family(&self) -> FontFamily<'_> {
        // Said once, for the whole picture.
        FontFamily::Name("inherit")
    }

    fn layout_box(&self, text: &str) -> Result<(BackendCoord, BackendCoord), Infallible> {
        let width = self.words.lettering.width(text) * self.scale;
        Ok(((0, 0), (whole(width), 0)))
    }

    fn draw<E, Draw: FnMut(i32, i32, BackendColor) -> Result<(), E>>(
        &self,
        text: &str,
        (left, middle): BackendCoord,
        mut draw: Draw,
    ) -> Result<Result<(), E>, Infallible> {
        let Some(font) = self.words.lettering.font() else {
            return Ok(Ok(()));
        };
        let scale = em(font, self.pixels());
        let base = half_of_x(font, scale).round();
        let colour = self.color();
        for (glyph, begin, _) in self.words.lettering.places(&as_seen(text), self.scale) {
            let placed = glyph.with_scale_and_position(scale, point(begin, base));
            let Some(outline) = font.outline_glyph(placed) else {
                continue;
            };
            let corner = outline.px_bounds().min;
            let corner = (whole(corner.x.into()), whole(corner.y.into()));
            let mut failed = None;
            outline.draw(|x, y, covered| {
                let place = |at: u32| i32::try_from(at).unwrap_or(i32::MAX);
                let (x, y) = (left + corner.0 + place(x), middle + corner.1 + place(y));
                let alpha = colour.alpha * f64::from(covered.clamp(0.0, 1.0));
                let rgb = colour.rgb;
                if let (None, Err(error)) = (&failed, draw(x, y, BackendColor { alpha, rgb })) {
                    failed = Some(error);
                }
            });
            if let Some(error) = failed {
                return Ok(Err(error));
            }
        }
        Ok(Ok(()))
    }
}

/// The letters from left to right: those of Hebrew and Arabic stand the other way about.
fn as_seen(text: &str) -> Cow<'_, str> {
    let said = BidiInfo::new(text, Some(Level::ltr()));
    match said.paragraphs.first() {
        Some(line) if said.has_rtl() => said.reorder_line(line, line.range.clone()),
        _ => text.into(),
    }
}

/// A colour as plotters says it.
pub(super) fn backend(Ink { rgb, alpha }: Ink) -> BackendColor {
    let [red, green, blue] = rgb;
    BackendColor {
        rgb: (red, green, blue),
        alpha,
    }
}

/// A length as plotters says it; what lies far outside is at the edge of all that can be said.
#[expect(clippy::cast_possible_truncation, reason = "saturates")]
pub(super) fn whole(value: f64) -> i32 {
    value.round() as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// DejaVu Sans Condensed has 2048 units an em; a figure is 1172 of them wide.
    #[test]
    fn figures_are_of_equal_width() {
        for figure in '0'..='9' {
            let width = NORMAL.width(&figure.to_string());
            assert!(
                (width - 12.5 * 1172.0 / 2048.0).abs() < 1e-3,
                "{figure}: {width}"
            );
        }
        assert!(HEAD.width("a") > 0.0);
        assert_eq!(SMALL.width(""), 0.0);
    }

    /// "Shalom" in Hebrew begins with a shin, on the right.
    #[test]
    fn hebrew_reads_from_the_right() {
        assert_eq!(
            as_seen("a \u{5e9}\u{5dc}\u{5d5}\u{5dd}"),
            "a \u{5dd}\u{5d5}\u{5dc}\u{5e9}"
        );
        assert_eq!(as_seen("10.0.0.1 → b"), "10.0.0.1 → b");
    }
}
