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
/// one.count_added(3);
/// one.count_turn();
/// other.count_turn();
/// let totals = metrics.totals();
/// assert_eq!((totals.turns, totals.values_added), (2, 3));
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

/// How requests and connections come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Face {
    /// A socket whose first byte, which tells the dialect, has not come yet.
    Undecided,
    /// JSON lines.
    Json,
    /// The protocol of Redis.
    Resp,
    /// HTTP.
    Http,
}

impl Face {
    /// All there are, in the order of [`Totals::faces`].
    pub const ALL: [Face; 4] = [Face::Undecided, Face::Json, Face::Resp, Face::Http];

    /// The name by which it is known to whoever collects the counts.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Face::Undecided => "undecided",
            Face::Json => "json",
            Face::Resp => "resp",
            Face::Http => "http",
        }
    }
}

/// Room for as many kinds of commands, which are counted by number: whoever counts gives the names.
pub const MAX_COMMANDS: usize = 32;

/// Room for as many outcomes of a request, likewise.
pub const MAX_OUTCOMES: usize = 16;

/// The upper bounds, included, of the buckets into which latencies are sorted: from what a small
/// request takes to what a client no longer waits for. One more bucket takes the rest.
pub const LATENCY_BOUNDS: [Duration; 16] = [
    Duration::from_micros(25),
    Duration::from_micros(50),
    Duration::from_micros(100),
    Duration::from_micros(250),
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_micros(2500),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(5),
];

const LATENCY_BUCKETS: usize = LATENCY_BOUNDS.len() + 1;

#[derive(Debug, Default)]
struct Counters {
    values_added: AtomicU64,
    values_removed: AtomicU64,
    turns: AtomicU64,
    connections_accepted: AtomicU64,
    connections_refused: AtomicU64,
    faces: [FaceCounters; Face::ALL.len()],
}

#[derive(Debug, Default)]
struct FaceCounters {
    connections_begun: AtomicU64,
    connections_ended: AtomicU64,
    bytes_received: AtomicU64,
    bytes_sent: AtomicU64,
    requests: [[AtomicU64; MAX_OUTCOMES]; MAX_COMMANDS],
    latency: [AtomicU64; LATENCY_BUCKETS],
    latency_nanos: AtomicU64,
}

/// What has been counted by all shards together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Values added.
    pub values_added: u64,
    /// Values removed.
    pub values_removed: u64,
    /// Turns of event loops.
    pub turns: u64,
    /// Connections that were let in.
    pub connections_accepted: u64,
    /// Connections that were one too many.
    pub connections_refused: u64,
    /// What is counted for each face.
    pub faces: [FaceTotals; Face::ALL.len()],
}

/// What has been counted for one face.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FaceTotals {
    /// Connections that are there now.
    pub connections: u64,
    /// Bytes read from sockets.
    pub bytes_received: u64,
    /// Bytes written to sockets.
    pub bytes_sent: u64,
    /// Requests, by the number of their command and of their outcome.
    pub requests: [[u64; MAX_OUTCOMES]; MAX_COMMANDS],
    /// Answers by latency: for each of [`LATENCY_BOUNDS`] how many were within it and not within the
    /// one before, and how many were later than all.
    pub latency: [u64; LATENCY_BUCKETS],
    /// The sum of these latencies.
    pub latency_sum: Duration,
}

impl Totals {
    fn add(&mut self, counters: &Counters) {
        self.values_added += read(&counters.values_added);
        self.values_removed += read(&counters.values_removed);
        self.turns += read(&counters.turns);
        self.connections_accepted += read(&counters.connections_accepted);
        self.connections_refused += read(&counters.connections_refused);
        for (totals, counters) in self.faces.iter_mut().zip(&counters.faces) {
            totals.add(counters);
        }
    }
}

impl FaceTotals {
    fn add(&mut self, counters: &FaceCounters) {
        // Before the begun ones, so that what begins and ends in between is not missing.
        let ended = read(&counters.connections_ended);
        let begun = read(&counters.connections_begun);
        // A connection begins and ends on one thread.
        self.connections += begun.saturating_sub(ended);
        self.bytes_received += read(&counters.bytes_received);
        self.bytes_sent += read(&counters.bytes_sent);
        let requests = self.requests.as_flattened_mut().iter_mut();
        for (total, counter) in requests.zip(counters.requests.as_flattened()) {
            *total += read(counter);
        }
        for (total, counter) in self.latency.iter_mut().zip(&counters.latency) {
            *total += read(counter);
        }
        self.latency_sum += Duration::from_nanos(read(&counters.latency_nanos));
    }
}

/// Relaxed: the counts order nothing.
fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
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
            totals.add(&node.counters);
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
    /// Counts one request by its face and the numbers of its command and its outcome.
    ///
    /// # Panics
    /// If these are not below [`MAX_COMMANDS`] and [`MAX_OUTCOMES`].
    pub fn count_request(&mut self, face: Face, command: usize, outcome: usize) {
        increase(&self.face(face).requests[command][outcome], 1);
    }

    /// Counts `n` answers that have taken this long.
    pub fn count_latency(&mut self, face: Face, latency: Duration, n: u64) {
        let bucket = LATENCY_BOUNDS.partition_point(|&bound| bound < latency);
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        let counters = self.face(face);
        increase(&counters.latency[bucket], n);
        increase(&counters.latency_nanos, nanos.saturating_mul(n));
    }

    /// Counts a connection that was let in.
    pub fn count_accepted(&mut self) {
        increase(&self.node.counters.connections_accepted, 1);
    }

    /// Counts a connection that was one too many.
    pub fn count_refused(&mut self) {
        increase(&self.node.counters.connections_refused, 1);
    }

    /// Counts a connection that is there from now on.
    pub fn count_begun(&mut self, face: Face) {
        increase(&self.face(face).connections_begun, 1);
    }

    /// Counts a connection that this shard has counted as begun, and that is there no more.
    pub fn count_ended(&mut self, face: Face) {
        increase(&self.face(face).connections_ended, 1);
    }

    /// Counts bytes read from a socket.
    pub fn count_received(&mut self, face: Face, bytes: usize) {
        increase(&self.face(face).bytes_received, bytes as u64);
    }

    /// Counts bytes written to a socket.
    pub fn count_sent(&mut self, face: Face, bytes: usize) {
        increase(&self.face(face).bytes_sent, bytes as u64);
    }

    /// Counts a turn of an event loop.
    pub fn count_turn(&mut self) {
        increase(&self.node.counters.turns, 1);
    }

    /// Counts values that were added.
    pub fn count_added(&mut self, values: u64) {
        increase(&self.node.counters.values_added, values);
    }

    /// Counts values that were removed.
    pub fn count_removed(&mut self, values: u64) {
        increase(&self.node.counters.values_removed, values);
    }

    fn face(&self, face: Face) -> &FaceCounters {
        &self.node.counters.faces[face as usize]
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

/// How many descriptors this process has open; none where the system does not tell.
///
/// Walks a folder that the kernel makes up: a millisecond for some thousands of them.
#[must_use]
pub fn open_descriptors() -> Option<u64> {
    let entries = fs::read_dir("/proc/self/fd").ok()?;
    // The walk itself needs one.
    u64::try_from(entries.count()).ok()?.checked_sub(1)
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
                        shard.count_request(Face::Http, 3, 1);
                        shard.count_latency(Face::Json, Duration::from_micros(50), 2);
                        shard.count_latency(Face::Json, Duration::from_secs(6), 1);
                        shard.count_begun(Face::Resp);
                        shard.count_sent(Face::Resp, 7);
                        shard.count_added(3);
                        shard.count_removed(2);
                    }
                });
            }
        });
        let mut expected =
            Totals { values_added: 12_000, values_removed: 8000, ..Totals::default() };
        let [_, json, resp, http] = &mut expected.faces;
        http.requests[3][1] = 4000;
        json.latency[1] = 8000;
        json.latency[LATENCY_BOUNDS.len()] = 4000;
        json.latency_sum = Duration::from_micros(50 * 8000) + Duration::from_secs(6 * 4000);
        resp.connections = 4000;
        resp.bytes_sent = 28_000;
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
    fn each_face_has_the_place_of_its_number() {
        assert!(Face::ALL.iter().enumerate().all(|(index, face)| *face as usize == index));
    }

    #[test]
    fn a_connection_that_has_ended_is_not_there() {
        let metrics = Metrics::new();
        let mut shard = metrics.shard();
        shard.count_begun(Face::Undecided);
        shard.count_ended(Face::Undecided);
        shard.count_begun(Face::Json);
        let connections = metrics.totals().faces.map(|face| face.connections);
        assert_eq!(connections, [0, 1, 0, 0]);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn descriptors_are_told() {
        let files: Vec<_> = (0..300).map(|_| fs::File::open("/dev/null")).collect();
        assert!(files.iter().all(Result::is_ok));
        assert!(open_descriptors().expect("Linux tells") >= 300);
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
