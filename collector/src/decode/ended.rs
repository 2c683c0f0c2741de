//! What is still told of exporters whose import has ended.

use std::collections::VecDeque;

use flow::health::ExporterHealth;

/// Exporters and domains that are kept.
const ENDED_MAX: usize = 1_000;
/// Templates of each, and fields of each template.
const TEMPLATES_MAX: usize = 16;
const FIELDS_MAX: usize = 64;
/// Unknown fields of each.
const UNKNOWN_MAX: usize = 64;

/// Health of exporters whose import has ended: at most [`ENDED_MAX`], the oldest goes first and is counted nowhere, as its
/// records and problems are in the sums. Not part of what survives a restart.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ended(VecDeque<ExporterHealth>);

impl Ended {
    /// Keeps the health, cut to a size that many may have.
    pub(crate) fn add(&mut self, mut health: ExporterHealth) {
        health.templates.truncate(TEMPLATES_MAX);
        for template in &mut health.templates {
            template.fields.truncate(FIELDS_MAX);
        }
        while health.unknown_fields.len() > UNKNOWN_MAX {
            health.unknown_fields.pop_last();
        }
        if self.0.len() >= ENDED_MAX {
            self.0.pop_front();
        }
        self.0.push_back(health);
    }

    /// In the order in which they ended.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &ExporterHealth> {
        self.0.iter()
    }
}
