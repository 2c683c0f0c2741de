//! Capture files: pcap and pcapng.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use flow::{Datagram, Timestamp};
use pcap::{Capture, Offline, PacketHeader, Precision};

use super::config::Selection;
use super::error::CaptureError;
use super::link::Link;
use super::stats::FrameCounts;
use super::unwrap::{Frame, Unwrap};

/// The datagrams of a capture file, in the order in which they stand there, with the capture's own times.
///
/// Reads pcap and pcapng with microseconds or nanoseconds, in either byte order. It needs a file that can be reopened by its
/// path. A file that ends within a frame gives all whole frames and one `damaged_tails`; other damage gives one error, and
/// then the end.
///
/// ```no_run
/// use collector::capture::{CaptureFile, Selection};
///
/// let mut capture = CaptureFile::open("export.pcap".as_ref(), Selection::default())?;
/// for datagram in &mut capture {
///     println!("{}", datagram?.payload.len());
/// }
/// println!("{:?}", capture.counts());
/// # Ok::<(), collector::capture::CaptureError>(())
/// ```
pub struct CaptureFile {
    path: PathBuf,
    capture: Capture<Offline>,
    unwrap: Unwrap,
    progress: Progress,
    /// Octets that the file format adds to each frame.
    overhead: u64,
    ended: bool,
}

/// How far a file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Octets read; a good estimate for pcapng, whose blocks may have options.
    pub octets: u64,
    /// The file's size, octets.
    pub size: u64,
}

/// The first octets of files that people take for captures.
const PCAPNG: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];
const COMPRESSED: [(&[u8], &str); 4] = [
    (&[0x1f, 0x8b], "gzip"),
    (&[0x28, 0xb5, 0x2f, 0xfd], "zstd"),
    (&[0xfd, b'7', b'z'], "xz"),
    (b"BZh", "bzip2"),
];

impl CaptureFile {
    /// Opens a capture and reads its header.
    ///
    /// # Errors
    ///
    /// [`CaptureError`] if the file cannot be read, is empty, compressed, no capture, or of a link type that is not looked
    /// into; it names the file. The caller tells whoever chose the file.
    pub fn open(path: &Path, selection: Selection) -> Result<Self, CaptureError> {
        let (size, start) = look(path)?;
        let capture =
            Capture::from_file_with_precision(path, Precision::Nano).map_err(|source| {
                CaptureError::NotACapture {
                    path: path.to_owned(),
                    source,
                }
            })?;
        let number = capture.get_datalink();
        let link = Link::from_number(number.0).ok_or_else(|| CaptureError::Link {
            place: path.display().to_string(),
            link: number.0,
            name: number.get_name().unwrap_or_default(),
        })?;
        let (header, overhead) = if start == PCAPNG { (60, 32) } else { (24, 16) };
        Ok(Self {
            path: path.to_owned(),
            capture,
            unwrap: Unwrap::new(link, selection),
            progress: Progress {
                octets: size.min(header),
                size,
            },
            overhead,
            ended: false,
        })
    }

    /// What became of the frames so far.
    pub fn counts(&self) -> FrameCounts {
        self.unwrap.counts()
    }

    /// How far the file is read.
    pub fn progress(&self) -> Progress {
        self.progress
    }

    fn end(&mut self) {
        self.ended = true;
        self.unwrap.finish();
        self.progress.octets = self.progress.size;
    }

    fn fail(&mut self, source: pcap::Error) -> Option<CaptureError> {
        match source {
            pcap::Error::NoMorePackets => {}
            // libpcap has no number for this: "truncated dump file; tried to read …".
            pcap::Error::PcapError(text) if text.starts_with("truncated") => {
                self.unwrap.count_damaged_tail();
            }
            source => {
                let frame = self.unwrap.counts().frames;
                self.end();
                return Some(CaptureError::Frame {
                    path: self.path.clone(),
                    frame,
                    source,
                });
            }
        }
        self.end();
        None
    }
}

impl Iterator for CaptureFile {
    type Item = Result<Datagram, CaptureError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.ended {
            let packet = match self.capture.next_packet() {
                Ok(packet) => packet,
                Err(error) => return self.fail(error).map(Err),
            };
            let octets = u64::from(packet.header.caplen) + self.overhead;
            let datagram = self.unwrap.datagram(Frame {
                at: time(packet.header),
                octets: packet.data,
                cut: packet.header.caplen < packet.header.len,
            });
            self.progress.octets = (self.progress.octets + octets).min(self.progress.size);
            if let Some(datagram) = datagram {
                return Some(Ok(datagram));
            }
        }
        None
    }
}

impl std::fmt::Debug for CaptureFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CaptureFile")
            .field("path", &self.path)
            .field("progress", &self.progress)
            .field("counts", &self.counts())
            .finish_non_exhaustive()
    }
}

/// The time of a frame of a capture that was opened with nanoseconds, which libpcap puts in the field for microseconds.
///
/// No capture is older than 1970: libpcap reads the 32 bits of seconds, which have no sign, as if they had one.
pub(super) fn time(header: &PacketHeader) -> Timestamp {
    let seconds = match header.ts.tv_sec {
        negative @ ..0 => negative.saturating_add(1 << 32),
        seconds => seconds,
    };
    Timestamp::from_seconds(seconds).offset(header.ts.tv_usec)
}

/// The file's size and first octets; errors that libpcap would not explain.
fn look(path: &Path) -> Result<(u64, [u8; 4]), CaptureError> {
    let failed = |source| CaptureError::Open {
        path: path.to_owned(),
        source,
    };
    if path.to_str().is_none() {
        return Err(failed(std::io::Error::new(
            std::io::ErrorKind::InvalidFilename,
            "libpcap wants a path in UTF-8",
        )));
    }
    let mut file = File::open(path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    if size == 0 {
        return Err(CaptureError::Empty {
            path: path.to_owned(),
        });
    }
    let mut start = [0; 4];
    let read = file.read(&mut start).map_err(failed)?;
    for (magic, by) in COMPRESSED {
        if start[..read].starts_with(magic) {
            return Err(CaptureError::Compressed {
                path: path.to_owned(),
                by,
            });
        }
    }
    Ok((size, start))
}
