//! Conversations: who is the client, and which observation point is counted.
//!
//! One entry of 64 octets holds both directions of a 5-tuple of one feed, so a row costs one search.
//!
//! **Client.** The first record decides, and both directions keep to it. A guess (port, known server, first seen) is
//! replaced once, by evidence of who opened the connection (the exporter said, SYN): that makes the rows after it right.
//! Nothing else is ever replaced, so a conversation's rows disagree at most at that one point.
//!
//! **Accounting.** The first observation point that reports a directed 5-tuple owns it while it keeps reporting; rows of
//! others have `accounting` 0. When the owner has been silent for the idle time, the next one to report takes over. A
//! record of both directions counts only if both are its own, free or given up, and then takes both: otherwise the
//! direction that somebody else counts would be counted twice. The price: where one exporter reports both directions
//! in a record and another, first, only one of them, the reverse direction is not counted until that one falls silent.
//! 5-tuples rewritten on the way (NAT) are conversations of their own on either side, and so is a tunnel beside what is
//! in it: a switch that counts the outer packets only counts the tenants' octets again, as another application.
//!
//! A point that samples and happens to report first is counted, by its estimate; had its sample missed the conversation,
//! others would have been counted in full. So where a sampling exporter sees what exporters without sampling see too,
//! long conversations (of which it reports a packet before they end) come out too high: at most twice in the mean.

use flow::batch::ClientEvidence;

use super::facts::Facts;
use super::table::{Placed, SetTable, words};

/// Times are seconds modulo this many bits: 34 years, of which differences of up to 17 are told right.
const TIME_BITS: u32 = 30;
const TIME_MASK: u64 = (1 << TIME_BITS) - 1;

/// Words of an entry after the key.
const OWNER: [usize; 2] = [5, 6];
const STATE: usize = 7;
/// In the state word: last report of each direction's owner (30 bits each), which end is the client, the evidence.
const LAST: [u32; 2] = [0, TIME_BITS];
const CLIENT_IS_HIGH: u64 = 1 << 60;
const EVIDENCE_SHIFT: u32 = 61;

/// A point in time as the table keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Second(u64);

impl Second {
    /// From nanoseconds since the epoch.
    #[inline]
    pub(super) fn of(nanos: i64) -> Self {
        let seconds = nanos.div_euclid(flow::clock::NANOS_PER_SECOND);
        Self(seconds.rem_euclid(1 << TIME_BITS).unsigned_abs())
    }

    /// Seconds since `earlier`; 0 if that is later.
    #[inline]
    fn since(self, earlier: u64) -> u64 {
        let span = self.0.wrapping_sub(earlier) & TIME_MASK;
        if span > TIME_MASK / 2 { 0 } else { span }
    }
}

/// The key of a conversation, the same for both directions, and which of its directions a row is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    words: [u64; 5],
    /// 0 if the source is the lower end, else 1.
    direction: usize,
}

impl Key {
    /// Feeds are told apart by their low 24 bits.
    #[inline]
    pub(super) fn new(feed: u32, facts: &Facts) -> Self {
        let (source, destination) = ((facts.src, facts.src_port), (facts.dst, facts.dst_port));
        let direction = usize::from(source > destination);
        let (low, high) = if direction == 0 {
            (source, destination)
        } else {
            (destination, source)
        };
        let ports = u64::from(low.1) << 16 | u64::from(high.1);
        let rest = u64::from(feed) << 40 | u64::from(facts.protocol) << 32 | ports;
        let ([a, b], [c, d]) = (words(low.0), words(high.0));
        Self {
            words: [a, b, c, d, rest],
            direction,
        }
    }
}

/// Who is the client of a row, and how it was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Client {
    /// Whether it is the source.
    pub(super) is_src: bool,
    /// How it was told.
    pub(super) evidence: ClientEvidence,
}

impl Client {
    /// Whether the evidence is of the opening itself, and no guess.
    pub(super) fn is_certain(self) -> bool {
        matches!(
            self.evidence,
            ClientEvidence::Exporter | ClientEvidence::Syn
        )
    }
}

/// A conversation's entry, for as long as a row is worked on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opened {
    slot: usize,
    direction: usize,
    /// What was decided before; `None` if the conversation begins.
    pub(super) client: Option<Client>,
    /// Whether another conversation had to be forgotten before its time.
    pub(super) forgot: bool,
}

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Conversations {
    table: SetTable<8, 5>,
    idle_s: u64,
    accounting_idle_s: u64,
}

impl Conversations {
    /// Room for `max` conversations.
    pub(super) fn new(max: usize, idle_s: u32, accounting_idle_s: u32) -> Self {
        Self {
            table: SetTable::new(max),
            idle_s: u64::from(idle_s),
            accounting_idle_s: u64::from(accounting_idle_s),
        }
    }

    /// See [`SetTable::whereabouts`].
    #[inline]
    pub(super) fn whereabouts(&self, key: &Key) -> usize {
        self.table.whereabouts(&key.words)
    }

    /// See [`SetTable::touch`].
    #[inline]
    pub(super) fn touch(&self, whereabouts: usize) -> u64 {
        self.table.touch(whereabouts)
    }

    /// The conversation of a row, begun if it is not known or was silent for too long.
    #[inline]
    pub(super) fn open(&mut self, key: &Key, now: Second) -> Opened {
        let worth = |entry: &[u64; 8]| TIME_MASK - silence(entry[STATE], now);
        let (slot, known, forgot) = match self.table.place(&key.words, worth) {
            Placed::Found(slot) => {
                let known = silence(self.table.at(slot)[STATE], now) <= self.idle_s;
                (slot, known, false)
            }
            Placed::Free(slot) => (slot, false, false),
            Placed::Evicted(slot, worth) => (slot, false, TIME_MASK - worth <= self.idle_s),
        };
        let entry = self.table.at_mut(slot);
        if !known {
            entry[OWNER[0]..].copy_from_slice(&[0, 0, now.0 << LAST[0] | now.0 << LAST[1]]);
        }
        Opened {
            slot,
            direction: key.direction,
            client: client(entry[STATE], key.direction),
            forgot,
        }
    }

    /// Keeps the decision.
    #[inline]
    pub(super) fn decide(&mut self, opened: &Opened, client: Client) {
        let state = &mut self.table.at_mut(opened.slot)[STATE];
        *state &= CLIENT_IS_HIGH - 1;
        *state |= u64::from(client.evidence as u8) << EVIDENCE_SHIFT;
        if client.is_src != (opened.direction == 0) {
            *state |= CLIENT_IS_HIGH;
        }
    }

    /// Whether views count a row of this observer, which then owns what the row reports.
    #[inline]
    pub(super) fn account(
        &mut self,
        opened: &Opened,
        observer: u64,
        both_directions: bool,
        now: Second,
    ) -> bool {
        let idle = self.accounting_idle_s;
        let entry = self.table.at_mut(opened.slot);
        let takes = |direction: usize, entry: &[u64; 8]| {
            let owner = entry[OWNER[direction]];
            owner == observer
                || owner == 0
                || now.since(entry[STATE] >> LAST[direction] & TIME_MASK) > idle
        };
        let (this, other) = (opened.direction, 1 - opened.direction);
        let counts = takes(this, entry) && (!both_directions || takes(other, entry));
        if counts {
            own(entry, this, observer, now);
            if both_directions {
                own(entry, other, observer, now);
            }
        }
        counts
    }
}

#[inline]
fn own(entry: &mut [u64; 8], direction: usize, observer: u64, now: Second) {
    let state = entry[STATE];
    // A record that was kept for its template comes late; it does not make its owner older.
    let last = state >> LAST[direction] & TIME_MASK;
    let newer = if now.since(last) > 0 { now.0 } else { last };
    entry[OWNER[direction]] = observer;
    entry[STATE] = state & !(TIME_MASK << LAST[direction]) | newer << LAST[direction];
}

/// Seconds since either direction's owner reported.
#[inline]
fn silence(state: u64, now: Second) -> u64 {
    let since = |shift| now.since(state >> shift & TIME_MASK);
    since(LAST[0]).min(since(LAST[1]))
}

#[inline]
fn client(state: u64, direction: usize) -> Option<Client> {
    let evidence = u8::try_from(state >> EVIDENCE_SHIFT).ok()?;
    Some(Client {
        is_src: (state & CLIENT_IS_HIGH == 0) == (direction == 0),
        evidence: ClientEvidence::from_u8(evidence)?,
    })
}
