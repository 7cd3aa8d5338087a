//! Replies in RESP2, the protocol of Redis, parsed as they arrive: one integer, or one and then the
//! whole array.

use super::reply::{Malformed, Progress, quoted};
use super::server_error::ServerError;

/// The longest line taken: an error's text.
const MAX_LINE_BYTES: usize = 4096;

/// One line of a reply, without its `\r\n`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// `:5`
    Integer(i64),
    /// `*3`: so many elements follow.
    Array(u64),
    /// `$-1` or `*-1`
    Nil,
    /// `-ERR ...`
    Error(ServerError),
}

/// The line that `bytes` begin with and its length with the `\r\n`; `None` if it is not complete.
pub(crate) fn take_line(bytes: &[u8]) -> Result<Option<(Line, usize)>, Malformed> {
    let window = &bytes[..bytes.len().min(MAX_LINE_BYTES)];
    let Some(end) = window.iter().position(|&byte| byte == b'\n') else {
        if window.len() == MAX_LINE_BYTES {
            return Err(Malformed(format!("no end of line in {MAX_LINE_BYTES} bytes")));
        }
        return Ok(None);
    };
    let line = window[..end]
        .strip_suffix(b"\r")
        .and_then(Line::parse)
        .ok_or_else(|| Malformed(format!("the reply line is {}", quoted(&window[..end]))))?;
    Ok(Some((line, end + 1)))
}

impl Line {
    fn parse(line: &[u8]) -> Option<Self> {
        let (kind, text) = line.split_first()?;
        if *kind == b'-' {
            return Some(Line::Error(ServerError::from_resp(text)));
        }
        let text = std::str::from_utf8(text).ok()?;
        let integer: i64 = text.parse().ok()?;
        // One spelling each: no plus, no leading zero.
        if itoa::Buffer::new().format(integer) != text {
            return None;
        }
        match (kind, integer) {
            (b':', _) => Some(Line::Integer(integer)),
            (b'$' | b'*', -1) => Some(Line::Nil),
            (b'*', _) => u64::try_from(integer).ok().map(Line::Array),
            _ => None,
        }
    }
}

/// Which part of the reply is awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Count,
    Header,
    /// So many elements of the array.
    Elements(u64),
    Complete,
}

/// The parser's place between two pieces of input.
#[derive(Debug)]
pub(super) struct RespReply {
    with_array: bool,
    state: State,
    /// The beginning of a line that was cut.
    cut: Vec<u8>,
    count: u64,
}

impl RespReply {
    /// Awaits an integer, and after it perhaps an array of integers.
    pub(super) fn new(with_array: bool) -> Self {
        Self { with_array, state: State::Count, cut: Vec::new(), count: 0 }
    }

    /// Awaits another reply, in the memory that is there.
    pub(super) fn restart(&mut self) {
        self.state = State::Count;
        self.cut.clear();
    }

    /// The integer.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// As `ReplyParser::push`.
    pub(super) fn push(
        &mut self,
        bytes: &[u8],
        each: &mut impl FnMut(i64),
    ) -> Result<Progress, Malformed> {
        let mut at = 0;
        while at < bytes.len() {
            let Some((line, consumed)) = self.line(&bytes[at..])? else {
                return Ok(Progress::NeedMore);
            };
            at += consumed;
            self.state = match (self.state, line) {
                (State::Complete, _) => {
                    return Err(Malformed("a line after the end of the reply".into()));
                }
                (_, Line::Error(error)) => {
                    self.state = State::Complete;
                    return Ok(Progress::Refused { consumed: at, error });
                }
                (State::Count, Line::Integer(count)) if count >= 0 => {
                    self.count = count.unsigned_abs();
                    if self.with_array { State::Header } else { State::Complete }
                }
                (State::Header, Line::Array(len)) => State::after(len),
                (State::Elements(left), Line::Integer(value)) => {
                    each(value);
                    State::after(left - 1)
                }
                (state, line) => {
                    return Err(Malformed(format!("{line:?} in place of {}", state.expected())));
                }
            };
            if self.state == State::Complete {
                return Ok(Progress::Complete { consumed: at });
            }
        }
        Ok(Progress::NeedMore)
    }

    /// The line that ends in this piece, and how much of the piece that takes.
    fn line(&mut self, piece: &[u8]) -> Result<Option<(Line, usize)>, Malformed> {
        if self.cut.is_empty() {
            let taken = take_line(piece)?;
            if taken.is_none() {
                self.cut.extend_from_slice(piece);
            }
            return Ok(taken);
        }
        let end = piece.iter().position(|&byte| byte == b'\n').map_or(piece.len(), |at| at + 1);
        self.cut.extend_from_slice(&piece[..end.min(MAX_LINE_BYTES)]);
        let taken = take_line(&self.cut)?;
        if taken.is_some() {
            self.cut.clear();
        }
        Ok(taken.map(|(line, _)| (line, end)))
    }
}

impl State {
    fn after(left: u64) -> Self {
        if left == 0 { State::Complete } else { State::Elements(left) }
    }

    fn expected(self) -> &'static str {
        match self {
            State::Count => "the array's length",
            State::Header => "the array",
            State::Elements(_) => "a value",
            State::Complete => "nothing",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Outcome = (Result<(u64, Vec<i64>), String>, usize);

    /// The count, the values or the refusal's code, and the bytes left over.
    fn parse(with_array: bool, pieces: &[&[u8]]) -> Option<Outcome> {
        let mut parser = RespReply::new(with_array);
        let mut values = Vec::new();
        let mut left = pieces.iter().map(|piece| piece.len()).sum::<usize>();
        for piece in pieces {
            match parser.push(piece, &mut |value| values.push(value)).ok()? {
                Progress::NeedMore => left -= piece.len(),
                Progress::Complete { consumed } => {
                    return Some((Ok((parser.count(), values)), left - consumed));
                }
                Progress::Refused { consumed, error } => {
                    return Some((Err(error.code), left - consumed));
                }
            }
        }
        None
    }

    #[test]
    fn replies_survive_every_split() {
        for (with_array, text, expected) in [
            (false, ":12\r\n", Ok((12, vec![]))),
            (false, "-OOM no room\r\n", Err("OOM".to_owned())),
            (true, ":2\r\n*2\r\n:-9223372036854775808\r\n:7\r\n", Ok((2, vec![i64::MIN, 7]))),
            (true, ":0\r\n*0\r\n", Ok((0, vec![]))),
        ] {
            let bytes = text.as_bytes();
            for first in 0..=bytes.len() {
                for second in first..=bytes.len() {
                    let pieces = [&bytes[..first], &bytes[first..second], &bytes[second..]];
                    assert_eq!(parse(with_array, &pieces), Some((expected.clone(), 0)), "{text:?}");
                }
            }
        }
        assert_eq!(parse(false, &[b":1\r\n:2\r\n"]), Some((Ok((1, vec![])), 4)));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "[1]\n",
            ":1\n",
            ":+1\r\n",
            ":01\r\n",
            ":-1\r\n",
            ":\r\n",
            "+OK\r\n",
            "$1\r\n",
            "*1\r\n",
            "\r\n",
            ":9223372036854775808\r\n",
            "$-1\r\n",
        ] {
            let mut parser = RespReply::new(false);
            assert!(parser.push(text.as_bytes(), &mut |_| {}).is_err(), "{text:?}");
        }
        let mut parser = RespReply::new(true);
        assert!(parser.push(b":1\r\n*1\r\n$-1\r\n", &mut |_| {}).is_err());
        let endless = [b'-'; MAX_LINE_BYTES];
        let mut parser = RespReply::new(true);
        assert!(parser.push(&endless[..9], &mut |_| {}).is_ok());
        assert!(parser.push(&endless, &mut |_| {}).is_err());
    }
}
