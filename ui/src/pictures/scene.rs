//! What a picture consists of. Lengths are CSS pixels of a picture that is not magnified; `y` grows downwards.

use super::lettering::{Lettering, Side};
use super::theme::Ink;

/// A place.
pub(super) type Point = (f64, f64);

/// Something without words.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shape {
    /// An upright rectangle.
    Box {
        left: f64,
        top: f64,
        width: f64,
        height: f64,
        ink: Ink,
    },
    /// From point to point.
    Line {
        points: Vec<Point>,
        width: f64,
        ink: Ink,
    },
    /// What these points enclose.
    Area { points: Vec<Point>, ink: Ink },
}

/// Words in one line: `at` is on the side that does not move, half the height of an `x` above the base line.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Words {
    pub(super) at: Point,
    pub(super) text: String,
    pub(super) lettering: Lettering,
    pub(super) side: Side,
    pub(super) ink: Ink,
}

/// What a picture consists of: later shapes lie over earlier ones, words over all.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scene {
    pub(super) size: (f64, f64),
    pub(super) ground: Ink,
    /// What it is, for whoever cannot see it.
    pub(super) title: String,
    pub(super) description: String,
    pub(super) shapes: Vec<Shape>,
    pub(super) words: Vec<Words>,
}

impl Scene {
    /// An upright rectangle, its edges on whole pixels as far as the picture is not magnified.
    pub(super) fn rectangle(&mut self, (left, top): Point, (width, height): Point, ink: Ink) {
        let (left, top) = (left.round(), top.round());
        self.shapes.push(Shape::Box {
            left,
            top,
            width,
            height,
            ink,
        });
    }

    pub(super) fn line(&mut self, points: Vec<Point>, width: f64, ink: Ink) {
        self.shapes.push(Shape::Line { points, width, ink });
    }

    /// A line that is not drawn everywhere: so long a dash, so long a gap.
    pub(super) fn dashed(&mut self, points: &[Point], width: f64, ink: Ink) {
        for points in dashes(points, 5.0, 4.0) {
            self.line(points, width, ink);
        }
    }

    pub(super) fn area(&mut self, points: Vec<Point>, ink: Ink) {
        self.shapes.push(Shape::Area { points, ink });
    }

    pub(super) fn words(
        &mut self,
        at: Point,
        text: impl Into<String>,
        (lettering, side): (Lettering, Side),
        ink: Ink,
    ) {
        let text = text.into();
        self.words.push(Words {
            at,
            text,
            lettering,
            side,
            ink,
        });
    }
}

/// The parts of a path that are drawn.
fn dashes(path: &[Point], dash: f64, gap: f64) -> Vec<Vec<Point>> {
    let (mut found, mut current) = (Vec::new(), Vec::new());
    let (mut is_drawn, mut left) = (true, dash);
    for (from, to) in std::iter::zip(path, path.iter().skip(1)) {
        let length = (to.0 - from.0).hypot(to.1 - from.1);
        let place = |gone: f64| {
            let part = if length > 0.0 { gone / length } else { 0.0 };
            (
                from.0 + (to.0 - from.0) * part,
                from.1 + (to.1 - from.1) * part,
            )
        };
        let mut gone = 0.0;
        while length - gone > left {
            let begin = place(gone);
            gone += left;
            if is_drawn {
                current.push(begin);
                current.push(place(gone));
                found.push(std::mem::take(&mut current));
            }
            is_drawn = !is_drawn;
            left = if is_drawn { dash } else { gap };
        }
        if is_drawn {
            current.push(place(gone));
        }
        left -= length - gone;
    }
    if let (true, Some(last)) = (is_drawn, path.last()) {
        current.push(*last);
        found.push(current);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dash_goes_around_corners() {
        // 8 to the right, 8 downwards: 5 drawn, 4 not, 5 drawn, 2 not.
        let found = dashes(&[(0.0, 0.0), (8.0, 0.0), (8.0, 8.0)], 5.0, 4.0);
        let expected = [vec![(0.0, 0.0), (5.0, 0.0)], vec![(8.0, 1.0), (8.0, 6.0)]];
        assert_eq!(found, expected);
        let around = dashes(&[(0.0, 0.0), (3.0, 0.0), (3.0, 9.0)], 5.0, 4.0);
        assert_eq!(around[0], [(0.0, 0.0), (3.0, 0.0), (3.0, 2.0)]);
        assert!(dashes(&[], 5.0, 4.0).is_empty());
    }
}
