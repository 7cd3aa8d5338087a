//! Where requests begin and end: arrays of bulk strings, and lines.

use std::fmt;
use std::mem;

use bytes::{Buf, Bytes, BytesMut};

use crate::session::RespVersion;

use super::encode::Encoder;
use super::inline;
use super::request::Request;

/// The longest line: an inline command, or the header of an array or a string.
const MAX_LINE_BYTES: usize = 64 * 1024;

/// The most arguments of one request, its name included.
pub(super) const MAX_ARGUMENTS: usize = 1024 * 1024;

const LINE_END: &[u8] = b"\r\n";

/// Why what has come is no request and no other one can follow. Shown as Redis words it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    /// An inline command is longer than a line may be.
    InlineTooBig,
    /// A quote in an inline command has no end, or something other than white space behind it.
    UnbalancedQuotes,
    /// The header of an array is longer than a line may be.
    ArrayHeaderTooBig,
    /// The length of an array is no number, or too large.
    InvalidArrayLength,
    /// An element of an array is no bulk string, but starts with this byte.
    NotABulkString(u8),
    /// The header of a string is longer than a line may be.
    StringHeaderTooBig,
    /// The length of a string is no number, negative, or too large.
    InvalidStringLength,
    /// A string is followed by something other than a line end.
    MissingLineEnd,
    /// The request is larger than the server takes.
    RequestTooBig,
}

impl ProtocolError {
    /// The reply that says so, after which the connection ends.
    pub fn reply(self) -> Bytes {
        let mut reply = BytesMut::new();
        let version = RespVersion::default();
        Encoder { version, out: &mut reply }.error(format_args!("ERR {self}"));
        reply.freeze()
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Protocol error: ")?;
        match self {
            ProtocolError::InlineTooBig => f.write_str("too big inline request"),
            ProtocolError::UnbalancedQuotes => f.write_str("unbalanced quotes in request"),
            ProtocolError::ArrayHeaderTooBig => f.write_str("too big mbulk count string"),
            ProtocolError::InvalidArrayLength => f.write_str("invalid multibulk length"),
            ProtocolError::NotABulkString(byte) => {
                write!(f, "expected '$', got '{}'", byte.escape_ascii())
            }
            ProtocolError::StringHeaderTooBig => f.write_str("too big bulk count string"),
            ProtocolError::InvalidStringLength => f.write_str("invalid bulk length"),
            ProtocolError::MissingLineEnd => f.write_str("expected CRLF after a bulk string"),
            ProtocolError::RequestTooBig => f.write_str("too big request"),
        }
    }
}

impl std::error::Error for ProtocolError {}

/// What came of the bytes so far.
#[derive(Debug, PartialEq, Eq)]
pub enum Decoded {
    /// No whole request yet.
    Incomplete,
    /// A request, taken off the input.
    Request(Request),
    /// Something that is no request. There can be no other one after it.
    Malformed(ProtocolError),
}

/// Cuts a stream of bytes into requests.
#[derive(Debug)]
pub struct Decoder {
    max_request_bytes: usize,
    awaited: Awaited,
    /// So much of the input, from its beginning on, is a well-formed part of an array.
    done: usize,
    /// How much of the input is known to hold no line end from `done` on.
    scanned: usize,
    /// The arguments of the array that has begun, those included that are still to come.
    count: usize,
    /// The length of its header.
    header_bytes: usize,
}

/// What comes next.
#[derive(Clone, Copy, Debug)]
enum Awaited {
    Request,
    /// The header of a string; it and `left - 1` other strings are to come.
    Header {
        left: usize,
    },
    /// A string of this length, and its line end.
    String {
        left: usize,
        length: usize,
    },
}

impl Decoder {
    /// A decoder for requests of up to `max_request_bytes`, frames included.
    pub fn new(max_request_bytes: usize) -> Decoder {
        Decoder {
            max_request_bytes,
            awaited: Awaited::Request,
            done: 0,
            scanned: 0,
            count: 0,
            header_bytes: 0,
        }
    }

    /// Takes the next request off the input: an array of bulk strings, or a line of words. What is
    /// incomplete stays there. Empty requests are taken off and skipped.
    ///
    /// O(new bytes), however small the pieces. Nothing is held beside the input: a request is the
    /// part of it that it came in.
    pub fn decode(&mut self, input: &mut BytesMut) -> Decoded {
        match self.try_decode(input) {
            Ok(None) => Decoded::Incomplete,
            Ok(Some(request)) => Decoded::Request(request),
            Err(error) => Decoded::Malformed(error),
        }
    }

    fn try_decode(&mut self, input: &mut BytesMut) -> Result<Option<Request>, ProtocolError> {
        loop {
            match self.awaited {
                Awaited::Request => match input.first() {
                    None => return Ok(None),
                    Some(b'*') => {
                        if !self.begin_array(input)? {
                            return Ok(None);
                        }
                    }
                    Some(_) => {
                        let Some(line) = self.line(input, ProtocolError::InlineTooBig)? else {
                            return Ok(None);
                        };
                        let request = inline::parse(line)?;
                        let length = line.len();
                        self.pass(length);
                        self.start_over(input);
                        if request.is_some() {
                            return Ok(request);
                        }
                    }
                },
                Awaited::Header { left } => {
                    let Some(length) = self.string_header(input)? else { return Ok(None) };
                    self.awaited = Awaited::String { left, length };
                }
                Awaited::String { left, length } => {
                    let end = self.done + length + LINE_END.len();
                    let Some(line_end) = input.get(self.done + length..end) else {
                        return Ok(None);
                    };
                    if line_end != LINE_END {
                        return Err(ProtocolError::MissingLineEnd);
                    }
                    self.pass(length + LINE_END.len());
                    if left == 1 {
                        let mut strings = self.start_over(input);
                        strings.advance(self.header_bytes);
                        return Ok(Some(Request::new(strings, self.count)));
                    }
                    self.awaited = Awaited::Header { left: left - 1 };
                }
            }
        }
    }

    /// Reads the header of an array; false if it is not whole yet.
    fn begin_array(&mut self, input: &mut BytesMut) -> Result<bool, ProtocolError> {
        let Some(header) = self.line(input, ProtocolError::ArrayHeaderTooBig)? else {
            return Ok(false);
        };
        let (count, length) = (array_length(header)?, header.len());
        self.pass(length);
        if count == 0 {
            self.start_over(input);
        } else {
            self.count = count;
            self.header_bytes = length;
            self.awaited = Awaited::Header { left: count };
        }
        Ok(true)
    }

    /// The length of the string whose header comes next; none if that is not whole yet.
    fn string_header(&mut self, input: &BytesMut) -> Result<Option<usize>, ProtocolError> {
        match input.get(self.done) {
            None => return Ok(None),
            Some(b'$') => {}
            Some(&byte) => return Err(ProtocolError::NotABulkString(byte)),
        }
        let Some(header) = self.line(input, ProtocolError::StringHeaderTooBig)? else {
            return Ok(None);
        };
        let header_bytes = header.len();
        let length = number(header).ok_or(ProtocolError::InvalidStringLength)?;
        let length = usize::try_from(length).map_err(|_| ProtocolError::InvalidStringLength)?;
        self.pass(header_bytes);
        let end = self.done.saturating_add(length).saturating_add(LINE_END.len());
        if end > self.max_request_bytes {
            return Err(ProtocolError::RequestTooBig);
        }
        Ok(Some(length))
    }

    /// The line that starts where all before is done, with its line feed; none if it is not whole yet.
    fn line<'i>(
        &mut self,
        input: &'i BytesMut,
        too_big: ProtocolError,
    ) -> Result<Option<&'i [u8]>, ProtocolError> {
        let line_feed = memchr::memchr(b'\n', &input[self.scanned..]).map(|n| self.scanned + n);
        let line = &input[self.done..line_feed.unwrap_or(input.len())];
        let length = line.strip_suffix(b"\r").unwrap_or(line).len();
        let most = self.max_request_bytes.saturating_sub(self.done).min(MAX_LINE_BYTES);
        if length > most {
            return Err(too_big);
        }
        self.scanned = line_feed.unwrap_or(input.len());
        Ok(line_feed.map(|end| &input[self.done..=end]))
    }

    /// So many bytes more are done.
    fn pass(&mut self, bytes: usize) {
        self.done += bytes;
        self.scanned = self.done;
    }

    /// Takes what is done off the input: the next request comes next.
    fn start_over(&mut self, input: &mut BytesMut) -> BytesMut {
        self.awaited = Awaited::Request;
        self.scanned = 0;
        input.split_to(mem::take(&mut self.done))
    }
}

/// The number of arguments that an array's header announces; a negative one means none.
fn array_length(header: &[u8]) -> Result<usize, ProtocolError> {
    let length = number(header).ok_or(ProtocolError::InvalidArrayLength)?;
    let length = usize::try_from(length.max(0)).ok().filter(|&length| length <= MAX_ARGUMENTS);
    length.ok_or(ProtocolError::InvalidArrayLength)
}

/// The number in a header: digits as a machine writes them, without leading zeros or a plus sign.
fn number(header: &[u8]) -> Option<i64> {
    let digits = std::str::from_utf8(header.get(1..)?.strip_suffix(LINE_END)?).ok()?;
    let magnitude = digits.strip_prefix('-').unwrap_or(digits);
    let is_canonical = magnitude.starts_with(|first: char| first.is_ascii_digit())
        && (digits == "0" || !magnitude.starts_with('0'));
    digits.parse().ok().filter(|_| is_canonical)
}

#[cfg(test)]
mod tests;
