//! Reads a `.reel` file of anybody: nothing in it is believed before it is compared.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::reel::checksum::Checksum;
use crate::reel::error::ReelError;
use crate::reel::header::{self, BLOCK_OCTETS, END_OCTETS, Header};
use crate::reel::manifest::{Manifest, PartEntry};
use crate::reel::part::{MANIFEST, PartKind, SEAL};
use crate::reel::{CHUNK_OCTETS, MANIFEST_OCTETS_MAX};

/// A recording's file whose manifest is whole and believable, and whose length is what the manifest says. What is in the
/// parts is known only after [`verify`](Self::verify) or [`extract`](Self::extract).
#[derive(Debug)]
pub struct Reel {
    path: PathBuf,
    file: Arc<File>,
    octets: u64,
    manifest: Manifest,
    /// Where the header of each part stands.
    places: Vec<u64>,
}

impl Reel {
    /// Whether a file begins as a recording's does. Cheap, and no promise: it may be damaged all the same.
    ///
    /// # Errors
    ///
    /// [`ReelError::Io`] if it cannot be read.
    pub fn is_reel(path: &Path) -> Result<bool, ReelError> {
        // A pipe is not looked into: what is read of it is gone for whoever reads it next.
        let metadata = path.metadata().map_err(ReelError::io("open", path))?;
        if !metadata.is_file() || metadata.len() < BLOCK_OCTETS as u64 {
            return Ok(false);
        }
        let file = File::open(path).map_err(ReelError::io("open", path))?;
        let mut found = [0; BLOCK_OCTETS];
        file.read_exact_at(&mut found, 0)
            .map_err(ReelError::io("read", path))?;
        Ok(header::alike(&found, &header::encode(MANIFEST, 0)))
    }

    /// Opens a recording: reads its manifest, at most [`MANIFEST_OCTETS_MAX`] octets, and what stands at the end of the file.
    ///
    /// # Errors
    ///
    /// [`ReelError::NotAReel`], [`ReelError::Newer`], and what else can be seen without reading the parts. Do not use the
    /// file.
    pub fn open(path: &Path) -> Result<Self, ReelError> {
        if !Self::is_reel(path)? {
            return Err(ReelError::NotAReel {
                path: path.to_owned(),
                why: format!("it does not begin with a {MANIFEST}"),
            });
        }
        let file = File::open(path).map_err(ReelError::io("open", path))?;
        let metadata = file.metadata().map_err(ReelError::io("measure", path))?;
        let mut reel = Self {
            path: path.to_owned(),
            file: Arc::new(file),
            octets: metadata.len(),
            manifest: Manifest::default(),
            places: Vec::new(),
        };
        let octets = reel.read_manifest()?;
        reel.manifest = Manifest::decode(path, &octets)?;
        reel.find_parts(&octets)?;
        reel.check_end(&octets)?;
        Ok(reel)
    }

    /// What the recording says of itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Octets of the whole file.
    pub fn octets(&self) -> u64 {
        self.octets
    }

    /// The indexes of the parts of a kind, in their order.
    pub fn parts(&self, kind: PartKind) -> Vec<usize> {
        let kinds = self.manifest.kinds();
        let found = kinds.iter().enumerate().filter(|(_, of)| **of == kind);
        found.map(|(index, _)| index).collect()
    }

    /// A part, to be read in any order. Its checksum is not looked at: call [`verify`](Self::verify) before.
    ///
    /// # Errors
    ///
    /// [`ReelError::Part`] if there are not that many; [`ReelError::Damaged`] if its header is.
    pub fn part(&self, index: usize) -> Result<PartReader, ReelError> {
        let (entry, place) = self.entry(index)?;
        self.check_header(&entry.name, entry.octets, place)?;
        Ok(PartReader {
            file: Arc::clone(&self.file),
            begin: place + BLOCK_OCTETS as u64,
            octets: entry.octets,
            position: 0,
        })
    }

    /// Writes a part to `to`, and compares it with its checksum meanwhile.
    ///
    /// # Errors
    ///
    /// [`ReelError::Damaged`], also behind the last octet: what was written is to be thrown away. [`ReelError::Io`] if `to`
    /// cannot be written.
    pub fn extract(&self, index: usize, to: &mut impl Write) -> Result<(), ReelError> {
        let (entry, place) = self.entry(index)?;
        self.check_header(&entry.name, entry.octets, place)?;
        let begin = place + BLOCK_OCTETS as u64;
        let end = begin + entry.octets;
        let mut checksum = Checksum::default();
        let mut chunk = vec![0; CHUNK_OCTETS.min(octets_of_part(entry.octets))];
        let mut at = begin;
        while at < end {
            let some = chunk.len().min(octets_of_part(end - at));
            let octets = chunk.get_mut(..some).unwrap_or_default();
            self.read(&entry.name, octets, at)?;
            checksum.add(octets);
            to.write_all(octets).map_err(|source| ReelError::Io {
                action: "write what is in",
                path: self.path.clone(),
                source,
            })?;
            at += crate::stats::count(some);
        }
        if checksum.digits() != entry.sha256 {
            return Err(self.damaged(&entry.name, "its octets do not have its checksum"));
        }
        self.check_padding(&entry.name, entry.octets, end)
    }

    /// Puts the segments of the recording's tape into a folder, to disk: a tape.
    ///
    /// # Errors
    ///
    /// As [`extract`](Self::extract); [`ReelError::Io`] also if there is a segment of that name. Remove the folder then.
    pub fn extract_tape(&self, folder: &Path) -> Result<(), ReelError> {
        for (number, index) in (1..).zip(self.parts(PartKind::Tape)) {
            // A closed set: tape/0000000001.tape.zst.
            let name = PartKind::Tape.name(number);
            let path = folder.join(name.trim_start_matches("tape/"));
            let failed = |source| ReelError::Io {
                action: "write",
                path: path.clone(),
                source,
            };
            let mut file = File::create_new(&path).map_err(failed)?;
            self.extract(index, &mut file)?;
            file.sync_all().map_err(failed)?;
        }
        Ok(())
    }

    /// Reads the whole file and compares every octet of it with what it must be.
    ///
    /// # Errors
    ///
    /// [`ReelError::Damaged`] with the part: do not use the file.
    pub fn verify(&self) -> Result<(), ReelError> {
        (0..self.places.len()).try_for_each(|index| self.extract(index, &mut io::sink()))
    }

    /// Reads the manifest, its header and padding.
    fn read_manifest(&self) -> Result<Vec<u8>, ReelError> {
        let mut found: Header = [0; BLOCK_OCTETS];
        self.read(MANIFEST, &mut found, 0)?;
        let octets = header::size(&found).unwrap_or(u64::MAX);
        if octets > MANIFEST_OCTETS_MAX {
            return Err(ReelError::NotAReel {
                path: self.path.clone(),
                why: format!("its {MANIFEST} has more than {MANIFEST_OCTETS_MAX} octets"),
            });
        }
        self.check_header(MANIFEST, octets, 0)?;
        let expected = header::member_octets(octets);
        if self.octets < expected {
            return Err(self.wrong_length(expected));
        }
        let mut manifest = vec![0; octets_of_part(octets)];
        self.read(MANIFEST, &mut manifest, BLOCK_OCTETS as u64)?;
        self.check_padding(MANIFEST, octets, BLOCK_OCTETS as u64 + octets)?;
        Ok(manifest)
    }

    /// Notes where the parts are, and compares their sum with the length of the file.
    fn find_parts(&mut self, manifest: &[u8]) -> Result<(), ReelError> {
        let mut at = header::member_octets(crate::stats::count(manifest.len()));
        for part in &self.manifest.parts {
            self.places.push(at);
            // At most ten thousand times 8 GiB.
            at += header::member_octets(part.octets);
        }
        let expected = at + seal(manifest).len() as u64;
        match self.octets == expected {
            true => Ok(()),
            false => Err(self.wrong_length(expected)),
        }
    }

    /// Compares all that stands behind the last part.
    fn check_end(&self, manifest: &[u8]) -> Result<(), ReelError> {
        let expected = seal(manifest);
        let mut found = vec![0; expected.len()];
        let at = self.octets.saturating_sub(expected.len() as u64);
        self.read(SEAL, &mut found, at)?;
        match found == expected {
            true => Ok(()),
            false => Err(self.damaged(SEAL, "it is not the checksum of the manifest")),
        }
    }

    fn entry(&self, index: usize) -> Result<(&PartEntry, u64), ReelError> {
        let found = self.manifest.parts.get(index).zip(self.places.get(index));
        let (entry, place) = found.ok_or_else(|| ReelError::Part {
            path: self.path.clone(),
            what: format!("there is no part with the index {index}"),
        })?;
        Ok((entry, *place))
    }

    fn check_header(&self, part: &str, octets: u64, at: u64) -> Result<(), ReelError> {
        let mut found: Header = [0; BLOCK_OCTETS];
        self.read(part, &mut found, at)?;
        match found == header::encode(part, octets) {
            true => Ok(()),
            false => Err(self.damaged(part, "its header is not what the manifest says")),
        }
    }

    fn check_padding(&self, part: &str, octets: u64, at: u64) -> Result<(), ReelError> {
        let mut found = vec![0; octets_of_part(header::padding(octets))];
        self.read(part, &mut found, at)?;
        match found.iter().all(|octet| *octet == 0) {
            true => Ok(()),
            false => Err(self.damaged(part, "there is something behind its end")),
        }
    }

    fn read(&self, part: &str, octets: &mut [u8], at: u64) -> Result<(), ReelError> {
        match self.file.read_exact_at(octets, at) {
            // Its length was right when it was opened.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(self.damaged(part, "the file was cut short while it was read"))
            }
            read => read.map_err(ReelError::io("read", &self.path)),
        }
    }

    fn damaged(&self, part: &str, what: &'static str) -> ReelError {
        ReelError::Damaged {
            path: self.path.clone(),
            part: part.to_owned(),
            what,
        }
    }

    fn wrong_length(&self, expected: u64) -> ReelError {
        ReelError::Length {
            path: self.path.clone(),
            found: self.octets,
            expected,
        }
    }
}

/// All that stands behind the last part: the checksum of the manifest as a member, and the end of the archive.
pub(crate) fn seal(manifest: &[u8]) -> Vec<u8> {
    let text = format!("{}\n", Checksum::of(manifest));
    let mut octets = header::encode(SEAL, text.len() as u64).to_vec();
    octets.extend_from_slice(text.as_bytes());
    octets.resize(2 * BLOCK_OCTETS + END_OCTETS, 0);
    octets
}

/// A length as one of memory.
fn octets_of_part(octets: u64) -> usize {
    usize::try_from(octets).unwrap_or(usize::MAX)
}

/// A part of a recording, as a file of its own.
#[derive(Clone, Debug)]
pub struct PartReader {
    file: Arc<File>,
    begin: u64,
    octets: u64,
    position: u64,
}

impl PartReader {
    /// Octets of the part.
    pub fn octets(&self) -> u64 {
        self.octets
    }
}

impl Read for PartReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = octets_of_part(self.octets.saturating_sub(self.position));
        let some = buffer.len().min(left);
        // Somebody may have gone anywhere behind the end.
        if some == 0 {
            return Ok(0);
        }
        let buffer = buffer.get_mut(..some).unwrap_or_default();
        let read = self.file.read_at(buffer, self.begin + self.position)?;
        self.position += crate::stats::count(read);
        Ok(read)
    }
}

impl Seek for PartReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(offset) => self.octets.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}
