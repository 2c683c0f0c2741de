//! Values over time.

use std::time::Duration;

use flow::Timestamp;

use super::axes::{BELOW, Plot, Scale};
use super::legend::{Entry, Legend};
use super::lettering::{SMALL, Side};
use super::scene::{Point, Scene};
use super::sheet::{PictureError, Sheet};
use super::theme::{Ink, Look, colour};
use super::top::{self, MARGIN};
use super::units::Unit;
use super::{marks, names};

/// A colour over the ground.
const AREA: f64 = 0.82;
const LINE_WIDTH: f64 = 1.75;
/// The top edge of an area.
const EDGE_WIDTH: f64 = 0.75;
/// What was before is fainter.
const BEFORE: f64 = 0.6;
/// How dark it is where everything is missing, and what share is not worth a shade.
const SHADE: f64 = 0.22;
const SHARE_MIN: f64 = 0.01;

/// Values over time, as lines or stacked areas.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SeriesPicture {
    /// What it is.
    pub title: String,
    /// Of when, and of what.
    pub subtitle: String,
    /// Start of the first interval.
    pub from: Timestamp,
    /// Length of an interval.
    pub step: Duration,
    /// Of the values.
    pub unit: Unit,
    /// Whether lines are areas, one on top of the other.
    pub stacked: bool,
    /// The lines, largest first.
    pub lines: Vec<Line>,
    /// The same one window length earlier; drawn dashed.
    pub previous: Vec<Line>,
    /// What is to be said of moments.
    pub marks: Vec<Mark>,
    /// The share of each interval that is still to be reported, 0 to 1: shaded. May be shorter than the lines.
    pub missing: Vec<f64>,
}

/// A line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Line {
    /// The group's name, from the network.
    pub name: String,
    /// A value for each interval, in the picture's unit.
    pub values: Vec<f64>,
}

/// A moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mark {
    /// When.
    pub at: Timestamp,
    /// What is to be said of it.
    pub text: String,
}

impl SeriesPicture {
    /// Draws it.
    ///
    /// # Errors
    ///
    /// [`PictureError::Drawing`], which is a fault of ours.
    pub fn draw(&self, sheet: &Sheet) -> Result<Vec<u8>, PictureError> {
        let look = sheet.theme().look();
        let (mut scene, top) = top::headed(sheet, (&self.title, &self.subtitle));
        let lines = || self.lines.iter().chain(&self.previous);
        if self.points() == 0
            || !lines()
                .flat_map(|line| &line.values)
                .any(|value| *value > 0.0)
        {
            top::say_nothing(&mut scene, look, top);
        } else {
            self.draw_values(&mut scene, look, top);
        }
        scene.description = self.description();
        sheet.draw(&scene)
    }

    fn draw_values(&self, scene: &mut Scene, look: &Look, top: f64) {
        let (width, height) = scene.size;
        let legend = Legend::new(self.entries(), (width - 2.0 * MARGIN, height));
        let legend_top = height - MARGIN + 4.0 - legend.height();
        let plot = self.plot((width, top + 26.0), legend_top - BELOW - 8.0);
        plot.draw_grid(scene, look);
        self.draw_missing(scene, look, &plot);
        if self.stacked {
            self.draw_stack(scene, look, &plot);
        }
        for line in &self.previous {
            let ink = colour(&line.name).over(look.surface, BEFORE);
            scene.dashed(&self.path(&plot, &line.values), 1.5, ink);
        }
        // The largest over the others.
        for line in self.lines.iter().rev().filter(|_| !self.stacked) {
            let path = self.path(&plot, &line.values);
            scene.line(path, LINE_WIDTH, colour(&line.name));
        }
        plot.draw_times(scene, look);
        marks::draw(scene, look, &plot, &self.marks);
        let dashed = (!self.previous.is_empty()).then_some("dashed: the time before");
        let place = ((MARGIN, legend_top), width - 2.0 * MARGIN);
        legend.draw(scene, look, place, dashed);
    }

    fn plot(&self, (width, top): Point, bottom: f64) -> Plot {
        let steps = if bottom - top > 120.0 { 5 } else { 2 };
        let scale = Scale::new(self.highest(), self.unit, steps);
        // From the middle of the first interval to that of the last; one alone is as long as it is.
        let last = u32::try_from(self.points().saturating_sub(1)).unwrap_or(u32::MAX);
        let (from, to) = match last {
            0 => (self.from, self.from + self.step),
            _ => (self.middle(0), self.middle(last)),
        };
        Plot {
            left: MARGIN + scale.width(),
            top,
            right: width - MARGIN,
            bottom: bottom.max(top + 20.0),
            from,
            to,
            scale,
        }
    }

    /// Intervals that are drawn.
    fn points(&self) -> usize {
        let lengths = self.lines.iter().map(|line| line.values.len());
        lengths.max().unwrap_or(0)
    }

    fn middle(&self, interval: u32) -> Timestamp {
        self.from + self.step.saturating_mul(interval) + self.step / 2
    }

    /// The points of a line. One interval alone is a line as long as it is.
    fn path(&self, plot: &Plot, values: &[f64]) -> Vec<Point> {
        if let (1, Some(value)) = (self.points(), values.first()) {
            let y = plot.y(drawable(*value));
            return vec![(plot.left, y), (plot.right, y)];
        }
        let points = std::iter::zip(0.., values).take(self.points());
        points
            .map(|(at, value)| plot.place(self.middle(at), drawable(*value)))
            .collect()
    }

    fn highest(&self) -> f64 {
        let alone = |lines: &[Line]| {
            let values = lines.iter().flat_map(|line| &line.values);
            values.fold(0.0, |max, value| drawable(*value).max(max))
        };
        let now = match self.stacked {
            true => self.sums().into_iter().fold(0.0, f64::max),
            false => alone(&self.lines),
        };
        alone(&self.previous).max(now)
    }

    /// All lines together.
    fn sums(&self) -> Vec<f64> {
        let mut sums = vec![0.0; self.points()];
        for line in &self.lines {
            add(&mut sums, &line.values);
        }
        sums
    }

    /// Areas from the largest upwards.
    fn draw_stack(&self, scene: &mut Scene, look: &Look, plot: &Plot) {
        let mut below = vec![0.0; self.points()];
        let mut edges = Vec::new();
        for line in &self.lines {
            let mut above = below.clone();
            add(&mut above, &line.values);
            let upper = self.path(plot, &above);
            let mut around = upper.clone();
            around.extend(self.path(plot, &below).into_iter().rev());
            let ink = colour(&line.name);
            scene.area(around, ink.over(look.surface, AREA));
            edges.push((upper, ink));
            below = above;
        }
        for (edge, ink) in edges {
            scene.line(edge, EDGE_WIDTH, ink);
        }
    }

    /// Where records still arrive: the darker, the more is missing.
    fn draw_missing(&self, scene: &mut Scene, look: &Look, plot: &Plot) {
        let shares = std::iter::zip(0.., &self.missing).take(self.points());
        let mut first = None;
        for (interval, share) in shares.filter(|(_, share)| **share >= SHARE_MIN) {
            let begin = self.from + self.step.saturating_mul(interval);
            let (left, right) = (plot.x(begin), plot.x(begin + self.step));
            let corner = (left, plot.top);
            let size = (right.round() - left.round(), plot.bottom - plot.top);
            scene.rectangle(corner, size, shade(look, *share));
            first.get_or_insert(left);
        }
        let Some(left) = first else { return };
        let text = "records still arrive";
        let at = (plot.right, plot.top - 14.0);
        if left.min(plot.right - SMALL.width(text)) > plot.left + SMALL.width(&plot.scale.unit) {
            scene.words(at, text, (SMALL, Side::Right), look.quiet);
        }
    }

    /// The lines by name, each with its mean.
    fn entries(&self) -> Vec<Entry> {
        let entry = |line: &Line| Entry {
            name: line.name.clone(),
            value: self.unit.written(mean(&line.values)),
        };
        self.lines.iter().map(entry).collect()
    }

    /// For whoever cannot see it.
    fn description(&self) -> String {
        let entries = self.entries().into_iter().take(20);
        let entries = entries.map(|entry| {
            let name = names::of_group(&entry.name);
            format!("{name}: mean {}", entry.value)
        });
        let all: Vec<String> = entries.collect();
        format!("{}. {}", names::harmless(&self.subtitle), all.join("; "))
    }
}

fn shade(look: &Look, share: f64) -> Ink {
    look.shade.thin(SHADE * share.clamp(0.0, 1.0))
}

/// A value that has a place in a picture.
fn drawable(value: f64) -> f64 {
    if value.is_finite() {
        value.max(0.0)
    } else {
        0.0
    }
}

fn add(sums: &mut [f64], values: &[f64]) {
    for (sum, value) in std::iter::zip(sums, values) {
        *sum += drawable(*value);
    }
}

fn mean(values: &[f64]) -> f64 {
    let (sum, count) = values.iter().fold((0.0, 0.0), |(sum, count), value| {
        (sum + drawable(*value), count + 1.0)
    });
    if count > 0.0 { sum / count } else { 0.0 }
}
