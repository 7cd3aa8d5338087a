//! JSON lines: one request a line, one reply a line.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use bytes::{Buf, BytesMut};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};

use crate::command::{Bounds, Command, End, Error, ErrorCode, Order, Reply, Selection, Show};
use crate::json::{self, Fractions, Id, Integers, JsonDocument, Numbers, Scalar, Style};

/// More fields than any operation has: bounds the search for repeated ones.
const MAX_FIELDS: usize = 16;

/// What came of the bytes so far.
#[derive(Debug, PartialEq)]
pub enum Decoded {
    /// No whole line yet.
    Incomplete,
    /// A request, taken off the input.
    Request(Shape, Request),
    /// A line that takes long to [`parse`], taken off the input; and the form of a refusal, in case
    /// it is not.
    Unparsed(Shape, BytesMut),
    /// A line that is no request, taken off the input. See [`ErrorCode::closes`] for whether there
    /// can be another one.
    Refused(Shape, Error),
}

/// What a line asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// Something of the array or of the server.
    Command(Command),
    /// To be let in.
    Auth {
        /// What proves that the client may.
        token: String,
    },
}

/// The form of a request, which its reply follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A bare array: an add, answered with the bare whole array.
    Classic,
    /// An object that names an operation, answered with an object, which echoes the `id`.
    Object(Option<Id>),
}

impl Shape {
    /// That of an answer to what is no request.
    pub const PLAIN: Shape = Shape::Object(None);
}

/// A longer line is left to the caller to parse: this much takes some tens of microseconds.
pub const MAX_PARSED_BYTES: usize = 16 * 1024;

/// Cuts a stream of bytes into requests.
#[derive(Debug)]
pub struct Decoder {
    max_request_bytes: usize,
    /// How much of the input is known to hold no line end.
    scanned: usize,
}

impl Decoder {
    /// A decoder for lines of up to `max_request_bytes`, line end not counted.
    pub fn new(max_request_bytes: usize) -> Decoder {
        Decoder { max_request_bytes, scanned: 0 }
    }

    /// Takes the next request off the input. `at_end` says that no more input will come: then the
    /// last line needs no line end.
    ///
    /// Empty lines are taken off and skipped. O(new bytes), however small the pieces.
    pub fn decode(&mut self, input: &mut BytesMut, at_end: bool) -> Decoded {
        loop {
            let line_end = memchr::memchr(b'\n', &input[self.scanned..]).map(|n| self.scanned + n);
            let length = line_end.unwrap_or(input.len());
            let line_end_bytes = usize::from(input[..length].ends_with(b"\r"));
            if length - line_end_bytes > self.max_request_bytes {
                let message = format!("a request has at most {} bytes", self.max_request_bytes);
                return Decoded::Refused(Shape::PLAIN, Error::new(ErrorCode::TooLarge, message));
            }
            if line_end.is_none() && !(at_end && length > 0) {
                self.scanned = length;
                return Decoded::Incomplete;
            }
            self.scanned = 0;
            let is_empty = input[..length].trim_ascii().is_empty();
            let decoded = if is_empty {
                input.advance(length);
                None
            } else if length > MAX_PARSED_BYTES {
                let line = input.split_to(length);
                Some(Decoded::Unparsed(Shape::Object(find_id(&line[..MAX_PARSED_BYTES])), line))
            } else {
                let (shape, parsed) = parse(&input[..length]);
                input.advance(length);
                Some(match parsed {
                    Ok(request) => Decoded::Request(shape, request),
                    Err(error) => Decoded::Refused(shape, error),
                })
            };
            input.advance(usize::from(line_end.is_some()));
            if let Some(decoded) = decoded {
                return decoded;
            }
        }
    }
}

/// The request that a line holds, or why it holds none; and the form of the reply to either.
pub fn parse(line: &[u8]) -> (Shape, Result<Request, Error>) {
    let line = line.trim_ascii();
    match line.first() {
        Some(b'[') => match json::parse(line) {
            Ok(Integers(values)) => {
                let add = Command::Add { values, show: Show::Array };
                (Shape::Classic, Ok(Request::Command(add)))
            }
            Err(error) => (Shape::PLAIN, Err(error)),
        },
        Some(b'{') => match json::parse::<Fields<'_>>(line) {
            Ok(mut fields) => (Shape::Object(fields.id.take()), fields.into_request()),
            Err(error) => (Shape::Object(find_id(line)), Err(error)),
        },
        _ => {
            let message = "a request is an array of integers or an object with \"op\"";
            let refusal = json::parse::<IgnoredAny>(line).and(Err(bad_request(message)));
            (Shape::PLAIN, refusal)
        }
    }
}

/// The `id` of an object that is refused, as far as it is JSON.
fn find_id(line: &[u8]) -> Option<Id> {
    let mut found = None;
    // Whatever else is wrong with it has been said, or will be.
    let _ = json::parse_with(line, IdSeed(&mut found));
    found
}

fn bad_request(message: impl Into<String>) -> Error {
    Error::new(ErrorCode::BadRequest, message)
}

fn missing(field: &str) -> Error {
    bad_request(format!("the field {field:?} is missing"))
}

/// The fields of a request object. Each operation takes those that it has; what is left over is
/// refused.
#[derive(Default)]
struct Fields<'l> {
    id: Option<Id>,
    values: Option<Integers>,
    q: Option<Fractions>,
    /// All others.
    scalars: Vec<(Cow<'l, str>, Scalar<'l>)>,
}

impl<'l> Fields<'l> {
    fn into_request(mut self) -> Result<Request, Error> {
        let op = match self.take("op") {
            Some(Scalar::Text(op)) => op,
            Some(_) => return Err(bad_request("\"op\" must be a string")),
            None => return Err(missing("op")),
        };
        let request = match &*op {
            "auth" => Request::Auth { token: self.take_text("token")? },
            op => Request::Command(self.take_command(op)?),
        };
        match self.left_over() {
            None => Ok(request),
            Some(field) => Err(bad_request(format!("{op:?} has no field {field:?}"))),
        }
    }

    fn take_command(&mut self, op: &str) -> Result<Command, Error> {
        Ok(match op {
            "add" => Command::Add { values: self.take_values()?, show: self.take_show()? },
            "array" => Command::Array(self.take_selection()?),
            "count" => Command::Count(self.take_bounds()?),
            "rank" => Command::Rank { value: self.require_integer("value")? },
            "at" => Command::At { index: self.require_integer("index")? },
            "quantiles" => Command::Quantiles { q: self.take_fractions()? },
            "min" => Command::Extreme(End::Min),
            "max" => Command::Extreme(End::Max),
            "remove" => Command::Remove { values: self.take_values()?, all: self.take_all()? },
            "remove_range" => Command::RemoveRange(Bounds {
                min: self.require_integer("min")?,
                max: self.require_integer("max")?,
            }),
            "pop_min" => Command::Pop { end: End::Min, n: self.take_size("n")?.unwrap_or(1) },
            "pop_max" => Command::Pop { end: End::Max, n: self.take_size("n")?.unwrap_or(1) },
            "clear" => Command::Clear,
            "stats" => Command::Stats,
            "ping" => Command::Ping,
            _ => {
                let message = format!("there is no operation {op:?}");
                return Err(Error::new(ErrorCode::UnknownOp, message));
            }
        })
    }

    fn take(&mut self, field: &str) -> Option<Scalar<'l>> {
        let index = self.scalars.iter().position(|(name, _)| name == field)?;
        Some(self.scalars.swap_remove(index).1)
    }

    fn take_values(&mut self) -> Result<Vec<i64>, Error> {
        let Some(Integers(values)) = self.values.take() else {
            return Err(missing("values"));
        };
        Ok(values)
    }

    fn take_fractions(&mut self) -> Result<Vec<f64>, Error> {
        let Some(Fractions(q)) = self.q.take() else { return Err(missing("q")) };
        Ok(q)
    }

    fn take_all(&mut self) -> Result<bool, Error> {
        match self.take("all") {
            None => Ok(false),
            Some(Scalar::Flag(all)) => Ok(all),
            Some(_) => Err(bad_request("\"all\" must be true or false")),
        }
    }

    fn take_text(&mut self, field: &str) -> Result<String, Error> {
        match self.take(field) {
            None => Err(missing(field)),
            Some(Scalar::Text(text)) => Ok(text.into_owned()),
            Some(_) => Err(bad_request(format!("{field:?} must be a string"))),
        }
    }

    fn take_show(&mut self) -> Result<Show, Error> {
        let refusal = "\"reply\" must be \"count\", \"batch\" or \"array\"";
        Ok(self.take_named("reply", Show::from_name, refusal)?.unwrap_or(Show::Count))
    }

    fn take_selection(&mut self) -> Result<Selection, Error> {
        let all = Selection::ALL;
        let refusal = "\"order\" must be \"asc\" or \"desc\"";
        Ok(Selection {
            bounds: self.take_bounds()?,
            order: self.take_named("order", Order::from_name, refusal)?.unwrap_or(all.order),
            offset: self.take_size("offset")?.unwrap_or(all.offset),
            limit: self.take_size("limit")?.unwrap_or(all.limit),
        })
    }

    fn take_bounds(&mut self) -> Result<Bounds, Error> {
        Ok(Bounds {
            min: self.take_integer("min")?.unwrap_or(Bounds::ALL.min),
            max: self.take_integer("max")?.unwrap_or(Bounds::ALL.max),
        })
    }

    fn take_integer(&mut self, field: &str) -> Result<Option<i64>, Error> {
        match self.take(field) {
            None => Ok(None),
            Some(Scalar::Integer(value)) => Ok(Some(value)),
            Some(_) => Err(bad_request(format!("{field:?} must be a 64-bit signed integer"))),
        }
    }

    fn require_integer(&mut self, field: &str) -> Result<i64, Error> {
        self.take_integer(field)?.ok_or_else(|| missing(field))
    }

    /// A number of elements.
    fn take_size(&mut self, field: &str) -> Result<Option<usize>, Error> {
        let size = self.take_integer(field)?.map(usize::try_from).transpose();
        size.map_err(|_| bad_request(format!("{field:?} must not be negative")))
    }

    /// One of several names; `refusal` says which ones.
    fn take_named<T>(
        &mut self,
        field: &str,
        from_name: fn(&str) -> Option<T>,
        refusal: &str,
    ) -> Result<Option<T>, Error> {
        let named = match self.take(field) {
            None => return Ok(None),
            Some(Scalar::Text(name)) => from_name(&name),
            Some(_) => None,
        };
        named.map(Some).ok_or_else(|| bad_request(refusal))
    }

    /// A field that was sent and not taken.
    fn left_over(&self) -> Option<&str> {
        let scalar = self.scalars.first().map(|(name, _)| &**name);
        let values = self.values.as_ref().map(|_| "values");
        scalar.or(values).or(self.q.as_ref().map(|_| "q"))
    }
}

impl<'de: 'l, 'l> Deserialize<'de> for Fields<'l> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Fields<'l>, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
        let mut fields = Fields::default();
        while let Some(Text(name)) = map.next_key()? {
            let is_repeated = match &*name {
                "id" => fields.id.is_some(),
                "values" => fields.values.is_some(),
                "q" => fields.q.is_some(),
                _ => fields.scalars.iter().any(|(known, _)| *known == name),
            };
            if is_repeated {
                return Err(A::Error::custom(format_args!("the field {name:?} is repeated")));
            }
            if fields.scalars.len() == MAX_FIELDS {
                return Err(A::Error::custom("there are too many fields"));
            }
            match &*name {
                "id" => fields.id = Some(map.next_value()?),
                "values" => fields.values = Some(map.next_value()?),
                "q" => fields.q = Some(map.next_value()?),
                _ => fields.scalars.push((name, map.next_value()?)),
            }
        }
        Ok(fields)
    }
}

/// Looks for the first field `id` of an object, and stores it even if something is wrong behind it.
struct IdSeed<'f>(&'f mut Option<Id>);

impl<'de> DeserializeSeed<'de> for IdSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for IdSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut last = None;
        loop {
            // What comes behind it tells that a number is whole.
            let name = map.next_key()?;
            *self.0 = self.0.take().or(last.take());
            match name {
                None => return Ok(()),
                Some(Text(name)) if name == "id" => last = Some(map.next_value()?),
                Some(_) => map.next_value::<IgnoredAny>().map(drop)?,
            }
        }
    }
}

/// A string, borrowed from the line where it has no escapes.
#[derive(Deserialize)]
struct Text<'l>(#[serde(borrow)] Cow<'l, str>);

/// Writes a reply's line to `out`; or writes its beginning, and returns the rest as a document, where
/// that may be long.
pub fn encode(reply: Reply, shape: &Shape, out: &mut BytesMut) -> Option<JsonDocument> {
    match (shape, reply) {
        (Shape::Classic, Reply::Added { values: Some(values), .. }) => {
            Some(JsonDocument::new(values, Numbers::Plain, "\n"))
        }
        (Shape::Classic, reply) => json::write_object(reply, Style::default(), out),
        (Shape::Object(id), reply) => {
            json::write_object(reply, Style { id: id.as_ref(), ..Style::default() }, out)
        }
    }
}

/// Writes the line that tells a client that it has been let in.
pub fn encode_admission(shape: &Shape, out: &mut BytesMut) {
    out.extend_from_slice(b"{");
    if let Shape::Object(Some(id)) = shape {
        write!(out, "\"id\":{id},").expect("memory takes what is written to it");
    }
    out.extend_from_slice(b"\"ok\":true}\n");
}

#[cfg(test)]
mod tests;
