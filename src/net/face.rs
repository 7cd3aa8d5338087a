//! The faces of the server: how a connection's bytes become commands and replies become bytes.

use std::any::Any;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::{Buf, Bytes, BytesMut};
use rouille::Response;

use crate::command::{Command, Error, ErrorCode, Operation, Outcome, Reply};
use crate::execute::Executor;
use crate::metrics;
use crate::rest::{self, Presentation};
use crate::session::{Dialect, Session};
use crate::wire::resp::{self, Meaning};
use crate::wire::{http, lines};

use super::helpers::Work;

/// A larger body is not read in passing: parsing this much takes some tens of microseconds.
const MAX_PARSED_BODY_BYTES: usize = 16 * 1024;

/// A longer answer that is there already is sent from where it is, instead of through the output.
const MAX_COPIED_BYTES: usize = 16 * 1024;

/// What a listener's connections speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FaceKind {
    /// JSON lines or RESP.
    Socket,
    /// HTTP.
    Http,
}

impl FaceKind {
    /// What the traffic of a new connection is counted as.
    pub(super) fn label(self) -> metrics::Face {
        match self {
            FaceKind::Socket => metrics::Face::Undecided,
            FaceKind::Http => metrics::Face::Http,
        }
    }
}

/// Whose a connection is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caller {
    /// The number of the connection, which no other one of this server has.
    pub(super) id: u64,
    pub(super) address: SocketAddr,
}

/// One connection's side of its protocol.
pub(super) enum Face {
    /// On the socket listener; its first byte will tell the dialect.
    Socket {
        caller: Caller,
        max_request_bytes: usize,
    },
    Lines {
        decoder: lines::Decoder,
    },
    Resp {
        decoder: resp::Decoder,
        session: Session,
    },
    Http {
        decoder: http::Decoder,
        peer: SocketAddr,
        max_body_bytes: usize,
    },
}

/// What came of the input so far.
pub(super) enum Decoded {
    Incomplete,
    /// The same, and this tells the client that it may go on.
    Continue(&'static [u8]),
    /// A command to be carried out, and what its answer must know.
    Request(Exchange, Command),
    /// A request that takes long even to be understood.
    Large(Exchange, Work),
    /// A request that is answered without carrying out anything.
    Answered(Answer),
}

/// What the answer must know of its request.
#[derive(Clone)]
pub(super) enum Exchange {
    Line(lines::Shape),
    Resp(resp::Form),
    Http(http::Exchange, Presentation),
}

impl Face {
    pub(super) fn new(kind: FaceKind, caller: Caller, max_request_bytes: usize) -> Face {
        match kind {
            FaceKind::Socket => Face::Socket { caller, max_request_bytes },
            FaceKind::Http => Face::Http {
                decoder: http::Decoder::new(max_request_bytes),
                peer: caller.address,
                max_body_bytes: max_request_bytes,
            },
        }
    }

    /// What its traffic is counted as.
    pub(super) fn label(&self) -> metrics::Face {
        match self {
            Face::Socket { .. } => metrics::Face::Undecided,
            Face::Lines { .. } => metrics::Face::Json,
            Face::Resp { .. } => metrics::Face::Resp,
            Face::Http { .. } => metrics::Face::Http,
        }
    }

    /// Takes the next request off the input; `at_end` says that no more input will come.
    pub(super) fn decode(&mut self, input: &mut BytesMut, at_end: bool) -> Decoded {
        if let Err(error) = self.tell_dialect(input) {
            return Decoded::Answered(Answer::UnknownDialect(error));
        }
        match self {
            Face::Socket { .. } => Decoded::Incomplete,
            Face::Lines { decoder } => decode_line(decoder, input, at_end),
            // A line of words may be a part of what its client meant, so it counts only with its end.
            Face::Resp { decoder, session } => decode_resp(decoder, session, input),
            Face::Http { decoder, peer, max_body_bytes } => match decoder.decode(input) {
                http::Decoded::Incomplete => Decoded::Incomplete,
                http::Decoded::Continue => Decoded::Continue(http::CONTINUE),
                http::Decoded::Request(request) => route(request, *peer, *max_body_bytes),
                http::Decoded::Refused(http::Refusal { status, detail }) => {
                    Decoded::Answered(problem(http::Exchange::REFUSED, status, detail))
                }
            },
        }
    }

    /// Settles the dialect by the first byte, once there is one.
    fn tell_dialect(&mut self, input: &[u8]) -> Result<(), Error> {
        let (&mut Face::Socket { caller, max_request_bytes }, Some(&byte)) =
            (&mut *self, input.first())
        else {
            return Ok(());
        };
        *self = match Dialect::of_first_byte(byte) {
            Some(Dialect::JsonLines) => {
                Face::Lines { decoder: lines::Decoder::new(max_request_bytes) }
            }
            Some(Dialect::Resp) => Face::Resp {
                decoder: resp::Decoder::new(max_request_bytes),
                session: Session::new(caller.id, caller.address),
            },
            None => {
                let message = "the first byte starts neither JSON nor a Redis command";
                return Err(Error::new(ErrorCode::BadJson, message));
            }
        };
        Ok(())
    }

    /// Whether a request has begun whose head is complete and whose body is not.
    pub(super) fn is_in_body(&self) -> bool {
        matches!(self, Face::Http { decoder, .. } if decoder.is_in_body())
    }

    /// How much of an incomplete request has been taken off the input.
    pub(super) fn buffered_bytes(&self) -> usize {
        match self {
            Face::Http { decoder, .. } => decoder.buffered_bytes(),
            Face::Socket { .. } | Face::Lines { .. } | Face::Resp { .. } => 0,
        }
    }

    /// No more input will be decoded: gives back what an incomplete request holds.
    pub(super) fn abandon(&mut self) {
        if let Face::Http { decoder, .. } = self {
            decoder.abandon();
        }
    }

    /// The answer to a request that will not be read to its end; the connection closes after it.
    pub(super) fn refusal(&self, error: Error) -> Answer {
        match self {
            Face::Socket { .. } | Face::Lines { .. } => {
                Answer::Line(lines::Shape::PLAIN, Reply::Error(error))
            }
            Face::Resp { session, .. } => {
                Answer::Resp(resp::Form::plain(session.version), Reply::Error(error))
            }
            Face::Http { .. } => Exchange::Http(http::Exchange::REFUSED, Presentation::OBJECT)
                .answer(Reply::Error(error)),
        }
    }
}

fn decode_line(decoder: &mut lines::Decoder, input: &mut BytesMut, at_end: bool) -> Decoded {
    match decoder.decode(input, at_end) {
        lines::Decoded::Incomplete => Decoded::Incomplete,
        lines::Decoded::Request(shape, request) => match request {
            lines::Request::Command(command) => Decoded::Request(Exchange::Line(shape), command),
            // Without a token everybody is let in.
            lines::Request::Auth { .. } => Decoded::Answered(Answer::Admitted(shape)),
        },
        lines::Decoded::Unparsed(shape, line) => {
            let exchange = Exchange::Line(shape);
            Decoded::Large(
                exchange.clone(),
                Box::new(move |executor| exchange.guard(|| carry_out_line(&line, executor))),
            )
        }
        lines::Decoded::Refused(shape, error) => {
            Decoded::Answered(Answer::Line(shape, Reply::Error(error)))
        }
    }
}

/// Parses a line and does what it asks for.
fn carry_out_line(line: &[u8], executor: &mut Executor) -> Answer {
    let executor = executor.over(metrics::Face::Json);
    match lines::parse(line) {
        (shape, Ok(lines::Request::Command(command))) => {
            Answer::Line(shape, executor.execute(command))
        }
        // Without a token everybody is let in.
        (shape, Ok(lines::Request::Auth { .. })) => Answer::Admitted(shape).counted_by(executor),
        (shape, Err(error)) => Answer::Line(shape, Reply::Error(error)).counted_by(executor),
    }
}

fn decode_resp(
    decoder: &mut resp::Decoder,
    session: &mut Session,
    input: &mut BytesMut,
) -> Decoded {
    let request = match decoder.decode(input) {
        resp::Decoded::Incomplete => return Decoded::Incomplete,
        resp::Decoded::Request(request) => request,
        resp::Decoded::Malformed(error) => {
            return Decoded::Answered(Answer::ready(error.reply(), true));
        }
    };
    match resp::interpret(request, session) {
        Meaning::Command(form, command) => Decoded::Request(Exchange::Resp(form), command),
        Meaning::Unparsed(unparsed) => {
            let exchange = Exchange::Resp(unparsed.form());
            Decoded::Large(
                exchange.clone(),
                Box::new(move |executor| exchange.guard(|| carry_out_resp(&unparsed, executor))),
            )
        }
        Meaning::Reply(bytes) => Decoded::Answered(Answer::ready(bytes, false)),
        Meaning::LastReply(bytes) => Decoded::Answered(Answer::ready(bytes, true)),
        Meaning::Http => {
            log::debug!("{}: HTTP was sent to the socket listener", session.peer);
            let outcome = Outcome::Refused(ErrorCode::BadRequest);
            Decoded::Answered(Answer::Ready { bytes: Bytes::new(), closes: true, outcome })
        }
    }
}

/// Parses a request and does what it asks for.
fn carry_out_resp(unparsed: &resp::Unparsed, executor: &mut Executor) -> Answer {
    let executor = executor.over(metrics::Face::Resp);
    match unparsed.parse() {
        Ok((form, command)) => Answer::Resp(form, executor.execute(command)),
        Err(bytes) => Answer::ready(bytes, false).counted_by(executor),
    }
}

fn route(request: http::Request, peer: SocketAddr, max_body_bytes: usize) -> Decoded {
    let http::Request { head, body } = request;
    let http::Head { method, target, headers, exchange } = head;
    let is_large = body.len() > MAX_PARSED_BODY_BYTES;
    // The one place that relies on a constructor which rouille documents as meant for tests; the
    // version is pinned in the manifest.
    let request = rouille::Request::fake_http_from(peer, method, target, headers, body);
    let asked = Exchange::Http(exchange, Presentation::OBJECT);
    if is_large {
        let guarded = asked.clone();
        let work = move |executor: &mut Executor| {
            let executor = executor.over(metrics::Face::Http);
            guarded.guard(|| match rest::parse(&request, max_body_bytes) {
                Ok((presentation, command)) => {
                    Exchange::Http(exchange, presentation).answer(executor.execute(command))
                }
                Err(response) => Answer::Response(exchange, response).counted_by(executor),
            })
        };
        return Decoded::Large(asked, Box::new(work));
    }
    asked.guard(|| match rest::parse(&request, max_body_bytes) {
        Ok((presentation, command)) => {
            Decoded::Request(Exchange::Http(exchange, presentation), command)
        }
        Err(response) => Decoded::Answered(Answer::Response(exchange, response)),
    })
}

fn problem(exchange: http::Exchange, status: u16, detail: &str) -> Answer {
    Answer::Response(exchange, rest::problem(status, http::reason(status), detail))
}

impl From<Answer> for Decoded {
    fn from(answer: Answer) -> Decoded {
        Decoded::Answered(answer)
    }
}

impl Exchange {
    /// Has a command carried out on this thread, or tells what another one must do.
    pub(super) fn try_carry_out(
        &self,
        command: Command,
        try_execute: impl FnOnce(Command) -> Result<Reply, Command>,
    ) -> Attempt {
        self.guard(|| match try_execute(command) {
            Ok(reply) => Attempt::Answered(self.answer(reply)),
            Err(command) => {
                let exchange = self.clone();
                Attempt::TooLong(Box::new(move |executor| {
                    let executor = executor.over(exchange.label());
                    exchange.guard(|| exchange.answer(executor.execute(command)))
                }))
            }
        })
    }

    /// What `make` makes of the request, or the answer to a request that meets a panic.
    ///
    /// A panic is a defect of ours. What it leaves behind is dropped, but for the store's writer,
    /// which stays usable by its own promise.
    fn guard<T: From<Answer>>(&self, make: impl FnOnce() -> T) -> T {
        catch_unwind(AssertUnwindSafe(make)).unwrap_or_else(|panic| {
            log::error!("a request has met a defect: {}", message(&*panic));
            T::from(match self {
                Exchange::Line(_) | Exchange::Resp(_) => Answer::Nothing,
                Exchange::Http(exchange, _) => {
                    let exchange = http::Exchange { keep_alive: false, ..*exchange };
                    problem(exchange, 500, "the server has failed at this request")
                }
            })
        })
    }

    /// What its traffic is counted as.
    fn label(&self) -> metrics::Face {
        match self {
            Exchange::Line(_) => metrics::Face::Json,
            Exchange::Resp(_) => metrics::Face::Resp,
            Exchange::Http(..) => metrics::Face::Http,
        }
    }

    /// The answer that shows this reply.
    pub(super) fn answer(&self, reply: Reply) -> Answer {
        match self {
            Exchange::Line(shape) => Answer::Line(shape.clone(), reply),
            Exchange::Resp(form) => Answer::Resp(*form, reply),
            Exchange::Http(exchange, presentation) => {
                Answer::Response(*exchange, rest::respond(presentation, reply))
            }
        }
    }
}

/// What came of a request on a thread that others wait for.
pub(super) enum Attempt {
    Answered(Answer),
    /// Nothing: it takes too long, or has to wait. This does it elsewhere.
    TooLong(Work),
}

impl From<Answer> for Attempt {
    fn from(answer: Answer) -> Attempt {
        Attempt::Answered(answer)
    }
}

/// What a panic says.
fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref().map(String::as_str)).unwrap_or("it does not say which")
}

/// An answer that has not been written yet.
pub(super) enum Answer {
    Line(lines::Shape, Reply),
    /// To a client that has proved that it may come in.
    Admitted(lines::Shape),
    Resp(resp::Form, Reply),
    /// The bytes of the answer, whether the connection ends after it, and what it says.
    Ready {
        bytes: Bytes,
        closes: bool,
        outcome: Outcome,
    },
    /// To a first byte that starts no dialect: the one `bad_json` after which there is nothing to say.
    UnknownDialect(Error),
    Response(http::Exchange, Response),
    /// The connection closes without one.
    Nothing,
}

/// An answer as far as it could be written.
pub(super) struct Written {
    /// What remains to be sent while it is read.
    pub(super) body: Option<Body>,
    /// Whether the connection ends after it.
    pub(super) closes: bool,
}

impl Answer {
    /// A reply of RESP that is there already.
    fn ready(bytes: Bytes, closes: bool) -> Answer {
        let outcome = resp::refusal_in(&bytes).map_or(Outcome::Done, Outcome::Refused);
        Answer::Ready { bytes, closes, outcome }
    }

    /// What became of the request.
    pub(super) fn outcome(&self) -> Outcome {
        match self {
            Answer::Line(_, reply) | Answer::Resp(_, reply) => reply.outcome(),
            Answer::Ready { outcome, .. } => *outcome,
            Answer::Admitted(_) => Outcome::Done,
            Answer::UnknownDialect(error) => Outcome::Refused(error.code),
            Answer::Response(_, response) => outcome_of_status(response.status_code),
            Answer::Nothing => Outcome::Failed,
        }
    }

    /// The same answer, to a request that meant no command.
    pub(super) fn counted_by(self, executor: &mut Executor) -> Answer {
        executor.count(Operation::None, self.outcome());
        self
    }

    /// Writes the beginning, or all, to `output`. `date` is the time as HTTP writes it.
    pub(super) fn write(self, date: &str, output: &mut BytesMut) -> Written {
        match self {
            Answer::Line(shape, reply) => {
                let closes = matches!(&reply, Reply::Error(error) if error.code.closes());
                let document = lines::encode(reply, &shape, output);
                Written { body: document.map(|d| Body::new(d, Frames::None)), closes }
            }
            Answer::Admitted(shape) => {
                lines::encode_admission(&shape, output);
                Written { body: None, closes: false }
            }
            Answer::Resp(form, reply) => {
                let closes = matches!(&reply, Reply::Error(error) if error.code.closes());
                let integers = resp::encode(reply, form, output);
                Written { body: integers.map(|i| Body::new(i, Frames::None)), closes }
            }
            Answer::Ready { bytes, closes, .. } if bytes.len() <= MAX_COPIED_BYTES => {
                output.extend_from_slice(&bytes);
                Written { body: None, closes }
            }
            Answer::Ready { bytes, closes, .. } => {
                Written { body: Some(Body::held(bytes)), closes }
            }
            Answer::UnknownDialect(error) => {
                lines::encode(Reply::Error(error), &lines::Shape::PLAIN, output);
                Written { body: None, closes: true }
            }
            Answer::Response(exchange, response) => {
                write_response(exchange, response, date, output)
            }
            Answer::Nothing => Written { body: None, closes: true },
        }
    }
}

/// What HTTP calls by more names than other faces.
fn outcome_of_status(status: u16) -> Outcome {
    Outcome::Refused(match status {
        ..400 => return Outcome::Done,
        404 | 405 => ErrorCode::UnknownOp,
        408 => ErrorCode::Timeout,
        413 | 414 | 431 => ErrorCode::TooLarge,
        500 => return Outcome::Failed,
        503 => ErrorCode::Busy,
        507 => ErrorCode::Full,
        _ => ErrorCode::BadRequest,
    })
}

fn write_response(
    exchange: http::Exchange,
    response: Response,
    date: &str,
    output: &mut BytesMut,
) -> Written {
    let Response { status_code, headers, data, .. } = response;
    let (reader, length) = data.into_reader_and_size();
    let length = length.and_then(|length| u64::try_from(length).ok());
    let framing = http::framing(exchange, status_code, length);
    http::encode_head(exchange, status_code, &headers, framing, date, output);
    let frames = match framing {
        http::Framing::Bodiless(_) => None,
        http::Framing::Length(length) => Some(Frames::Length { left: length }),
        http::Framing::Chunked => Some(Frames::Chunks),
        http::Framing::UntilClose => Some(Frames::None),
    };
    Written {
        body: frames.map(|frames| Body::new(reader, frames)),
        closes: !exchange.keep_alive || framing == http::Framing::UntilClose,
    }
}

/// The part of an answer that is pulled from its source whenever the client can take more.
pub(super) struct Body {
    source: Box<dyn Read + Send>,
    frames: Frames,
    /// The bytes that the source keeps in memory, where it does not make them as they are read.
    held: usize,
}

enum Frames {
    None,
    Length { left: u64 },
    Chunks,
}

impl Body {
    fn new(source: impl Read + Send + 'static, frames: Frames) -> Body {
        Body { source: Box::new(source), frames, held: 0 }
    }

    /// An answer that is there already.
    fn held(bytes: Bytes) -> Body {
        let held = bytes.len();
        Body { held, ..Body::new(bytes.reader(), Frames::None) }
    }

    /// The bytes that it holds.
    pub(super) fn buffered_bytes(&self) -> usize {
        self.held
    }

    /// Moves up to `buffer`'s length from the source to `output` and returns whether that was the last
    /// of it. An error says that the answer cannot be completed: the connection must be cut, or the
    /// client would take a part for the whole.
    pub(super) fn pull(&mut self, buffer: &mut [u8], output: &mut BytesMut) -> io::Result<bool> {
        if let Frames::Length { left: 0 } = self.frames {
            return Ok(true);
        }
        let most = match self.frames {
            Frames::Length { left } => {
                usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len())
            }
            Frames::None | Frames::Chunks => buffer.len(),
        };
        let n = read(&mut self.source, &mut buffer[..most])?;
        self.held = self.held.saturating_sub(n);
        match &mut self.frames {
            Frames::Length { left } => {
                if n == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                output.extend_from_slice(&buffer[..n]);
                *left -= n as u64;
                Ok(*left == 0)
            }
            Frames::Chunks if n == 0 => {
                output.extend_from_slice(http::LAST_CHUNK);
                Ok(true)
            }
            Frames::Chunks => {
                http::encode_chunk(&buffer[..n], output);
                Ok(false)
            }
            Frames::None => {
                output.extend_from_slice(&buffer[..n]);
                Ok(n == 0)
            }
        }
    }
}

fn read(source: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match source.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
