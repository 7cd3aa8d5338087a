//! The protocols as state machines that never touch a socket: bytes in, requests out; replies in,
//! bytes out.
//!
//! A decoder is fed with whatever has arrived, in pieces of any size, and answers one of three
//! things: incomplete, a request (taken off the input), or refused.

pub mod http;
pub mod lines;
