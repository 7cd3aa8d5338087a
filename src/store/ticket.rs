//! Tickets and commit slots: how a batch becomes visible at one instant.
//!
//! Every writer holds a *slot*. Every [`Generation`] (the time between two clears) has one word for
//! each slot, `committed << 1 | in_flight`. A writer numbers its entries from its own `committed`
//! on, so no counter is shared, and an entry's [`Ticket`] names slot and number. **An entry counts
//! if and only if its number is below its slot's `committed`**, so the single store that raises
//! `committed` makes a whole batch visible.
//!
//! The fences, by the names used below:
//!
//! - **F1** (in [`Turn::enter`], between setting the in-flight bit and loading the view again) pairs
//!   with **F2** (in [`Generation::wait_for_writers`], between replacing the view and reading the
//!   bits). Sequentially consistent fences have one order. If F1 comes first, the waiter sees the bit
//!   and waits; if F2 does, the writer sees the new view and leaves the old generation untouched. So
//!   nobody inserts into a generation after its waiter has returned.
//! - **F3** (in [`collect_twice`](Generation::collect_twice)) pairs with itself in other readers: two readers cannot see
//!   two unrelated commits in opposite orders.
//! - Everything else is acquire and release: the store that commits (Release) pairs with the loads of
//!   collects and of the wait (Acquire), which is how a reader that counts an entry also finds it.

use std::hint;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering, fence};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use arc_swap::{ArcSwap, Guard};
use crossbeam_utils::CachePadded;

use super::view::View;

/// Slots in a generation: the number that a ticket's upper eight bits can name.
pub(crate) const SLOTS: usize = 256;

/// How many writers can be alive at once. (Slot 0 is kept for removals.)
pub const MAX_WRITERS: usize = SLOTS - 1;

const NUMBER_BITS: u32 = 56;

/// Who added an entry and which one of theirs it is: unique within a generation.
///
/// 2^56 numbers last one writer for 200 years at ten million additions a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(u64);

impl Ticket {
    /// The smallest and the largest ticket: the ends of a range of keys of one value.
    pub(crate) const MIN: Ticket = Ticket(0);
    pub(crate) const MAX: Ticket = Ticket(u64::MAX);

    fn new(slot: usize, number: u64) -> Ticket {
        debug_assert!(slot < SLOTS && number < 1 << NUMBER_BITS);
        Ticket((slot as u64) << NUMBER_BITS | number)
    }

    fn slot(self) -> usize {
        // Eight bits are left.
        usize::try_from(self.0 >> NUMBER_BITS).expect("a slot is below 256")
    }

    fn number(self) -> u64 {
        self.0 & ((1 << NUMBER_BITS) - 1)
    }
}

/// The commit words of the time between two clears.
pub(crate) struct Generation {
    id: u64,
    words: Box<[CachePadded<AtomicU64>]>,
}

impl Generation {
    pub(crate) fn new(id: u64) -> Generation {
        Generation { id, words: (0..SLOTS).map(|_| CachePadded::default()).collect() }
    }

    /// Which one of the set's generations this is.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Reads every word in use twice and returns what it read if both times agree: then there was an
    /// instant in between at which all of them held together.
    ///
    /// O(slots in use). The number of slots is read along with the words, and again, or a slot that
    /// appears in between could go unnoticed.
    pub(crate) fn collect_twice(&self, slots: &Slots) -> Option<Committed> {
        let first = self.collect(slots);
        // F3: every reader's first collect comes before its fence and the second one after it. Of two
        // readers, the one whose fence is later sees all that the other one counted.
        fence(Ordering::SeqCst);
        let same = slots.in_use() == first.0.len()
            && first.0.iter().zip(&self.words).all(|(&c, word)| {
                // Acquire: as in `collect`.
                c == word.load(Ordering::Acquire) >> 1
            });
        same.then_some(first)
    }

    fn collect(&self, slots: &Slots) -> Committed {
        // Acquire: pairs with the Release store in `Turn::commit`, so that the entries counted here
        // are found in the memtable.
        let word = |word: &CachePadded<AtomicU64>| word.load(Ordering::Acquire) >> 1;
        Committed(self.words[..slots.in_use()].iter().map(word).collect())
    }

    /// Waits until every writer that was in flight in this generation has left it, and returns what
    /// they have committed: the last word on this generation, once its view has been replaced.
    ///
    /// Must be called after the view was replaced. Takes as long as the longest batch in flight.
    /// Waits slot by slot, since "all idle at once" may never come, for the word to *change*, since
    /// a writer may already be on its next turn elsewhere by then.
    pub(crate) fn wait_for_writers(&self, slots: &Slots) -> Committed {
        // F2: pairs with F1. A writer whose bit is not seen below sees the new view.
        fence(Ordering::SeqCst);
        for word in &self.words[..slots.in_use()] {
            // Acquire: pairs with the Release store that ends a turn, so that the sums below include it.
            let seen = word.load(Ordering::Acquire);
            let mut spins = 0;
            while seen & 1 == 1 && word.load(Ordering::Acquire) == seen {
                spin_then_yield(&mut spins);
            }
        }
        self.collect(slots)
    }
}

/// Spins for about a microsecond, then gives the core away at every call: the awaited thread may
/// need it.
fn spin_then_yield(spins: &mut u32) {
    const SPINS: u32 = 64;
    if *spins < SPINS {
        *spins += 1;
        hint::spin_loop();
    } else {
        thread::yield_now();
    }
}

/// How far each slot had committed at one instant.
pub(crate) struct Committed(pub(super) Box<[u64]>);

impl Committed {
    /// Whether the entry with this ticket counted at that instant.
    pub(crate) fn includes(&self, ticket: Ticket) -> bool {
        // A slot without a word here was claimed later.
        self.0.get(ticket.slot()).is_some_and(|&committed| ticket.number() < committed)
    }

    /// The number of elements at that instant: what was added less what was removed (slot 0).
    pub(crate) fn total(&self) -> u64 {
        let (removed, added) = self.0.split_first().expect("slot 0 is always in use");
        added.iter().sum::<u64>() - removed
    }
}

/// One writer's stay in a generation, from setting the in-flight bit to clearing it.
///
/// Dropped without [`commit`](Turn::commit), that is, by a panic, it leaves its entries uncommitted
/// for good: it retires the slot for this generation, or their numbers would be given out again and
/// a later batch would make them visible.
pub(crate) struct Turn<'c> {
    view: Guard<Arc<View>>,
    claim: &'c mut Claim,
    committed: u64,
    done: bool,
}

impl<'c> Turn<'c> {
    /// Enters the current generation. Lock-free: starts over only after a clear.
    pub(crate) fn enter(current: &ArcSwap<View>, claim: &'c mut Claim) -> Turn<'c> {
        loop {
            let before = current.load();
            let word = &before.generation.words[claim.slot];
            // Relaxed: the writer's own word; the slot changed hands through the mutex of `Slots`.
            let committed = word.load(Ordering::Relaxed) >> 1;
            // Relaxed: F1 below orders it before the load.
            word.store(committed << 1 | 1, Ordering::Relaxed);
            // F1: pairs with F2 in `wait_for_writers`.
            fence(Ordering::SeqCst);
            let view = current.load();
            if Arc::ptr_eq(&view.generation, &before.generation) {
                return Turn { view, claim, committed, done: false };
            }
            // Release: pairs with the Acquire loads of the wait, which this ends.
            word.store(committed << 1, Ordering::Release);
        }
    }

    /// The view into whose active memtable this turn may insert: the one loaded *after* the bit was set.
    pub(crate) fn view(&self) -> &View {
        &self.view
    }

    /// The ticket of this turn's entry number `index`.
    pub(crate) fn ticket(&self, index: u64) -> Ticket {
        Ticket::new(self.claim.slot, self.committed + index)
    }

    /// Makes the turn's first `entries` entries visible, all at once, and leaves.
    pub(crate) fn commit(mut self, entries: u64) {
        self.done = true;
        self.leave(self.committed + entries);
    }

    fn leave(&self, committed: u64) {
        // Release: this store is the instant at which the batch takes effect. Pairs with the Acquire
        // loads of collects, which then find the entries, and of the wait.
        self.view.generation.words[self.claim.slot].store(committed << 1, Ordering::Release);
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if !self.done {
            self.claim.retired_in = Some(self.view.generation.id);
            self.leave(self.committed);
        }
    }
}

/// The slots of a set: which are taken, and how many have ever been.
pub(crate) struct Slots {
    free: Mutex<Vec<FreeSlot>>,
    in_use: AtomicUsize,
}

#[derive(Clone, Copy)]
struct FreeSlot {
    slot: usize,
    retired_in: Option<u64>,
}

impl Slots {
    pub(crate) fn new() -> Slots {
        Slots { free: Mutex::default(), in_use: AtomicUsize::new(1) }
    }

    /// How many words of a generation can differ from zero. Never shrinks.
    fn in_use(&self) -> usize {
        // Acquire: pairs with the Release store in `claim`; a slot's first commit comes after it.
        self.in_use.load(Ordering::Acquire)
    }

    /// Takes a slot that may be used in the current generation and later ones, or none if all are taken.
    ///
    /// `current` tells the current generation's identity. It is called under the lock: what it returns is
    /// then no older than any generation in which a slot on the list was retired.
    pub(crate) fn claim(self: &Arc<Slots>, current: impl FnOnce() -> u64) -> Option<Claim> {
        let mut free = self.free();
        let current = current();
        let usable = free.iter().position(|free| free.retired_in != Some(current));
        let slot = match usable {
            Some(index) => free.swap_remove(index).slot,
            None => {
                // Relaxed: written only under the mutex that is held here.
                let next = self.in_use.load(Ordering::Relaxed);
                if next == SLOTS {
                    return None;
                }
                // Release: pairs with `in_use`.
                self.in_use.store(next + 1, Ordering::Release);
                next
            }
        };
        Some(Claim { slots: Arc::clone(self), slot, retired_in: None })
    }

    fn free(&self) -> MutexGuard<'_, Vec<FreeSlot>> {
        // A push or a swap_remove leaves a whole list behind wherever a panic strikes.
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A slot taken by one writer, given back when dropped.
///
/// The mutex of [`Slots`] orders the previous owner's last store to the slot's word before the next
/// owner's first load.
pub(crate) struct Claim {
    slots: Arc<Slots>,
    slot: usize,
    retired_in: Option<u64>,
}

impl Drop for Claim {
    fn drop(&mut self) {
        let Claim { slot, retired_in, .. } = *self;
        self.slots.free().push(FreeSlot { slot, retired_in });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tickets_keep_slot_and_number() {
        for (slot, number) in [(0, 0), (1, 7), (255, (1 << NUMBER_BITS) - 1)] {
            let ticket = Ticket::new(slot, number);
            assert_eq!((ticket.slot(), ticket.number()), (slot, number));
            assert!(Ticket::MIN <= ticket && ticket <= Ticket::MAX);
        }
    }

    #[test]
    fn a_retired_slot_waits_for_the_next_generation() {
        let slots = Arc::new(Slots::new());
        let mut claim = slots.claim(|| 1).expect("all slots are free");
        let retired = claim.slot;
        claim.retired_in = Some(1);
        drop(claim);
        assert_ne!(slots.claim(|| 1).expect("others are free").slot, retired);
        let in_next: Vec<Claim> = (0..2).filter_map(|_| slots.claim(|| 2)).collect();
        assert!(in_next.iter().any(|claim| claim.slot == retired));
    }

    #[test]
    fn slots_run_out_and_come_back() {
        let slots = Arc::new(Slots::new());
        let mut claims: Vec<Claim> = (0..MAX_WRITERS).filter_map(|_| slots.claim(|| 0)).collect();
        assert_eq!(claims.len(), MAX_WRITERS);
        assert!(slots.claim(|| 0).is_none());
        let given_back = claims.pop().expect("there are many").slot;
        assert_eq!(slots.claim(|| 0).map(|claim| claim.slot), Some(given_back));
    }
}
