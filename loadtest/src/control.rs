//! A blocking connection for the few questions asked before and after the load: how many values,
//! and which.

use crate::error::RequestError;
use crate::verify::{Progress, ReplyParser, Shape, printable, refusal};
use serde::Deserialize;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Bytes read at once.
const READ_BUFFER_BYTES: usize = 64 * 1024;
/// The longest reply line taken where no array is expected.
const MAX_LINE_BYTES: usize = 64 * 1024;
/// The longest version kept; longer ones are cut.
const MAX_VERSION_CHARS: usize = 40;
/// The operating system takes no shorter wait than this for more than none.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

/// Asks one question after the other; each must be answered within the timeout.
#[derive(Debug)]
pub(crate) struct Control {
    stream: TcpStream,
    timeout: Duration,
    buffer: Box<[u8]>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CountReply {
    count: u64,
}

#[derive(Deserialize)]
struct StatsReply {
    version: String,
}

impl Control {
    /// Connects within the timeout.
    pub(crate) fn connect(address: SocketAddr, timeout: Duration) -> Result<Self, RequestError> {
        let stream =
            TcpStream::connect_timeout(&address, timeout).map_err(RequestError::Connect)?;
        Ok(Self { stream, timeout, buffer: vec![0; READ_BUFFER_BYTES].into_boxed_slice() })
    }

    /// The array's length.
    pub(crate) fn count(&mut self) -> Result<u64, RequestError> {
        let line = self.ask(b"{\"op\":\"count\"}\n")?;
        match serde_json::from_slice(&line) {
            Ok(CountReply { count }) => Ok(count),
            Err(_) => Err(RequestError::Server(refusal(&line)?)),
        }
    }

    /// The server's version; `None` if it does not say.
    pub(crate) fn version(&mut self) -> Result<Option<String>, RequestError> {
        let line = self.ask(b"{\"op\":\"stats\"}\n")?;
        let stats = serde_json::from_slice(&line).ok();
        Ok(stats.map(|StatsReply { version }| printable(&version, MAX_VERSION_CHARS)))
    }

    /// Asks a question whose answer is one short line, and returns that without its newline.
    fn ask(&mut self, question: &[u8]) -> Result<Vec<u8>, RequestError> {
        let deadline = Instant::now() + self.timeout;
        self.send(question, deadline)?;
        let mut line = Vec::new();
        while line.last() != Some(&b'\n') {
            let received = self.receive(deadline)?;
            if received == 0 {
                return Err(RequestError::ClosedEarly);
            }
            line.extend_from_slice(&self.buffer[..received]);
            if line.len() > MAX_LINE_BYTES {
                return Err(RequestError::Protocol(format!(
                    "no end of line within {MAX_LINE_BYTES} bytes"
                )));
            }
        }
        line.pop();
        Ok(line)
    }

    /// Hands every value of the array to `each`, in order, and returns how many the server
    /// announced.
    pub(crate) fn array(&mut self, mut each: impl FnMut(i64)) -> Result<u64, RequestError> {
        let deadline = Instant::now() + self.timeout;
        self.send(b"{\"op\":\"array\"}\n", deadline)?;
        let mut reply = ReplyParser::new(Shape::Listing);
        loop {
            let received = self.receive(deadline)?;
            if received == 0 {
                return Err(RequestError::ClosedEarly);
            }
            match reply.push(&self.buffer[..received], &mut each)? {
                Progress::NeedMore => {}
                Progress::Complete { consumed } if consumed == received => {
                    return Ok(reply.receipt().count);
                }
                Progress::Complete { .. } => return Err(stray_bytes()),
                Progress::Refused { error, .. } => return Err(RequestError::Server(error)),
            }
        }
    }

    /// Closes the connection and sees that nothing came after the last reply.
    pub(crate) fn close(mut self) -> Result<(), RequestError> {
        let deadline = Instant::now() + self.timeout;
        // It fails only if the connection is broken already, and the read tells how.
        let _ = self.stream.shutdown(Shutdown::Write);
        match self.receive(deadline)? {
            0 => Ok(()),
            _ => Err(stray_bytes()),
        }
    }

    /// The socket's own timeout is for each write; a question is one small write.
    fn send(&mut self, question: &[u8], deadline: Instant) -> Result<(), RequestError> {
        self.stream.set_write_timeout(Some(wait_until(deadline)?)).map_err(RequestError::Io)?;
        self.stream.write_all(question).map_err(timeout_or_io)
    }

    /// Reads once into the buffer; 0 is the end of the stream.
    fn receive(&mut self, deadline: Instant) -> Result<usize, RequestError> {
        loop {
            self.stream.set_read_timeout(Some(wait_until(deadline)?)).map_err(RequestError::Io)?;
            match self.stream.read(&mut self.buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => return result.map_err(timeout_or_io),
            }
        }
    }
}

fn stray_bytes() -> RequestError {
    RequestError::Protocol("stray bytes after the end of the reply".into())
}

fn wait_until(deadline: Instant) -> Result<Duration, RequestError> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(RequestError::Timeout) } else { Ok(left.max(SHORTEST_WAIT)) }
}

/// A blocking socket's timeout shows as either kind, by platform.
fn timeout_or_io(error: io::Error) -> RequestError {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => RequestError::Timeout,
        _ => RequestError::Io(error),
    }
}
