//! Below values over time: whose they are, and their mean.

use super::lettering::{NORMAL, SMALL, Side};
use super::names::{fitted, of_group};
use super::scene::{Point, Scene};
use super::theme::{Ink, Look, colour};

/// A column is at least so wide, if there is more than one.
const COLUMN_MIN: f64 = 210.0;
const COLUMN_MAX: f64 = 300.0;
const BETWEEN: f64 = 28.0;
const ROW: f64 = 19.0;
const HEAD: f64 = 18.0;
/// A lower picture has no legend.
const HEIGHT_MIN: f64 = 200.0;
/// Side of the square that shows a colour.
pub(super) const SWATCH: f64 = 10.0;
/// The part of a picture's height that a legend may take.
const PART_MAX: f64 = 0.36;

/// A line of a legend.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) value: String,
}

/// A legend that fits.
#[derive(Clone, Debug)]
pub(super) struct Legend {
    entries: Vec<Entry>,
    /// What has no room.
    more: usize,
    columns: usize,
    rows: usize,
    has_head: bool,
}

impl Legend {
    /// As many entries as have room in a picture of this size, within its margins.
    pub(super) fn new(mut entries: Vec<Entry>, (width, height): Point) -> Self {
        let fits = |columns: &usize| columns_width(*columns, COLUMN_MIN) <= width;
        let columns = (1..=entries.len().clamp(1, 6))
            .rev()
            .find(fits)
            .unwrap_or(1);
        let has_head = height > 220.0;
        let room = height * PART_MAX - if has_head { HEAD } else { 0.0 };
        let rows_max = (1..=entries.len())
            .take_while(|rows| rows_height(*rows) <= room)
            .count();
        let places = rows_max * columns;
        let mut more = 0;
        if height < HEIGHT_MIN || places == 0 {
            // The values need all of it.
            entries.clear();
        }
        if entries.len() > places {
            more = entries.len() + 1 - places;
            entries.truncate(places - 1);
        }
        let taken = entries.len() + usize::from(more > 0);
        // Columns of equal height.
        let rows = taken.div_ceil(columns);
        Self {
            columns: taken.div_ceil(rows.max(1)).max(1),
            entries,
            more,
            rows,
            has_head,
        }
    }

    pub(super) fn height(&self) -> f64 {
        rows_height(self.rows) + if self.has_head { HEAD } else { 0.0 }
    }

    /// Draws it from this corner on; `note` is what else has to be said of the lines.
    pub(super) fn draw(
        &self,
        scene: &mut Scene,
        look: &Look,
        ((left, top), width): (Point, f64),
        note: Option<&str>,
    ) {
        let column = self.column_width(width);
        let first = top + if self.has_head { HEAD } else { 0.0 };
        for (at, entry) in self.entries.iter().enumerate() {
            let (x, y) = self.corner(at, column);
            let place = (left + x, first + y);
            draw_entry(scene, look, (place, column), entry, self.has_head);
        }
        if self.more > 0 {
            let (x, y) = self.corner(self.entries.len(), column);
            let at = (left + x + SWATCH + 8.0, first + y + ROW / 2.0);
            let text = format!("and {} more", self.more);
            scene.words(at, text, (SMALL, Side::Left), look.quiet);
        }
        if self.has_head {
            self.draw_head(scene, look, ((left, top), column), note);
        }
    }

    fn draw_head(
        &self,
        scene: &mut Scene,
        look: &Look,
        ((left, top), column): (Point, f64),
        note: Option<&str>,
    ) {
        let y = top + HEAD / 2.0;
        let used = self.entries.len().div_ceil(self.rows.max(1));
        for at in 0..used {
            let right = left + offset(at, column) + column;
            scene.words((right, y), "mean", (SMALL, Side::Right), look.quiet);
        }
        if let Some(note) = note {
            let text = fitted(note, SMALL, column - SMALL.width("mean") - 12.0);
            scene.words((left, y), text, (SMALL, Side::Left), look.quiet);
        }
    }

    fn column_width(&self, width: f64) -> f64 {
        let between = columns_width(self.columns, 0.0);
        let each = (0..self.columns).fold(0.0, |count, _| count + 1.0);
        ((width - between) / each).min(COLUMN_MAX)
    }

    /// Where an entry is: down first, then across.
    fn corner(&self, at: usize, column: f64) -> Point {
        let rows = self.rows.max(1);
        (offset(at / rows, column), rows_height(at % rows))
    }
}

fn offset(column: usize, width: f64) -> f64 {
    (0..column).fold(0.0, |left, _| left + width + BETWEEN)
}

fn columns_width(columns: usize, each: f64) -> f64 {
    offset(columns, each) - BETWEEN
}

fn rows_height(rows: usize) -> f64 {
    (0..rows).fold(0.0, |height, _| height + ROW)
}

fn draw_entry(
    scene: &mut Scene,
    look: &Look,
    ((left, top), width): (Point, f64),
    entry: &Entry,
    has_value: bool,
) {
    let middle = top + ROW / 2.0;
    let value = if has_value { entry.value.as_str() } else { "" };
    let room = width - SWATCH - 8.0 - NORMAL.width(value) - 12.0;
    draw_name(scene, (left, middle), &entry.name, (room, look.text));
    let right = (left + width, middle);
    if !value.is_empty() {
        scene.words(right, value, (NORMAL, Side::Right), look.quiet);
    }
}

/// The colour of a name and the name, as much of it as has room.
pub(super) fn draw_name(
    scene: &mut Scene,
    (left, middle): Point,
    name: &str,
    (room, ink): (f64, Ink),
) {
    let corner = (left, middle - SWATCH / 2.0);
    scene.rectangle(corner, (SWATCH, SWATCH), colour(name));
    let text = fitted(&of_group(name), NORMAL, room);
    scene.words(
        (left + SWATCH + 8.0, middle),
        text,
        (NORMAL, Side::Left),
        ink,
    );
}
