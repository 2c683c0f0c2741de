//! What the fields of v5 become.

use crate::support::run;
use crate::wire::v5;

#[test]
fn a_v5_packet_is_read_field_by_field() {
    let (_, batch) = run(vec![v5(77, 1, 1, 0x4000 | 100)]);
    let record = batch.record(0);
    assert_eq!(record.observation_domain, 0x0102);
    assert_eq!(record.src_addr.unwrap().to_string(), "10.0.0.0");
    assert_eq!((record.src_port, record.dst_port), (Some(40_000), Some(80)));
    assert_eq!((record.octets, record.packets), (Some(1_000), Some(10)));
    assert_eq!(
        (record.in_interface, record.out_interface),
        (Some(3), Some(4))
    );
    assert_eq!((record.protocol, record.tcp_flags), (Some(6), Some(0x1b)));
    assert_eq!((record.src_as, record.dst_as), (Some(65_000), Some(65_001)));
    assert_eq!((record.src_mask, record.dst_mask), (Some(24), Some(16)));
    assert_eq!(
        record.start.unwrap().to_string(),
        "2023-11-14T22:13:18.500Z"
    );
    assert_eq!(record.end.unwrap().to_string(), "2023-11-14T22:13:19.500Z");
    assert_eq!(record.sampling_interval, Some(100));
    assert_eq!(record.sampling_source.as_deref(), Some("header"));
    let (_, unknown) = run(vec![v5(77, 1, 1, 0)]);
    assert_eq!(unknown.record(0).sampling_interval, None, "0 is not 1 of 0");
}

#[test]
fn icmp_of_v5_is_in_the_destination_port_which_stays() {
    // The first record's protocol is the 39th octet after the header, its destination port the 35th and 36th.
    let mut echo = v5(0, 2, 2, 0);
    echo[24 + 38] = 1;
    echo[24 + 34..24 + 36].copy_from_slice(&[8, 0]);
    let (_, batch) = run(vec![echo]);
    let (icmp, tcp) = (batch.record(0), batch.record(1));
    assert_eq!(
        (icmp.icmp_type_code, icmp.dst_port),
        (Some(0x0800), Some(2_048))
    );
    assert_eq!((tcp.icmp_type_code, tcp.dst_port), (None, Some(80)));
}
