//! Numbers of the information elements that the simulator writes
//! ([IANA IPFIX registry](https://www.iana.org/assignments/ipfix); NetFlow v9 uses the same ones below 128).

macro_rules! elements {
    ($($(#[doc = $doc:literal])+ $name:ident = $id:literal;)+) => {
        $($(#[doc = $doc])+ pub const $name: u16 = $id;)+
    };
}

elements! {
    /// octetDeltaCount.
    OCTETS = 1;
    /// packetDeltaCount.
    PACKETS = 2;
    /// protocolIdentifier.
    PROTOCOL = 4;
    /// ipClassOfService.
    TOS = 5;
    /// tcpControlBits.
    TCP_FLAGS = 6;
    /// sourceTransportPort.
    SRC_PORT = 7;
    /// sourceIPv4Address.
    SRC_V4 = 8;
    /// sourceIPv4PrefixLength.
    SRC_MASK = 9;
    /// ingressInterface.
    IN_INTERFACE = 10;
    /// destinationTransportPort.
    DST_PORT = 11;
    /// destinationIPv4Address.
    DST_V4 = 12;
    /// destinationIPv4PrefixLength.
    DST_MASK = 13;
    /// egressInterface.
    OUT_INTERFACE = 14;
    /// ipNextHopIPv4Address.
    NEXT_HOP_V4 = 15;
    /// bgpSourceAsNumber.
    SRC_AS = 16;
    /// bgpDestinationAsNumber.
    DST_AS = 17;
    /// flowEndSysUpTime, milliseconds.
    END_UPTIME = 21;
    /// flowStartSysUpTime, milliseconds.
    START_UPTIME = 22;
    /// sourceIPv6Address.
    SRC_V6 = 27;
    /// destinationIPv6Address.
    DST_V6 = 28;
    /// icmpTypeCodeIPv4.
    ICMP_TYPE_CODE = 32;
    /// samplingInterval.
    SAMPLING_INTERVAL = 34;
    /// samplingAlgorithm: 1 deterministic, 2 random.
    SAMPLING_ALGORITHM = 35;
    /// samplerId.
    SAMPLER_ID = 48;
    /// samplerMode: 1 deterministic, 2 random.
    SAMPLER_MODE = 49;
    /// samplerRandomInterval.
    SAMPLER_RANDOM_INTERVAL = 50;
    /// minimumTTL.
    MIN_TTL = 52;
    /// maximumTTL.
    MAX_TTL = 53;
    /// sourceMacAddress.
    SRC_MAC = 56;
    /// vlanId.
    VLAN = 58;
    /// ipVersion.
    IP_VERSION = 60;
    /// flowDirection: 0 ingress, 1 egress.
    DIRECTION = 61;
    /// ipNextHopIPv6Address.
    NEXT_HOP_V6 = 62;
    /// destinationMacAddress (80, postDestinationMacAddress is 57).
    DST_MAC = 80;
    /// interfaceName.
    INTERFACE_NAME = 82;
    /// interfaceDescription.
    INTERFACE_DESCRIPTION = 83;
    /// applicationDescription.
    APPLICATION_DESCRIPTION = 94;
    /// applicationId (RFC 6759): engine, then selector.
    APPLICATION_ID = 95;
    /// applicationName.
    APPLICATION_NAME = 96;
    /// flowEndReason.
    END_REASON = 136;
    /// observationDomainId.
    OBSERVATION_DOMAIN = 149;
    /// flowStartSeconds.
    START_SECONDS = 150;
    /// flowEndSeconds.
    END_SECONDS = 151;
    /// flowStartMilliseconds.
    START_MILLIS = 152;
    /// flowEndMilliseconds.
    END_MILLIS = 153;
    /// flowStartMicroseconds, in NTP form.
    START_MICROS = 154;
    /// flowEndMicroseconds, in NTP form.
    END_MICROS = 155;
    /// flowStartNanoseconds, in NTP form.
    START_NANOS = 156;
    /// flowEndNanoseconds, in NTP form.
    END_NANOS = 157;
    /// flowStartDeltaMicroseconds, before the export time.
    START_DELTA_MICROS = 158;
    /// flowEndDeltaMicroseconds, before the export time.
    END_DELTA_MICROS = 159;
    /// ingressVRFID.
    IN_VRF = 234;
    /// VRFname.
    VRF_NAME = 236;
    /// biflowDirection (RFC 5103 §6.3): 1 initiator.
    BIFLOW_DIRECTION = 239;
    /// samplingPacketInterval (RFC 5477).
    SAMPLING_PACKET_INTERVAL = 305;
    /// samplingPacketSpace (RFC 5477).
    SAMPLING_PACKET_SPACE = 306;
    /// layer2SegmentId: the VXLAN network identifier, with the kind in the first octet.
    LAYER2_SEGMENT = 351;
}

/// Enterprise number of reverse elements (RFC 5103 §6.1).
pub const REVERSE: u32 = 29305;

/// VMware's enterprise number and the elements of its virtual switches.
pub mod vmware {
    /// VMware, Inc.
    pub const ENTERPRISE: u32 = 6876;
    /// tenantProtocol.
    pub const TENANT_PROTOCOL: u16 = 880;
    /// tenantSourceIPv4.
    pub const TENANT_SRC_V4: u16 = 881;
    /// tenantDestIPv4.
    pub const TENANT_DST_V4: u16 = 882;
    /// tenantSourcePort.
    pub const TENANT_SRC_PORT: u16 = 886;
    /// tenantDestPort.
    pub const TENANT_DST_PORT: u16 = 887;
}

/// Scopes of a v9 options template (RFC 3954 §6.1).
pub mod v9_scope {
    /// The exporter itself.
    pub const SYSTEM: u16 = 1;
    /// An interface.
    pub const INTERFACE: u16 = 2;
}
