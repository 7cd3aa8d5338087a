//! The last array against the values that it must hold, one by one as it streams by.

use super::checks::{Check, CheckFailure};

/// Walks along the expected values, sorted, while the array, sorted too, goes by. Of an array that
/// is not sorted it finds differences that are none, never the other way round.
#[derive(Debug)]
pub(crate) struct Comparison {
    expected: Vec<i64>,
    passed: usize,
    /// The value going by, and how often it is still expected.
    current: Option<Difference>,
    differing: u64,
    first: Option<Difference>,
    /// Whether values that are expected may be missing.
    at_most: bool,
}

/// How much more often a value is expected than found.
#[derive(Clone, Copy, Debug)]
struct Difference {
    value: i64,
    missing: i64,
}

impl Comparison {
    /// Expects these values, in any order. O(n log n).
    pub(crate) fn new(mut expected: Vec<i64>) -> Self {
        expected.sort_unstable();
        Self { expected, passed: 0, current: None, differing: 0, first: None, at_most: false }
    }

    /// Expects some of these values, and no others. O(n log n).
    pub(crate) fn at_most(expected: Vec<i64>) -> Self {
        Self { at_most: true, ..Self::new(expected) }
    }

    /// Takes the array's next value. O(1) amortised.
    pub(crate) fn found(&mut self, value: i64) {
        if self.current.is_none_or(|current| current.value != value) {
            self.settle();
            while let Some(&skipped) = self.expected.get(self.passed)
                && skipped < value
            {
                let missing = self.pass(skipped);
                self.note(Difference { value: skipped, missing });
            }
            self.current = Some(Difference { value, missing: self.pass(value) });
        }
        if let Some(current) = &mut self.current {
            current.missing -= 1;
        }
    }

    /// Whether the array, which has gone by, holds exactly the values expected.
    pub(crate) fn finish(mut self) -> Result<(), CheckFailure> {
        self.settle();
        while let Some(&value) = self.expected.get(self.passed) {
            let missing = self.pass(value);
            self.note(Difference { value, missing });
        }
        let Some(Difference { value, missing }) = self.first else {
            return Ok(());
        };
        let direction = if missing > 0 { "too few" } else { "too many" };
        let detail = format!(
            "the last array holds {value} {} time(s) {direction}; {} distinct value(s) differ",
            missing.unsigned_abs(),
            self.differing
        );
        Err(CheckFailure { check: Check::FinalArray, detail })
    }

    /// Passes by all of `value` that is expected from here on; how many that is.
    fn pass(&mut self, value: i64) -> i64 {
        let ahead = &self.expected[self.passed..];
        let times = ahead.iter().take_while(|&&expected| expected == value).count();
        self.passed += times;
        i64::try_from(times).expect("no vector is that long")
    }

    fn settle(&mut self) {
        if let Some(current) = self.current.take() {
            self.note(current);
        }
    }

    fn note(&mut self, difference: Difference) {
        if difference.missing < 0 || (difference.missing > 0 && !self.at_most) {
            self.differing += 1;
            self.first.get_or_insert(difference);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const EXPECTED: [i64; 7] = [7, i64::MAX, 0, 7, i64::MIN, 9, 7];

    fn compare(expected: &[i64], array: &[i64]) -> Result<(), String> {
        let mut comparison = Comparison::new(expected.to_vec());
        array.iter().for_each(|&value| comparison.found(value));
        comparison.finish().map_err(|failure| failure.detail)
    }

    #[test]
    fn equal_arrays_pass() {
        assert_eq!(compare(&EXPECTED, &[i64::MIN, 0, 7, 7, 7, 9, i64::MAX]), Ok(()));
        assert_eq!(compare(&[], &[]), Ok(()));
    }

    #[test]
    fn differences_are_told() {
        let (least, most) = (i64::MIN, i64::MAX);
        assert_eq!(
            compare(&EXPECTED, &[least, 0, 7, 9, most]),
            Err("the last array holds 7 2 time(s) too few; 1 distinct value(s) differ".into())
        );
        assert_eq!(
            compare(&EXPECTED, &[least, 0, 1, 7, 7, 7, most]),
            Err("the last array holds 1 1 time(s) too many; 2 distinct value(s) differ".into())
        );
        assert_eq!(
            compare(&[1, 2, 2], &[]),
            Err("the last array holds 1 1 time(s) too few; 2 distinct value(s) differ".into())
        );
    }

    #[test]
    fn disorder_does_not_pass() {
        assert!(compare(&[1, 2], &[2, 1]).is_err());
    }

    proptest! {
        /// It agrees with comparing sorted vectors, on small values so that duplicates abound.
        #[test]
        fn agrees_with_equality(
            mut expected in prop::collection::vec(0_i64..4, 0..8),
            mut array in prop::collection::vec(0_i64..4, 0..8),
        ) {
            array.sort_unstable();
            let passes = compare(&expected, &array).is_ok();
            expected.sort_unstable();
            prop_assert_eq!(passes, expected == array);
        }
    }
}
