//! A server that keeps one array of 64-bit integers sorted at every instant while thousands of
//! clients add to it, and the concurrent sorted multiset that it is built on.
//!
//! The store is usable by itself ([`store::SortedMultiset`]); so is the whole server ([`Server`]).
//!
//! The rooms, from the data outward:
//!
//! - [`store`]: the concurrent sorted multiset. No I/O, no clock, no logging.
//! - [`command`]: the one vocabulary of every face: what can be asked, what is answered.
//! - [`execute`]: what each command means; the only place where meaning meets data.
//! - [`metrics`]: what the server counts about itself.
//! - [`json`]: arrays of integers in, replies out, as every face reads and writes them.
//! - [`wire`]: the protocols as state machines that never touch a socket.
//! - [`session`]: what a connection has agreed on.
//! - [`rest`]: the REST API, written with rouille.
//! - `net`: event loops, connections, listeners, timers.
//! - [`config`]: flags and environment.
//! - [`server`]: binds, starts, shuts down, joins.

pub mod command;
pub mod config;
pub mod execute;
pub mod json;
pub mod metrics;
mod net;
pub mod rest;
pub mod server;
pub mod session;
pub mod store;
pub mod wire;

/// The README's examples, compiled and run.
#[doc = include_str!("../README.md")]
#[cfg(doctest)]
struct Readme;

pub use config::Config;
pub use server::{Server, ShutdownHandle, StartError};
