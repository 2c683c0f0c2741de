-- One row for each observation of a flow, as one exporter reported it in one record.
--
-- Columns are those of `flow::batch`, except that the two ends are kept as client and server: `src_*` and `dst_*` are
-- computed. What was not sent is NULL; a name that nobody gave is ''.
CREATE TABLE IF NOT EXISTS {database}.flows{local}{on_cluster}
(
    -- Where the row came from. (collector, tape_segment, tape_offset, record_offset) names it for ever.
    received_at DateTime64(9, 'UTC') CODEC(Delta, Default),
    stored_at DateTime('UTC') CODEC(Delta, Default),
    collector LowCardinality(String),
    tape_segment UInt32 CODEC(T64, Default),
    tape_offset UInt32 CODEC(Delta, Default),
    record_offset UInt16 CODEC(T64, Default),
    feed UInt32 CODEC(T64, Default),
    exporter IPv6,
    domain UInt32 CODEC(T64, Default),
    version UInt8,
    template UInt16,

    -- The flow's life. Never NULL, never the wrong way round, never before 1970: where the record has no stamp, the
    -- other one or the time of arrival stands in, and has_* is 0. Skip indexes work on plain columns only.
    begins_at DateTime64(9, 'UTC') CODEC(GCD, Default),
    ends_at DateTime64(9, 'UTC') CODEC(GCD, Default),
    has_start UInt8 DEFAULT 1,
    has_end UInt8 DEFAULT 1,

    -- What the record said.
    time_kind Nullable(Enum8('uptime_ms' = 1, 's' = 2, 'ms' = 3, 'us' = 4, 'ns' = 5, 'delta_us' = 6, 'observation' = 7, 'received' = 8)),
    time_quality Nullable(Enum8('exact' = 1, 'clamped' = 2, 'absent' = 3)),
    client_addr Nullable(IPv6),
    server_addr Nullable(IPv6),
    client_port Nullable(UInt16),
    server_port Nullable(UInt16),
    protocol Nullable(UInt8),
    tcp_flags Nullable(UInt16),
    tos Nullable(UInt8),
    octets Nullable(UInt64) CODEC(T64, Default),
    packets Nullable(UInt64) CODEC(T64, Default),
    reverse_octets Nullable(UInt64) CODEC(T64, Default),
    reverse_packets Nullable(UInt64) CODEC(T64, Default),
    counter_kind Nullable(Enum8('delta' = 1, 'total' = 2, 'implausible' = 3)),
    sampling_interval Nullable(UInt32) CODEC(T64, Default),
    sampling_source Nullable(Enum8('record' = 1, 'sampler' = 2, 'domain' = 3, 'header' = 4, 'configured' = 5)),
    in_interface Nullable(UInt32) CODEC(T64, Default),
    out_interface Nullable(UInt32) CODEC(T64, Default),
    next_hop Nullable(IPv6),
    src_as Nullable(UInt32) CODEC(T64, Default),
    dst_as Nullable(UInt32) CODEC(T64, Default),
    src_mask Nullable(UInt8),
    dst_mask Nullable(UInt8),
    vlan Nullable(UInt16),
    direction Nullable(UInt8),
    end_reason Nullable(UInt8),

    -- Exporter's start as each stamp has it, in milliseconds since 1970: the same number for thousands of rows, where the stamps
    -- themselves are another each time.
    start_boot_ms Nullable(Int64) CODEC(Delta, Default),
    end_boot_ms Nullable(Int64) CODEC(Delta, Default),
    -- Columns that few exporters send, by name: each has a computed column below. A column of its own costs every insert and
    -- every merge of every row, whoever sends it.
    rare_numbers Map(String, UInt64),
    rare_addresses Map(String, IPv6),

    measures Map(String, UInt64),
    extras Map(String, String),

    -- What was added to it.
    src_is_client UInt8 DEFAULT 1,
    client_evidence Nullable(Enum8('exporter' = 1, 'syn' = 2, 'service' = 3, 'server' = 4, 'first_seen' = 5)),
    accounting UInt8 DEFAULT 1,
    application LowCardinality(String),
    application_source Nullable(Enum8('rule' = 1, 'exporter' = 2, 'learned' = 3, 'registry' = 4, 'protocol' = 5)),
    client_site LowCardinality(String),
    server_site LowCardinality(String),
    exporter_name LowCardinality(String),
    in_interface_name LowCardinality(String),
    out_interface_name LowCardinality(String),
    exporter_application LowCardinality(String),
    in_vrf_name LowCardinality(String),

    -- Computed when read.
    start Nullable(DateTime64(9, 'UTC')) ALIAS if(has_start = 1, begins_at, NULL),
    end Nullable(DateTime64(9, 'UTC')) ALIAS if(has_end = 1, ends_at, NULL),
    start_uptime_ms Nullable(UInt32) ALIAS toUInt32(toUnixTimestamp64Milli(begins_at) - start_boot_ms),
    end_uptime_ms Nullable(UInt32) ALIAS toUInt32(toUnixTimestamp64Milli(ends_at) - end_boot_ms),
    src_addr Nullable(IPv6) ALIAS if(src_is_client = 1, client_addr, server_addr),
    dst_addr Nullable(IPv6) ALIAS if(src_is_client = 1, server_addr, client_addr),
    src_port Nullable(UInt16) ALIAS if(src_is_client = 1, client_port, server_port),
    dst_port Nullable(UInt16) ALIAS if(src_is_client = 1, server_port, client_port),
    reverse_start Nullable(DateTime64(9, 'UTC')) ALIAS if(mapContains(rare_numbers, 'reverse_start'), fromUnixTimestamp64Nano(toInt64(rare_numbers['reverse_start']), 'UTC'), NULL),
    reverse_end Nullable(DateTime64(9, 'UTC')) ALIAS if(mapContains(rare_numbers, 'reverse_end'), fromUnixTimestamp64Nano(toInt64(rare_numbers['reverse_end']), 'UTC'), NULL),
    reverse_tcp_flags Nullable(UInt16) ALIAS if(mapContains(rare_numbers, 'reverse_tcp_flags'), toUInt16(rare_numbers['reverse_tcp_flags']), NULL),
    icmp_type_code Nullable(UInt16) ALIAS if(mapContains(rare_numbers, 'icmp_type_code'), toUInt16(rare_numbers['icmp_type_code']), NULL),
    post_vlan Nullable(UInt16) ALIAS if(mapContains(rare_numbers, 'post_vlan'), toUInt16(rare_numbers['post_vlan']), NULL),
    src_mac Nullable(UInt64) ALIAS if(mapContains(rare_numbers, 'src_mac'), rare_numbers['src_mac'], NULL),
    dst_mac Nullable(UInt64) ALIAS if(mapContains(rare_numbers, 'dst_mac'), rare_numbers['dst_mac'], NULL),
    biflow_direction Nullable(UInt8) ALIAS if(mapContains(rare_numbers, 'biflow_direction'), toUInt8(rare_numbers['biflow_direction']), NULL),
    min_ttl Nullable(UInt8) ALIAS if(mapContains(rare_numbers, 'min_ttl'), toUInt8(rare_numbers['min_ttl']), NULL),
    max_ttl Nullable(UInt8) ALIAS if(mapContains(rare_numbers, 'max_ttl'), toUInt8(rare_numbers['max_ttl']), NULL),
    forwarding_status Nullable(UInt8) ALIAS if(mapContains(rare_numbers, 'forwarding_status'), toUInt8(rare_numbers['forwarding_status']), NULL),
    firewall_event Nullable(UInt8) ALIAS if(mapContains(rare_numbers, 'firewall_event'), toUInt8(rare_numbers['firewall_event']), NULL),
    nat_event Nullable(UInt8) ALIAS if(mapContains(rare_numbers, 'nat_event'), toUInt8(rare_numbers['nat_event']), NULL),
    nat_src_port Nullable(UInt16) ALIAS if(mapContains(rare_numbers, 'nat_src_port'), toUInt16(rare_numbers['nat_src_port']), NULL),
    nat_dst_port Nullable(UInt16) ALIAS if(mapContains(rare_numbers, 'nat_dst_port'), toUInt16(rare_numbers['nat_dst_port']), NULL),
    vni Nullable(UInt64) ALIAS if(mapContains(rare_numbers, 'vni'), rare_numbers['vni'], NULL),
    inner_src_port Nullable(UInt16) ALIAS if(mapContains(rare_numbers, 'inner_src_port'), toUInt16(rare_numbers['inner_src_port']), NULL),
    inner_dst_port Nullable(UInt16) ALIAS if(mapContains(rare_numbers, 'inner_dst_port'), toUInt16(rare_numbers['inner_dst_port']), NULL),
    inner_protocol Nullable(UInt8) ALIAS if(mapContains(rare_numbers, 'inner_protocol'), toUInt8(rare_numbers['inner_protocol']), NULL),
    in_vrf Nullable(UInt32) ALIAS if(mapContains(rare_numbers, 'in_vrf'), toUInt32(rare_numbers['in_vrf']), NULL),
    out_vrf Nullable(UInt32) ALIAS if(mapContains(rare_numbers, 'out_vrf'), toUInt32(rare_numbers['out_vrf']), NULL),
    mpls_label Nullable(UInt32) ALIAS if(mapContains(rare_numbers, 'mpls_label'), toUInt32(rare_numbers['mpls_label']), NULL),
    flow_label Nullable(UInt32) ALIAS if(mapContains(rare_numbers, 'flow_label'), toUInt32(rare_numbers['flow_label']), NULL),
    flow_id Nullable(UInt64) ALIAS if(mapContains(rare_numbers, 'flow_id'), rare_numbers['flow_id'], NULL),
    dropped_octets Nullable(UInt64) ALIAS if(mapContains(rare_numbers, 'dropped_octets'), rare_numbers['dropped_octets'], NULL),
    dropped_packets Nullable(UInt64) ALIAS if(mapContains(rare_numbers, 'dropped_packets'), rare_numbers['dropped_packets'], NULL),
    exporter_application_id Nullable(UInt64) ALIAS if(mapContains(rare_numbers, 'exporter_application_id'), rare_numbers['exporter_application_id'], NULL),
    bgp_next_hop Nullable(IPv6) ALIAS if(mapContains(rare_addresses, 'bgp_next_hop'), rare_addresses['bgp_next_hop'], NULL),
    nat_src_addr Nullable(IPv6) ALIAS if(mapContains(rare_addresses, 'nat_src_addr'), rare_addresses['nat_src_addr'], NULL),
    nat_dst_addr Nullable(IPv6) ALIAS if(mapContains(rare_addresses, 'nat_dst_addr'), rare_addresses['nat_dst_addr'], NULL),
    inner_src_addr Nullable(IPv6) ALIAS if(mapContains(rare_addresses, 'inner_src_addr'), rare_addresses['inner_src_addr'], NULL),
    inner_dst_addr Nullable(IPv6) ALIAS if(mapContains(rare_addresses, 'inner_dst_addr'), rare_addresses['inner_dst_addr'], NULL),
    -- What answers add up: both directions of the record, times the sampling interval where one is known. Counters
    -- that cannot be true are kept in their columns and left out here.
    total_octets UInt64 ALIAS if(ifNull(counter_kind = 'implausible', 0), 0,
        (ifNull(octets, 0) + ifNull(reverse_octets, 0)) * greatest(ifNull(sampling_interval, 1), 1)),
    total_packets UInt64 ALIAS if(ifNull(counter_kind = 'implausible', 0), 0,
        (ifNull(packets, 0) + ifNull(reverse_packets, 0)) * greatest(ifNull(sampling_interval, 1), 1)),

    -- A window of event time is found by these two, whatever the exporters' clocks say.
    INDEX by_beginning begins_at TYPE minmax GRANULARITY 1,
    INDEX by_end ends_at TYPE minmax GRANULARITY 1,
    -- One index over both columns: it also answers "either end is this address".
    INDEX by_address (client_addr, server_addr) TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = {replicated}MergeTree
-- By time of arrival: exporters' clocks lie, and a record from "2038" must not make a partition of its own.
PARTITION BY toDate(received_at, 'UTC')
-- Questions ask for a stretch of time first, so time leads, but coarsely: within five minutes rows are sorted by
-- application (which most questions name or group by) and server (few), and stay in the order of the tape otherwise. There
-- neighbours are alike, and compress. (The column's time zone is UTC; with a third argument that says so ClickHouse does not find ranges by
-- the key.) With the client as a fourth part a merge cost twice as much, as it takes rows one by one
-- where runs are short, and a row 30 octets instead of 26.
ORDER BY (toStartOfInterval(received_at, INTERVAL 5 MINUTE), application, server_addr)
-- By time of storing: an import of a capture of last year is kept as long as what came today.
TTL stored_at + toIntervalDay({flows_days})
SETTINGS allow_nullable_key = 1, ttl_only_drop_parts = 1, fsync_after_insert = {fsync},
    -- A wide part has a file and buffers for each of some hundred columns and their NULLs: for one insert that is most of
    -- its cost. What merges make of inserts is wide.
    min_bytes_for_wide_part = 134217728,
    -- How many inserts are remembered by their token. Only the last can be repeated, after a crash.
    non_replicated_deduplication_window = 1000;
