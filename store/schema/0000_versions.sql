-- Applied at every start, before anything is known of the database. The rest of the files are applied once, in order.
CREATE DATABASE IF NOT EXISTS {database}{on_cluster};

-- Which of these files have been applied.
CREATE TABLE IF NOT EXISTS {database}.schema_versions{on_cluster}
(
    version UInt32,
    name String,
    applied_at DateTime('UTC') DEFAULT now()
)
ENGINE = {replicated}MergeTree
-- A handful of rows, read whole.
ORDER BY version;

-- Who writes under which name: one row for each process that does, renewed every few seconds; see `presence.rs`.
CREATE TABLE IF NOT EXISTS {database}.collectors{on_cluster}
(
    collector String,
    life String,
    place String,
    host String,
    begun_at DateTime64(9, 'UTC'),
    seen_at DateTime64(9, 'UTC') DEFAULT now64(9, 'UTC')
)
ENGINE = {replicated}ReplacingMergeTree(seen_at)
-- Asked for by name.
ORDER BY (collector, life)
TTL toDateTime(seen_at) + toIntervalDay(30);
