-- The writer sums up a batch itself (`src/rollup`) and hands the sums to tables that keep nothing: their views give each
-- width its rows, with the clients as a set. Reading every flow again for each rollup was half of an insert's cost.
DROP VIEW IF EXISTS {database}.long_flows_feed{on_cluster} SYNC;
DROP VIEW IF EXISTS {database}.extents_feed{on_cluster} SYNC;
DROP VIEW IF EXISTS {database}.traffic_10s_feed{on_cluster} SYNC;
DROP VIEW IF EXISTS {database}.traffic_1m_feed{on_cluster} SYNC;
DROP VIEW IF EXISTS {database}.interfaces_10s_feed{on_cluster} SYNC;
DROP VIEW IF EXISTS {database}.interfaces_1m_feed{on_cluster} SYNC;

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

-- A map of LowCardinality keys costs an insert 0.6 CPU-seconds per million rows, empty or not (26.7); of plain keys, next to nothing.
ALTER TABLE {database}.flows{local}{on_cluster} MODIFY COLUMN measures Map(String, UInt64);
ALTER TABLE {database}.flows{local}{on_cluster} MODIFY COLUMN extras Map(String, String);

-- What is used for `Default` goes by the size of a part (`compression` in the engine's configuration): quick for what was just
-- inserted and is about to be merged, small for what stays.
ALTER TABLE {database}.flows{local}{on_cluster}
    MODIFY COLUMN received_at CODEC(Delta, Default),
    MODIFY COLUMN stored_at CODEC(Delta, Default),
    MODIFY COLUMN tape_segment CODEC(T64, Default),
    MODIFY COLUMN tape_offset CODEC(T64, Default),
    MODIFY COLUMN record_offset CODEC(T64, Default),
    MODIFY COLUMN feed CODEC(T64, Default),
    MODIFY COLUMN exporter CODEC(Default),
    MODIFY COLUMN domain CODEC(T64, Default),
    MODIFY COLUMN version CODEC(Default),
    MODIFY COLUMN template CODEC(Default),
    MODIFY COLUMN begins_at CODEC(GCD, Default),
    MODIFY COLUMN ends_at CODEC(GCD, Default),
    MODIFY COLUMN has_start CODEC(Default),
    MODIFY COLUMN has_end CODEC(Default),
    MODIFY COLUMN time_kind CODEC(Default),
    MODIFY COLUMN time_quality CODEC(Default),
    MODIFY COLUMN start_uptime_ms CODEC(T64, Default),
    MODIFY COLUMN end_uptime_ms CODEC(T64, Default),
    MODIFY COLUMN reverse_start CODEC(GCD, Default),
    MODIFY COLUMN reverse_end CODEC(GCD, Default),
    MODIFY COLUMN client_addr CODEC(Default),
    MODIFY COLUMN server_addr CODEC(Default),
    MODIFY COLUMN client_port CODEC(Default),
    MODIFY COLUMN server_port CODEC(Default),
    MODIFY COLUMN protocol CODEC(Default),
    MODIFY COLUMN tcp_flags CODEC(Default),
    MODIFY COLUMN reverse_tcp_flags CODEC(Default),
    MODIFY COLUMN icmp_type_code CODEC(Default),
    MODIFY COLUMN tos CODEC(Default),
    MODIFY COLUMN octets CODEC(T64, Default),
    MODIFY COLUMN packets CODEC(T64, Default),
    MODIFY COLUMN reverse_octets CODEC(T64, Default),
    MODIFY COLUMN reverse_packets CODEC(T64, Default),
    MODIFY COLUMN counter_kind CODEC(Default),
    MODIFY COLUMN sampling_interval CODEC(T64, Default),
    MODIFY COLUMN sampling_source CODEC(Default),
    MODIFY COLUMN in_interface CODEC(T64, Default),
    MODIFY COLUMN out_interface CODEC(T64, Default),
    MODIFY COLUMN next_hop CODEC(Default),
    MODIFY COLUMN bgp_next_hop CODEC(Default),
    MODIFY COLUMN src_as CODEC(T64, Default),
    MODIFY COLUMN dst_as CODEC(T64, Default),
    MODIFY COLUMN src_mask CODEC(Default),
    MODIFY COLUMN dst_mask CODEC(Default),
    MODIFY COLUMN vlan CODEC(Default),
    MODIFY COLUMN post_vlan CODEC(Default),
    MODIFY COLUMN src_mac CODEC(T64, Default),
    MODIFY COLUMN dst_mac CODEC(T64, Default),
    MODIFY COLUMN direction CODEC(Default),
    MODIFY COLUMN biflow_direction CODEC(Default),
    MODIFY COLUMN end_reason CODEC(Default),
    MODIFY COLUMN min_ttl CODEC(Default),
    MODIFY COLUMN max_ttl CODEC(Default),
    MODIFY COLUMN forwarding_status CODEC(Default),
    MODIFY COLUMN firewall_event CODEC(Default),
    MODIFY COLUMN nat_event CODEC(Default),
    MODIFY COLUMN nat_src_addr CODEC(Default),
    MODIFY COLUMN nat_dst_addr CODEC(Default),
    MODIFY COLUMN nat_src_port CODEC(Default),
    MODIFY COLUMN nat_dst_port CODEC(Default),
    MODIFY COLUMN vni CODEC(T64, Default),
    MODIFY COLUMN inner_src_addr CODEC(Default),
    MODIFY COLUMN inner_dst_addr CODEC(Default),
    MODIFY COLUMN inner_src_port CODEC(Default),
    MODIFY COLUMN inner_dst_port CODEC(Default),
    MODIFY COLUMN inner_protocol CODEC(Default),
    MODIFY COLUMN in_vrf CODEC(T64, Default),
    MODIFY COLUMN out_vrf CODEC(T64, Default),
    MODIFY COLUMN mpls_label CODEC(T64, Default),
    MODIFY COLUMN flow_label CODEC(T64, Default),
    MODIFY COLUMN flow_id CODEC(T64, Default),
    MODIFY COLUMN dropped_octets CODEC(T64, Default),
    MODIFY COLUMN dropped_packets CODEC(T64, Default),
    MODIFY COLUMN exporter_application_id CODEC(T64, Default),
    MODIFY COLUMN src_is_client CODEC(Default),
    MODIFY COLUMN client_evidence CODEC(Default),
    MODIFY COLUMN accounting CODEC(Default),
    MODIFY COLUMN application CODEC(Default),
    MODIFY COLUMN application_source CODEC(Default),
    MODIFY COLUMN client_site CODEC(Default),
    MODIFY COLUMN server_site CODEC(Default),
    MODIFY COLUMN exporter_name CODEC(Default),
    MODIFY COLUMN in_interface_name CODEC(Default),
    MODIFY COLUMN out_interface_name CODEC(Default),
    MODIFY COLUMN exporter_application CODEC(Default),
    MODIFY COLUMN in_vrf_name CODEC(Default),
    MODIFY COLUMN measures CODEC(Default),
    MODIFY COLUMN extras CODEC(Default);
