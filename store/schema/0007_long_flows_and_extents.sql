-- Flows that live too long to be cut into the buckets of a rollup: more than ten minutes. Questions that are answered
-- from a rollup add these, cut to the window when asked. So a flow of a year costs one row, not three million.
CREATE TABLE IF NOT EXISTS {database}.long_flows{local}{on_cluster}
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
ENGINE = {replicated}MergeTree
PARTITION BY toStartOfMonth(received_at, 'UTC')
-- A window needs every flow that ends in it or later.
ORDER BY ends_at
TTL stored_at + toIntervalDay({traffic_1h_days})
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = {fsync}, non_replicated_deduplication_window = 1000;

-- For every five minutes of arrival: which event times came. With it a window of event time becomes a range of the
-- sort key of `flows`, exactly, however wrong the exporters' clocks were.
CREATE TABLE IF NOT EXISTS {database}.extents{local}{on_cluster}
(
    arrival DateTime('UTC'),
    month Date,
    flows SimpleAggregateFunction(sum, UInt64),
    begins_at SimpleAggregateFunction(min, DateTime64(9, 'UTC')),
    ends_at SimpleAggregateFunction(max, DateTime64(9, 'UTC')),
    stored_at SimpleAggregateFunction(max, DateTime('UTC'))
)
ENGINE = {replicated}AggregatingMergeTree
PARTITION BY month
-- 288 rows a day; read whole.
ORDER BY arrival
TTL stored_at + toIntervalDay({flows_days})
SETTINGS fsync_after_insert = {fsync}, non_replicated_deduplication_window = 1000;
