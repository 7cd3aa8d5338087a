//! One reply line that carries an array, parsed as it arrives: the bare array of a classic request,
//! or the object `{"count":N,"values":[...]}`. A refusal in its place is told from nonsense.

use super::array_parser::{ArrayParser, Parsed};
use super::server_error::{ServerError, printable};
use std::fmt;

/// The most bytes taken before the array must have begun, or a refusal ended.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// How much of a line that is no reply is quoted.
const MAX_QUOTED_CHARS: usize = 60;

/// Which reply is awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// `[...]`
    Bare,
    /// `{"count":N,"values":[...]}`
    Listing,
}

impl Shape {
    fn tail(self) -> &'static [u8] {
        match self {
            Shape::Bare => b"\n",
            Shape::Listing => b"}\n",
        }
    }
}

/// What a piece of input led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// All of the piece was taken and the reply goes on.
    NeedMore,
    /// The reply's newline was the last of the first `consumed` bytes of the piece.
    Complete {
        /// Bytes of the piece that belong to the reply.
        consumed: usize,
    },
}

/// Why the bytes are not the reply that was awaited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ReplyError {
    /// The server refused the request, in due form.
    Refused(ServerError),
    /// The bytes are neither a reply nor a refusal.
    Malformed(String),
}

impl fmt::Display for ReplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReplyError::Refused(error) => error.fmt(f),
            ReplyError::Malformed(what) => f.write_str(what),
        }
    }
}

#[derive(Debug)]
enum State {
    /// Before the array; what has been gathered so far.
    Head(Vec<u8>),
    Array(ArrayParser),
    /// After the array; how many bytes of the shape's tail have come.
    Tail(usize),
    Complete,
}

/// The parser's place between two pieces of input.
#[derive(Debug)]
pub(crate) struct ReplyParser {
    shape: Shape,
    state: State,
    announced: Option<u64>,
}

impl ReplyParser {
    /// A parser that awaits a reply of this shape.
    pub(crate) fn new(shape: Shape) -> Self {
        Self { shape, state: State::Head(Vec::new()), announced: None }
    }

    /// The `count` of a listing, once its array has begun.
    pub(crate) fn announced(&self) -> Option<u64> {
        self.announced
    }

    /// Takes a piece of input and hands each completed value to `each`.
    ///
    /// After an error the parser is used up; after `Complete` any further byte is an error.
    pub(crate) fn push(
        &mut self,
        bytes: &[u8],
        mut each: impl FnMut(i64),
    ) -> Result<Progress, ReplyError> {
        let mut at = 0;
        while at < bytes.len() {
            match &mut self.state {
                State::Head(_) => at = self.take_head(bytes, at)?,
                State::Array(array) => match array.push(&bytes[at..], &mut each) {
                    Ok(Parsed::NeedMore) => at = bytes.len(),
                    Ok(Parsed::Closed { consumed }) => {
                        at += consumed;
                        self.state = State::Tail(0);
                    }
                    Err(error) => return Err(ReplyError::Malformed(error.to_string())),
                },
                State::Tail(matched) => {
                    let tail = self.shape.tail();
                    if bytes[at] != tail[*matched] {
                        return Err(misplaced(bytes[at], "after the array"));
                    }
                    at += 1;
                    *matched += 1;
                    if *matched == tail.len() {
                        self.state = State::Complete;
                        return Ok(Progress::Complete { consumed: at });
                    }
                }
                State::Complete => return Err(misplaced(bytes[at], "after the end of the reply")),
            }
        }
        Ok(Progress::NeedMore)
    }

    /// Takes bytes from `at` on until the array begins, and returns the index of its bracket. A
    /// bracket within a refusal's text begins no array, so the head must be exactly what stands
    /// before one.
    fn take_head(&mut self, bytes: &[u8], mut at: usize) -> Result<usize, ReplyError> {
        let State::Head(head) = &mut self.state else {
            unreachable!("called in the state Head only");
        };
        while let Some(&byte) = bytes.get(at) {
            match (byte, self.shape) {
                (b'[', Shape::Bare) if head.is_empty() => {
                    self.state = State::Array(ArrayParser::new());
                    return Ok(at);
                }
                (b'[', Shape::Listing) if listing_count(head).is_some() => {
                    self.announced = listing_count(head);
                    self.state = State::Array(ArrayParser::new());
                    return Ok(at);
                }
                (b'\n', _) => return Err(refusal_or_nonsense(head)),
                (byte, _) if head.is_empty() && byte != b'{' => {
                    return Err(misplaced(byte, "at the reply's start"));
                }
                _ if head.len() == MAX_HEAD_BYTES => {
                    return Err(ReplyError::Malformed(format!(
                        "no array within {MAX_HEAD_BYTES} bytes"
                    )));
                }
                _ => head.push(byte),
            }
            at += 1;
        }
        Ok(at)
    }
}

/// `N`, if `head` is exactly `{"count":N,"values":`.
fn listing_count(head: &[u8]) -> Option<u64> {
    let digits = head.strip_prefix(b"{\"count\":")?.strip_suffix(b",\"values\":")?;
    let plain = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok().filter(|_| plain)?.parse().ok()
}

fn misplaced(byte: u8, place: &str) -> ReplyError {
    ReplyError::Malformed(format!("stray '{}' {place}", char::from(byte).escape_default()))
}

/// What to say of a line without an array.
pub(crate) fn refusal_or_nonsense(line: &[u8]) -> ReplyError {
    match ServerError::parse(line) {
        Some(error) => ReplyError::Refused(error),
        None => {
            let quoted = printable(&String::from_utf8_lossy(line), MAX_QUOTED_CHARS);
            ReplyError::Malformed(format!("the reply line is \"{quoted}\""))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Feeds `pieces`; the values and the bytes left over when the reply was complete, or `None` if
    /// it never was.
    fn parse(shape: Shape, pieces: &[&[u8]]) -> Result<Option<(Vec<i64>, usize)>, ReplyError> {
        let mut parser = ReplyParser::new(shape);
        let mut values = Vec::new();
        for (index, piece) in pieces.iter().enumerate() {
            if let Progress::Complete { consumed } =
                parser.push(piece, |value| values.push(value))?
            {
                let later: usize = pieces[index + 1..].iter().map(|rest| rest.len()).sum();
                return Ok(Some((values, piece.len() - consumed + later)));
            }
        }
        Ok(None)
    }

    #[test]
    fn both_shapes_survive_every_split() {
        for (shape, text) in [
            (Shape::Bare, "[-5,3,3,77]\n"),
            (Shape::Listing, "{\"count\":4,\"values\":[-5,3,3,77]}\n"),
        ] {
            for split in 0..=text.len() {
                let (head, tail) = text.as_bytes().split_at(split);
                assert_eq!(
                    parse(shape, &[head, tail]),
                    Ok(Some((vec![-5, 3, 3, 77], 0))),
                    "{text} at {split}"
                );
            }
        }
    }

    #[test]
    fn announced_count_is_kept() {
        let mut parser = ReplyParser::new(Shape::Listing);
        assert_eq!(parser.push(b"{\"count\":12,\"values\":[", |_| {}), Ok(Progress::NeedMore));
        assert_eq!(parser.announced(), Some(12));
    }

    #[test]
    fn bytes_after_the_newline_are_left() {
        assert_eq!(parse(Shape::Bare, &[b"[1]\n[1]\n"]), Ok(Some((vec![1], 4))));
        let mut parser = ReplyParser::new(Shape::Bare);
        assert_eq!(parser.push(b"[1]\n", |_| {}), Ok(Progress::Complete { consumed: 4 }));
        assert_eq!(parser.push(b"\n", |_| {}), Err(misplaced(b'\n', "after the end of the reply")));
    }

    #[test]
    fn refusal_survives_every_split_and_brackets() {
        let text = b"{\"error\":{\"code\":\"bad_json\",\"message\":\"expected '[', found {\\\"count\\\":1}\"}}\n";
        for shape in [Shape::Bare, Shape::Listing] {
            for split in 0..=text.len() {
                let (head, tail) = text.split_at(split);
                match parse(shape, &[head, tail]) {
                    Err(ReplyError::Refused(error)) => assert_eq!(error.code, "bad_json"),
                    other => panic!("{shape:?} at {split}: {other:?}"),
                }
            }
        }
    }

    #[test]
    fn nonsense_is_malformed() {
        for text in [
            "\n",
            " [1]\n",
            "[1]\r\n",
            "[1] \n",
            "[1]]\n",
            "[2,1.5]\n",
            "{\"count\":1}\n",
            "nonsense\n",
            "{}\n",
            "[1]{\"error\":1}\n",
        ] {
            let result = parse(Shape::Bare, &[text.as_bytes()]);
            assert!(matches!(result, Err(ReplyError::Malformed(_))), "{text:?}: {result:?}");
        }
        for text in [
            "[1]\n",
            "{\"count\":-1,\"values\":[1]}\n",
            "{\"count\":,\"values\":[1]}\n",
            "{\"count\":+1,\"values\":[1]}\n",
            "{\"count\":1,\"values\":[1]\n",
            "{\"count\":1,\"values\":[1]}}\n",
            "{\"values\":[1],\"count\":1}\n",
            "{\"count\":1,\"values\":[1]}\r\n",
        ] {
            let result = parse(Shape::Listing, &[text.as_bytes()]);
            assert!(matches!(result, Err(ReplyError::Malformed(_))), "{text:?}: {result:?}");
        }
    }

    #[test]
    fn endless_head_is_refused() {
        let text = [b'{'; MAX_HEAD_BYTES + 1];
        assert!(matches!(parse(Shape::Bare, &[&text]), Err(ReplyError::Malformed(_))));
    }

    proptest! {
        #[test]
        fn split_never_changes_the_outcome(
            text in "(\\{\"count\":1,\"values\":)?[-\\[\\]{},:0-9a\n\"]{0,16}",
            split in any::<prop::sample::Index>(),
        ) {
            let (head, tail) = text.as_bytes().split_at(split.index(text.len() + 1));
            for shape in [Shape::Bare, Shape::Listing] {
                prop_assert_eq!(parse(shape, &[head, tail]), parse(shape, &[text.as_bytes()]));
            }
        }
    }
}
