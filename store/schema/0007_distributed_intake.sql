-- only: cluster
-- What the writer now inserts by itself needs a way to its shard: the same rows take the same way when they come again, so
-- that the shard knows their token. Sums of one bucket meet on one shard, where merges make them one row.
CREATE TABLE IF NOT EXISTS {database}.traffic_intake{on_cluster} AS {database}.traffic_intake_local
ENGINE = Distributed({cluster}, {database}, traffic_intake_local, cityHash64(bucket));

CREATE TABLE IF NOT EXISTS {database}.interfaces_intake{on_cluster} AS {database}.interfaces_intake_local
ENGINE = Distributed({cluster}, {database}, interfaces_intake_local, cityHash64(bucket));

DROP TABLE IF EXISTS {database}.extents{on_cluster} SYNC;
CREATE TABLE {database}.extents{on_cluster} AS {database}.extents_local
ENGINE = Distributed({cluster}, {database}, extents_local, cityHash64(arrival));

DROP TABLE IF EXISTS {database}.long_flows{on_cluster} SYNC;
CREATE TABLE {database}.long_flows{on_cluster} AS {database}.long_flows_local
ENGINE = Distributed({cluster}, {database}, long_flows_local, cityHash64(received_at));

-- Its columns are a copy of what they were.
ALTER TABLE {database}.flows{on_cluster} MODIFY COLUMN measures Map(String, UInt64);
ALTER TABLE {database}.flows{on_cluster} MODIFY COLUMN extras Map(String, String);
