//! The stores that are measured side by side, behind one small trait, and what goes into them.
//!
//! Peers are what one would write without this crate: a concurrent skiplist, and a B-tree behind a
//! lock. Both are maps in which equal values are told apart by a number. Neither can tell an
//! element's rank, or the element of a rank, without walking there; nor show one instant to a reader
//! while others add (the skiplist), or without keeping others from adding (the locked trees).
//! The skiplist does not add a batch as a whole; the locked trees do.

#![allow(dead_code, reason = "each of the programs that share this file uses a part of it")]

use std::collections::BTreeSet;
use std::fs;
use std::mem;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Barrier, Mutex, PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_skiplist::SkipMap;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use sortd::store::{SortedMultiset, Writer};

/// Values in a batch: what the server's clients send at a time, on average.
pub(crate) const BATCH: usize = 15;

/// How many different values there are among duplicates.
const DISTINCT: i64 = 100;

/// How long to sleep between two looks at something that is waited for.
const LOOK_EVERY: Duration = Duration::from_micros(200);

/// The longest that a store's threads may go on after the last change, for sizes that fit into memory.
const QUIET_WITHIN: Duration = Duration::from_secs(300);

/// A value, and a number that no other element has.
type Entry = (i64, u64);

/// A sorted multiset that several threads add to and read.
pub(crate) trait Store: Sync {
    /// What it is called in reports.
    const NAME: &'static str;

    /// What a thread needs to add.
    type Handle: Send;

    /// An empty one.
    fn new() -> Self;

    /// A handle for one thread.
    fn handle(&self) -> Self::Handle;

    /// Adds a batch.
    fn add(&self, handle: &mut Self::Handle, values: &[i64]);

    /// The number of elements.
    fn len(&self) -> usize;

    /// The sum of the `n` smallest elements that are not less than `from`.
    fn sum_from(&self, from: i64, n: usize) -> i64;

    /// The sum of all elements, ascending.
    fn sum(&self) -> i64;

    /// Removes the smallest element.
    fn pop_min(&self) -> Option<i64>;

    /// Removes all elements.
    fn clear(&self);

    /// Waits until threads of its own have nothing left to do.
    fn wait_until_quiet(&self) {}

    /// As [`wait_until_quiet`](Store::wait_until_quiet), without pauses that it makes to see whether
    /// more is going to be added.
    fn hurry_until_quiet(&self) {}
}

/// This crate's store.
pub(crate) struct Sortd {
    pub(crate) set: SortedMultiset,
}

/// `crossbeam_skiplist::SkipMap` alone.
pub(crate) struct Skiplist(SkipMap<Entry, ()>);

/// A B-tree behind a mutex.
pub(crate) struct MutexTree(Mutex<BTreeSet<Entry>>);

/// A B-tree behind a reader-writer lock.
pub(crate) struct RwLockTree(RwLock<BTreeSet<Entry>>);

impl Store for Sortd {
    const NAME: &'static str = "sortd";

    type Handle = Writer;

    fn new() -> Sortd {
        Sortd { set: SortedMultiset::new() }
    }

    fn handle(&self) -> Writer {
        self.set.writer()
    }

    fn add(&self, writer: &mut Writer, values: &[i64]) {
        writer.add(values);
    }

    fn len(&self) -> usize {
        self.set.len()
    }

    fn sum_from(&self, from: i64, n: usize) -> i64 {
        sum(self.set.snapshot().range(from..).take(n))
    }

    fn sum(&self) -> i64 {
        sum(self.set.snapshot().iter())
    }

    fn pop_min(&self) -> Option<i64> {
        self.set.pop_min()
    }

    fn clear(&self) {
        self.set.clear();
    }

    fn wait_until_quiet(&self) {
        wait_until(|| match self.set.snapshot().tiers().as_slice() {
            [active] | [active, _] => active.entries == 0,
            _ => false,
        });
    }

    fn hurry_until_quiet(&self) {
        self.set.compact();
    }
}

impl Store for Skiplist {
    const NAME: &'static str = "skiplist";

    type Handle = Numbers;

    fn new() -> Skiplist {
        Skiplist(SkipMap::new())
    }

    fn handle(&self) -> Numbers {
        Numbers::new()
    }

    fn add(&self, numbers: &mut Numbers, values: &[i64]) {
        for &value in values {
            self.0.insert((value, numbers.take()), ());
        }
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn sum_from(&self, from: i64, n: usize) -> i64 {
        sum(self.0.range((from, 0)..).take(n).map(|entry| entry.key().0))
    }

    fn sum(&self) -> i64 {
        sum(self.0.iter().map(|entry| entry.key().0))
    }

    fn pop_min(&self) -> Option<i64> {
        self.0.pop_front().map(|entry| entry.key().0)
    }

    fn clear(&self) {
        self.0.clear();
    }
}

impl Store for MutexTree {
    const NAME: &'static str = "mutex-btree";

    type Handle = Numbers;

    fn new() -> MutexTree {
        MutexTree(Mutex::default())
    }

    fn handle(&self) -> Numbers {
        Numbers::new()
    }

    fn add(&self, numbers: &mut Numbers, values: &[i64]) {
        let mut tree = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tree.extend(values.iter().map(|&value| (value, numbers.take())));
    }

    fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn sum_from(&self, from: i64, n: usize) -> i64 {
        sum_of_tree_from(&self.0.lock().unwrap_or_else(PoisonError::into_inner), from, n)
    }

    fn sum(&self) -> i64 {
        sum(self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|entry| entry.0))
    }

    fn pop_min(&self) -> Option<i64> {
        let mut tree = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tree.pop_first().map(|entry| entry.0)
    }

    fn clear(&self) {
        // What was there is freed outside of the lock.
        let _old = mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Store for RwLockTree {
    const NAME: &'static str = "rwlock-btree";

    type Handle = Numbers;

    fn new() -> RwLockTree {
        RwLockTree(RwLock::default())
    }

    fn handle(&self) -> Numbers {
        Numbers::new()
    }

    fn add(&self, numbers: &mut Numbers, values: &[i64]) {
        let mut tree = self.0.write().unwrap_or_else(PoisonError::into_inner);
        tree.extend(values.iter().map(|&value| (value, numbers.take())));
    }

    fn len(&self) -> usize {
        self.0.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn sum_from(&self, from: i64, n: usize) -> i64 {
        sum_of_tree_from(&self.0.read().unwrap_or_else(PoisonError::into_inner), from, n)
    }

    fn sum(&self) -> i64 {
        sum(self.0.read().unwrap_or_else(PoisonError::into_inner).iter().map(|entry| entry.0))
    }

    fn pop_min(&self) -> Option<i64> {
        let mut tree = self.0.write().unwrap_or_else(PoisonError::into_inner);
        tree.pop_first().map(|entry| entry.0)
    }

    fn clear(&self) {
        // What was there is freed outside of the lock.
        let _old = mem::take(&mut *self.0.write().unwrap_or_else(PoisonError::into_inner));
    }
}

fn sum_of_tree_from(tree: &BTreeSet<Entry>, from: i64, n: usize) -> i64 {
    let entries = tree.range((Bound::Included((from, 0)), Bound::Unbounded));
    sum(entries.take(n).map(|entry| entry.0))
}

fn sum(values: impl Iterator<Item = i64>) -> i64 {
    values.fold(0, i64::wrapping_add)
}

/// The numbers that tell a thread's elements from all others.
pub(crate) struct Numbers {
    next: u64,
}

impl Numbers {
    fn new() -> Numbers {
        static HANDLES: AtomicU64 = AtomicU64::new(0);
        // Relaxed: only uniqueness matters. No thread adds 2^40 elements.
        Numbers { next: HANDLES.fetch_add(1, Ordering::Relaxed) << 40 }
    }

    fn take(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

/// Which values are added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Values {
    /// Any 64-bit integers.
    Uniform,
    /// Each larger than what its thread has added before, as times are.
    Ascending,
    /// A hundred different ones.
    Duplicates,
    /// From 0 to 2^40: what is due in a queue, and how long it is put off when it is its turn.
    Delays,
}

impl Values {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Values::Uniform => "uniform",
            Values::Ascending => "ascending",
            Values::Duplicates => "duplicates",
            Values::Delays => "delays",
        }
    }
}

/// Where a thread's values come from: the same ones in each run.
pub(crate) struct Source {
    values: Values,
    random: Xoshiro256PlusPlus,
    next: i64,
    step: i64,
}

impl Source {
    /// That of one of so many threads.
    pub(crate) fn new(values: Values, thread: usize, threads: usize) -> Source {
        let signed = |n: usize| i64::try_from(n).expect("threads are few");
        Source {
            values,
            random: Xoshiro256PlusPlus::seed_from_u64(thread as u64),
            next: signed(thread),
            step: signed(threads),
        }
    }

    pub(crate) fn value(&mut self) -> i64 {
        match self.values {
            Values::Uniform => self.random.random(),
            Values::Ascending => {
                self.next += self.step;
                self.next
            }
            Values::Duplicates => self.random.random_range(0..DISTINCT),
            Values::Delays => self.random.random_range(0..1 << 40),
        }
    }

    pub(crate) fn batch(&mut self) -> [i64; BATCH] {
        std::array::from_fn(|_| self.value())
    }

    /// An index below `len`.
    pub(crate) fn index(&mut self, len: usize) -> usize {
        self.random.random_range(0..len)
    }

    /// A number from 0 to 1.
    pub(crate) fn fraction(&mut self) -> f64 {
        self.random.random()
    }
}

/// What [`fill`] did.
pub(crate) struct Filled {
    /// Elements added.
    pub(crate) elements: usize,
    /// From the first thread's start to the last thread's end.
    pub(crate) to_commit: Duration,
}

/// Adds about `size` elements from so many threads, in batches of [`BATCH`].
pub(crate) fn fill(store: &impl Store, values: Values, size: usize, threads: usize) -> Filled {
    let batches = size.div_ceil(BATCH * threads);
    let begin = Instant::now();
    thread::scope(|scope| {
        for thread in 0..threads {
            scope.spawn(move || {
                let mut handle = store.handle();
                let mut source = Source::new(values, thread, threads);
                (0..batches).for_each(|_| store.add(&mut handle, &source.batch()));
            });
        }
    });
    Filled { elements: batches * BATCH * threads, to_commit: begin.elapsed() }
}

/// A quiet store of about `size` elements.
pub(crate) fn filled<S: Store>(values: Values, size: usize) -> S {
    let store = S::new();
    fill(&store, values, size, 1);
    store.hurry_until_quiet();
    store
}

/// Drops it and waits until threads of its own have ended, so that they do not run beside what is
/// measured next.
pub(crate) fn retire(store: impl Store) {
    drop(store);
    wait_until(|| store_threads() == 0);
}

/// Takes the smallest element of a queue and adds a later one.
pub(crate) fn put_off<S: Store>(store: &S, handle: &mut S::Handle, delays: &mut Source) {
    let first = store.pop_min().expect("as many are added as are taken");
    store.add(handle, &[first + delays.value()]);
}

/// Does something while so many threads add batches as fast as they can.
pub(crate) fn while_writing<S: Store, T>(
    store: &S,
    writers: usize,
    action: impl FnOnce() -> T,
) -> T {
    let (stop, started) = (&AtomicBool::new(false), &Barrier::new(writers + 1));
    thread::scope(|scope| {
        for thread in 0..writers {
            scope.spawn(move || {
                let mut handle = store.handle();
                let mut source = Source::new(Values::Uniform, thread, writers);
                started.wait();
                // Relaxed: nothing is handed over.
                while !stop.load(Ordering::Relaxed) {
                    store.add(&mut handle, &source.batch());
                }
            });
        }
        started.wait();
        let done = action();
        stop.store(true, Ordering::Relaxed);
        done
    })
}

/// How many threads of stores there are; by their names, as criterion keeps threads, too. Zero where
/// the system does not tell.
fn store_threads() -> usize {
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let names = tasks.filter_map(|task| fs::read_to_string(task.path().join("comm")).ok());
    names.filter(|name| name.starts_with("sortd-")).count()
}

fn wait_until(mut condition: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < QUIET_WITHIN, "the store does not come to rest");
        thread::sleep(LOOK_EVERY);
    }
}
