//! Requests as they stand, octet by octet, as no client library would send them.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::AsRawFd as _;

use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrIn, bind, connect as join, socket,
};

use super::PATIENCE;

/// An answer: its status, and all of it as text.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) text: String,
}

/// Opens a connection that gives up after a while.
pub(crate) fn connect(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Opens one from another address of this machine.
pub(crate) fn connect_from(source: Ipv4Addr, to: SocketAddr) -> TcpStream {
    let SocketAddr::V4(to) = to else {
        panic!("{to} is not IPv4");
    };
    let made = socket(
        AddressFamily::Inet,
        SockType::Stream,
        SockFlag::SOCK_CLOEXEC,
        None,
    );
    let stream = made.unwrap();
    let from = SockaddrIn::from(std::net::SocketAddrV4::new(source, 0));
    bind(stream.as_raw_fd(), &from).unwrap();
    join(stream.as_raw_fd(), &SockaddrIn::from(to)).unwrap();
    let stream = TcpStream::from(stream);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Sends a request as it stands, and returns the status.
pub(crate) fn status_of(to: SocketAddr, request: &[u8]) -> u16 {
    let mut stream = connect(to);
    // The server may have answered and closed before it read all of it.
    let _ = stream.write_all(request);
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    // RFC 9112 §4: `HTTP/1.1 200 OK`.
    std::str::from_utf8(&answer[9..]).unwrap().parse().unwrap()
}

/// Sends a request with these header lines and this body, and reads the whole answer.
pub(crate) fn exchange(
    to: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    try_exchange(to, method, path, headers, body)
        .unwrap_or_else(|text| panic!("{method} {path}: {text:?}"))
}

/// The same, where the system may have no place for another connection: then what came instead of an answer.
pub(crate) fn try_exchange(
    to: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Result<Answer, String> {
    exchange_on(connect(to), method, path, headers, body)
}

/// The same on a connection that is open.
pub(crate) fn exchange_on(
    mut stream: TcpStream,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Result<Answer, String> {
    let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
    if !headers.iter().any(|(name, _)| *name == "Host") {
        head += "Host: localhost\r\n";
    }
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    if !body.is_empty() {
        head += &format!("Content-Length: {}\r\n", body.len());
    }
    head += "\r\n";
    // It may be closed before all of it is read.
    let _ = stream.write_all(&[head.as_bytes(), body].concat());
    let mut octets = Vec::new();
    // A connection that is reset after the answer has given the answer.
    let _ = stream.read_to_end(&mut octets);
    let text = String::from_utf8_lossy(&octets).into_owned();
    let status = text.split(' ').nth(1).and_then(|word| word.parse().ok());
    match status {
        Some(status) => Ok(Answer { status, text }),
        None => Err(text),
    }
}

impl Answer {
    /// The body, if it did not come in chunks.
    pub(crate) fn body(&self) -> &str {
        self.text
            .split_once("\r\n\r\n")
            .map_or("", |(_, body)| body)
    }
}
