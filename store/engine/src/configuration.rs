//! The configuration files that the engine itself reads: memory, caches, durability, and what SQL may touch.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::config::ServeConfig;
use crate::error::EngineError;

/// What statements may do. No source of data outside the engine is in it (file, URL, remote, S3, executable, …), no
/// dictionary (its source could be one), no user administration, no `SYSTEM SHUTDOWN`. Backups are written to and read from
/// one folder beside the tables.
const GRANTS: [&str; 2] = [
    "SELECT, INSERT, ALTER, DROP, TRUNCATE, OPTIMIZE, SHOW, UNDROP TABLE, KILL QUERY, CREATE DATABASE, CREATE TABLE, \
     CREATE VIEW, CREATE TEMPORARY TABLE, CREATE ARBITRARY TEMPORARY TABLE, SYSTEM MERGES, \
     SYSTEM TTL MERGES, SYSTEM FLUSH, SYSTEM DROP CACHE, BACKUP ON *.*",
    "TABLE ENGINE ON MergeTree, TABLE ENGINE ON AggregatingMergeTree, TABLE ENGINE ON ReplacingMergeTree, \
     TABLE ENGINE ON SummingMergeTree, TABLE ENGINE ON CollapsingMergeTree, TABLE ENGINE ON \
     VersionedCollapsingMergeTree, TABLE ENGINE ON Memory, TABLE ENGINE ON Null, TABLE ENGINE ON Set, \
     TABLE ENGINE ON Join, TABLE ENGINE ON Buffer, TABLE ENGINE ON Merge, TABLE ENGINE ON Dictionary, \
     TABLE ENGINE ON MaterializedView, TABLE ENGINE ON View",
];

/// Where the engine's parts live below its data directory.
pub(crate) struct Layout {
    /// Tables.
    pub(crate) tables: PathBuf,
    /// The configuration file.
    pub(crate) configuration: PathBuf,
    users: PathBuf,
    files: PathBuf,
    /// Where `BACKUP` writes to and `RESTORE` reads from.
    backups: PathBuf,
    /// Locked by the running engine.
    pub(crate) lock: PathBuf,
}

impl Layout {
    pub(crate) fn new(data_dir: &Path) -> Self {
        Self {
            tables: data_dir.join("clickhouse"),
            configuration: data_dir.join("engine.xml"),
            users: data_dir.join("engine-users.xml"),
            files: data_dir.join("files"),
            backups: data_dir.join("backups"),
            lock: data_dir.join("engine.lock"),
        }
    }

    /// Makes the directories, closed to other users.
    ///
    /// # Errors
    ///
    /// [`EngineError::Io`], fatal.
    pub(crate) fn make(data_dir: &Path) -> Result<Self, EngineError> {
        let layout = Self::new(data_dir);
        for path in [data_dir, &layout.tables, &layout.files, &layout.backups] {
            fs::create_dir_all(path).map_err(EngineError::io("make the directory", path))?;
            fs::set_permissions(path, fs::Permissions::from_mode(0o700))
                .map_err(EngineError::io("close the directory", path))?;
        }
        Ok(layout)
    }

    /// Writes both files anew.
    ///
    /// # Errors
    ///
    /// [`EngineError::Io`] or [`EngineError::Path`], fatal.
    pub(crate) fn write(&self, config: &ServeConfig) -> Result<(), EngineError> {
        let users = plain(&self.users)?;
        let folders = [plain(&self.files)?, plain(&self.backups)?];
        let written = [
            (&self.configuration, server(config, users, folders)),
            (&self.users, user(config)),
        ];
        for (path, text) in written {
            fs::write(path, text).map_err(EngineError::io("write", path))?;
        }
        Ok(())
    }

    /// The arguments of the connection that starts the engine.
    ///
    /// # Errors
    ///
    /// [`EngineError::Path`], fatal.
    pub(crate) fn arguments(&self) -> Result<Vec<String>, EngineError> {
        Ok(vec![
            self.path_argument()?,
            format!("--config-file={}", plain(&self.configuration)?),
            "--log-level=error".to_owned(),
            "--logger.console=1".to_owned(),
        ])
    }

    /// The argument that every connection gives.
    ///
    /// # Errors
    ///
    /// [`EngineError::Path`], fatal.
    pub(crate) fn path_argument(&self) -> Result<String, EngineError> {
        Ok(format!("--path={}", plain(&self.tables)?))
    }
}

/// A path that needs no escapes in XML and on the engine's command line.
fn plain(path: &Path) -> Result<&str, EngineError> {
    let refuse = |reason| EngineError::Path {
        path: path.to_owned(),
        reason,
    };
    let text = path.to_str().ok_or_else(|| refuse("it is not UTF-8"))?;
    if !path.is_absolute() {
        return Err(refuse("it is not absolute"));
    }
    if text.contains(['<', '>', '&', '\n', '\0']) {
        return Err(refuse("it has a sign that is not allowed"));
    }
    Ok(text)
}

/// What the engine may allocate so that the process stays below `memory_max_octets`.
///
/// Measured with 26.7.3: 200 MB resident are the library's code and tables, and with [`ALLOCATOR`] some 15 MB more than
/// the engine counted, at 600 MB; 300 MB leave room for answers on their way.
fn tracked(config: &ServeConfig) -> u64 {
    const BESIDES: u64 = 300_000_000;
    const LEAST: u64 = 200_000_000;
    config.memory_max_octets.saturating_sub(BESIDES).max(LEAST)
}

/// The environment variable that the library's allocator reads when it is loaded, and its value.
///
/// Freed pages go back to the system after a tenth of a second instead of ten. Measured: four greedy statements at once
/// under a limit of 600 MB had 940 MB at the peak without it and 615 MB with it; inserts cost a tenth more CPU time.
pub(crate) const ALLOCATOR: (&str, &str) =
    ("JE_MALLOC_CONF", "dirty_decay_ms:100,muzzy_decay_ms:0");

/// Parts of this size stay for long, so they are made small (zstd); smaller ones, which are merged soon, are made quickly (LZ4).
const LASTING_PART_OCTETS: u64 = 8 << 20;

/// Merges take the time that inserts and questions leave: under load parts gather, and are merged later.
const MERGING_NICENESS: i32 = 15;

/// The server's file: memory and caches for a small neighbour of other processes, few background threads, and inserts
/// that are on disk when they are acknowledged.
///
/// Two loggers are silent: `executeQuery` repeats each exception, which the client gets, with a stack trace; and
/// `ThreadStatus` says "current_thread contains invalid address" at the end of every insert stream of 26.7.3, whose
/// thread had a status already, to no effect (24,000 requests, half of them failing, did not harm the process).
fn server(config: &ServeConfig, users: &str, [files, backups]: [&str; 2]) -> String {
    let memory = tracked(config);
    let threads = config.threads.max(1);
    format!(
        "<clickhouse>
    <users_config>{users}</users_config>
    <user_files_path>{files}/</user_files_path>
    <backups><allowed_path>{backups}/</allowed_path></backups>
    <allow_no_password>1</allow_no_password>
    <max_server_memory_usage>{memory}</max_server_memory_usage>
    <logger>
        <levels>
            <logger><name>executeQuery</name><level>none</level></logger>
            <logger><name>ThreadStatus</name><level>none</level></logger>
        </levels>
    </logger>
    <mark_cache_size>{marks}</mark_cache_size>
    <primary_index_cache_size>{marks}</primary_index_cache_size>
    <uncompressed_cache_size>8388608</uncompressed_cache_size>
    <index_mark_cache_size>8388608</index_mark_cache_size>
    <index_uncompressed_cache_size>8388608</index_uncompressed_cache_size>
    <mmap_cache_size>64</mmap_cache_size>
    <compiled_expression_cache_size>16777216</compiled_expression_cache_size>
    <max_thread_pool_size>400</max_thread_pool_size>
    <max_thread_pool_free_size>16</max_thread_pool_free_size>
    <background_pool_size>{threads}</background_pool_size>
    <os_threads_nice_value_merge_mutate>{merging}</os_threads_nice_value_merge_mutate>
    <background_schedule_pool_size>8</background_schedule_pool_size>
    <background_common_pool_size>2</background_common_pool_size>
    <background_move_pool_size>1</background_move_pool_size>
    <background_fetches_pool_size>1</background_fetches_pool_size>
    <compression>
        <case>
            <min_part_size>{lasting}</min_part_size>
            <min_part_size_ratio>0</min_part_size_ratio>
            <method>zstd</method>
            <level>3</level>
        </case>
    </compression>
    <merge_tree>
        <fsync_after_insert>1</fsync_after_insert>
        <min_compressed_bytes_to_fsync_after_merge>1</min_compressed_bytes_to_fsync_after_merge>
        <min_columns_to_activate_adaptive_write_buffer>1</min_columns_to_activate_adaptive_write_buffer>
        <auto_statistics_types></auto_statistics_types>
        <number_of_free_entries_in_pool_to_execute_mutation>1</number_of_free_entries_in_pool_to_execute_mutation>
        <number_of_free_entries_in_pool_to_lower_max_size_of_merge>1</number_of_free_entries_in_pool_to_lower_max_size_of_merge>
        <number_of_free_entries_in_pool_to_execute_optimize_entire_partition>1</number_of_free_entries_in_pool_to_execute_optimize_entire_partition>
    </merge_tree>
</clickhouse>
",
        marks = memory / 16,
        lasting = LASTING_PART_OCTETS,
        merging = MERGING_NICENESS,
    )
}

/// The only user: its defaults and its grants.
///
/// `async_insert` is off because an acknowledged insert must be stored, not queued.
fn user(config: &ServeConfig) -> String {
    let statement_memory = tracked(config) / 2;
    let grants: String = GRANTS
        .iter()
        .map(|grant| format!("                <query>GRANT {grant}</query>\n"))
        .collect();
    format!(
        "<clickhouse>
    <profiles>
        <default>
            <max_threads>{threads}</max_threads>
            <max_insert_threads>1</max_insert_threads>
            <max_memory_usage>{statement_memory}</max_memory_usage>
            <max_bytes_before_external_group_by>{spill}</max_bytes_before_external_group_by>
            <max_bytes_before_external_sort>{spill}</max_bytes_before_external_sort>
            <max_execution_time>{seconds}</max_execution_time>
            <max_result_bytes>{spill}</max_result_bytes>
            <async_insert>0</async_insert>
            <fsync_metadata>1</fsync_metadata>
            <log_queries>0</log_queries>
        </default>
    </profiles>
    <users>
        <default>
            <password></password>
            <networks><ip>::/0</ip></networks>
            <profile>default</profile>
            <quota>default</quota>
            <grants>
{grants}            </grants>
        </default>
    </users>
    <quotas><default></default></quotas>
</clickhouse>
",
        threads = config.threads.max(1),
        spill = statement_memory / 2,
        seconds = config.query_time_max.as_secs(),
    )
}
