//! `flowreel import`: capture files into a running server, or into a data directory.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use api::plant::{ImportState, ImportStatus, Plant as _};
use indicatif::{ProgressBar, ProgressStyle};

use super::ask::Server;
use super::{ConfigArgs, ImportArgs};
use crate::config::Config;
use crate::output::{print_text, printable};

/// Between two looks how far an import is.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Imports each file in turn; the first that fails ends it.
pub(crate) fn import(args: &ImportArgs) -> Result<()> {
    for path in &args.files {
        let size = path
            .metadata()
            .with_context(|| path.display().to_string())?;
        if size.is_dir() {
            bail!(
                "{}: is a folder; name the capture files in it",
                path.display()
            );
        }
    }
    match &args.data_dir {
        Some(folder) => into_folder(args, folder),
        None => {
            let server = Server::new(&args.server)?;
            args.files
                .iter()
                .try_for_each(|path| into_server(&server, path))
        }
    }
}

fn into_server(server: &Server, path: &Path) -> Result<()> {
    let size = path.metadata()?.len();
    let bar = progress_bar(path, size);
    let file = File::open(path).with_context(|| path.display().to_string())?;
    let mut body = bar.wrap_read(file);
    let name = ("name", Some(file_name(path)));
    let body = ureq::SendBody::from_reader(&mut body as &mut dyn Read);
    let status: ImportStatus = server
        .post("/api/v1/imports", &[name], body)
        .with_context(|| path.display().to_string())?;
    let at = format!("/api/v1/imports/{}", status.feed);
    let done = loop {
        let status: ImportStatus = server.get(&at, &[])?;
        bar.set_position(status.octets_read);
        if ended(&status) {
            break status;
        }
        std::thread::park_timeout(LOOK_EVERY);
    };
    report(path, &bar, &done)
}

/// Runs everything but the listening, until the files are in the store.
fn into_folder(args: &ImportArgs, folder: &Path) -> Result<()> {
    let config = ConfigArgs {
        config: args.config.clone(),
        data_dir: Some(folder.to_owned()),
        ..ConfigArgs::default()
    };
    let mut config = Config::load(&config)?;
    config.listen.addresses.clear();
    config.mirror.clear();
    config.http.set_port(0);
    config.log.level = "warn".to_owned();
    crate::telemetry::start(&config.log)?;
    crate::config::keep_private();
    super::serve::runtime()?.block_on(async {
        let stop = super::serve::told_to_stop()?;
        let server = crate::server::Server::start(&config).await?;
        let result = tokio::select! {
            () = stop => Err(anyhow!("told to stop before everything was in")),
            result = import_all(&server, &args.files) => result,
        };
        server.stop().await;
        result
    })
}

async fn import_all(server: &crate::server::Server, files: &[PathBuf]) -> Result<()> {
    for path in files {
        import_here(server, path).await?;
    }
    Ok(())
}

async fn import_here(server: &crate::server::Server, path: &Path) -> Result<()> {
    let copy = server.plant.incoming().join(file_name(path));
    tokio::fs::copy(path, &copy)
        .await
        .with_context(|| path.display().to_string())?;
    let status = server
        .plant
        .import(file_name(path), copy)
        .await
        .with_context(|| path.display().to_string())?;
    let bar = progress_bar(path, status.octets_total);
    let done = loop {
        let imports = server.plant.imports().await?;
        let status = imports
            .into_iter()
            .find(|import| import.feed == status.feed);
        let status = status.with_context(|| format!("{}: the import is gone", path.display()))?;
        bar.set_position(status.octets_read);
        if ended(&status) {
            break status;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    };
    report(path, &bar, &done)
}

fn ended(status: &ImportStatus) -> bool {
    matches!(status.state, ImportState::Done | ImportState::Failed)
}

/// What it brought, and how to ask for it.
fn report(path: &Path, bar: &ProgressBar, status: &ImportStatus) -> Result<()> {
    bar.finish_and_clear();
    if let Some(error) = &status.error {
        bail!(
            "{}: {} ({} datagrams are in)",
            path.display(),
            printable(error),
            status.datagrams
        );
    }
    let mut text = format!(
        "{}: {} datagrams, {} flow records, feed {}\n",
        path.display(),
        status.datagrams,
        status.records,
        status.feed
    );
    if let (Some(first), Some(last)) = (status.first, status.last) {
        // The last instant is in the window only if the window ends after it.
        let until = last + Duration::from_millis(1);
        text += &format!(
            "  ask with: --from {first} --to {until} --filter 'feed {}'\n",
            status.feed
        );
    }
    print_text(text)
}

fn progress_bar(path: &Path, size: u64) -> ProgressBar {
    let bar = ProgressBar::new(size);
    let style = ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes} {eta}");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar.with_message(file_name(path))
}

fn file_name(path: &Path) -> String {
    let name = path.file_name().map(PathBuf::from).unwrap_or_default();
    printable(&name.to_string_lossy())
}
