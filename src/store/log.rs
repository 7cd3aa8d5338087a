//! The log of a memtable: its entries in plain arrays, in the order of their arrival.
//!
//! Counting and draining need no order. Reading an array costs a third of a nanosecond a value, and
//! sorting it afterwards some ten; walking a skiplist costs some 40 ns an entry.

use std::sync::atomic::Ordering;

use super::protocol::{Committed, Platform, Ticket, Word};

/// A bounded array of entries, to which many threads append batches.
///
/// Like the skiplist it only grows, and what counts in it is told by the commit words alone. All
/// accesses are relaxed: whoever counts an entry has acquired the store that committed it, which
/// comes after every store here.
pub(crate) struct Log<P: Platform> {
    /// How many places are taken; more than there are once somebody found too few left.
    reserved: P::Word,
    /// At the place of a batch's first entry: the batch.
    batches: Box<[Batch<P>]>,
    values: Box<[P::Word]>,
}

/// A batch in consecutive places. Where there is none, or none yet, one of the two or both are zero.
struct Batch<P: Platform> {
    /// One more than the ticket of the first entry (the others' count on from it), so that zero is
    /// no ticket: the last one of the last slot, as far as which nobody ever commits.
    ticket_plus_one: P::Word,
    len: P::Word,
}

/// Places in a log for one batch.
#[derive(Debug)]
pub(crate) struct Places(usize);

impl Places {
    /// The first one.
    pub(crate) fn start(&self) -> usize {
        self.0
    }
}

impl<P: Platform> Log<P> {
    pub(crate) fn new(capacity: usize) -> Log<P> {
        let zero = || P::Word::new(0);
        let no_batch = || Batch { ticket_plus_one: zero(), len: zero() };
        Log {
            reserved: zero(),
            batches: (0..capacity).map(|_| no_batch()).collect(),
            values: (0..capacity).map(|_| zero()).collect(),
        }
    }

    /// Takes places for `len` entries, or none when too few are left: then the log is full for good.
    pub(crate) fn reserve(&self, len: usize) -> Option<Places> {
        if self.reserved() + len > self.values.len() {
            return None;
        }
        let start = self.reserved.fetch_add(len as u64, Ordering::Relaxed);
        let start = usize::try_from(start).ok()?;
        (start + len <= self.values.len()).then_some(Places(start))
    }

    /// How many places are taken, whether what goes there has been committed or not.
    pub(crate) fn reserved(&self) -> usize {
        let reserved = self.reserved.load(Ordering::Relaxed);
        usize::try_from(reserved).map_or(self.values.len(), |n| n.min(self.values.len()))
    }

    /// Writes a batch, not yet visible to anybody, whose first entry has this ticket.
    pub(crate) fn write(&self, places: &Places, ticket: Ticket, values: &[i64]) {
        let &Places(start) = places;
        for (place, value) in self.values[start..].iter().zip(values) {
            place.store(value.cast_unsigned(), Ordering::Relaxed);
        }
        let ticket_plus_one = ticket.to_bits().wrapping_add(1);
        self.batches[start].ticket_plus_one.store(ticket_plus_one, Ordering::Relaxed);
        self.batches[start].len.store(values.len() as u64, Ordering::Relaxed);
    }

    /// Visits the batches that had been committed by then, in no order that means anything.
    pub(crate) fn visit(
        &self,
        committed: &Committed,
        mut visit: impl FnMut(Ticket, Entries<'_, P>),
    ) {
        let end = self.reserved();
        let mut place = 0;
        while place < end {
            if let Some((ticket, entries)) = self.batch_at(place, committed) {
                visit(ticket, entries);
            }
            // What is not committed may be half written: then its places are looked at one by one.
            place += self.len_at(place).max(1);
        }
    }

    /// The batch at this place, if there is one that had been committed by then.
    pub(crate) fn batch_at(
        &self,
        place: usize,
        committed: &Committed,
    ) -> Option<(Ticket, Entries<'_, P>)> {
        let len = self.len_at(place);
        let ticket_plus_one = self.batches[place].ticket_plus_one.load(Ordering::Relaxed);
        let ticket = Ticket::from_bits(ticket_plus_one.wrapping_sub(1));
        let is_there = len > 0 && committed.includes(ticket);
        is_there.then(|| (ticket, Entries(&self.values[place..place + len])))
    }

    fn len_at(&self, place: usize) -> usize {
        usize::try_from(self.batches[place].len.load(Ordering::Relaxed)).unwrap_or(0)
    }
}

/// The values of one batch.
pub(crate) struct Entries<'l, P: Platform>(&'l [P::Word]);

impl<P: Platform> Entries<'_, P> {
    /// The last one.
    pub(crate) fn last(&self) -> i64 {
        let last = self.0.last().expect("a batch is not empty");
        last.load(Ordering::Relaxed).cast_signed()
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = i64> + '_ {
        self.0.iter().map(|value| value.load(Ordering::Relaxed).cast_signed())
    }
}
