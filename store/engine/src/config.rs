//! How the engine's process and its supervisor are set up.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// Settings of the engine's process.
#[derive(Clone, Debug)]
pub struct ServeConfig {
    /// The engine library; see [`crate::locate`].
    pub library: PathBuf,
    /// The engine's own directory; made if missing, closed to other users.
    pub data_dir: PathBuf,
    /// The Unix socket that answers the ClickHouse HTTP interface; closed to other users. At most 107 octets long.
    pub socket: PathBuf,
    /// What the process may have resident in all. The library's own pages take some 200 MB of it; one statement may take
    /// half of what is left. At least 500 MB.
    pub memory_max_octets: u64,
    /// Threads of one statement, and of merging.
    pub threads: usize,
    /// Statements that run at once, inserts not counted; four times as many may wait, more are refused with code 202.
    pub queries_max: usize,
    /// Inserts that run at once; four times as many may wait, more are refused with code 202.
    pub inserts_max: usize,
    /// Octets of a statement.
    pub query_octets_max: usize,
    /// Octets of an insert's data.
    pub insert_octets_max: u64,
    /// How long a statement may run unless it sets `max_execution_time` itself.
    pub query_time_max: Duration,
    /// Whether the end of standard input means that the parent is gone, so that the process ends as on SIGTERM.
    pub ends_with_stdin: bool,
}

impl ServeConfig {
    /// A set-up for one machine: 1 GB, two threads, four queries and two inserts at once, one minute for a query.
    pub fn new(library: PathBuf, data_dir: PathBuf, socket: PathBuf) -> Self {
        Self {
            library,
            data_dir,
            socket,
            memory_max_octets: 1_000_000_000,
            threads: 2,
            queries_max: 4,
            inserts_max: 2,
            query_octets_max: 4 << 20,
            insert_octets_max: 1 << 30,
            query_time_max: Duration::from_secs(60),
            ends_with_stdin: true,
        }
    }
}

/// Settings of the supervisor.
#[derive(Clone, Debug)]
pub struct SupervisorConfig {
    /// The program that calls [`crate::serve`], usually this one.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// The socket that the child answers on.
    pub socket: PathBuf,
    /// Between two looks at the child.
    pub ping_every: Duration,
    /// How long one answer may take.
    pub ping_wait_max: Duration,
    /// Looks without an answer until the child is killed.
    pub pings_missed_max: u32,
    /// How long a child may take until its first answer.
    pub start_wait_max: Duration,
    /// How long a child may take to end after SIGTERM; then it is killed.
    pub stop_wait_max: Duration,
    /// The longest pause before a child is started again; the first is a tenth of a second, and it doubles.
    pub restart_pause_max: Duration,
}

impl SupervisorConfig {
    /// Looks every second, kills after three answers of more than five seconds, and restarts at once.
    pub fn new(program: PathBuf, arguments: Vec<OsString>, socket: PathBuf) -> Self {
        Self {
            program,
            arguments,
            socket,
            ping_every: Duration::from_secs(1),
            ping_wait_max: Duration::from_secs(5),
            pings_missed_max: 3,
            start_wait_max: Duration::from_secs(60),
            stop_wait_max: Duration::from_secs(5),
            restart_pause_max: Duration::from_secs(10),
        }
    }
}
