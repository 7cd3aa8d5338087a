//! The protocol by which writers, readers, removers and the compactor share the array without a lock.
//!
//! Every writer holds a *slot*. Every [`Generation`] (the time between two clears) has one word for
//! each slot, `committed << 1 | in_flight`. A writer numbers its entries from its own `committed`
//! on, so no counter is shared, and an entry's [`Ticket`] names slot and number. **An entry counts
//! if and only if its number is below its slot's `committed`**, so the single store that raises
//! `committed` makes a whole batch visible. Entries of slot 0 each cancel an element of their value.
//!
//! Everything else is found through one pointer to an immutable [`View`], which is only ever
//! replaced: by a clear, which swaps it, or by a compare-and-swap (sealing the active memtable,
//! publishing runs, removing several elements at once).
//!
//! The fences, by the names used in this module:
//!
//! - **F1** (entering a turn, between setting the in-flight bit and loading the view again) pairs
//!   with **F2** (in [`Generation::wait_for_writers`], between replacing the view and reading the
//!   bits). Sequentially consistent fences have one order. If F1 comes first, the waiter sees the bit
//!   and waits; if F2 does, the writer sees the new view and leaves the old one's generation, or its
//!   memtable, untouched.
//! - **F3** (between the two collects of a snapshot) pairs with itself in other readers: two readers
//!   cannot see two unrelated commits in opposite orders.
//! - **F4** (before looking whether words are still those of a removal's snapshot) pairs with F3.
//! - Everything else is acquire and release: every store to a word that is in use (Release) pairs with
//!   the loads of collects and of the wait (Acquire), which is how a reader that counts an entry also
//!   finds it.
//!
//! Nothing here knows what a memtable or a run looks like; the model checker brings its own
//! ([`Platform`]).

mod generation;
#[cfg(test)]
mod model;
mod platform;
mod slots;
mod ticket;
mod turn;
mod view;

use std::sync::Arc;

pub(crate) use generation::{Committed, Generation};
pub(crate) use platform::{Native, NativeContents, Platform, Pointer, Word};
pub use slots::MAX_WRITERS;
pub(crate) use slots::{Claim, Slots};
pub(crate) use ticket::Ticket;
pub(crate) use turn::Turn;
pub(crate) use view::{Contents, View};

/// The current view and the slots: all that threads share.
pub(crate) struct Protocol<P: Platform> {
    view: P::Pointer<View<P>>,
    pub(crate) slots: Arc<Slots<P>>,
}

/// A view, whose removal is decided, and the words that held while it was the current one.
pub(crate) struct Moment<P: Platform> {
    pub(crate) view: Arc<View<P>>,
    pub(crate) committed: Committed,
}

impl<P: Platform> Protocol<P> {
    pub(crate) fn new(empty: View<P>) -> Protocol<P> {
        Protocol { view: P::Pointer::new(Arc::new(empty)), slots: Arc::new(Slots::new()) }
    }

    /// The current view, to look at for a moment.
    pub(crate) fn view(&self) -> <P::Pointer<View<P>> as Pointer<View<P>>>::Guard<'_> {
        self.view.load()
    }

    /// The current view, to look at for longer.
    pub(crate) fn view_held(&self) -> Arc<View<P>> {
        self.view.load_full()
    }

    pub(crate) fn claim(&self) -> Option<Claim<P>> {
        self.slots.claim(|| self.view.load().generation.id())
    }

    /// Begins a writer's turn in the current generation. Lock-free.
    pub(crate) fn enter<'c>(&self, claim: &'c mut Claim<P>) -> Turn<'_, 'c, P> {
        Turn::enter(&self.view, claim)
    }

    /// Begins a turn in this generation, if it is still the current one and the slot may be used in it.
    pub(crate) fn enter_in<'c>(
        &self,
        claim: &'c mut Claim<P>,
        generation: &Generation<P>,
    ) -> Option<Turn<'_, 'c, P>> {
        Turn::enter_in(&self.view, claim, generation)
    }

    /// One attempt at a snapshot. None when somebody committed or replaced the view meanwhile.
    pub(crate) fn try_snapshot(&self) -> Option<Moment<P>> {
        // Held to the end, so that the pointer compared below cannot have been freed and used again.
        let view = self.view.load_full();
        view.contents(&self.slots);
        let committed = view.generation.collect_twice(&self.slots)?;
        // The words held together at some instant; this says that they were the current ones then.
        // Without it two readers on either side of a replacement could see two commits in opposite
        // orders.
        let still_current = Arc::ptr_eq(&self.view.load(), &view);
        still_current.then_some(Moment { view, committed })
    }

    /// Puts `empty`, with a generation of its own, in the view's place, and returns the view as it was
    /// at that instant: with what those in flight have committed before this returns.
    pub(crate) fn clear(&self, empty: View<P>) -> Moment<P> {
        let view = self.view.swap(Arc::new(empty));
        let committed = view.generation.wait_for_writers(&self.slots);
        view.contents(&self.slots);
        Moment { view, committed }
    }

    /// Puts `fresh` in the place of the active memtable of `full`. One attempt: if it fails, somebody
    /// else has replaced the view.
    pub(crate) fn seal(&self, full: &Arc<View<P>>, fresh: Arc<P::Memtable>) -> bool {
        let sealed = full.sealed(fresh, full.contents(&self.slots).clone());
        self.view.replace(full, Arc::new(sealed))
    }

    /// Has `contents` hold besides the memtables, without those of `taken`, whose entries they have:
    /// as `change` makes them of what holds by then. None, and nothing changes, when `change` gives
    /// up, when the generation is no longer the current one, or one of `taken` is gone.
    ///
    /// Lock-free: starts over when somebody else has replaced the view.
    pub(crate) fn publish(
        &self,
        generation: Option<&Generation<P>>,
        taken: &[Arc<P::Memtable>],
        mut change: impl FnMut(&Contents<P>) -> Option<Contents<P>>,
    ) -> Option<()> {
        loop {
            let current = self.view.load_full();
            if generation.is_some_and(|g| !std::ptr::eq(g, &*current.generation)) {
                return None;
            }
            let contents = change(current.contents(&self.slots))?;
            let next = current.compacted(taken, contents)?;
            if self.view.replace(&current, Arc::new(next)) {
                return Some(());
            }
        }
    }

    /// Has `contents` hold instead of those of `chosen_at`, if that is still how things are. Whether
    /// it was: it takes effect at one instant between the call and its return.
    ///
    /// Only one at a time may remove.
    pub(crate) fn try_remove(&self, chosen_at: &Moment<P>, contents: Contents<P>) -> bool {
        let Moment { view, committed } = chosen_at;
        let next = Arc::new(view.with_removal(committed.clone(), contents));
        self.view.replace(view, Arc::clone(&next)) && next.removes(&self.slots)
    }
}

impl<P: Platform> Moment<P> {
    /// What there was besides memtables.
    pub(crate) fn contents(&self) -> &Contents<P> {
        self.view.settled()
    }

    /// The number of elements.
    pub(crate) fn len(&self) -> u64 {
        let len = self.contents().offset + self.committed.balance();
        u64::try_from(len).expect("nothing is removed that is not there")
    }
}
