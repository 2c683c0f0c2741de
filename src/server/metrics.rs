//! Every counter, in the OpenMetrics text format.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _, MetricEncoder, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use super::shared::Shared;

/// Counters of the parts that are not in [`Shared`].
#[derive(Clone)]
pub(crate) struct Counters {
    pub(crate) engine: Option<Arc<engine::Stats>>,
    pub(crate) store: Arc<store::Store>,
    pub(crate) outgoing: Arc<super::outgoing::Stats>,
    /// The mirrored interfaces, in the order of [`Shared::mirrors`].
    pub(crate) mirrors: Vec<String>,
}

/// One reading of all counters.
#[derive(Debug)]
struct Reading {
    families: Vec<Family>,
}

/// A metric with a value for each set of labels.
#[derive(Debug)]
struct Family {
    name: String,
    help: String,
    gauge: bool,
    values: Vec<Labelled>,
}

/// A value and its labels.
type Labelled = (Vec<(&'static str, String)>, u64);

impl Counters {
    /// Reads everything once.
    pub(crate) fn encode(&self, shared: &Shared) -> String {
        let mut reading = Reading {
            families: Vec::new(),
        };
        reading.books(shared);
        reading.sockets(shared);
        reading.socket_buffers(shared);
        reading.mirrors(shared, &self.mirrors);
        reading.plain("replay", shared.tape.counts().each());
        reading.tape_size(shared);
        reading.remade(shared);
        reading.holdings(shared);
        reading.plain("store", self.store.stats().read());
        reading.plain("outgoing", self.outgoing.read());
        if let Some(engine) = &self.engine {
            // They bear the names that they have alone, of which this is the middle.
            let own = |name: &'static str| {
                let name = name.strip_prefix("flowreel_engine_").unwrap_or(name);
                name.strip_suffix("_total").unwrap_or(name)
            };
            let counters = engine
                .counters()
                .into_iter()
                .map(|(name, help, value)| (own(name), help, value));
            reading.plain("engine", counters);
        }
        reading.exporters(shared);
        let mut registry = Registry::with_prefix("flowreel");
        registry.register_collector(Box::new(reading));
        let mut out = String::new();
        // Writing into a String cannot fail.
        let _ = text::encode(&mut out, &registry);
        out
    }
}

impl Reading {
    fn add(&mut self, name: &str, help: &str, values: Vec<Labelled>) {
        self.families.push(Family {
            name: name.to_owned(),
            help: help.to_owned(),
            gauge: false,
            values,
        });
    }

    fn plain(
        &mut self,
        part: &str,
        counters: impl IntoIterator<Item = (&'static str, &'static str, u64)>,
    ) {
        for (name, help, value) in counters {
            self.add(
                &format!("{part}_{name}"),
                help.trim_end_matches('.'),
                vec![(Vec::new(), value)],
            );
        }
    }

    fn books(&mut self, shared: &Shared) {
        let books = shared.accounting();
        for (what, ledger) in [("datagrams", &books.datagrams), ("records", &books.records)] {
            self.add(
                &format!("received_{what}"),
                "Received",
                vec![(Vec::new(), ledger.received)],
            );
            self.add(
                &format!("stored_{what}"),
                "In the store, or understood",
                vec![(Vec::new(), ledger.stored)],
            );
            let dropped = ledger
                .dropped
                .iter()
                .map(|(kind, count)| (vec![("kind", kind.name().to_owned())], *count));
            self.add(
                &format!("dropped_{what}"),
                "Gone, by kind",
                dropped.collect(),
            );
        }
        self.add(
            "kernel_dropped_datagrams",
            "Dropped by the kernel before they were handed over",
            vec![(Vec::new(), books.kernel_drops)],
        );
        self.gauge(
            "on_tape_datagrams",
            "On tape and not stored yet",
            books.datagrams.on_tape,
        );
        self.gauge(
            "forgotten_datagrams",
            "Counted as stored, and no longer on tape when the books were lost",
            shared.forgotten(),
        );
        self.gauge(
            "mending",
            "1 while what is on tape is compared with the store, after something was lost",
            u64::from(shared.is_mending()),
        );
        let problems = shared.published().problems;
        let problems = problems
            .iter()
            .map(|(name, count)| (vec![("problem", (*name).to_owned())], *count));
        self.add(
            "collector_problems",
            "What was wrong in datagrams, by problem",
            problems.collect(),
        );
    }

    fn gauge(&mut self, name: &str, help: &str, value: u64) {
        self.gauges(name, help, vec![(Vec::new(), value)]);
    }

    fn gauges(&mut self, name: &str, help: &str, values: Vec<Labelled>) {
        self.families.push(Family {
            name: name.to_owned(),
            help: help.to_owned(),
            gauge: true,
            values,
        });
    }

    fn sockets(&mut self, shared: &Shared) {
        let sockets = shared.listen.snapshot();
        let mut of_each =
            |name: &str, help: &str, value: fn(&collector::listen::SocketSnapshot) -> u64| {
                let values = sockets
                    .iter()
                    .map(|s| (vec![("address", s.address.to_string())], value(s)));
                self.add(&format!("collector_{name}"), help, values.collect());
            };
        of_each(
            "socket_received_datagrams",
            "Handed over by the kernel",
            |s| s.counts.received_datagrams,
        );
        of_each(
            "socket_received_octets",
            "UDP payload handed over by the kernel",
            |s| s.counts.received_octets,
        );
        of_each(
            "socket_kernel_drops",
            "Dropped by the kernel, receive buffer full",
            |s| s.counts.kernel_drops,
        );
        of_each("socket_receive_errors", "Failed calls to the kernel", |s| {
            s.counts.receive_errors
        });
        of_each(
            "socket_truncated_datagrams",
            "Longer than a datagram can be",
            |s| s.counts.truncated,
        );
    }

    fn socket_buffers(&mut self, shared: &Shared) {
        let sockets = shared.listen.snapshot();
        let of_each = |value: fn(&collector::listen::SocketSnapshot) -> u64| {
            sockets
                .iter()
                .map(|s| (vec![("address", s.address.to_string())], value(s)))
                .collect()
        };
        let asked = of_each(|s| s.receive_buffer_octets_asked);
        let got = of_each(|s| s.receive_buffer_octets_got);
        self.gauges(
            "collector_socket_receive_buffer_octets_asked",
            "Receive buffer that was asked for",
            asked,
        );
        self.gauges(
            "collector_socket_receive_buffer_octets_got",
            "Receive buffer that the kernel granted",
            got,
        );
    }

    fn mirrors(&mut self, shared: &Shared, interfaces: &[String]) {
        let stats = shared
            .mirrors
            .iter()
            .map(|stats| stats.lock().unwrap_or_else(PoisonError::into_inner).clone());
        let mut families: BTreeMap<&str, Vec<Labelled>> = BTreeMap::new();
        for (stats, interface) in stats.zip(interfaces) {
            let own = [
                ("queue_full", stats.queue_full),
                ("kernel_drops", stats.kernel_drops),
                ("interface_drops", stats.interface_drops),
                ("receive_errors", stats.receive_errors),
            ];
            for (name, value) in stats.frames.each().chain(own) {
                let labels = vec![("interface", interface.clone())];
                families.entry(name).or_default().push((labels, value));
            }
        }
        for (name, values) in families {
            let help = "Of a mirrored interface";
            self.add(&format!("collector_mirror_{name}"), help, values);
        }
    }

    /// How full the tables are whose bounds `docs/limits.md` lists.
    fn holdings(&mut self, shared: &Shared) {
        let published = shared.published();
        let held = published.holdings;
        let learned = published.learned.len();
        for (name, help, value) in [
            ("exporters", "Exporters in the table", held.exporters),
            (
                "exporters_octets",
                "Memory of templates, names, samplers and running totals",
                held.octets,
            ),
            (
                "waiting_datagrams",
                "Datagrams that wait for a template",
                held.waiting,
            ),
            (
                "waiting_octets",
                "Memory of datagrams that wait for a template",
                held.waiting_octets,
            ),
            ("learned_services", "Services that were learned", learned),
        ] {
            self.gauge(&format!("collector_{name}"), help, value as u64);
        }
        let stats = published.normalised;
        let counters = [
            (
                "conversations_forgotten",
                "Conversations forgotten before their time, table full",
                stats.conversations_forgotten,
            ),
            (
                "services_refused",
                "Services that were not learned, no room",
                stats.services_refused,
            ),
        ];
        self.plain("collector", counters);
    }

    fn tape_size(&mut self, shared: &Shared) {
        let (segments, octets) = shared.tape.size();
        self.gauge("replay_tape_segments", "Segments on tape", segments as u64);
        self.gauge("replay_tape_octets", "Octets of the tape on disk", octets);
    }

    /// What of the store's contents is in doubt.
    fn remade(&mut self, shared: &Shared) {
        let counts = &shared.remade;
        let counters = [
            (
                "failures",
                "Stretches that could not be decoded again: rows of them may be missing",
                counts.failures.get(),
            ),
            (
                "no_template_datagrams",
                "Datagrams of such stretches whose template was not found: their rows are gone",
                counts.without_template.get(),
            ),
            (
                "doubtful_batches",
                "Batches of which it is not known whether the store has each row once",
                counts.doubtful_batches.get(),
            ),
            (
                "wrong_rollups",
                "Hours whose rollups could not be made anew",
                counts.hours_wrong.get(),
            ),
        ];
        self.plain("remade", counters);
    }

    fn exporters(&mut self, shared: &Shared) {
        let exporters = shared.published().exporters;
        let mut of_each =
            |name: &str, help: &str, value: fn(&flow::health::ExporterHealth) -> u64| {
                let values = exporters.iter().map(|exporter| {
                    let labels = vec![
                        ("exporter", exporter.address.to_string()),
                        ("domain", exporter.domain.to_string()),
                        ("protocol", exporter.protocol.clone()),
                        ("feed", exporter.feed.to_string()),
                    ];
                    (labels, value(exporter))
                });
                self.add(&format!("exporter_{name}"), help, values.collect());
            };
        of_each("datagrams", "Datagrams of an exporter", |e| e.datagrams);
        of_each("records", "Flow records of an exporter", |e| e.records);
        of_each(
            "sequence_lost",
            "Lost on the way, by the exporter's numbers",
            |e| e.sequence_lost,
        );
    }
}

impl Collector for Reading {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), std::fmt::Error> {
        for family in &self.families {
            let kind = if family.gauge {
                MetricType::Gauge
            } else {
                MetricType::Counter
            };
            let mut metric = encoder.encode_descriptor(&family.name, &family.help, None, kind)?;
            if let [(labels, value)] = family.values.as_slice()
                && labels.is_empty()
            {
                // A family of one without labels would be written with empty braces, which its name does not have.
                encode_value(family.gauge, *value, metric)?;
                continue;
            }
            for (labels, value) in &family.values {
                encode_value(family.gauge, *value, metric.encode_family(labels)?)?;
            }
        }
        Ok(())
    }
}

fn encode_value(
    is_gauge: bool,
    value: u64,
    encoder: MetricEncoder<'_>,
) -> Result<(), std::fmt::Error> {
    if is_gauge {
        ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX)).encode(encoder)
    } else {
        ConstCounter::new(value).encode(encoder)
    }
}
