//! Notes at the moments that they are about: a line through the values, and the words beside it.

use super::Mark;
use super::axes::Plot;
use super::lettering::{SMALL, Side};
use super::names::{fitted, harmless};
use super::scene::Scene;
use super::theme::Look;

/// Marks that are drawn; more hide the values.
const MARKS_MAX: usize = 40;
/// Rows of words, below each other.
const ROWS: usize = 3;
const ROW: f64 = 17.0;
/// The words of a note are cut to this.
const WORDS_WIDTH: f64 = 220.0;
/// Words in less than this height hide the values.
const HEIGHT_MIN: f64 = 110.0;
/// Less room than this says nothing.
const ROOM_MIN: f64 = 48.0;

pub(super) fn draw(scene: &mut Scene, look: &Look, plot: &Plot, marks: &[Mark]) {
    let within = marks
        .iter()
        .filter(|mark| (plot.from..=plot.to).contains(&mark.at));
    let mut places: Vec<_> = within.map(|mark| (plot.x(mark.at), &mark.text)).collect();
    places.sort_by(|one, other| one.0.total_cmp(&other.0));
    places.truncate(MARKS_MAX);
    let height = plot.bottom - plot.top;
    for (x, _) in &places {
        scene.rectangle((*x, plot.top), (1.0, height), look.recorded);
        scene.rectangle((*x, plot.top), (5.0, 4.0), look.recorded);
    }
    if height < HEIGHT_MIN {
        return;
    }
    // Up to where each row is taken.
    let mut taken = [plot.left; ROWS];
    for (x, text) in places {
        let Some(row) = (0..ROWS).find(|row| taken[*row] <= x) else {
            continue;
        };
        if let Some(end) = words(scene, look, (plot, x), row, text) {
            taken[row] = end;
        }
    }
}

fn row_top(row: usize) -> f64 {
    (0..row).fold(0.0, |top, _| top + ROW)
}

/// Sets the words of a mark, on the side that has room; returns where they end.
fn words(
    scene: &mut Scene,
    look: &Look,
    (plot, x): (&Plot, f64),
    row: usize,
    text: &str,
) -> Option<f64> {
    let (before, behind) = (x - plot.left - 14.0, plot.right - x - 14.0);
    let is_behind = behind >= WORDS_WIDTH.min(before);
    let room = if is_behind { behind } else { before };
    if room < ROOM_MIN {
        return None;
    }
    let shown = fitted(&harmless(text), SMALL, room.min(WORDS_WIDTH));
    let width = SMALL.width(&shown).ceil() + 8.0;
    let left = if is_behind { x + 5.0 } else { x - width - 4.0 };
    // The flags stay free.
    let top = plot.top + row_top(row) + 5.0;
    scene.rectangle((left, top), (width, ROW - 1.0), look.surface.thin(0.85));
    let at = (left + 4.0, top + ROW / 2.0);
    scene.words(at, shown, (SMALL, Side::Left), look.recorded);
    Some(if is_behind { left + width } else { x })
}
