//! One reply line, parsed as it arrives: the bare array of a classic request, the listing of an
//! array, or the receipt of an add with or without values; or their like in RESP. A refusal in its
//! place is told from nonsense.

use super::array_parser::{ArrayParser, Parsed};
use super::receipt::Receipt;
use super::resp_reply::RespReply;
use super::server_error::{ServerError, printable};

/// The most bytes taken before the array must have begun, or a line without one ended.
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
    /// `{"added":N,"count":N}`
    Receipt,
    /// `{"added":N,"count":N,"values":[...]}`
    ReceiptWithValues,
    /// RESP: an integer.
    Integer,
    /// RESP: an integer, and then an array of integers.
    IntegerAndArray,
}

/// What a piece of input led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// All of the piece was taken and the reply goes on.
    NeedMore,
    /// The reply's newline was the last of the first `consumed` bytes of the piece.
    Complete {
        /// Bytes of the piece that belong to the reply.
        consumed: usize,
    },
    /// The server refused the request, in due form.
    Refused {
        /// Bytes of the piece that belong to the refusal, its newline included.
        consumed: usize,
        /// The refusal.
        error: ServerError,
    },
}

/// The bytes are neither a reply nor a refusal, for this reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) String);

#[derive(Debug)]
enum State {
    /// Before the array's values, or in a line without any.
    Head,
    Array(ArrayParser),
    /// In a reply that is none of JSON.
    Resp(RespReply),
    /// After the array; how many bytes of the shape's tail have come.
    Tail(usize),
    Complete,
}

/// What was found where a head should be, in the piece up to the index `end`.
#[derive(Debug)]
enum Head {
    /// The head goes on after the piece.
    Cut,
    Whole {
        end: usize,
    },
    Refused {
        end: usize,
        error: ServerError,
    },
}

/// The parser's place between two pieces of input.
#[derive(Debug)]
pub(crate) struct ReplyParser {
    shape: Shape,
    state: State,
    /// The bytes of a head that did not come whole in one piece, or of a line that is none.
    gathered: Vec<u8>,
    receipt: Receipt,
}

impl ReplyParser {
    /// A parser that awaits a reply of this shape.
    pub(crate) fn new(shape: Shape) -> Self {
        Self { shape, state: shape.start(), gathered: Vec::new(), receipt: Receipt::default() }
    }

    /// Awaits another reply of the same shape, in the memory that is there.
    pub(crate) fn restart(&mut self) {
        match &mut self.state {
            State::Resp(resp) => resp.restart(),
            state => *state = State::Head,
        }
        self.gathered.clear();
    }

    /// The numbers in the reply, once it is complete; those that its shape lacks are 0.
    pub(crate) fn receipt(&self) -> Receipt {
        self.receipt
    }

    /// Takes a piece of input and hands each completed value to `each`.
    ///
    /// After an error the parser is used up; after `Complete` or `Refused` any further byte is an
    /// error until it is restarted.
    pub(crate) fn push(
        &mut self,
        bytes: &[u8],
        mut each: impl FnMut(i64),
    ) -> Result<Progress, Malformed> {
        let mut at = 0;
        while at < bytes.len() {
            match &mut self.state {
                State::Head => match self.take_head(bytes)? {
                    Head::Cut => at = bytes.len(),
                    Head::Whole { end } if self.shape == Shape::Receipt => {
                        self.state = State::Complete;
                        return Ok(Progress::Complete { consumed: end });
                    }
                    Head::Whole { end } => {
                        at = end;
                        self.state = State::Array(ArrayParser::inside());
                    }
                    Head::Refused { end, error } => {
                        self.state = State::Complete;
                        return Ok(Progress::Refused { consumed: end, error });
                    }
                },
                State::Array(array) => match array.push(&bytes[at..], &mut each) {
                    Ok(Parsed::NeedMore) => at = bytes.len(),
                    Ok(Parsed::Closed { consumed }) => {
                        at += consumed;
                        self.state = State::Tail(0);
                    }
                    Err(error) => return Err(Malformed(error.to_string())),
                },
                State::Resp(resp) => {
                    let progress = resp.push(bytes, &mut each);
                    self.receipt.count = resp.count();
                    return progress;
                }
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

    /// Takes the head from a piece that begins with it, or with what comes next of it. Nearly every
    /// head comes whole and is not copied.
    fn take_head(&mut self, bytes: &[u8]) -> Result<Head, Malformed> {
        if self.gathered.is_empty()
            && let Some((receipt, end)) = self.shape.head(bytes)
        {
            self.receipt = receipt;
            return Ok(Head::Whole { end });
        }
        for (at, &byte) in bytes.iter().enumerate() {
            if self.gathered.is_empty() && byte != b'{' {
                return Err(misplaced(byte, "at the reply's start"));
            }
            if self.gathered.len() == MAX_HEAD_BYTES {
                return Err(Malformed(format!(
                    "no end of line or array in {MAX_HEAD_BYTES} bytes"
                )));
            }
            self.gathered.push(byte);
            // A bracket within a refusal's text begins no array, so the head must be exactly what
            // stands before one.
            let end = at + 1;
            if matches!(byte, b'[' | b'\n')
                && let Some((receipt, _)) = self.shape.head(&self.gathered)
            {
                self.receipt = receipt;
                return Ok(Head::Whole { end });
            }
            if byte == b'\n' {
                self.gathered.pop();
                return refusal(&self.gathered).map(|error| Head::Refused { end, error });
            }
        }
        Ok(Head::Cut)
    }
}

impl Shape {
    /// Before a reply's first byte.
    fn start(self) -> State {
        match self {
            Shape::Integer => State::Resp(RespReply::new(false)),
            Shape::IntegerAndArray => State::Resp(RespReply::new(true)),
            _ => State::Head,
        }
    }

    /// What `bytes` begin with, if that is this shape's whole head: its numbers and its length. It
    /// ends with the array's bracket, or if there is no array with the newline.
    fn head(self, bytes: &[u8]) -> Option<(Receipt, usize)> {
        let (mut receipt, mut rest) = (Receipt::default(), bytes);
        match self {
            Shape::Integer | Shape::IntegerAndArray => return None,
            Shape::Bare => rest = rest.strip_prefix(b"[")?,
            Shape::Listing => {
                (receipt.count, rest) = number(rest.strip_prefix(b"{\"count\":")?)?;
                rest = rest.strip_prefix(b",\"values\":[")?;
            }
            Shape::Receipt | Shape::ReceiptWithValues => {
                (receipt.added, rest) = number(rest.strip_prefix(b"{\"added\":")?)?;
                (receipt.count, rest) = number(rest.strip_prefix(b",\"count\":")?)?;
                rest = match self {
                    Shape::Receipt => rest.strip_prefix(b"}\n")?,
                    _ => rest.strip_prefix(b",\"values\":[")?,
                };
            }
        }
        Some((receipt, bytes.len() - rest.len()))
    }

    /// What follows the array.
    fn tail(self) -> &'static [u8] {
        match self {
            Shape::Bare => b"\n",
            _ => b"}\n",
        }
    }
}

/// The plain decimal number that `bytes` begin with, and what follows it.
fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0_u64;
    let mut len = 0;
    while let Some(byte) = bytes.get(len)
        && byte.is_ascii_digit()
    {
        number = number.checked_mul(10)?.checked_add(u64::from(byte - b'0'))?;
        len += 1;
    }
    let plain = len == 1 || (len > 1 && bytes[0] != b'0');
    plain.then(|| (number, &bytes[len..]))
}

fn misplaced(byte: u8, place: &str) -> Malformed {
    Malformed(format!("stray '{}' {place}", char::from(byte).escape_default()))
}

/// The refusal that a line, given without its newline, says in place of a reply.
pub(crate) fn refusal(line: &[u8]) -> Result<ServerError, Malformed> {
    ServerError::parse(line).ok_or_else(|| Malformed(format!("the reply line is {}", quoted(line))))
}

/// What came in place of a reply, made safe to print and in quotes.
pub(crate) fn quoted(text: &[u8]) -> String {
    format!("\"{}\"", printable(&String::from_utf8_lossy(text), MAX_QUOTED_CHARS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SHAPES: [Shape; 4] =
        [Shape::Bare, Shape::Listing, Shape::Receipt, Shape::ReceiptWithValues];

    /// What came of a reply: its numbers, its values, or the refusal's code; and how many bytes
    /// were left over.
    type Outcome = (Result<(Receipt, Vec<i64>), String>, usize);

    /// Feeds `pieces`; `None` if the reply never was complete.
    fn parse(shape: Shape, pieces: &[&[u8]]) -> Result<Option<Outcome>, Malformed> {
        let mut parser = ReplyParser::new(shape);
        let mut values = Vec::new();
        for (index, piece) in pieces.iter().enumerate() {
            let later: usize = pieces[index + 1..].iter().map(|rest| rest.len()).sum();
            match parser.push(piece, |value| values.push(value))? {
                Progress::NeedMore => {}
                Progress::Complete { consumed } => {
                    let reply = Ok((parser.receipt(), values));
                    return Ok(Some((reply, piece.len() - consumed + later)));
                }
                Progress::Refused { consumed, error } => {
                    return Ok(Some((Err(error.code), piece.len() - consumed + later)));
                }
            }
        }
        Ok(None)
    }

    fn whole(added: u64, count: u64, values: &[i64]) -> Result<Option<Outcome>, Malformed> {
        Ok(Some((Ok((Receipt { added, count }, values.to_vec())), 0)))
    }

    #[test]
    fn all_shapes_survive_every_split() {
        for (shape, text, expected) in [
            (Shape::Bare, "[-5,3,3,77]\n", whole(0, 0, &[-5, 3, 3, 77])),
            (Shape::Bare, "[]\n", whole(0, 0, &[])),
            (
                Shape::Listing,
                "{\"count\":4,\"values\":[-5,3,3,77]}\n",
                whole(0, 4, &[-5, 3, 3, 77]),
            ),
            (Shape::Receipt, "{\"added\":12,\"count\":3456}\n", whole(12, 3456, &[])),
            (
                Shape::ReceiptWithValues,
                "{\"added\":2,\"count\":10,\"values\":[0,9]}\n",
                whole(2, 10, &[0, 9]),
            ),
        ] {
            for first in 0..=text.len() {
                for second in first..=text.len() {
                    let bytes = text.as_bytes();
                    let pieces = [&bytes[..first], &bytes[first..second], &bytes[second..]];
                    assert_eq!(parse(shape, &pieces), expected, "{text} at {first}, {second}");
                }
            }
        }
    }

    #[test]
    fn bytes_after_the_newline_are_left() {
        let left = |shape, text: &[u8]| match parse(shape, &[text]) {
            Ok(Some((_, left))) => left,
            other => panic!("{other:?}"),
        };
        assert_eq!(left(Shape::Bare, b"[1]\n[1]\n"), 4);
        assert_eq!(left(Shape::Receipt, b"{\"added\":1,\"count\":1}\n{"), 1);
        assert_eq!(
            left(Shape::Receipt, b"{\"error\":{\"code\":\"full\",\"message\":\"\"}}\n{}"),
            2
        );
        let mut parser = ReplyParser::new(Shape::Bare);
        assert_eq!(parser.push(b"[1]\n", |_| {}), Ok(Progress::Complete { consumed: 4 }));
        assert_eq!(parser.push(b"\n", |_| {}), Err(misplaced(b'\n', "after the end of the reply")));
    }

    #[test]
    fn restart_awaits_another_reply() {
        let mut parser = ReplyParser::new(Shape::Receipt);
        for (added, count) in [(1, 10), (20, 200)] {
            let text = format!("{{\"added\":{added},\"count\":{count}}}\n");
            let (head, tail) = text.as_bytes().split_at(5);
            assert_eq!(parser.push(head, |_| {}), Ok(Progress::NeedMore));
            assert_eq!(parser.push(tail, |_| {}), Ok(Progress::Complete { consumed: tail.len() }));
            assert_eq!(parser.receipt(), Receipt { added, count });
            parser.restart();
        }
        let refusal = b"{\"error\":{\"code\":\"full\",\"message\":\"\"}}\n";
        assert!(matches!(parser.push(refusal, |_| {}), Ok(Progress::Refused { .. })));
        parser.restart();
        assert!(matches!(
            parser.push(b"{\"added\":1,\"count\":1}\n", |_| {}),
            Ok(Progress::Complete { .. })
        ));
    }

    #[test]
    fn refusal_survives_every_split_and_brackets() {
        let text = b"{\"error\":{\"code\":\"bad_json\",\"message\":\"expected '[', found {\\\"count\\\":1}\"}}\n";
        for shape in SHAPES {
            for split in 0..=text.len() {
                let (head, tail) = text.split_at(split);
                assert_eq!(
                    parse(shape, &[head, tail]),
                    Ok(Some((Err("bad_json".into()), 0))),
                    "{shape:?} at {split}"
                );
            }
        }
    }

    fn assert_malformed(shape: Shape, texts: &[&str]) {
        for text in texts {
            let result = parse(shape, &[text.as_bytes()]);
            assert!(result.is_err(), "{shape:?} {text:?}: {result:?}");
        }
    }

    #[test]
    fn nonsense_is_malformed() {
        for shape in SHAPES {
            assert_malformed(shape, &["\n", " [1]\n", "nonsense\n", "{}\n", "{\"count\":1}\n"]);
        }
        assert_malformed(
            Shape::Bare,
            &["[1]\r\n", "[1] \n", "[1]]\n", "[2,1.5]\n", "[1]{\"error\":1}\n"],
        );
        assert_malformed(
            Shape::Listing,
            &[
                "[1]\n",
                "{\"count\":-1,\"values\":[1]}\n",
                "{\"count\":,\"values\":[1]}\n",
                "{\"count\":+1,\"values\":[1]}\n",
                "{\"count\":01,\"values\":[1]}\n",
                "{\"count\":1,\"values\":[1]\n",
                "{\"count\":1,\"values\":[1]}}\n",
                "{\"values\":[1],\"count\":1}\n",
                "{\"count\":1,\"values\":[1]}\r\n",
            ],
        );
        assert_malformed(
            Shape::Receipt,
            &[
                "[1]\n",
                "{\"added\":1,\"count\":1}\r\n",
                "{\"added\":1,\"count\":1} \n",
                "{\"added\":1, \"count\":1}\n",
                "{\"added\":1,\"count\":1.0}\n",
                "{\"added\":,\"count\":1}\n",
                "{\"added\":1,\"count\":18446744073709551616}\n",
                "{\"count\":1,\"added\":1}\n",
                "{\"added\":1,\"count\":1,\"values\":[1]}\n",
            ],
        );
        assert_malformed(
            Shape::ReceiptWithValues,
            &["{\"added\":1,\"count\":1}\n", "{\"added\":1,\"count\":1,\"values\":[1]\n"],
        );
    }

    #[test]
    fn endless_head_is_refused() {
        let text = [b'{'; MAX_HEAD_BYTES + 1];
        for shape in SHAPES {
            assert!(parse(shape, &[&text]).is_err());
        }
    }

    proptest! {
        #[test]
        fn split_never_changes_the_outcome(
            text in "(\\{\"count\":1,\"values\":|\\{\"added\":1,\"count\":2)?[-\\[\\]{},:0-9a\n\"]{0,16}",
            split in any::<prop::sample::Index>(),
        ) {
            let (head, tail) = text.as_bytes().split_at(split.index(text.len() + 1));
            for shape in SHAPES {
                prop_assert_eq!(parse(shape, &[head, tail]), parse(shape, &[text.as_bytes()]));
            }
        }
    }
}
