//! What bodies look like: values read from a request's, replies written to a response's.

use std::io::Read;

use rouille::{Request, Response, ResponseBody};
use serde::Deserialize;

use crate::command::Reply;
use crate::json::{self, Integer, Integers, JsonDocument};

use super::problem;

/// The integers of a request's body, or none where the body is empty.
pub(super) fn read_values(
    request: &Request,
    max_body_bytes: usize,
) -> Result<Option<Vec<i64>>, Response> {
    let body = read_body(request, max_body_bytes)?;
    let body = body.trim_ascii();
    let Some(first) = body.first() else { return Ok(None) };
    if !is_json(request.header("Content-Type")) {
        return Err(problem::unsupported_media_type());
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Object {
        values: Integers,
    }
    let values = match first {
        b'[' => json::parse(body).map(|Integers(values)| values),
        b'{' => json::parse(body).map(|Object { values: Integers(values) }| values),
        _ => json::parse(body).map(|Integer(value)| vec![value]),
    };
    values.map(Some).map_err(|error| problem::bad_request(&error.message))
}

fn read_body(request: &Request, max_body_bytes: usize) -> Result<Vec<u8>, Response> {
    let mut body = Vec::new();
    let Some(data) = request.data() else { return Ok(body) };
    let limit = u64::try_from(max_body_bytes).unwrap_or(u64::MAX).saturating_add(1);
    if data.take(limit).read_to_end(&mut body).is_err() {
        return Err(problem::bad_request("the body ended early"));
    }
    if body.len() > max_body_bytes {
        return Err(problem::body_too_large());
    }
    Ok(body)
}

/// Whether a body of this type is read as JSON; curl sends the form type unless told otherwise.
fn is_json(content_type: Option<&str>) -> bool {
    let Some(content_type) = content_type else { return true };
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    ["application/json", "application/x-www-form-urlencoded"]
        .iter()
        .any(|known| essence.eq_ignore_ascii_case(known))
}

/// A reply as a JSON object.
pub(super) fn object(status: u16, reply: Reply) -> Response {
    let mut text = String::new();
    let body = match json::write_object(reply, &mut text) {
        None => ResponseBody::from_string(text),
        Some(document) => ResponseBody::from_reader(document),
    };
    with_type(status, "application/json", body)
}

/// A reply's values as a bare JSON array.
pub(super) fn array(document: JsonDocument) -> Response {
    with_type(200, "application/json", ResponseBody::from_reader(document))
}

/// A short text.
pub(super) fn text(text: &'static str) -> Response {
    with_type(200, "text/plain; charset=utf-8", ResponseBody::from_data(text))
}

fn with_type(status: u16, content_type: &'static str, body: ResponseBody) -> Response {
    Response {
        status_code: status,
        headers: vec![("Content-Type".into(), content_type.into())],
        data: body,
        upgrade: None,
    }
}
