//! Every field of every datagram, for people: by `netflow_parser`, which favours completeness over speed.

use std::net::IpAddr;

use flow::{Datagram, Feed};
use netflow_parser::{NetflowParser, RouterScopedParser};
use serde_json::{Value, json};

/// Records of one Set or FlowSet: more than 65,507 octets can hold.
const RECORDS_MAX: usize = 65_535;
/// Decoded fields of one datagram, those without octets included.
const FIELDS_MAX: usize = 1_000_000;

/// What templates are valid for: an exporter's address, a version and a domain, never a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Scope {
    feed: Feed,
    address: IpAddr,
    version: u16,
    domain: u32,
}

/// Explains datagrams one after the other, keeping the templates that it has seen; they do not expire.
///
/// Knows v5, v7, v9 and IPFIX. It is a second opinion beside [`decode`](crate::decode), with limits of its own: see
/// `docs/conformance.md`.
#[derive(Debug)]
pub struct Inspector {
    parser: RouterScopedParser<Scope>,
}

impl Inspector {
    /// An inspector that has seen no template.
    ///
    /// # Errors
    ///
    /// [`InspectError`] if the parser refuses its limits, which is a bug.
    pub fn new() -> Result<Self, InspectError> {
        let builder = NetflowParser::builder()
            .with_max_records_per_flowset(RECORDS_MAX)
            .with_max_decoded_field_values_per_message(FIELDS_MAX);
        RouterScopedParser::try_with_builder(builder)
            .map(|parser| Self { parser })
            .map_err(|error| InspectError(error.to_string()))
    }

    /// Everything that is in a datagram: `received_at`, `source`, `local_port`, `octets`, `packets` (as a rule one, with its
    /// header and all fields) and `error`, `null` if there was none.
    pub fn inspect(&mut self, datagram: &Datagram) -> Value {
        let scope = Scope::of(datagram);
        let result = self.parser.parse_from_source(scope, &datagram.payload);
        let mut error = result.error.map(|error| error.to_string());
        let packets = serde_json::to_value(&result.packets).unwrap_or_else(|unserialisable| {
            error = Some(unserialisable.to_string());
            Value::Null
        });
        if error.is_none() && result.packets.is_empty() {
            error = Some("no octets of an export protocol".to_owned());
        }
        json!({
            "received_at": datagram.received_at,
            "source": datagram.source,
            "local_port": datagram.local_port,
            "octets": datagram.payload.len(),
            "packets": packets,
            "error": error,
        })
    }
}

/// The parser does not take its configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("netflow_parser refuses its configuration: {0}")]
pub struct InspectError(String);

impl Scope {
    fn of(datagram: &Datagram) -> Self {
        let payload = &datagram.payload;
        let version = payload
            .first_chunk()
            .map_or(0, |octets| u16::from_be_bytes(*octets));
        // Source ID of v9 (RFC 3954 §5.1) and Observation Domain ID of IPFIX (RFC 7011 §3.1).
        let domain_at = match version {
            9 => Some(16),
            10 => Some(12),
            _ => None,
        };
        let domain = domain_at
            .and_then(|at| payload.get(at..)?.first_chunk())
            .map_or(0, |octets| u32::from_be_bytes(*octets));
        let exporter = datagram.exporter();
        Self {
            feed: exporter.feed,
            address: exporter.address,
            version,
            domain,
        }
    }
}
