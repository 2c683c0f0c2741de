//! Which time is where: one entry for each second of tape, and asking for a time.

use std::path::Path;

use bytes::{Buf, BufMut};
use flow::{TapePosition, Timestamp};

use crate::cursor::{Cursor, Step};
use crate::directory::{self, index_path};
use crate::disk::{Disk, DiskFile};
use crate::error::TapeError;
use crate::frame::Frame;
use crate::header::{HEADER_OCTETS, Header};
use crate::segment::Segment;

const ENTRY_OCTETS: usize = 40;
const CHECKED_OCTETS: usize = 36;
/// An index that is rebuilt goes by the datagrams' own times: entries shorter than this would be one for each
/// datagram of an imported capture.
const REBUILT_STRETCH_OCTETS: u32 = 64 << 10;

/// A piece of tape and the times of the datagrams in it.
///
/// Imports bring times of any year, in any order, between what comes from the wire: so a stretch says the oldest and the
/// newest, and only a look at the datagrams says more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Its first frame.
    pub begin: TapePosition,
    /// Behind its last frame.
    pub end: TapePosition,
    /// Frames in it.
    pub datagrams: u32,
    /// The smallest `received_at` in it.
    pub oldest: Timestamp,
    /// The largest `received_at` in it.
    pub newest: Timestamp,
}

impl Stretch {
    /// Octets of it, before compression.
    pub fn octets(&self) -> u64 {
        u64::from(self.end.offset.saturating_sub(self.begin.offset))
    }
}

/// The stretches that may hold datagrams received from `from` to before `to`, in the order of the tape.
///
/// # Errors
///
/// [`TapeError`] if the tape cannot be read; damage and missing segments are passed over.
pub fn stretches_between(
    dir: &Path,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<Stretch>, TapeError> {
    let mut found = Vec::new();
    for number in directory::list(dir)?.into_keys() {
        let entries = entries_of(dir, number)?;
        let overlapping = entries
            .iter()
            .filter(|entry| entry.oldest < to && entry.newest >= from);
        found.extend(overlapping.map(|entry| entry.stretch(number)));
    }
    Ok(found)
}

/// The first place on tape from which datagrams received at `at` or later can be found; `None` if there are none.
///
/// # Errors
///
/// As [`stretches_between`].
pub fn seek_time(dir: &Path, at: Timestamp) -> Result<Option<TapePosition>, TapeError> {
    for number in directory::list(dir)?.into_keys() {
        let entries = entries_of(dir, number)?;
        if let Some(entry) = entries.iter().find(|entry| entry.newest >= at) {
            return Ok(Some(entry.stretch(number).begin));
        }
    }
    Ok(None)
}

/// The number of the oldest segment on tape; `None` if there is none.
///
/// # Errors
///
/// The folder can't be read.
pub fn first_segment(dir: &Path) -> Result<Option<u32>, TapeError> {
    Ok(directory::list(dir)?.into_keys().next())
}

/// One entry of an index: a stretch within its segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Offset of its first frame.
    pub(crate) begin: u32,
    /// Offset behind its last frame.
    pub(crate) end: u32,
    /// Frames in the segment before it.
    pub(crate) ordinal: u32,
    /// Frames in it.
    pub(crate) datagrams: u32,
    /// The smallest `received_at`.
    pub(crate) oldest: Timestamp,
    /// The largest `received_at`.
    pub(crate) newest: Timestamp,
}

impl Entry {
    /// An entry that holds nothing yet and starts here.
    pub(crate) fn starting(begin: u32, ordinal: u32) -> Self {
        Self {
            begin,
            end: begin,
            ordinal,
            datagrams: 0,
            oldest: Timestamp::MAX,
            newest: Timestamp::from_nanos(i64::MIN),
        }
    }

    /// Takes in one frame that ends at `end`.
    pub(crate) fn add(&mut self, received_at: Timestamp, end: u32) {
        self.end = end;
        self.datagrams += 1;
        self.oldest = self.oldest.min(received_at);
        self.newest = self.newest.max(received_at);
    }

    fn join(&mut self, next: &Self) {
        self.end = next.end;
        self.datagrams += next.datagrams;
        self.oldest = self.oldest.min(next.oldest);
        self.newest = self.newest.max(next.newest);
    }

    fn encode(&self) -> Vec<u8> {
        let mut octets = Vec::with_capacity(ENTRY_OCTETS);
        octets.put_u32_le(self.begin);
        octets.put_u32_le(self.end);
        octets.put_u32_le(self.ordinal);
        octets.put_u32_le(self.datagrams);
        octets.put_i64_le(self.oldest.nanos());
        octets.put_i64_le(self.newest.nanos());
        octets.put_u32_le(0);
        octets.put_u32_le(crc32c::crc32c(&octets));
        octets
    }

    fn parse(octets: &[u8]) -> Option<Self> {
        let (checked, mut checksum) = octets.split_at_checked(CHECKED_OCTETS)?;
        if checksum.len() != 4 || checksum.get_u32_le() != crc32c::crc32c(checked) {
            return None;
        }
        let mut fields = checked;
        Some(Self {
            begin: fields.get_u32_le(),
            end: fields.get_u32_le(),
            ordinal: fields.get_u32_le(),
            datagrams: fields.get_u32_le(),
            oldest: Timestamp::from_nanos(fields.get_i64_le()),
            newest: Timestamp::from_nanos(fields.get_i64_le()),
        })
    }

    fn stretch(&self, segment: u32) -> Stretch {
        let place = |offset| TapePosition { segment, offset };
        Stretch {
            begin: place(self.begin),
            end: place(self.end),
            datagrams: self.datagrams,
            oldest: self.oldest,
            newest: self.newest,
        }
    }
}

/// Writes an index while its segment is written. Failing is no error: an index can be made again from its segment.
#[derive(Debug)]
pub(crate) struct IndexWriter {
    file: Option<DiskFile>,
    octets: u64,
    current: Option<(i64, Entry)>,
    /// Entries that could not be written.
    pub(crate) failures: u64,
}

impl IndexWriter {
    /// Starts the index of a new segment.
    pub(crate) fn begin(disk: &Disk, dir: &Path, header: &Header) -> Self {
        let started = disk
            .create(&index_path(dir, header.number))
            .and_then(|file| file.write_all_at(&header.encode(), 0).map(|()| file));
        Self {
            failures: u64::from(started.is_err()),
            file: started.ok(),
            octets: u64::from(HEADER_OCTETS),
            current: None,
        }
    }

    /// Takes in frames that were appended in this second.
    pub(crate) fn note(&mut self, second: i64, entry: &Entry) {
        match &mut self.current {
            Some((of, current)) if *of == second => current.join(entry),
            _ => {
                self.finish();
                self.current = Some((second, *entry));
            }
        }
    }

    /// Writes what was not written yet.
    pub(crate) fn finish(&mut self) {
        let Some((_, entry)) = self.current.take() else {
            return;
        };
        let octets = entry.encode();
        let written = match &self.file {
            Some(file) => file.write_all_at(&octets, self.octets).is_ok(),
            None => false,
        };
        self.octets += crate::stats::count(octets.len());
        if !written {
            // Later entries would stand behind half a one; the rest of the segment is searched instead.
            self.file = None;
            self.failures += 1;
        }
    }
}

/// The entries of a segment, by its index as far as that reaches and by a search from there.
fn entries_of(dir: &Path, number: u32) -> Result<Vec<Entry>, TapeError> {
    let mut entries = read_index(&index_path(dir, number));
    let Some(segment) = Segment::open(dir, number)? else {
        return Ok(Vec::new());
    };
    let indexed = entries.last().map_or(HEADER_OCTETS, |last| last.end);
    let end = segment.octets()?;
    let mut cursor = Cursor::new(segment, indexed);
    let mut search = Rebuild::default();
    loop {
        match cursor.step(end, false)? {
            Step::Frame(at, frame) => search.add(at, &frame),
            Step::Damage(..) => {}
            Step::End => break,
        }
    }
    entries.extend(search.finish());
    Ok(entries)
}

/// Entries up to the first that is damaged or missing.
fn read_index(path: &Path) -> Vec<Entry> {
    let octets = std::fs::read(path).unwrap_or_default();
    let mut entries: Vec<Entry> = Vec::new();
    let header = usize::try_from(HEADER_OCTETS).unwrap_or(usize::MAX);
    for octets in octets
        .get(header..)
        .unwrap_or_default()
        .chunks(ENTRY_OCTETS)
    {
        let expected = entries.last().map_or(HEADER_OCTETS, |last| last.end);
        match Entry::parse(octets) {
            Some(entry) if entry.begin == expected => entries.push(entry),
            _ => break,
        }
    }
    entries
}

/// Makes entries from frames, where no index tells.
#[derive(Debug, Default)]
pub(crate) struct Rebuild {
    done: Vec<Entry>,
    current: Option<(i64, Entry)>,
}

impl Rebuild {
    /// Takes in the frame at this offset.
    pub(crate) fn add(&mut self, at: u32, frame: &Frame) {
        let received_at = frame.datagram.received_at;
        let second = received_at.seconds();
        let full = self.current.as_ref().is_some_and(|(of, entry)| {
            *of != second && entry.end - entry.begin >= REBUILT_STRETCH_OCTETS
        });
        if full {
            self.done
                .extend(self.current.take().map(|(_, entry)| entry));
        }
        let (_, entry) = self
            .current
            .get_or_insert_with(|| (second, Entry::starting(at, frame.ordinal)));
        entry.add(received_at, at.saturating_add(frame.octets));
    }

    /// All entries.
    pub(crate) fn finish(mut self) -> Vec<Entry> {
        self.done
            .extend(self.current.take().map(|(_, entry)| entry));
        self.done
    }
}

/// Writes a whole index anew, beside the old one and then in its place.
pub(crate) fn rewrite(
    disk: &Disk,
    dir: &Path,
    header: &Header,
    entries: &[Entry],
) -> Result<(), TapeError> {
    let path = index_path(dir, header.number);
    let mut octets = header.encode();
    // A gap in the offsets means "search from here"; damage between two entries belongs to the first.
    let mut expected = HEADER_OCTETS;
    for (at, entry) in entries.iter().enumerate() {
        let end = entries.get(at + 1).map_or(entry.end, |next| next.begin);
        let joined = Entry {
            begin: expected,
            end,
            ..*entry
        };
        octets.extend(joined.encode());
        expected = end;
    }
    disk.replace(&path, &octets)
        .map_err(TapeError::io("write", &path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_octets_are_those_of_the_description() {
        let mut entry = Entry::starting(64, 3);
        entry.add(Timestamp::from_nanos(-1), 200);
        entry.add(Timestamp::from_nanos(258), 300);
        let octets = entry.encode();
        assert_eq!(&octets[..16], b"\x40\0\0\0\x2c\x01\0\0\x03\0\0\0\x02\0\0\0");
        assert_eq!(&octets[16..24], &[255; 8]);
        assert_eq!(&octets[24..36], b"\x02\x01\0\0\0\0\0\0\0\0\0\0");
        assert_eq!(Entry::parse(&octets), Some(entry));
        for bit in 0..octets.len() * 8 {
            let mut flipped = octets.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Entry::parse(&flipped), None, "bit {bit}");
        }
    }
}
