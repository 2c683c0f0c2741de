//! A recording over and over, without a gap in its pace.

use flow::{Datagram, Timestamp};

/// Opens a source of datagrams again and again, and hands out each with the number of its loop, from 0: whoever sends it
/// may have to go on with sequence numbers and export times.
///
/// `received_at` goes on as well: each loop follows the one before at the mean of its gaps (the time from the first datagram
/// to the latest, divided by how many come after the first), so that a collector sees the same rate all the time. A source of
/// one datagram has no gap and gives 0. The first loop has the times of the source.
///
/// It ends after `loops_max` loops, when a loop has no datagrams, and after the first error.
///
/// ```
/// use flow::{Datagram, Feed, Timestamp};
/// use replay::wire::Looped;
///
/// let at = |seconds| Datagram {
///     received_at: Timestamp::from_seconds(seconds),
///     source: ([192, 0, 2, 1], 2055).into(),
///     local_port: 2055,
///     feed: Feed::WIRE,
///     payload: "".into(),
/// };
/// let open = || Ok::<_, std::io::Error>([100, 104, 120].map(at).map(Ok).into_iter());
/// let times: Vec<i64> = Looped::new(open, Some(2))
///     .map(|datagram| datagram.map(|(_, datagram)| datagram.received_at.seconds()))
///     .collect::<Result<_, _>>()?;
/// assert_eq!(times, [100, 104, 120, 130, 134, 150]);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Looped<F, I> {
    open: F,
    loops_left: Option<u64>,
    number: u64,
    now: Option<Pass<I>>,
    /// When the next loop's first datagram is due; `None` before the first loop.
    next: Option<Timestamp>,
}

/// One loop.
#[derive(Debug)]
struct Pass<I> {
    datagrams: I,
    /// The first datagram's time in the source, and the one that it is given.
    first: Option<(Timestamp, Timestamp)>,
    /// The latest of the times that were given.
    latest: Timestamp,
    count: i64,
}

impl<F, I, E> Looped<F, I>
where
    F: FnMut() -> Result<I, E>,
    I: Iterator<Item = Result<Datagram, E>>,
{
    /// `open` gives the datagrams from their first on. Without `loops_max` there is no end; add a way to stop.
    pub fn new(open: F, loops_max: Option<u64>) -> Self {
        Self {
            open,
            loops_left: loops_max,
            number: 0,
            now: None,
            next: None,
        }
    }

    /// The loop under way, or the next.
    fn pass(&mut self) -> Option<Result<&mut Pass<I>, E>> {
        if self.now.is_none() {
            if self.loops_left == Some(0) {
                return None;
            }
            self.loops_left = self.loops_left.map(|left| left - 1);
            self.now = match (self.open)() {
                Ok(datagrams) => Some(Pass {
                    datagrams,
                    first: None,
                    latest: Timestamp::EPOCH,
                    count: 0,
                }),
                Err(error) => return Some(Err(error)),
            };
        }
        self.now.as_mut().map(Ok)
    }

    fn end(&mut self) {
        (self.now, self.loops_left) = (None, Some(0));
    }
}

impl<I> Pass<I> {
    /// Gives a datagram its time, `next` if it is the first.
    fn give(&mut self, datagram: Datagram, next: Option<Timestamp>) -> Datagram {
        let at = datagram.received_at;
        let (first, given) = *self.first.get_or_insert((at, next.unwrap_or(at)));
        let received_at = given.offset(at.nanos_since(first));
        self.latest = match self.count {
            0 => received_at,
            _ => self.latest.max(received_at),
        };
        self.count += 1;
        Datagram {
            received_at,
            ..datagram
        }
    }

    /// When a loop after this one goes on; `None` if this one was empty.
    fn following(&self) -> Option<Timestamp> {
        let (_, given) = self.first?;
        let whole = self.latest.nanos_since(given);
        let mean = whole.checked_div(self.count - 1).unwrap_or(0);
        Some(self.latest.offset(mean))
    }
}

impl<F, I, E> Iterator for Looped<F, I>
where
    F: FnMut() -> Result<I, E>,
    I: Iterator<Item = Result<Datagram, E>>,
{
    type Item = Result<(u64, Datagram), E>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (number, next) = (self.number, self.next);
            let pass = match self.pass()? {
                Ok(pass) => pass,
                Err(error) => {
                    self.end();
                    return Some(Err(error));
                }
            };
            match pass.datagrams.next() {
                Some(Ok(datagram)) => return Some(Ok((number, pass.give(datagram, next)))),
                Some(Err(error)) => {
                    self.end();
                    return Some(Err(error));
                }
                None => {
                    let Some(following) = pass.following() else {
                        self.end();
                        return None;
                    };
                    self.next = Some(following);
                    self.now = None;
                    self.number += 1;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use flow::Feed;

    fn at(nanos: i64) -> Datagram {
        Datagram {
            received_at: Timestamp::from_nanos(nanos),
            source: "192.0.2.1:9".parse().unwrap(),
            local_port: 2055,
            feed: Feed::WIRE,
            payload: Bytes::new(),
        }
    }

    /// `(loop, time)` of the first datagrams, the error's text at the end if there was one.
    fn looped(
        loops: &[&[Result<i64, &'static str>]],
        loops_max: Option<u64>,
        count: usize,
    ) -> (Vec<(u64, i64)>, Option<&'static str>) {
        let mut sources = loops.iter().cycle();
        let open = || {
            let source = sources.next().ok_or("no source")?;
            Ok(source.iter().map(|nanos| nanos.map(at)))
        };
        let (mut given, mut failed) = (Vec::new(), None);
        let mut looped = Looped::new(open, loops_max);
        for next in looped.by_ref().take(count) {
            match next {
                Ok((number, datagram)) => given.push((number, datagram.received_at.nanos())),
                Err(error) => failed = Some(error),
            }
        }
        if failed.is_some() {
            assert!(looped.next().is_none(), "nothing after an error");
        }
        (given, failed)
    }

    #[test]
    fn one_datagram_has_no_gap() {
        let expected = vec![(0, 7), (1, 7), (2, 7)];
        assert_eq!(looped(&[&[Ok(7)]], None, 3), (expected, None));
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_set_the_next_loop_back() {
        // From 100 to 160, three after the first: 20 each, so the second loop begins at 180.
        let source = [Ok(100), Ok(160), Ok(90), Ok(110)];
        let expected = [100, 160, 90, 110].map(|nanos| (0, nanos)).to_vec();
        let again = [180, 240, 170, 190].map(|nanos| (1, nanos));
        let expected = [expected, again.to_vec()].concat();
        assert_eq!(looped(&[&source], Some(2), 99), (expected, None));
    }

    #[test]
    fn a_source_that_became_shorter_is_followed_at_its_own_pace() {
        let sources: [&[_]; 2] = [&[Ok(0), Ok(10)], &[Ok(4), Ok(7), Ok(10)]];
        let expected = vec![(0, 0), (0, 10), (1, 20), (1, 23), (1, 26), (2, 29), (2, 39)];
        assert_eq!(looped(&sources, Some(3), 99), (expected, None));
    }

    #[test]
    fn ends_where_there_is_nothing_or_an_error() {
        assert_eq!(looped(&[&[]], None, 9), (vec![], None));
        assert_eq!(looped(&[&[Ok(1)]], Some(0), 9), (vec![], None));
        assert_eq!(looped(&[], None, 9), (vec![], Some("no source")));
        let source = [Ok(1), Err("torn"), Ok(2)];
        assert_eq!(looped(&[&source], None, 9), (vec![(0, 1)], Some("torn")));
    }

    #[test]
    fn impossible_times_do_not_stop_it() {
        let source = [Ok(i64::MIN), Ok(i64::MAX)];
        let (given, _) = looped(&[&source], Some(3), 99);
        assert_eq!(given.len(), 6);
    }
}
