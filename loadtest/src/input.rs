//! Random batches, repeatable by their seed.

use rand::SeedableRng;
use rand::distr::{Distribution, Uniform};
use rand::rngs::Xoshiro256PlusPlus;
use std::ops::RangeInclusive;

/// An endless sequence of batches. The same seed and ranges give the same one.
#[derive(Debug)]
pub(crate) struct BatchSource {
    /// A named algorithm: the generator of an unnamed one may change from release to release.
    rng: Xoshiro256PlusPlus,
    len: Uniform<usize>,
    value: Uniform<i64>,
}

impl BatchSource {
    /// Batches of a length in `batch`, of values in `values`. Neither range may be empty.
    pub(crate) fn new(
        seed: u64,
        batch: &RangeInclusive<usize>,
        values: &RangeInclusive<i64>,
    ) -> Self {
        Self {
            rng: Xoshiro256PlusPlus::seed_from_u64(seed),
            len: Uniform::new_inclusive(batch.start(), batch.end())
                .expect("the range was validated"),
            value: Uniform::new_inclusive(values.start(), values.end())
                .expect("the range was validated"),
        }
    }

    /// The next batch, in random order.
    pub(crate) fn next_batch(&mut self) -> Vec<i64> {
        let len = self.len.sample(&mut self.rng);
        self.value.sample_iter(&mut self.rng).take(len).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_seed_same_batches() {
        let batches = |seed| {
            let mut source = BatchSource::new(seed, &(10..=20), &(0..=100));
            std::iter::repeat_with(|| source.next_batch()).take(50).collect::<Vec<_>>()
        };
        assert_eq!(batches(7), batches(7));
        assert_ne!(batches(7), batches(8));
    }

    #[test]
    fn ranges_are_inclusive() {
        let mut source = BatchSource::new(1, &(1..=3), &(-1..=1));
        let batches: Vec<Vec<i64>> =
            std::iter::repeat_with(|| source.next_batch()).take(200).collect();
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
        let mut all = BatchSource::new(1, &(100..=100), &(i64::MIN..=i64::MAX));
        assert!(all.next_batch().iter().any(|value| *value < i64::MIN / 2));
        let mut one = BatchSource::new(1, &(1..=1), &(i64::MAX..=i64::MAX));
        assert_eq!(one.next_batch(), [i64::MAX]);
    }
}
