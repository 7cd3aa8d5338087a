//! The vocabulary as JSON lines, and as JSON at all.

use crate::server::{refusal, text};
use crate::vocabulary::{Answer, Request};
use serde_json::{Value, json};

/// The request on a line; `None` if it is none.
pub(crate) fn read(line: &str) -> Option<Request> {
    let request: Value = serde_json::from_str(line).ok()?;
    let integer = |field: &str| request[field].as_i64();
    let size = |field: &str| usize::try_from(integer(field)?).ok();
    Some(match request["op"].as_str()? {
        "array" => Request::Read {
            min: integer("min")?,
            max: integer("max")?,
            offset: size("offset")?,
            limit: size("limit")?,
            descending: request["order"] == "desc",
        },
        "count" => {
            Request::Count(integer("min").unwrap_or(i64::MIN), integer("max").unwrap_or(i64::MAX))
        }
        "rank" => Request::Rank(integer("value")?),
        "at" => Request::At(integer("index")?),
        "quantiles" => Request::Quantiles(
            request["q"].as_array()?.iter().map(Value::as_f64).collect::<Option<_>>()?,
        ),
        "min" => Request::Min,
        "max" => Request::Max,
        "remove" => Request::Remove(request["values"][0].as_i64()?),
        "remove_range" => Request::RemoveRange(integer("min")?, integer("max")?),
        "pop_min" => Request::PopMin(size("n")?),
        "pop_max" => Request::PopMax(size("n")?),
        "clear" => Request::Clear,
        _ => return None,
    })
}

/// The reply as a line.
pub(crate) fn encode(_: &Request, answer: Answer) -> Vec<u8> {
    match answer {
        Answer::At { value: None, .. } => refusal("out_of_range"),
        answer => format!("{}\n", object(&answer)).into_bytes(),
    }
}

/// The object that says it.
pub(crate) fn object(answer: &Answer) -> String {
    match answer {
        Answer::Values { count, values } => {
            format!("{{\"count\":{count},\"values\":{}}}", text(values))
        }
        Answer::Count(count) => json!({ "count": count }).to_string(),
        Answer::Rank { value, rank, equal } => {
            json!({ "value": value, "rank": rank, "equal": equal }).to_string()
        }
        Answer::At { index, value } => json!({ "index": index, "value": value }).to_string(),
        Answer::Quantiles { count, quantiles } => {
            let quantiles: Vec<Value> =
                quantiles.iter().map(|(q, value)| json!({ "q": q, "value": value })).collect();
            json!({ "count": count, "quantiles": quantiles }).to_string()
        }
        Answer::Extreme(value) => json!({ "value": value }).to_string(),
        Answer::Removed(removed) => json!({ "removed": removed }).to_string(),
        Answer::Popped(values) => format!("{{\"values\":{}}}", text(values)),
    }
}
