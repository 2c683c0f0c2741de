//! A writer that is killed in the middle of its work loses nothing that it had confirmed.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may")]

mod tape;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use replay::{TapeWriter, Upkeep};
use tape::{config, datagrams, numbers_on, open, second};

const DIR: &str = "FLOWREEL_TEST_TAPE";

/// The process that is killed: appends for ever and confirms each batch on its standard output. Without the variable that the
/// other test sets there is nothing to do.
#[test]
fn write_until_killed() {
    let Some(dir) = std::env::var_os(DIR) else {
        return;
    };
    let (mut writer, _) = TapeWriter::open(config(Path::new(&dir)), second(0)).unwrap();
    let _upkeep = Upkeep::start(&writer.tail()).unwrap();
    let mut out = std::io::stdout().lock();
    let mut next = writer.datagrams_total();
    loop {
        let done = writer.append(&datagrams(next..next + 13, 700), second(0));
        assert_eq!(done.failed, 0);
        next += 13;
        // Nobody listens any more when the test is over, however it ended.
        if writeln!(out, "confirmed {next}").is_err() {
            return;
        }
    }
}

fn start_writer(dir: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "write_until_killed", "--nocapture"])
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Kills the writer after it has confirmed `batches` batches; returns all that it confirmed.
fn confirmed_when_killed(mut child: Child, batches: usize) -> u64 {
    let mut confirmed = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok)
        .filter_map(|line| line.rsplit_once("confirmed ")?.1.parse().ok());
    let mut last = confirmed.by_ref().nth(batches).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    // What it wrote between the last look and its end.
    for number in confirmed {
        last = number;
    }
    last
}

#[test]
fn kill_it_again_and_again() {
    let dir = tempfile::tempdir().unwrap();
    for round in 1..=8 {
        let confirmed = confirmed_when_killed(start_writer(dir.path()), round * 37 % 101);
        let (numbers, reader) = numbers_on(dir.path());
        let on_tape = numbers.len() as u64;
        // At most the batch that it was appending is on tape and not confirmed; a part of its last line may be lost.
        assert!(
            (confirmed..=confirmed + 26).contains(&on_tape),
            "{confirmed} {on_tape}"
        );
        assert_eq!(numbers, (0..on_tape).collect::<Vec<_>>());
        assert_eq!((reader.counts().damaged, reader.counts().resyncs), (0, 0));
    }
    let (numbers, _) = numbers_on(dir.path());
    let writer = open(dir.path());
    assert_eq!(writer.datagrams_total(), numbers.len() as u64);
}
