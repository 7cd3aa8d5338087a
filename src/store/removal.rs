//! Removing elements: removers take turns, and nobody else ever waits for them.

use std::iter::Rev;
use std::ops::{self, RangeInclusive};
use std::sync::{Arc, MutexGuard};

use super::compactor::is_tidy;
use super::protocol::{Claim, Contents, Native, NativeContents};
use super::run::{OPEN_REMOVALS, Run, signed};
use super::select::{Open, Unsorted};
use super::{Range, Shared, Snapshot};

/// Elements that are removed one by one, as removals that cancel them, at the most. More than that are
/// cut out of the runs.
const CANCELLED_AT_MOST: usize = OPEN_REMOVALS;

/// The removers' turn: who holds it may remove, one at a time for each set. Adds, reads and clears
/// go on meanwhile.
///
/// Every removal takes effect whole, at one instant between the call and its return.
///
/// ```
/// let set = sortd::store::SortedMultiset::new();
/// set.writer().add(&[5, 5, 5, 7, 9]);
/// let mut remover = set.remover();
/// assert!(remover.remove(5));
/// assert_eq!(remover.remove_many(&[5, 8]), 1);
/// assert_eq!(remover.pop_max(), Some(9));
/// assert_eq!(remover.remove_range(5..=7), 2);
/// assert_eq!(remover.pop_min(), None);
/// ```
pub struct Remover<'s> {
    shared: &'s Shared,
    claim: MutexGuard<'s, Claim<Native>>,
}

/// What is to go: all elements within some ranges, which have nothing in common, some copies of one value, and some values one by one.
#[derive(Debug, Default)]
struct Selection {
    ranges: Vec<RangeInclusive<i64>>,
    copies: Option<(i64, usize)>,
    /// Ascending.
    values: Vec<i64>,
}

impl<'s> Remover<'s> {
    pub(super) fn new(shared: &'s Shared, claim: MutexGuard<'s, Claim<Native>>) -> Remover<'s> {
        Remover { shared, claim }
    }

    /// Removes one instance of `value`; whether there was any.
    ///
    /// The time of a count, and of an add. Lock-free.
    pub fn remove(&mut self, value: i64) -> bool {
        loop {
            let snapshot = self.shared.snapshot();
            if snapshot.count_range(value..=value) == 0 {
                return false;
            }
            // Only a remover could take it away by now, or a clear; and after a clear this must
            // look again, rather than cancel what may not be in the new generation.
            let generation = &snapshot.moment().view.generation;
            let protocol = &self.shared.protocol;
            let Some(turn) = protocol.enter_in(&mut self.claim, generation) else {
                if self.claim.is_retired_in(generation) {
                    return self.remove_many(&[value]) == 1;
                }
                continue;
            };
            let Some(places) = turn.view().active.reserve(1) else {
                self.shared.seal(&turn.leave());
                continue;
            };
            turn.view().active.insert(&places, turn.ticket(), &[value]);
            turn.commit(1);
            return true;
        }
    }

    /// Removes one instance of each of `values`, as far as there are any, each as often as it is given;
    /// returns how many there were.
    ///
    /// O(k log² n) for k values.
    pub fn remove_many(&mut self, values: &[i64]) -> u64 {
        let mut values = values.to_vec();
        values.sort_unstable();
        let removed = self.remove_selected(|snapshot| {
            let mut found = Vec::new();
            for same in values.chunk_by(|a, b| a == b) {
                let there = snapshot.count_range(same[0]..=same[0]);
                found.extend_from_slice(&same[..same.len().min(there)]);
            }
            Selection { values: found, ..Selection::default() }
        });
        removed.0
    }

    /// Removes every instance of `value`; returns how many there were. The time of a count, and
    /// O(chunks).
    pub fn remove_all(&mut self, value: i64) -> u64 {
        self.remove_range(value..=value)
    }

    /// Removes every instance of each of `values`; returns how many there were.
    ///
    /// O(k log² n) for k distinct values, and O(1) for each element removed.
    pub fn remove_all_many(&mut self, values: &[i64]) -> u64 {
        let mut values = values.to_vec();
        values.sort_unstable();
        values.dedup();
        let removed = self.remove_selected(|snapshot| {
            let mut selection = Selection::default();
            values.iter().for_each(|&value| selection.add_range(snapshot, value..=value));
            selection
        });
        removed.0
    }

    /// Removes every element within `range`; returns how many there were. The time of a count, and
    /// O(chunks), however many there are.
    pub fn remove_range(&mut self, range: RangeInclusive<i64>) -> u64 {
        if range.is_empty() {
            return 0;
        }
        let removed = self.remove_selected(|snapshot| {
            let mut selection = Selection::default();
            selection.add_range(snapshot, range.clone());
            selection
        });
        removed.0
    }

    /// Removes the smallest element and returns it, or none.
    pub fn pop_min(&mut self) -> Option<i64> {
        self.pop_min_n(1).next()
    }

    /// Removes the largest element and returns it, or none.
    pub fn pop_max(&mut self) -> Option<i64> {
        self.pop_max_n(1).next()
    }

    /// Removes the `n` smallest elements, or all if there are fewer, and returns them, ascending.
    ///
    /// The time of an [`at`](Snapshot::at), and O(chunks); the elements are read when the iterator is.
    pub fn pop_min_n(&mut self, n: usize) -> Range {
        let (_, snapshot) = self.remove_selected(|snapshot| {
            let n = n.min(snapshot.len());
            if n <= CANCELLED_AT_MOST {
                return Selection {
                    values: snapshot.slice(0..n).collect(),
                    ..Selection::default()
                };
            }
            let last = snapshot.at(n - 1).expect("there are n elements");
            let below = snapshot.rank(last);
            let ranges = last.checked_sub(1).map(|end| i64::MIN..=end).into_iter().collect();
            Selection { ranges, copies: Some((last, n - below)), values: Vec::new() }
        });
        snapshot.slice(0..n)
    }

    /// Removes the `n` largest elements, or all if there are fewer, and returns them, descending.
    ///
    /// Costs as [`pop_min_n`](Remover::pop_min_n).
    pub fn pop_max_n(&mut self, n: usize) -> Rev<Range> {
        let largest = |snapshot: &Snapshot| snapshot.len().saturating_sub(n)..snapshot.len();
        let (_, snapshot) = self.remove_selected(|snapshot| {
            let ops::Range { start, end } = largest(snapshot);
            let n = end - start;
            if n <= CANCELLED_AT_MOST {
                let values = snapshot.slice(start..end).collect();
                return Selection { values, ..Selection::default() };
            }
            let last = snapshot.at(start).expect("there are n elements");
            let above = end - snapshot.count_below(last, true);
            let ranges = last.checked_add(1).map(|start| start..=i64::MAX).into_iter().collect();
            Selection { ranges, copies: Some((last, n - above)), values: Vec::new() }
        });
        let indexes = largest(&snapshot);
        snapshot.slice(indexes).rev()
    }

    /// Removes what `select` chooses of a snapshot, unless somebody adds meanwhile: then it chooses
    /// again. Returns how many elements that were, and the snapshot that had them.
    fn remove_selected(&mut self, select: impl Fn(&Snapshot) -> Selection) -> (u64, Snapshot) {
        self.shared.persist(|| {
            let snapshot = self.shared.try_snapshot()?;
            let (contents, removed) = select(&snapshot).removed_from(&snapshot, self.shared);
            if removed > 0 {
                let was_tidy = is_tidy(snapshot.moment().contents());
                if !self.shared.protocol.try_remove(snapshot.moment(), contents) {
                    return None;
                }
                if was_tidy {
                    self.shared.requests.wake();
                }
            }
            Some((removed, snapshot))
        })
    }
}

impl Selection {
    fn add_range(&mut self, snapshot: &Snapshot, range: RangeInclusive<i64>) {
        if snapshot.count_range(range.clone()) > CANCELLED_AT_MOST {
            self.ranges.push(range);
        } else {
            self.values.extend(snapshot.range(range));
        }
    }

    /// The contents without what is selected, and how many elements that is.
    fn removed_from(self, snapshot: &Snapshot, shared: &Shared) -> (NativeContents, u64) {
        let contents = snapshot.moment().contents();
        let (mut runs, mut cancelled) = (contents.runs.clone(), self.values);
        let mut removed = cancelled.len();
        // Removals may have to be cancelled as well: those in memtables whose elements are cut out.
        let mut added = Vec::new();
        let fresh = if self.ranges.is_empty() {
            Unsorted::default()
        } else {
            snapshot.fresh(Open::default())
        };
        for range in &self.ranges {
            removed += snapshot.count_range(range.clone());
            cut_range(&mut runs, range);
            cancelled.extend(fresh.added.iter().filter(|value| range.contains(value)));
            added.extend(fresh.removed.iter().filter(|value| range.contains(value)));
        }
        if let Some((value, copies)) = self.copies {
            removed += copies;
            let cut = cut_copies(&mut runs, value, copies);
            cancelled.extend(std::iter::repeat_n(value, copies - cut));
        }
        let change = Run::from_unsorted(added, cancelled, &shared.reaper);
        append(&mut runs, change, shared);
        let offset = contents.offset - signed(removed);
        (Contents { runs, offset, edits: contents.edits + 1 }, removed as u64)
    }
}

/// Cuts out all that lies within `range`, elements and removals.
fn cut_range(runs: &mut Vec<Arc<Run>>, range: &RangeInclusive<i64>) {
    for run in runs.iter_mut() {
        let (added, removed) = (run.added.positions(range), run.removed.positions(range));
        if !added.is_empty() || !removed.is_empty() {
            let (added, removed) = (run.added.without(added), run.removed.without(removed));
            *run = Arc::new(Run { added, removed });
        }
    }
    runs.retain(|run| run.entries() > 0);
}

/// Cuts out so many copies of `value` as far as there are any, and returns how many there were.
fn cut_copies(runs: &mut Vec<Arc<Run>>, value: i64, copies: usize) -> usize {
    let mut cut = 0;
    for run in runs.iter_mut() {
        let ops::Range { start, end } = run.added.positions(&(value..=value));
        let n = (end - start).min(copies - cut);
        if n > 0 {
            let added = run.added.without(start..start + n);
            *run = Arc::new(Run { added, removed: run.removed.clone() });
            cut += n;
        }
    }
    runs.retain(|run| run.entries() > 0);
    cut
}

/// Adds a run, or its removals to an open one.
fn append(runs: &mut Vec<Arc<Run>>, run: Run, shared: &Shared) {
    if run.entries() == 0 {
        return;
    }
    let open = runs.iter_mut().find(|run| run.is_open());
    if let (true, Some(open)) = (run.is_open(), open) {
        let removed = open.removed.iter().chain(run.removed.iter()).collect();
        *open = Arc::new(Run::from_unsorted(Vec::new(), removed, &shared.reaper));
    } else {
        runs.push(Arc::new(run));
    }
}
