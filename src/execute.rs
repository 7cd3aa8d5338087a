//! What each command means: the only place where meaning meets data.

use crate::command::{
    Bounds, Command, Order, Reply, Selection, Show, Stats, Tier, ValueStream, Values,
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
}

impl Executor {
    /// An executor for the array of `writer`, with counts of its own.
    #[must_use]
    pub fn new(writer: Writer) -> Executor {
        Executor { writer, counts: Metrics::new().shard() }
    }

    /// The same, but what it does is counted in `counts`: one shard of the [`Metrics`] that all
    /// executors of a server share.
    #[must_use]
    pub fn with_metrics(self, counts: Shard) -> Executor {
        Executor { counts, ..self }
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
        self.writer.add(&values);
        let added = values.len();
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
