//! What is known of each exporter: the first page to look at when nothing shows up.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::clock::Timestamp;

/// How an exporter numbers its datagrams, as far as can be told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SequenceState {
    /// Too little seen.
    #[default]
    Unknown,
    /// Counts as its protocol says.
    Counting,
    /// Constant, or counting something else: losses can't be told.
    NotCounting,
    /// The protocol has no sequence number (v1).
    None,
}

/// A template as it is used now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TemplateSummary {
    /// v9 or IPFIX.
    pub version: u8,
    /// Observation domain.
    pub domain: u32,
    /// Template id.
    pub id: u16,
    /// Whether it describes options data.
    pub options: bool,
    /// Its fields by name, in their order; unknown ones as `enterprise/id`.
    pub fields: Vec<String>,
}

/// One exporter and observation domain: what it sends and how well.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ExporterHealth {
    /// 0 for the wire, else the number of the import.
    pub feed: u32,
    /// The exporter's address.
    #[schema(value_type = String)]
    pub address: IpAddr,
    /// Its name, if one is known.
    pub name: Option<String>,
    /// `NetFlow v5`, `IPFIX`, `sFlow v5` …
    pub protocol: String,
    /// Observation domain, source id, or v5 engine.
    pub domain: u32,
    /// First datagram.
    #[schema(value_type = String, format = DateTime)]
    pub first_seen: Timestamp,
    /// Last datagram.
    #[schema(value_type = String, format = DateTime)]
    pub last_seen: Timestamp,
    /// Datagrams received.
    pub datagrams: u64,
    /// Flow records decoded.
    pub records: u64,
    /// Options records decoded.
    pub options_records: u64,
    /// What was wrong with its datagrams, or worth knowing, by name: how often.
    pub problems: std::collections::BTreeMap<String, u64>,
    /// Templates in use.
    pub templates: Vec<TemplateSummary>,
    /// Sets kept until their template comes.
    pub waiting_for_template: u64,
    /// How it numbers.
    pub sequence: SequenceState,
    /// Records (v5, IPFIX) or datagrams (v9) that its numbers say were lost on the way.
    pub sequence_lost: u64,
    /// Datagrams that came late, out of order.
    pub sequence_reordered: u64,
    /// Datagrams that came twice.
    pub duplicates: u64,
    /// Restarts of the exporter.
    pub reboots: u64,
    /// Sampling intervals in use, 1 of n; empty if it does not say.
    pub sampling_intervals: Vec<u32>,
    /// Its clock minus ours, milliseconds, median of the last datagrams; includes the way.
    pub clock_offset_ms: Option<i64>,
    /// Stamp families seen: `uptime_ms`, `s`, `ms`, `us`, `ns` …
    pub time_kinds: Vec<String>,
    /// The active timeout as its records show it: the most frequent length of flows ended by it, seconds.
    pub active_timeout_s: Option<u32>,
    /// Share of its TCP conversations of which both directions were reported; `null` before there were any.
    pub both_directions_share: Option<f64>,
    /// Fields that it sends and nobody knows, as `enterprise/id`, with the number of records.
    pub unknown_fields: std::collections::BTreeMap<String, u64>,
}
