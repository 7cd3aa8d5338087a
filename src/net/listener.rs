//! Listeners: binding them, and accepting without ever getting stuck.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use mio::net::{TcpListener, TcpStream};
use socket2::{Domain, Protocol, Socket, Type};

use crate::command::{Error, ErrorCode};
use crate::metrics::Shard;

use super::face::{Caller, Face, FaceKind};

/// Connections that the kernel completes while we are busy. It takes the minimum of this and
/// `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// How long to leave the listeners alone when the system is out of descriptors or memory.
const RETRY_AFTER: Duration = Duration::from_millis(50);

/// How many are told so each time.
const TURNED_AWAY_AT_ONCE: usize = 64;

/// A listener bound to `address`.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait until the connections of the last run have left TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(TcpListener::from_std(socket.into()))
}

/// A listener that remembers whether there may be connections to accept.
///
/// Readiness is told once, at the edge: as long as `ready` is set there is more to accept, even after
/// an error.
pub(super) struct Listener {
    pub(super) kind: FaceKind,
    pub(super) socket: TcpListener,
    pub(super) ready: bool,
    retry_at: Option<Instant>,
    /// Given up to accept, and turn away, a connection when there are no other descriptors.
    spare: Option<File>,
}

impl Listener {
    pub(super) fn new(kind: FaceKind, socket: TcpListener) -> Listener {
        Listener { kind, socket, ready: true, retry_at: None, spare: open_spare() }
    }

    /// When to try again after a failure.
    pub(super) fn retry_at(&self) -> Option<Instant> {
        self.retry_at
    }

    /// Whether to accept now.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.ready && self.retry_at.is_none_or(|at| at <= now)
    }

    /// The next connection, or none for now. `date` is the time as HTTP writes it.
    pub(super) fn accept(
        &mut self,
        now: Instant,
        date: &str,
        counts: &mut Shard,
    ) -> Option<(TcpStream, SocketAddr)> {
        self.retry_at = None;
        loop {
            match self.socket.accept() {
                Ok(accepted) => return Some(accepted),
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => {
                        self.ready = false;
                        return None;
                    }
                    // Somebody else's trouble, or nobody's.
                    io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted => {}
                    _ => {
                        log::warn!("cannot accept connections: {error}");
                        self.turn_some_away(date, counts);
                        self.retry_at = Some(now + RETRY_AFTER);
                        return None;
                    }
                },
            }
        }
    }

    /// Accepts and closes some of those who wait, with the spare descriptor: better a clear word now
    /// than none for as long as the others stay.
    fn turn_some_away(&mut self, date: &str, counts: &mut Shard) {
        for _ in 0..TURNED_AWAY_AT_ONCE {
            if self.spare.take().is_none() {
                break;
            }
            if let Ok((mut stream, _)) = self.socket.accept() {
                counts.count_refused();
                turn_away(&mut stream, self.kind, date);
            }
            self.spare = open_spare();
        }
        self.spare = self.spare.take().or_else(open_spare);
    }
}

/// Why a connection is refused that has come too many.
pub(super) fn too_many_connections() -> Error {
    Error::new(ErrorCode::TooManyConnections, "the server has no room for more connections")
}

/// Tells a client that there is no room, as far as that goes at once.
///
/// What the client has sent is read first, or closing would reset the connection and destroy the
/// refusal. Whether the client gets it is its luck: it is not waited for.
pub(super) fn turn_away(stream: &mut TcpStream, kind: FaceKind, date: &str) {
    let mut dropped = [0; 16 * 1024];
    let _ = stream.read(&mut dropped);
    let _ = stream.write(&refusal(kind, date));
}

fn refusal(kind: FaceKind, date: &str) -> BytesMut {
    let nobody = Caller { id: 0, address: SocketAddr::from(([0, 0, 0, 0], 0)) };
    let mut text = BytesMut::new();
    let answer = Face::new(kind, nobody, 0).refusal(too_many_connections());
    if let Some(mut body) = answer.write(date, &mut text).body {
        // A short text in memory, in one piece.
        let _ = body.pull(&mut [0; 1024], &mut text);
    }
    text
}

fn open_spare() -> Option<File> {
    File::open("/dev/null").ok()
}
