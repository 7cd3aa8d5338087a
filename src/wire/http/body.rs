//! Request bodies, whose end is told by a length or by chunks.
//!
//! To the decoder both are one thing: runs of data, and around them lines that say how long the next
//! run is. A body with a `Content-Length` is a single run without any lines.

use bytes::{Buf, BytesMut};

use super::{Refusal, is_text, is_token, strip_line_end};

/// What the extensions of all chunks and the trailers may come to in one body. They mean nothing
/// here, so it is all that a chunked body may hold beside its data.
pub(super) const MAX_EXTRA_BYTES: usize = 16 * 1024;

/// The digits of a chunk's size, leading zeros included: as many as a `u64` has.
const MAX_SIZE_DIGITS: usize = 16;

const EXTENSIONS_TOO_LONG: Refusal =
    Refusal { status: 400, detail: "the extensions of the chunks are longer than 16 KiB" };

/// A body on its way.
#[derive(Debug)]
pub(super) struct Body {
    bytes: Vec<u8>,
    part: Part,
    /// How much data there may be beyond this part.
    room: usize,
    /// What is left of [`MAX_EXTRA_BYTES`].
    extra: usize,
    /// So many bytes at the front of the input are known to hold no end of a line.
    scanned: usize,
}

/// What comes next on the input.
#[derive(Clone, Copy, Debug)]
enum Part {
    /// Data, `left` more bytes of it.
    Data {
        left: usize,
        is_last: bool,
    },
    Line(Line),
    /// What comes next is no part of this body.
    End,
}

#[derive(Clone, Copy, Debug)]
enum Line {
    /// The size of a chunk, and its extensions.
    Size,
    /// Nothing, after the data of a chunk.
    ChunkEnd,
    /// A trailer field, or nothing after the last one.
    Trailer,
}

impl Body {
    /// A body of this length.
    pub(super) fn of_length(length: usize) -> Body {
        Body::new(Part::Data { left: length, is_last: true }, 0)
    }

    /// A body in chunks that together have up to `max_bytes`.
    pub(super) fn chunked(max_bytes: usize) -> Body {
        Body::new(Part::Line(Line::Size), max_bytes)
    }

    fn new(part: Part, room: usize) -> Body {
        Body { bytes: Vec::new(), part, room, extra: MAX_EXTRA_BYTES, scanned: 0 }
    }

    /// Takes what belongs to the body off the input and returns whether that was the last of it.
    pub(super) fn decode(&mut self, input: &mut BytesMut) -> Result<bool, Refusal> {
        loop {
            let next = match self.part {
                Part::Data { left, is_last } => self.take_data(input, left, is_last),
                Part::Line(line) => self.take_line(input, line)?,
                Part::End => return Ok(true),
            };
            let Some(next) = next else { return Ok(false) };
            self.part = next;
        }
    }

    /// How much data there is so far.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The data so far.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Takes data off the input; returns the part after it, if it is whole.
    fn take_data(&mut self, input: &mut BytesMut, left: usize, is_last: bool) -> Option<Part> {
        let n = left.min(input.len());
        if self.bytes.is_empty() && n == input.len() {
            // Most bodies are small and arrive at once: no copy.
            self.bytes = Vec::from(std::mem::take(input));
        } else {
            if self.bytes.capacity() - self.bytes.len() < n {
                // Twice as much, as a vector grows by itself, but no more than may come.
                self.bytes.reserve_exact(self.bytes.len().max(n).min(left + self.room));
            }
            self.bytes.extend_from_slice(&input[..n]);
            input.advance(n);
        }
        if n < left {
            self.part = Part::Data { left: left - n, is_last };
            return None;
        }
        Some(if is_last { Part::End } else { Part::Line(Line::ChunkEnd) })
    }

    /// Takes a line off the input, if it is whole; returns the part after it.
    fn take_line(&mut self, input: &mut BytesMut, line: Line) -> Result<Option<Part>, Refusal> {
        let (most, too_long) = match line {
            Line::Size => (MAX_SIZE_DIGITS + self.extra, EXTENSIONS_TOO_LONG),
            Line::ChunkEnd => (0, Refusal::new(400, "a chunk is longer than its size")),
            Line::Trailer => (self.extra, Refusal::new(431, "the trailers are larger than 16 KiB")),
        };
        let end = memchr::memchr(b'\n', &input[self.scanned..]).map(|n| self.scanned + n);
        // The carriage return is one more. Looked at first, so that a refusal is the same however
        // the line was split on its way.
        if end.unwrap_or(input.len()) > most + 1 {
            return Err(too_long);
        }
        let Some(end) = end else {
            self.scanned = input.len();
            return Ok(None);
        };
        self.scanned = 0;
        let text = strip_line_end(&input[..end])?;
        let next = match line {
            Line::Size => self.begin_chunk(text)?,
            Line::ChunkEnd => Part::Line(Line::Size),
            Line::Trailer if text.is_empty() => Part::End,
            Line::Trailer if is_field(text) => {
                self.extra -= text.len();
                Part::Line(Line::Trailer)
            }
            Line::Trailer => return Err(Refusal::new(400, "a trailer is no header field")),
        };
        input.advance(end + 1);
        Ok(Some(next))
    }

    /// The part that is announced by the line before a chunk.
    fn begin_chunk(&mut self, line: &[u8]) -> Result<Part, Refusal> {
        let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let (size, extension) = line.split_at(digits);
        let is_extension = match extension {
            [] => true,
            [b';', text @ ..] => text.iter().copied().all(is_text),
            _ => false,
        };
        if digits == 0 || digits > MAX_SIZE_DIGITS || !is_extension {
            return Err(Refusal::new(400, "a chunk begins with its size, up to 16 hex digits"));
        }
        self.extra = self.extra.checked_sub(extension.len()).ok_or(EXTENSIONS_TOO_LONG)?;
        let size = std::str::from_utf8(size).ok();
        let size = size.and_then(|digits| usize::from_str_radix(digits, 16).ok());
        let left = size.filter(|&size| size <= self.room).ok_or(Refusal::BODY_TOO_LARGE)?;
        self.room -= left;
        Ok(match left {
            0 => Part::Line(Line::Trailer),
            left => Part::Data { left, is_last: false },
        })
    }
}

/// Whether a line is a name, a colon and a value.
fn is_field(line: &[u8]) -> bool {
    let Some(colon) = memchr::memchr(b':', line) else { return false };
    let (name, value) = line.split_at(colon);
    !name.is_empty() && name.iter().copied().all(is_token) && value.iter().copied().all(is_text)
}
