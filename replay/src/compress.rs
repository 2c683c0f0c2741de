//! Compresses a sealed segment and puts it in the place of the raw one.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::directory;
use crate::disk::{Disk, DiskFile};
use crate::error::TapeError;
use crate::seekable::{self, BLOCK_OCTETS};
use crate::stats::add;
use crate::tail::{Form, Shared};

/// Zstandard's fastest ordinary level: the tape must keep up with the wire on a fraction of a core.
const LEVEL: i32 = 1;

/// Compresses segment `number`. The raw file goes when the compressed one is safely in its place; a segment that
/// does not get smaller stays as it is.
///
/// # Errors
///
/// [`TapeError::Io`]: nothing has changed, and the caller may try again.
pub(crate) fn compress_segment(shared: &Shared, number: u32) -> Result<(), TapeError> {
    let unfinished = directory::unfinished_path(shared.dir(), number);
    let done = write_compressed(shared, number, &unfinished);
    if done.is_err() {
        add(&shared.stats.compress_failures, 1);
    }
    // Renamed if all went well: then there is nothing to remove.
    let removed = directory::remove(&shared.disk, &unfinished);
    done.and(removed)
}

fn write_compressed(shared: &Shared, number: u32, unfinished: &Path) -> Result<(), TapeError> {
    let dir = shared.dir();
    let raw = directory::raw_path(dir, number);
    let source = File::open(&raw).map_err(TapeError::io("open", &raw))?;
    let (from, to) = compress_file(&shared.disk, &raw, source, unfinished)?;
    if to >= from {
        settle(shared, number, None);
        return Ok(());
    }
    if !begin_to_replace(shared, number) {
        return Ok(());
    }
    let replaced = replace(shared, number, unfinished, &raw);
    match &replaced {
        Ok(()) => {
            settle(shared, number, Some(to));
            add(&shared.stats.segments_compressed, 1);
            add(&shared.stats.compressed_from_octets, from);
            add(&shared.stats.compressed_to_octets, to);
        }
        Err(_) => set_form(shared, number, Form::Sealed),
    }
    replaced
}

/// Whether the segment is there still, and nobody removes it from here on: it must not come back. Nothing is done on disk
/// meanwhile, as the appending thread waits for the same lock.
fn begin_to_replace(shared: &Shared, number: u32) -> bool {
    let mut state = shared.lock();
    // A closed tape may be another writer's.
    if state.closed {
        return false;
    }
    let segment = state.segments.get_mut(&number);
    segment
        .map(|segment| segment.form = Form::Replaced)
        .is_some()
}

fn replace(shared: &Shared, number: u32, unfinished: &Path, raw: &Path) -> Result<(), TapeError> {
    let (disk, dir) = (&shared.disk, shared.dir());
    disk.rename(unfinished, &directory::compressed_path(dir, number))
        .map_err(TapeError::io("rename", unfinished))?;
    let forced = shared.folder.sync_names();
    forced.map_err(TapeError::io("force to disk", dir))?;
    directory::remove(disk, raw)
}

fn set_form(shared: &Shared, number: u32, form: Form) {
    if let Some(segment) = shared.lock().segments.get_mut(&number) {
        segment.form = form;
    }
}

fn settle(shared: &Shared, number: u32, octets: Option<u64>) {
    if let Some(segment) = shared.lock().segments.get_mut(&number) {
        segment.form = Form::Settled;
        segment.octets_on_disk = octets.unwrap_or(segment.octets_on_disk);
    }
}

/// Returns the octets before and after.
fn compress_file(
    disk: &Disk,
    raw: &Path,
    mut source: File,
    target: &Path,
) -> Result<(u64, u64), TapeError> {
    let mut compressed = Compressed::create(disk, target)?;
    let mut block = Vec::with_capacity(BLOCK_OCTETS);
    let mut from = 0;
    loop {
        block.clear();
        let limit = crate::stats::count(BLOCK_OCTETS);
        let read = Read::by_ref(&mut source)
            .take(limit)
            .read_to_end(&mut block)
            .map_err(TapeError::io("read", raw))?;
        if read == 0 {
            break;
        }
        compressed.write(&block)?;
        from += crate::stats::count(read);
    }
    Ok((from, compressed.finish()?))
}

/// A compressed segment in the making.
pub(crate) struct Compressed {
    file: DiskFile,
    compressor: zstd::bulk::Compressor<'static>,
    blocks: Vec<(u32, u32)>,
    octets: u64,
}

impl Compressed {
    pub(crate) fn create(disk: &Disk, path: &Path) -> Result<Self, TapeError> {
        let file = disk.create(path).map_err(TapeError::io("make", path))?;
        Ok(Self {
            compressor: compressor().map_err(TapeError::io("compress", path))?,
            file,
            blocks: Vec::new(),
            octets: 0,
        })
    }

    /// Appends the next [`BLOCK_OCTETS`] of the segment, or what is left of it.
    pub(crate) fn write(&mut self, block: &[u8]) -> Result<(), TapeError> {
        let path = self.file.path();
        let compressed =
            compress_block(&mut self.compressor, block).map_err(TapeError::io("compress", path))?;
        self.file
            .write_all_at(&compressed, self.octets)
            .map_err(TapeError::io("write", path))?;
        self.blocks
            .push((length(compressed.len()), length(block.len())));
        self.octets += crate::stats::count(compressed.len());
        Ok(())
    }

    /// Writes the table and forces everything to disk, but for the file's name. Returns the octets of the file.
    pub(crate) fn finish(self) -> Result<u64, TapeError> {
        let table = seekable::encode_table(&self.blocks);
        self.file
            .write_all_at(&table, self.octets)
            .and_then(|()| self.file.sync())
            .map_err(TapeError::io("write", self.file.path()))?;
        Ok(self.octets + crate::stats::count(table.len()))
    }
}

fn compressor() -> std::io::Result<zstd::bulk::Compressor<'static>> {
    let mut compressor = zstd::bulk::Compressor::new(LEVEL)?;
    compressor.set_parameter(zstd::zstd_safe::CParameter::ChecksumFlag(true))?;
    Ok(compressor)
}

/// One block, proven to give the same octets back: the raw ones are about to be removed.
fn compress_block(
    compressor: &mut zstd::bulk::Compressor<'_>,
    block: &[u8],
) -> std::io::Result<Vec<u8>> {
    let compressed = compressor.compress(block)?;
    if zstd::bulk::decompress(&compressed, block.len())? != block {
        return Err(std::io::Error::other("a block did not come back the same"));
    }
    Ok(compressed)
}

fn length(octets: usize) -> u32 {
    u32::try_from(octets).unwrap_or(u32::MAX)
}
