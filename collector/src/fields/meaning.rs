//! The decoder's words for what an element does to a row.

use std::net::Ipv6Addr;
use std::sync::Arc;

use flow::batch::Columns;

use crate::decode::cell::{Cell, Cells};

macro_rules! slots {
    ($($name:ident: $type:ty,)+) => {
        /// A column of the batch, called as there.
        #[allow(non_camel_case_types)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub(crate) enum Slot { $($name,)+ }

        impl Slot {
            /// By its name in the store and the JSON.
            pub(crate) fn from_name(name: &str) -> Option<Self> {
                match name { $(stringify!($name) => Some(Self::$name),)+ _ => None }
            }

            /// Whether the column holds addresses.
            pub(crate) fn is_address(self) -> bool {
                match self { $(Self::$name => <$type as Cell>::IS_ADDRESS,)+ }
            }

            /// Writes one cell a record into the column, from `row` on; returns how many did not fit the column.
            pub(crate) fn fill<'a, S: Cells<'a>>(self, columns: &mut Columns, row: usize, cells: &S, form: Form) -> usize {
                match self { $(Self::$name => <$type as Cell>::fill(&mut columns.$name, row, cells, form),)+ }
            }
        }
    };
}

flow::for_each_column!(slots);

impl Slot {
    /// Whether the decoder works the column out of several fields or of the packet header, so that no single field may fill
    /// it.
    pub(crate) fn is_derived(self) -> bool {
        matches!(
            self,
            Self::start
                | Self::end
                | Self::reverse_start
                | Self::reverse_end
                | Self::start_uptime_ms
                | Self::end_uptime_ms
                | Self::time_kind
                | Self::time_quality
                | Self::counter_kind
                | Self::sampling_interval
                | Self::sampling_source
        )
    }
}

/// How the octets of a cell become the column's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Unsigned, 1 to 8 octets, most significant first; or an address of 4 or 16.
    Plain,
    /// As [`Form::Plain`], where all zeros mean that there is none.
    ZeroIsAbsent,
    /// A counter that runs from the flow's (or exporter's) beginning.
    Total,
    /// As [`Form::Plain`]: octets of layer 4 payload, without headers (IE 231, 232).
    Payload,
    /// A label stack entry of 3 octets: 20 bits of label, 3 of class, 1 of bottom ([RFC 3032 §2.1]).
    MplsLabel,
    /// One octet of engine, the rest is the selector ([RFC 6759 §4.1]).
    ApplicationId,
    /// One octet of encapsulation type, then the segment id (IE 351).
    SegmentId,
}

/// What an element does to a row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Meaning {
    /// Fills a column. Of several elements for one column the lowest rank wins, then the first in the template.
    Column(Slot, u8, Form),
    /// Fills both TTL columns where nothing better does (IE 192).
    Ttl,
    /// Upper octet of the ICMP column.
    IcmpType,
    /// Lower octet of the ICMP column.
    IcmpCode,
    /// A time.
    Time(Edge, Stamp),
    /// Says how packets were sampled.
    Sampling(Sampling),
    /// A performance element: index into [`flow::measure::MEASURES`].
    Measure(u16),
    /// A text.
    Text(TextUse),
    /// The beginning of a sampled packet.
    Frame(Frame),
    /// Known, and nothing of it is kept.
    Known,
    /// Nobody knows it.
    Unknown,
}

impl Meaning {
    /// How one more value is said where the first one has its own place; `None` if nothing is kept of the first one either.
    pub(crate) fn say(&self) -> Option<Say> {
        Some(match self {
            Self::Column(slot, ..) if slot.is_address() => Say::Address,
            Self::Column(Slot::src_mac | Slot::dst_mac, ..) => Say::Mac,
            Self::Text(TextUse::Extra(_, say)) => *say,
            Self::Text(_) => Say::Text,
            Self::Sampling(Sampling::Probability) => Say::Float,
            Self::Frame(_) | Self::Known | Self::Unknown => return None,
            _ => Say::Unsigned,
        })
    }
}

/// Which time an element tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edge {
    /// First packet.
    Start,
    /// Last packet.
    End,
    /// First packet of the reverse direction.
    ReverseStart,
    /// Last packet of the reverse direction.
    ReverseEnd,
    /// The one time of an event.
    Observation,
    /// When the exporter's uptime was 0 (IE 160).
    SystemInit,
    /// From first to last packet.
    Duration,
}

/// The unit of a time element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stamp {
    /// Milliseconds of uptime, 32 bits.
    Uptime,
    /// Seconds since the epoch.
    Seconds,
    /// Milliseconds since the epoch.
    Millis,
    /// NTP timestamp, or microseconds since the epoch where exporters take the name literally.
    Micros,
    /// NTP timestamp, or nanoseconds since the epoch.
    Nanos,
    /// Microseconds before the export time.
    DeltaMicros,
}

/// What a sampling element says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sampling {
    /// Which sampler (48, 302).
    Sampler,
    /// One of this many (34, 50).
    Interval,
    /// Packets in a row that are looked at (305).
    PacketInterval,
    /// Packets in a row that are not (306).
    PacketSpace,
    /// n of …  (309).
    Size,
    /// … N (310).
    Population,
    /// As a floating-point probability (311).
    Probability,
}

/// Where a text goes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TextUse {
    /// To the extras, under this name.
    Extra(Arc<str>, Say),
    /// The application as the exporter names it.
    Application,
    /// The VRF's name at ingress.
    InVrf,
}

/// How octets are said as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Say {
    /// UTF-8, control characters left out.
    Text,
    /// An unsigned number.
    Unsigned,
    /// A two's complement number.
    Signed,
    /// IEEE 754, 4 or 8 octets.
    Float,
    /// An address of 4 or 16 octets.
    Address,
    /// A MAC address.
    Mac,
    /// Hexadecimal digits.
    Hex,
}

/// Where a packet section begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// At the data link header, Ethernet (315, 104).
    Ethernet,
    /// At the IP header (313).
    Ip,
}
