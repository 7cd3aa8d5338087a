//! What a socket connection has agreed on with the server: so far, the dialect that it speaks.

/// How a socket connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// One JSON request a line, one JSON reply a line.
    JsonLines,
}

impl Dialect {
    /// Tells the dialect by a connection's first byte, which decides for its whole life.
    pub fn of_first_byte(byte: u8) -> Option<Dialect> {
        match byte {
            b'[' | b'{' | b' ' | b'\t' | b'\r' | b'\n' => Some(Dialect::JsonLines),
            _ => None,
        }
    }
}
