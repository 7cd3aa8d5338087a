//! Runs: where entries end up, sorted arrays that never change.

use std::mem;
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use super::reaper::Reaper;

/// Values in a chunk at the most: 512 KiB. What a reader or a merge keeps alive of a run beyond what
/// it still needs is less than one chunk.
pub(crate) const CHUNK_LEN: usize = if cfg!(test) { 8 } else { 1 << 16 };

/// Removals in an open run at the most: few enough to copy them for one more.
pub(crate) const OPEN_REMOVALS: usize = if cfg!(test) { 4 } else { 512 };

/// Some elements, and removals that have not met the elements that they cancel.
#[derive(Clone, Debug, Default)]
pub(crate) struct Run {
    pub(crate) added: Sorted,
    pub(crate) removed: Sorted,
}

/// A sorted array in chunks, shared with the arrays that it was cut from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sorted {
    parts: Vec<Part>,
    /// For each part, how many values there are up to its end.
    ends: Vec<usize>,
    /// For each part, its last value: all that most searches need to look at outside of one part.
    lasts: Vec<i64>,
}

/// A part of a chunk, not empty.
#[derive(Clone, Debug)]
struct Part {
    chunk: Arc<Chunk>,
    range: Range<usize>,
}

#[derive(Debug)]
struct Chunk {
    values: Box<[i64]>,
    reaper: Option<Reaper>,
}

impl Run {
    /// Sorts what it is given.
    pub(crate) fn from_unsorted(
        mut added: Vec<i64>,
        mut removed: Vec<i64>,
        reaper: &Reaper,
    ) -> Run {
        added.sort_unstable();
        removed.sort_unstable();
        cancel(&mut added, &mut removed);
        Run {
            added: Sorted::from_sorted(&added, reaper),
            removed: Sorted::from_sorted(&removed, reaper),
        }
    }

    /// Whether there are few removals in here and nothing else: removers add to such a run (by
    /// replacing it) until it is full.
    pub(crate) fn is_open(&self) -> bool {
        self.added.len() == 0 && self.removed.len() < OPEN_REMOVALS
    }

    /// How many entries there are, additions and removals.
    pub(crate) fn entries(&self) -> usize {
        self.added.len() + self.removed.len()
    }

    /// How many entries there is memory for.
    pub(crate) fn allocated(&self) -> usize {
        self.added.allocated() + self.removed.allocated()
    }

    /// The number of elements less than `value`, or not greater with `inclusive`: additions less removals.
    pub(crate) fn count_below(&self, value: i64, inclusive: bool) -> i64 {
        let count = |sorted: &Sorted| signed(sorted.position(value, inclusive));
        count(&self.added) - count(&self.removed)
    }
}

impl Sorted {
    /// Copies values that are sorted.
    pub(crate) fn from_sorted(values: &[i64], reaper: &Reaper) -> Sorted {
        let mut sorted = Sorted::default();
        for values in values.chunks(CHUNK_LEN) {
            sorted.push(values.into(), reaper);
        }
        sorted
    }

    /// Appends a chunk of sorted values, none of them less than what is there.
    pub(crate) fn push(&mut self, values: Box<[i64]>, reaper: &Reaper) {
        debug_assert!(values.is_sorted() && values.len() <= CHUNK_LEN);
        // What is small is freed faster than handed over.
        let reaper = (values.len() >= CHUNK_LEN / 2).then(|| reaper.clone());
        let range = 0..values.len();
        self.push_part(Part { chunk: Arc::new(Chunk { values, reaper }), range });
    }

    fn push_part(&mut self, part: Part) {
        if let Some(&last) = part.values().last() {
            debug_assert!(self.lasts.last().is_none_or(|&before| before <= part.values()[0]));
            self.ends.push(self.len() + part.range.len());
            self.lasts.push(last);
            self.parts.push(part);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.last().copied().unwrap_or(0)
    }

    fn allocated(&self) -> usize {
        self.parts.iter().map(|part| part.chunk.values.len()).sum()
    }

    /// The value at a position. O(log chunks).
    ///
    /// # Panics
    /// Beyond the end.
    pub(crate) fn get(&self, position: usize) -> i64 {
        let part = self.part_at(position);
        self.parts[part].values()[position - self.start(part)]
    }

    /// Appends all values to `out`.
    pub(crate) fn extend_into(&self, out: &mut Vec<i64>) {
        self.parts.iter().for_each(|part| out.extend_from_slice(part.values()));
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = i64> + '_ {
        self.parts.iter().flat_map(|part| part.values().iter().copied())
    }

    /// How many values are less than `value`, or not greater with `inclusive`. O(log n).
    pub(crate) fn position(&self, value: i64, inclusive: bool) -> usize {
        self.position_within(0..self.len(), value, inclusive)
    }

    /// The first position in `range` whose value is not less than `value`, or greater with
    /// `inclusive`; the end of `range` if there is none. O(log range).
    pub(crate) fn position_within(
        &self,
        range: Range<usize>,
        value: i64,
        inclusive: bool,
    ) -> usize {
        if range.is_empty() {
            return range.start;
        }
        let is_before = |&other: &i64| other < value || inclusive && other == value;
        let parts = self.part_at(range.start)..self.part_at(range.end - 1);
        let part = parts.start + self.lasts[parts].partition_point(is_before);
        let start = self.start(part);
        let within = range.start.max(start) - start..range.end.min(self.ends[part]) - start;
        let from = start + within.start;
        from + self.parts[part].values()[within].partition_point(is_before)
    }

    /// The positions of the values within `range`. O(log n).
    pub(crate) fn positions(&self, range: &RangeInclusive<i64>) -> Range<usize> {
        self.position(*range.start(), false)..self.position(*range.end(), true)
    }

    /// As many consecutive values from the beginning of `range` as lie in one piece of memory, and no
    /// more than `most`; empty only if `range` is.
    pub(crate) fn window(&self, range: Range<usize>, most: usize) -> &[i64] {
        if range.is_empty() {
            return &[];
        }
        let part = self.part_at(range.start);
        let from = range.start - self.start(part);
        let values = self.parts[part].values();
        &values[from..values.len().min(from + most.min(range.len()))]
    }

    /// As [`window`](Sorted::window), but up to the end of `range`.
    pub(crate) fn window_back(&self, range: Range<usize>, most: usize) -> &[i64] {
        if range.is_empty() {
            return &[];
        }
        let part = self.part_at(range.end - 1);
        let to = range.end - self.start(part);
        &self.parts[part].values()[to.saturating_sub(most.min(range.len()))..to]
    }

    /// The values at these positions, without copying them. O(chunks).
    pub(crate) fn slice(&self, range: Range<usize>) -> Sorted {
        let mut slice = Sorted::default();
        slice.extend_from(self, range);
        slice
    }

    /// All but the values at these positions, without copying them. O(chunks).
    pub(crate) fn without(&self, range: Range<usize>) -> Sorted {
        let mut rest = self.slice(0..range.start);
        rest.extend_from(self, range.end..self.len());
        rest
    }

    /// Appends the values at these positions of `other`, none of them less than what is there.
    fn extend_from(&mut self, other: &Sorted, range: Range<usize>) {
        let mut position = range.start;
        while position < range.end {
            let part = other.part_at(position);
            let (start, end) = (other.start(part), other.ends[part].min(range.end));
            let Part { chunk, range: within } = &other.parts[part];
            let within = within.start + position - start..within.start + end - start;
            self.push_part(Part { chunk: Arc::clone(chunk), range: within });
            position = end;
        }
    }

    fn part_at(&self, position: usize) -> usize {
        self.ends.partition_point(|&end| end <= position)
    }

    fn start(&self, part: usize) -> usize {
        part.checked_sub(1).map_or(0, |before| self.ends[before])
    }
}

impl Part {
    fn values(&self) -> &[i64] {
        &self.chunk.values[self.range.clone()]
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        if let Some(reaper) = &self.reaper {
            reaper.free(mem::take(&mut self.values));
        }
    }
}

/// A number of entries, to be added to others or taken from them.
pub(crate) fn signed(entries: usize) -> i64 {
    i64::try_from(entries).expect("every entry is in memory")
}

/// Takes from both sorted lists what they have in common, each as often as both have it.
pub(crate) fn cancel(added: &mut Vec<i64>, removed: &mut Vec<i64>) {
    if added.is_empty() || removed.is_empty() {
        return;
    }
    let mut left = Vec::new();
    let mut unmet = removed.iter().copied().peekable();
    added.retain(|&value| {
        while let Some(earlier) = unmet.next_if(|&r| r < value) {
            left.push(earlier);
        }
        unmet.next_if_eq(&value).is_none()
    });
    left.extend(unmet);
    *removed = left;
}
