//! Documents that are written while they are read.

use std::io::{self, Read};

use crate::command::{ValueStream, Values};

/// Values encoded at a time: bounds the memory of a streamed reply, and the time of one read.
const CHUNK_VALUES: usize = 512;

/// How integers of the array are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Numbers {
    /// As JSON numbers.
    #[default]
    Plain,
    /// As JSON strings, for readers that lose integers beyond 2^53.
    Strings,
}

impl Numbers {
    /// The value that this name stands for in requests.
    pub fn from_name(name: &str) -> Option<Numbers> {
        match name {
            "number" => Some(Numbers::Plain),
            "string" => Some(Numbers::Strings),
            _ => None,
        }
    }
}

/// A JSON array and what comes after it, encoded while it is read.
///
/// Reads as the values in the form `[1,2,3]`, then `suffix`, in O(1) memory whatever their number. Never fails, and never blocks for longer than the values take to come.
pub struct JsonDocument {
    values: ValueStream,
    /// Encoded and not yet read, from `sent` on.
    text: Vec<u8>,
    sent: usize,
    numbers: Numbers,
    /// Whether the next value is the array's first.
    first: bool,
    /// Written once the values have ended; none after that.
    suffix: Option<&'static str>,
}

impl JsonDocument {
    /// The array and `suffix`.
    pub fn new(values: ValueStream, numbers: Numbers, suffix: &'static str) -> JsonDocument {
        let text = vec![b'['];
        JsonDocument { values, text, sent: 0, numbers, first: true, suffix: Some(suffix) }
    }

    /// A document whose text is there already.
    pub(super) fn of_text(text: String) -> JsonDocument {
        let values = ValueStream::new(Vec::new().into_iter());
        JsonDocument {
            text: text.into_bytes(),
            suffix: None,
            ..JsonDocument::new(values, Numbers::Plain, "")
        }
    }

    /// The same behind `beginning`, as a document of which nothing has been read.
    pub fn preceded_by(self, beginning: String) -> JsonDocument {
        let mut text = beginning.into_bytes();
        text.extend_from_slice(&self.text[self.sent..]);
        JsonDocument { text, sent: 0, ..self }
    }

    /// Encodes the next chunk of values, or the end.
    fn encode(&mut self) {
        self.text.clear();
        self.sent = 0;
        let mut chunk = [0; CHUNK_VALUES];
        let n = self.values.fill(&mut chunk);
        let mut digits = itoa::Buffer::new();
        let quote: &[u8] = match self.numbers {
            Numbers::Plain => b"",
            Numbers::Strings => b"\"",
        };
        for &value in &chunk[..n] {
            if !self.first {
                self.text.push(b',');
            }
            self.first = false;
            self.text.extend_from_slice(quote);
            self.text.extend_from_slice(digits.format(value).as_bytes());
            self.text.extend_from_slice(quote);
        }
        if n == 0
            && let Some(suffix) = self.suffix.take()
        {
            self.text.push(b']');
            self.text.extend_from_slice(suffix.as_bytes());
        }
    }
}

impl Read for JsonDocument {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut n = 0;
        while n < out.len() {
            if self.sent == self.text.len() {
                if self.suffix.is_none() {
                    break;
                }
                self.encode();
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

#[cfg(test)]
mod tests {
    use super::*;

    fn text(values: Vec<i64>, numbers: Numbers, read_at_a_time: usize) -> String {
        let values = ValueStream::new(values.into_iter());
        let mut document = JsonDocument::new(values, numbers, "}\n");
        let mut text = Vec::new();
        let mut buffer = vec![0; read_at_a_time];
        loop {
            match document.read(&mut buffer).expect("it never fails") {
                0 => return String::from_utf8(text).expect("it is ASCII"),
                n => text.extend_from_slice(&buffer[..n]),
            }
        }
    }

    #[test]
    fn it_reads_the_same_in_pieces_of_any_size() {
        let edges = vec![i64::MIN, -1, 0, 7, i64::MAX];
        let plain = "[-9223372036854775808,-1,0,7,9223372036854775807]}\n";
        let strings = "[\"-9223372036854775808\",\"-1\",\"0\",\"7\",\"9223372036854775807\"]}\n";
        for (numbers, expected) in [(Numbers::Plain, plain), (Numbers::Strings, strings)] {
            for size in 1..expected.len() + 2 {
                assert_eq!(text(edges.clone(), numbers, size), expected);
            }
            assert_eq!(text(vec![], numbers, 3), "[]}\n");
        }
    }

    #[test]
    fn it_crosses_chunks() {
        let n = i64::try_from(3 * CHUNK_VALUES + 1).expect("it is small");
        let values: Vec<i64> = (0..n).collect();
        let expected = format!("{}}}\n", serde_json::json!(values));
        assert_eq!(text(values, Numbers::Plain, 100), expected);
    }
}
