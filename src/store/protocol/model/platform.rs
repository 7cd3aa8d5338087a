//! What the protocol runs on inside the model checker.

use std::ops::Deref;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use loom::sync::atomic::{AtomicU64, fence};
use loom::thread;

use super::super::{Platform, Pointer, Word};
use crate::store::log::Log;

loom::lazy_static! {
    /// Counts fences. The model checker changes threads before operations on atomics only, and only
    /// where these conflict: without this it would not try fences in all their orders, nor ever
    /// interrupt a thread between a store and a fence.
    static ref FENCES: AtomicU64 = AtomicU64::new(0);
}

/// The model checker's platform. Its memtable is the store's own log; only the index is left out.
pub(super) struct Loom;

/// What a run holds, in plain vectors, each ascending.
#[derive(Clone, Debug, Default)]
pub(super) struct Run {
    pub(super) added: Vec<i64>,
    pub(super) removed: Vec<i64>,
}

impl Platform for Loom {
    type Word = Tracked;
    type Pointer<T: Send + Sync> = Versions<T>;
    type Memtable = Log<Loom>;
    type Run = Run;

    fn fence() {
        // Relaxed: orders nothing.
        FENCES.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    fn relax(_: &mut u32) {
        thread::yield_now();
    }
}

/// An atomic integer of which no order of accesses is missed.
///
/// Of the accesses to an atomic the model checker remembers the last one only, when it looks for those
/// that could come in another order. If two threads load it and then one of them stores, it takes the
/// store to follow its own thread's load, and never tries it before the other one's. So the accesses
/// by which threads tell each other something, all but the relaxed ones, first go past a counter:
/// each of them is the last one there when the next one comes.
pub(super) struct Tracked {
    value: AtomicU64,
    accesses: AtomicU64,
}

impl Tracked {
    fn track(&self, ordering: Ordering) {
        if ordering != Ordering::Relaxed {
            // Relaxed: orders nothing.
            self.accesses.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn swap(&self, value: u64) -> u64 {
        self.track(Ordering::AcqRel);
        self.value.swap(value, Ordering::AcqRel)
    }
}

impl Word for Tracked {
    fn new(value: u64) -> Tracked {
        Tracked { value: AtomicU64::new(value), accesses: AtomicU64::new(0) }
    }

    fn load(&self, ordering: Ordering) -> u64 {
        self.track(ordering);
        self.value.load(ordering)
    }

    fn store(&self, value: u64, ordering: Ordering) {
        self.track(ordering);
        self.value.store(value, ordering);
    }

    fn fetch_add(&self, value: u64, ordering: Ordering) -> u64 {
        self.track(ordering);
        self.value.fetch_add(value, ordering)
    }

    fn replace(&self, current: u64, new: u64) -> bool {
        self.track(Ordering::AcqRel);
        self.value.compare_exchange(current, new, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

/// A pointer that acquires and releases and does nothing more: an index into all that it has ever
/// pointed to, so that nothing is at an address at which something else has been.
pub(super) struct Versions<T> {
    current: Tracked,
    /// Never held across an operation on an atomic, at which the model checker changes threads.
    all: Mutex<Vec<Arc<T>>>,
}

/// A loaded pointer.
pub(super) struct Loaded<T>(Arc<T>);

impl<T> Deref for Loaded<T> {
    type Target = Arc<T>;

    fn deref(&self) -> &Arc<T> {
        &self.0
    }
}

impl<T> Versions<T> {
    fn all(&self) -> MutexGuard<'_, Vec<Arc<T>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, index: u64) -> Arc<T> {
        Arc::clone(&self.all()[usize::try_from(index).expect("it is an index")])
    }

    fn append(&self, value: Arc<T>) -> u64 {
        let mut all = self.all();
        all.push(value);
        all.len() as u64 - 1
    }
}

impl<T: Send + Sync> Pointer<T> for Versions<T> {
    type Guard<'p>
        = Loaded<T>
    where
        T: 'p;

    fn new(value: Arc<T>) -> Versions<T> {
        Versions { current: Word::new(0), all: Mutex::new(vec![value]) }
    }

    fn load(&self) -> Loaded<T> {
        Loaded(self.load_full())
    }

    fn load_full(&self) -> Arc<T> {
        self.get(self.current.load(Ordering::Acquire))
    }

    fn swap(&self, new: Arc<T>) -> Arc<T> {
        let new = self.append(new);
        self.get(self.current.swap(new))
    }

    fn replace(&self, current: &Arc<T>, new: Arc<T>) -> bool {
        let current = self.all().iter().position(|value| Arc::ptr_eq(value, current));
        let current = current.expect("it has been loaded from here");
        let new = self.append(new);
        self.current.replace(current as u64, new)
    }
}
