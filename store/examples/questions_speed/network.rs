//! A made-up network: 50 applications on 100 servers, 5,000 clients at 10 sites, eight exporters.

use flow::{FlowBatch, Timestamp};

/// 2026-10-01T00:00:00Z.
pub(crate) const START_S: i64 = 1_790_812_800;

/// Flows number `first` and on, one every `pause_ns` from a second on.
pub(crate) fn batch(start_s: i64, first: u64, flows: u64, pause_ns: u64) -> FlowBatch {
    let mut batch = FlowBatch::default();
    let narrow = |value: u64| u16::try_from(value).unwrap_or(0);
    for row in 0..flows {
        let n = first + row;
        let hash = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        let at =
            Timestamp::from_seconds(start_s).nanos() + i64::try_from(row * pause_ns).unwrap_or(0);
        let place = usize::try_from(row).unwrap_or(0);
        let origin = &mut batch.origin;
        origin.received_at.push(at);
        origin.tape_segment.push(1);
        origin
            .tape_offset
            .push(u32::try_from(n % 60_000_000).unwrap_or(0));
        origin.record_offset.push(narrow(row % 1400));
        origin.feed.push(0);
        origin.exporter.push(v4(0xc000_0200 + hash % 8));
        origin.domain.push(0);
        origin.version.push(9);
        origin.template.push(256);
        let columns = &mut batch.columns;
        columns.start.set(
            place,
            at - i64::try_from(hash % 30_000).unwrap_or(0) * 1_000_000,
        );
        columns.end.set(place, at);
        columns.src_addr.set(place, v4(0x0a01_0000 + hash % 5000));
        columns
            .dst_addr
            .set(place, v4(0x0a02_0000 + hash / 7 % 100));
        columns.src_port.set(place, narrow(1024 + hash % 60_000));
        columns.dst_port.set(place, narrow(hash / 7 % 50));
        columns.protocol.set(place, 6);
        columns.tcp_flags.set(place, 0x1b);
        columns.tos.set(place, 0);
        columns.octets.set(place, hash % 100_000);
        columns.packets.set(place, hash % 100 + 1);
        columns
            .in_interface
            .set(place, u32::try_from(hash % 8).unwrap_or(0));
        columns
            .out_interface
            .set(place, u32::try_from(hash % 5).unwrap_or(0));
        let added = &mut batch.enrichment;
        added.src_is_client.push(1);
        added.accounting.push(1);
        added
            .application
            .set_text(place, &format!("app {}", hash / 7 % 50));
        added
            .client_site
            .set_text(place, &format!("site {}", hash % 10));
        added.server_site.set_text(place, "dc");
        added
            .exporter_name
            .set_text(place, &format!("core-{}", hash % 8));
    }
    batch.pad();
    batch
}

fn v4(bits: u64) -> std::net::Ipv6Addr {
    std::net::Ipv4Addr::from(u32::try_from(bits).unwrap_or(0)).to_ipv6_mapped()
}
