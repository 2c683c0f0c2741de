//! Link layers, IP and UDP: what is taken and what is counted.

use bytes::Bytes;
use collector::capture::{FrameCounts, Selection};
use collector::listen::AllowList;
use etherparse::{IpNumber, Ipv6Header, Ipv6RawExtHeader, PacketBuilder, UdpHeader};
use flow::{Datagram, Feed, Timestamp};
use proptest::prelude::*;

use super::pcap::*;

#[test]
fn case_49_every_link_layer_gives_the_same_datagram() {
    let addresses = [2; 12];
    let q = |tpid: u16, vlan: u8| [&tpid.to_be_bytes()[..], &[0, vlan]].concat();
    let v4 = 0x0800_u16.to_be_bytes();
    let layers: [(u32, Vec<u8>); 11] = [
        (ETHERNET, [&addresses[..], &v4].concat()),
        (ETHERNET, [&addresses[..], &q(0x8100, 7), &v4].concat()),
        (
            ETHERNET,
            [&addresses[..], &q(0x88a8, 7), &q(0x8100, 8), &v4].concat(),
        ),
        (
            ETHERNET,
            [
                &addresses[..],
                &q(0x9100, 1),
                &q(0x8100, 2),
                &q(0x8100, 3),
                &v4,
            ]
            .concat(),
        ),
        (SLL, [&[0, 0, 0, 1, 0, 6][..], &[2; 8], &v4].concat()),
        (
            SLL2,
            [&v4[..], &[0, 0, 0, 0, 0, 3, 0, 1, 4, 6], &[2; 8]].concat(),
        ),
        (RAW, Vec::new()),
        (12, Vec::new()),
        (228, Vec::new()),
        (0, vec![2, 0, 0, 0]),
        (108, vec![0, 0, 0, 2]),
    ];
    for (link, header) in layers {
        let frame = [&header[..], &udp_v4(b"export")].concat();
        let (datagrams, counts) = Pcap::micros(link).frames(&[frame]).all();
        let expected = Datagram {
            received_at: Timestamp::from_seconds(1_700_000_000).offset(5_000),
            source: "192.0.2.9:50000".parse().unwrap(),
            local_port: 2055,
            feed: Feed::WIRE,
            payload: Bytes::from_static(b"export"),
        };
        assert_eq!(datagrams, [expected], "link type {link}, {header:02x?}");
        assert_eq!((counts.frames, counts.datagrams), (1, 1));
    }
}

#[test]
fn padding_of_short_frames_is_not_payload() {
    let mut frame = [&[2; 12][..], &[0x08, 0x00], &udp_v4(b"v")].concat();
    frame.resize(60, 0xaa);
    let (datagrams, _) = Pcap::micros(ETHERNET).frames(&[frame]).all();
    assert_eq!(payloads(&datagrams), [b"v"]);
}

#[test]
fn case_49_a_wrong_checksum_is_no_reason_to_lose_a_datagram() {
    let mut packet = udp_v4(b"export");
    packet[10] ^= 0xff;
    packet[26] ^= 0xff;
    let (datagrams, _) = Pcap::micros(RAW).frames(&[packet]).all();
    assert_eq!(payloads(&datagrams), [b"export"]);
}

#[test]
fn case_49_ipv6_may_have_extension_headers() {
    let udp = UdpHeader::with_ipv6_checksum(
        50_000,
        4739,
        &Ipv6Header {
            source: V6_SOURCE,
            destination: V6_DESTINATION,
            ..Ipv6Header::default()
        },
        b"export",
    )
    .unwrap();
    let hop_by_hop =
        Ipv6RawExtHeader::new_raw(IpNumber::IPV6_DESTINATION_OPTIONS, &[1, 4, 0, 0, 0, 0]);
    let options =
        Ipv6RawExtHeader::new_raw(IpNumber::UDP, &[1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let mut behind = hop_by_hop.unwrap().to_bytes().to_vec();
    behind.extend_from_slice(&options.unwrap().to_bytes());
    behind.extend_from_slice(&udp.to_bytes());
    behind.extend_from_slice(b"export");
    let header = Ipv6Header {
        payload_length: u16::try_from(behind.len()).unwrap(),
        next_header: IpNumber::IPV6_HEADER_HOP_BY_HOP,
        hop_limit: 64,
        source: V6_SOURCE,
        destination: V6_DESTINATION,
        ..Ipv6Header::default()
    };
    let with_extensions = [&header.to_bytes()[..], &behind].concat();
    let (datagrams, _) = Pcap::micros(RAW)
        .frames(&[udp_v6(b"plain"), with_extensions])
        .all();
    assert_eq!(payloads(&datagrams), [&b"plain"[..], b"export"]);
    for datagram in datagrams {
        assert_eq!(datagram.source, "[2001:db8::9]:50000".parse().unwrap());
        assert_eq!(datagram.local_port, 4739);
    }
}

#[test]
fn case_49_what_is_no_datagram_is_told_apart() {
    let tcp = {
        let mut packet = Vec::new();
        let builder = PacketBuilder::ipv4(V4.0, V4.1, 64).tcp(1, 2, 3, 4);
        builder.write(&mut packet, b"tcp").unwrap();
        packet
    };
    let mut lying_udp = udp_v4(b"export");
    lying_udp[20 + 4..20 + 6].copy_from_slice(&15_u16.to_be_bytes());
    let mut short_udp = udp_v4(b"export");
    short_udp[20 + 4..20 + 6].copy_from_slice(&7_u16.to_be_bytes());
    let mut lying_ip = udp_v4(b"export");
    lying_ip[2..4].copy_from_slice(&200_u16.to_be_bytes());
    let mut bad_header = udp_v4(b"export");
    bad_header[0] = 0x44;
    let cut = udp_v4(&[1; 500]);
    let file = Pcap::micros(RAW)
        .frames(&[tcp, lying_udp, short_udp, lying_ip, bad_header])
        .frame((1_700_000_000, 0), &cut[..96], cut.len())
        .frame((1_700_000_000, 0), &cut[..10], cut.len())
        .frames(&[vec![0x55; 40], Vec::new(), udp_v4(b"")]);
    let (datagrams, counts) = file.all();
    assert_eq!(payloads(&datagrams), [b""]);
    let expected = FrameCounts {
        frames: 10,
        datagrams: 1,
        not_udp: 1,
        malformed: 5,
        cut: 2,
        not_ip: 1,
        ..FrameCounts::default()
    };
    assert_eq!(counts, expected);
}

#[test]
fn ports_sources_and_feed_are_selected() {
    let file = Pcap::micros(RAW).frames(&[udp_v4(b"four"), udp_v6(b"six")]);
    let (datagrams, counts) = file.read(Selection {
        ports: vec![4739],
        feed: Feed(3),
        ..Selection::default()
    });
    assert_eq!(payloads(&datagrams), [b"six"]);
    assert_eq!(datagrams[0].feed, Feed(3));
    assert_eq!(counts.other_port, 1);
    let (datagrams, counts) = file.read(Selection {
        allow: Some(AllowList::new(vec!["192.0.2.0/24".parse().unwrap()])),
        ..Selection::default()
    });
    assert_eq!(payloads(&datagrams), [b"four"]);
    assert_eq!(counts.not_allowed, 1);
}

proptest! {
    #[test]
    fn no_frame_of_any_link_layer_makes_it_panic(
        link in prop::sample::select(vec![0_u32, ETHERNET, 12, RAW, 108, SLL, SLL2, 228, 229]),
        frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 1..8),
    ) {
        // Reading asserts that every frame is accounted for.
        let (_, counts) = Pcap::micros(link).frames(&frames).all();
        prop_assert_eq!(counts.frames, u64::try_from(frames.len()).unwrap());
    }

    #[test]
    fn no_change_of_a_datagram_makes_it_panic(
        version in prop::bool::ANY,
        changes in prop::collection::vec((0..60_usize, any::<u8>()), 1..6),
        length in 0..80_usize,
    ) {
        let mut packet = if version { udp_v4(b"some payload") } else { udp_v6(b"some payload") };
        for (at, octet) in changes {
            if let Some(place) = packet.get_mut(at) {
                *place = octet;
            }
        }
        packet.truncate(length);
        let (_, counts) = Pcap::micros(RAW).frames(&[packet.clone(), packet]).all();
        prop_assert_eq!(counts.frames, 2);
    }
}
