//! The vocabulary over HTTP/1.1. Every other reply comes in chunks.

use crate::lines::object;
use crate::server::{self, Shown, text};
use crate::vocabulary::{Answer, Request};
use std::collections::HashMap;
use std::io::{self, BufRead};

/// The next request; `None` when the client has closed its side.
pub(crate) fn read(reader: &mut impl BufRead) -> io::Result<Option<Request>> {
    let mut head = Vec::new();
    while head.last().is_none_or(|line: &String| line != "\r\n") {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        head.push(line);
    }
    assert!(
        head[1..].iter().any(|line| line.starts_with("Host: ")),
        "HTTP/1.1 needs one: {head:?}"
    );
    let len = head.iter().find_map(|line| line.strip_prefix("Content-Length: "));
    let mut body = vec![0; len.map_or(0, |len| len.trim().parse().expect("a length"))];
    reader.read_exact(&mut body)?;
    let [method, target, "HTTP/1.1\r\n"] = head[0].split(' ').collect::<Vec<_>>()[..] else {
        panic!("no request line: {head:?}");
    };
    Ok(Some(parse(method, target, &body)))
}

fn parse(method: &str, target: &str, body: &[u8]) -> Request {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let fields: HashMap<&str, &str> =
        query.split('&').filter_map(|field| field.split_once('=')).collect();
    let integer = |field: &str| fields[field].parse::<i64>().expect("an integer");
    let size = |field: &str| fields[field].parse::<usize>().expect("a size");
    let last = |prefix: &str| path.strip_prefix(prefix).and_then(|text| text.parse::<i64>().ok());
    match (method, path) {
        ("POST", "/array") => Request::Add(serde_json::from_slice(body).expect("a batch")),
        ("GET", "/array") => Request::Read {
            min: integer("min"),
            max: integer("max"),
            offset: size("offset"),
            limit: size("limit"),
            descending: fields["order"] == "desc",
        },
        ("GET", "/array/count") if query.is_empty() => Request::Count(i64::MIN, i64::MAX),
        ("GET", "/array/count") => Request::Count(integer("min"), integer("max")),
        ("GET", "/array/quantiles") => Request::Quantiles(
            fields["q"].split(',').map(|q| q.parse().expect("a fraction")).collect(),
        ),
        ("GET", "/array/min") => Request::Min,
        ("GET", "/array/max") => Request::Max,
        ("POST", "/array/pop") if fields["end"] == "min" => Request::PopMin(size("n")),
        ("POST", "/array/pop") => Request::PopMax(size("n")),
        ("DELETE", "/array") if query.is_empty() => Request::Clear,
        ("DELETE", "/array") if fields.contains_key("value") => Request::Remove(integer("value")),
        ("DELETE", "/array") => Request::RemoveRange(integer("min"), integer("max")),
        ("GET", _) => match (last("/array/rank/"), last("/array/at/")) {
            (Some(value), _) => Request::Rank(value),
            (_, Some(index)) => Request::At(index),
            _ => panic!("no client asks for {target}"),
        },
        _ => panic!("no client asks for {method} {target}"),
    }
}

/// The reply to an add but for its last byte, a newline.
pub(crate) fn receipt(shown: &Shown) -> String {
    let body = server::receipt(shown);
    format!("HTTP/1.1 201 Created\r\nContent-Length: {}\r\n\r\n{body}", body.len() + 1)
}

/// Any other reply.
pub(crate) fn encode(_: &Request, answer: Answer) -> Vec<u8> {
    let (status, headers, body) = match &answer {
        Answer::At { value: None, index } => (
            "404 Not Found",
            "Content-Type: application/problem+json\r\n".to_owned(),
            format!("{{\"title\":\"Not Found\",\"status\":404,\"detail\":\"{index} is none\"}}"),
        ),
        Answer::Values { count, values } => {
            ("200 OK", format!("Sortd-Count: {count}\r\n"), text(values))
        }
        answer => ("200 OK", String::new(), object(answer)),
    };
    let head = format!("HTTP/1.1 {status}\r\n{headers}");
    if matches!(answer, Answer::Values { .. }) {
        let (first, second) = body.split_at(body.len() / 2);
        format!(
            "{head}transfer-encoding: chunked\r\n\r\n{:x}\r\n{first}\r\n{:X}\r\n{second}\n\r\n0\r\n\r\n",
            first.len(),
            second.len() + 1
        )
    } else {
        format!("{head}Content-Length: {}\r\n\r\n{body}\n", body.len() + 1)
    }
    .into_bytes()
}
