-- Traffic by application and sites, in buckets of 10 seconds, a minute and an hour of event time: what most pages show.
-- Only accounting rows: a conversation that three exporters saw counts once.
--
-- In each: octets and packets by pro rating, `flows` that are alive in the bucket, `begun` in it, and who the clients
-- were. `day` is the day of arrival; it is the same for all rows of a partition, or of no interest.

CREATE TABLE IF NOT EXISTS {database}.traffic_10s{local}{on_cluster}
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
ENGINE = {replicated}AggregatingMergeTree
PARTITION BY day
-- A stretch of time is all that questions of a rollup have in common; the rest is small.
ORDER BY (bucket, application, client_site, server_site, feed)
TTL stored_at + toIntervalDay({traffic_10s_days})
SETTINGS allow_nullable_key = 1, ttl_only_drop_parts = 1, fsync_after_insert = {fsync}, non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS {database}.traffic_1m{local}{on_cluster}
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
ENGINE = {replicated}AggregatingMergeTree
PARTITION BY toStartOfMonth(day)
-- As above.
ORDER BY (bucket, application, client_site, server_site, feed)
TTL stored_at + toIntervalDay({traffic_1m_days})
SETTINGS allow_nullable_key = 1, ttl_only_drop_parts = 1, fsync_after_insert = {fsync}, non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS {database}.traffic_1h{local}{on_cluster}
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
ENGINE = {replicated}AggregatingMergeTree
PARTITION BY toStartOfMonth(day)
-- As above.
ORDER BY (bucket, application, client_site, server_site, feed)
TTL stored_at + toIntervalDay({traffic_1h_days})
SETTINGS allow_nullable_key = 1, ttl_only_drop_parts = 1, fsync_after_insert = {fsync}, non_replicated_deduplication_window = 1000;

-- What the writer sums up of a batch (`src/rollup`). Nothing stays here: the views give each width its rows, with the clients as a
-- set.
CREATE TABLE IF NOT EXISTS {database}.traffic_intake{local}{on_cluster}
(
    -- Seconds of the bucket: 10 or 60. The hours come from the minutes.
    width UInt16,
    bucket DateTime64(0, 'UTC'),
    feed UInt32,
    application LowCardinality(String),
    client_site LowCardinality(String),
    server_site LowCardinality(String),
    day Date,
    octets UInt64,
    packets UInt64,
    flows UInt64,
    begun UInt64,
    -- Each once.
    clients Array(Nullable(IPv6)),
    stored_at DateTime('UTC')
)
ENGINE = Null;

CREATE MATERIALIZED VIEW IF NOT EXISTS {database}.traffic_10s_feed{on_cluster} TO {database}.traffic_10s{local} AS
SELECT bucket, feed, application, client_site, server_site, day, octets, packets, flows, begun,
    arrayReduce('uniqCombined64State', traffic_intake{local}.clients) AS clients,
    stored_at
FROM {database}.traffic_intake{local}
WHERE width = 10;

CREATE MATERIALIZED VIEW IF NOT EXISTS {database}.traffic_1m_feed{on_cluster} TO {database}.traffic_1m{local} AS
SELECT bucket, feed, application, client_site, server_site, day, octets, packets, flows, begun,
    arrayReduce('uniqCombined64State', traffic_intake{local}.clients) AS clients,
    stored_at
FROM {database}.traffic_intake{local}
WHERE width = 60;

-- From the minutes: a flow that reaches into an hour is in its first minute, one that begins in it has begun in some.
CREATE MATERIALIZED VIEW IF NOT EXISTS {database}.traffic_1h_feed{on_cluster} TO {database}.traffic_1h{local} AS
SELECT
    toDateTime64(toStartOfInterval(traffic_1m{local}.bucket, INTERVAL 1 HOUR, 'UTC'), 0, 'UTC') AS bucket,
    feed, application, client_site, server_site,
    day,
    sum(traffic_1m{local}.octets) AS octets,
    sum(traffic_1m{local}.packets) AS packets,
    sum(if(traffic_1m{local}.bucket = toStartOfInterval(traffic_1m{local}.bucket, INTERVAL 1 HOUR, 'UTC'), traffic_1m{local}.flows, traffic_1m{local}.begun)) AS flows,
    sum(traffic_1m{local}.begun) AS begun,
    uniqCombined64MergeState(traffic_1m{local}.clients) AS clients,
    max(traffic_1m{local}.stored_at) AS stored_at
FROM {database}.traffic_1m{local}
GROUP BY bucket, feed, application, client_site, server_site, day;
