//! What the protocol is made of, as traits: so that the very code that serves clients can also run
//! inside a model checker, which brings its own atomics, its own pointer and a smaller memtable.

use std::hint;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::thread;

use arc_swap::{ArcSwap, Guard};

use super::Contents;
use crate::store::memtable::Memtable;
use crate::store::run::Run;

/// The surroundings of the protocol.
pub(crate) trait Platform: Sized + 'static {
    /// An atomic integer.
    type Word: Word;
    /// The pointer to the current view.
    type Pointer<T: Send + Sync>: Pointer<T>;
    /// Where entries land. The protocol only hands it around.
    type Memtable: Send + Sync;
    /// Where entries end up. The protocol only hands it around.
    type Run: Send + Sync;

    /// A sequentially consistent fence.
    fn fence();

    /// Passes the time until another thread has done something; `spins` counts from zero on.
    fn relax(spins: &mut u32);
}

/// An atomic 64-bit integer. Orderings mean what they mean for [`AtomicU64`].
pub(crate) trait Word: Send + Sync {
    fn new(value: u64) -> Self;
    fn load(&self, ordering: Ordering) -> u64;
    fn store(&self, value: u64, ordering: Ordering);
    fn fetch_add(&self, value: u64, ordering: Ordering) -> u64;
    /// Replaces `current` by `new`, with AcqRel; whether it held `current`. Acquire if not.
    fn replace(&self, current: u64, new: u64) -> bool;
}

/// A pointer that is replaced whole. Loads acquire, and what replaces releases and acquires.
pub(crate) trait Pointer<T> {
    /// A loaded pointer, held for microseconds.
    type Guard<'p>: Deref<Target = Arc<T>>
    where
        Self: 'p;

    fn new(value: Arc<T>) -> Self;
    fn load(&self) -> Self::Guard<'_>;
    /// As `load`, to be held for as long as need be.
    fn load_full(&self) -> Arc<T>;
    fn swap(&self, new: Arc<T>) -> Arc<T>;
    /// Replaces `current` by `new`; whether it was the current one.
    fn replace(&self, current: &Arc<T>, new: Arc<T>) -> bool;
}

/// What the store runs on.
pub(crate) struct Native;

/// What there is besides memtables, on the platform that the store runs on.
pub(crate) type NativeContents = Contents<Native>;

impl Platform for Native {
    type Word = AtomicU64;
    type Pointer<T: Send + Sync> = ArcSwap<T>;
    type Memtable = Memtable;
    type Run = Run;

    fn fence() {
        fence(Ordering::SeqCst);
    }

    /// Spins for about a microsecond, then gives the core away at every call: the awaited thread may
    /// need it.
    fn relax(spins: &mut u32) {
        const SPINS: u32 = 64;
        if *spins < SPINS {
            *spins += 1;
            hint::spin_loop();
        } else {
            thread::yield_now();
        }
    }
}

impl Word for AtomicU64 {
    fn new(value: u64) -> AtomicU64 {
        AtomicU64::new(value)
    }

    fn load(&self, ordering: Ordering) -> u64 {
        AtomicU64::load(self, ordering)
    }

    fn store(&self, value: u64, ordering: Ordering) {
        AtomicU64::store(self, value, ordering);
    }

    fn fetch_add(&self, value: u64, ordering: Ordering) -> u64 {
        AtomicU64::fetch_add(self, value, ordering)
    }

    fn replace(&self, current: u64, new: u64) -> bool {
        self.compare_exchange(current, new, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

impl<T: Send + Sync> Pointer<T> for ArcSwap<T> {
    type Guard<'p>
        = Guard<Arc<T>>
    where
        T: 'p;

    fn new(value: Arc<T>) -> ArcSwap<T> {
        ArcSwap::new(value)
    }

    fn load(&self) -> Guard<Arc<T>> {
        ArcSwap::load(self)
    }

    fn load_full(&self) -> Arc<T> {
        ArcSwap::load_full(self)
    }

    fn swap(&self, new: Arc<T>) -> Arc<T> {
        ArcSwap::swap(self, new)
    }

    fn replace(&self, current: &Arc<T>, new: Arc<T>) -> bool {
        // `current` is held by the caller, so its address cannot have been freed and used again.
        Arc::ptr_eq(&self.compare_and_swap(current, new), current)
    }
}
