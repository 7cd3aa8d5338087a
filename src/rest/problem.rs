//! Refusals, as RFC 9457 problem details.

use rouille::{Response, ResponseBody};
use serde::Serialize;

use crate::command::{Error, ErrorCode};

/// A refusal with this status. `title` is the status's customary phrase, `detail` the reason for people.
pub fn problem(status: u16, title: &str, detail: &str) -> Response {
    #[derive(Serialize)]
    struct Problem<'p> {
        r#type: &'static str,
        title: &'p str,
        status: u16,
        detail: &'p str,
    }
    let problem = Problem { r#type: "about:blank", title, status, detail };
    let mut text = serde_json::to_vec(&problem).expect("strings are JSON");
    text.push(b'\n');
    Response {
        status_code: status,
        headers: vec![("Content-Type".into(), "application/problem+json".into())],
        data: ResponseBody::from_data(text),
        upgrade: None,
    }
}

pub(super) fn bad_request(detail: &str) -> Response {
    problem(400, "Bad Request", detail)
}

pub(super) fn not_found(path: &str) -> Response {
    problem(404, "Not Found", &format!("there is nothing at {path}; GET / lists what there is"))
}

pub(super) fn method_not_allowed(allowed: String) -> Response {
    let detail = format!("allowed here: {allowed}");
    problem(405, "Method Not Allowed", &detail).with_unique_header("Allow", allowed)
}

/// `known` lists the media types that there are.
pub(super) fn not_acceptable(known: &str) -> Response {
    problem(406, "Not Acceptable", &format!("the array is sent as {known}"))
}

/// `known` lists the media types that there are.
pub(super) fn unsupported_media_type(known: &str) -> Response {
    problem(415, "Unsupported Media Type", &format!("a body is {known}"))
}

pub(super) fn body_too_large() -> Response {
    problem(413, "Content Too Large", "the body is larger than the server takes")
}

/// A command's refusal.
pub(super) fn of_error(error: &Error) -> Response {
    let (status, title) = match error.code {
        ErrorCode::BadJson | ErrorCode::BadRequest | ErrorCode::UnknownOp => (400, "Bad Request"),
        ErrorCode::OutOfRange => (404, "Not Found"),
        ErrorCode::Full => (507, "Insufficient Storage"),
        ErrorCode::TooLarge => (413, "Content Too Large"),
        ErrorCode::Timeout => (408, "Request Timeout"),
        ErrorCode::Busy | ErrorCode::TooManyConnections | ErrorCode::ShuttingDown => {
            (503, "Service Unavailable")
        }
    };
    let response = problem(status, title, &error.message);
    match error.code {
        ErrorCode::Busy => response.with_unique_header("Retry-After", "1"),
        _ => response,
    }
}
