//! What is written: replies as objects.

use std::fmt;

use serde::Serialize;

use crate::command::{Bucket, Error, Reply, Stats, Tier};

use super::document::{JsonDocument, Numbers};
use super::read::Id;

/// How an object is written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Style<'r> {
    /// What the client calls its request: the first member, `id`.
    pub id: Option<&'r Id>,
    /// How integers of the array are written. Counts, ranks and indexes are always numbers.
    pub numbers: Numbers,
}

/// Writes a reply as a JSON object and a line end to `out`; or writes its beginning, and returns the
/// rest as a document, where that may be long.
pub fn write_object(
    reply: Reply,
    style: Style<'_>,
    out: &mut impl fmt::Write,
) -> Option<JsonDocument> {
    try_write(reply, style, out).expect("memory takes what is written to it")
}

fn try_write(
    reply: Reply,
    Style { id, numbers }: Style<'_>,
    out: &mut impl fmt::Write,
) -> Result<Option<JsonDocument>, fmt::Error> {
    out.write_char('{')?;
    if let Some(id) = id {
        write!(out, r#""id":{id},"#)?;
    }
    let integer = |value| Shown { value, numbers };
    let mut values = None;
    match reply {
        Reply::Pong => out.write_str(r#""pong":true"#)?,
        Reply::Ready => out.write_str(r#""ready":true"#)?,
        Reply::Added { added, count, values: shown } => {
            write!(out, r#""added":{added},"count":{count}"#)?;
            if shown.is_some() {
                out.write_char(',')?;
            }
            values = shown;
        }
        Reply::Array { count, values: shown, .. } => {
            write!(out, r#""count":{count},"#)?;
            values = Some(shown);
        }
        Reply::Popped { values: shown, .. } => values = Some(shown),
        Reply::Count(count) => write!(out, r#""count":{count}"#)?,
        Reply::Rank { value, rank, equal } => {
            write!(out, r#""value":{},"rank":{rank},"equal":{equal}"#, integer(value))?;
        }
        Reply::At { index, value: Some(value) } => {
            write!(out, r#""index":{index},"value":{}"#, integer(value))?;
        }
        Reply::At { index, value: None } => write_error(&Error::out_of_range(index), out)?,
        Reply::Quantiles { count, quantiles } => {
            write!(out, r#""count":{count},"quantiles":["#)?;
            for (n, (q, value)) in quantiles.into_iter().enumerate() {
                let comma = if n > 0 { "," } else { "" };
                let (q, value) = (Fraction(q), Nullable(value.map(integer)));
                write!(out, r#"{comma}{{"q":{q},"value":{value}}}"#)?;
            }
            out.write_char(']')?;
        }
        Reply::Value(value) => write!(out, r#""value":{}"#, Nullable(value.map(integer)))?,
        Reply::Histogram { count, min, max, buckets } => {
            let [min, max] = [min, max].map(|value| Nullable(value.map(integer)));
            write!(out, r#""count":{count},"min":{min},"max":{max},"buckets":"#)?;
            return Ok(Some(JsonDocument::of_text(buckets_array(&buckets, numbers)?)));
        }
        Reply::Removed(removed) => write!(out, r#""removed":{removed}"#)?,
        Reply::Stats(stats) => out.write_str(&members(&StatsObject::new(&stats)))?,
        Reply::Error(error) => write_error(&error, out)?,
    }
    if let Some(values) = values {
        out.write_str(r#""values":"#)?;
        return Ok(Some(JsonDocument::new(values, numbers, "}\n")));
    }
    out.write_str("}\n")?;
    Ok(None)
}

/// The array of a histogram's buckets, and what closes the object around it.
fn buckets_array(buckets: &[Bucket], numbers: Numbers) -> Result<String, fmt::Error> {
    use fmt::Write;
    let integer = |value| Shown { value, numbers };
    let mut text = String::from("[");
    for (n, &Bucket { from, to, count }) in buckets.iter().enumerate() {
        let comma = if n > 0 { "," } else { "" };
        let (from, to) = (integer(from), integer(to));
        write!(text, r#"{comma}{{"from":{from},"to":{to},"count":{count}}}"#)?;
    }
    text.push_str("]}\n");
    Ok(text)
}

fn write_error(error: &Error, out: &mut impl fmt::Write) -> fmt::Result {
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
    out.write_str(&members(&Object { error }))
}

/// An integer of the array.
struct Shown {
    value: i64,
    numbers: Numbers,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shown { value, numbers } = self;
        match numbers {
            Numbers::Plain => write!(f, "{value}"),
            Numbers::Strings => write!(f, "\"{value}\""),
        }
    }
}

/// What may be missing.
struct Nullable<T>(Option<T>);

impl<T: fmt::Display> fmt::Display for Nullable<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(value) => value.fmt(f),
            None => f.write_str("null"),
        }
    }
}

/// A number from 0 to 1, with an exponent where it would be long without.
struct Fraction(f64);

impl fmt::Display for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fraction(q) = *self;
        if q == 0.0 || q >= 1e-6 { write!(f, "{q}") } else { write!(f, "{q:e}") }
    }
}

#[derive(Serialize)]
struct StatsObject {
    version: &'static str,
    uptime_seconds: u64,
    epoch: u64,
    count: usize,
    connections: usize,
    requests: u64,
    values_added: u64,
    values_removed: u64,
    memory_bytes: Option<u64>,
    store: StoreObject,
}

#[derive(Serialize)]
struct StoreObject {
    tiers: Vec<TierObject>,
}

#[derive(Serialize)]
struct TierObject {
    kind: &'static str,
    entries: usize,
}

impl StatsObject {
    fn new(stats: &Stats) -> StatsObject {
        let tier = |&Tier { kind, entries }: &Tier| TierObject { kind, entries };
        StatsObject {
            version: stats.version,
            uptime_seconds: stats.uptime_seconds,
            epoch: stats.epoch,
            count: stats.count,
            connections: stats.connections,
            requests: stats.requests,
            values_added: stats.values_added,
            values_removed: stats.values_removed,
            memory_bytes: stats.memory_bytes,
            store: StoreObject { tiers: stats.tiers.iter().map(tier).collect() },
        }
    }
}

/// What stands between the braces of an object.
fn members(object: &impl Serialize) -> String {
    let mut text = serde_json::to_string(object).expect("numbers and strings are JSON");
    text.pop();
    text.remove(0);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::io::Read;

    use crate::command::{ErrorCode, ValueStream, Version};
    use crate::json;

    /// All of an object.
    fn text(reply: Reply, style: Style<'_>) -> String {
        let mut text = String::new();
        if let Some(mut rest) = write_object(reply, style, &mut text) {
            rest.read_to_string(&mut text).expect("a document never fails");
        }
        text
    }

    fn id(text: &str) -> Id {
        json::parse(text.as_bytes()).expect("it is JSON")
    }

    fn values(values: &[i64]) -> ValueStream {
        ValueStream::new(Vec::from(values).into_iter())
    }

    /// A reply, and the same twice as text: with its integers plain and as strings.
    type Row = (Reply, &'static str, &'static str);

    fn rows() -> Vec<Row> {
        let version = Version { run: 0, state: (0, 0) };
        let buckets =
            vec![Bucket { from: 1, to: 2, count: 3 }, Bucket { from: 3, to: 3, count: 0 }];
        let same = |reply, text| (reply, text, text);
        vec![
            same(Reply::Pong, r#""pong":true"#),
            same(Reply::Ready, r#""ready":true"#),
            same(Reply::Added { added: 2, count: 3, values: None }, r#""added":2,"count":3"#),
            (
                Reply::Added { added: 2, count: 3, values: Some(values(&[3, 5])) },
                r#""added":2,"count":3,"values":[3,5]"#,
                r#""added":2,"count":3,"values":["3","5"]"#,
            ),
            (
                Reply::Array { count: 9, shown: 2, values: values(&[3, -5]), version },
                r#""count":9,"values":[3,-5]"#,
                r#""count":9,"values":["3","-5"]"#,
            ),
            (
                Reply::Popped { popped: 1, values: values(&[i64::MIN]) },
                r#""values":[-9223372036854775808]"#,
                r#""values":["-9223372036854775808"]"#,
            ),
            same(Reply::Count(7), r#""count":7"#),
            same(Reply::Removed(u64::MAX), r#""removed":18446744073709551615"#),
            (
                Reply::Rank { value: 5, rank: 2, equal: 1 },
                r#""value":5,"rank":2,"equal":1"#,
                r#""value":"5","rank":2,"equal":1"#,
            ),
            (
                Reply::At { index: -1, value: Some(9) },
                r#""index":-1,"value":9"#,
                r#""index":-1,"value":"9""#,
            ),
            same(
                Reply::At { index: -4, value: None },
                r#""error":{"code":"out_of_range","message":"there is no element at index -4"}"#,
            ),
            (Reply::Value(Some(5)), r#""value":5"#, r#""value":"5""#),
            same(Reply::Value(None), r#""value":null"#),
            (
                Reply::Quantiles { count: 1, quantiles: vec![(0.5, Some(5)), (1.0, Some(6))] },
                r#""count":1,"quantiles":[{"q":0.5,"value":5},{"q":1,"value":6}]"#,
                r#""count":1,"quantiles":[{"q":0.5,"value":"5"},{"q":1,"value":"6"}]"#,
            ),
            same(
                Reply::Quantiles { count: 0, quantiles: vec![(0.0, None), (1e-300, None)] },
                r#""count":0,"quantiles":[{"q":0,"value":null},{"q":1e-300,"value":null}]"#,
            ),
            (
                Reply::Histogram { count: 3, min: Some(1), max: Some(3), buckets },
                r#""count":3,"min":1,"max":3,"buckets":[{"from":1,"to":2,"count":3},{"from":3,"to":3,"count":0}]"#,
                r#""count":3,"min":"1","max":"3","buckets":[{"from":"1","to":"2","count":3},{"from":"3","to":"3","count":0}]"#,
            ),
            same(
                Reply::Histogram { count: 0, min: None, max: None, buckets: vec![] },
                r#""count":0,"min":null,"max":null,"buckets":[]"#,
            ),
            same(
                Reply::Error(Error::new(ErrorCode::BadRequest, "a \"quote\",\na \\")),
                r#""error":{"code":"bad_request","message":"a \"quote\",\na \\"}"#,
            ),
        ]
    }

    #[test]
    fn each_reply_is_an_object() {
        for (reply, plain, _) in rows() {
            assert_eq!(text(reply, Style::default()), format!("{{{plain}}}\n"));
        }
        for (reply, _, strings) in rows() {
            let style = Style { numbers: Numbers::Strings, ..Style::default() };
            assert_eq!(text(reply, style), format!("{{{strings}}}\n"));
        }
    }

    #[test]
    fn an_id_comes_first() {
        for (reply, plain, _) in rows() {
            let style = Style { id: Some(&id(r#"[7, "a b"]"#)), ..Style::default() };
            assert_eq!(text(reply, style), format!("{{\"id\":[7,\"a b\"],{plain}}}\n"));
        }
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
            ..Stats::default()
        };
        let text = text(Reply::Stats(Box::new(stats)), Style::default());
        let expected = concat!(
            r#"{"version":"1.2.3","uptime_seconds":4,"epoch":5,"count":3,"connections":6,"#,
            r#""requests":7,"values_added":8,"values_removed":9,"memory_bytes":null,"#,
            r#""store":{"tiers":[{"kind":"memtable","entries":3}]}}"#,
            "\n"
        );
        assert_eq!(text, expected);
    }
}
