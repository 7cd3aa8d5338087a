//! JSON lines: one request a line, one reply a line.

use std::borrow::Cow;
use std::fmt;

use bytes::{Buf, BytesMut};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};

use crate::command::{Bounds, Command, Error, ErrorCode, Order, Reply, Selection, Show};
use crate::json::{self, Integers, JsonDocument, Scalar};

/// More fields than any operation has: bounds the search for repeated ones.
const MAX_FIELDS: usize = 16;

/// What came of the bytes so far.
#[derive(Debug, PartialEq)]
pub enum Decoded {
    /// No whole line yet.
    Incomplete,
    /// A request, taken off the input.
    Request(Shape, Command),
    /// A line that takes long to [`parse`], taken off the input.
    Unparsed(BytesMut),
    /// A line that is no request, taken off the input. See [`ErrorCode::closes`] for whether there
    /// can be another one.
    Refused(Error),
}

/// The form of a request, which its reply follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A bare array: an add, answered with the bare whole array.
    Classic,
    /// An object that names an operation, answered with an object.
    Object,
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
                return Decoded::Refused(Error::new(ErrorCode::TooLarge, message));
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
                Some(Decoded::Unparsed(input.split_to(length)))
            } else {
                let parsed = parse(&input[..length]);
                input.advance(length);
                Some(parsed.map_or_else(Decoded::Refused, |(shape, command)| {
                    Decoded::Request(shape, command)
                }))
            };
            input.advance(usize::from(line_end.is_some()));
            if let Some(decoded) = decoded {
                return decoded;
            }
        }
    }
}

/// The request that a line holds, or why it holds none.
pub fn parse(line: &[u8]) -> Result<(Shape, Command), Error> {
    let line = line.trim_ascii();
    match line.first() {
        Some(b'[') => {
            let Integers(values) = json::parse(line)?;
            Ok((Shape::Classic, Command::Add { values, show: Show::Array }))
        }
        Some(b'{') => {
            let fields: Fields<'_> = json::parse(line)?;
            Ok((Shape::Object, fields.into_command()?))
        }
        _ => {
            json::parse::<IgnoredAny>(line)?;
            Err(bad_request("a request is an array of integers or an object with \"op\""))
        }
    }
}

fn bad_request(message: impl Into<String>) -> Error {
    Error::new(ErrorCode::BadRequest, message)
}

/// The fields of a request object. Each operation takes those that it has; what is left over is
/// refused.
#[derive(Default)]
struct Fields<'l> {
    values: Option<Integers>,
    /// All but `values`.
    others: Vec<(Cow<'l, str>, Scalar<'l>)>,
}

impl<'l> Fields<'l> {
    fn into_command(mut self) -> Result<Command, Error> {
        let op = match self.take("op") {
            Some(Scalar::Text(op)) => op,
            Some(_) => return Err(bad_request("\"op\" must be a string")),
            None => return Err(bad_request("the field \"op\" is missing")),
        };
        let command = match &*op {
            "add" => Command::Add { values: self.take_values()?, show: self.take_show()? },
            "array" => Command::Array(self.take_selection()?),
            "count" => Command::Count(self.take_bounds()?),
            "clear" => Command::Clear,
            "stats" => Command::Stats,
            "ping" => Command::Ping,
            _ => {
                let message = format!("there is no operation {op:?}");
                return Err(Error::new(ErrorCode::UnknownOp, message));
            }
        };
        match self.left_over() {
            None => Ok(command),
            Some(field) => Err(bad_request(format!("{op:?} has no field {field:?}"))),
        }
    }

    fn take(&mut self, field: &str) -> Option<Scalar<'l>> {
        let index = self.others.iter().position(|(name, _)| name == field)?;
        Some(self.others.swap_remove(index).1)
    }

    fn take_values(&mut self) -> Result<Vec<i64>, Error> {
        let Some(Integers(values)) = self.values.take() else {
            return Err(bad_request("the field \"values\" is missing"));
        };
        Ok(values)
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
        let other = self.others.first().map(|(name, _)| &**name);
        other.or(self.values.as_ref().map(|_| "values"))
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
            let is_values = name == "values";
            let repeated = if is_values {
                fields.values.is_some()
            } else {
                fields.others.iter().any(|(known, _)| *known == name)
            };
            if repeated {
                return Err(A::Error::custom(format_args!("the field {name:?} is repeated")));
            }
            if fields.others.len() == MAX_FIELDS {
                return Err(A::Error::custom("there are too many fields"));
            }
            if is_values {
                fields.values = Some(map.next_value()?);
            } else {
                fields.others.push((name, map.next_value()?));
            }
        }
        Ok(fields)
    }
}

/// A string, borrowed from the line where it has no escapes.
#[derive(Deserialize)]
struct Text<'l>(#[serde(borrow)] Cow<'l, str>);

/// Writes a reply's line to `out`, or returns it as a document to be sent while it is read.
pub fn encode(reply: Reply, shape: Shape, out: &mut BytesMut) -> Option<JsonDocument> {
    match (shape, reply) {
        (Shape::Classic, Reply::Added { values: Some(values), .. }) => {
            Some(JsonDocument::new("", values, "\n"))
        }
        (_, reply) => json::write_object(reply, out),
    }
}

#[cfg(test)]
mod tests;
