//! pcapng: blocks. A section header, one interface, and an enhanced packet for each datagram.
//!
//! Section numbers are those of <https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html>.

use flow::Timestamp;

/// Block types, §4.1 to §4.3.
const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const ENHANCED_PACKET: u32 = 6;
/// The section's numbers have the byte order in which this reads so.
const BYTE_ORDER: u32 = 0x1a2b_3c4d;
const VERSION: [u16; 2] = [1, 0];
/// The section goes on to the end of the file.
const LENGTH_NOT_SAID: [u8; 8] = [0xff; 8];
/// Options: who wrote the file, and how the interface counts time.
const SHB_USERAPPL: u16 = 4;
const IF_TSRESOL: u16 = 9;
/// Nanoseconds: ten to the power of minus nine.
const NANOSECONDS: u8 = 9;
/// §3.5: the end of the options, a code and a length of 0.
const END_OF_OPTIONS: [u8; 4] = [0; 4];
/// Type and length before a block's body, and the length again after it.
const AROUND_OCTETS: usize = 12;
/// What stands before each packet: type, length, interface, two halves of the time, the packet's length here and on the wire.
pub(super) const HEAD_OCTETS: usize = 28;

/// The section header and the interface.
pub(super) fn header(link_type: u16) -> Vec<u8> {
    let mut section = Vec::new();
    section.extend(BYTE_ORDER.to_le_bytes());
    section.extend(VERSION.iter().flat_map(|part| part.to_le_bytes()));
    section.extend(LENGTH_NOT_SAID);
    option(&mut section, SHB_USERAPPL, b"flowreel");
    section.extend(END_OF_OPTIONS);

    let mut interface = Vec::new();
    interface.extend(link_type.to_le_bytes());
    interface.extend([0; 2]);
    interface.extend(super::SNAPSHOT_OCTETS.to_le_bytes());
    option(&mut interface, IF_TSRESOL, &[NANOSECONDS]);
    interface.extend(END_OF_OPTIONS);

    let mut header = block(SECTION, &section);
    header.extend(block(INTERFACE, &interface));
    header
}

/// Fills what was left free before a packet of `length` octets, and ends the block.
pub(super) fn complete(record: &mut Vec<u8>, at: Timestamp, length: u32) {
    // The format counts from 1970 without a sign; every later time that we can say fits.
    let nanos = u64::try_from(at.nanos()).unwrap_or(0).to_be_bytes();
    let [a, b, c, d, low @ ..] = nanos;
    let (high, low) = (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes(low));
    record.resize(record.len().next_multiple_of(4), 0);
    // The padded packet is no longer than an IP packet and three octets: the length fits.
    let total = u32::try_from(record.len() + 4).unwrap_or(u32::MAX);
    record.extend(total.to_le_bytes());
    let head = [ENHANCED_PACKET, total, 0, high, low, length, length];
    super::fill(record, &head);
}

/// §3.5: code, length, and a value that is padded to 32 bits.
fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
    body.extend(code.to_le_bytes());
    body.extend(length.to_le_bytes());
    body.extend(value);
    body.resize(body.len().next_multiple_of(4), 0);
}

/// §3.1: type, length, body, and the length again.
fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + AROUND_OCTETS).unwrap_or(u32::MAX);
    let length = length.to_le_bytes();
    [&kind.to_le_bytes()[..], &length, body, &length].concat()
}
