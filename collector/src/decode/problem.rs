//! Everything that can be wrong with an export packet, as a closed list with a counter each.

use std::collections::BTreeMap;

macro_rules! problems {
    ($($(#[doc = $doc:literal])+ $variant:ident => $name:literal,)+) => {
        /// What was wrong, or worth knowing. None of them stops anything; each is counted per exporter.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Problem { $($(#[doc = $doc])+ $variant,)+ }

        impl Problem {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name in summaries and metrics.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What it means, for people: the doc comment.
            pub fn help(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+).trim(),)+ }
            }
        }
    };
}

problems! {
    /// Not an export protocol, or no version that exists.
    NotFlowExport => "not_flow_export",
    /// sFlow or NetFlow v8: recognised, not decoded.
    UnsupportedProtocol => "unsupported_protocol",
    /// Shorter than its own header.
    HeaderShort => "header_short",
    /// The exporter is new and the table of exporters is full.
    ExporterRefused => "exporter_refused",
    /// The exporter has more observation domains than are kept; the longest silent one made room.
    DomainsFull => "domains_full",
    /// The same datagram as before: same sequence number, same octets.
    DuplicateDatagram => "duplicate_datagram",
    /// An IPFIX message claims more octets than came: left out as a whole.
    LengthShort => "length_short",
    /// An IPFIX message claims fewer octets than came: the rest was left out.
    LengthLong => "length_long",
    /// The header's count of records is not what the packet holds.
    CountMismatch => "count_mismatch",
    /// A Set claims fewer than 4 octets, or more than there are.
    SetLength => "set_length",
    /// A Set with nothing in it.
    SetEmpty => "set_empty",
    /// A Set with an id from 4 to 255, which has no meaning.
    SetReserved => "set_reserved",
    /// Octets after the last record that are too many for padding and not zeros.
    TrailingOctets => "trailing_octets",
    /// A record runs over the end of its Set: it and what followed was left out.
    RecordCut => "record_cut",
    /// A template with no fields, or only fields of no length.
    TemplateEmpty => "template_empty",
    /// A template with more fields than the limit, or records longer than a datagram.
    TemplateTooLarge => "template_too_large",
    /// A template that runs over the end of its Set.
    TemplateCut => "template_cut",
    /// An options template whose scope does not add up.
    OptionsScope => "options_scope",
    /// A template was defined anew with other fields.
    TemplateChanged => "template_changed",
    /// A withdrawal, which over UDP has no effect (RFC 7011 §8.4).
    TemplateWithdrawn => "template_withdrawn",
    /// The exporter has more templates than its quota: its least recently used one was forgotten.
    TemplateQuota => "template_quota",
    /// A template from before the collector was away does not fit the data: forgotten until it comes again.
    TemplateDistrusted => "template_distrusted",
    /// Senders behind one address define the same template differently: told apart by port from now on.
    PortScope => "port_scope",
    /// Data before its template: kept until it comes.
    DataBeforeTemplate => "data_before_template",
    /// Data whose template did not come in time.
    WaitingExpired => "waiting_expired",
    /// Data without a template that did not fit the room for waiting.
    WaitingFull => "waiting_full",
    /// A value too large for its column, or an address of odd length: left out.
    ValueMisfit => "value_misfit",
    /// A text longer than the limit: cut.
    TextCut => "text_cut",
    /// Fewer than 20 octets a packet, or a counter of 2^63 and more: kept, and marked.
    CounterImplausible => "counter_implausible",
    /// Times that can't be: replaced by the time of export.
    TimeClamped => "time_clamped",
    /// The time of day in the header is more than ten minutes from the time of arrival.
    ClockOff => "clock_off",
    /// A sampled packet's section that holds no IP header.
    FrameUnreadable => "frame_unreadable",
    /// The table of names from options data is full: a new one was left out.
    NamesFull => "names_full",
    /// The exporter started again.
    ExporterRestart => "exporter_restart",
}

/// A counter per [`Problem`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems([u64; Problem::ALL.len()]);

impl Default for Problems {
    fn default() -> Self {
        Self([0; Problem::ALL.len()])
    }
}

impl Problems {
    /// Counts `times` more.
    pub(crate) fn add(&mut self, problem: Problem, times: u64) {
        self.0[problem as usize] += times;
    }

    /// Adds all of `other`.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine += theirs;
        }
    }

    /// How often it was met.
    pub fn get(&self, problem: Problem) -> u64 {
        self.0[problem as usize]
    }

    /// All that were met, in the order of [`Problem::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = (Problem, u64)> {
        Problem::ALL
            .iter()
            .map(|problem| (*problem, self.get(*problem)))
            .filter(|(_, times)| *times > 0)
    }

    /// All that were met, by name.
    pub fn by_name(&self) -> BTreeMap<String, u64> {
        self.iter()
            .map(|(problem, times)| (problem.name().to_owned(), times))
            .collect()
    }

    /// The inverse of [`Problems::by_name`]; names that do not exist any more are left out.
    pub(crate) fn from_names(names: &BTreeMap<String, u64>) -> Self {
        let mut problems = Self::default();
        for problem in Problem::ALL {
            problems.add(*problem, names.get(problem.name()).copied().unwrap_or(0));
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_that_lose_records_are_problems() {
        for name in flow::hints::LOSING {
            assert!(Problem::ALL.iter().any(|one| one.name() == name), "{name}");
        }
    }
}
