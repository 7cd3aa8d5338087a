//! Values as bytes: little-endian, eight each, nothing in between.

use std::io::{self, Read};

use crate::command::{ValueStream, Values};

/// Bytes of one value.
pub(super) const VALUE_BYTES: usize = size_of::<i64>();

/// Values encoded at a time: bounds the memory of a streamed reply, and the time of one read.
const CHUNK_VALUES: usize = 512;

/// The values that these bytes hold, or none if they end inside one.
pub(super) fn decode(bytes: &[u8]) -> Option<Vec<i64>> {
    let (values, rest) = bytes.as_chunks();
    rest.is_empty().then(|| values.iter().map(|&value| i64::from_le_bytes(value)).collect())
}

/// The bytes of a stream of values, encoded while they are read. Never fails.
pub(super) struct Octets {
    values: ValueStream,
    /// Encoded, and not yet read from `sent` on.
    bytes: Vec<u8>,
    sent: usize,
}

impl Octets {
    pub(super) fn new(values: ValueStream) -> Octets {
        Octets { values, bytes: Vec::new(), sent: 0 }
    }

    /// Encodes the next chunk of values; none are left if that makes no bytes.
    fn encode(&mut self) {
        let mut chunk = [0; CHUNK_VALUES];
        let n = self.values.fill(&mut chunk);
        self.bytes.clear();
        self.bytes.extend(chunk[..n].iter().flat_map(|value| value.to_le_bytes()));
        self.sent = 0;
    }
}

impl Read for Octets {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_read_the_same_in_pieces_of_any_size_and_decode_to_what_they_were() {
        let edges = [i64::MIN, -1, 0, 1, 0x0a0d_2009, i64::MAX];
        let values: Vec<i64> = edges.into_iter().chain(0..1100).collect();
        for size in [1, 3, 7, 8, 9, 4096, 100_000] {
            let mut octets = Octets::new(ValueStream::new(values.clone().into_iter()));
            let (mut bytes, mut buffer) = (Vec::new(), vec![0; size]);
            loop {
                match octets.read(&mut buffer).expect("it never fails") {
                    0 => break,
                    n => bytes.extend_from_slice(&buffer[..n]),
                }
            }
            assert_eq!(bytes[8..16], [0xff; 8], "minus one");
            assert_eq!(bytes[24..32], [1, 0, 0, 0, 0, 0, 0, 0], "the lowest byte first");
            assert_eq!(decode(&bytes).as_ref(), Some(&values));
            assert_eq!(octets.read(&mut buffer).expect("it never fails"), 0, "it stays ended");
        }
    }

    #[test]
    fn a_value_cut_short_is_none() {
        assert_eq!(decode(&[]), Some(vec![]));
        assert_eq!(decode(&[0; 7]), None);
        assert_eq!(decode(&[0; 9]), None);
    }
}
