//! What all scenarios have in common whose connections stay open: each keeps so many requests in
//! flight as the pipeline is deep.
//!
//! Each reply makes room for one more request. All that one turn of a connection makes room for go
//! out together, with one write. Latency is counted from there to the reply's last byte. What a
//! reply is checked against follows from the request's number, so that a request in flight costs a
//! few bytes and no memory of its own.
//!
//! After its last reply a connection is closed as in `classic`: the client first, then the server
//! without another byte. One that fails is replaced; the requests in flight on it may have taken
//! effect or not.

use super::{Next, Run, Scenario};
use crate::error::RequestError;
use crate::verify::{Bounds, Malformed, Progress, ServerError};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// What the requests are, and what must hold of the replies.
pub(crate) trait Work {
    /// As [`Scenario::MAX_VALUES_COMPARED`].
    const MAX_VALUES_COMPARED: u64;

    /// A connection's place in the reply under way.
    type Reading;

    /// The place before a connection's first reply.
    fn reading(&self) -> Self::Reading;

    /// Enters the request of this number in the books and appends its text to `outgoing`.
    fn send(&mut self, run: &mut Run, number: u64, outgoing: &mut Vec<u8>) -> Bounds;

    /// The first byte of the reply to this request is about to be taken.
    fn begin(&self, run: &Run, reading: &mut Self::Reading, number: u64);

    /// Takes what belongs to the reply from the start of `bytes`.
    fn push(&self, reading: &mut Self::Reading, bytes: &[u8]) -> Result<Progress, Malformed>;

    /// The reply is complete, and the request thereby acknowledged, whatever the checks say.
    fn answered(&mut self, run: &mut Run, reading: &mut Self::Reading, request: &Request);

    /// The request was refused, and changed nothing.
    fn refused(&mut self, run: &mut Run, number: u64);

    /// Nobody knows whether the request took effect.
    fn unresolved(&mut self, run: &mut Run, number: u64);
}

/// A request that was sent.
#[derive(Debug)]
pub(crate) struct Request {
    /// All that it asks for follows from it.
    pub(crate) number: u64,
    sent_at: Instant,
    /// What was known when it was sent of the counts in its reply.
    pub(crate) bounds: Bounds,
}

/// The scenario's state over all connections.
#[derive(Debug)]
pub(crate) struct Pipelined<W> {
    run: Run,
    work: W,
    /// Requests in flight on each connection.
    pipeline: usize,
    /// How long connections may fail, and nothing be answered, before the run is given up.
    patience: Duration,
    /// When a connection failed, if no reply came since then.
    failing_since: Option<Instant>,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Session<R> {
    /// When it was opened, or when its last reply came.
    since: Instant,
    /// The number of its first request, until it is sent.
    first: Option<u64>,
    in_flight: VecDeque<Request>,
    reading: R,
    /// Bytes of the reply under way.
    received: u64,
}

impl<W: Work> Pipelined<W> {
    /// The scenario for a run that begins.
    pub(crate) fn of(run: Run, work: W, pipeline: usize, patience: Duration) -> Self {
        Self { run, work, pipeline, patience, failing_since: None }
    }

    /// Sends as many requests as there is room for, unless the goal is reached.
    fn fill(&mut self, session: &mut Session<W::Reading>, outgoing: &mut Vec<u8>, now: Instant) {
        while session.in_flight.len() < self.pipeline {
            let Some(number) = session.first.take().or_else(|| self.run.quota.begin(now)) else {
                return;
            };
            let bounds = self.work.send(&mut self.run, number, outgoing);
            session.in_flight.push_back(Request { number, sent_at: now, bounds });
        }
    }

    /// Takes what belongs to one reply from the start of `bytes`, and returns how much that was.
    fn take(
        &mut self,
        session: &mut Session<W::Reading>,
        bytes: &[u8],
        now: Instant,
    ) -> Result<usize, RequestError> {
        let Some(request) = session.in_flight.front() else {
            let stray = char::from(bytes[0]).escape_default();
            return Err(RequestError::Protocol(format!("stray '{stray}' after the last reply")));
        };
        if session.received == 0 {
            self.work.begin(&self.run, &mut session.reading, request.number);
        }
        let consumed = match self.work.push(&mut session.reading, bytes)? {
            Progress::NeedMore => {
                session.received += bytes.len() as u64;
                return Ok(bytes.len());
            }
            Progress::Complete { consumed } => {
                if let Some(request) = session.in_flight.pop_front() {
                    self.run.stats.requests += 1;
                    self.run.stats.latency.record(now.duration_since(request.sent_at));
                    self.work.answered(&mut self.run, &mut session.reading, &request);
                }
                consumed
            }
            Progress::Refused { consumed, error } => {
                self.refused(session, error)?;
                consumed
            }
        };
        session.received = 0;
        session.since = now;
        self.failing_since = None;
        Ok(consumed)
    }

    /// The request changed nothing. The connection goes on unless the server is about to close it.
    fn refused(
        &mut self,
        session: &mut Session<W::Reading>,
        error: ServerError,
    ) -> Result<(), RequestError> {
        let closes = error.closes;
        let error = RequestError::Server(error);
        if closes {
            return Err(error);
        }
        if let Some(Request { number, .. }) = session.in_flight.pop_front() {
            self.run.stats.requests += 1;
            self.run.stats.error(&error, &format!("request {number}"));
            self.work.refused(&mut self.run, number);
        }
        Ok(())
    }
}

impl<W: Work> Scenario for Pipelined<W> {
    const MAX_VALUES_COMPARED: u64 = W::MAX_VALUES_COMPARED;

    type Session = Session<W::Reading>;

    fn open(&mut self, now: Instant) -> Option<Self::Session> {
        if self.failing_since.is_some_and(|since| now.duration_since(since) >= self.patience) {
            self.run.quota.close();
            self.run.stats.error(&RequestError::GaveUp(self.patience), "the run");
        }
        // The connection may fail before a request is sent. It must stand for one all the same: a
        // run of so many requests would never end else.
        let first = self.run.quota.begin(now)?;
        Some(Session {
            since: now,
            first: Some(first),
            in_flight: VecDeque::new(),
            reading: self.work.reading(),
            received: 0,
        })
    }

    fn connected(&mut self, session: &mut Self::Session, outgoing: &mut Vec<u8>, now: Instant) {
        self.run.stats.connect.record(now.duration_since(session.since));
        self.fill(session, outgoing, now);
    }

    fn received(
        &mut self,
        session: &mut Self::Session,
        mut bytes: &[u8],
        outgoing: &mut Vec<u8>,
        now: Instant,
    ) -> Result<Next, RequestError> {
        while !bytes.is_empty() {
            let taken = self.take(session, bytes, now)?;
            bytes = &bytes[taken..];
        }
        self.fill(session, outgoing, now);
        Ok(if session.in_flight.is_empty() { Next::Close } else { Next::Read })
    }

    fn waiting_since(&self, session: &Self::Session) -> Instant {
        session.in_flight.front().map_or(session.since, |oldest| oldest.sent_at)
    }

    fn ended(&mut self, session: Self::Session, ending: Result<(), RequestError>, now: Instant) {
        let Session { first, in_flight, received, .. } = session;
        let finished = first.is_none() && in_flight.is_empty();
        let error = match ending {
            Ok(()) if finished => return,
            Ok(()) => RequestError::ClosedEarly,
            Err(error) => error,
        };
        self.failing_since.get_or_insert(now);
        let context = match (first, in_flight.front()) {
            (Some(first), _) => format!("request {first}, before it was sent"),
            (None, Some(Request { number, .. })) => format!(
                "request {number}, after {received} bytes of reply, with {} in flight",
                in_flight.len()
            ),
            (None, None) => "after the last reply on a connection".to_owned(),
        };
        self.run.stats.requests += u64::from(first.is_some()) + in_flight.len() as u64;
        self.run.stats.error(&error, &context);
        // A refused request changes nothing; one without an answer may have taken effect.
        let mut unanswered = in_flight.iter().map(|request| request.number);
        if matches!(error, RequestError::Server(_))
            && let Some(number) = unanswered.next()
        {
            self.work.refused(&mut self.run, number);
        }
        unanswered.for_each(|number| self.work.unresolved(&mut self.run, number));
    }

    fn run(&self) -> &Run {
        &self.run
    }

    fn into_run(self) -> Run {
        self.run
    }
}

#[cfg(test)]
impl<R> Session<R> {
    /// Requests in flight.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }
}
