//! The store: a sorted multiset of `i64` that many threads add to at once, without a lock in the way
//! of adds, reads and clears.
//!
//! - A batch becomes visible whole, by one atomic store.
//! - A [`Snapshot`] is the multiset at one instant and costs a few loads.
//! - A clear is one pointer swap and returns exactly how many elements it removed.
//!
//! A library of its own: no I/O, no clock, no logging.

mod compactor;
mod log;
mod memtable;
mod merge;
mod protocol;
mod reaper;
mod removal;
mod run;
mod select;
mod snapshot;

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::thread;
use std::time::Duration;

use compactor::Requests;
use memtable::Memtable;
pub use protocol::MAX_WRITERS;
use protocol::{Claim, Contents, Generation, Native, Protocol, View};
use reaper::Reaper;
pub use removal::Remover;
use run::{Run, signed};
pub use snapshot::{Bucket, Range, Snapshot, Tier};

/// Failed attempts after which a snapshot asks writers to hold back.
const SNAPSHOT_ATTEMPTS: usize = 16;

/// How often a writer that was asked to hold back gives its core away before it goes on regardless:
/// a reader that is not scheduled must not stop writers for good.
const HOLD_BACK_YIELDS: usize = 64;

/// Values in a batch beyond which it becomes a run by itself: a larger one would fill a memtable by a
/// good part, or leave a good part of it empty.
const BULK: usize = if cfg!(test) { 12 } else { 512 };

/// Sealed memtables that may wait for the compactor before those who add are slowed down: readers have
/// to look through all of them.
const MAX_SEALED: usize = 4;

/// Runs that there may be before those who add are slowed down: with a merge under way there are a
/// dozen among ten million elements, and every reader looks into each.
const MAX_RUNS: usize = 16;

/// How often whoever adds to such a backlog waits for it to shrink before going on regardless: writers
/// are slowed down, never blocked for good.
const BACKLOG_WAITS: usize = 100;

/// The length of one such wait.
const BACKLOG_WAIT: Duration = Duration::from_micros(50);

/// A sorted multiset of `i64`: many threads add to it, read it, remove from it and clear it at once.
///
/// Adds go through a [`Writer`], one for each thread; everything else through `&self`.
///
/// # Progress
/// Adds and snapshots are lock-free. [`clear`](SortedMultiset::clear) takes effect in one pointer swap;
/// its return waits for the batches in flight. Removers take turns among themselves, and start over
/// when somebody adds in between, unless they remove a single given value.
///
/// ```
/// let set = sortd::store::SortedMultiset::new();
/// let mut writer = set.writer();
/// writer.add(&[5, 3, 9, 3]);
/// let now = set.snapshot();
/// assert_eq!(now.len(), 4);
/// assert_eq!(now.iter().collect::<Vec<i64>>(), [3, 3, 5, 9]);
/// assert_eq!(now.range(4..=9).count(), 2);
/// assert_eq!(set.pop_min(), Some(3));
/// assert_eq!(set.clear(), 3);
/// assert!(set.is_empty());
/// ```
pub struct SortedMultiset {
    shared: Arc<Shared>,
}

struct Shared {
    protocol: Arc<Protocol<Native>>,
    requests: Arc<Requests>,
    reaper: Reaper,
    /// The removers' turn, which is the slot of removals.
    removers: Mutex<Claim<Native>>,
    /// Snapshots that keep failing and ask writers to hold back.
    starving: AtomicUsize,
    /// Identities given to generations so far.
    generations: AtomicU64,
}

impl SortedMultiset {
    /// An empty multiset. Starts two threads, one that merges and one that frees memory, which end
    /// after the set, its writers and its snapshots are gone.
    ///
    /// # Panics
    /// When the system cannot start a thread.
    #[must_use]
    pub fn new() -> SortedMultiset {
        let reaper = Reaper::start();
        let protocol = Arc::new(Protocol::new(empty_view(0, &reaper)));
        let requests = Arc::new(Requests::default());
        compactor::start(Arc::clone(&protocol), Arc::clone(&requests), reaper.clone());
        let removers = Mutex::new(protocol.slots.claim_for_removals());
        SortedMultiset {
            shared: Arc::new(Shared {
                protocol,
                requests,
                reaper,
                removers,
                starving: AtomicUsize::new(0),
                generations: AtomicU64::new(1),
            }),
        }
    }

    /// A handle for one thread to add through.
    ///
    /// # Panics
    /// Beyond 255 live writers.
    #[must_use]
    pub fn writer(&self) -> Writer {
        self.try_writer().expect("at most 255 writers are alive")
    }

    /// As [`writer`](SortedMultiset::writer), but none beyond 255 live writers.
    #[must_use]
    pub fn try_writer(&self) -> Option<Writer> {
        let claim = self.shared.protocol.claim()?;
        let set = SortedMultiset { shared: Arc::clone(&self.shared) };
        Some(Writer { set, claim: Some(claim), batch: Vec::new() })
    }

    /// The multiset at one instant between this call and its return.
    ///
    /// It shows every batch whose [`add`](Writer::add) has returned, on whatever thread that the
    /// caller heard of it, and of every other batch all or nothing. O(writers), lock-free: it starts
    /// over when somebody else commits meanwhile, and when that goes on it asks writers to hold back.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.shared.snapshot()
    }

    /// The number of elements at one instant, exactly. O(writers).
    #[must_use]
    pub fn len(&self) -> usize {
        self.snapshot().len()
    }

    /// Whether there were no elements at one instant. O(writers).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Removes every element at one instant and returns exactly how many there were.
    ///
    /// A batch in flight counts as before the clear, whole. Takes effect in O(1) whatever the size
    /// (the memory is freed elsewhere); its return waits for the batches that were in flight.
    pub fn clear(&self) -> u64 {
        // Relaxed: only uniqueness matters.
        let id = self.shared.generations.fetch_add(1, Ordering::Relaxed);
        let old = self.shared.protocol.clear(empty_view(id, &self.shared.reaper));
        let removed = old.len();
        self.shared.reaper.free(old);
        removed
    }

    /// How often the multiset has been cleared. Never shrinks; every clear that has returned is
    /// counted, one under way may be. O(1).
    #[must_use]
    pub fn epoch(&self) -> u64 {
        // Relaxed: only the number matters. The first identity was the first generation's.
        self.shared.generations.load(Ordering::Relaxed) - 1
    }

    /// The removers' turn, once it is free.
    #[must_use]
    pub fn remover(&self) -> Remover<'_> {
        let turn = self.shared.removers.lock().unwrap_or_else(PoisonError::into_inner);
        Remover::new(&self.shared, turn)
    }

    /// The removers' turn, unless somebody else has it.
    #[must_use]
    pub fn try_remover(&self) -> Option<Remover<'_>> {
        // A removal that dies leaves its slot retired, which the next one finds.
        let turn = match self.shared.removers.try_lock() {
            Ok(turn) => turn,
            Err(TryLockError::Poisoned(turn)) => turn.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        Some(Remover::new(&self.shared, turn))
    }

    /// Removes one instance of `value`; whether there was any. See [`Remover::remove`].
    pub fn remove(&self, value: i64) -> bool {
        self.remover().remove(value)
    }

    /// Removes every instance of `value`; returns how many there were. See [`Remover::remove_all`].
    pub fn remove_all(&self, value: i64) -> u64 {
        self.remover().remove_all(value)
    }

    /// Removes every element within `range`; returns how many there were. See
    /// [`Remover::remove_range`].
    pub fn remove_range(&self, range: RangeInclusive<i64>) -> u64 {
        self.remover().remove_range(range)
    }

    /// Removes the smallest element and returns it, or none. See [`Remover::pop_min`].
    pub fn pop_min(&self) -> Option<i64> {
        self.remover().pop_min()
    }

    /// Removes the largest element and returns it, or none. See [`Remover::pop_max`].
    pub fn pop_max(&self) -> Option<i64> {
        self.remover().pop_max()
    }

    /// Removes the `n` smallest elements, or all if there are fewer, and returns them, ascending. See
    /// [`Remover::pop_min_n`].
    pub fn pop_min_n(&self, n: usize) -> Vec<i64> {
        self.remover().pop_min_n(n).collect()
    }

    /// Removes the `n` largest elements, or all if there are fewer, and returns them, descending. See
    /// [`Remover::pop_max_n`].
    pub fn pop_max_n(&self, n: usize) -> Vec<i64> {
        self.remover().pop_max_n(n).collect()
    }

    /// Waits until all that is there at the call lies in one sorted array.
    ///
    /// That happens by itself when nothing is added for a while; this is for those who want to
    /// measure, or to read much, right after adding. O(n).
    pub fn compact(&self) {
        self.shared.requests.tidy();
    }
}

/// An empty array whose generation has this identity, never used before in its set.
fn empty_view(generation: u64, reaper: &Reaper) -> View<Native> {
    View::empty(Arc::new(Generation::new(generation)), Arc::new(Memtable::new(reaper.clone())))
}

impl Default for SortedMultiset {
    fn default() -> SortedMultiset {
        SortedMultiset::new()
    }
}

impl fmt::Debug for SortedMultiset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SortedMultiset").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// A handle through which one thread adds to a [`SortedMultiset`].
///
/// Keeps the set alive. At most 255 are alive at once; dropping one lets another one take its place.
pub struct Writer {
    set: SortedMultiset,
    /// None only after a panic inside a batch.
    claim: Option<Claim<Native>>,
    /// Room to sort a batch in.
    batch: Vec<i64>,
}

impl Writer {
    /// Adds all of `values` at one instant before it returns: every snapshot shows all of them or none.
    ///
    /// O(k) for k values, or O(k log k) for more than some hundreds; lock-free, but slowed down where
    /// it outruns the thread that merges.
    ///
    /// # Panics
    /// If an earlier batch of this writer panicked and there are already 255 other writers.
    pub fn add(&mut self, values: &[i64]) {
        self.set.shared.hold_back();
        if values.len() > BULK {
            self.set.shared.add_run(values);
            return;
        }
        // A panic below leaves none behind: the next batch starts with another slot.
        let claim = self.claim.take().or_else(|| self.set.shared.protocol.claim());
        let mut claim = claim.expect("at most 255 writers are alive");
        self.batch.clear();
        self.batch.extend_from_slice(values);
        self.batch.sort_unstable();
        self.set.shared.add_batch(&mut claim, &self.batch);
        self.claim = Some(claim);
    }

    /// The multiset that this adds to.
    #[must_use]
    pub fn set(&self) -> &SortedMultiset {
        &self.set
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}

impl Shared {
    /// Adds a sorted batch to the active memtable.
    fn add_batch(&self, claim: &mut Claim<Native>, values: &[i64]) {
        if values.is_empty() {
            return;
        }
        loop {
            let turn = self.protocol.enter(claim);
            let active = &turn.view().active;
            let Some(places) = active.reserve(values.len()) else {
                self.seal(&turn.leave());
                continue;
            };
            active.insert(&places, turn.ticket(), values);
            turn.commit(values.len() as u64);
            if places.start() == 0 {
                self.requests.wake();
            }
            return;
        }
    }

    /// Adds a batch as a run of its own.
    fn add_run(&self, values: &[i64]) {
        let run = Arc::new(Run::from_unsorted(values.to_vec(), Vec::new(), &self.reaper));
        let published = self.protocol.publish(None, &[], |contents| {
            let runs = contents.runs.iter().chain([&run]).cloned().collect();
            let offset = contents.offset + signed(values.len());
            Some(Contents { runs, offset, edits: contents.edits + 1 })
        });
        published.expect("a run is added to any contents of any generation");
        self.requests.wake();
        self.wait_for_compactor();
    }

    /// Seals the memtable that was found too full, and waits a little if the compactor has fallen behind.
    /// Outside of any turn: the compactor waits for turns to end.
    fn seal(&self, full: &Arc<View<Native>>) {
        // If it fails somebody else has sealed it, or cleared the array.
        if self.protocol.seal(full, Arc::new(Memtable::new(self.reaper.clone()))) {
            self.requests.wake();
            self.wait_for_compactor();
        }
    }

    fn wait_for_compactor(&self) {
        for _ in 0..BACKLOG_WAITS {
            let view = self.protocol.view();
            let runs = view.contents(&self.protocol.slots).runs.len();
            if view.sealed.len() < MAX_SEALED && runs < MAX_RUNS {
                return;
            }
            drop(view);
            thread::sleep(BACKLOG_WAIT);
        }
    }

    fn snapshot(&self) -> Snapshot {
        self.persist(|| self.try_snapshot())
    }

    fn try_snapshot(&self) -> Option<Snapshot> {
        let moment = self.protocol.try_snapshot()?;
        Some(Snapshot::new(moment, self.reaper.clone()))
    }

    fn persist<T>(&self, attempt: impl FnMut() -> Option<T>) -> T {
        persist(&self.starving, attempt)
    }

    /// Lets starving snapshots go first, outside of any turn, and not for ever.
    fn hold_back(&self) {
        for _ in 0..HOLD_BACK_YIELDS {
            // Relaxed: a hint; the protocol does not rely on it.
            if self.starving.load(Ordering::Relaxed) == 0 {
                return;
            }
            thread::yield_now();
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.requests.stop();
    }
}

/// Tries until it works; after some failures, with a [`Plea`] that writers hold back.
fn persist<T>(starving: &AtomicUsize, mut attempt: impl FnMut() -> Option<T>) -> T {
    if let Some(done) = (0..SNAPSHOT_ATTEMPTS).find_map(|_| attempt()) {
        return done;
    }
    let _plea = Plea::new(starving);
    loop {
        if let Some(done) = attempt() {
            return done;
        }
        thread::yield_now();
    }
}

/// A snapshot's request that writers hold back, while it lives.
struct Plea<'s>(&'s AtomicUsize);

impl<'s> Plea<'s> {
    fn new(starving: &'s AtomicUsize) -> Plea<'s> {
        // Relaxed: as in `hold_back`.
        starving.fetch_add(1, Ordering::Relaxed);
        Plea(starving)
    }
}

impl Drop for Plea<'_> {
    fn drop(&mut self) {
        // Relaxed: as in `hold_back`.
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
