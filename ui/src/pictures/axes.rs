//! The frame around values over time: a grid with numbers, times below.

use flow::Timestamp;

use super::lettering::{SMALL, Side};
use super::scene::{Point, Scene};
use super::theme::Look;
use super::times;
use super::units::{Unit, plain};

/// Below a grid: the times.
pub(super) const BELOW: f64 = 22.0;
/// Between numbers and the grid.
const GAP: f64 = 8.0;
/// Between times, so that none runs into the next.
const TIME_APART: f64 = 84.0;

/// Numbers at the grid: from 0 in equal steps to what is not less than the highest value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scale {
    step: f64,
    count: u32,
    divide: f64,
    /// The unit of the numbers.
    pub(super) unit: String,
}

impl Scale {
    /// For values up to `max`, with at most so many steps.
    pub(super) fn new(max: f64, unit: Unit, steps_max: u32) -> Self {
        let max = if max > 0.0 && max.is_finite() {
            max
        } else {
            1.0
        };
        let wanted = max / f64::from(steps_max.max(1));
        // What is counted has no parts.
        let wanted = if unit == Unit::Clients {
            wanted.max(1.0)
        } else {
            wanted
        };
        let decade = 10_f64.powf(wanted.log10().floor());
        let fits = |factor: &f64| factor * decade >= wanted * (1.0 - 1e-9);
        let factors: &[f64] = match unit {
            Unit::Clients => &[1.0, 2.0, 5.0],
            _ => &[1.0, 2.0, 2.5, 5.0],
        };
        let factor = factors.iter().copied().find(fits).unwrap_or(10.0);
        let step = factor * decade;
        let enough = |count: &u32| f64::from(*count) * step >= max * (1.0 - 1e-9);
        let count = (1..=steps_max.max(1))
            .find(enough)
            .unwrap_or(steps_max.max(1));
        let (divide, unit) = unit.axis(step * f64::from(count));
        Self {
            step,
            count,
            divide,
            unit,
        }
    }

    /// The highest number.
    pub(super) fn top(&self) -> f64 {
        self.step * f64::from(self.count)
    }

    /// The numbers, each with what is written there.
    fn numbers(&self) -> impl Iterator<Item = (f64, String)> {
        (0..=self.count).map(|at| {
            let value = self.step * f64::from(at);
            (value, plain(value / self.divide))
        })
    }

    /// Room for the numbers.
    pub(super) fn width(&self) -> f64 {
        let widths = self.numbers().map(|(_, text)| SMALL.width(&text));
        widths.fold(SMALL.width("UTC"), f64::max).ceil() + GAP
    }
}

/// Where values are drawn, and what its edges stand for.
#[derive(Clone, Debug)]
pub(super) struct Plot {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) right: f64,
    pub(super) bottom: f64,
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
    pub(super) scale: Scale,
}

impl Plot {
    /// Where an instant is; what is outside is at the edge.
    pub(super) fn x(&self, at: Timestamp) -> f64 {
        let length = seconds(self.from, self.to);
        let part = if length > 0.0 {
            (seconds(self.from, at) / length).clamp(0.0, 1.0)
        } else {
            0.0
        };
        self.left + (self.right - self.left) * part
    }

    /// Where a value is.
    pub(super) fn y(&self, value: f64) -> f64 {
        let part = (value / self.scale.top()).clamp(0.0, 1.0);
        self.bottom - (self.bottom - self.top) * part
    }

    pub(super) fn place(&self, at: Timestamp, value: f64) -> Point {
        (self.x(at), self.y(value))
    }

    /// Lines across with their numbers, and the unit above them.
    pub(super) fn draw_grid(&self, scene: &mut Scene, look: &Look) {
        let width = self.right - self.left;
        for (value, text) in self.scale.numbers() {
            let y = self.y(value);
            if value > 0.0 {
                scene.rectangle((self.left, y), (width, 1.0), look.grid);
            }
            let at = (self.left - GAP, y);
            scene.words(at, text, (SMALL, Side::Right), look.quiet);
        }
        let at = (self.left, self.top - 14.0);
        scene.words(at, &self.scale.unit, (SMALL, Side::Left), look.quiet);
    }

    /// The line that values stand on, with times below, and what zone they are of.
    pub(super) fn draw_times(&self, scene: &mut Scene, look: &Look) {
        let width = self.right - self.left;
        scene.rectangle((self.left, self.bottom), (width, 1.0), look.quiet.thin(0.5));
        let below = self.bottom + 14.0;
        let zone = (self.left - GAP, below);
        scene.words(zone, "UTC", (SMALL, Side::Right), look.quiet);
        let mut free = self.left - GAP;
        for (at, text) in times::ticks(self.from, self.to, width / TIME_APART) {
            let x = self.x(at);
            scene.rectangle((x, self.bottom), (1.0, 4.0), look.quiet.thin(0.5));
            let half = SMALL.width(&text) / 2.0;
            // At the edge it stays within the picture.
            let middle = x.min(self.right - half);
            if middle - half > free {
                scene.words((middle, below), text, (SMALL, Side::Middle), look.quiet);
                free = middle + half + GAP;
            }
        }
    }
}

/// From one instant to another.
fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a place in a picture")]
    let nanos = to.nanos_since(from) as f64;
    nanos / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(max: f64, unit: Unit, steps_max: u32) -> String {
        let scale = Scale::new(max, unit, steps_max);
        let numbers: Vec<String> = scale.numbers().map(|(_, text)| text).collect();
        format!("{} {}", numbers.join(" "), scale.unit)
    }

    #[test]
    fn numbers_are_round_and_enough() {
        let cases = [
            (3.2e6, "0 1 2 3 4 Mbit/s"),
            (8e6, "0 2 4 6 8 Mbit/s"),
            (1.5e6, "0 0.5 1 1.5 Mbit/s"),
            (105e6, "0 25 50 75 100 125 Mbit/s"),
            (999e3, "0 0.2 0.4 0.6 0.8 1 Mbit/s"),
            (0.0, "0 0.2 0.4 0.6 0.8 1 bit/s"),
        ];
        for (max, expected) in cases {
            assert_eq!(written(max, Unit::Bits, 5), expected);
        }
        assert_eq!(written(3.0, Unit::Clients, 5), "0 1 2 3 clients");
        assert_eq!(written(11.0, Unit::Clients, 5), "0 5 10 15 clients");
        assert_eq!(written(9e6, Unit::Bits, 2), "0 5 10 Mbit/s");
    }

    #[test]
    fn the_highest_number_is_never_below_the_highest_value() {
        for exponent in 0..80 {
            let max = 1.37_f64.powi(exponent);
            let scale = Scale::new(max, Unit::Flows, 5);
            assert!(
                scale.top() >= max * (1.0 - 1e-6) && scale.top() <= max * 2.5,
                "{max}"
            );
        }
    }
}
