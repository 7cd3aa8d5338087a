//! What the server counts about itself, without getting in anybody's way.
//!
//! Whoever counts has a [`Shard`], on a cache line that nobody else writes: to count is a load and a
//! store, relaxed. Whoever wants to know adds the shards up.

use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crossbeam_utils::CachePadded;

/// The counts of one server, from its start on. Clones share them.
///
/// ```
/// let metrics = sortd::metrics::Metrics::new();
/// let (mut one, mut other) = (metrics.shard(), metrics.shard());
/// one.count_request();
/// one.count_added(3);
/// other.count_request();
/// let totals = metrics.totals();
/// assert_eq!((totals.requests, totals.values_added), (2, 3));
/// ```
#[derive(Clone, Debug)]
pub struct Metrics {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    run: u64,
    started: Instant,
    /// Connections come and go on different threads, but rarely: one count for all.
    connections: CachePadded<AtomicUsize>,
    shards: Arc<Node>,
}

/// A shard's counters, in a list that only grows: as long as the most shards that were ever alive at
/// once. Reading it takes no lock.
#[derive(Debug, Default)]
struct Node {
    counters: CachePadded<Counters>,
    taken: AtomicBool,
    next: OnceLock<Arc<Node>>,
}

#[derive(Debug, Default)]
struct Counters {
    requests: AtomicU64,
    values_added: AtomicU64,
    values_removed: AtomicU64,
}

/// What has been counted by all shards together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Commands carried out, health checks aside.
    pub requests: u64,
    /// Values added.
    pub values_added: u64,
    /// Values removed.
    pub values_removed: u64,
}

impl Metrics {
    /// Counts that begin at zero and now.
    #[must_use]
    pub fn new() -> Metrics {
        let shards = Arc::default();
        let connections = CachePadded::default();
        // The standard library's own randomness: what its hash maps are keyed with.
        let run = RandomState::new().build_hasher().finish();
        Metrics { inner: Arc::new(Inner { run, started: Instant::now(), connections, shards }) }
    }

    /// A handle for one thread to count through. O(shards alive).
    #[must_use]
    pub fn shard(&self) -> Shard {
        let mut node = &self.inner.shards;
        // Acquire: pairs with the Release store in `Shard::drop`, so that the counts go on from where
        // the last owner left them.
        while node.taken.swap(true, Ordering::Acquire) {
            node = node.next.get_or_init(Arc::default);
        }
        Shard { metrics: self.clone(), node: Arc::clone(node) }
    }

    /// The sums over all shards, those that are gone included. O(shards).
    ///
    /// What a thread has counted before this call, as far as the caller has heard of it, is in it. It
    /// is no instant, though: of what is counted meanwhile, a part may be.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        let mut next = Some(&self.inner.shards);
        while let Some(node) = next {
            // Relaxed: the counts order nothing.
            let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
            totals.requests += read(&node.counters.requests);
            totals.values_added += read(&node.counters.values_added);
            totals.values_removed += read(&node.counters.values_removed);
            next = node.next.get();
        }
        totals
    }

    /// A random number that tells these counts from others, and so one run of a server from the next.
    #[must_use]
    pub fn run(&self) -> u64 {
        self.inner.run
    }

    /// How long ago these counts began.
    #[must_use]
    pub fn uptime(&self) -> Duration {
        self.inner.started.elapsed()
    }

    /// How many connections the server's event loops hold.
    #[must_use]
    pub fn connections(&self) -> usize {
        // Relaxed: only the number matters.
        self.inner.connections.load(Ordering::Relaxed)
    }

    /// Counts one connection more and returns how many there were before.
    pub(crate) fn connection_opened(&self) -> usize {
        // Relaxed: as in `connections`.
        self.inner.connections.fetch_add(1, Ordering::Relaxed)
    }

    /// Counts one connection less.
    pub(crate) fn connection_closed(&self) {
        // Relaxed: as in `connections`.
        self.inner.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Default for Metrics {
    fn default() -> Metrics {
        Metrics::new()
    }
}

/// A handle through which one thread counts. Dropping it loses nothing: what it has counted stays.
#[derive(Debug)]
pub struct Shard {
    metrics: Metrics,
    node: Arc<Node>,
}

impl Shard {
    /// Counts one request.
    pub fn count_request(&mut self) {
        increase(&self.node.counters.requests, 1);
    }

    /// Counts values that were added.
    pub fn count_added(&mut self, values: u64) {
        increase(&self.node.counters.values_added, values);
    }

    /// Counts values that were removed.
    pub fn count_removed(&mut self, values: u64) {
        increase(&self.node.counters.values_removed, values);
    }

    /// The counts of which this is a part.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }
}

impl Drop for Shard {
    fn drop(&mut self) {
        // Release: pairs with the swap in `Metrics::shard`.
        self.node.taken.store(false, Ordering::Release);
    }
}

/// Adds to a counter that nobody else writes.
fn increase(counter: &AtomicU64, n: u64) {
    // Relaxed: the counts order nothing. Two plain operations instead of a locked one: a shard has one
    // owner, who is borrowed exclusively.
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
}

/// The memory of this process that is resident, in bytes; none where the system does not tell.
///
/// Reads a file that the kernel makes up on the spot: some microseconds, no waiting.
#[must_use]
pub fn resident_bytes() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split_whitespace().nth(1)?.parse().ok()?;
    pages.checked_mul(u64::try_from(rustix::param::page_size()).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn nothing_counted_is_lost() {
        let metrics = Metrics::new();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    // Shards change hands all the time.
                    for _ in 0..1000 {
                        let mut shard = metrics.shard();
                        shard.count_request();
                        shard.count_added(3);
                        shard.count_removed(2);
                    }
                });
            }
        });
        let expected = Totals { requests: 4000, values_added: 12_000, values_removed: 8000 };
        assert_eq!(metrics.totals(), expected);
    }

    #[test]
    fn a_shard_has_one_owner_at_a_time_and_then_another() {
        let metrics = Metrics::new();
        let (first, second) = (metrics.shard(), metrics.shard());
        assert!(!Arc::ptr_eq(&first.node, &second.node));
        let given_back = Arc::clone(&first.node);
        drop(first);
        assert!(Arc::ptr_eq(&given_back, &metrics.shard().node));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn memory_is_told() {
        let before = resident_bytes().expect("Linux tells");
        let block = std::hint::black_box(vec![1_u8; 64 << 20]);
        let grown = resident_bytes().expect("Linux tells").saturating_sub(before);
        assert!(grown > 32 << 20, "{grown}");
        drop(block);
    }
}
