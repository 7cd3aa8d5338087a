//! What a connection does. The event loop moves bytes; a scenario decides which, and judges what
//! comes back.

pub(crate) mod classic;

use crate::error::RequestError;
use std::time::Instant;

/// What a scenario wants after it has seen some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// More bytes.
    Read,
    /// No more: the client's side is to be closed, and the server is expected to close its own
    /// without another byte.
    Close,
}

/// Called by the event loop at each turn of a connection's life: [`Self::open`], then perhaps
/// [`Self::connected`], then any number of [`Self::received`], and in every case [`Self::ended`].
/// It touches no socket and reads no clock.
pub(crate) trait Scenario {
    /// What it remembers of one connection.
    type Session;

    /// A connection may be opened: the session for it, or `None` when there will be no more.
    fn open(&mut self, now: Instant) -> Option<Self::Session>;

    /// The connection stands. What is appended to `outgoing` is sent.
    fn connected(&mut self, session: &mut Self::Session, outgoing: &mut Vec<u8>, now: Instant);

    /// Bytes have come. They may still come after [`Next::Close`]. An error ends the connection.
    fn received(
        &mut self,
        session: &mut Self::Session,
        bytes: &[u8],
        now: Instant,
    ) -> Result<Next, RequestError>;

    /// The connection is over: the server has closed it, or it failed.
    fn ended(&mut self, session: Self::Session, ending: Result<(), RequestError>);
}
