//! Reads any part of a segment, whether it is compressed or not.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};

use crate::directory::{compressed_path, index_path, raw_path};
use crate::error::TapeError;
use crate::frame::Marker;
use crate::header::{self, FORMAT, HEADER_OCTETS, Header};
use crate::seekable::{self, Block};

/// Octets that one read call asks for: many frames, yet little memory for whoever keeps one payload of them.
const READ_OCTETS: u32 = 256 << 10;
/// What is passed over where the disk gives nothing back.
const UNREADABLE_OCTETS: u32 = 4096;

/// An open segment. It stays readable when it is compressed, and when its name is removed.
#[derive(Debug)]
pub(crate) struct Segment {
    /// The segment's number, by its name.
    pub(crate) number: u32,
    /// What each of its frames starts with.
    pub(crate) marker: Marker,
    /// Its header, unless no copy of it is left.
    pub(crate) header: Option<Header>,
    path: PathBuf,
    file: File,
    /// `None`: the file is the segment as it was written.
    compressed: Option<Blocks>,
}

/// What was read.
#[derive(Debug)]
pub(crate) enum Fetched {
    /// Octets, as many as asked for or more; fewer only at the end.
    Octets(Bytes),
    /// Nothing can be read before this offset.
    Hole(u32),
}

#[derive(Debug)]
struct Blocks {
    table: Vec<Block>,
    last: Option<(usize, Bytes)>,
}

impl Segment {
    /// Opens segment `number`; `None` if it is not there.
    ///
    /// # Errors
    ///
    /// [`TapeError::NewerFormat`]; [`TapeError::Io`] if the operating system refuses.
    pub(crate) fn open(dir: &Path, number: u32) -> Result<Option<Self>, TapeError> {
        // The raw file goes only after the compressed one is in place, so two looks in this order miss neither.
        for path in [
            raw_path(dir, number),
            compressed_path(dir, number),
            raw_path(dir, number),
        ] {
            match File::open(&path).map_err(TapeError::io("open", &path)) {
                Ok(file) => return Self::of(dir, number, path, file).map(Some),
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    fn of(dir: &Path, number: u32, path: PathBuf, file: File) -> Result<Self, TapeError> {
        let compressed = match path.extension() {
            Some(extension) if extension == "zst" => Some(Blocks::read(&path, &file)?),
            _ => None,
        };
        let mut segment = Self {
            number,
            marker: Marker::new([0; 4]),
            header: None,
            path,
            file,
            compressed,
        };
        segment.header = segment.read_header(dir)?;
        segment.marker = match segment.header {
            Some(header) => header.marker,
            None => segment.marker_of_first_frame()?,
        };
        Ok(segment)
    }

    /// The segment's own header, or the copy of it that the index starts with.
    fn read_header(&mut self, dir: &Path) -> Result<Option<Header>, TapeError> {
        let own = match self.fetch(0, HEADER_OCTETS, HEADER_OCTETS)? {
            Fetched::Octets(octets) => octets,
            Fetched::Hole(_) => Bytes::new(),
        };
        for octets in [own, Bytes::from(read_start(&index_path(dir, self.number)))] {
            match Header::parse(&octets) {
                header::Parsed::Header(header) if header.number == self.number => {
                    return Ok(Some(header));
                }
                header::Parsed::Newer(found) => {
                    return Err(TapeError::NewerFormat {
                        path: self.path.clone(),
                        found,
                        known: FORMAT,
                    });
                }
                _ => {}
            }
        }
        Ok(None)
    }

    fn marker_of_first_frame(&mut self) -> Result<Marker, TapeError> {
        let octets = match self.fetch(HEADER_OCTETS, 4, HEADER_OCTETS + 4)? {
            Fetched::Octets(octets) => octets,
            Fetched::Hole(_) => Bytes::new(),
        };
        let octets = octets
            .get(..4)
            .and_then(|octets| octets.try_into().ok())
            .unwrap_or([0; 4]);
        Ok(Marker::new(octets))
    }

    /// Octets of the segment as it was written, as many as there are now.
    pub(crate) fn octets(&self) -> Result<u32, TapeError> {
        match &self.compressed {
            Some(blocks) => Ok(blocks.table.last().map_or(0, Block::end)),
            None => {
                let metadata = self.file.metadata();
                let octets = metadata
                    .map_err(TapeError::io("measure", &self.path))?
                    .len();
                Ok(u32::try_from(octets).unwrap_or(u32::MAX))
            }
        }
    }

    /// Whether its name is still there, in either form.
    pub(crate) fn is_on_tape(&self, dir: &Path) -> bool {
        raw_path(dir, self.number).exists() || compressed_path(dir, self.number).exists()
    }

    /// At least `at_least` octets from `offset` on, nothing at or behind `end`.
    pub(crate) fn fetch(
        &mut self,
        offset: u32,
        at_least: u32,
        end: u32,
    ) -> Result<Fetched, TapeError> {
        let left = end.saturating_sub(offset);
        let path = &self.path;
        let fetched = match &mut self.compressed {
            Some(blocks) => blocks.fetch(&self.file, offset, at_least.min(left)),
            None => read_part(
                &self.file,
                u64::from(offset),
                left.min(at_least.max(READ_OCTETS)),
            )
            .map(|octets| Fetched::Octets(octets.into())),
        };
        match fetched {
            Ok(Fetched::Octets(mut octets)) => {
                octets.truncate(usize::try_from(left).unwrap_or(usize::MAX));
                Ok(Fetched::Octets(octets))
            }
            // A bad sector: what is around it can still be read.
            Err(error) if error.raw_os_error() == Some(nix::libc::EIO) => {
                let next = (offset / UNREADABLE_OCTETS + 1).saturating_mul(UNREADABLE_OCTETS);
                Ok(Fetched::Hole(next.min(end)))
            }
            other => other.map_err(TapeError::io("read", path)),
        }
    }
}

impl Blocks {
    fn read(path: &Path, file: &File) -> Result<Self, TapeError> {
        let table = Self::read_table(file).map_err(TapeError::io("read", path))?;
        Ok(Self { table, last: None })
    }

    fn read_table(file: &File) -> io::Result<Vec<Block>> {
        let file_octets = file.metadata()?.len();
        let foot = read_part(file, file_octets.saturating_sub(9), 9)?;
        let table = seekable::table_octets(&foot).filter(|octets| *octets <= file_octets);
        if let Some((table, octets)) =
            table.and_then(|table| Some((table, u32::try_from(table).ok()?)))
        {
            let table = read_part(file, file_octets - table, octets)?;
            if let Some(blocks) = seekable::parse_table(&table, file_octets) {
                return Ok(blocks);
            }
        }
        let all = read_part(file, 0, u32::try_from(file_octets).unwrap_or(u32::MAX))?;
        Ok(seekable::walk(&all))
    }

    /// The rest of the block that holds `offset`; more than that only where `at_least` reaches into the next.
    fn fetch(&mut self, file: &File, offset: u32, at_least: u32) -> io::Result<Fetched> {
        let Some(index) = self.index(offset) else {
            return Ok(Fetched::Octets(Bytes::new()));
        };
        let Some(octets) = self.block(file, index)? else {
            return Ok(Fetched::Hole(self.table[index].end()));
        };
        let from = usize::try_from(offset - self.table[index].offset).unwrap_or(usize::MAX);
        let at_least = usize::try_from(at_least).unwrap_or(usize::MAX);
        let rest = octets.slice(from.min(octets.len())..);
        if rest.len() >= at_least {
            return Ok(Fetched::Octets(rest));
        }
        let mut joined = BytesMut::from(&rest[..]);
        let mut next = index + 1;
        while joined.len() < at_least && next < self.table.len() {
            let Some(octets) = self.block(file, next)? else {
                break;
            };
            let missing = (at_least - joined.len()).min(octets.len());
            joined.extend_from_slice(&octets[..missing]);
            next += 1;
        }
        Ok(Fetched::Octets(joined.freeze()))
    }

    fn index(&self, offset: u32) -> Option<usize> {
        let index = self.table.partition_point(|block| block.end() <= offset);
        (index < self.table.len()).then_some(index)
    }

    /// A block's octets of the segment; `None` if it is damaged.
    fn block(&mut self, file: &File, index: usize) -> io::Result<Option<Bytes>> {
        if let Some((_, octets)) = self.last.as_ref().filter(|(last, _)| *last == index) {
            return Ok(Some(octets.clone()));
        }
        let block = self.table[index];
        let compressed = read_part(file, block.file_offset, block.file_octets)?;
        let wanted = usize::try_from(block.octets).unwrap_or(usize::MAX);
        let Ok(octets) = zstd::bulk::decompress(&compressed, wanted) else {
            return Ok(None);
        };
        if octets.len() != wanted {
            return Ok(None);
        }
        let octets = Bytes::from(octets);
        self.last = Some((index, octets.clone()));
        Ok(Some(octets))
    }
}

/// Up to `octets` of a file from `offset` on; fewer at its end.
fn read_part(file: &File, offset: u64, octets: u32) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0; usize::try_from(octets).unwrap_or(usize::MAX)];
    let mut filled = 0;
    while filled < buffer.len() {
        let at = offset + crate::stats::count(filled);
        match file.read_at(&mut buffer[filled..], at) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    buffer.truncate(filled);
    Ok(buffer)
}

/// The first 64 octets of a file; fewer if it is shorter, none if it cannot be read.
fn read_start(path: &Path) -> Vec<u8> {
    File::open(path)
        .and_then(|file| read_part(&file, 0, HEADER_OCTETS))
        .unwrap_or_default()
}
