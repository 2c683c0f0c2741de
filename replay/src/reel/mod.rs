//! The `.reel` file: a network recording as one portable file.
//!
//! | module | holds |
//! |---|---|
//! | [`manifest`] | what a recording says of itself, and what of that is believed |
//! | [`part`] | the closed set of kinds of parts, and their names |
//! | [`writer`] | staged files → one file, whole or not there |
//! | [`reader`] | opens, verifies, hands out parts |
//! | [`tape`] | cuts a stretch of tape into a tape of its own |
//! | [`error`] | what can be wrong with a file, with its place |
//!
//! The file format is described in `docs/recordings.md` for other programs. It is a tar archive in which nothing is left to
//! choice: who knows the manifest knows every octet between the parts, so each header is made again and compared, and no
//! name, mode or owner that stands in a file is ever used.

pub mod error;
pub mod manifest;
pub mod part;
pub mod reader;
pub mod tape;
pub mod writer;

mod checksum;
mod header;

pub use error::ReelError;
pub use manifest::{Counts, FORMAT, Manifest, PartEntry};
pub use part::PartKind;
pub use reader::{PartReader, Reel};
pub use tape::{Counted, NewTape, TapeDatagrams, cut_tape, read_tape};
pub use writer::{Staged, write, write_on};

/// Octets of a manifest. Its parts take 180 octets each, so there is room for twice of [`PARTS_MAX`]; it is read into
/// memory before anything is known of who made it.
pub const MANIFEST_OCTETS_MAX: u64 = 4 << 20;

/// Parts of a recording: 600 GiB of tape in segments of 64 MiB, which is more than one file should be.
pub const PARTS_MAX: usize = 10_000;

/// Octets of a part: what the eleven octal digits of a tar header can say.
pub const PART_OCTETS_MAX: u64 = header::OCTETS_MAX;

/// Octets of a compressed segment, which are 64 MiB before that. Whoever reads one whose table is damaged takes all of it
/// into memory.
pub const TAPE_OCTETS_MAX: u64 = 128 << 20;

/// Octets of `enrichment.json` and of `notes.json`: each is read into memory as one text.
pub const DOCUMENT_OCTETS_MAX: u64 = 64 << 20;

/// Characters of a name in the manifest, of a recording, a person or a program: what fits a line that people read.
pub const NAME_CHARS_MAX: usize = 200;

/// Octets that are read, hashed or written at a time.
const CHUNK_OCTETS: usize = 1 << 20;
