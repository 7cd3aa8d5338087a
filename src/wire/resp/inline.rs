//! Inline commands: a line of words, for people at a terminal.

use bytes::BytesMut;

use super::decoder::ProtocolError;
use super::encode;
use super::request::Request;

/// The request that a line holds; none if it is empty.
///
/// Words are separated by white space. Double quotes hold a word together and know the escapes `\n`,
/// `\r`, `\t`, `\a`, `\b`, `\xHH`, `\\` and `\"`; single quotes know `\'` alone.
pub(super) fn parse(line: &[u8]) -> Result<Option<Request>, ProtocolError> {
    let mut rest = line.trim_ascii();
    let mut strings = BytesMut::with_capacity(2 * rest.len());
    let mut count = 0;
    let mut word = Vec::new();
    while !rest.is_empty() {
        word.clear();
        rest = parse_word(rest, &mut word).ok_or(ProtocolError::UnbalancedQuotes)?;
        encode::bulk_string(&word, &mut strings);
        count += 1;
        rest = rest.trim_ascii_start();
    }
    Ok((count > 0).then(|| Request::new(strings, count)))
}

/// Moves the first word to `word` and returns what is behind it; none if its quotes are unbalanced.
fn parse_word<'l>(mut rest: &'l [u8], word: &mut Vec<u8>) -> Option<&'l [u8]> {
    loop {
        rest = match rest {
            [quote @ (b'"' | b'\''), after @ ..] => {
                let after = parse_quoted(*quote, after, word)?;
                let is_at_end = after.first().is_none_or(u8::is_ascii_whitespace);
                return is_at_end.then_some(after);
            }
            [byte, after @ ..] if !byte.is_ascii_whitespace() => {
                word.push(*byte);
                after
            }
            _ => return Some(rest),
        }
    }
}

/// Moves what is before the closing quote to `word` and returns what is behind it.
fn parse_quoted<'l>(quote: u8, mut rest: &'l [u8], word: &mut Vec<u8>) -> Option<&'l [u8]> {
    loop {
        let (byte, after) = match rest {
            [byte, after @ ..] if *byte == quote => return Some(after),
            [b'\\', b'x', high, low, after @ ..] if quote == b'"' && is_hex(*high, *low) => {
                (hex(*high) << 4 | hex(*low), after)
            }
            [b'\\', escaped, after @ ..] if quote == b'"' => (unescape(*escaped), after),
            [b'\\', b'\'', after @ ..] => (b'\'', after),
            [byte, after @ ..] => (*byte, after),
            [] => return None,
        };
        word.push(byte);
        rest = after;
    }
}

fn unescape(byte: u8) -> u8 {
    match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'a' => 0x07,
        b'b' => 0x08,
        other => other,
    }
}

fn is_hex(high: u8, low: u8) -> bool {
    high.is_ascii_hexdigit() && low.is_ascii_hexdigit()
}

/// The value of a hexadecimal digit.
fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}
