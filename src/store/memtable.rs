//! The memtable: where writes land, a concurrent skiplist that only ever grows.
//!
//! Nothing is ever unlinked from it. An entry becomes visible through the commit words
//! ([`super::ticket`]), never through its presence here, so readers filter what they find.

use std::mem;
use std::ops::Bound;

use crossbeam_epoch as epoch;
use crossbeam_skiplist::SkipMap;

use super::reaper::Reaper;
use super::ticket::Ticket;

/// An entry's key: elements of equal value are told apart by their tickets.
pub(crate) type Key = (i64, Ticket);

/// Below this many entries the one who lets go of a memtable frees it on the spot: less work than
/// waking a thread for it.
const FREED_ON_THE_SPOT: usize = 64;

/// The end of a [`Memtable::scan`] at which it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Ascending, from the smallest key.
    Front,
    /// Descending, from the largest key.
    Back,
}

/// An insert-only set of keys.
pub(crate) struct Memtable {
    entries: SkipMap<Key, ()>,
    reaper: Reaper,
}

impl Memtable {
    pub(crate) fn new(reaper: Reaper) -> Memtable {
        Memtable { entries: SkipMap::new(), reaper }
    }

    /// Inserts one entry, not yet visible to anybody. O(log n), lock-free.
    pub(crate) fn insert(&self, key: Key) {
        self.entries.insert(key, ());
    }

    /// Visits up to `limit` keys between the bounds, from that end on, and returns the last one
    /// visited, or none when the bounds hold no more than was visited.
    ///
    /// O(log n + `limit`). One epoch guard covers the visit, so that the entries need not pin one
    /// by one, and is gone when this returns: that is why a scan is cut into pieces.
    pub(crate) fn scan(
        &self,
        bounds: (Bound<Key>, Bound<Key>),
        end: End,
        limit: usize,
        mut visit: impl FnMut(Key),
    ) -> Option<Key> {
        let _pinned = epoch::pin();
        let mut entries = self.entries.range(bounds);
        let mut last = None;
        for _ in 0..limit {
            let entry = match end {
                End::Front => entries.next(),
                End::Back => entries.next_back(),
            }?;
            visit(*entry.key());
            last = Some(*entry.key());
        }
        last
    }
}

impl Drop for Memtable {
    fn drop(&mut self) {
        let entries = mem::take(&mut self.entries);
        if entries.len() >= FREED_ON_THE_SPOT {
            self.reaper.free(entries);
        }
    }
}
