//! TCP as far as flow records show it: handshake, transfers with acknowledgements and repeats, the end.

use super::chance;
use super::talk::{Talk, World};
use super::train::{Direction, Train};

/// TCP control bits (RFC 9293 §3.1).
pub(super) const FIN: u16 = 0x01;
pub(super) const SYN: u16 = 0x02;
pub(super) const RST: u16 = 0x04;
pub(super) const PSH: u16 = 0x08;
pub(super) const ACK: u16 = 0x10;

pub(super) const MICRO: i64 = 1_000;
pub(super) const SECOND: i64 = 1_000_000_000;

/// A server's stack takes this long to answer a SYN.
pub(super) const STACK: i64 = 40 * MICRO;
/// Octets of a full packet.
const MTU: u32 = 1500;
/// Packets on the way at once, once the connection is warm; the first [`INITIAL_WINDOW`] go at line speed (RFC 6928).
const WINDOW: i64 = 44;
const INITIAL_WINDOW: u64 = 10;
/// An unanswered SYN is repeated after these waits (RFC 6298: one second, doubled).
const SYN_WAITS: [i64; 4] = [SECOND, 2 * SECOND, 4 * SECOND, 8 * SECOND];
/// A train that lasts longer is cut, so that what happens meanwhile has its effect.
const TRAIN_LONGEST: i64 = SECOND;

/// Whether the server serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Health {
    Up,
    Refuses,
    Silent,
}

impl Talk {
    fn bare(&self) -> u32 {
        // 20 of TCP and 12 of time stamp option.
        self.ip_header() + 32
    }

    /// The handshake. When the connection stands, by the client; `None` if it never does.
    pub(super) fn open(&mut self, world: &mut World, at: i64, health: Health) -> Option<i64> {
        let size = self.ip_header() + 40;
        let mut at = at;
        for wait in SYN_WAITS {
            let syn = self.send(world, Direction::ToServer, Train::single(at, size, SYN));
            if syn.packets > 0 {
                let answer = match health {
                    Health::Up => SYN | ACK,
                    Health::Refuses => RST | ACK,
                    Health::Silent => 0,
                };
                if answer != 0 {
                    let train = Train::single(syn.last + STACK, size, answer);
                    let back = self.send(world, Direction::ToClient, train);
                    if health == Health::Refuses {
                        return None;
                    }
                    if back.packets > 0 {
                        self.acknowledge(world, Direction::ToServer, back.last + 10 * MICRO);
                        return Some(back.last + 20 * MICRO);
                    }
                }
            }
            at += wait;
        }
        None
    }

    /// Carries `octets` to the other end, repeating what gets lost; returns when all of it is there.
    pub(super) fn transfer(
        &mut self,
        world: &mut World,
        direction: Direction,
        at: i64,
        octets: u64,
    ) -> i64 {
        let segment = u64::from(MTU - self.bare());
        let mut packets = octets.max(1).div_ceil(segment);
        let rest = u32::try_from(octets.max(1) - (packets - 1) * segment).unwrap_or(0);
        let mut at = at;
        let mut done = at;
        let cold = packets <= INITIAL_WINDOW;
        while packets > 0 {
            let spacing = self.spacing(world, at, cold);
            let most = u64::try_from(TRAIN_LONGEST / spacing).unwrap_or(1).max(1);
            let count = packets.min(most);
            packets -= count;
            let train = Train {
                at,
                spacing,
                packets: count,
                size: MTU,
                last_size: if packets == 0 {
                    rest + self.bare()
                } else {
                    MTU
                },
                flags: ACK | PSH,
            };
            done = done.max(self.carry(world, direction, train));
            at = train.last() + spacing;
        }
        done
    }

    fn spacing(&self, world: &World, at: i64, cold: bool) -> i64 {
        let line = chance::nanos(f64::from(MTU) * 8e9 / self.path.bandwidth).max(1);
        if cold {
            return line;
        }
        line.max(self.round_trip(world, at) / WINDOW)
    }

    /// Sends a train until all of it is there, and the acknowledgements back.
    fn carry(&mut self, world: &mut World, direction: Direction, train: Train) -> i64 {
        let arrival = self.send(world, direction, train);
        let mut done = arrival.last;
        let mut lost = train.packets - arrival.packets;
        if arrival.packets > 0 {
            let acks = Train {
                at: arrival.first + train.spacing + 20 * MICRO,
                spacing: train.spacing * 2,
                packets: arrival.packets.div_ceil(2),
                size: self.bare(),
                last_size: self.bare(),
                flags: ACK,
            };
            self.send(world, direction.reverse(), acks);
        }
        // Fast retransmit after a round trip where acknowledgements told; else the retry timer, doubled each time.
        let round_trip = self.round_trip(world, done);
        let mut timer = round_trip.max(200 * 1_000 * MICRO);
        let mut wait = if arrival.packets > 2 {
            round_trip
        } else {
            timer
        };
        let mut at = done;
        for _ in 0..6 {
            if lost == 0 {
                break;
            }
            at += wait;
            let again = Train {
                at,
                packets: lost,
                size: if train.packets == 1 {
                    train.last_size
                } else {
                    train.size
                },
                last_size: if train.packets == 1 {
                    train.last_size
                } else {
                    train.size
                },
                ..train
            };
            let arrival = self.send(world, direction, again);
            lost -= arrival.packets;
            done = done.max(arrival.last);
            if arrival.packets > 0 {
                self.acknowledge(world, direction.reverse(), arrival.last + 10 * MICRO);
            }
            wait = timer;
            timer *= 2;
        }
        done
    }

    fn acknowledge(&mut self, world: &mut World, direction: Direction, at: i64) {
        let size = self.bare();
        self.send(world, direction, Train::single(at, size, ACK));
    }

    /// Ends the connection in good order; the client begins.
    pub(super) fn close(&mut self, world: &mut World, at: i64) -> i64 {
        let size = self.bare();
        let fin = self.send(
            world,
            Direction::ToServer,
            Train::single(at, size, FIN | ACK),
        );
        let answer = Train::single(fin.last + STACK, size, FIN | ACK);
        let back = self.send(world, Direction::ToClient, answer);
        self.acknowledge(world, Direction::ToServer, back.last + 10 * MICRO);
        back.last
    }
}
