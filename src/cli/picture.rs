//! Answers as pictures: `--png FILE` and `--svg FILE`.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use super::ask::{Server, approximate, name, theme};
use super::recording::fetch;
use crate::output::si;

/// Whether a picture is wanted, and what it is like.
#[derive(Debug, Args)]
pub(crate) struct PictureArgs {
    /// Write a picture to this file, instead of a table; one that is there is replaced.
    #[arg(long, value_name = "FILE", group = "picture")]
    pub(crate) png: Option<PathBuf>,
    /// The same as SVG.
    #[arg(long, value_name = "FILE", group = "picture")]
    pub(crate) svg: Option<PathBuf>,
    /// Its width, pixels; 960 if left out.
    #[arg(long, value_name = "PIXELS", requires = "picture")]
    pub(crate) width: Option<u32>,
    /// Its height, pixels; 480 if left out.
    #[arg(long, value_name = "PIXELS", requires = "picture")]
    pub(crate) height: Option<u32>,
    /// light or dark.
    #[arg(long, value_name = "THEME", value_parser = theme, requires = "picture")]
    pub(crate) theme: Option<api::studio::Theme>,
    /// What stands above it.
    #[arg(long, value_name = "TEXT", requires = "picture")]
    pub(crate) title: Option<String>,
}

impl PictureArgs {
    /// Writes a picture of the answer that is at `path`, if one is wanted; `false` if none is.
    pub(crate) fn write(
        &self,
        server: &Server,
        path: &str,
        mut parameters: Vec<(&str, Option<String>)>,
    ) -> Result<bool> {
        let (kind, file) = match (&self.png, &self.svg) {
            (Some(file), _) => ("png", file),
            (_, Some(file)) => ("svg", file),
            (None, None) => return Ok(false),
        };
        parameters.push(("width", self.width.map(|pixels| pixels.to_string())));
        parameters.push(("height", self.height.map(|pixels| pixels.to_string())));
        parameters.push(("theme", self.theme.and_then(name)));
        parameters.push(("title", self.title.clone()));
        let path = format!("{path}/picture.{kind}");
        let octets = fetch(server, &path, &parameters, file)?;
        eprintln!("{}: {} octets", file.display(), si(approximate(octets)));
        Ok(true)
    }
}
