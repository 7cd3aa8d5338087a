//! Verification without a socket or a clock: replies parsed as they stream in, arrays checked value
//! by value, and the books of what the server should hold.

mod array_parser;
mod checks;
mod ledger;
mod reply;
mod server_error;

#[cfg(test)]
pub(crate) use checks::Check;
pub(crate) use checks::{ArrayChecks, CheckFailure};
pub(crate) use ledger::{Ledger, check_announced};
pub(crate) use reply::{Progress, ReplyError, ReplyParser, Shape, refusal_or_nonsense};
pub(crate) use server_error::ServerError;
