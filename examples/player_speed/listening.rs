//! Reads a player's frames.

use std::io::{BufRead as _, BufReader, Read};

use anyhow::{Result, bail, ensure};
use flow::Timestamp;
use serde_json::Value;

/// The stream of a player's events.
pub(crate) struct Listening(BufReader<Box<dyn Read + Send>>);

impl Listening {
    pub(crate) fn to(url: &str, id: &str) -> Result<Self> {
        let answer = ureq::get(format!("{url}/api/v1/players/{id}/frames")).call()?;
        let body = answer.into_body().into_reader();
        Ok(Self(BufReader::new(Box::new(body))))
    }

    /// The next frame; what else is told is left out.
    pub(crate) fn frame(&mut self) -> Result<Value> {
        let (mut is_frame, mut line) = (false, String::new());
        loop {
            line.clear();
            if self.0.read_line(&mut line)? == 0 {
                bail!("the player has ended");
            }
            if let Some(name) = line.strip_prefix("event: ") {
                is_frame = name.trim() == "frame";
            } else if let Some(data) = line.strip_prefix("data: ")
                && is_frame
            {
                let frame: Value = serde_json::from_str(data)?;
                ensure!(frame.get("errors").is_none(), "{}", frame["errors"]);
                return Ok(frame);
            }
        }
    }

    /// The frame of this position; those before are left out.
    pub(crate) fn frame_at(&mut self, position: Timestamp) -> Result<Value> {
        let position = position.to_string();
        loop {
            let frame = self.frame()?;
            if frame["position"] == position {
                return Ok(frame);
            }
        }
    }
}
