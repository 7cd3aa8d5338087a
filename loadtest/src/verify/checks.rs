//! What must hold of an array, whatever else happens meanwhile, checked value by value as it
//! streams by.

use std::ops::RangeInclusive;

/// A promise of the server that can be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Check {
    /// Every array is sorted, ascending.
    Unsorted,
    /// A reply holds every value of its batch, at least as often as the batch.
    BatchMissing,
    /// A reply holds as many values as it must: at least what was acknowledged before and at most
    /// what was sent, or exactly as many as it says.
    Length,
    /// An add adds its whole batch and nothing else.
    Added,
    /// A count is at least what was acknowledged before, at most what was sent.
    Count,
    /// Counts on one connection never decrease.
    CountDecreased,
    /// A reply repeats what its request asked for: the value, the index, the fractions.
    Echo,
    /// Values are within the bounds asked for.
    OutOfBounds,
    /// A value shown was added by somebody.
    UnknownValue,
    /// There is a value where there must be one, and none where there can be none.
    Presence,
    /// Elements below a value, and equal to it, are no more than there are.
    Rank,
    /// A removal removes no more than was asked for and there is.
    Removed,
    /// A popped value was added, and not popped or removed before.
    Popped,
    /// The last count is the first one plus what was added, less what was removed.
    FinalCount,
    /// The last array is the first one plus what was added, less what was removed.
    FinalArray,
}

impl Check {
    /// The name under which a failure is reported.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Check::Unsorted => "unsorted",
            Check::BatchMissing => "batch_missing",
            Check::Length => "length",
            Check::Added => "added",
            Check::Count => "count",
            Check::CountDecreased => "count_decreased",
            Check::Echo => "echo",
            Check::OutOfBounds => "out_of_bounds",
            Check::UnknownValue => "unknown_value",
            Check::Presence => "presence",
            Check::Rank => "rank",
            Check::Removed => "removed",
            Check::Popped => "popped",
            Check::FinalCount => "final_count",
            Check::FinalArray => "final_array",
        }
    }
}

/// A broken promise, with what was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CheckFailure {
    /// Which promise.
    pub(crate) check: Check,
    /// What was seen, for people.
    pub(crate) detail: String,
}

/// The first place at which an array descends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Descent {
    index: u64,
    before: i64,
    after: i64,
}

/// Watches one array go by. It keeps the batch and a cursor into it, nothing of the array.
#[derive(Debug)]
pub(crate) struct ArrayChecks {
    /// Sorted. The cursor walks along it while the array, sorted too, goes by.
    batch: Vec<i64>,
    matched: usize,
    len: u64,
    last: i64,
    descent: Option<Descent>,
}

impl ArrayChecks {
    /// Checks for the reply to `batch`, in any order; an empty one asks for nothing.
    pub(crate) fn new(mut batch: Vec<i64>) -> Self {
        batch.sort_unstable();
        Self { batch, matched: 0, len: 0, last: i64::MIN, descent: None }
    }

    /// Starts over for the reply to another batch, in the memory that is there.
    pub(crate) fn restart(&mut self, batch: impl Iterator<Item = i64>) {
        self.batch.clear();
        self.batch.extend(batch);
        self.batch.sort_unstable();
        (self.matched, self.len, self.last, self.descent) = (0, 0, i64::MIN, None);
    }

    /// Takes the array's next value.
    #[inline]
    pub(crate) fn value(&mut self, value: i64) {
        if value < self.last && self.descent.is_none() {
            self.descent = Some(Descent { index: self.len, before: self.last, after: value });
        }
        self.last = value;
        self.len += 1;
        // A cursor that the array has passed by never matches again: that value is missing.
        if self.batch.get(self.matched) == Some(&value) {
            self.matched += 1;
        }
    }

    /// The batch, sorted.
    pub(crate) fn batch(&self) -> &[i64] {
        &self.batch
    }

    /// Values taken so far.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Whether the values so far ascend.
    pub(crate) fn order(&self) -> Result<(), CheckFailure> {
        match self.descent {
            None => Ok(()),
            Some(Descent { index, before, after }) => Err(CheckFailure {
                check: Check::Unsorted,
                detail: format!("{after} at index {index} follows {before}"),
            }),
        }
    }

    /// Whether the values so far contain the batch. Meaningful only if [`Self::order`] holds.
    pub(crate) fn contains_batch(&self) -> Result<(), CheckFailure> {
        let Some(&missing) = self.batch.get(self.matched) else {
            return Ok(());
        };
        let sent = self.batch.iter().filter(|&&value| value == missing).count();
        let found = self.batch[..self.matched].iter().filter(|&&value| value == missing).count();
        Err(CheckFailure {
            check: Check::BatchMissing,
            detail: format!(
                "{missing} was sent {sent} times, and the reply holds it {found} times"
            ),
        })
    }

    /// Whether as many values as that have come.
    pub(crate) fn length(&self, expected: &RangeInclusive<u64>) -> Result<(), CheckFailure> {
        if expected.contains(&self.len) {
            return Ok(());
        }
        let (least, most) = (expected.start(), expected.end());
        Err(CheckFailure {
            check: Check::Length,
            detail: format!(
                "the reply holds {} values, and must hold from {least} to {most}",
                self.len
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn watch(batch: &[i64], array: &[i64]) -> ArrayChecks {
        let mut checks = ArrayChecks::new(batch.to_vec());
        array.iter().for_each(|&value| checks.value(value));
        checks
    }

    #[test]
    fn edges_of_the_domain_are_in_order() {
        assert_eq!(watch(&[], &[i64::MIN, i64::MIN, 0, i64::MAX, i64::MAX]).order(), Ok(()));
        assert_eq!(watch(&[], &[]).order(), Ok(()));
    }

    #[test]
    fn first_descent_is_told() {
        let failure = watch(&[], &[1, 5, 4, 3]).order().expect_err("4 follows 5");
        assert_eq!(
            (failure.check, failure.detail.as_str()),
            (Check::Unsorted, "4 at index 2 follows 5")
        );
    }

    #[test]
    fn missing_duplicate_is_told() {
        let failure =
            watch(&[7, 3, 7, 7], &[3, 4, 7, 7, 9]).contains_batch().expect_err("7 is missing once");
        assert_eq!(failure.detail, "7 was sent 3 times, and the reply holds it 2 times");
    }

    #[test]
    fn restart_forgets_everything() {
        let mut checks = watch(&[9], &[5, 4]);
        checks.restart([3, 1].into_iter());
        assert_eq!((checks.len(), checks.order(), checks.batch()), (0, Ok(()), &[1, 3][..]));
        [i64::MIN, 1, 3].into_iter().for_each(|value| checks.value(value));
        assert_eq!((checks.len(), checks.order(), checks.contains_batch()), (3, Ok(()), Ok(())));
    }

    #[test]
    fn length_bounds_are_inclusive() {
        let checks = watch(&[], &[1, 2, 3]);
        assert_eq!(checks.length(&(3..=3)), Ok(()));
        assert!(checks.length(&(4..=9)).is_err());
        assert!(checks.length(&(0..=2)).is_err());
    }

    proptest! {
        /// The cursor agrees with counting, on small values so that duplicates abound.
        #[test]
        fn cursor_agrees_with_counting(
            batch in prop::collection::vec(0_i64..5, 0..8),
            mut array in prop::collection::vec(0_i64..5, 0..20),
        ) {
            array.sort_unstable();
            let times = |values: &[i64], wanted: i64| {
                values.iter().filter(|&&value| value == wanted).count()
            };
            let contained = batch.iter().all(|&value| times(&array, value) >= times(&batch, value));
            prop_assert_eq!(watch(&batch, &array).contains_batch().is_ok(), contained);
        }
    }
}
