//! The store: a sorted multiset of `i64` that many threads add to at once, without a lock in the way
//! of adds, reads and clears.
//!
//! - A batch becomes visible whole, by one atomic store.
//! - A [`Snapshot`] is the multiset at one instant and costs a few loads.
//! - A clear is one pointer swap and returns exactly how many elements it removed.
//!
//! A library of its own: no I/O, no clock, no logging.

mod memtable;
mod reaper;
mod snapshot;
mod ticket;
mod view;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;

use arc_swap::ArcSwap;

use reaper::Reaper;
pub use snapshot::{Range, Snapshot, Tier};
pub use ticket::MAX_WRITERS;
use ticket::{Claim, Slots, Turn};
use view::View;

/// Failed attempts after which a snapshot asks writers to hold back.
const SNAPSHOT_ATTEMPTS: usize = 16;

/// How often a writer that was asked to hold back gives its core away before it goes on regardless:
/// a reader that is not scheduled must not stop writers for good.
const HOLD_BACK_YIELDS: usize = 64;

/// A sorted multiset of `i64`: many threads add to it, read it and clear it at once.
///
/// Adds go through a [`Writer`], one for each thread; everything else through `&self`.
///
/// # Progress
/// Adds and snapshots are lock-free. [`clear`](SortedMultiset::clear) takes effect in one pointer swap;
/// its return waits for the batches in flight.
///
/// ```
/// let set = sortd::store::SortedMultiset::new();
/// let mut writer = set.writer();
/// writer.add(&[5, 3, 9, 3]);
/// let now = set.snapshot();
/// assert_eq!(now.len(), 4);
/// assert_eq!(now.iter().collect::<Vec<i64>>(), [3, 3, 5, 9]);
/// assert_eq!(now.range(4..=9).count(), 2);
/// assert_eq!(set.clear(), 4);
/// assert!(set.is_empty());
/// ```
pub struct SortedMultiset {
    shared: Arc<Shared>,
}

struct Shared {
    view: ArcSwap<View>,
    slots: Arc<Slots>,
    /// Snapshots that keep failing and ask writers to hold back.
    starving: AtomicUsize,
    /// Identities given to generations so far.
    generations: AtomicU64,
    reaper: Reaper,
}

impl SortedMultiset {
    /// An empty multiset. Starts a thread that frees memory and ends after the set, its writers and
    /// its snapshots are gone.
    ///
    /// # Panics
    /// When the system cannot start a thread.
    #[must_use]
    pub fn new() -> SortedMultiset {
        let reaper = Reaper::start();
        SortedMultiset {
            shared: Arc::new(Shared {
                view: ArcSwap::from_pointee(View::empty(0, &reaper)),
                slots: Arc::new(Slots::new()),
                starving: AtomicUsize::new(0),
                generations: AtomicU64::new(1),
                reaper,
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
        let claim = self.claim()?;
        Some(Writer {
            set: SortedMultiset { shared: Arc::clone(&self.shared) },
            claim: Some(claim),
        })
    }

    /// The multiset at one instant between this call and its return.
    ///
    /// It shows every batch whose [`add`](Writer::add) has returned, on whatever thread that the
    /// caller heard of it, and of every other batch all or nothing. O(writers), lock-free: it starts
    /// over when somebody else commits meanwhile, and when that goes on it asks writers to hold back.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        persist(&self.shared.starving, || self.try_snapshot())
    }

    fn try_snapshot(&self) -> Option<Snapshot> {
        // Held to the end, so that the pointer compared below cannot have been freed and used again.
        let view = self.shared.view.load_full();
        let committed = view.generation.collect_twice(&self.shared.slots)?;
        // The words held together at some instant; this says that they were the current ones then.
        let still_current = Arc::ptr_eq(&self.shared.view.load(), &view);
        still_current.then(|| Snapshot::new(view, committed))
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
        let empty = Arc::new(View::empty(id, &self.shared.reaper));
        let old = self.shared.view.swap(empty);
        old.generation.wait_for_writers(&self.shared.slots).total()
    }

    /// How often the multiset has been cleared. Never shrinks; every clear that has returned is
    /// counted, one under way may be. O(1).
    #[must_use]
    pub fn epoch(&self) -> u64 {
        // Relaxed: only the number matters. The first identity was the first generation's.
        self.shared.generations.load(Ordering::Relaxed) - 1
    }

    fn claim(&self) -> Option<Claim> {
        let current = || self.shared.view.load().generation.id();
        self.shared.slots.claim(current)
    }
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
    claim: Option<Claim>,
}

impl Writer {
    /// Adds all of `values` at one instant before it returns: every snapshot shows all of them or none.
    ///
    /// O(k log n) for k values, lock-free.
    ///
    /// # Panics
    /// If an earlier batch of this writer panicked and there are already 255 other writers.
    pub fn add(&mut self, values: &[i64]) {
        self.add_all(values.iter().copied());
    }

    /// The multiset that this adds to.
    #[must_use]
    pub fn set(&self) -> &SortedMultiset {
        &self.set
    }

    fn add_all(&mut self, values: impl IntoIterator<Item = i64>) {
        self.set.shared.hold_back();
        // A panic below leaves none behind: the next batch starts with another slot.
        let mut claim =
            self.claim.take().or_else(|| self.set.claim()).expect("at most 255 writers are alive");
        let turn = Turn::enter(&self.set.shared.view, &mut claim);
        let mut entries = 0;
        for value in values {
            turn.view().active.insert((value, turn.ticket(entries)));
            entries += 1;
        }
        turn.commit(entries);
        self.claim = Some(claim);
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}

impl Shared {
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
