//! Snapshots: the array at one instant, and iterators over it.

use std::collections::VecDeque;
use std::fmt;
use std::iter::FusedIterator;
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

use super::memtable::{End, Key};
use super::ticket::{Committed, Ticket};
use super::view::View;

/// Entries visited under one epoch guard: some tens of microseconds at the most, after which memory
/// that others let go of can be freed.
const SCAN_ENTRIES: usize = 512;

/// The array at one instant.
///
/// Holds no lock and no epoch guard: keep it as long as you like, send it to other threads, clone it
/// for the price of a reference count. What it costs is memory: the entries that it shows stay
/// allocated until it is dropped, even if the set is cleared meanwhile.
///
/// ```
/// let set = sortd::store::SortedMultiset::new();
/// let mut writer = set.writer();
/// writer.add(&[5, 3, 9]);
/// let before = set.snapshot();
/// writer.add(&[4]);
/// assert_eq!(set.clear(), 4);
/// assert_eq!(before.len(), 3);
/// assert_eq!(before.iter().collect::<Vec<i64>>(), [3, 5, 9]);
/// assert_eq!(before.range(4..).rev().collect::<Vec<i64>>(), [9, 5]);
/// ```
#[derive(Clone)]
pub struct Snapshot {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    view: Arc<View>,
    pub(super) committed: Committed,
    len: usize,
}

impl Snapshot {
    pub(super) fn new(view: Arc<View>, committed: Committed) -> Snapshot {
        let len = usize::try_from(committed.total()).expect("every element is in memory");
        Snapshot { inner: Arc::new(Inner { view, committed, len }) }
    }

    /// The number of elements, exactly. O(1).
    pub fn len(&self) -> usize {
        self.inner.len
    }

    /// Whether there are no elements. O(1).
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The parts of the store that hold these elements. O(tiers).
    pub fn tiers(&self) -> Vec<Tier> {
        vec![Tier { kind: "memtable", entries: self.len() }]
    }

    /// All elements, ascending; descending with [`rev`](Iterator::rev).
    ///
    /// O(log n) to start and again every few hundred elements, O(1) for each in between. Elements added after the
    /// snapshot was taken are stepped over, which takes time but shows nothing.
    pub fn iter(&self) -> Range {
        self.range(..)
    }

    /// The elements within `range`, ascending; none where its start lies above its end.
    ///
    /// Costs as [`iter`](Snapshot::iter); what lies outside the range costs nothing.
    pub fn range(&self, range: impl RangeBounds<i64>) -> Range {
        let lower = match range.start_bound() {
            Bound::Included(&v) => Bound::Included((v, Ticket::MIN)),
            Bound::Excluded(&v) => Bound::Excluded((v, Ticket::MAX)),
            Bound::Unbounded => Bound::Unbounded,
        };
        let upper = match range.end_bound() {
            Bound::Included(&v) => Bound::Included((v, Ticket::MAX)),
            Bound::Excluded(&v) => Bound::Excluded((v, Ticket::MIN)),
            Bound::Unbounded => Bound::Unbounded,
        };
        Range {
            snapshot: self.clone(),
            unread: Some((lower, upper)),
            front: VecDeque::new(),
            back: VecDeque::new(),
        }
    }
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

/// A part of the store, which keeps elements in a way of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tier {
    /// Which way that is.
    pub kind: &'static str,
    /// How many entries it has.
    pub entries: usize,
}

/// An iterator over a part of a [`Snapshot`], from both ends.
///
/// Owns its snapshot. Reads some hundreds of elements at a time, resumes by key, and holds no epoch
/// guard in between, so a reader that takes an hour keeps nobody from freeing memory.
#[derive(Clone)]
pub struct Range {
    snapshot: Snapshot,
    /// The keys not looked at yet; none once there are none.
    unread: Option<(Bound<Key>, Bound<Key>)>,
    /// Read from the front and not yet handed out, ascending.
    front: VecDeque<i64>,
    /// Read from the back and not yet handed out, ascending.
    back: VecDeque<i64>,
}

impl Range {
    /// Moves the next values to the front of `out` and returns how many there were: zero for a
    /// non-empty `out` says that there are no more.
    pub fn fill(&mut self, out: &mut [i64]) -> usize {
        let mut n = 0;
        for (place, value) in out.iter_mut().zip(self) {
            *place = value;
            n += 1;
        }
        n
    }

    /// Reads on from that end until there is something to hand out or nothing left.
    fn read(&mut self, end: End) {
        let Inner { view, committed, .. } = &*self.snapshot.inner;
        while let Some((lower, upper)) = self.unread {
            let buffer = match end {
                End::Front => &mut self.front,
                End::Back => &mut self.back,
            };
            let last = view.active.scan((lower, upper), end, SCAN_ENTRIES, |(value, ticket)| {
                if committed.includes(ticket) {
                    match end {
                        End::Front => buffer.push_back(value),
                        End::Back => buffer.push_front(value),
                    }
                }
            });
            self.unread = last.map(|key| match end {
                End::Front => (Bound::Excluded(key), upper),
                End::Back => (lower, Bound::Excluded(key)),
            });
            if !buffer.is_empty() {
                return;
            }
        }
    }
}

impl Iterator for Range {
    type Item = i64;

    fn next(&mut self) -> Option<i64> {
        if self.front.is_empty() {
            self.read(End::Front);
        }
        self.front.pop_front().or_else(|| self.back.pop_front())
    }
}

impl DoubleEndedIterator for Range {
    fn next_back(&mut self) -> Option<i64> {
        if self.back.is_empty() {
            self.read(End::Back);
        }
        self.back.pop_back().or_else(|| self.front.pop_back())
    }
}

impl FusedIterator for Range {}

impl fmt::Debug for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Range").field("unread", &self.unread).finish_non_exhaustive()
    }
}
