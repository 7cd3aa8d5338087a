//! What a connection does. The event loop moves bytes; a scenario decides which, and judges what
//! comes back.

pub(crate) mod classic;
pub(crate) mod ingest;
pub(crate) mod mixed;
mod pipelined;
mod quota;
mod text;

pub(crate) use quota::Quota;

use crate::error::RequestError;
use crate::input::BatchSource;
use crate::stats::Stats;
use crate::verify::Ledger;
use std::time::Instant;

/// What every scenario keeps, whatever its connections do.
#[derive(Debug)]
pub(crate) struct Run {
    /// Which requests may still begin.
    pub(crate) quota: Quota,
    /// What they send.
    pub(crate) batches: BatchSource,
    /// What the server should hold.
    pub(crate) ledger: Ledger,
    /// Others change the array: what it holds proves nothing.
    pub(crate) shared: bool,
    /// What came of it.
    pub(crate) stats: Stats,
}

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
///
/// What a scenario appends to `outgoing` is sent, all that one turn of a connection brings with one
/// write.
pub(crate) trait Scenario {
    /// The most values, added and there at the start, of which the last array is read and compared
    /// value by value. A scenario that adds more than memory is meant to hold needs a limit.
    const MAX_VALUES_COMPARED: u64;

    /// What it remembers of one connection.
    type Session;

    /// A connection may be opened: the session for it, or `None` when there will be no more.
    fn open(&mut self, now: Instant) -> Option<Self::Session>;

    /// The connection stands.
    fn connected(&mut self, session: &mut Self::Session, outgoing: &mut Vec<u8>, now: Instant);

    /// Bytes have come. They may still come after [`Next::Close`]. An error ends the connection.
    fn received(
        &mut self,
        session: &mut Self::Session,
        bytes: &[u8],
        outgoing: &mut Vec<u8>,
        now: Instant,
    ) -> Result<Next, RequestError>;

    /// Since when what the connection awaits has been due: that it stands, the next reply, or the
    /// server's close. If that is too long ago, the connection ends by [`RequestError::Timeout`].
    fn waiting_since(&self, session: &Self::Session) -> Instant;

    /// The connection is over: the server has closed it, or it failed.
    fn ended(&mut self, session: Self::Session, ending: Result<(), RequestError>, now: Instant);

    /// Where the run stands.
    fn run(&self) -> &Run;

    /// What came of the run.
    fn into_run(self) -> Run;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Goal;

    /// A run of one-value batches, all 5, against an empty server.
    pub(crate) fn run_of_fives(goal: Goal, started: Instant, shared: bool) -> Run {
        Run {
            quota: Quota::new(goal, started),
            batches: BatchSource::new(1, &(1..=1), &(5..=5)),
            ledger: Ledger::new(0, u64::MAX),
            shared,
            stats: Stats::new(),
        }
    }
}
