//! What was sent, what is on tape, and what the store has of it: equal for each exporter, or explained by a counter.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::Duration;

use flow::{Accounting, DropKind, TapePosition};
use replay::TapeReader;

use super::fleet::{Exporter, Fleet, Sums, digest, sequence_of};
use super::sql::ask;
use super::{Server, eventually};

/// Beside this many differences the rest says nothing more.
const SHOWN_MAX: usize = 12;

/// A time in which nobody may have listened, since the fleet was made.
type Outage = (Duration, Duration);

/// The test's own books.
#[derive(Default)]
pub(crate) struct Ledger {
    /// Datagrams that were seen on tape, by exporter and sequence number.
    taped: BTreeMap<Ipv4Addr, BTreeMap<u32, TapePosition>>,
    read_up_to: TapePosition,
    /// Rows of segments before this one have been looked at, row by row.
    checked_up_to: u32,
    outages: Vec<Outage>,
    /// Frames that were destroyed on purpose since the last look.
    destroyed: BTreeSet<TapePosition>,
    /// Datagrams that were on tape until their frames were destroyed, and are not in the store either.
    lost: BTreeMap<Ipv4Addr, BTreeSet<u32>>,
    /// Datagrams whose frames were destroyed when they were stored.
    stored_and_destroyed: u64,
    /// Datagrams before the tape that the server's books knew of until they were damaged.
    told_before: u64,
    /// Whether the tape was, or may have been, counted anew since frames of it were destroyed.
    is_counted_anew: bool,
    pub(crate) lines: Vec<String>,
}

/// What one exporter has in the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Stored {
    sums: Sums,
    datagrams: u64,
}

impl Ledger {
    /// What was sent in this time may have met nobody.
    pub(crate) fn note_outage(&mut self, from: Duration, to: Duration) {
        self.outages.push((from, to));
    }

    /// These frames are destroyed: what of them is not stored is lost.
    pub(crate) fn note_destroyed(&mut self, positions: impl IntoIterator<Item = TapePosition>) {
        self.destroyed.extend(positions);
    }

    /// The server's books are damaged or gone. It finds them again from tape and store, which do not tell what never came
    /// to the tape, nor that a frame was whole when it was stored.
    pub(crate) fn note_books_lost(&mut self, known: &Accounting, left: &Accounting) {
        self.told_before += before_tape(known).saturating_sub(before_tape(left));
        self.is_counted_anew = true;
    }

    /// Datagrams seen on tape so far.
    pub(crate) fn on_tape(&self) -> u64 {
        self.taped.values().map(|all| all.len() as u64).sum()
    }

    /// Positions of the datagrams on tape from here on.
    pub(crate) fn positions_from(&self, from: TapePosition) -> Vec<TapePosition> {
        let all = self.taped.values().flat_map(BTreeMap::values);
        let mut found: Vec<_> = all.copied().filter(|position| *position >= from).collect();
        found.sort_unstable();
        found
    }

    /// Reads on where it stopped reading the tape; each datagram must be one that was sent, and stand there once.
    pub(crate) fn read_tape(&mut self, data: &Path, fleet: &Fleet) {
        let mut reader = TapeReader::open(&data.join("tape"), self.read_up_to, None);
        loop {
            let read = reader.read(4096, 4 << 20).unwrap();
            if read.is_empty() {
                break;
            }
            // Locked after reading: what is on tape was sent before.
            fleet.with(|exporters| {
                for (position, datagram) in read {
                    self.take(position, &datagram, exporters);
                }
            });
        }
        self.read_up_to = reader.position();
    }

    fn take(&mut self, position: TapePosition, datagram: &flow::Datagram, exporters: &[Exporter]) {
        let sender = exporters
            .iter()
            .find(|exporter| IpAddr::V4(exporter.address) == datagram.source.ip());
        let sender = sender.unwrap_or_else(|| panic!("{position}: from {}", datagram.source));
        let (exporter, sequence) = (sender.address, sequence_of(&datagram.payload));
        let truth = sender
            .sent
            .get(&sequence)
            .unwrap_or_else(|| panic!("{position}: {exporter} never sent {sequence}"));
        assert_eq!(
            truth.digest,
            digest(&datagram.payload),
            "{position}: other octets"
        );
        let twice = self
            .taped
            .entry(exporter)
            .or_default()
            .insert(sequence, position);
        assert!(
            twice.is_none_or(|earlier| earlier == position),
            "{exporter} {sequence} is on tape twice: {twice:?} and {position}"
        );
    }

    /// Waits until everything that the kernel has is stored, and holds the store against the truth. Nobody may send
    /// meanwhile.
    pub(crate) fn check(&mut self, server: &Server, fleet: &Fleet, after: &str) {
        let books = settled(server);
        self.read_tape(server.data_dir(), fleet);
        let socket = server.data_dir().join("engine.sock");
        self.forget_what_is_lost(&socket);
        let stored = stored(&socket);
        let mut wrong = Vec::new();
        fleet.with(|exporters| self.compare(exporters, &stored, &books, &mut wrong));
        nothing_twice(&socket, self.checked_up_to, &mut wrong);
        self.checked_up_to = self.read_up_to.segment.saturating_sub(1);
        rollups(&socket, &mut wrong);
        let rows: u64 = stored.values().map(|one| one.sums.records).sum();
        let line = format!(
            "{:>6.1} s  {after}: sent {}, on tape {}, stored {} datagrams, {rows} rows; dropped {:?}, kernel {}",
            fleet.since.elapsed().as_secs_f64(),
            fleet.datagrams(),
            self.on_tape(),
            books.datagrams.stored,
            named(&books),
            books.kernel_drops,
        );
        eprintln!("{line}");
        self.lines.push(line);
        assert!(
            wrong.is_empty(),
            "after {after}:\n  {}\n{books:?}\nso far:\n{}",
            wrong.join("\n  "),
            self.lines.join("\n")
        );
    }

    /// Takes what was destroyed before it was stored out of what is expected.
    fn forget_what_is_lost(&mut self, socket: &Path) {
        let destroyed = std::mem::take(&mut self.destroyed);
        let Some(first) = destroyed.first() else {
            return;
        };
        let rows = ask(
            socket,
            &format!(
                "SELECT DISTINCT tape_segment, tape_offset FROM flowreel.flows WHERE tape_segment >= {}",
                first.segment
            ),
        );
        let number = |text: &String| text.parse::<u32>().unwrap();
        let stored: BTreeSet<TapePosition> = rows
            .iter()
            .map(|row| TapePosition {
                segment: number(&row[0]),
                offset: number(&row[1]),
            })
            .collect();
        for (exporter, taped) in &mut self.taped {
            let lost = self.lost.entry(*exporter).or_default();
            taped.retain(|sequence, position| {
                let kept = !destroyed.contains(position) || stored.contains(position);
                if !kept {
                    lost.insert(*sequence);
                } else if destroyed.contains(position) {
                    self.stored_and_destroyed += 1;
                }
                kept
            });
        }
    }

    /// Each exporter's truth against its rows; then what never reached the tape against the counters.
    fn compare(
        &self,
        exporters: &[Exporter],
        stored: &BTreeMap<Ipv4Addr, Stored>,
        books: &Accounting,
        wrong: &mut Vec<String>,
    ) {
        let ledger = &books.datagrams;
        if !ledger.balances() || !books.records.balances() {
            wrong.push("the books do not balance".to_owned());
        }
        let dropped = |kinds: &[&str]| -> u64 {
            let counted = ledger.dropped.iter();
            counted
                .filter(|(kind, _)| kinds.contains(&kind.name()))
                .map(|(_, count)| count)
                .sum()
        };
        let (mut lost, mut unexplained) = (0, 0);
        for sender in exporters {
            let found = stored.get(&sender.address).copied().unwrap_or_default();
            let truth = self.truth(sender);
            if found != truth {
                let exporter = sender.address;
                wrong.push(format!("{exporter}: stored {found:?}, on tape {truth:?}"));
            }
            lost += self.lost.get(&sender.address).map_or(0, BTreeSet::len) as u64;
            unexplained += self.unexplained(sender);
        }
        // What was cut off with the tape's end before anybody had read it is in no counter: nobody knows of it.
        let from_tape = dropped(&["tape_expired", "tape_damaged", "tape_lost"]);
        let counted_twice = match self.is_counted_anew {
            true => self.stored_and_destroyed,
            false => 0,
        };
        if from_tape > lost + counted_twice {
            wrong.push(format!(
                "{from_tape} datagrams are counted as gone from the tape, {lost} are"
            ));
        }
        let before_tape = before_tape(books) + self.told_before;
        let explained = match self.outages.is_empty() {
            true => unexplained == before_tape,
            // Some of what was dropped may have been sent in an outage.
            false => unexplained <= before_tape,
        };
        if !explained {
            wrong.push(format!(
                "{unexplained} datagrams never came to the tape, {before_tape} are counted as dropped before it"
            ));
        }
        let other = dropped(&[
            "not_allowed",
            "not_flow_export",
            "unsupported",
            "malformed",
            "duplicate",
            "no_template",
            "refused",
        ]);
        if other > 0 {
            wrong.push(format!(
                "{other} datagrams are dropped that have nothing wrong"
            ));
        }
        let received = self.on_tape() + from_tape + dropped(&["tape_failed", "queue_full"]);
        if !(received.saturating_sub(counted_twice)..=received).contains(&ledger.received) {
            wrong.push(format!(
                "{} datagrams are counted as received, {received} were",
                ledger.received
            ));
        }
    }

    /// What of an exporter is on tape, or was until it was stored.
    fn truth(&self, sender: &Exporter) -> Stored {
        let mut truth = Stored::default();
        for sequence in self
            .taped
            .get(&sender.address)
            .into_iter()
            .flat_map(BTreeMap::keys)
        {
            truth.sums += sender.sent[sequence].sums;
            truth.datagrams += 1;
        }
        truth
    }

    /// Datagrams of an exporter that were sent while somebody listened, and never came to the tape.
    fn unexplained(&self, sender: &Exporter) -> u64 {
        let exporter = sender.address;
        let (taped, lost) = (self.taped.get(&exporter), self.lost.get(&exporter));
        let known = |sequence: &u32| {
            taped.is_some_and(|taped| taped.contains_key(sequence))
                || lost.is_some_and(|lost| lost.contains(sequence))
        };
        let open = sender
            .sent
            .iter()
            .filter(|(sequence, sent)| !known(sequence) && !self.in_an_outage(sent.at));
        let mut count = 0;
        for (sequence, sent) in open {
            count += 1;
            if count < 4 {
                eprintln!("not on tape: {exporter} {sequence}, sent at {:?}", sent.at);
            }
        }
        count
    }

    fn in_an_outage(&self, at: Duration) -> bool {
        self.outages
            .iter()
            .any(|(from, to)| (*from..=*to).contains(&at))
    }
}

/// The kinds of drops that happened.
fn named(books: &Accounting) -> Vec<(&'static str, u64)> {
    let happened = books
        .datagrams
        .dropped
        .iter()
        .filter(|(_, count)| **count > 0);
    happened
        .map(|(kind, count)| (kind.name(), *count))
        .collect()
}

/// Datagrams that never came to the tape, as the books say.
fn before_tape(books: &Accounting) -> u64 {
    let dropped = &books.datagrams.dropped;
    dropped[&DropKind::TapeFailed] + dropped[&DropKind::QueueFull] + books.kernel_drops
}

/// Waits until nothing is on its way: not in the kernel's buffer, not between socket and tape, not before the store.
pub(crate) fn settled(server: &Server) -> Accounting {
    received(server);
    eventually("everything that was sent is stored", || {
        try_received(server).filter(|books| books.datagrams.on_tape == 0)
    })
}

/// Waits until everything that was sent is on tape or counted; the store may be away.
pub(crate) fn received(server: &Server) -> Accounting {
    let mut before = None;
    eventually("everything that was sent is received", || {
        let now = try_received(server)?;
        // A batch is between the kernel and the counters for a moment: the same twice.
        let same = before.replace(now.datagrams.received) == Some(now.datagrams.received);
        same.then_some(now)
    })
}

/// The books, if nothing is on its way to the tape. Nobody may send meanwhile.
fn try_received(server: &Server) -> Option<Accounting> {
    let address = server.udp();
    if waiting_in_kernel(address.port()) > 0 {
        return None;
    }
    let socket =
        format!("flowreel_collector_socket_received_datagrams_total{{address=\"{address}\"}}");
    let taken = server.metric(&socket)?;
    let failed = server.metric("flowreel_replay_failed_datagrams_total")?;
    let appended = server.metric("flowreel_replay_appended_datagrams_total")?;
    let books = server.try_get::<Accounting>("/api/v1/accounting").ok()?;
    let queue_full = books.datagrams.dropped[&DropKind::QueueFull];
    (appended + failed + queue_full >= taken).then_some(books)
}

/// Octets that wait for the socket on this port (proc(5), `/proc/net/udp`).
pub(crate) fn waiting_in_kernel(port: u16) -> u64 {
    let text = std::fs::read_to_string("/proc/net/udp").unwrap();
    let local = format!(":{port:04X}");
    let of_port = text.lines().filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (_, waiting) = words.get(4)?.split_once(':')?;
        words[1]
            .ends_with(&local)
            .then(|| u64::from_str_radix(waiting, 16).unwrap())
    });
    of_port.sum()
}

fn stored(socket: &Path) -> BTreeMap<Ipv4Addr, Stored> {
    let rows = ask(
        socket,
        "SELECT replaceOne(IPv6NumToString(exporter), '::ffff:', ''), count(), sum(ifNull(octets, 0)), \
         sum(ifNull(packets, 0)), uniqExact(tape_segment, tape_offset) FROM flowreel.flows WHERE feed = 0 GROUP BY 1",
    );
    let number = |text: &String| text.parse::<u64>().unwrap();
    let one = |row: Vec<String>| {
        let sums = Sums {
            records: number(&row[1]),
            octets: number(&row[2]),
            packets: number(&row[3]),
        };
        let datagrams = number(&row[4]);
        (row[0].parse().unwrap(), Stored { sums, datagrams })
    };
    rows.into_iter().map(one).collect()
}

/// A row's name is (collector, segment, offset, octet of the datagram).
fn nothing_twice(socket: &Path, from_segment: u32, wrong: &mut Vec<String>) {
    const NAMES: &str = "uniqExact(collector, tape_segment, tape_offset, record_offset)";
    let rows = format!("flowreel.flows WHERE tape_segment >= {from_segment}");
    let counts = ask(socket, &format!("SELECT count(), {NAMES} FROM {rows}"));
    let [all, names] = counts[0].as_slice() else {
        panic!("{counts:?}");
    };
    if all == names {
        return;
    }
    wrong.push(format!("{all} rows have {names} names"));
    let minutes = ask(
        socket,
        &format!(
            "SELECT exporter, toStartOfMinute(received_at) AS minute, count() AS rows, {NAMES} AS names FROM {rows} \
             GROUP BY 1, 2 HAVING rows != names ORDER BY 1, 2"
        ),
    );
    let shown = minutes.iter().take(SHOWN_MAX);
    wrong.extend(shown.map(|row| format!("twice: {row:?}")));
}

/// Each rollup, in each width, against the rows that it is made of.
fn rollups(socket: &Path, wrong: &mut Vec<String>) {
    for (width, seconds, life_s) in [("10s", 10, 600), ("1m", 60, 3600), ("1h", 3600, 3600)] {
        for (table, keys) in [
            ("traffic", "application, client_site, server_site"),
            ("interfaces", "exporter, in_interface, out_interface"),
        ] {
            let counted = if table == "traffic" {
                "accounting = 1 AND"
            } else {
                ""
            };
            // Octets and packets over all time, as a flow's are spread over buckets; flows by the bucket of their
            // beginning, so that a difference has a place.
            let totals = format!(
                "SELECT {keys}, sum(o), sum(p), sum(b) FROM (\
                 SELECT {keys}, toInt64(sum(total_octets)) AS o, toInt64(sum(total_packets)) AS p, toInt64(count()) AS b \
                 FROM flowreel.flows WHERE {counted} toUnixTimestamp64Nano(ends_at) - toUnixTimestamp64Nano(begins_at) <= {life_s} * 1000000000 GROUP BY {keys} \
                 UNION ALL SELECT {keys}, -toInt64(sum(octets)), -toInt64(sum(packets)), -toInt64(sum(begun)) \
                 FROM flowreel.{table}_{width} GROUP BY {keys}) \
                 GROUP BY {keys} HAVING sum(o) != 0 OR sum(p) != 0 OR sum(b) != 0"
            );
            let begun = format!(
                "SELECT {keys}, at, sum(b) FROM (\
                 SELECT {keys}, toDateTime(intDiv(toUnixTimestamp64Nano(begins_at), {seconds} * 1000000000) * {seconds}, 'UTC') AS at, \
                 toInt64(count()) AS b FROM flowreel.flows WHERE {counted} toUnixTimestamp64Nano(ends_at) - toUnixTimestamp64Nano(begins_at) <= {life_s} * 1000000000 GROUP BY {keys}, at \
                 UNION ALL SELECT {keys}, toDateTime(bucket, 'UTC') AS at, -toInt64(sum(begun)) \
                 FROM flowreel.{table}_{width} GROUP BY {keys}, at) GROUP BY {keys}, at HAVING sum(b) != 0 ORDER BY at"
            );
            for question in [totals, begun] {
                for row in ask(socket, &question).iter().take(SHOWN_MAX) {
                    wrong.push(format!("flows less {table}_{width}: {row:?}"));
                }
            }
        }
    }
}
