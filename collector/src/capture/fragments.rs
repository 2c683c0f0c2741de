//! IP fragments on their way to becoming datagrams again.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use etherparse::defrag::IpDefragBuf;
use etherparse::{IpFragOffset, IpNumber, Ipv6ExtensionSlice, LaxIpSlice};
use flow::Timestamp;

/// How long a datagram may wait for its fragments, by the capture's clock: what Linux gives them
/// (`net.ipv4.ipfrag_time`).
const WAIT: Duration = Duration::from_secs(30);

/// What belongs together ([RFC 791 §3.2](https://www.rfc-editor.org/rfc/rfc791#section-3.2),
/// [RFC 8200 §4.5](https://www.rfc-editor.org/rfc/rfc8200#section-4.5)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    source: IpAddr,
    destination: IpAddr,
    identification: u32,
}

/// One fragment, as its IP headers describe it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fragment<'a> {
    key: Key,
    offset: IpFragOffset,
    more: bool,
    payload: &'a [u8],
}

impl<'a> Fragment<'a> {
    /// The fragment that an IP packet is; `None` if it is whole.
    pub(super) fn of(ip: &LaxIpSlice<'a>) -> Option<Self> {
        let (identification, offset, more) = match ip {
            LaxIpSlice::Ipv4(v4) => {
                let header = v4.header();
                (
                    u32::from(header.identification()),
                    header.fragments_offset(),
                    header.more_fragments(),
                )
            }
            LaxIpSlice::Ipv6(v6) => {
                v6.extensions()
                    .clone()
                    .into_iter()
                    .find_map(|extension| match extension {
                        Ipv6ExtensionSlice::Fragment(header) => Some((
                            header.identification(),
                            header.fragment_offset(),
                            header.more_fragments(),
                        )),
                        _ => None,
                    })?
            }
        };
        (more || offset.value() > 0).then(|| Self {
            key: Key {
                source: ip.source_addr(),
                destination: ip.destination_addr(),
                identification,
            },
            offset,
            more,
            payload: ip.payload().payload,
        })
    }
}

/// Datagrams that lack fragments: at most [`DATAGRAMS_MAX`](Self::DATAGRAMS_MAX), so at most 16 MiB.
///
/// When full, the one that has waited longest is given up; so is each that has waited for 30 seconds.
/// Both are counted as `incomplete`.
#[derive(Debug, Default)]
pub(super) struct Reassembly {
    /// Oldest first.
    waiting: VecDeque<Waiting>,
    given_up: u64,
}

#[derive(Debug)]
struct Waiting {
    key: Key,
    since: Timestamp,
    buffer: IpDefragBuf,
}

impl Reassembly {
    pub(super) const DATAGRAMS_MAX: usize = 256;

    /// Adds a fragment; returns the UDP datagram, header included, if it was the last that lacked.
    ///
    /// A fragment that contradicts those before it spoils its datagram, which is given up.
    pub(super) fn add(&mut self, at: Timestamp, fragment: Fragment<'_>) -> Option<Vec<u8>> {
        self.expire(at);
        let known = self.waiting.iter().position(|w| w.key == fragment.key);
        let index = known.unwrap_or_else(|| self.begin(at, fragment.key));
        let waiting = self.waiting.get_mut(index)?;
        let added = waiting
            .buffer
            .add(fragment.offset, fragment.more, fragment.payload);
        if added.is_ok() && !waiting.buffer.is_complete() {
            return None;
        }
        let done = self.waiting.remove(index)?;
        if added.is_err() {
            self.given_up += 1;
            return None;
        }
        Some(done.buffer.take_bufs().0)
    }

    /// Datagrams that were given up so far.
    pub(super) fn given_up(&self) -> u64 {
        self.given_up
    }

    /// Gives up all that still wait: the capture has ended.
    pub(super) fn finish(&mut self) {
        self.give_up(self.waiting.len());
    }

    fn begin(&mut self, at: Timestamp, key: Key) -> usize {
        if self.waiting.len() >= Self::DATAGRAMS_MAX {
            self.give_up(1);
        }
        self.waiting.push_back(Waiting {
            key,
            since: at,
            buffer: IpDefragBuf::new(IpNumber::UDP, Vec::new(), Vec::new()),
        });
        self.waiting.len() - 1
    }

    fn expire(&mut self, at: Timestamp) {
        let late = |waiting: &&Waiting| waiting.since + WAIT < at;
        let count = self.waiting.iter().take_while(late).count();
        self.give_up(count);
    }

    fn give_up(&mut self, count: usize) {
        self.waiting.drain(..count);
        self.given_up += u64::try_from(count).unwrap_or(u64::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fragment(identification: u32, offset: u16, more: bool, payload: &[u8]) -> Fragment<'_> {
        Fragment {
            key: Key {
                source: [10, 0, 0, 1].into(),
                destination: [10, 0, 0, 2].into(),
                identification,
            },
            offset: IpFragOffset::try_new(offset / 8).unwrap(),
            more,
            payload,
        }
    }

    #[test]
    fn fragments_may_come_in_any_order_and_twice() {
        let mut reassembly = Reassembly::default();
        let at = Timestamp::from_seconds(100);
        assert_eq!(reassembly.add(at, fragment(1, 16, false, b"end")), None);
        assert_eq!(reassembly.add(at, fragment(2, 0, true, b"OTHERONE")), None);
        assert_eq!(reassembly.add(at, fragment(1, 0, true, b"first8by")), None);
        assert_eq!(reassembly.add(at, fragment(1, 0, true, b"first8by")), None);
        let whole = reassembly.add(at, fragment(1, 8, true, b"second8b"));
        assert_eq!(whole.as_deref(), Some(&b"first8bysecond8bend"[..]));
        assert_eq!(reassembly.given_up(), 0);
    }

    #[test]
    fn what_never_completes_is_given_up_in_time_or_for_room() {
        let mut reassembly = Reassembly::default();
        let start = Timestamp::from_seconds(100);
        for number in 0..300 {
            reassembly.add(start, fragment(number, 0, true, b"first8by"));
        }
        assert_eq!(reassembly.waiting.len(), Reassembly::DATAGRAMS_MAX);
        assert_eq!(reassembly.given_up(), 300 - 256);
        let later = start + Duration::from_secs(31);
        reassembly.add(later, fragment(999, 0, true, b"first8by"));
        assert_eq!((reassembly.waiting.len(), reassembly.given_up()), (1, 300));
        reassembly.finish();
        assert_eq!(reassembly.given_up(), 301);
    }

    #[test]
    fn a_fragment_that_contradicts_the_end_spoils_its_datagram() {
        let mut reassembly = Reassembly::default();
        let at = Timestamp::from_seconds(100);
        reassembly.add(at, fragment(1, 8, false, b"end"));
        assert_eq!(reassembly.add(at, fragment(1, 16, true, b"afterend")), None);
        assert_eq!(reassembly.given_up(), 1);
        assert!(reassembly.waiting.is_empty());
    }
}
