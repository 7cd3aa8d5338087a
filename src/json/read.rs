//! What is read: documents, and why some are refused.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::value::RawValue;

use crate::command::{Error, ErrorCode, MAX_QUANTILES};

/// Reads one JSON document, or says why it is refused: no JSON, or not what was asked for.
pub fn parse<'d, T: Deserialize<'d>>(document: &'d [u8]) -> Result<T, Error> {
    serde_json::from_slice(document).map_err(refusal)
}

/// As [`parse`], with a seed that says what to make of the document.
pub fn parse_with<'d, S: DeserializeSeed<'d>>(
    document: &'d [u8],
    seed: S,
) -> Result<S::Value, Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(document);
    let value = seed.deserialize(&mut deserializer).map_err(refusal)?;
    deserializer.end().map_err(refusal)?;
    Ok(value)
}

/// What a parse error means to the one who sent the line.
fn refusal(error: serde_json::Error) -> Error {
    let message = error.to_string();
    // 1e999 is well-formed JSON that serde_json reports as a syntax error.
    let code = if error.is_data() || message.starts_with("number out of range") {
        ErrorCode::BadRequest
    } else {
        ErrorCode::BadJson
    };
    Error::new(code, message)
}

/// An array of integers, all of them i64 or none accepted.
#[derive(Debug)]
pub struct Integers(pub Vec<i64>);

impl<'de> Deserialize<'de> for Integers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Integers, D::Error> {
        deserializer.deserialize_seq(IntegersVisitor)
    }
}

struct IntegersVisitor;

impl<'de> Visitor<'de> for IntegersVisitor {
    type Value = Integers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of 64-bit integers")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Integers, A::Error> {
        let mut values = Vec::new();
        while let Some(element) = seq.next_element()? {
            let Scalar::Integer(value) = element else {
                let position = values.len();
                return Err(A::Error::custom(format_args!(
                    "the value at position {position} is not a 64-bit signed integer"
                )));
            };
            values.push(value);
        }
        Ok(Integers(values))
    }
}

/// One integer that is an i64.
#[derive(Debug)]
pub struct Integer(pub i64);

impl<'de> Deserialize<'de> for Integer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Integer, D::Error> {
        match Scalar::deserialize(deserializer)? {
            Scalar::Integer(value) => Ok(Integer(value)),
            _ => Err(D::Error::custom("the value is not a 64-bit signed integer")),
        }
    }
}

/// An array of numbers from 0 to 1, at least one and at most [`MAX_QUANTILES`].
#[derive(Debug)]
pub struct Fractions(pub Vec<f64>);

impl<'de> Deserialize<'de> for Fractions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Fractions, D::Error> {
        deserializer.deserialize_seq(FractionsVisitor)
    }
}

struct FractionsVisitor;

impl<'de> Visitor<'de> for FractionsVisitor {
    type Value = Fractions;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of numbers from 0 to 1")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Fractions, A::Error> {
        let mut fractions = Vec::new();
        while let Some(element) = seq.next_element()? {
            let position = fractions.len();
            if position == MAX_QUANTILES {
                return Err(A::Error::custom(format_args!(
                    "there are more than {MAX_QUANTILES} numbers in \"q\""
                )));
            }
            let fraction = match element {
                Scalar::Integer(0) => 0.0,
                Scalar::Integer(1) => 1.0,
                Scalar::Float(q) if (0.0..=1.0).contains(&q) => q,
                _ => {
                    return Err(A::Error::custom(format_args!(
                        "the value at position {position} of \"q\" is not a number from 0 to 1"
                    )));
                }
            };
            fractions.push(fraction);
        }
        if fractions.is_empty() {
            return Err(A::Error::custom("there are no numbers in \"q\""));
        }
        Ok(Fractions(fractions))
    }
}

/// What a client calls its request, to tell the replies apart: any JSON value, of which nothing is
/// understood. Displays as its compact text, with numbers and strings as they were sent. Clones share it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Id(Arc<str>);

impl Id {
    /// The longest one: it goes into the reply, which waits in memory for its client.
    pub const MAX_BYTES: usize = 64 * 1024;
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Id, D::Error> {
        let text = <&RawValue>::deserialize(deserializer)?.get();
        if text.len() > Id::MAX_BYTES {
            let most = Id::MAX_BYTES;
            return Err(D::Error::custom(format_args!("the \"id\" has more than {most} bytes")));
        }
        Ok(Id(compact(text).into()))
    }
}

/// A JSON text without the white space between its tokens.
fn compact(text: &str) -> String {
    let (mut in_string, mut escaped) = (false, false);
    let is_kept = |c: &char| {
        let is_kept = in_string || !c.is_ascii_whitespace();
        in_string ^= *c == '"' && !escaped;
        escaped = in_string && *c == '\\' && !escaped;
        is_kept
    };
    text.chars().filter(is_kept).collect()
}

/// Any JSON value, told apart as far as anybody asks: so that whoever wants another one can say where
/// it stood.
#[derive(Debug)]
pub enum Scalar<'d> {
    /// An integer that is an i64.
    Integer(i64),
    /// A number with a fraction or an exponent.
    Float(f64),
    /// True or false.
    Flag(bool),
    /// A string, borrowed from the document where it has no escapes.
    Text(Cow<'d, str>),
    /// Anything else.
    Other,
}

impl<'de: 'd, 'd> Deserialize<'de> for Scalar<'d> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Scalar<'d>, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_i64<E>(self, value: i64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Scalar<'de>, E> {
        Ok(i64::try_from(value).map_or(Scalar::Other, Scalar::Integer))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Float(value))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Flag(value))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Scalar<'de>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar<'de>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> Result<String, Error> {
        parse(text.as_bytes()).map(|id: Id| id.to_string())
    }

    #[test]
    fn an_id_is_kept_as_it_was_sent_but_for_white_space_between_its_tokens() {
        let kept = [
            "7",
            "-0",
            "1e999",
            "123456789012345678901234567890.10",
            "null",
            "true",
            r#""""#,
            r#"" a \" b \\""#,
            "\"\u{20ac}\"",
            r#""\u20ac""#,
            r#"{"a":[1,"b c"],"a":{}}"#,
        ];
        for text in kept {
            assert_eq!(id(text).as_deref(), Ok(text));
        }
        assert_eq!(
            id(" [ 1 ,\t{ \"a b\" : \" \\\\\" , \"\\\" \" :\r2 } ] ").as_deref(),
            Ok(r#"[1,{"a b":" \\","\" ":2}]"#)
        );
    }

    #[test]
    fn an_id_is_json_and_has_a_bound() {
        for text in ["", "[", "{\"a\"}", "nul", "01", "\"\n\""] {
            assert_eq!(id(text).map_err(|error| error.code), Err(ErrorCode::BadJson), "{text}");
        }
        let nested = "[".repeat(Id::MAX_BYTES / 2) + &"]".repeat(Id::MAX_BYTES / 2);
        assert_eq!(id(&nested).as_ref(), Ok(&nested), "however deep");
        let longest = format!("\"{}\"", "x".repeat(Id::MAX_BYTES - 2));
        assert_eq!(id(&longest).as_ref(), Ok(&longest));
        let longer = format!("\"{}\"", "x".repeat(Id::MAX_BYTES - 1));
        assert_eq!(id(&longer).map_err(|error| error.code), Err(ErrorCode::BadRequest));
    }

    #[test]
    fn a_fraction_is_read_to_the_last_bit() {
        // One that a fast parser gets wrong by a bit, and so perhaps by an element.
        let Fractions(q) = parse(b"[0.9541186401568635]").expect("it is one");
        assert_eq!(q[0].to_bits(), 0.954_118_640_156_863_5_f64.to_bits());
    }

    #[test]
    fn fractions_lie_between_0_and_1_and_there_are_some() {
        let fractions = |text: &str| parse(text.as_bytes()).map(|Fractions(q)| q);
        assert_eq!(fractions("[0,1,0.5,1.0,1e-9]"), Ok(vec![0.0, 1.0, 0.5, 1.0, 1e-9]));
        let most = vec!["0.5"; MAX_QUANTILES].join(",");
        assert_eq!(fractions(&format!("[{most}]")).map(|q| q.len()), Ok(MAX_QUANTILES));
        for (text, says) in [
            ("[]", "no numbers"),
            ("[2]", "position 0"),
            ("[0.5,-1]", "position 1"),
            ("[0.5,1.0000001]", "position 1"),
            ("[0.5,-0.0000001]", "position 1"),
            ("[0.5,\"0.5\"]", "position 1"),
            ("[null]", "position 0"),
            ("0.5", "an array of numbers"),
            (&format!("[{most},0.5]"), "more than 1000"),
        ] {
            let error = fractions(text).expect_err(text);
            assert_eq!(error.code, ErrorCode::BadRequest, "{text}");
            assert!(error.message.contains(says), "{text}: {error}");
        }
    }
}
