//! HTTP/1.x: requests cut from a stream of bytes, heads and chunks of responses.
//!
//! Stricter than the standard demands where leniency is how requests are smuggled: a bare line feed,
//! a repeated `Content-Length`, one beside `Transfer-Encoding` are all refused.

use std::borrow::Cow;
use std::fmt::Write as _;

use bytes::{Buf, BytesMut};

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
    state: State,
}

#[derive(Debug)]
enum State {
    /// Waiting for the end of a head; `scanned` bytes of it hold whole, well-formed lines.
    Head { scanned: usize },
    /// Waiting for the rest of a body.
    Body { head: Head, length: usize },
}

impl Decoder {
    /// A decoder for requests whose body has up to `max_body_bytes`.
    pub fn new(max_body_bytes: usize) -> Decoder {
        Decoder { max_body_bytes, state: State::Head { scanned: 0 } }
    }

    /// Whether a head has been taken off the input and its body is still incomplete.
    pub fn is_in_body(&self) -> bool {
        matches!(self.state, State::Body { .. })
    }

    /// Takes the next request off the input. O(new bytes), however small the pieces.
    pub fn decode(&mut self, input: &mut BytesMut) -> Decoded {
        if let State::Head { scanned } = self.state {
            match self.decode_head(input, scanned) {
                Ok(Some((head, length))) => self.state = State::Body { head, length },
                Ok(None) => return Decoded::Incomplete,
                Err(refusal) => return Decoded::Refused(refusal),
            }
        }
        match std::mem::replace(&mut self.state, State::Head { scanned: 0 }) {
            State::Body { head, length } if input.len() >= length => {
                let body = take_body(input, length);
                Decoded::Request(Request { head, body })
            }
            incomplete => {
                self.state = incomplete;
                Decoded::Incomplete
            }
        }
    }

    /// Takes a head off the input, if it is whole; with it the length of the body.
    fn decode_head(
        &mut self,
        input: &mut BytesMut,
        mut scanned: usize,
    ) -> Result<Option<(Head, usize)>, Refusal> {
        if scanned == 0 {
            skip_empty_lines(input);
            if input.first().is_some_and(|byte| !byte.is_ascii_alphabetic() && *byte != b'\r') {
                return Err(Refusal::new(400, "a request starts with a method"));
            }
        }
        loop {
            let line_end = memchr::memchr(b'\n', &input[scanned..]).map(|n| scanned + n);
            let line = &input[scanned..line_end.unwrap_or(input.len())];
            let line_length = line.strip_suffix(b"\r").unwrap_or(line).len();
            if scanned == 0 && line_length > MAX_REQUEST_LINE_BYTES {
                return Err(Refusal::new(414, "the request line is longer than 8 KiB"));
            }
            if line_end.map_or(input.len(), |end| end + 1) > MAX_HEAD_BYTES {
                return Err(Refusal::new(431, "the head is larger than 16 KiB"));
            }
            let Some(line_end) = line_end else {
                self.state = State::Head { scanned };
                return Ok(None);
            };
            scanned = line_end + 1;
            match line.split_last() {
                Some((b'\r', [])) => break,
                Some((b'\r', line)) if memchr::memchr(b'\r', line).is_none() => {}
                _ => return Err(Refusal::new(400, "a line must end in CR LF, and hold neither")),
            }
        }
        let head = parse_head(&input[..scanned], self.max_body_bytes);
        input.advance(scanned);
        self.state = State::Head { scanned: 0 };
        head.map(Some)
    }
}

/// Takes a body off the input, without a copy where it is all that is there.
fn take_body(input: &mut BytesMut, length: usize) -> Vec<u8> {
    if input.len() == length {
        return Vec::from(std::mem::take(input));
    }
    let body = input[..length].to_vec();
    input.advance(length);
    body
}

/// Empty lines before a request, which some clients send after a body, mean nothing.
fn skip_empty_lines(input: &mut BytesMut) {
    while input.starts_with(LINE_END) {
        input.advance(LINE_END.len());
    }
}

fn parse_head(bytes: &[u8], max_body_bytes: usize) -> Result<(Head, usize), Refusal> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Request::new(&mut fields);
    match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Err(Refusal::new(400, "the head is malformed")),
        Err(error) => return Err(head_refusal(error, bytes)),
    }
    let whole = "a whole head has it";
    let version = parsed.version.expect(whole);
    let method = parsed.method.expect(whole);
    let target = origin_form(parsed.path.expect(whole))?;
    let fields = Fields { fields: parsed.headers };
    let length = fields.body_length(max_body_bytes)?;
    if version == 1 && fields.all("host").count() != 1 {
        return Err(Refusal::new(400, "a request has exactly one Host"));
    }
    let exchange = Exchange {
        is_head: method == "HEAD",
        knows_chunks: version == 1,
        keep_alive: fields.keep_alive(version == 1),
    };
    let (method, target) = (method.to_owned(), target.to_owned());
    Ok((Head { method, target, headers: fields.into_owned(), exchange }, length))
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

    fn body_length(&self, max_body_bytes: usize) -> Result<usize, Refusal> {
        let mut lengths = self.all("content-length");
        let length = lengths.next();
        if lengths.next().is_some() {
            return Err(Refusal::new(400, "Content-Length is repeated"));
        }
        if self.all("transfer-encoding").next().is_some() {
            return Err(match length {
                Some(_) => Refusal::new(400, "both Content-Length and Transfer-Encoding are given"),
                None => Refusal::new(501, "the transfer coding is not known here"),
            });
        }
        let Some(length) = length else { return Ok(0) };
        if length.is_empty() || !length.iter().all(u8::is_ascii_digit) {
            return Err(Refusal::new(400, "Content-Length is no number"));
        }
        // Digits that are no usize are a number all the same, and too large.
        let length = std::str::from_utf8(length).ok().and_then(|digits| digits.parse().ok());
        length
            .filter(|&length| length <= max_body_bytes)
            .ok_or(Refusal::new(413, "the body is larger than the server takes"))
    }

    /// Whether the client wants the connection to go on.
    fn keep_alive(&self, by_default: bool) -> bool {
        let has = |wanted: &[u8]| {
            self.all("connection")
                .flat_map(|value| value.split(|&byte| byte == b','))
                .any(|option| option.trim_ascii().eq_ignore_ascii_case(wanted))
        };
        !has(b"close") && (by_default || has(b"keep-alive"))
    }

    fn into_owned(self) -> Vec<(String, String)> {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        self.fields.iter().map(|field| (field.name.to_owned(), text(field.value))).collect()
    }
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
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let is_text = |byte: u8| byte == b'\t' || (byte >= b' ' && byte != 0x7f);
    !name.is_empty()
        && name.bytes().all(is_token)
        && value.bytes().all(is_text)
        && !OURS.iter().any(|ours| name.eq_ignore_ascii_case(ours))
}

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
        408 => "Request Timeout",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}

#[cfg(test)]
mod tests;
