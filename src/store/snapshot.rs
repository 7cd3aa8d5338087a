//! Snapshots: the array at one instant, its order statistics, and iterators over it.

use std::fmt;
use std::iter::FusedIterator;
use std::mem;
use std::ops::{self, Bound, RangeBounds, RangeInclusive};
use std::sync::Arc;

use super::memtable::Memtable;
use super::merge::{Block, End, Merger};
use super::protocol::{Moment, Native};
use super::reaper::Reaper;
use super::run::Run;
use super::select::{Cancelled, Open, Selection, Unsorted};

/// The array at one instant.
///
/// Holds no lock and no epoch guard: keep it as long as you like, send it to other threads, clone it
/// for the price of a reference count. What it costs is memory: the entries that it shows stay
/// allocated until it is dropped, even if the set is cleared meanwhile.
///
/// # Complexity
/// For n elements, of which at the most a few thousand, f, are too fresh to be in a sorted array yet:
///
/// | | |
/// |---|---|
/// | [`len`](Snapshot::len) | O(1) |
/// | [`rank`](Snapshot::rank), [`count_range`](Snapshot::count_range) | O(log² n + f), f being a third of a nanosecond each |
/// | [`at`](Snapshot::at), [`quantile`](Snapshot::quantile), [`min`](Snapshot::min), [`max`](Snapshot::max) | O(log³ n + f); O(1) when all is in one array |
/// | [`range`](Snapshot::range), [`slice`](Snapshot::slice) | the above to start, O(log log n) each element |
///
/// ```
/// let set = sortd::store::SortedMultiset::new();
/// let mut writer = set.writer();
/// writer.add(&[5, 3, 9]);
/// let before = set.snapshot();
/// writer.add(&[4]);
/// assert_eq!(set.clear(), 4);
/// assert_eq!(before.len(), 3);
/// assert_eq!(before.rank(9), 2);
/// assert_eq!(before.at(0), Some(3));
/// assert_eq!(before.quantile(0.5), Some(5));
/// assert_eq!(before.iter().collect::<Vec<i64>>(), [3, 5, 9]);
/// assert_eq!(before.range(4..).rev().collect::<Vec<i64>>(), [9, 5]);
/// ```
#[derive(Clone)]
pub struct Snapshot {
    inner: Arc<Inner>,
}

struct Inner {
    moment: Moment<Native>,
    len: usize,
    reaper: Reaper,
}

/// Some of the elements, between two values.
///
/// Both bounds are inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// The smallest value that belongs here.
    pub from: i64,
    /// The largest value that belongs here.
    pub to: i64,
    /// How many elements there are from the one to the other.
    pub count: usize,
}

/// A part of the store, which keeps elements in a way of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tier {
    /// Which way that is.
    pub kind: &'static str,
    /// How many entries it has: elements, and removals that have not met what they remove.
    pub entries: usize,
}

impl Snapshot {
    pub(super) fn new(moment: Moment<Native>, reaper: Reaper) -> Snapshot {
        let len = usize::try_from(moment.len()).expect("every element is in memory");
        Snapshot { inner: Arc::new(Inner { moment, len, reaper }) }
    }

    /// The number of elements, exactly.
    pub fn len(&self) -> usize {
        self.inner.len
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What tells this state of the set from its others: two snapshots with different elements never
    /// share it. (Two with the same elements may not share it either.)
    ///
    /// The first part is another one after each clear, the second one grows with every change in between.
    pub fn version(&self) -> (u64, u64) {
        let Moment { view, committed } = &self.inner.moment;
        (view.generation.id(), committed.entries() + view.settled().edits)
    }

    /// The parts of the store that hold these elements. O(tiers).
    pub fn tiers(&self) -> Vec<Tier> {
        let active = [("active", self.inner.moment.view.active.reserved())];
        let sealed = self.inner.moment.view.sealed.iter().map(|m| ("sealed", m.reserved()));
        let runs = self.runs().iter().map(|run| ("run", run.entries()));
        let tiers = active.into_iter().chain(sealed).chain(runs);
        tiers.map(|(kind, entries)| Tier { kind, entries }).collect()
    }

    /// How many elements are less than `value`.
    pub fn rank(&self, value: i64) -> usize {
        self.count_below(value, false)
    }

    /// How many elements lie within `range`; none where its start lies above its end.
    pub fn count_range(&self, range: RangeInclusive<i64>) -> usize {
        if range.is_empty() {
            return 0;
        }
        self.count_below(*range.end(), true) - self.count_below(*range.start(), false)
    }

    /// The element at an index of the sorted array, or none beyond its end.
    pub fn at(&self, index: usize) -> Option<i64> {
        if index >= self.len() {
            return None;
        }
        let end = match index {
            0 => self.end(End::Front),
            last if last == self.len() - 1 => self.end(End::Back),
            _ => Err(Cancelled),
        };
        end.unwrap_or_else(|Cancelled| {
            let fresh_at_most = self.memtables().map(Memtable::reserved).sum();
            let selection = Selection::new(self.runs(), index);
            Some(selection.find(fresh_at_most, |open| self.fresh(open)))
        })
    }

    /// The first or the last element, or none, if it can be told without looking at all that is fresh.
    fn end(&self, end: End) -> Result<Option<i64>, Cancelled> {
        let mut fresh: Option<i64> = None;
        for memtable in self.memtables() {
            let other = memtable.end(&self.inner.moment.committed, end)?;
            fresh = match end {
                End::Front => fresh.into_iter().chain(other).min(),
                End::Back => fresh.into_iter().chain(other).max(),
            };
        }
        Selection::new(self.runs(), 0).find_end(end, fresh)
    }

    /// The smallest element, or none.
    pub fn min(&self) -> Option<i64> {
        self.at(0)
    }

    /// The largest element, or none.
    pub fn max(&self) -> Option<i64> {
        self.at(self.len().checked_sub(1)?)
    }

    /// The `q`-quantile by the nearest-rank rule: the element at index `ceil(q * n) - 1`, the first one
    /// for `q = 0`. None when there are no elements.
    ///
    /// # Panics
    /// Unless `0 <= q <= 1`.
    pub fn quantile(&self, q: f64) -> Option<i64> {
        self.at(nearest_rank(q, self.len())?)
    }

    /// [`quantile`](Snapshot::quantile) of each, all of the same instant.
    ///
    /// # Panics
    /// Unless `0 <= q <= 1` for each.
    pub fn quantiles(&self, q: &[f64]) -> Vec<Option<i64>> {
        q.iter().map(|&q| self.quantile(q)).collect()
    }

    /// How the elements are spread: this many buckets of equal width (the last one may be narrower, and
    /// there are fewer of them where fewer suffice) from the smallest element to the largest one. Every
    /// element lies in exactly one. None when there are no elements, one bucket when all are equal.
    ///
    /// O(`buckets` times a rank).
    ///
    /// # Panics
    /// With zero buckets.
    pub fn histogram(&self, buckets: usize) -> Vec<Bucket> {
        assert!(buckets > 0, "a histogram has at least one bucket");
        let (Some(min), Some(max)) = (self.min(), self.max()) else {
            return Vec::new();
        };
        // Up to 2^64 values lie from one to the other, which is why this is counted in 128 bits.
        let values = u128::from(max.abs_diff(min)) + 1;
        let width = values.div_ceil(buckets as u128);
        let value_at = |offset: u128| {
            let offset = u64::try_from(offset).expect("it lies between two elements");
            min.wrapping_add_unsigned(offset)
        };
        let mut below = 0;
        let bucket = |i: u128| {
            let (from, to) = (value_at(i * width), value_at(((i + 1) * width).min(values) - 1));
            let up_to = self.count_below(to, true);
            let count = up_to - mem::replace(&mut below, up_to);
            Bucket { from, to, count }
        };
        (0..values.div_ceil(width)).map(bucket).collect()
    }

    /// All elements, ascending; descending with [`rev`](Iterator::rev).
    pub fn iter(&self) -> Range {
        self.range(..)
    }

    /// The elements within `range`, ascending; none where its start lies above its end. What lies
    /// outside of it costs nothing.
    pub fn range(&self, range: impl RangeBounds<i64>) -> Range {
        let start = match range.start_bound() {
            Bound::Included(&v) => Some(v),
            Bound::Excluded(&v) => v.checked_add(1),
            Bound::Unbounded => Some(i64::MIN),
        };
        let end = match range.end_bound() {
            Bound::Included(&v) => Some(v),
            Bound::Excluded(&v) => v.checked_sub(1),
            Bound::Unbounded => Some(i64::MAX),
        };
        match (start, end) {
            (Some(start), Some(end)) if start <= end => Range::new(self.merger(start..=end)),
            _ => Range::new(Merger::new()),
        }
    }

    /// The elements at these indexes of the sorted array, as far as there are any, ascending. What
    /// lies outside costs nothing.
    pub fn slice(&self, indexes: ops::Range<usize>) -> Range {
        let end = indexes.end.min(self.len());
        if indexes.start >= end {
            return Range::new(Merger::new());
        }
        let n = end - indexes.start;
        let first = self.at(indexes.start).expect("the index lies below the length");
        if n == 1 {
            let front = Piece::Copies(first, 1);
            return Range { front, len: 1, ..Range::new(Merger::new()) };
        }
        let last = self.at(end - 1).expect("the index lies below the length");
        // The elements that equal the first or the last one are counted, all others merged.
        let front = (self.count_below(first, true) - indexes.start).min(n);
        let back = if first == last { 0 } else { end - self.count_below(last, false) };
        let between = match (first.checked_add(1), last.checked_sub(1)) {
            (Some(start), Some(end)) if start <= end => self.merger(start..=end),
            _ => Merger::new(),
        };
        Range {
            front: Piece::Copies(first, front),
            between,
            back: Piece::Copies(last, back),
            len: n,
        }
    }

    pub(super) fn moment(&self) -> &Moment<Native> {
        &self.inner.moment
    }

    /// How many elements are less than `value`, or not greater with `inclusive`.
    pub(super) fn count_below(&self, value: i64, inclusive: bool) -> usize {
        let committed = &self.inner.moment.committed;
        let runs: i64 = self.runs().iter().map(|run| run.count_below(value, inclusive)).sum();
        let fresh = |memtable: &Memtable| {
            if inclusive {
                memtable.count(committed, |v| v <= value)
            } else {
                memtable.count(committed, |v| v < value)
            }
        };
        let fresh: i64 = self.memtables().map(fresh).sum();
        usize::try_from(runs + fresh).expect("nothing is removed that is not there")
    }

    fn runs(&self) -> &[Arc<Run>] {
        &self.inner.moment.contents().runs
    }

    pub(super) fn memtables(&self) -> impl Iterator<Item = &Memtable> {
        let view = &self.inner.moment.view;
        view.sealed.iter().chain([&view.active]).map(|memtable| &**memtable)
    }

    /// What is in no run yet, as far as it lies within `open`.
    pub(super) fn fresh(&self, open: Open) -> Unsorted {
        let mut fresh = Unsorted::default();
        for memtable in self.memtables() {
            memtable.collect_into(&self.inner.moment.committed, open, &mut fresh);
        }
        fresh
    }

    fn merger(&self, range: RangeInclusive<i64>) -> Merger {
        let Inner { moment, reaper, .. } = &*self.inner;
        let (mut added, mut removed) = (Vec::new(), Vec::new());
        for memtable in self.memtables() {
            memtable.scan_into(&moment.committed, &range, &mut added, &mut removed);
        }
        let mut merger = Merger::new();
        let fresh = Run::from_unsorted(added, removed, reaper);
        for run in self.runs().iter().chain([&Arc::new(fresh)]) {
            merger.push(
                Arc::clone(run),
                run.added.positions(&range),
                run.removed.positions(&range),
            );
        }
        merger
    }
}

/// The index of the `q`-quantile among `n` elements.
fn nearest_rank(q: f64, n: usize) -> Option<usize> {
    assert!((0.0..=1.0).contains(&q), "a quantile lies between 0 and 1");
    // Exact up to 2^53 elements, that is, for as many as fit into memory.
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let rank = (q * n as f64).ceil() as usize;
    Some(rank.clamp(1, n.max(1)) - 1).filter(|_| n > 0)
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl IntoIterator for &Snapshot {
    type Item = i64;
    type IntoIter = Range;

    fn into_iter(self) -> Range {
        self.iter()
    }
}

/// An iterator over a part of a [`Snapshot`], from both ends.
///
/// Owns what it shows. Merges some thousands of elements at a time and holds no epoch guard, so a
/// reader that takes an hour keeps nobody from freeing memory.
#[derive(Clone, Debug)]
pub struct Range {
    front: Piece,
    between: Merger,
    back: Piece,
    len: usize,
}

/// Elements that come next.
#[derive(Clone, Debug)]
enum Piece {
    /// Those of these positions.
    Block(Block, ops::Range<usize>),
    /// So many copies of one.
    Copies(i64, usize),
}

impl Range {
    fn new(between: Merger) -> Range {
        let len = usize::try_from(between.balance()).expect("nothing is removed that is not there");
        Range { front: Piece::empty(), between, back: Piece::empty(), len }
    }

    /// Moves the next values to the front of `out` and returns how many there were: zero for a
    /// non-empty `out` says that there are no more.
    pub fn fill(&mut self, out: &mut [i64]) -> usize {
        let mut filled = 0;
        while filled < out.len() && self.len > 0 {
            let n = self.front_piece().fill(&mut out[filled..]);
            self.len -= n;
            filled += n;
        }
        filled
    }

    /// The piece that comes next from the front; not empty unless there are no more elements.
    fn front_piece(&mut self) -> &mut Piece {
        while self.front.is_empty() {
            if !self.front.refill(&mut self.between, End::Front) {
                return &mut self.back;
            }
        }
        &mut self.front
    }

    fn back_piece(&mut self) -> &mut Piece {
        while self.back.is_empty() {
            if !self.back.refill(&mut self.between, End::Back) {
                return &mut self.front;
            }
        }
        &mut self.back
    }
}

impl Piece {
    fn empty() -> Piece {
        Piece::Copies(0, 0)
    }

    fn is_empty(&self) -> bool {
        match self {
            Piece::Block(_, rest) => rest.is_empty(),
            Piece::Copies(_, n) => *n == 0,
        }
    }

    /// Takes the next block at that end in the place of what was here; whether there was one.
    fn refill(&mut self, merger: &mut Merger, end: End) -> bool {
        let mut block = match mem::replace(self, Piece::empty()) {
            Piece::Block(block, _) => block,
            Piece::Copies(..) => Block::default(),
        };
        let taken = merger.take(end, &mut block);
        let rest = 0..block.added.len();
        *self = Piece::Block(block, rest);
        taken
    }

    fn fill(&mut self, out: &mut [i64]) -> usize {
        match self {
            Piece::Block(block, rest) => {
                let n = rest.len().min(out.len());
                out[..n].copy_from_slice(&block.added[rest.start..rest.start + n]);
                rest.start += n;
                n
            }
            Piece::Copies(value, left) => {
                let n = (*left).min(out.len());
                out[..n].fill(*value);
                *left -= n;
                n
            }
        }
    }

    fn pop(&mut self, end: End) -> Option<i64> {
        match self {
            Piece::Block(block, rest) => {
                let position = if end == End::Front { rest.next() } else { rest.next_back() };
                Some(block.added[position?])
            }
            Piece::Copies(value, left) => {
                *left = left.checked_sub(1)?;
                Some(*value)
            }
        }
    }
}

impl Iterator for Range {
    type Item = i64;

    #[inline]
    fn next(&mut self) -> Option<i64> {
        // What nearly every call finds.
        let value = match &mut self.front {
            Piece::Block(block, rest) if rest.start < rest.end => {
                rest.start += 1;
                block.added[rest.start - 1]
            }
            _ => self.front_piece().pop(End::Front)?,
        };
        self.len -= 1;
        Some(value)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.len, Some(self.len))
    }

    fn count(self) -> usize {
        self.len
    }
}

impl DoubleEndedIterator for Range {
    fn next_back(&mut self) -> Option<i64> {
        let value = self.back_piece().pop(End::Back)?;
        self.len -= 1;
        Some(value)
    }
}

impl ExactSizeIterator for Range {}

impl FusedIterator for Range {}
