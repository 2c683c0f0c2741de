//! The datagrams of a recording as a tape of its own, which can be decoded alone: what templates and names were told before
//! it begins stands at its head.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use collector::rewrite::{Knowledge, Latest, LatestConfig};
use flow::{Datagram, Feed, TapePosition, Timestamp};
use replay::reel::{Counted, cut_tape};
use replay::{TapeError, stretches_between};
use store::question::Window;

use crate::config::{Config, field_table};

/// How long before a recording the tape is read for what its templates are. Exporters repeat them at least this often.
pub(super) const PRE_ROLL: Duration = Duration::from_secs(30 * 60);
/// Segments that are read for that at most: on a busy tape half an hour is more than anybody waits for.
const PRE_ROLL_SEGMENTS_MAX: u32 = 16;

/// Makes a tape in `to` of what arrived on the product's tape within the window: all, or the datagrams at these places.
///
/// # Errors
///
/// The tape can't be read, or the new one not written; remove `to`.
pub(super) fn spool(
    config: &Config,
    to: &Path,
    arrived: Window,
    places: Option<&BTreeSet<TapePosition>>,
    now: Timestamp,
) -> anyhow::Result<Counted> {
    let tape = config.path("tape");
    let within = stretches_between(&tape, arrived.from, arrived.to)?;
    let begin = within.iter().map(|stretch| stretch.begin).min();
    let end = within.iter().map(|stretch| stretch.end).max();
    let Some((begin, end)) = begin.zip(end) else {
        return Ok(Counted::default());
    };
    let from = head(&tape, arrived.from, begin)?;
    let fields = field_table(config.fields.as_deref())?;
    let limits = LatestConfig::default();
    let mut told = Some(Latest::new(config.decode.clone(), fields.clone(), limits));
    // Of datagrams that are not wanted themselves. It has to see all of them.
    let mut knowledge = Knowledge::new(config.decode.clone(), fields);
    let keep = |position: TapePosition, datagram: &Datagram| {
        let at = datagram.received_at;
        if at >= arrived.to || datagram.is_end_of_feed() {
            return Vec::new();
        }
        // A capture that was imported has times of its own, and is in a recording only if its filter says so.
        let is_in = match places {
            Some(places) => places.contains(&position),
            None => datagram.feed == Feed::WIRE,
        };
        let is_wanted = at >= arrived.from && is_in;
        let known = knowledge.of(datagram);
        match &mut told {
            Some(told) if !is_wanted => {
                told.take(datagram);
                Vec::new()
            }
            _ if !is_wanted => known.into_iter().collect(),
            _ => {
                let mut kept = told.take().map_or(Vec::new(), Latest::into_prologue);
                kept.push(datagram.clone());
                kept
            }
        }
    };
    Ok(cut_tape(&tape, to, from..end, keep, now)?)
}

/// Where to begin to read, for what was told before `from`, which is at `begin`.
fn head(tape: &Path, from: Timestamp, begin: TapePosition) -> Result<TapePosition, TapeError> {
    let earlier = stretches_between(tape, from - PRE_ROLL, from)?;
    let earlier = earlier.iter().map(|stretch| stretch.begin);
    let head = earlier.filter(|at| is_head(*at, begin.segment)).min();
    Ok(head.unwrap_or(begin).min(begin))
}

/// Whether a place before a recording's first segment is near enough to be read.
pub(super) fn is_head(at: TapePosition, first: u32) -> bool {
    at.segment >= first.saturating_sub(PRE_ROLL_SEGMENTS_MAX)
}
