//! Verification without a socket or a clock: replies parsed as they stream in, arrays checked value
//! by value, receipts, and the books of what the server should hold.

mod array_parser;
mod checks;
mod comparison;
mod ledger;
mod receipt;
mod reply;
mod resp_reply;
mod server_error;
mod stock;

pub(crate) use checks::{ArrayChecks, Check, CheckFailure};
pub(crate) use ledger::{Bounds, Ledger, check_announced};
pub(crate) use receipt::Receipt;
pub(crate) use reply::{Malformed, Progress, ReplyParser, Shape, quoted, refusal};
pub(crate) use resp_reply::{Line, take_line};
pub(crate) use server_error::{ServerError, printable};
