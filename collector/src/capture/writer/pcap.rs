//! pcap: a file header, and 16 octets before each packet.

use flow::Timestamp;
use flow::clock::NANOS_PER_SECOND;

const MAGIC_NANOSECONDS: u32 = 0xa1b2_3c4d;
const VERSION: [u16; 2] = [2, 4];
/// What stands before each packet.
pub(super) const HEAD_OCTETS: usize = 16;

pub(super) fn header(link_type: u16) -> Vec<u8> {
    let mut header = Vec::with_capacity(24);
    header.extend(MAGIC_NANOSECONDS.to_le_bytes());
    header.extend(VERSION.iter().flat_map(|part| part.to_le_bytes()));
    header.extend([0; 8]);
    header.extend(super::SNAPSHOT_OCTETS.to_le_bytes());
    header.extend(u32::from(link_type).to_le_bytes());
    header
}

/// Fills what was left free before a packet of `length` octets.
pub(super) fn complete(record: &mut [u8], at: Timestamp, length: u32) {
    let (seconds, nanos) = stamp(at);
    super::fill(record, &[seconds, nanos, length, length]);
}

/// Seconds and nanoseconds as the format has them: 32 bits each, without a sign.
fn stamp(at: Timestamp) -> (u32, u32) {
    let Ok(seconds) = u32::try_from(at.seconds().max(0)) else {
        return (u32::MAX, 0);
    };
    let nanos = at.nanos().max(0) % NANOS_PER_SECOND;
    (seconds, u32::try_from(nanos).unwrap_or_default())
}
