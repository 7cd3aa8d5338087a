//! Verification without a socket or a clock: replies parsed as they stream in, arrays checked value
//! by value, receipts, and the books of what the server should hold.

mod array_parser;
mod checks;
mod comparison;
mod ledger;
mod receipt;
mod reply;
mod server_error;

#[cfg(test)]
pub(crate) use checks::Check;
pub(crate) use checks::{ArrayChecks, CheckFailure};
pub(crate) use ledger::{Ledger, check_announced};
pub(crate) use reply::{Malformed, Progress, ReplyParser, Shape, refusal};
pub(crate) use server_error::ServerError;
