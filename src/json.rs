//! JSON as every face reads and writes it: arrays of integers in, replies out.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, Read};

use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

use crate::command::{Bucket, Error, ErrorCode, Reply, Stats, Tier, ValueStream, Values};

/// Reads one JSON document, or says why it is refused: no JSON, or not what was asked for.
pub fn parse<'d, T: Deserialize<'d>>(document: &'d [u8]) -> Result<T, Error> {
    serde_json::from_slice(document).map_err(refusal)
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

/// Any JSON value, told apart as far as anybody asks: so that whoever wants another one can say where
/// it stood.
#[derive(Debug)]
pub enum Scalar<'d> {
    /// An integer that is an i64.
    Integer(i64),
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

    fn visit_f64<E>(self, _: f64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Other)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Other)
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

/// Values encoded at a time: bounds the memory of a streamed reply, and the time of one read.
const CHUNK_VALUES: usize = 512;

/// Writes a reply as a JSON object and a line end to `out`, or, where it streams values, returns it
/// as a document and writes nothing.
pub fn write_object(reply: Reply, out: &mut impl fmt::Write) -> Option<JsonDocument> {
    let written = match reply {
        Reply::Pong => writeln!(out, r#"{{"pong":true}}"#),
        Reply::Ready => writeln!(out, r#"{{"ready":true}}"#),
        Reply::Added { added, count, values: Some(values) } => {
            let prefix = format!(r#"{{"added":{added},"count":{count},"values":"#);
            return Some(JsonDocument::new(&prefix, values, "}\n"));
        }
        Reply::Added { added, count, values: None } => {
            writeln!(out, r#"{{"added":{added},"count":{count}}}"#)
        }
        Reply::Array { count, values, .. } => {
            let prefix = format!(r#"{{"count":{count},"values":"#);
            return Some(JsonDocument::new(&prefix, values, "}\n"));
        }
        Reply::Popped { values, .. } => {
            return Some(JsonDocument::new(r#"{"values":"#, values, "}\n"));
        }
        Reply::Histogram { count, min, max, buckets } => {
            return Some(JsonDocument::of_text(histogram_object(count, min, max, &buckets)));
        }
        Reply::Count(count) => writeln!(out, r#"{{"count":{count}}}"#),
        Reply::Rank { value, rank, equal } => {
            writeln!(out, r#"{{"value":{value},"rank":{rank},"equal":{equal}}}"#)
        }
        Reply::At { index, value: Some(value) } => {
            writeln!(out, r#"{{"index":{index},"value":{value}}}"#)
        }
        Reply::At { index, value: None } => {
            let error = Error::new(ErrorCode::OutOfRange, format!("there is no index {index}"));
            writeln!(out, "{}", error_object(&error))
        }
        Reply::Quantiles { count, quantiles } => {
            writeln!(out, "{}", quantiles_object(count, &quantiles))
        }
        Reply::Value(value) => writeln!(out, r#"{{"value":{}}}"#, Nullable(value)),
        Reply::Removed(removed) => writeln!(out, r#"{{"removed":{removed}}}"#),
        Reply::Stats(stats) => writeln!(out, "{}", stats_object(&stats)),
        Reply::Error(error) => writeln!(out, "{}", error_object(&error)),
    };
    written.expect("memory takes what is written to it");
    None
}

fn stats_object(stats: &Stats) -> String {
    #[derive(Serialize)]
    struct Object<'s> {
        version: &'s str,
        uptime_seconds: u64,
        epoch: u64,
        count: usize,
        connections: usize,
        requests: u64,
        values_added: u64,
        values_removed: u64,
        memory_bytes: Option<u64>,
        store: Store,
    }
    #[derive(Serialize)]
    struct Store {
        tiers: Vec<TierObject>,
    }
    #[derive(Serialize)]
    struct TierObject {
        kind: &'static str,
        entries: usize,
    }
    let tier = |&Tier { kind, entries }: &Tier| TierObject { kind, entries };
    let object = Object {
        version: stats.version,
        uptime_seconds: stats.uptime_seconds,
        epoch: stats.epoch,
        count: stats.count,
        connections: stats.connections,
        requests: stats.requests,
        values_added: stats.values_added,
        values_removed: stats.values_removed,
        memory_bytes: stats.memory_bytes,
        store: Store { tiers: stats.tiers.iter().map(tier).collect() },
    };
    serde_json::to_string(&object).expect("numbers and strings are JSON")
}

fn quantiles_object(count: usize, quantiles: &[(f64, Option<i64>)]) -> String {
    let quantiles = quantiles
        .iter()
        .map(|&(q, value)| format!(r#"{{"q":{},"value":{}}}"#, Fraction(q), Nullable(value)));
    let quantiles: Vec<String> = quantiles.collect();
    format!(r#"{{"count":{count},"quantiles":[{}]}}"#, quantiles.join(","))
}

fn histogram_object(
    count: usize,
    min: Option<i64>,
    max: Option<i64>,
    buckets: &[Bucket],
) -> String {
    let buckets = buckets.iter().map(|Bucket { from, to, count }| {
        format!(r#"{{"from":{from},"to":{to},"count":{count}}}"#)
    });
    let buckets: Vec<String> = buckets.collect();
    let (min, max, buckets) = (Nullable(min), Nullable(max), buckets.join(","));
    format!(r#"{{"count":{count},"min":{min},"max":{max},"buckets":[{buckets}]}}"#) + "\n"
}

/// A value that may be missing.
struct Nullable(Option<i64>);

impl fmt::Display for Nullable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(value) => value.fmt(f),
            None => f.write_str("null"),
        }
    }
}

/// A number from 0 to 1, as short as it can be told: JSON knows exponents, and `Display` does not.
struct Fraction(f64);

impl fmt::Display for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fraction(q) = *self;
        if q == 0.0 || q >= 1e-6 { write!(f, "{q}") } else { write!(f, "{q:e}") }
    }
}

fn error_object(error: &Error) -> String {
    #[derive(Serialize)]
    struct Object<'e> {
        error: Body<'e>,
    }
    #[derive(Serialize)]
    struct Body<'e> {
        code: &'static str,
        message: &'e str,
    }
    let error = Body { code: error.code.name(), message: &error.message };
    serde_json::to_string(&Object { error }).expect("strings are JSON")
}

/// A JSON document that ends in an array, encoded while it is read.
///
/// Reads as `prefix`, then the values as `[1,2,3]`, then `suffix`, in O(1) memory whatever their
/// number. Never fails, and never blocks for longer than the values take to come.
pub struct JsonDocument {
    values: ValueStream,
    /// Encoded and not yet read, from `sent` on.
    text: Vec<u8>,
    sent: usize,
    /// Whether the next value is the array's first.
    first: bool,
    /// Written once the values have ended; none after that.
    suffix: Option<&'static str>,
}

impl JsonDocument {
    /// The document `prefix`, array, `suffix`.
    pub fn new(prefix: &str, values: ValueStream, suffix: &'static str) -> JsonDocument {
        let text = format!("{prefix}[").into_bytes();
        JsonDocument { values, text, sent: 0, first: true, suffix: Some(suffix) }
    }

    /// A document whose text is there already.
    fn of_text(text: String) -> JsonDocument {
        let values = ValueStream::new(Vec::new().into_iter());
        JsonDocument { values, text: text.into_bytes(), sent: 0, first: true, suffix: None }
    }

    /// Encodes the next chunk of values, or the end.
    fn encode(&mut self) {
        self.text.clear();
        self.sent = 0;
        let mut chunk = [0; CHUNK_VALUES];
        let n = self.values.fill(&mut chunk);
        let mut digits = itoa::Buffer::new();
        for &value in &chunk[..n] {
            if !self.first {
                self.text.push(b',');
            }
            self.first = false;
            self.text.extend_from_slice(digits.format(value).as_bytes());
        }
        if n == 0
            && let Some(suffix) = self.suffix.take()
        {
            self.text.push(b']');
            self.text.extend_from_slice(suffix.as_bytes());
        }
    }
}

impl Read for JsonDocument {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut n = 0;
        while n < out.len() {
            if self.sent == self.text.len() {
                if self.suffix.is_none() {
                    break;
                }
                self.encode();
            }
            let ready = &self.text[self.sent..];
            let copied = ready.len().min(out.len() - n);
            out[n..n + copied].copy_from_slice(&ready[..copied]);
            n += copied;
            self.sent += copied;
        }
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(values: Vec<i64>, read_at_a_time: usize) -> String {
        let values = ValueStream::new(values.into_iter());
        let mut document = JsonDocument::new("{\"values\":", values, "}\n");
        let mut text = Vec::new();
        let mut buffer = vec![0; read_at_a_time];
        loop {
            match document.read(&mut buffer).expect("it never fails") {
                0 => return String::from_utf8(text).expect("it is ASCII"),
                n => text.extend_from_slice(&buffer[..n]),
            }
        }
    }

    #[test]
    fn it_reads_the_same_in_pieces_of_any_size() {
        let edges = vec![i64::MIN, -1, 0, 7, i64::MAX];
        let expected =
            "{\"values\":[-9223372036854775808,-1,0,7,9223372036854775807]}\n".to_owned();
        for size in 1..expected.len() + 2 {
            assert_eq!(text(edges.clone(), size), expected);
        }
        assert_eq!(text(vec![], 3), "{\"values\":[]}\n");
    }

    #[test]
    fn stats_are_an_object() {
        let tiers = vec![Tier { kind: "memtable", entries: 3 }];
        let stats = Stats {
            version: "1.2.3",
            uptime_seconds: 4,
            epoch: 5,
            count: 3,
            connections: 6,
            requests: 7,
            values_added: 8,
            values_removed: 9,
            memory_bytes: None,
            tiers,
        };
        let mut text = String::new();
        assert!(write_object(Reply::Stats(Box::new(stats)), &mut text).is_none());
        let expected = concat!(
            r#"{"version":"1.2.3","uptime_seconds":4,"epoch":5,"count":3,"connections":6,"#,
            r#""requests":7,"values_added":8,"values_removed":9,"memory_bytes":null,"#,
            r#""store":{"tiers":[{"kind":"memtable","entries":3}]}}"#,
            "\n"
        );
        assert_eq!(text, expected);
    }

    #[test]
    fn it_crosses_chunks() {
        let n = i64::try_from(3 * CHUNK_VALUES + 1).expect("it is small");
        let values: Vec<i64> = (0..n).collect();
        let expected = format!("{{\"values\":{}}}\n", serde_json::json!(values));
        assert_eq!(text(values, 100), expected);
    }
}
