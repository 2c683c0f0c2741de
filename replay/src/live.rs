//! The segment that is being written.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use flow::{TapePosition, Timestamp};

use crate::directory::raw_path;
use crate::error::TapeError;
use crate::frame::Marker;
use crate::header::{HEADER_OCTETS, Header};
use crate::index::{Entry, IndexWriter};

/// An open segment and its index.
#[derive(Debug)]
pub(crate) struct Live {
    /// The segment's number.
    pub(crate) number: u32,
    /// What each of its frames starts with.
    pub(crate) marker: Marker,
    /// Behind the last whole frame.
    pub(crate) end: u32,
    /// Frames in it.
    pub(crate) datagrams: u32,
    /// When it was begun.
    pub(crate) created_at: Timestamp,
    /// Its index.
    pub(crate) index: IndexWriter,
    file: File,
    path: PathBuf,
}

impl Live {
    /// Makes a new segment, with its header and nothing else. The number is one that no segment ever had; a file of that
    /// name can only be left of a try that failed.
    pub(crate) fn begin(
        dir: &Path,
        number: u32,
        now: Timestamp,
        datagrams_before: u64,
    ) -> Result<Self, TapeError> {
        let header = Header {
            number,
            created_at: now,
            datagrams_before,
            marker: Marker::by_chance(),
        };
        let path = raw_path(dir, number);
        let file = File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)
            .map_err(TapeError::io("make", &path))?;
        if let Err(error) = file.write_all_at(&header.encode(), 0) {
            // Half a header would be in the way of the next try.
            let _ = std::fs::remove_file(&path);
            return Err(TapeError::io("write", &path)(error));
        }
        Ok(Self {
            number,
            marker: header.marker,
            end: HEADER_OCTETS,
            datagrams: 0,
            created_at: now,
            index: IndexWriter::begin(dir, &header),
            file,
            path,
        })
    }

    /// Appends whole frames, described by `entry`. On an error nothing of them is left.
    pub(crate) fn write(
        &mut self,
        frames: &[u8],
        entry: &Entry,
        now: Timestamp,
    ) -> Result<(), TapeError> {
        let at = u64::from(self.end);
        if let Err(error) = self.file.write_all_at(frames, at) {
            let _ = self.file.set_len(at);
            return Err(TapeError::io("write", &self.path)(error));
        }
        self.end = entry.end;
        self.datagrams += entry.datagrams;
        self.index.note(now.seconds(), entry);
        Ok(())
    }

    /// Behind the last whole frame.
    pub(crate) fn position(&self) -> TapePosition {
        TapePosition {
            segment: self.number,
            offset: self.end,
        }
    }
}
