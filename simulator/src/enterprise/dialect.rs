//! What each kind of exporter sends: its templates as tables of fields and where their values come from.

use crate::encode::element as ie;
use crate::encode::element::{REVERSE, v9_scope, vmware};
use crate::encode::{Field, Protocol, Template, VARIABLE};

/// A kind of exporter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// A router with v5: no IPv6, uptime stamps.
    V5,
    /// A Catalyst switch with v7: no IPv6.
    V7,
    /// An access switch with v9: MAC addresses and VLAN.
    V9Access,
    /// A core switch with v9: routing, VRF and TTL.
    V9Core,
    /// A border router with v9 that looks at one packet of 100.
    V9Sampled,
    /// A router with IPFIX that keeps both directions in one record (RFC 5103) and names the application in it.
    IpfixBiflow,
    /// A router with IPFIX and application recognition: ids in records, names in options data.
    IpfixNbar,
    /// VMware's virtual switch: VXLAN outside, the tenant's flow inside.
    IpfixVmware,
    /// Open vSwitch: times as microseconds before the export.
    IpfixOvs,
    /// A cloud's gateway: nanosecond stamps.
    IpfixNanos,
}

/// Where a field's value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    SrcAddr,
    DstAddr,
    SrcPort,
    DstPort,
    Protocol,
    Tos,
    TcpFlags,
    Icmp,
    Octets,
    Packets,
    InInterface,
    OutInterface,
    NextHop,
    SrcMask,
    DstMask,
    SrcAs,
    DstAs,
    StartUptime,
    EndUptime,
    StartMillis,
    EndMillis,
    StartNtp,
    EndNtp,
    StartDelta,
    EndDelta,
    Ttl,
    SrcMac,
    DstMac,
    Vlan,
    EndReason,
    Sampler,
    Vrf,
    ApplicationId,
    ApplicationName,
    IpVersion,
    /// Always the same.
    Fixed(u8),
    ReverseOctets,
    ReversePackets,
    ReverseFlags,
    ReverseStartMillis,
    ReverseEndMillis,
    TunnelSrc,
    TunnelDst,
    TunnelSrcPort,
    TunnelDstPort,
    TunnelProtocol,
    Vni,
}

/// A field and its source.
pub(super) type Column = (Field, Source);

/// Template ids.
pub(super) const FLOWS_V4: u16 = 256;
pub(super) const FLOWS_V6: u16 = 257;
pub(super) const FLOWS_TUNNEL: u16 = 258;
pub(super) const INTERFACES: u16 = 300;
pub(super) const SAMPLERS: u16 = 301;
pub(super) const VRFS: u16 = 302;
pub(super) const APPLICATIONS: u16 = 303;
pub(super) const DOMAIN_SAMPLING: u16 = 304;

/// One packet of this many is looked at by the sampling exporter.
pub(super) const SAMPLED_OF: u32 = 100;

const fn column(id: u16, length: u16, source: Source) -> Column {
    (Field::iana(id, length), source)
}

impl Dialect {
    /// The template protocol; `None` for the fixed versions.
    pub(super) const fn protocol(self) -> Option<Protocol> {
        match self {
            Self::V5 | Self::V7 => None,
            Self::V9Access | Self::V9Core | Self::V9Sampled => Some(Protocol::V9),
            _ => Some(Protocol::Ipfix),
        }
    }

    pub(super) const fn domain(self) -> u32 {
        match self {
            Self::V9Access | Self::IpfixBiflow => 1,
            Self::V9Core => 256,
            Self::V9Sampled => 512,
            Self::IpfixNbar => 6,
            Self::IpfixVmware => 3,
            Self::IpfixNanos => 77,
            Self::V5 | Self::V7 | Self::IpfixOvs => 0,
        }
    }

    pub(super) const fn sampling(self) -> u32 {
        match self {
            Self::V9Sampled => SAMPLED_OF,
            _ => 1,
        }
    }

    pub(super) const fn local_port(self) -> u16 {
        match self.protocol() {
            Some(Protocol::Ipfix) => 4739,
            _ => 2055,
        }
    }

    /// Whether it keeps both directions in one entry.
    pub(super) const fn is_biflow(self) -> bool {
        matches!(self, Self::IpfixBiflow)
    }

    /// Whether it sees IPv6.
    pub(super) const fn sees_v6(self) -> bool {
        self.protocol().is_some()
    }

    /// The fields of its flow records.
    pub(super) fn columns(self, template: u16) -> Vec<Column> {
        let mut all = if template == FLOWS_TUNNEL {
            tunnel_key()
        } else {
            key(template == FLOWS_V6)
        };
        all.extend(self.times());
        all.extend(self.counters());
        all.extend(self.extras(template == FLOWS_V6));
        all
    }

    fn times(self) -> Vec<Column> {
        use Source as S;
        match self {
            Self::V5 | Self::V7 => Vec::new(),
            Self::V9Access | Self::V9Core | Self::V9Sampled => vec![
                column(ie::START_UPTIME, 4, S::StartUptime),
                column(ie::END_UPTIME, 4, S::EndUptime),
            ],
            Self::IpfixBiflow | Self::IpfixNbar | Self::IpfixVmware => vec![
                column(ie::START_MILLIS, 8, S::StartMillis),
                column(ie::END_MILLIS, 8, S::EndMillis),
            ],
            Self::IpfixOvs => vec![
                column(ie::START_DELTA_MICROS, 4, S::StartDelta),
                column(ie::END_DELTA_MICROS, 4, S::EndDelta),
            ],
            Self::IpfixNanos => vec![
                column(ie::START_NANOS, 8, S::StartNtp),
                column(ie::END_NANOS, 8, S::EndNtp),
            ],
        }
    }

    fn counters(self) -> [Column; 2] {
        // Reduced sizes (RFC 7011 §6.2) where routers use them.
        let length = match self {
            Self::IpfixBiflow | Self::IpfixOvs | Self::IpfixNanos => 8,
            _ => 4,
        };
        [
            column(ie::OCTETS, length, Source::Octets),
            column(ie::PACKETS, length, Source::Packets),
        ]
    }

    fn extras(self, v6: bool) -> Vec<Column> {
        use Source as S;
        let ttl = [
            column(ie::MIN_TTL, 1, S::Ttl),
            column(ie::MAX_TTL, 1, S::Ttl),
        ];
        match self {
            Self::V5 | Self::V7 => Vec::new(),
            Self::V9Access => vec![
                column(ie::SRC_MAC, 6, S::SrcMac),
                column(ie::DST_MAC, 6, S::DstMac),
                column(ie::VLAN, 2, S::Vlan),
                column(ie::DIRECTION, 1, S::Fixed(0)),
            ],
            Self::V9Core => routing(v6).into_iter().chain(ttl).collect(),
            Self::V9Sampled => {
                let mut all = routing(v6)[..5].to_vec();
                all.push(column(ie::SAMPLER_ID, 1, S::Sampler));
                all
            }
            Self::IpfixBiflow => biflow(),
            Self::IpfixNbar => {
                let id = column(ie::APPLICATION_ID, 4, S::ApplicationId);
                [id, end_reason()].into_iter().chain(ttl).collect()
            }
            Self::IpfixVmware => vec![end_reason(), column(ie::DIRECTION, 1, S::Fixed(0))],
            Self::IpfixOvs => {
                let version = column(ie::IP_VERSION, 1, S::IpVersion);
                [version, end_reason()].into_iter().chain(ttl).collect()
            }
            Self::IpfixNanos => std::iter::once(end_reason()).chain(ttl).collect(),
        }
    }

    /// All its templates.
    pub(super) fn templates(self) -> Vec<Template> {
        let Some(protocol) = self.protocol() else {
            return Vec::new();
        };
        let mut flows = vec![FLOWS_V4, FLOWS_V6];
        if self == Self::IpfixVmware {
            flows.push(FLOWS_TUNNEL);
        }
        let fields = |id: u16| -> Vec<Field> {
            self.columns(id)
                .into_iter()
                .map(|(field, _)| field)
                .collect()
        };
        let flows = flows.into_iter().map(|id| Template::data(id, fields(id)));
        flows.chain(self.options(protocol)).collect()
    }

    fn options(self, protocol: Protocol) -> Vec<Template> {
        let system = Field::iana(v9_scope::SYSTEM, 4);
        let mut all = vec![match protocol {
            Protocol::V9 => Template::options(
                INTERFACES,
                [Field::iana(v9_scope::INTERFACE, 4)],
                [
                    Field::iana(ie::INTERFACE_NAME, 32),
                    Field::iana(ie::INTERFACE_DESCRIPTION, 32),
                ],
            ),
            Protocol::Ipfix => Template::options(
                INTERFACES,
                [Field::iana(ie::IN_INTERFACE, 4)],
                [
                    Field::iana(ie::INTERFACE_NAME, VARIABLE),
                    Field::iana(ie::INTERFACE_DESCRIPTION, VARIABLE),
                ],
            ),
        }];
        match self {
            Self::V9Sampled => {
                let sizes = [
                    (ie::SAMPLER_ID, 1),
                    (ie::SAMPLER_MODE, 1),
                    (ie::SAMPLER_RANDOM_INTERVAL, 4),
                ];
                let fields = sizes.map(|(id, length)| Field::iana(id, length));
                all.push(Template::options(SAMPLERS, [system], fields));
            }
            Self::V9Core => {
                let fields = [Field::iana(ie::IN_VRF, 4), Field::iana(ie::VRF_NAME, 32)];
                all.push(Template::options(VRFS, [system], fields));
            }
            Self::IpfixNbar => all.push(Template::options(
                APPLICATIONS,
                [Field::iana(ie::APPLICATION_ID, 4)],
                [
                    Field::iana(ie::APPLICATION_NAME, VARIABLE),
                    Field::iana(ie::APPLICATION_DESCRIPTION, VARIABLE),
                ],
            )),
            Self::IpfixVmware | Self::IpfixNanos => all.push(Template::options(
                DOMAIN_SAMPLING,
                [Field::iana(ie::OBSERVATION_DOMAIN, 4)],
                [
                    Field::iana(ie::SAMPLING_INTERVAL, 4),
                    Field::iana(ie::SAMPLING_ALGORITHM, 1),
                ],
            )),
            Self::IpfixOvs => all.push(Template::options(
                DOMAIN_SAMPLING,
                [Field::iana(ie::OBSERVATION_DOMAIN, 4)],
                [
                    Field::iana(ie::SAMPLING_PACKET_INTERVAL, 4),
                    Field::iana(ie::SAMPLING_PACKET_SPACE, 4),
                ],
            )),
            _ => {}
        }
        all
    }
}

fn end_reason() -> Column {
    column(ie::END_REASON, 1, Source::EndReason)
}

/// The fields by which flows differ.
fn key(v6: bool) -> Vec<Column> {
    use Source as S;
    let (src, dst, length) = if v6 {
        (ie::SRC_V6, ie::DST_V6, 16)
    } else {
        (ie::SRC_V4, ie::DST_V4, 4)
    };
    vec![
        column(src, length, S::SrcAddr),
        column(dst, length, S::DstAddr),
        column(ie::SRC_PORT, 2, S::SrcPort),
        column(ie::DST_PORT, 2, S::DstPort),
        column(ie::PROTOCOL, 1, S::Protocol),
        column(ie::TOS, 1, S::Tos),
        column(ie::TCP_FLAGS, 1, S::TcpFlags),
        column(ie::ICMP_TYPE_CODE, 2, S::Icmp),
        column(ie::IN_INTERFACE, 4, S::InInterface),
        column(ie::OUT_INTERFACE, 4, S::OutInterface),
    ]
}

/// The tunnel outside, the tenant's flow inside.
fn tunnel_key() -> Vec<Column> {
    use Source as S;
    let tenant = |id, length, source| (Field::vendor(vmware::ENTERPRISE, id, length), source);
    vec![
        column(ie::SRC_V4, 4, S::TunnelSrc),
        column(ie::DST_V4, 4, S::TunnelDst),
        column(ie::SRC_PORT, 2, S::TunnelSrcPort),
        column(ie::DST_PORT, 2, S::TunnelDstPort),
        column(ie::PROTOCOL, 1, S::TunnelProtocol),
        column(ie::LAYER2_SEGMENT, 8, S::Vni),
        tenant(vmware::TENANT_PROTOCOL, 1, S::Protocol),
        tenant(vmware::TENANT_SRC_V4, 4, S::SrcAddr),
        tenant(vmware::TENANT_DST_V4, 4, S::DstAddr),
        tenant(vmware::TENANT_SRC_PORT, 2, S::SrcPort),
        tenant(vmware::TENANT_DST_PORT, 2, S::DstPort),
        column(ie::TCP_FLAGS, 1, S::TcpFlags),
        column(ie::TOS, 1, S::Tos),
        column(ie::IN_INTERFACE, 4, S::InInterface),
        column(ie::OUT_INTERFACE, 4, S::OutInterface),
    ]
}

fn routing(v6: bool) -> [Column; 6] {
    use Source as S;
    let (hop, length) = if v6 {
        (ie::NEXT_HOP_V6, 16)
    } else {
        (ie::NEXT_HOP_V4, 4)
    };
    // 29 and 30 are the prefix lengths of IPv6.
    let (src, dst) = if v6 {
        (29, 30)
    } else {
        (ie::SRC_MASK, ie::DST_MASK)
    };
    [
        column(hop, length, S::NextHop),
        column(src, 1, S::SrcMask),
        column(dst, 1, S::DstMask),
        column(ie::SRC_AS, 4, S::SrcAs),
        column(ie::DST_AS, 4, S::DstAs),
        column(ie::IN_VRF, 4, S::Vrf),
    ]
}

fn biflow() -> Vec<Column> {
    use Source as S;
    let reverse = |id, length, source| (Field::vendor(REVERSE, id, length), source);
    vec![
        reverse(ie::OCTETS, 8, S::ReverseOctets),
        reverse(ie::PACKETS, 8, S::ReversePackets),
        reverse(ie::TCP_FLAGS, 1, S::ReverseFlags),
        reverse(ie::START_MILLIS, 8, S::ReverseStartMillis),
        reverse(ie::END_MILLIS, 8, S::ReverseEndMillis),
        column(ie::BIFLOW_DIRECTION, 1, S::Fixed(1)),
        end_reason(),
        column(ie::APPLICATION_NAME, VARIABLE, S::ApplicationName),
    ]
}
