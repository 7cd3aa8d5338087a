//! Selection: the element at an index, without walking to it.

use std::ops::Range;
use std::sync::Arc;

use super::merge::End;
use super::run::{Run, Sorted, cancel, signed};

/// Entries among which the element is found by sorting them, rather than by looking further into
/// each of the lists.
const SORTED_IN_THE_END: usize = if cfg!(test) { 5 } else { 256 };

/// Entries in no order: what has been added so recently that nobody has sorted it.
#[derive(Debug, Default)]
pub(crate) struct Unsorted {
    pub(crate) added: Vec<i64>,
    pub(crate) removed: Vec<i64>,
    /// The balance of all others that come before these.
    pub(crate) before: i64,
}

/// What is looked for may have been removed again.
#[derive(Debug)]
pub(crate) struct Cancelled;

/// Values that may still be the one: greater than `after`, and not greater than `up_to`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Open {
    pub(crate) after: Option<i64>,
    pub(crate) up_to: Option<i64>,
}

/// Steps of an interpolation: it is off by 2^-16 of what is left, and by more than that by chance.
const BISECTIONS: u32 = 16;

/// Finds the element at an index among sorted runs and fresh entries.
///
/// Multi-way selection: narrows all lists at once around pivots, whose rank in all of them says on which
/// side the element lies. As in Floyd and Rivest's selection (CACM 18 (3), 1975), pivots are chosen a
/// little below and a little above where the element must be if the values of each list are spread
/// evenly between its ends, so that each pair of them leaves about the square root of what there was.
/// Where it leaves more than a quarter, the next pivot is the middle of the longest list: the search
/// takes O(log n) rounds even if the other pivots are useless.
///
/// Fresh entries are many compared with what the search has to look at, so they are read once, and
/// late: as long as a pivot is further from the index than there are fresh entries, these cannot
/// change its side.
pub(crate) struct Selection<'r> {
    /// None of them empty.
    windows: Vec<Window<'r>>,
    open: Open,
    /// The balance of all that comes before the windows.
    before: i64,
    index: i64,
}

/// The part of a sorted list in which the element can still be.
struct Window<'r> {
    sorted: &'r Sorted,
    sign: i64,
    positions: Range<usize>,
    /// The values at the first and the last position.
    ends: (i64, i64),
    /// The end of the values not greater than the last pivot.
    up_to_pivot: usize,
}

impl<'r> Selection<'r> {
    pub(crate) fn new(runs: &'r [Arc<Run>], index: usize) -> Selection<'r> {
        let lists = runs.iter().flat_map(|run| [(&run.added, 1), (&run.removed, -1)]);
        let windows = lists.filter_map(|(sorted, sign)| Window::new(sorted, sign)).collect();
        let index = i64::try_from(index).expect("every element is in memory");
        Selection { windows, open: Open::default(), before: 0, index }
    }

    /// The element at the index. `fresh` tells of at most `fresh_at_most` entries those that may be
    /// it, and the balance of those before.
    ///
    /// O(k log² n) for k runs, and one reading of what is fresh.
    ///
    /// # Panics
    /// When there are not so many elements.
    pub(crate) fn find(
        mut self,
        fresh_at_most: usize,
        fresh: impl FnOnce(Open) -> Unsorted,
    ) -> i64 {
        if let ([only], 0) = (&*self.windows, fresh_at_most) {
            return only.sorted.get(usize::try_from(self.index).expect("it was a usize"));
        }
        if fresh_at_most > 0 {
            self.approach(0, signed(fresh_at_most));
            self.approach(1, signed(fresh_at_most));
        }
        let fresh = fresh(self.open);
        self.narrow(fresh)
    }

    /// The first or the last element, whatever the index; none if there is none. `fresh` is the first or
    /// the last of the fresh ones, which no fresh removal comes before. An error if one of the lists'
    /// removals may cancel that: then it takes a search.
    ///
    /// Where many have been popped, their removals have not met them yet, and lie together at that end:
    /// what matters begins behind them, or among the last of them.
    pub(crate) fn find_end(
        mut self,
        end: End,
        fresh: Option<i64>,
    ) -> Result<Option<i64>, Cancelled> {
        let all: i64 = self.windows.iter().map(Window::balance).sum();
        let removed = self.windows.iter().filter(|window| window.sign < 0).map(|w| w.ends);
        match end {
            End::Front => {
                self.index = 0;
                if let Some(last_removed) = removed.map(|ends| ends.1).max() {
                    if fresh.is_some_and(|fresh| fresh <= last_removed) {
                        return Err(Cancelled);
                    }
                    self.go_to_side_of(last_removed);
                }
            }
            End::Back => {
                self.index = all - 1;
                if let Some(first_removed) = removed.map(|ends| ends.0).min() {
                    if fresh.is_some_and(|fresh| fresh >= first_removed) {
                        return Err(Cancelled);
                    }
                    self.go_to_side_of(first_removed.checked_sub(1).ok_or(Cancelled)?);
                }
            }
        }
        let sorted = (all > 0).then(|| self.first_or_last(end));
        Ok(match end {
            End::Front => sorted.into_iter().chain(fresh).min(),
            End::Back => sorted.into_iter().chain(fresh).max(),
        })
    }

    /// The element at the index, which is the first or the last one of the lists' elements.
    fn first_or_last(self, end: End) -> i64 {
        let left: i64 = self.windows.iter().map(Window::balance).sum();
        let no_removals = self.windows.iter().all(|window| window.sign > 0);
        let (value, index) = match end {
            End::Front => (self.windows.iter().map(|w| w.ends.0).min(), self.before),
            End::Back => (self.windows.iter().map(|w| w.ends.1).max(), self.before + left - 1),
        };
        match value {
            Some(value) if no_removals && index == self.index => value,
            _ => self.narrow(Unsorted::default()),
        }
    }

    /// Leaves what lies on the index's side of `pivot`, for lists without fresh entries.
    fn go_to_side_of(&mut self, pivot: i64) {
        if self.up_to(pivot) > self.index {
            self.go_up_to(pivot);
        } else {
            self.go_after(pivot);
        }
    }

    /// Narrows the lists by a pivot that is likely to lie on one side of the index by more than fresh
    /// entries can make up for.
    fn approach(&mut self, round: u32, margin: i64) {
        let Some((low, high)) = self.ends(&Unsorted::default()).filter(|(low, high)| low < high)
        else {
            return;
        };
        let pivot = self.pivot(self.index, round, 2 * margin).clamp(low, high - 1);
        let up_to_pivot = self.up_to(pivot);
        if up_to_pivot + margin <= self.index {
            self.go_after(pivot);
        } else if up_to_pivot - margin > self.index {
            self.go_up_to(pivot);
        }
    }

    fn narrow(mut self, mut fresh: Unsorted) -> i64 {
        let (mut round, mut left_before) = (0, usize::MAX);
        loop {
            let sorted = self.left();
            if sorted + fresh.added.len() + fresh.removed.len() <= SORTED_IN_THE_END {
                return self.sort(fresh);
            }
            let (low, high) = self.ends(&fresh).expect("some entries are left");
            if low == high {
                return low;
            }
            let pivot = if sorted > fresh.added.len() {
                if round == 2 && sorted < left_before / 4 || round == 3 {
                    round = 0;
                }
                if round == 0 {
                    left_before = sorted;
                }
                round += 1;
                let rank = self.index - fresh.before - fresh.balance(|_| true) / 2;
                self.pivot(rank, round - 1, 0)
            } else {
                fresh.added.get(fresh.added.len() / 2).copied().unwrap_or(low)
            };
            // Within these bounds each round leaves something out.
            let pivot = pivot.clamp(low, high - 1);
            let fresh_up_to_pivot = fresh.balance(|value| value <= pivot);
            if self.up_to(pivot) + fresh.before + fresh_up_to_pivot > self.index {
                self.go_up_to(pivot);
                fresh.retain(|value| value <= pivot);
            } else {
                self.go_after(pivot);
                fresh.before += fresh_up_to_pivot;
                fresh.retain(|value| value > pivot);
            }
        }
    }

    /// The element among the few entries that are left.
    fn sort(self, fresh: Unsorted) -> i64 {
        let Unsorted { mut added, mut removed, before } = fresh;
        for Window { sorted, sign, positions, .. } in &self.windows {
            let into = if *sign > 0 { &mut added } else { &mut removed };
            sorted.slice(positions.clone()).extend_into(into);
        }
        added.sort_unstable();
        removed.sort_unstable();
        cancel(&mut added, &mut removed);
        let index = usize::try_from(self.index - self.before - before);
        added[index.expect("what comes before is not more than the index")]
    }

    /// The smallest and the largest value left, or none when nothing is.
    fn ends(&self, fresh: &Unsorted) -> Option<(i64, i64)> {
        let fresh = fresh.added.iter().chain(&fresh.removed).map(|&value| (value, value));
        let ends = self.windows.iter().map(|window| window.ends).chain(fresh);
        ends.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
    }

    /// A value by turns a little below this rank and `margin`, a little above both, and in the middle of
    /// the longest list.
    fn pivot(&self, rank: i64, round: u32, margin: i64) -> i64 {
        // What a rank is off by if values are spread evenly but at random.
        let deviation = signed(self.left().isqrt()) + margin;
        match round {
            0 => self.interpolated(rank - deviation),
            1 => self.interpolated(rank + deviation),
            _ => {
                let longest = self.windows.iter().max_by_key(|window| window.positions.len());
                longest.map_or(0, |w| w.sorted.get(w.positions.start + w.positions.len() / 2))
            }
        }
    }

    /// The value with this rank if the values of each list are spread evenly between its ends: found by
    /// bisection, without looking at any of them.
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation)]
    fn interpolated(&self, rank: i64) -> i64 {
        let Some((low, high)) = self.ends(&Unsorted::default()) else { return 0 };
        let target = (rank - self.before) as f64;
        let (mut low, mut high) = (low as f64, high as f64);
        for _ in 0..BISECTIONS {
            let middle = low / 2.0 + high / 2.0;
            if self.windows.iter().map(|window| window.share(middle)).sum::<f64>() < target {
                low = middle;
            } else {
                high = middle;
            }
        }
        low as i64
    }

    /// How many entries are left in the lists.
    fn left(&self) -> usize {
        self.windows.iter().map(|window| window.positions.len()).sum()
    }

    /// How many elements of the lists are not greater than `pivot`, which is one of those left.
    fn up_to(&mut self, pivot: i64) -> i64 {
        let mut up_to = self.before;
        for window in &mut self.windows {
            let positions = window.positions.clone();
            window.up_to_pivot = window.sorted.position_within(positions, pivot, true);
            up_to += window.balance_up_to_pivot();
        }
        up_to
    }

    /// Leaves out what is not greater than `pivot`, after [`up_to`](Selection::up_to).
    fn go_after(&mut self, pivot: i64) {
        self.open.after = Some(pivot);
        self.before += self.windows.iter().map(Window::balance_up_to_pivot).sum::<i64>();
        self.windows.retain_mut(|window| window.cut(window.up_to_pivot..window.positions.end));
    }

    /// Leaves out what is greater than `pivot`, after [`up_to`](Selection::up_to).
    fn go_up_to(&mut self, pivot: i64) {
        self.open.up_to = Some(pivot);
        self.windows.retain_mut(|window| window.cut(window.positions.start..window.up_to_pivot));
    }
}

impl<'r> Window<'r> {
    /// All of a list, unless it is empty.
    fn new(sorted: &'r Sorted, sign: i64) -> Option<Window<'r>> {
        let all = 0..sorted.len();
        let mut window = Window { sorted, sign, positions: 0..0, ends: (0, 0), up_to_pivot: 0 };
        window.cut(all).then_some(window)
    }

    /// Leaves these positions; whether there are any.
    fn cut(&mut self, positions: Range<usize>) -> bool {
        let is_empty = positions.is_empty();
        if !is_empty && positions != self.positions {
            self.ends = (self.sorted.get(positions.start), self.sorted.get(positions.end - 1));
        }
        self.positions = positions;
        !is_empty
    }

    fn balance(&self) -> i64 {
        self.sign * signed(self.positions.len())
    }

    fn balance_up_to_pivot(&self) -> i64 {
        self.sign * signed(self.up_to_pivot - self.positions.start)
    }

    /// How many values are not greater than this one if they are spread evenly between the ends.
    #[expect(clippy::cast_precision_loss)]
    fn share(&self, value: f64) -> f64 {
        let (first, last) = (self.ends.0 as f64, self.ends.1 as f64);
        let share = ((value - first) / (last - first).max(1.0)).clamp(0.0, 1.0);
        self.sign as f64 * self.positions.len() as f64 * share
    }
}

impl Unsorted {
    fn balance(&self, matches: impl Fn(i64) -> bool) -> i64 {
        let count = |values: &[i64]| values.iter().map(|&v| i64::from(matches(v))).sum::<i64>();
        count(&self.added) - count(&self.removed)
    }

    fn retain(&mut self, keep: impl Fn(i64) -> bool) {
        self.added.retain(|&value| keep(value));
        self.removed.retain(|&value| keep(value));
    }
}

impl Open {
    /// Whether the value lies within.
    pub(crate) fn contains(self, value: i64) -> bool {
        self.after.is_none_or(|after| after < value) && self.up_to.is_none_or(|end| value <= end)
    }
}
