//! Marks in the stream of flows: how long it takes from sending one to an answer that has it.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Result;
use flow::clock::{self, Stopwatch};
use simulator::encode::fixed::{self, FixedHeader, FixedRecord, FixedVersion};

use crate::exporters::Sent;
use crate::product::Product;

/// The exporter that sends nothing but marks.
const MARKER: Ipv4Addr = Ipv4Addr::new(127, 0, 1, 200);
/// Between two marks.
const EVERY: Duration = Duration::from_millis(100);
/// Between an answer and the next question: a delay is known to be at most this much shorter than it is measured.
const ASK_EVERY: Duration = Duration::from_millis(50);

/// Marks under way: number and time of sending.
type UnderWay = Mutex<VecDeque<(u32, Duration)>>;

/// Sends a mark ten times a second and asks for the newest; returns how long each took, shortest first.
pub(crate) fn delays(product: &Product, time: Duration, sent: &mut Sent) -> Result<Vec<Duration>> {
    let (watch, under_way, stop) = (
        Stopwatch::start(),
        UnderWay::default(),
        AtomicBool::new(false),
    );
    let mut delays = Vec::new();
    std::thread::scope(|scope| -> Result<()> {
        let sender = scope.spawn(|| send(product, &watch, &under_way, &stop));
        let asked = ask(product, time, (&watch, &under_way), &mut delays);
        stop.store(true, Ordering::Relaxed);
        if let Ok(marks) = sender.join() {
            sent.datagrams += marks?;
        }
        asked
    })?;
    delays.sort();
    Ok(delays)
}

fn send(
    product: &Product,
    watch: &Stopwatch,
    under_way: &UnderWay,
    stop: &AtomicBool,
) -> Result<u64> {
    let socket = UdpSocket::bind((MARKER, 0))?;
    let mut number = 0_u32;
    while !stop.load(Ordering::Relaxed) {
        number += 1;
        let header = FixedHeader {
            uptime_ms: 86_400_000 + number,
            unix_seconds: u32::try_from(clock::now().seconds())?,
            sequence: number,
            ..FixedHeader::default()
        };
        let record = FixedRecord {
            src: MARKER,
            dst: MARKER,
            packets: number,
            octets: number * 64,
            first_ms: header.uptime_ms,
            last_ms: header.uptime_ms,
            protocol: 253,
            ..FixedRecord::default()
        };
        let mark = fixed::datagram(FixedVersion::V5, header, &[record]);
        let mut waiting = under_way.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push_back((number, watch.elapsed()));
        drop(waiting);
        socket.send_to(&mark, product.listen())?;
        std::thread::sleep(EVERY);
    }
    Ok(number.into())
}

fn ask(
    product: &Product,
    time: Duration,
    (watch, under_way): (&Stopwatch, &UnderWay),
    delays: &mut Vec<Duration>,
) -> Result<()> {
    let newest = format!("/api/v1/flows?limit=1&last=2m&filter=exporter%20{MARKER}");
    while watch.elapsed() < time {
        let answer = product.ask(&newest)?;
        let answered = watch.elapsed();
        let seen = answer["flows"][0]["packets"].as_u64().unwrap_or(0);
        let mut waiting = under_way.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some((_, sent)) = waiting.pop_front_if(|(number, _)| u64::from(*number) <= seen) {
            delays.push(answered.saturating_sub(sent));
        }
        drop(waiting);
        std::thread::sleep(ASK_EVERY);
    }
    // What is not answered by now took at least this long.
    let waiting = under_way.lock().unwrap_or_else(PoisonError::into_inner);
    delays.extend(
        waiting
            .iter()
            .map(|(_, sent)| watch.elapsed().saturating_sub(*sent)),
    );
    Ok(())
}
