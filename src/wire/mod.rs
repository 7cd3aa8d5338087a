//! The protocols as state machines that never touch a socket: bytes in, requests out; replies in,
//! bytes out.
//!
//! A decoder is fed with whatever has arrived, in pieces of any size, and answers one of three
//! things: incomplete, a request (taken off the input), or refused. That of HTTP has a fourth one:
//! incomplete, and the client may be waiting to hear that it shall go on.

pub mod http;
pub mod lines;
pub mod resp;
#[cfg(test)]
mod split;
