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
