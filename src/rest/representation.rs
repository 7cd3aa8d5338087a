//! What bodies look like: values read from a request's, replies written to a response's.

use std::io::Read;

use rouille::{Request, Response, ResponseBody};
use serde::Deserialize;

use crate::command::{Reply, ValueStream};
use crate::json::{self, Integer, Integers, JsonDocument, Numbers, Style};

use super::accept;
use super::octets::{self, Octets};
use super::problem;

/// A form in which values travel in bodies, both ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Representation {
    /// A JSON array.
    Json,
    /// Little-endian, eight bytes each.
    OctetStream,
}

impl Representation {
    /// All there are; of those that a client likes equally well it gets the first.
    const ALL: [Representation; 2] = [Representation::Json, Representation::OctetStream];

    fn media_type(self) -> &'static str {
        match self {
            Representation::Json => "application/json",
            Representation::OctetStream => "application/octet-stream",
        }
    }

    /// The one in which the client wants values.
    ///
    /// # Errors
    /// With the response to send when it wants none of them.
    pub(super) fn wanted(request: &Request) -> Result<Representation, Response> {
        let is_accept = |(name, _): &(&str, &str)| name.eq_ignore_ascii_case("Accept");
        let accepted = request.headers().filter(is_accept).map(|(_, value)| value);
        let types = Representation::ALL.map(Representation::media_type);
        match accept::choose(accepted, &types) {
            Some(index) => Ok(Representation::ALL[index]),
            None => Err(problem::not_acceptable(&names()).with_additional_header("Vary", "Accept")),
        }
    }

    /// The one in which a body of this type holds values, if it is one of them.
    fn of_content_type(content_type: Option<&str>) -> Option<Representation> {
        // Without a type it is JSON; so it is with the form type, which curl sends unless told otherwise.
        let Some(content_type) = content_type else { return Some(Representation::Json) };
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        if essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Some(Representation::Json);
        }
        let is_it = |known: &Representation| essence.eq_ignore_ascii_case(known.media_type());
        Representation::ALL.into_iter().find(is_it)
    }

    /// The values in a body, or none where it is empty.
    fn read(self, body: &[u8]) -> Result<Option<Vec<i64>>, Response> {
        match self {
            _ if body.is_empty() => Ok(None),
            Representation::Json => read_json(body),
            Representation::OctetStream => {
                let refusal = "the body's length is no multiple of 8 bytes";
                octets::decode(body).map(Some).ok_or_else(|| problem::bad_request(refusal))
            }
        }
    }

    /// A body with these values, of which there are `n`.
    fn write(self, n: usize, values: ValueStream) -> ResponseBody {
        match self {
            Representation::Json => {
                ResponseBody::from_reader(JsonDocument::new(values, Numbers::Plain, "\n"))
            }
            Representation::OctetStream => {
                let bytes = n.checked_mul(octets::VALUE_BYTES).expect("they are in memory");
                ResponseBody::from_reader_and_size(Octets::new(values), bytes)
            }
        }
    }
}

/// The types there are, for people.
fn names() -> String {
    Representation::ALL.map(Representation::media_type).join(" or ")
}

/// The integers of a request's body, or none where the body is empty.
pub(super) fn read_values(
    request: &Request,
    max_body_bytes: usize,
) -> Result<Option<Vec<i64>>, Response> {
    let body = read_body(request, max_body_bytes)?;
    // Whoever sends nothing need not say what kind of nothing.
    if body.is_empty() {
        return Ok(None);
    }
    match Representation::of_content_type(request.header("Content-Type")) {
        Some(representation) => representation.read(&body),
        None => Err(problem::unsupported_media_type(&names())),
    }
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

/// The integers of a JSON body, or none where there is only white space.
fn read_json(body: &[u8]) -> Result<Option<Vec<i64>>, Response> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Object {
        values: Integers,
    }
    let body = body.trim_ascii();
    let values = match body.first() {
        None => return Ok(None),
        Some(b'[') => json::parse(body).map(|Integers(values)| values),
        Some(b'{') => json::parse(body).map(|Object { values: Integers(values) }| values),
        Some(_) => json::parse(body).map(|Integer(value)| vec![value]),
    };
    values.map(Some).map_err(|error| problem::bad_request(&error.message))
}

/// A reply as a JSON object.
pub(super) fn object(status: u16, reply: Reply) -> Response {
    let mut text = String::new();
    let body = match json::write_object(reply, Style::default(), &mut text) {
        None => ResponseBody::from_string(text),
        Some(rest) => ResponseBody::from_reader(rest.preceded_by(text)),
    };
    with_type(status, Representation::Json.media_type(), body)
}

/// The `shown` values of an array of which `count` elements match.
pub(super) fn array(
    representation: Representation,
    count: usize,
    shown: usize,
    values: ValueStream,
) -> Response {
    let body = representation.write(shown, values);
    with_type(200, representation.media_type(), body)
        .with_additional_header("Sortd-Count", count.to_string())
        .with_additional_header("Vary", "Accept")
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
