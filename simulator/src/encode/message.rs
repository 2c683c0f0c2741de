//! One v9 packet or IPFIX message, written exactly as told.

use bytes::Bytes;

use super::template::Template;
use super::value::Value;

/// Which of the two template protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// NetFlow v9, [RFC 3954].
    V9,
    /// IPFIX, [RFC 7011].
    Ipfix,
}

impl Protocol {
    /// Octets of the header.
    pub const fn header_length(self) -> usize {
        match self {
            Self::V9 => 20,
            Self::Ipfix => 16,
        }
    }
}

/// What the header says beyond version, length and domain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// Seconds since the epoch by the exporter's clock.
    pub unix_seconds: u32,
    /// Milliseconds since the exporter started; v9 only.
    pub uptime_ms: u32,
    /// v9: packets sent before this one. IPFIX: data records, options data included, sent before this message.
    pub sequence: u32,
}

/// A datagram in the making. [`Message::finish`] gives it out and leaves an empty one of the same domain.
#[derive(Clone, Debug)]
pub struct Message {
    protocol: Protocol,
    domain: u32,
    buffer: Vec<u8>,
    open: Option<OpenSet>,
    records: u16,
    data_records: u32,
    scratch: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct OpenSet {
    id: u16,
    at: usize,
}

impl Message {
    /// An empty message of an observation domain (v9: source id).
    pub fn new(protocol: Protocol, domain: u32) -> Self {
        Self {
            protocol,
            domain,
            buffer: vec![0; protocol.header_length()],
            open: None,
            records: 0,
            data_records: 0,
            scratch: Vec::new(),
        }
    }

    /// Octets so far, header included; padding of the open Set is not counted yet.
    pub fn len(&self) -> usize {
        self.buffer.len()
    }

    /// Whether there is no Set in it.
    pub fn is_empty(&self) -> bool {
        self.buffer.len() == self.protocol.header_length()
    }

    /// Data and options data records so far: what an IPFIX sequence number counts.
    pub fn data_records(&self) -> u32 {
        self.data_records
    }

    /// How long it would be, padded, with `octets` more in the Set `set`.
    pub fn length_with(&self, set: u16, octets: usize) -> usize {
        let header = if self.open.is_some_and(|open| open.id == set) {
            0
        } else {
            4 + 3
        };
        self.buffer.len() + header + octets + 3
    }

    /// Adds a template, or an options template.
    pub fn template(&mut self, template: &Template) -> &mut Self {
        self.open(template.set_id(self.protocol));
        template.write(self.protocol, &mut self.buffer);
        self.records = self.records.saturating_add(1);
        self
    }

    /// Adds a data record: one value per field, in the order of the template.
    pub fn record(&mut self, template: &Template, values: &[Value<'_>]) -> &mut Self {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        write_record(template, values, &mut scratch);
        self.encoded_record(template.id, &scratch);
        self.scratch = scratch;
        self
    }

    /// Adds a data record that is written already.
    pub fn encoded_record(&mut self, template: u16, record: &[u8]) -> &mut Self {
        self.open(template);
        self.buffer.extend_from_slice(record);
        self.records = self.records.saturating_add(1);
        self.data_records += 1;
        self
    }

    /// Adds a Set with these octets as its content, whatever they are; for tests with bad input.
    pub fn raw_set(&mut self, id: u16, content: &[u8]) -> &mut Self {
        self.close();
        self.open(id);
        self.buffer.extend_from_slice(content);
        self.close();
        self
    }

    /// Ends the open Set, so that the next record begins another one.
    pub fn close(&mut self) -> &mut Self {
        if let Some(open) = self.open.take() {
            if self.protocol == Protocol::V9 {
                // RFC 3954 §5.3: FlowSets end at a 4-octet boundary.
                let padded = self.buffer.len().next_multiple_of(4);
                self.buffer.resize(padded, 0);
            }
            let length = u16::try_from(self.buffer.len() - open.at).unwrap_or(u16::MAX);
            self.buffer[open.at + 2..open.at + 4].copy_from_slice(&length.to_be_bytes());
        }
        self
    }

    /// Writes the header and gives out the datagram.
    pub fn finish(&mut self, stamp: Stamp) -> Bytes {
        self.close();
        let length = u16::try_from(self.buffer.len()).unwrap_or(u16::MAX);
        let mut header = Vec::with_capacity(self.protocol.header_length());
        match self.protocol {
            Protocol::V9 => {
                header.extend_from_slice(&9_u16.to_be_bytes());
                header.extend_from_slice(&self.records.to_be_bytes());
                header.extend_from_slice(&stamp.uptime_ms.to_be_bytes());
            }
            Protocol::Ipfix => {
                header.extend_from_slice(&10_u16.to_be_bytes());
                header.extend_from_slice(&length.to_be_bytes());
            }
        }
        header.extend_from_slice(&stamp.unix_seconds.to_be_bytes());
        header.extend_from_slice(&stamp.sequence.to_be_bytes());
        header.extend_from_slice(&self.domain.to_be_bytes());
        self.buffer[..header.len()].copy_from_slice(&header);
        let datagram = Bytes::copy_from_slice(&self.buffer);
        self.buffer.truncate(self.protocol.header_length());
        self.records = 0;
        self.data_records = 0;
        datagram
    }

    fn open(&mut self, id: u16) {
        if self.open.is_some_and(|open| open.id == id) {
            return;
        }
        self.close();
        self.open = Some(OpenSet {
            id,
            at: self.buffer.len(),
        });
        self.buffer.extend_from_slice(&id.to_be_bytes());
        self.buffer.extend_from_slice(&[0, 0]);
    }
}

/// Writes one record. Values that are missing at the end are written as zero.
pub(super) fn write_record(template: &Template, values: &[Value<'_>], out: &mut Vec<u8>) {
    for (place, field) in template.fields.iter().enumerate() {
        let value = values.get(place).copied().unwrap_or(Value::Unsigned(0));
        value.write(*field, out);
    }
}
