//! What a server can be asked besides adds, whatever the protocol; how an honest one answers, and
//! how others do.

use std::ops::Range;

/// A request.
#[derive(Clone, Debug)]
pub(crate) enum Request {
    Add(Vec<i64>),
    /// The whole array over RESP.
    All,
    Read {
        min: i64,
        max: i64,
        offset: usize,
        limit: usize,
        descending: bool,
    },
    Count(i64, i64),
    Rank(i64),
    At(i64),
    Quantiles(Vec<f64>),
    Min,
    Max,
    Remove(i64),
    RemoveRange(i64, i64),
    PopMin(usize),
    PopMax(usize),
    Clear,
}

/// What is said to it.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Values { count: usize, values: Vec<i64> },
    Count(usize),
    Rank { value: i64, rank: usize, equal: usize },
    At { index: i64, value: Option<i64> },
    Quantiles { count: usize, quantiles: Vec<(f64, Option<i64>)> },
    Extreme(Option<i64>),
    Removed(usize),
    Popped(Vec<i64>),
}

/// What a dishonest server says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lie {
    /// Values in a read, or popped, in the wrong order.
    Order,
    /// One value too few in a read.
    FewerValues,
    /// Values in a read that are outside its bounds.
    OutOfBounds,
    /// Values in a read that nobody added.
    InventedValues,
    /// More values than there ever were.
    Count,
    /// A rank beyond the end.
    Rank,
    /// The rank of another value.
    RankOfAnother,
    /// The element at another index.
    OtherIndex,
    /// An element where there is none.
    ValueBeyondTheEnd,
    /// No quantiles of an array that has elements.
    NoQuantiles,
    /// Quantiles in descending order.
    QuantilesDescend,
    /// Quantiles of other fractions.
    OtherFractions,
    /// No smallest and no largest element.
    NoExtreme,
    /// The smallest and the largest element that nobody added.
    InventedExtreme,
    /// More removed than asked for.
    TooManyRemoved,
    /// Fewer cleared than there were.
    TooFewCleared,
    /// More popped than asked for.
    TooManyPopped,
    /// Popped what nobody added.
    InventedPop,
}

impl Request {
    /// What an honest server says, with the array as it is afterwards.
    pub(crate) fn carry_out(&self, array: &mut Vec<i64>) -> Answer {
        let range = |array: &[i64], min: i64, max: i64| -> Range<usize> {
            let start = array.partition_point(|&value| value < min);
            start..array.partition_point(|&value| value <= max).max(start)
        };
        match *self {
            Request::Add(_) => unreachable!("adds take another way"),
            Request::All => Answer::Values { count: array.len(), values: array.clone() },
            Request::Read { min, max, offset, limit, descending } => {
                let mut values = array[range(array, min, max)].to_vec();
                if descending {
                    values.reverse();
                }
                let count = values.len();
                let values = values.into_iter().skip(offset).take(limit).collect();
                Answer::Values { count, values }
            }
            Request::Count(min, max) => Answer::Count(range(array, min, max).len()),
            Request::Rank(value) => {
                let Range { start, end } = range(array, value, value);
                Answer::Rank { value, rank: start, equal: end - start }
            }
            Request::At(index) => {
                let distance = usize::try_from(index.unsigned_abs()).expect("it is small");
                let place =
                    if index < 0 { array.len().checked_sub(distance) } else { Some(distance) };
                let value = place.and_then(|place| array.get(place)).copied();
                Answer::At { index, value }
            }
            Request::Quantiles(ref fractions) => {
                let value = |q: f64| {
                    let nearest = (1..=array.len()).find(|&n| n as f64 >= q * array.len() as f64);
                    nearest.map(|n| array[n - 1])
                };
                let quantiles = fractions.iter().map(|&q| (q, value(q))).collect();
                Answer::Quantiles { count: array.len(), quantiles }
            }
            Request::Min => Answer::Extreme(array.first().copied()),
            Request::Max => Answer::Extreme(array.last().copied()),
            Request::Remove(value) => {
                let range = range(array, value, value);
                Answer::Removed(array.drain(range.start..range.end.min(range.start + 1)).len())
            }
            Request::RemoveRange(min, max) => {
                let range = range(array, min, max);
                Answer::Removed(array.drain(range).len())
            }
            Request::PopMin(n) => Answer::Popped(array.drain(..n.min(array.len())).collect()),
            Request::PopMax(n) => {
                let kept = array.len().saturating_sub(n);
                Answer::Popped(array.drain(kept..).rev().collect())
            }
            Request::Clear => Answer::Removed(std::mem::take(array).len()),
        }
    }
}

impl Lie {
    /// What is said instead. Only where it makes a difference that can be known.
    pub(crate) fn told(self, request: &Request, honest: Answer) -> Answer {
        match (self, request, honest) {
            (Lie::Order, _, Answer::Values { count, mut values }) => {
                values.reverse();
                Answer::Values { count, values }
            }
            (Lie::Order, _, Answer::Popped(mut values)) => {
                values.reverse();
                Answer::Popped(values)
            }
            (Lie::FewerValues, _, Answer::Values { count, mut values }) => {
                values.pop();
                Answer::Values { count, values }
            }
            (
                Lie::OutOfBounds,
                Request::Read { min, max, descending, .. },
                Answer::Values { count, mut values },
            ) => {
                let outside =
                    if *descending { min.saturating_sub(1) } else { max.saturating_add(1) };
                if let Some(last) = values.last_mut() {
                    *last = outside;
                }
                Answer::Values { count, values }
            }
            (Lie::InventedValues, _, Answer::Values { count, values }) => {
                let mut values: Vec<i64> = values;
                for at in 1..values.len().saturating_sub(1) {
                    let (before, after) = (values[at - 1], values[at + 1]);
                    values[at] = before.midpoint(after);
                }
                Answer::Values { count, values }
            }
            (Lie::Count, _, Answer::Count(count)) => Answer::Count(count + 1_000_000),
            (Lie::Rank, _, Answer::Rank { value, rank, equal }) => {
                Answer::Rank { value, rank: rank + 1_000_000, equal }
            }
            (Lie::RankOfAnother, _, Answer::Rank { value, rank, equal }) => {
                Answer::Rank { value: value.wrapping_add(1), rank, equal }
            }
            (Lie::OtherIndex, _, Answer::At { index, value }) => {
                Answer::At { index: index + 1, value }
            }
            (Lie::ValueBeyondTheEnd, _, Answer::At { index, value: None }) => {
                Answer::At { index, value: Some(7) }
            }
            (Lie::NoQuantiles, _, Answer::Quantiles { count, mut quantiles }) => {
                quantiles.iter_mut().for_each(|(_, value)| *value = None);
                Answer::Quantiles { count, quantiles }
            }
            (Lie::QuantilesDescend, _, Answer::Quantiles { count, mut quantiles }) => {
                let values: Vec<_> = quantiles.iter().rev().map(|(_, value)| *value).collect();
                quantiles.iter_mut().zip(values).for_each(|(quantile, value)| quantile.1 = value);
                Answer::Quantiles { count, quantiles }
            }
            (Lie::OtherFractions, _, Answer::Quantiles { count, mut quantiles }) => {
                quantiles.pop();
                Answer::Quantiles { count, quantiles }
            }
            (Lie::NoExtreme, _, Answer::Extreme(_)) => Answer::Extreme(None),
            (Lie::InventedExtreme, _, Answer::Extreme(Some(_))) => Answer::Extreme(Some(7)),
            (Lie::TooManyRemoved, Request::Remove(_), Answer::Removed(removed)) => {
                Answer::Removed(removed + 1)
            }
            (Lie::TooFewCleared, Request::Clear, Answer::Removed(_)) => Answer::Removed(0),
            (Lie::TooManyPopped, _, Answer::Popped(mut values)) => {
                values.extend([values.last().copied().unwrap_or(7); 9]);
                Answer::Popped(values)
            }
            (Lie::InventedPop, _, Answer::Popped(mut values)) => {
                values.iter_mut().for_each(|value| *value = 7);
                Answer::Popped(values)
            }
            (_, _, honest) => honest,
        }
    }
}
