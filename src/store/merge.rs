//! Merging runs, block by block, from either end.

use std::iter;
use std::mem;
use std::ops::Range;
use std::sync::Arc;

use super::run::{CHUNK_LEN, Run, Sorted, cancel, signed};

/// Values of one list that a block takes at the most: few enough that the blocks of all lists stay
/// in the first caches, and enough that choosing a block costs little beside merging it.
const WINDOW: usize = if cfg!(test) { 3 } else { 1024 };

/// The end of the array at which a block is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The smallest values.
    Front,
    /// The largest values.
    Back,
}

/// Some runs, or parts of them, that are being merged.
#[derive(Clone, Debug, Default)]
pub(crate) struct Merger {
    /// Two for each run: its additions, then its removals.
    lists: Vec<List>,
}

#[derive(Clone, Debug)]
struct List {
    run: Arc<Run>,
    removals: bool,
    /// The positions not taken yet.
    rest: Range<usize>,
}

/// What was taken at once: consecutive elements of the merged array, and removals that have met no
/// element, which come from runs alone and not from an array as a whole.
#[derive(Clone, Debug, Default)]
pub(crate) struct Block {
    /// Ascending.
    pub(crate) added: Vec<i64>,
    /// Ascending.
    pub(crate) removed: Vec<i64>,
}

impl Merger {
    pub(crate) fn new() -> Merger {
        Merger::default()
    }

    /// Merges in these positions of a run.
    pub(crate) fn push(&mut self, run: Arc<Run>, added: Range<usize>, removed: Range<usize>) {
        self.lists.push(List { run: Arc::clone(&run), removals: false, rest: added });
        self.lists.push(List { run, removals: true, rest: removed });
    }

    /// Merges in a whole run.
    pub(crate) fn push_all(&mut self, run: Arc<Run>) {
        let (added, removed) = (0..run.added.len(), 0..run.removed.len());
        self.push(run, added, removed);
    }

    /// How many elements are left: additions less removals.
    pub(crate) fn balance(&self) -> i64 {
        let balance = |list: &List| {
            let n = signed(list.rest.len());
            if list.removals { -n } else { n }
        };
        self.lists.iter().map(balance).sum()
    }

    /// What is left of each run, in the order in which they were pushed.
    pub(crate) fn rests(&self) -> impl Iterator<Item = Run> + '_ {
        self.lists.chunks_exact(2).map(|lists| Run {
            added: lists[0].sorted().slice(lists[0].rest.clone()),
            removed: lists[1].sorted().slice(lists[1].rest.clone()),
        })
    }

    /// Takes the next block at that end; whether there was any. It may be empty, when removals have
    /// met all that was taken.
    ///
    /// O(k log k) for k values and a handful of runs.
    pub(crate) fn take(&mut self, end: End, block: &mut Block) -> bool {
        block.added.clear();
        block.removed.clear();
        let mut left = self.lists.iter().filter(|list| !list.rest.is_empty());
        match (left.next(), left.next()) {
            (None, _) => return false,
            (Some(list), None) => {
                let into = if list.removals { &mut block.removed } else { &mut block.added };
                into.extend_from_slice(list.window(end));
                self.take_windows(end, None);
                return true;
            }
            _ => {}
        }
        // Whatever lies beyond the nearest of the windows' far ends must wait: other lists may have
        // more that comes first.
        let cut_short = |list: &&List| list.window(end).len() < list.rest.len();
        let far_ends = self.lists.iter().filter(cut_short).map(|list| match end {
            End::Front => *list.window(end).last().expect("a rest has a window"),
            End::Back => *list.window(end).first().expect("a rest has a window"),
        });
        let pivot = match end {
            End::Front => far_ends.min(),
            End::Back => far_ends.max(),
        };
        let mut slices: [Vec<&[i64]>; 2] = Default::default();
        for list in &self.lists {
            slices[usize::from(list.removals)].push(list.before(end, pivot));
        }
        let [added, removed] = slices;
        merge_all(added, &mut block.added);
        merge_all(removed, &mut block.removed);
        if block.added.is_empty() && block.removed.is_empty() {
            let pivot = pivot.expect("without a pivot all is taken");
            self.take_copies(end, pivot, block);
        } else {
            self.take_windows(end, pivot);
            cancel(&mut block.added, &mut block.removed);
        }
        true
    }

    fn take_windows(&mut self, end: End, pivot: Option<i64>) {
        for list in &mut self.lists {
            let n = list.before(end, pivot).len();
            list.advance(end, n);
        }
    }

    /// Takes copies of `value`, which comes next and of which there may be very many.
    fn take_copies(&mut self, end: End, value: i64, block: &mut Block) {
        let copies = |list: &List| list.copies(value).len();
        let of = |removals: bool| self.lists.iter().filter(move |list| list.removals == removals);
        let added: usize = of(false).map(copies).sum();
        let removed: usize = of(true).map(copies).sum();
        // Removals meet elements first, so that none is left when the copies are taken in pieces.
        let emitted = added.saturating_sub(removed).min(CHUNK_LEN);
        block.added.extend(iter::repeat_n(value, emitted));
        block.removed.extend(iter::repeat_n(value, removed.saturating_sub(added)));
        let mut added_to_take = added.min(removed) + emitted;
        for list in &mut self.lists {
            let n = list.copies(value).len();
            let n = if list.removals { n } else { n.min(added_to_take) };
            if !list.removals {
                added_to_take -= n;
            }
            list.advance(end, n);
        }
    }
}

impl List {
    fn sorted(&self) -> &Sorted {
        if self.removals { &self.run.removed } else { &self.run.added }
    }

    fn window(&self, end: End) -> &[i64] {
        match end {
            End::Front => self.sorted().window(self.rest.clone(), WINDOW),
            End::Back => self.sorted().window_back(self.rest.clone(), WINDOW),
        }
    }

    /// The part of the window that comes before `pivot`.
    fn before(&self, end: End, pivot: Option<i64>) -> &[i64] {
        let window = self.window(end);
        match (end, pivot) {
            (_, None) => window,
            (End::Front, Some(pivot)) => &window[..window.partition_point(|&v| v < pivot)],
            (End::Back, Some(pivot)) => &window[window.partition_point(|&v| v <= pivot)..],
        }
    }

    /// The positions of `value` in the rest.
    fn copies(&self, value: i64) -> Range<usize> {
        let within = |position: usize| position.clamp(self.rest.start, self.rest.end);
        let sorted = self.sorted();
        within(sorted.position(value, false))..within(sorted.position(value, true))
    }

    fn advance(&mut self, end: End, n: usize) {
        match end {
            End::Front => self.rest.start += n,
            End::Back => self.rest.end -= n,
        }
    }
}

/// Merges sorted lists into `out`, which is empty: the short ones first, since every value is moved
/// once for each list that is merged after its own.
fn merge_all(mut lists: Vec<&[i64]>, out: &mut Vec<i64>) {
    lists.retain(|list| !list.is_empty());
    lists.sort_unstable_by_key(|list| list.len());
    let mut rest = lists.into_iter();
    out.extend_from_slice(rest.next().unwrap_or_default());
    let mut merged = Vec::new();
    for list in rest {
        merge_two(out, list, &mut merged);
        mem::swap(out, &mut merged);
    }
}

/// Merges two sorted lists into `out`, whose contents it replaces. Without a branch that depends on the
/// values: with random ones every other guess would be wrong.
fn merge_two(a: &[i64], b: &[i64], out: &mut Vec<i64>) {
    out.clear();
    out.reserve(a.len() + b.len());
    let (mut i, mut j) = (0, 0);
    while i < a.len() && j < b.len() {
        let from_b = b[j] < a[i];
        out.push(if from_b { b[j] } else { a[i] });
        j += usize::from(from_b);
        i += usize::from(!from_b);
    }
    out.extend_from_slice(&a[i..]);
    out.extend_from_slice(&b[j..]);
}
