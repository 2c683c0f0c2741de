//! Batches made by hand.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use collector::normalise::{NormaliseConfig, Normaliser};
use flow::batch::{ApplicationSource, ClientEvidence, Described};
use flow::clock::Timestamp;
use flow::datagram::{Datagram, Feed, TapePosition};
use flow::site::Rules;
use flow::{FlowBatch, FlowRecord};

pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;
pub(crate) const SYN: u16 = 0x02;
pub(crate) const ACK: u16 = 0x10;
/// What a whole connection's packets OR to, on either side: FIN, SYN, PSH, ACK.
pub(crate) const WHOLE: u16 = 0x1b;

/// 2026-03-01T10:42:00Z.
pub(crate) const START_S: i64 = 1_772_361_720;

/// One record; what is not said is absent, or of the first exporter at the start.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) at_s: i64,
    pub(crate) feed: u32,
    pub(crate) exporter: IpAddr,
    pub(crate) domain: u32,
    pub(crate) src: SocketAddr,
    pub(crate) dst: SocketAddr,
    pub(crate) protocol: u8,
    pub(crate) flags: Option<u16>,
    pub(crate) octets: Option<u64>,
    pub(crate) packets: Option<u64>,
    pub(crate) reverse_octets: Option<u64>,
    pub(crate) biflow_direction: Option<u8>,
    pub(crate) direction: Option<u8>,
    pub(crate) icmp: Option<u16>,
    pub(crate) said: Option<&'static str>,
    /// Source, destination and protocol inside a tunnel.
    pub(crate) inner: Option<(SocketAddr, SocketAddr, u8)>,
}

impl Row {
    pub(crate) fn new(src: &str, dst: &str) -> Self {
        Self {
            at_s: 0,
            feed: 0,
            exporter: "192.0.2.1".parse().unwrap(),
            domain: 0,
            src: src.parse().unwrap(),
            dst: dst.parse().unwrap(),
            protocol: TCP,
            flags: None,
            octets: Some(1500),
            packets: Some(10),
            reverse_octets: None,
            biflow_direction: None,
            direction: None,
            icmp: None,
            said: None,
            inner: None,
        }
    }

    pub(crate) fn reversed(&self) -> Self {
        Self {
            src: self.dst,
            dst: self.src,
            inner: self.inner.map(|(src, dst, protocol)| (dst, src, protocol)),
            ..self.clone()
        }
    }

    fn push(&self, batch: &mut FlowBatch) {
        let datagram = Datagram {
            received_at: Timestamp::from_seconds(START_S + self.at_s),
            source: SocketAddr::new(self.exporter, 2055),
            local_port: 2055,
            feed: Feed(self.feed),
            payload: Bytes::new(),
        };
        let described = Described {
            version: 9,
            domain: self.domain,
            template: 256,
        };
        let row = batch.push_row(&datagram, TapePosition::START, described, 0);
        let columns = &mut batch.columns;
        columns
            .src_addr
            .set(row, flow::address::widen(self.src.ip()));
        columns
            .dst_addr
            .set(row, flow::address::widen(self.dst.ip()));
        columns.src_port.set(row, self.src.port());
        columns.dst_port.set(row, self.dst.port());
        columns.protocol.set(row, self.protocol);
        macro_rules! set {
            ($($column:ident: $value:expr,)+) => { $(if let Some(value) = $value { columns.$column.set(row, value); })+ };
        }
        set! {
            tcp_flags: self.flags,
            octets: self.octets,
            packets: self.packets,
            reverse_octets: self.reverse_octets,
            biflow_direction: self.biflow_direction,
            direction: self.direction,
            icmp_type_code: self.icmp,
        }
        if let Some((src, dst, protocol)) = self.inner {
            set! {
                inner_src_addr: Some(flow::address::widen(src.ip())),
                inner_dst_addr: Some(flow::address::widen(dst.ip())),
                inner_src_port: Some(src.port()),
                inner_dst_port: Some(dst.port()),
                inner_protocol: Some(protocol),
            }
        }
        if let Some(said) = self.said {
            batch.enrichment.exporter_application.set_text(row, said);
        }
    }
}

pub(crate) fn batch(rows: &[Row]) -> FlowBatch {
    let mut batch = FlowBatch::default();
    for row in rows {
        row.push(&mut batch);
    }
    batch
}

pub(crate) fn normaliser() -> Normaliser {
    Normaliser::new(NormaliseConfig::default(), &Rules::default())
}

pub(crate) fn with_rules(rules: &str) -> Normaliser {
    Normaliser::new(NormaliseConfig::default(), &toml::from_str(rules).unwrap())
}

/// Normalises the rows as one batch.
pub(crate) fn records(normaliser: &mut Normaliser, rows: &[Row]) -> Vec<FlowRecord> {
    let batch = normalised(normaliser, rows);
    (0..batch.rows()).map(|row| batch.record(row)).collect()
}

pub(crate) fn normalised(normaliser: &mut Normaliser, rows: &[Row]) -> FlowBatch {
    let mut batch = batch(rows);
    normaliser.normalise(&mut batch, 0);
    batch.pad();
    batch
}

/// `client evidence` of one row.
pub(crate) fn client(normaliser: &mut Normaliser, row: &Row) -> (IpAddr, ClientEvidence) {
    let batch = normalised(normaliser, std::slice::from_ref(row));
    let evidence = ClientEvidence::from_u8(batch.enrichment.client_evidence[0]).unwrap();
    let client = if batch.enrichment.src_is_client[0] == 1 {
        row.src
    } else {
        row.dst
    };
    (client.ip(), evidence)
}

/// Name and source of one row's application.
pub(crate) fn application(
    normaliser: &mut Normaliser,
    row: &Row,
) -> (Option<String>, ApplicationSource) {
    let batch = normalised(normaliser, std::slice::from_ref(row));
    let source = ApplicationSource::from_u8(batch.enrichment.application_source[0]).unwrap();
    (batch.record(0).application, source)
}
