//! Prints how fast a tape is appended to, followed, compressed and read back:
//! `cargo run --release -p replay --example tape_speed -- [DIRECTORY]`.
#![expect(clippy::print_stdout, reason = "printing is what it is for")]
#![expect(clippy::cast_precision_loss, reason = "rates for people")]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use flow::clock::Stopwatch;
use flow::{Datagram, Feed, TapePosition, clock};
use replay::{TapeConfig, TapeError, TapeReader, TapeWriter};

/// Datagrams in one call, as a busy receive thread hands them over.
const BATCH: usize = 64;

fn main() -> Result<(), TapeError> {
    let parent = std::env::args_os()
        .nth(1)
        .map_or_else(std::env::temp_dir, PathBuf::from);
    println!(
        "{:<34}{:>14}{:>12}{:>10}",
        "", "datagrams/s", "MB/s", "seconds"
    );
    for (payload_octets, datagrams) in [(200, 4_000_000), (1400, 1_000_000)] {
        let dir = parent.join(format!(
            "tape-speed-{}-{payload_octets}",
            std::process::id()
        ));
        let measured = measure(&dir, payload_octets, datagrams);
        let _ = std::fs::remove_dir_all(&dir);
        measured?;
    }
    Ok(())
}

fn measure(dir: &Path, payload_octets: usize, datagrams: usize) -> Result<(), TapeError> {
    let batches = batches(payload_octets);
    let config = TapeConfig {
        dir: dir.to_owned(),
        min_free_octets: 0,
        ..TapeConfig::default()
    };
    let total = datagrams / BATCH * BATCH;
    let report = |what: &str, took: Duration| {
        let rate = total as f64 / took.as_secs_f64();
        let what = format!("{what}, {payload_octets} octets");
        let megabytes = rate * payload_octets as f64 / 1e6;
        println!(
            "{what:<34}{rate:>14.0}{megabytes:>12.0}{:>10.2}",
            took.as_secs_f64()
        );
    };

    let (mut writer, _) = TapeWriter::open(config, clock::now())?;
    let tail = writer.tail();
    let appended = AtomicBool::new(false);
    let watch = Stopwatch::start();
    std::thread::scope(|scope| {
        // As upkeep does, but without compressing: that is measured by itself.
        scope.spawn(|| {
            while !appended.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(200));
                let _ = tail.sync();
            }
        });
        for batch in batches.chunks_exact(BATCH).cycle().take(total / BATCH) {
            writer.append(batch, clock::now());
        }
        report("append", watch.elapsed());
        appended.store(true, Ordering::Relaxed);
    });
    let watch = Stopwatch::start();
    tail.sync()?;
    report("force the rest to disk", watch.elapsed());

    let watch = Stopwatch::start();
    read_all(dir, total)?;
    report("read as written", watch.elapsed());
    let watch = Stopwatch::start();
    while tail.compress_next()?.is_some() {}
    report("compress", watch.elapsed());
    let watch = Stopwatch::start();
    read_all(dir, total)?;
    report("read compressed", watch.elapsed());
    let counts = tail.counts();
    println!(
        "{:<34}slowest fsync {} ms, compressed to {:.0} %",
        "",
        counts.fsync_slowest_us / 1000,
        100.0 * counts.compressed_to_octets as f64 / counts.compressed_from_octets.max(1) as f64
    );
    Ok(())
}

fn read_all(dir: &Path, total: usize) -> Result<(), TapeError> {
    let mut reader = TapeReader::open(dir, TapePosition::START, None);
    let mut seen = 0;
    while seen < total {
        let read = reader.read(1024, 4 << 20)?;
        if read.is_empty() {
            break;
        }
        seen += read.len();
    }
    if seen != total {
        println!("only {seen} of {total} datagrams were read");
    }
    Ok(())
}

/// Datagrams that compress about as well as flow records do: half of the octets are shared, half are noise.
fn batches(payload_octets: usize) -> Vec<Datagram> {
    let mut noise = 1_u64;
    (0..BATCH * 64)
        .map(|_| {
            let payload: Vec<u8> = (0..payload_octets)
                .map(|at| {
                    noise ^= noise << 13;
                    noise ^= noise >> 7;
                    noise ^= noise << 17;
                    if at % 8 < 4 {
                        10
                    } else {
                        noise.to_le_bytes()[0]
                    }
                })
                .collect();
            Datagram {
                received_at: clock::now(),
                source: ([192, 0, 2, 1], 2055).into(),
                local_port: 2055,
                feed: Feed::WIRE,
                payload: Bytes::from(payload),
            }
        })
        .collect()
}
