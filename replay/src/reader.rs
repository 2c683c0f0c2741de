//! Reads datagrams from a tape: the live one at its end, an old one, a damaged one.

use std::path::{Path, PathBuf};

use flow::{Datagram, TapePosition};
use serde::Serialize;

use crate::cursor::{Cursor, Step};
use crate::directory;
use crate::error::TapeError;
use crate::frame::Frame;
use crate::header::HEADER_OCTETS;
use crate::segment::Segment;
use crate::tail::Tail;

/// Reads a tape in its order, from any position, while it is written, compressed and cut short at its old end.
///
/// The payloads of many datagrams share one piece of memory of up to 1 MiB, which lives as long as any of them: copy
/// those that are kept for long.
#[derive(Debug)]
pub struct TapeReader {
    dir: PathBuf,
    tail: Option<Tail>,
    position: TapePosition,
    open: Option<Open>,
    expected: Option<u64>,
    skipped_segments: bool,
    /// What the headers since the last datagram said of lost ones.
    lost_before: u64,
    /// Read, and kept for the next reading, as something is missing before it.
    ahead: Option<(u32, Frame)>,
    counts: ReaderCounts,
}

/// What a reader met so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ReaderCounts {
    /// Datagrams returned.
    pub datagrams: u64,
    /// Datagrams that are lost to damage: [`flow::DropKind::TapeDamaged`]. Counted when the next whole one is found.
    pub damaged: u64,
    /// Datagrams in segments that were removed before they were read: [`flow::DropKind::TapeExpired`].
    pub missing: u64,
    /// Datagrams that the tape had lost with its end, as the next segment's header says: [`flow::DropKind::TapeLost`].
    pub lost: u64,
    /// Times that a whole frame had to be searched for.
    pub resyncs: u64,
    /// Octets passed over.
    pub damaged_octets: u64,
}

#[derive(Debug)]
struct Open {
    cursor: Cursor,
    datagrams_before: Option<u64>,
    bound: Bound,
}

/// How far a segment can be read.
#[derive(Clone, Copy, Debug)]
struct Bound {
    end: u32,
    /// All before `end` was written completely.
    whole: bool,
    /// Nothing will be added to this segment.
    sealed: bool,
}

impl TapeReader {
    /// Starts at `from`: a position that a reader returned, or [`TapePosition::START`]. Opens nothing yet.
    ///
    /// With the writer's `tail` a reader knows exactly what is written; without, it goes by the files.
    pub fn open(dir: &Path, from: TapePosition, tail: Option<Tail>) -> Self {
        Self {
            dir: dir.to_owned(),
            tail,
            position: from,
            open: None,
            expected: None,
            skipped_segments: false,
            lost_before: 0,
            ahead: None,
            counts: ReaderCounts::default(),
        }
    }

    /// Says how many datagrams were appended before the starting position, as [`next_number`](Self::next_number) told
    /// an earlier reader: so what went missing in between is counted.
    pub fn expecting(mut self, number: u64) -> Self {
        self.expected = Some(number);
        self
    }

    /// The next datagrams with their positions: at most `max_datagrams`, and not many more than `max_octets` of payload.
    /// Empty at the end of what is written; wait with [`Tail::wait_past`] and [`position`](Self::position).
    ///
    /// Damaged frames are passed over and counted, and so are segments that are gone. Where datagrams are missing a reading
    /// ends, and the next one begins: so the numbers of one reading's datagrams follow each other, and what is counted as
    /// missing lies before the first of them.
    ///
    /// # Errors
    ///
    /// [`TapeError::NewerFormat`]; [`TapeError::Io`] if the operating system refuses: the position stays, and the
    /// caller may try again. Datagrams read before the error are returned first.
    pub fn read(
        &mut self,
        max_datagrams: usize,
        max_octets: usize,
    ) -> Result<Vec<(TapePosition, Datagram)>, TapeError> {
        let mut found = Vec::new();
        let mut octets = 0;
        while found.len() < max_datagrams && octets < max_octets {
            match self.next_frame() {
                Ok(Some((at, frame))) if !found.is_empty() && self.gone_before(&frame) > 0 => {
                    self.ahead = Some((at, frame));
                    break;
                }
                Ok(Some((at, frame))) => {
                    let (position, datagram) = self.take(at, frame);
                    octets += datagram.payload.len();
                    found.push((position, datagram));
                }
                Ok(None) => break,
                Err(error) if found.is_empty() => return Err(error),
                Err(_) => break,
            }
        }
        Ok(found)
    }

    /// Behind the last datagram that was returned: where to go on, and what is read up to.
    pub fn position(&self) -> TapePosition {
        self.position
    }

    /// Datagrams appended to the tape before [`position`](Self::position), lost ones included; `None` before the first.
    pub fn next_number(&self) -> Option<u64> {
        self.expected
    }

    /// What it met so far.
    pub fn counts(&self) -> ReaderCounts {
        self.counts
    }

    /// One datagram, by the position of its frame.
    ///
    /// # Errors
    ///
    /// [`TapeError::NoDatagram`] if none starts there, or it is damaged or gone; otherwise as [`read`](Self::read).
    pub fn get(dir: &Path, position: TapePosition) -> Result<Datagram, TapeError> {
        let none = TapeError::NoDatagram(position);
        let Some(segment) = Segment::open(dir, position.segment)? else {
            return Err(none);
        };
        let end = segment.octets()?;
        match Cursor::new(segment, position.offset).step(end, false)? {
            Step::Frame(at, frame) if at == position.offset => Ok(frame.datagram),
            _ => Err(none),
        }
    }

    fn next(&mut self) -> Result<Option<(TapePosition, Datagram)>, TapeError> {
        let found = self.next_frame()?;
        Ok(found.map(|(at, frame)| self.take(at, frame)))
    }

    /// The next whole frame of the segment at the position, and where it begins.
    fn next_frame(&mut self) -> Result<Option<(u32, Frame)>, TapeError> {
        if let Some(ahead) = self.ahead.take() {
            return Ok(Some(ahead));
        }
        loop {
            let Some(open) = self.opened()? else {
                return Ok(None);
            };
            let bound = open.bound;
            match open.cursor.step(bound.end, bound.whole)? {
                Step::Frame(at, frame) => return Ok(Some((at, frame))),
                Step::Damage(from, to) => self.pass_over(from, to),
                Step::End => {
                    if !self.further()? {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// A frame's number on the tape, from 0 on; `None` where no header tells.
    fn number(&self, frame: &Frame) -> Option<u64> {
        let before = self.open.as_ref().and_then(|open| open.datagrams_before)?;
        Some(before.saturating_add(u64::from(frame.ordinal)))
    }

    /// Datagrams that are missing between the last one and this.
    fn gone_before(&self, frame: &Frame) -> u64 {
        let gone = self.number(frame).zip(self.expected);
        gone.map_or(0, |(number, expected)| number.saturating_sub(expected))
    }

    /// Counts a frame, and what is missing before it.
    fn take(&mut self, at: u32, frame: Frame) -> (TapePosition, Datagram) {
        let (number, expected) = (self.number(&frame), self.expected);
        let gone = self.gone_before(&frame);
        let lost = gone.min(std::mem::take(&mut self.lost_before));
        self.counts.lost = self.counts.lost.saturating_add(lost);
        match self.skipped_segments {
            true => self.counts.missing = self.counts.missing.saturating_add(gone - lost),
            false => self.counts.damaged = self.counts.damaged.saturating_add(gone - lost),
        }
        self.skipped_segments = false;
        self.expected = number.or(expected).map(|number| number.saturating_add(1));
        self.counts.datagrams += 1;
        let segment = self.position.segment;
        self.position.offset = at.saturating_add(frame.octets);
        let position = TapePosition {
            segment,
            offset: at,
        };
        (position, frame.datagram)
    }

    /// The segment at the position, or the next that is there; `None` if there is none yet.
    fn opened(&mut self) -> Result<Option<&mut Open>, TapeError> {
        while self.open.is_none() {
            let number = self.position.segment;
            match Segment::open(&self.dir, number)? {
                Some(segment) => self.enter(segment)?,
                None => {
                    let Some(next) = self.segment_after(number)? else {
                        return Ok(None);
                    };
                    self.skipped_segments |= number > 0 || next > 1;
                    self.position = first_frame(next);
                }
            }
        }
        Ok(self.open.as_mut())
    }

    fn enter(&mut self, segment: Segment) -> Result<(), TapeError> {
        let offset = self.position.offset.max(HEADER_OCTETS);
        let datagrams_before = match segment.header {
            Some(header) => Some(header.datagrams_before),
            // Where nobody knows, go by what was read before, if this is the start of the segment.
            None => self.expected.filter(|_| offset == HEADER_OCTETS),
        };
        if offset == HEADER_OCTETS {
            let lost = segment.header.map_or(0, |header| header.lost_before);
            self.lost_before = self.lost_before.saturating_add(lost);
        }
        let bound = self.bound(&segment)?;
        self.position.offset = offset;
        self.open = Some(Open {
            cursor: Cursor::new(segment, offset),
            datagrams_before,
            bound,
        });
        Ok(())
    }

    /// Looks first whether the segment is sealed and then how long it is: the other way round, what is appended in
    /// between would be missed.
    fn bound(&self, segment: &Segment) -> Result<Bound, TapeError> {
        let number = segment.number;
        let tail_end = self.tail.as_ref().map(Tail::end);
        if let Some(end) = tail_end.filter(|end| end.segment == number) {
            return Ok(Bound {
                end: end.offset,
                whole: true,
                sealed: false,
            });
        }
        let sealed = match tail_end {
            Some(end) => end.segment > number,
            None => self.segment_after(number)?.is_some(),
        };
        Ok(Bound {
            end: segment.octets()?,
            whole: sealed,
            sealed,
        })
    }

    /// At the end of what was known of a segment: whether there is more of it, or another one.
    fn further(&mut self) -> Result<bool, TapeError> {
        let Some(open) = &self.open else {
            return Ok(false);
        };
        let segment = &open.cursor.segment;
        if !open.bound.sealed {
            let bound = self.bound(segment)?;
            let more = bound.sealed || bound.end > open.bound.end;
            if let Some(open) = &mut self.open {
                open.bound = bound;
            }
            return Ok(more);
        }
        let number = segment.number;
        let Some(next) = self.segment_after(number)? else {
            return Ok(false);
        };
        self.skipped_segments |= next > number + 1 || !segment.is_on_tape(&self.dir);
        self.position = first_frame(next);
        self.open = None;
        Ok(true)
    }

    /// The number of the oldest segment behind this one. Not one that the writer has not told of yet.
    fn segment_after(&self, number: u32) -> Result<Option<u32>, TapeError> {
        let Some(from) = number.checked_add(1) else {
            return Ok(None);
        };
        let newest = match &self.tail {
            Some(tail) => tail.end().segment,
            None => u32::MAX,
        };
        if from > newest {
            return Ok(None);
        }
        let listed = directory::list(&self.dir)?;
        Ok(listed.range(from..=newest).next().map(|(next, _)| *next))
    }

    /// Passes over damage. A segment that was removed while it was read is none: it is missing.
    fn pass_over(&mut self, from: u32, to: u32) {
        self.position.offset = to;
        let removed = self
            .open
            .as_ref()
            .is_some_and(|open| !open.cursor.segment.is_on_tape(&self.dir));
        if !removed {
            self.counts.resyncs += 1;
            self.counts.damaged_octets += u64::from(to - from);
        }
    }
}

/// Datagrams appended to the tape before the first one at or behind `position`; `None` if there is none.
///
/// # Errors
///
/// As [`TapeReader::read`].
pub fn datagrams_before(dir: &Path, position: TapePosition) -> Result<Option<u64>, TapeError> {
    let mut reader = TapeReader::open(dir, position, None);
    let found = reader.next()?;
    Ok(found
        .and(reader.next_number())
        .map(|after_it| after_it.saturating_sub(1)))
}

/// Datagrams appended to the tape, if there were `datagrams` before `position`: told by reading on from there.
pub(crate) fn count_from(
    dir: &Path,
    position: TapePosition,
    datagrams: u64,
) -> Result<u64, TapeError> {
    let mut reader = TapeReader::open(dir, position, None).expecting(datagrams);
    while reader.next()?.is_some() {}
    Ok(reader.next_number().unwrap_or(0).max(datagrams))
}

fn first_frame(segment: u32) -> TapePosition {
    TapePosition {
        segment,
        offset: HEADER_OCTETS,
    }
}
