//! What the protocol runs on inside the model checker.

use std::ops::Deref;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use loom::sync::atomic::{AtomicU64, AtomicUsize, fence};
use loom::thread;

use super::super::{Platform, Pointer, Word};
use crate::store::log::Log;

loom::lazy_static! {
    /// Counts fences. The model checker changes threads before operations on atomics only, and only
    /// where these conflict: without this it would not try fences in all their orders, nor ever
    /// interrupt a thread between a store and a fence.
    static ref FENCES: AtomicUsize = AtomicUsize::new(0);
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
    type Word = AtomicU64;
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

/// A pointer that acquires and releases and does nothing more: an index into all that it has ever
/// pointed to, so that nothing is at an address at which something else has been.
pub(super) struct Versions<T> {
    current: AtomicUsize,
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

    fn get(&self, index: usize) -> Arc<T> {
        Arc::clone(&self.all()[index])
    }

    fn append(&self, value: Arc<T>) -> usize {
        let mut all = self.all();
        all.push(value);
        all.len() - 1
    }
}

impl<T: Send + Sync> Pointer<T> for Versions<T> {
    type Guard<'p>
        = Loaded<T>
    where
        T: 'p;

    fn new(value: Arc<T>) -> Versions<T> {
        Versions { current: AtomicUsize::new(0), all: Mutex::new(vec![value]) }
    }

    fn load(&self) -> Loaded<T> {
        Loaded(self.load_full())
    }

    fn load_full(&self) -> Arc<T> {
        self.get(self.current.load(Ordering::Acquire))
    }

    fn swap(&self, new: Arc<T>) -> Arc<T> {
        let new = self.append(new);
        self.get(self.current.swap(new, Ordering::AcqRel))
    }

    fn replace(&self, current: &Arc<T>, new: Arc<T>) -> bool {
        let current = self.all().iter().position(|value| Arc::ptr_eq(value, current));
        let current = current.expect("it has been loaded from here");
        let new = self.append(new);
        self.current.compare_exchange(current, new, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}
