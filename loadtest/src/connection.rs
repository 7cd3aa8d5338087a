//! One nonblocking connection: its socket, what is still to be sent, and its scenario's session.

use crate::error::RequestError;
use crate::scenario::{Next, Scenario};
use mio::net::TcpStream;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::Instant;

/// The most bytes read from one connection in one turn. A fast server with a long reply would else
/// keep all others waiting, and their latencies would be this client's.
const READ_BUDGET_BYTES: usize = 1024 * 1024;

/// How a turn ended.
#[derive(Debug)]
pub(crate) enum Turn {
    /// The socket has nothing more for now: an event will tell.
    Blocked,
    /// The socket has more, perhaps, and no event will tell: the connection must get another turn.
    Unfinished,
    /// The connection is over.
    Ended(Result<(), RequestError>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Connecting,
    Open,
    /// The client's side is closed.
    Closing,
}

/// A connection with its session.
#[derive(Debug)]
pub(crate) struct Connection<T> {
    /// Registered with the poll from opening on.
    pub(crate) stream: TcpStream,
    /// The scenario's.
    pub(crate) session: T,
    /// Whether another turn is due without an event.
    pub(crate) queued: bool,
    phase: Phase,
    outgoing: Vec<u8>,
    sent: usize,
    /// Sending failed. Kept until reading has ended too: the server may have said why before it
    /// hung up.
    send_error: Option<io::Error>,
}

impl<T> Connection<T> {
    /// Begins to connect.
    pub(crate) fn start(address: SocketAddr, session: T) -> Result<Self, (T, RequestError)> {
        match TcpStream::connect(address) {
            Ok(stream) => Ok(Self {
                stream,
                session,
                queued: false,
                phase: Phase::Connecting,
                outgoing: Vec::new(),
                sent: 0,
                send_error: None,
            }),
            Err(error) => Err((session, RequestError::Connect(error))),
        }
    }

    /// Does what can be done without waiting: it tries the socket itself, so that a turn without
    /// cause does no harm. What the scenario has to say to all that was received goes out at its
    /// end, with one write if the socket takes it.
    pub(crate) fn turn<S: Scenario<Session = T>>(
        &mut self,
        scenario: &mut S,
        buffer: &mut [u8],
    ) -> Turn {
        if self.phase == Phase::Connecting {
            match self.connect_finished() {
                Ok(false) => return Turn::Blocked,
                Ok(true) => {
                    self.phase = Phase::Open;
                    scenario.connected(&mut self.session, &mut self.outgoing, Instant::now());
                }
                Err(error) => return Turn::Ended(Err(RequestError::Connect(error))),
            }
        }
        let turn = self.receive(scenario, buffer);
        self.send();
        turn
    }

    /// Whether the connection stands. The error must be asked for first: without one, a socket that
    /// has no peer yet is still connecting.
    fn connect_finished(&mut self) -> io::Result<bool> {
        if let Some(error) = self.stream.take_error()? {
            return Err(error);
        }
        match self.stream.peer_addr() {
            Ok(_) => {
                self.stream.set_nodelay(true)?;
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn send(&mut self) {
        while self.sent < self.outgoing.len() && self.send_error.is_none() {
            match self.stream.write(&self.outgoing[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return self.trim(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => self.send_error = Some(error),
            }
        }
        self.outgoing.clear();
        self.sent = 0;
    }

    /// Takes off what was sent once it is the greater part, so that a server which is slow to read
    /// does not make the rest grow without end, nor each byte move more than once or so.
    fn trim(&mut self) {
        if self.sent > self.outgoing.len() / 2 {
            self.outgoing.drain(..self.sent);
            self.sent = 0;
        }
    }

    fn receive<S: Scenario<Session = T>>(&mut self, scenario: &mut S, buffer: &mut [u8]) -> Turn {
        let mut budget = READ_BUDGET_BYTES;
        while budget > 0 {
            let count = match self.stream.read(buffer) {
                Ok(0) => {
                    return Turn::Ended(
                        self.send_error.take().map_or(Ok(()), |error| Err(RequestError::Io(error))),
                    );
                }
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Turn::Blocked,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Turn::Ended(Err(RequestError::Io(error))),
            };
            budget = budget.saturating_sub(count);
            let Self { session, outgoing, .. } = self;
            match scenario.received(session, &buffer[..count], outgoing, Instant::now()) {
                Ok(Next::Read) => {}
                Ok(Next::Close) => self.close_own_side(),
                Err(error) => return Turn::Ended(Err(error)),
            }
        }
        Turn::Unfinished
    }

    fn close_own_side(&mut self) {
        if self.phase == Phase::Open {
            self.phase = Phase::Closing;
            // It fails only if the connection is broken already, and the next read tells how.
            let _ = self.stream.shutdown(Shutdown::Write);
        }
    }
}
