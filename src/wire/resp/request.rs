//! A request: its arguments, as they stand in the bytes that came in.

use std::fmt;

use bytes::{Bytes, BytesMut};

/// A whole request: one or more arguments, the first of which is its name.
///
/// However it was sent, it holds the bulk strings of an array, one after the other; arguments are found
/// when they are asked for, so a request costs no more memory than its bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    strings: BytesMut,
    count: usize,
}

impl Request {
    /// The request of `count` well-formed bulk strings.
    pub(super) fn new(strings: BytesMut, count: usize) -> Request {
        Request { strings, count }
    }

    /// Its arguments, the name first.
    pub fn arguments(&self) -> Arguments<'_> {
        Arguments { strings: &self.strings, left: self.count }
    }

    /// How many bytes it holds.
    pub fn byte_length(&self) -> usize {
        self.strings.len()
    }

    /// Its last argument, as the bulk string that it came in. Copies nothing.
    pub(super) fn into_last_string(self) -> Bytes {
        let mut arguments = self.arguments();
        arguments.by_ref().take(self.count - 1).for_each(drop);
        let start = self.strings.len() - arguments.strings.len();
        self.strings.freeze().slice(start..)
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.arguments().map(<[u8]>::escape_ascii)).finish()
    }
}

/// The arguments of a request that have not been looked at yet, in their order.
#[derive(Clone, Debug)]
pub struct Arguments<'r> {
    strings: &'r [u8],
    left: usize,
}

impl<'r> Iterator for Arguments<'r> {
    type Item = &'r [u8];

    /// O(1).
    fn next(&mut self) -> Option<&'r [u8]> {
        self.left = self.left.checked_sub(1)?;
        let mut length = 0;
        // `$`, the digits of a length that fits, a line end, so many bytes, a line end.
        let mut rest = &self.strings[1..];
        while let [digit @ b'0'..=b'9', after @ ..] = rest {
            length = 10 * length + usize::from(digit - b'0');
            rest = after;
        }
        let (argument, rest) = rest[2..].split_at(length);
        self.strings = &rest[2..];
        Some(argument)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Arguments<'_> {}
