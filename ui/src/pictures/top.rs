//! The largest groups as bars; and what both kinds of pictures have in common: a head, and what is said where there is nothing.

use super::legend::{SWATCH, draw_name};
use super::lettering::{HEAD, NORMAL, SMALL, Side};
use super::names::{fitted, harmless, of_group};
use super::scene::{Point, Scene};
use super::sheet::{PictureError, Sheet};
use super::theme::{Look, colour};
use super::units::{Unit, change};

/// Around everything.
pub(super) const MARGIN: f64 = 16.0;
const ROW_MIN: f64 = 20.0;
const ROW_MAX: f64 = 32.0;
const BAR: f64 = 0.82;
/// The part of the width that names may take.
const NAMES: f64 = 0.4;
const BETWEEN: f64 = 16.0;

/// The largest groups, a bar each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TopPicture {
    /// What it is.
    pub title: String,
    /// Of when, and of what.
    pub subtitle: String,
    /// What the groups are, in the singular: `Application`.
    pub of: String,
    /// Of the values.
    pub unit: Unit,
    /// The groups, largest first; those that have no room are counted.
    pub bars: Vec<Bar>,
}

/// A group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bar {
    /// Its name, from the network.
    pub name: String,
    /// How much, in the picture's unit.
    pub value: f64,
    /// How much it was before. If no bar says so, nothing is said about change.
    pub before: Option<f64>,
}

/// Where the columns are.
struct Columns {
    bars: (f64, f64),
    value_right: f64,
    change_right: Option<f64>,
}

impl TopPicture {
    /// Draws it.
    ///
    /// # Errors
    ///
    /// [`PictureError::Drawing`], which is a fault of ours.
    pub fn draw(&self, sheet: &Sheet) -> Result<Vec<u8>, PictureError> {
        let look = sheet.theme().look();
        let (mut scene, top) = headed(sheet, (&self.title, &self.subtitle));
        if self.bars.iter().any(|bar| bar.value > 0.0) {
            self.draw_rows(&mut scene, look, top);
        } else {
            say_nothing(&mut scene, look, top);
        }
        scene.description = self.description();
        sheet.draw(&scene)
    }

    fn draw_rows(&self, scene: &mut Scene, look: &Look, top: f64) {
        let first = top + 28.0;
        let room = scene.size.1 - first - MARGIN / 2.0;
        let places = (1..=self.bars.len()).take_while(|rows| height(*rows, ROW_MIN) <= room);
        let places = places.count().max(1);
        let (shown, more) = match self.bars.len() {
            all if all > places => (places.max(2) - 1, all + 1 - places.max(2)),
            all => (all, 0),
        };
        let rows = shown + usize::from(more > 0);
        let row = (room / height(rows, 1.0)).clamp(ROW_MIN, ROW_MAX);
        let columns = self.columns(scene.size.0, shown);
        self.draw_head(scene, look, &columns, top + 12.0);
        let max = self.bars.iter().fold(0.0, |max, bar| bar.value.max(max));
        for (at, bar) in self.bars.iter().take(shown).enumerate() {
            let middle = first + height(at, row) + row / 2.0;
            self.draw_row(scene, look, &columns, (middle, row), (bar, max));
        }
        if more > 0 {
            let middle = first + height(shown, row) + row / 2.0;
            let at = (MARGIN + SWATCH + 8.0, middle);
            let text = format!("and {more} more");
            scene.words(at, text, (SMALL, Side::Left), look.quiet);
        }
    }

    fn columns(&self, width: f64, shown: usize) -> Columns {
        let bars = || self.bars.iter().take(shown);
        let widest = |texts: &mut dyn Iterator<Item = String>, head: &str| {
            texts
                .fold(SMALL.width(head), |max, text| NORMAL.width(&text).max(max))
                .ceil()
        };
        let right = width - MARGIN;
        let has_change = bars().any(|bar| bar.before.is_some());
        let change = widest(&mut bars().map(changed), "Change");
        let value_right = if has_change {
            right - change - BETWEEN
        } else {
            right
        };
        let values = widest(
            &mut bars().map(|bar| self.unit.written(bar.value)),
            self.unit.title(),
        );
        let names = widest(&mut bars().map(|bar| of_group(&bar.name)), "") + SWATCH + 8.0;
        let names = names.clamp(90.0, (width - 2.0 * MARGIN) * NAMES);
        let left = MARGIN + names + 1.0 + BETWEEN;
        Columns {
            bars: (left, value_right - values - BETWEEN),
            value_right,
            change_right: has_change.then_some(right),
        }
    }

    fn draw_head(&self, scene: &mut Scene, look: &Look, columns: &Columns, y: f64) {
        let small = |side| (SMALL, side);
        let of = fitted(&harmless(&self.of), SMALL, columns.bars.0 - MARGIN);
        scene.words((MARGIN, y), of, small(Side::Left), look.quiet);
        let title = self.unit.title();
        let at = (columns.value_right, y);
        scene.words(at, title, small(Side::Right), look.quiet);
        if let Some(right) = columns.change_right {
            scene.words((right, y), "Change", small(Side::Right), look.quiet);
        }
        let width = scene.size.0 - 2.0 * MARGIN;
        scene.rectangle((MARGIN, y + 10.0), (width, 1.0), look.line);
    }

    fn draw_row(
        &self,
        scene: &mut Scene,
        look: &Look,
        columns: &Columns,
        (middle, row): Point,
        (bar, max): (&Bar, f64),
    ) {
        let (left, right) = columns.bars;
        let room = left - BETWEEN - MARGIN - SWATCH - 8.0;
        draw_name(scene, (MARGIN, middle), &bar.name, (room, look.text));
        let part = (bar.value / max).clamp(0.0, 1.0);
        if bar.value > 0.0 && right > left {
            let size = (((right - left) * part).max(1.0), (row * 0.5).round());
            let ink = colour(&bar.name).over(look.surface, BAR);
            scene.rectangle((left, middle - size.1 / 2.0), size, ink);
        }
        let at = (columns.value_right, middle);
        let value = self.unit.written(bar.value);
        scene.words(at, value, (NORMAL, Side::Right), look.text);
        if let Some(right) = columns.change_right {
            scene.words(
                (right, middle),
                changed(bar),
                (NORMAL, Side::Right),
                look.quiet,
            );
        }
    }

    /// For whoever cannot see it.
    fn description(&self) -> String {
        let row = |bar: &Bar| {
            let name = of_group(&bar.name);
            format!("{name}: {}", self.unit.written(bar.value))
        };
        let rows: Vec<String> = self.bars.iter().take(20).map(row).collect();
        format!("{}. {}", harmless(&self.subtitle), rows.join("; "))
    }
}

fn changed(bar: &Bar) -> String {
    bar.before
        .map_or_else(|| "–".to_owned(), |before| change(before, bar.value))
}

fn height(rows: usize, row: f64) -> f64 {
    (0..rows).fold(0.0, |height, _| height + row)
}

/// A scene with its title and subtitle, and where these end.
pub(super) fn headed(sheet: &Sheet, (title, subtitle): (&str, &str)) -> (Scene, f64) {
    let look = sheet.theme().look();
    let size = sheet.size();
    let title = harmless(title);
    let mut scene = Scene {
        size,
        ground: look.surface,
        title: title.clone(),
        description: String::new(),
        shapes: Vec::new(),
        words: Vec::new(),
    };
    let room = size.0 - 2.0 * MARGIN;
    let mut top = MARGIN - 4.0;
    for (text, lettering, ink, row) in [
        (title, HEAD, look.text, 21.0),
        (harmless(subtitle), SMALL, look.quiet, 17.0),
    ] {
        let text = fitted(&text, lettering, room);
        if !text.is_empty() {
            let at = (MARGIN, top + row / 2.0);
            scene.words(at, text, (lettering, Side::Left), ink);
            top += row;
        }
    }
    (scene, top)
}

/// What is said in place of values.
pub(super) fn say_nothing(scene: &mut Scene, look: &Look, top: f64) {
    let (width, height) = scene.size;
    let at = (width / 2.0, (top + height) / 2.0);
    scene.words(
        at,
        "No flows in this time.",
        (NORMAL, Side::Middle),
        look.quiet,
    );
}
