//! An exporter of v9 or IPFIX: fills datagrams, counts sequence numbers, repeats templates.

use std::time::Duration;

use bytes::Bytes;
use flow::Timestamp;

use super::PAYLOAD_MAX;
use super::message::{Message, Protocol, Stamp, write_record};
use super::template::Template;
use super::value::Value;

/// How a [`Packer`] exports.
#[derive(Clone, Debug)]
pub struct PackerConfig {
    /// v9 or IPFIX.
    pub protocol: Protocol,
    /// v9 source id, IPFIX observation domain id.
    pub domain: u32,
    /// Octets of a datagram's payload at most; a single record that is longer goes out alone.
    pub payload_max: usize,
    /// Templates and standing records are sent again after this time …
    pub refresh_every: Duration,
    /// … or after this many datagrams, whichever comes first.
    pub refresh_datagrams: u32,
}

impl PackerConfig {
    /// What routers do when nobody configures them: Ethernet's MTU, templates every 10 minutes or 1000 datagrams.
    pub fn new(protocol: Protocol, domain: u32) -> Self {
        Self {
            protocol,
            domain,
            payload_max: PAYLOAD_MAX,
            refresh_every: Duration::from_secs(600),
            refresh_datagrams: 1000,
        }
    }
}

/// The exporter's own clocks at the moment of sending.
#[derive(Clone, Copy, Debug)]
pub struct ExportClock {
    /// Its time of day.
    pub unix: Timestamp,
    /// Milliseconds since it started, wrapping.
    pub uptime_ms: u32,
}

/// What a packer has sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Datagrams.
    pub datagrams: u64,
    /// Octets of UDP payload.
    pub payload_octets: u64,
    /// Flow records.
    pub records: u64,
    /// Options data records, repetitions included.
    pub options_records: u64,
    /// Templates and options templates, repetitions included.
    pub templates: u64,
}

/// Fills datagrams with records. Templates come first; they and the standing records (options data) are repeated.
#[derive(Clone, Debug)]
pub struct Packer {
    config: PackerConfig,
    templates: Vec<Template>,
    standing: Vec<(u16, Vec<u8>)>,
    message: Message,
    sequence: u32,
    refreshed_at: Option<Timestamp>,
    since_refresh: u32,
    counts: Counts,
    scratch: Vec<u8>,
}

impl Packer {
    /// An exporter that has sent nothing yet.
    pub fn new(config: PackerConfig, templates: Vec<Template>) -> Self {
        Self {
            message: Message::new(config.protocol, config.domain),
            config,
            templates,
            standing: Vec::new(),
            sequence: 0,
            refreshed_at: None,
            since_refresh: 0,
            counts: Counts::default(),
            scratch: Vec::new(),
        }
    }

    /// Adds an options data record that is sent with the templates each time. A template that is not there is ignored.
    pub fn standing_record(&mut self, template: u16, values: &[Value<'_>]) {
        if let Some(template) = self.templates.iter().find(|known| known.id == template) {
            let mut record = Vec::new();
            write_record(template, values, &mut record);
            self.standing.push((template.id, record));
        }
    }

    /// Adds a flow record; `out` gets the datagrams that are full. A template that is not there is ignored.
    pub fn record(
        &mut self,
        now: ExportClock,
        template: u16,
        values: &[Value<'_>],
        out: &mut Vec<Bytes>,
    ) {
        let Some(place) = self.templates.iter().position(|known| known.id == template) else {
            return;
        };
        if self.refresh_is_due(now.unix) {
            self.refresh(now, out);
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        write_record(&self.templates[place], values, &mut scratch);
        self.append(now, template, &scratch, out);
        self.counts.records += 1;
        self.scratch = scratch;
    }

    /// Sends templates and standing records now.
    pub fn refresh(&mut self, now: ExportClock, out: &mut Vec<Bytes>) {
        self.refreshed_at = Some(now.unix);
        self.since_refresh = 0;
        self.flush(now, out);
        for place in 0..self.templates.len() {
            let template = &self.templates[place];
            let octets = 6 + 8 * template.fields.len();
            let set = template.set_id(self.config.protocol);
            if self.message.length_with(set, octets) > self.config.payload_max {
                self.flush(now, out);
            }
            self.message.template(&self.templates[place]);
            self.counts.templates += 1;
        }
        let standing = std::mem::take(&mut self.standing);
        for (template, record) in &standing {
            self.append(now, *template, record, out);
            self.counts.options_records += 1;
        }
        self.standing = standing;
    }

    /// Whether templates should be sent again.
    pub fn refresh_is_due(&self, now: Timestamp) -> bool {
        self.since_refresh >= self.config.refresh_datagrams
            || self
                .refreshed_at
                .is_none_or(|at| now >= at + self.config.refresh_every)
    }

    /// Sends what has been gathered, if anything.
    pub fn flush(&mut self, now: ExportClock, out: &mut Vec<Bytes>) {
        if self.message.is_empty() {
            return;
        }
        let data_records = self.message.data_records();
        let datagram = self.message.finish(Stamp {
            unix_seconds: u32::try_from(now.unix.seconds()).unwrap_or(u32::MAX),
            uptime_ms: now.uptime_ms,
            sequence: self.sequence,
        });
        self.sequence = self.sequence.wrapping_add(match self.config.protocol {
            Protocol::V9 => 1,
            Protocol::Ipfix => data_records,
        });
        self.since_refresh = self.since_refresh.saturating_add(1);
        self.counts.datagrams += 1;
        self.counts.payload_octets += datagram.len() as u64;
        out.push(datagram);
    }

    /// What has been sent, and what the open datagram holds already.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    fn append(&mut self, now: ExportClock, template: u16, record: &[u8], out: &mut Vec<Bytes>) {
        let length = self.message.length_with(template, record.len());
        if length > self.config.payload_max && !self.message.is_empty() {
            self.flush(now, out);
        }
        self.message.encoded_record(template, record);
    }
}
