//! Responses of HTTP/1.1, as far as a client needs them that asks for nothing unusual: a head, and a
//! body with its length or in chunks.

use crate::verify::{Malformed, quoted};
use std::borrow::Cow;

/// The longest head taken.
const MAX_HEAD_BYTES: usize = 16 * 1024;
/// The longest line before a chunk taken: its size in hexadecimal digits.
const MAX_SIZE_LINE_BYTES: usize = 16;

/// A complete response.
#[derive(Debug)]
pub(super) struct Response<'b> {
    pub(super) status: u16,
    /// The header `Sortd-Count`.
    pub(super) count: Option<u64>,
    /// Whether the server closes the connection after it.
    pub(super) closes: bool,
    pub(super) body: Cow<'b, [u8]>,
    /// Bytes of it, from the head's first to the body's last.
    pub(super) len: usize,
}

/// How long a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Length(usize),
    Chunked,
}

#[derive(Debug)]
struct Head {
    status: u16,
    count: Option<u64>,
    closes: bool,
    framing: Framing,
}

/// The response that `bytes` begin with; `None` if it is not complete.
pub(super) fn take_response(bytes: &[u8]) -> Result<Option<Response<'_>>, Malformed> {
    let window = &bytes[..bytes.len().min(MAX_HEAD_BYTES)];
    let Some(end) = find(window, b"\r\n\r\n") else {
        return match window.len() {
            MAX_HEAD_BYTES => Err(Malformed(format!("no end of a head in {MAX_HEAD_BYTES} bytes"))),
            // Nonsense need not end in a head's end: it is told by its beginning.
            _ if !b"HTTP/1.1 ".starts_with(&window[..window.len().min(9)]) => {
                Err(Malformed(format!("the response is {}", quoted(window))))
            }
            _ => Ok(None),
        };
    };
    let head = std::str::from_utf8(&window[..end])
        .ok()
        .and_then(parse_head)
        .ok_or_else(|| Malformed(format!("the response's head is {}", quoted(&window[..end]))))?;
    let start = end + b"\r\n\r\n".len();
    let rest = &bytes[start..];
    let (body, len) = match head.framing {
        Framing::Length(len) if rest.len() < len => return Ok(None),
        Framing::Length(len) => (Cow::Borrowed(&rest[..len]), len),
        Framing::Chunked => match take_chunks(rest)? {
            Some((body, len)) => (Cow::Owned(body), len),
            None => return Ok(None),
        },
    };
    let Head { status, count, closes, .. } = head;
    Ok(Some(Response { status, count, closes, body, len: start + len }))
}

fn parse_head(head: &str) -> Option<Head> {
    let mut lines = head.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    let (mut count, mut closes, mut framing) = (None, false, None);
    for line in lines {
        let (name, value) = line.split_once(':')?;
        let value = value.trim();
        let found = match name.to_ascii_lowercase().as_str() {
            "content-length" => Framing::Length(value.parse().ok()?),
            "transfer-encoding" if value.eq_ignore_ascii_case("chunked") => Framing::Chunked,
            "transfer-encoding" => return None,
            "sortd-count" => {
                count = Some(value.parse().ok()?);
                continue;
            }
            "connection" => {
                closes |= value.eq_ignore_ascii_case("close");
                continue;
            }
            _ => continue,
        };
        // One framing, said once: two are how responses get smuggled.
        if framing.replace(found).is_some() {
            return None;
        }
    }
    Some(Head { status, count, closes, framing: framing? })
}

/// The body in the chunks that `bytes` begin with, and their length; `None` if they are not
/// complete.
fn take_chunks(bytes: &[u8]) -> Result<Option<(Vec<u8>, usize)>, Malformed> {
    let mut body = Vec::new();
    let mut at = 0;
    loop {
        let rest = &bytes[at..];
        let Some(end) = find(&rest[..rest.len().min(MAX_SIZE_LINE_BYTES)], b"\r\n") else {
            let cut = rest.len() < MAX_SIZE_LINE_BYTES;
            return if cut { Ok(None) } else { Err(no_chunk(rest)) };
        };
        let size = chunk_size(&rest[..end]).ok_or_else(|| no_chunk(rest))?;
        let start = end + b"\r\n".len();
        let after = start + size;
        match rest.get(after..after + b"\r\n".len()) {
            None => return Ok(None),
            Some(b"\r\n") => {}
            Some(_) => return Err(no_chunk(rest)),
        }
        at += after + b"\r\n".len();
        if size == 0 {
            return Ok(Some((body, at)));
        }
        body.extend_from_slice(&rest[start..after]);
    }
}

fn chunk_size(digits: &[u8]) -> Option<usize> {
    let digits = std::str::from_utf8(digits).ok()?;
    let plain = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    // Small enough that no sum of sizes overflows; a chunk that large never comes whole.
    let size = u32::from_str_radix(digits, 16).ok().filter(|_| plain)?;
    usize::try_from(size).ok()
}

fn no_chunk(bytes: &[u8]) -> Malformed {
    Malformed(format!("in place of a chunk came {}", quoted(bytes)))
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNKED: &str = "HTTP/1.1 200 OK\r\nServer: x\r\nTransfer-Encoding: chunked\r\n\
                           sortd-count: 12\r\n\r\n2\r\n[1\r\n3\r\n,2]\r\n0\r\n\r\n";
    const SIZED: &str =
        "HTTP/1.1 503 Service Unavailable\r\ncontent-length:3\r\nConnection: Close\r\n\r\nno\n";

    #[test]
    fn responses_survive_every_cut() {
        for (text, expected) in
            [(CHUNKED, (200, Some(12), false, "[1,2]")), (SIZED, (503, None, true, "no\n"))]
        {
            for cut in 0..text.len() {
                let result = take_response(&text.as_bytes()[..cut]);
                assert!(matches!(result, Ok(None)), "{text:?} at {cut}: {result:?}");
            }
            let more = format!("{text}HTTP");
            let Response { status, count, closes, body, len } =
                take_response(more.as_bytes()).expect("it is well-formed").expect("it is whole");
            let body = std::str::from_utf8(&body).expect("it is text");
            assert_eq!((status, count, closes, body), expected);
            assert_eq!(len, text.len());
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "[1]\n",
            "HTTP/2.0 200 OK",
            "HTTP/1.1 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
            "HTTP/1.1 200 OK\r\nnothing\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n+1\r\n1\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n12\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0000000000000000\r\n\r\n",
        ] {
            assert!(take_response(text.as_bytes()).is_err(), "{text:?}");
        }
        assert!(take_response(&[b"HTTP/1.1 ", &[b'x'; MAX_HEAD_BYTES][..]].concat()).is_err());
    }
}
