//! Cuts a stretch of tape into a tape of its own, and reads such a tape.

use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use flow::{Datagram, TapePosition, Timestamp};
use serde::Serialize;

use crate::compress::Compressed;
use crate::directory::{self, compressed_path, unfinished_path};
use crate::disk::Disk;
use crate::error::TapeError;
use crate::frame::{self, FRAME_HEADER, Marker};
use crate::header::Header;
use crate::reader::{ReaderCounts, TapeReader};
use crate::seekable::BLOCK_OCTETS;
use crate::stats::count;

/// Octets of a segment before it is compressed: those of a tape that is recorded.
const SEGMENT_OCTETS: u32 = 64 << 20;
/// Datagrams of one reading, and octets of their payloads.
const READ_DATAGRAMS: usize = 4096;
const READ_OCTETS: usize = 1 << 20;

/// What became of a stretch of tape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// Datagrams on the new tape.
    pub datagrams: u64,
    /// Octets of their payloads.
    pub octets: u64,
    /// Segments of the new tape, numbered from 1.
    pub segments: u32,
    /// What was read, and what was missing or damaged in between.
    pub read: ReaderCounts,
}

/// Reads the tape in `from_dir` from the start of `stretch` up to its end, which is not in it any more, and makes a tape in
/// `to_dir` of what `keep` gives back. Order, times, exporters and feeds are as `keep` leaves them; `now` stands in the new
/// segments. The new folder holds compressed segments and nothing else, all of it on disk. Nothing kept makes no segment.
///
/// The segments of the stretch must be pinned. Damaged datagrams are passed over and counted.
///
/// # Errors
///
/// [`TapeError::Io`], also if there is a tape in `to_dir` already, or `keep` gives back a datagram of more than 65,535 octets;
/// [`TapeError::NewerFormat`]. Remove `to_dir` then.
pub fn cut_tape<K: IntoIterator<Item = Datagram>>(
    from_dir: &Path,
    to_dir: &Path,
    stretch: Range<TapePosition>,
    mut keep: impl FnMut(TapePosition, &Datagram) -> K,
    now: Timestamp,
) -> Result<Counted, TapeError> {
    let mut to = NewTape::begin(to_dir, now)?;
    let mut reader = TapeReader::open(from_dir, stretch.start, None);
    let mut octets = 0;
    'stretch: loop {
        let some = reader.read(READ_DATAGRAMS, READ_OCTETS)?;
        if some.is_empty() {
            break;
        }
        for (position, datagram) in some {
            if position >= stretch.end {
                break 'stretch;
            }
            for kept in keep(position, &datagram) {
                to.append(&kept)?;
                octets += count(kept.payload.len());
            }
        }
    }
    let (datagrams, segments) = to.finish()?;
    Ok(Counted {
        datagrams,
        octets,
        segments,
        read: reader.counts(),
    })
}

/// A tape that is compressed while it is written, by one who reads it only when it is done.
pub struct NewTape {
    disk: Disk,
    dir: PathBuf,
    segment_octets: u32,
    now: Timestamp,
    datagrams: u64,
    segments: u32,
    open: Option<NewSegment>,
}

struct NewSegment {
    compressed: Compressed,
    marker: Marker,
    /// Octets of the segment that are not compressed yet: less than a block.
    buffer: Vec<u8>,
    octets: usize,
    datagrams: u32,
}

impl NewTape {
    /// Begins one in a folder, which is made if it is not there. `now` stands in the segments.
    ///
    /// # Errors
    ///
    /// [`TapeError::Io`], also if there is a tape already.
    pub fn begin(dir: &Path, now: Timestamp) -> Result<Self, TapeError> {
        Self::of_segments(dir, SEGMENT_OCTETS, now)
    }

    fn of_segments(dir: &Path, segment_octets: u32, now: Timestamp) -> Result<Self, TapeError> {
        fs::create_dir_all(dir).map_err(TapeError::io("make", dir))?;
        if !directory::list(dir)?.is_empty() {
            let there = io::Error::from(io::ErrorKind::AlreadyExists);
            return Err(TapeError::io("make a tape in", dir)(there));
        }
        Ok(Self {
            disk: Disk::default(),
            dir: dir.to_owned(),
            segment_octets,
            now,
            datagrams: 0,
            segments: 0,
            open: None,
        })
    }

    /// Puts a datagram at the end.
    ///
    /// # Errors
    ///
    /// [`TapeError::Io`], also if the datagram has more than 65,535 octets. Remove the folder then.
    pub fn append(&mut self, datagram: &Datagram) -> Result<(), TapeError> {
        let octets = FRAME_HEADER + datagram.payload.len();
        let most = usize::try_from(self.segment_octets).unwrap_or(usize::MAX);
        let full = |segment: &NewSegment| segment.octets + octets > most;
        if self.open.as_ref().is_some_and(full) {
            self.seal()?;
        }
        let segment = match &mut self.open {
            Some(segment) => segment,
            closed => {
                self.segments += 1;
                let header = Header {
                    number: self.segments,
                    created_at: self.now,
                    datagrams_before: self.datagrams,
                    lost_before: 0,
                    marker: Marker::by_chance(),
                };
                closed.insert(NewSegment::begin(&self.disk, &self.dir, &header)?)
            }
        };
        if !segment.append(datagram)? {
            let too_large = io::Error::other("a datagram has more than 65,535 octets");
            return Err(TapeError::io("make a tape in", &self.dir)(too_large));
        }
        self.datagrams += 1;
        Ok(())
    }

    /// Gives the segment its name.
    fn seal(&mut self) -> Result<(), TapeError> {
        let Some(mut segment) = self.open.take() else {
            return Ok(());
        };
        segment.compress_rest()?;
        segment.compressed.finish()?;
        let unfinished = unfinished_path(&self.dir, self.segments);
        self.disk
            .rename(&unfinished, &compressed_path(&self.dir, self.segments))
            .map_err(TapeError::io("rename", &unfinished))
    }

    /// Puts everything on disk. Gives the datagrams of the tape, and its segments.
    ///
    /// # Errors
    ///
    /// As [`append`](Self::append).
    pub fn finish(mut self) -> Result<(u64, u32), TapeError> {
        self.seal()?;
        self.disk
            .folder(&self.dir)
            .and_then(|folder| folder.sync_names())
            .map_err(TapeError::io("force to disk", &self.dir))?;
        Ok((self.datagrams, self.segments))
    }
}

impl NewSegment {
    fn begin(disk: &Disk, dir: &Path, header: &Header) -> Result<Self, TapeError> {
        let buffer = header.encode();
        Ok(Self {
            compressed: Compressed::create(disk, &unfinished_path(dir, header.number))?,
            marker: header.marker,
            octets: buffer.len(),
            buffer,
            datagrams: 0,
        })
    }

    /// `false` if the datagram fits no frame.
    fn append(&mut self, datagram: &Datagram) -> Result<bool, TapeError> {
        let before = self.buffer.len();
        if !frame::encode(&mut self.buffer, self.marker, self.datagrams, datagram) {
            return Ok(false);
        }
        self.datagrams += 1;
        self.octets += self.buffer.len() - before;
        if self.buffer.len() >= BLOCK_OCTETS {
            let rest = self.buffer.split_off(BLOCK_OCTETS);
            self.compressed.write(&self.buffer)?;
            self.buffer = rest;
        }
        Ok(true)
    }

    fn compress_rest(&mut self) -> Result<(), TapeError> {
        match self.buffer.is_empty() {
            true => Ok(()),
            false => self.compressed.write(&self.buffer),
        }
    }
}

/// Reads a tape that [`cut_tape`] has made, from its beginning to its end. The first error is the last item.
pub fn read_tape(dir: &Path) -> TapeDatagrams {
    TapeDatagrams {
        reader: TapeReader::open(dir, TapePosition::START, None).expecting(0),
        read: Vec::new().into_iter(),
        ended: false,
    }
}

/// See [`read_tape`].
#[derive(Debug)]
pub struct TapeDatagrams {
    reader: TapeReader,
    read: std::vec::IntoIter<(TapePosition, Datagram)>,
    ended: bool,
}

impl TapeDatagrams {
    /// What was met so far: of a tape that is whole nothing is damaged or missing.
    pub fn counts(&self) -> ReaderCounts {
        self.reader.counts()
    }
}

impl Iterator for TapeDatagrams {
    type Item = Result<Datagram, TapeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.read.as_slice().is_empty() && !self.ended {
            match self.reader.read(READ_DATAGRAMS, READ_OCTETS) {
                Ok(some) => {
                    self.ended = some.is_empty();
                    self.read = some.into_iter();
                }
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
            }
        }
        self.read.next().map(|(_, datagram)| Ok(datagram))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use flow::Feed;

    use super::*;

    fn datagram(number: u32, octets: usize) -> Datagram {
        Datagram {
            received_at: Timestamp::from_seconds(1_700_000_000 + i64::from(number)),
            source: "192.0.2.7:2055".parse().unwrap(),
            local_port: 4739,
            feed: Feed::WIRE,
            payload: Bytes::from(number.to_be_bytes().repeat(octets / 4)),
        }
    }

    #[test]
    fn segments_are_no_longer_than_they_should_be_and_go_on_counting() {
        let folder = tempfile::tempdir().unwrap();
        // Frames of 1,052 octets: (2,104 + 64 octets of header) fit exactly.
        let mut tape = NewTape::of_segments(folder.path(), 2_168, Timestamp::EPOCH).unwrap();
        for number in 0..5 {
            tape.append(&datagram(number, 1000)).unwrap();
        }
        assert_eq!(tape.finish().unwrap(), (5, 3));
        for (number, octets) in [(1, 2_168), (2, 2_168), (3, 1_116)] {
            let file = fs::read(compressed_path(folder.path(), number)).unwrap();
            let segment = zstd::stream::decode_all(&file[..]).unwrap();
            assert_eq!(segment.len(), octets);
            // Number and datagrams before it, by docs/tape.md.
            assert_eq!(segment[12..16], number.to_le_bytes());
            assert_eq!(segment[24..32], u64::from((number - 1) * 2).to_le_bytes());
        }
        let mut read = read_tape(folder.path());
        for number in 0..5 {
            assert_eq!(read.next().unwrap().unwrap(), datagram(number, 1000));
        }
        assert!(read.next().is_none());
    }

    #[test]
    fn a_datagram_that_fits_no_frame_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut tape = NewTape::begin(folder.path(), Timestamp::EPOCH).unwrap();
        assert!(tape.append(&datagram(1, 65_536)).is_err());
    }
}
