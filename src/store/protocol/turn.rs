//! Turns: a writer's stay in a generation.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::generation::Generation;
use super::platform::{Platform, Pointer, Word};
use super::slots::Claim;
use super::ticket::Ticket;
use super::view::View;

type Guard<'p, P> = <<P as Platform>::Pointer<View<P>> as Pointer<View<P>>>::Guard<'p>;

/// One writer's stay in a generation, from setting the in-flight bit to clearing it.
///
/// Dropped without [`commit`](Turn::commit) or [`leave`](Turn::leave), that is, by a panic, it leaves
/// its entries uncommitted for good: it retires the slot for this generation, or their numbers would
/// be given out again and a later batch would make them visible.
pub(crate) struct Turn<'p, 'c, P: Platform> {
    view: Guard<'p, P>,
    claim: &'c mut Claim<P>,
    committed: u64,
    done: bool,
}

impl<'p, 'c, P: Platform> Turn<'p, 'c, P> {
    /// Enters the current generation. Lock-free: starts over only after a clear.
    pub(super) fn enter(current: &'p P::Pointer<View<P>>, claim: &'c mut Claim<P>) -> Self {
        loop {
            let before = current.load();
            if let Some((view, committed)) = Turn::try_enter(current, claim, &before.generation) {
                return Turn { view, claim, committed, done: false };
            }
        }
    }

    /// Enters this generation, unless it has been cleared or the slot was retired in it.
    pub(super) fn enter_in(
        current: &'p P::Pointer<View<P>>,
        claim: &'c mut Claim<P>,
        generation: &Generation<P>,
    ) -> Option<Self> {
        if claim.is_retired_in(generation) {
            return None;
        }
        let (view, committed) = Turn::try_enter(current, claim, generation)?;
        Some(Turn { view, claim, committed, done: false })
    }

    fn try_enter(
        current: &'p P::Pointer<View<P>>,
        claim: &Claim<P>,
        generation: &Generation<P>,
    ) -> Option<(Guard<'p, P>, u64)> {
        let word = &generation.words[claim.slot];
        // Relaxed: the writer's own word; the slot changed hands through a mutex.
        let committed = word.load(Ordering::Relaxed) >> 1;
        // Release: whoever reads this word counts the turns before by it as well, and must find their
        // entries. The store that committed them does not see to that: what synchronises is the store
        // that is read, and no earlier one.
        word.store(committed << 1 | 1, Ordering::Release);
        // F1: orders the store before the load; pairs with F2 in `wait_for_writers`.
        P::fence();
        let view = current.load();
        if std::ptr::eq(&*view.generation, generation) {
            return Some((view, committed));
        }
        // Release: pairs with the Acquire loads of the wait, which this ends.
        word.store(committed << 1, Ordering::Release);
        None
    }

    /// The view into whose active memtable this turn may insert: the one loaded *after* the bit was set.
    pub(crate) fn view(&self) -> &Arc<View<P>> {
        &self.view
    }

    /// The ticket of this turn's first entry. The next ones count on from there.
    pub(crate) fn ticket(&self) -> Ticket {
        Ticket::new(self.claim.slot, self.committed)
    }

    /// Makes the turn's first `entries` entries visible, all at once, and leaves.
    pub(crate) fn commit(mut self, entries: u64) {
        self.end(entries);
    }

    /// Leaves without having inserted anything, and returns the view that was found.
    pub(crate) fn leave(mut self) -> Arc<View<P>> {
        self.end(0);
        Arc::clone(&self.view)
    }

    fn end(&mut self, entries: u64) {
        self.done = true;
        let word = &self.view.generation.words[self.claim.slot];
        // Release: this store is the instant at which the batch takes effect. Pairs with the Acquire
        // loads of collects, which then find the entries, and of the wait.
        word.store((self.committed + entries) << 1, Ordering::Release);
    }
}

impl<P: Platform> Drop for Turn<'_, '_, P> {
    fn drop(&mut self) {
        if !self.done {
            self.claim.retired_in = Some(self.view.generation.id());
            self.end(0);
        }
    }
}
