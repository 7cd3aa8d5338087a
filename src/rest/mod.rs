//! The REST API, written with rouille: requests to commands, replies to responses.
//!
//! It translates and does nothing itself: [`parse`] and [`respond`] are the two halves around whoever
//! carries out the command, and [`handle`] composes them into the handler that
//! `rouille::start_server` takes.
//!
//! ```
//! use rouille::Request;
//! use sortd::{execute::Executor, rest, store::SortedMultiset};
//!
//! let mut executor = Executor::new(SortedMultiset::new().writer());
//! let request = Request::fake_http("POST", "/array", vec![], b"[5,3]".to_vec());
//! let response = rest::handle(&request, |command| executor.execute(command));
//! assert_eq!(response.status_code, 201);
//! ```

mod accept;
mod description;
mod exposition;
mod problem;
mod query;
mod records;
mod representation;
mod routes;
mod validator;

use rouille::{Request, Response};

use crate::command::{Command, Reply};

pub use problem::problem;
pub use representation::{ArrayForm, Representation};
pub use routes::{Presentation, parse, respond};

/// The largest body that [`handle`] reads.
pub const MAX_BODY_BYTES: usize = 64 * 1024 * 1024;

/// Answers one request: the whole API as a plain function.
///
/// `execute` carries out the command that the request asks for; it is not called for a request that is
/// refused or needs none. A response to `HEAD` still has its body: the transport leaves it out.
pub fn handle(request: &Request, execute: impl FnOnce(Command) -> Reply) -> Response {
    match parse(request, MAX_BODY_BYTES) {
        Ok((presentation, command)) => respond(&presentation, execute(command)),
        Err(response) => response,
    }
}
