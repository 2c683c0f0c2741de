//! Datagrams in fragments.

use etherparse::{
    IpFragOffset, IpNumber, Ipv4Header, Ipv6Extensions, Ipv6FragmentHeader, Ipv6Header,
};

use super::pcap::*;

/// `packet` (IPv4 with 20 octets of header) cut into fragments of at most `size` octets of payload.
fn fragments_v4(packet: &[u8], size: usize) -> Vec<Vec<u8>> {
    let payload = &packet[20..];
    let parts = payload.chunks(size).enumerate().map(|(index, part)| {
        let length = u16::try_from(part.len()).unwrap();
        let mut header = Ipv4Header::new(length, 64, IpNumber::UDP, V4.0, V4.1).unwrap();
        header.identification = 77;
        header.dont_fragment = false;
        header.more_fragments = index * size + part.len() < payload.len();
        let offset = u16::try_from(index * size / 8).unwrap();
        header.fragment_offset = IpFragOffset::try_new(offset).unwrap();
        [&header.to_bytes()[..], part].concat()
    });
    parts.collect()
}

/// The same for IPv6 with 40 octets of header.
fn fragments_v6(packet: &[u8], size: usize) -> Vec<Vec<u8>> {
    let payload = &packet[40..];
    let parts = payload.chunks(size).enumerate().map(|(index, part)| {
        let offset = u16::try_from(index * size / 8).unwrap();
        let more = index * size + part.len() < payload.len();
        let extensions = Ipv6Extensions {
            fragment: Some(Ipv6FragmentHeader::new(
                IpNumber::UDP,
                IpFragOffset::try_new(offset).unwrap(),
                more,
                0xdead_beef,
            )),
            ..Ipv6Extensions::default()
        };
        let header = Ipv6Header {
            payload_length: u16::try_from(8 + part.len()).unwrap(),
            next_header: IpNumber::IPV6_FRAGMENTATION_HEADER,
            hop_limit: 64,
            source: V6_SOURCE,
            destination: V6_DESTINATION,
            ..Ipv6Header::default()
        };
        let mut octets = header.to_bytes().to_vec();
        extensions
            .write(&mut octets, IpNumber::IPV6_FRAGMENTATION_HEADER)
            .unwrap();
        octets.extend(part);
        octets
    });
    parts.collect()
}

#[test]
fn case_49_fragments_become_the_largest_datagram_again() {
    let payload: Vec<u8> = (0..65_507_u32).map(|n| n.to_le_bytes()[0]).collect();
    let mut v4 = fragments_v4(&udp_v4(&payload), 1480);
    v4.reverse();
    let v6 = fragments_v6(&udp_v6(&payload), 1448);
    let frames = [&v4[..], &v6].concat();
    let (datagrams, counts) = Pcap::micros(RAW).frames(&frames).all();
    assert_eq!(datagrams.len(), 2);
    assert!(datagrams.iter().all(|datagram| datagram.payload == payload));
    assert_eq!(datagrams[0].source, "192.0.2.9:50000".parse().unwrap());
    assert_eq!(datagrams[1].source, "[2001:db8::9]:50000".parse().unwrap());
    // 65,515 octets of UDP in parts of 1,480 and of 1,448.
    assert_eq!(counts.fragments, 45 + 46);
    assert_eq!((counts.reassembled, counts.incomplete), (2, 0));
}

#[test]
fn case_49_a_lost_fragment_is_counted_and_spoils_nothing_else() {
    let mut frames = fragments_v4(&udp_v4(&[7; 3000]), 1480);
    frames.remove(1);
    frames.push(udp_v4(b"whole"));
    let (datagrams, counts) = Pcap::micros(RAW).frames(&frames).all();
    assert_eq!(payloads(&datagrams), [b"whole"]);
    assert_eq!((counts.fragments, counts.incomplete), (2, 1));
}

#[test]
fn case_49_a_fragment_that_comes_a_minute_late_completes_nothing() {
    let frames = fragments_v4(&udp_v4(&[7; 2000]), 1480);
    let file = Pcap::micros(RAW)
        .frame((1_700_000_000, 0), &frames[0], frames[0].len())
        .frame((1_700_000_060, 0), &frames[1], frames[1].len());
    let (datagrams, counts) = file.all();
    assert!(datagrams.is_empty());
    assert_eq!((counts.fragments, counts.incomplete), (2, 2));
}
