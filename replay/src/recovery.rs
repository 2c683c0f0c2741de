//! Opening a tape that was left behind: by a clean end, a killed process or a power cut.

use std::collections::BTreeMap;
use std::path::Path;

use flow::{TapePosition, Timestamp};
use serde::Serialize;

use crate::config::TapeConfig;
use crate::cursor::{Cursor, Step};
use crate::directory;
use crate::disk::Disk;
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
    /// How the tape was left.
    pub end: End,
    /// When the last datagram on tape had come: what came after it, until the power went, is lost.
    pub last_received_at: Option<Timestamp>,
    /// Octets behind the last whole frame, cut off: a frame in the making when the process ended.
    pub cut_octets: u64,
    /// Damaged places in the last segment.
    pub damaged_places: u64,
    /// Octets in them; readers pass over them and count what was lost.
    pub damaged_octets: u64,
    /// Headers that could not be read. Their frames can, by the copy in the index or by the first frame.
    pub damaged_headers: u64,
}

/// How a tape was left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// Closed by its writer, with everything on disk; or new.
    #[default]
    Clean,
    /// The writer was killed. What it had appended is there: the machine did not stop.
    Killed,
    /// The machine stopped while the tape was written: what was appended after it was last forced to disk is lost.
    PowerCut,
}

/// What the writer goes on from.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) segments: BTreeMap<u32, SegmentState>,
    pub(crate) end: TapePosition,
    /// The largest number that a segment has; 0 if there is none.
    pub(crate) last_number: u32,
    /// Lost before the next segment, as said by one that goes because it holds nothing else.
    pub(crate) lost_before: u64,
}

/// Mends the tape and takes stock. The caller holds the lock.
pub(crate) fn recover(disk: &Disk, config: &TapeConfig) -> Result<(Found, Recovery), TapeError> {
    let dir = &config.dir;
    let mut found = Found::default();
    let mut recovery = Recovery::default();
    directory::remove_unfinished(disk, dir)?;
    let listed = directory::list(dir)?;
    let last = listed.keys().next_back().copied();
    found.last_number = last.unwrap_or(0);
    for (number, files) in listed {
        if files.raw && files.compressed {
            // The compressed one was forced to disk before it got its name.
            directory::remove(disk, &directory::raw_path(dir, number))?;
        }
        let Some(segment) = Segment::open(dir, number)? else {
            continue;
        };
        if segment.octets()? == 0 && Some(number) != last {
            // It was being removed: emptied already, and its name came back.
            directory::remove_segment(disk, dir, number)?;
            continue;
        }
        let raw = !files.compressed;
        if raw && Some(number) != last {
            // Whoever wrote it may have been killed before he had forced it to disk.
            sync_segment(disk, dir, number)?;
        }
        let mut state = first_look(config, &segment, raw, &found)?;
        recovery.damaged_headers += u64::from(segment.header.is_none());
        recovery.datagrams_total = state.datagrams_before;
        let before = found.end;
        if segment.octets()? > HEADER_OCTETS {
            found.end = TapePosition {
                segment: number,
                offset: segment.octets()?,
            };
        }
        let kept = Some(number) != last
            || mend_last(
                disk,
                config,
                segment,
                raw,
                &mut found,
                &mut state,
                &mut recovery,
            )?;
        match kept {
            true => drop(found.segments.insert(number, state)),
            false => {
                found.end = before;
                found.lost_before = state.lost_before;
            }
        }
    }
    disk.folder(dir)
        .and_then(|folder| folder.sync_names())
        .map_err(TapeError::io("force to disk", dir))?;
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
            let in_it = before.map_or(0, |scan| u64::from(scan.datagrams));
            state.datagrams_before.saturating_add(in_it)
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
        lost_before: segment.header.map_or(0, |header| header.lost_before),
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
    disk: &Disk,
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
    let total = &mut recovery.datagrams_total;
    *total = total.saturating_add(u64::from(scan.datagrams));
    recovery.last_received_at = scan.last_received_at;
    recovery.damaged_places = scan.damaged_places;
    recovery.damaged_octets = scan.damaged_octets;
    if raw {
        recovery.cut_octets = u64::from(octets.saturating_sub(scan.end));
        if found.end.segment == number {
            found.end.offset = scan.end;
        }
        state.octets_on_disk = u64::from(scan.end);
    }
    if scan.datagrams == 0 {
        // Its number stays used: a reader may have seen a datagram there before a power cut.
        directory::remove_segment(disk, &config.dir, number)?;
        return Ok(false);
    }
    if raw {
        cut(disk, config, number, scan.end)?;
    }
    if let Some(header) = header {
        // On a full disk the index is left out: the segment is searched instead.
        let _ = index::rewrite(disk, &config.dir, &header, &scan.entries);
    }
    Ok(true)
}

struct Scan {
    end: u32,
    /// By the ordinal of the last frame: those that are damaged are counted too.
    datagrams: u32,
    last_received_at: Option<Timestamp>,
    damaged_places: u64,
    damaged_octets: u64,
    entries: Vec<index::Entry>,
}

fn scan(segment: Segment) -> Result<Scan, TapeError> {
    let end = segment.octets()?;
    let mut cursor = Cursor::new(segment, HEADER_OCTETS);
    let mut rebuild = Rebuild::default();
    let (mut datagrams, mut damaged_places, mut damaged_octets) = (0, 0, 0);
    let mut last_received_at = None;
    loop {
        match cursor.step(end, false)? {
            Step::Frame(at, frame) => {
                rebuild.add(at, &frame);
                datagrams = frame.ordinal.saturating_add(1);
                last_received_at = Some(frame.datagram.received_at);
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
        last_received_at,
        damaged_places,
        damaged_octets,
        entries: rebuild.finish(),
    })
}

/// Cuts what is no whole frame, and forces the rest to disk: from here on readers may rely on it.
fn cut(disk: &Disk, config: &TapeConfig, number: u32, end: u32) -> Result<(), TapeError> {
    let path = directory::raw_path(&config.dir, number);
    disk.open(&path)
        .and_then(|file| file.set_len(u64::from(end)).and_then(|()| file.sync()))
        .map_err(TapeError::io("cut", &path))
}

fn sync_segment(disk: &Disk, dir: &Path, number: u32) -> Result<(), TapeError> {
    let path = directory::raw_path(dir, number);
    disk.open(&path)
        .and_then(|file| file.sync())
        .map_err(TapeError::io("force to disk", &path))
}
