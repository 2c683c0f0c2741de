CREATE DATABASE IF NOT EXISTS flowreel;

CREATE TABLE IF NOT EXISTS flowreel.schema_versions
(
    version UInt32,
    name String,
    applied_at DateTime('UTC') DEFAULT now()
)
ENGINE = MergeTree
ORDER BY version;

CREATE TABLE IF NOT EXISTS flowreel.flows
(
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
    begins_at DateTime64(9, 'UTC') CODEC(GCD, ZSTD(1)),
    ends_at DateTime64(9, 'UTC') CODEC(GCD, ZSTD(1)),
    has_start UInt8 DEFAULT 1 CODEC(ZSTD(1)),
    has_end UInt8 DEFAULT 1 CODEC(ZSTD(1)),
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
    start Nullable(DateTime64(9, 'UTC')) ALIAS if(has_start = 1, begins_at, NULL),
    end Nullable(DateTime64(9, 'UTC')) ALIAS if(has_end = 1, ends_at, NULL),
    src_addr Nullable(IPv6) ALIAS if(src_is_client = 1, client_addr, server_addr),
    dst_addr Nullable(IPv6) ALIAS if(src_is_client = 1, server_addr, client_addr),
    src_port Nullable(UInt16) ALIAS if(src_is_client = 1, client_port, server_port),
    dst_port Nullable(UInt16) ALIAS if(src_is_client = 1, server_port, client_port),
    total_octets UInt64 ALIAS if(ifNull(counter_kind = 'implausible', 0), 0,
        (ifNull(octets, 0) + ifNull(reverse_octets, 0)) * greatest(ifNull(sampling_interval, 1), 1)),
    total_packets UInt64 ALIAS if(ifNull(counter_kind = 'implausible', 0), 0,
        (ifNull(packets, 0) + ifNull(reverse_packets, 0)) * greatest(ifNull(sampling_interval, 1), 1)),
    INDEX by_beginning begins_at TYPE minmax GRANULARITY 1,
    INDEX by_end ends_at TYPE minmax GRANULARITY 1,
    INDEX by_address (client_addr, server_addr) TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toDate(received_at, 'UTC')
ORDER BY (toStartOfInterval(received_at, INTERVAL 5 MINUTE, 'UTC'), application, server_addr, client_addr)
TTL stored_at + toIntervalDay(30)
SETTINGS allow_nullable_key = 1, ttl_only_drop_parts = 1, fsync_after_insert = 1,
    min_bytes_for_wide_part = 134217728,
    non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS flowreel.long_flows
(
    received_at DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    stored_at DateTime('UTC') CODEC(Delta, ZSTD(1)),
    feed UInt32 CODEC(T64, ZSTD(1)),
    accounting UInt8,
    begins_at DateTime64(9, 'UTC') CODEC(GCD, ZSTD(1)),
    ends_at DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    total_octets UInt64 CODEC(T64, ZSTD(1)),
    total_packets UInt64 CODEC(T64, ZSTD(1)),
    application LowCardinality(String),
    client_site LowCardinality(String),
    server_site LowCardinality(String),
    exporter IPv6,
    exporter_name LowCardinality(String),
    in_interface Nullable(UInt32),
    in_interface_name LowCardinality(String),
    out_interface Nullable(UInt32),
    out_interface_name LowCardinality(String),
    client_addr Nullable(IPv6)
)
ENGINE = MergeTree
PARTITION BY toStartOfMonth(received_at, 'UTC')
ORDER BY ends_at
TTL stored_at + toIntervalDay(730)
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, non_replicated_deduplication_window = 1000;

CREATE MATERIALIZED VIEW IF NOT EXISTS flowreel.long_flows_feed TO flowreel.long_flows AS
SELECT received_at, stored_at, feed, accounting, begins_at, ends_at, total_octets, total_packets,
    application, client_site, server_site,
    exporter, exporter_name, in_interface, in_interface_name, out_interface, out_interface_name, client_addr
FROM flowreel.flows
WHERE toUnixTimestamp64Nano(ends_at) - toUnixTimestamp64Nano(begins_at) > 600 * 1000000000;

CREATE TABLE IF NOT EXISTS flowreel.extents
(
    arrival DateTime('UTC'),
    month Date,
    flows SimpleAggregateFunction(sum, UInt64),
    begins_at SimpleAggregateFunction(min, DateTime64(9, 'UTC')),
    ends_at SimpleAggregateFunction(max, DateTime64(9, 'UTC')),
    stored_at SimpleAggregateFunction(max, DateTime('UTC'))
)
ENGINE = AggregatingMergeTree
PARTITION BY month
ORDER BY arrival
TTL stored_at + toIntervalDay(30)
SETTINGS fsync_after_insert = 1, non_replicated_deduplication_window = 1000;

CREATE MATERIALIZED VIEW IF NOT EXISTS flowreel.extents_feed TO flowreel.extents AS
SELECT
    toStartOfInterval(received_at, INTERVAL 5 MINUTE, 'UTC') AS arrival,
    toStartOfMonth(received_at, 'UTC') AS month,
    count() AS flows,
    min(flows.begins_at) AS begins_at,
    max(flows.ends_at) AS ends_at,
    max(flows.stored_at) AS stored_at
FROM flowreel.flows
GROUP BY arrival, month;

CREATE TABLE IF NOT EXISTS flowreel.traffic_10s
(
    bucket DateTime64(0, 'UTC') CODEC(Delta, ZSTD(1)),
    feed UInt32,
    application LowCardinality(String),
    client_site LowCardinality(String),
    server_site LowCardinality(String),
    day Date,
    octets SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    packets SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    flows SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    begun SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    clients AggregateFunction(uniqCombined64, Nullable(IPv6)),
    stored_at SimpleAggregateFunction(max, DateTime('UTC'))
)
ENGINE = AggregatingMergeTree
PARTITION BY day
ORDER BY (bucket, application, client_site, server_site, feed)
TTL stored_at + toIntervalDay(7)
SETTINGS allow_nullable_key = 1, ttl_only_drop_parts = 1, fsync_after_insert = 1, non_replicated_deduplication_window = 1000;

CREATE MATERIALIZED VIEW IF NOT EXISTS flowreel.traffic_10s_feed TO flowreel.traffic_10s AS
WITH
    1000000000 AS second,
    toUnixTimestamp64Nano(begins_at) AS first,
    toUnixTimestamp64Nano(ends_at) AS last,
    10 * second AS width,
    intDiv(first, width) AS first_bucket,
    (total, at) -> if(at >= last AND at > first, total,
        toUInt64(floor(total * ((least(greatest(at, first), last) - first) / greatest(last - first, 1))))) AS before
SELECT
    toDateTime64(step * 10, 0, 'UTC') AS bucket,
    feed, application, client_site, server_site,
    toDate(received_at, 'UTC') AS day,
    sum(before(total_octets, (step + 1) * width) - before(total_octets, step * width)) AS octets,
    sum(before(total_packets, (step + 1) * width) - before(total_packets, step * width)) AS packets,
    count() AS flows,
    countIf(step = first_bucket) AS begun,
    uniqCombined64State(client_addr) AS clients,
    max(flows.stored_at) AS stored_at
FROM flowreel.flows
ARRAY JOIN range(first_bucket, if(accounting = 1 AND last - first <= 600 * second, intDiv(last, width) + 1, first_bucket)) AS step
GROUP BY bucket, feed, application, client_site, server_site, day;

CREATE TABLE IF NOT EXISTS flowreel.traffic_1m
(
    bucket DateTime64(0, 'UTC') CODEC(Delta, ZSTD(1)),
    feed UInt32,
    application LowCardinality(String),
    client_site LowCardinality(String),
    server_site LowCardinality(String),
    day Date,
    octets SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    packets SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    flows SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    begun SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    clients AggregateFunction(uniqCombined64, Nullable(IPv6)),
    stored_at SimpleAggregateFunction(max, DateTime('UTC'))
)
ENGINE = AggregatingMergeTree
PARTITION BY toStartOfMonth(day)
ORDER BY (bucket, application, client_site, server_site, feed)
TTL stored_at + toIntervalDay(90)
SETTINGS allow_nullable_key = 1, ttl_only_drop_parts = 1, fsync_after_insert = 1, non_replicated_deduplication_window = 1000;

CREATE MATERIALIZED VIEW IF NOT EXISTS flowreel.traffic_1m_feed TO flowreel.traffic_1m AS
WITH
    1000000000 AS second,
    toUnixTimestamp64Nano(begins_at) AS first,
    toUnixTimestamp64Nano(ends_at) AS last,
    60 * second AS width,
    intDiv(first, width) AS first_bucket,
    (total, at) -> if(at >= last AND at > first, total,
        toUInt64(floor(total * ((least(greatest(at, first), last) - first) / greatest(last - first, 1))))) AS before
SELECT
    toDateTime64(step * 60, 0, 'UTC') AS bucket,
    feed, application, client_site, server_site,
    toDate(received_at, 'UTC') AS day,
    sum(before(total_octets, (step + 1) * width) - before(total_octets, step * width)) AS octets,
    sum(before(total_packets, (step + 1) * width) - before(total_packets, step * width)) AS packets,
    count() AS flows,
    countIf(step = first_bucket) AS begun,
    uniqCombined64State(client_addr) AS clients,
    max(flows.stored_at) AS stored_at
FROM flowreel.flows
ARRAY JOIN range(first_bucket, if(accounting = 1 AND last - first <= 3600 * second, intDiv(last, width) + 1, first_bucket)) AS step
GROUP BY bucket, feed, application, client_site, server_site, day;

CREATE TABLE IF NOT EXISTS flowreel.traffic_1h
(
    bucket DateTime64(0, 'UTC') CODEC(Delta, ZSTD(1)),
    feed UInt32,
    application LowCardinality(String),
    client_site LowCardinality(String),
    server_site LowCardinality(String),
    day Date,
    octets SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    packets SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    flows SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    begun SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    clients AggregateFunction(uniqCombined64, Nullable(IPv6)),
    stored_at SimpleAggregateFunction(max, DateTime('UTC'))
)
ENGINE = AggregatingMergeTree
PARTITION BY toStartOfMonth(day)
ORDER BY (bucket, application, client_site, server_site, feed)
TTL stored_at + toIntervalDay(730)
SETTINGS allow_nullable_key = 1, ttl_only_drop_parts = 1, fsync_after_insert = 1, non_replicated_deduplication_window = 1000;

CREATE MATERIALIZED VIEW IF NOT EXISTS flowreel.traffic_1h_feed TO flowreel.traffic_1h AS
SELECT
    toDateTime64(toStartOfInterval(traffic_1m.bucket, INTERVAL 1 HOUR, 'UTC'), 0, 'UTC') AS bucket,
    feed, application, client_site, server_site,
    day,
    sum(traffic_1m.octets) AS octets,
    sum(traffic_1m.packets) AS packets,
    sum(if(traffic_1m.bucket = toStartOfInterval(traffic_1m.bucket, INTERVAL 1 HOUR, 'UTC'), traffic_1m.flows, traffic_1m.begun)) AS flows,
    sum(traffic_1m.begun) AS begun,
    uniqCombined64MergeState(traffic_1m.clients) AS clients,
    max(traffic_1m.stored_at) AS stored_at
FROM flowreel.traffic_1m
GROUP BY bucket, feed, application, client_site, server_site, day;

CREATE TABLE IF NOT EXISTS flowreel.interfaces_10s
(
    bucket DateTime64(0, 'UTC') CODEC(Delta, ZSTD(1)),
    feed UInt32,
    exporter IPv6,
    exporter_name LowCardinality(String),
    in_interface Nullable(UInt32),
    in_interface_name LowCardinality(String),
    out_interface Nullable(UInt32),
    out_interface_name LowCardinality(String),
    day Date,
    octets SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    packets SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    flows SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    begun SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    clients AggregateFunction(uniqCombined64, Nullable(IPv6)),
    stored_at SimpleAggregateFunction(max, DateTime('UTC'))
)
ENGINE = AggregatingMergeTree
PARTITION BY day
ORDER BY (bucket, exporter, in_interface, out_interface, exporter_name, in_interface_name, out_interface_name, feed)
TTL stored_at + toIntervalDay(7)
SETTINGS allow_nullable_key = 1, ttl_only_drop_parts = 1, fsync_after_insert = 1, non_replicated_deduplication_window = 1000;

CREATE MATERIALIZED VIEW IF NOT EXISTS flowreel.interfaces_10s_feed TO flowreel.interfaces_10s AS
WITH
    1000000000 AS second,
    toUnixTimestamp64Nano(begins_at) AS first,
    toUnixTimestamp64Nano(ends_at) AS last,
    10 * second AS width,
    intDiv(first, width) AS first_bucket,
    (total, at) -> if(at >= last AND at > first, total,
        toUInt64(floor(total * ((least(greatest(at, first), last) - first) / greatest(last - first, 1))))) AS before
SELECT
    toDateTime64(step * 10, 0, 'UTC') AS bucket,
    feed, exporter, exporter_name, in_interface, in_interface_name, out_interface, out_interface_name,
    toDate(received_at, 'UTC') AS day,
    sum(before(total_octets, (step + 1) * width) - before(total_octets, step * width)) AS octets,
    sum(before(total_packets, (step + 1) * width) - before(total_packets, step * width)) AS packets,
    count() AS flows,
    countIf(step = first_bucket) AS begun,
    uniqCombined64State(client_addr) AS clients,
    max(flows.stored_at) AS stored_at
FROM flowreel.flows
ARRAY JOIN range(first_bucket, if(last - first <= 600 * second, intDiv(last, width) + 1, first_bucket)) AS step
GROUP BY bucket, feed, exporter, exporter_name, in_interface, in_interface_name, out_interface, out_interface_name, day;

CREATE TABLE IF NOT EXISTS flowreel.interfaces_1m
(
    bucket DateTime64(0, 'UTC') CODEC(Delta, ZSTD(1)),
    feed UInt32,
    exporter IPv6,
    exporter_name LowCardinality(String),
    in_interface Nullable(UInt32),
    in_interface_name LowCardinality(String),
    out_interface Nullable(UInt32),
    out_interface_name LowCardinality(String),
    day Date,
    octets SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    packets SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    flows SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    begun SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    clients AggregateFunction(uniqCombined64, Nullable(IPv6)),
    stored_at SimpleAggregateFunction(max, DateTime('UTC'))
)
ENGINE = AggregatingMergeTree
PARTITION BY toStartOfMonth(day)
ORDER BY (bucket, exporter, in_interface, out_interface, exporter_name, in_interface_name, out_interface_name, feed)
TTL stored_at + toIntervalDay(90)
SETTINGS allow_nullable_key = 1, ttl_only_drop_parts = 1, fsync_after_insert = 1, non_replicated_deduplication_window = 1000;

CREATE MATERIALIZED VIEW IF NOT EXISTS flowreel.interfaces_1m_feed TO flowreel.interfaces_1m AS
WITH
    1000000000 AS second,
    toUnixTimestamp64Nano(begins_at) AS first,
    toUnixTimestamp64Nano(ends_at) AS last,
    60 * second AS width,
    intDiv(first, width) AS first_bucket,
    (total, at) -> if(at >= last AND at > first, total,
        toUInt64(floor(total * ((least(greatest(at, first), last) - first) / greatest(last - first, 1))))) AS before
SELECT
    toDateTime64(step * 60, 0, 'UTC') AS bucket,
    feed, exporter, exporter_name, in_interface, in_interface_name, out_interface, out_interface_name,
    toDate(received_at, 'UTC') AS day,
    sum(before(total_octets, (step + 1) * width) - before(total_octets, step * width)) AS octets,
    sum(before(total_packets, (step + 1) * width) - before(total_packets, step * width)) AS packets,
    count() AS flows,
    countIf(step = first_bucket) AS begun,
    uniqCombined64State(client_addr) AS clients,
    max(flows.stored_at) AS stored_at
FROM flowreel.flows
ARRAY JOIN range(first_bucket, if(last - first <= 3600 * second, intDiv(last, width) + 1, first_bucket)) AS step
GROUP BY bucket, feed, exporter, exporter_name, in_interface, in_interface_name, out_interface, out_interface_name, day;

CREATE TABLE IF NOT EXISTS flowreel.interfaces_1h
(
    bucket DateTime64(0, 'UTC') CODEC(Delta, ZSTD(1)),
    feed UInt32,
    exporter IPv6,
    exporter_name LowCardinality(String),
    in_interface Nullable(UInt32),
    in_interface_name LowCardinality(String),
    out_interface Nullable(UInt32),
    out_interface_name LowCardinality(String),
    day Date,
    octets SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    packets SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    flows SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    begun SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    clients AggregateFunction(uniqCombined64, Nullable(IPv6)),
    stored_at SimpleAggregateFunction(max, DateTime('UTC'))
)
ENGINE = AggregatingMergeTree
PARTITION BY toStartOfMonth(day)
ORDER BY (bucket, exporter, in_interface, out_interface, exporter_name, in_interface_name, out_interface_name, feed)
TTL stored_at + toIntervalDay(730)
SETTINGS allow_nullable_key = 1, ttl_only_drop_parts = 1, fsync_after_insert = 1, non_replicated_deduplication_window = 1000;

CREATE MATERIALIZED VIEW IF NOT EXISTS flowreel.interfaces_1h_feed TO flowreel.interfaces_1h AS
SELECT
    toDateTime64(toStartOfInterval(interfaces_1m.bucket, INTERVAL 1 HOUR, 'UTC'), 0, 'UTC') AS bucket,
    feed, exporter, exporter_name, in_interface, in_interface_name, out_interface, out_interface_name,
    day,
    sum(interfaces_1m.octets) AS octets,
    sum(interfaces_1m.packets) AS packets,
    sum(if(interfaces_1m.bucket = toStartOfInterval(interfaces_1m.bucket, INTERVAL 1 HOUR, 'UTC'), interfaces_1m.flows, interfaces_1m.begun)) AS flows,
    sum(interfaces_1m.begun) AS begun,
    uniqCombined64MergeState(interfaces_1m.clients) AS clients,
    max(interfaces_1m.stored_at) AS stored_at
FROM flowreel.interfaces_1m
GROUP BY bucket, feed, exporter, exporter_name, in_interface, in_interface_name, out_interface, out_interface_name, day;
