//! RESP, the protocol of Redis, versions 2 and 3: requests cut from a stream of bytes, what they mean,
//! and replies as bytes.
//!
//! A [`Decoder`] cuts requests from the input, [`interpret`] says what has to be done about one, and
//! [`encode()`] writes the reply to a command.

mod array;
mod connection;
mod decoder;
mod docs;
mod encode;
mod info;
mod inline;
mod meaning;
mod refusal;
mod reply;
mod request;
mod table;

pub use self::decoder::{Decoded, Decoder, ProtocolError};
pub use self::encode::Integers;
pub use self::meaning::{MAX_PARSED_BYTES, Meaning, Unparsed, interpret};
pub use self::refusal::refusal_in;
pub use self::reply::{Form, encode};
pub use self::request::{Arguments, Request};

#[cfg(test)]
mod tests;
