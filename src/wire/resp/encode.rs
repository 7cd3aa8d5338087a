//! Replies as bytes: the types of RESP2, and those that RESP3 has besides.

use std::fmt::{self, Write as _};
use std::io::{self, Read};

use bytes::BytesMut;
use itoa::Integer;

use crate::command::{ValueStream, Values};
use crate::session::RespVersion;

/// Values encoded at a time: bounds the memory of a streamed reply, and the time of one read.
const CHUNK_VALUES: usize = 512;

const LINE_END: &[u8] = b"\r\n";

/// Writes replies to `out` in one version of the protocol.
///
/// Types that the version does not have are written as those that stand in for them. Whoever announces
/// so many elements writes them next.
pub(super) struct Encoder<'o> {
    pub(super) version: RespVersion,
    pub(super) out: &'o mut BytesMut,
}

impl Encoder<'_> {
    pub(super) fn simple_string(&mut self, text: impl fmt::Display) {
        self.line(b'+', text);
    }

    /// An error: a kind in upper case, a space, and the reason. Line ends in it become spaces.
    pub(super) fn error(&mut self, text: impl fmt::Display) {
        let start = self.out.len();
        self.line(b'-', text);
        let end = self.out.len() - LINE_END.len();
        let text = &mut self.out[start..end];
        text.iter_mut().filter(|byte| b"\r\n".contains(byte)).for_each(|byte| *byte = b' ');
    }

    pub(super) fn integer(&mut self, value: impl Integer) {
        self.header(b':', value);
    }

    pub(super) fn null(&mut self) {
        self.out.extend_from_slice(match self.version {
            RespVersion::Two => b"$-1\r\n",
            RespVersion::Three => b"_\r\n",
        });
    }

    pub(super) fn value_or_null(&mut self, value: Option<i64>) {
        match value {
            Some(value) => self.integer(value),
            None => self.null(),
        }
    }

    pub(super) fn bulk_string(&mut self, bytes: &[u8]) {
        bulk_string(bytes, self.out);
    }

    /// Text for people, of several lines.
    pub(super) fn text(&mut self, text: &str) {
        match self.version {
            RespVersion::Two => self.bulk_string(text.as_bytes()),
            RespVersion::Three => {
                const FORMAT: &str = "txt:";
                self.header(b'=', FORMAT.len() + text.len());
                self.line_of(format_args!("{FORMAT}{text}"));
            }
        }
    }

    pub(super) fn array(&mut self, elements: usize) {
        self.header(b'*', elements);
    }

    /// A set; where there are none, an array.
    pub(super) fn set(&mut self, elements: usize) {
        match self.version {
            RespVersion::Two => self.array(elements),
            RespVersion::Three => self.header(b'~', elements),
        }
    }

    /// A map: each key is followed by its value. Where there are none, an array of both.
    pub(super) fn map(&mut self, entries: usize) {
        match self.version {
            RespVersion::Two => self.array(2 * entries),
            RespVersion::Three => self.header(b'%', entries),
        }
    }

    fn header(&mut self, kind: u8, number: impl Integer) {
        header(kind, number, self.out);
    }

    fn line(&mut self, kind: u8, text: impl fmt::Display) {
        self.out.extend_from_slice(&[kind]);
        self.line_of(text);
    }

    fn line_of(&mut self, text: impl fmt::Display) {
        write!(self.out, "{text}\r\n").expect("memory takes what is written to it");
    }
}

/// Writes a bulk string to `out`.
pub(super) fn bulk_string(bytes: &[u8], out: &mut BytesMut) {
    header(b'$', bytes.len(), out);
    out.extend_from_slice(bytes);
    out.extend_from_slice(LINE_END);
}

fn header(kind: u8, number: impl Integer, out: &mut BytesMut) {
    out.extend_from_slice(&[kind]);
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    out.extend_from_slice(LINE_END);
}

/// The elements of an array of integers, encoded while they are read.
///
/// O(1) memory whatever their number. Fails if the values end before they are as many as were
/// announced, since what has been sent cannot be taken back; never blocks for longer than the values
/// take to come.
pub struct Integers {
    values: ValueStream,
    /// Values that are still to be encoded.
    left: usize,
    /// Encoded and not yet read, from `sent` on.
    text: Vec<u8>,
    sent: usize,
}

impl Integers {
    /// The first `count` of these values.
    pub(super) fn new(values: ValueStream, count: usize) -> Integers {
        Integers { values, left: count, text: Vec::new(), sent: 0 }
    }

    /// Encodes the next chunk of values.
    fn encode(&mut self) -> io::Result<()> {
        self.text.clear();
        self.sent = 0;
        let mut chunk = [0; CHUNK_VALUES];
        let most = self.left.min(chunk.len());
        let n = self.values.fill(&mut chunk[..most]);
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= n;
        let mut digits = itoa::Buffer::new();
        for &value in &chunk[..n] {
            self.text.push(b':');
            self.text.extend_from_slice(digits.format(value).as_bytes());
            self.text.extend_from_slice(LINE_END);
        }
        Ok(())
    }
}

impl Read for Integers {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut n = 0;
        while n < out.len() {
            if self.sent == self.text.len() {
                if self.left == 0 {
                    break;
                }
                self.encode()?;
            }
            let ready = &self.text[self.sent..];
            let copied = ready.len().min(out.len() - n);
            out[n..n + copied].copy_from_slice(&ready[..copied]);
            n += copied;
            self.sent += copied;
        }
        Ok(n)
    }
}
