//! Reads: order statistics, snapshots, scans.

use std::hint::black_box;
use std::time::{Duration, Instant};

use sortd::store::Snapshot;

use crate::Options;
use crate::report::{Rounds, ns_each, percentile, row, section};
use crate::stores::{
    MutexTree, RwLockTree, Skiplist, Sortd, Source, Store, Values, filled, retire, while_writing,
};

/// How long one operation is measured in a round.
const SAMPLE_FOR: Duration = Duration::from_millis(500);

/// Samples that are kept at the most: 32 MB, which the reader takes before it begins.
const MAX_SAMPLES: usize = 4_000_000;

/// Those who write while others read.
const WRITERS: usize = 2;

/// Those who write while others take snapshots.
const MANY_WRITERS: usize = 16;

/// What is in the store before sixteen threads add to it.
const SNAPSHOT_SIZE: usize = 1_000_000;

/// Values that a scan copies at a time.
const COPIED: usize = 4096;

/// An operation of a reader.
#[derive(Clone, Copy)]
struct Operation {
    name: &'static str,
    run: fn(&Sortd, &mut Source) -> Duration,
}

const CLOCK: Operation = Operation { name: "reading the clock", run: |_, _| timed(|| ()) };

const SNAPSHOT: Operation =
    Operation { name: "snapshot", run: |store, _| timed(|| store.set.snapshot()) };

const ORDER_STATISTICS: [Operation; 3] = [
    Operation {
        name: "rank",
        run: |store, source| {
            let value = source.value();
            timed(|| (store.set.snapshot()).rank(value))
        },
    },
    Operation {
        name: "at",
        run: |store, source| {
            let place = source.fraction();
            timed(|| at(&store.set.snapshot(), place))
        },
    },
    Operation {
        name: "quantile",
        run: |store, source| {
            let q = source.fraction();
            timed(|| store.set.snapshot().quantile(q))
        },
    },
];

fn at(now: &Snapshot, place: f64) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 <= place < 1")]
    let index = (place * now.len() as f64) as usize;
    now.at(index)
}

/// How long it takes, without dropping what it returns.
fn timed<T>(operation: impl FnOnce() -> T) -> Duration {
    let begin = Instant::now();
    let done = black_box(operation());
    let elapsed = begin.elapsed();
    drop(done);
    elapsed
}

/// Times of one operation, over and over for a while, sorted.
fn sample(store: &Sortd, operation: Operation) -> Vec<u64> {
    let mut source = Source::new(Values::Uniform, WRITERS, 1);
    let mut samples = Vec::with_capacity(MAX_SAMPLES);
    let begin = Instant::now();
    while samples.len() < MAX_SAMPLES && begin.elapsed() < SAMPLE_FOR {
        let elapsed = (operation.run)(store, &mut source).as_nanos();
        samples.push(u64::try_from(elapsed).expect("no operation takes centuries"));
    }
    samples.sort_unstable();
    samples
}

/// The table of order statistics. Every operation has a store of its own, as they grow.
pub(crate) fn order_statistics(options: &Options) {
    let size = options.size();
    section(
        "Order statistics",
        &format!(
            "Nanoseconds, of a fresh snapshot each (which is included), at {size} uniform \
             elements at first. Idle: all in one sorted array. Writing: while two threads add \
             batches of 15 as fast as they can for {SAMPLE_FOR:?}. The clock's own time is in all. \
             Peers have none of these."
        ),
        &["operation", "idle, median", "idle, p99", "writing, median", "writing, p99"],
    );
    for operation in [CLOCK, SNAPSHOT].into_iter().chain(ORDER_STATISTICS) {
        let mut cells: [Rounds; 4] = Default::default();
        for _ in 0..options.rounds {
            let store: Sortd = filled(Values::Uniform, size);
            let idle = sample(&store, operation);
            let writing = while_writing(&store, WRITERS, || sample(&store, operation));
            retire(store);
            cells[0].push(percentile(&idle, 500));
            cells[1].push(percentile(&idle, 990));
            cells[2].push(percentile(&writing, 500));
            cells[3].push(percentile(&writing, 990));
        }
        let [idle, idle_p99, writing, writing_p99] = &cells;
        row(&[&operation.name, idle, idle_p99, writing, writing_p99]);
    }
}

/// The table of snapshots among many writers.
pub(crate) fn snapshots(options: &Options) {
    section(
        "Snapshots among writers",
        &format!(
            "Nanoseconds, at {SNAPSHOT_SIZE} elements at first, while {MANY_WRITERS} threads add \
             batches of 15 as fast as they can for {SAMPLE_FOR:?}."
        ),
        &["p50", "p99", "p99.9", "max", "snapshots taken"],
    );
    let mut cells: [Rounds; 5] = Default::default();
    for _ in 0..options.rounds {
        let store: Sortd = filled(Values::Uniform, SNAPSHOT_SIZE);
        let samples = while_writing(&store, MANY_WRITERS, || sample(&store, SNAPSHOT));
        retire(store);
        for (rounds, thousandths) in cells.iter_mut().zip([500, 990, 999, 1000]) {
            rounds.push(percentile(&samples, thousandths));
        }
        cells[4].push(samples.len() as f64);
    }
    let [p50, p99, p999, max, taken] = &cells;
    row(&[p50, p99, p999, max, taken]);
}

/// The table of full scans.
pub(crate) fn scan(options: &Options) {
    section(
        "Full scan",
        &format!("Nanoseconds an element, at {} uniform elements, all merged.", options.size()),
        &["store", "how", "ns an element"],
    );
    scan_of::<Sortd>(options, "a value at a time", Sortd::sum);
    scan_of::<Sortd>(options, "copied by the block", copy_all);
    if options.peers {
        scan_of::<Skiplist>(options, "a value at a time", Skiplist::sum);
        scan_of::<MutexTree>(options, "a value at a time", MutexTree::sum);
        scan_of::<RwLockTree>(options, "a value at a time", RwLockTree::sum);
    }
}

fn copy_all(store: &Sortd) -> i64 {
    let (mut all, mut buffer) = (store.set.snapshot().iter(), [0; COPIED]);
    let mut sum = 0i64;
    while all.fill(&mut buffer) > 0 {
        sum = sum.wrapping_add(buffer[0]);
    }
    sum
}

fn scan_of<S: Store>(options: &Options, how: &str, scan: fn(&S) -> i64) {
    let store: S = filled(Values::Uniform, options.size());
    let mut ns = Rounds::default();
    for _ in 0..options.rounds {
        ns.push(ns_each(timed(|| scan(&store)), store.len()));
    }
    retire(store);
    row(&[&S::NAME, &how, &ns]);
}
