//! What a mix of requests is made of. Each follows from its number alone.

use crate::input::BatchSource;
use rand::RngExt;

/// The fractions of which quantiles are asked for.
pub(crate) const FRACTIONS: [f64; 4] = [0.0, 0.5, 0.99, 1.0];

/// Requests of all kinds are so many, of which each kind has its share.
const SHARES: u32 = 200;
/// The most values asked for at once.
const MAX_LIMIT: u64 = 100;
/// The most values skipped before them.
const MAX_OFFSET: u64 = 20;
/// The most elements popped at once.
const MAX_POPPED: u64 = 8;
/// Indexes asked for are at most this far from an end.
const MAX_INDEX: i64 = 1000;
/// How wide a range is removed at the most, so that a run of clustered values keeps some.
const MAX_WIDTH: i64 = 2;
/// A value to look for is one that may have been added by so many requests before.
const MAX_REQUESTS_BACK: u64 = 64;

/// One request, whatever the protocol.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Operation {
    /// Add a batch.
    Add(Vec<i64>),
    /// Read a part of the array.
    Read(Window),
    /// How many there are.
    Count,
    /// How many there are from the first value to the second.
    CountWithin(i64, i64),
    /// How many are less than the value.
    Rank(i64),
    /// The element at an index, from the end if negative.
    At(i64),
    /// The elements at [`FRACTIONS`].
    Quantiles,
    /// The smallest or the largest element.
    Extreme(End),
    /// Remove one element equal to the value.
    Remove(i64),
    /// Remove all elements from the first value to the second.
    RemoveRange(i64, i64),
    /// Take so many elements out from an end.
    Pop(End, u64),
    /// Remove everything.
    Clear,
}

/// An end of the array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Min,
    Max,
}

/// A part of the array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// The least value in it.
    pub(crate) min: i64,
    /// The greatest value in it.
    pub(crate) max: i64,
    /// So many of those, in the order asked for, are skipped.
    pub(crate) offset: u64,
    /// And so many shown at the most.
    pub(crate) limit: u64,
    /// The order.
    pub(crate) descending: bool,
}

impl Operation {
    /// The request of this number.
    pub(crate) fn of(number: u64, batches: &BatchSource) -> Self {
        let mut rng = batches.rng(number);
        let end = if rng.random() { End::Min } else { End::Max };
        let (a, b) = (batches.value(&mut rng), batches.value(&mut rng));
        let (min, max) = (a.min(b), a.max(b));
        let earlier = number.saturating_sub(rng.random_range(1..=MAX_REQUESTS_BACK)).max(1);
        let known = batches.batch(earlier).next().unwrap_or(a);
        match rng.random_range(0..SHARES) {
            0..100 => Operation::Add(batches.batch(number).collect()),
            100..125 => Operation::Read(Window {
                min,
                max,
                offset: rng.random_range(0..=MAX_OFFSET),
                limit: rng.random_range(1..=MAX_LIMIT),
                descending: rng.random(),
            }),
            125..135 => Operation::Count,
            135..140 => Operation::CountWithin(min, max),
            140..155 => Operation::Rank(known),
            155..165 => Operation::At(rng.random_range(-MAX_INDEX..=MAX_INDEX)),
            165..175 => Operation::Quantiles,
            175..180 => Operation::Extreme(end),
            180..187 => Operation::Remove(known),
            187..190 => {
                Operation::RemoveRange(known, known.saturating_add(rng.random_range(0..=MAX_WIDTH)))
            }
            190..199 => Operation::Pop(end, rng.random_range(1..=MAX_POPPED)),
            _ => Operation::Clear,
        }
    }

    /// How many elements it may remove; `None` if it removes none by its nature.
    pub(crate) fn most_removed(&self) -> Option<u64> {
        match self {
            Operation::Remove(_) => Some(1),
            Operation::Pop(_, n) => Some(*n),
            Operation::RemoveRange(..) | Operation::Clear => Some(u64::MAX),
            _ => None,
        }
    }

    /// Whether the array is another one afterwards, perhaps.
    pub(crate) fn changes(&self) -> bool {
        matches!(self, Operation::Add(_)) || self.most_removed().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::mem::discriminant;

    #[test]
    fn every_kind_comes_and_repeats_by_seed() {
        let mix = |seed| {
            let batches = BatchSource::new(seed, &(1..=3), &(i64::MIN..=i64::MAX));
            (1..=5000).map(|number| Operation::of(number, &batches)).collect::<Vec<_>>()
        };
        let operations = mix(7);
        assert_eq!(operations, mix(7));
        assert_ne!(operations, mix(8));
        assert_eq!(operations.iter().map(discriminant).collect::<HashSet<_>>().len(), 12);
    }
}
