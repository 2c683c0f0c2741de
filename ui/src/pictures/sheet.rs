//! What a picture is drawn on: how large, light or dark, SVG or PNG.

use super::scene::Scene;
use super::{raster, svg};

/// Narrower than this, nothing can be read.
pub const WIDTH_MIN: u32 = 320;
/// Lower than this, nothing can be read.
pub const HEIGHT_MIN: u32 = 160;
/// The longest side, pixels: as a PNG it takes 50 MB of memory while it is drawn.
pub const SIDE_MAX: u32 = 4096;

/// The size that letters are made for. What is larger in both directions is magnified, so that it can be read wherever it is
/// scaled down again.
const PLAIN: (f64, f64) = (960.0, 480.0);

/// Light or dark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// For paper and light pages.
    #[default]
    Light,
    /// For dark pages.
    Dark,
}

/// Of what kind the octets are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// [Scalable Vector Graphics](https://www.w3.org/TR/SVG2/). Words are text, in the fonts of whoever looks at it.
    Svg,
    /// [Portable Network Graphics](https://www.w3.org/TR/png-3/), 8 bits each of red, green and blue.
    Png,
}

/// What a picture is drawn on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sheet {
    kind: Kind,
    width: u32,
    height: u32,
    theme: Theme,
}

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// The caller asks for another size.
    #[error(
        "a picture is from {WIDTH_MIN} to {SIDE_MAX} pixels wide and from {HEIGHT_MIN} to {SIDE_MAX} high, not {width} × {height}"
    )]
    Size {
        /// The width that was asked for, pixels.
        width: u32,
        /// The height that was asked for, pixels.
        height: u32,
    },
    /// It should have worked.
    #[error("the picture cannot be drawn: {0}")]
    Drawing(String),
}

impl Sheet {
    /// So large, in pixels.
    ///
    /// # Errors
    ///
    /// [`PictureError::Size`] if it is too small to be read, or larger than [`SIDE_MAX`].
    pub fn new(kind: Kind, width: u32, height: u32, theme: Theme) -> Result<Self, PictureError> {
        let is_possible =
            (WIDTH_MIN..=SIDE_MAX).contains(&width) && (HEIGHT_MIN..=SIDE_MAX).contains(&height);
        let sheet = Self {
            kind,
            width,
            height,
            theme,
        };
        is_possible
            .then_some(sheet)
            .ok_or(PictureError::Size { width, height })
    }

    pub(super) fn theme(&self) -> Theme {
        self.theme
    }

    /// Width and height in pixels.
    pub(super) fn pixels(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// Pixels of a unit of the scene.
    pub(super) fn scale(&self) -> f64 {
        let (width, height) = (f64::from(self.width), f64::from(self.height));
        (width / PLAIN.0).min(height / PLAIN.1).max(1.0)
    }

    /// Width and height in units of the scene.
    pub(super) fn size(&self) -> (f64, f64) {
        let scale = self.scale();
        (
            f64::from(self.width) / scale,
            f64::from(self.height) / scale,
        )
    }

    pub(super) fn draw(&self, scene: &Scene) -> Result<Vec<u8>, PictureError> {
        match self.kind {
            Kind::Svg => svg::draw(scene, self),
            Kind::Png => raster::draw(scene, self),
        }
    }
}
