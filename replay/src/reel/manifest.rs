//! What a recording says of itself: `manifest.json`.

use std::path::Path;

use flow::Timestamp;
use flow::text::is_shown;
use serde::{Deserialize, Serialize};

use crate::reel::checksum::{self, is_hex};
use crate::reel::error::{ReelError, shown};
use crate::reel::part::PartKind;
use crate::reel::{MANIFEST_OCTETS_MAX, NAME_CHARS_MAX, PARTS_MAX};

/// The format that this program writes, and the newest that it reads.
pub const FORMAT: u32 = 1;

/// Hexadecimal digits of an id.
const ID_DIGITS: usize = 32;

/// What a recording is, who cut it, and which parts its file has. Times are of arrival.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The form of the file: [`FORMAT`]. Set by the writer.
    pub format: u32,
    /// The program that wrote the file, with its version: `flowreel 0.1.0`.
    pub product: String,
    /// The recording's own name among all that there are: 32 hexadecimal digits.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Nothing in it arrived before.
    pub from: Timestamp,
    /// Nothing in it arrived then or later.
    pub to: Timestamp,
    /// What of the traffic is in it, in the filter language; empty for all.
    pub filter: String,
    /// Who cut it; empty if nobody is to know.
    pub cut_by: String,
    /// When it was cut.
    pub cut_at: Timestamp,
    /// The collector that heard it.
    pub collector: String,
    /// Whether addresses and names in it were replaced.
    pub anonymized: bool,
    /// How much is in the parts.
    pub counts: Counts,
    /// Checksum over the ordered rows of its flows, by which two collectors can compare them; opaque here. Empty if it was
    /// not made.
    pub flows_sha256: String,
    /// The columns of the rows that it is made over, in order.
    pub flows_columns: Vec<String>,
    /// The parts in the order of the file. Set by the writer.
    pub parts: Vec<PartEntry>,
}

/// How much is in the parts of a recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Datagrams in the segments of tape.
    pub datagrams: u64,
    /// Rows in the files of flows.
    pub flows: u64,
    /// Exporters that they came from.
    pub exporters: u64,
}

/// A part of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartEntry {
    /// Its name: [`PartKind::name`].
    pub name: String,
    /// Octets, padding left out.
    pub octets: u64,
    /// Its SHA-256: 64 hexadecimal digits.
    pub sha256: String,
}

/// As much of a manifest as every format has.
#[derive(Deserialize)]
struct Format {
    format: u64,
}

impl Manifest {
    /// Reads the octets of `manifest.json`. A newer format is told before anything else of it is judged.
    ///
    /// # Errors
    ///
    /// [`ReelError::Newer`]; [`ReelError::Manifest`], where what `path` holds is damaged or made to deceive.
    pub(crate) fn decode(path: &Path, octets: &[u8]) -> Result<Self, ReelError> {
        let wrong = |what: String| ReelError::Manifest {
            path: path.to_owned(),
            what,
        };
        let unreadable = |error: serde_json::Error| wrong(shown(&error.to_string()));
        let Format { format } = serde_json::from_slice(octets).map_err(unreadable)?;
        if format > u64::from(FORMAT) {
            return Err(ReelError::Newer {
                path: path.to_owned(),
                found: format,
                known: FORMAT,
            });
        }
        let manifest: Self = serde_json::from_slice(octets).map_err(unreadable)?;
        manifest.check().map_err(wrong)?;
        Ok(manifest)
    }

    /// As it stands in the file.
    ///
    /// # Errors
    ///
    /// What is wrong with it: nothing is written that would not be read.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, String> {
        self.check()?;
        let mut octets = serde_json::to_vec_pretty(self).map_err(|error| error.to_string())?;
        octets.push(b'\n');
        match crate::stats::count(octets.len()) {
            many if many > MANIFEST_OCTETS_MAX => Err(format!(
                "it takes {many} octets, at most {MANIFEST_OCTETS_MAX} are allowed"
            )),
            _ => Ok(octets),
        }
    }

    /// The kinds of its parts, in their order.
    pub fn kinds(&self) -> Vec<PartKind> {
        let mut before = None;
        let kinds = self.parts.iter().map_while(|part| {
            before = PartKind::after(before, &part.name);
            before.map(|(kind, _)| kind)
        });
        kinds.collect()
    }

    fn check(&self) -> Result<(), String> {
        if self.format != FORMAT {
            return Err(format!("there is no format {}", self.format));
        }
        if !is_hex(&self.id, ID_DIGITS) {
            return Err(format!(
                "id is '{}', it must be {ID_DIGITS} hexadecimal digits in small letters",
                shown(&self.id)
            ));
        }
        self.check_texts()?;
        if self.from > self.to {
            return Err(format!(
                "from is {}, that is after to, {}",
                self.from, self.to
            ));
        }
        self.check_parts()?;
        self.check_counts()
    }

    fn check_texts(&self) -> Result<(), String> {
        let names = [
            ("product", &self.product),
            ("name", &self.name),
            ("cut_by", &self.cut_by),
            ("collector", &self.collector),
        ];
        for (field, text) in names {
            if text.chars().nth(NAME_CHARS_MAX).is_some() {
                return Err(format!(
                    "{field} has more than {NAME_CHARS_MAX} characters: '{}'",
                    shown(text)
                ));
            }
        }
        let octets_max = flow::filter::OCTETS_MAX;
        if self.filter.len() > octets_max {
            return Err(format!("filter has more than {octets_max} octets"));
        }
        // People write long filters on several lines.
        let filter = self.filter.replace(['\n', '\t'], " ");
        for (field, text) in names.into_iter().chain([("filter", &filter)]) {
            if !text.chars().all(is_shown) {
                return Err(format!(
                    "{field} has characters that cannot be shown: '{}'",
                    shown(text)
                ));
            }
        }
        match self.name.is_empty() {
            true => Err("name is empty".to_owned()),
            false => Ok(()),
        }
    }

    fn check_parts(&self) -> Result<(), String> {
        if self.parts.len() > PARTS_MAX {
            return Err(format!(
                "it has {} parts, at most {PARTS_MAX} are allowed",
                self.parts.len()
            ));
        }
        let mut before = None;
        for part in &self.parts {
            let name = shown(&part.name);
            before = PartKind::after(before, &part.name);
            let Some((kind, _)) = before else {
                return Err(format!("there can be no part '{name}' at this place"));
            };
            let octets_max = kind.octets_max();
            if part.octets > octets_max {
                return Err(format!(
                    "{name} has {} octets, at most {octets_max} are allowed",
                    part.octets
                ));
            }
            check_sha256(&name, &part.sha256)?;
        }
        Ok(())
    }

    /// What is in the parts must have parts that it can be in.
    fn check_counts(&self) -> Result<(), String> {
        let kinds = self.kinds();
        let counts = [
            ("datagrams", self.counts.datagrams, PartKind::Tape),
            ("flows", self.counts.flows, PartKind::Flows),
        ];
        for (field, count, kind) in counts {
            if count > 0 && !kinds.contains(&kind) {
                return Err(format!(
                    "counts.{field} is {count}, but there is no {}",
                    kind.name(1)
                ));
            }
        }
        match self.flows_sha256.as_str() {
            "" => Ok(()),
            sum => check_sha256("flows_sha256", sum),
        }
    }
}

fn check_sha256(of: &str, sum: &str) -> Result<(), String> {
    match is_hex(sum, checksum::DIGITS) {
        true => Ok(()),
        false => Err(format!(
            "the SHA-256 of {of} is '{}', it must be {} hexadecimal digits in small letters",
            shown(sum),
            checksum::DIGITS
        )),
    }
}
