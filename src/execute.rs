//! What each command means: the only place where meaning meets data.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_utils::CachePadded;

use crate::command::{
    Bounds, Command, Error, ErrorCode, Order, Reply, Selection, Show, Stats, Tier, ValueStream,
    Values,
};
use crate::metrics::{self, Metrics, Shard};
use crate::store::{Range, Snapshot, Writer};

/// How long a command may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cost {
    /// Some tens of microseconds, whatever the array's size.
    Small,
    /// Perhaps more than a millisecond: not for a thread that others wait for.
    Large,
}

/// The most values that are added in passing: a millisecond in a large array.
const SMALL_BATCH: usize = 512;

/// What a command may cost, told without looking at the array. O(1).
pub fn cost(command: &Command) -> Cost {
    match command {
        Command::Add { values, .. } if values.len() > SMALL_BATCH => Cost::Large,
        // Its return waits for the batches in flight, which may be large.
        Command::Clear => Cost::Large,
        // What matches is counted, and what is left out is skipped, one by one.
        Command::Array(Selection { bounds, offset, .. })
            if *bounds != Bounds::ALL || *offset > SMALL_BATCH =>
        {
            Cost::Large
        }
        Command::Count(bounds) if *bounds != Bounds::ALL => Cost::Large,
        Command::Ping
        | Command::Ready
        | Command::Add { .. }
        | Command::Array(_)
        | Command::Count(_)
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
    capacity: Option<Capacity>,
}

impl Executor {
    /// An executor for the array of `writer`, with counts of its own and no cap.
    #[must_use]
    pub fn new(writer: Writer) -> Executor {
        Executor { writer, counts: Metrics::new().shard(), capacity: None }
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
    /// All that adds to the array or clears it must go through executors that share this capacity.
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

    /// Carries out one command and returns its reply.
    ///
    /// The array changes, if at all, before this returns; a reply that streams values shows a snapshot
    /// taken before it returns.
    pub fn execute(&mut self, command: Command) -> Reply {
        if command != Command::Ready {
            self.counts.count_request();
        }
        let set = self.writer.set();
        match command {
            Command::Ping => Reply::Pong,
            Command::Ready => Reply::Ready,
            Command::Add { values, show } => self.add(values, show),
            Command::Array(selection) => array(&set.snapshot(), selection),
            Command::Count(bounds) => Reply::Count(count(&set.snapshot(), bounds)),
            Command::Clear => self.clear(),
            Command::Stats => Reply::Stats(Box::new(self.stats())),
        }
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

    fn clear(&mut self) -> Reply {
        let removed = self.writer.set().clear();
        if let Some(capacity) = &self.capacity {
            capacity.give_back(removed);
        }
        self.counts.count_removed(removed);
        Reply::Removed(removed)
    }

    fn stats(&self) -> Stats {
        let metrics = self.counts.metrics();
        let totals = metrics.totals();
        let snapshot = self.writer.set().snapshot();
        let tiers = snapshot.tiers().into_iter();
        Stats {
            version: env!("CARGO_PKG_VERSION"),
            uptime_seconds: metrics.uptime().as_secs(),
            epoch: self.writer.set().epoch(),
            count: snapshot.len(),
            connections: metrics.connections(),
            requests: totals.requests,
            values_added: totals.values_added,
            values_removed: totals.values_removed,
            memory_bytes: metrics::resident_bytes(),
            tiers: tiers.map(|tier| Tier { kind: tier.kind, entries: tier.entries }).collect(),
        }
    }
}

/// How many elements an array may hold, shared by all executors that add to it or clear it. Clones
/// share the room that is left.
///
/// It starts out for an empty array. An add reserves room for its batch before it begins and keeps
/// it; a clear gives back what it has removed once it is over.
///
/// **The array never holds more than the cap.** Take any snapshot. Its elements were all added
/// between two clears, and each of their batches made its reservation before it began. Consider the
/// last of these reservations in the counter's order. It succeeded, so by then no more than the cap
/// was reserved in all, which includes every other one of these batches unless it had been given
/// back. It had not: what was given back before is read by the reservation (Acquire with Release), so
/// the clear that gave it back had replaced the view before this batch looked for one; the batch went
/// into the array after that clear, and nothing of before is in one snapshot with it.
///
/// **The counter does not drift.** The store's promise is that each element is counted by exactly one
/// clear, however many there are at once, so each reservation that is kept is given back exactly
/// once, and one that is not kept gives itself back. With nobody at work what is reserved is exactly
/// what the array holds.
///
/// The price: between the instant at which a clear takes effect and its return, an add may be refused
/// although others can see that there is room.
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

fn array(snapshot: &Snapshot, selection: Selection) -> Reply {
    let Selection { bounds, order, offset, limit } = selection;
    let count = count(snapshot, bounds);
    let shown = count.saturating_sub(offset).min(limit);
    let values = ValueStream::new(Window::new(snapshot, bounds, order, offset, shown));
    Reply::Array { count, shown, values }
}

/// How many elements lie within the bounds. O(1) for all of them, else a walk over each.
fn count(snapshot: &Snapshot, bounds: Bounds) -> usize {
    if bounds == Bounds::ALL { snapshot.len() } else { range(snapshot, bounds).count() }
}

fn range(snapshot: &Snapshot, Bounds { min, max }: Bounds) -> Range {
    snapshot.range(min..=max)
}

/// Some consecutive elements of a range, from one of its ends to the other.
struct Window {
    range: Range,
    order: Order,
    left: usize,
}

impl Window {
    /// The `shown` elements that come after the first `offset` within the bounds. Walks over those
    /// that it leaves out.
    fn new(
        snapshot: &Snapshot,
        bounds: Bounds,
        order: Order,
        offset: usize,
        shown: usize,
    ) -> Window {
        let mut range = range(snapshot, bounds);
        // With nothing to show there is no need to go there.
        if shown > 0 && offset > 0 {
            match order {
                Order::Ascending => range.nth(offset - 1),
                Order::Descending => range.nth_back(offset - 1),
            };
        }
        Window { range, order, left: shown }
    }
}

impl Values for Window {
    fn fill(&mut self, out: &mut [i64]) -> usize {
        let most = out.len().min(self.left);
        let n = match self.order {
            Order::Ascending => self.range.fill(&mut out[..most]),
            Order::Descending => {
                let values = self.range.by_ref().rev();
                out[..most].iter_mut().zip(values).map(|(place, value)| *place = value).count()
            }
        };
        self.left -= n;
        n
    }
}

impl Values for Range {
    fn fill(&mut self, out: &mut [i64]) -> usize {
        Range::fill(self, out)
    }
}

#[cfg(test)]
mod tests;
