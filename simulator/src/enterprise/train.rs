//! A train: packets of one direction that follow each other evenly. A conversation is a list of trains.

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// From the client to the server.
    ToServer,
    /// From the server to the client.
    ToClient,
}

impl Direction {
    /// The other way.
    pub const fn reverse(self) -> Self {
        match self {
            Self::ToServer => Self::ToClient,
            Self::ToClient => Self::ToServer,
        }
    }

    pub(super) const fn index(self) -> usize {
        match self {
            Self::ToServer => 0,
            Self::ToClient => 1,
        }
    }
}

/// Octets of layer 3, and packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Traffic {
    /// Octets of layer 3.
    pub octets: u64,
    /// Packets.
    pub packets: u64,
}

impl std::ops::AddAssign for Traffic {
    fn add_assign(&mut self, more: Self) {
        self.octets += more.octets;
        self.packets += more.packets;
    }
}

/// Packets at `at`, `at + spacing`, …; all of `size` octets but the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Train {
    /// The first packet, nanoseconds since the epoch by true time.
    pub at: i64,
    /// Nanoseconds between two packets.
    pub spacing: i64,
    /// Packets; at least 1.
    pub packets: u64,
    /// Octets of layer 3 of each packet but the last.
    pub size: u32,
    /// Octets of layer 3 of the last packet.
    pub last_size: u32,
    /// TCP flags of all of them, ORed; for ICMP type << 8 | code.
    pub flags: u16,
}

impl Train {
    /// One packet.
    pub const fn single(at: i64, size: u32, flags: u16) -> Self {
        Self {
            at,
            spacing: 0,
            packets: 1,
            size,
            last_size: size,
            flags,
        }
    }

    /// When packet `place`, counted from 0, goes.
    pub fn time_of(&self, place: u64) -> i64 {
        let place = i64::try_from(place).unwrap_or(i64::MAX);
        self.at.saturating_add(self.spacing.saturating_mul(place))
    }

    /// When the last packet goes.
    pub fn last(&self) -> i64 {
        self.time_of(self.packets.saturating_sub(1))
    }

    /// Octets and packets of all.
    pub fn traffic(&self) -> Traffic {
        Traffic {
            octets: u64::from(self.size) * self.packets.saturating_sub(1)
                + u64::from(self.last_size),
            packets: self.packets,
        }
    }

    /// Packets `from..to`; `None` if that is nothing.
    pub fn part(&self, from: u64, to: u64) -> Option<Self> {
        let to = to.min(self.packets);
        (from < to).then(|| Self {
            at: self.time_of(from),
            packets: to - from,
            last_size: if to == self.packets {
                self.last_size
            } else {
                self.size
            },
            ..*self
        })
    }

    /// The same packets later.
    pub fn delayed(&self, nanos: i64) -> Self {
        Self {
            at: self.at.saturating_add(nanos),
            ..*self
        }
    }

    /// How many packets go before `end`.
    pub fn packets_before(&self, end: i64) -> u64 {
        if self.at >= end {
            return 0;
        }
        if self.spacing == 0 {
            return self.packets;
        }
        let whole = (end - 1 - self.at) / self.spacing + 1;
        self.packets.min(u64::try_from(whole).unwrap_or(0))
    }

    /// What goes within `[from, to)`.
    pub fn within(&self, from: i64, to: i64) -> Traffic {
        self.part(self.packets_before(from), self.packets_before(to))
            .map_or_else(Traffic::default, |part| part.traffic())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRAIN: Train = Train {
        at: 100,
        spacing: 10,
        packets: 5,
        size: 1500,
        last_size: 60,
        flags: 0x10,
    };

    #[test]
    fn parts_add_up() {
        assert_eq!(TRAIN.last(), 140);
        assert_eq!(
            TRAIN.traffic(),
            Traffic {
                octets: 6060,
                packets: 5
            }
        );
        let head = TRAIN.part(0, 2).unwrap();
        let tail = TRAIN.part(2, 9).unwrap();
        assert_eq!((head.last(), tail.at, tail.packets), (110, 120, 3));
        assert_eq!(head.traffic().octets + tail.traffic().octets, 6060);
        assert_eq!(TRAIN.part(5, 9), None);
    }

    #[test]
    fn a_window_holds_its_start_and_not_its_end() {
        let counts: Vec<u64> = [100, 101, 110, 111, 140, 141, 999]
            .map(|end| TRAIN.packets_before(end))
            .to_vec();
        assert_eq!(counts, [0, 1, 1, 2, 4, 5, 5]);
        assert_eq!(
            TRAIN.within(110, 130),
            Traffic {
                octets: 3000,
                packets: 2
            }
        );
        assert_eq!(
            TRAIN.within(130, 200),
            Traffic {
                octets: 1560,
                packets: 2
            }
        );
        assert_eq!(TRAIN.within(200, 300), Traffic::default());
    }
}
