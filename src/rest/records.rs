//! Values as records, one after the other and nothing in between: little-endian bytes, or lines of text.

use std::io::{self, Read};

use crate::command::{Error, ErrorCode, ValueStream, Values};
use crate::json::{self, Integer};

/// Bytes of one value as octets.
pub(super) const OCTETS: usize = size_of::<i64>();

/// The first line of values as CSV: the name of the one column.
const CSV_HEADER: &str = "value";

/// Values encoded at a time: bounds the memory of a streamed reply, and the time of one read.
const CHUNK_VALUES: usize = 512;

/// A stream of values, encoded while they are read. Never fails.
pub(super) struct Records {
    values: ValueStream,
    encode: Encode,
    /// Encoded, and not yet read from `sent` on.
    bytes: Vec<u8>,
    sent: usize,
}

/// Appends a value's record.
type Encode = fn(i64, &mut Vec<u8>);

impl Records {
    /// Little-endian bytes, eight for each value.
    pub(super) fn octets(values: ValueStream) -> Records {
        Records::new(values, "", |value, out| out.extend_from_slice(&value.to_le_bytes()))
    }

    /// A line for each value.
    pub(super) fn lines(values: ValueStream) -> Records {
        Records::new(values, "", push_line)
    }

    /// A line for each value, which stands there as a JSON string.
    pub(super) fn quoted_lines(values: ValueStream) -> Records {
        Records::new(values, "", |value, out| {
            out.push(b'"');
            out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
            out.extend_from_slice(b"\"\n");
        })
    }

    /// A line that names the column, and one for each value.
    pub(super) fn csv(values: ValueStream) -> Records {
        Records::new(values, &format!("{CSV_HEADER}\n"), push_line)
    }

    fn new(values: ValueStream, beginning: &str, encode: Encode) -> Records {
        Records { values, encode, bytes: beginning.into(), sent: 0 }
    }

    /// Encodes the next chunk of values; none are left if that makes no bytes.
    fn encode(&mut self) {
        let mut chunk = [0; CHUNK_VALUES];
        let n = self.values.fill(&mut chunk);
        self.bytes.clear();
        self.sent = 0;
        for &value in &chunk[..n] {
            (self.encode)(value, &mut self.bytes);
        }
    }
}

fn push_line(value: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    out.push(b'\n');
}

impl Read for Records {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut n = 0;
        while n < out.len() {
            if self.sent == self.bytes.len() {
                self.encode();
            }
            let copied = (&self.bytes[self.sent..]).read(&mut out[n..])?;
            if copied == 0 {
                break;
            }
            self.sent += copied;
            n += copied;
        }
        Ok(n)
    }
}

/// The values that these bytes hold, eight for each.
pub(super) fn from_octets(bytes: &[u8]) -> Result<Vec<i64>, Error> {
    let (values, rest) = bytes.as_chunks::<OCTETS>();
    if !rest.is_empty() {
        return Err(bad_request("the body's length is no multiple of 8 bytes"));
    }
    Ok(values.iter().map(|&value| i64::from_le_bytes(value)).collect())
}

/// The values of lines of JSON, one on each. Empty lines mean nothing.
pub(super) fn from_ndjson(text: &[u8]) -> Result<Vec<i64>, Error> {
    collect(text, |line| json::parse(line).ok().map(|Integer(value)| value))
}

/// The values of the one column of a CSV file, whose first line may be its name. Quotes around a value
/// mean nothing, nor do empty lines.
pub(super) fn from_csv(text: &[u8]) -> Result<Vec<i64>, Error> {
    let first = text.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let has_header = unquoted(first.trim_ascii()) == CSV_HEADER.as_bytes();
    let lines = if has_header { &text[first.len()..] } else { text };
    collect(lines, |line| str::from_utf8(unquoted(line)).ok()?.parse().ok())
}

fn unquoted(field: &[u8]) -> &[u8] {
    let inner = field.strip_prefix(b"\"").and_then(|field| field.strip_suffix(b"\""));
    inner.unwrap_or(field)
}

/// What `parse` makes of each line, or a refusal that names the position of a value of which it makes
/// none.
fn collect(text: &[u8], parse: fn(&[u8]) -> Option<i64>) -> Result<Vec<i64>, Error> {
    let lines = text.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    let mut values = Vec::new();
    for line in lines.filter(|line| !line.is_empty()) {
        let position = values.len();
        values.push(parse(line).ok_or_else(|| {
            bad_request(format!("the value at position {position} is not a 64-bit signed integer"))
        })?);
    }
    Ok(values)
}

fn bad_request(message: impl Into<String>) -> Error {
    Error::new(ErrorCode::BadRequest, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes of a stream, read in pieces of this size.
    fn read(mut records: Records, size: usize) -> Vec<u8> {
        let (mut bytes, mut buffer) = (Vec::new(), vec![0; size]);
        loop {
            match records.read(&mut buffer).expect("it never fails") {
                0 => break,
                n => bytes.extend_from_slice(&buffer[..n]),
            }
        }
        assert_eq!(records.read(&mut buffer).expect("it never fails"), 0, "it stays ended");
        bytes
    }

    fn stream(values: &[i64]) -> ValueStream {
        ValueStream::new(Vec::from(values).into_iter())
    }

    #[test]
    fn records_read_the_same_in_pieces_of_any_size_and_decode_to_what_they_were() {
        type Form = (fn(ValueStream) -> Records, fn(&[u8]) -> Result<Vec<i64>, Error>);
        let forms: [Form; 3] = [
            (Records::octets, from_octets),
            (Records::lines, from_ndjson),
            (Records::csv, from_csv),
        ];
        let edges = [i64::MIN, -1, 0, 1, 0x0a0d_2009, i64::MAX];
        let values: Vec<i64> = edges.into_iter().chain(0..1100).collect();
        for (encode, decode) in forms {
            for values in [&values[..], &edges, &[]] {
                let whole = read(encode(stream(values)), 1 << 20);
                assert_eq!(decode(&whole).as_deref(), Ok(values));
                for size in [1, 3, 7, 8, 9, 4096] {
                    assert_eq!(read(encode(stream(values)), size), whole, "{size}");
                }
            }
        }
    }

    #[test]
    fn each_form_is_what_it_should_be() {
        let values = || stream(&[-1, 256]);
        let octets = [[255; 8], [0, 1, 0, 0, 0, 0, 0, 0]].concat();
        assert_eq!(read(Records::octets(values()), 99), octets);
        assert_eq!(read(Records::lines(values()), 99), b"-1\n256\n");
        assert_eq!(read(Records::quoted_lines(values()), 99), b"\"-1\"\n\"256\"\n");
        assert_eq!(read(Records::csv(values()), 99), b"value\n-1\n256\n");
        assert_eq!(read(Records::csv(stream(&[])), 99), b"value\n");
    }

    #[test]
    fn lines_are_read_as_others_write_them() {
        for text in ["5\n-3\n", "5\r\n-3\r\n", "5\n-3", "\n 5 \n\n\t-3\n\n"] {
            assert_eq!(from_ndjson(text.as_bytes()), Ok(vec![5, -3]), "{text:?}");
            assert_eq!(from_csv(text.as_bytes()), Ok(vec![5, -3]), "{text:?}");
            for header in ["value\n", "value\r\n", "\"value\"\n"] {
                assert_eq!(from_csv(format!("{header}{text}").as_bytes()), Ok(vec![5, -3]));
            }
        }
        assert_eq!(from_csv(b"\"5\"\n\"-3\"\n"), Ok(vec![5, -3]));
        assert_eq!(from_csv(b"value"), Ok(vec![]));
        assert_eq!(from_ndjson(b" \n"), Ok(vec![]));
    }

    #[test]
    fn what_is_no_value_is_refused_by_its_position() {
        for bad in ["x", "1.0", "1e2", "5 6", "5,6", "9223372036854775808", "0x5", "\u{0661}"] {
            for (position, before) in ["", "7\n", "7\n\n8\n"].into_iter().enumerate() {
                let text = format!("{before}{bad}\n9\n");
                for result in [from_ndjson(text.as_bytes()), from_csv(text.as_bytes())] {
                    let error = result.expect_err(&text);
                    assert_eq!(error.code, ErrorCode::BadRequest);
                    let named = format!("position {position} ");
                    assert!(error.message.contains(&named), "{text:?}: {error}");
                }
            }
        }
        for bad in [&b"\"5\""[..], b"[5]", b"{}", b"null", b"+5", b"05", b"\xff"] {
            assert!(from_ndjson(bad).is_err(), "{bad:?}");
        }
        for bad in [&b"5\nvalue\n"[..], b"values\n5", b"\"5", b"\"\"", b"a,b\n1,2", b"\xff"] {
            assert!(from_csv(bad).is_err(), "{bad:?}");
        }
        for bad in [&[0; 7][..], &[0; 9]] {
            assert_eq!(from_octets(bad).map_err(|e| e.code), Err(ErrorCode::BadRequest));
        }
    }
}
