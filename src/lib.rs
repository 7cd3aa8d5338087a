//! A server that keeps one array of 64-bit integers sorted at every instant while thousands of
//! clients add to it, and the concurrent sorted multiset that it is built on.
//!
//! The store is usable by itself ([`store::SortedMultiset`]).
//!
//! The rooms, from the data outward:
//!
//! - [`store`]: the concurrent sorted multiset. No I/O, no clock, no logging.
//! - [`command`]: the one vocabulary of every face: what can be asked, what is answered.
//! - [`execute`]: what each command means; the only place where meaning meets data.
//! - [`json`]: arrays of integers in, replies out, as every face reads and writes them.
//! - [`wire`]: the protocols as state machines that never touch a socket.
//! - [`session`]: what a connection has agreed on.
//! - [`rest`]: the REST API, written with rouille.

pub mod command;
pub mod execute;
pub mod json;
pub mod rest;
pub mod session;
pub mod store;
pub mod wire;
