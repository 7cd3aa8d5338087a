//! The view: everything that a reader needs to find the array, behind one pointer.

use std::sync::Arc;

use super::memtable::Memtable;
use super::reaper::Reaper;
use super::ticket::Generation;

/// The array between two clears. Immutable; replaced whole.
pub(crate) struct View {
    pub(crate) generation: Arc<Generation>,
    pub(crate) active: Arc<Memtable>,
}

impl View {
    /// An empty array whose generation has this identity, never used before in this set.
    pub(crate) fn empty(generation: u64, reaper: &Reaper) -> View {
        View {
            generation: Arc::new(Generation::new(generation)),
            active: Arc::new(Memtable::new(reaper.clone())),
        }
    }
}
