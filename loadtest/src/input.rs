//! Random batches, repeatable by their seed.

use rand::distr::{Distribution, Uniform};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, SeedableRng};
use std::ops::RangeInclusive;

/// An endless sequence of batches. The same seed and ranges give the same one.
///
/// Each batch follows from its number alone, so that one under way needs no memory: when its reply
/// has come its values are made once more, which costs less than to keep them.
#[derive(Debug)]
pub(crate) struct BatchSource {
    /// The generator of batch `n` starts from this plus `n`. Not the seed itself, or else the seeds
    /// 7 and 8 would give the same batches but for one.
    key: u64,
    len: Uniform<usize>,
    value: Uniform<i64>,
}

/// The values of one batch, in random order.
#[derive(Clone, Debug)]
pub(crate) struct Batch<'a> {
    /// A named algorithm: the generator of an unnamed one may change from release to release.
    rng: Xoshiro256PlusPlus,
    left: usize,
    value: &'a Uniform<i64>,
}

impl BatchSource {
    /// Batches of a length in `batch`, of values in `values`. Neither range may be empty.
    pub(crate) fn new(
        seed: u64,
        batch: &RangeInclusive<usize>,
        values: &RangeInclusive<i64>,
    ) -> Self {
        Self {
            key: Xoshiro256PlusPlus::seed_from_u64(seed).next_u64(),
            len: Uniform::new_inclusive(batch.start(), batch.end())
                .expect("the range was validated"),
            value: Uniform::new_inclusive(values.start(), values.end())
                .expect("the range was validated"),
        }
    }

    /// The batch of this number. O(1); the values are made as they are asked for.
    pub(crate) fn batch(&self, number: u64) -> Batch<'_> {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(self.key.wrapping_add(number));
        let left = self.len.sample(&mut rng);
        Batch { rng, left, value: &self.value }
    }

    /// A generator for whatever else the request of this number needs.
    pub(crate) fn rng(&self, number: u64) -> Xoshiro256PlusPlus {
        Xoshiro256PlusPlus::seed_from_u64(self.key.rotate_left(32).wrapping_add(number))
    }

    /// A value like those of the batches.
    pub(crate) fn value(&self, rng: &mut Xoshiro256PlusPlus) -> i64 {
        self.value.sample(rng)
    }
}

impl Iterator for Batch<'_> {
    type Item = i64;

    #[inline]
    fn next(&mut self) -> Option<i64> {
        self.left = self.left.checked_sub(1)?;
        Some(self.value.sample(&mut self.rng))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Batch<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    fn batches(source: &BatchSource, count: u64) -> Vec<Vec<i64>> {
        (1..=count).map(|number| source.batch(number).collect()).collect()
    }

    #[test]
    fn same_seed_same_batches() {
        let seeded = |seed| batches(&BatchSource::new(seed, &(10..=20), &(0..=100)), 50);
        assert_eq!(seeded(7), seeded(7));
        // Nor are they the same batches under other numbers.
        assert!(seeded(7).iter().all(|batch| !seeded(8).contains(batch)));
    }

    #[test]
    fn length_is_known_beforehand() {
        let source = BatchSource::new(3, &(10..=20), &(i64::MIN..=i64::MAX));
        let mut batch = source.batch(1);
        let len = batch.len();
        assert!(batch.next().is_some());
        assert_eq!((batch.len(), batch.count()), (len - 1, len - 1));
    }

    #[test]
    fn ranges_are_inclusive() {
        let source = BatchSource::new(1, &(1..=3), &(-1..=1));
        let batches = batches(&source, 200);
        let (mut lens, mut values) =
            (batches.iter().map(Vec::len).collect::<Vec<_>>(), batches.concat());
        lens.sort_unstable();
        lens.dedup();
        values.sort_unstable();
        values.dedup();
        assert_eq!((lens, values), (vec![1, 2, 3], vec![-1, 0, 1]));
    }

    #[test]
    fn edges_of_the_domain() {
        let all = BatchSource::new(1, &(100..=100), &(i64::MIN..=i64::MAX));
        assert!(all.batch(1).any(|value| value < i64::MIN / 2));
        let one = BatchSource::new(1, &(1..=1), &(i64::MAX..=i64::MAX));
        assert_eq!(one.batch(u64::MAX).collect::<Vec<_>>(), [i64::MAX]);
    }
}
