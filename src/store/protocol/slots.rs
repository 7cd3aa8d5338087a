//! Slots: who may write into which commit word.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::generation::Generation;
use super::platform::{Platform, Word};

/// Slots in a generation: the number that a ticket's upper eight bits can name.
pub(crate) const SLOTS: usize = 256;

/// How many writers can be alive at once. (Slot 0 is kept for removals.)
pub const MAX_WRITERS: usize = SLOTS - 1;

/// The slots of a set: which are taken, and how many have ever been.
pub(crate) struct Slots<P: Platform> {
    free: Mutex<Vec<FreeSlot>>,
    in_use: P::Word,
}

#[derive(Clone, Copy)]
struct FreeSlot {
    slot: usize,
    retired_in: Option<u64>,
}

impl<P: Platform> Slots<P> {
    pub(crate) fn new() -> Slots<P> {
        Slots { free: Mutex::default(), in_use: P::Word::new(1) }
    }

    /// How many words of a generation can differ from zero. Never shrinks.
    pub(super) fn in_use(&self) -> usize {
        // Acquire: pairs with the Release store in `claim`; a slot's first commit comes after it.
        usize::try_from(self.in_use.load(Ordering::Acquire)).expect("there are 256 slots")
    }

    /// Takes a slot that may be used in the current generation and later ones, or none if all are taken.
    ///
    /// `current` tells the current generation's identity. It is called under the lock: what it returns is
    /// then no older than any generation in which a slot on the list was retired.
    pub(crate) fn claim(self: &Arc<Self>, current: impl FnOnce() -> u64) -> Option<Claim<P>> {
        let mut free = self.free();
        let current = current();
        let usable = free.iter().position(|free| free.retired_in != Some(current));
        let slot = match usable {
            Some(index) => free.swap_remove(index).slot,
            None => {
                let next = self.in_use();
                if next == SLOTS {
                    return None;
                }
                // Release: pairs with `in_use`. Written only under the mutex that is held here.
                self.in_use.store(next as u64 + 1, Ordering::Release);
                next
            }
        };
        Some(Claim { slots: Arc::clone(self), slot, retired_in: None })
    }

    /// The slot of removals. Whoever calls this sees to it that one remover at a time uses it.
    pub(crate) fn claim_for_removals(self: &Arc<Self>) -> Claim<P> {
        Claim { slots: Arc::clone(self), slot: 0, retired_in: None }
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
pub(crate) struct Claim<P: Platform> {
    slots: Arc<Slots<P>>,
    pub(super) slot: usize,
    /// The generation in which a batch of this slot died in a panic.
    pub(super) retired_in: Option<u64>,
}

impl<P: Platform> Claim<P> {
    /// Whether a batch of this slot died in this generation, in which it can then not be used.
    pub(crate) fn is_retired_in(&self, generation: &Generation<P>) -> bool {
        self.retired_in == Some(generation.id())
    }
}

impl<P: Platform> Drop for Claim<P> {
    fn drop(&mut self) {
        let Claim { slot, retired_in, .. } = *self;
        if slot != 0 {
            self.slots.free().push(FreeSlot { slot, retired_in });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::platform::Native;
    use super::*;

    #[test]
    fn a_retired_slot_waits_for_the_next_generation() {
        let slots = Arc::new(Slots::<Native>::new());
        let mut claim = slots.claim(|| 1).expect("all slots are free");
        let retired = claim.slot;
        claim.retired_in = Some(1);
        drop(claim);
        assert_ne!(slots.claim(|| 1).expect("others are free").slot, retired);
        let in_next: Vec<Claim<Native>> = (0..2).filter_map(|_| slots.claim(|| 2)).collect();
        assert!(in_next.iter().any(|claim| claim.slot == retired));
    }

    #[test]
    fn slots_run_out_and_come_back() {
        let slots = Arc::new(Slots::<Native>::new());
        let mut claims: Vec<Claim<Native>> =
            (0..MAX_WRITERS).filter_map(|_| slots.claim(|| 0)).collect();
        assert_eq!(claims.len(), MAX_WRITERS);
        assert!(slots.claim(|| 0).is_none());
        let given_back = claims.pop().expect("there are many").slot;
        assert_eq!(slots.claim(|| 0).map(|claim| claim.slot), Some(given_back));
    }
}
