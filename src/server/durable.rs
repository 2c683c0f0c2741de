//! Files that are replaced as a whole: whole or not at all, also if the power goes; and that tell when they are damaged.
//!
//! They are JSON objects. The last member of a sealed one is the CRC-32C of all octets before it, so a file of which a disk
//! changed a digit is not taken for another that says something else.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use replay::Disk;
use serde::{Deserialize, Serialize};

/// Before the eight hexadecimal digits of the checksum; behind them is [`SEAL_END`].
const SEAL: &[u8] = b",\"crc32c\":\"";
const SEAL_END: &[u8] = b"\"}";
const SEAL_OCTETS: usize = SEAL.len() + 8 + SEAL_END.len();

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    /// The system's reason.
    #[error("{path}: cannot be read or written")]
    Io { path: PathBuf, source: io::Error },
    /// Its octets are not those that were written.
    #[error("{path}: is damaged")]
    Damaged {
        path: PathBuf,
        source: Option<serde_json::Error>,
    },
}

impl FileError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        |source| Self::Io {
            path: path.to_owned(),
            source,
        }
    }
}

/// Puts a value in the place of a file.
///
/// # Errors
///
/// [`FileError::Io`]; the old file is there still.
pub(crate) fn replace(path: &Path, value: &impl Serialize) -> Result<(), FileError> {
    swap(path, &text(path, value)?)
}

/// The same, with a checksum. The value must be written as an object with members.
///
/// # Errors
///
/// As [`replace`].
pub(crate) fn replace_sealed(path: &Path, value: &impl Serialize) -> Result<(), FileError> {
    let mut text = text(path, value)?;
    text.pop();
    let sum = crc32c::crc32c(&text);
    text.extend_from_slice(SEAL);
    text.extend_from_slice(format!("{sum:08x}").as_bytes());
    text.extend_from_slice(SEAL_END);
    swap(path, &text)
}

/// A file's value; `None` if there is no such file. One without a checksum is taken as it is: earlier versions wrote none.
///
/// # Errors
///
/// [`FileError::Damaged`] if it is not what was written.
pub(crate) fn read<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<Option<T>, FileError> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(FileError::io(path)(source)),
    };
    let damaged = |source| FileError::Damaged {
        path: path.to_owned(),
        source,
    };
    if !is_whole(&text) {
        return Err(damaged(None));
    }
    serde_json::from_slice(&text)
        .map(Some)
        .map_err(|source| damaged(Some(source)))
}

/// Whether the checksum, if there is one, is that of the octets before it.
fn is_whole(text: &[u8]) -> bool {
    let Some((body, seal)) = text
        .len()
        .checked_sub(SEAL_OCTETS)
        .map(|at| text.split_at(at))
    else {
        return true;
    };
    let digits = seal
        .strip_prefix(SEAL)
        .and_then(|rest| rest.strip_suffix(SEAL_END));
    digits.is_none_or(|digits| digits == format!("{:08x}", crc32c::crc32c(body)).as_bytes())
}

/// Keeps the present file under another name, in place of what had that name.
///
/// # Errors
///
/// [`FileError::Io`]; both are as they were.
pub(crate) fn keep(path: &Path, kept: &Path) -> Result<(), FileError> {
    let second = kept.with_extension("tmp");
    let _ = fs::remove_file(&second);
    // Not every file system has hard links.
    let linked = fs::hard_link(path, &second).or_else(|_| fs::copy(path, &second).map(drop));
    match linked {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        linked => linked
            .and_then(|()| fs::rename(&second, kept))
            .map_err(FileError::io(kept)),
    }
}

fn text(path: &Path, value: &impl Serialize) -> Result<Vec<u8>, FileError> {
    serde_json::to_vec(value).map_err(|source| FileError::Io {
        path: path.to_owned(),
        source: source.into(),
    })
}

fn swap(path: &Path, text: &[u8]) -> Result<(), FileError> {
    let replaced = Disk::default().replace(path, text);
    replaced.map_err(FileError::io(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Value {
        number: u64,
    }

    #[test]
    fn a_flipped_bit_anywhere_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        replace_sealed(&path, &Value { number: 123_456 }).unwrap();
        assert_eq!(read(&path).unwrap(), Some(Value { number: 123_456 }));
        let written = fs::read(&path).unwrap();
        for bit in 0..written.len() * 8 {
            let mut flipped = written.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, &flipped).unwrap();
            let read = read::<Value>(&path);
            let noticed = read.is_err() || read.unwrap() == Some(Value { number: 123_456 });
            assert!(noticed, "bit {bit}");
        }
        fs::write(&path, &written[..written.len() / 2]).unwrap();
        assert!(matches!(
            read::<Value>(&path),
            Err(FileError::Damaged { .. })
        ));
    }

    #[test]
    fn what_earlier_versions_wrote_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        assert_eq!(read::<Value>(&path).unwrap(), None);
        replace(&path, &Value { number: 1 }).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"{\"number\":1}");
        assert_eq!(read(&path).unwrap(), Some(Value { number: 1 }));
        let kept = folder.path().join("a.1.json");
        keep(&path, &kept).unwrap();
        replace(&path, &Value { number: 2 }).unwrap();
        assert_eq!(read(&kept).unwrap(), Some(Value { number: 1 }));
        assert_eq!(read(&path).unwrap(), Some(Value { number: 2 }));
    }
}
