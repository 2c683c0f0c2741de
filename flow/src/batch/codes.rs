//! The meaning of columns that hold a code.

macro_rules! codes {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $code:literal => $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum $name { $($(#[$vdoc])* $variant = $code,)+ }

        impl $name {
            /// All of them, with their numbers and names: what the store's Enum8 is made of.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// From the number in the column.
            pub const fn from_u8(code: u8) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)+ _ => None }
            }

            /// The name in answers.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }
    };
}

codes! {
    /// Which stamps a record carried, best first where it carried several.
    TimeKind {
        /// Milliseconds of uptime, made absolute by the packet header (v1, v5, v7, v9; IPFIX with IE 160).
        Uptime = 1 => "uptime_ms",
        /// Whole seconds.
        Seconds = 2 => "s",
        /// Milliseconds.
        Millis = 3 => "ms",
        /// Microseconds.
        Micros = 4 => "us",
        /// Nanoseconds.
        Nanos = 5 => "ns",
        /// Microseconds before the message's export time.
        DeltaMicros = 6 => "delta_us",
        /// One observation time for the record: events, PSAMP.
        Observation = 7 => "observation",
        /// None: the time of arrival stands in.
        Received = 8 => "received",
    }
}

codes! {
    /// What was done to a record's times.
    TimeQuality {
        /// As sent.
        Exact = 1 => "exact",
        /// Impossible (before 1970, end before start, uptime after export …): replaced by the time of export or arrival.
        Clamped = 2 => "clamped",
        /// None were sent.
        Absent = 3 => "absent",
    }
}

codes! {
    /// What a record's counters count.
    CounterKind {
        /// Since the last record of the flow.
        Delta = 1 => "delta",
        /// Since the flow began, or since the exporter did.
        Total = 2 => "total",
        /// Impossible (fewer than 20 octets a packet for IP, 2^63 and more): kept, and left out of the sums.
        Implausible = 3 => "implausible",
    }
}

codes! {
    /// Where a sampling interval was learned, best first.
    SamplingSource {
        /// In the record.
        Record = 1 => "record",
        /// Options data of the sampler that the record names.
        Sampler = 2 => "sampler",
        /// Options data for the whole domain.
        Domain = 3 => "domain",
        /// The header of a v5 packet.
        Header = 4 => "header",
        /// The configuration.
        Configured = 5 => "configured",
    }
}

codes! {
    /// How it was told which side is the client.
    ClientEvidence {
        /// The exporter said (biflowDirection, initiator and responder counters, client/server elements).
        Exporter = 1 => "exporter",
        /// SYN without ACK from it, or SYN with ACK from the other side.
        Syn = 2 => "syn",
        /// The other side's port is a known service.
        Service = 3 => "service",
        /// The other side is a known server of an application.
        Server = 4 => "server",
        /// The other direction was seen first.
        FirstSeen = 5 => "first_seen",
    }
}

codes! {
    /// Who named a row's application.
    ApplicationSource {
        /// A rule of the operator.
        Rule = 1 => "rule",
        /// The exporter (NBAR, App-ID, DPI).
        Exporter = 2 => "exporter",
        /// Learned: a server endpoint with many clients.
        Learned = 3 => "learned",
        /// The IANA service registry.
        Registry = 4 => "registry",
        /// Nobody: named after its protocol.
        Protocol = 5 => "protocol",
    }
}
