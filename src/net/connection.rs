//! One connection: bytes in, answers out, in order, with bounds on both.
//!
//! A state machine over anything that reads and writes without blocking. It never waits: the event
//! loop drives it when its stream may have become ready, and looks at it again at its deadline.

use std::io::{self, Read, Write};
use std::mem;
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use mio::net::TcpStream;

use crate::command::{Command, Error, ErrorCode, Operation, Outcome, Reply};
use crate::execute::Executor;
use crate::metrics;

use super::face::{Answer, Attempt, Body, Caller, Decoded, Exchange, Face, FaceKind};
use super::helpers::Work;

/// Bytes read from one connection in one turn of the loop: some hundred small requests, about a
/// millisecond of work.
const TURN_INPUT_BYTES: usize = 16 * 1024;

/// Bytes written to one connection's output in one turn, and so the size of the buffers between its
/// source and its socket.
const TURN_OUTPUT_BYTES: usize = 64 * 1024;

/// With this much output waiting nothing more is read or answered until the client takes some.
const HIGH_WATER_BYTES: usize = 64 * 1024;

/// A larger buffer that is nearly empty is given back for a smaller one.
const ROOMY_BYTES: usize = 256 * 1024;

/// With too much buffered over all connections, an answer is produced in pieces of this size.
const SHORT_OUTPUT_BYTES: usize = 4 * 1024;

/// After a last answer, what the client still sends is read and dropped for this long and this far,
/// or a reset could destroy the answer before it is read.
const LINGER_TIME: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 1024 * 1024;

/// The longest that a helper may take over a request: the most values that a request can hold, many
/// times over.
const WORK_TIME: Duration = Duration::from_secs(600);

/// How much is read after the order to stop: what had been received by then is not more.
const STOP_BYTES: usize = 8 * 1024 * 1024;

/// Bodies and replies that move this much may take a second longer.
const BYTES_FOR_A_SECOND: u64 = 64 * 1024;

/// What a connection talks to.
pub(super) trait Stream: Read + Write {
    /// Tells the peer that nothing more will be sent.
    fn shutdown_write(&self) -> io::Result<()>;
}

impl Stream for TcpStream {
    fn shutdown_write(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

/// What the connections of one event loop share.
pub(super) struct Context {
    pub(super) executor: Executor,
    pub(super) limits: Limits,
    /// For bytes on their way between a socket and a buffer.
    pub(super) scratch: Box<[u8; TURN_OUTPUT_BYTES]>,
    /// The time at which this turn of the loop began.
    pub(super) now: Instant,
    /// The same as HTTP writes it.
    pub(super) date: String,
    /// New work is not wanted any more.
    pub(super) draining: bool,
    /// The bytes of requests and replies that the connections of all loops hold.
    pub(super) buffered: Arc<AtomicUsize>,
}

/// How much and how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) max_request_bytes: usize,
    pub(crate) max_buffered_bytes: usize,
    pub(crate) idle_timeout: Duration,
    pub(crate) request_timeout: Duration,
}

impl Context {
    pub(super) fn new(executor: Executor, limits: Limits, now: Instant) -> Context {
        let scratch = Box::new([0; TURN_OUTPUT_BYTES]);
        let (date, buffered) = (String::new(), Arc::default());
        Context { executor, limits, scratch, now, date, draining: false, buffered }
    }

    /// Whether so much is buffered over all connections that none may take in more.
    pub(super) fn is_short_of_memory(&self) -> bool {
        // Relaxed: a bound that may be passed by what a few loops take in at the same time.
        self.buffered.load(Ordering::Relaxed) > self.limits.max_buffered_bytes
    }

    /// As [`Executor::try_execute`].
    fn try_execute(&mut self, command: Command) -> Result<Reply, Command> {
        if command == Command::Ready && self.draining {
            let message = "the server is shutting down";
            let reply = Reply::Error(Error::new(ErrorCode::ShuttingDown, message));
            self.executor.count(Operation::Ready, reply.outcome());
            return Ok(reply);
        }
        self.executor.try_execute(command)
    }
}

/// What the event loop does next about a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Drive it when its stream becomes ready, or its deadline comes.
    Wait,
    /// Drive it again after the others have had their turn.
    Again,
    /// Drive it again when less is buffered over all connections.
    Pause,
    /// Have its [`work`](Connection::take_work) done elsewhere and tell it the answer.
    Work,
    /// Drop it.
    Close,
}

/// A connection over `S`.
pub(super) struct Connection<S> {
    stream: S,
    face: Face,
    readable: bool,
    writable: bool,
    /// The peer has sent its last byte.
    read_closed: bool,
    input: BytesMut,
    /// Whether the input holds no whole request, for all that is known.
    starved: bool,
    output: BytesMut,
    /// The rest of the answer whose beginning is in the output.
    body: Option<Body>,
    /// A request that is carried out elsewhere, where its answer will come from.
    away: Option<Away>,
    state: State,
    /// Answers begun so far.
    answers: u64,
    /// Bytes moved and not counted yet.
    received: usize,
    sent: usize,
    pace: Pace,
}

/// A request that this connection's thread does not carry out itself.
struct Away {
    exchange: Exchange,
    /// Until it is taken.
    work: Option<Work>,
    /// How much input it was; held on to until it is done.
    bytes: usize,
    since: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// The server stops: `budget` more bytes are read. `answers` had been begun before.
    Stopping {
        budget: usize,
        answers: u64,
    },
    /// The last answer has been begun.
    Closing,
    /// The last answer has been sent; what still comes in is dropped, up to `budget` bytes.
    Lingering {
        budget: usize,
    },
}

/// What the connection is doing, for how long, and how fast.
struct Pace {
    phase: Phase,
    since: Instant,
    moved: u64,
    answers: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// No request is under way.
    Idle,
    /// A line or a head has begun.
    Head,
    Body,
    /// A request is carried out elsewhere.
    Work,
    Reply,
    Linger,
}

impl<S: Stream> Connection<S> {
    pub(super) fn new(
        stream: S,
        kind: FaceKind,
        caller: Caller,
        limits: Limits,
        now: Instant,
    ) -> Connection<S> {
        Connection {
            stream,
            face: Face::new(kind, caller, limits.max_request_bytes),
            // Found out by trying.
            readable: true,
            writable: true,
            read_closed: false,
            input: BytesMut::new(),
            starved: true,
            output: BytesMut::new(),
            body: None,
            away: None,
            state: State::Open,
            answers: 0,
            received: 0,
            sent: 0,
            pace: Pace { phase: Phase::Idle, since: now, moved: 0, answers: 0 },
        }
    }

    pub(super) fn stream_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// The stream may have become ready.
    pub(super) fn on_ready(&mut self, readable: bool, writable: bool) {
        self.readable |= readable;
        self.writable |= writable;
    }

    /// What its traffic is counted as.
    pub(super) fn label(&self) -> metrics::Face {
        self.face.label()
    }

    /// Answers nothing but this refusal and closes.
    pub(super) fn refuse(&mut self, cx: &mut Context, error: Error) {
        let outcome = Outcome::Refused(error.code);
        cx.executor.over(self.label()).count(Operation::None, outcome);
        let answer = self.face.refusal(error);
        self.begin(answer, cx);
        self.state = State::Closing;
    }

    /// Answers what has been received whole, then closes. Only the first call counts.
    pub(super) fn stop(&mut self) {
        if self.state == State::Open {
            self.state = State::Stopping { budget: STOP_BYTES, answers: self.answers };
            // More may have arrived than has been told.
            self.readable = true;
        }
    }

    /// The work that [`Next::Work`] speaks of. Followed by [`on_answer`](Connection::on_answer) or
    /// [`on_busy`](Connection::on_busy).
    pub(super) fn take_work(&mut self) -> Option<Work> {
        self.away.as_mut()?.work.take()
    }

    /// The work is done; to be driven then.
    pub(super) fn on_answer(&mut self, cx: &mut Context, answer: Answer) {
        if let Some(Away { since, .. }) = self.away.take() {
            cx.executor.counts().count_latency(self.label(), since.elapsed(), 1);
        }
        if answer.outcome() == Outcome::Failed {
            cx.executor.over(self.label()).count(Operation::None, Outcome::Failed);
        }
        self.begin(answer, cx);
    }

    /// There is no room for the work; to be driven then.
    pub(super) fn on_busy(&mut self, cx: &mut Context) {
        if let Some(Away { exchange, .. }) = self.away.take() {
            let message = "the server has too much to do; try again";
            let answer = exchange.answer(Reply::Error(Error::new(ErrorCode::Busy, message)));
            self.begin(answer.counted_by(cx.executor.over(self.label())), cx);
        }
    }

    /// Moves bytes and answers requests as far as the stream and fairness allow.
    pub(super) fn drive(&mut self, cx: &mut Context) -> Next {
        // An error of the stream or of a body ends the connection, and nothing else.
        let answers = self.answers;
        let next = self.try_drive(cx).unwrap_or(Next::Close);
        self.count(self.answers - answers, cx);
        self.give_back_memory();
        self.update_pace(cx.now);
        next
    }

    /// Counts what has happened in this turn, when the first byte has told the dialect.
    fn count(&mut self, answers: u64, cx: &mut Context) {
        let (label, counts) = (self.label(), cx.executor.counts());
        counts.count_received(label, mem::take(&mut self.received));
        counts.count_sent(label, mem::take(&mut self.sent));
        if answers > 0 {
            // One look at the clock for all of them.
            counts.count_latency(label, cx.now.elapsed(), answers);
        }
    }

    /// When to call [`on_deadline`](Connection::on_deadline).
    pub(super) fn deadline(&self, limits: &Limits) -> Instant {
        let Pace { phase, since, moved, .. } = self.pace;
        let paced = limits.request_timeout + Duration::from_secs(moved / BYTES_FOR_A_SECOND);
        since
            + match phase {
                Phase::Idle => limits.idle_timeout,
                Phase::Head => limits.request_timeout,
                Phase::Body | Phase::Reply => paced,
                Phase::Work => WORK_TIME,
                Phase::Linger => LINGER_TIME,
            }
    }

    /// The deadline has passed: refuses what was not complete in time, and drops what is stuck.
    pub(super) fn on_deadline(&mut self, cx: &mut Context) -> Next {
        match self.pace.phase {
            Phase::Idle | Phase::Work | Phase::Reply | Phase::Linger => Next::Close,
            Phase::Head | Phase::Body => {
                let message = "the request was not complete in time";
                self.refuse(cx, Error::new(ErrorCode::Timeout, message));
                self.drive(cx)
            }
        }
    }

    fn try_drive(&mut self, cx: &mut Context) -> io::Result<Next> {
        let mut input_budget = TURN_INPUT_BYTES;
        let mut output_budget = TURN_OUTPUT_BYTES;
        loop {
            if let State::Lingering { budget } = self.state {
                return self.linger(budget, cx);
            }
            self.produce(cx, &mut output_budget)?;
            self.flush()?;
            if let Some(away) = &self.away {
                return Ok(if away.work.is_some() { Next::Work } else { Next::Wait });
            }
            if self.state == State::Closing && self.body.is_none() && self.output.is_empty() {
                if self.read_closed {
                    return Ok(Next::Close);
                }
                self.stream.shutdown_write()?;
                self.state = State::Lingering { budget: LINGER_BYTES };
                continue;
            }
            if self.can_produce(cx) {
                if output_budget == 0 || input_budget == 0 {
                    return Ok(Next::Again);
                }
            } else if !self.wants_input() || !self.may_read() {
                match self.state {
                    State::Stopping { answers, .. } if self.wants_input() => {
                        if !self.stop_unfinished(cx, answers) {
                            return Ok(Next::Close);
                        }
                    }
                    _ => return Ok(Next::Wait),
                }
            } else if input_budget == 0 {
                return Ok(Next::Again);
            } else if cx.is_short_of_memory() {
                return Ok(Next::Pause);
            } else {
                self.read(cx, &mut input_budget)?;
            }
        }
    }

    /// Whether there is something to be put into the output, and room for it.
    fn can_produce(&self, cx: &Context) -> bool {
        let has_source = self.body.is_some() || (!self.starved && self.is_answering());
        let most = if cx.is_short_of_memory() { 1 } else { HIGH_WATER_BYTES };
        has_source && self.output.len() < most
    }

    /// Whether more input is needed and can be taken.
    fn wants_input(&self) -> bool {
        self.is_answering()
            && self.body.is_none()
            && !self.read_closed
            && self.output.len() < HIGH_WATER_BYTES
    }

    /// Whether there may be input to take. While the server stops, a client that goes on sending is not
    /// heard for ever.
    fn may_read(&self) -> bool {
        self.readable && !matches!(self.state, State::Stopping { budget: 0, .. })
    }

    fn is_answering(&self) -> bool {
        self.away.is_none() && matches!(self.state, State::Open | State::Stopping { .. })
    }

    /// Puts answers into the output until there are no more requests, no more room, or no more budget.
    fn produce(&mut self, cx: &mut Context, budget: &mut usize) -> io::Result<()> {
        while *budget > 0 && self.can_produce(cx) {
            let before = self.output.len();
            if let Some(body) = &mut self.body {
                let short = if cx.is_short_of_memory() { SHORT_OUTPUT_BYTES } else { usize::MAX };
                let most = (*budget).min(cx.scratch.len()).min(short);
                if body.pull(&mut cx.scratch[..most], &mut self.output)? {
                    self.body = None;
                }
            } else {
                let held = self.received_bytes();
                match self.face.decode(&mut self.input, self.read_closed) {
                    Decoded::Large(exchange, work) => {
                        self.send_away(cx, exchange, work, held - self.received_bytes());
                    }
                    Decoded::Request(exchange, command) => {
                        cx.executor.over(self.label());
                        match exchange.try_carry_out(command, |command| cx.try_execute(command)) {
                            Attempt::Answered(answer) => self.begin(answer, cx),
                            Attempt::TooLong(work) => self.send_away(cx, exchange, work, 0),
                        }
                    }
                    Decoded::Answered(answer) => {
                        self.begin(answer.counted_by(cx.executor.over(self.label())), cx);
                    }
                    // A server that stops asks for no more.
                    Decoded::Continue(_) if self.state != State::Open => {}
                    Decoded::Continue(leave) => self.output.extend_from_slice(leave),
                    Decoded::Incomplete => {
                        self.starved = true;
                        if self.read_closed {
                            self.state = State::Closing;
                        }
                    }
                }
            }
            *budget = budget.saturating_sub(self.output.len() - before);
        }
        Ok(())
    }

    fn send_away(&mut self, cx: &Context, exchange: Exchange, work: Work, bytes: usize) {
        self.away = Some(Away { exchange, work: Some(work), bytes, since: cx.now });
    }

    /// Puts the beginning of an answer into the output.
    fn begin(&mut self, answer: Answer, cx: &Context) {
        self.answers += 1;
        let written = answer.write(&cx.date, &mut self.output);
        self.body = written.body;
        if written.closes {
            self.state = State::Closing;
        }
    }

    /// Everything received whole has been answered and the server stops: refuses what is incomplete.
    /// Returns false if the connection can be dropped as it is.
    fn stop_unfinished(&mut self, cx: &mut Context, answers_before: u64) -> bool {
        if !self.input.is_empty() || self.face.is_in_body() {
            let message = "the server is shutting down";
            self.refuse(cx, Error::new(ErrorCode::ShuttingDown, message));
        } else if self.answers == answers_before && self.output.is_empty() {
            return false;
        }
        self.state = State::Closing;
        true
    }

    /// Reads once.
    fn read(&mut self, cx: &mut Context, budget: &mut usize) -> io::Result<()> {
        let most = (*budget).min(cx.scratch.len());
        match self.stream.read(&mut cx.scratch[..most]) {
            Ok(0) => {
                self.read_closed = true;
                self.starved = false;
            }
            Ok(n) => {
                self.input.extend_from_slice(&cx.scratch[..n]);
                self.received += n;
                self.starved = false;
                self.pace.moved += n as u64;
                *budget -= n;
                if let State::Stopping { budget, .. } = &mut self.state {
                    *budget = budget.saturating_sub(n);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.readable = false,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Writes as much of the output as the stream takes.
    fn flush(&mut self) -> io::Result<()> {
        while self.writable && !self.output.is_empty() {
            match self.stream.write(&self.output) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => {
                    self.sent += n;
                    self.output.advance(n);
                    self.pace.moved += n as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.writable = false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads and drops what the client still sends.
    fn linger(&mut self, mut budget: usize, cx: &mut Context) -> io::Result<Next> {
        self.input = BytesMut::new();
        self.face.abandon();
        let turn_ends_at = budget.saturating_sub(TURN_OUTPUT_BYTES);
        while self.readable {
            match self.stream.read(&mut cx.scratch[..]) {
                Ok(0) => return Ok(Next::Close),
                Ok(n) => {
                    self.received += n;
                    budget = budget.saturating_sub(n);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.readable = false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            if budget == 0 {
                return Ok(Next::Close);
            }
            self.state = State::Lingering { budget };
            if budget <= turn_ends_at {
                return Ok(Next::Again);
            }
        }
        Ok(Next::Wait)
    }

    /// An idle connection holds no buffers, and what is left of a large request no large one.
    fn give_back_memory(&mut self) {
        for buffer in [&mut self.input, &mut self.output] {
            if buffer.is_empty() {
                *buffer = BytesMut::new();
            } else if buffer.capacity() > ROOMY_BYTES && buffer.len() < buffer.capacity() / 8 {
                *buffer = BytesMut::from(&buffer[..]);
            }
        }
    }

    /// The bytes of requests and replies that it holds.
    pub(super) fn buffered_bytes(&self) -> usize {
        let away = self.away.as_ref().map_or(0, |away| away.bytes);
        let body = self.body.as_ref().map_or(0, Body::buffered_bytes);
        self.received_bytes() + self.output.len() + body + away
    }

    /// The bytes of requests that are not complete, or not looked at yet.
    fn received_bytes(&self) -> usize {
        self.input.len() + self.face.buffered_bytes()
    }

    fn phase(&self) -> Phase {
        if let State::Lingering { .. } = self.state {
            Phase::Linger
        } else if self.body.is_some() || !self.output.is_empty() {
            Phase::Reply
        } else if self.away.is_some() {
            Phase::Work
        } else if self.face.is_in_body() {
            Phase::Body
        } else if !self.input.is_empty() {
            Phase::Head
        } else {
            Phase::Idle
        }
    }

    /// Starts the clock anew when another phase or another answer has begun, or an idle client moved.
    fn update_pace(&mut self, now: Instant) {
        let phase = self.phase();
        let Pace { moved, answers, .. } = self.pace;
        let has_gone_on = phase != self.pace.phase || answers != self.answers;
        if has_gone_on || (phase == Phase::Idle && moved > 0) {
            self.pace = Pace { phase, since: now, moved: 0, answers: self.answers };
        }
    }
}

#[cfg(test)]
mod tests;
