//! Databases of versions 1 to 5, whose table of flows had a column for everything, another order, and rollups as views.
//!
//! The embedded engine's is taken over whole: its database is set aside under another name, the tables of today are made, and the
//! rows are brought in. Nobody else writes there, and nothing is inserted before this is done, so whatever breaks, it is done
//! again from the start. On a server others may write meanwhile; there it is refused.

use crate::config::{Engine, Retention};
use crate::error::StoreError;
use crate::rare::{RARE_ADDRESSES, RARE_NUMBERS};
use crate::schema::{Names, retention};
use crate::sql::Sql;

/// The last of those versions.
const LAST: u32 = 5;

/// Whether a database of this version has such tables.
pub(crate) fn is_older(version: u32) -> bool {
    (1..=LAST).contains(&version)
}

/// The name under which such a database is set aside.
pub(crate) fn aside(database: &str) -> String {
    format!("{database}_of_version_{LAST}")
}

/// Renames the database, so that a new one can be made.
///
/// # Errors
///
/// [`StoreError::SchemaTooOld`] on a server. Else the store's trouble.
pub(crate) async fn set_aside(
    client: &clickhouse::Client,
    names: &Names,
    found: u32,
) -> Result<(), StoreError> {
    if names.engine != Engine::Embedded {
        return Err(StoreError::SchemaTooOld { found });
    }
    let (database, aside) = (&names.database, aside(&names.database));
    let rename = format!("RENAME DATABASE {database} TO {aside}");
    client.query_raw(&rename).execute().await?;
    tracing::info!(
        schema.version = found,
        aside,
        "an older database is set aside"
    );
    Ok(())
}

/// Brings the rows of a database that was set aside into the tables of today.
///
/// # Errors
///
/// The store's trouble: do it again.
pub(crate) async fn take_over(
    client: &clickhouse::Client,
    names: &Names,
) -> Result<(), StoreError> {
    let (database, aside) = (&names.database, aside(&names.database));
    if names.engine != Engine::Embedded || !exists(client, &aside).await? {
        return Ok(());
    }
    for (table, _) in retention(&Retention::default()) {
        let empty = format!("TRUNCATE TABLE {database}.{table}");
        client.query_raw(&empty).execute().await?;
        client
            .query_raw(&bring(database, &aside, table))
            .execute()
            .await?;
    }
    Ok(())
}

/// Removes what was taken over, when it is on disk.
///
/// # Errors
///
/// The store's trouble: take it over again.
pub(crate) async fn remove(client: &clickhouse::Client, names: &Names) -> Result<(), StoreError> {
    let aside = aside(&names.database);
    if names.engine == Engine::Embedded && exists(client, &aside).await? {
        let remove = format!("DROP DATABASE {aside} SYNC");
        client.query_raw(&remove).execute().await?;
        tracing::info!(aside, "its rows were taken over");
    }
    Ok(())
}

/// Whether there is a database that was set aside.
pub(crate) async fn exists(client: &clickhouse::Client, aside: &str) -> Result<bool, StoreError> {
    let sql = Sql::with("SELECT count() FROM system.databases WHERE name = ?", aside);
    Ok(sql.query(client).fetch_one::<u64>().await? > 0)
}

/// The statement for one table. All but that of flows are as they were: their parts are taken as they lie, past all views.
fn bring(database: &str, aside: &str, table: &str) -> String {
    if table != "flows" {
        return format!("ALTER TABLE {database}.{table} ATTACH PARTITION ALL FROM {aside}.{table}");
    }
    let pairs = |columns: &[&str], value: &dyn Fn(&str) -> String| {
        let each: Vec<String> = columns
            .iter()
            .map(|name| format!("('{name}', {})", value(name)))
            .collect();
        let each = each.join(", ");
        format!(
            "arrayMap(pair -> (pair.1, assumeNotNull(pair.2)), arrayFilter(pair -> pair.2 IS NOT NULL, [{each}]))"
        )
    };
    let number = |name: &str| match name {
        "reverse_start" | "reverse_end" => format!("toUInt64(toUnixTimestamp64Nano({name}))"),
        _ => format!("toUInt64({name})"),
    };
    let made = [
        (
            "rare_numbers",
            format!(
                "CAST({}, 'Map(String, UInt64)')",
                pairs(RARE_NUMBERS, &number)
            ),
        ),
        (
            "rare_addresses",
            format!(
                "CAST({}, 'Map(String, IPv6)')",
                pairs(RARE_ADDRESSES, &str::to_owned)
            ),
        ),
        (
            "start_boot_ms",
            "toUnixTimestamp64Milli(begins_at) - start_uptime_ms".to_owned(),
        ),
        (
            "end_boot_ms",
            "toUnixTimestamp64Milli(ends_at) - end_uptime_ms".to_owned(),
        ),
    ];
    let (names, values): (Vec<&str>, Vec<String>) = made.into_iter().unzip();
    format!(
        "INSERT INTO {database}.flows ({SAME}, {})\nSELECT {SAME}, {}\nFROM {aside}.flows\n\
         SETTINGS max_execution_time = 0, max_partitions_per_insert_block = 0, max_insert_block_size = 65536",
        names.join(", "),
        values.join(",\n    "),
    )
}

/// Columns of `flows` that were the same.
const SAME: &str = "received_at, stored_at, collector, tape_segment, tape_offset, record_offset, feed, exporter, domain, \
     version, template, begins_at, ends_at, has_start, has_end, time_kind, time_quality, client_addr, server_addr, \
     client_port, server_port, protocol, tcp_flags, tos, octets, packets, reverse_octets, reverse_packets, counter_kind, \
     sampling_interval, sampling_source, in_interface, out_interface, next_hop, src_as, dst_as, src_mask, dst_mask, vlan, \
     direction, end_reason, measures, extras, src_is_client, client_evidence, accounting, application, application_source, \
     client_site, server_site, exporter_name, in_interface_name, out_interface_name, exporter_application, in_vrf_name";
