//! Writes NetFlow v1, v5, v7, v9 and IPFIX from plain values.
//!
//! [`fixed`] writes the versions whose records have one layout. For v9 and IPFIX, [`Message`] writes one datagram,
//! exactly as told, and [`Packer`] is an exporter: it fills datagrams, counts sequence numbers and repeats templates.
//!
//! ```
//! use simulator::encode::{element, Field, Message, Protocol, Stamp, Template};
//!
//! let template = Template::data(256, [Field::iana(element::OCTETS, 4), Field::iana(element::PACKETS, 4)]);
//! let mut message = Message::new(Protocol::Ipfix, 7);
//! message.template(&template);
//! message.record(&template, &[1500_u64.into(), 3_u64.into()]);
//! let datagram = message.finish(Stamp { unix_seconds: 1_700_000_000, uptime_ms: 0, sequence: 0 });
//! assert_eq!(datagram.len(), 16 + 16 + 12);
//! ```

pub mod element;
pub mod fixed;
mod message;
mod packer;
mod template;
mod value;

pub use message::{Message, Protocol, Stamp};
pub use packer::{Counts, ExportClock, Packer, PackerConfig};
pub use template::{Field, Template, VARIABLE};
pub use value::Value;

/// Octets of UDP payload that fit an Ethernet frame: 1500 less 20 of IPv4 and 8 of UDP.
pub const PAYLOAD_MAX: usize = 1472;

#[cfg(test)]
mod examples;
