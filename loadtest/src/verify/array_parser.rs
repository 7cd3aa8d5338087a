//! A strict streaming parser of one JSON array of `i64`, fed by the piece as bytes arrive.
//!
//! It accepts `[`, integers separated by single commas, `]`, and nothing else: no white space, no
//! fraction, no leading zero, no `-0`, no number outside `i64`. It holds one half-read number and
//! allocates nothing.

use std::fmt;

/// The most digits an `i64` can have. So many still fit into a `u64`, whatever they are, so that
/// the sum needs no overflow check of its own.
const MAX_DIGITS: u8 = 19;

/// What a piece of input led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parsed {
    /// All of the piece was taken and the array goes on.
    NeedMore,
    /// The closing bracket was the last of the first `consumed` bytes of the piece.
    Closed {
        /// Bytes of the piece that belong to the array.
        consumed: usize,
    },
}

/// Where and why the input is no array of `i64`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    /// Bytes before the offending one, from the array's first byte on.
    offset: u64,
    problem: Problem,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Problem {
    Unexpected { byte: u8, expected: &'static str },
    OutOfRange,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problem {
            Problem::Unexpected { byte, expected } => {
                let found = char::from(byte).escape_default();
                write!(f, "'{found}' at byte {} of the array, expected {expected}", self.offset)
            }
            Problem::OutOfRange => {
                write!(
                    f,
                    "the number that ends at byte {} of the array is no 64-bit integer",
                    self.offset
                )
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before the opening bracket.
    Start,
    /// After the opening bracket: a value or the end.
    FirstOrEnd,
    /// After a comma: a value must come.
    Value,
    /// After a minus: a digit other than zero must come.
    Minus,
    /// After a lone zero: no further digit may come.
    Zero,
    /// Inside a number.
    Digits,
    /// After the closing bracket.
    Closed,
}

/// The parser's place between two pieces of input.
#[derive(Clone, Debug)]
pub(crate) struct ArrayParser {
    state: State,
    negative: bool,
    magnitude: u64,
    digits: u8,
    /// Bytes of the pieces before the current one.
    taken: u64,
}

impl ArrayParser {
    /// A parser that expects an opening bracket.
    pub(crate) fn new() -> Self {
        Self { state: State::Start, negative: false, magnitude: 0, digits: 0, taken: 0 }
    }

    /// A parser of an array whose opening bracket has been taken already.
    pub(crate) fn inside() -> Self {
        Self { state: State::FirstOrEnd, taken: 1, ..Self::new() }
    }

    /// Takes a piece of input and hands each completed value to `each`.
    ///
    /// After an error or `Closed` the parser is used up.
    pub(crate) fn push(
        &mut self,
        bytes: &[u8],
        mut each: impl FnMut(i64),
    ) -> Result<Parsed, SyntaxError> {
        let mut at = 0;
        while at < bytes.len() {
            if self.state == State::Value {
                at = take_whole_values(bytes, at, &mut each);
                if at == bytes.len() {
                    break;
                }
            }
            let byte = bytes[at];
            match (self.state, byte) {
                (State::Start, b'[') => self.state = State::FirstOrEnd,
                (State::FirstOrEnd | State::Value, b'-') => {
                    self.negative = true;
                    self.state = State::Minus;
                }
                (State::FirstOrEnd | State::Value, b'0') => self.start_number(0, State::Zero),
                (State::FirstOrEnd | State::Value | State::Minus, b'1'..=b'9') => {
                    self.start_number(byte - b'0', State::Digits);
                }
                (State::Digits, b'0'..=b'9') => self.add_digit(byte - b'0', at)?,
                (State::Zero | State::Digits, b',') => {
                    each(self.finish_number(at)?);
                    self.state = State::Value;
                }
                (State::Zero | State::Digits, b']') => {
                    each(self.finish_number(at)?);
                    self.state = State::Closed;
                    return Ok(Parsed::Closed { consumed: at + 1 });
                }
                (State::FirstOrEnd, b']') => {
                    self.state = State::Closed;
                    return Ok(Parsed::Closed { consumed: at + 1 });
                }
                _ => return Err(self.unexpected(byte, at)),
            }
            at += 1;
        }
        self.taken += bytes.len() as u64;
        Ok(Parsed::NeedMore)
    }

    fn start_number(&mut self, digit: u8, state: State) {
        self.magnitude = u64::from(digit);
        self.digits = 1;
        self.state = state;
    }

    fn add_digit(&mut self, digit: u8, at: usize) -> Result<(), SyntaxError> {
        if self.digits == MAX_DIGITS {
            return Err(self.error(at, Problem::OutOfRange));
        }
        self.magnitude = self.magnitude * 10 + u64::from(digit);
        self.digits += 1;
        Ok(())
    }

    fn finish_number(&mut self, at: usize) -> Result<i64, SyntaxError> {
        let value = signed(self.negative, self.magnitude);
        self.negative = false;
        value.ok_or_else(|| self.error(at, Problem::OutOfRange))
    }

    fn unexpected(&self, byte: u8, at: usize) -> SyntaxError {
        let expected = match self.state {
            State::Start => "'['",
            State::FirstOrEnd => "an integer or ']'",
            State::Value => "an integer",
            State::Minus => "a digit from 1 to 9",
            State::Zero => "',' or ']'",
            State::Digits => "a digit, ',' or ']'",
            State::Closed => "nothing",
        };
        self.error(at, Problem::Unexpected { byte, expected })
    }

    fn error(&self, at: usize, problem: Problem) -> SyntaxError {
        SyntaxError { offset: self.taken + at as u64, problem }
    }
}

/// Takes every number from `at` on that stands whole in the piece with the comma after it, and
/// returns the index after the last comma. That is nearly all of a long reply, without a state to
/// keep from byte to byte. What is cut by the piece's end, the last number and everything wrong are
/// left where they stand.
fn take_whole_values(bytes: &[u8], mut at: usize, each: &mut impl FnMut(i64)) -> usize {
    loop {
        let negative = bytes.get(at) == Some(&b'-');
        let first = at + usize::from(negative);
        let mut end = first;
        let mut magnitude = 0_u64;
        while let Some(byte) = bytes.get(end)
            && byte.is_ascii_digit()
            && end - first < usize::from(MAX_DIGITS)
        {
            magnitude = magnitude * 10 + u64::from(byte - b'0');
            end += 1;
        }
        let plain = match end - first {
            0 => false,
            1 => magnitude > 0 || !negative,
            _ => bytes[first] != b'0',
        };
        match signed(negative, magnitude) {
            Some(value) if plain && bytes.get(end) == Some(&b',') => each(value),
            _ => return at,
        }
        at = end + 1;
    }
}

fn signed(negative: bool, magnitude: u64) -> Option<i64> {
    if negative { 0_i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Parses `pieces` one after another; the values, or `None` if they are no whole array.
    fn parse(pieces: &[&[u8]]) -> Option<Vec<i64>> {
        let mut parser = ArrayParser::new();
        let mut values = Vec::new();
        for (index, piece) in pieces.iter().enumerate() {
            match parser.push(piece, |value| values.push(value)) {
                Ok(Parsed::NeedMore) => {}
                Ok(Parsed::Closed { consumed }) => {
                    let whole = consumed == piece.len()
                        && pieces[index + 1..].iter().all(|rest| rest.is_empty());
                    return whole.then_some(values);
                }
                Err(_) => return None,
            }
        }
        None
    }

    fn problem(text: &str) -> String {
        match ArrayParser::new().push(text.as_bytes(), |_| {}) {
            Err(error) => error.to_string(),
            Ok(parsed) => panic!("{text:?} must be refused, but gave {parsed:?}"),
        }
    }

    #[test]
    fn values_survive_every_split() {
        let text = b"[0,-9223372036854775808,-10,-1,0,0,7,9223372036854775807,120]";
        let expected = Some(vec![0, i64::MIN, -10, -1, 0, 0, 7, i64::MAX, 120]);
        for first in 0..=text.len() {
            for second in first..=text.len() {
                assert_eq!(
                    parse(&[&text[..first], &text[first..second], &text[second..]]),
                    expected
                );
            }
        }
    }

    #[test]
    fn empty_array_closes() {
        assert_eq!(parse(&[b"[]"]), Some(vec![]));
        assert_eq!(parse(&[b"[", b"", b"]"]), Some(vec![]));
    }

    #[test]
    fn consumed_leaves_what_follows() {
        let parsed = ArrayParser::new().push(b"[1,2]\n", |_| {});
        assert_eq!(parsed, Ok(Parsed::Closed { consumed: 5 }));
    }

    #[test]
    fn inside_counts_the_bracket() {
        let mut parser = ArrayParser::inside();
        assert_eq!(parser.push(b"1,", |_| {}), Ok(Parsed::NeedMore));
        let error = parser.push(b"]", |_| {}).expect_err("a value must come");
        assert_eq!(error.to_string(), "']' at byte 3 of the array, expected an integer");
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "[",
            "1",
            "{}",
            "[,]",
            "[1,]",
            "[,1]",
            "[1,,2]",
            "[1 ,2]",
            "[ 1]",
            "[01]",
            "[00]",
            "[-0]",
            "[-]",
            "[--1]",
            "[+1]",
            "[1.0]",
            "[1e3]",
            "[\"1\"]",
            "[null]",
            "[[1]]",
            "[1]]",
            "[1]\n",
            "[1-2]",
            "[9223372036854775808]",
            "[-9223372036854775809]",
            "[18446744073709551617]",
            "[10000000000000000000]",
            "[99999999999999999999]",
            "[-99999999999999999999999]",
        ] {
            assert_eq!(parse(&[text.as_bytes()]), None, "{text:?}");
            // Later values take another way through the parser than the first.
            if let Some(rest) = text.strip_prefix('[') {
                let later = format!("[1,{rest}");
                assert_eq!(parse(&[later.as_bytes()]), None, "{later:?}");
            }
        }
    }

    #[test]
    fn errors_name_byte_and_place() {
        assert_eq!(problem("[1,x]"), "'x' at byte 3 of the array, expected an integer");
        assert_eq!(problem("[1\n"), "'\\n' at byte 2 of the array, expected a digit, ',' or ']'");
        assert_eq!(
            problem("[9223372036854775808]"),
            "the number that ends at byte 20 of the array is no 64-bit integer"
        );
    }

    #[test]
    fn error_offset_counts_earlier_pieces() {
        let mut parser = ArrayParser::new();
        assert_eq!(parser.push(b"[1,2", |_| {}), Ok(Parsed::NeedMore));
        let error = parser.push(b"3;", |_| {}).expect_err("a semicolon is no comma");
        assert_eq!(error.to_string(), "';' at byte 5 of the array, expected a digit, ',' or ']'");
    }

    proptest! {
        #[test]
        fn any_array_round_trips(
            values in prop::collection::vec(any::<i64>(), 0..50),
            split in any::<prop::sample::Index>(),
        ) {
            let text = serde_json::to_vec(&values).expect("integers serialise");
            let (head, tail) = text.split_at(split.index(text.len() + 1));
            prop_assert_eq!(parse(&[head, tail]), Some(values));
        }

        /// Whatever it accepts a full JSON parser accepts too, with the same values, and the split
        /// changes nothing.
        #[test]
        fn garbage_is_never_misread(
            text in "[-\\[\\], 0-9]{0,24}",
            split in any::<prop::sample::Index>(),
        ) {
            let whole = parse(&[text.as_bytes()]);
            let (head, tail) = text.split_at(split.index(text.len() + 1));
            prop_assert_eq!(&parse(&[head.as_bytes(), tail.as_bytes()]), &whole);
            if whole.is_some() {
                prop_assert_eq!(serde_json::from_str::<Vec<i64>>(&text).ok(), whole);
            }
        }

        #[test]
        fn any_bytes_end_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&[&bytes]);
        }
    }
}
