//! Generations: the commit words of the time between two clears.

use std::sync::atomic::Ordering;

use crossbeam_utils::CachePadded;

use super::platform::{Platform, Word};
use super::slots::{SLOTS, Slots};
use super::ticket::Ticket;

/// The commit words of the time between two clears, one for each slot: `committed << 1 | in_flight`.
pub(crate) struct Generation<P: Platform> {
    id: u64,
    pub(super) words: Box<[CachePadded<P::Word>]>,
}

impl<P: Platform> Generation<P> {
    pub(crate) fn new(id: u64) -> Generation<P> {
        Generation::with_slots(id, SLOTS)
    }

    /// A generation for a set that uses no more than this many slots.
    pub(crate) fn with_slots(id: u64, slots: usize) -> Generation<P> {
        Generation { id, words: (0..slots).map(|_| CachePadded::new(P::Word::new(0))).collect() }
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
    pub(super) fn collect_twice(&self, slots: &Slots<P>) -> Option<Committed> {
        let first = self.collect(slots);
        // F3: every reader's first collect comes before its fence and the second one after it. Of two
        // readers, the one whose fence is later sees all that the other one counted.
        P::fence();
        self.are(&first, slots).then_some(first)
    }

    /// Whether nobody has committed since these words were read.
    pub(super) fn still_at(&self, then: &Committed, slots: &Slots<P>) -> bool {
        // F4: pairs with F3. If a reader has counted a commit in the view before the removal's, either
        // its fence is earlier, and the commit is seen here; or it is later, and the reader finds
        // that its view has been replaced.
        P::fence();
        self.are(then, slots)
    }

    fn are(&self, then: &Committed, slots: &Slots<P>) -> bool {
        let now = &self.words[..slots.in_use()];
        // Acquire: as in `collect`.
        let same = |(word, &committed): (&CachePadded<P::Word>, &u64)| {
            word.load(Ordering::Acquire) >> 1 == committed
        };
        now.len() == then.0.len() && now.iter().zip(&then.0).all(same)
    }

    pub(super) fn collect(&self, slots: &Slots<P>) -> Committed {
        // Acquire: pairs with the Release store in `Turn::leave`, so that the entries counted here
        // are found in the memtables.
        let word = |word: &CachePadded<P::Word>| word.load(Ordering::Acquire) >> 1;
        Committed(self.words[..slots.in_use()].iter().map(word).collect())
    }

    /// Waits until every writer that was in flight in this generation has left what it was in, and
    /// returns what all have committed.
    ///
    /// Called after the view was replaced, or seen to be: whoever enters later inserts elsewhere.
    /// Takes as long as the longest batch in flight. Waits slot by slot, since "all idle at once" may
    /// never come, for the word to *change*, since a writer may already be on its next turn by then.
    pub(crate) fn wait_for_writers(&self, slots: &Slots<P>) -> Committed {
        // F2: pairs with F1. A writer whose bit is not seen below sees the new view.
        P::fence();
        for word in &self.words[..slots.in_use()] {
            // Acquire: pairs with the Release store that ends a turn, so that what is read next
            // includes it.
            let seen = word.load(Ordering::Acquire);
            let mut spins = 0;
            while seen & 1 == 1 && word.load(Ordering::Acquire) == seen {
                P::relax(&mut spins);
            }
        }
        self.collect(slots)
    }
}

/// How far each slot had committed at one instant.
#[derive(Clone, Debug)]
pub(crate) struct Committed(pub(super) Box<[u64]>);

impl Committed {
    /// Whether the entry with this ticket counted at that instant.
    pub(crate) fn includes(&self, ticket: Ticket) -> bool {
        // A slot without a word here was claimed later.
        self.0.get(ticket.slot()).is_some_and(|&committed| ticket.number() < committed)
    }

    /// How far this slot had committed.
    #[cfg(test)]
    pub(crate) fn of(&self, slot: usize) -> u64 {
        self.0[slot]
    }

    /// What was added by then entry by entry, less what was removed so (slot 0).
    pub(crate) fn balance(&self) -> i64 {
        let (&removed, added) = self.0.split_first().expect("slot 0 is always in use");
        let added: u64 = added.iter().sum();
        added.cast_signed() - removed.cast_signed()
    }

    /// How many entries there were, additions and removals: grows with every commit.
    pub(crate) fn entries(&self) -> u64 {
        self.0.iter().sum()
    }
}
