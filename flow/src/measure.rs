//! Performance elements of vendors: stored raw, with their meaning.
//!
//! There is no standard element for round-trip or response time; each vendor has its own (see the sources in each block).
//! A measure is kept exactly as it was sent. A *sum* is worth nothing without its count, so each sum names the measure
//! that it is divided by. Zero is what several vendors send for "not seen"; [`Measure::zero_is_absent`] says where.

/// The unit of a measure's raw value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Milliseconds.
    Millis,
    /// Microseconds.
    Micros,
    /// A number of things.
    Count,
    /// Octets.
    Octets,
    /// A number with a meaning of its own (a state, an id, a score).
    Code,
}

/// One performance element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measure {
    /// The name in the store and in answers: vendor, dot, what it is, unit.
    pub name: &'static str,
    /// Private enterprise number; 0 for IANA's own.
    pub enterprise: u32,
    /// Element id within the enterprise, as in IPFIX.
    pub id: u16,
    /// Unit of the raw value.
    pub unit: Unit,
    /// For a sum: the name of the count to divide by.
    pub per: Option<&'static str>,
    /// Whether 0 means "not seen" and is left out.
    pub zero_is_absent: bool,
}

const fn plain(enterprise: u32, id: u16, name: &'static str, unit: Unit) -> Measure {
    Measure {
        name,
        enterprise,
        id,
        unit,
        per: None,
        zero_is_absent: false,
    }
}

/// A latency that is sent as 0 where it was not measured.
const fn latency(enterprise: u32, id: u16, name: &'static str, unit: Unit) -> Measure {
    Measure {
        name,
        enterprise,
        id,
        unit,
        per: None,
        zero_is_absent: true,
    }
}

/// A sum, and the count that it belongs to.
const fn sum(
    enterprise: u32,
    id: u16,
    name: &'static str,
    unit: Unit,
    per: &'static str,
) -> Measure {
    Measure {
        name,
        enterprise,
        id,
        unit,
        per: Some(per),
        zero_is_absent: false,
    }
}

const NTOP: u32 = 35632;
const CISCO: u32 = 9;
const CERT: u32 = 6871;
const FLOWMON: u32 = 39499;
const NETSCALER: u32 = 5951;
const IXIA: u32 = 3054;
const PROCERA: u32 = 15397;

use Unit::{Code, Count, Micros, Millis, Octets};

/// Every measure that is known; its index is what a [`crate::FlowBatch`] keeps.
///
/// Append only: the index is not stored, but recordings and tests are easier to read when it does not move.
pub static MEASURES: &[Measure] = &[
    // IANA: RFC 9951 on-path delay; TCP event counts; connections.
    plain(0, 530, "path_delay_mean_us", Micros),
    plain(0, 531, "path_delay_min_us", Micros),
    plain(0, 532, "path_delay_max_us", Micros),
    sum(0, 533, "path_delay_sum_us", Micros, "packets"),
    plain(0, 218, "tcp.syn_count", Count),
    plain(0, 219, "tcp.fin_count", Count),
    plain(0, 220, "tcp.rst_count", Count),
    plain(0, 221, "tcp.psh_count", Count),
    plain(0, 222, "tcp.ack_count", Count),
    plain(0, 223, "tcp.urg_count", Count),
    plain(0, 278, "new_connections", Count),
    sum(0, 279, "connection_duration_sum_s", Code, "new_connections"),
    // ntop nProbe (v9 number = 57472 + id). Network latencies are RTT/2, 0 is "not seen".
    plain(NTOP, 78, "nprobe.client_tcp_flags", Code),
    plain(NTOP, 79, "nprobe.server_tcp_flags", Code),
    plain(NTOP, 109, "nprobe.retransmitted_in_packets", Count),
    plain(NTOP, 110, "nprobe.retransmitted_out_packets", Count),
    plain(NTOP, 111, "nprobe.out_of_order_in_packets", Count),
    plain(NTOP, 112, "nprobe.out_of_order_out_packets", Count),
    latency(NTOP, 123, "nprobe.client_network_latency_ms", Millis),
    latency(NTOP, 124, "nprobe.server_network_latency_ms", Millis),
    latency(NTOP, 125, "nprobe.application_latency_ms", Millis),
    plain(NTOP, 127, "nprobe.retransmitted_in_octets", Octets),
    plain(NTOP, 128, "nprobe.retransmitted_out_octets", Octets),
    latency(NTOP, 320, "nprobe.mysql_latency_us", Micros),
    plain(NTOP, 391, "nprobe.duration_in_ms", Millis),
    plain(NTOP, 392, "nprobe.duration_out_ms", Millis),
    // Cisco AVC / Application Response Time (IPFIX id = v9 id - 32768). Sums belong to counts.
    plain(CISCO, 9265, "cisco.client_packets", Count),
    plain(CISCO, 9266, "cisco.server_packets", Count),
    plain(CISCO, 9267, "cisco.client_retransmitted_octets", Octets),
    plain(CISCO, 9268, "cisco.client_retransmitted_packets", Count),
    plain(CISCO, 9269, "cisco.server_retransmitted_octets", Octets),
    plain(CISCO, 9270, "cisco.server_retransmitted_packets", Count),
    plain(CISCO, 9272, "cisco.transactions", Count),
    sum(
        CISCO,
        9273,
        "cisco.transaction_time_sum_ms",
        Millis,
        "cisco.transactions",
    ),
    plain(CISCO, 9274, "cisco.transaction_time_max_ms", Millis),
    plain(CISCO, 9275, "cisco.transaction_time_min_ms", Millis),
    plain(CISCO, 9282, "cisco.new_connections", Count),
    plain(CISCO, 9292, "cisco.responses", Count),
    plain(CISCO, 9293, "cisco.responses_in_bucket_1", Count),
    plain(CISCO, 9294, "cisco.responses_in_bucket_2", Count),
    plain(CISCO, 9295, "cisco.responses_in_bucket_3", Count),
    plain(CISCO, 9296, "cisco.responses_in_bucket_4", Count),
    plain(CISCO, 9297, "cisco.responses_in_bucket_5", Count),
    plain(CISCO, 9298, "cisco.responses_in_bucket_6", Count),
    plain(CISCO, 9299, "cisco.responses_in_bucket_7", Count),
    plain(CISCO, 9300, "cisco.responses_late", Count),
    sum(
        CISCO,
        9303,
        "cisco.response_time_sum_ms",
        Millis,
        "cisco.responses",
    ),
    plain(CISCO, 9304, "cisco.response_time_max_ms", Millis),
    plain(CISCO, 9305, "cisco.response_time_min_ms", Millis),
    sum(
        CISCO,
        9306,
        "cisco.application_delay_sum_ms",
        Millis,
        "cisco.responses",
    ),
    plain(CISCO, 9307, "cisco.application_delay_max_ms", Millis),
    plain(CISCO, 9308, "cisco.application_delay_min_ms", Millis),
    sum(
        CISCO,
        9309,
        "cisco.total_response_time_sum_ms",
        Millis,
        "cisco.responses",
    ),
    plain(CISCO, 9310, "cisco.total_response_time_max_ms", Millis),
    plain(CISCO, 9311, "cisco.total_response_time_min_ms", Millis),
    sum(
        CISCO,
        9313,
        "cisco.network_time_sum_ms",
        Millis,
        "cisco.new_connections",
    ),
    plain(CISCO, 9314, "cisco.network_time_max_ms", Millis),
    plain(CISCO, 9315, "cisco.network_time_min_ms", Millis),
    sum(
        CISCO,
        9316,
        "cisco.client_network_time_sum_ms",
        Millis,
        "cisco.new_connections",
    ),
    plain(CISCO, 9317, "cisco.client_network_time_max_ms", Millis),
    plain(CISCO, 9318, "cisco.client_network_time_min_ms", Millis),
    sum(
        CISCO,
        9319,
        "cisco.server_network_time_sum_ms",
        Millis,
        "cisco.new_connections",
    ),
    plain(CISCO, 9320, "cisco.server_network_time_max_ms", Millis),
    plain(CISCO, 9321, "cisco.server_network_time_min_ms", Millis),
    sum(
        CISCO,
        9254,
        "cisco.long_lived_server_network_time_sum_ms",
        Millis,
        "cisco.long_lived_server_samples",
    ),
    sum(
        CISCO,
        9255,
        "cisco.long_lived_client_network_time_sum_ms",
        Millis,
        "cisco.long_lived_client_samples",
    ),
    sum(
        CISCO,
        9256,
        "cisco.long_lived_network_time_sum_ms",
        Millis,
        "cisco.long_lived_samples",
    ),
    plain(CISCO, 9257, "cisco.long_lived_samples", Count),
    plain(CISCO, 9258, "cisco.long_lived_server_samples", Count),
    plain(CISCO, 9259, "cisco.long_lived_client_samples", Count),
    plain(
        CISCO,
        7517,
        "cisco.long_lived_client_network_time_max_ms",
        Millis,
    ),
    plain(
        CISCO,
        7518,
        "cisco.long_lived_client_network_time_min_ms",
        Millis,
    ),
    plain(
        CISCO,
        7520,
        "cisco.long_lived_server_network_time_max_ms",
        Millis,
    ),
    plain(
        CISCO,
        7521,
        "cisco.long_lived_server_network_time_min_ms",
        Millis,
    ),
    plain(CISCO, 8337, "cisco.server_octets", Octets),
    plain(CISCO, 8338, "cisco.client_octets", Octets),
    plain(CISCO, 9360, "cisco.qos_queue", Code),
    plain(CISCO, 9361, "cisco.qos_queue_drops", Count),
    plain(CISCO, 12242, "cisco.connection_id", Code),
    plain(CISCO, 4315, "cisco.tcp_window_min", Octets),
    plain(CISCO, 4316, "cisco.tcp_window_max", Octets),
    plain(CISCO, 4324, "cisco.tcp_window_sum", Octets),
    plain(CISCO, 4318, "cisco.tcp_mss", Octets),
    plain(CISCO, 9252, "cisco.waas_segment", Code),
    // CERT YAF. 21 is the handshake's round trip to the server.
    plain(CERT, 14, "yaf.initial_tcp_flags", Code),
    plain(CERT, 15, "yaf.union_tcp_flags", Code),
    plain(CERT, 21, "yaf.reverse_start_delta_ms", Millis),
    plain(CERT, 16398, "yaf.reverse_initial_tcp_flags", Code),
    plain(CERT, 16399, "yaf.reverse_union_tcp_flags", Code),
    plain(CERT, 500, "yaf.small_packets", Count),
    plain(CERT, 501, "yaf.nonempty_packets", Count),
    plain(CERT, 502, "yaf.payload_octets", Octets),
    plain(CERT, 503, "yaf.interarrival_mean_ms", Millis),
    plain(CERT, 504, "yaf.interarrival_deviation_ms", Millis),
    plain(CERT, 506, "yaf.packet_octets_max", Octets),
    plain(CERT, 510, "yaf.large_packets", Count),
    // Flowmon.
    plain(FLOWMON, 61, "flowmon.jitter_deviation_us", Micros),
    plain(FLOWMON, 62, "flowmon.jitter_mean_us", Micros),
    plain(FLOWMON, 63, "flowmon.jitter_min_us", Micros),
    plain(FLOWMON, 64, "flowmon.jitter_max_us", Micros),
    plain(FLOWMON, 65, "flowmon.delay_deviation_us", Micros),
    plain(FLOWMON, 66, "flowmon.delay_mean_us", Micros),
    plain(FLOWMON, 67, "flowmon.delay_min_us", Micros),
    plain(FLOWMON, 68, "flowmon.delay_max_us", Micros),
    latency(FLOWMON, 69, "flowmon.rtt_us", Micros),
    latency(FLOWMON, 70, "flowmon.server_response_time_us", Micros),
    plain(FLOWMON, 71, "flowmon.retransmitted_packets", Count),
    plain(FLOWMON, 72, "flowmon.out_of_order_packets", Count),
    latency(FLOWMON, 332, "flowmon.tls_setup_time_us", Micros),
    // Citrix NetScaler AppFlow, ICA included.
    latency(NETSCALER, 128, "netscaler.rtt_us", Micros),
    latency(NETSCALER, 146, "netscaler.server_first_octet_us", Micros),
    latency(NETSCALER, 147, "netscaler.server_last_octet_us", Micros),
    latency(NETSCALER, 182, "netscaler.client_rtt_us", Micros),
    plain(NETSCALER, 192, "netscaler.connection_chain", Code),
    plain(NETSCALER, 193, "netscaler.connection_chain_hops", Count),
    plain(NETSCALER, 209, "netscaler.ica_session_setup_ms", Millis),
    latency(NETSCALER, 215, "netscaler.ica_rtt_ms", Millis),
    plain(
        NETSCALER,
        219,
        "netscaler.client_retransmitted_packets",
        Count,
    ),
    plain(
        NETSCALER,
        220,
        "netscaler.server_retransmitted_packets",
        Count,
    ),
    latency(NETSCALER, 221, "netscaler.ica_client_rtt_us", Micros),
    latency(NETSCALER, 222, "netscaler.ica_server_rtt_us", Micros),
    plain(NETSCALER, 243, "netscaler.ica_client_jitter_ms", Millis),
    plain(NETSCALER, 244, "netscaler.ica_server_jitter_ms", Millis),
    latency(NETSCALER, 256, "netscaler.ica_client_srtt_ms", Millis),
    latency(NETSCALER, 257, "netscaler.ica_server_srtt_ms", Millis),
    latency(NETSCALER, 258, "netscaler.ica_client_delay_ms", Millis),
    latency(NETSCALER, 259, "netscaler.ica_server_delay_ms", Millis),
    latency(NETSCALER, 260, "netscaler.ica_host_delay_ms", Millis),
    plain(NETSCALER, 263, "netscaler.ica_client_timeouts", Count),
    plain(NETSCALER, 264, "netscaler.ica_server_timeouts", Count),
    latency(NETSCALER, 265, "netscaler.ica_l7_client_latency_ms", Millis),
    latency(NETSCALER, 266, "netscaler.ica_l7_server_latency_ms", Millis),
    plain(NETSCALER, 236, "netscaler.ica_application_start_ms", Millis),
    // Others.
    latency(IXIA, 188, "ixia.transaction_latency_us", Micros),
    plain(PROCERA, 7, "procera.shaping_in_latency", Millis),
    plain(PROCERA, 8, "procera.shaping_out_latency", Millis),
    latency(PROCERA, 11, "procera.internal_rtt_ms", Millis),
    latency(PROCERA, 12, "procera.external_rtt_ms", Millis),
];

/// The index of a measure in [`MEASURES`].
pub fn index(enterprise: u32, id: u16) -> Option<u16> {
    let found = MEASURES
        .iter()
        .position(|measure| measure.enterprise == enterprise && measure.id == id)?;
    u16::try_from(found).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_name_and_no_element_stands_twice() {
        let names: HashSet<_> = MEASURES.iter().map(|measure| measure.name).collect();
        let elements: HashSet<_> = MEASURES
            .iter()
            .map(|measure| (measure.enterprise, measure.id))
            .collect();
        assert_eq!(
            (names.len(), elements.len()),
            (MEASURES.len(), MEASURES.len())
        );
    }

    #[test]
    fn every_sum_names_a_count_that_exists() {
        for measure in MEASURES {
            if let Some(per) = measure.per {
                assert!(
                    per == "packets" || MEASURES.iter().any(|count| count.name == per),
                    "{}",
                    measure.name
                );
            }
        }
    }
}
