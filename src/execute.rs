//! What each command means: the only place where meaning meets data.

use std::iter::Rev;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_utils::CachePadded;

use crate::command::{
    Bounds, Bucket, Command, End, Error, ErrorCode, Latency, Operation, Order, Outcome, Reply,
    RequestCount, Selection, Show, Stats, Tier, Traffic, ValueStream, Values, Version,
};
use crate::metrics::{self, Face, FaceTotals, Metrics, Shard, Totals};
use crate::store::{self, Range, Remover, Snapshot, SortedMultiset, Writer};

/// How long a command may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cost {
    /// Some tens of microseconds, whatever the array's size.
    Small,
    /// Perhaps more than a millisecond: not for a thread that others wait for.
    Large,
}

/// The most values that are added, removed or counted to in passing: a millisecond in a large array.
const SMALL_BATCH: usize = 512;

/// The most quantiles that are looked up in passing: each is a bisection over ranks.
const SMALL_QUANTILES: usize = 32;

/// What a command may cost, told without looking at the array. O(1).
///
/// A removal may have to wait for others besides: see [`Executor::try_execute`].
pub fn cost(command: &Command) -> Cost {
    let most = |n: usize, most: usize| if n > most { Cost::Large } else { Cost::Small };
    match command {
        Command::Add { values, .. } | Command::Remove { values, .. } => {
            most(values.len(), SMALL_BATCH)
        }
        Command::Pop { n, .. } => most(*n, SMALL_BATCH),
        Command::Histogram { buckets } => most(*buckets, SMALL_BATCH),
        Command::Quantiles { q } => most(q.len(), SMALL_QUANTILES),
        // Its return waits for the batches in flight, which may be large.
        Command::Clear => Cost::Large,
        // It walks all open descriptors.
        Command::Metrics => Cost::Large,
        Command::Ping
        | Command::Ready
        | Command::Array(_)
        | Command::Slice { .. }
        | Command::Count(_)
        | Command::Rank { .. }
        | Command::At { .. }
        | Command::Extreme(_)
        | Command::RemoveRange(_)
        | Command::Stats => Cost::Small,
    }
}

/// Carries out commands on one array for one thread, and counts what it does.
///
/// ```
/// use sortd::command::{Command, Reply, Show};
/// use sortd::execute::Executor;
///
/// let mut executor = Executor::new(sortd::store::SortedMultiset::new().writer());
/// let add = Command::Add { values: vec![5, 3], show: Show::Count };
/// assert!(matches!(executor.execute(add), Reply::Added { added: 2, count: 2, values: None }));
/// ```
#[derive(Debug)]
pub struct Executor {
    writer: Writer,
    counts: Shard,
    face: Face,
    capacity: Option<Capacity>,
}

impl Executor {
    /// An executor for the array of `writer`, with counts of its own and no cap.
    #[must_use]
    pub fn new(writer: Writer) -> Executor {
        let counts = Metrics::new().shard();
        Executor { writer, counts, face: Face::Undecided, capacity: None }
    }

    /// The same, but what it does is counted in `counts`: one shard of the [`Metrics`] that all
    /// executors of a server share.
    #[must_use]
    pub fn with_metrics(self, counts: Shard) -> Executor {
        Executor { counts, ..self }
    }

    /// The same, but an add for which `capacity` has no room left is refused with
    /// [`ErrorCode::Full`].
    ///
    /// All that changes the array must go through executors that share this capacity.
    ///
    /// ```
    /// use sortd::command::{Command, Reply, Show};
    /// use sortd::execute::{Capacity, Executor};
    ///
    /// let writer = sortd::store::SortedMultiset::new().writer();
    /// let mut executor = Executor::new(writer).with_capacity(Capacity::new(2));
    /// let mut add = |values| executor.execute(Command::Add { values, show: Show::Count });
    /// assert!(matches!(add(vec![5]), Reply::Added { count: 1, .. }));
    /// assert!(matches!(add(vec![6, 7]), Reply::Error(_)));
    /// assert!(matches!(add(vec![8]), Reply::Added { count: 2, .. }));
    /// ```
    #[must_use]
    pub fn with_capacity(self, capacity: Capacity) -> Executor {
        Executor { capacity: Some(capacity), ..self }
    }

    /// The same executor; what it does from now on is counted as asked for over this face.
    pub fn over(&mut self, face: Face) -> &mut Executor {
        self.face = face;
        self
    }

    /// Counts a request that is answered without this executor.
    pub fn count(&mut self, operation: Operation, outcome: Outcome) {
        self.counts.count_request(self.face, operation as usize, outcome.number());
    }

    /// For counting what else there is to count on this thread.
    pub fn counts(&mut self) -> &mut Shard {
        &mut self.counts
    }

    /// Carries out one command and returns its reply. Waits where that is needed.
    ///
    /// The array changes, if at all, before this returns; a reply that streams values shows a snapshot
    /// taken before it returns.
    pub fn execute(&mut self, command: Command) -> Reply {
        let reply = self.carry_out(command, |set| Some(set.remover()));
        reply.expect("the removers' turn is waited for")
    }

    /// The same for a thread that others wait for.
    ///
    /// # Errors
    /// Gives the command back, with nothing done or counted, if it is [`Cost::Large`] or can only be
    /// carried out after other removals: for [`execute`](Executor::execute), on another thread.
    ///
    /// ```
    /// use sortd::command::{Bounds, Command, Reply};
    /// use sortd::execute::Executor;
    ///
    /// let set = sortd::store::SortedMultiset::new();
    /// let mut executor = Executor::new(set.writer());
    /// let remove = || Command::RemoveRange(Bounds { min: 1, max: 9 });
    /// let other = set.remover();
    /// assert_eq!(executor.try_execute(remove()).err(), Some(remove()));
    /// drop(other);
    /// assert!(matches!(executor.try_execute(remove()), Ok(Reply::Removed(0))));
    /// ```
    pub fn try_execute(&mut self, command: Command) -> Result<Reply, Command> {
        match cost(&command) {
            Cost::Large => Err(command),
            Cost::Small => self.carry_out(command, SortedMultiset::try_remover),
        }
    }

    /// Carries out one command, or gives it back if it needs the removers' turn and `turn` has none.
    fn carry_out(
        &mut self,
        command: Command,
        turn: impl FnOnce(&SortedMultiset) -> Option<Remover<'_>>,
    ) -> Result<Reply, Command> {
        let operation = command.operation();
        let set = self.writer.set();
        let reply = match command {
            Command::Ping => Reply::Pong,
            Command::Ready => Reply::Ready,
            Command::Add { values, show } => self.add(values, show),
            Command::Array(selection) => self.array(selection),
            Command::Slice { start, stop, order } => self.slice(start, stop, order),
            Command::Count(bounds) => Reply::Count(count(&set.snapshot(), bounds)),
            Command::Rank { value } => rank(&set.snapshot(), value),
            Command::At { index } => at(&set.snapshot(), index),
            Command::Quantiles { q } => quantiles(&set.snapshot(), &q),
            Command::Extreme(End::Min) => Reply::Value(set.snapshot().min()),
            Command::Extreme(End::Max) => Reply::Value(set.snapshot().max()),
            Command::Histogram { buckets } => histogram(&set.snapshot(), buckets),
            Command::Remove { ref values, all } => {
                let Some(mut remover) = turn(set) else { return Err(command) };
                let removed = match (values.as_slice(), all) {
                    (values, true) => remover.remove_all_many(values),
                    // The usual case, and cheaper by itself.
                    (&[value], false) => u64::from(remover.remove(value)),
                    (values, false) => remover.remove_many(values),
                };
                drop(remover);
                self.removed(removed);
                Reply::Removed(removed)
            }
            Command::RemoveRange(Bounds { min, max }) => {
                let Some(mut remover) = turn(set) else { return Err(command) };
                let removed = remover.remove_range(min..=max);
                drop(remover);
                self.removed(removed);
                Reply::Removed(removed)
            }
            Command::Pop { end, n } => {
                let Some(remover) = turn(set) else { return Err(command) };
                let (popped, values) = pop(remover, end, n);
                self.removed(popped as u64);
                Reply::Popped { popped, values }
            }
            Command::Clear => {
                let removed = set.clear();
                self.removed(removed);
                Reply::Removed(removed)
            }
            Command::Stats => Reply::Stats(Box::new(self.stats())),
            Command::Metrics => {
                let open_descriptors = metrics::open_descriptors();
                Reply::Stats(Box::new(Stats { open_descriptors, ..self.stats() }))
            }
        };
        self.count(operation, reply.outcome());
        Ok(reply)
    }

    fn add(&mut self, mut values: Vec<i64>, show: Show) -> Reply {
        let added = values.len();
        if let Some(capacity) = &self.capacity {
            let Some(reservation) = capacity.reserve(added as u64) else {
                return Reply::Error(capacity.refusal(added));
            };
            self.writer.add(&values);
            reservation.keep();
        } else {
            self.writer.add(&values);
        }
        self.counts.count_added(added as u64);
        let snapshot = self.writer.set().snapshot();
        let values = match show {
            Show::Count => None,
            Show::Batch => {
                values.sort_unstable();
                Some(ValueStream::new(values.into_iter()))
            }
            Show::Array => Some(ValueStream::new(snapshot.iter())),
        };
        Reply::Added { added, count: snapshot.len(), values }
    }

    fn array(&self, selection: Selection) -> Reply {
        let Selection { bounds, order, offset, limit } = selection;
        let snapshot = self.writer.set().snapshot();
        let first = snapshot.rank(bounds.min);
        let count = count(&snapshot, bounds);
        let offset = offset.min(count);
        let shown = (count - offset).min(limit);
        let start = match order {
            Order::Ascending => first + offset,
            Order::Descending => first + (count - offset - shown),
        };
        self.part(&snapshot, count, start..start + shown, order)
    }

    fn slice(&self, start: i64, stop: i64, order: Order) -> Reply {
        let snapshot = self.writer.set().snapshot();
        let len = snapshot.len();
        let start = from_front(start, len);
        let end = from_front(stop, len).saturating_add(1);
        // Where an index lies before the array, the array's beginning stands for it.
        let [start, end] = [start, end].map(|index| usize::try_from(index).unwrap_or(0).min(len));
        let (start, end) = (start.min(end), end);
        let indexes = match order {
            Order::Ascending => start..end,
            Order::Descending => len - end..len - start,
        };
        self.part(&snapshot, len, indexes, order)
    }

    /// The elements at these indexes, which are there.
    fn part(
        &self,
        snapshot: &Snapshot,
        count: usize,
        indexes: std::ops::Range<usize>,
        order: Order,
    ) -> Reply {
        let shown = indexes.len();
        let range = snapshot.slice(indexes);
        let values = match order {
            Order::Ascending => ValueStream::new(range),
            Order::Descending => ValueStream::new(range.rev()),
        };
        let run = self.counts.metrics().run();
        Reply::Array { count, shown, values, version: Version { run, state: snapshot.version() } }
    }

    /// Elements have been removed, and that has taken effect.
    fn removed(&mut self, n: u64) {
        if let Some(capacity) = &self.capacity {
            capacity.give_back(n);
        }
        self.counts.count_removed(n);
    }

    fn stats(&self) -> Stats {
        let metrics = self.counts.metrics();
        let totals = metrics.totals();
        let snapshot = self.writer.set().snapshot();
        let tiers = snapshot.tiers().into_iter();
        let requests_by_kind = requests_by_kind(&totals);
        let is_carried_out = |request: &&RequestCount| {
            !matches!(request.operation, Operation::None | Operation::Ready)
        };
        let requests: u64 =
            requests_by_kind.iter().filter(is_carried_out).map(|request| request.count).sum();
        let traffic = Face::ALL.iter().zip(&totals.faces);
        Stats {
            version: env!("CARGO_PKG_VERSION"),
            uptime_seconds: metrics.uptime().as_secs(),
            epoch: self.writer.set().epoch(),
            count: snapshot.len(),
            connections: metrics.connections(),
            // This one is counted when it is over.
            requests: requests + 1,
            values_added: totals.values_added,
            values_removed: totals.values_removed,
            memory_bytes: metrics::resident_bytes(),
            tiers: tiers.map(|tier| Tier { kind: tier.kind, entries: tier.entries }).collect(),
            open_descriptors: None,
            turns: totals.turns,
            connections_accepted: totals.connections_accepted,
            connections_refused: totals.connections_refused,
            traffic: traffic.map(|(face, totals)| traffic_over(*face, totals)).collect(),
            requests_by_kind,
        }
    }
}

/// How many elements an array may hold, shared by all executors that change it. Clones share the room
/// that is left.
///
/// It starts out for an empty array. An add reserves room for its batch before it begins and keeps
/// it; a clear, a removal and a pop give back what they have removed once they are over.
///
/// **The array never holds more than the cap.** Take any snapshot. Each of its elements came with a
/// batch that made its reservation before it began. Consider the last of these reservations in the
/// counter's order. It succeeded, so by then no more than the cap was reserved in all, which includes
/// the room of every other element of the snapshot unless that had been given back. It had not: what
/// was given back before is read by the reservation (Acquire with Release), so the clear or removal
/// that gave it back had taken effect before this batch began, and no snapshot that shows this batch
/// shows what was gone by then.
///
/// **The counter does not drift.** The store's promise is that each element is counted by exactly one
/// clear, removal or pop, however many there are at once, so the room of each is given back exactly
/// once, and a reservation that is not kept gives itself back. With nobody at work what is reserved is
/// exactly what the array holds.
///
/// The price: between the instant at which a clear or a removal takes effect and its return, an add
/// may be refused although others can see that there is room.
#[derive(Clone, Debug)]
pub struct Capacity {
    most: u64,
    /// What the array holds, and what is about to be added to it or has just been removed.
    reserved: Arc<CachePadded<AtomicU64>>,
}

impl Capacity {
    /// Room for `most` elements.
    #[must_use]
    pub fn new(most: u64) -> Capacity {
        Capacity { most, reserved: Arc::default() }
    }

    /// Takes room for `n` elements, if there is as much. O(1), lock-free.
    fn reserve(&self, n: u64) -> Option<Reservation<'_>> {
        let within = |reserved: u64| reserved.checked_add(n).filter(|sum| *sum <= self.most);
        // Acquire: pairs with the Release in `give_back`, as argued above. Relaxed for the first load
        // and for failures: only the exchange decides, and a refusal relies on nothing.
        let taken = self.reserved.fetch_update(Ordering::Acquire, Ordering::Relaxed, within);
        // Made only where there is one: dropping it gives room back.
        taken.is_ok().then(|| Reservation { capacity: self, n })
    }

    fn give_back(&self, n: u64) {
        // Release: pairs with the Acquire in `reserve`, also through later exchanges by others, which
        // continue its release sequence.
        self.reserved.fetch_sub(n, Ordering::Release);
    }

    fn refusal(&self, n: usize) -> Error {
        let most = self.most;
        let message =
            format!("the array holds at most {most} values: there is no room for {n} more");
        Error::new(ErrorCode::Full, message)
    }
}

/// Room for a batch, given back when dropped: a batch that dies in a panic never shows.
struct Reservation<'c> {
    capacity: &'c Capacity,
    n: u64,
}

impl Reservation<'_> {
    /// Leaves the room to the batch, which is in the array now.
    fn keep(self) {
        mem::forget(self);
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        self.capacity.give_back(self.n);
    }
}

fn count(snapshot: &Snapshot, Bounds { min, max }: Bounds) -> usize {
    snapshot.count_range(min..=max)
}

fn rank(snapshot: &Snapshot, value: i64) -> Reply {
    let (rank, equal) = (snapshot.rank(value), snapshot.count_range(value..=value));
    Reply::Rank { value, rank, equal }
}

fn at(snapshot: &Snapshot, index: i64) -> Reply {
    let from_front = usize::try_from(from_front(index, snapshot.len()));
    Reply::At { index, value: from_front.ok().and_then(|index| snapshot.at(index)) }
}

/// An index counted from the front; negative where it lies before the array.
fn from_front(index: i64, len: usize) -> i64 {
    let len = i64::try_from(len).expect("every element is in memory");
    if index < 0 { index + len } else { index }
}

fn quantiles(snapshot: &Snapshot, q: &[f64]) -> Reply {
    let values = snapshot.quantiles(q);
    let quantiles = q.iter().copied().zip(values).collect();
    Reply::Quantiles { count: snapshot.len(), quantiles }
}

fn histogram(snapshot: &Snapshot, buckets: usize) -> Reply {
    let buckets = snapshot.histogram(buckets).into_iter();
    let buckets = buckets.map(|store::Bucket { from, to, count }| Bucket { from, to, count });
    Reply::Histogram {
        count: snapshot.len(),
        min: snapshot.min(),
        max: snapshot.max(),
        buckets: buckets.collect(),
    }
}

/// Takes up to `n` elements from an end and tells how many there were.
fn pop(mut remover: Remover<'_>, end: End, n: usize) -> (usize, ValueStream) {
    match end {
        End::Min => {
            let popped = remover.pop_min_n(n);
            (popped.len(), ValueStream::new(popped))
        }
        End::Max => {
            let popped = remover.pop_max_n(n);
            (popped.len(), ValueStream::new(popped))
        }
    }
}

/// The kinds of requests that occurred.
fn requests_by_kind(totals: &Totals) -> Vec<RequestCount> {
    let mut kinds = Vec::new();
    for (face, totals) in Face::ALL.iter().zip(&totals.faces) {
        for operation in Operation::ALL {
            for outcome in Outcome::all() {
                let count = totals.requests[operation as usize][outcome.number()];
                if count > 0 {
                    kinds.push(RequestCount { face: face.name(), operation, outcome, count });
                }
            }
        }
    }
    kinds
}

fn traffic_over(face: Face, totals: &FaceTotals) -> Traffic {
    let mut count = 0;
    let mut within = Vec::new();
    for (bound, n) in metrics::LATENCY_BOUNDS.iter().zip(&totals.latency) {
        count += n;
        within.push((*bound, count));
    }
    let latency = Latency { within, count: totals.latency.iter().sum(), sum: totals.latency_sum };
    Traffic {
        face: face.name(),
        connections: totals.connections,
        bytes_received: totals.bytes_received,
        bytes_sent: totals.bytes_sent,
        latency,
    }
}

impl Values for Range {
    fn fill(&mut self, out: &mut [i64]) -> usize {
        Range::fill(self, out)
    }
}

impl Values for Rev<Range> {
    fn fill(&mut self, out: &mut [i64]) -> usize {
        out.iter_mut().zip(self).map(|(place, value)| *place = value).count()
    }
}

// Every kind of request has its counter.
const _: () = assert!(Operation::ALL.len() <= metrics::MAX_COMMANDS);
const _: () = assert!(ErrorCode::ALL.len() + 2 <= metrics::MAX_OUTCOMES);

#[cfg(test)]
mod tests;
