//! Sockets: event loops that own them, connections that move bytes between them and the protocols.

mod connection;
mod event_loop;
mod face;
mod helpers;
mod listener;
mod mailbox;
mod registry;
mod timers;

pub(crate) use connection::Limits;
pub(crate) use event_loop::{EventLoop, Lifecycle, Setup};
pub(crate) use helpers::Helpers;
pub(crate) use listener::bind;
