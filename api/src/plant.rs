//! What the API needs of the running product.

use std::path::PathBuf;

use flow::site::Rules;
use flow::{Accounting, Timestamp, health::ExporterHealth};
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
pub use store::catalog::ImportState;
use store::config::Engine;
use utoipa::ToSchema;

/// The running product as the API sees it; the binary implements it.
///
/// The plain methods answer at once from what is in memory. Those that return a future may touch the disk.
pub trait Plant: Send + Sync + 'static {
    /// The books.
    fn accounting(&self) -> Accounting;
    /// Every exporter, in the order of address and domain.
    fn exporters(&self) -> Vec<ExporterHealth>;
    /// Which parts are ready.
    fn readiness(&self) -> Readiness;
    /// All counters, in the OpenMetrics text format.
    fn metrics(&self) -> String;
    /// What is kept, how long, and how much more fits.
    fn holdings(&self) -> Result<Holdings, PlantError>;
    /// A folder for uploads, on the disk of the data directory.
    fn incoming(&self) -> PathBuf;
    /// Octets that an upload may take now: what the disk has beyond what the tape leaves free.
    fn upload_room(&self) -> Result<u64, PlantError>;
    /// Services that were learned from the traffic: server endpoints with many clients on ports that nobody named.
    fn learned(&self) -> Vec<LearnedEndpoint>;
    /// The rules in force.
    fn rules(&self) -> Rules;
    /// Replaces the catalog's rules; they apply to what is decoded from now on.
    fn set_rules(&self, rules: Rules) -> BoxFuture<'_, Result<(), PlantError>>;
    /// Starts to import a capture file, which the plant deletes when it is done.
    fn import(
        &self,
        name: String,
        file: PathBuf,
    ) -> BoxFuture<'_, Result<ImportStatus, PlantError>>;
    /// Where each import stands, oldest first.
    fn imports(&self) -> BoxFuture<'_, Result<Vec<ImportStatus>, PlantError>>;
    /// Decodes a stretch of the tape again, by time of arrival, and replaces what the store has of it.
    fn reclassify(
        &self,
        from: Timestamp,
        to: Timestamp,
    ) -> BoxFuture<'_, Result<Reclassified, PlantError>>;
}

/// Why the plant did not do it.
#[derive(Debug, thiserror::Error)]
pub enum PlantError {
    /// What was asked for can't be: the caller has to ask for something else.
    #[error("{0}")]
    Refused(String),
    /// It should have worked.
    #[error("{what}")]
    Failed {
        /// What was being done.
        what: String,
        /// What went wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// What is kept here, how long, and how much more fits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Holdings {
    /// Octets of the tape on disk.
    pub tape_octets: u64,
    /// Above which the oldest segment that no recording needs goes.
    pub tape_octets_max: u64,
    /// Hours after which a segment goes; until the tape is full, if there is no such limit.
    pub tape_hours_max: Option<u32>,
    /// Where flows are kept.
    pub engine: Engine,
    /// Days that flow records are kept.
    pub flows_days: u32,
    /// Days that sums of ten seconds are kept.
    pub rollup_10s_days: u32,
    /// Days that sums of a minute are kept.
    pub rollup_1m_days: u32,
    /// Days that sums of an hour are kept.
    pub rollup_1h_days: u32,
    /// Octets that all recordings together may take.
    pub recordings_octets_max: u64,
    /// Octets that the data directory's disk has beyond what the tape leaves to others.
    pub disk_room_octets: u64,
}

/// Whether the product can do its work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Readiness {
    /// Whether every part is ready.
    pub ready: bool,
    /// The parts.
    pub parts: Vec<PartReadiness>,
}

/// One part of the product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PartReadiness {
    /// `listening`, `tape`, `store`.
    pub name: String,
    /// Whether it is ready.
    pub ready: bool,
    /// What is to be said of it.
    pub detail: String,
}

/// A server endpoint that was learned to be a service; its flows bear its name as their application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LearnedEndpoint {
    /// The application's name: `10.1.2.3:8443/tcp`.
    pub name: String,
    /// 0 for the wire, else the number of the import.
    pub feed: u32,
    /// The server.
    #[schema(value_type = String)]
    pub address: std::net::IpAddr,
    /// Its port.
    pub port: u16,
    /// IP protocol number.
    pub protocol: u8,
    /// When it had clients enough.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// When it was last used.
    #[schema(value_type = String, format = DateTime)]
    pub last_seen: Timestamp,
}

/// An import.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ImportStatus {
    /// Its feed number: `filter=feed 3` asks for its flows only.
    pub feed: u32,
    /// The file's name.
    pub name: String,
    /// How far it is.
    pub state: ImportState,
    /// Why it failed.
    pub error: Option<String>,
    /// Octets of the file.
    pub octets_total: u64,
    /// Octets of it that were read.
    pub octets_read: u64,
    /// Datagrams put on tape.
    pub datagrams: u64,
    /// Flow records decoded from them.
    pub records: u64,
    /// First packet of the first flow; known while the process that imported it runs.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub first: Option<Timestamp>,
    /// Last packet of the last flow.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last: Option<Timestamp>,
    /// Arrival of the first datagram, by the capture's own stamp.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub first_received_at: Option<Timestamp>,
    /// Arrival of the last datagram.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_received_at: Option<Timestamp>,
}

/// What a reclassification did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reclassified {
    /// Datagrams read from tape.
    pub datagrams: u64,
    /// Rows that the store had of them.
    pub rows_before: u64,
    /// Rows that it has now.
    pub rows_after: u64,
}
