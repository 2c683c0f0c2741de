//! `flowreel audit`: whether the log of what people did is as it was written.

use anyhow::{Result, bail};
use store::catalog::Catalog;

use super::ConfigArgs;
use crate::config::Config;
use crate::output::print_text;

/// Reads all of it, and fails if something is wrong.
pub(crate) fn check(args: &ConfigArgs) -> Result<()> {
    crate::config::keep_private();
    let config = Config::load(args)?;
    let path = config.path("catalog.db");
    if !path.is_file() {
        bail!(
            "{}: there is no catalog; name its data directory with --data-dir",
            path.display()
        );
    }
    let found = super::serve::runtime()?.block_on(async {
        let catalog = Catalog::open(&path).await?;
        let found = catalog.check_audit().await;
        catalog.close().await;
        found
    })?;
    if let Some(broken) = found.broken {
        bail!("the audit log was changed: {broken}");
    }
    print_text(format!(
        "the audit log is as it was written: {} entries, the last is {} with digest\n{}\n",
        found.entries, found.last, found.digest
    ))
}
