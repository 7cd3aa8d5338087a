//! RESP, the protocol of Redis: requests cut from a stream of bytes.

mod decoder;
mod encode;
mod inline;
mod request;

pub use self::decoder::{Decoded, Decoder, ProtocolError};
pub use self::request::{Arguments, Request};
