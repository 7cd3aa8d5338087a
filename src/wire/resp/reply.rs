//! Replies to commands that concern the array.

use bytes::BytesMut;

use crate::command::{Reply, ValueStream, Values};
use crate::session::RespVersion;

use super::encode::{Encoder, Integers};
use super::info::{self, Sections};
use super::refusal::Refusal;

/// What a reply must know of its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    pub(super) version: RespVersion,
    pub(super) shape: Shape,
}

/// How a reply is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// As the integer, or the array, that it is about.
    Plain,
    /// As the first of its values, or null.
    First,
    /// As text about the server.
    Info(Sections),
}

impl Form {
    /// For a reply that is an error, or plain.
    pub fn plain(version: RespVersion) -> Form {
        Form { version, shape: Shape::Plain }
    }
}

/// Writes a reply to `out`. The elements of an array that is a part of the sorted one are returned
/// instead, to be sent behind that while they are read.
pub fn encode(reply: Reply, form: Form, out: &mut BytesMut) -> Option<Integers> {
    let mut encoder = Encoder { version: form.version, out };
    match reply {
        Reply::Pong => encoder.simple_string("PONG"),
        Reply::Added { count, .. } | Reply::Count(count) => encoder.integer(count),
        Reply::Rank { rank, .. } => encoder.integer(rank),
        Reply::Removed(removed) => encoder.integer(removed),
        Reply::At { value, .. } | Reply::Value(value) => encoder.value_or_null(value),
        Reply::Quantiles { quantiles, .. } => {
            encoder.array(quantiles.len());
            quantiles.into_iter().for_each(|(_, value)| encoder.value_or_null(value));
        }
        Reply::Popped { values, .. } if form.shape == Shape::First => {
            encoder.value_or_null(first(values));
        }
        Reply::Popped { popped: count, values } | Reply::Array { shown: count, values, .. } => {
            encoder.array(count);
            return (count > 0).then(|| Integers::new(values, count));
        }
        Reply::Stats(stats) => {
            let sections = match form.shape {
                Shape::Info(sections) => sections,
                Shape::Plain | Shape::First => Sections::ALL,
            };
            encoder.text(&info::text(&stats, sections));
        }
        // Other faces ask for these.
        Reply::Ready | Reply::Histogram { .. } => encoder.error("ERR there is no such reply"),
        Reply::Error(error) => encoder.error(Refusal::from(error)),
    }
    None
}

fn first(mut values: ValueStream) -> Option<i64> {
    let mut value = [0];
    (values.fill(&mut value) == 1).then_some(value[0])
}
