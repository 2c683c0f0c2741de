//! Opening a tape that was left behind: by a clean end, a killed process or a power cut.

use std::collections::BTreeMap;
use std::fs::File;

use flow::{TapePosition, Timestamp};
use serde::Serialize;

use crate::config::TapeConfig;
use crate::cursor::{Cursor, Step};
use crate::directory;
use crate::error::TapeError;
use crate::header::HEADER_OCTETS;
use crate::index::{self, Rebuild};
use crate::segment::Segment;
use crate::tail::{Form, SegmentState};

/// What was found on opening a tape, and what was done about it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Recovery {
    /// Segments on tape.
    pub segments: u64,
    /// Datagrams appended since the tape was made.
    pub datagrams_total: u64,
    /// Octets behind the last whole frame, cut off: a frame in the making when the process ended.
    pub cut_octets: u64,
    /// Damaged places in the last segment.
    pub damaged_places: u64,
    /// Octets in them; readers pass over them and count what was lost.
    pub damaged_octets: u64,
    /// Headers that could not be read. Their frames can, by the copy in the index or by the first frame.
    pub damaged_headers: u64,
}

/// What the writer goes on from.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) segments: BTreeMap<u32, SegmentState>,
    pub(crate) end: TapePosition,
    pub(crate) next_number: u32,
}

/// Mends the tape and takes stock. The caller holds the lock.
pub(crate) fn recover(config: &TapeConfig) -> Result<(Found, Recovery), TapeError> {
    let dir = &config.dir;
    let mut found = Found::default();
    let mut recovery = Recovery::default();
    directory::remove_unfinished(dir)?;
    let listed = directory::list(dir)?;
    let last = listed.keys().next_back().copied();
    found.next_number = last.unwrap_or(0).saturating_add(1);
    for (number, files) in listed {
        if files.raw && files.compressed {
            // The compressed one was forced to disk before it got its name.
            directory::remove(&directory::raw_path(dir, number))?;
        }
        let Some(segment) = Segment::open(dir, number)? else {
            continue;
        };
        let raw = !files.compressed;
        let mut state = first_look(config, &segment, raw, &found)?;
        recovery.damaged_headers += u64::from(segment.header.is_none());
        recovery.datagrams_total = state.datagrams_before;
        found.end = TapePosition {
            segment: number,
            offset: segment.octets()?,
        };
        let kept = Some(number) != last
            || mend_last(config, segment, raw, &mut found, &mut state, &mut recovery)?;
        if kept {
            found.segments.insert(number, state);
        }
    }
    recovery.segments = crate::stats::count(found.segments.len());
    Ok((found, recovery))
}

/// What a segment's header and files say.
fn first_look(
    config: &TapeConfig,
    segment: &Segment,
    raw: bool,
    found: &Found,
) -> Result<SegmentState, TapeError> {
    let datagrams_before = match (segment.header, found.segments.last_key_value()) {
        (Some(header), _) => header.datagrams_before,
        // Neither the header nor its copy can be read: count what is before it.
        (None, Some((number, state))) => {
            let before = Segment::open(&config.dir, *number)?.map(scan).transpose()?;
            state.datagrams_before + before.map_or(0, |scan| u64::from(scan.datagrams))
        }
        (None, None) => 0,
    };
    let path = match raw {
        true => directory::raw_path(&config.dir, segment.number),
        false => directory::compressed_path(&config.dir, segment.number),
    };
    let metadata = std::fs::metadata(&path).map_err(TapeError::io("measure", &path))?;
    Ok(SegmentState {
        datagrams_before,
        created_at: segment.header.map_or(Timestamp::EPOCH, |h| h.created_at),
        octets_on_disk: metadata.len(),
        form: match raw && config.compress {
            true => Form::Sealed,
            false => Form::Settled,
        },
    })
}

/// Reads the last segment whole, to count, to cut its end, and to make its index anew. `false`: it was empty, and went.
fn mend_last(
    config: &TapeConfig,
    segment: Segment,
    raw: bool,
    found: &mut Found,
    state: &mut SegmentState,
    recovery: &mut Recovery,
) -> Result<bool, TapeError> {
    let (number, header) = (segment.number, segment.header);
    let octets = segment.octets()?;
    let scan = scan(segment)?;
    if scan.datagrams == 0 && header.is_none() && octets > HEADER_OCTETS {
        // Neither its header nor its first frame can be read: what is in it may still help somebody.
        return Ok(true);
    }
    recovery.datagrams_total += u64::from(scan.datagrams);
    recovery.damaged_places = scan.damaged_places;
    recovery.damaged_octets = scan.damaged_octets;
    if raw {
        recovery.cut_octets = u64::from(found.end.offset.saturating_sub(scan.end));
        found.end.offset = scan.end;
        state.octets_on_disk = u64::from(scan.end);
    }
    if scan.datagrams == 0 {
        // Its number stays used: a reader may have seen a datagram there before a power cut.
        directory::remove_segment(&config.dir, number)?;
        return Ok(false);
    }
    if raw {
        cut(config, number, scan.end)?;
    }
    if let Some(header) = header {
        // On a full disk the index is left out: the segment is searched instead.
        let _ = index::rewrite(&config.dir, &header, &scan.entries);
    }
    Ok(true)
}

struct Scan {
    end: u32,
    /// By the ordinal of the last frame: those that are damaged are counted too.
    datagrams: u32,
    damaged_places: u64,
    damaged_octets: u64,
    entries: Vec<index::Entry>,
}

fn scan(segment: Segment) -> Result<Scan, TapeError> {
    let end = segment.octets()?;
    let mut cursor = Cursor::new(segment, HEADER_OCTETS);
    let mut rebuild = Rebuild::default();
    let (mut datagrams, mut damaged_places, mut damaged_octets) = (0, 0, 0);
    loop {
        match cursor.step(end, false)? {
            Step::Frame(at, frame) => {
                rebuild.add(at, &frame);
                datagrams = frame.ordinal.saturating_add(1);
            }
            Step::Damage(from, to) => {
                damaged_places += 1;
                damaged_octets += u64::from(to - from);
            }
            Step::End => break,
        }
    }
    Ok(Scan {
        end: cursor.offset.min(end),
        datagrams,
        damaged_places,
        damaged_octets,
        entries: rebuild.finish(),
    })
}

fn cut(config: &TapeConfig, number: u32, end: u32) -> Result<(), TapeError> {
    let path = directory::raw_path(&config.dir, number);
    File::options()
        .write(true)
        .open(&path)
        .and_then(|file| file.set_len(u64::from(end)))
        .map_err(TapeError::io("cut", &path))
}
