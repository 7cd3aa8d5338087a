//! What bodies look like: values read from a request's, replies written to a response's.

use std::io::Read;

use rouille::{Request, Response, ResponseBody};
use serde::Deserialize;

use crate::command::{Error, Reply, Selection, ValueStream, Version};
use crate::json::{self, Integer, Integers, JsonDocument, Numbers, Style};

use super::accept;
use super::problem;
use super::records::{self, Records};
use super::validator::Validator;

/// A form in which values travel in bodies, both ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Representation {
    /// A JSON array.
    Json,
    /// A line for each, which is JSON.
    NdJson,
    /// A line for each, behind a line with the name of the column.
    Csv,
    /// Little-endian, eight bytes each.
    OctetStream,
}

impl Representation {
    /// All there are; of those that a client likes equally well it gets the first.
    const ALL: [Representation; 4] = [
        Representation::Json,
        Representation::NdJson,
        Representation::Csv,
        Representation::OctetStream,
    ];

    fn media_type(self) -> &'static str {
        match self {
            Representation::Json => "application/json",
            Representation::NdJson => "application/x-ndjson",
            Representation::Csv => "text/csv",
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

    /// The values in a body, or none where there is nothing.
    fn read(self, body: &[u8]) -> Result<Option<Vec<i64>>, Error> {
        match self {
            _ if body.is_empty() => Ok(None),
            Representation::Json => read_json(body),
            Representation::NdJson => records::from_ndjson(body).map(Some),
            Representation::Csv => records::from_csv(body).map(Some),
            Representation::OctetStream => records::from_octets(body).map(Some),
        }
    }

    /// A body with these values, of which there are `n`. Forms that are no JSON know no strings.
    fn write(self, n: usize, values: ValueStream, numbers: Numbers) -> ResponseBody {
        match (self, numbers) {
            (Representation::Json, _) => {
                ResponseBody::from_reader(JsonDocument::new(values, numbers, "\n"))
            }
            (Representation::NdJson, Numbers::Plain) => {
                ResponseBody::from_reader(Records::lines(values))
            }
            (Representation::NdJson, Numbers::Strings) => {
                ResponseBody::from_reader(Records::quoted_lines(values))
            }
            (Representation::Csv, _) => ResponseBody::from_reader(Records::csv(values)),
            (Representation::OctetStream, _) => {
                let bytes = n.checked_mul(records::OCTETS).expect("they are in memory");
                ResponseBody::from_reader_and_size(Records::octets(values), bytes)
            }
        }
    }
}

/// The types there are, for people.
fn names() -> String {
    Representation::ALL.map(Representation::media_type).join(", ")
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
        Some(representation) => {
            representation.read(&body).map_err(|error| problem::of_error(&error))
        }
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
fn read_json(body: &[u8]) -> Result<Option<Vec<i64>>, Error> {
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
    values.map(Some)
}

/// A reply as a JSON object.
pub(super) fn object(status: u16, reply: Reply, numbers: Numbers) -> Response {
    let mut text = String::new();
    let style = Style { numbers, ..Style::default() };
    let body = match json::write_object(reply, style, &mut text) {
        None => ResponseBody::from_string(text),
        Some(rest) => ResponseBody::from_reader(rest.preceded_by(text)),
    };
    with_type(status, Representation::Json.media_type(), body)
}

/// How the bare array is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArrayForm {
    representation: Representation,
    numbers: Numbers,
    validator: Validator,
}

impl ArrayForm {
    /// The form that this request for `selection` wants.
    ///
    /// # Errors
    /// With the response to send when it wants none that there is.
    pub(super) fn wanted(
        request: &Request,
        selection: &Selection,
        numbers: Numbers,
    ) -> Result<ArrayForm, Response> {
        let representation = Representation::wanted(request)?;
        let validator = Validator::new(request, (representation, numbers, selection));
        Ok(ArrayForm { representation, numbers, validator })
    }

    /// The `shown` values of an array of which `count` elements match; or that the client has them.
    pub(super) fn respond(
        &self,
        count: usize,
        shown: usize,
        values: ValueStream,
        version: Version,
    ) -> Response {
        let tag = self.validator.tag(version);
        let response = if self.validator.is_known(&tag) {
            Response {
                status_code: 304,
                headers: vec![],
                data: ResponseBody::empty(),
                upgrade: None,
            }
        } else {
            let body = self.representation.write(shown, values, self.numbers);
            with_type(200, self.representation.media_type(), body)
                .with_additional_header("Sortd-Count", count.to_string())
        };
        response.with_additional_header("Vary", "Accept").with_additional_header("ETag", tag)
    }
}

/// A short text.
pub(super) fn text(text: &'static str) -> Response {
    with_type(200, "text/plain; charset=utf-8", ResponseBody::from_data(text))
}

pub(super) fn with_type(status: u16, content_type: &'static str, body: ResponseBody) -> Response {
    Response {
        status_code: status,
        headers: vec![("Content-Type".into(), content_type.into())],
        data: body,
        upgrade: None,
    }
}
