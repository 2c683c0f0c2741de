-- Traffic by exporter and interface. Every row counts: what passed an interface passed it, whoever else saw it too.
-- Columns as in the traffic tables.

CREATE TABLE IF NOT EXISTS {database}.interfaces_10s{local}{on_cluster}
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
ENGINE = {replicated}AggregatingMergeTree
PARTITION BY day
-- Time first, as everywhere; then an exporter's rows together, since a page about interfaces is about one exporter.
ORDER BY (bucket, exporter, in_interface, out_interface, exporter_name, in_interface_name, out_interface_name, feed)
TTL stored_at + toIntervalDay({traffic_10s_days})
SETTINGS allow_nullable_key = 1, ttl_only_drop_parts = 1, fsync_after_insert = {fsync}, non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS {database}.interfaces_1m{local}{on_cluster}
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
ENGINE = {replicated}AggregatingMergeTree
PARTITION BY toStartOfMonth(day)
-- As above.
ORDER BY (bucket, exporter, in_interface, out_interface, exporter_name, in_interface_name, out_interface_name, feed)
TTL stored_at + toIntervalDay({traffic_1m_days})
SETTINGS allow_nullable_key = 1, ttl_only_drop_parts = 1, fsync_after_insert = {fsync}, non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS {database}.interfaces_1h{local}{on_cluster}
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
ENGINE = {replicated}AggregatingMergeTree
PARTITION BY toStartOfMonth(day)
-- As above.
ORDER BY (bucket, exporter, in_interface, out_interface, exporter_name, in_interface_name, out_interface_name, feed)
TTL stored_at + toIntervalDay({traffic_1h_days})
SETTINGS allow_nullable_key = 1, ttl_only_drop_parts = 1, fsync_after_insert = {fsync}, non_replicated_deduplication_window = 1000;

-- What the writer sums up of a batch (`src/rollup`). Nothing stays here: the views give each width its rows, with the clients as a
-- set.
CREATE TABLE IF NOT EXISTS {database}.interfaces_intake{local}{on_cluster}
(
    width UInt16,
    bucket DateTime64(0, 'UTC'),
    feed UInt32,
    exporter IPv6,
    exporter_name LowCardinality(String),
    in_interface Nullable(UInt32),
    in_interface_name LowCardinality(String),
    out_interface Nullable(UInt32),
    out_interface_name LowCardinality(String),
    day Date,
    octets UInt64,
    packets UInt64,
    flows UInt64,
    begun UInt64,
    clients Array(Nullable(IPv6)),
    stored_at DateTime('UTC')
)
ENGINE = Null;

CREATE MATERIALIZED VIEW IF NOT EXISTS {database}.interfaces_10s_feed{on_cluster} TO {database}.interfaces_10s{local} AS
SELECT bucket, feed, exporter, exporter_name, in_interface, in_interface_name, out_interface, out_interface_name, day,
    octets, packets, flows, begun,
    arrayReduce('uniqCombined64State', interfaces_intake{local}.clients) AS clients,
    stored_at
FROM {database}.interfaces_intake{local}
WHERE width = 10;

CREATE MATERIALIZED VIEW IF NOT EXISTS {database}.interfaces_1m_feed{on_cluster} TO {database}.interfaces_1m{local} AS
SELECT bucket, feed, exporter, exporter_name, in_interface, in_interface_name, out_interface, out_interface_name, day,
    octets, packets, flows, begun,
    arrayReduce('uniqCombined64State', interfaces_intake{local}.clients) AS clients,
    stored_at
FROM {database}.interfaces_intake{local}
WHERE width = 60;

-- From the minutes: a flow that reaches into an hour is in its first minute, one that begins in it has begun in some.
CREATE MATERIALIZED VIEW IF NOT EXISTS {database}.interfaces_1h_feed{on_cluster} TO {database}.interfaces_1h{local} AS
SELECT
    toDateTime64(toStartOfInterval(interfaces_1m{local}.bucket, INTERVAL 1 HOUR, 'UTC'), 0, 'UTC') AS bucket,
    feed, exporter, exporter_name, in_interface, in_interface_name, out_interface, out_interface_name,
    day,
    sum(interfaces_1m{local}.octets) AS octets,
    sum(interfaces_1m{local}.packets) AS packets,
    sum(if(interfaces_1m{local}.bucket = toStartOfInterval(interfaces_1m{local}.bucket, INTERVAL 1 HOUR, 'UTC'), interfaces_1m{local}.flows, interfaces_1m{local}.begun)) AS flows,
    sum(interfaces_1m{local}.begun) AS begun,
    uniqCombined64MergeState(interfaces_1m{local}.clients) AS clients,
    max(interfaces_1m{local}.stored_at) AS stored_at
FROM {database}.interfaces_1m{local}
GROUP BY bucket, feed, exporter, exporter_name, in_interface, in_interface_name, out_interface, out_interface_name, day;
