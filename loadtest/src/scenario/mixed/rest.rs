//! The mix over HTTP/1.1.

use super::answer::{Answer, Reply, bare_array, from_json, no_answer};
use super::dialect::Dialect;
use super::http::{Response, take_response};
use super::operation::{End, FRACTIONS, Operation, Window};
use crate::scenario::text::append_array;
use crate::verify::{Malformed, ServerError};
use serde::Deserialize;
use std::net::SocketAddr;

/// Requests to the REST API of one server.
#[derive(Debug)]
pub(crate) struct Rest {
    server: SocketAddr,
}

/// Of a refusal's body, as RFC 9457 has it.
#[derive(Deserialize)]
struct Problem {
    detail: String,
}

impl Rest {
    /// Requests to the server at this address.
    pub(crate) fn new(server: SocketAddr) -> Self {
        Self { server }
    }
}

impl Dialect for Rest {
    fn request(&self, operation: &Operation, text: &mut Vec<u8>) {
        let (method, target) = request_line(operation);
        let server = self.server;
        let head = format!("{method} {target} HTTP/1.1\r\nHost: {server}\r\n");
        text.extend_from_slice(head.as_bytes());
        if let Operation::Add(batch) = operation {
            let mut body = Vec::new();
            append_array(&mut body, batch.iter().copied());
            let headers =
                format!("Content-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
            text.extend_from_slice(headers.as_bytes());
            text.append(&mut body);
        } else {
            text.extend_from_slice(b"\r\n");
        }
    }

    fn reply(
        &self,
        operation: &Operation,
        bytes: &[u8],
    ) -> Result<Option<(Reply, usize)>, Malformed> {
        let Some(response) = take_response(bytes)? else {
            return Ok(None);
        };
        let body = &response.body[..];
        let answer = match (operation, response.status) {
            (Operation::At(_), 404) => Some(Answer::At { index: None, value: None }),
            (_, 400..) => return Ok(Some((refusal(&response), response.len))),
            (Operation::Add(_), 201) => from_json(operation, body),
            (Operation::Add(_), _) => None,
            (Operation::Read(_), 200) => bare_array(body)
                .zip(response.count)
                .map(|(values, count)| Answer::Values { count: Some(count), values }),
            (_, 200) => from_json(operation, body),
            _ => None,
        };
        match answer {
            Some(answer) => Ok(Some((Reply::Answer(answer), response.len))),
            None => Err(no_answer(operation, &bytes[..response.len])),
        }
    }
}

fn request_line(operation: &Operation) -> (&'static str, String) {
    let end = |end: End| match end {
        End::Min => "min",
        End::Max => "max",
    };
    match operation {
        Operation::Add(_) => ("POST", "/array?reply=count".to_owned()),
        Operation::Read(Window { min, max, offset, limit, descending }) => {
            let order = if *descending { "desc" } else { "asc" };
            let query = format!("min={min}&max={max}&offset={offset}&limit={limit}&order={order}");
            ("GET", format!("/array?{query}"))
        }
        Operation::Count => ("GET", "/array/count".to_owned()),
        Operation::CountWithin(min, max) => ("GET", format!("/array/count?min={min}&max={max}")),
        Operation::Rank(value) => ("GET", format!("/array/rank/{value}")),
        Operation::At(index) => ("GET", format!("/array/at/{index}")),
        Operation::Quantiles => {
            let fractions = FRACTIONS.map(|fraction| fraction.to_string()).join(",");
            ("GET", format!("/array/quantiles?q={fractions}"))
        }
        Operation::Extreme(which) => ("GET", format!("/array/{}", end(*which))),
        Operation::Remove(value) => ("DELETE", format!("/array?value={value}")),
        Operation::RemoveRange(min, max) => ("DELETE", format!("/array?min={min}&max={max}")),
        Operation::Pop(which, n) => ("POST", format!("/array/pop?end={}&n={n}", end(*which))),
        Operation::Clear => ("DELETE", "/array".to_owned()),
    }
}

fn refusal(response: &Response<'_>) -> Reply {
    let detail = match serde_json::from_slice(&response.body) {
        Ok(Problem { detail }) => detail,
        Err(_) => String::from_utf8_lossy(&response.body).into_owned(),
    };
    Reply::Refused(ServerError::new(&format!("http_{}", response.status), &detail, response.closes))
}
