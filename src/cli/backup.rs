//! `flowreel backup` and `flowreel restore`.

use std::path::Path;

use anyhow::Result;
use store::config::Engine;

use super::{BackupArgs, RestoreArgs};
use crate::backup::{self, Manifest};
use crate::config::Config;
use crate::output::{print_text, si};

/// Takes a backup, or looks whether one is whole.
pub(crate) fn back_up(args: &BackupArgs) -> Result<()> {
    crate::config::keep_private();
    if args.verify {
        let manifest = Manifest::read(&args.folder)?;
        manifest.verify(&args.folder)?;
        return print_text(format!("{}, and is whole\n", said(&args.folder, &manifest)));
    }
    let config = Config::load(&args.config)?;
    crate::telemetry::start(&quiet(&config))?;
    let taken = super::serve::runtime()?.block_on(backup::back_up(&config, &args.folder));
    let manifest = taken?;
    let mut text = format!("{}\n", said(&args.folder, &manifest));
    if config.store.engine == Engine::Clickhouse {
        text += "  the store is a ClickHouse server: back it up by its own means, before this or after it\n";
    }
    print_text(text)
}

/// Makes a data directory from a backup.
pub(crate) fn restore(args: &RestoreArgs) -> Result<()> {
    crate::config::keep_private();
    let config = Config::load(&args.config)?;
    crate::telemetry::start(&quiet(&config))?;
    let restored = super::serve::runtime()?.block_on(backup::restore(&config, &args.folder));
    let manifest = restored?;
    let data_dir = config.data_dir.display();
    let mut text = format!(
        "{} is in {data_dir}\n  tape, catalog, checkpoint",
        said(&args.folder, &manifest)
    );
    text += match config.store.engine {
        Engine::Embedded => " and store are restored",
        _ => " are restored; the store is to be as it was then, or later, by its own means",
    };
    text += "; the first start compares the store with the tape\n";
    text += &format!(
        "  start it with: flowreel serve --data-dir {data_dir}; its configuration was {}\n",
        args.folder.join("flowreel.toml").display()
    );
    print_text(text)
}

fn said(folder: &Path, manifest: &Manifest) -> String {
    let (files, octets) = manifest.size();
    format!(
        "{}: what Flowreel {} had at {}, {files} files of {}octets",
        folder.display(),
        manifest.program,
        manifest.taken_at,
        si(super::ask::approximate(octets)) + " ",
    )
}

/// Only what goes wrong is told beside the answer.
fn quiet(config: &Config) -> crate::config::LogConfig {
    crate::config::LogConfig {
        level: "warn".to_owned(),
        ..config.log.clone()
    }
}
