//! What an independent decoder, `netflow_parser`, makes of our datagrams.

use std::collections::HashMap;
use std::net::IpAddr;

use flow::Datagram;
use netflow_parser::variable_versions::field_value::{DataNumber, DurationValue, FieldValue};
use netflow_parser::variable_versions::ipfix::lookup::{
    IANAIPFixField as Iana, IPFixField, ReverseInformationElement as Reverse, VMWareIPFixField,
};
use netflow_parser::variable_versions::ipfix::{self};
use netflow_parser::variable_versions::v9;
use netflow_parser::variable_versions::v9::lookup::V9Field;
use netflow_parser::{NetflowPacket, NetflowParser};

/// A flow record as it was heard. Stamps are in the unit that was sent.
#[derive(Clone, Debug, Default)]
#[allow(dead_code, reason = "each test looks at some of it")]
pub(crate) struct Heard {
    pub(crate) octets: u64,
    pub(crate) packets: u64,
    pub(crate) reverse_octets: u64,
    pub(crate) reverse_packets: u64,
    /// Of the tunnel, where there is one.
    pub(crate) outer: Option<(IpAddr, IpAddr)>,
    pub(crate) in_interface: u64,
    pub(crate) out_interface: u64,
    pub(crate) src: Option<IpAddr>,
    pub(crate) dst: Option<IpAddr>,
    pub(crate) src_port: u64,
    pub(crate) dst_port: u64,
    pub(crate) tcp_flags: u64,
    pub(crate) first: u64,
    pub(crate) reverse_first: u64,
}

/// What all datagrams said.
#[derive(Debug, Default)]
pub(crate) struct Oracle {
    parsers: HashMap<IpAddr, NetflowParser>,
    pub(crate) heard: HashMap<IpAddr, Vec<Heard>>,
    pub(crate) options_records: HashMap<IpAddr, u64>,
    pub(crate) without_template: u64,
    pub(crate) errors: u64,
}

impl Oracle {
    pub(crate) fn listen(&mut self, datagram: &Datagram) {
        let exporter = datagram.source.ip();
        let parser = self.parsers.entry(exporter).or_default();
        let result = parser.parse_bytes(&datagram.payload);
        self.errors += u64::from(result.is_err());
        for packet in result.packets {
            let heard = self.heard.entry(exporter).or_default();
            let options = self.options_records.entry(exporter).or_default();
            match packet {
                NetflowPacket::V5(v5) => heard.extend(v5.flowsets.iter().map(|flow| Heard {
                    octets: flow.d_octets.into(),
                    packets: flow.d_pkts.into(),
                    src: Some(flow.src_addr.into()),
                    dst: Some(flow.dst_addr.into()),
                    src_port: flow.src_port.into(),
                    dst_port: flow.dst_port.into(),
                    tcp_flags: flow.tcp_flags.into(),
                    in_interface: flow.input.into(),
                    out_interface: flow.output.into(),
                    first: flow.first.into(),
                    ..Heard::default()
                })),
                NetflowPacket::V7(v7) => heard.extend(v7.flowsets.iter().map(|flow| Heard {
                    octets: flow.d_octets.into(),
                    packets: flow.d_pkts.into(),
                    src: Some(flow.src_addr.into()),
                    dst: Some(flow.dst_addr.into()),
                    src_port: flow.src_port.into(),
                    dst_port: flow.dst_port.into(),
                    tcp_flags: flow.tcp_flags.into(),
                    in_interface: flow.input.into(),
                    out_interface: flow.output.into(),
                    first: flow.first.into(),
                    ..Heard::default()
                })),
                NetflowPacket::V9(packet) => {
                    for set in packet.flowsets {
                        match set.body {
                            v9::FlowSetBody::Data(data) => {
                                heard.extend(data.fields.iter().map(|record| from_v9(record)));
                            }
                            v9::FlowSetBody::OptionsData(data) => {
                                *options += data.fields.len() as u64
                            }
                            v9::FlowSetBody::NoTemplate(_) => self.without_template += 1,
                            _ => {}
                        }
                    }
                }
                NetflowPacket::IPFix(message) => {
                    for set in message.flowsets {
                        match set.body {
                            ipfix::FlowSetBody::Data(data) => {
                                heard.extend(data.fields.iter().map(|record| from_ipfix(record)));
                            }
                            ipfix::FlowSetBody::OptionsData(data) => {
                                *options += data.fields.len() as u64
                            }
                            ipfix::FlowSetBody::NoTemplate(_) => self.without_template += 1,
                            _ => {}
                        }
                    }
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

fn from_v9(record: &[(V9Field, FieldValue)]) -> Heard {
    let mut heard = Heard::default();
    for (field, value) in record {
        match field {
            V9Field::InBytes => heard.octets = number(value),
            V9Field::InPkts => heard.packets = number(value),
            V9Field::Ipv4SrcAddr | V9Field::Ipv6SrcAddr => heard.src = IpAddr::try_from(value).ok(),
            V9Field::Ipv4DstAddr | V9Field::Ipv6DstAddr => heard.dst = IpAddr::try_from(value).ok(),
            V9Field::InputSnmp => heard.in_interface = number(value),
            V9Field::OutputSnmp => heard.out_interface = number(value),
            V9Field::L4SrcPort => heard.src_port = number(value),
            V9Field::L4DstPort => heard.dst_port = number(value),
            V9Field::TcpFlags => heard.tcp_flags = number(value),
            V9Field::FirstSwitched => heard.first = number(value),
            _ => {}
        }
    }
    heard
}

/// In a tunnel: the tenant's addresses and ports, which stand behind those of the tunnel.
fn from_ipfix(record: &[(IPFixField, FieldValue)]) -> Heard {
    let mut heard = Heard::default();
    for (field, value) in record {
        match field {
            IPFixField::IANA(Iana::OctetDeltaCount) => heard.octets = number(value),
            IPFixField::IANA(Iana::PacketDeltaCount) => heard.packets = number(value),
            IPFixField::IANA(Iana::SourceIpv4address | Iana::SourceIpv6address)
            | IPFixField::VMWare(VMWareIPFixField::VmwareTenantSourceIPv4) => {
                heard.src = IpAddr::try_from(value).ok();
            }
            IPFixField::IANA(Iana::DestinationIpv4address | Iana::DestinationIpv6address)
            | IPFixField::VMWare(VMWareIPFixField::VmwareTenantDestIPv4) => {
                heard.dst = IpAddr::try_from(value).ok();
            }
            IPFixField::IANA(Iana::SourceTransportPort)
            | IPFixField::VMWare(VMWareIPFixField::VmwareTenantSourcePort) => {
                heard.src_port = number(value);
            }
            IPFixField::IANA(Iana::DestinationTransportPort)
            | IPFixField::VMWare(VMWareIPFixField::VmwareTenantDestPort) => {
                heard.dst_port = number(value);
            }
            IPFixField::IANA(Iana::IngressInterface) => heard.in_interface = number(value),
            IPFixField::IANA(Iana::EgressInterface) => heard.out_interface = number(value),
            IPFixField::VMWare(VMWareIPFixField::VmwareTenantProtocol) => {
                heard.outer = heard.src.zip(heard.dst);
            }
            IPFixField::IANA(Iana::TcpControlBits) => heard.tcp_flags = number(value),
            IPFixField::IANA(
                Iana::FlowStartMilliseconds
                | Iana::FlowStartDeltaMicroseconds
                | Iana::FlowStartNanoseconds,
            ) => heard.first = number(value),
            IPFixField::ReverseInformationElement(reverse) => match reverse {
                Reverse::ReverseOctetDeltaCount => heard.reverse_octets = number(value),
                Reverse::ReversePacketDeltaCount => heard.reverse_packets = number(value),
                Reverse::ReverseFlowStartMilliseconds => heard.reverse_first = number(value),
                _ => {}
            },
            _ => {}
        }
    }
    heard
}

fn number(value: &FieldValue) -> u64 {
    match value {
        FieldValue::DataNumber(number) => match number {
            DataNumber::U8(number) => u64::from(*number),
            DataNumber::U16(number) => u64::from(*number),
            DataNumber::U24(number) | DataNumber::U32(number) => u64::from(*number),
            DataNumber::U64(number) => *number,
            other => panic!("{other:?}"),
        },
        FieldValue::Duration(
            DurationValue::Seconds { value, .. } | DurationValue::Millis { value, .. },
        ) => *value,
        FieldValue::Duration(duration) => {
            u64::try_from(duration.as_duration().as_nanos()).unwrap_or(0)
        }
        FieldValue::TcpControlBits(bits, _) => u64::from(u16::from(*bits)),
        other => panic!("{other:?}"),
    }
}
