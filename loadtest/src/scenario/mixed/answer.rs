//! What a reply says, whatever the protocol; and how it is spelt in JSON, which the lines of the
//! socket and the bodies of REST share.

use super::operation::Operation;
use crate::verify::{Malformed, ServerError, quoted};
use serde::de::{Deserialize, DeserializeOwned, Deserializer};

/// A reply to one request. What a protocol leaves out is `None`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    /// To an add.
    Added { added: Option<u64>, count: u64 },
    /// To a read; the count is before offset and limit.
    Values { count: Option<u64>, values: Vec<i64> },
    /// To a count.
    Count(u64),
    /// To a rank.
    Rank { value: Option<i64>, rank: u64, equal: Option<u64> },
    /// To an index; without a value that is out of range.
    At { index: Option<i64>, value: Option<i64> },
    /// To quantiles: each with its fraction.
    Quantiles { count: Option<u64>, quantiles: Vec<(Option<f64>, Option<i64>)> },
    /// To an extreme; none of an empty array.
    Extreme(Option<i64>),
    /// To a removal or a clear.
    Removed(u64),
    /// To a pop.
    Popped(Vec<i64>),
}

/// A complete reply.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Reply {
    Answer(Answer),
    Refused(ServerError),
}

/// The JSON object that answers an operation; `None` if it is none, or lacks a field, or has one
/// too many.
pub(crate) fn from_json(operation: &Operation, text: &[u8]) -> Option<Answer> {
    // The structs below would take an array of their fields' values, too.
    if !text.starts_with(b"{") {
        return None;
    }
    Some(match operation {
        Operation::Add(_) => {
            let Added { added, count } = read(text)?;
            Answer::Added { added: Some(added), count }
        }
        Operation::Read(_) => {
            let Listing { count, values } = read(text)?;
            Answer::Values { count: Some(count), values }
        }
        Operation::Count | Operation::CountWithin(..) => {
            let Count { count } = read(text)?;
            Answer::Count(count)
        }
        Operation::Rank(_) => {
            let Rank { value, rank, equal } = read(text)?;
            Answer::Rank { value: Some(value), rank, equal: Some(equal) }
        }
        Operation::At(_) => {
            let At { index, value } = read(text)?;
            Answer::At { index: Some(index), value: Some(value) }
        }
        Operation::Quantiles => {
            let Quantiles { count, quantiles } = read(text)?;
            let quantiles = quantiles.into_iter().map(|Quantile { q, value }| (Some(q), value));
            Answer::Quantiles { count: Some(count), quantiles: quantiles.collect() }
        }
        Operation::Extreme(_) => {
            let Extreme { value } = read(text)?;
            Answer::Extreme(value)
        }
        Operation::Remove(_) | Operation::RemoveRange(..) | Operation::Clear => {
            let Removed { removed } = read(text)?;
            Answer::Removed(removed)
        }
        Operation::Pop(..) => {
            let Popped { values } = read(text)?;
            Answer::Popped(values)
        }
    })
}

/// The values of a bare array.
pub(crate) fn bare_array(text: &[u8]) -> Option<Vec<i64>> {
    read(text)
}

/// The text is no answer.
pub(crate) fn no_answer(operation: &Operation, text: &[u8]) -> Malformed {
    Malformed(format!("{} answers no {operation:.40?}", quoted(text)))
}

fn read<T: DeserializeOwned>(text: &[u8]) -> Option<T> {
    serde_json::from_slice(text).ok()
}

/// A value that may be null but not left out.
fn nullable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    Option::deserialize(deserializer)
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Added {
    added: u64,
    count: u64,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Listing {
    count: u64,
    values: Vec<i64>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Count {
    count: u64,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Rank {
    value: i64,
    rank: u64,
    equal: u64,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct At {
    index: i64,
    value: i64,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Quantiles {
    count: u64,
    quantiles: Vec<Quantile>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Quantile {
    q: f64,
    #[serde(deserialize_with = "nullable")]
    value: Option<i64>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Extreme {
    #[serde(deserialize_with = "nullable")]
    value: Option<i64>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Removed {
    removed: u64,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Popped {
    values: Vec<i64>,
}

#[cfg(test)]
mod tests {
    use super::super::operation::End;
    use super::*;

    #[test]
    fn shape_must_be_exact() {
        let extreme = Operation::Extreme(End::Min);
        let read = |text: &str| from_json(&extreme, text.as_bytes());
        assert_eq!(read("{\"value\":-5}"), Some(Answer::Extreme(Some(-5))));
        assert_eq!(read("{\"value\":null}"), Some(Answer::Extreme(None)));
        for text in ["{}", "{\"value\":1,\"x\":1}", "[1]", "{\"value\":1.5}", "{\"value\":1} 1"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
