-- only: cluster
-- In a cluster every name that questions use is a Distributed table over the shards' own. A batch is one shard's:
-- its rows share the collector and nearly always the segment, so its token still names one block.
CREATE TABLE IF NOT EXISTS {database}.flows{on_cluster} AS {database}.flows_local
ENGINE = Distributed({cluster}, {database}, flows_local, cityHash64(collector, tape_segment));

CREATE TABLE IF NOT EXISTS {database}.long_flows{on_cluster} AS {database}.long_flows_local
ENGINE = Distributed({cluster}, {database}, long_flows_local, cityHash64(received_at));

CREATE TABLE IF NOT EXISTS {database}.extents{on_cluster} AS {database}.extents_local
ENGINE = Distributed({cluster}, {database}, extents_local, cityHash64(arrival));

CREATE TABLE IF NOT EXISTS {database}.traffic_10s{on_cluster} AS {database}.traffic_10s_local
ENGINE = Distributed({cluster}, {database}, traffic_10s_local);

CREATE TABLE IF NOT EXISTS {database}.traffic_1m{on_cluster} AS {database}.traffic_1m_local
ENGINE = Distributed({cluster}, {database}, traffic_1m_local);

CREATE TABLE IF NOT EXISTS {database}.traffic_1h{on_cluster} AS {database}.traffic_1h_local
ENGINE = Distributed({cluster}, {database}, traffic_1h_local);

CREATE TABLE IF NOT EXISTS {database}.interfaces_10s{on_cluster} AS {database}.interfaces_10s_local
ENGINE = Distributed({cluster}, {database}, interfaces_10s_local);

CREATE TABLE IF NOT EXISTS {database}.interfaces_1m{on_cluster} AS {database}.interfaces_1m_local
ENGINE = Distributed({cluster}, {database}, interfaces_1m_local);

CREATE TABLE IF NOT EXISTS {database}.interfaces_1h{on_cluster} AS {database}.interfaces_1h_local
ENGINE = Distributed({cluster}, {database}, interfaces_1h_local);

-- The same rows take the same way when they come again, so that the shard knows their token. Sums of one bucket meet on one
-- shard, where merges make them one row.
CREATE TABLE IF NOT EXISTS {database}.traffic_intake{on_cluster} AS {database}.traffic_intake_local
ENGINE = Distributed({cluster}, {database}, traffic_intake_local, cityHash64(bucket));

CREATE TABLE IF NOT EXISTS {database}.interfaces_intake{on_cluster} AS {database}.interfaces_intake_local
ENGINE = Distributed({cluster}, {database}, interfaces_intake_local, cityHash64(bucket));
