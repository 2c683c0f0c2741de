//! What the configuration wants of the command line, where that is not there.

use std::net::SocketAddr;
use std::path::PathBuf;

/// See `src/cli/mod.rs`.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConfigArgs {
    pub(crate) config: Option<PathBuf>,
    pub(crate) data_dir: Option<PathBuf>,
    pub(crate) listen: Vec<SocketAddr>,
    pub(crate) http: Option<SocketAddr>,
    pub(crate) i_know_there_is_no_sign_on: bool,
}
