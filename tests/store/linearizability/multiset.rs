//! Who is put to the test: the store, and a multiset behind a lock, which must always pass.

use std::collections::BTreeMap;
use std::iter;
use std::ops::RangeInclusive;
use std::sync::{Mutex, PoisonError};

use sortd::store::{SortedMultiset, Writer};

use super::history::MAX_LANES;
use super::operation::{End, Operation, Outcome};

/// A multiset that threads share.
pub(crate) trait Multiset: Sync {
    /// What one thread keeps from call to call; a new thread starts with the default.
    type Handle: Default;

    /// An empty one, by itself or in a crowd of threads that do nothing.
    fn new(crowded: bool) -> Self;

    fn perform(&self, handle: &mut Self::Handle, operation: &Operation) -> Outcome;

    /// Has the multiset rearrange its inside, which must not show.
    fn disturb(&self) {}
}

/// The store.
pub(crate) struct Store {
    set: SortedMultiset,
    /// Make reading all slots take long, so that more happens meanwhile.
    _idle: Vec<Writer>,
}

/// How many idle writers are a crowd.
const CROWD: usize = 120;

/// The writers through which a thread adds in turn, each made when first needed, since making one is a
/// part of what is tested.
///
/// Two of them, so that batches that follow each other come from different writers, on two cores too.
#[derive(Default)]
pub(crate) struct Writers([Option<Writer>; 2]);

impl Multiset for Store {
    type Handle = Writers;

    fn new(crowded: bool) -> Store {
        let set = SortedMultiset::new();
        let crowd = if crowded { CROWD } else { 0 };
        let mut idle: Vec<Writer> = (0..crowd).map(|_| set.writer()).collect();
        // Of the writers to come some take the places of these, before the crowd; the rest come after it.
        idle.drain(..crowd.min(MAX_LANES));
        Store { set, _idle: idle }
    }

    fn perform(&self, handle: &mut Writers, operation: &Operation) -> Outcome {
        let Store { set, .. } = self;
        match operation {
            Operation::Add(values) => {
                handle.0.rotate_left(1);
                handle.0[0].get_or_insert_with(|| set.writer()).add(values);
                Outcome::Done
            }
            Operation::Remove(value) => Outcome::Found(set.remove(*value)),
            Operation::RemoveMany(values) => Outcome::Removed(set.remover().remove_many(values)),
            Operation::RemoveAll(value) => Outcome::Removed(set.remove_all(*value)),
            Operation::RemoveAllMany(values) => {
                Outcome::Removed(set.remover().remove_all_many(values))
            }
            Operation::RemoveRange(range) => Outcome::Removed(set.remove_range(range.clone())),
            Operation::Pop(End::Min) => Outcome::Value(set.pop_min()),
            Operation::Pop(End::Max) => Outcome::Value(set.pop_max()),
            // The turn is over before the values are read.
            Operation::PopMany(End::Min, n) => {
                let popped = set.remover().pop_min_n(*n);
                Outcome::Values(popped.collect())
            }
            Operation::PopMany(End::Max, n) => {
                let popped = set.remover().pop_max_n(*n);
                Outcome::Values(popped.collect())
            }
            Operation::Clear => Outcome::Removed(set.clear()),
            Operation::Len => Outcome::Count(set.len()),
            Operation::Snapshot => {
                let snapshot = set.snapshot();
                Outcome::Snapshot { len: snapshot.len(), values: snapshot.iter().collect() }
            }
            Operation::Rank(value) => Outcome::Count(set.snapshot().rank(*value)),
            Operation::At(index) => Outcome::Value(set.snapshot().at(*index)),
        }
    }

    fn disturb(&self) {
        self.set.compact();
    }
}

/// The reference: a sorted map behind one lock. Linearizable beyond doubt.
#[derive(Default)]
pub(crate) struct Locked(Mutex<Elements>);

impl Multiset for Locked {
    type Handle = ();

    fn new(_: bool) -> Locked {
        Locked::default()
    }

    fn perform(&self, (): &mut (), operation: &Operation) -> Outcome {
        // A panic under the lock ends the test anyway.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).apply(operation)
    }
}

/// How often each value is there; never zero times.
///
/// The second opinion on what the operations mean, next to [`State`](super::model::State), which the
/// checker goes by.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Elements(BTreeMap<i64, usize>);

impl Elements {
    pub(crate) fn apply(&mut self, operation: &Operation) -> Outcome {
        match operation {
            Operation::Add(values) => {
                values.iter().for_each(|&value| *self.0.entry(value).or_default() += 1);
                Outcome::Done
            }
            Operation::Remove(value) => Outcome::Found(self.take(*value)),
            Operation::RemoveMany(values) => {
                removed(values.iter().filter(|&&value| self.take(value)).count())
            }
            Operation::RemoveAll(value) => removed(self.0.remove(value).unwrap_or(0)),
            Operation::RemoveAllMany(values) => {
                removed(values.iter().filter_map(|value| self.0.remove(value)).sum())
            }
            Operation::RemoveRange(range) => removed(self.take_range(range)),
            Operation::Pop(end) => Outcome::Value(self.pop(*end)),
            Operation::PopMany(end, n) => {
                Outcome::Values(iter::from_fn(|| self.pop(*end)).take(*n).collect())
            }
            Operation::Clear => removed(std::mem::take(self).len()),
            Operation::Len => Outcome::Count(self.len()),
            Operation::Snapshot => {
                Outcome::Snapshot { len: self.len(), values: self.iter().collect() }
            }
            Operation::Rank(value) => Outcome::Count(self.0.range(..value).map(|(_, n)| n).sum()),
            Operation::At(index) => Outcome::Value(self.iter().nth(*index)),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.0.values().sum()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = i64> {
        self.0.iter().flat_map(|(&value, &n)| iter::repeat_n(value, n))
    }

    pub(crate) fn contains(&self, value: i64) -> bool {
        self.0.contains_key(&value)
    }

    pub(crate) fn end(&self, end: End) -> Option<i64> {
        let mut values = self.0.keys().copied();
        match end {
            End::Min => values.next(),
            End::Max => values.next_back(),
        }
    }

    fn take(&mut self, value: i64) -> bool {
        let Some(n) = self.0.get_mut(&value) else { return false };
        *n -= 1;
        if *n == 0 {
            self.0.remove(&value);
        }
        true
    }

    fn take_range(&mut self, range: &RangeInclusive<i64>) -> usize {
        let before = self.len();
        self.0.retain(|value, _| !range.contains(value));
        before - self.len()
    }

    fn pop(&mut self, end: End) -> Option<i64> {
        let value = self.end(end)?;
        self.take(value);
        Some(value)
    }
}

fn removed(n: usize) -> Outcome {
    Outcome::Removed(u64::try_from(n).expect("a count fits in 64 bits"))
}
