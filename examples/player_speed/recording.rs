//! A large recording: what eight exporters of an office send in an hour, as a capture.

use std::io::{BufWriter, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use collector::capture::{CaptureWriter, Format, Framing};
use flow::{Datagram, Feed, Timestamp};
use simulator::load::{Load, LoadConfig, LoadShape};

/// 2026-03-02T09:00:00Z.
pub(crate) const START: Timestamp = Timestamp::from_seconds(1_772_442_000);
pub(crate) const LENGTH: Duration = Duration::from_secs(3600);
const EXPORTERS: u8 = 8;

/// Writes so many flows, or a few more to fill the last datagrams; returns how many.
pub(crate) fn write(out: impl Write, flows: u64) -> Result<u64> {
    let mut exporters: Vec<Load> = (0..EXPORTERS)
        .map(|number| {
            let shape = LoadConfig::new(LoadShape::V5Full, START);
            Load::new(LoadConfig {
                domain: number.into(),
                seed: number.into(),
                ..shape
            })
        })
        .collect();
    let each = exporters[0].records_per_datagram() as u64;
    let datagrams = flows.div_ceil(each);
    let gap = LENGTH.as_nanos() / u128::from(datagrams.max(1));
    let gap = Duration::from_nanos(u64::try_from(gap)?);
    let mut capture = CaptureWriter::new(BufWriter::new(out), Format::Pcap, Framing::Raw)?;
    let mut at = START;
    for number in 0..datagrams {
        let exporter = u8::try_from(number % u64::from(EXPORTERS))?;
        let payload = exporters[usize::from(exporter)].next_payload(at);
        capture.write(&Datagram {
            received_at: at,
            source: SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1 + exporter), 50_000)),
            local_port: 2055,
            feed: Feed::WIRE,
            payload: Bytes::copy_from_slice(payload),
        })?;
        at = at + gap;
    }
    capture.finish()?;
    Ok(datagrams * each)
}
