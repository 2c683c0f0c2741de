//! What the simulator's encoder writes, the decoder reads: every version, any template, any width.

use std::net::{IpAddr, Ipv4Addr};

use flow::{FlowRecord, Timestamp};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use simulator::encode::fixed::{self, FixedHeader, FixedRecord, FixedVersion};
use simulator::encode::{Field, Message, Protocol, Stamp, Template, VARIABLE, Value};

use crate::support::decode;
use crate::wire::{EXPORT_S, datagram};

const UPTIME_MS: u32 = 2_000_000_000;
/// 2023-11-14T22:13:20Z in milliseconds.
const EXPORT_MS: u64 = 1_700_000_000_000;
/// Seconds from 1900 to 1970 (RFC 5905 §6).
const NTP_EPOCH_S: u64 = 2_208_988_800;

/// A number: its element, the octets that its column holds, and where a record has it.
#[derive(Clone, Copy)]
struct Number(u16, u16, fn(&FlowRecord) -> Option<u64>);

impl std::fmt::Debug for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "element {}", self.0)
    }
}

const NUMBERS: &[Number] = &[
    Number(1, 8, |row| row.octets),
    Number(2, 8, |row| row.packets),
    Number(4, 1, |row| row.protocol.map(Into::into)),
    Number(5, 1, |row| row.tos.map(Into::into)),
    Number(6, 2, |row| row.tcp_flags.map(Into::into)),
    Number(7, 2, |row| row.src_port.map(Into::into)),
    Number(11, 2, |row| row.dst_port.map(Into::into)),
    Number(10, 4, |row| row.in_interface.map(Into::into)),
    Number(14, 4, |row| row.out_interface.map(Into::into)),
    Number(16, 4, |row| row.src_as.map(Into::into)),
    Number(17, 4, |row| row.dst_as.map(Into::into)),
    Number(58, 2, |row| row.vlan.map(Into::into)),
    Number(59, 2, |row| row.post_vlan.map(Into::into)),
    Number(32, 2, |row| row.icmp_type_code.map(Into::into)),
    Number(52, 1, |row| row.min_ttl.map(Into::into)),
    Number(53, 1, |row| row.max_ttl.map(Into::into)),
    Number(89, 1, |row| row.forwarding_status.map(Into::into)),
    Number(132, 8, |row| row.dropped_octets),
    Number(133, 8, |row| row.dropped_packets),
    Number(136, 1, |row| row.end_reason.map(Into::into)),
    Number(148, 8, |row| row.flow_id),
    Number(227, 2, |row| row.nat_src_port.map(Into::into)),
    Number(228, 2, |row| row.nat_dst_port.map(Into::into)),
    Number(230, 1, |row| row.nat_event.map(Into::into)),
    Number(234, 4, |row| row.in_vrf.map(Into::into)),
];

/// How a template tells first and last packet: elements and octets of both, and a millisecond in its unit.
#[derive(Clone, Copy, Debug)]
enum Times {
    Seconds,
    Millis,
    Micros,
    Nanos,
    DeltaMicros,
    Uptime,
}

impl Times {
    fn fields(self) -> [Field; 2] {
        let (start, end, octets) = match self {
            Self::Seconds => (150, 151, 4),
            Self::Millis => (152, 153, 8),
            Self::Micros => (154, 155, 8),
            Self::Nanos => (156, 157, 8),
            Self::DeltaMicros => (158, 159, 4),
            Self::Uptime => (22, 21, 4),
        };
        [Field::iana(start, octets), Field::iana(end, octets)]
    }

    /// As written, for a packet so many milliseconds before the header.
    fn write(self, before_ms: u32) -> u64 {
        let at_ms = EXPORT_MS - u64::from(before_ms);
        match self {
            Self::Seconds => at_ms / 1_000,
            Self::Millis => at_ms,
            // RFC 7011 §6.1.9: seconds since 1900, and the fraction in 2^-32 s, to the nearest.
            Self::Micros | Self::Nanos => {
                let fraction = ((at_ms % 1_000) << 32).div_ceil(1_000);
                (at_ms / 1_000 + NTP_EPOCH_S) << 32 | fraction
            }
            Self::DeltaMicros => u64::from(before_ms) * 1_000,
            Self::Uptime => u64::from(UPTIME_MS - before_ms),
        }
    }

    fn expected(self, before_ms: u32) -> Timestamp {
        let at_ms = i64::try_from(EXPORT_MS).unwrap() - i64::from(before_ms);
        match self {
            Self::Seconds => Timestamp::from_seconds(at_ms / 1_000),
            _ => Timestamp::from_millis(at_ms),
        }
    }
}

/// A template: both addresses first, then what was drawn.
#[derive(Clone, Debug)]
struct Layout {
    protocol: Protocol,
    v6: bool,
    times: Times,
    /// With the width of each.
    numbers: Vec<(Number, u16)>,
    /// Length of the text, or [`VARIABLE`].
    text: u16,
}

/// One record's values.
#[derive(Clone, Debug)]
struct Drawn {
    addresses: [u128; 2],
    /// Milliseconds before the header, and how much longer before it began.
    ended: u32,
    lasted: u32,
    numbers: Vec<u64>,
    text: String,
    long_form: bool,
}

fn layout() -> impl Strategy<Value = Layout> {
    let any_time = [
        Times::Seconds,
        Times::Millis,
        Times::Micros,
        Times::Nanos,
        Times::DeltaMicros,
    ];
    let times = prop::bool::ANY.prop_flat_map(move |v9| {
        let mut kinds = any_time.to_vec();
        if v9 {
            kinds.push(Times::Uptime);
        }
        let protocol = if v9 { Protocol::V9 } else { Protocol::Ipfix };
        (Just(protocol), select(kinds))
    });
    let numbers = subsequence(NUMBERS.to_vec(), 0..NUMBERS.len())
        .prop_shuffle()
        .prop_flat_map(|numbers| {
            let wide = numbers.into_iter().map(|number| (Just(number), 1..=8_u16));
            wide.collect::<Vec<_>>()
        });
    let text = prop_oneof![Just(VARIABLE), 1..60_u16];
    (times, prop::bool::ANY, numbers, text).prop_map(|((protocol, times), v6, numbers, text)| {
        Layout {
            protocol,
            v6,
            times,
            numbers,
            text,
        }
    })
}

fn drawn(layout: &Layout) -> impl Strategy<Value = Drawn> + use<> {
    let text_max = if layout.text == VARIABLE {
        300
    } else {
        layout.text
    };
    let numbers: Vec<_> = layout
        .numbers
        .iter()
        .map(|(number, width)| {
            let bits = 8 * u32::from(number.1.min(*width));
            // The top bit of a counter would be impossible.
            0..=(u64::MAX >> (64 - bits)).min(u64::MAX >> 1)
        })
        .collect();
    (
        any::<[u128; 2]>(),
        0..2_000_000_u32,
        0..2_000_000_u32,
        numbers,
        prop::string::string_regex(&format!("[a-z]{{0,{text_max}}}")).unwrap(),
        any::<bool>(),
    )
        .prop_map(
            |(addresses, ended, lasted, numbers, text, long_form)| Drawn {
                addresses,
                ended,
                lasted,
                numbers,
                text,
                long_form,
            },
        )
}

fn address(bits: u128, v6: bool) -> IpAddr {
    if v6 {
        // 2001:db8::/32, so that none is an IPv4 one in disguise.
        std::net::Ipv6Addr::from(bits >> 32 | 0x2001_0db8 << 96).into()
    } else {
        Ipv4Addr::from(u32::try_from(bits >> 96).unwrap()).into()
    }
}

impl Layout {
    fn template(&self) -> Template {
        let (source, destination, octets) = if self.v6 { (27, 28, 16) } else { (8, 12, 4) };
        let mut fields = vec![
            Field::iana(source, octets),
            Field::iana(destination, octets),
        ];
        fields.extend(self.times.fields());
        fields.extend(
            self.numbers
                .iter()
                .map(|(number, width)| Field::iana(number.0, *width)),
        );
        fields.push(Field::iana(371, self.text));
        Template::data(300, fields)
    }

    fn write(&self, template: &Template, drawn: &Drawn, message: &mut Message) {
        let mut values: Vec<Value<'_>> = Vec::new();
        values.extend(
            drawn
                .addresses
                .map(|bits| Value::Address(address(bits, self.v6))),
        );
        values.push(self.times.write(drawn.ended + drawn.lasted).into());
        values.push(self.times.write(drawn.ended).into());
        values.extend(drawn.numbers.iter().map(|number| Value::Unsigned(*number)));
        values.push(match drawn.long_form {
            true => Value::LongForm(drawn.text.as_bytes()),
            false => Value::Octets(drawn.text.as_bytes()),
        });
        message.record(template, &values);
    }

    fn check(&self, drawn: &Drawn, row: &FlowRecord) -> Result<(), TestCaseError> {
        let [source, destination] = drawn.addresses.map(|bits| Some(address(bits, self.v6)));
        prop_assert_eq!((row.src_addr, row.dst_addr), (source, destination));
        let start = self.times.expected(drawn.ended + drawn.lasted);
        prop_assert_eq!(row.start, Some(start));
        prop_assert_eq!(row.end, Some(self.times.expected(drawn.ended)));
        prop_assert_eq!(row.time_quality.as_deref(), Some("exact"));
        for ((number, width), sent) in self.numbers.iter().zip(&drawn.numbers) {
            prop_assert_eq!((number.2)(row), Some(*sent), "{:?} of {}", number, width);
        }
        let name = row.extras.get("userName").map_or("", |name| name);
        prop_assert_eq!(name, &drawn.text);
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_template_and_its_records_come_back(
        (layout, records) in layout().prop_flat_map(|layout| {
            let records = prop::collection::vec(drawn(&layout), 1..20);
            (Just(layout), records)
        }),
        domain in any::<u32>(),
    ) {
        let template = layout.template();
        let mut message = Message::new(layout.protocol, domain);
        message.template(&template);
        for drawn in &records {
            layout.write(&template, drawn, &mut message);
        }
        let stamp = Stamp { unix_seconds: EXPORT_S, uptime_ms: UPTIME_MS, sequence: 7 };
        let (decoder, batch) = decode(&[datagram(message.finish(stamp).to_vec())]);
        prop_assert_eq!(batch.rows(), records.len());
        for (row, drawn) in records.iter().enumerate() {
            let row = batch.record(row);
            prop_assert_eq!(row.observation_domain, domain);
            layout.check(drawn, &row)?;
        }
        let odd = decoder.problems().iter().find(|(problem, _)| problem.name() != "counter_implausible");
        prop_assert_eq!(odd, None);
    }

    #[test]
    fn options_reach_the_rows_of_their_domain(
        v9 in any::<bool>(),
        interval in 1..=16_000_000_u32,
        interface in any::<u32>(),
        name in "[a-z0-9/]{1,40}",
        variable in any::<bool>(),
    ) {
        let protocol = if v9 { Protocol::V9 } else { Protocol::Ipfix };
        let (of_domain, of_interface) = if v9 { (1, 2) } else { (149, 10) };
        let length = if variable { VARIABLE } else { 40 };
        let rates = Template::options(256, [Field::iana(of_domain, 4)], [Field::iana(34, 4)]);
        let names = Template::options(257, [Field::iana(of_interface, 4)], [Field::iana(82, length)]);
        let flows = Template::data(258, [Field::iana(10, 4), Field::iana(1, 4)]);
        let mut message = Message::new(protocol, 9);
        message.template(&rates).template(&names).template(&flows);
        message.record(&rates, &[9_u32.into(), interval.into()]);
        message.record(&names, &[interface.into(), name.as_str().into()]);
        message.record(&flows, &[interface.into(), 90_u32.into()]);
        let stamp = Stamp { unix_seconds: EXPORT_S, uptime_ms: UPTIME_MS, sequence: 7 };
        let (decoder, batch) = decode(&[datagram(message.finish(stamp).to_vec())]);
        let row = batch.record(0);
        prop_assert_eq!((row.octets, row.sampling_interval), (Some(90), Some(interval)));
        prop_assert_eq!(row.in_interface_name, Some(name));
        prop_assert_eq!(decoder.books().options_records, 2);
    }

    #[test]
    fn the_fixed_versions_come_back(
        version in select(vec![FixedVersion::V1, FixedVersion::V5, FixedVersion::V7]),
        drawn in prop::collection::vec((any::<[u32; 5]>(), any::<[u16; 6]>(), any::<[u8; 5]>(), 0..1_000_000_u32, 0..1_000_000_u32), 1..30),
    ) {
        let records: Vec<_> = drawn
            .iter()
            .map(|([src, dst, next_hop, packets, octets], [input, output, src_port, dst_port, src_as, dst_as], [flags, protocol, tos, src_mask, dst_mask], ended, lasted)| FixedRecord {
                src: (*src).into(),
                dst: (*dst).into(),
                next_hop: (*next_hop).into(),
                packets: *packets,
                octets: *octets,
                in_interface: *input,
                out_interface: *output,
                src_port: *src_port,
                dst_port: *dst_port,
                src_as: *src_as,
                dst_as: *dst_as,
                tcp_flags: *flags,
                protocol: *protocol,
                tos: *tos,
                src_mask: *src_mask,
                dst_mask: *dst_mask,
                first_ms: UPTIME_MS - ended - lasted,
                last_ms: UPTIME_MS - ended,
                router: Ipv4Addr::LOCALHOST,
            })
            .collect();
        let header = FixedHeader { uptime_ms: UPTIME_MS, unix_seconds: EXPORT_S, unix_nanos: 0, sequence: 5, engine_type: 1, engine_id: 2, sampling: 0 };
        let (_, batch) = decode(&[datagram(fixed::datagram(version, header, &records).to_vec())]);
        prop_assert_eq!(batch.rows(), records.len());
        for (row, sent) in records.iter().enumerate() {
            let row = batch.record(row);
            let addresses = [row.src_addr, row.dst_addr, row.next_hop];
            prop_assert_eq!(addresses, [sent.src, sent.dst, sent.next_hop].map(|it| Some(it.into())));
            prop_assert_eq!([row.octets, row.packets], [sent.octets, sent.packets].map(|it| Some(it.into())));
            prop_assert_eq!([row.in_interface, row.out_interface], [sent.in_interface, sent.out_interface].map(|it| Some(it.into())));
            prop_assert_eq!([row.src_port, row.dst_port], [sent.src_port, sent.dst_port].map(Some));
            prop_assert_eq!([row.protocol, row.tos], [sent.protocol, sent.tos].map(Some));
            prop_assert_eq!(row.tcp_flags, Some(sent.tcp_flags.into()));
            let before = |stamp: u32| Some(Times::Uptime.expected(UPTIME_MS - stamp));
            prop_assert_eq!([row.start, row.end], [before(sent.first_ms), before(sent.last_ms)]);
            if version != FixedVersion::V1 {
                prop_assert_eq!([row.src_as, row.dst_as], [sent.src_as, sent.dst_as].map(|it| Some(it.into())));
                prop_assert_eq!([row.src_mask, row.dst_mask], [sent.src_mask, sent.dst_mask].map(Some));
            }
        }
    }
}
