//! Scenarios `mixed` and `rest`: connections stay open, and each sends adds, reads, counts, ranks,
//! indexes, quantiles, removals, pops and clears, pipelined.
//!
//! A request follows from its number, so that the reply's meaning does too. What others of the run
//! do meanwhile is not known in order, only in bounds: the ledger says how many elements there may
//! have been between a request's sending and its reply, and its stock which.

mod answer;
mod dialect;
mod http;
mod judge;
mod lines;
mod operation;
mod resp;
mod rest;

use super::Run;
use super::pipelined::{Pipelined, Request, Work};
use crate::args::Protocol;
use crate::verify::{Bounds, Malformed, Progress};
use answer::{Answer, Reply};
use dialect::Dialect;
use lines::Lines;
use operation::Operation;
use resp::Resp;
use rest::Rest;
use std::net::SocketAddr;
use std::time::Duration;

/// The most values kept to know which may be there: some 50 MB here.
const MAX_VALUES_COMPARED: u64 = 2_000_000;
/// The longest reply taken: the longest of an honest server has about a hundred values.
const MAX_REPLY_BYTES: usize = 64 * 1024;

/// The scenario.
pub(crate) type Mixed = Pipelined<Mix>;

/// What is asked, and how.
#[derive(Debug)]
pub(crate) struct Mix {
    dialect: Box<dyn Dialect>,
}

/// A connection's place in the reply under way.
#[derive(Debug)]
pub(crate) struct Reading {
    /// What it answers.
    operation: Operation,
    /// Its bytes so far, if it did not come in one piece.
    gathered: Vec<u8>,
    /// What it says, once it is complete.
    answer: Option<Answer>,
}

impl Mixed {
    /// The mix over the socket, for a run that begins.
    pub(crate) fn new(run: Run, protocol: Protocol, pipeline: usize, patience: Duration) -> Self {
        let dialect: Box<dyn Dialect> = match protocol {
            Protocol::Json => Box::new(Lines),
            Protocol::Resp => Box::new(Resp),
        };
        Self::with(run, dialect, pipeline, patience)
    }

    /// The mix over REST, for a run that begins.
    pub(crate) fn over_rest(
        run: Run,
        server: SocketAddr,
        pipeline: usize,
        patience: Duration,
    ) -> Self {
        Self::with(run, Box::new(Rest::new(server)), pipeline, patience)
    }

    fn with(mut run: Run, dialect: Box<dyn Dialect>, pipeline: usize, patience: Duration) -> Self {
        if run.shared {
            let reason = "count, length, presence, rank, removed, popped and unknown_value, as far \
                          as they follow from what was added: others may change the array (--shared)";
            run.stats.checks_skipped.push(reason.to_owned());
        }
        run.ledger.expect_removals();
        Pipelined::of(run, Mix { dialect }, pipeline, patience)
    }
}

impl Work for Mix {
    const MAX_VALUES_COMPARED: u64 = MAX_VALUES_COMPARED;

    type Reading = Reading;

    fn reading(&self) -> Reading {
        Reading { operation: Operation::Count, gathered: Vec::new(), answer: None }
    }

    fn send(&mut self, run: &mut Run, number: u64, outgoing: &mut Vec<u8>) -> Bounds {
        let operation = Operation::of(number, &run.batches);
        self.dialect.request(&operation, outgoing);
        if let Some(most) = operation.most_removed() {
            run.ledger.removing(most);
        }
        let batch = if let Operation::Add(batch) = operation { batch } else { Vec::new() };
        let bounds = run.ledger.sending(batch.len());
        run.ledger.may_hold(batch.into_iter());
        bounds
    }

    fn begin(&self, run: &Run, reading: &mut Reading, number: u64) {
        reading.operation = Operation::of(number, &run.batches);
        reading.gathered.clear();
    }

    fn push(&self, reading: &mut Reading, bytes: &[u8]) -> Result<Progress, Malformed> {
        let Reading { operation, gathered, answer } = reading;
        let before = gathered.len();
        // Nearly every reply comes whole and is not copied.
        let all = if before == 0 {
            bytes
        } else {
            gathered.extend_from_slice(bytes);
            &gathered[..]
        };
        let Some((reply, len)) = self.dialect.reply(operation, all)? else {
            if all.len() > MAX_REPLY_BYTES {
                return Err(Malformed(format!("no end of a reply in {MAX_REPLY_BYTES} bytes")));
            }
            if before == 0 {
                gathered.extend_from_slice(bytes);
            }
            return Ok(Progress::NeedMore);
        };
        let consumed = len - before;
        Ok(match reply {
            Reply::Answer(complete) => {
                *answer = Some(complete);
                Progress::Complete { consumed }
            }
            Reply::Refused(error) => Progress::Refused { consumed, error },
        })
    }

    fn answered(&mut self, run: &mut Run, reading: &mut Reading, request: &Request) {
        if let Some(answer) = reading.answer.take() {
            judge::judge(run, &reading.operation, &answer, request);
        }
    }

    fn refused(&mut self, run: &mut Run, number: u64) {
        if let Some(most) = Operation::of(number, &run.batches).most_removed() {
            run.ledger.removed(most, 0);
        }
    }

    fn unresolved(&mut self, run: &mut Run, number: u64) {
        if Operation::of(number, &run.batches).changes() {
            run.ledger.unresolved(1);
        }
    }
}
