//! What a socket connection has agreed on with the server: the dialect that it speaks, and in RESP the
//! version and the client's names.

use std::net::SocketAddr;

/// How a socket connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// One JSON request a line, one JSON reply a line.
    JsonLines,
    /// The protocol of Redis.
    Resp,
}

impl Dialect {
    /// Tells the dialect by a connection's first byte, which decides for its whole life.
    pub fn of_first_byte(byte: u8) -> Option<Dialect> {
        match byte {
            b'[' | b'{' | b' ' | b'\t' | b'\r' | b'\n' => Some(Dialect::JsonLines),
            b'*' | b'a'..=b'z' | b'A'..=b'Z' => Some(Dialect::Resp),
            _ => None,
        }
    }
}

/// A version of the protocol of Redis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RespVersion {
    /// RESP2, which every connection starts with.
    #[default]
    Two,
    /// RESP3, after `HELLO 3`.
    Three,
}

impl RespVersion {
    /// Its number.
    pub fn number(self) -> i64 {
        match self {
            RespVersion::Two => 2,
            RespVersion::Three => 3,
        }
    }

    /// The version with this number.
    pub fn from_number(number: i64) -> Option<RespVersion> {
        [RespVersion::Two, RespVersion::Three].into_iter().find(|known| known.number() == number)
    }
}

/// What a connection that speaks RESP has agreed on.
#[derive(Clone, Debug)]
pub struct Session {
    /// The number of the connection: no other one of this server ever has the same.
    pub id: u64,
    /// Where the client is.
    pub peer: SocketAddr,
    /// The version of the protocol.
    pub version: RespVersion,
    /// What the client calls itself.
    pub name: Name,
    /// The name of the library that it uses.
    pub library_name: Name,
    /// The version of that library.
    pub library_version: Name,
}

impl Session {
    /// The session of a connection that has agreed on nothing yet.
    pub fn new(id: u64, peer: SocketAddr) -> Session {
        Session {
            id,
            peer,
            version: RespVersion::Two,
            name: Name::default(),
            library_name: Name::default(),
            library_version: Name::default(),
        }
    }

    /// Forgets all that has been agreed on.
    pub fn reset(&mut self) {
        *self = Session::new(self.id, self.peer);
    }
}

/// A name that a client gives to itself or a part of it: printable ASCII without spaces, or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Name(Box<str>);

impl Name {
    /// The longest name: each connection keeps a few of them.
    pub const MAX_BYTES: usize = 256;

    /// The name in these bytes.
    ///
    /// # Errors
    /// When it has a character that it must not have, or is too long.
    pub fn parse(bytes: &[u8]) -> Result<Name, NameError> {
        if bytes.len() > Name::MAX_BYTES {
            return Err(NameError::TooLong);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| NameError::BadCharacter)?;
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(NameError::BadCharacter);
        }
        Ok(Name(text.into()))
    }

    /// The name as text; empty if there is none.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why something is no [`Name`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameError {
    /// A character is not printable ASCII, or a space.
    BadCharacter,
    /// It is longer than [`Name::MAX_BYTES`].
    TooLong,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_byte_tells_the_dialect() {
        for byte in 0..=u8::MAX {
            let expected = match byte {
                b'[' | b'{' | b' ' | b'\t' | b'\r' | b'\n' => Some(Dialect::JsonLines),
                b'*' => Some(Dialect::Resp),
                _ if byte.is_ascii_alphabetic() => Some(Dialect::Resp),
                _ => None,
            };
            assert_eq!(Dialect::of_first_byte(byte), expected, "{}", byte.escape_ascii());
        }
    }

    #[test]
    fn a_name_is_printable_and_short() {
        let longest = "x".repeat(Name::MAX_BYTES);
        for name in ["", "a", "redis-py(x_v1)", "~!", &longest] {
            assert_eq!(Name::parse(name.as_bytes()).expect("it is a name").as_str(), name);
        }
        let bad = [&b" "[..], b"a b", b"a\n", b"\0", b"\x7f", b"\xff", "\u{e9}".as_bytes()];
        for name in bad {
            assert_eq!(Name::parse(name), Err(NameError::BadCharacter), "{name:?}");
        }
        assert_eq!(Name::parse(&vec![b'x'; Name::MAX_BYTES + 1]), Err(NameError::TooLong));
    }

    #[test]
    fn a_reset_leaves_only_who_it_is() {
        let peer = SocketAddr::from(([127, 0, 0, 1], 5));
        let mut session = Session::new(7, peer);
        session.version = RespVersion::Three;
        session.name = Name::parse(b"me").expect("it is a name");
        session.reset();
        assert_eq!((session.id, session.peer, session.version), (7, peer, RespVersion::Two));
        assert_eq!(session.name.as_str(), "");
    }
}
