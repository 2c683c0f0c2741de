//! Bounds and thresholds of the normaliser.

use serde::{Deserialize, Serialize};

/// How much the normaliser remembers, and for how long. All times are measured by `received_at`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NormaliseConfig {
    /// Conversations that are remembered: who is the client, and which observation point is counted. 64 octets each.
    ///
    /// Rounded up to 4 times a power of two. When there is no room, the conversation that has been silent longest of
    /// the four that share a place is forgotten and `conversations_forgotten` grows: its next record may be counted at
    /// another observation point as well.
    pub conversations_max: usize,
    /// After this many seconds of silence the next record of the same 5-tuple begins a new conversation, of which the
    /// client is told anew. Longer than the active timeouts of most exporters (1 to 30 minutes).
    pub conversation_idle_s: u32,
    /// After this many seconds of silence the observation point that owns a conversation loses it to the next that
    /// reports it.
    pub accounting_idle_s: u32,
    /// Distinct clients that make a server endpoint a service, 2 to 32.
    pub learned_clients_min: u8,
    /// Seconds in which these clients must come.
    pub learned_window_s: u32,
    /// Seconds without a client after which a learned service is forgotten.
    pub learned_keep_s: u32,
    /// Services that are remembered. When there is no room a newcomer is refused and `services_refused` grows.
    pub learned_max: usize,
    /// Endpoints that are watched because they may become services; the one with the fewest clients makes room.
    pub learned_candidates_max: usize,
    /// Server endpoints of which the application is remembered, and addresses of which the site is; the oldest makes
    /// room and is looked up again when it comes back.
    pub decisions_max: usize,
}

impl Default for NormaliseConfig {
    fn default() -> Self {
        Self {
            conversations_max: 1 << 20,
            conversation_idle_s: 3600,
            accounting_idle_s: 300,
            learned_clients_min: 8,
            learned_window_s: 3600,
            learned_keep_s: 7 * 24 * 3600,
            learned_max: 4096,
            learned_candidates_max: 1 << 16,
            decisions_max: 1 << 16,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_written_has_its_default_and_typing_errors_are_told() {
        let config: NormaliseConfig = toml::from_str("accounting_idle_s = 60").unwrap();
        assert_eq!(config.accounting_idle_s, 60);
        assert_eq!(config.learned_max, 4096);
        assert!(toml::from_str::<NormaliseConfig>("accounting_idle = 60").is_err());
    }
}
