//! The memtable: where writes land, a small concurrent skiplist of batches that only ever grows.
//!
//! Nothing is ever unlinked from it. A batch becomes visible through the commit words
//! ([`super::protocol`]), never through its presence here, so readers filter what they find.
//!
//! The skiplist orders batches by their smallest value, and a log beside it has their values, sorted
//! within each batch. (An entry of the skiplist for each value would cost 200 to 300 ns a value, ten
//! times as much as one for each batch of 15, and all that it would make faster is reading narrow
//! ranges.) Reads in order go through the skiplist, all that needs no order through the log alone.

use std::mem;
use std::ops::RangeInclusive;

use crossbeam_epoch as epoch;
use crossbeam_skiplist::SkipMap;

use super::log::{Log, Places};
use super::merge::End;
use super::protocol::{Committed, Native, Ticket};
use super::reaper::Reaper;
use super::run::Run;
use super::select::{Cancelled, Open, Unsorted};

/// Entries in a memtable. The fewer there are the faster what is in it can be counted; the more there
/// are the fewer memtables have the compactor and the view's readers to deal with. (Tests have a few of
/// everything, to get everywhere.)
pub(crate) const CAPACITY: usize = if cfg!(test) { 16 } else { 2048 };

/// A bounded, insert-only set of entries.
pub(crate) struct Memtable {
    /// For each batch its smallest value and its place in the log.
    index: SkipMap<(i64, u64), ()>,
    log: Log<Native>,
    reaper: Reaper,
}

impl Memtable {
    pub(crate) fn new(reaper: Reaper) -> Memtable {
        Memtable { index: SkipMap::new(), log: Log::new(CAPACITY), reaper }
    }

    /// Takes room for `len` entries, or none when too little is left: then this is full for good.
    pub(crate) fn reserve(&self, len: usize) -> Option<Places> {
        self.log.reserve(len)
    }

    /// How much room is taken. O(1).
    pub(crate) fn reserved(&self) -> usize {
        self.log.reserved()
    }

    /// Inserts a batch, sorted and not empty, not yet visible to anybody. O(k + log n) for k entries,
    /// lock-free.
    pub(crate) fn insert(&self, places: &Places, ticket: Ticket, values: &[i64]) {
        debug_assert!(values.is_sorted());
        self.log.write(places, ticket, values);
        self.index.insert((values[0], places.start() as u64), ());
    }

    /// The number of elements among the committed entries for which `matches` holds: additions less
    /// removals. O(capacity), a third of a nanosecond an entry.
    pub(crate) fn count(&self, committed: &Committed, matches: impl Fn(i64) -> bool) -> i64 {
        let mut count = 0;
        self.log.visit(committed, |ticket, entries| {
            let n: i64 = entries.values().map(|value| i64::from(matches(value))).sum();
            count += if ticket.is_removal() { -n } else { n };
        });
        count
    }

    /// The smallest or the largest of the committed additions; an error if a committed removal may
    /// cancel it.
    ///
    /// The smallest is found at the front of the skiplist, in O(log n) but for what is not committed;
    /// the largest, by which batches are not ordered, in the log, in O(capacity).
    pub(crate) fn end(&self, committed: &Committed, end: End) -> Result<Option<i64>, Cancelled> {
        let mut found = None;
        match end {
            End::Front => {
                let _pinned = epoch::pin();
                for entry in self.index.iter() {
                    let &(smallest, place) = entry.key();
                    if found.is_some_and(|found| found < smallest) {
                        break;
                    }
                    let place = usize::try_from(place).expect("it is a place");
                    if let Some((ticket, _)) = self.log.batch_at(place, committed) {
                        found = Some(smallest);
                        if ticket.is_removal() {
                            return Err(Cancelled);
                        }
                    }
                }
            }
            End::Back => {
                let mut removal = None;
                self.log.visit(committed, |ticket, entries| {
                    let last = entries.last();
                    let into = if ticket.is_removal() { &mut removal } else { &mut found };
                    *into = (*into).max(Some(last));
                });
                if removal.is_some() && removal >= found {
                    return Err(Cancelled);
                }
            }
        }
        Ok(found)
    }

    /// Adds the committed entries within `open` to `fresh`, and to its balance those that come before.
    /// O(capacity).
    pub(crate) fn collect_into(&self, committed: &Committed, open: Open, fresh: &mut Unsorted) {
        self.log.visit(committed, |ticket, entries| {
            let sign = if ticket.is_removal() { -1 } else { 1 };
            let into = if sign < 0 { &mut fresh.removed } else { &mut fresh.added };
            if let Some(after) = open.after {
                let before: i64 = entries.values().map(|value| i64::from(value <= after)).sum();
                fresh.before += sign * before;
            }
            into.extend(entries.values().filter(|&value| open.contains(value)));
        });
    }

    /// Appends the committed entries within `range` to `added` or `removed`, in ascending pieces.
    ///
    /// O(log n + the batches that begin before its end). One epoch guard covers the walk, so that the
    /// batches need not pin one by one.
    pub(crate) fn scan_into(
        &self,
        committed: &Committed,
        range: &RangeInclusive<i64>,
        added: &mut Vec<i64>,
        removed: &mut Vec<i64>,
    ) {
        let _pinned = epoch::pin();
        for entry in self.index.range(..=(*range.end(), u64::MAX)) {
            let place = usize::try_from(entry.key().1).expect("it is a place");
            let Some((ticket, entries)) = self.log.batch_at(place, committed) else {
                continue;
            };
            let into = if ticket.is_removal() { &mut *removed } else { &mut *added };
            into.extend(entries.values().filter(|value| range.contains(value)));
        }
    }
}

impl Drop for Memtable {
    fn drop(&mut self) {
        let index = mem::take(&mut self.index);
        if !index.is_empty() {
            self.reaper.free(index);
        }
    }
}

/// Everything committed in `memtables`, sorted.
pub(crate) fn drain<'m>(
    memtables: impl IntoIterator<Item = &'m Memtable>,
    committed: &Committed,
    reaper: &Reaper,
) -> Run {
    let mut all = Unsorted::default();
    for memtable in memtables {
        memtable.collect_into(committed, Open::default(), &mut all);
    }
    Run::from_unsorted(all.added, all.removed, reaper)
}
