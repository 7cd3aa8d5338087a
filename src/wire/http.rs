//! HTTP/1.x: requests cut from a stream of bytes, heads and chunks of responses.
//!
//! Stricter than the standard demands where leniency is how requests are smuggled: a bare line feed,
//! a repeated `Content-Length`, one beside `Transfer-Encoding` are all refused.

mod body;

use std::borrow::Cow;
use std::fmt::Write as _;

use bytes::{Buf, BytesMut};

use self::body::Body;

/// The longest request line (method, target and version).
const MAX_REQUEST_LINE_BYTES: usize = 8 * 1024;

const LINE_END: &[u8] = b"\r\n";

/// The longest head: request line, header fields and the empty line.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// The most header fields.
const MAX_HEADERS: usize = 64;

/// What came of the bytes so far.
#[derive(Debug, PartialEq)]
pub enum Decoded {
    /// No whole request yet.
    Incomplete,
    /// No whole request yet, and its client may wait to be told to go on: [`CONTINUE`] is due now,
    /// after the answers to all earlier requests. Once a request at the most.
    Continue,
    /// A request, taken off the input.
    Request(Request),
    /// Something that is no request, or one that is not taken. There can be no other one after it.
    Refused(Refusal),
}

/// Why a request was refused, as the status code and one line for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// A status code of the 4xx or 5xx classes.
    pub status: u16,
    /// The reason.
    pub detail: &'static str,
}

impl Refusal {
    const BODY_TOO_LARGE: Refusal =
        Refusal { status: 413, detail: "the body is larger than the server takes" };

    fn new(status: u16, detail: &'static str) -> Refusal {
        Refusal { status, detail }
    }
}

/// A request with its whole body.
#[derive(Debug, PartialEq, Eq)]
pub struct Request {
    /// Method, target and header fields.
    pub head: Head,
    /// The body; empty where there was none.
    pub body: Vec<u8>,
}

/// A request without its body.
#[derive(Debug, PartialEq, Eq)]
pub struct Head {
    /// The method, as sent.
    pub method: String,
    /// Path and query; the scheme and authority of an absolute target are taken off.
    pub target: String,
    /// The header fields in their order, with bytes that are no UTF-8 replaced.
    pub headers: Vec<(String, String)>,
    /// How the response must be framed and what becomes of the connection.
    pub exchange: Exchange,
}

/// What a response must know of its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// The request was a HEAD: the response has no body.
    pub is_head: bool,
    /// The client speaks HTTP/1.1 and so understands chunks.
    pub knows_chunks: bool,
    /// The connection goes on after the response.
    pub keep_alive: bool,
}

impl Exchange {
    /// For a response to something that could not be read as a request.
    pub const REFUSED: Exchange =
        Exchange { is_head: false, knows_chunks: true, keep_alive: false };
}

/// Cuts a stream of bytes into requests.
#[derive(Debug)]
pub struct Decoder {
    max_body_bytes: usize,
    /// So many bytes at the front of the input are whole, well-formed lines of a head.
    scanned: usize,
    /// The request whose head has been taken off the input.
    begun: Option<Begun>,
}

/// A request whose body is still on its way.
#[derive(Debug)]
struct Begun {
    head: Head,
    body: Body,
    /// The client has asked to be told whether to send the body, and has not been yet.
    awaits_continue: bool,
}

impl Decoder {
    /// A decoder for requests whose body has up to `max_body_bytes`.
    pub fn new(max_body_bytes: usize) -> Decoder {
        Decoder { max_body_bytes, scanned: 0, begun: None }
    }

    /// Whether a head has been taken off the input and its body is still incomplete.
    pub fn is_in_body(&self) -> bool {
        self.begun.is_some()
    }

    /// How much of an incomplete body has been taken off the input.
    pub fn buffered_bytes(&self) -> usize {
        self.begun.as_ref().map_or(0, |begun| begun.body.len())
    }

    /// Drops what has been taken off the input of a request that will not be completed.
    pub fn abandon(&mut self) {
        self.begun = None;
    }

    /// Takes the next request off the input. O(new bytes), however small the pieces, but that an
    /// unfinished line of a head is looked at again each time, up to its bound.
    ///
    /// A body is moved off the input as it comes, so beside it the input holds no more than a head or
    /// a line, each with its bound, and what follows the request.
    pub fn decode(&mut self, input: &mut BytesMut) -> Decoded {
        self.try_decode(input).unwrap_or_else(Decoded::Refused)
    }

    fn try_decode(&mut self, input: &mut BytesMut) -> Result<Decoded, Refusal> {
        let begun = match self.begun.take() {
            None => self.decode_head(input)?,
            begun => begun,
        };
        let Some(mut begun) = begun else { return Ok(Decoded::Incomplete) };
        if begun.body.decode(input)? {
            let body = begun.body.into_bytes();
            return Ok(Decoded::Request(Request { head: begun.head, body }));
        }
        let awaits_continue = std::mem::take(&mut begun.awaits_continue);
        self.begun = Some(begun);
        Ok(if awaits_continue { Decoded::Continue } else { Decoded::Incomplete })
    }

    /// Takes a head off the input, if it is whole.
    fn decode_head(&mut self, input: &mut BytesMut) -> Result<Option<Begun>, Refusal> {
        if self.scanned == 0 {
            skip_empty_lines(input);
            if input.first().is_some_and(|byte| !byte.is_ascii_alphabetic() && *byte != b'\r') {
                return Err(Refusal::new(400, "a request starts with a method"));
            }
        }
        loop {
            let line_end = memchr::memchr(b'\n', &input[self.scanned..]).map(|n| self.scanned + n);
            let line = &input[self.scanned..line_end.unwrap_or(input.len())];
            let line_length = line.strip_suffix(b"\r").unwrap_or(line).len();
            if self.scanned == 0 && line_length > MAX_REQUEST_LINE_BYTES {
                return Err(Refusal::new(414, "the request line is longer than 8 KiB"));
            }
            if line_end.map_or(input.len(), |end| end + 1) > MAX_HEAD_BYTES {
                return Err(Refusal::new(431, "the head is larger than 16 KiB"));
            }
            let Some(line_end) = line_end else { return Ok(None) };
            let line = strip_line_end(line)?;
            self.scanned = line_end + 1;
            if line.is_empty() {
                break;
            }
        }
        let head = parse_head(&input[..self.scanned], self.max_body_bytes);
        input.advance(self.scanned);
        self.scanned = 0;
        head.map(Some)
    }
}

/// A line without the carriage return that must be before its line feed, and nowhere else.
fn strip_line_end(line: &[u8]) -> Result<&[u8], Refusal> {
    match line.split_last() {
        Some((b'\r', line)) if memchr::memchr(b'\r', line).is_none() => Ok(line),
        _ => Err(Refusal::new(400, "a line must end in CR LF, and hold neither")),
    }
}

/// Empty lines before a request, which some clients send after a body, mean nothing.
fn skip_empty_lines(input: &mut BytesMut) {
    while input.starts_with(LINE_END) {
        input.advance(LINE_END.len());
    }
}

fn parse_head(bytes: &[u8], max_body_bytes: usize) -> Result<Begun, Refusal> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Request::new(&mut fields);
    match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Err(Refusal::new(400, "the head is malformed")),
        Err(error) => return Err(head_refusal(error, bytes)),
    }
    let whole = "a whole head has it";
    let is_1_1 = parsed.version.expect(whole) == 1;
    let method = parsed.method.expect(whole);
    let target = origin_form(parsed.path.expect(whole))?;
    let fields = Fields { fields: parsed.headers };
    let body = fields.body(is_1_1, max_body_bytes)?;
    if is_1_1 && fields.all("host").count() != 1 {
        return Err(Refusal::new(400, "a request has exactly one Host"));
    }
    // HTTP/1.0 knows no interim answers.
    let awaits_continue = is_1_1 && fields.expects_continue()?;
    let exchange = Exchange {
        is_head: method == "HEAD",
        knows_chunks: is_1_1,
        keep_alive: fields.keep_alive(is_1_1),
    };
    let (method, target) = (method.to_owned(), target.to_owned());
    let head = Head { method, target, headers: fields.into_owned(), exchange };
    Ok(Begun { head, body, awaits_continue })
}

fn head_refusal(error: httparse::Error, bytes: &[u8]) -> Refusal {
    match error {
        httparse::Error::TooManyHeaders => {
            Refusal::new(431, "there are more than 64 header fields")
        }
        httparse::Error::Version => {
            let line = bytes.split(|&byte| byte == b'\r').next().unwrap_or_default();
            match line.splitn(3, |&byte| byte == b' ').nth(2) {
                Some(version) if version.starts_with(b"HTTP/") => {
                    Refusal::new(505, "HTTP/1.1 and HTTP/1.0 are spoken here")
                }
                _ => Refusal::new(400, "the request line ends in no HTTP version"),
            }
        }
        _ => Refusal::new(400, "the head is malformed"),
    }
}

/// The path and query of a target.
fn origin_form(target: &str) -> Result<&str, Refusal> {
    if target.starts_with('/') || target == "*" {
        return Ok(target);
    }
    let scheme = target.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("http://"));
    let rest = scheme.map(|_| &target[7..]);
    match rest.map(|rest| rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()))) {
        Some((authority, "")) if !authority.is_empty() => Ok("/"),
        Some((authority, path)) if !authority.is_empty() && path.starts_with('/') => Ok(path),
        _ => Err(Refusal::new(400, "the target is neither a path nor an http URL")),
    }
}

/// The header fields of a head.
struct Fields<'h> {
    fields: &'h [httparse::Header<'h>],
}

impl<'h> Fields<'h> {
    fn all(&self, name: &str) -> impl Iterator<Item = &'h [u8]> {
        let named = self.fields.iter().filter(move |field| field.name.eq_ignore_ascii_case(name));
        named.map(|field| field.value)
    }

    /// The members of a field whose value is a list.
    fn members(&self, name: &str) -> impl Iterator<Item = &'h [u8]> {
        let values = self.all(name).flat_map(|value| value.split(|&byte| byte == b','));
        values.map(|member| member.trim_ascii()).filter(|member| !member.is_empty())
    }

    /// The body that is to come.
    fn body(&self, is_1_1: bool, max_body_bytes: usize) -> Result<Body, Refusal> {
        let mut lengths = self.all("content-length");
        let mut codings = self.all("transfer-encoding");
        match (lengths.next(), codings.next()) {
            (None, None) => Ok(Body::of_length(0)),
            (Some(_), None) if lengths.next().is_some() => {
                Err(Refusal::new(400, "Content-Length is repeated"))
            }
            (Some(length), None) => content_length(length, max_body_bytes).map(Body::of_length),
            (Some(_), Some(_)) => {
                Err(Refusal::new(400, "both Content-Length and Transfer-Encoding are given"))
            }
            (None, Some(_)) if !is_1_1 => {
                Err(Refusal::new(400, "HTTP/1.0 knows no Transfer-Encoding"))
            }
            (None, Some(coding))
                if coding.eq_ignore_ascii_case(b"chunked") && codings.next().is_none() =>
            {
                Ok(Body::chunked(max_body_bytes))
            }
            (None, Some(_)) => {
                Err(Refusal::new(501, "the one transfer coding known here is chunked"))
            }
        }
    }

    /// Whether the client may wait with the body until it is told to go on.
    fn expects_continue(&self) -> Result<bool, Refusal> {
        let mut is_there = false;
        for expectation in self.members("expect") {
            if !expectation.eq_ignore_ascii_case(b"100-continue") {
                return Err(Refusal::new(417, "the one expectation met here is 100-continue"));
            }
            is_there = true;
        }
        Ok(is_there)
    }

    /// Whether the client wants the connection to go on.
    fn keep_alive(&self, by_default: bool) -> bool {
        let has = |wanted: &[u8]| {
            self.members("connection").any(|option| option.eq_ignore_ascii_case(wanted))
        };
        !has(b"close") && (by_default || has(b"keep-alive"))
    }

    fn into_owned(self) -> Vec<(String, String)> {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        self.fields.iter().map(|field| (field.name.to_owned(), text(field.value))).collect()
    }
}

fn content_length(value: &[u8], max_body_bytes: usize) -> Result<usize, Refusal> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(Refusal::new(400, "Content-Length is no number"));
    }
    // Digits that are no usize are a number all the same, and too large.
    let length = std::str::from_utf8(value).ok().and_then(|digits| digits.parse().ok());
    length.filter(|&length| length <= max_body_bytes).ok_or(Refusal::BODY_TOO_LARGE)
}

/// How the end of a response's body is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is no body; its length is announced where it is known (to a HEAD).
    Bodiless(Option<u64>),
    /// By its length.
    Length(u64),
    /// By a chunk of length zero.
    Chunked,
    /// By the end of the connection.
    UntilClose,
}

/// Chooses the framing of a response with this status, whose body has this length if it is known.
pub fn framing(exchange: Exchange, status: u16, length: Option<u64>) -> Framing {
    match length {
        _ if status < 200 || status == 204 || status == 304 => Framing::Bodiless(None),
        _ if exchange.is_head => Framing::Bodiless(length),
        Some(length) => Framing::Length(length),
        None if exchange.knows_chunks => Framing::Chunked,
        None => Framing::UntilClose,
    }
}

/// Writes the head of a response to `out`.
///
/// `date` is the time as HTTP writes it. Header fields that say how the response is framed are ours
/// to send and dropped from `headers`; so are malformed ones.
pub fn encode_head(
    exchange: Exchange,
    status: u16,
    headers: &[(Cow<'static, str>, Cow<'static, str>)],
    framing: Framing,
    date: &str,
    out: &mut BytesMut,
) {
    let in_memory = "memory takes what is written to it";
    write!(out, "HTTP/1.1 {status} {}\r\nDate: {date}\r\n", reason(status)).expect(in_memory);
    for (name, value) in headers.iter().filter(|(name, value)| is_sendable(name, value)) {
        write!(out, "{name}: {value}\r\n").expect(in_memory);
    }
    match framing {
        Framing::Length(length) | Framing::Bodiless(Some(length)) => {
            write!(out, "Content-Length: {length}\r\n").expect(in_memory);
        }
        Framing::Chunked => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
        Framing::Bodiless(None) | Framing::UntilClose => {}
    }
    if !exchange.keep_alive || framing == Framing::UntilClose {
        out.extend_from_slice(b"Connection: close\r\n");
    } else if !exchange.knows_chunks {
        // HTTP/1.0 closes unless told otherwise.
        out.extend_from_slice(b"Connection: keep-alive\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

fn is_sendable(name: &str, value: &str) -> bool {
    const OURS: [&str; 7] = [
        "connection",
        "content-length",
        "date",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "keep-alive",
    ];
    !name.is_empty()
        && name.bytes().all(is_token)
        && value.bytes().all(is_text)
        && !OURS.iter().any(|ours| name.eq_ignore_ascii_case(ours))
}

/// Whether a name may have this byte.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Whether a value may have this byte.
fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

/// The interim answer that tells a client to go on and send the body.
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// Writes one piece of a chunked body to `out`.
pub fn encode_chunk(data: &[u8], out: &mut BytesMut) {
    write!(out, "{:x}\r\n", data.len()).expect("memory takes what is written to it");
    out.extend_from_slice(data);
    out.extend_from_slice(b"\r\n");
}

/// The end of a chunked body.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// The customary reason phrase of a status code that is sent here.
pub fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        304 => "Not Modified",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        417 => "Expectation Failed",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        507 => "Insufficient Storage",
        _ => "",
    }
}

#[cfg(test)]
mod body_tests;
#[cfg(test)]
mod tests;
