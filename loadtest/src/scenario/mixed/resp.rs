//! The mix as Redis commands, answered in RESP2.

use super::answer::{Answer, Reply};
use super::dialect::Dialect;
use super::operation::{End, FRACTIONS, Operation, Window};
use crate::scenario::text::{append_bulk, append_command, append_header};
use crate::verify::{Line, Malformed, ServerError, take_line};

/// Commands as arrays of bulk strings.
#[derive(Debug)]
pub(crate) struct Resp;

/// A reply of RESP2, as far as there are any here.
#[derive(Debug)]
enum Frame {
    Integer(Option<i64>),
    Integers(Vec<Option<i64>>),
    Error(ServerError),
}

impl Dialect for Resp {
    fn request(&self, operation: &Operation, text: &mut Vec<u8>) {
        match operation {
            Operation::Add(batch) => append_command(text, "ADD", batch.iter().copied()),
            Operation::Read(Window { min, max, offset, limit, descending }) => {
                let [min, max, offset, limit] =
                    [min.to_string(), max.to_string(), offset.to_string(), limit.to_string()];
                let reversed = if *descending { &["REV"][..] } else { &[] };
                let words = [&["BETWEEN", &min, &max], reversed, &["LIMIT", &offset, &limit]];
                append_words(text, &words.concat());
            }
            Operation::Count => append_words(text, &["COUNT"]),
            Operation::CountWithin(min, max) => {
                append_command(text, "COUNT", [*min, *max].into_iter());
            }
            Operation::Rank(value) => append_command(text, "RANK", std::iter::once(*value)),
            Operation::At(index) => append_command(text, "AT", std::iter::once(*index)),
            Operation::Quantiles => {
                let fractions = FRACTIONS.map(|fraction| fraction.to_string());
                let mut words = vec!["QUANTILE"];
                words.extend(fractions.iter().map(String::as_str));
                append_words(text, &words);
            }
            Operation::Extreme(End::Min) => append_words(text, &["MIN"]),
            Operation::Extreme(End::Max) => append_words(text, &["MAX"]),
            Operation::Remove(value) => append_command(text, "REMOVE", std::iter::once(*value)),
            Operation::RemoveRange(min, max) => {
                append_command(text, "REMOVERANGE", [*min, *max].into_iter());
            }
            Operation::Pop(End::Min, n) => append_words(text, &["POPMIN", &n.to_string()]),
            Operation::Pop(End::Max, n) => append_words(text, &["POPMAX", &n.to_string()]),
            Operation::Clear => append_words(text, &["CLEAR"]),
        }
    }

    fn reply(
        &self,
        operation: &Operation,
        bytes: &[u8],
    ) -> Result<Option<(Reply, usize)>, Malformed> {
        let Some((frame, len)) = take_frame(bytes)? else {
            return Ok(None);
        };
        let reply = match frame {
            Frame::Error(error) => Reply::Refused(error),
            Frame::Integer(integer) => Reply::Answer(
                from_integer(operation, integer)
                    .ok_or_else(|| Malformed(format!("{integer:?} answers no {operation:.40?}")))?,
            ),
            Frame::Integers(integers) => {
                Reply::Answer(from_integers(operation, integers).ok_or_else(|| {
                    Malformed(format!("an array with these elements answers no {operation:.40?}"))
                })?)
            }
        };
        Ok(Some((reply, len)))
    }
}

fn append_words(text: &mut Vec<u8>, words: &[&str]) {
    append_header(text, b'*', words.len());
    words.iter().for_each(|word| append_bulk(text, word.as_bytes()));
}

fn take_frame(bytes: &[u8]) -> Result<Option<(Frame, usize)>, Malformed> {
    let Some((line, mut at)) = take_line(bytes)? else {
        return Ok(None);
    };
    let len = match line {
        Line::Integer(integer) => return Ok(Some((Frame::Integer(Some(integer)), at))),
        Line::Nil => return Ok(Some((Frame::Integer(None), at))),
        Line::Error(error) => return Ok(Some((Frame::Error(error), at))),
        Line::Array(len) => len,
    };
    let mut elements = Vec::new();
    for _ in 0..len {
        let Some((line, taken)) = take_line(&bytes[at..])? else {
            return Ok(None);
        };
        at += taken;
        elements.push(match line {
            Line::Integer(integer) => Some(integer),
            Line::Nil => None,
            line => return Err(Malformed(format!("{line:?} within an array of integers"))),
        });
    }
    Ok(Some((Frame::Integers(elements), at)))
}

fn from_integer(operation: &Operation, integer: Option<i64>) -> Option<Answer> {
    let natural = integer.and_then(|integer| u64::try_from(integer).ok());
    Some(match operation {
        Operation::Add(_) => Answer::Added { added: None, count: natural? },
        Operation::Count | Operation::CountWithin(..) => Answer::Count(natural?),
        Operation::Rank(_) => Answer::Rank { value: None, rank: natural?, equal: None },
        Operation::At(_) => Answer::At { index: None, value: integer },
        Operation::Extreme(_) => Answer::Extreme(integer),
        Operation::Remove(_) | Operation::RemoveRange(..) | Operation::Clear => {
            Answer::Removed(natural?)
        }
        Operation::Read(_) | Operation::Quantiles | Operation::Pop(..) => return None,
    })
}

fn from_integers(operation: &Operation, integers: Vec<Option<i64>>) -> Option<Answer> {
    Some(match operation {
        Operation::Quantiles => Answer::Quantiles {
            count: None,
            quantiles: integers.into_iter().map(|value| (None, value)).collect(),
        },
        Operation::Read(_) => {
            Answer::Values { count: None, values: integers.into_iter().collect::<Option<_>>()? }
        }
        Operation::Pop(..) => Answer::Popped(integers.into_iter().collect::<Option<_>>()?),
        _ => return None,
    })
}
