//! The segment that is being written.

use std::io;
use std::path::Path;
use std::sync::Arc;

use flow::{TapePosition, Timestamp};

use crate::directory::raw_path;
use crate::disk::{Disk, DiskFile};
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
    /// The file; also for the thread that forces it to disk.
    pub(crate) file: Arc<DiskFile>,
    /// Part of a failed write may stand behind the end: it must go before anything is put there.
    unclean: bool,
}

/// What a new segment says of itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Begun {
    /// Its number.
    pub(crate) number: u32,
    /// When.
    pub(crate) at: Timestamp,
    /// Datagrams before it, since the tape was made.
    pub(crate) datagrams_before: u64,
    /// Those right before it that the tape lost.
    pub(crate) lost_before: u64,
}

impl Live {
    /// Makes a new segment, with its header and nothing else. The number is one that no segment ever had; an
    /// empty file of that name can be left of a try that failed, and one with frames is not touched.
    pub(crate) fn begin(disk: &Disk, dir: &Path, begun: Begun) -> Result<Self, TapeError> {
        let header = Header {
            number: begun.number,
            created_at: begun.at,
            datagrams_before: begun.datagrams_before,
            lost_before: begun.lost_before,
            marker: Marker::by_chance(),
        };
        let number = begun.number;
        let path = raw_path(dir, number);
        let file = make(disk, &path).map_err(TapeError::io("make", &path))?;
        if let Err(error) = file.write_all_at(&header.encode(), 0) {
            // Half a header would be in the way of the next try.
            let _ = disk.remove(&path);
            return Err(TapeError::io("write", &path)(error));
        }
        Ok(Self {
            number,
            marker: header.marker,
            end: HEADER_OCTETS,
            datagrams: 0,
            created_at: begun.at,
            index: IndexWriter::begin(disk, dir, &header),
            file: Arc::new(file),
            unclean: false,
        })
    }

    /// Appends whole frames, described by `entry`. On an error nothing of them is left, or nothing more is written before
    /// that is so.
    pub(crate) fn write(
        &mut self,
        frames: &[u8],
        entry: &Entry,
        now: Timestamp,
    ) -> Result<(), TapeError> {
        self.clean()?;
        let written = self.file.write_all_at(frames, u64::from(self.end));
        if let Err(error) = written {
            self.unclean = true;
            // If it does not work now, the next call tries again.
            let _ = self.clean();
            return Err(TapeError::io("write", self.file.path())(error));
        }
        self.end = entry.end;
        self.datagrams += entry.datagrams;
        self.index.note(now.seconds(), entry);
        Ok(())
    }

    /// Whether nothing stands behind the end: a segment that is sealed is read to the end of its file.
    pub(crate) fn is_clean(&self) -> bool {
        !self.unclean
    }

    /// Cuts what a failed write may have left.
    pub(crate) fn clean(&mut self) -> Result<(), TapeError> {
        if self.unclean {
            let cut = self.file.set_len(u64::from(self.end));
            cut.map_err(TapeError::io("cut", self.file.path()))?;
            self.unclean = false;
        }
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

/// Makes a file that is not there, or holds a header at most.
fn make(disk: &Disk, path: &Path) -> io::Result<DiskFile> {
    match disk.create_new(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let octets = path.symlink_metadata()?.len();
            if octets > u64::from(HEADER_OCTETS) {
                return Err(error);
            }
            disk.create(path)
        }
        made => made,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_with_frames_is_never_begun_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = raw_path(folder.path(), 7);
        let begun = Begun {
            number: 7,
            at: Timestamp::from_seconds(1),
            datagrams_before: 0,
            lost_before: 0,
        };
        // Left of a try that failed.
        std::fs::write(&path, "FLOWTAPE").unwrap();
        Live::begin(&Disk::default(), folder.path(), begun).unwrap();
        let frames = vec![b'x'; 65];
        std::fs::write(&path, &frames).unwrap();
        let refused = Live::begin(&Disk::default(), folder.path(), begun);
        assert!(matches!(refused, Err(TapeError::Io { .. })));
        assert_eq!(std::fs::read(&path).unwrap(), frames);
    }
}
