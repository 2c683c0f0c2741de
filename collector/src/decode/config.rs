//! The decoder's limits.

use serde::{Deserialize, Serialize};

/// Limits, each a promise about memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DecodeConfig {
    /// Exporters (address and feed) at the same time. Newcomers beyond it are refused (`exporter_refused`) until one makes
    /// room: who was silent for longer than it had been heard before, for a minute at least.
    pub exporters_max: usize,
    /// However long it was heard: an exporter that was silent for so many seconds makes room.
    pub exporter_silence_s: u32,
    /// Octets that one exporter's templates, names, samplers and running totals may take. Beyond it it gives up running
    /// totals, the least recently used of its templates (`template_quota`) and the longest silent of its domains
    /// (`domains_full`); new names are left out (`names_full`).
    pub exporter_octets_max: usize,
    /// The same for all exporters together. None grows beyond a quarter of what is left of it; none loses what it has to
    /// another. Newcomers for whom there is no room are refused.
    pub octets_max: usize,
    /// Observation domains per exporter; the longest silent one makes room.
    pub domains_max: usize,
    /// Templates per exporter, all domains together; the least recently used one makes room.
    pub templates_max: usize,
    /// Fields per template.
    pub template_fields_max: usize,
    /// Octets of all datagrams that wait for a template, books included. One exporter may use a third of what others leave,
    /// which alone is a quarter. Beyond it the newest is not kept (`waiting_full`).
    pub waiting_octets_max: usize,
    /// How long a datagram waits for a template, by times of arrival. Exporters send templates again every minute to half
    /// an hour.
    pub waiting_age_max_s: u32,
    /// Octets of a text that are kept.
    pub text_octets_max: usize,
    /// Names from options data (interfaces, applications, VRFs) per exporter and kind.
    pub names_max: usize,
    /// Flows per domain whose running totals are remembered, for exporters that send totals instead of differences.
    pub totals_max: usize,
    /// How often senders behind one address must contradict each other before they are told apart by port.
    pub port_scope_after: u32,
}

impl Default for DecodeConfig {
    fn default() -> Self {
        Self {
            exporters_max: 10_000,
            exporter_silence_s: 86_400,
            exporter_octets_max: 16 << 20,
            octets_max: 256 << 20,
            domains_max: 1_024,
            templates_max: 4_096,
            template_fields_max: 512,
            waiting_octets_max: 64 << 20,
            waiting_age_max_s: 1_800,
            text_octets_max: 1_024,
            names_max: 16_384,
            totals_max: 65_536,
            port_scope_after: 3,
        }
    }
}
