//! A scene as PNG, by plotters: shapes are drawn larger than they are and made smaller again, so that their edges are smooth; words are
//! set in their own size, so that they are sharp.

use plotters_backend::{BackendCoord, DrawingBackend, DrawingErrorKind};
use plotters_bitmap::{BitMapBackend, BitMapBackendError};

use super::lettering::{Setting, backend, whole};
use super::scene::{Point, Scene, Shape};
use super::sheet::{PictureError, Sheet};
use super::theme::Ink;

/// Pixels that may be drawn to be made smaller again.
const DRAWN_MAX: u64 = 17_000_000;
/// Octets of a pixel.
const RGB: usize = 3;

type Drawn = Result<(), DrawingErrorKind<BitMapBackendError>>;

pub(super) fn draw(scene: &Scene, sheet: &Sheet) -> Result<Vec<u8>, PictureError> {
    let (width, height) = sheet.pixels();
    let larger = magnification(width, height);
    let size = (width * larger, height * larger);
    let mut pixels = filled(scene.ground, size);
    let pen = Pen {
        scale: sheet.scale() * f64::from(larger),
    };
    let failed = |error: DrawingErrorKind<_>| PictureError::Drawing(error.to_string());
    let mut to = BitMapBackend::with_buffer(&mut pixels, size);
    pen.shapes(&mut to, scene).map_err(failed)?;
    drop(to);
    let mut pixels = smaller(pixels, (width, height), larger);
    let mut to = BitMapBackend::with_buffer(&mut pixels, (width, height));
    let scale = sheet.scale();
    for words in &scene.words {
        let at = (whole(words.at.0 * scale), whole(words.at.1 * scale));
        let setting = Setting { words, scale };
        to.draw_text(&words.text, &setting, at).map_err(failed)?;
    }
    drop(to);
    encoded(&pixels, (width, height)).map_err(|error| PictureError::Drawing(error.to_string()))
}

/// How many times as large shapes are drawn.
fn magnification(width: u32, height: u32) -> u32 {
    let fits = |times: &u32| u64::from(width * times) * u64::from(height * times) <= DRAWN_MAX;
    [4, 3, 2].into_iter().find(fits).unwrap_or(1)
}

fn filled(ground: Ink, (width, height): (u32, u32)) -> Vec<u8> {
    ground.rgb.repeat(length(width) * length(height))
}

fn length(pixels: u32) -> usize {
    usize::try_from(pixels).unwrap_or(usize::MAX)
}

/// Draws shapes in pixels.
struct Pen {
    /// Pixels of a unit of the scene.
    scale: f64,
}

impl Pen {
    fn place(&self, (x, y): Point) -> BackendCoord {
        (whole(x * self.scale), whole(y * self.scale))
    }

    fn shapes(&self, to: &mut BitMapBackend<'_>, scene: &Scene) -> Drawn {
        for shape in &scene.shapes {
            match shape {
                Shape::Box {
                    left,
                    top,
                    width,
                    height,
                    ink,
                } => {
                    let end = self.place((left + width, top + height));
                    to.draw_rect(self.place((*left, *top)), end, &backend(*ink), true)?;
                }
                Shape::Line { points, width, ink } => self.line(to, points, *width, *ink)?,
                Shape::Area { points, ink } => {
                    let points = points.iter().map(|point| self.place(*point));
                    to.fill_polygon(points, &backend(*ink))?;
                }
            }
        }
        Ok(())
    }

    /// Piece by piece, with round joints: plotters' own wide lines have spikes where a line turns back.
    fn line(&self, to: &mut BitMapBackend<'_>, points: &[Point], width: f64, ink: Ink) -> Drawn {
        let ink = backend(ink);
        let half = width * self.scale / 2.0;
        let radius = u32::try_from(whole(half)).unwrap_or(0);
        for (from, end) in std::iter::zip(points, points.iter().skip(1)) {
            let [from, end] = [*from, *end].map(|(x, y)| (x * self.scale, y * self.scale));
            let (right, down) = (end.0 - from.0, end.1 - from.1);
            let length = right.hypot(down);
            if length < 0.5 {
                continue;
            }
            let aside = (-down / length * half, right / length * half);
            let corners = [
                (from.0 + aside.0, from.1 + aside.1),
                (end.0 + aside.0, end.1 + aside.1),
                (end.0 - aside.0, end.1 - aside.1),
                (from.0 - aside.0, from.1 - aside.1),
            ];
            to.fill_polygon(corners.map(|(x, y)| (whole(x), whole(y))), &ink)?;
        }
        let inner = points.get(1..points.len().saturating_sub(1));
        for joint in inner.into_iter().flatten() {
            to.draw_circle(self.place(*joint), radius, &ink, true)?;
        }
        Ok(())
    }
}

/// Each pixel as the mean of those that it is made of.
fn smaller(pixels: Vec<u8>, (width, height): (u32, u32), times: u32) -> Vec<u8> {
    if times == 1 {
        return pixels;
    }
    let (across, times) = (length(width) * RGB, length(times));
    let mut made = Vec::with_capacity(across * length(height));
    let mut sums = vec![0_u16; across];
    for rows in pixels.chunks_exact(across * times * times) {
        sums.fill(0);
        for row in rows.chunks_exact(across * times) {
            let groups = row.chunks_exact(RGB * times);
            for (sum, group) in std::iter::zip(sums.chunks_exact_mut(RGB), groups) {
                for pixel in group.chunks_exact(RGB) {
                    for (sum, value) in std::iter::zip(&mut *sum, pixel) {
                        *sum += u16::from(*value);
                    }
                }
            }
        }
        let count = u16::try_from(times * times).unwrap_or(u16::MAX);
        let mean = |sum: &u16| u8::try_from((sum + count / 2) / count).unwrap_or(u8::MAX);
        made.extend(sums.iter().map(mean));
    }
    made
}

fn encoded(pixels: &[u8], (width, height): (u32, u32)) -> Result<Vec<u8>, png::EncodingError> {
    let mut picture = Vec::new();
    let mut encoder = png::Encoder::new(&mut picture, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Balanced);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()?;
    Ok(picture)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_pixels_become_their_mean() {
        // Two pixels next to each other, each of four: all 10, and 0, 0, 100, 101 of red.
        let upper = [[10, 0, 0], [10, 0, 0], [0, 0, 8], [0, 0, 8]];
        let lower = [[10, 0, 0], [10, 0, 0], [100, 0, 8], [101, 0, 8]];
        let pixels = [upper, lower].concat().concat();
        assert_eq!(smaller(pixels, (2, 1), 2), [10, 0, 0, 50, 0, 8]);
    }

    #[test]
    fn what_is_large_is_drawn_as_it_is() {
        assert_eq!(magnification(960, 480), 4);
        assert_eq!(magnification(1920, 960), 3);
        assert_eq!(magnification(4096, 4096), 1);
    }
}
