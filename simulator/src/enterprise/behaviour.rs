//! How each kind of conversation goes, packet by packet. Each returns when it is over.

use rand::Rng;

use super::chance::{exponential, log_normal, nanos, poisson, whole};
use super::talk::{Talk, World};
use super::tcp::{MICRO, SECOND};
use super::train::{Direction, Train};

const MINUTE: f64 = 60e9;
const MILLI: f64 = 1e6;

/// Octets of a UDP header.
const UDP_HEADER: u32 = 8;
/// UDP payload that fits a packet.
const UDP_PAYLOAD_MAX: u64 = 1400;

fn octets(rng: &mut rand::rngs::SmallRng, median: f64, spread: f64, most: u64) -> u64 {
    whole(log_normal(rng, median, spread)).clamp(1, most)
}

fn small(octets: u64) -> u32 {
    u32::try_from(octets.min(UDP_PAYLOAD_MAX)).unwrap_or(0)
}

/// One packet there and one back; the client asks again after a second, twice at most.
pub(super) fn query(
    talk: &mut Talk,
    world: &mut World,
    at: i64,
    sizes: (f64, f64),
    think: Option<i64>,
) -> bool {
    let header = talk.ip_header() + UDP_HEADER;
    let request = header + small(octets(&mut world.rng, sizes.0, 0.2, UDP_PAYLOAD_MAX));
    let response = header + small(octets(&mut world.rng, sizes.1, 0.4, UDP_PAYLOAD_MAX));
    for attempt in 0..3 {
        let at = at + attempt * SECOND;
        let there = talk.send(world, Direction::ToServer, Train::single(at, request, 0));
        if there.packets == 0 {
            continue;
        }
        let Some(think) = think else { continue };
        let answer = Train::single(there.last + think, response, 0);
        if talk.send(world, Direction::ToClient, answer).packets > 0 {
            return true;
        }
    }
    false
}

/// Packets of one size both ways, evenly, cut into trains of a second.
fn both_ways(talk: &mut Talk, world: &mut World, at: i64, length: i64, back_and_forth: [Train; 2]) {
    let [to_server, to_client] = back_and_forth;
    let mut from = at;
    let end = at + length.max(SECOND);
    while from < end {
        let until = (from + SECOND).min(end);
        for (direction, model) in [
            (Direction::ToServer, to_server),
            (Direction::ToClient, to_client),
        ] {
            let packets = u64::try_from((until - from) / model.spacing)
                .unwrap_or(1)
                .max(1);
            let train = Train {
                at: from,
                packets,
                ..model
            };
            talk.send(world, direction, train);
        }
        from = until;
    }
}

fn model(spacing: i64, size: u32) -> Train {
    Train {
        at: 0,
        spacing,
        packets: 1,
        size,
        last_size: size,
        flags: 0,
    }
}

/// G.711: 160 octets of speech and 12 of RTP header each 20 ms, both ways.
pub(super) fn speech(talk: &mut Talk, world: &mut World, at: i64, minutes: f64) {
    let length = nanos(exponential(&mut world.rng, minutes * MINUTE));
    let packet = model(20_000 * MICRO, talk.ip_header() + UDP_HEADER + 172);
    both_ways(talk, world, at, length, [packet, packet]);
}

/// A picture towards the client, and a tenth as many packets back.
pub(super) fn video(talk: &mut Talk, world: &mut World, at: i64, minutes: f64, megabits: f64) {
    let length = nanos(exponential(&mut world.rng, minutes * MINUTE));
    let size = talk.ip_header() + UDP_HEADER + 1_172;
    let rate = megabits * 1e6 * (0.6 + 0.8 * world.rng.random::<f64>());
    let spacing = nanos(f64::from(size) * 8e9 / rate).max(MICRO);
    let back = model(spacing * 10, talk.ip_header() + UDP_HEADER + 60);
    both_ways(talk, world, at, length, [back, model(spacing, size)]);
}

/// Key strokes and screens until the user has enough.
pub(super) fn screen(talk: &mut Talk, world: &mut World, at: i64, minutes: f64) -> i64 {
    let end = at + nanos(exponential(&mut world.rng, minutes * MINUTE));
    let mut at = at;
    while at < end {
        let keys = 40 + poisson(&mut world.rng, 30.0);
        let pressed = talk.transfer(world, Direction::ToServer, at, keys.into());
        let picture = octets(&mut world.rng, 9_000.0, 1.4, 3_000_000);
        let think = nanos(log_normal(&mut world.rng, 12.0, 0.4) * MILLI);
        let shown = talk.transfer(world, Direction::ToClient, pressed + think, picture);
        at = shown + nanos(exponential(&mut world.rng, 2.5e9));
    }
    at
}

/// One large transfer to the server; it says a few words itself.
pub(super) fn upload(talk: &mut Talk, world: &mut World, at: i64, megabytes: f64) -> i64 {
    let size = octets(&mut world.rng, megabytes * 1e6, 0.6, 20_000_000_000);
    let sent = talk.transfer(world, Direction::ToServer, at, size);
    talk.transfer(world, Direction::ToClient, sent + SECOND / 100, 300)
}

/// Four echo requests a second apart. Echo is type 8, its reply type 0 (RFC 792).
pub(super) fn echo(talk: &mut Talk, world: &mut World, at: i64, answers: bool) -> bool {
    let size = talk.ip_header() + 64;
    let mut heard = false;
    for place in 0..4 {
        let request = Train::single(at + place * SECOND, size, 8 << 8);
        let there = talk.send(world, Direction::ToServer, request);
        if there.packets > 0 && answers {
            let reply = Train::single(there.last + 20 * MICRO, size, 0);
            heard |= talk.send(world, Direction::ToClient, reply).packets > 0;
        }
    }
    heard
}
