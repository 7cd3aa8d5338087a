//! What can go wrong with one request.

use crate::verify::{Malformed, ServerError};
use std::borrow::Cow;
use std::fmt;
use std::io::{self, ErrorKind};
use std::time::Duration;

/// Why a request has no complete reply.
#[derive(Debug)]
pub(crate) enum RequestError {
    /// No connection came about.
    Connect(io::Error),
    /// The connection failed.
    Io(io::Error),
    /// The peer closed the connection before the reply was complete.
    ClosedEarly,
    /// The server refused the request.
    Server(ServerError),
    /// The bytes received are no reply.
    Protocol(String),
    /// It was not done in time.
    Timeout,
    /// For so long connections have failed and nothing was answered: no more are opened.
    GaveUp(Duration),
}

impl RequestError {
    /// The name under which errors of this kind are counted.
    pub(crate) fn kind(&self) -> Cow<'static, str> {
        match self {
            // The one that this client brings upon itself: all local ports are in use, or rest
            // after use.
            RequestError::Connect(error) if error.kind() == ErrorKind::AddrNotAvailable => {
                "connect:no_local_port".into()
            }
            RequestError::Connect(_) => "connect".into(),
            RequestError::Io(error) => match error.kind() {
                ErrorKind::ConnectionReset
                | ErrorKind::ConnectionAborted
                | ErrorKind::BrokenPipe => "reset".into(),
                _ => "io".into(),
            },
            RequestError::ClosedEarly => "closed_early".into(),
            RequestError::Server(error) => format!("server_error:{}", error.code).into(),
            RequestError::Protocol(_) => "protocol".into(),
            RequestError::Timeout => "timeout".into(),
            RequestError::GaveUp(_) => "gave_up".into(),
        }
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RequestError::Connect(error) => write!(f, "cannot connect: {error}"),
            RequestError::Io(error) => error.fmt(f),
            RequestError::ClosedEarly => {
                f.write_str("the server closed the connection before the end of its reply")
            }
            RequestError::Server(error) => error.fmt(f),
            RequestError::Protocol(what) => f.write_str(what),
            RequestError::Timeout => f.write_str("timed out"),
            RequestError::GaveUp(time) => {
                let time = humantime::format_duration(*time);
                write!(f, "connections fail and nothing was answered for {time}: the rest is off")
            }
        }
    }
}

impl From<Malformed> for RequestError {
    fn from(Malformed(what): Malformed) -> Self {
        RequestError::Protocol(what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds() {
        let kind = |error: RequestError| error.kind().into_owned();
        assert_eq!(kind(RequestError::Connect(ErrorKind::ConnectionRefused.into())), "connect");
        assert_eq!(
            kind(RequestError::Connect(ErrorKind::AddrNotAvailable.into())),
            "connect:no_local_port"
        );
        assert_eq!(kind(RequestError::Io(ErrorKind::BrokenPipe.into())), "reset");
        assert_eq!(kind(RequestError::Io(ErrorKind::NetworkDown.into())), "io");
        let full = ServerError::new("full", "no room", false);
        assert_eq!(kind(RequestError::Server(full)), "server_error:full");
        assert_eq!(kind(Malformed("what".into()).into()), "protocol");
    }
}
