//! Walks the frames of one segment, past damage.

use bytes::Bytes;

use crate::error::TapeError;
use crate::frame::{self, FRAME_HEADER, Frame};
use crate::segment::{Fetched, Segment};

/// A place in a segment, between two frames.
#[derive(Debug)]
pub(crate) struct Cursor {
    /// The segment.
    pub(crate) segment: Segment,
    /// Where the next frame starts.
    pub(crate) offset: u32,
    chunk: Bytes,
    chunk_offset: u32,
}

/// What came next.
#[derive(Debug)]
pub(crate) enum Step {
    /// A frame that starts at this offset.
    Frame(u32, Frame),
    /// Octets that are no frame: from, to. The next frame starts at `to`.
    Damage(u32, u32),
    /// Nothing more, or nothing whole yet.
    End,
}

enum Found {
    Frame(Frame),
    Damaged,
    Hole(u32),
}

impl Cursor {
    /// Starts at `offset`.
    pub(crate) fn new(segment: Segment, offset: u32) -> Self {
        Self {
            segment,
            offset,
            chunk: Bytes::new(),
            chunk_offset: 0,
        }
    }

    /// The next frame before `end`. `whole` says that all before `end` was written completely: then what is no frame
    /// is damage. Otherwise it may be a frame in the making, unless a whole one follows.
    pub(crate) fn step(&mut self, end: u32, whole: bool) -> Result<Step, TapeError> {
        if self.offset >= end {
            return Ok(Step::End);
        }
        match self.frame_at(self.offset, end)? {
            Found::Frame(frame) => {
                let at = self.offset;
                self.offset = at.saturating_add(frame.octets);
                Ok(Step::Frame(at, frame))
            }
            Found::Damaged => self.resync(self.offset + 1, end, whole),
            Found::Hole(until) => self.resync(until, end, whole),
        }
    }

    /// Searches for the next whole frame at or after `from`.
    fn resync(&mut self, from: u32, end: u32, whole: bool) -> Result<Step, TapeError> {
        let damaged_from = self.offset;
        let mut at = from;
        while let Some(candidate) = self.find_marker(at, end)? {
            match self.frame_at(candidate, end)? {
                Found::Frame(_) => {
                    self.offset = candidate;
                    return Ok(Step::Damage(damaged_from, candidate));
                }
                Found::Damaged => at = candidate + 1,
                Found::Hole(until) => at = until,
            }
        }
        if !whole {
            return Ok(Step::End);
        }
        self.offset = end;
        Ok(Step::Damage(damaged_from, end))
    }

    fn find_marker(&mut self, from: u32, end: u32) -> Result<Option<u32>, TapeError> {
        let mut at = from;
        while at < end {
            if let Some(until) = self.fill(at, 4, end)? {
                at = until.max(at + 1);
                continue;
            }
            let skip = index(at - self.chunk_offset);
            if self.chunk.len() < skip + 4 {
                return Ok(None);
            }
            if let Some(found) = self.segment.marker.find(&self.chunk, skip) {
                return Ok(Some(self.chunk_offset + length(found)));
            }
            // The marker may begin in the last three octets of this chunk.
            let searched = self.chunk_offset + length(self.chunk.len());
            at = searched.saturating_sub(3).max(at + 1);
        }
        Ok(None)
    }

    fn frame_at(&mut self, at: u32, end: u32) -> Result<Found, TapeError> {
        let mut wanted = FRAME_HEADER;
        loop {
            if let Some(until) = self.fill(at, length(wanted), end)? {
                return Ok(Found::Hole(until.max(at + 1)));
            }
            let skip = index(at - self.chunk_offset);
            match frame::parse(self.segment.marker, &self.chunk, skip) {
                frame::Parsed::Frame(frame) => return Ok(Found::Frame(frame)),
                frame::Parsed::Short(octets) if octets > wanted => wanted = octets,
                _ => return Ok(Found::Damaged),
            }
        }
    }

    /// Makes the chunk hold `wanted` octets from `at` on, or as many as there are before `end`. `Some`: nothing can be
    /// read before that offset.
    fn fill(&mut self, at: u32, wanted: u32, end: u32) -> Result<Option<u32>, TapeError> {
        let wanted = wanted.min(end - at);
        let chunk_end = self.chunk_offset + length(self.chunk.len());
        if at >= self.chunk_offset && at.saturating_add(wanted) <= chunk_end {
            return Ok(None);
        }
        match self.segment.fetch(at, wanted, end)? {
            Fetched::Octets(octets) => {
                self.chunk = octets;
                self.chunk_offset = at;
                Ok(None)
            }
            Fetched::Hole(until) => Ok(Some(until)),
        }
    }
}

/// A length within a segment as an offset.
fn length(octets: usize) -> u32 {
    u32::try_from(octets).unwrap_or(u32::MAX)
}

/// An offset as an index.
fn index(octets: u32) -> usize {
    usize::try_from(octets).unwrap_or(usize::MAX)
}
