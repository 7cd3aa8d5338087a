//! The sequential specification: what each operation does to a multiset that nobody else touches.

use std::iter;
use std::ops::RangeInclusive;

use super::operation::{End, Operation, Outcome};

/// All values that occur in histories, ascending: few, so that threads collide, and the edges.
pub(crate) const VALUES: [i64; 8] = [i64::MIN, -7, -3, 0, 1, 5, 9, i64::MAX];

/// The multiset at one point of a history. Small and cheap to hash, since a search remembers many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct State {
    /// How often each of [`VALUES`] is there.
    counts: [u16; VALUES.len()],
}

impl State {
    /// The outcome that the operation must have here, and the state that it must lead to.
    pub(crate) fn after(mut self, operation: &Operation) -> (State, Outcome) {
        let outcome = match operation {
            Operation::Add(values) => {
                values.iter().for_each(|&value| self.counts[place(value)] += 1);
                Outcome::Done
            }
            Operation::Remove(value) => Outcome::Found(self.remove(*value)),
            Operation::RemoveMany(values) => {
                Outcome::Removed(values.iter().map(|&value| u64::from(self.remove(value))).sum())
            }
            Operation::RemoveAll(value) => Outcome::Removed(self.remove_within(*value..=*value)),
            Operation::RemoveAllMany(values) => {
                Outcome::Removed(values.iter().map(|&v| self.remove_within(v..=v)).sum())
            }
            Operation::RemoveRange(range) => Outcome::Removed(self.remove_within(range.clone())),
            Operation::Pop(end) => Outcome::Value(self.pop(*end)),
            Operation::PopMany(end, n) => {
                Outcome::Values(iter::from_fn(|| self.pop(*end)).take(*n).collect())
            }
            Operation::Clear => Outcome::Removed(self.remove_within(i64::MIN..=i64::MAX)),
            Operation::Len => Outcome::Count(self.len()),
            Operation::Snapshot => Outcome::Snapshot { len: self.len(), values: self.values() },
            Operation::Rank(value) => {
                Outcome::Count(self.counts[..place(*value)].iter().copied().map(usize::from).sum())
            }
            Operation::At(index) => Outcome::Value(self.values().get(*index).copied()),
        };
        (self, outcome)
    }

    /// All elements, ascending.
    pub(crate) fn values(&self) -> Vec<i64> {
        let heaps = VALUES.iter().zip(self.counts);
        heaps.flat_map(|(&value, n)| iter::repeat_n(value, usize::from(n))).collect()
    }

    fn len(&self) -> usize {
        self.counts.iter().copied().map(usize::from).sum()
    }

    fn remove(&mut self, value: i64) -> bool {
        let count = &mut self.counts[place(value)];
        let found = *count > 0;
        *count -= u16::from(found);
        found
    }

    fn remove_within(&mut self, range: RangeInclusive<i64>) -> u64 {
        let heaps = VALUES.iter().zip(&mut self.counts);
        let within = heaps.filter(|(value, _)| range.contains(value));
        within.map(|(_, count)| u64::from(std::mem::take(count))).sum()
    }

    fn pop(&mut self, end: End) -> Option<i64> {
        let mut places = 0..VALUES.len();
        let is_taken = |&place: &usize| self.counts[place] > 0;
        let place = match end {
            End::Min => places.find(is_taken),
            End::Max => places.rfind(is_taken),
        }?;
        self.counts[place] -= 1;
        Some(VALUES[place])
    }
}

fn place(value: i64) -> usize {
    VALUES.binary_search(&value).expect("histories hold no other values")
}
