-- One row for each observation of a flow, as one exporter reported it in one record.
--
-- Columns are those of `flow::batch`, except that the two ends are kept as client and server: `src_*` and `dst_*` are
-- computed. What was not sent is NULL; a name that nobody gave is ''.
CREATE TABLE IF NOT EXISTS {database}.flows{local}{on_cluster}
(
    -- Where the row came from. (collector, tape_segment, tape_offset, record_offset) names it for ever.
    received_at DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    stored_at DateTime('UTC') CODEC(Delta, ZSTD(1)),
    collector LowCardinality(String),
    tape_segment UInt32 CODEC(T64, ZSTD(1)),
    tape_offset UInt32 CODEC(T64, ZSTD(1)),
    record_offset UInt16 CODEC(T64, ZSTD(1)),
    feed UInt32 CODEC(T64, ZSTD(1)),
    exporter IPv6 CODEC(ZSTD(1)),
    domain UInt32 CODEC(T64, ZSTD(1)),
    version UInt8 CODEC(ZSTD(1)),
    template UInt16 CODEC(ZSTD(1)),

    -- The flow's life. Never NULL, never the wrong way round, never before 1970: where the record has no stamp, the
    -- other one or the time of arrival stands in, and has_* is 0. Skip indexes work on plain columns only.
    begins_at DateTime64(9, 'UTC') CODEC(GCD, ZSTD(1)),
    ends_at DateTime64(9, 'UTC') CODEC(GCD, ZSTD(1)),
    has_start UInt8 DEFAULT 1 CODEC(ZSTD(1)),
    has_end UInt8 DEFAULT 1 CODEC(ZSTD(1)),

    -- What the record said.
    time_kind Nullable(Enum8('uptime_ms' = 1, 's' = 2, 'ms' = 3, 'us' = 4, 'ns' = 5, 'delta_us' = 6, 'observation' = 7, 'received' = 8)) CODEC(ZSTD(1)),
    time_quality Nullable(Enum8('exact' = 1, 'clamped' = 2, 'absent' = 3)) CODEC(ZSTD(1)),
    start_uptime_ms Nullable(UInt32) CODEC(T64, ZSTD(1)),
    end_uptime_ms Nullable(UInt32) CODEC(T64, ZSTD(1)),
    reverse_start Nullable(DateTime64(9, 'UTC')) CODEC(GCD, ZSTD(1)),
    reverse_end Nullable(DateTime64(9, 'UTC')) CODEC(GCD, ZSTD(1)),
    client_addr Nullable(IPv6) CODEC(ZSTD(1)),
    server_addr Nullable(IPv6) CODEC(ZSTD(1)),
    client_port Nullable(UInt16) CODEC(ZSTD(1)),
    server_port Nullable(UInt16) CODEC(ZSTD(1)),
    protocol Nullable(UInt8) CODEC(ZSTD(1)),
    tcp_flags Nullable(UInt16) CODEC(ZSTD(1)),
    reverse_tcp_flags Nullable(UInt16) CODEC(ZSTD(1)),
    icmp_type_code Nullable(UInt16) CODEC(ZSTD(1)),
    tos Nullable(UInt8) CODEC(ZSTD(1)),
    octets Nullable(UInt64) CODEC(T64, ZSTD(1)),
    packets Nullable(UInt64) CODEC(T64, ZSTD(1)),
    reverse_octets Nullable(UInt64) CODEC(T64, ZSTD(1)),
    reverse_packets Nullable(UInt64) CODEC(T64, ZSTD(1)),
    counter_kind Nullable(Enum8('delta' = 1, 'total' = 2, 'implausible' = 3)) CODEC(ZSTD(1)),
    sampling_interval Nullable(UInt32) CODEC(T64, ZSTD(1)),
    sampling_source Nullable(Enum8('record' = 1, 'sampler' = 2, 'domain' = 3, 'header' = 4, 'configured' = 5)) CODEC(ZSTD(1)),
    in_interface Nullable(UInt32) CODEC(T64, ZSTD(1)),
    out_interface Nullable(UInt32) CODEC(T64, ZSTD(1)),
    next_hop Nullable(IPv6) CODEC(ZSTD(1)),
    bgp_next_hop Nullable(IPv6) CODEC(ZSTD(1)),
    src_as Nullable(UInt32) CODEC(T64, ZSTD(1)),
    dst_as Nullable(UInt32) CODEC(T64, ZSTD(1)),
    src_mask Nullable(UInt8) CODEC(ZSTD(1)),
    dst_mask Nullable(UInt8) CODEC(ZSTD(1)),
    vlan Nullable(UInt16) CODEC(ZSTD(1)),
    post_vlan Nullable(UInt16) CODEC(ZSTD(1)),
    src_mac Nullable(UInt64) CODEC(T64, ZSTD(1)),
    dst_mac Nullable(UInt64) CODEC(T64, ZSTD(1)),
    direction Nullable(UInt8) CODEC(ZSTD(1)),
    biflow_direction Nullable(UInt8) CODEC(ZSTD(1)),
    end_reason Nullable(UInt8) CODEC(ZSTD(1)),
    min_ttl Nullable(UInt8) CODEC(ZSTD(1)),
    max_ttl Nullable(UInt8) CODEC(ZSTD(1)),
    forwarding_status Nullable(UInt8) CODEC(ZSTD(1)),
    firewall_event Nullable(UInt8) CODEC(ZSTD(1)),
    nat_event Nullable(UInt8) CODEC(ZSTD(1)),
    nat_src_addr Nullable(IPv6) CODEC(ZSTD(1)),
    nat_dst_addr Nullable(IPv6) CODEC(ZSTD(1)),
    nat_src_port Nullable(UInt16) CODEC(ZSTD(1)),
    nat_dst_port Nullable(UInt16) CODEC(ZSTD(1)),
    vni Nullable(UInt64) CODEC(T64, ZSTD(1)),
    inner_src_addr Nullable(IPv6) CODEC(ZSTD(1)),
    inner_dst_addr Nullable(IPv6) CODEC(ZSTD(1)),
    inner_src_port Nullable(UInt16) CODEC(ZSTD(1)),
    inner_dst_port Nullable(UInt16) CODEC(ZSTD(1)),
    inner_protocol Nullable(UInt8) CODEC(ZSTD(1)),
    in_vrf Nullable(UInt32) CODEC(T64, ZSTD(1)),
    out_vrf Nullable(UInt32) CODEC(T64, ZSTD(1)),
    mpls_label Nullable(UInt32) CODEC(T64, ZSTD(1)),
    flow_label Nullable(UInt32) CODEC(T64, ZSTD(1)),
    flow_id Nullable(UInt64) CODEC(T64, ZSTD(1)),
    dropped_octets Nullable(UInt64) CODEC(T64, ZSTD(1)),
    dropped_packets Nullable(UInt64) CODEC(T64, ZSTD(1)),
    exporter_application_id Nullable(UInt64) CODEC(T64, ZSTD(1)),

    measures Map(LowCardinality(String), UInt64) CODEC(ZSTD(1)),
    extras Map(LowCardinality(String), String) CODEC(ZSTD(1)),

    -- What was added to it.
    src_is_client UInt8 DEFAULT 1 CODEC(ZSTD(1)),
    client_evidence Nullable(Enum8('exporter' = 1, 'syn' = 2, 'service' = 3, 'server' = 4, 'first_seen' = 5)) CODEC(ZSTD(1)),
    accounting UInt8 DEFAULT 1 CODEC(ZSTD(1)),
    application LowCardinality(String) CODEC(ZSTD(1)),
    application_source Nullable(Enum8('rule' = 1, 'exporter' = 2, 'learned' = 3, 'registry' = 4, 'protocol' = 5)) CODEC(ZSTD(1)),
    client_site LowCardinality(String) CODEC(ZSTD(1)),
    server_site LowCardinality(String) CODEC(ZSTD(1)),
    exporter_name LowCardinality(String) CODEC(ZSTD(1)),
    in_interface_name LowCardinality(String) CODEC(ZSTD(1)),
    out_interface_name LowCardinality(String) CODEC(ZSTD(1)),
    exporter_application LowCardinality(String) CODEC(ZSTD(1)),
    in_vrf_name LowCardinality(String) CODEC(ZSTD(1)),

    -- Computed when read.
    start Nullable(DateTime64(9, 'UTC')) ALIAS if(has_start = 1, begins_at, NULL),
    end Nullable(DateTime64(9, 'UTC')) ALIAS if(has_end = 1, ends_at, NULL),
    src_addr Nullable(IPv6) ALIAS if(src_is_client = 1, client_addr, server_addr),
    dst_addr Nullable(IPv6) ALIAS if(src_is_client = 1, server_addr, client_addr),
    src_port Nullable(UInt16) ALIAS if(src_is_client = 1, client_port, server_port),
    dst_port Nullable(UInt16) ALIAS if(src_is_client = 1, server_port, client_port),
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
-- application (which most questions name or group by, and which has few values, so what follows still sorts well),
-- then by the server (few) and the client (many). Neighbours in that order are alike, and compress.
ORDER BY (toStartOfInterval(received_at, INTERVAL 5 MINUTE, 'UTC'), application, server_addr, client_addr)
-- By time of storing: an import of a capture of last year is kept as long as what came today.
TTL stored_at + toIntervalDay({flows_days})
SETTINGS allow_nullable_key = 1, ttl_only_drop_parts = 1, fsync_after_insert = 1,
    -- A wide part has a file and buffers for each of some hundred columns and their NULLs: for one insert that is most of
    -- its cost. What merges make of inserts is wide.
    min_bytes_for_wide_part = 134217728,
    -- How many inserts are remembered by their token. Only the last can be repeated, after a crash.
    non_replicated_deduplication_window = 1000;
