//! Decoded flow records, column by column.

use std::net::Ipv6Addr;

use crate::address::narrow;
use crate::clock::Timestamp;
use crate::column::{Column, Pairs, TextColumn, retain};
use crate::datagram::{Datagram, Feed, TapePosition};
use crate::record::FlowRecord;

/// What each row must have: where it came from and when. Plain vectors, one entry a row.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// When the datagram arrived, nanoseconds since the epoch: *knowledge time*.
    pub received_at: Vec<i64>,
    /// Tape segment of the datagram.
    pub tape_segment: Vec<u32>,
    /// Offset of the datagram in its segment.
    pub tape_offset: Vec<u32>,
    /// Octets from the start of the datagram's payload to the record. With the tape position it names a row for ever.
    pub record_offset: Vec<u16>,
    /// The wire, or which import.
    pub feed: Vec<u32>,
    /// The exporter's address.
    pub exporter: Vec<Ipv6Addr>,
    /// v9 source id, IPFIX observation domain id, v5 engine type and id (`type << 8 | id`); 0 for v1 and v7.
    pub domain: Vec<u32>,
    /// 1, 5, 7, 9 or 10.
    pub version: Vec<u8>,
    /// The template that described the record; 0 for the fixed versions.
    pub template: Vec<u16>,
}

macro_rules! columns {
    ($($(#[doc = $doc:literal])+ $name:ident: $type:ty,)+) => {
        /// The columns in which a row may be absent. The names are those of the store and of the JSON.
        #[derive(Clone, Debug, Default)]
        pub struct Columns {
            $($(#[doc = $doc])+ pub $name: Column<$type>,)+
        }

        impl Columns {
            fn pad(&mut self, rows: usize) {
                $(if !self.$name.is_absent() { self.$name.pad(rows); })+
            }

            fn truncate(&mut self, rows: usize) {
                $(self.$name.truncate(rows);)+
            }

            fn retain(&mut self, keep: &[bool]) {
                $(self.$name.retain(keep);)+
            }

            fn clear(&mut self) {
                $(self.$name.clear();)+
            }
        }

        /// Calls the given macro with every column as `name: type,`, for tables that must not miss one.
        #[macro_export]
        macro_rules! for_each_column {
            ($call:ident) => { $call! { $($name: $type,)+ } };
        }
    };
}

columns! {
    /// First packet, nanoseconds since the epoch: *event time*.
    start: i64,
    /// Last packet, nanoseconds since the epoch.
    end: i64,
    /// Which stamps the exporter sent: a [`TimeKind`].
    time_kind: u8,
    /// What was done to them: a [`TimeQuality`].
    time_quality: u8,
    /// First packet as sent: milliseconds of the exporter's uptime.
    start_uptime_ms: u32,
    /// Last packet as sent: milliseconds of the exporter's uptime.
    end_uptime_ms: u32,
    /// First packet of the reverse direction, nanoseconds since the epoch (RFC 5103, YAF).
    reverse_start: i64,
    /// Last packet of the reverse direction, nanoseconds since the epoch.
    reverse_end: i64,
    /// Source address.
    src_addr: Ipv6Addr,
    /// Destination address.
    dst_addr: Ipv6Addr,
    /// Source port.
    src_port: u16,
    /// Destination port.
    dst_port: u16,
    /// IP protocol number.
    protocol: u8,
    /// TCP flags of all packets, ORed.
    tcp_flags: u16,
    /// TCP flags of the reverse direction, ORed.
    reverse_tcp_flags: u16,
    /// ICMP type << 8 | code.
    icmp_type_code: u16,
    /// Type of service / traffic class octet.
    tos: u8,
    /// Octets as exported, not multiplied by sampling.
    octets: u64,
    /// Packets as exported, not multiplied by sampling.
    packets: u64,
    /// Octets of the reverse direction, where one record holds both.
    reverse_octets: u64,
    /// Packets of the reverse direction, where one record holds both.
    reverse_packets: u64,
    /// What the counters count: a [`CounterKind`].
    counter_kind: u8,
    /// One packet of this many was looked at; absent if the exporter does not say.
    sampling_interval: u32,
    /// Where the interval was learned: a [`SamplingSource`].
    sampling_source: u8,
    /// Ingress interface, SNMP ifIndex.
    in_interface: u32,
    /// Egress interface, SNMP ifIndex; 0 is the exporter's own "none".
    out_interface: u32,
    /// Next hop.
    next_hop: Ipv6Addr,
    /// BGP next hop.
    bgp_next_hop: Ipv6Addr,
    /// Source AS number.
    src_as: u32,
    /// Destination AS number.
    dst_as: u32,
    /// Source prefix length.
    src_mask: u8,
    /// Destination prefix length.
    dst_mask: u8,
    /// VLAN at ingress.
    vlan: u16,
    /// VLAN at egress.
    post_vlan: u16,
    /// Source MAC address, low 48 bits.
    src_mac: u64,
    /// Destination MAC address, low 48 bits.
    dst_mac: u64,
    /// 0 ingress, 1 egress (IE 61).
    direction: u8,
    /// RFC 5102 biflowDirection (IE 239): 0 arbitrary, 1 initiator, 2 reverse initiator, 3 perimeter.
    biflow_direction: u8,
    /// IE 136: 1 idle, 2 active timeout, 3 end of flow, 4 forced, 5 lack of resources.
    end_reason: u8,
    /// Smallest TTL seen.
    min_ttl: u8,
    /// Largest TTL seen.
    max_ttl: u8,
    /// IE 89.
    forwarding_status: u8,
    /// IE 233 (and Cisco's 40005): 1 created, 2 deleted, 3 denied, 4 alert, 5 update.
    firewall_event: u8,
    /// IE 230.
    nat_event: u8,
    /// Source address after NAT.
    nat_src_addr: Ipv6Addr,
    /// Destination address after NAT.
    nat_dst_addr: Ipv6Addr,
    /// Source port after NAT.
    nat_src_port: u16,
    /// Destination port after NAT.
    nat_dst_port: u16,
    /// VXLAN network identifier or other tunnel key.
    vni: u64,
    /// Source address inside the tunnel.
    inner_src_addr: Ipv6Addr,
    /// Destination address inside the tunnel.
    inner_dst_addr: Ipv6Addr,
    /// Source port inside the tunnel.
    inner_src_port: u16,
    /// Destination port inside the tunnel.
    inner_dst_port: u16,
    /// IP protocol inside the tunnel.
    inner_protocol: u8,
    /// VRF at ingress.
    in_vrf: u32,
    /// VRF at egress.
    out_vrf: u32,
    /// Top MPLS label.
    mpls_label: u32,
    /// IPv6 flow label.
    flow_label: u32,
    /// The exporter's own flow id (IE 148).
    flow_id: u64,
    /// Octets that the exporter dropped (IE 132).
    dropped_octets: u64,
    /// Packets that the exporter dropped (IE 133).
    dropped_packets: u64,
    /// The exporter's application id (IE 95, RFC 6759): engine << 56 | selector.
    exporter_application_id: u64,
}

/// What the normaliser adds to a row.
#[derive(Clone, Debug, Default)]
pub struct Enrichment {
    /// 1 if the source is the client. Empty until normalised.
    pub src_is_client: Vec<u8>,
    /// How the client was told: a [`ClientEvidence`]. Empty until normalised.
    pub client_evidence: Vec<u8>,
    /// 1 if views count this row; 0 if the same traffic was counted at another observation point. Empty until normalised.
    pub accounting: Vec<u8>,
    /// The application's name.
    pub application: TextColumn,
    /// Who said so: an [`ApplicationSource`]. Empty until normalised.
    pub application_source: Vec<u8>,
    /// The client's site.
    pub client_site: TextColumn,
    /// The server's site.
    pub server_site: TextColumn,
    /// The exporter's name.
    pub exporter_name: TextColumn,
    /// The ingress interface's name.
    pub in_interface_name: TextColumn,
    /// The egress interface's name.
    pub out_interface_name: TextColumn,
    /// The application as the exporter names it: NBAR, App-ID, DPI.
    pub exporter_application: TextColumn,
    /// The VRF's name at ingress.
    pub in_vrf_name: TextColumn,
}

/// A batch of flow records, column by column; what one part of the tape meant.
///
/// Columns may be shorter than the batch: what is missing is absent. [`FlowBatch::pad`] evens them out.
#[derive(Clone, Debug, Default)]
pub struct FlowBatch {
    /// Where each row came from.
    pub origin: Origin,
    /// What the record said.
    pub columns: Columns,
    /// Vendors' performance elements as sent: index into [`crate::measure::MEASURES`] and raw value.
    pub measures: Pairs<u16, u64>,
    /// Texts and operator-named fields that have no column.
    pub extras: Pairs<std::sync::Arc<str>, String>,
    /// What was added to it.
    pub enrichment: Enrichment,
}

impl FlowBatch {
    /// Rows in the batch.
    pub fn rows(&self) -> usize {
        self.origin.received_at.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.origin.received_at.is_empty()
    }

    /// Adds a row's origin, by which it exists; returns its number. Columns are written by it.
    pub fn push_row(
        &mut self,
        datagram: &Datagram,
        at: TapePosition,
        described: Described,
        record_offset: u16,
    ) -> usize {
        let row = self.rows();
        self.push_rows(datagram, at, described, std::iter::once(record_offset));
        row
    }

    /// Adds rows of one datagram and one template, one for each octet offset in the payload.
    pub fn push_rows(
        &mut self,
        datagram: &Datagram,
        at: TapePosition,
        described: Described,
        record_offsets: impl ExactSizeIterator<Item = u16>,
    ) {
        let added = record_offsets.len();
        let rows = self.rows() + added;
        let origin = &mut self.origin;
        origin
            .received_at
            .resize(rows, datagram.received_at.nanos());
        origin.tape_segment.resize(rows, at.segment);
        origin.tape_offset.resize(rows, at.offset);
        origin.record_offset.extend(record_offsets);
        origin.feed.resize(rows, datagram.feed.0);
        // As one number: an address is copied octet by octet otherwise.
        let exporter = crate::address::widen(datagram.source.ip()).to_bits();
        let exporters = std::iter::repeat_n(exporter, added).map(Ipv6Addr::from_bits);
        origin.exporter.extend(exporters);
        origin.domain.resize(rows, described.domain);
        origin.version.resize(rows, described.version);
        origin.template.resize(rows, described.template);
    }

    /// Makes every column that has a row as long as the batch; wholly absent ones stay empty.
    pub fn pad(&mut self) {
        let rows = self.rows();
        self.columns.pad(rows);
        if !self.measures.is_absent() {
            self.measures.pad(rows);
        }
        if !self.extras.is_absent() {
            self.extras.pad(rows);
        }
        for text in self.enrichment.texts_mut() {
            if !text.is_absent() {
                text.pad(rows);
            }
        }
    }

    /// Cuts off every row from `rows` on: what a malformed message had begun to add.
    pub fn truncate(&mut self, rows: usize) {
        let origin = &mut self.origin;
        origin.received_at.truncate(rows);
        origin.tape_segment.truncate(rows);
        origin.tape_offset.truncate(rows);
        origin.record_offset.truncate(rows);
        origin.feed.truncate(rows);
        origin.exporter.truncate(rows);
        origin.domain.truncate(rows);
        origin.version.truncate(rows);
        origin.template.truncate(rows);
        self.columns.truncate(rows);
        self.measures.truncate(rows);
        self.extras.truncate(rows);
        let enrichment = &mut self.enrichment;
        enrichment.src_is_client.truncate(rows);
        enrichment.client_evidence.truncate(rows);
        enrichment.accounting.truncate(rows);
        enrichment.application_source.truncate(rows);
        for text in enrichment.texts_mut() {
            text.truncate(rows);
        }
    }

    /// Keeps the rows of which `keep`, one entry a row, says so.
    pub fn retain(&mut self, keep: &[bool]) {
        let origin = &mut self.origin;
        retain(&mut origin.received_at, keep);
        retain(&mut origin.tape_segment, keep);
        retain(&mut origin.tape_offset, keep);
        retain(&mut origin.record_offset, keep);
        retain(&mut origin.feed, keep);
        retain(&mut origin.exporter, keep);
        retain(&mut origin.domain, keep);
        retain(&mut origin.version, keep);
        retain(&mut origin.template, keep);
        self.columns.retain(keep);
        self.measures.retain(keep);
        self.extras.retain(keep);
        let enrichment = &mut self.enrichment;
        retain(&mut enrichment.src_is_client, keep);
        retain(&mut enrichment.client_evidence, keep);
        retain(&mut enrichment.accounting, keep);
        retain(&mut enrichment.application_source, keep);
        for text in enrichment.texts_mut() {
            text.retain(keep);
        }
    }

    /// Empties the batch and keeps its memory.
    pub fn clear(&mut self) {
        let origin = &mut self.origin;
        origin.received_at.clear();
        origin.tape_segment.clear();
        origin.tape_offset.clear();
        origin.record_offset.clear();
        origin.feed.clear();
        origin.exporter.clear();
        origin.domain.clear();
        origin.version.clear();
        origin.template.clear();
        self.columns.clear();
        self.measures.clear();
        self.extras.clear();
        let enrichment = &mut self.enrichment;
        enrichment.src_is_client.clear();
        enrichment.client_evidence.clear();
        enrichment.accounting.clear();
        enrichment.application_source.clear();
        for text in enrichment.texts_mut() {
            text.clear();
        }
    }

    /// The tape position of `row`'s datagram.
    pub fn position(&self, row: usize) -> TapePosition {
        TapePosition {
            segment: self.origin.tape_segment[row],
            offset: self.origin.tape_offset[row],
        }
    }

    /// The feed of `row`.
    pub fn feed(&self, row: usize) -> Feed {
        Feed(self.origin.feed[row])
    }

    /// `row` for people.
    pub fn record(&self, row: usize) -> FlowRecord {
        let (origin, columns, enrichment) = (&self.origin, &self.columns, &self.enrichment);
        let address = |column: &Column<Ipv6Addr>| column.get(row).map(narrow);
        let time = |column: &Column<i64>| column.get(row).map(Timestamp::from_nanos);
        let text = |column: &TextColumn| column.get(row).map(str::to_owned);
        FlowRecord {
            received_at: Timestamp::from_nanos(origin.received_at[row]),
            start: time(&columns.start),
            end: time(&columns.end),
            exporter: narrow(origin.exporter[row]),
            exporter_name: text(&enrichment.exporter_name),
            observation_domain: origin.domain[row],
            version: origin.version[row],
            template: Some(origin.template[row]).filter(|id| *id != 0),
            src_addr: address(&columns.src_addr),
            dst_addr: address(&columns.dst_addr),
            src_port: columns.src_port.get(row),
            dst_port: columns.dst_port.get(row),
            protocol: columns.protocol.get(row),
            tcp_flags: columns.tcp_flags.get(row),
            octets: columns.octets.get(row),
            packets: columns.packets.get(row),
            sampling_interval: columns.sampling_interval.get(row),
            in_interface: columns.in_interface.get(row),
            out_interface: columns.out_interface.get(row),
            application: text(&enrichment.application),
            direction: columns
                .direction
                .get(row)
                .and_then(direction_name)
                .map(str::to_owned),
            reverse_start: time(&columns.reverse_start),
            reverse_end: time(&columns.reverse_end),
            reverse_tcp_flags: columns.reverse_tcp_flags.get(row),
            reverse_octets: columns.reverse_octets.get(row),
            reverse_packets: columns.reverse_packets.get(row),
            icmp_type_code: columns.icmp_type_code.get(row),
            tos: columns.tos.get(row),
            next_hop: address(&columns.next_hop),
            bgp_next_hop: address(&columns.bgp_next_hop),
            src_as: columns.src_as.get(row),
            dst_as: columns.dst_as.get(row),
            src_mask: columns.src_mask.get(row),
            dst_mask: columns.dst_mask.get(row),
            vlan: columns.vlan.get(row),
            post_vlan: columns.post_vlan.get(row),
            src_mac: columns.src_mac.get(row).map(mac),
            dst_mac: columns.dst_mac.get(row).map(mac),
            end_reason: columns.end_reason.get(row),
            min_ttl: columns.min_ttl.get(row),
            max_ttl: columns.max_ttl.get(row),
            forwarding_status: columns.forwarding_status.get(row),
            firewall_event: columns.firewall_event.get(row),
            nat_event: columns.nat_event.get(row),
            nat_src_addr: address(&columns.nat_src_addr),
            nat_dst_addr: address(&columns.nat_dst_addr),
            nat_src_port: columns.nat_src_port.get(row),
            nat_dst_port: columns.nat_dst_port.get(row),
            vni: columns.vni.get(row),
            inner_src_addr: address(&columns.inner_src_addr),
            inner_dst_addr: address(&columns.inner_dst_addr),
            inner_src_port: columns.inner_src_port.get(row),
            inner_dst_port: columns.inner_dst_port.get(row),
            inner_protocol: columns.inner_protocol.get(row),
            in_vrf: columns.in_vrf.get(row),
            out_vrf: columns.out_vrf.get(row),
            in_vrf_name: text(&enrichment.in_vrf_name),
            mpls_label: columns.mpls_label.get(row),
            flow_label: columns.flow_label.get(row),
            flow_id: columns.flow_id.get(row),
            dropped_octets: columns.dropped_octets.get(row),
            dropped_packets: columns.dropped_packets.get(row),
            exporter_application: text(&enrichment.exporter_application),
            client_site: text(&enrichment.client_site),
            server_site: text(&enrichment.server_site),
            in_interface_name: text(&enrichment.in_interface_name),
            out_interface_name: text(&enrichment.out_interface_name),
            src_is_client: enrichment.src_is_client.get(row).map(|flag| *flag == 1),
            accounting: enrichment.accounting.get(row).map(|flag| *flag == 1),
            time_kind: columns
                .time_kind
                .get(row)
                .and_then(TimeKind::from_u8)
                .map(|kind| kind.name().to_owned()),
            time_quality: columns
                .time_quality
                .get(row)
                .and_then(TimeQuality::from_u8)
                .map(|quality| quality.name().to_owned()),
            counter_kind: columns
                .counter_kind
                .get(row)
                .and_then(CounterKind::from_u8)
                .map(|kind| kind.name().to_owned()),
            sampling_source: columns
                .sampling_source
                .get(row)
                .and_then(SamplingSource::from_u8)
                .map(|source| source.name().to_owned()),
            measures: self
                .measures
                .get(row)
                .filter_map(|(id, value)| {
                    Some((
                        crate::measure::MEASURES
                            .get(usize::from(*id))?
                            .name
                            .to_owned(),
                        *value,
                    ))
                })
                .collect(),
            extras: self
                .extras
                .get(row)
                .map(|(key, value)| (key.to_string(), value.clone()))
                .collect(),
            tape_position: self.position(row).to_string(),
        }
    }
}

impl Enrichment {
    fn texts_mut(&mut self) -> [&mut TextColumn; 8] {
        [
            &mut self.application,
            &mut self.client_site,
            &mut self.server_site,
            &mut self.exporter_name,
            &mut self.in_interface_name,
            &mut self.out_interface_name,
            &mut self.exporter_application,
            &mut self.in_vrf_name,
        ]
    }
}

/// What described a row: the header's version and domain, and the template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Described {
    /// 1, 5, 7, 9 or 10.
    pub version: u8,
    /// See [`Origin::domain`].
    pub domain: u32,
    /// See [`Origin::template`].
    pub template: u16,
}

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

fn direction_name(code: u8) -> Option<&'static str> {
    match code {
        0 => Some("ingress"),
        1 => Some("egress"),
        _ => None,
    }
}

fn mac(bits: u64) -> String {
    let octets = bits.to_be_bytes();
    let [_, _, a, b, c, d, e, f] = octets;
    format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn datagram() -> Datagram {
        Datagram {
            received_at: Timestamp::from_seconds(100),
            source: "10.0.0.1:2055".parse().unwrap(),
            local_port: 2055,
            feed: Feed::WIRE,
            payload: Bytes::new(),
        }
    }

    #[test]
    fn a_row_is_what_was_written_and_absent_otherwise() {
        let mut batch = FlowBatch::default();
        let described = Described {
            version: 9,
            domain: 4,
            template: 256,
        };
        let at = TapePosition {
            segment: 1,
            offset: 64,
        };
        batch.push_rows(&datagram(), at, described, [24_u16, 52].into_iter());
        batch.columns.octets.set(1, 1500);
        batch.columns.src_mac.set(1, 0x0000_0200_5e10_0001);
        batch.pad();
        assert_eq!(batch.rows(), 2);
        let record = batch.record(1);
        assert_eq!(record.octets, Some(1500));
        assert_eq!(record.src_mac.as_deref(), Some("02:00:5e:10:00:01"));
        assert_eq!((record.packets, batch.record(0).octets), (None, None));
        assert_eq!(record.tape_position, "1:64");
        let mut second = batch.clone();
        second.retain(&[false, true]);
        assert_eq!((second.rows(), second.record(0)), (1, record));
        batch.truncate(1);
        assert_eq!((batch.rows(), batch.columns.octets.values().len()), (1, 1));
    }
}
