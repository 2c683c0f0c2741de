//! A server on a fixed UDP address, exporters that send to it, and the books of the test: injuries go in between.

use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::time::Duration;

use flow::Accounting;
use nix::sys::signal::Signal;

use super::fleet::Fleet;
use super::ledger::{Ledger, settled};
use super::place::Place;
use super::{Launch, Server, eventually, signal};

/// Everything of one trial. The server ends before its data directory goes.
pub(crate) struct Lab {
    pub(crate) server: Option<Server>,
    pub(crate) fleet: Fleet,
    pub(crate) ledger: Ledger,
    pub(crate) launch: Launch,
    pub(crate) place: Place,
    listen: SocketAddr,
}

impl Lab {
    /// In a place, with `size` exporters of each dialect. `config` is the text of a configuration file.
    pub(crate) fn new(place: Place, size: u8, seed: u64, config: &str) -> Self {
        let data = place.path();
        std::fs::create_dir_all(&data).unwrap();
        let file = place.inside().with_file_name("test.toml");
        std::fs::write(place.path().with_file_name("test.toml"), config).unwrap();
        let launch = Launch {
            data_dir: place.inside().to_owned(),
            seen_as: Some(data),
            more: vec!["--config".to_owned(), file.to_str().unwrap().to_owned()],
            entrance: place.entrance(),
            ..Launch::default()
        };
        let listen = free_port();
        let mut this = Self {
            server: None,
            fleet: Fleet::new(listen, size, seed),
            ledger: Ledger::default(),
            launch,
            place,
            listen,
        };
        this.start();
        this
    }

    /// In a folder, with the defaults.
    pub(crate) fn simple(seed: u64) -> Self {
        Self::new(Place::folder(), 1, seed, "")
    }

    /// Starts the server, and waits until it receives.
    pub(crate) fn start(&mut self) {
        let server = Server::receiving(&self.launch, &self.listen.to_string());
        assert_eq!(server.udp(), self.listen);
        self.server = Some(server);
    }

    pub(crate) fn server(&self) -> &Server {
        self.server.as_ref().unwrap()
    }

    /// The data directory, as the test sees it.
    pub(crate) fn data(&self) -> PathBuf {
        self.place.path()
    }

    /// Waits until all that was sent is on tape, stored or counted; who sends goes on. From here on something may be lost
    /// with the process that receives.
    pub(crate) fn mark(&self) -> Duration {
        self.fleet.pause();
        let at = self.fleet.since.elapsed();
        self.wait_until_received();
        at
    }

    /// Waits until the server has counted every datagram that was sent since its start; the store may be away.
    pub(crate) fn wait_until_received(&self) -> Accounting {
        super::ledger::received(self.server())
    }

    /// Kills the server, as the kernel or an operator does, and its engine ends with it.
    pub(crate) fn kill(&mut self) {
        let server = self.server.take().unwrap();
        let engine = server.try_engine();
        server.kill();
        if let Some(engine) = engine {
            eventually("the engine ends with the server", || {
                (!is_alive(engine)).then_some(())
            });
        }
    }

    /// Ends the server as an operator does.
    pub(crate) fn stop(&mut self) -> Duration {
        self.server.take().unwrap().stop()
    }

    /// Sends a signal to the engine's process.
    pub(crate) fn signal_engine(&self, sent: Signal) -> u32 {
        let engine = self.server().engine();
        signal(engine, sent);
        engine
    }

    /// Holds the store against what was sent. Nobody sends meanwhile, nor after it.
    pub(crate) fn check(&mut self, after: &str) {
        self.fleet.pause();
        let server = self.server.as_ref().unwrap();
        server.wait_until_ready();
        eventually("the store is mended", || {
            (server.metric("flowreel_mending") == Some(0)).then_some(())
        });
        self.ledger.check(server, &self.fleet, after);
    }

    /// As [`Lab::check`], with what the server's books say.
    pub(crate) fn books(&self) -> Accounting {
        settled(self.server())
    }
}

/// Whether a process runs; one that ended and was not waited for does not.
pub(crate) fn is_alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or("").starts_with(" Z"))
}

/// An address that nobody uses now.
fn free_port() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap()
}
