//! How fast the store takes flows in and answers: 2 million through the writer, 20 million made by the engine itself, then
//! the top 10 of them, each asked five times. Run with `--release`; `top_speed [MILLIONS]`.

use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use engine::ServeConfig;
use flow::clock::Stopwatch;
use flow::{Filter, FlowBatch, Timestamp};
use store::question::{Dimension, Quantity, Scope, Subject, Top, Window};
use store::{Config, Store};

/// 2026-11-01T00:00:00Z.
const START_S: i64 = 1_793_491_200;
/// Flows a second that the made-up network has.
const RATE: u64 = 10_000;
const BATCH: u64 = 100_000;

type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let outcome = match arguments.get(1).map(String::as_str) {
        Some("engine") => serve(&arguments[2..]),
        millions => measure(millions.and_then(|text| text.parse().ok()).unwrap_or(20)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("top_speed: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(paths: &[String]) -> Result<(), Failure> {
    let [data_dir, socket] = paths else {
        return Err("engine DATA_DIR SOCKET".into());
    };
    let mut config = ServeConfig::new(engine::locate()?, data_dir.into(), socket.into());
    // A million rows in one statement, as `fill` makes them, take more than the product's batches do.
    config.memory_max_octets = 4 << 30;
    Ok(engine::serve(config)?)
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It ends with its standard input anyway.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::main(flavor = "current_thread")]
async fn measure(millions: u64) -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let socket = folder.path().join("s");
    let child = Command::new(std::env::current_exe()?)
        .arg("engine")
        .arg(folder.path().join("data"))
        .arg(&socket)
        .stdin(Stdio::piped())
        .spawn()?;
    let _running = Running(child);
    let store = Store::new(Config::default(), Some(&socket))?;
    for _ in 0..500 {
        if store.ping().await.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    store.prepare().await?;
    write(&store, 2_000_000).await?;
    fill(&socket, millions * 1_000_000).await?;
    ask(&store, millions * 1_000_000 + 2_000_000).await
}

/// Through the writer, as the product does.
async fn write(store: &Store, rows: u64) -> Result<(), Failure> {
    let batches: Vec<FlowBatch> = (0..rows / BATCH).map(batch).collect();
    let writer = store.writer("bench");
    let watch = Stopwatch::start();
    for (number, batch) in batches.iter().enumerate() {
        let refused = writer
            .insert(batch, &format!("batch {number}"), flow::clock::now())
            .await?;
        assert_eq!(refused.rows, 0);
    }
    let seconds = watch.elapsed().as_secs_f64();
    let encode = store
        .stats()
        .read()
        .iter()
        .find(|counter| counter.0 == "encode_us")
        .map_or(0, |counter| counter.2);
    eprintln!(
        "writer: {rows} rows in {seconds:.2} s, {:.0} rows/s, {:.3} s of it to encode",
        rows as f64 / seconds,
        encode as f64 / 1e6,
    );
    Ok(())
}

fn batch(number: u64) -> FlowBatch {
    let mut batch = FlowBatch::default();
    let narrow = |value: u64| u16::try_from(value).unwrap_or(0);
    for row in 0..BATCH {
        let n = number * BATCH + row;
        let hash = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        let at = Timestamp::from_seconds(START_S).nanos()
            + i64::try_from(n * 1_000_000_000 / RATE).unwrap_or(0);
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

/// Flows that the engine makes itself, after those of [`write`].
async fn fill(socket: &Path, rows: u64) -> Result<(), Failure> {
    let watch = Stopwatch::start();
    for part in 0..rows / 1_000_000 {
        let statement = format!(
            "INSERT INTO flowreel.flows (received_at, begins_at, ends_at, octets, packets, application, client_addr, \
             server_addr, client_port, server_port, protocol, exporter, exporter_name, in_interface, out_interface, \
             client_site, server_site, stored_at, tape_offset, version) \
             WITH fromUnixTimestamp64Nano(toInt64({START_S} + 200) * 1000000000 + toInt64(intDiv(number * 1000000000, {RATE})), 'UTC') AS t, \
             cityHash64(number) AS h \
             SELECT t, t - toIntervalMillisecond(h % 30000), t, h % 100000, h % 100 + 1, concat('app ', toString(h % 50)), \
             toIPv6(IPv4NumToString(toUInt32(167837696 + h % 5000))), toIPv6(IPv4NumToString(toUInt32(167903232 + h % 100))), \
             h % 60000, h % 50, 6, toIPv6(IPv4NumToString(toUInt32(3221225984 + h % 8))), concat('core-', toString(h % 8)), h % 8, h % 5, \
             concat('site ', toString(h % 10)), 'dc', now(), number % 60000000, 9 \
             FROM numbers({}, 1000000)",
            part * 1_000_000
        );
        post(socket, &statement).await?;
    }
    let seconds = watch.elapsed().as_secs_f64();
    eprintln!(
        "engine: {rows} rows in {seconds:.1} s, {:.0} rows/s",
        rows as f64 / seconds
    );
    Ok(())
}

async fn post(socket: &Path, statement: &str) -> Result<(), Failure> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::UnixStream::connect(socket).await?;
    let head = format!(
        "POST / HTTP/1.1\r\nHost: engine\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        statement.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(statement.as_bytes()).await?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply).await?;
    if reply.starts_with("HTTP/1.1 200") {
        Ok(())
    } else {
        Err(reply.into())
    }
}

async fn ask(store: &Store, rows: u64) -> Result<(), Failure> {
    let at = |seconds: u64| Timestamp::from_seconds(START_S + i64::try_from(seconds).unwrap_or(0));
    let end = rows / RATE + 60;
    let windows = [
        ("whole", 0, end / 3600 * 3600 + 3600),
        ("edges", 33, end - 47),
    ];
    let questions = [
        (Dimension::Applications, ""),
        (Dimension::Applications, "version > 0"),
        (Dimension::Applications, "port 7"),
        (Dimension::Clients, ""),
        (Dimension::Clients, "ip 10.1.0.77"),
        (Dimension::Conversations, ""),
        (Dimension::Interfaces, ""),
    ];
    for (name, from, to) in windows {
        for (dimension, filter) in questions {
            let subject = Subject {
                window: Window {
                    from: at(from),
                    to: at(to),
                },
                filter: Filter::parse(filter)?,
                known_at: None,
                scope: Scope::default(),
            };
            let question = Top {
                subject,
                dimension,
                by: Quantity::Octets,
                limit: 10,
            };
            let mut times = Vec::new();
            for _ in 0..5 {
                let watch = Stopwatch::start();
                store.top(&question).await?;
                times.push(watch.elapsed().as_millis());
            }
            eprintln!("{name:6} top {dimension:?} '{filter}' over {rows} flows: {times:?} ms");
        }
    }
    let inventory = store.inventory().await?;
    eprintln!(
        "{inventory:?}, {:.1} octets a row",
        inventory.octets_on_disk as f64 / inventory.flows as f64
    );
    Ok(())
}
