//! The mix as JSON lines.

use super::answer::{Answer, Reply, from_json, no_answer};
use super::dialect::Dialect;
use super::operation::{End, FRACTIONS, Operation, Window};
use crate::scenario::text::append_array;
use crate::verify::{Malformed, ServerError};
use std::io::Write;

/// One object a line.
#[derive(Debug)]
pub(crate) struct Lines;

impl Dialect for Lines {
    fn request(&self, operation: &Operation, text: &mut Vec<u8>) {
        let written = match operation {
            Operation::Add(batch) => {
                text.extend_from_slice(b"{\"op\":\"add\",\"values\":");
                append_array(text, batch.iter().copied());
                text.extend_from_slice(b"}\n");
                return;
            }
            Operation::Read(Window { min, max, offset, limit, descending }) => {
                let order = if *descending { "desc" } else { "asc" };
                writeln!(
                    text,
                    "{{\"op\":\"array\",\"min\":{min},\"max\":{max},\"offset\":{offset},\
                     \"limit\":{limit},\"order\":\"{order}\"}}"
                )
            }
            Operation::Count => writeln!(text, "{{\"op\":\"count\"}}"),
            Operation::CountWithin(min, max) => {
                writeln!(text, "{{\"op\":\"count\",\"min\":{min},\"max\":{max}}}")
            }
            Operation::Rank(value) => writeln!(text, "{{\"op\":\"rank\",\"value\":{value}}}"),
            Operation::At(index) => writeln!(text, "{{\"op\":\"at\",\"index\":{index}}}"),
            Operation::Quantiles => {
                writeln!(text, "{{\"op\":\"quantiles\",\"q\":{FRACTIONS:?}}}")
            }
            Operation::Extreme(End::Min) => writeln!(text, "{{\"op\":\"min\"}}"),
            Operation::Extreme(End::Max) => writeln!(text, "{{\"op\":\"max\"}}"),
            Operation::Remove(value) => {
                writeln!(text, "{{\"op\":\"remove\",\"values\":[{value}]}}")
            }
            Operation::RemoveRange(min, max) => {
                writeln!(text, "{{\"op\":\"remove_range\",\"min\":{min},\"max\":{max}}}")
            }
            Operation::Pop(End::Min, n) => writeln!(text, "{{\"op\":\"pop_min\",\"n\":{n}}}"),
            Operation::Pop(End::Max, n) => writeln!(text, "{{\"op\":\"pop_max\",\"n\":{n}}}"),
            Operation::Clear => writeln!(text, "{{\"op\":\"clear\"}}"),
        };
        written.expect("a vector takes everything");
    }

    fn reply(
        &self,
        operation: &Operation,
        bytes: &[u8],
    ) -> Result<Option<(Reply, usize)>, Malformed> {
        let Some(end) = bytes.iter().position(|&byte| byte == b'\n') else {
            return Ok(None);
        };
        let line = &bytes[..end];
        let reply = match (from_json(operation, line), ServerError::parse(line)) {
            (Some(answer), _) => Reply::Answer(answer),
            (None, Some(error)) if error.code == "out_of_range" && is_at(operation) => {
                Reply::Answer(Answer::At { index: None, value: None })
            }
            (None, Some(error)) => Reply::Refused(error),
            (None, None) => return Err(no_answer(operation, line)),
        };
        Ok(Some((reply, end + 1)))
    }
}

fn is_at(operation: &Operation) -> bool {
    matches!(operation, Operation::At(_))
}
